use std::{collections::BTreeMap, convert::Infallible, net::SocketAddr, path::PathBuf, time::Duration};

use anyhow::{Context, Result, anyhow, ensure};
use calendar::Clock;
use database::{Database, jobs, journal};
use futures::future::BoxFuture;
use rpc::{Fault, Limits, Peer, Routes, Server, Tls, token::Verifier};
use tokio::{
    net::TcpListener,
    sync::{oneshot, watch},
    task::JoinSet,
};
use tonic::{body::Body, codegen::http, server::NamedService};
use vault::{Files, Index, Vault};

use crate::{
    Settings, Unusable, key_set, rotate,
    sweep::{Look, Sweeper},
};

/// Longest time that calls in hand get when a service stops taking new ones.
const GRACE: Duration = Duration::from_secs(20);

/// A service of the suite, as its crate declares it.
#[derive(Clone, Copy)]
pub struct Service {
    /// Name of the folder, the crate, the contract's package and the database.
    pub name: &'static str,
    /// Default port.
    pub port: u16,
    /// Steps of the database, oldest first.
    pub migrations: &'static [&'static str],
    /// Puts the service together.
    pub build: fn(Host) -> Built,
    /// Columns of its tables that lead to others: `("bill.agreement_id", "supply.id")`; `hearth check` verifies them.
    pub references: &'static [journal::Reference],
}

/// What `build` gives back.
pub type Built = BoxFuture<'static, Result<Parts>>;

/// What a service is given.
#[derive(Clone)]
pub struct Host {
    pub db: Database,
    pub clock: Clock,
    pub vault: Vault,
    pub files: Files,
    /// Template of bills as documents, where the deployment has one of its own.
    pub bill_template: Option<PathBuf>,
    peers: BTreeMap<&'static str, Peer>,
}

impl Host {
    /// The channel to another service.
    pub fn peer(&self, name: &str) -> Result<Peer> {
        self.peers.get(name).cloned().ok_or_else(|| anyhow!("there is no service {name}"))
    }
}

/// What a service is made of: what it serves, and what runs beside.
#[derive(Default)]
pub struct Parts {
    routes: Routes,
    tasks: Vec<(&'static str, BoxFuture<'static, ()>)>,
    looks: Vec<Look>,
    work: Vec<std::sync::Arc<dyn jobs::Work>>,
    indexes: Vec<Index>,
}

impl Parts {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a gRPC service.
    #[must_use]
    pub fn serve<S>(mut self, service: S) -> Self
    where
        S: tower_service::Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.routes.add(service);
        self
    }

    /// Adds work that runs as long as the service does.
    #[must_use]
    pub fn task(mut self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) -> Self {
        self.tasks.push((name, Box::pin(work)));
        self
    }

    /// Adds something that only the calendar brings about, looked for on every day that begins and so long after the last time within it, in
    /// the order in which it was added. What fails is told in the log and tried again.
    #[must_use]
    pub fn sweep<D, T>(mut self, name: &'static str, again: Duration, desk: &D, look: for<'a> fn(&'a D) -> BoxFuture<'a, Result<T, Fault>>) -> Self
    where
        D: Clone + Send + Sync + 'static,
        T: 'static,
    {
        let desk = desk.clone();
        let work = move || -> BoxFuture<'static, _> {
            let desk = desk.clone();
            Box::pin(async move { look(&desk).await.map(drop) })
        };
        self.looks.push(Look {
            name,
            again,
            work: Box::new(work),
            last: None,
        });
        self
    }

    /// Adds a condition that is told under its name by the health service, NOT_SERVING while it does not hold.
    #[must_use]
    pub fn condition(mut self, name: &'static str, holds: watch::Receiver<bool>) -> Self {
        self.routes.condition(name, holds);
        self
    }

    /// Adds a blind index of the service's tables, which is made anew when the key of the vault changes.
    #[must_use]
    pub fn index(mut self, index: Index) -> Self {
        self.indexes.push(index);
        self
    }

    /// Adds a kind of job.
    #[must_use]
    pub fn job(mut self, work: impl jobs::Work) -> Self {
        self.work.push(std::sync::Arc::new(work));
        self
    }
}

/// How a service is to be started.
pub struct Start {
    pub settings: Settings,
    pub clock: Clock,
    /// Bound already, so that a caller can choose a free port.
    pub listener: TcpListener,
}

/// A service that runs.
pub struct Running {
    pub name: &'static str,
    pub address: SocketAddr,
    pub db: Database,
    sweeper: Sweeper,
    stop: oneshot::Sender<Duration>,
    served: tokio::task::JoinHandle<Result<()>>,
}

