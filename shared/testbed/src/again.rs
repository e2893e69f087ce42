//! What a test brings to success is asked for again: the first write of each kind in a process and on an engine, under the same key. However deep the state is that a
//! test had to build for it, a repetition gives the same bytes (I1), and what the test looks at afterwards shows that it had no effect.

use std::{
    collections::BTreeSet,
    fs::OpenOptions,
    io::Write,
    mem,
    sync::{LazyLock, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use database::Engine;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, request};
use http_body_util::{BodyExt, StreamBody};
use rpc::{AccessTable, Kind};
use tonic::{
    Code, Status,
    body::Body,
    transport::{Channel, Error},
};
use tower_service::Service;

use crate::means::runs;

/// A file that gets a line for each kind of write that was asked for again.
const LOG: &str = "HEARTH_AGAIN_LOG";
/// How often it is asked for again, where it is not said by the profile.
const TIMES: &str = "HEARTH_AGAIN";

/// Engines and paths of writes that are still to be asked for again.
static OPEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(|| {
    let table = AccessTable::read().unwrap();
    let writes = table.methods().into_iter().filter(|m| m.kind == Kind::Write && m.repeatable);
    let of_both = writes.flat_map(|m| [Engine::Sqlite, Engine::Postgres].map(|engine| format!("{engine:?} /{}", m.name)));
    Mutex::new(of_both.collect())
});

/// A channel that asks again.
#[derive(Clone)]
pub struct Again {
    channel: Channel,
    engine: Engine,
}

impl Again {
    pub(crate) fn new(channel: Channel, engine: Engine) -> Self {
        Self { channel, engine }
    }
}

/// An answer that has come whole.
struct Whole {
    head: http::response::Parts,
    data: Bytes,
    trailers: HeaderMap,
}

impl Whole {
    async fn of(answer: Response<Body>) -> Result<Self, Status> {
        let (head, body) = answer.into_parts();
        let body = body.collect().await?;
        let trailers = body.trailers().cloned().unwrap_or_default();
        Ok(Self {
            head,
            data: body.to_bytes(),
            trailers,
        })
    }

    fn status(&self) -> Option<Status> {
        Status::from_header_map(&self.trailers).or_else(|| Status::from_header_map(&self.head.headers))
    }

    fn code(&self) -> Code {
        self.status().map_or(Code::Unknown, |status| status.code())
    }

    fn into_response(self) -> Response<Body> {
        let frames = [http_body::Frame::data(self.data), http_body::Frame::trailers(self.trailers)];
        let body = StreamBody::new(futures::stream::iter(frames.map(Ok::<_, Status>)));
        Response::from_parts(self.head, Body::new(body))
    }
}

fn request(head: &request::Parts, data: &Bytes) -> Request<Body> {
    Request::from_parts(head.clone(), Body::new(http_body_util::Full::new(data.clone())))
}

impl Service<Request<Body>> for Again {
    type Response = Response<Body>;
    type Error = Error;
    type Future = BoxFuture<'static, Result<Response<Body>, Error>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.channel.poll_ready(cx)
    }

    fn call(&mut self, asked: Request<Body>) -> Self::Future {
        let kind = format!("{:?} {}", self.engine, asked.uri().path());
        if !OPEN.lock().unwrap().contains(&kind) {
            return Box::pin(self.channel.call(asked));
        }
        let other = self.channel.clone();
        let mut ready = mem::replace(&mut self.channel, other.clone());
        Box::pin(async move {
            let (head, body) = asked.into_parts();
            let data = body.collect().await.expect("a request that is in memory").to_bytes();
            let answer = ready.call(request(&head, &data)).await?;
            let first = match Whole::of(answer).await {
                Ok(first) => first,
                Err(status) => return Ok(status.into_http()),
            };
            if first.code() == Code::Ok && OPEN.lock().unwrap().remove(&kind) {
                again(other, &kind, &head, &data, &first).await;
            }
            Ok(first.into_response())
        })
    }
}

async fn again(mut channel: Channel, kind: &str, head: &request::Parts, data: &Bytes, first: &Whole) {
    let times = std::env::var(TIMES).map_or_else(|_| runs(2, 1_000), |times| times.parse().unwrap());
    let mut same = 0;
    for _ in 0..times {
        if std::future::poll_fn(|cx| channel.poll_ready(cx)).await.is_err() {
            break;
        }
        let Ok(answer) = channel.call(request(head, data)).await else { break };
        let Ok(next) = Whole::of(answer).await else { break };
        match next.code() {
            Code::Ok => assert_eq!(next.data, first.data, "{kind} asked for again"),
            // The test may try quotas, or a server that goes away.
            Code::ResourceExhausted | Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled => continue,
            _ => panic!("{kind} asked for again: {:?}", next.status()),
        }
        same += 1;
    }
    if let Some(log) = std::env::var_os(LOG) {
        let mut log = OpenOptions::new().create(true).append(true).open(log).unwrap();
        writeln!(log, "{kind}\t{same} of {times}").unwrap();
    }
}
