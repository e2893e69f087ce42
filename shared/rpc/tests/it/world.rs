//! A small service behind everything that every port has. What its handlers do stands in the job id that is asked for.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use boot::keys;
use contracts::hearth::{
    archive::v1::{
        ImportCustomersRequest, ImportCustomersResponse,
        intake_service_server::{IntakeService, IntakeServiceServer},
    },
    job::v1::{
        CancelJobRequest, CancelJobResponse, GetJobRequest, GetJobResponse, Job, WatchJobRequest, WatchJobResponse,
        job_service_client::JobServiceClient,
        job_service_server::{JobService, JobServiceServer},
    },
    options::v1::Role,
};
use futures::StreamExt;
use guard::{CALL, Call, Principal};
use rpc::{Answer, Fault, Limits, Load, Outflow, Routes, Server, Tls, TlsFiles, token::Issuer, token::Verifier};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};
use tonic::{
    Request, Response, Status, Streaming,
    service::{Interceptor, interceptor::InterceptedService},
    transport::{Channel, ServerTlsConfig, server::TcpIncoming},
};
use tower::Service;

pub const GET: &str = "/hearth.job.v1.JobService/GetJob";
pub const WATCH: &str = "/hearth.job.v1.JobService/WatchJob";
pub const CANCEL: &str = "/hearth.job.v1.JobService/CancelJob";
pub const IMPORT: &str = "/hearth.archive.v1.IntakeService/ImportCustomers";

/// Set, it has the library's own server serve the handlers.
pub const BARE: &str = "HEARTH_BARE";

/// What a handler does with a job.
#[derive(Clone, Copy)]
pub enum Does {
    /// Answers after so many milliseconds.
    After(u32),
    /// Panics.
    Panics,
    /// Answers with so many bytes; a stream goes on with that for ever.
    Gives(u32),
    /// Asks a peer on that port of this machine.
    Asks(u16),
}

/// The id of a job with which a handler does that.
pub fn job(does: Does) -> String {
    let (kind, number) = match does {
        Does::After(n) => (1, n),
        Does::Panics => (2, 0),
        Does::Gives(n) => (3, n),
        Does::Asks(n) => (4, n.into()),
    };
    format!("00000000-0000-7000-8000-{kind:04x}{number:08x}")
}

fn does(id: &str) -> Does {
    let tail = &id[24..];
    let number = u32::from_str_radix(&tail[4..], 16).unwrap();
    match &tail[..4] {
        "0001" => Does::After(number),
        "0002" => Does::Panics,
        "0003" => Does::Gives(number),
        _ => Does::Asks(number.try_into().unwrap()),
    }
}

/// Handlers that have begun, and those that have come to their end.
pub static BEGUN: AtomicUsize = AtomicUsize::new(0);
pub static DONE: AtomicUsize = AtomicUsize::new(0);

#[derive(Clone)]
struct Desk;

fn work(id: String) -> Answer<Option<Job>> {
    Box::pin(async move {
        BEGUN.fetch_add(1, Ordering::SeqCst);
        let mut found = Job {
            job_id: id.clone(),
            ..Job::default()
        };
        match does(&id) {
            Does::After(time) => tokio::time::sleep(Duration::from_millis(time.into())).await,
            Does::Panics => panic!("as was asked"),
            Does::Gives(bytes) => found.note = "n".repeat(bytes as usize),
            Does::Asks(port) => {
                let peer = rpc::Peer::lazy("archive", &format!("http://127.0.0.1:{port}"), None).unwrap();
                let message = GetJobRequest { job_id: job(Does::After(0)) };
                let answer = JobServiceClient::new(peer.channel()).get_job(message).await;
                answer.map_err(|status| peer.fault(status))?;
            }
        }
        DONE.fetch_add(1, Ordering::SeqCst);
        Ok(Some(found))
    })
}

