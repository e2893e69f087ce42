//! Connections: who gets one, how long it may take to say something, and when it has to go.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use futures::FutureExt;
use http::{Request, Response};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::conn::auto,
    service::TowerToHyperService,
};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    task::JoinSet,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, transport::server::Connected};
use tower::Service;

use crate::{
    Load,
    calm::Calm,
    entry::{Entry, Streams},
    keys::Tls,
    retry,
};

/// What a server grants those who connect.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Open connections; a further one is closed at once.
    pub connections: usize,
    /// Open connections from one address.
    pub connections_per_address: usize,
    /// For the TLS handshake.
    pub handshake: Duration,
    /// From the handshake to the first request; a second of farewell follows.
    pub first_request: Duration,
    /// How long a stream may wait for its client, be it to send or to receive.
    pub stalled: Duration,
    /// Age at which a connection is told to go (GOAWAY), a tenth more or less.
    pub age: Duration,
    /// What its calls get then to end.
    pub grace: Duration,
    /// How much is done at once and for one caller.
    pub load: Load,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            // Files and the database need descriptors, too.
            connections: 12_000.min(descriptors().saturating_mul(3) / 5),
            connections_per_address: 2_048,
            handshake: Duration::from_secs(5),
            first_request: Duration::from_secs(9),
            stalled: Duration::from_secs(30),
            age: Duration::from_secs(600),
            grace: Duration::from_secs(30),
            load: Load::default(),
        }
    }
}

/// What a client that has asked for nothing yet gets to hear the GOAWAY.
const FAREWELL: Duration = Duration::from_secs(1);
/// Calls at once on one connection.
const STREAMS: u32 = 100;
/// Pause after an accept that failed for want of descriptors or memory.
const BACK_OFF: Duration = Duration::from_millis(50);
/// How many of those who wait are turned away between two pauses.
const TURNED_AWAY: usize = 64;

/// Descriptors that the process may open; without /proc there is no telling.
fn descriptors() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    let line = limits.lines().find_map(|l| l.strip_prefix("Max open files"));
    line.and_then(|l| l.split_whitespace().next()?.parse().ok()).unwrap_or(usize::MAX)
}

