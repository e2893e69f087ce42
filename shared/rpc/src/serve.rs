use std::{convert::Infallible, future::Future, time::Duration};

use http::{HeaderName, Method};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::{
    body::Body,
    server::NamedService,
    service::RoutesBuilder,
    transport::{ServerTlsConfig, server::TcpIncoming},
};
use tower::Service;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    AccessTable, TlsFiles,
    gate::{Gate, Speech},
    normalise::Normalise,
    token::Verifier,
};

/// The gRPC services of one process, collected before it serves.
#[derive(Clone, Default)]
pub struct Routes {
    builder: RoutesBuilder,
    names: Vec<&'static str>,
}

impl Routes {
    pub fn add<S>(&mut self, service: S)
    where
        S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible> + NamedService + Clone + Send + Sync + 'static,
        S::Future: Send + 'static,
    {
        self.builder.add_service(service);
        self.names.push(S::NAME);
    }
}

/// A server of one service, before it listens.
pub struct Server {
    pub service: &'static str,
    pub routes: Routes,
    pub verifier: Verifier,
    /// Certificates; without them the port speaks plain text and no service can be known by its certificate.
    pub tls: Option<TlsFiles>,
    /// Whether the contracts can be asked for.
    pub reflection: bool,
    /// Origins of browsers that may call by gRPC-Web.
    pub origins: Vec<String>,
    /// Whether methods for a simulated clock are served.
    pub development: bool,
}

impl Server {
    /// Serves until `stop` ends, then lets the calls in hand finish.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = ()> + Send) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (health, health_service) = tonic_health::server::health_reporter();
        for name in &self.routes.names {
            health.set_service_status(*name, tonic_health::ServingStatus::Serving).await;
        }
        let mut routes = self.routes.builder.clone();
        routes.add_service(health_service);
        if self.reflection {
            // The descriptors hold all contracts; what is listed is what is served here.
            let described = |own: &str| {
                let listed = self.routes.names.iter().copied().chain(["grpc.health.v1.Health", own]);
                let builder = tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(contracts::DESCRIPTORS)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
                listed.fold(builder, tonic_reflection::server::Builder::with_service_name)
            };
            let v1 = described("grpc.reflection.v1.ServerReflection").build_v1()?;
            let v1alpha = described("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?;
            routes.add_service(v1).add_service(v1alpha);
        }
        let mut server = tonic::transport::Server::builder()
            .accept_http1(true)
            .max_concurrent_streams(Some(100))
            .http2_max_local_error_reset_streams(Some(64))
            .http2_max_header_list_size(Some(16 * 1024))
            .initial_stream_window_size(Some(1 << 20))
            .initial_connection_window_size(Some(4 << 20))
            .http2_keepalive_interval(Some(Duration::from_secs(20)))
            .http2_keepalive_timeout(Some(Duration::from_secs(10)));
        if let Some(files) = &self.tls {
            let (ca, identity) = files.load()?;
            server = server.tls_config(ServerTlsConfig::new().identity(identity).client_ca_root(ca).client_auth_optional(true))?;
        }
        let duration = opentelemetry::global::meter("hearth")
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_boundaries(vec![0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0])
            .build();
        let draining = CancellationToken::new();
        let gate = Gate {
            service: self.service,
            table: AccessTable::read()?,
            verifier: self.verifier,
            development: self.development,
            duration,
            draining: draining.clone(),
        };
        let names = self.routes.names;
        let stopping = async move {
            stop.await;
            for name in names {
                health.set_service_status(name, tonic_health::ServingStatus::NotServing).await;
            }
            health.set_service_status("", tonic_health::ServingStatus::NotServing).await;
            draining.cancel();
        };
        server
            .layer(cors(&self.origins)?)
            .layer(Speech)
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(Normalise { service: self.service })
            .layer(gate)
            .add_routes(routes.routes())
            .serve_with_incoming_shutdown(TcpIncoming::from(listener).with_nodelay(Some(true)), stopping)
            .await?;
        Ok(())
    }
}

fn cors(origins: &[String]) -> Result<CorsLayer, Box<dyn std::error::Error + Send + Sync>> {
    let origins = origins.iter().map(|o| o.parse()).collect::<Result<Vec<_>, _>>()?;
    let names = |list: &[&'static str]| list.iter().map(|n| HeaderName::from_static(n)).collect::<Vec<_>>();
    Ok(CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::POST])
        .allow_headers(names(&[
            "content-type",
            "x-grpc-web",
            "x-user-agent",
            "authorization",
            "grpc-timeout",
            "traceparent",
            "x-hearth-purpose",
        ]))
        .expose_headers(names(&["grpc-status", "grpc-message", "grpc-status-details-bin"])))
}
