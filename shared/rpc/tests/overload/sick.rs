//! What goes out: retries within a budget, a breaker, a bulkhead.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use bytes::Bytes;
use contracts::hearth::{
    billing::v1::{GetPaymentRequest, TakePaymentRequest, payment_service_client::PaymentServiceClient},
    journal::v1::{WatchEventsRequest, journal_service_client::JournalServiceClient},
};
use futures::{StreamExt, future::join_all, stream};
use guard::{
    Call, Kind, Principal,
    status::{self, Details},
};
use http_body_util::BodyExt;
use rpc::{Outbound, Peer};
use tokio::net::TcpListener;
use tonic::{Code, Status, body::Body};

use crate::world::{Came, GET, PAY, call, channel, eventually, fine, serve, somebody, wide};

/// What the peer was asked: number of attempts before, time left, bytes.
struct Asked {
    at: Instant,
    before: u32,
    left: Duration,
    bytes: Bytes,
}

type Log = Arc<Mutex<Vec<Asked>>>;

/// A peer that answers as `answer` says, by how many attempts came before, and keeps what it was asked.
async fn peer(answer: impl Fn(u32) -> http::Response<Body> + Send + Sync + 'static) -> (Peer, Log) {
    let log = Log::default();
    let kept = log.clone();
    let answer = Arc::new(answer);
    let address = serve(wide(), move |request| {
        let (kept, answer) = (kept.clone(), answer.clone());
        let number = |name: &str| {
            let value = request.headers().get(name)?.to_str().ok()?;
            value.trim_end_matches('u').parse::<u64>().ok()
        };
        let before = u32::try_from(number("grpc-previous-rpc-attempts").unwrap_or(0)).unwrap();
        let left = Duration::from_micros(number("grpc-timeout").unwrap_or(0));
        Box::pin(async move {
            let bytes = request.into_body().collect().await.unwrap().to_bytes();
            kept.lock().unwrap().push(Asked {
                at: Instant::now(),
                before,
                left,
                bytes,
            });
            answer(before)
        })
    })
    .await;
    (at(address), log)
}

fn at(address: SocketAddr) -> Peer {
    Peer::lazy("billing", &format!("http://{address}"), None).unwrap()
}

/// A refusal as our services give it; a bare one would be put into form.
fn refusal(code: Code, reason: &str, pushback: Option<&str>) -> http::Response<Body> {
    let mut status = status::build(code, "billing", reason, "no", Details::default());
    if let Some(ms) = pushback {
        status.metadata_mut().insert("grpc-retry-pushback-ms", ms.parse().unwrap());
    }
    status.into_http()
}

fn away(pushback: Option<&str>) -> http::Response<Body> {
    refusal(Code::Unavailable, "STORAGE_UNAVAILABLE", pushback)
}

/// A call of somebody, with so much time.
fn caller(time: Duration) -> Call {
    let token = somebody("a", None).trim_start_matches("Bearer ").to_owned();
    Call::new("hearth.hall.v1.X/Y", Kind::Read, Principal::default()).with(None, None, Some(token), Instant::now().checked_add(time))
}

const TEN: Duration = Duration::from_secs(10);

async fn get(peer: &Peer, call: &Call) -> Result<(), Status> {
    let mut client: PaymentServiceClient<Outbound> = PaymentServiceClient::new(peer.channel());
    let question = GetPaymentRequest {
        payment_id: uuid::Uuid::now_v7().to_string(),
        ..GetPaymentRequest::default()
    };
    client.get_payment(peer.request(call, question)).await.map(drop)
}

/// The quickest of a few calls that fail: the machine may be busy with other things.
async fn refused(peer: &Peer, call: &Call) -> (Status, Duration) {
    let mut ended = vec![];
    for _ in 0..5 {
        let began = Instant::now();
        ended.push((get(peer, call).await.unwrap_err(), began.elapsed()));
    }
    ended.into_iter().min_by_key(|(_, took)| *took).unwrap()
}

/// What counts as no waiting: below every limit that is tried here, and above what a busy machine adds.
const AT_ONCE: Duration = Duration::from_millis(250);

#[tokio::test]
async fn r_o4_r_o5_a_call_is_tried_again_with_the_same_bytes_in_less_time() {
    let two = Duration::from_secs(2);
    let slow_to_come = async || peer(|before| if before < 2 { away(None) } else { fine() }).await;
    let (reads, first) = slow_to_come().await;
    get(&reads, &caller(two)).await.unwrap();
    let (writes, second) = slow_to_come().await;
    let write = TakePaymentRequest {
        request_id: uuid::Uuid::now_v7().to_string(),
        ..TakePaymentRequest::default()
    };
    let mut client = PaymentServiceClient::new(writes.channel());
    client.take_payment(writes.request(&caller(two), write)).await.unwrap();
    for log in [first, second] {
        let log = log.lock().unwrap();
        assert_eq!(log.iter().map(|a| a.before).collect::<Vec<_>>(), [0, 1, 2]);
        assert!(log.iter().all(|a| a.bytes == log[0].bytes && a.bytes.len() > 5));
        // A tenth less than the call for which it is made.
        assert!(log[0].left <= two * 9 / 10, "{:?}", log[0].left);
        assert!(log.windows(2).all(|two| two[1].left < two[0].left));
    }
}

