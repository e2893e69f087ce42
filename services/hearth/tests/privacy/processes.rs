//! Services in processes of their own, on either engine: they log, trace and count as in production, and can be killed.

use std::{
    collections::BTreeMap,
    fs,
    io::Read,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
};

use boot::{
    Service, Settings, Start,
    telemetry::{Look, Telemetry},
};
use calendar::Clock;
use database::Engine;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use prost::Message;
use rpc::{Principal, Tls, TlsFiles, token::Issuer};
use sea_orm::{ConnectionTrait, DatabaseConnection, QueryResult, Statement};
use tonic::{Request, Response, Status, transport::Channel, transport::server::TcpIncoming};

/// The services of the suite.
const ALL: [Service; 4] = [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE];
/// Names the service that this process is to be; nobody sets it but this file.
const SERVE: &str = "HEARTH_TEST_SERVE";
/// The rules read this time in every process.
pub const NOW: &str = "2025-01-02T09:00:00+08:00";

/// Not a test of its own: with the variable set it is the service that a test has started, until its input ends.
#[test]
fn serves_in_a_process_of_its_own() {
    let Ok(name) = std::env::var(SERVE) else { return };
    let service = ALL.into_iter().find(|s| s.name == name).unwrap();
    let settings = Settings::read(service.name, service.port, &BTreeMap::new(), |name| std::env::var(name).ok(), None).unwrap();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let telemetry = Telemetry::start(service.name, &settings.log, Look::Json, settings.otlp_endpoint.as_deref()).unwrap();
        let listener = tokio::net::TcpListener::bind(settings.listen).await.unwrap();
        let clock = Clock::simulated(testbed::at(NOW));
        let running = boot::start(service, Start { settings, clock, listener }).await.unwrap();
        tracing::info!(service = service.name, "serving");
        let input = tokio::task::spawn_blocking(|| std::io::stdin().read_to_end(&mut vec![]));
        input.await.unwrap().unwrap();
        running.stop().await.unwrap();
        rpc::unfinished_writes().await;
        telemetry.stop().await;
    });
}

/// What services have told a collector, as they sent it.
#[derive(Clone, Default)]
pub struct Sink(Arc<Mutex<BTreeMap<&'static str, Vec<u8>>>>);

impl Sink {
    fn take(&self, kind: &'static str, message: &impl Message) {
        self.0.lock().unwrap().entry(kind).or_default().extend(message.encode_to_vec());
    }

    /// All that came of a kind: `traces`, `metrics` or `logs`.
    pub fn told(&self, kind: &'static str) -> Vec<u8> {
        self.0.lock().unwrap().get(kind).cloned().unwrap_or_default()
    }
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.take("traces", request.get_ref());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Sink {
    async fn export(&self, request: Request<ExportMetricsServiceRequest>) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.take("metrics", request.get_ref());
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Sink {
    async fn export(&self, request: Request<ExportLogsServiceRequest>) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.take("logs", request.get_ref());
        Ok(Response::new(Default::default()))
    }
}

/// Starts a collector that outlives the runtime of the test that asks for it.
fn collector(sink: &Sink) -> SocketAddr {
    let (sink, (tell, told)) = (sink.clone(), std::sync::mpsc::channel());
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            tell.send(listener.local_addr().unwrap()).unwrap();
            tonic::transport::Server::builder()
                .add_service(TraceServiceServer::new(sink.clone()))
                .add_service(MetricsServiceServer::new(sink.clone()))
                .add_service(LogsServiceServer::new(sink))
                .serve_with_incoming(TcpIncoming::from(listener))
                .await
                .unwrap();
        });
    });
    told.recv().unwrap()
}

/// Some of the four services, each a process; they end with this one.
pub struct Processes {
    pub sink: Sink,
    folder: PathBuf,
    collector: SocketAddr,
    urls: BTreeMap<&'static str, String>,
    addresses: BTreeMap<&'static str, SocketAddr>,
    children: Mutex<BTreeMap<&'static str, Child>>,
}

