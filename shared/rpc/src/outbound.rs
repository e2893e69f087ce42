use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, HeaderValue, Response};
use http_body_util::{BodyExt, Full};
use tokio::{
    sync::Semaphore,
    time::{Instant, timeout, timeout_at},
};
use tonic::{Code, Status, body::Body, transport::Channel};
use tonic_types::StatusExt;
use tower::{Service, ServiceExt};

use crate::{
    access::AccessTable,
    breaker::{Breaker, Pass, Sign},
    gate::{self, code},
    retry::{self, Budget},
};

/// Calls to one peer at once; one that is slow takes no more of us. Within what a connection bears (100).
const AT_ONCE: usize = 32;
/// How long a call waits for another one to end.
const WAIT: Duration = Duration::from_millis(500);
/// How long the head of an answer is waited for where the caller does not say.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3);
/// A call with less time is not made.
const LEAST: Duration = Duration::from_millis(5);
/// A call with less time says nothing about the peer when it fails for it.
const FAIR: Duration = Duration::from_millis(250);

/// The way to another service, and the one place where calls are tried again: a channel behind a bulkhead, a breaker and retries
/// within a budget.
#[derive(Clone)]
pub struct Outbound(Arc<Way>);

struct Way {
    channel: Channel,
    table: AccessTable,
    places: Semaphore,
    breaker: Mutex<Breaker>,
    budget: Budget,
}

/// An answer, or that there is none.
type Outcome = Result<Response<Body>, Status>;

impl Outbound {
    pub(crate) fn new(channel: Channel, table: AccessTable) -> Self {
        Self(Arc::new(Way {
            channel,
            table,
            places: Semaphore::new(AT_ONCE),
            breaker: Mutex::new(Breaker::new()),
            budget: Budget::new(Instant::now().into_std()),
        }))
    }
}

impl Service<http::Request<Body>> for Outbound {
    type Response = Response<Body>;
    type Error = Status;
    type Future = Pin<Box<dyn Future<Output = Outcome> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Status>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let way = self.0.clone();
        Box::pin(async move { way.send(request).await })
    }
}

impl Way {
    async fn send(&self, request: http::Request<Body>) -> Outcome {
        let (mut parts, body) = request.into_parts();
        let asked = gate::timeout(&parts.headers).ok().flatten();
        let ends = Instant::now().checked_add(asked.unwrap_or(PATIENCE));
        let ends = ends.ok_or_else(|| Status::invalid_argument("the deadline is farther away than a clock can tell"))?;
        let method = self.table.get(parts.uri.path().trim_start_matches('/'));
        self.budget.deposit(Instant::now().into_std());
        if !method.is_some_and(|m| m.repeatable) {
            return self.attempt(http::Request::from_parts(parts, body), ends).await?;
        }
        let message = body.collect().await?.to_bytes();
        let mut before = 0_u32;
        loop {
            let left = ends.saturating_duration_since(Instant::now());
            if left < LEAST {
                return Err(Status::deadline_exceeded("too little time is left to ask"));
            }
            if asked.is_some() {
                parts.headers.insert("grpc-timeout", micros(left));
            }
            let request = http::Request::from_parts(parts.clone(), Body::new(Full::new(message.clone())));
            let outcome = self.attempt(request, ends).await?;
            let now = Instant::now();
            let left = ends.saturating_duration_since(now);
            let pause = again(&outcome).map(|asked| asked.unwrap_or_else(|| retry::pause(before, retry::noise())));
            before = before.saturating_add(1);
            match pause {
                Some(pause) if before < retry::ATTEMPTS && pause.saturating_add(LEAST) < left && self.budget.withdraw(now.into_std()) => {
                    tokio::time::sleep(pause).await;
                    parts.headers.insert(retry::PREVIOUS, HeaderValue::from(before));
                }
                _ => return outcome,
            }
        }
    }

    /// Asks the peer, unless that is no use: then the outer error says why not.
    async fn attempt(&self, request: http::Request<Body>, ends: Instant) -> Result<Outcome, Status> {
        let mut ticket = Ticket::new(self).ok_or_else(|| Status::unavailable("it has not answered of late and is not asked"))?;
        let wait = timeout(ends.saturating_duration_since(Instant::now()).min(WAIT), self.places.acquire());
        let _place = wait.await.map_err(|_| Status::unavailable("too many calls to it are waiting"))?;
        let began = Instant::now();
        let mut channel = self.channel.clone();
        let asked = async {
            let ready = channel.ready().await.map_err(|e| Status::from_error(e.into()))?;
            ready.call(request).await.map_err(|e| Status::from_error(e.into()))
        };
        let outcome = match timeout_at(ends, asked).await {
            Ok(outcome) => outcome.map(readable),
            Err(_) => Err(Status::deadline_exceeded("no answer in time")),
        };
        ticket.sign = sign(&outcome, ends.saturating_duration_since(began));
        Ok(outcome)
    }