#[tonic::async_trait]
impl JobService for Desk {
    async fn get_job(&self, request: Request<GetJobRequest>) -> Result<Response<GetJobResponse>, Status> {
        rpc::read(self, request, |_, _, message: GetJobRequest| async move {
            work(message.job_id).await.map(|job| GetJobResponse { job })
        })
        .await
    }

    type WatchJobStream = Outflow<WatchJobResponse>;
    async fn watch_job(&self, request: Request<WatchJobRequest>) -> Result<Response<Self::WatchJobStream>, Status> {
        rpc::stream(self, request, |_, _, message: WatchJobRequest| {
            let id = message.job_id;
            let first = futures::stream::once(work(match does(&id) {
                Does::Panics => job(Does::After(0)),
                _ => id.clone(),
            }));
            let rest = futures::stream::unfold((), move |()| {
                let id = id.clone();
                async move {
                    match does(&id) {
                        Does::Gives(_) | Does::Panics => Some((work(id).await, ())),
                        _ => std::future::pending().await,
                    }
                }
            });
            Ok::<_, Fault>(first.chain(rest).map(|job| job.map(|job| WatchJobResponse { job })))
        })
        .await
    }

    async fn cancel_job(&self, request: Request<CancelJobRequest>) -> Result<Response<CancelJobResponse>, Status> {
        rpc::write(self, request, |_, _, message: CancelJobRequest| async move {
            work(message.job_id).await.map(|job| CancelJobResponse { job })
        })
        .await
    }
}

#[tonic::async_trait]
impl IntakeService for Desk {
    type ImportCustomersStream = Outflow<ImportCustomersResponse>;
    async fn import_customers(&self, request: Request<Streaming<ImportCustomersRequest>>) -> Result<Response<Self::ImportCustomersStream>, Status> {
        rpc::exchange(self, request, |_, _, message: ImportCustomersRequest| async move {
            Ok(ImportCustomersResponse {
                accepted: message.rows.len().try_into().unwrap_or_default(),
                ..ImportCustomersResponse::default()
            })
        })
        .await
    }
}

/// Keys of this test process.
pub fn keys() -> &'static PathBuf {
    static KEYS: OnceLock<PathBuf> = OnceLock::new();
    KEYS.get_or_init(|| {
        // A child has those of its parent.
        if let Some(folder) = std::env::var_os(crate::child::FOLDER) {
            return folder.into();
        }
        let folder = tempfile::Builder::new().prefix("wire").tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap().keep();
        keys::make(&folder.join("keys"), &[]).unwrap();
        folder.join("keys")
    })
}

/// The token of somebody who may call everything here, with its scheme.
pub fn token() -> String {
    static TOKEN: OnceLock<String> = OnceLock::new();
    let token = TOKEN.get_or_init(|| {
        let principal = Principal {
            subject: "somebody".to_owned(),
            roles: vec![Role::Operator as i32],
            ..Principal::default()
        };
        format!("Bearer {}", Issuer::from_folder(keys()).unwrap().sign(&principal).unwrap())
    });
    token.clone()
}

/// Puts the token into every call.
#[derive(Clone)]
pub struct Bearer;

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        request.metadata_mut().insert("authorization", token().parse().unwrap());
        Ok(request)
    }
}

/// The service, listening.
pub struct World {
    pub address: SocketAddr,
    stop: oneshot::Sender<Duration>,
    served: JoinHandle<()>,
}

/// Serves without certificates.
pub async fn plain(limits: Limits) -> World {
    start(TcpListener::bind("127.0.0.1:0").await.unwrap(), limits, None)
}

/// Serves as production does.
pub async fn secret(limits: Limits) -> World {
    let files = TlsFiles::in_folder(keys(), "archive");
    start(TcpListener::bind("127.0.0.1:0").await.unwrap(), limits, Some(Tls::new(files).unwrap()))
}

