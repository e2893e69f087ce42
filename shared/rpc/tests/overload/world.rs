//! A service by hand behind the real layers, and calls to it that see all that comes back.

use std::{
    convert::Infallible,
    future::Future,
    net::SocketAddr,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use boot::keys;
use bytes::Bytes;
use contracts::hearth::options::v1::Role;
use http_body_util::{BodyExt, Full};
use rpc::{Limits, Load, Principal, Routes, Server, token::Issuer, token::Verifier};
use tokio::{net::TcpListener, sync::Semaphore};
use tonic::{Code, Status, body::Body, server::NamedService, transport::Channel};
use tower::{Service, ServiceExt};

pub const PAY: &str = "/hearth.billing.v1.PaymentService/TakePayment";
pub const GET: &str = "/hearth.billing.v1.PaymentService/GetPayment";
pub const IMPORT: &str = "/hearth.billing.v1.PaymentService/ImportPayments";

/// An answer of the service, in any time.
pub type Answer = Pin<Box<dyn Future<Output = http::Response<Body>> + Send>>;
type Handler = Arc<dyn Fn(http::Request<Body>) -> Answer + Send + Sync>;

/// Serves every path of the payments by one function, without decoding.
#[derive(Clone)]
pub struct Fake(Handler);

impl NamedService for Fake {
    const NAME: &'static str = "hearth.billing.v1.PaymentService";
}

impl Service<http::Request<Body>> for Fake {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let answer = self.0(request);
        Box::pin(async { Ok(answer.await) })
    }
}

/// An empty message, well ended.
pub fn fine() -> http::Response<Body> {
    let mut trailers = http::HeaderMap::new();
    trailers.insert("grpc-status", "0".parse().unwrap());
    let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async move { Some(Ok(trailers)) });
    let mut response = http::Response::new(Body::new(body));
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    response
}

/// A stream that stays open and says nothing.
pub fn open() -> http::Response<Body> {
    let frames = futures::stream::pending::<Result<http_body::Frame<Bytes>, Status>>();
    let mut response = http::Response::new(Body::new(http_body_util::StreamBody::new(frames)));
    response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
    response
}

/// Keys of this test process.
fn keys() -> &'static PathBuf {
    static KEYS: OnceLock<PathBuf> = OnceLock::new();
    KEYS.get_or_init(|| {
        let folder = tempfile::Builder::new()
            .prefix("overload")
            .tempdir_in(env!("CARGO_TARGET_TMPDIR"))
            .unwrap()
            .keep();
        keys::make(&folder.join("keys"), &[]).unwrap();
        folder.join("keys")
    })
}

/// A load that holds nobody up; a test narrows what it is about.
pub fn wide() -> Load {
    Load {
        quota: 1_000_000,
        of_one: 100_000,
        in_hand: 1_000,
    }
}

/// The service, listening in plain text for as long as the test runs.
pub async fn serve(load: Load, handler: impl Fn(http::Request<Body>) -> Answer + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut routes = Routes::default();
    routes.add(Fake(Arc::new(handler)));
    let jwks = std::fs::read_to_string(keys().join("jwks.json")).unwrap();
    let server = Server {
        service: "billing",
        routes,
        verifier: Verifier::new(keys::ISSUER, &jwks).unwrap(),
        tls: None,
        reflection: false,
        origins: vec![],
        development: false,
        limits: Limits { load, ..Limits::default() },
    };
    tokio::spawn(async { server.serve(listener, std::future::pending()).await.unwrap() });
    address
}

/// Work that ends when the test lets it.
#[derive(Clone)]
pub struct Hands {
    free: Arc<Semaphore>,
    pub begun: Arc<AtomicUsize>,
}

impl Hands {
    pub fn new(free: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(free)),
            begun: Arc::default(),
        }
    }
    pub async fn work(self) -> http::Response<Body> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        self.free.acquire().await.unwrap().forget();
        fine()
    }
    pub fn free(&self, more: usize) {
        self.free.add_permits(more);
    }
    pub fn begun(&self) -> usize {
        self.begun.load(Ordering::SeqCst)
    }
}

/// Somebody who may do everything with payments.
pub fn somebody(subject: &str, vendor: Option<&str>) -> String {
    let principal = Principal {
        subject: subject.to_owned(),
        roles: [Role::Cashier, Role::Operator].map(|r| r as i32).to_vec(),
        vendor: vendor.map(str::to_owned),
        ..Principal::default()
    };
    format!("Bearer {}", Issuer::from_folder(keys()).unwrap().sign(&principal).unwrap())
}

pub fn channel(address: SocketAddr) -> Channel {
    Channel::from_shared(format!("http://{address}")).unwrap().connect_lazy()
}

/// What came back.
pub struct Came {
    pub code: Code,
    pub status: Option<Status>,
    pub took: Duration,
    /// A stream lasts as long as it is held.
    pub body: Body,
}

impl Came {
    pub fn reason(&self) -> String {
        let status = self.status.as_ref().expect("a refusal");
        tonic_types::StatusExt::get_details_error_info(status).expect("a reason").reason
    }
    pub fn is_fine(&self) -> bool {
        self.code == Code::Ok
    }
}

/// A call with an empty message.
pub async fn call(channel: &Channel, path: &str, token: &str) -> Came {
    came(channel, request(path, token, Body::new(Full::new(Bytes::from_static(&[0; 5]))))).await
}

pub fn request(path: &str, token: &str, body: Body) -> http::Request<Body> {
    http::Request::post(format!("http://any{path}"))
        .header("content-type", "application/grpc")
        .header("te", "trailers")
        .header("authorization", token)
        .body(body)
        .unwrap()
}

/// The head of the answer; its body goes along.
pub async fn came(channel: &Channel, request: http::Request<Body>) -> Came {
    let began = Instant::now();
    let answer = channel.clone().ready().await.unwrap().call(request).await;
    // Who gives up by itself gets no answer.
    let response = answer.unwrap_or_else(|e| Status::from_error(e.into()).into_http());
    let status = Status::from_header_map(response.headers());
    Came {
        code: status.as_ref().map_or(Code::Ok, Status::code),
        status,
        took: began.elapsed(),
        body: response.into_body(),
    }
}

/// Waits until something is so, ten seconds at most.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}: not within ten seconds");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
