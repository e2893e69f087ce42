use std::{borrow::Cow, collections::HashMap, error::Error, fmt, sync::LazyLock, sync::RwLock, time::Duration};

use guard::{
    Violation,
    status::{self, Details},
};
use sea_orm::{DbErr, RuntimeErr, SqlxError};
use tonic::{Code, Status};

/// A refusal or a failure on its way to the caller. What the caller may read and what only the log may read are kept apart.
pub struct Fault(Box<Inner>);

struct Inner {
    code: Code,
    reason: Cow<'static, str>,
    message: Cow<'static, str>,
    details: Details,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Fault {
    pub fn new(code: Code, reason: impl Into<Cow<'static, str>>, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            code,
            reason: reason.into(),
            message: message.into(),
            details: Details::default(),
            cause: None,
        }))
    }

    /// For unknown ids and for those of others alike: the two must not be told apart.
    pub fn not_found(kind: &str, id: impl fmt::Display) -> Self {
        let mut fault = Self::new(Code::NotFound, "NOT_FOUND", format!("no such {kind}"));
        fault.0.details.resource = Some((kind.to_owned(), id.to_string()));
        fault
    }
    /// A field whose value can never be right.
    pub fn invalid(field: impl Into<String>, reason: &'static str, text: &'static str) -> Self {
        Self::new(Code::InvalidArgument, reason, text).field(field)
    }
    /// The state of things forbids it now.
    pub fn precondition(reason: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::FailedPrecondition, reason, text)
    }
    pub fn exists(reason: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::AlreadyExists, reason, text)
    }
    pub fn denied(reason: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::PermissionDenied, reason, text)
    }
    /// Somebody else was faster; reading again and trying anew may help.
    pub fn aborted(reason: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let mut fault = Self::new(Code::Aborted, reason, text);
        if fault.is_contention() {
            fault.0.details.retry = Some(Duration::from_millis(50));
        }
        fault
    }
    /// It works again later.
    pub fn unavailable(reason: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        let mut fault = Self::new(Code::Unavailable, reason, text);
        fault.0.details.retry = Some(Duration::from_secs(1));
        fault
    }
    /// A mistake of ours: the cause goes to the log, the caller learns nothing of it.
    pub fn internal(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::new(Code::Internal, "INTERNAL", "internal error").because(cause)
    }
    pub(crate) fn deadline() -> Self {
        Self::new(
            Code::DeadlineExceeded,
            "DEADLINE_EXCEEDED",
            "the deadline has passed; the outcome of a write is found by its request_id",
        )
    }

    /// Names the field that it is about.
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        let (reason, description) = (self.0.reason.to_string(), self.0.message.to_string());
        self.0.details.violations.push(Violation {
            field: field.into(),
            reason,
            description,
        });
        self
    }
    /// Adds a value for machines; never personal data.
    #[must_use]
    pub fn meta(mut self, key: &str, value: impl fmt::Display) -> Self {
        self.0.details.metadata.push((key.to_owned(), value.to_string()));
        self
    }
    /// Adds what only the log may read.
    #[must_use]
    pub fn because(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.0.cause = Some(cause.into());
        self
    }

    pub fn code(&self) -> Code {
        self.0.code
    }
    pub fn reason(&self) -> &str {
        &self.0.reason
    }
    pub fn message(&self) -> &str {
        &self.0.message
    }
    /// What only the log may read.
    pub fn cause(&self) -> Option<&(dyn Error + Send + Sync + 'static)> {
        self.0.cause.as_deref()
    }
    /// Whether the same work may be tried again at once.
    pub fn is_contention(&self) -> bool {
        self.0.code == Code::Aborted && self.0.reason == "CONTENTION"
    }
    /// Whether waiting may help: a peer or the database is away.
    pub fn is_transient(&self) -> bool {
        self.is_contention() || matches!(self.0.code, Code::Unavailable | Code::DeadlineExceeded | Code::ResourceExhausted)
    }

    /// The one door from faults to the wire.
    pub fn into_status(self, service: &str) -> Status {
        let inner = *self.0;
        if let Some(cause) = &inner.cause {
            tracing::error!(reason = %inner.reason, cause = %Chain(cause.as_ref()), "a call failed");
        }
        status::build(inner.code, service, &inner.reason, inner.message, inner.details)
    }
}

struct Chain<'a>(&'a (dyn Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut source = self.0.source();
        while let Some(cause) = source {
            write!(f, ": {cause}")?;
            source = cause.source();
        }
        Ok(())
    }
}

