//! Bad inputs of the protocol, one by one: what each gets.

use std::{net::SocketAddr, time::Duration};

use bytes::Bytes;
use rpc::Limits;
use tokio::net::TcpStream;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    wire::{self, HEADERS, Wire, frame},
    world::{CANCEL, DONE, Does, GET, IMPORT, eventually, framed, get, job, plain, prefixed, token},
};

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub http: u16,
    /// From the headers or the trailers; `None` where there was none.
    pub status: Option<Status>,
    /// Whether the stream was reset or the connection broke.
    pub broken: Option<String>,
}

impl Reply {
    pub fn code(&self) -> Option<Code> {
        self.status.as_ref().map(Status::code)
    }
    pub fn reason(&self) -> String {
        let info = self.status.as_ref().and_then(StatusExt::get_details_error_info);
        info.map(|i| i.reason).unwrap_or_default()
    }
}

/// A request as HTTP has it.
pub fn request(path: &str, fields: &[(&str, &str)]) -> http::Request<()> {
    let mut builder = http::Request::builder().method("POST").uri(format!("http://localhost{path}"));
    let own = [("content-type", "application/grpc"), ("te", "trailers"), ("authorization", &token())];
    for (name, value) in own {
        if !fields.iter().any(|(given, _)| *given == name) {
            builder = builder.header(name, value);
        }
    }
    for (name, value) in fields {
        builder = match *name {
            ":method" => builder.method(*value),
            name => builder.header(name, *value),
        };
    }
    builder.body(()).unwrap()
}

pub async fn connect(address: SocketAddr) -> h2::client::SendRequest<Bytes> {
    let socket = TcpStream::connect(address).await.unwrap();
    let (client, connection) = h2::client::handshake(socket).await.unwrap();
    tokio::spawn(async move {
        // How it ends shows in the calls.
        let _ = connection.await;
    });
    client
}

/// One call over a connection of HTTP/2 alone.
pub async fn ask(client: &h2::client::SendRequest<Bytes>, request: http::Request<()>, body: &[u8]) -> Reply {
    let broken = |error: h2::Error| Reply {
        http: 0,
        status: None,
        broken: Some(error.to_string()),
    };
    let mut client = match client.clone().ready().await {
        Ok(client) => client,
        Err(error) => return broken(error),
    };
    let (answer, mut sender) = client.send_request(request, false).unwrap();
    // An answer may come before all of it is sent.
    sender.reserve_capacity(body.len());
    let _ = sender.send_data(Bytes::copy_from_slice(body), true);
    let (head, mut body) = match answer.await {
        Ok(answer) => answer.into_parts(),
        Err(error) => return broken(error),
    };
    let mut reply = Reply {
        http: head.status.as_u16(),
        status: Status::from_header_map(&head.headers),
        broken: None,
    };
    loop {
        match body.data().await {
            Some(Ok(data)) => body.flow_control().release_capacity(data.len()).unwrap(),
            Some(Err(error)) => {
                // Told to send no more is no failure of what was answered.
                if error.reason() != Some(h2::Reason::NO_ERROR) {
                    reply.broken = Some(error.to_string());
                }
                break;
            }
            None => break,
        }
    }
    if let Ok(Some(trailers)) = body.trailers().await {
        reply.status = Status::from_header_map(&trailers);
    }
    reply
}

