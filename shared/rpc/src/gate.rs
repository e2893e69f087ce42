use std::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use guard::{
    CALL, Call, Kind, LANGUAGE, Language, Principal,
    status::{self, Details},
};
use opentelemetry::{KeyValue, metrics::Histogram};
use tokio_util::sync::CancellationToken;
use tonic::{
    Code, Status,
    body::Body,
    codegen::http::{self, HeaderMap},
    transport::server::{TcpConnectInfo, TlsConnectInfo},
};
use tower::{Layer, Service};
use tracing::{Instrument, Span};
use tracing_opentelemetry::OpenTelemetrySpanExt;

use crate::{
    access::{AccessTable, Method},
    keys,
    token::{Verifier, role_of},
};

/// Metadata that names why personal data is asked for.
pub(crate) const PURPOSE: &str = "x-hearth-purpose";
const LARGEST_METADATA: usize = 8 * 1024;
const READ: Duration = Duration::from_secs(5);
const WRITE: Duration = Duration::from_secs(10);
const LONGEST: Duration = Duration::from_secs(60);

/// What ends a stream before its end: its server stops, or its caller's token is taken no more.
#[derive(Clone)]
pub(crate) struct Ending {
    pub draining: CancellationToken,
    pub verifier: Verifier,
}

/// Health and reflection answer without a token.
pub(crate) fn is_open(path: &str) -> bool {
    path.starts_with("/grpc.health.v1.Health/") || path.starts_with("/grpc.reflection.")
}

/// Everything that is decided before a request is decoded: protocol, authentication, deadline, access.
#[derive(Clone)]
pub(crate) struct Gate {
    pub service: &'static str,
    pub table: AccessTable,
    pub verifier: Verifier,
    pub development: bool,
    pub duration: Histogram<f64>,
    /// Cancelled when the server stops: streams without an end are ended.
    pub draining: CancellationToken,
}

impl<S> Layer<S> for Gate {
    type Service = Gated<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Gated { gate: self.clone(), inner }
    }
}

#[derive(Clone)]
pub(crate) struct Gated<S> {
    gate: Gate,
    inner: S,
}

impl<S> Service<http::Request<Body>> for Gated<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(cx)
    }

    fn call(&mut self, mut request: http::Request<Body>) -> Self::Future {
        let path = request.uri().path().to_owned();
        if is_open(&path) {
            return Box::pin(self.inner.call(request));
        }
        let started = Instant::now();
        let method = path.trim_start_matches('/').to_owned();
        let span = tracing::info_span!("rpc", otel.name = %method, otel.kind = "server", rpc.system.name = "grpc", rpc.method = %method, rpc.status_code = tracing::field::Empty);
        if let Some(parent) = parent(request.headers()) {
            // An error here only means that nobody exports spans.
            let _ = span.set_parent(parent);
        }
        let language = request.headers().get(http::header::ACCEPT_LANGUAGE);
        let language = language.and_then(|v| v.to_str().ok()).and_then(Language::preferred);
        let decided = LANGUAGE.sync_scope(language, || self.gate.decide(&method, &request, &span));
        let duration = self.gate.duration.clone();
        let answer = match decided {
            Ok(call) => {
                request.extensions_mut().insert(call.clone());
                request.extensions_mut().insert(Ending {
                    draining: self.gate.draining.clone(),
                    verifier: self.gate.verifier.clone(),
                });
                Ok(LANGUAGE.scope(language, CALL.scope(call, self.inner.call(request))))
            }
            Err(status) => Err(status),
        };
        let record = span.clone();
        Box::pin(
            async move {
                let response = match answer {
                    Ok(answer) => answer.await?,
                    Err(status) => status.into_http(),
                };
                let code = code(response.headers());
                let name = code_name(code);
                record.record("rpc.status_code", name);
                let labels = [
                    KeyValue::new("rpc.method", method),
                    KeyValue::new("rpc.system.name", "grpc"),
                    KeyValue::new("rpc.status_code", name),
                ];
                duration.record(started.elapsed().as_secs_f64(), &labels);
                Ok(response)
            }
            .instrument(span),
        )
    }
}

