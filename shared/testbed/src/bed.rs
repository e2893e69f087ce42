use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Mutex, OnceLock},
    time::Duration,
};

use boot::{KeySet, PORTS, Running, Service, Settings, Start};
use calendar::Clock;
use contracts::hearth::{journal::v1::journal_service_server::JournalServiceServer, options::v1::Role};
use database::{Database, Engine, Target};
use rpc::{Limits, Load, Principal, Routes, Server, Tls, TlsFiles, token::Issuer, token::Verifier};
use tokio::{
    net::{TcpListener, TcpSocket},
    sync::oneshot,
};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

use crate::{Feed, again::Again, at, postgres};

/// A channel of one caller.
pub type Client = InterceptedService<Again, Bearer>;

/// Puts the caller's token into every call.
#[derive(Clone)]
pub struct Bearer(Option<String>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.0 {
            request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        }
        Ok(request)
    }
}

/// Runs a test on SQLite and then, on a machine that has it, on PostgreSQL; each time on a fresh database.
pub async fn each(service: Service, test: impl AsyncFn(&Bed)) {
    each_of(service, &[Engine::Sqlite, Engine::Postgres], test).await;
}

/// Runs a test on some engines.
pub async fn each_of(service: Service, engines: &[Engine], test: impl AsyncFn(&Bed)) {
    for engine in engines {
        let Some(bed) = Bed::new(service, *engine).await else { continue };
        test(&bed).await;
        bed.stop().await;
    }
}

/// One service under test.
pub struct Bed {
    service: Service,
    engine: Engine,
    url: String,
    folder: tempfile::TempDir,
    address: SocketAddr,
    clock: Clock,
    running: Mutex<Option<Running>>,
    peers: Mutex<BTreeMap<&'static str, (SocketAddr, Option<TcpSocket>)>>,
    fakes: Mutex<BTreeMap<&'static str, oneshot::Sender<()>>>,
}

/// Keys of this test process.
fn keys() -> &'static PathBuf {
    static KEYS: OnceLock<(tempfile::TempDir, PathBuf)> = OnceLock::new();
    &KEYS
        .get_or_init(|| {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("keys");
            boot::keys::make(&path, &[]).unwrap();
            (folder, path)
        })
        .1
}

fn reserve() -> (SocketAddr, TcpSocket) {
    // Bound and not listening: the port is ours, and calls to it are refused until a fake listens.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    (socket.local_addr().unwrap(), socket)
}

