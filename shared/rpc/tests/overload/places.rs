//! What comes in: places by priority, quotas, calls in hand.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures::{StreamExt, future::join_all, stream};
use guard::Whole;
use http_body_util::{BodyExt, StreamBody};
use rpc::{Fault, Load};
use tokio::time::timeout;
use tonic::{
    Code, Status, Streaming,
    body::Body,
    codec::{EncodeBody, SingleMessageCompressionOverride},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::world::{Came, GET, Hands, IMPORT, PAY, call, came, channel, eventually, fine, open, request, serve, somebody, wide};

const FOUR: usize = 4;

fn four() -> Load {
    Load {
        in_hand: FOUR as u32,
        ..wide()
    }
}

/// Four calls that stay, so that there is no place.
async fn full(hands: &Hands, channel: &tonic::transport::Channel, token: &str) -> Vec<tokio::task::JoinHandle<Came>> {
    let calls = (0..FOUR).map(|_| {
        let (channel, token) = (channel.clone(), token.to_owned());
        tokio::spawn(async move { call(&channel, PAY, &token).await })
    });
    let calls = calls.collect();
    eventually("four calls in hand", || hands.begun() == FOUR).await;
    calls
}

#[tokio::test]
async fn r_o1_bad_input_32_what_has_no_place_is_refused_soon_and_told_when_to_come_again() {
    let hands = Hands::new(0);
    let work = hands.clone();
    let address = serve(four(), move |_| Box::pin(work.clone().work())).await;
    let (channel, token) = (channel(address), somebody("a", None));
    let inside = full(&hands, &channel, &token).await;

    let refused = join_all((0..60).map(|_| call(&channel, GET, &token))).await;
    for came in &refused {
        assert_eq!((came.code, came.reason().as_str()), (Code::Unavailable, "OVERLOADED"));
        assert!(came.took < Duration::from_secs(5), "{:?}", came.took);
        let status = came.status.as_ref().unwrap();
        let pause = status.get_details_retry_info().unwrap().retry_delay.unwrap();
        let pushback: u128 = status.metadata().get("grpc-retry-pushback-ms").unwrap().to_str().unwrap().parse().unwrap();
        assert_eq!(pause.as_millis(), pushback);
        assert!((100..400).contains(&pushback), "{pushback}");
    }
    // Up to 32 of them waited for a tenth of a second; how many is shown where no busy machine can stretch the time.
    let waited = refused.iter().filter(|came| came.took >= Duration::from_millis(100)).count();
    assert!(waited >= 8, "{waited}");
    assert_eq!(hands.begun(), FOUR, "what is refused is not begun");

    // Health is asked by whoever decides whether this service is to be killed.
    let health = HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    assert_eq!(health.into_inner().status(), ServingStatus::Serving);

    hands.free(FOUR);
    assert!(join_all(inside).await.into_iter().all(|came| came.unwrap().is_fine()));
    hands.free(1);
    assert!(call(&channel, GET, &token).await.is_fine(), "there is a place again");
}

#[tokio::test]
async fn a_stream_that_waits_for_news_takes_no_place() {
    let address = serve(four(), |request| {
        let streams = request.uri().path() == IMPORT;
        Box::pin(async move { if streams { open() } else { fine() } })
    })
    .await;
    let (channel, token) = (channel(address), somebody("a", None));
    let streams = join_all((0..20).map(|_| call(&channel, IMPORT, &token))).await;
    assert!(streams.iter().all(Came::is_fine));
    for _ in 0..10 {
        assert!(call(&channel, GET, &token).await.is_fine());
    }
    drop(streams);
}

/// Imports that wait for their next row leave room for each other and for everybody else; each message takes a place while it is worked on.
#[tokio::test]
async fn a_stream_of_writes_takes_a_place_for_its_messages_only() {
    let done = Arc::new(AtomicUsize::new(0));
    let count = done.clone();
    let address = serve(four(), move |request| {
        let count = count.clone();
        Box::pin(async move {
            if request.uri().path() != IMPORT {
                return fine();
            }
            let (parts, body) = request.into_parts();
            let mut call = tonic::Request::new(Streaming::new_request(Whole, body, None, None));
            *call.extensions_mut() = parts.extensions;
            let op = move |(), _, message: Bytes| {
                let count = count.clone();
                async move {
                    count.fetch_add(1, Ordering::SeqCst);
                    Ok(message)
                }
            };
            let Ok(answers) = rpc::exchange(&(), call, op).await else {
                return Status::internal("no stream").into_http();
            };
            let body = EncodeBody::new_server(Whole, answers.into_inner(), None, SingleMessageCompressionOverride::default(), None);
            let mut response = http::Response::new(Body::new(body));
            response.headers_mut().insert("content-type", "application/grpc".parse().unwrap());
            response
        })
    })
    .await;
    let (channel, token) = (channel(address), somebody("a", None));
    let message = || {
        let first = http_body::Frame::data(Bytes::from_static(&[0; 5]));
        let frames = stream::iter([Ok::<_, Status>(first)]).chain(stream::pending());
        came(&channel, request(IMPORT, &token, Body::new(StreamBody::new(frames))))
    };
    let mut streams = vec![];
    for _ in 0..20 {
        streams.push(message().await);
    }
    assert!(streams.iter().all(Came::is_fine));
    let mut said = vec![];
    for stream in &mut streams {
        said.push(timeout(Duration::from_secs(10), stream.body.frame()).await.expect("every import is answered"));
    }
    assert!(said.iter().all(|frame| matches!(frame, Some(Ok(_)))));
    assert_eq!(done.load(Ordering::SeqCst), 20);
    assert!(call(&channel, GET, &token).await.is_fine());
}

/// A write that meets others on its rows is tried three times more; who then has to do it himself is told so.
#[tokio::test]
async fn bad_input_117_contention_is_tried_three_times_more_and_told() {
    let tried = Arc::new(AtomicUsize::new(0));
    let count = tried.clone();
    let address = serve(four(), move |request| {
        let (count, mut call) = (count.clone(), tonic::Request::new(()));
        *call.extensions_mut() = request.extensions().clone();
        Box::pin(async move {
            let op = move |(), _, ()| {
                count.fetch_add(1, Ordering::SeqCst);
                async { Err::<(), _>(Fault::aborted("CONTENTION", "others work on the same rows")) }
            };
            rpc::write(&(), call, op).await.map_or_else(Status::into_http, |_| fine())
        })
    })
    .await;
    let came = call(&channel(address), PAY, &somebody("a", None)).await;
    assert_eq!((came.code, came.reason().as_str()), (Code::Aborted, "CONTENTION"));
    assert!(came.status.as_ref().unwrap().get_details_retry_info().is_some());
    assert_eq!(tried.load(Ordering::SeqCst), 4);
}

/// Callers that give up and come again must not pile up work behind the one writer of a database.
#[tokio::test]
async fn r_o3_a_write_keeps_its_place_when_its_caller_has_left() {
    let hands = Hands::new(0);
    let work = hands.clone();
    let address = serve(four(), move |request| {
        let (work, mut call) = (work.clone(), tonic::Request::new(()));
        *call.extensions_mut() = request.extensions().clone();
        Box::pin(async move {
            let op = move |(), _, ()| {
                let work = work.clone();
                async move {
                    work.work().await;
                    Ok(())
                }
            };
            rpc::write(&(), call, op).await.map_or_else(Status::into_http, |_| fine())
        })
    })
    .await;
    let (channel, token) = (channel(address), somebody("a", None));
    let short = || {
        let mut request = request(PAY, &token, Body::empty());
        request.headers_mut().insert("grpc-timeout", "200m".parse().unwrap());
        came(&channel, request)
    };
    let left = join_all((0..FOUR).map(|_| short())).await;
    assert!(left.iter().all(|came| matches!(came.code, Code::DeadlineExceeded | Code::Cancelled)));
    assert_eq!(hands.begun(), FOUR);
    for _ in 0..3 {
        let came = call(&channel, PAY, &token).await;
        assert_eq!((came.code, came.reason().as_str()), (Code::Unavailable, "OVERLOADED"));
    }
    assert_eq!(hands.begun(), FOUR);
    hands.free(1_000);
    // The work ends in a task of its own.
    for _ in 0..500 {
        if call(&channel, PAY, &token).await.is_fine() {
            return;
        }
    }
    panic!("the places are not given back");
}

#[tokio::test]
async fn bad_input_34_a_caller_has_so_many_calls_in_hand_and_no_more() {
    let load = Load { of_one: 3, ..wide() };
    let hands = Hands::new(0);
    let work = hands.clone();
    let address = serve(load, move |request| {
        let (streams, work) = (request.uri().path() == IMPORT, work.clone());
        Box::pin(async move { if streams { open() } else { work.work().await } })
    })
    .await;
    let (channel, token, other) = (channel(address), somebody("a", None), somebody("b", None));
    // A stream counts as long as it is open.
    let streams = [call(&channel, IMPORT, &token).await, call(&channel, IMPORT, &token).await];
    let third = tokio::spawn({
        let (channel, token) = (channel.clone(), token.clone());
        async move { call(&channel, GET, &token).await }
    });
    eventually("the third call", || hands.begun() == 1).await;
    let fourth = call(&channel, GET, &token).await;
    assert_eq!((fourth.code, fourth.reason().as_str()), (Code::ResourceExhausted, "CONCURRENCY_EXCEEDED"));
    let details = fourth.status.unwrap().get_details_quota_failure().unwrap();
    assert_eq!(details.violations[0].description, "3 calls at once");
    hands.free(2);
    assert!(call(&channel, GET, &other).await.is_fine(), "others are not touched");
    assert!(third.await.unwrap().is_fine());
    drop(streams);
    hands.free(1_000);
    // The server hears of the streams' end a moment later.
    for _ in 0..200 {
        let three = join_all((0..3).map(|_| call(&channel, GET, &token))).await;
        if three.iter().all(Came::is_fine) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("closed streams count on");
}

#[tokio::test]
async fn r_o16_bad_input_33_a_caller_at_twenty_times_its_quota_leaves_others_alone() {
    let load = Load { quota: 50, ..wide() };
    let served = Arc::new(AtomicUsize::new(0));
    let count = served.clone();
    let address = serve(load, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        Box::pin(async { fine() })
    })
    .await;
    // A vendor has customers' methods only where they name it; a subject of its own does here.
    let (greedy, modest) = (somebody("greedy", None), somebody("modest", None));
    let (loud, quiet) = (channel(address), channel(address));
    let flood = async {
        let mut refused = vec![];
        for _ in 0..2000 {
            let came = call(&loud, GET, &greedy).await;
            if !came.is_fine() {
                refused.push(came);
            }
        }
        refused
    };
    let others = async {
        let mut took = vec![];
        for _ in 0..60 {
            let came = call(&quiet, GET, &modest).await;
            assert!(came.is_fine());
            took.push(came.took);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        took.sort_unstable();
        took
    };
    let began = Instant::now();
    let (refused, took) = tokio::join!(flood, others);
    // A hundred at once and fifty a second.
    let allowed = 100 + 50 * (began.elapsed().as_secs() as usize + 1);
    assert!(refused.len() + allowed >= 2000, "{} of 2000 are refused, {allowed} allowed", refused.len());
    assert_eq!(served.load(Ordering::SeqCst), 2060 - refused.len());
    for came in &refused {
        assert_eq!((came.code, came.reason().as_str()), (Code::ResourceExhausted, "QUOTA_EXCEEDED"));
        let status = came.status.as_ref().unwrap();
        assert_eq!(status.get_details_quota_failure().unwrap().violations[0].description, "50 calls a second");
        assert!(status.get_details_retry_info().unwrap().retry_delay.unwrap() <= Duration::from_millis(20));
    }
    assert!(took[took.len() * 9 / 10] <= Duration::from_millis(500), "{took:?}");
}

/// A refusal that left its request unread would end in a reset, and too many of those in the end of the connection.
#[tokio::test]
async fn who_is_refused_a_thousand_times_keeps_the_connection() {
    let load = Load { quota: 1, ..wide() };
    let address = serve(load, |_| Box::pin(async { fine() })).await;
    let (channel, token) = (channel(address), somebody("a", None));
    let long = || {
        let parts = (0..8).map(|_| Ok::<_, Status>(http_body::Frame::data(Bytes::from(vec![0; 1024]))));
        request(GET, &token, Body::new(StreamBody::new(stream::iter(parts))))
    };
    let (mut refused, began) = (0, Instant::now());
    for _ in 0..20 {
        let came = join_all((0..50).map(|_| came(&channel, long()))).await;
        refused += came.iter().filter(|c| c.code == Code::ResourceExhausted).count();
    }
    // Two at once and one a second.
    let allowed = 3 + began.elapsed().as_secs() as usize;
    assert!(refused + allowed >= 1_000, "{refused} of 1000 are refused, {allowed} allowed");
    assert!(call(&channel, GET, &somebody("b", None)).await.is_fine());
}
