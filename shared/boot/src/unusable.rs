use std::{error::Error, fmt};

use database::{Engine, Target};
use rpc::Fault;
use sea_orm::{DbErr, RuntimeErr, SqlxError, sqlx::postgres::PgConnectOptions};

use crate::{SETTINGS, Setting};

/// A database that cannot be used as it is named; another URL, or a server that runs, mends it.
#[derive(Debug)]
pub struct Unusable {
    /// Why, in words. It tells no password.
    pub cause: String,
}

impl Unusable {
    /// `None` for a failure that has nothing to do with where the database is.
    pub(crate) fn of(target: &Target, fault: &Fault) -> Option<Self> {
        let error = match fault.cause()?.downcast_ref::<DbErr>()? {
            DbErr::Conn(RuntimeErr::SqlxError(e)) | DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) => e.as_ref(),
            DbErr::ConnectionAcquire(_) => &SqlxError::PoolTimedOut,
            _ => return None,
        };
        let cause = match target.engine {
            Engine::Sqlite => of_file(&target.url, error),
            Engine::Postgres => of_server(&target.url, error),
        };
        Some(Self { cause: cause? })
    }
}

impl fmt::Display for Unusable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let setting = SETTINGS.iter().find(|setting| setting.name == "database_url");
        write!(f, "database_url: {} ({})", self.cause, setting.map(Setting::places).unwrap_or_default())
    }
}

impl Error for Unusable {}

fn of_file(url: &str, error: &SqlxError) -> Option<String> {
    let file = url.trim_start_matches("sqlite://").split('?').next().unwrap_or_default();
    // The low byte is the error; what is above says more than a person needs.
    let code: u32 = error.as_database_error().and_then(|e| e.code())?.parse().ok()?;
    match code % 256 {
        8 => Some(format!("{file} cannot be written to by this user")),
        14 => Some(format!(
            "{file} cannot be opened: its folder has to be there, and this user has to be allowed to write in it"
        )),
        26 => Some(format!("{file} is no SQLite database")),
        _ => None,
    }
}

fn of_server(url: &str, error: &SqlxError) -> Option<String> {
    let named: PgConnectOptions = url.parse().ok()?;
    let (host, port, user) = (named.get_host(), named.get_port(), named.get_username());
    // As the server chooses it where none is named.
    let database = named.get_database().unwrap_or(user);
    match error {
        SqlxError::Database(told) => match told.code()?.as_ref() {
            "3D000" => Some(format!("the server at {host}:{port} has no database {database}")),
            "28000" | "28P01" => Some(format!("the server at {host}:{port} refused the login of {user}")),
            "42501" => Some(format!(
                "the server at {host}:{port} does not give {user} the rights that are needed in the database {database}"
            )),
            _ => None,
        },
        SqlxError::Io(e) if is_unknown(e) => Some(format!("the host {host} is not found")),
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::Protocol(_) => Some(format!("no PostgreSQL server answers at {host}:{port}")),
        SqlxError::Tls(e) => Some(format!("the server at {host}:{port} cannot be spoken to by TLS: {e}")),
        _ => None,
    }
}

/// Whether a name leads to no address; the standard library has no kind for that.
fn is_unknown(error: &std::io::Error) -> bool {
    error.to_string().starts_with("failed to lookup address")
}