impl Bed {
    async fn new(service: Service, engine: Engine) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let url = match engine {
            Engine::Sqlite => format!("sqlite://{}", folder.path().join("test.db").display()),
            Engine::Postgres => postgres::migrated(service).await?,
        };
        let peers = PORTS.iter().filter(|(name, _)| *name != service.name).map(|(name, _)| {
            let (address, socket) = reserve();
            (*name, (address, Some(socket)))
        });
        let bed = Self {
            service,
            engine,
            url,
            address: reserve().0,
            folder,
            clock: Clock::simulated(at("2025-01-02T09:00:00+08:00")),
            running: Mutex::new(None),
            peers: Mutex::new(peers.collect()),
            fakes: Mutex::default(),
        };
        bed.start().await;
        Some(bed)
    }

    /// Starts the service on its database; after [`crash`](Self::crash), too.
    pub async fn start(&self) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        let running = boot::start(
            self.service,
            Start {
                settings: self.settings(),
                clock: self.clock.clone(),
                listener,
            },
        )
        .await
        .unwrap();
        *self.running.lock().unwrap() = Some(running);
    }

    /// A second process of the service on the same database, with the same peers; it has no fakes of its own.
    pub async fn beside(&self) -> Self {
        let addresses: Vec<_> = self.peers.lock().unwrap().iter().map(|(name, (address, _))| (*name, *address)).collect();
        let bed = Self {
            service: self.service,
            engine: self.engine,
            url: self.url.clone(),
            address: reserve().0,
            folder: tempfile::tempdir().unwrap(),
            clock: self.clock.clone(),
            running: Mutex::default(),
            peers: Mutex::new(addresses.into_iter().map(|(name, address)| (name, (address, None))).collect()),
            fakes: Mutex::default(),
        };
        bed.start().await;
        bed
    }

    /// Drops the service as a crash would; its database stays.
    pub async fn crash(&self) {
        let running = self.running.lock().unwrap().take();
        if let Some(running) = running {
            running.crash().await;
        }
    }

    /// Stops the service.
    pub async fn stop(&self) {
        let running = self.running.lock().unwrap().take();
        self.fakes.lock().unwrap().clear();
        if let Some(running) = running {
            running.stop().await.unwrap();
        }
    }

    /// What the service is started with, for a start with something else.
    pub fn settings(&self) -> Settings {
        let keys = keys();
        Settings {
            database: Target::parse(&self.url).unwrap(),
            listen: self.address,
            issuer: boot::keys::ISSUER.to_owned(),
            jwks: KeySet::File(keys.join("jwks.json")),
            deny_list: None,
            tls: TlsFiles::in_folder(keys, self.service.name),
            vault_keys: keys.join(format!("{}.vault", self.service.name)),
            files: self.folder.path().join("files"),
            bill_template: None,
            peers: self
                .peers
                .lock()
                .unwrap()
                .iter()
                .map(|(name, (address, _))| (*name, format!("https://{address}")))
                .collect(),
            reflection: true,
            origins: vec!["http://portal.test".to_owned()],
            connections_per_address: 2_048,
            // A hundred racers are not refused for their number.
            load: Load {
                quota: 1_000_000,
                of_one: 1_000,
                in_hand: 1_000,
            },
            otlp_endpoint: None,
            log: "warn".to_owned(),
        }
    }

    pub fn engine(&self) -> Engine {
        self.engine
    }
    /// The clock of the rules.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }
    /// The service's database, for what no RPC may do.
    pub fn db(&self) -> Database {
        self.running.lock().unwrap().as_ref().unwrap().db.clone()
    }
    /// Where the service listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
    /// The database file, on SQLite.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("test.db")
    }
    /// Where the service's database is, for a second process on it.
    pub fn target(&self) -> Target {
        Target::parse(&self.url).unwrap()
    }
    /// The authority that the service's certificate is signed by.
    pub fn ca(&self) -> PathBuf {
        keys().join("ca.pem")
    }

    /// A channel of any caller.
    pub fn caller(&self, principal: &Principal) -> Client {
        let token = Issuer::from_folder(keys()).unwrap().sign(principal).unwrap();
        InterceptedService::new(self.channel(), Bearer(Some(token)))
    }
    fn channel(&self) -> Again {
        Again::new(rpc::user_channel(&format!("https://{}", self.address), &self.ca()).unwrap(), self.engine)
    }
    /// Staff of head office with a subject of their own.
    pub fn staff(&self, roles: &[Role]) -> Client {
        self.staff_named(&format!("staff-{}", uuid::Uuid::now_v7().simple()), roles)
    }
    /// A member of staff by name, so that segregation can be tried.
    pub fn staff_named(&self, subject: &str, roles: &[Role]) -> Client {
        self.caller(&person(subject, roles))
    }
    /// Staff of a branch.
    pub fn staff_of(&self, branch: &str, roles: &[Role]) -> Client {
        let subject = format!("staff-{}", uuid::Uuid::now_v7().simple());
        self.caller(&Principal {
            branch: Some(branch.to_owned()),
            ..person(&subject, roles)
        })
    }
    /// A user of a vendor.
    pub fn vendor_user(&self, vendor_id: &str, roles: &[Role]) -> Client {
        let subject = format!("vendor-user-{}", uuid::Uuid::now_v7().simple());
        self.caller(&Principal {
            vendor: Some(vendor_id.to_owned()),
            ..person(&subject, roles)
        })
    }
    /// A customer.
    pub fn customer(&self, party_id: &str) -> Client {
        self.caller(&Principal {
            customer: Some(party_id.to_owned()),
            ..person(party_id, &[Role::Customer])
        })
    }
    /// Another service, by its certificate.
    pub fn peer(&self, name: &'static str) -> Channel {
        let tls = Tls::new(TlsFiles::in_folder(keys(), name)).unwrap();
        rpc::service_channel(self.service.name, &format!("https://{}", self.address), Some(&tls)).unwrap()
    }
    /// Nobody.
    pub fn anonymous(&self) -> Client {
        InterceptedService::new(self.channel(), Bearer(None))
    }

    /// Starts a fake of a peer: implementations of its generated traits, behind the same layers as the real one. Its events are
    /// told through the feed.
    pub async fn fake(&self, name: &'static str, mut routes: Routes) -> Feed {
        let socket = self.peers.lock().unwrap().get_mut(name).unwrap().1.take().expect("one fake per peer");
        let listener = socket.listen(64).unwrap();
        let feed = Feed::new(name);
        routes.add(JournalServiceServer::new(feed.clone()));
        let jwks = std::fs::read_to_string(keys().join("jwks.json")).unwrap();
        let server = Server {
            service: name,
            routes,
            verifier: Verifier::new(boot::keys::ISSUER, &jwks).unwrap(),
            tls: Some(Tls::new(TlsFiles::in_folder(keys(), name)).unwrap()),
            reflection: false,
            origins: vec![],
            development: false,
            limits: Limits::default(),
        };
        let (stop, stopped) = oneshot::channel::<()>();
        self.fakes.lock().unwrap().insert(name, stop);
        tokio::spawn(server.serve(listener, async move {
            let _ = stopped.await;
            Duration::ZERO
        }));
        feed
    }
}

fn person(subject: &str, roles: &[Role]) -> Principal {
    Principal {
        subject: subject.to_owned(),
        roles: roles.iter().map(|r| *r as i32).collect(),
        ..Principal::default()
    }
}
