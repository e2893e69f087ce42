//! Time: how long a call and a connection may live.

use std::time::{Duration, Instant};

use rpc::Limits;
use tokio::time::timeout;
use tonic::Code;

use crate::{
    rows::{ask, connect, request},
    wire::{DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, Wire, call_fields, frame},
    world::{Does, GET, IMPORT, WATCH, get, plain},
};

/// The test fails after this instead of waiting for what never comes.
const WAIT: Duration = Duration::from_secs(5);

fn short() -> Limits {
    Limits {
        age: Duration::from_millis(1_000),
        grace: Duration::from_millis(1_500),
        ..Limits::default()
    }
}

/// T4: at its age a connection is told to go; the call that runs then and ends within the grace is answered.
#[tokio::test]
async fn r_t4_an_old_connection_is_told_to_go_and_its_call_is_answered() {
    let world = plain(short()).await;
    let mut wire = Wire::open(world.address, &[]).await;
    let began = Instant::now();
    let call = |id: u32, wait: u32| {
        let headers = frame(HEADERS, END_HEADERS, id, &call_fields(&[]));
        [headers, frame(DATA, END_STREAM, id, &get(Does::After(wait)))].concat()
    };
    wire.send(&call(1, 1_800)).await;
    let mut told = None;
    let mut answered = None;
    while let Ok(Some(found)) = timeout(WAIT, wire.next()).await {
        if found.kind == GOAWAY && told.is_none() {
            told = Some(began.elapsed());
            assert_eq!(found.number(4), 0, "NO_ERROR");
        }
        if found.stream == 1 && found.flags & END_STREAM != 0 {
            answered = Some(began.elapsed());
        }
    }
    let (told, answered) = (told.expect("a GOAWAY"), answered.expect("an answer"));
    assert!((Duration::from_millis(900)..Duration::from_millis(1_300)).contains(&told), "{told:?}");
    assert!(answered >= Duration::from_millis(1_800), "{answered:?}");
}

/// T4: a call that outlasts the grace is cut, so that a connection has an end.
#[tokio::test]
async fn r_t4_what_outlasts_the_grace_is_cut() {
    let world = plain(short()).await;
    let client = connect(world.address).await;
    let began = Instant::now();
    let reply = timeout(WAIT, ask(&client, request(WATCH, &[]), &get(Does::After(0)))).await.unwrap();
    assert!(reply.broken.is_some(), "{reply:?}");
    let lived = began.elapsed();
    assert!((Duration::from_millis(2_400)..Duration::from_millis(3_500)).contains(&lived), "{lived:?}");
}

/// T4: connections that came together do not go together.
#[tokio::test]
async fn r_t4_ages_are_spread_over_a_fifth() {
    let world = plain(short()).await;
    let lives = (0..40).map(|_| async {
        let mut wire = Wire::open(world.address, &[]).await;
        let began = Instant::now();
        let headers = frame(HEADERS, END_HEADERS, 1, &call_fields(&[]));
        wire.send(&[headers, frame(DATA, END_STREAM, 1, &get(Does::After(0)))].concat()).await;
        timeout(WAIT, wire.until(GOAWAY)).await.unwrap().expect("a GOAWAY");
        began.elapsed()
    });
    let lives = futures::future::join_all(lives).await;
    let (first, last) = (lives.iter().min().unwrap(), lives.iter().max().unwrap());
    // Of forty draws from 900 to 1,100 ms all lie within 60 ms once in 10^17 times.
    assert!(*last - *first > Duration::from_millis(60), "{first:?} to {last:?}");
}

/// T3: the server keeps the deadline by itself, whatever the call waits for: its handler, the rest of its request, the next of a stream.
#[tokio::test]
async fn r_t3_a_deadline_is_kept_whatever_the_call_waits_for() {
    let world = plain(Limits::default()).await;
    let client = connect(world.address).await;
    let given = [("grpc-timeout", "300m")];
    for (path, body, end) in [
        (GET, get(Does::After(10_000)), true),
        (GET, get(Does::After(0))[..7].to_vec(), false),
        (WATCH, get(Does::After(0)), true),
        (IMPORT, vec![], false),
    ] {
        let began = Instant::now();
        let asked = async {
            if end {
                return ask(&client, request(path, &given), &body).await;
            }
            let (answer, mut sender) = client.clone().ready().await.unwrap().send_request(request(path, &given), false).unwrap();
            sender.send_data(body.into(), false).unwrap();
            let (head, mut body) = answer.await.unwrap().into_parts();
            let trailers = body.trailers().await.unwrap().unwrap_or(head.headers);
            crate::rows::Reply {
                http: 200,
                status: tonic::Status::from_header_map(&trailers),
                broken: None,
            }
        };
        let reply = timeout(Duration::from_secs(10), asked).await.expect("an answer in time");
        let took = began.elapsed();
        assert_eq!(
            (reply.code(), reply.reason().as_str()),
            (Some(Code::DeadlineExceeded), "DEADLINE_EXCEEDED"),
            "{path}"
        );
        assert!((Duration::from_millis(290)..Duration::from_millis(1_500)).contains(&took), "{path} {took:?}");
    }
}
