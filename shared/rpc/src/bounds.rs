//! What one call may take: bytes of a message, messages of a request, time.

use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::{Buf, Bytes};
use guard::{
    Call,
    status::{self, Details},
};
use http::{HeaderMap, Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use tokio::time::{Sleep, sleep_until, timeout_at};
use tonic::{Code, Status, body::Body};
use tower::{Layer, Service};

use crate::{AccessTable, Fault};

/// Largest message of a request.
const SMALL: usize = 256 * 1024;
/// Largest message of a request that carries rows of a register, or one of [`DOCUMENTS`].
const LARGE: usize = 1024 * 1024;
/// Methods that take a whole text or a list of thousands.
const DOCUMENTS: [&str; 4] = [
    "hearth.archive.v1.PolicyService/DraftPolicyVersion",
    "hearth.archive.v1.PolicyService/RevisePolicyVersion",
    "hearth.archive.v1.TemplateService/PublishTemplate",
    "hearth.journal.v1.JournalService/VerifyJournal",
];
/// Largest message of an answer: what client libraries take.
pub(crate) const ANSWER: usize = 4 * 1024 * 1024;

/// A message that is longer than the limit, which goes along.
pub(crate) fn too_large(service: &str, limit: usize) -> Status {
    let details = Details {
        metadata: vec![("limit".to_owned(), limit.to_string())],
        ..Details::default()
    };
    let text = "the message is larger than the limit";
    status::build(Code::ResourceExhausted, service, "MESSAGE_TOO_LARGE", text, details)
}

/// Counts messages in the bytes of a body. It looks at lengths alone, so that what is too long is refused before it comes.
pub(crate) struct Frames {
    limit: usize,
    one: bool,
    begun: bool,
    head: [u8; 5],
    read: usize,
    left: usize,
}

/// What is wrong with a body.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Excess {
    /// A message over the limit.
    Size,
    /// A second message where one is due.
    Number,
}

impl Frames {
    pub(crate) fn new(limit: usize, one: bool) -> Self {
        Self {
            limit,
            one,
            begun: false,
            head: [0; 5],
            read: 0,
            left: 0,
        }
    }

    pub(crate) fn count(&mut self, mut data: &[u8]) -> Result<(), Excess> {
        loop {
            let skipped = self.left.min(data.len());
            data.advance(skipped);
            self.left = self.left.saturating_sub(skipped);
            let Some((byte, rest)) = data.split_first() else { return Ok(()) };
            if self.read == 0 && std::mem::replace(&mut self.begun, true) && self.one {
                return Err(Excess::Number);
            }
            if let Some(place) = self.head.get_mut(self.read) {
                *place = *byte;
            }
            self.read = self.read.saturating_add(1);
            data = rest;
            if self.read == self.head.len() {
                let [_, length @ ..] = self.head;
                self.read = 0;
                self.left = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
                if self.left > self.limit {
                    return Err(Excess::Size);
                }
            }
        }
    }
}

/// Holds calls to their bounds.
#[derive(Clone)]
pub(crate) struct Bounds {
    pub table: AccessTable,
}

impl<S> Layer<S> for Bounds {
    type Service = Bounded<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Bounded {
            table: self.table.clone(),
            inner,
        }
    }
}

#[derive(Clone)]
pub(crate) struct Bounded<S> {
    table: AccessTable,
    inner: S,
}

impl<S> Service<Request<Body>> for Bounded<S>
where
    S: Service<Request<Body>, Response = Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // Health and reflection are no calls of ours.
        let Some(call) = request.extensions().get::<Call>().cloned() else {
            return Box::pin(self.inner.call(request.map(|body| counted(body, "hearth", Frames::new(SMALL, false)))));
        };
        let (many, streaming) = self.table.get(call.method()).map_or((false, false), |m| (m.inflow, m.streaming));
        let limit = if many || DOCUMENTS.contains(&call.method()) { LARGE } else { SMALL };
        let answer = self.inner.call(request.map(|body| counted(body, call.service(), Frames::new(limit, !many))));
        let Some(deadline) = call.deadline().map(tokio::time::Instant::from_std) else {
            return Box::pin(answer);
        };
        Box::pin(async move {
            let late = || Fault::deadline().into_status(call.service());
            Ok(match timeout_at(deadline, answer).await {
                Ok(response) if streaming => response?.map(|body| {
                    Body::new(Until {
                        body: Some(body),
                        end: Box::pin(sleep_until(deadline)),
                        late: late(),
                    })
                }),
                Ok(response) => response?,
                Err(_) => late().into_http(),
            })
        })
    }
}