impl Gate {
    fn decide(&self, path: &str, request: &http::Request<Body>, span: &Span) -> Result<Call, Status> {
        let headers = request.headers();
        let size: usize = headers.iter().flat_map(|(k, v)| [k.as_str().len(), v.len(), 32]).sum();
        if size > LARGEST_METADATA {
            return Err(self.refuse(Code::ResourceExhausted, "HEADERS_TOO_LARGE", "the metadata is larger than 8 KiB"));
        }
        let asked = timeout(headers).map_err(|()| self.refuse(Code::InvalidArgument, "BAD_DEADLINE", "grpc-timeout is malformed"))?;
        let Some(method) = self.table.get(path).filter(|m| self.development || !m.access.development) else {
            return Err(self.refuse(Code::Unimplemented, "METHOD_UNKNOWN", "there is no such method"));
        };
        if asked == Some(Duration::ZERO) {
            return Err(self.refuse(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", "the deadline has passed"));
        }
        let service = request
            .extensions()
            .get::<TlsConnectInfo<TcpConnectInfo>>()
            .and_then(TlsConnectInfo::peer_certs);
        let service = service.and_then(|chain| chain.first().and_then(|c| keys::service_of(c)));
        let (principal, token) = self.authenticate(method, headers, service)?;
        self.authorise(method, &principal)?;
        // What is public belongs to nobody, so that nobody is too bound for it.
        let principal = if method.access.public {
            Principal {
                branch: None,
                vendor: None,
                customer: None,
                ..principal
            }
        } else {
            principal
        };
        let purpose = headers.get(PURPOSE).and_then(|v| v.to_str().ok()).map(str::to_owned);
        let call = Call::new(path, method.kind, principal);
        Ok(call.with(
            purpose,
            traceparent(span, headers),
            token,
            allowed(method, asked).and_then(|time| Instant::now().checked_add(time)),
        ))
    }

    /// A service is known by its certificate; a token beside it names the user on whose behalf it calls.
    fn authenticate(&self, method: &Method, headers: &HeaderMap, service: Option<String>) -> Result<(Principal, Option<String>), Status> {
        let unauthenticated = |reason| self.refuse(Code::Unauthenticated, reason, "the access token is missing or not valid");
        let mut tokens = headers.get_all(http::header::AUTHORIZATION).iter();
        let (first, second) = (tokens.next(), tokens.next());
        if second.is_some() {
            return Err(unauthenticated("AUTH_AMBIGUOUS"));
        }
        let Some(value) = first else {
            return match service {
                Some(name) => Ok((
                    Principal {
                        subject: format!("service:{name}"),
                        roles: service_role(&name),
                        service: Some(name),
                        ..Principal::default()
                    },
                    None,
                )),
                None if method.access.public => Ok((
                    Principal {
                        subject: "public".to_owned(),
                        ..Principal::default()
                    },
                    None,
                )),
                None => Err(unauthenticated("TOKEN_MISSING")),
            };
        };
        let token = value
            .to_str()
            .ok()
            .and_then(|v| v.strip_prefix("Bearer "))
            .filter(|t| !t.is_empty())
            .ok_or_else(|| unauthenticated("TOKEN_INVALID"))?;
        let user = self.verifier.verify(token).map_err(|e| e.status(self.service))?;
        Ok((Principal { service, ..user }, Some(token.to_owned())))
    }

    /// Both count: the service that calls and, where it relays a token, the user behind it, with the user's roles and bindings. What
    /// a service needs to know beyond the rights of its user it asks in its own name, without a token.
    fn authorise(&self, method: &Method, principal: &Principal) -> Result<(), Status> {
        let access = &method.access;
        if access.public {
            return Ok(());
        }
        let lists = |role: &i32| access.roles.contains(role);
        if principal.service.as_deref().is_some_and(|name| !service_role(name).iter().any(lists)) {
            return Err(self.refuse(Code::PermissionDenied, "CALLER_NOT_ALLOWED", "not allowed"));
        }
        // A service that relays nothing has its own role alone.
        if !principal.roles.iter().any(lists) {
            return Err(self.refuse(Code::PermissionDenied, "METHOD_NOT_ALLOWED", "not allowed"));
        }
        // A bound caller has no business on a method that does not say how it is bound.
        if (principal.vendor.is_some() && access.vendor_field.is_empty()) || (principal.customer.is_some() && access.customer_field.is_empty()) {
            return Err(self.refuse(Code::PermissionDenied, "METHOD_NOT_ALLOWED", "not allowed"));
        }
        Ok(())
    }

    fn refuse(&self, code: Code, reason: &str, text: &str) -> Status {
        status::build(code, self.service, reason, text, Details::default())
    }
}

fn service_role(name: &str) -> Vec<i32> {
    role_of(&format!("service_{name}")).map(|r| r as i32).into_iter().collect()
}

/// Answers what is neither gRPC nor gRPC-Web by its HTTP code, whichever version of HTTP it came with.
#[derive(Clone)]
pub(crate) struct Speech;

impl<S> Layer<S> for Speech {
    type Service = Spoken<S>;
    fn layer(&self, inner: S) -> Self::Service {
        Spoken(inner)
    }
}

#[derive(Clone)]
pub(crate) struct Spoken<S>(S);

impl<S> Service<http::Request<Body>> for Spoken<S>
where
    S: Service<http::Request<Body>, Response = http::Response<Body>>,
    S::Future: Send + 'static,
    S::Error: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, Self::Error>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        match unspeakable(&request) {
            Some(refused) => Box::pin(async move { Ok(refused) }),
            None => Box::pin(self.0.call(request)),
        }
    }
}

