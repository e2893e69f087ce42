//! The four services in one process, on SQLite files in one folder or wherever they keep what they hold: what `up`, `demo` and `check` run.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use boot::{KeySet, PORTS, Running, Service, Settings, Start};
use calendar::Clock;
use contracts::hearth::journal::v1::VerifyJournalResponse;
use database::Target;
use rpc::{Load, TlsFiles};
use tokio::net::TcpListener;

/// Every service of the suite.
pub const SERVICES: [Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];

/// Who takes the events of whom.
pub const CONSUMERS: [(&str, &str); 7] = [
    ("archive", "billing"),
    ("billing", "archive"),
    ("billing", "hall"),
    ("hall", "archive"),
    ("hall", "billing"),
    ("hall", "vendor"),
    ("vendor", "hall"),
];

/// Those of them that have no cursor: a consumer that never began shows in no list of cursors.
pub fn never_began(journals: &BTreeMap<&'static str, VerifyJournalResponse>) -> impl Iterator<Item = (&'static str, &'static str)> {
    CONSUMERS.into_iter().filter(|(consumer, source)| {
        let cursors = journals.get(consumer).map_or(&[][..], |journal| &journal.cursors);
        !cursors.iter().any(|cursor| cursor.source == *source)
    })
}

/// File of a data folder that says what use it belongs to.
pub const MARKER: &str = ".hearth";