pub fn start(listener: TcpListener, limits: Limits, tls: Option<Tls>) -> World {
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let stopped = async move { stopped.await.unwrap_or_default() };
    let mut routes = Routes::default();
    routes.add(JobServiceServer::new(Desk));
    routes.add(IntakeServiceServer::new(Desk));
    let jwks = std::fs::read_to_string(keys().join("jwks.json")).unwrap();
    let server = Server {
        service: "archive",
        routes,
        verifier: Verifier::new(keys::ISSUER, &jwks).unwrap(),
        tls,
        reflection: true,
        origins: vec!["https://portal.test".to_owned()],
        development: false,
        // One caller plays a crowd here.
        limits: Limits {
            load: Load {
                quota: 1_000_000,
                of_one: 100_000,
                in_hand: 10_000,
            },
            ..limits
        },
    };
    let served = if std::env::var_os(BARE).is_some() {
        let stopped = async {
            stopped.await;
        };
        tokio::spawn(bare(listener, stopped, None, server.limits))
    } else {
        tokio::spawn(async { server.serve(listener, stopped).await.unwrap() })
    };
    World { address, stop, served }
}

/// The library's own server with nothing around the handlers but what the codec asks for, and with what it offers for the age of connections and for
/// silent ones.
pub async fn bare(listener: TcpListener, stop: impl Future<Output = ()>, tls: Option<ServerTlsConfig>, limits: Limits) {
    let unguarded = tower::layer::layer_fn(|inner: tonic::service::Routes| {
        tower::service_fn(move |mut request: http::Request<tonic::body::Body>| {
            let call = Call::background("archive", "test");
            request.extensions_mut().insert(call.clone());
            let mut inner = inner.clone();
            CALL.scope(call, async move { inner.call(request).await })
        })
    });
    let mut server = tonic::transport::Server::builder()
        .accept_http1(true)
        .max_connection_age(limits.age)
        .max_connection_age_grace(limits.grace)
        .http2_keepalive_interval(Some(limits.first_request))
        .http2_keepalive_timeout(Some(limits.handshake));
    if let Some(tls) = tls {
        server = server.tls_config(tls).unwrap();
    }
    server
        .layer(unguarded)
        .add_service(JobServiceServer::new(Desk))
        .add_service(IntakeServiceServer::new(Desk))
        .serve_with_incoming_shutdown(TcpIncoming::from(listener), stop)
        .await
        .unwrap();
}

/// The handlers with nothing around them at all.
pub fn exposed() -> SocketAddr {
    let incoming = TcpIncoming::bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = incoming.local_addr().unwrap();
    let server = tonic::transport::Server::builder().add_service(JobServiceServer::new(Desk));
    tokio::spawn(server.serve_with_incoming(incoming));
    address
}

impl World {
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// A channel as any client opens it.
    pub fn channel(&self) -> Channel {
        Channel::from_shared(self.url()).unwrap().connect_lazy()
    }

    pub fn client(&self) -> JobServiceClient<InterceptedService<Channel, Bearer>> {
        JobServiceClient::with_interceptor(self.channel(), Bearer)
    }

    /// Stops it as a signal would; ends when it has ended.
    pub async fn stop(self, pause: Duration) {
        let _ = self.stop.send(pause);
        self.served.await.unwrap();
    }
}

/// The long figure where profile `full` is asked for.
pub fn runs<T>(ci: T, full: T) -> T {
    if std::env::var("HEARTH_PROFILE").is_ok_and(|profile| profile == "full") {
        full
    } else {
        ci
    }
}

/// Waits until something is so, ten seconds at most.
pub async fn eventually(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}: not within ten seconds");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A message of gRPC as it goes over the wire.
pub fn framed(message: &impl prost::Message) -> Vec<u8> {
    prefixed(0, &message.encode_to_vec())
}

pub fn prefixed(flag: u8, content: &[u8]) -> Vec<u8> {
    let mut bytes = vec![flag];
    bytes.extend(u32::try_from(content.len()).unwrap().to_be_bytes());
    bytes.extend(content);
    bytes
}

/// A request for a job.
pub fn get(does: Does) -> Vec<u8> {
    framed(&GetJobRequest { job_id: job(does) })
}
