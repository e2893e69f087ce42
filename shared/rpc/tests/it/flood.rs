//! Clients that send what costs them nothing.

use std::time::Duration;

use bytes::Bytes;
use rpc::Limits;
use tokio::time::timeout;
use tonic::Code;

use crate::{
    rows::{ask, connect, request},
    wire::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE, Wire, call_fields, fields, frame,
    },
    world::{Does, GET, get, plain, token},
};

const ENHANCE_YOUR_CALM: u32 = 11;

/// T1, W5: a hundred streams at a time, said in the settings; a further one is refused and does not wait.
#[tokio::test]
async fn r_t1_w5_a_connection_has_a_hundred_streams() {
    let world = plain(Limits::default()).await;
    let mut wire = Wire::open(world.address, &[]).await;
    let settings = wire.until(SETTINGS).await.unwrap().payload;
    let said = settings.chunks(6).find(|s| s[..2] == 3_u16.to_be_bytes());
    assert_eq!(said.map(|s| &s[2..]), Some(&100_u32.to_be_bytes()[..]));
    let call = call_fields(&[]);
    for stream in 0..140 {
        wire.send(&frame(HEADERS, END_HEADERS, 2 * stream + 1, &call)).await;
    }
    let mut refused = vec![];
    while refused.len() < 40 {
        let reset = timeout(Duration::from_secs(3), wire.until(RST_STREAM)).await.unwrap().unwrap();
        assert_eq!(reset.number(0), 7, "REFUSED_STREAM");
        refused.push(reset.stream);
    }
    assert!(refused.iter().all(|id| *id > 200), "{refused:?}");
    // Who goes on is no client.
    for stream in 140..10_000 {
        wire.send(&frame(HEADERS, END_HEADERS, 2 * stream + 1, &call)).await;
    }
    let said = timeout(Duration::from_secs(10), wire.ending()).await.unwrap();
    assert_eq!(said.map(|s| s.0), Some(ENHANCE_YOUR_CALM));
}

/// T2, W2: what makes the server reset streams, again and again, ends the connection within 128 of them.
#[tokio::test]
async fn r_t2_w2_floods_of_malformed_streams_end_the_connection() {
    let world = plain(Limits::default()).await;
    let nowhere = fields(&[(":method", b"POST"), (":scheme", b"http"), (":authority", b"localhost")]);
    let short = call_fields(&[("content-length", b"1")]);
    let malformed: [Box<dyn Fn(u32) -> Vec<u8>>; 2] = [
        Box::new(|id| frame(HEADERS, END_HEADERS | END_STREAM, id, &nowhere)),
        Box::new(|id| [frame(HEADERS, END_HEADERS, id, &short), frame(DATA, 0, id, &[7; 10])].concat()),
    ];
    for flood in malformed {
        let mut wire = Wire::open(world.address, &[]).await;
        let (mut resets, mut said, mut next) = (0, None, 0);
        // A few at a time, and what comes back is read: this client is in no hurry.
        'flood: while next < 5_000 {
            for _ in 0..10 {
                wire.send(&flood(2 * next + 1)).await;
                next += 1;
            }
            while let Ok(found) = timeout(Duration::from_millis(20), wire.next()).await {
                match found {
                    None => break 'flood,
                    Some(found) if found.kind == RST_STREAM => resets += 1,
                    Some(found) if found.kind == GOAWAY => said = Some(found.number(4)),
                    Some(_) => {}
                }
            }
        }
        assert_eq!(said, Some(ENHANCE_YOUR_CALM), "after {resets} resets");
        assert!(resets <= 128, "{resets}");
    }
}