#[derive(Debug)]
enum Gets {
    Http(u16),
    Grpc(Code, &'static str),
}
use Gets::{Grpc, Http};

struct Row {
    /// Number in the list of bad inputs.
    number: u8,
    path: &'static str,
    fields: Vec<(&'static str, String)>,
    body: Vec<u8>,
    gets: Gets,
}

fn rows() -> Vec<Row> {
    let good = || get(Does::After(0));
    let ok = || Grpc(Code::Ok, "");
    let malformed = || Grpc(Code::Internal, "MALFORMED_MESSAGE");
    let too_large = || Grpc(Code::ResourceExhausted, "MESSAGE_TOO_LARGE");
    let mut rows = vec![];
    let mut row = |number, path, fields: &[(&'static str, &str)], body: Vec<u8>, gets| {
        rows.push(Row {
            number,
            path,
            fields: fields.iter().map(|(n, v)| (*n, (*v).to_owned())).collect(),
            body,
            gets,
        });
    };
    row(
        1,
        "/hearth.nothing.v1.NothingService/Do",
        &[],
        good(),
        Grpc(Code::Unimplemented, "METHOD_UNKNOWN"),
    );
    row(2, "/hearth.job.v1.JobService/Do", &[], good(), Grpc(Code::Unimplemented, "METHOD_UNKNOWN"));
    row(3, GET, &[("content-type", "text/plain")], good(), Http(415));
    let json = [("content-type", "application/grpc+json")];
    row(4, GET, &json, good(), Grpc(Code::Unimplemented, "CODEC_UNSUPPORTED"));
    row(6, GET, &[(":method", "GET")], vec![], Http(405));
    row(7, GET, &[], vec![], malformed());
    row(8, GET, &[], [good(), good()].concat(), Grpc(Code::Unimplemented, "CARDINALITY"));
    row(8, CANCEL, &[], [framed(&cancel(0)), vec![0]].concat(), Grpc(Code::Unimplemented, "CARDINALITY"));
    row(9, GET, &[], vec![0, 0, 1, 0x90, 0, 7, 7, 7], malformed());
    row(9, GET, &[], vec![0, 0], malformed());
    row(10, GET, &[], prefixed(0, &vec![0; 256 * 1024 + 1]), too_large());
    row(10, IMPORT, &[], prefixed(0, &vec![0; 1024 * 1024 + 1]), too_large());
    row(11, GET, &[], vec![0, 0xff, 0xff, 0xff, 0xff], too_large());
    row(12, GET, &[], prefixed(1, &good()[5..]), malformed());
    row(13, GET, &[], prefixed(7, &good()[5..]), malformed());
    let unsupported = || Grpc(Code::Unimplemented, "ENCODING_UNSUPPORTED");
    row(14, GET, &[("grpc-encoding", "br")], prefixed(1, b"brotli"), unsupported());
    // No encoding is offered, so a bomb is refused unopened.
    row(15, GET, &[("grpc-encoding", "gzip")], prefixed(1, BOMB), unsupported());
    row(16, GET, &[], prefixed(0, &[0xff, 0xff, 0xff]), malformed());
    row(17, GET, &[], prefixed(0, &[0x0a, 2, 0xff, 0xfe]), malformed());
    let groups = [[0x13; 200], [0x14; 200]].concat();
    row(18, GET, &[], prefixed(0, &groups), malformed());
    let unknown = [&good()[5..], &[0x9a, 0x3f, 2, b'h', b'i']].concat();
    row(19, GET, &[], prefixed(0, &unknown), ok());
    let twice = [&get(Does::Panics)[5..], &good()[5..]].concat();
    row(20, GET, &[], prefixed(0, &twice), ok());
    for bad in ["abc", "-1S", "123456789S", "1.5S", "S", "1"] {
        row(21, GET, &[("grpc-timeout", bad)], good(), Grpc(Code::InvalidArgument, "BAD_DEADLINE"));
    }
    let late = || Grpc(Code::DeadlineExceeded, "DEADLINE_EXCEEDED");
    row(22, GET, &[("grpc-timeout", "0m")], good(), late());
    row(23, GET, &[("grpc-timeout", "50m")], get(Does::After(5_000)), late());
    row(23, CANCEL, &[("grpc-timeout", "50m")], framed(&cancel(5_000)), late());
    let long = |n: usize| vec![("x-note", "n".repeat(n))];
    let fields = |list: &[(&'static str, String)]| list.iter().map(|(n, v)| (*n, v.clone())).collect::<Vec<_>>();
    for (length, gets) in [(7_000, ok()), (9_000, Grpc(Code::ResourceExhausted, "HEADERS_TOO_LARGE")), (20_000, Http(431))] {
        let list = fields(&long(length));
        let list: Vec<_> = list.iter().map(|(n, v)| (*n, v.as_str())).collect();
        row(24, GET, &list, good(), gets);
    }
    let (first, second) = (token(), token());
    let both = [("authorization", first.as_str()), ("authorization", second.as_str())];
    row(26, GET, &both, good(), Grpc(Code::Unauthenticated, "AUTH_AMBIGUOUS"));
    let forged = [("x-user-id", "1"), ("x-tenant", "2"), ("x-forwarded-for", "10.0.0.1")];
    row(27, GET, &forged, good(), ok());
    row(30, GET, &[], get(Does::Panics), Grpc(Code::Internal, "INTERNAL"));
    row(30, CANCEL, &[], framed(&cancel_of(job(Does::Panics))), Grpc(Code::Internal, "INTERNAL"));
    rows
}

/// A mebibyte of nothing, compressed by gzip to a thousand bytes and a few.
pub static BOMB: &[u8] = include_bytes!("bomb.gz");

fn cancel(after: u32) -> contracts::hearth::job::v1::CancelJobRequest {
    cancel_of(job(Does::After(after)))
}

fn cancel_of(job_id: String) -> contracts::hearth::job::v1::CancelJobRequest {
    contracts::hearth::job::v1::CancelJobRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        job_id,
    }
}

/// T3, T7, T8, T17, W6: codes of the gRPC table and stable reasons, where the library has others or none.
#[tokio::test]
async fn r_t7_bad_inputs_1_to_30_of_the_protocol_get_their_codes() {
    let world = plain(Limits::default()).await;
    let mut wrong = vec![];
    for row in rows() {
        let client = connect(world.address).await;
        let fields: Vec<_> = row.fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
        let reply = tokio::time::timeout(Duration::from_secs(4), ask(&client, request(row.path, &fields), &row.body)).await;
        let right = match (&reply, &row.gets) {
            (Ok(reply), Http(code)) => reply.http == *code,
            (Ok(reply), Grpc(code, reason)) => reply.broken.is_none() && reply.code() == Some(*code) && reply.reason() == *reason,
            (Err(_), _) => false,
        };
        if !right {
            wrong.push(format!("{} {:?}: {:?} and not {:?}", row.number, fields, reply, row.gets));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The limit goes along, for a client that cuts its message.
#[tokio::test]
async fn r_t17_the_refusal_of_a_large_message_names_the_limit() {
    let world = plain(Limits::default()).await;
    let client = connect(world.address).await;
    for (path, limit) in [(GET, "262144"), (IMPORT, "1048576")] {
        // Nothing but the claim is sent: nothing is waited for, and nothing is reserved.
        let claim = [&[0][..], &(limit.parse::<u32>().unwrap() + 1).to_be_bytes()].concat();
        let reply = ask(&client, request(path, &[]), &claim).await;
        let info = reply.status.unwrap().get_details_error_info().unwrap();
        assert_eq!(info.metadata["limit"], limit, "{path}");
    }
}

/// A stream that fails after it has begun ends in a status of ours, too; the library's own text stays here.
#[tokio::test]
async fn r_t7_a_mistake_in_the_middle_of_a_stream_gets_its_code() {
    let world = plain(Limits::default()).await;
    let client = connect(world.address).await;
    let row = contracts::hearth::archive::v1::CustomerRow::default();
    let good = framed(&contracts::hearth::archive::v1::ImportCustomersRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        dry_run: true,
        rows: vec![row],
        ..Default::default()
    });
    for (bad, code, reason) in [
        (prefixed(0, &[0xff, 0xff, 0xff]), Code::Internal, "MALFORMED_MESSAGE"),
        (vec![0, 0x10, 0, 0, 1], Code::ResourceExhausted, "MESSAGE_TOO_LARGE"),
        (vec![0, 0, 0, 0, 9, 1], Code::Internal, "MALFORMED_MESSAGE"),
    ] {
        let reply = ask(&client, request(IMPORT, &[]), &[good.clone(), bad].concat()).await;
        assert_eq!((reply.code(), reply.reason().as_str()), (Some(code), reason), "{reply:?}");
    }
}

/// T8: a stream that panics after it has begun, too; the connection and the other streams on it live.
#[tokio::test]
async fn r_t8_a_panic_ends_one_call_with_a_status() {
    let world = plain(Limits::default()).await;
    let client = connect(world.address).await;
    let other = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, request(GET, &[]), &get(Does::After(300))).await }
    });
    for path in [crate::world::WATCH, GET] {
        let reply = ask(&client, request(path, &[]), &get(Does::Panics)).await;
        assert_eq!((reply.code(), reply.reason().as_str()), (Some(Code::Internal), "INTERNAL"), "{path} {reply:?}");
    }
    assert_eq!(other.await.unwrap().code(), Some(Code::Ok));
}

/// Bad input 25: what is no header value ends the connection, so that nothing can be forged in a log.
#[tokio::test]
async fn r_t7_bad_input_25_control_characters_end_the_connection() {
    let world = plain(Limits::default()).await;
    for bad in [&b"a\r\nb"[..], b"a\nb", b"a\0b"] {
        let mut wire = Wire::open(world.address, &[]).await;
        wire.send(&frame(HEADERS, wire::END_HEADERS | wire::END_STREAM, 1, &wire::call_fields(&[("x-note", bad)])))
            .await;
        let said = wire.ending().await;
        assert_eq!(said.map(|s| s.0), Some(1), "PROTOCOL_ERROR");
    }
}

/// Bad input 31: who leaves finds the outcome of a write by its key, since the write goes on.
#[tokio::test]
async fn r_t7_bad_input_31_a_write_goes_on_when_its_caller_leaves() {
    let world = plain(Limits::default()).await;
    let done = DONE.load(std::sync::atomic::Ordering::SeqCst);
    let mut client = connect(world.address).await.ready().await.unwrap();
    let (answer, mut sender) = client.send_request(request(CANCEL, &[]), false).unwrap();
    sender.send_data(framed(&cancel(200)).into(), true).unwrap();
    // Begun, and then left.
    tokio::time::timeout(Duration::from_millis(100), answer).await.unwrap_err();
    sender.send_reset(h2::Reason::CANCEL);
    eventually("the write", async || DONE.load(std::sync::atomic::Ordering::SeqCst) > done).await;
}
