use std::time::{Duration, Instant};

use guard::Call;
use tonic::{
    Code, Request, Status,
    transport::{Channel, ClientTlsConfig, Endpoint},
};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::{
    AccessTable, Fault, Tls, keys,
    outbound::{Outbound, PATIENCE},
    retry::thousandths,
};

/// What is kept back for the way of an answer: so much at least, or a tenth of what is left.
const MARGIN: Duration = Duration::from_millis(10);

/// Calls that were given up, and for how long each is remembered: what still comes of one that is forgotten counts against the
/// connection, so that a peer that is slow for a moment would cost all the calls on it.
const GIVEN_UP: usize = 1_000;
const REMEMBERED: Duration = Duration::from_secs(5);

/// Another service: a channel that connects when it is first used and whenever it has to.
#[derive(Clone)]
pub struct Peer {
    name: &'static str,
    way: Outbound,
}

impl Peer {
    /// `name` is the service that is called; `address` is `https://127.0.0.1:7701`, or `http://…` where no certificates are used.
    pub fn lazy(name: &'static str, address: &str, tls: Option<&Tls>) -> Result<Self, String> {
        let table = AccessTable::read().map_err(|e| format!("the contracts cannot be read: {e}"))?;
        Ok(Self {
            name,
            way: Outbound::new(service_channel(name, address, tls)?, table),
        })
    }

    /// For clients of its services: calls go through the breaker and are tried again.
    pub fn channel(&self) -> Outbound {
        self.way.clone()
    }

    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The request with what has to go along: the rest of the deadline less a margin, the trace, the user's token.
    pub fn request<T>(&self, call: &Call, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.set_timeout(call.deadline().map_or(PATIENCE, |d| rest(d.saturating_duration_since(Instant::now()))));
        let mut put = |key: &'static str, value: Option<String>| {
            if let Some(value) = value.and_then(|v| v.parse().ok()) {
                request.metadata_mut().insert(key, value);
            }
        };
        put("traceparent", call.traceparent().map(str::to_owned));
        put("authorization", call.token().map(|t| format!("Bearer {t}")));
        put(crate::gate::PURPOSE, call.purpose().map(str::to_owned));
        request
    }

    /// What a refusal of the peer means here: its reasons pass, its absence is an absence, anything else is a mistake of ours.
    pub fn fault(&self, status: Status) -> Fault {
        match status.code() {
            Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::ResourceExhausted => {
                Fault::unavailable("DEPENDENCY_UNAVAILABLE", "a service that is needed does not answer")
                    .meta("dependency", self.name)
                    .because(status)
            }
            Code::InvalidArgument | Code::FailedPrecondition | Code::NotFound | Code::AlreadyExists | Code::Aborted | Code::OutOfRange => {
                let reason = status.get_details_error_info().map_or_else(|| "REFUSED".to_owned(), |info| info.reason);
                Fault::new(status.code(), reason, status.message().to_owned()).meta("dependency", self.name)
            }
            _ => Fault::internal(status),
        }
    }
}

/// A channel for people and programs that are known by a token: it trusts the authority of a PEM file and shows no certificate.
pub fn user_channel(address: &str, ca: &std::path::Path) -> Result<Channel, String> {
    let ca = std::fs::read(ca).map_err(|e| format!("{}: {e}", ca.display()))?;
    let tls = ClientTlsConfig::new().ca_certificate(tonic::transport::Certificate::from_pem(ca));
    let endpoint = endpoint(address)?
        .tls_config(tls)
        .map_err(|e| format!("the certificates cannot be used: {e}"))?;
    Ok(endpoint.connect_lazy())
}

/// Asks a service whether it serves; `Err` says why not.
pub async fn healthy(address: &str, ca: &std::path::Path) -> Result<(), String> {
    let mut request = Request::new(HealthCheckRequest { service: String::new() });
    request.set_timeout(Duration::from_secs(2));
    let answer = HealthClient::new(user_channel(address, ca)?).check(request).await;
    match answer.map(|a| a.into_inner().status()) {
        Ok(ServingStatus::Serving) => Ok(()),
        Ok(other) => Err(format!("{address} answers {}", other.as_str_name())),
        Err(status) => Err(format!("{address} does not answer: {}", status.message())),
    }
}

/// What a call may take that is made while another one has so much left.
fn rest(left: Duration) -> Duration {
    left.saturating_sub(MARGIN.max(thousandths(left, 100))).min(PATIENCE)
}

/// The channel to a service, without what [`Peer`] has around it: for who wants to see what a single call comes to.
pub fn service_channel(name: &'static str, address: &str, tls: Option<&Tls>) -> Result<Channel, String> {
    let Some(tls) = tls else { return Ok(endpoint(address)?.connect_lazy()) };
    // The connector does TLS by itself; tonic must not look for its own.
    let origin = address.parse().map_err(|e| format!("{address} is no address: {e}"))?;
    let endpoint = endpoint(&address.replacen("https://", "http://", 1))?.origin(origin);
    Ok(endpoint.connect_with_connector_lazy(keys::connector(tls.clone(), name)))
}

/// An endpoint with the windows and timers that the suite's servers expect.
fn endpoint(address: &str) -> Result<Endpoint, String> {
    let endpoint = Endpoint::from_shared(address.to_owned()).map_err(|e| format!("{address} is no address: {e}"))?;
    Ok(endpoint
        .connect_timeout(Duration::from_secs(1))
        .http2_keep_alive_interval(Duration::from_secs(30))
        .keep_alive_timeout(Duration::from_secs(10))
        .http2_max_local_error_reset_streams(Some(64))
        .http2_max_concurrent_reset_streams(GIVEN_UP)
        .http2_reset_stream_duration(REMEMBERED)
        .initial_stream_window_size(1 << 20)
        .initial_connection_window_size(8 << 20)
        .tcp_nodelay(true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn r_o5_a_call_that_is_made_for_another_has_less_time_than_it() {
        let rest = |ms| rest(Duration::from_millis(ms)).as_millis();
        // 10 ms or a tenth, whichever is more; three seconds at most.
        assert_eq!([2000, 200, 50, 10, 3].map(rest), [1800, 180, 40, 0, 0]);
        assert_eq!(rest(60_000), 3000);
    }
}