/// W1 (CVE-2023-44487): streams that are opened and reset at once; other connections are served meanwhile.
#[tokio::test]
async fn r_w1_rapid_resets_end_the_connection() {
    let world = plain(Limits::default()).await;
    let (call, cancel) = (call_fields(&[]), 8_u32.to_be_bytes());
    let wire = Wire::open(world.address, &[]).await;
    let flood: Vec<u8> = (0..100_000)
        .flat_map(|n| {
            let id = 2 * n + 1;
            [frame(HEADERS, END_HEADERS, id, &call), frame(RST_STREAM, 0, id, &cancel)].concat()
        })
        .collect();
    let other = connect(world.address).await;
    let (read, write) = wire.0.into_split();
    let writer = tokio::spawn(async move {
        let mut write = write;
        // It breaks off when the connection is closed.
        let _ = tokio::io::AsyncWriteExt::write_all(&mut write, &flood).await;
    });
    let mut wire = Wire(tokio::io::join(read, tokio::io::sink()));
    let ended = timeout(Duration::from_secs(20), async {
        let mut last = None;
        while let Some(found) = wire.next().await {
            if found.kind == GOAWAY {
                last = Some((found.number(0), found.number(4)));
            }
        }
        last
    });
    let (last, calm) = ended.await.expect("closed").expect("a GOAWAY");
    assert_eq!(calm, ENHANCE_YOUR_CALM);
    assert!(last <= 1_000, "stream {last} was the last");
    writer.await.unwrap();
    assert_eq!(ask(&other, request(GET, &[]), &get(Does::After(0))).await.code(), Some(Code::Ok));
}

/// W3 (RUSTSEC-2024-0332): header blocks without an end.
#[tokio::test]
async fn r_w3_endless_headers_end_the_connection() {
    let world = plain(Limits::default()).await;
    let wire = Wire::open(world.address, &[]).await;
    let mut flood = frame(HEADERS, 0, 1, &call_fields(&[]));
    for _ in 0..20_000 {
        flood.extend(frame(CONTINUATION, 0, 1, &fields(&[("x-note", b"again and again")])));
    }
    let (read, mut write) = wire.0.into_split();
    let writer = tokio::spawn(async move {
        let _ = tokio::io::AsyncWriteExt::write_all(&mut write, &flood).await;
    });
    let mut rest = Wire(tokio::io::join(read, tokio::io::sink()));
    timeout(Duration::from_secs(10), rest.ending()).await.expect("closed");
    writer.await.unwrap();
    let next = connect(world.address).await;
    assert_eq!(ask(&next, request(GET, &[]), &get(Does::After(0))).await.code(), Some(Code::Ok));
}

/// W4: frames that cost the client nothing. A library answers or forgets each of them for as long as they come.
#[tokio::test]
async fn r_w4_floods_of_frames_without_a_cost_end_the_connection() {
    let world = plain(Limits::default()).await;
    let other = connect(world.address).await;
    let opened = frame(HEADERS, END_HEADERS, 1, &call_fields(&[]));
    let floods = [
        ("PING", vec![], frame(PING, 0, 0, &[7; 8])),
        ("SETTINGS", vec![], frame(SETTINGS, 0, 0, &[])),
        ("PRIORITY", vec![], frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 7])),
        ("WINDOW_UPDATE", vec![], frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
        ("empty DATA", opened, frame(DATA, 0, 1, &[])),
    ];
    for (what, first, costless) in floods {
        let mut wire = Wire::open(world.address, &[]).await;
        wire.send(&first).await;
        let (read, mut write) = wire.0.into_split();
        let flood = costless.repeat(50_000);
        let writer = tokio::spawn(async move {
            // It breaks off when the connection is closed.
            tokio::io::AsyncWriteExt::write_all(&mut write, &flood).await.is_ok()
        });
        let mut rest = Wire(tokio::io::join(read, tokio::io::sink()));
        let mut answered = 0;
        let ended = timeout(Duration::from_secs(10), async {
            while rest.next().await.is_some() {
                answered += 1;
            }
        });
        ended.await.unwrap_or_else(|_| panic!("{what}: not closed"));
        assert!(answered <= 1_010, "{what}: {answered} frames came back");
        writer.await.unwrap();
        assert_eq!(ask(&other, request(GET, &[]), &get(Does::After(0))).await.code(), Some(Code::Ok), "{what}");
    }
}