impl Processes {
    /// Starts the services of these names on fresh databases; nothing where the machine lacks the engine.
    pub async fn start(engine: Engine, names: &[&str]) -> Option<Self> {
        let folder = tempfile::Builder::new()
            .prefix("processes")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap()
            .keep();
        boot::keys::make(&folder.join("keys"), &[]).unwrap();
        let mut urls = BTreeMap::new();
        let mut addresses = BTreeMap::new();
        for service in ALL {
            let url = match engine {
                Engine::Sqlite => format!("sqlite://{}", folder.join(format!("{}.db", service.name)).display()),
                Engine::Postgres => testbed::postgres::migrated(service).await?,
            };
            urls.insert(service.name, url);
            // Free a moment ago; whoever takes it in between shows as a service that does not start.
            let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap();
            addresses.insert(service.name, address);
        }
        let sink = Sink::default();
        let processes = Self {
            folder,
            collector: collector(&sink),
            sink,
            urls,
            addresses,
            children: Mutex::default(),
        };
        for name in names {
            processes.launch(name);
        }
        for name in names {
            processes.serving(name).await;
        }
        Some(processes)
    }

    /// Starts the process of a service.
    pub fn launch(&self, name: &str) {
        let name = ALL.into_iter().find(|s| s.name == name).unwrap().name;
        let log = fs::OpenOptions::new().create(true).append(true).open(self.log(name)).unwrap();
        let keys = self.keys();
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "processes::serves_in_a_process_of_its_own", "--nocapture", "--test-threads=1"])
            .env(SERVE, name)
            .env("HEARTH_DATABASE_URL", &self.urls[name])
            .env("HEARTH_LISTEN", self.addresses[name].to_string())
            .env("HEARTH_ISSUER", boot::keys::ISSUER)
            .env("HEARTH_JWKS", keys.join("jwks.json"))
            .env("HEARTH_TLS_CA", keys.join("ca.pem"))
            .env("HEARTH_TLS_CERTIFICATE", keys.join(format!("{name}.pem")))
            .env("HEARTH_TLS_KEY", keys.join(format!("{name}.key.pem")))
            .env("HEARTH_VAULT_KEYS", self.ring(name))
            .env("HEARTH_FILES", self.folder.join(format!("{name}-files")))
            .env("HEARTH_LOG", "debug")
            .env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://{}", self.collector))
            .env("OTEL_TRACES_SAMPLER", "always_on")
            .env("OTEL_BSP_SCHEDULE_DELAY", "200")
            .env("OTEL_BLRP_SCHEDULE_DELAY", "200")
            .env("OTEL_METRIC_EXPORT_INTERVAL", "500")
            .env("RUST_BACKTRACE", "1")
            .stdin(Stdio::piped())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        for (peer, address) in &self.addresses {
            command.env(format!("HEARTH_{}", peer.to_uppercase()), format!("https://{address}"));
        }
        self.children.lock().unwrap().insert(name, command.spawn().unwrap());
    }

    /// Waits until a service serves.
    pub async fn serving(&self, name: &str) {
        for _ in 0..600 {
            if rpc::healthy(&self.address(name), &self.keys().join("ca.pem")).await.is_ok() {
                return;
            }
            if let Some(status) = self.children.lock().unwrap().get_mut(name).unwrap().try_wait().unwrap() {
                panic!("{name} ended: {status}\n{}", fs::read_to_string(self.log(name)).unwrap());
            }
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        panic!("{name} does not serve:\n{}", fs::read_to_string(self.log(name)).unwrap());
    }

    /// Ends a process without a chance to tidy up.
    pub fn kill(&self, name: &str) {
        let mut child = self.children.lock().unwrap().remove(name).unwrap();
        child.kill().unwrap();
        child.wait().unwrap();
    }

    /// Starts a service that refuses to serve; what it says.
    pub fn refused(&self, name: &str) -> String {
        self.launch(name);
        let mut child = self.children.lock().unwrap().remove(name).unwrap();
        assert!(!child.wait().unwrap().success());
        fs::read_to_string(self.log(name)).unwrap()
    }

    pub fn keys(&self) -> PathBuf {
        self.folder.join("keys")
    }
    /// The key ring of a service.
    pub fn ring(&self, name: &str) -> PathBuf {
        self.keys().join(format!("{name}.vault"))
    }
    /// What a service wrote to its output.
    pub fn log(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.log"))
    }
    /// Where all lies that belongs to these services and no server keeps.
    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }
    pub fn url(&self, name: &str) -> &str {
        &self.urls[name]
    }
    pub fn address(&self, name: &str) -> String {
        format!("https://{}", self.addresses[name])
    }

    /// Somebody without a certificate.
    pub fn channel(&self, name: &str) -> Channel {
        rpc::user_channel(&self.address(name), &self.keys().join("ca.pem")).unwrap()
    }
    /// A service, by its certificate.
    pub fn peer(&self, name: &'static str, caller: &str) -> Channel {
        let tls = Tls::new(TlsFiles::in_folder(&self.keys(), caller)).unwrap();
        rpc::service_channel(name, &self.address(name), Some(&tls)).unwrap()
    }
    /// A token, with its scheme.
    pub fn token(&self, principal: &Principal) -> String {
        format!("Bearer {}", Issuer::from_folder(&self.keys()).unwrap().sign(principal).unwrap())
    }

    /// A connection of our own to a service's database.
    pub async fn db(&self, name: &str) -> DatabaseConnection {
        sea_orm::Database::connect(sea_orm::ConnectOptions::new(&self.urls[name]).max_connections(1).sqlx_logging(false).to_owned())
            .await
            .unwrap()
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in self.children.lock().unwrap().values_mut() {
            // It may be dead already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Rows of a statement.
pub async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<QueryResult> {
    db.query_all_raw(Statement::from_string(db.get_database_backend(), sql))
        .await
        .unwrap_or_else(|e| panic!("{sql}: {e}"))
}

/// The answer to a count.
pub async fn number(db: &DatabaseConnection, sql: &str) -> i64 {
    rows(db, sql).await[0].try_get_by_index(0).unwrap()
}

/// Every column of every table of a database, with all that it holds, one value a line.
pub async fn columns(db: &DatabaseConnection, engine: Engine) -> Vec<(String, Vec<u8>)> {
    let (names, value): (_, fn(&str, &str) -> String) = match engine {
        Engine::Sqlite => (
            "SELECT m.name, i.name, i.type FROM sqlite_master m, pragma_table_info(m.name) i WHERE m.type = 'table'",
            |column, _| format!("hex(CAST(\"{column}\" AS BLOB))"),
        ),
        Engine::Postgres => (
            "SELECT table_name::text, column_name::text, data_type::text FROM information_schema.columns WHERE table_schema = 'public'",
            |column, kind| match kind {
                "bytea" => format!("encode(\"{column}\", 'hex')"),
                _ => format!("encode(convert_to(\"{column}\"::text, 'UTF8'), 'hex')"),
            },
        ),
    };
    let mut all = vec![];
    for row in rows(db, names).await {
        let [table, column, kind] = [0, 1, 2].map(|i| row.try_get_by_index::<String>(i).unwrap());
        let mut bytes = vec![];
        for row in rows(db, &format!("SELECT coalesce({}, '') FROM \"{table}\"", value(&column, &kind))).await {
            let hex: String = row.try_get_by_index(0).unwrap();
            bytes.extend(
                hex.as_bytes()
                    .chunks(2)
                    .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
            );
            bytes.push(b'\n');
        }
        all.push((format!("{table}.{column}"), bytes));
    }
    all
}
