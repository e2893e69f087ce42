//! Keeps a service useful when more is asked of it than it can do: what cannot be served soon is refused at once, the less urgent
//! first, before its request is decoded.

use std::{
    future::Future,
    mem,
    net::IpAddr,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU8, Ordering},
    },
    task::{Context, Poll},
    time::{Duration, Instant},
};

use guard::{
    Call,
    status::{self, Details},
};
use http_body_util::BodyExt;
use tokio::sync::oneshot;
use tonic::{
    Code, Status,
    body::Body,
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use tower::{Layer, Service};

use crate::{
    access::{AccessTable, Method},
    gate,
    limit::Limit,
    line::{Arrival, Class, Line},
    quota::{Callers, InHand},
    retry,
};

/// How much a service does at once and for one caller.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Calls a second that one caller may make on average, twice as many at once. The people of a vendor count together as well; a
    /// service may ten times as much.
    pub quota: u32,
    /// Calls that one caller may have in hand at once, streams among them; a service ten times as many.
    pub of_one: u32,
    /// Calls that the service works on at once, to begin with. It finds its own number from there.
    pub in_hand: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            quota: 1_000,
            of_one: 32,
            in_hand: 64,
        }
    }
}

tokio::task_local! {
    /// What the call that is being served has taken.
    static HELD: Arc<Held>;
}

/// A call's place and its count with its caller. Work that goes on when the caller has left keeps them.
pub(crate) struct Held {
    place: Place,
    caller: Arc<InHand>,
}

impl Held {
    /// Of the call that is being served, if it came through the layer.
    pub fn current() -> Option<Arc<Self>> {
        HELD.try_with(Arc::clone).ok()
    }

    /// The turns of a stream's messages, if the call came through the layer. They outlive the place that the call itself had.
    pub fn turns() -> Option<Turns> {
        let held = Self::current()?;
        Some(Turns {
            house: held.place.house.clone(),
            caller: held.caller.clone(),
        })
    }
}

/// What the messages of a stream of writes come in by, one after the other: a stream that waits for its next message takes no place.
#[derive(Clone)]
pub(crate) struct Turns {
    house: Arc<House>,
    caller: Arc<InHand>,
}

impl Turns {
    /// Works on one message: waits for a place, as long as it takes.
    pub async fn take<T>(&self, work: impl Future<Output = T>) -> T {
        let place = loop {
            match self.house.clone().enter(Class::Batch, None).await {
                Some(place) => break place,
                None => tokio::time::sleep(retry::pushback()).await,
            }
        };
        let held = Held {
            place,
            caller: self.caller.clone(),
        };
        HELD.scope(Arc::new(held), work).await
    }
}

type Waiter = oneshot::Sender<Place>;

/// The places of one service, whatever the connection.
struct House(Mutex<Line<Waiter>>);

impl House {
    fn lock(&self) -> std::sync::MutexGuard<'_, Line<Waiter>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, or none where there is none soon enough.
    async fn enter(self: Arc<Self>, class: Class, until: Option<Instant>) -> Option<Place> {
        let (called, waiting) = oneshot::channel();
        let arrival = {
            let mut line = self.lock();
            match line.arrive(class, now(), Waiter::is_closed, || called) {
                Arrival::Enters => return Some(self.place(line.busy())),
                other => other,
            }
        };
        let Arrival::Waits { patience, instead } = arrival else { return None };
        drop(instead);
        let patience = until.map_or(patience, |until| patience.min(until.saturating_duration_since(now())));
        tokio::time::timeout(patience, waiting).await.ok()?.ok()
    }

    fn place(self: &Arc<Self>, busy: usize) -> Place {
        Place {
            house: self.clone(),
            began: now(),
            busy,
            method: None,
            end: AtomicU8::new(LEFT),
        }
    }
}

/// How a call has ended: nobody waited any more, with a result, with a refusal. A refusal is quick and tells nothing of how long
/// the work takes.
const LEFT: u8 = 0;
const WORKED: u8 = 1;
const REFUSED: u8 = 2;

struct Place {
    house: Arc<House>,
    began: Instant,
    /// How many places were taken when this one was.
    busy: usize,
    /// Whose time is measured; none for a stream and its messages.
    method: Option<String>,
    end: AtomicU8,
}

