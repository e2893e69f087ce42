//! Clients that take their time.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use rpc::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};
use tonic::Code;

use crate::{
    rows::{ask, connect, request},
    wire::{DATA, END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, call_fields, fields_of, frame},
    world::{Does, GET, IMPORT, WATCH, World, get, plain, secret},
};

/// Short, so that the test is; what production grants is [`Limits::default`].
fn short() -> Limits {
    Limits {
        handshake: Duration::from_millis(300),
        first_request: Duration::from_millis(600),
        stalled: Duration::from_millis(1_000),
        ..Limits::default()
    }
}

/// The figures of O10: 5 s for the handshake, 10 s for the first request with its farewell, 30 s for a stalled stream.
#[test]
fn r_o10_the_limits_are_those_that_are_promised() {
    let limits = Limits::default();
    assert_eq!(limits.handshake, Duration::from_secs(5));
    assert_eq!(limits.first_request, Duration::from_secs(10 - 1));
    assert_eq!(limits.stalled, Duration::from_secs(30));
}

/// Sends some bytes now, then one after another; gives the time until the server closes.
async fn lived(address: SocketAddr, at_once: &[u8], then: &[u8]) -> Option<Duration> {
    let began = Instant::now();
    let (mut read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let (at_once, then) = (at_once.to_vec(), then.to_vec());
    let writer = tokio::spawn(async move {
        let _ = write.write_all(&at_once).await;
        for byte in then {
            sleep(Duration::from_millis(50)).await;
            if write.write_all(&[byte]).await.is_err() {
                break;
            }
        }
        // Kept open: it is the server that has to close.
        std::future::pending::<()>().await;
    });
    let mut answer = vec![];
    let closed = timeout(Duration::from_secs(5), read.read_to_end(&mut answer)).await;
    writer.abort();
    closed.ok().map(|_| began.elapsed())
}

/// Name, server, what is said at once, what is said byte by byte, and the time that there is.
type Case<'a> = (&'a str, &'a World, &'a [u8], &'a [u8], Duration);

/// T6, O10: silence, half a hello, half a preface, a preface and no request, a request byte by byte; a hundred of each, and somebody else
/// is served meanwhile.
#[tokio::test]
async fn r_t6_o10_who_says_too_little_is_dropped() {
    let (open, closed) = (plain(short()).await, secret(short()).await);
    // The record header of a TLS hello of 512 bytes, and the first of them.
    let hello = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let settings = frame(SETTINGS, 0, 0, &[]);
    let preface = [PREFACE, &settings].concat();
    let request = frame(HEADERS, END_HEADERS, 1, &call_fields(&[]));
    let slowly = [b"GET / HTTP/1.1\r\nx: ".to_vec(), vec![b'a'; 100]].concat();
    let cases: [Case<'_>; 7] = [
        ("silent before TLS", &closed, &[], &[], short().handshake),
        ("half a hello", &closed, &hello, &[], short().handshake),
        ("a hello byte by byte", &closed, &hello, &[0; 200], short().handshake),
        ("silent", &open, &[], &[], short().first_request + Duration::from_secs(1)),
        ("half a preface", &open, &PREFACE[..10], &[], short().first_request + Duration::from_secs(1)),
        ("no request", &open, &preface, &[], short().first_request + Duration::from_secs(1)),
        (
            "a request byte by byte",
            &open,
            &preface,
            &request,
            short().first_request + Duration::from_secs(1),
        ),
    ];
    let waiting = cases.iter().map(|(what, world, at_once, then, limit)| async move {
        let lives = futures::future::join_all((0..100).map(|_| lived(world.address, at_once, then))).await;
        let longest = lives.into_iter().map(|l| l.unwrap_or(Duration::MAX)).max().unwrap();
        // The machine may be busy with the other tests.
        assert!(longest < *limit + Duration::from_millis(3_000), "{what}: {longest:?}");
    });
    let healthy = async {
        sleep(Duration::from_millis(200)).await;
        let began = Instant::now();
        let client = connect(open.address).await;
        assert_eq!(ask(&client, self::request(GET, &[]), &get(Does::After(0))).await.code(), Some(Code::Ok));
        assert!(began.elapsed() < Duration::from_secs(2));
    };
    tokio::join!(futures::future::join_all(waiting), healthy);
    // HTTP/1.1 has its own clock for the head of a request.
    let http1 = lived(open.address, &slowly[..19], &slowly[19..]).await.expect("closed");
    assert!(http1 < short().first_request + Duration::from_millis(1_700), "{http1:?}");
}

/// T6, O10: a stream whose client does not send the rest, or does not take the answer, ends; the connection lives.
#[tokio::test]
async fn r_t6_o10_a_stalled_stream_is_dropped() {
    let world = plain(short()).await;
    let client = connect(world.address).await;
    // The rest of a request.
    let began = Instant::now();
    let (answer, mut sender) = client.clone().ready().await.unwrap().send_request(request(IMPORT, &[]), false).unwrap();
    sender.send_data(vec![0, 0].into(), false).unwrap();
    let wait = Duration::from_secs(5);
    let mut body = timeout(wait, answer).await.unwrap().unwrap().into_body();
    let trailers = timeout(wait, body.trailers()).await.unwrap().unwrap().unwrap();
    let status = tonic::Status::from_header_map(&trailers).unwrap();
    assert_eq!(status.code(), Code::DeadlineExceeded);
    assert!((short().stalled..short().stalled * 2).contains(&began.elapsed()), "{:?}", began.elapsed());

    // The answer: this client has room for ten bytes, and stays there.
    let mut wire = Wire::open(world.address, &[(4, 10)]).await;
    let call = |id: u32, does: Does| {
        let headers = frame(HEADERS, END_HEADERS, id, &fields_of(WATCH, &[]));
        [headers, frame(DATA, END_STREAM, id, &get(does))].concat()
    };
    let began = Instant::now();
    wire.send(&call(1, Does::Gives(100_000))).await;
    let reset = timeout(Duration::from_secs(5), wire.until(RST_STREAM)).await.expect("a reset").unwrap();
    assert_eq!(reset.stream, 1);
    assert!(began.elapsed() >= short().stalled, "{:?}", began.elapsed());
    // A stream that waits for us and not for its client is no stalled one.
    wire.send(&[call(3, Does::After(0)), frame(WINDOW_UPDATE, 0, 3, &10_000_u32.to_be_bytes())].concat())
        .await;
    let nothing = timeout(short().stalled * 2, wire.until(RST_STREAM)).await;
    assert!(nothing.is_err(), "{nothing:?}");
}
