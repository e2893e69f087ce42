//! What is too large or too slow, in memory of the process that serves.

use std::time::Duration;

use rpc::Limits;
use tokio::{io::AsyncWriteExt, net::TcpStream, time::timeout};
use tonic::Code;

use crate::{
    child::Process,
    rows::{ask, connect, request},
    wire::{CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, Wire, call_fields, fields, fields_of, frame},
    world::{Does, GET, IMPORT, WATCH, eventually, get, plain, prefixed, runs},
};

/// What a connection costs by itself (O9).
const CONNECTION: usize = 32 * 1024;
const HEADERS_LIMIT: usize = 16 * 1024;
const MESSAGE_LIMIT: usize = 256 * 1024;

/// A header block, cut into frames as long as they may be.
fn block(id: u32, flags: u8, fields: &[u8]) -> Vec<u8> {
    let last = fields.chunks(16 * 1024).count().saturating_sub(1);
    let frames = fields.chunks(16 * 1024).enumerate().map(|(n, part)| {
        let (kind, own) = if n == 0 { (HEADERS, flags) } else { (CONTINUATION, 0) };
        frame(kind, own | if n == last { END_HEADERS } else { 0 }, id, part)
    });
    frames.collect::<Vec<_>>().concat()
}

/// How a stream ended.
#[derive(Debug, PartialEq, Eq)]
enum End {
    /// The code of HTTP, which stands in the first frame of headers as an index or a literal.
    Answered,
    Reset(u32),
    Closed(Option<u32>),
}

/// Sends to a connection of its own; gives how its stream ended.
async fn end_of(process: &Process, bytes: &[u8]) -> End {
    let mut wire = Wire::open(process.address, &[]).await;
    wire.send(bytes).await;
    let mut told = None;
    loop {
        match timeout(Duration::from_secs(10), wire.next()).await.expect("an answer") {
            None => return End::Closed(told),
            Some(found) if found.kind == GOAWAY => told = Some(found.number(4)),
            Some(found) if found.kind == HEADERS => return End::Answered,
            Some(found) if found.kind == RST_STREAM => return End::Reset(found.number(0)),
            Some(_) => {}
        }
    }
}

