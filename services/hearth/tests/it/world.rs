//! The four services as production runs them, in a folder of their own: started once for all tests, or one alone. They are on SQLite, and with
//! `HEARTH_WORLD=postgres` on PostgreSQL.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use boot::{KeySet, Running, Service, Settings, Start};
use bytes::Bytes;
use calendar::Clock;
use contracts::hearth::options::v1::Role;
use database::{Engine, Target};
use guard::Whole;
use rpc::{AccessTable, Load, Method, Principal, Tls, TlsFiles, token::Issuer};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};
use tonic::{Request, Status, transport::Channel};

/// The one origin whose pages may call.
pub const ORIGIN: &str = "https://portal.test";
pub const ALL: [Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];

pub struct World {
    folder: PathBuf,
    addresses: BTreeMap<&'static str, SocketAddr>,
    /// Kept, since a service stops when its handle is dropped.
    _running: Vec<Running>,
}

/// The four services. They live on a runtime of their own, which outlives that of each test.
pub fn world() -> &'static World {
    static WORLD: OnceLock<World> = OnceLock::new();
    WORLD.get_or_init(|| {
        std::thread::spawn(|| {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            let world = runtime.block_on(all_in(folder(), engine()));
            std::mem::forget(runtime);
            world
        })
        .join()
        .unwrap()
    })
}

/// The engine of tests that are played on one.
pub fn engine() -> Engine {
    if std::env::var("HEARTH_WORLD").is_ok_and(|engine| engine == "postgres") {
        Engine::Postgres
    } else {
        Engine::Sqlite
    }
}

/// A fresh folder with keys.
pub fn folder() -> PathBuf {
    let folder = tempfile::Builder::new().prefix("world").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
    boot::keys::make(&folder.join("keys"), &[]).unwrap();
    std::fs::write(folder.join("denied"), "# nobody\n").unwrap();
    folder
}

/// The four services with the keys of a folder, and on SQLite with its data.
pub async fn all_in(folder: PathBuf, engine: Engine) -> World {
    let (mut listeners, mut addresses) = (vec![], BTreeMap::new());
    for service in ALL {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        addresses.insert(service.name, listener.local_addr().unwrap());
        listeners.push(listener);
    }
    let mut running = vec![];
    for (service, listener) in ALL.into_iter().zip(listeners) {
        let settings = settings(&folder, service, &addresses, true, engine).await.unwrap();
        running.push(
            boot::start(
                service,
                Start {
                    settings,
                    clock: Clock::real(),
                    listener,
                },
            )
            .await
            .unwrap(),
        );
    }
    World {
        folder,
        addresses,
        _running: running,
    }
}

/// One service with nobody where the others should be, and without reflection.
pub async fn alone(service: Service) -> World {
    alone_in(folder(), service).await
}

/// The same, on a folder that was made ready.
pub async fn alone_in(folder: PathBuf, service: Service) -> World {
    alone_on(folder, service, engine()).await.unwrap()
}

/// The same, on an engine; nothing where the machine has no PostgreSQL.
pub async fn alone_on(folder: PathBuf, service: Service, engine: Engine) -> Option<World> {
    let mut addresses = BTreeMap::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    for other in ALL {
        // Bound for a moment and given back: nobody listens there.
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        addresses.insert(other.name, nobody);
    }
    addresses.insert(service.name, listener.local_addr().unwrap());
    let settings = settings(&folder, service, &addresses, false, engine).await?;
    let running = boot::start(
        service,
        Start {
            settings,
            clock: Clock::real(),
            listener,
        },
    )
    .await
    .unwrap();
    Some(World {
        folder,
        addresses,
        _running: vec![running],
    })
}