impl fmt::Debug for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}: {}", self.0.code, self.0.reason, self.0.message)?;
        if let Some(cause) = &self.0.cause {
            write!(f, " ({})", Chain(cause.as_ref()))?;
        }
        Ok(())
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Error for Fault {}

static UNIQUE_RULES: LazyLock<RwLock<HashMap<String, String>>> = LazyLock::new(RwLock::default);

/// SQLite names the columns of a violated unique rule, not the rule; the database tells the names when it is opened.
/// `columns` reads `vendor.uscc` or `a.x, a.y`.
pub fn name_unique_rule(columns: String, name: String) {
    if let Ok(mut rules) = UNIQUE_RULES.write() {
        rules.insert(columns, name);
    }
}

impl From<DbErr> for Fault {
    fn from(error: DbErr) -> Self {
        let fault = match &error {
            DbErr::Exec(RuntimeErr::SqlxError(e)) | DbErr::Query(RuntimeErr::SqlxError(e)) | DbErr::Conn(RuntimeErr::SqlxError(e)) => of_sqlx(e),
            DbErr::ConnectionAcquire(_) => Some(Self::unavailable("STORAGE_UNAVAILABLE", "the database cannot be reached")),
            _ => None,
        };
        fault.unwrap_or_else(|| Self::new(Code::Internal, "INTERNAL", "internal error")).because(error)
    }
}

fn of_sqlx(error: &SqlxError) -> Option<Fault> {
    let database = match error {
        SqlxError::Database(e) => e,
        SqlxError::Io(_) | SqlxError::PoolTimedOut | SqlxError::PoolClosed | SqlxError::WorkerCrashed => {
            return Some(Fault::unavailable("STORAGE_UNAVAILABLE", "the database cannot be reached"));
        }
        _ => return None,
    };
    let code = database.code()?;
    let message = database.message();
    let rule = |name: &str| name.to_uppercase();
    Some(match code.as_ref() {
        // PostgreSQL: unique, exclusion. A trigger of ours names its rule like a constraint.
        "23505" | "23P01" => Fault::new(Code::AlreadyExists, rule(database.constraint().unwrap_or(message)), "it exists already"),
        "23514" | "P0001" => Fault::new(
            Code::FailedPrecondition,
            rule(database.constraint().unwrap_or(message)),
            "a rule of the database forbids it",
        ),
        "40001" | "40P01" | "55P03" => Fault::aborted("CONTENTION", "others are writing the same rows; try again"),
        "53100" => Fault::unavailable("STORAGE_FULL", "the disk of the database is full"),
        // PostgreSQL: no connection, shut down, out of connections or memory, a session that was idle for too long, a disk that fails. SQLite: a
        // file that cannot be opened.
        c if ["08", "57P", "53", "25P03", "58"].iter().any(|class| c.len() == 5 && c.starts_with(class)) || c == "14" => {
            Fault::unavailable("STORAGE_UNAVAILABLE", "the database cannot be reached")
        }
        // SQLite extended codes: unique and primary key, check, trigger, busy, full.
        "2067" | "1555" => {
            let columns = message.strip_prefix("UNIQUE constraint failed: ").unwrap_or(message);
            let known = UNIQUE_RULES.read().ok().and_then(|rules| rules.get(columns).cloned());
            let name = known.unwrap_or_else(|| {
                columns
                    .strip_prefix("index '")
                    .unwrap_or(columns)
                    .trim_end_matches('\'')
                    .replace(['.', ',', ' '], "_")
            });
            Fault::new(Code::AlreadyExists, rule(&name), "it exists already")
        }
        "275" => Fault::new(
            Code::FailedPrecondition,
            rule(message.strip_prefix("CHECK constraint failed: ").unwrap_or(message)),
            "a rule of the database forbids it",
        ),
        "1811" if message.ends_with("_overlap") || message.ends_with("_unique") => Fault::new(Code::AlreadyExists, rule(message), "it exists already"),
        "1811" => Fault::new(Code::FailedPrecondition, rule(message), "a rule of the database forbids it"),
        "5" | "261" | "517" => Fault::aborted("CONTENTION", "others are writing; try again"),
        // 4874: the shared memory beside the file cannot grow.
        "13" | "4874" => Fault::unavailable("STORAGE_FULL", "the disk of the database is full"),
        // SQLite: an error of the disk is the low byte 10, whatever was tried.
        c if c.len() < 5 && c.parse::<u16>().is_ok_and(|n| n % 256 == 10) => Fault::unavailable("STORAGE_UNAVAILABLE", "the database cannot be reached"),
        _ => return None,
    })
}
