//! Our side as a client.

use std::time::Duration;

use contracts::hearth::job::v1::{GetJobRequest, job_service_client::JobServiceClient};
use rpc::Limits;
use tokio::{io::AsyncReadExt, net::TcpListener, sync::oneshot};
use tonic::{
    Code, Request, Status,
    transport::{Certificate, Channel, ClientTlsConfig, Identity, ServerTlsConfig},
};
use tonic_types::StatusExt;

use crate::{
    wire::{END_HEADERS, END_STREAM, HEADERS, PREFACE, RST_STREAM, SETTINGS, Wire, fields, frame},
    world::{Does, bare, job, keys, plain},
};

/// T9: h2 closes a connection with many small answers where its window is that of HTTP/2, as it is with an adaptive one. The peer here is one that caps nothing.
#[tokio::test]
async fn r_t9_many_small_answers_at_once_are_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
    let read = |name: &str| std::fs::read(keys().join(name)).unwrap();
    let tls = ServerTlsConfig::new().identity(Identity::from_pem(read("archive.pem"), read("archive.key.pem")));
    let (_stop, stopped) = oneshot::channel::<()>();
    let stopped = async {
        let _ = stopped.await;
    };
    tokio::spawn(bare(listener, stopped, Some(tls), Limits::default()));
    macro_rules! lost {
        ($channel:expr) => {{
            let calls = (0..2_000).map(|_| {
                let mut client = JobServiceClient::new($channel.clone());
                tokio::spawn(async move { client.get_job(GetJobRequest { job_id: job(Does::After(300)) }).await })
            });
            let answers: Vec<_> = futures::future::join_all(calls).await;
            answers.into_iter().filter(|a| a.as_ref().unwrap().is_err()).count()
        }};
    }
    let ours = rpc::user_channel(&url, &keys().join("ca.pem")).unwrap();
    let tls = ClientTlsConfig::new().ca_certificate(Certificate::from_pem(read("ca.pem")));
    let small = Channel::from_shared(url).unwrap().tls_config(tls).unwrap();
    let small = small.http2_adaptive_window(true).connect_lazy();
    assert_eq!(lost!(ours), 0);
    assert!(lost!(small) > 0, "the trap is gone: then this test is, too");
}

/// T14: the library panics over details that are no base64. A call of ours that meets them fails with a status; the process lives.
#[tokio::test]
async fn r_t14_a_peer_that_sends_nonsense_fails_the_call_alone() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut connection = h2::server::handshake(socket).await.unwrap();
                while let Some(Ok((_, mut respond))) = connection.accept().await {
                    let answer = http::Response::builder().header("content-type", "application/grpc").header("grpc-status", "5");
                    let answer = answer.header("grpc-status-details-bin", "!!!").body(()).unwrap();
                    respond.send_response(answer, true).unwrap();
                }
            });
        }
    });
    let world = plain(Limits::default()).await;
    let mut client = world.client();
    let ask = async |client: &mut JobServiceClient<_>, does| {
        let answer: Result<_, Status> = client.get_job(GetJobRequest { job_id: job(does) }).await;
        answer.map(|_| ())
    };
    // The library alone: its caller is gone with it.
    let url = format!("http://127.0.0.1:{port}");
    let unwrapped = tokio::spawn(async move {
        let channel = Channel::from_shared(url).unwrap().connect_lazy();
        JobServiceClient::new(channel).get_job(GetJobRequest { job_id: job(Does::After(0)) }).await
    });
    assert!(unwrapped.await.is_err_and(|lost| lost.is_panic()), "the trap is gone: then this test is, too");
    let failed = tokio::time::timeout(Duration::from_secs(5), ask(&mut client, Does::Asks(port)))
        .await
        .unwrap()
        .unwrap_err();
    assert!(failed.get_details_error_info().is_some(), "{failed:?}");
    ask(&mut client, Does::After(0)).await.unwrap();
}

/// T2: answers to calls that were given up meanwhile are passed over. Counted, those of one slow moment would cost the connection, and with it
/// every call that runs on it.
#[tokio::test]
async fn r_t2_answers_that_come_too_late_do_not_cost_the_connection() {
    const GIVEN_UP: usize = 180;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move {
        // One connection, and no other.
        let (mut socket, _) = listener.accept().await.unwrap();
        socket.read_exact(&mut [0; PREFACE.len()]).await.unwrap();
        let mut wire = Wire(socket);
        wire.send(&frame(SETTINGS, 0, 0, &[])).await;
        let head = fields(&[(":status", b"200"), ("content-type", b"application/grpc"), ("grpc-status", b"5")]);
        let answer = |stream| frame(HEADERS, END_HEADERS | END_STREAM, stream, &head);
        let mut given_up = vec![];
        while let Some(found) = wire.next().await {
            match found.kind {
                RST_STREAM => given_up.push(found.stream),
                HEADERS if given_up.len() == GIVEN_UP => wire.send(&answer(found.stream)).await,
                _ => continue,
            }
            if found.kind == RST_STREAM && given_up.len() == GIVEN_UP {
                wire.send(&given_up.iter().copied().flat_map(answer).collect::<Vec<_>>()).await;
            }
        }
    });
    let channel = rpc::service_channel("archive", &url, None).unwrap();
    let ask = |time| {
        let mut client = JobServiceClient::new(channel.clone());
        let mut request = Request::new(GetJobRequest { job_id: job(Does::After(0)) });
        request.set_timeout(time);
        async move { client.get_job(request).await.unwrap_err().code() }
    };
    for _ in 0..2 {
        let given_up = futures::future::join_all((0..GIVEN_UP / 2).map(|_| ask(Duration::from_millis(300)))).await;
        assert!(given_up.iter().all(|code| *code == Code::Cancelled), "{given_up:?}");
    }
    assert_eq!(ask(Duration::from_secs(10)).await, Code::NotFound);
}

/// S6: what is asked for a user is asked with the user's token, and says why; what a service asks in its own name says neither.
#[tokio::test]
async fn r_s6_a_call_for_a_user_goes_on_with_the_users_token() {
    let peer = rpc::Peer::lazy("archive", "http://127.0.0.1:1", None).unwrap();
    let call = rpc::Call::new("hearth.hall.v1.OpeningService/ApplyForOpening", rpc::Kind::Write, rpc::Principal::default());
    let call = call.with(Some("a complaint".to_owned()), None, Some("t".to_owned()), None);
    let sent = |call: &rpc::Call| {
        let request = peer.request(call, ());
        ["authorization", "x-hearth-purpose"].map(|name| request.metadata().get(name).map(|value| value.to_str().unwrap().to_owned()))
    };
    assert_eq!(sent(&call), [Some("Bearer t".to_owned()), Some("a complaint".to_owned())]);
    assert_eq!(sent(&call.in_own_name("opening")), [None, None]);
}
