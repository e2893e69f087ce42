//! What a process tells a collector, one trace that goes on from its caller, its metrics and its log; and where it learns the
//! issuer's keys.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use boot::{
    KeySet,
    telemetry::{Look, Telemetry},
};
use opentelemetry::global;
use opentelemetry_proto::tonic::{
    collector::{
        logs::v1::{
            ExportLogsServiceRequest, ExportLogsServiceResponse,
            logs_service_server::{LogsService, LogsServiceServer},
        },
        metrics::v1::{
            ExportMetricsServiceRequest, ExportMetricsServiceResponse,
            metrics_service_server::{MetricsService, MetricsServiceServer},
        },
        trace::v1::{
            ExportTraceServiceRequest, ExportTraceServiceResponse,
            trace_service_server::{TraceService, TraceServiceServer},
        },
    },
    common::v1::{KeyValue, any_value::Value},
};
use rpc::{
    Principal,
    token::{Issuer, Rejected, Verifier},
};
use tonic::{Request, Response, Status, transport::server::TcpIncoming};
use tracing_opentelemetry::OpenTelemetrySpanExt;

#[derive(Clone, Default)]
struct Sink(Arc<Mutex<Told>>);

#[derive(Default)]
struct Told {
    spans: Vec<(String, String)>,
    metrics: Vec<String>,
    logs: Vec<String>,
    services: Vec<String>,
}

fn service(attributes: &[KeyValue]) -> Option<String> {
    let value = attributes.iter().find(|a| a.key == "service.name")?.value.clone()?.value?;
    match value {
        Value::StringValue(name) => Some(name),
        _ => None,
    }
}

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        let mut told = self.0.lock().unwrap();
        for resource in request.into_inner().resource_spans {
            told.services.extend(resource.resource.and_then(|r| service(&r.attributes)));
            for span in resource.scope_spans.into_iter().flat_map(|s| s.spans) {
                let trace = span.trace_id.iter().map(|b| format!("{b:02x}")).collect();
                told.spans.push((span.name, trace));
            }
        }
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl MetricsService for Sink {
    async fn export(&self, request: Request<ExportMetricsServiceRequest>) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        let metrics = request
            .into_inner()
            .resource_metrics
            .into_iter()
            .flat_map(|r| r.scope_metrics)
            .flat_map(|s| s.metrics);
        self.0.lock().unwrap().metrics.extend(metrics.map(|m| m.name));
        Ok(Response::new(Default::default()))
    }
}

#[tonic::async_trait]
impl LogsService for Sink {
    async fn export(&self, request: Request<ExportLogsServiceRequest>) -> Result<Response<ExportLogsServiceResponse>, Status> {
        let records = request
            .into_inner()
            .resource_logs
            .into_iter()
            .flat_map(|r| r.scope_logs)
            .flat_map(|s| s.log_records);
        self.0.lock().unwrap().logs.extend(records.map(|r| format!("{:?}", r.body)));
        Ok(Response::new(Default::default()))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_traces_metrics_and_logs() {
    let sink = Sink::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let server = tonic::transport::Server::builder()
        .add_service(TraceServiceServer::new(sink.clone()))
        .add_service(MetricsServiceServer::new(sink.clone()))
        .add_service(LogsServiceServer::new(sink.clone()));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));

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

    let told = sink.0.lock().unwrap();
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