#[tokio::test]
async fn r_o4_only_what_may_help_is_tried_again() {
    for (code, reason, attempts) in [
        (Code::Unavailable, "STORAGE_UNAVAILABLE", 3),
        (Code::Aborted, "CONTENTION", 3),
        (Code::Aborted, "ETAG_MISMATCH", 1),
        (Code::Internal, "INTERNAL", 1),
        (Code::ResourceExhausted, "QUOTA_EXCEEDED", 1),
        (Code::DeadlineExceeded, "DEADLINE_EXCEEDED", 1),
        (Code::FailedPrecondition, "PAYMENT_REVERSED", 1),
    ] {
        let (peer, log) = peer(move |_| refusal(code, reason, None)).await;
        let status = get(&peer, &caller(TEN)).await.unwrap_err();
        assert_eq!(status.code(), code);
        assert_eq!(log.lock().unwrap().len(), attempts, "{reason}");
    }
}

#[tokio::test]
async fn r_o4_the_peer_says_when_to_come_again_or_not_at_all() {
    let (peer_, log) = peer(|before| if before == 0 { away(Some("300")) } else { fine() }).await;
    get(&peer_, &caller(TEN)).await.unwrap();
    {
        let log = log.lock().unwrap();
        assert!(log[1].at - log[0].at >= Duration::from_millis(295));
    }
    for never in ["-1", "soon"] {
        let (peer, log) = peer(move |_| away(Some(never))).await;
        get(&peer, &caller(TEN)).await.unwrap_err();
        assert_eq!(log.lock().unwrap().len(), 1, "{never}");
    }
    // Later than the caller can wait.
    let (peer, log) = peer(|_| away(Some("2000"))).await;
    let began = Instant::now();
    get(&peer, &caller(Duration::from_secs(1))).await.unwrap_err();
    assert!(began.elapsed() < Duration::from_millis(900));
    assert_eq!(log.lock().unwrap().len(), 1);
}

/// The budget alone: a peer that pushes back is no reason for the breaker.
#[tokio::test]
async fn r_o4_where_all_fails_the_peer_is_asked_a_tenth_more_often_and_no_more() {
    const REQUESTS: usize = 600;
    let (peer, log) = peer(|_| away(Some("1"))).await;
    let (began, call) = (Instant::now(), caller(TEN * 6));
    let failed = stream::iter(0..REQUESTS)
        .map(|_| get(&peer, &call))
        .buffer_unordered(16)
        .filter(|r| std::future::ready(r.is_err()));
    assert_eq!(failed.count().await, REQUESTS);
    let log = log.lock().unwrap();
    let seconds = began.elapsed().as_secs() as usize + 1;
    let most = REQUESTS + REQUESTS / 10 + 3 * (seconds + 1);
    assert!(
        log.len() <= most,
        "{} attempts of {REQUESTS} requests in {seconds} s, at most {most}",
        log.len()
    );
    assert!(log.len() >= REQUESTS + REQUESTS / 20, "{}: it does try again", log.len());
    assert!(log.iter().all(|a| a.before < 3));
}

#[tokio::test]
async fn r_o7_a_peer_that_fails_seven_times_is_left_alone_and_taken_again_when_it_answers() {
    let well = Arc::new(AtomicUsize::new(0));
    let now = well.clone();
    let (peer, log) = peer(move |_| if now.load(Ordering::SeqCst) == 1 { fine() } else { away(None) }).await;
    let call = caller(TEN * 6);
    for _ in 0..50 {
        get(&peer, &call).await.unwrap_err();
    }
    // Seven in a row, and one probe more where the fifty took longer than a second.
    let asked = log.lock().unwrap().len();
    assert!((7..=9).contains(&asked), "{asked}");
    let (status, took) = refused(&peer, &call).await;
    assert!(took < AT_ONCE, "{took:?}");
    let fault = peer.fault(status);
    assert_eq!((fault.code(), fault.reason()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));

    well.store(1, Ordering::SeqCst);
    let began = Instant::now();
    while get(&peer, &call).await.is_err() {
        assert!(began.elapsed() < Duration::from_secs(5), "it is back and not noticed");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    for _ in 0..20 {
        get(&peer, &call).await.unwrap();
    }
}

/// A peer that misses a service of its own is there: it is asked once for each call, and goes on being asked.
#[tokio::test]
async fn r_o6_a_peer_that_misses_another_is_neither_asked_again_nor_left_alone() {
    let (peer, log) = peer(|_| refusal(Code::Unavailable, "DEPENDENCY_UNAVAILABLE", None)).await;
    let call = caller(TEN);
    for _ in 0..20 {
        get(&peer, &call).await.unwrap_err();
    }
    assert_eq!(log.lock().unwrap().len(), 20);
}

/// A peer that takes connections and says nothing, as one that was stopped by SIGSTOP.
async fn frozen() -> (Peer, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut held = vec![];
        loop {
            held.push(listener.accept().await.unwrap());
        }
    });
    (at(address), address)
}

