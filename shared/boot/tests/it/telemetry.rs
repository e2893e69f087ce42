//! What a process tells a collector, one trace that goes on from its caller, its metrics and its log; and where it learns the
//! issuer's keys.

use std::collections::HashMap;

use boot::{
    KeySet,
    telemetry::{Look, Telemetry},
};
use opentelemetry::global;
use rpc::{
    Principal,
    token::{Issuer, Rejected, Verifier},
};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::collector::Collector;

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_traces_metrics_and_logs() {
    let collector = Collector::default();
    let endpoint = format!("http://{}", collector.serve().await);
    let telemetry = Telemetry::start("probe", "info", Look::Short, Some(&endpoint)).unwrap();
    // A caller that samples its trace: ours goes on from it.
    let caller = HashMap::from([("traceparent".to_owned(), "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned())]);
    let parent = global::get_text_map_propagator(|p| p.extract(&caller));
    let span = tracing::info_span!("issue-bill");
    span.set_parent(parent).unwrap();
    span.in_scope(|| tracing::info!("a bill is issued"));
    drop(span);
    global::meter("probe").u64_counter("bills").build().add(1, &[]);
    telemetry.stop().await;

    let told = collector.told();
    assert_eq!(told.spans, [("issue-bill".to_owned(), "0af7651916cd43dd8448eb211c80319c".to_owned())]);
    assert_eq!(told.services, ["probe"]);
    assert_eq!(told.metrics, ["bills"]);
    assert!(told.logs.iter().any(|l| l.contains("a bill is issued")), "{:?}", told.logs);
}

/// An issuer that answers each question with the next of these.
fn issuer(answers: Vec<(u16, String)>) -> String {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/jwks", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for (code, body) in answers {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![];
            while !request.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                std::io::Read::read_exact(&mut stream, &mut byte).unwrap();
                request.extend(byte);
            }
            let answer = format!("HTTP/1.1 {code} x\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len());
            std::io::Write::write_all(&mut stream, answer.as_bytes()).unwrap();
        }
    });
    url
}

/// Decision 23: keys come from a URL too; when the issuer changes them tokens of the new key are taken and those of the old one
/// refused, and while it fails the known keys stay good.
#[tokio::test]
async fn decision_23_keys_are_learned_from_a_url() {
    let folder = tempfile::tempdir().unwrap();
    let of = |name: &str| {
        let keys = folder.path().join(name);
        boot::keys::make(&keys, &[]).unwrap();
        let jwks = std::fs::read_to_string(keys.join("jwks.json")).unwrap();
        // Both folders name their key alike; an issuer does not.
        let pem = std::fs::read_to_string(keys.join("signing-key.pem")).unwrap();
        let old = std::fs::read_to_string(keys.join("issuer")).unwrap();
        let id = old.split_whitespace().nth(1).unwrap();
        let token = Issuer::new(boot::keys::ISSUER, name, &pem)
            .unwrap()
            .sign(&Principal {
                subject: "li".to_owned(),
                ..Principal::default()
            })
            .unwrap();
        (jwks.replace(id, name), token)
    };
    let ((first, old), (second, new)) = (of("first"), of("second"));
    let keys = KeySet::parse(&issuer(vec![
        (200, first.clone()),
        (500, "down".to_owned()),
        (200, "{}".to_owned()),
        (200, second),
    ]))
    .unwrap();
    let verifier = Verifier::new(boot::keys::ISSUER, &keys.load().await.unwrap()).unwrap();
    assert_eq!(verifier.verify(&old).unwrap().subject, "li");

    assert_eq!(verifier.verify(&new).unwrap_err(), Rejected::Invalid);
    for _ in 0..2 {
        assert!(keys.renew(&verifier).await.is_err());
        assert!(verifier.verify(&old).is_ok());
    }
    keys.renew(&verifier).await.unwrap();
    assert!(verifier.verify(&new).is_ok());
    assert_eq!(verifier.verify(&old).unwrap_err(), Rejected::Invalid);
}