fn unspeakable(request: &http::Request<Body>) -> Option<http::Response<Body>> {
    let plain = |code: http::StatusCode| {
        let mut response = http::Response::new(Body::default());
        *response.status_mut() = code;
        Some(response)
    };
    if request.method() != http::Method::POST {
        return plain(http::StatusCode::METHOD_NOT_ALLOWED);
    }
    let kind = request
        .headers()
        .get(http::header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    match kind.split(';').next().unwrap_or_default().trim() {
        "application/grpc" | "application/grpc+proto" if request.version() == http::Version::HTTP_2 => None,
        "application/grpc-web" | "application/grpc-web+proto" | "application/grpc-web-text" | "application/grpc-web-text+proto" => None,
        other if other.starts_with("application/grpc+") => Some(
            status::build(
                Code::Unimplemented,
                "hearth",
                "CODEC_UNSUPPORTED",
                "only protobuf is spoken",
                Details::default(),
            )
            .into_http(),
        ),
        _ => plain(http::StatusCode::UNSUPPORTED_MEDIA_TYPE),
    }
}

/// How an answer ended by its head; one that goes on says it in its trailers.
pub(crate) fn code(headers: &HeaderMap) -> Code {
    headers.get(Status::GRPC_STATUS).map_or(Code::Ok, |v| Code::from_bytes(v.as_bytes()))
}

/// How long a call may take: as long as it asks for or is usual, but not for ever; a stream as long as it asks for.
fn allowed(method: &Method, asked: Option<Duration>) -> Option<Duration> {
    if method.streaming {
        return asked;
    }
    let usual = if method.kind == Kind::Read { READ } else { WRITE };
    Some(asked.unwrap_or(usual).min(LONGEST))
}

/// At most eight digits and a unit; anything else is an error, since ignoring it would mean no deadline at all.
pub(crate) fn timeout(headers: &HeaderMap) -> Result<Option<Duration>, ()> {
    let Some(value) = headers.get("grpc-timeout") else { return Ok(None) };
    let text = value.to_str().map_err(|_| ())?;
    let split = text.len().checked_sub(1).ok_or(())?;
    let (digits, unit) = text.split_at_checked(split).ok_or(())?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(());
    }
    let amount: u64 = digits.parse().map_err(|_| ())?;
    Ok(Some(match unit {
        "H" => Duration::from_secs(amount.saturating_mul(3600)),
        "M" => Duration::from_secs(amount.saturating_mul(60)),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return Err(()),
    }))
}

struct Headers<'a>(&'a HeaderMap);

impl opentelemetry::propagation::Extractor for Headers<'_> {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).and_then(|v| v.to_str().ok())
    }
    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(http::HeaderName::as_str).collect()
    }
}

fn parent(headers: &HeaderMap) -> Option<opentelemetry::Context> {
    headers
        .contains_key("traceparent")
        .then(|| opentelemetry::global::get_text_map_propagator(|p| p.extract(&Headers(headers))))
}

/// The span's own context where spans are recorded, else what the caller sent.
fn traceparent(span: &Span, headers: &HeaderMap) -> Option<String> {
    let mut out = std::collections::HashMap::<String, String>::new();
    opentelemetry::global::get_text_map_propagator(|p| p.inject_context(&span.context(), &mut out));
    out.remove("traceparent").or_else(|| {
        headers
            .get("traceparent")
            .and_then(|v| v.to_str().ok())
            .filter(|v| v.len() == 55)
            .map(str::to_owned)
    })
}

fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Also where the service behind it is served by mistake.
    #[test]
    fn r_s7_methods_of_a_demo_are_none_elsewhere() {
        let told = |development| {
            let gate = Gate {
                service: "hall",
                table: AccessTable::read().unwrap(),
                verifier: Verifier::new("https://issuer.test", &crate::token::key_set("k", &[7; 32])).unwrap(),
                development,
                duration: opentelemetry::global::meter("test").f64_histogram("test").build(),
                draining: CancellationToken::new(),
            };
            let request = http::Request::new(Body::default());
            let refused = gate.decide("hearth.clock.v1.ClockService/SetClock", &request, &Span::none()).unwrap_err();
            tonic_types::StatusExt::get_details_error_info(&refused).unwrap().reason
        };
        assert_eq!([false, true].map(told), ["METHOD_UNKNOWN", "TOKEN_MISSING"]);
    }

    /// Decision 21: no call is without an end but a stream.
    #[test]
    fn r_t3_decision_21_a_call_that_asks_for_no_time_or_for_too_much_gets_its_kinds() {
        let table = AccessTable::read().unwrap();
        let allowed = |method: &str, asked: Option<u64>| {
            let method = table.get(&format!("hearth.job.v1.JobService/{method}")).unwrap();
            allowed(method, asked.map(Duration::from_secs)).map(|time| time.as_secs())
        };
        let day = Some(86_400);
        assert_eq!([None, Some(1), day].map(|asked| allowed("GetJob", asked)), [Some(5), Some(1), Some(60)]);
        assert_eq!([None, Some(1), day].map(|asked| allowed("CancelJob", asked)), [Some(10), Some(1), Some(60)]);
        assert_eq!([None, Some(1), day].map(|asked| allowed("WatchJob", asked)), [None, Some(1), day]);
    }
}