#[tokio::test]
async fn r_o6_calls_to_a_frozen_peer_end_with_their_time_then_at_once() {
    let (peer, _) = frozen().await;
    let call = || caller(Duration::from_millis(400));
    for status in join_all((0..7).map(|_| async { get(&peer, &call()).await.unwrap_err() })).await {
        assert!(
            matches!(status.code(), Code::DeadlineExceeded | Code::Cancelled | Code::Unavailable),
            "{status:?}"
        );
    }
    let (status, took) = refused(&peer, &call()).await;
    assert_eq!(status.code(), Code::Unavailable);
    assert!(took < AT_ONCE, "{took:?}");
}

/// A follower of events has no deadline; it must not wait for ever for the head of an answer.
#[tokio::test]
async fn r_o6_a_stream_of_a_frozen_peer_is_given_up() {
    let (peer, _) = frozen().await;
    let mut client = JournalServiceClient::new(peer.channel());
    let asked = client.watch_events(WatchEventsRequest { after_position: 0 });
    let status = tokio::time::timeout(TEN, asked).await.expect("within ten seconds").err().unwrap();
    assert_eq!(peer.fault(status).reason(), "DEPENDENCY_UNAVAILABLE");
}

/// The rest fails before its time is over.
#[tokio::test]
async fn r_o6_a_frozen_peer_holds_thirty_two_calls_and_no_more() {
    let (peer, _) = frozen().await;
    let (began, call) = (Instant::now(), caller(Duration::from_secs(3)));
    let ended = join_all((0..40).map(|_| async {
        let status = get(&peer, &call).await.unwrap_err();
        (status.code(), began.elapsed() < Duration::from_secs(2))
    }));
    let soon = ended.await.into_iter().filter(|end| *end == (Code::Unavailable, true)).count();
    assert_eq!(soon, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_o6_what_needs_no_frozen_peer_is_served_as_ever() {
    let (peer, _) = frozen().await;
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    let address = serve(wide(), move |request| {
        let (peer, count, needs) = (peer.clone(), count.clone(), request.uri().path() == PAY);
        let call = request.extensions().get::<Call>().unwrap().clone();
        Box::pin(async move {
            if needs {
                count.fetch_add(1, Ordering::SeqCst);
                match get(&peer, &call).await {
                    Ok(()) => fine(),
                    Err(status) => peer.fault(status).into_status("hall").into_http(),
                }
            } else {
                fine()
            }
        })
    })
    .await;
    let (channel, token) = (channel(address), somebody("a", None));
    let quick = async || {
        let mut took = vec![];
        for _ in 0..300 {
            let came = call(&channel, GET, &token).await;
            assert!(came.is_fine());
            took.push(came.took);
        }
        took.sort_unstable();
        took[270]
    };
    let before = quick().await;
    let needing = tokio::spawn({
        let (channel, token) = (channel.clone(), token.clone());
        async move {
            stream::iter(0..400)
                .map(|_| call(&channel, PAY, &token))
                .buffer_unordered(50)
                .collect::<Vec<Came>>()
                .await
        }
    });
    eventually("the frozen peer is asked", || asked.load(Ordering::SeqCst) > 0).await;
    let beside = quick().await;
    assert!(beside <= (before * 2).max(AT_ONCE), "{beside:?} beside, {before:?} before");
    for came in needing.await.unwrap() {
        assert_eq!((came.code, came.reason().as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
        assert!(came.took < Duration::from_secs(5), "{:?}", came.took);
    }
}

/// tonic panics on such details; a peer must not be able to end a task of ours.
#[tokio::test]
async fn r_t14_details_that_cannot_be_read_are_no_panic() {
    let (peer, _) = peer(|_| {
        let mut response = refusal(Code::FailedPrecondition, "PAYMENT_REVERSED", None);
        response.headers_mut().insert("grpc-status-details-bin", "%%%".parse().unwrap());
        response
    })
    .await;
    let status = get(&peer, &caller(TEN)).await.unwrap_err();
    assert_eq!(status.code(), Code::FailedPrecondition);
}