/// W4: a client that measures its way by a PING for every answer, as some libraries do, is a client.
#[tokio::test]
async fn r_w4_a_client_that_pings_for_every_answer_keeps_its_connection() {
    let world = plain(Limits::default()).await;
    let mut wire = Wire::open(world.address, &[]).await;
    wire.send(&frame(WINDOW_UPDATE, 0, 0, &(1_u32 << 30).to_be_bytes())).await;
    let (call, body) = (call_fields(&[]), get(Does::After(0)));
    for n in 0..1_500 {
        let id = 2 * n + 1;
        wire.send(&frame(HEADERS, END_HEADERS, id, &call)).await;
        wire.send(&frame(DATA, END_STREAM, id, &body)).await;
        wire.send(&frame(PING, 0, 0, &[7; 8])).await;
        let mut pings = vec![];
        loop {
            let found = timeout(Duration::from_secs(5), wire.next()).await.unwrap().expect("the connection stands");
            if found.stream == id && found.flags & END_STREAM != 0 {
                break;
            }
            pings.extend((found.stream == id).then(|| frame(PING, 0, 0, &[8; 8])));
        }
        wire.send(&pings.concat()).await;
    }
}

/// Bad input 29: numbers of streams that a client may not use.
#[tokio::test]
async fn r_t7_bad_input_29_even_and_old_streams_end_the_connection() {
    let world = plain(Limits::default()).await;
    for ids in [&[2][..], &[5, 3]] {
        let mut wire = Wire::open(world.address, &[]).await;
        for id in ids {
            wire.send(&frame(HEADERS, END_HEADERS | END_STREAM, *id, &call_fields(&[]))).await;
        }
        let said = timeout(Duration::from_secs(5), wire.ending()).await.unwrap();
        assert_eq!(said.map(|s| s.0), Some(1), "PROTOCOL_ERROR");
    }
}

/// T2: the cap is for attackers. A client that is refused a thousand times, and whose requests end a moment after they are refused,
/// keeps its connection and the call that runs on it.
#[tokio::test]
async fn r_t2_a_client_that_is_refused_often_keeps_its_connection() {
    let world = plain(Limits::default()).await;
    let client = connect(world.address).await;
    let good = token();
    let other = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, request(GET, &[]), &get(Does::After(2_000))).await }
    });
    // Refused by the gate, and for its size.
    let bodies = [(GET, "Bearer x", get(Does::After(0))), (GET, good.as_str(), vec![0, 0xff, 0xff, 0xff, 0xff])];
    for round in 0..20 {
        let calls = (0..50).map(|n| {
            let (client, (path, token, body)) = (client.clone(), bodies[n % 2].clone());
            async move {
                let request = request(path, &[("authorization", token)]);
                let (answer, mut sender) = client.ready().await.unwrap().send_request(request, false).unwrap();
                sender.send_data(body.into(), false).unwrap();
                let code = tonic::Status::from_header_map(timeout(Duration::from_secs(5), answer).await.unwrap().unwrap().headers())
                    .unwrap()
                    .code();
                // The end of the request, too late to matter.
                let _ = sender.send_data(Bytes::new(), true);
                code
            }
        });
        let codes = futures::future::join_all(calls).await;
        assert!(
            codes.iter().all(|c| matches!(c, Code::Unauthenticated | Code::ResourceExhausted)),
            "{round}: {codes:?}"
        );
    }
    assert_eq!(other.await.unwrap().code(), Some(Code::Ok));
}

/// T2: a client whose deadline passes while nobody looks at its connection gives up all its calls at once. That is no attack.
#[tokio::test]
async fn r_t2_a_client_that_gives_up_all_its_calls_keeps_its_connection() {
    let world = plain(Limits::default()).await;
    let mut wire = Wire::open(world.address, &[]).await;
    let (call, cancel) = (call_fields(&[]), 8_u32.to_be_bytes());
    let ids = || (0..100).map(|n| 2 * n + 1);
    let begun = ids().flat_map(|id| frame(HEADERS, END_HEADERS, id, &call));
    let given_up = ids().flat_map(|id| frame(RST_STREAM, 0, id, &cancel));
    let last = [frame(HEADERS, END_HEADERS, 201, &call), frame(DATA, END_STREAM, 201, &get(Does::After(0)))].concat();
    // In one piece, so that none is accepted before it is given up.
    wire.send(&begun.chain(given_up).chain(last).collect::<Vec<_>>()).await;
    let answered = async {
        while let Some(found) = wire.next().await {
            match (found.kind, found.stream) {
                (GOAWAY, _) => return None,
                (HEADERS, 201) => return Some(()),
                _ => {}
            }
        }
        None
    };
    assert!(timeout(Duration::from_secs(10), answered).await.unwrap().is_some(), "the connection is closed");
}