/// W6: a header of a mebibyte, ten thousand headers, a path of a hundred kibibytes, a field that is named ten thousand times by its index: each is
/// refused or ends its connection, and a hundred at once cost no more than twice the limit for each.
#[tokio::test(flavor = "multi_thread")]
async fn r_w6_headers_beyond_the_limit_cost_little_memory() {
    let process = Process::start(4_096, Some(2_000), false);
    let good = block(1, 0, &call_fields(&[]));
    let call = [good, frame(DATA, END_STREAM, 1, &get(Does::After(0)))].concat();
    let large = vec![b'a'; 1 << 20];
    let names: Vec<String> = (0..10_000).map(|n| format!("x-{n}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b"v"[..])).collect();
    let path = format!("/{}", "a".repeat(100 * 1024));
    // Kept in the table of the connection, the only one there, and named again and again by a byte.
    let mut kept = call_fields(&[]);
    kept.extend([&[0x40][..], &fields(&[("x-bomb", &[b'b'; 4_000])])[1..]].concat());
    let bomb = [kept, vec![0x80 | 62; 10_000]].concat();
    let attacks = [
        ("a header of 1 MiB", block(1, END_STREAM, &call_fields(&[("x-note", &large)]))),
        ("10,000 headers", block(1, END_STREAM, &call_fields(&many))),
        ("a path of 100 KiB", block(1, END_STREAM, &fields_of(&path, &[]))),
        ("a field named 10,000 times", block(1, END_STREAM, &bomb)),
    ];
    assert_eq!(end_of(&process, &call).await, End::Answered);
    for (what, bytes) in attacks {
        // The first of a kind pays for what the process then has.
        let end = end_of(&process, &bytes).await;
        assert!(matches!(end, End::Answered | End::Closed(Some(11))), "{what}: {end:?}");
        process.forget();
        let before = process.memory();
        let number = 100;
        let ends = futures::future::join_all((0..number).map(|_| end_of(&process, &bytes))).await;
        assert!(ends.iter().all(|other| *other == end), "{what}: {end:?} and {ends:?}");
        let each = process.peak().saturating_sub(before) / number;
        println!("figure: W6 {what}: {end:?}, {} KiB for each of {number}", each / 1024);
        assert!(each <= CONNECTION + 2 * HEADERS_LIMIT, "{what}: {each} bytes for each");
        assert_eq!(end_of(&process, &call).await, End::Answered, "{what}: the next is served");
    }
}

/// W6: a message over its limit, one of 4 GiB by its own account, a bomb of gzip.
#[tokio::test(flavor = "multi_thread")]
async fn r_w6_messages_beyond_the_limit_cost_little_memory() {
    let process = Process::start(4_096, Some(2_000), false);
    let attacks = [
        ("limit + 1", vec![], prefixed(0, &vec![0; MESSAGE_LIMIT + 1]), Code::ResourceExhausted),
        ("4 GiB", vec![], vec![0, 0xff, 0xff, 0xff, 0xff], Code::ResourceExhausted),
        ("a bomb", vec![("grpc-encoding", "gzip")], prefixed(1, crate::rows::BOMB), Code::Unimplemented),
    ];
    for (what, fields, body, code) in attacks {
        let number = 100;
        let mut before = 0;
        // The first round pays for what the process then has.
        for _ in 0..2 {
            process.forget();
            before = process.memory();
            let ends = (0..number).map(|_| async {
                let client = connect(process.address).await;
                ask(&client, request(GET, &fields), &body).await.code()
            });
            let ends = futures::future::join_all(ends).await;
            assert!(ends.iter().all(|end| *end == Some(code)), "{what}: {ends:?}");
        }
        let each = process.peak().saturating_sub(before) / number;
        println!("figure: W6 {what}: {} KiB for each of {number}", each / 1024);
        assert!(each <= CONNECTION + 2 * MESSAGE_LIMIT, "{what}: {each} bytes for each");
    }
}

/// T17: five bytes that claim a message. Beyond the limit nothing is reserved for them; within it, what is reserved is not memory before it is filled.
#[tokio::test(flavor = "multi_thread")]
async fn r_t17_a_claim_reserves_nothing() {
    let process = Process::start(4_096, Some(2_000), false);
    let claim = |length: u32| [&[0][..], &length.to_be_bytes(), &[7]].concat();
    let hold = async |number: u32, length: u32| {
        let mut wire = Wire::open(process.address, &[]).await;
        for n in 0..number {
            let id = 2 * n + 1;
            wire.send(&[frame(HEADERS, END_HEADERS, id, &call_fields(&[])), frame(DATA, 0, id, &claim(length))].concat())
                .await;
        }
        wire
    };
    // What four mebibytes are claimed for is refused: a hundred streams.
    drop(hold(1, 4 << 20).await);
    let before = process.reserved();
    let mut refused = hold(100, 4 << 20).await;
    let mut ended = 0;
    while ended < 100 {
        match timeout(Duration::from_secs(3), refused.next()).await {
            Ok(Some(found)) => ended += u32::from(found.kind == HEADERS),
            _ => break,
        }
    }
    let more = process.reserved().saturating_sub(before);
    assert!(more < 100 << 20, "{} MiB reserved for claims of 400 MiB", more >> 20);
    assert_eq!(ended, 100, "each is refused");

    // Within the limit: two thousand streams that say little of what they claim.
    let connections = 20_usize;
    let mut held = vec![hold(100, 256 << 10).await];
    let before = process.memory();
    for _ in 0..connections {
        held.push(hold(100, 256 << 10).await);
    }
    eventually("the last claim is read", async || answered(&process).await).await;
    let each = process.memory().saturating_sub(before) / (connections * 100);
    println!(
        "figure: T17 {} streams that claim 256 KiB each: {} KiB of memory each",
        connections * 100,
        each / 1024
    );
    assert!(each <= 32 * 1024, "{each} bytes for a claim");
}

async fn answered(process: &Process) -> bool {
    let reply = ask(&connect(process.address).await, request(GET, &[]), &get(Does::After(0))).await;
    reply.code() == Some(Code::Ok)
}

/// O10: many of each kind of slow client, beside those of the kinds before, and none of them dropped yet.
#[tokio::test(flavor = "multi_thread")]
async fn r_o10_slow_clients_cost_little_memory() {
    let number = runs(100, 1_000);
    for (secret, kinds) in [
        (
            false,
            &["silent", "half a preface", "no request", "half a request", "half a body", "no reader"][..],
        ),
        (true, &["half a hello"]),
    ] {
        let process = Process::start(20_000, Some(12_000), secret);
        if !secret {
            assert!(answered(&process).await);
        }
        let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
        let preface = [PREFACE, &settings].concat();
        let watch = block(1, 0, &fields_of(WATCH, &[]));
        let mut held = vec![];
        for kind in kinds {
            let bytes = match *kind {
                "silent" => vec![],
                "half a preface" => PREFACE[..10].to_vec(),
                "no request" => preface.clone(),
                "half a request" => [&preface[..], &block(1, 0, &call_fields(&[]))[..100]].concat(),
                "half a body" => [
                    &preface[..],
                    &block(1, 0, &fields_of(IMPORT, &[])),
                    &frame(DATA, 0, 1, &prefixed(0, &vec![0; 1_000_000])[..10]),
                ]
                .concat(),
                "no reader" => [&preface[..], &watch, &frame(DATA, END_STREAM, 1, &get(Does::Gives(10_000)))].concat(),
                _ => vec![0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3],
            };
            let before = process.memory();
            for _ in 0..number {
                let mut socket = TcpStream::connect(process.address).await.unwrap();
                socket.write_all(&bytes).await.unwrap();
                held.push(socket);
            }
            if !secret {
                // Who came after them is served, so they have been.
                assert!(answered(&process).await);
            }
            let more = process.memory().saturating_sub(before);
            println!("figure: O10 {number} of {kind}: {} KiB each", more / number / 1024);
            assert!(more <= 100 << 20, "{} MiB for {kind}", more >> 20);
        }
    }
}

/// A path of 12 KiB is within what HTTP/2 allows and no method.
#[tokio::test]
async fn r_w6_a_long_path_is_no_method() {
    let world = plain(Limits::default()).await;
    let path = format!("/{}", "a".repeat(12 * 1024));
    let reply = ask(&connect(world.address).await, request(&path, &[]), &get(Does::After(0))).await;
    assert_eq!((reply.code(), reply.reason().as_str()), (Some(Code::Unimplemented), "METHOD_UNKNOWN"));
}