/// A folder that belongs to one use of the suite.
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Opens a folder that `kind` ("up", "demo") made before, or makes it.
    pub fn open(path: &Path, kind: &str) -> Result<Self> {
        Self::make(path, kind).map_err(|error| told_of_disk(error, path))
    }

    fn make(path: &Path, kind: &str) -> Result<Self> {
        match fs::read_to_string(path.join(MARKER)) {
            Ok(found) if found.trim() == kind => {}
            Ok(found) => bail!("{} belongs to `hearth {}`; name another folder with --data", path.display(), found.trim()),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(no_use(error, path)),
            Err(_) => {
                match fs::read_dir(path).map(|mut entries| entries.next().is_some()) {
                    Ok(true) => bail!("{} is not a folder of Hearth and is not empty; name another folder with --data", path.display()),
                    Err(error) if error.kind() != ErrorKind::NotFound => return Err(no_use(error, path)),
                    _ => {}
                }
                fs::create_dir_all(path).with_context(|| format!("{} cannot be made; name another folder with --data", path.display()))?;
                let marker = path.join(MARKER);
                if let Err(error) = fs::write(&marker, format!("{kind}\n")) {
                    // Half a marker would keep the next try out.
                    let _ = fs::remove_file(marker);
                    return Err(error).with_context(|| format!("{} cannot be written to; name another folder with --data", path.display()));
                }
            }
        }
        let folder = Self { path: path.to_owned() };
        if !folder.is_usable()? {
            // A folder whose making was cut short holds half the keys and no data yet.
            match fs::remove_dir_all(folder.keys()) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(no_use(error, path)),
                _ => {}
            }
            if let Err(error) = boot::keys::make(&folder.keys(), &[]) {
                // Without room even the last file may be there, and be empty.
                let _ = fs::remove_dir_all(folder.keys());
                return Err(error);
            }
        }
        Ok(folder)
    }

    /// Opens a folder of any kind that exists.
    pub fn existing(path: &Path) -> Result<Self> {
        let marked = path.join(MARKER).try_exists().map_err(|error| no_use(error, path))?;
        ensure!(marked, "{} is not a data folder of Hearth; name one with --data", path.display());
        Ok(Self { path: path.to_owned() })
    }

    /// Whether the keys are whole. Refuses a folder whose databases have lost theirs, and one that this user may not read and write: it would be an error
    /// of the first database that is opened, which says nothing of the folder.
    pub fn is_usable(&self) -> Result<bool> {
        self.reach().map_err(|error| no_use(error, &self.path))?;
        let there = |path: PathBuf| path.try_exists().map_err(|error| no_use(error, &self.path));
        // The last file that is made.
        let issuer = self.keys().join("issuer");
        if there(issuer.clone())? {
            return Ok(true);
        }
        for service in SERVICES {
            let database = self.database(service.name);
            ensure!(
                !there(database.clone())?,
                "{} is missing, and without the keys beside it {} cannot be read: put {} back as it was, or name another folder with --data",
                issuer.display(),
                database.display(),
                self.keys().display()
            );
        }
        Ok(false)
    }

    /// Writes in the folder, opens the databases for writing and the keys for reading, as far as they are there, and changes nothing. Only before a
    /// service has opened them: a file that is closed here would end the locks of SQLite in this process.
    pub fn reach(&self) -> io::Result<()> {
        let probe = self.path.join(".probe");
        let wrote = File::create(&probe);
        // Where it could not be made there is nothing to remove.
        let _ = fs::remove_file(&probe);
        let databases = SERVICES
            .iter()
            .map(|service| OpenOptions::new().read(true).write(true).open(self.database(service.name)));
        let keys = fs::read_dir(self.keys()).and_then(|mut keys| keys.try_for_each(|key| File::open(key?.path()).map(drop)));
        for tried in [wrote].into_iter().chain(databases).map(|file| file.map(drop)).chain([keys]) {
            match tried {
                // What else is the matter shows where it matters, such as a disk that is full.
                Err(error) if [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem].contains(&error.kind()) => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    /// The use that it belongs to: "up" or "demo".
    pub fn kind(&self) -> Result<String> {
        let kind = fs::read_to_string(self.path.join(MARKER)).map_err(|error| no_use(error, &self.path))?;
        Ok(kind.trim().to_owned())
    }
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
    pub fn path(&self) -> &Path {
        &self.path
    }
    fn database(&self, service: &str) -> PathBuf {
        self.path.join(format!("{service}.db"))
    }

    /// Where a service keeps what it holds.
    fn stores(&self, service: &str) -> Result<Stores> {
        Ok(Stores {
            database: Target::parse(&format!("sqlite://{}", self.database(service).display())).map_err(|e| anyhow!(e))?,
            files: self.path.join(format!("{service}-files")),
            ring: self.keys().join(format!("{service}.vault")),
        })
    }
}

/// Where a service keeps what it holds: its database, its files, and the keys that open both.
pub struct Stores {
    pub database: Target,
    pub files: PathBuf,
    pub ring: PathBuf,
}

/// An error of a folder with the way on.
pub fn no_use(error: io::Error, folder: &Path) -> anyhow::Error {
    let way = match error.kind() {
        ErrorKind::PermissionDenied if is_of_another(folder) => "belongs to somebody else; run as its owner, or name",
        _ => "cannot be used; name",
    };
    anyhow!(error).context(format!("{} {way} another folder with --data", folder.display()))
}

/// Whether a folder belongs to another user than the one of this process; where the system does not tell, its refusal is taken for that.
#[cfg(unix)]
fn is_of_another(folder: &Path) -> bool {
    use std::os::unix::fs::MetadataExt;
    let owner = |path: &Path| fs::metadata(path).map(|of| of.uid()).ok();
    let we = owner(Path::new("/proc/self"));
    we.is_none() || we != owner(folder)
}

#[cfg(not(unix))]
fn is_of_another(_folder: &Path) -> bool {
    true
}

/// A failure on a full disk is told as that, with the way on, whatever it was that found no room; any other error stays as it is.
pub fn told_of_disk(error: anyhow::Error, folder: &Path) -> anyhow::Error {
    let full = |cause: &(dyn std::error::Error + 'static)| cause.downcast_ref::<io::Error>().is_some_and(|e| e.kind() == ErrorKind::StorageFull);
    if error.chain().any(full) || format!("{error:#}").contains("STORAGE_FULL") || has_no_room(folder) {
        error.context(format!(
            "the disk of {} is full; free a part of it, or name another folder with --data",
            folder.display()
        ))
    } else {
        error
    }
}

/// Whether a folder of ours has no room for a megabyte. A service that finds none waits for some, and what waits for the service fails for another reason.
fn has_no_room(folder: &Path) -> bool {
    let probe = folder.join(".room");
    let full = || fs::write(&probe, vec![0; 1 << 20]).is_err_and(|error| error.kind() == ErrorKind::StorageFull);
    let full = folder.join(MARKER).exists() && full();
    // Where it could not be made there is nothing to remove.
    let _ = fs::remove_file(&probe);
    full
}

/// What to do when a port is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Name the flag that moves it.
    Complain,
    /// Take a free one.
    Move,
}

/// The four services, running.
pub struct Suite {
    running: Vec<Running>,
}

impl Suite {
    /// Starts all four on a folder. `ports` overrides the defaults; pages of `origins` may call.
    pub async fn start(folder: &Folder, clock: Clock, ports: &BTreeMap<&'static str, u16>, taken: Taken, origins: &[String]) -> Result<Self> {
        let stores = |service: &str| folder.stores(service);
        // Here a folder was named, and no URL.
        let of_folder = |error: anyhow::Error| match error.downcast::<boot::Unusable>() {
            Ok(unusable) => anyhow!("{}; name another folder with --data", unusable.cause),
            Err(error) => error,
        };
        let started = Self::begin(stores, &folder.keys(), clock, ports, taken, origins).await;
        started.map_err(|error| told_of_disk(of_folder(error), folder.path()))
    }

    /// Starts all four wherever they keep what they hold. `keys` has the certificates and the key that signs tokens.
    pub async fn begin(
        stores: impl Fn(&str) -> Result<Stores>,
        keys: &Path,
        clock: Clock,
        ports: &BTreeMap<&'static str, u16>,
        taken: Taken,
        origins: &[String],
    ) -> Result<Self> {
        let mut listeners = vec![];
        let mut addresses = BTreeMap::new();
        for (name, default) in PORTS {
            let port = ports.get(name).copied().unwrap_or(default);
            let listener = match TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), port)).await {
                Ok(listener) => listener,
                Err(_) if taken == Taken::Move => TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await?,
                Err(error) => return Err(error).with_context(|| format!("port {port} of {name} cannot be had; choose another with --{name}-port")),
            };
            addresses.insert(name, listener.local_addr()?);
            listeners.push(listener);
        }
        let mut running = vec![];
        for ((name, _), listener) in PORTS.into_iter().zip(listeners) {
            let service = SERVICES
                .into_iter()
                .find(|s| s.name == name)
                .ok_or_else(|| anyhow!("there is no service {name}"))?;
            let start = Start {
                settings: settings(stores(name)?, keys, name, listener.local_addr()?, &addresses, origins),
                clock: clock.clone(),
                listener,
            };
            running.push(boot::start(service, start).await?);
        }
        Ok(Self { running })
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> Result<SocketAddr> {
        self.running
            .iter()
            .find(|r| r.name == service)
            .map(|r| r.address)
            .ok_or_else(|| anyhow!("there is no service {service}"))
    }

    /// Lets the calls in hand finish and closes the databases.
    pub async fn stop(self) -> Result<()> {
        for outcome in futures::future::join_all(self.running.into_iter().map(Running::stop)).await {
            outcome?;
        }
        rpc::unfinished_writes().await;
        Ok(())
    }
}