fn counted(body: Body, service: &str, frames: Frames) -> Body {
    Body::new(Counted {
        body,
        service: service.to_owned(),
        frames,
    })
}

/// A request whose messages are counted.
struct Counted {
    body: Body,
    service: String,
    frames: Frames,
}

impl HttpBody for Counted {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let frame = std::task::ready!(Pin::new(&mut self.body).poll_frame(cx));
        let excess = match &frame {
            Some(Ok(frame)) => frame.data_ref().and_then(|data| self.frames.count(data).err()),
            _ => None,
        };
        Poll::Ready(match excess {
            None => frame,
            Some(Excess::Size) => Some(Err(too_large(&self.service, self.frames.limit))),
            Some(Excess::Number) => {
                let text = "the method takes one message";
                Some(Err(status::build(Code::Unimplemented, &self.service, "CARDINALITY", text, Details::default())))
            }
        })
    }
    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }
    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream of answers that ends with the deadline of its call.
struct Until {
    /// `None` once the deadline has passed.
    body: Option<Body>,
    end: Pin<Box<Sleep>>,
    late: Status,
}

impl HttpBody for Until {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        let me = &mut *self;
        let Some(body) = &mut me.body else { return Poll::Ready(None) };
        if let Poll::Ready(frame) = Pin::new(body).poll_frame(cx) {
            return Poll::Ready(frame);
        }
        std::task::ready!(me.end.as_mut().poll(cx));
        me.body = None;
        Poll::Ready(Some(Ok(Frame::trailers(trailers(&me.late)))))
    }
    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }
}

/// A status as the trailers of a body.
pub(crate) fn trailers(status: &Status) -> HeaderMap {
    let mut headers = HeaderMap::new();
    // Fails for texts that are no header values, and those are encoded.
    let _ = status.add_header(&mut headers);
    headers
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(length: u32) -> Vec<u8> {
        let mut bytes = vec![0];
        bytes.extend(length.to_be_bytes());
        bytes.resize(5 + length as usize, 7);
        bytes
    }

    /// The same however the bytes are cut.
    #[test]
    fn r_t17_messages_are_counted_by_their_lengths() {
        let two = [message(3), message(10)].concat();
        let none = [message(0), message(0)].concat();
        for cut in 1..=two.len() {
            let count = |bytes: &[u8], limit, one| {
                let mut frames = Frames::new(limit, one);
                bytes.chunks(cut).try_for_each(|part| frames.count(part))
            };
            assert_eq!(count(&two, 10, false), Ok(()), "{cut}");
            assert_eq!(count(&two, 9, false), Err(Excess::Size), "{cut}");
            assert_eq!(count(&two, 10, true), Err(Excess::Number), "{cut}");
            assert_eq!(count(&none, 0, false), Ok(()), "{cut}");
            assert_eq!(count(&none, 0, true), Err(Excess::Number), "{cut}");
            assert_eq!(count(&message(10), 10, true), Ok(()), "{cut}");
            assert_eq!(count(&[1, 0xff, 0xff, 0xff, 0xff], LARGE, false), Err(Excess::Size), "{cut}");
        }
    }

    #[test]
    fn every_method_with_a_limit_of_its_own_exists() {
        let table = AccessTable::read().unwrap();
        for method in DOCUMENTS {
            assert!(table.get(method).is_some_and(|m| !m.inflow), "{method}");
        }
    }
}