/// Opens the database, builds the service, serves it.
pub async fn start(service: Service, start: Start) -> Result<Running> {
    let Start { settings, clock, listener } = start;
    let development = clock.is_simulated();
    let address = listener.local_addr()?;
    let db = Database::connect(service.name, &settings.database, clock.clone(), service.migrations)
        .await
        .map_err(|fault| match Unusable::of(&settings.database, &fault) {
            Some(unusable) => unusable.into(),
            None => anyhow!("the database of {} cannot be used: {fault}", service.name),
        })?;
    let vault = Vault::of_file(&settings.vault_keys, service.name).map_err(|e| anyhow!("the key ring of {} cannot be used: {e}", service.name))?;
    let missing = vault.missing(db.reader()).await.map_err(|e| anyhow!("the keys in use cannot be read: {e}"))?;
    ensure!(
        missing.is_empty(),
        "the key ring of {} lacks keys that are in use: {}",
        service.name,
        missing.join(", ")
    );
    let key = vault.digest_key(db.writer()).await;
    db.key_digests(&*key.map_err(|e| anyhow!("the key of the digests of {} cannot be used: {e}", service.name))?)?;
    let files = Files::new(&settings.files, vault.clone()).map_err(|e| anyhow!("the file store of {} cannot be used: {e}", service.name))?;
    let mut peers = BTreeMap::new();
    let tls = Tls::new(settings.tls).map_err(|e| anyhow!(e))?;
    for (name, address) in &settings.peers {
        peers.insert(*name, Peer::lazy(name, address, Some(&tls)).map_err(|e| anyhow!(e))?);
    }
    let host = Host {
        db: db.clone(),
        clock: clock.clone(),
        vault: vault.clone(),
        files,
        bill_template: settings.bill_template,
        peers,
    };
    let mut parts = (service.build)(host).await.with_context(|| format!("{} cannot be built", service.name))?;
    parts.routes.add(journal::server(db.clone(), service.references));
    parts.routes.add(jobs::server(db.clone()));
    if development {
        parts.routes.add(crate::clock::server(clock.clone()));
    }
    let sweeper = Sweeper::new(parts.looks, clock);

    let mut tasks = JoinSet::new();
    let (tell, ready) = watch::channel(true);
    let target = settings.database.clone();
    tasks.spawn(async move {
        database::pulse(target, tell).await;
    });
    parts.routes.ready(ready);
    tasks.spawn(journal::seal_forever(db.clone()));
    tasks.spawn(sweeper.clone().follow());
    tasks.spawn(rotate::follow(db.clone(), vault, parts.indexes));
    if !parts.work.is_empty() {
        tasks.spawn(jobs::work_forever(db.clone(), parts.work));
    }
    for (name, task) in parts.tasks {
        tasks.spawn(async move {
            task.await;
            tracing::error!(name, "a task that should run for ever has ended");
        });
    }
    let verifier = Verifier::new(&settings.issuer, &settings.jwks.load().await?).map_err(|e| anyhow!(e))?;
    tasks.spawn(settings.jwks.follow(verifier.clone()));
    if let Some(path) = settings.deny_list {
        // Before the first call: nobody slips in between.
        key_set::deny(&path, &verifier).await?;
        tasks.spawn(key_set::follow_denied(path, verifier.clone()));
    }
    let server = Server {
        service: service.name,
        routes: parts.routes,
        verifier,
        tls: Some(tls),
        reflection: settings.reflection,
        origins: settings.origins,
        development,
        limits: Limits {
            connections_per_address: settings.connections_per_address,
            load: settings.load,
            ..Limits::default()
        },
    };
    let (stop, stopped) = oneshot::channel();
    let closing = db.clone();
    let served = tokio::spawn(async move {
        let (quiet, told) = oneshot::channel();
        let stopping = async move {
            // A dropped handle stops the service as well.
            let pause = stopped.await.unwrap_or_default();
            let _ = quiet.send(pause);
            pause
        };
        let limit = async move {
            let pause: Duration = told.await.unwrap_or_default();
            tokio::time::sleep(pause.saturating_add(GRACE)).await;
        };
        let outcome = tokio::select! {
            outcome = server.serve(listener, stopping) => outcome.map_err(|e| anyhow!(e)),
            () = limit => Ok(()),
        };
        tasks.shutdown().await;
        closing.close().await;
        outcome
    });
    Ok(Running {
        name: service.name,
        address,
        db,
        sweeper,
        stop,
        served,
    })
}

impl Running {
    /// Looks once for everything that the calendar brings about, also while the clock is held: a script that is to go the same way twice
    /// says itself when the calendar takes effect.
    pub async fn sweep(&self) {
        self.sweeper.once().await;
    }

    /// Lets the calls in hand finish and closes the database.
    pub async fn stop(self) -> Result<()> {
        // The service may have ended by itself; its outcome tells.
        let _ = self.stop.send(Duration::ZERO);
        self.served.await?
    }

    /// Drops everything at once, as a crash would.
    pub async fn crash(self) {
        self.served.abort();
        // An aborted task ends in an error by design.
        let _ = self.served.await;
    }

    /// Runs until the service ends by itself or `until` ends: then it says that it does not serve, and goes on for the pause that
    /// `until` gives before it stops.
    pub async fn run(mut self, until: impl Future<Output = Duration>) -> Result<()> {
        let pause = tokio::select! {
            outcome = &mut self.served => return outcome?,
            pause = until => pause,
        };
        // As above.
        let _ = self.stop.send(pause);
        self.served.await?
    }
}
