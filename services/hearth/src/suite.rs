//! The four services in one process, on SQLite files in one folder: what `up`, `demo` and `check` run.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, ErrorKind},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::{Path, PathBuf},
};

use anyhow::{Context, Result, anyhow, bail, ensure};
use boot::{KeySet, PORTS, Running, Service, Settings, Start};
use calendar::Clock;
use database::Target;
use rpc::{Load, TlsFiles};
use tokio::net::TcpListener;

/// Every service of the suite.
pub const SERVICES: [Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];

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
            Err(_) if path.exists() && fs::read_dir(path).is_ok_and(|mut d| d.next().is_some()) => {
                bail!("{} is not a folder of Hearth and is not empty; name another folder with --data", path.display())
            }
            Err(_) => {
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
        if !folder.keys().join("issuer").exists() {
            // A folder whose making was cut short holds half the keys and no data yet.
            if folder.keys().exists() {
                fs::remove_dir_all(folder.keys())?;
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
        let marked = path.join(MARKER).try_exists();
        ensure!(
            marked.with_context(|| format!("{} cannot be read", path.display()))?,
            "{} is not a data folder of Hearth; name one with --data",
            path.display()
        );
        Ok(Self { path: path.to_owned() })
    }

    /// The use that it belongs to: "up" or "demo".
    pub fn kind(&self) -> Result<String> {
        Ok(fs::read_to_string(self.path.join(MARKER))?.trim().to_owned())
    }
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn settings(&self, service: &str, listen: SocketAddr, addresses: &BTreeMap<&'static str, SocketAddr>, origins: &[String]) -> Result<Settings> {
        let keys = self.keys();
        Ok(Settings {
            database: Target::parse(&format!("sqlite://{}", self.path.join(format!("{service}.db")).display())).map_err(|e| anyhow!(e))?,
            listen,
            issuer: boot::keys::ISSUER.to_owned(),
            jwks: KeySet::File(keys.join("jwks.json")),
            deny_list: None,
            tls: TlsFiles::in_folder(&keys, service),
            vault_keys: keys.join(format!("{service}.vault")),
            files: self.path.join(format!("{service}-files")),
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
        })
    }
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
    /// Starts all four. `ports` overrides the defaults; pages of `origins` may call.
    pub async fn start(folder: &Folder, clock: Clock, ports: &BTreeMap<&'static str, u16>, taken: Taken, origins: &[String]) -> Result<Self> {
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
                settings: folder.settings(name, listener.local_addr()?, &addresses, origins)?,
                clock: clock.clone(),
                listener,
            };
            running.push(boot::start(service, start).await.map_err(|error| told_of_disk(error, folder.path()))?);
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

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