/// Settings of a service on an engine; nothing where the machine has no PostgreSQL.
pub async fn settings(folder: &Path, service: Service, addresses: &BTreeMap<&'static str, SocketAddr>, reflection: bool, engine: Engine) -> Option<Settings> {
    let keys = folder.join("keys");
    let database = match engine {
        Engine::Sqlite => format!("sqlite://{}", folder.join(format!("{}.db", service.name)).display()),
        Engine::Postgres => testbed::postgres::migrated(service).await?,
    };
    Some(Settings {
        database: Target::parse(&database).unwrap(),
        listen: addresses[service.name],
        issuer: boot::keys::ISSUER.to_owned(),
        jwks: KeySet::File(keys.join("jwks.json")),
        deny_list: Some(folder.join("denied")),
        tls: TlsFiles::in_folder(&keys, service.name),
        vault_keys: keys.join(format!("{}.vault", service.name)),
        files: folder.join(format!("{}-files", service.name)),
        bill_template: None,
        peers: addresses.iter().map(|(name, address)| (*name, format!("https://{address}"))).collect(),
        reflection,
        origins: vec![ORIGIN.to_owned()],
        connections_per_address: 2_048,
        // One caller plays many here.
        load: Load {
            quota: 1_000_000,
            of_one: 1_000,
            in_hand: 1_000,
        },
        otlp_endpoint: None,
        log: "warn".to_owned(),
    })
}

impl World {
    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }

    pub fn address(&self, service: &str) -> String {
        format!("https://{}", self.addresses[service])
    }

    /// Where a service listens.
    pub fn socket(&self, service: &str) -> SocketAddr {
        self.addresses[service]
    }

    /// Puts a line on the deny list of the services; it is in force some seconds later.
    pub fn deny(&self, line: &str) {
        let mut list = std::fs::OpenOptions::new().append(true).open(self.folder.join("denied")).unwrap();
        std::io::Write::write_all(&mut list, format!("{line}\n").as_bytes()).unwrap();
    }

    /// A connection below every library of gRPC, for what such a library would not send.
    pub async fn connect(&self, service: &str) -> TlsStream<TcpStream> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(self.keys().join("ca.pem")).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap();
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(self.addresses[service]).await.unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(ServerName::try_from("localhost").unwrap(), socket)
            .await
            .unwrap()
    }

    /// Somebody without a certificate.
    pub fn channel(&self, service: &str) -> Channel {
        rpc::user_channel(&self.address(service), &self.keys().join("ca.pem")).unwrap()
    }

    /// A service, by its certificate.
    pub fn peer(&self, service: &'static str, caller: &str) -> Channel {
        let tls = Tls::new(TlsFiles::in_folder(&self.keys(), caller)).unwrap();
        rpc::service_channel(service, &self.address(service), Some(&tls)).unwrap()
    }

    /// A token, with its scheme.
    pub fn token(&self, roles: &[Role]) -> String {
        self.token_of(&Principal {
            subject: "somebody".to_owned(),
            roles: roles.iter().map(|r| *r as i32).collect(),
            ..Principal::default()
        })
    }

    /// A token of somebody in particular.
    pub fn token_of(&self, principal: &Principal) -> String {
        format!("Bearer {}", Issuer::from_folder(&self.keys()).unwrap().sign(principal).unwrap())
    }

    /// A request with a token.
    pub fn by<T>(&self, roles: &[Role], message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token(roles).parse().unwrap());
        request
    }
}

/// Every method that a service serves: its own, and what every service has.
pub fn methods_of(service: &str) -> Vec<Method> {
    let all = AccessTable::read().unwrap();
    let served = |m: &Method| ["journal", "job", service].contains(&m.name.split('.').nth(1).unwrap());
    all.methods().into_iter().filter(|m| served(m)).cloned().collect()
}

/// Roles that are proved by a token.
pub fn people() -> Vec<Role> {
    (1..Role::ServiceArchive as i32).filter_map(|n| Role::try_from(n).ok()).collect()
}

/// Calls a method by name with an empty message, as a client without our contracts would.
pub async fn call(channel: &Channel, method: &str, metadata: &[(&'static str, &str)]) -> Result<Bytes, Status> {
    send(channel, method, metadata, Bytes::new()).await
}

/// Calls a method by name with an encoded message.
pub async fn send(channel: &Channel, method: &str, metadata: &[(&'static str, &str)], message: Bytes) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    let mut request = Request::new(message);
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let answer = client.unary(request, format!("/{method}").parse().unwrap(), Whole).await?;
    Ok(answer.into_inner())
}
