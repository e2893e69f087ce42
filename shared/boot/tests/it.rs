//! What a process tells a collector: one trace that goes on from its caller, its metrics and its log.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use boot::telemetry::{Look, Telemetry};
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
