//! Our side as a client.

use std::time::Duration;

use contracts::hearth::job::v1::{GetJobRequest, job_service_client::JobServiceClient};
use rpc::Limits;
use tokio::{net::TcpListener, sync::oneshot};
use tonic::{
    Status,
    transport::{Certificate, Channel, ClientTlsConfig, Identity, ServerTlsConfig},
};
use tonic_types::StatusExt;

use crate::world::{Does, bare, job, keys, plain};

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