fn settings(stores: Stores, keys: &Path, service: &str, listen: SocketAddr, addresses: &BTreeMap<&'static str, SocketAddr>, origins: &[String]) -> Settings {
    Settings {
        database: stores.database,
        listen,
        issuer: boot::keys::ISSUER.to_owned(),
        jwks: KeySet::File(keys.join("jwks.json")),
        deny_list: None,
        tls: TlsFiles::in_folder(keys, service),
        vault_keys: stores.ring,
        files: stores.files,
        bill_template: None,
        peers: addresses.iter().map(|(name, address)| (*name, format!("https://{address}"))).collect(),
        reflection: true,
        origins: origins.to_vec(),
        connections_per_address: 2_048,
        // One person plays all parts.
        load: Load {
            quota: 100_000,
            of_one: 128,
            in_hand: 512,
        },
        otlp_endpoint: None,
        log: String::new(),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    /// Sources below a folder.
    fn sources(folder: &Path, found: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                sources(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                found.push(fs::read_to_string(path).unwrap());
            }
        }
    }

    /// The name of a service that a text holds.
    fn named(text: &str) -> &'static str {
        let mut names = SERVICES.iter().map(|service| service.name).filter(|name| text.contains(name));
        let name = names.next().unwrap_or_else(|| panic!("{text} names no service"));
        assert_eq!(names.next(), None, "{text}");
        name
    }

    #[test]
    fn consumers_are_those_that_the_services_start_and_the_architecture_lists() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut started = vec![];
        for service in SERVICES {
            let mut texts = vec![];
            sources(&root.join("services").join(service.name).join("src"), &mut texts);
            for text in texts {
                // The second word between the brackets is the peer.
                let calls = text.split("database::consume(").skip(1).map(|call| named(call.split(',').nth(1).unwrap()));
                started.extend(calls.map(|source| (service.name, source)));
            }
        }
        started.sort_unstable();
        assert_eq!(started, CONSUMERS);

        let text = fs::read_to_string(root.join("docs/architecture.md")).unwrap();
        let table = text.split_once("is told (events) by |").unwrap().1;
        let mut listed = vec![];
        for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').collect();
            listed.extend(cells[4].split(',').map(|source| (named(cells[1]), named(source))));
        }
        listed.sort_unstable();
        assert_eq!(listed, CONSUMERS);
    }

    #[test]
    fn a_full_disk_is_told_with_its_folder() {
        let told = |error: anyhow::Error| format!("{:#}", told_of_disk(error, Path::new("hearth-data")));
        let sentence = "the disk of hearth-data is full; free a part of it, or name another folder with --data: ";
        let file = anyhow!(io::Error::from(ErrorKind::StorageFull)).context("ca.pem cannot be written");
        assert!(told(file).starts_with(&format!("{sentence}ca.pem cannot be written")));
        assert!(told(anyhow!("the database cannot be used: Unavailable STORAGE_FULL")).starts_with(sentence));
        assert_eq!(told(anyhow!("another fault")), "another fault");
    }
}
