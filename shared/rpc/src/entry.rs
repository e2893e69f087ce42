//! The outermost service of a connection: it tells that the client has asked for something, ends streams that wait too long for
//! their client, and reads away what a call left unread.

use std::{
    cell::Cell,
    future::{Future, poll_fn},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use futures::FutureExt;
use guard::status::{self, Details};
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use http_body_util::BodyExt;
use hyper::rt::Executor;
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;
use tonic::{Code, body::Body, codegen::StdError};
use tower::Service;

/// How much of what nobody reads is read away, and for how long.
const UNREAD: usize = 64 * 1024;
const UNREAD_TIME: Duration = Duration::from_millis(250);

/// What a poll of a stream came to on our side.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ours {
    /// We were not asked: the stream waits for room at the client.
    Unasked,
    /// We gave something.
    Gave,
    /// We have nothing yet.
    Waits,
}

thread_local! {
    static OURS: Cell<Ours> = const { Cell::new(Ours::Unasked) };
}

fn ours<T>(polled: Poll<T>) -> Poll<T> {
    OURS.set(if polled.is_pending() { Ours::Waits } else { Ours::Gave });
    polled
}

/// Runs the streams of a connection; one whose client takes nothing for `stalled` is dropped, which resets it.
#[derive(Clone)]
pub(crate) struct Streams {
    pub stalled: Duration,
}

impl<F> Executor<F> for Streams
where
    F: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, stream: F) {
        tokio::spawn(unless_stalled(stream, self.stalled));
    }
}

async fn unless_stalled(stream: impl Future<Output = ()>, limit: Duration) {
    let mut stream = std::pin::pin!(stream);
    let mut waits: Option<Pin<Box<Sleep>>> = None;
    poll_fn(|cx| {
        OURS.set(Ours::Unasked);
        if stream.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        match OURS.get() {
            Ours::Waits => {
                waits = None;
                return Poll::Pending;
            }
            Ours::Gave => waits = None,
            Ours::Unasked => {}
        }
        waits.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx)
    })
    .await;
}

/// One connection's way into the service.
#[derive(Clone)]
pub(crate) struct Entry<S, I> {
    pub inner: S,
    /// Name of the service that is served.
    pub name: &'static str,
    /// Where the connection comes from; an extension of every request.
    pub from: I,
    /// Cancelled at the first request.
    pub met: CancellationToken,
    /// How long the rest of a request may fail to come.
    pub stalled: Duration,
}

impl<S, I, B> Service<Request<B>> for Entry<S, I>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    I: Clone + Send + Sync + 'static,
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<StdError>,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        self.met.cancel();
        let (name, limit) = (self.name, self.stalled);
        let mut request = request.map(|body| {
            Body::new(Inflow {
                rest: Some(body),
                waits: None,
                limit,
                name,
            })
        });
        request.extensions_mut().insert(self.from.clone());
        let mut answer = Box::pin(self.inner.call(request));
        Box::pin(async move {
            let response = poll_fn(|cx| ours(answer.as_mut().poll(cx))).await?;
            Ok(response.map(|body| Body::new(Outflow(body))))
        })
    }
}

/// What is sent to the client.
struct Outflow(Body);

impl HttpBody for Outflow {
    type Data = Bytes;
    type Error = tonic::Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, tonic::Status>>> {
        ours(Pin::new(&mut self.0).poll_frame(cx))
    }
    fn is_end_stream(&self) -> bool {
        self.0.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.0.size_hint()
    }
}

/// What the client sends.
struct Inflow<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    /// `None` once it has been read to its end.
    rest: Option<B>,
    waits: Option<Pin<Box<Sleep>>>,
    limit: Duration,
    name: &'static str,
}

impl<B> HttpBody for Inflow<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
    B::Error: Into<StdError>,
{
    type Data = Bytes;
    type Error = StdError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, StdError>>> {
        let me = &mut *self;
        let Some(rest) = &mut me.rest else { return Poll::Ready(None) };
        match Pin::new(rest).poll_frame(cx) {
            Poll::Ready(frame) => {
                me.waits = None;
                if !matches!(frame, Some(Ok(_))) {
                    me.rest = None;
                }
                Poll::Ready(frame.map(|f| f.map_err(Into::into)))
            }
            Poll::Pending => {
                let limit = me.limit;
                std::task::ready!(me.waits.get_or_insert_with(|| Box::pin(sleep(limit))).as_mut().poll(cx));
                let text = "the rest of the request did not come in time";
                let status = status::build(Code::DeadlineExceeded, me.name, "DEADLINE_EXCEEDED", text, Details::default());
                // Nobody waits for it any more: dropped unread, the stream is reset.
                me.rest = None;
                Poll::Ready(Some(Err(Box::new(status))))
            }
        }
    }
    fn is_end_stream(&self) -> bool {
        self.rest.as_ref().is_none_or(HttpBody::is_end_stream)
    }
    fn size_hint(&self) -> SizeHint {
        self.rest.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}

/// A stream that is answered before its end was read is reset by the library, and what still comes of it counts against the
/// connection, which is closed when there was much of it: a client that is refused often would lose its other calls. So the rest is
/// read, within bounds; the client has its answer meanwhile.
impl<B> Drop for Inflow<B>
where
    B: HttpBody<Data = Bytes> + Send + Unpin + 'static,
{
    fn drop(&mut self) {
        let Some(rest) = self.rest.take().filter(|rest| !rest.is_end_stream()) else {
            return;
        };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let mut reading = Box::pin(read_away(rest));
            // As a rule it is all there, and a refusal should cost little.
            if reading.as_mut().now_or_never().is_some() {
                return;
            }
            runtime.spawn(async move {
                // Who sends for longer is cut off.
                let _ = tokio::time::timeout(UNREAD_TIME, reading).await;
            });
        }
    }
}

async fn read_away(mut body: impl HttpBody<Data = Bytes> + Unpin) {
    let mut left = UNREAD;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}
