//! Goodput under load, measured (reliability goals O1, O2, O3): `cargo run -p rpc --release --example overload [seconds]`.
//!
//! A server with the suite's layers on loopback; a read that takes 20 ms of one of eight hands, so that 400 calls a second are all
//! that can be done. Callers come at an even pace whatever becomes of those before, wait a second, and come again where they are
//! told to, twice at most.

use std::{
    convert::Infallible,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::{Duration, Instant},
};

use bytes::Bytes;
use contracts::hearth::options::v1::Role;
use http_body_util::{BodyExt, Full};
use rpc::{Limits, Load, Principal, Routes, Server, token::Issuer, token::Verifier};
use tokio::{net::TcpListener, sync::Semaphore, task::JoinSet};
use tonic::{Status, body::Body, server::NamedService, transport::Channel};
use tower::{Service, ServiceExt};

type Error = Box<dyn std::error::Error + Send + Sync>;

const GET: &str = "/hearth.billing.v1.PaymentService/GetPayment";
const HANDS: usize = 8;
const WORK: Duration = Duration::from_millis(20);
const CAPACITY: u64 = 400;
const DEADLINE: Duration = Duration::from_secs(1);
const CHANNELS: usize = 8;

#[derive(Clone)]
struct Payments(Arc<Semaphore>);

impl NamedService for Payments {
    const NAME: &'static str = "hearth.billing.v1.PaymentService";
}

impl Service<http::Request<Body>> for Payments {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }
    fn call(&mut self, _: http::Request<Body>) -> Self::Future {
        let hands = self.0.clone();
        Box::pin(async move {
            let _hand = hands.acquire().await;
            tokio::time::sleep(WORK).await;
            let mut trailers = http::HeaderMap::new();
            trailers.insert("grpc-status", http::HeaderValue::from_static("0"));
            let body = Full::new(Bytes::from_static(&[0; 5])).with_trailers(async move { Some(Ok(trailers)) });
            let mut response = http::Response::new(Body::new(body));
            response
                .headers_mut()
                .insert("content-type", http::HeaderValue::from_static("application/grpc"));
            Ok(response)
        })
    }
}

/// When calls ended and how long they took.
#[derive(Default)]
struct Seen {
    good: Vec<(Instant, Duration)>,
    refused: Vec<Duration>,
}

type Book = Arc<Mutex<Seen>>;

fn note(book: &Book, good: bool, took: Duration) {
    let mut seen = book.lock().unwrap_or_else(PoisonError::into_inner);
    if good {
        seen.good.push((Instant::now(), took));
    } else {
        seen.refused.push(took);
    }
}

/// One caller: comes again where it is told to.
async fn caller(channel: Channel, token: Arc<String>, book: Book) -> Result<(), Error> {
    for _ in 0..3 {
        let request = http::Request::post(format!("http://billing{GET}"))
            .header("content-type", "application/grpc")
            .header("te", "trailers")
            .header("grpc-timeout", "1S")
            .header("authorization", token.as_str())
            .body(Body::new(Full::new(Bytes::from_static(&[0; 5]))))?;
        let came = Instant::now();
        let mut channel = channel.clone();
        let Ok(answer) = tokio::time::timeout(DEADLINE, async { channel.ready().await?.call(request).await }).await else {
            return Ok(());
        };
        let (answer, took) = (answer?, came.elapsed());
        let good = !answer.headers().contains_key(Status::GRPC_STATUS);
        note(&book, good, took);
        if good {
            return Ok(());
        }
        let Some(pause) = answer.headers().get("grpc-retry-pushback-ms").and_then(|v| v.to_str().ok()?.parse().ok()) else {
            return Ok(());
        };
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
    Ok(())
}

/// Callers at an even pace; ends with the last of them.
async fn offer(rate: u64, time: Duration, channels: &[Channel], token: &Arc<String>) -> Book {
    let book = Book::default();
    let gap = Duration::from_secs(1) / u32::try_from(rate).unwrap_or(u32::MAX);
    let mut callers = JoinSet::new();
    let mut pace = tokio::time::interval(Duration::from_millis(5));
    let began = Instant::now();
    let mut due = Duration::ZERO;
    let mut channel = channels.iter().cycle();
    while began.elapsed() < time {
        pace.tick().await;
        while due <= began.elapsed()
            && let Some(channel) = channel.next()
        {
            callers.spawn(caller(channel.clone(), token.clone(), book.clone()));
            due += gap;
        }
    }
    while callers.join_next().await.is_some() {}
    book
}

fn percentile(mut times: Vec<Duration>, hundredths: usize) -> u128 {
    times.sort_unstable();
    let at = times.len().saturating_sub(1).saturating_mul(hundredths) / 100;
    times.get(at).map_or(0, Duration::as_millis)
}

#[tokio::main]
async fn main() -> Result<(), Error> {
    let seconds = std::env::args().nth(1).and_then(|a| a.parse().ok()).unwrap_or(20);
    let time = Duration::from_secs(seconds);
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let folder = std::env::temp_dir().join(format!("hearth-overload-{}", std::process::id()));
    boot::keys::make(&folder, &[])?;
    let principal = Principal {
        subject: "load".to_owned(),
        roles: vec![Role::Cashier as i32],
        ..Principal::default()
    };
    let token = Arc::new(format!("Bearer {}", Issuer::from_folder(&folder)?.sign(&principal)?));
    let jwks = std::fs::read_to_string(folder.join("jwks.json"))?;
    std::fs::remove_dir_all(&folder)?;
    let mut routes = Routes::default();
    routes.add(Payments(Arc::new(Semaphore::new(HANDS))));
    let server = Server {
        service: "billing",
        routes,
        verifier: Verifier::new(boot::keys::ISSUER, &jwks)?,
        tls: None,
        reflection: false,
        origins: vec![],
        development: false,
        limits: Limits {
            // The places are as by default; one caller plays all.
            load: Load {
                quota: 1_000_000,
                of_one: 1_000_000,
                ..Load::default()
            },
            ..Limits::default()
        },
    };
    tokio::spawn(server.serve(listener, std::future::pending()));
    let channels: Vec<_> = (0..CHANNELS)
        .map(|_| {
            Ok(Channel::from_shared(format!("http://{address}"))?
                .initial_connection_window_size(8 << 20)
                .connect_lazy())
        })
        .collect::<Result<_, Error>>()?;

    println!("| offered/s | goodput/s | p99 of the served, ms | p99 of the refused, ms | refused |");
    println!("| --- | --- | --- | --- | --- |");
    for tenths in [5, 8, 10, 20, 30, 50, 100, 7] {
        let rate = CAPACITY * tenths / 10;
        let began = Instant::now();
        let book = offer(rate, time, &channels, &token).await;
        let seen = std::mem::take(&mut *book.lock().unwrap_or_else(PoisonError::into_inner));
        let good = seen.good.iter().filter(|(at, _)| at.saturating_duration_since(began) <= time).count();
        let settled = began + Duration::from_secs(1);
        let served = seen.good.into_iter().filter(|(at, _)| *at >= settled).map(|(_, took)| took).collect();
        let (refused, number) = (percentile(seen.refused.clone(), 99), seen.refused.len());
        println!("| {rate} | {} | {} | {refused} | {number} |", good as u64 / seconds, percentile(served, 99));
    }
    println!("(the last line follows the storm at once)");
    Ok(())
}
