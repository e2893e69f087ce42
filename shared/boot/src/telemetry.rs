//! Traces, metrics and logs: readable lines or JSON on standard output, and OTLP where a collector is named.

use anyhow::Result;
use opentelemetry::{KeyValue, global, trace::TracerProvider as _};
use opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge;
use opentelemetry_otlp::{LogExporter, MetricExporter, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    logs::SdkLoggerProvider,
    metrics::SdkMeterProvider,
    propagation::TraceContextPropagator,
    trace::{Sampler, SdkTracerProvider},
};
use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

/// Share of the traces that are recorded when the caller did not decide; OTEL_TRACES_SAMPLER overrides it.
const SAMPLED: f64 = 0.1;

/// How the log looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look {
    /// JSON lines on standard output, for production.
    Json,
    /// Short lines on standard error, beside a progress bar.
    Short,
}

/// What has to be flushed when the process ends.
pub struct Telemetry {
    exporters: Option<(SdkTracerProvider, SdkMeterProvider, SdkLoggerProvider)>,
}

impl Telemetry {
    /// Starts telemetry of the process. Without an endpoint nothing is exported and nothing fails.
    pub fn start(service: &'static str, filter: &str, look: Look, endpoint: Option<&str>) -> Result<Self> {
        global::set_text_map_propagator(TraceContextPropagator::new());
        let filter = EnvFilter::try_new(filter)?;
        let lines = match look {
            Look::Json => tracing_subscriber::fmt::layer().json().with_current_span(true).with_span_list(false).boxed(),
            Look::Short => tracing_subscriber::fmt::layer()
                .with_writer(std::io::stderr)
                .with_target(false)
                .compact()
                .boxed(),
        };
        let registry = tracing_subscriber::registry();
        let Some(endpoint) = endpoint else {
            registry.with(lines.with_filter(filter)).try_init()?;
            return Ok(Self { exporters: None });
        };

        let resource = Resource::builder()
            .with_service_name(service)
            .with_attributes([KeyValue::new("service.namespace", "hearth"), KeyValue::new("service.version", crate::VERSION)])
            .build();
        let spans = SdkTracerProvider::builder()
            .with_batch_exporter(SpanExporter::builder().with_tonic().with_endpoint(endpoint).build()?)
            .with_resource(resource.clone());
        let spans = match std::env::var_os("OTEL_TRACES_SAMPLER") {
            Some(_) => spans.build(),
            None => spans.with_sampler(Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(SAMPLED)))).build(),
        };
        let metrics = SdkMeterProvider::builder()
            .with_periodic_exporter(MetricExporter::builder().with_tonic().with_endpoint(endpoint).build()?)
            .with_resource(resource.clone())
            .build();
        let logs = SdkLoggerProvider::builder()
            .with_batch_exporter(LogExporter::builder().with_tonic().with_endpoint(endpoint).build()?)
            .with_resource(resource)
            .build();
        global::set_meter_provider(metrics.clone());
        // The exporter's own connections must not report on themselves.
        let quiet = "info,hyper=off,h2=off,tonic=off,tower=off,opentelemetry=off";
        registry
            .with(lines.with_filter(filter))
            .with(
                tracing_opentelemetry::layer()
                    .with_tracer(spans.tracer("hearth"))
                    .with_filter(EnvFilter::try_new(quiet)?),
            )
            .with(OpenTelemetryTracingBridge::new(&logs).with_filter(EnvFilter::try_new(quiet)?))
            .try_init()?;
        Ok(Self {
            exporters: Some((spans, metrics, logs)),
        })
    }

    /// Sends what is left; an absent collector is not waited for longer than the exporters' own limits.
    pub async fn stop(self) {
        let Some((spans, metrics, logs)) = self.exporters else { return };
        // The exporters block; a worker of the runtime must stay free to carry their calls.
        let flush = tokio::task::spawn_blocking(move || {
            let _ = spans.shutdown();
            let _ = metrics.shutdown();
            let _ = logs.shutdown();
        });
        // What a dead collector did not take by now is lost on purpose.
        let _ = tokio::time::timeout(std::time::Duration::from_secs(3), flush).await;
    }
}