/// Accepts until `leave`, then waits until every connection is closed. Dropped, it drops them all.
pub(crate) async fn serve<S>(name: &'static str, listener: TcpListener, tls: Option<Tls>, limits: Limits, service: S, leave: CancellationToken)
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<tonic::codegen::StdError> + Send,
{
    let connection = Connection {
        name,
        tls,
        limits: Arc::new(limits),
        service,
        leave: leave.clone(),
    };
    let crowd = Arc::new(Mutex::new(Crowd::default()));
    let mut open = JoinSet::new();
    let mut spare = spare();
    let mut seldom = Seldom(None);
    loop {
        let accepted = tokio::select! {
            () = leave.cancelled() => break,
            Some(_) = open.join_next() => continue,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((socket, from)) => match Place::take(&crowd, from.ip().to_canonical(), &connection.limits) {
                Some(place) => {
                    open.spawn(connection.clone().run(socket, place));
                }
                None => seldom.tell(|| tracing::warn!(%from, "there are too many connections; new ones are closed")),
            },
            // The client went away while it waited.
            Err(error) if matches!(error.kind(), std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::ConnectionReset) => {}
            Err(error) => {
                seldom.tell(|| tracing::error!(%error, "no connection can be accepted"));
                // With the descriptor that was kept for this, those who wait are told instead of left hanging.
                drop(spare.take());
                for _ in 0..TURNED_AWAY {
                    if !matches!(listener.accept().now_or_never(), Some(Ok(_))) {
                        break;
                    }
                }
                spare = self::spare();
                sleep(BACK_OFF).await;
            }
        }
    }
    // Who waits to be accepted is served, too: of a connection that is closed unread a client cannot tell that its call was not begun.
    while let Some(Ok((socket, from))) = listener.accept().now_or_never() {
        if let Some(place) = Place::take(&crowd, from.ip().to_canonical(), &connection.limits) {
            open.spawn(connection.clone().run(socket, place));
        }
    }
    // Closes the port: whoever comes now goes elsewhere.
    drop(listener);
    while open.join_next().await.is_some() {}
}

fn spare() -> Option<std::fs::File> {
    std::fs::File::open("/dev/null").ok()
}

/// Says something once a second at most.
struct Seldom(Option<Instant>);

impl Seldom {
    fn tell(&mut self, say: impl FnOnce()) {
        if self.0.is_none_or(|last| last.elapsed() >= Duration::from_secs(1)) {
            self.0 = Some(Instant::now());
            say();
        }
    }
}

/// How many are connected.
#[derive(Default)]
struct Crowd {
    all: usize,
    from: HashMap<IpAddr, usize>,
}

/// The right to one connection, given back when dropped.
struct Place {
    crowd: Arc<Mutex<Crowd>>,
    address: IpAddr,
}

impl Place {
    fn take(crowd: &Arc<Mutex<Crowd>>, address: IpAddr, limits: &Limits) -> Option<Self> {
        let mut state = crowd.lock().unwrap_or_else(PoisonError::into_inner);
        let here = state.from.get(&address).copied().unwrap_or(0);
        if state.all >= limits.connections || here >= limits.connections_per_address {
            return None;
        }
        state.all = state.all.saturating_add(1);
        state.from.insert(address, here.saturating_add(1));
        drop(state);
        Some(Self { crowd: crowd.clone(), address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.crowd.lock().unwrap_or_else(PoisonError::into_inner);
        state.all = state.all.saturating_sub(1);
        if let Some(here) = state.from.get_mut(&self.address) {
            *here = here.saturating_sub(1);
            if *here == 0 {
                state.from.remove(&self.address);
            }
        }
    }
}

/// What every connection is made with.
#[derive(Clone)]
struct Connection<S> {
    name: &'static str,
    tls: Option<Tls>,
    limits: Arc<Limits>,
    service: S,
    leave: CancellationToken,
}

impl<S> Connection<S>
where
    S: Service<Request<Body>, Response = Response<Body>> + Clone + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Into<tonic::codegen::StdError> + Send,
{
    async fn run(self, socket: TcpStream, _place: Place) {
        // Neither is worth a refusal.
        let _ = socket.set_nodelay(true);
        #[cfg(target_os = "linux")]
        let _ = socket2::SockRef::from(&socket).set_tcp_user_timeout(Some(self.limits.stalled));
        let Some(tls) = &self.tls else {
            let from = socket.connect_info();
            return self.speak(socket, from).await;
        };
        match timeout(self.limits.handshake, TlsAcceptor::from(tls.server()).accept(socket)).await {
            Ok(Ok(stream)) => {
                let from = stream.connect_info();
                self.speak(stream, from).await;
            }
            Ok(Err(error)) => tracing::debug!(%error, "a handshake failed"),
            Err(_) => tracing::debug!("a handshake took too long"),
        }
    }

    async fn speak(self, io: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, from: impl Clone + Send + Sync + 'static) {
        let met = CancellationToken::new();
        let entry = Entry {
            inner: self.service.clone(),
            name: self.name,
            from,
            met: met.clone(),
            stalled: self.limits.stalled,
        };
        let builder = builder(&self.limits);
        let mut served = std::pin::pin!(builder.serve_connection(TokioIo::new(Calm::new(io)), TowerToHyperService::new(entry)));
        let grace = tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(error, "a connection broke");
                }
                return;
            }
            grace = parting(&self.limits, &self.leave, &met) => grace,
        };
        served.as_mut().graceful_shutdown();
        if timeout(grace, served).await.is_err() {
            tracing::debug!("a connection was cut");
        }
    }
}

/// Ends when a connection has to go, with the time it gets for that.
async fn parting(limits: &Limits, leave: &CancellationToken, met: &CancellationToken) -> Duration {
    let due = async {
        if timeout(limits.first_request, met.cancelled()).await.is_err() {
            return FAREWELL;
        }
        sleep(roughly(limits.age)).await;
        limits.grace
    };
    tokio::select! {
        grace = due => grace,
        () = leave.cancelled() => {
            // A first request may be on its way.
            let came = timeout(FAREWELL, met.cancelled()).await.is_ok();
            if came { limits.grace } else { Duration::ZERO }
        }
    }
}

/// A tenth more or less, so that those who came together do not come back together.
fn roughly(age: Duration) -> Duration {
    let more = u32::try_from(retry::noise() % 201).unwrap_or(100);
    retry::thousandths(age, more.saturating_add(900))
}

fn builder(limits: &Limits) -> auto::Builder<Streams> {
    let mut builder = auto::Builder::new(Streams { stalled: limits.stalled });
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.first_request)
        .max_buf_size(64 * 1024);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS)
        .max_local_error_reset_streams(64)
        // Whose deadline passes while this process gets no processor gives up all its calls at once.
        .max_pending_accept_reset_streams(STREAMS as usize)
        .max_header_list_size(16 * 1024)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .keep_alive_interval(Duration::from_secs(20))
        .keep_alive_timeout(Duration::from_secs(10));
    builder
}
