//! A collector of telemetry that takes everything.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard},
    time::Duration,
};

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

#[derive(Clone, Default)]
pub struct Collector {
    told: Arc<Mutex<Told>>,
    deaf: bool,
    pause: Duration,
}

/// What it was told.
#[derive(Default)]
pub struct Told {
    /// Name and trace.
    pub spans: Vec<(String, String)>,
    pub metrics: Vec<String>,
    pub logs: Vec<String>,
    pub services: Vec<String>,
}

impl Collector {
    /// One that keeps nothing.
    pub fn deaf() -> Self {
        Self { deaf: true, ..Self::default() }
    }

    /// One that keeps nothing and lets everybody wait so long.
    pub fn slow(pause: Duration) -> Self {
        Self { pause, ..Self::deaf() }
    }

    /// Listens until the test ends.
    pub async fn serve(&self) -> SocketAddr {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(self.clone()))
            .add_service(MetricsServiceServer::new(self.clone()))
            .add_service(LogsServiceServer::new(self.clone()));
        tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener)));
        address
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    async fn take<R: Default>(&self, keep: impl FnOnce(&mut Told) + Send) -> Result<Response<R>, Status> {
        tokio::time::sleep(self.pause).await;
        if !self.deaf {
            keep(&mut self.told());
        }
        Ok(Response::new(R::default()))
    }
}

fn service(attributes: &[KeyValue]) -> Option<String> {
    let value = attributes.iter().find(|a| a.key == "service.name")?.value.clone()?.value?;
    match value {
        Value::StringValue(name) => Some(name),
        _ => None,
    }
}

#[tonic::async_trait]
impl TraceService for Collector {
    async fn export(&self, request: Request<ExportTraceServiceRequest>) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.take(|told| {
            for resource in request.into_inner().resource_spans {
                told.services.extend(resource.resource.and_then(|r| service(&r.attributes)));
                let spans = resource.scope_spans.into_iter().flat_map(|s| s.spans);
                told.spans.extend(spans.map(|span| (span.name, hex::encode(span.trace_id))));
            }
        })
        .await
    }
}

#[tonic::async_trait]
impl MetricsService for Collector {
    async fn export(&self, request: Request<ExportMetricsServiceRequest>) -> Result<Response<ExportMetricsServiceResponse>, Status> {
        self.take(|told| {
            let scopes = request.into_inner().resource_metrics.into_iter().flat_map(|r| r.scope_metrics);
            told.metrics.extend(scopes.flat_map(|s| s.metrics).map(|m| m.name));
        })
        .await
    }
}

#[tonic::async_trait]
impl LogsService for Collector {
    async fn export(&self, request: Request<ExportLogsServiceRequest>) -> Result<Response<ExportLogsServiceResponse>, Status> {
        self.take(|told| {
            let scopes = request.into_inner().resource_logs.into_iter().flat_map(|r| r.scope_logs);
            told.logs.extend(scopes.flat_map(|s| s.log_records).map(|r| format!("{:?}", r.body)));
        })
        .await
    }
}
