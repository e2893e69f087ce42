use std::{
    future::{Future, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use futures::FutureExt;
use guard::status::{self, Details};
use http::HeaderMap;
use http_body::{Body as HttpBody, Frame, SizeHint};
use tonic::{Code, Status, body::Body, codegen::http};
use tower::{Layer, Service};

use crate::{
    Fault,
    bounds::{ANSWER, Frames, too_large, trailers},
};

/// Gives every bare status of a library its code from the gRPC table, a reason and a fixed text, and a call that panics a status
/// at all: nothing internal leaves.
#[derive(Clone)]
pub(crate) struct Normalise {
    pub service: &'static str,
}

impl<S> Layer<S> for Normalise {
    type Service = Normalised<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Normalised { service: self.service, inner }
    }
}

#[derive(Clone)]
pub(crate) struct Normalised<S> {
    service: &'static str,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Normalised<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
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
        let service = self.service;
        let open = crate::gate::is_open(request.uri().path());
        let Ok(answer) = catch_unwind(AssertUnwindSafe(|| self.inner.call(request))) else {
            return Box::pin(ready(Ok(panicked(service).into_http())));
        };
        Box::pin(async move {
            let mut response = match AssertUnwindSafe(answer).catch_unwind().await {
                Ok(response) => response?,
                Err(_) => panicked(service).into_http(),
            };
            if !open && let Some(status) = better(service, response.headers()) {
                response = status.into_http();
            }
            Ok(response.map(|body| {
                Body::new(Answer {
                    service,
                    open,
                    body: Some(body),
                    frames: Frames::new(ANSWER, false),
                })
            }))
        })
    }
}

fn panicked(service: &str) -> Status {
    Fault::internal("a call panicked").into_status(service)
}

/// What is said in place of a bare status of a library.
fn better(service: &str, headers: &HeaderMap) -> Option<Status> {
    if headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return None;
    }
    let found = Status::from_header_map(headers).filter(|s| s.code() != Code::Ok)?;
    let text = found.message();
    tracing::debug!(code = ?found.code(), text, "a status of the library was put into form");
    let (code, reason, message) = match found.code() {
        Code::OutOfRange | Code::ResourceExhausted => return Some(too_large(service, ANSWER)),
        Code::Unimplemented if text.contains("compressed") => (
            Code::Unimplemented,
            "ENCODING_UNSUPPORTED",
            "the encoding of the message is not supported; use identity",
        ),
        Code::Unimplemented => (Code::Unimplemented, "METHOD_UNKNOWN", "there is no such method"),
        Code::Cancelled => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline has passed"),
        _ => (Code::Internal, "MALFORMED_MESSAGE", "the message cannot be read"),
    };
    Some(status::build(code, service, reason, message, Details::default()))
}

/// An answer that always ends in a status, and in none of a library.
struct Answer {
    service: &'static str,
    open: bool,
    /// `None` once it was ended here.
    body: Option<Body>,
    frames: Frames,
}

impl Answer {
    fn end(&mut self, status: &Status) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        self.body = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(status)))))
    }
}

impl HttpBody for Answer {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let me = &mut *self;
        let Some(body) = &mut me.body else { return Poll::Ready(None) };
        let Ok(polled) = catch_unwind(AssertUnwindSafe(|| Pin::new(body).poll_frame(cx))) else {
            return me.end(&panicked(me.service));
        };
        match std::task::ready!(polled) {
            Some(Ok(frame)) => {
                if !me.open
                    && let Some(status) = frame.trailers_ref().and_then(|t| better(me.service, t))
                {
                    return me.end(&status);
                }
                if frame.data_ref().is_some_and(|data| me.frames.count(data).is_err()) {
                    return me.end(&too_large(me.service, ANSWER));
                }
                Poll::Ready(Some(Ok(frame)))
            }
            Some(Err(error)) => me.end(&Fault::internal(error).into_status(me.service)),
            None => Poll::Ready(None),
        }
    }
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or_else(SizeHint::default, HttpBody::size_hint)
    }
}
