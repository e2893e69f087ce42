use std::{convert::Infallible, future::Future, time::Duration};

use http::{HeaderName, Method};
use tokio::{net::TcpListener, sync::watch, task::JoinSet};
use tokio_util::sync::CancellationToken;
use tonic::{body::Body, server::NamedService, service::RoutesBuilder};
use tonic_health::{ServingStatus, server::HealthReporter};
use tower::{Service, ServiceBuilder};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    AccessTable,
    accept::{self, Limits},
    admission::Admission,
    bounds::Bounds,
    gate::{Gate, Speech},
    keys::Tls,
    normalise::Normalise,
    token::Verifier,
};

/// The gRPC services of one process, collected before it serves.
#[derive(Clone, Default)]
pub struct Routes {
    builder: RoutesBuilder,
    names: Vec<&'static str>,
    conditions: Vec<(&'static str, watch::Receiver<bool>)>,
    ready: Option<watch::Receiver<bool>>,
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

    /// A condition with a name of its own at the health service: NOT_SERVING while it does not hold. The service itself stays healthy.
    pub fn condition(&mut self, name: &'static str, holds: watch::Receiver<bool>) {
        self.conditions.push((name, holds));
    }

    /// Whether the services can do their work. While they cannot, the health service tells NOT_SERVING under their names; the process as
    /// a whole, which has no name there, stays SERVING.
    pub fn ready(&mut self, ready: watch::Receiver<bool>) {
        self.ready = Some(ready);
    }
}

/// A server of one service, before it listens.
pub struct Server {
    pub service: &'static str,
    pub routes: Routes,
    pub verifier: Verifier,
    /// Certificates; without them the port speaks plain text and no service can be known by its certificate.
    pub tls: Option<Tls>,
    /// Whether the contracts can be asked for.
    pub reflection: bool,
    /// Origins of browsers that may call by gRPC-Web.
    pub origins: Vec<String>,
    /// Whether methods for a simulated clock are served.
    pub development: bool,
    pub limits: Limits,
}

impl Server {
    /// Serves until `stop` ends. From then on it tells that it does not serve; after the pause that `stop` gives, which is for whoever
    /// chooses between servers to notice, it takes no more calls and lets those in hand finish.
    pub async fn serve(self, listener: TcpListener, stop: impl Future<Output = Duration> + Send) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        let (health, health_service) = tonic_health::server::health_reporter();
        let mut told = JoinSet::new();
        for name in &self.routes.names {
            health.set_service_status(*name, ServingStatus::Serving).await;
            if let Some(ready) = &self.routes.ready {
                told.spawn(follow(health.clone(), name, ready.clone()));
            }
        }
        for (name, holds) in self.routes.conditions {
            told.spawn(follow(health.clone(), name, holds));
        }
        let mut routes = self.routes.builder.clone();
        routes.add_service(health_service);
        if self.reflection {
            // The descriptors hold all contracts; what is listed is what is served here.
            let described = |own: &str| {
                let listed = self.routes.names.iter().copied().chain(["grpc.health.v1.Health", own]);
                let builder = tonic_reflection::server::Builder::configure()
                    .register_encoded_file_descriptor_set(contracts::DESCRIPTORS)
                    // What the details of a refusal are.
                    .register_encoded_file_descriptor_set(tonic_types::pb::FILE_DESCRIPTOR_SET)
                    .register_encoded_file_descriptor_set(tonic_health::pb::FILE_DESCRIPTOR_SET);
                listed.fold(builder, tonic_reflection::server::Builder::with_service_name)
            };
            let v1 = described("grpc.reflection.v1.ServerReflection").build_v1()?;
            let v1alpha = described("grpc.reflection.v1alpha.ServerReflection").build_v1alpha()?;
            routes.add_service(v1).add_service(v1alpha);
        }
        let duration = opentelemetry::global::meter("hearth")
            .f64_histogram("rpc.server.call.duration")
            .with_unit("s")
            .with_boundaries(vec![0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0])
            .build();
        let draining = CancellationToken::new();
        let table = AccessTable::read()?;
        let gate = Gate {
            service: self.service,
            table: table.clone(),
            verifier: self.verifier,
            development: self.development,
            duration,
            draining: draining.clone(),
        };
        let (names, leave) = (self.routes.names, draining.clone());
        let stopping = async move {
            let pause = stop.await;
            told.shutdown().await;
            for name in names.into_iter().chain([""]) {
                health.set_service_status(name, ServingStatus::NotServing).await;
            }
            tokio::time::sleep(pause).await;
            draining.cancel();
        };
        let service = ServiceBuilder::new()
            .layer(cors(&self.origins)?)
            .layer(Speech)
            .layer(tonic_web::GrpcWebLayer::new())
            .layer(Normalise { service: self.service })
            .layer(gate)
            .layer(Admission::new(self.service, table.clone(), &self.limits.load))
            .layer(Bounds { table })
            .service(routes.routes().prepare());
        tokio::join!(accept::serve(self.service, listener, self.tls, self.limits, service, leave), stopping);
        Ok(())
    }
}

/// Tells the health service how a condition stands, until nobody looks at it any more.
async fn follow(health: HealthReporter, name: &'static str, mut holds: watch::Receiver<bool>) {
    loop {
        let status = if *holds.borrow_and_update() {
            ServingStatus::Serving
        } else {
            ServingStatus::NotServing
        };
        health.set_service_status(name, status).await;
        if holds.changed().await.is_err() {
            return;
        }
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
