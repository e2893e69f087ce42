//! Calls that are wrong in ways that nobody thought of.

use std::time::Duration;

use rpc::Limits;
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    rows::{Reply, ask, connect, request},
    world::{CANCEL, Does, GET, IMPORT, WATCH, get, plain, prefixed, token},
};

/// A linear congruential generator: the same calls in every run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % n
    }
    fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

/// A body that was right once.
fn body(dice: &mut Dice) -> Vec<u8> {
    let mut body = get(Does::After(0));
    for _ in 0..dice.below(4) {
        let at = dice.below(body.len().max(1));
        match dice.below(5) {
            0 if at < body.len() => body[at] = u8::try_from(dice.below(256)).unwrap(),
            1 => body.truncate(at),
            2 => body.extend(prefixed(0, &get(Does::After(0))[5..])),
            3 => body.splice(at..at, [0xff; 3]).for_each(drop),
            _ => body.extend([0, 0, 0]),
        }
    }
    body
}

fn call(dice: &mut Dice) -> (http::Request<()>, Vec<u8>) {
    let path = dice.of(&[GET, GET, GET, WATCH, CANCEL, IMPORT, "/x/y", "/hearth.job.v1.JobService/No"]);
    let token = token();
    let half = &token[..token.len() / 2];
    // Most fields of a call are right.
    let mut fields = vec![];
    let kinds = [
        "application/grpc",
        "application/grpc+proto",
        "application/grpc+json",
        "text/plain",
        "application/grpc-web",
    ];
    let strange = [
        ("content-type", dice.of(&kinds)),
        ("grpc-timeout", dice.of(&["1S", "0n", "x", "-1m", "5m"])),
        ("grpc-encoding", dice.of(&["gzip", "br", "identity", ""])),
        ("authorization", dice.of(&["", "Bearer", "Bearer x", half])),
        ("accept-language", dice.of(&["zh-CN", "en", "%%", ";;;q="])),
        (
            "traceparent",
            dice.of(&["00-x", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", "-"]),
        ),
    ];
    for field in strange {
        if dice.below(6) == 0 {
            fields.push(field);
        }
    }
    if !fields.iter().any(|(name, _)| *name == "grpc-timeout") {
        fields.push(("grpc-timeout", "200m"));
    }
    (request(path, &fields), body(dice))
}

/// What of ours must never be read by a caller.
const INSIDE: [&str; 11] = [
    "panicked",
    ".rs",
    "prost",
    "Protobuf",
    "protobuf message",
    "tonic",
    "h2 ",
    "hyper",
    "SELECT",
    "sqlx",
    "stack backtrace",
];

fn unsafe_text(status: &Status) -> Option<&'static str> {
    let text = format!("{} {:?}", status.message(), status.get_error_details());
    INSIDE.into_iter().chain([env!("CARGO_MANIFEST_DIR")]).find(|inside| text.contains(inside))
}

/// W8, W10: every call ends in a status (or an HTTP code where it is no call), none in UNKNOWN, and no text of the inside leaves.
/// `HEARTH_CALLS=50000` is the full figure.
#[tokio::test(flavor = "multi_thread")]
async fn r_w8_w10_mutated_calls_end_in_a_status_of_ours() {
    let number: usize = std::env::var("HEARTH_CALLS").map_or(2_000, |n| n.parse().unwrap());
    let seed: u64 = std::env::var("HEARTH_SEED").map_or(20_250_101, |n| n.parse().unwrap());
    println!("seed {seed}");
    let mut dice = Dice(seed);
    let world = plain(Limits::default()).await;
    let mut client = connect(world.address).await;
    for n in 0..number {
        // A connection that was closed for too much nonsense is what it should be.
        if n % 50 == 0 {
            client = connect(world.address).await;
        }
        let (request, body) = call(&mut dice);
        let told = format!("seed {seed}, call {n}: {request:?} {body:?}");
        let reply: Reply = match tokio::time::timeout(Duration::from_secs(6), ask(&client, request, &body)).await {
            Ok(reply) => reply,
            Err(_) => panic!("no end: {told}"),
        };
        match (&reply.status, reply.http) {
            (Some(status), _) => {
                assert_ne!(status.code(), Code::Unknown, "{reply:?} {told}");
                assert_eq!(unsafe_text(status), None, "{reply:?} {told}");
                let named = status.code() == Code::Ok || status.get_details_error_info().is_some();
                assert!(named, "no reason: {reply:?} {told}");
            }
            (None, 415 | 431 | 405) => {}
            // gRPC-Web says its status in the body.
            (None, 200) if told.contains("grpc-web") => {}
            _ => panic!("{reply:?} {told}"),
        }
    }
}