impl Drop for Place {
    fn drop(&mut self) {
        let now = now();
        let called: Vec<_> = {
            let mut line = self.house.lock();
            line.leave();
            let end = self.end.load(Ordering::Relaxed);
            if let (Some(method), LEFT | WORKED) = (&self.method, end) {
                let took = now.saturating_duration_since(self.began);
                line.limit.ended(method, self.busy, took, end == WORKED, now);
            }
            std::iter::from_fn(|| line.next().map(|waiter| (waiter, self.house.place(line.busy())))).collect()
        };
        for (waiter, place) in called {
            // One that stopped waiting at this moment gives its place on: it is dropped.
            let _ = waiter.send(place);
        }
    }
}

fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

/// The layer: quota of the caller, then a place.
#[derive(Clone)]
pub(crate) struct Admission {
    service: &'static str,
    table: AccessTable,
    callers: Arc<Callers>,
    house: Arc<House>,
}

impl Admission {
    pub fn new(service: &'static str, table: AccessTable, load: &Load) -> Self {
        Self {
            service,
            table,
            callers: Arc::new(Callers::new(load)),
            house: Arc::new(House(Mutex::new(Line::new(Limit::new(load.in_hand as usize, now()))))),
        }
    }

    async fn admit(&self, call: &Call, method: &Method, from: Option<IpAddr>) -> Result<Held, Status> {
        let caller = self
            .callers
            .admit(call.principal(), from)
            .map_err(|refused| refused.into_status(self.service))?;
        let Some(mut place) = self.house.clone().enter(Class::of(method), call.deadline()).await else {
            if call.deadline().is_some_and(|d| d <= now()) {
                return Err(crate::Fault::deadline().into_status(self.service));
            }
            return Err(self.overloaded());
        };
        place.method = (!method.streaming).then(|| method.name.clone());
        Ok(Held {
            place,
            caller: Arc::new(caller),
        })
    }

    fn overloaded(&self) -> Status {
        let pause = retry::pushback();
        let details = Details {
            retry: Some(pause),
            ..Details::default()
        };
        let mut status = status::build(Code::Unavailable, self.service, "OVERLOADED", "too much is asked at this moment", details);
        status.metadata_mut().insert(retry::PUSHBACK, millis(pause).into());
        status
    }
}

fn millis(pause: Duration) -> u64 {
    u64::try_from(pause.as_millis()).unwrap_or(u64::MAX)
}

impl<S> Layer<S> for Admission {
    type Service = Admitting<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Admitting {
            admission: self.clone(),
            inner,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Admitting<S> {
    admission: Admission,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Admitting<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let known = request.extensions().get::<Call>().cloned();
        let known = known.and_then(|call| self.admission.table.get(call.method()).cloned().map(|method| (call, method)));
        // What is open to all, health before all, is never refused.
        let Some((call, method)) = known else {
            return Box::pin(self.inner.call(request));
        };
        let next = self.inner.clone();
        let mut inner = mem::replace(&mut self.inner, next);
        let admission = self.admission.clone();
        Box::pin(async move {
            let held = match admission.admit(&call, &method, address(&request)).await {
                Ok(held) => Arc::new(held),
                Err(refused) => return Ok(refused.into_http()),
            };
            let response = HELD.scope(held.clone(), inner.call(request)).await?;
            let worked = matches!(gate::code(response.headers()), Code::Ok | Code::DeadlineExceeded);
            held.place.end.store(if worked { WORKED } else { REFUSED }, Ordering::Relaxed);
            if !method.streaming {
                return Ok(response);
            }
            // A stream counts with its caller as long as it lasts; a place it takes only while it works.
            let caller = held.caller.clone();
            Ok(response.map(|body| {
                Body::new(body.map_frame(move |frame| {
                    let _counted = &caller;
                    frame
                }))
            }))
        })
    }
}

fn address(request: &http::Request<Body>) -> Option<IpAddr> {
    let extensions = request.extensions();
    let tls = extensions.get::<TlsConnectInfo<TcpConnectInfo>>().map(TlsConnectInfo::get_ref);
    tls.or_else(|| extensions.get()).and_then(TcpConnectInfo::remote_addr).map(|a| a.ip())
}