    fn breaker(&self) -> MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A call that the breaker let pass; it learns how the call ended, also when the caller leaves.
struct Ticket<'a> {
    way: &'a Way,
    pass: Pass,
    sign: Sign,
}

impl<'a> Ticket<'a> {
    fn new(way: &'a Way) -> Option<Self> {
        let pass = way.breaker().enter(Instant::now().into_std())?;
        Some(Self {
            way,
            pass,
            sign: Sign::Nothing,
        })
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        let now = Instant::now().into_std();
        self.way.breaker().ended(self.pass, self.sign, now, retry::noise());
    }
}

fn micros(left: Duration) -> HeaderValue {
    // 60 s at most, so that it fits into the eight digits.
    HeaderValue::from_str(&format!("{}u", left.as_micros().min(99_999_999))).unwrap_or(HeaderValue::from_static("1S"))
}

/// What an outcome tells of the peer. One that pushes back is there.
fn sign(outcome: &Outcome, allowed: Duration) -> Sign {
    let (code, pushes_back) = match outcome {
        Ok(answer) => (code(answer.headers()), answer.headers().contains_key(retry::PUSHBACK)),
        Err(status) => (status.code(), false),
    };
    match code {
        Code::Unavailable if pushes_back || lacks_another(outcome) => Sign::Answered,
        Code::Unavailable => Sign::Failed,
        Code::DeadlineExceeded | Code::Cancelled if allowed >= FAIR => Sign::Failed,
        Code::DeadlineExceeded | Code::Cancelled => Sign::Nothing,
        _ if outcome.is_err() => Sign::Failed,
        _ => Sign::Answered,
    }
}

/// Whether the peer is there and misses a service that it asks itself. It has tried that one again already.
fn lacks_another(outcome: &Outcome) -> bool {
    outcome.as_ref().is_ok_and(|answer| says(answer, "DEPENDENCY_UNAVAILABLE"))
}

fn says(answer: &Response<Body>, reason: &str) -> bool {
    let status = Status::from_header_map(answer.headers());
    status.and_then(|s| s.get_details_error_info()).is_some_and(|info| info.reason == reason)
}

/// Whether the call may be made again, and after which pause where the peer says so.
fn again(outcome: &Outcome) -> Option<Option<Duration>> {
    let answer = match outcome {
        Ok(answer) => answer,
        // Of the transport, whichever code it gives it: the peer itself has said nothing. A GOAWAY comes as INTERNAL or CANCELLED.
        Err(status) => return (status.code() != Code::DeadlineExceeded).then_some(None),
    };
    match code(answer.headers()) {
        Code::Unavailable if !lacks_another(outcome) => {}
        Code::Aborted if says(answer, "CONTENTION") => {}
        _ => return None,
    }
    match answer.headers().get(retry::PUSHBACK) {
        // What is no number means that it shall not be tried.
        Some(value) => value.to_str().ok().and_then(|v| v.parse().ok()).map(|ms| Some(Duration::from_millis(ms))),
        None => Some(None),
    }
}

/// tonic panics on details that are no base64: such are dropped before it sees them.
fn readable(answer: Response<Body>) -> Response<Body> {
    let (mut parts, body) = answer.into_parts();
    drop_unreadable(&mut parts.headers);
    let body = body.map_frame(|mut frame| {
        if let Some(trailers) = frame.trailers_mut() {
            drop_unreadable(trailers);
        }
        frame
    });
    Response::from_parts(parts, Body::new(body))
}

fn drop_unreadable(headers: &mut HeaderMap) {
    const CODEC: GeneralPurpose = GeneralPurpose::new(
        &alphabet::STANDARD,
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
    );
    if headers.get(Status::GRPC_STATUS_DETAILS).is_some_and(|v| CODEC.decode(v).is_err()) {
        headers.remove(Status::GRPC_STATUS_DETAILS);
    }
}
