use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use guard::status::{self, Details};
use tonic::{Code, Status, body::Body, codegen::http};
use tower::{Layer, Service};

/// Gives every bare status of a library its code from the gRPC table, a reason and a fixed text: nothing internal leaves.
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
        let answer = self.inner.call(request);
        Box::pin(async move {
            let response = answer.await?;
            Ok(if open { response } else { normal(service, response) })
        })
    }
}

fn normal(service: &str, response: http::Response<Body>) -> http::Response<Body> {
    let headers = response.headers();
    if !headers.contains_key(Status::GRPC_STATUS) || headers.contains_key(Status::GRPC_STATUS_DETAILS) {
        return response;
    }
    let Some(found) = Status::from_header_map(headers).filter(|s| s.code() != Code::Ok) else {
        return response;
    };
    let text = found.message();
    let (code, reason, message) = match found.code() {
        Code::OutOfRange | Code::ResourceExhausted => (Code::ResourceExhausted, "MESSAGE_TOO_LARGE", "the message is larger than the limit"),
        Code::Unimplemented if text.contains("ncoding") => (
            Code::Unimplemented,
            "ENCODING_UNSUPPORTED",
            "the encoding of the message is not supported; use identity or gzip",
        ),
        Code::Unimplemented => (Code::Unimplemented, "METHOD_UNKNOWN", "there is no such method"),
        Code::Cancelled => (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline has passed"),
        _ => (Code::Internal, "MALFORMED_MESSAGE", "the message cannot be read"),
    };
    tracing::debug!(code = ?found.code(), text, "a status of the library was put into form");
    status::build(code, service, reason, message, Details::default()).into_http()
}
