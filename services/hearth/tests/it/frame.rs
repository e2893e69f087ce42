//! What the four services promise alike, tried on all of them.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::{Buf, Bytes};
use contracts::hearth::{
    archive::v1::{RegisterPersonRequest, SearchPartiesRequest, party_service_client::PartyServiceClient},
    billing::v1::{
        ListTariffsRequest, Meter, RegisterMeterRequest, meter, meter_service_client::MeterServiceClient, tariff_service_client::TariffServiceClient,
    },
    clock::v1::{SetClockRequest, clock_service_client::ClockServiceClient},
    hall::v1::{
        ApplyForOpeningRequest, ListStepsRequest, RegisterStaffRequest, opening_service_client::OpeningServiceClient, staff_service_client::StaffServiceClient,
        step_service_client::StepServiceClient,
    },
    job::v1::{GetJobRequest, job_service_client::JobServiceClient},
    journal::v1::{VerifyJournalRequest, WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
    r#type::v1::Decimal,
    vendor::v1::{ListVendorsRequest, RegisterVendorRequest, vendor_service_client::VendorServiceClient},
};
use http_body_util::BodyExt;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rpc::token::{AUDIENCE, Claims};
use testbed::{eventually, fields, key, reason};
use tonic::{Code, Status, body::Body, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;
use tower::ServiceExt;

use crate::{
    tree::SERVICES,
    world::{ALL, ORIGIN, World, alone, call, methods_of, people, send, world},
};

/// Full names of the gRPC services on a port.
fn services_of(service: &str) -> Vec<String> {
    let mut names: Vec<_> = methods_of(service).iter().map(|m| m.name.split('/').next().unwrap().to_owned()).collect();
    names.dedup();
    names
}

/// Decision 24: health needs no token.
#[tokio::test]
async fn health_is_told_overall_and_by_service() {
    for service in SERVICES {
        let mut client = HealthClient::new(world().channel(service));
        let mut ask = async |name: &str| {
            client
                .check(HealthCheckRequest { service: name.to_owned() })
                .await
                .map(|a| a.into_inner().status())
        };
        assert_eq!(ask("").await.unwrap(), ServingStatus::Serving, "{service}");
        for name in services_of(service) {
            assert_eq!(ask(&name).await.unwrap(), ServingStatus::Serving, "{name}");
        }
        assert_eq!(ask("hearth.nothing.v1.NothingService").await.unwrap_err().code(), Code::NotFound);
    }
}

macro_rules! reflection {
    ($test:ident, $version:ident, $own:literal) => {
        /// Decision 24: the contracts can be asked for without a token; what is listed is what is served.
        #[tokio::test]
        async fn $test() {
            use tonic_reflection::pb::$version::{
                ServerReflectionRequest, server_reflection_client::ServerReflectionClient, server_reflection_request::MessageRequest,
                server_reflection_response::MessageResponse,
            };
            for service in SERVICES {
                let mut client = ServerReflectionClient::new(world().channel(service));
                let ask = |message| ServerReflectionRequest {
                    host: String::new(),
                    message_request: Some(message),
                };
                let questions = [
                    ask(MessageRequest::ListServices(String::new())),
                    ask(MessageRequest::FileContainingSymbol(services_of(service)[0].clone())),
                ];
                let mut answers = client.server_reflection_info(tokio_stream::iter(questions)).await.unwrap().into_inner();
                let Some(MessageResponse::ListServicesResponse(list)) = answers.message().await.unwrap().unwrap().message_response else {
                    panic!("no list")
                };
                let mut listed: Vec<_> = list.service.into_iter().map(|s| s.name).collect();
                let mut served = services_of(service);
                served.extend(["grpc.health.v1.Health".to_owned(), $own.to_owned()]);
                listed.sort();
                served.sort();
                assert_eq!(listed, served);
                let Some(MessageResponse::FileDescriptorResponse(files)) = answers.message().await.unwrap().unwrap().message_response else {
                    panic!("no file")
                };
                assert!(!files.file_descriptor_proto.is_empty());
            }
        }
    };
}
reflection!(reflection_v1_needs_no_token, v1, "grpc.reflection.v1.ServerReflection");
reflection!(reflection_v1alpha_needs_no_token, v1alpha, "grpc.reflection.v1alpha.ServerReflection");

/// A raw HTTP exchange over the same connection that gRPC uses.
async fn exchange(channel: Channel, request: http::Request<Body>) -> (http::response::Parts, Bytes) {
    let (parts, body) = channel.oneshot(request).await.unwrap().into_parts();
    (parts, body.collect().await.unwrap().to_bytes())
}

fn web(path: &str) -> http::request::Builder {
    let request = http::Request::post(path)
        .header("content-type", "application/grpc-web+proto")
        .header("x-grpc-web", "1");
    request.header("origin", ORIGIN)
}

/// Frames of a gRPC-Web body: flag and content.
fn frames(mut body: Bytes) -> Vec<(u8, Bytes)> {
    let mut found = vec![];
    while body.remaining() >= 5 {
        let (flag, length) = (body.get_u8(), body.get_u32() as usize);
        found.push((flag, body.split_to(length)));
    }
    found
}

/// An empty message as gRPC-Web sends it.
const EMPTY: &[u8] = &[0, 0, 0, 0, 0];

/// gRPC-Web on the same port: a browser's call, its trailers, its refusal.
#[tokio::test]
async fn a_browser_calls_by_grpc_web() {
    for service in SERVICES {
        let path = "/hearth.journal.v1.JournalService/VerifyJournal";
        let request = web(path)
            .header("authorization", world().token(&[Role::Auditor]))
            .body(Body::new(http_body_util::Full::new(Bytes::from_static(EMPTY))))
            .unwrap();
        let (parts, body) = exchange(world().channel(service), request).await;
        assert_eq!(parts.status, 200);
        assert_eq!(parts.headers["content-type"], "application/grpc-web+proto");
        assert_eq!(parts.headers["access-control-allow-origin"], ORIGIN);
        let exposed = parts.headers["access-control-expose-headers"].to_str().unwrap();
        assert!(exposed.contains("grpc-status-details-bin"), "{exposed}");
        let frames = frames(body);
        assert_eq!(
            frames.iter().map(|(flag, _)| *flag).collect::<Vec<_>>(),
            [0, 0x80],
            "a message and the trailers"
        );
        let answer: contracts::hearth::journal::v1::VerifyJournalResponse = prost::Message::decode(frames[0].1.clone()).unwrap();
        assert!(answer.intact);
        assert!(String::from_utf8_lossy(&frames[1].1).contains("grpc-status:0"));

        let request = web(path).body(Body::new(http_body_util::Full::new(Bytes::from_static(EMPTY)))).unwrap();
        let (parts, _) = exchange(world().channel(service), request).await;
        assert_eq!(parts.status, 200);
        let status = Status::from_header_map(&parts.headers).unwrap();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "TOKEN_MISSING"));
    }
}

/// The preflight names our origins, methods and headers; to a stranger it allows nothing.
#[tokio::test]
async fn a_browser_asks_before_it_calls() {
    for service in SERVICES {
        let ask = async |origin: &str| {
            let request = http::Request::options("/hearth.journal.v1.JournalService/VerifyJournal")
                .header("origin", origin)
                .header("access-control-request-method", "POST")
                .header("access-control-request-headers", "authorization,content-type,grpc-timeout,x-grpc-web")
                .body(Body::default())
                .unwrap();
            exchange(world().channel(service), request).await.0
        };
        let ours = ask(ORIGIN).await;
        assert_eq!(ours.status, 200);
        assert_eq!(ours.headers["access-control-allow-origin"], ORIGIN);
        assert_eq!(ours.headers["access-control-allow-methods"], "POST");
        let allowed = ours.headers["access-control-allow-headers"].to_str().unwrap();
        assert!(
            ["authorization", "content-type", "grpc-timeout", "x-grpc-web"]
                .iter()
                .all(|h| allowed.contains(h)),
            "{allowed}"
        );
        let stranger = ask("https://elsewhere.test").await;
        assert!(!stranger.headers.contains_key("access-control-allow-origin"));
    }
}

/// Decision 4: what is no gRPC is answered as HTTP.
#[tokio::test]
async fn what_is_no_grpc_gets_a_plain_refusal() {
    let path = "/hearth.journal.v1.JournalService/VerifyJournal";
    for service in SERVICES {
        let json = http::Request::post(path)
            .header("content-type", "application/json")
            .body(Body::default())
            .unwrap();
        assert_eq!(exchange(world().channel(service), json).await.0.status, 415);
        let get = http::Request::get(path).body(Body::default()).unwrap();
        assert_eq!(exchange(world().channel(service), get).await.0.status, 405);
    }
}

/// S1: deny by default, with one answer for every method.
#[tokio::test]
async fn no_rpc_answers_without_a_token() {
    for service in SERVICES {
        let channel = world().channel(service);
        for method in methods_of(service).into_iter().filter(|m| !m.access.public) {
            let status = call(&channel, &method.name, &[]).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::Unauthenticated, "TOKEN_MISSING"),
                "{}",
                method.name
            );
            let info = status.get_details_error_info().unwrap();
            assert_eq!(info.domain, format!("{service}.hearth"), "{}", method.name);
        }
    }
}

/// Whoever holds every role but those that are listed is still refused: so is whoever holds one of them.
#[tokio::test]
async fn no_rpc_answers_to_a_role_that_is_not_listed() {
    for service in SERVICES {
        let channel = world().channel(service);
        for method in methods_of(service) {
            let others: Vec<_> = people().into_iter().filter(|r| !method.access.roles.contains(&(*r as i32))).collect();
            let status = call(&channel, &method.name, &[("authorization", &world().token(&others))]).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::PermissionDenied, "METHOD_NOT_ALLOWED"),
                "{}",
                method.name
            );
        }
    }
}

/// A service is known by its certificate and may do only what its role may, whoever's token it relays.
#[tokio::test]
async fn no_rpc_answers_to_a_service_that_is_not_listed() {
    let everybody = world().token(&people());
    for service in SERVICES {
        for caller in SERVICES {
            let channel = world().peer(service, caller);
            let role = rpc::token::role_of(&format!("service_{caller}")).unwrap();
            for method in methods_of(service).into_iter().filter(|m| !m.access.roles.contains(&(role as i32))) {
                for metadata in [&[][..], &[("authorization", everybody.as_str())]] {
                    let status = call(&channel, &method.name, metadata).await.unwrap_err();
                    assert_eq!(
                        (status.code(), reason(&status).as_str()),
                        (Code::PermissionDenied, "CALLER_NOT_ALLOWED"),
                        "{caller} at {}",
                        method.name
                    );
                }
            }
        }
    }
}

/// A caller that is bound to a vendor or a customer has no business where no field binds it, whatever its roles.
#[tokio::test]
async fn a_bound_caller_is_refused_where_nothing_binds_it() {
    let issuer = rpc::token::Issuer::from_folder(&world().keys()).unwrap();
    let roles: Vec<i32> = people().iter().map(|r| *r as i32).collect();
    let id = uuid::Uuid::now_v7().to_string();
    let vendor = rpc::Principal {
        subject: "vendor".to_owned(),
        roles: roles.clone(),
        vendor: Some(id.clone()),
        ..Default::default()
    };
    let customer = rpc::Principal {
        subject: "customer".to_owned(),
        roles,
        customer: Some(id),
        ..Default::default()
    };
    let (vendor, customer) = (
        format!("Bearer {}", issuer.sign(&vendor).unwrap()),
        format!("Bearer {}", issuer.sign(&customer).unwrap()),
    );
    for service in SERVICES {
        let channel = world().channel(service);
        for method in methods_of(service) {
            for (token, field) in [(&vendor, &method.access.vendor_field), (&customer, &method.access.customer_field)] {
                if !field.is_empty() && method.streaming {
                    continue;
                }
                let status = call(&channel, &method.name, &[("authorization", token)]).await.unwrap_err();
                // Where a field binds, the empty message names nobody, and that is somebody else.
                let expected = if field.is_empty() { "METHOD_NOT_ALLOWED" } else { "TENANT_SCOPE" };
                assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, expected), "{}", method.name);
            }
        }
    }
}

/// Decision 21: a deadline that has passed before the start begins nothing. A library would give up by itself, so the call is made without one.
#[tokio::test]
async fn a_deadline_of_zero_has_passed() {
    let token = world().token(&people());
    for service in SERVICES {
        let (client, connection) = h2::client::handshake(world().connect(service).await).await.unwrap();
        tokio::spawn(connection);
        let ask = async |method: &str, timeout: &str| {
            let request = http::Request::post(format!("https://localhost/{method}"))
                .header("content-type", "application/grpc")
                .header("te", "trailers");
            let request = request.header("authorization", &token).header("grpc-timeout", timeout).body(()).unwrap();
            let (answer, mut body) = client.clone().ready().await.unwrap().send_request(request, false).unwrap();
            // The answer may be there before the message is sent.
            let _ = body.send_data(Bytes::from_static(EMPTY), true);
            let status = Status::from_header_map(answer.await.unwrap().headers()).unwrap();
            (status.code(), reason(&status))
        };
        for method in methods_of(service) {
            for zero in ["0n", "0S", "00000000H"] {
                assert_eq!(
                    ask(&method.name, zero).await,
                    (Code::DeadlineExceeded, "DEADLINE_EXCEEDED".to_owned()),
                    "{}",
                    method.name
                );
            }
        }
        for malformed in ["", "S", "1", "-1S", "1.5S", "123456789S", "1h"] {
            let answer = ask("hearth.journal.v1.JournalService/VerifyJournal", malformed).await;
            assert_eq!(answer, (Code::InvalidArgument, "BAD_DEADLINE".to_owned()), "{malformed}");
        }
    }
}

/// A method that is nowhere, one of another service, and one of a demo: there is no such method here.
#[tokio::test]
async fn an_unknown_method_is_unimplemented() {
    let token = world().token(&people());
    for service in SERVICES {
        let channel = world().channel(service);
        let foreign = SERVICES
            .into_iter()
            .filter(|other| *other != service)
            .flat_map(methods_of)
            .filter(|m| !m.name.contains(".journal.") && !m.name.contains(".job."));
        let mut unknown: Vec<_> = foreign.map(|m| m.name).collect();
        unknown.extend([
            format!("hearth.{service}.v1.NothingService/DoNothing"),
            format!("{}/DoNothing", services_of(service)[0]),
            "x/y".to_owned(),
            "hearth.clock.v1.ClockService/SetClock".to_owned(),
        ]);
        for method in unknown {
            let status = call(&channel, &method, &[("authorization", &token)]).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::Unimplemented, "METHOD_UNKNOWN"),
                "{method} at {service}"
            );
        }
    }
    let mut clock = ClockServiceClient::new(world().channel("hall"));
    let status = clock
        .set_clock(world().by(&[Role::Operator], SetClockRequest { time: None }))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "METHOD_UNKNOWN");
}

/// An empty write names its missing key; bytes that are no message say so; more than the limit is refused.
#[tokio::test]
async fn a_request_is_held_against_its_contract_before_it_is_served() {
    let token = world().token(&people());
    for service in SERVICES {
        let channel = world().channel(service);
        for method in methods_of(service).into_iter().filter(|m| !m.streaming && m.kind != rpc::Kind::Read) {
            let status = call(&channel, &method.name, &[("authorization", &token)]).await.unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::InvalidArgument, "IDEMPOTENCY_KEY_REQUIRED"),
                "{}",
                method.name
            );
            assert!(fields(&status).contains(&"request_id".to_owned()), "{}", method.name);
        }
        let get_job = "hearth.job.v1.JobService/GetJob";
        let status = send(&channel, get_job, &[("authorization", &token)], Bytes::from_static(b"\xff\xff\xff"))
            .await
            .unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Internal, "MALFORMED_MESSAGE"));
        let status = send(&channel, get_job, &[("authorization", &token)], Bytes::from(vec![0x0a; 5 << 20]))
            .await
            .unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "MESSAGE_TOO_LARGE"));
        let status = call(&channel, get_job, &[("authorization", &token), ("x-note", &"n".repeat(9000))])
            .await
            .unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::ResourceExhausted, "HEADERS_TOO_LARGE"));
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

/// A good token of an auditor, to be spoiled.
fn claims() -> Claims {
    Claims {
        iss: boot::keys::ISSUER.to_owned(),
        sub: "auditor".to_owned(),
        aud: AUDIENCE.to_owned(),
        iat: now(),
        nbf: now(),
        exp: now() + 300,
        jti: key(),
        roles: vec!["auditor".to_owned()],
        branch: None,
        vendor: None,
        customer: None,
    }
}

fn header() -> Header {
    let mut header = Header::new(Algorithm::EdDSA);
    header.typ = Some("at+jwt".to_owned());
    let issuer = std::fs::read_to_string(world().keys().join("issuer")).unwrap();
    header.kid = issuer.split_whitespace().nth(1).map(str::to_owned);
    header
}

fn signed(header: &Header, claims: &Claims, keys: &std::path::Path) -> String {
    let pem = std::fs::read(keys.join("signing-key.pem")).unwrap();
    format!(
        "Bearer {}",
        jsonwebtoken::encode(header, claims, &EncodingKey::from_ed_pem(&pem).unwrap()).unwrap()
    )
}

/// S1: only a token of the issuer, for this suite, of this time, of the right kind is taken.
#[tokio::test]
async fn forged_and_expired_tokens_are_refused() {
    let keys = world().keys();
    let strangers = tempfile::tempdir().unwrap();
    boot::keys::make(&strangers.path().join("keys"), &[]).unwrap();
    let good = signed(&header(), &claims(), &keys);
    let with = |change: &dyn Fn(&mut Claims)| {
        let mut claims = claims();
        change(&mut claims);
        signed(&header(), &claims, &keys)
    };
    let of_type = |typ: Option<&str>| {
        signed(
            &Header {
                typ: typ.map(str::to_owned),
                ..header()
            },
            &claims(),
            &keys,
        )
    };
    let (head, rest) = good.rsplit_once('.').unwrap();
    let spoiled = format!("{head}.{}{}", if rest.starts_with('A') { 'B' } else { 'A' }, &rest[1..]);
    // The public key as a secret: the oldest trick.
    let mac = jsonwebtoken::encode(
        &Header {
            alg: Algorithm::HS256,
            ..header()
        },
        &claims(),
        &EncodingKey::from_secret(&std::fs::read(keys.join("jwks.json")).unwrap()),
    )
    .unwrap();
    // {"alg":"none","typ":"at+jwt"}
    let unsigned = format!("Bearer eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0.{}.", good.split('.').nth(1).unwrap());
    let cases = [
        ("TOKEN_EXPIRED", with(&|c| (c.iat, c.nbf, c.exp) = (now() - 600, now() - 600, now() - 300))),
        ("TOKEN_NOT_YET_VALID", with(&|c| c.nbf = now() + 200)),
        ("TOKEN_NOT_YET_VALID", with(&|c| (c.iat, c.exp) = (now() + 200, now() + 400))),
        ("TOKEN_INVALID", with(&|c| c.exp = now() + 24 * 3600)),
        ("TOKEN_INVALID", with(&|c| c.iss = "https://elsewhere.test".to_owned())),
        ("TOKEN_INVALID", with(&|c| c.aud = "another".to_owned())),
        ("TOKEN_WRONG_TYPE", of_type(Some("JWT"))),
        ("TOKEN_WRONG_TYPE", of_type(None)),
        (
            "TOKEN_INVALID",
            signed(
                &Header {
                    kid: Some("another".to_owned()),
                    ..header()
                },
                &claims(),
                &keys,
            ),
        ),
        ("TOKEN_INVALID", signed(&Header { kid: None, ..header() }, &claims(), &keys)),
        ("TOKEN_INVALID", signed(&header(), &claims(), &strangers.path().join("keys"))),
        ("TOKEN_INVALID", spoiled),
        ("TOKEN_INVALID", format!("Bearer {mac}")),
        ("TOKEN_INVALID", unsigned),
        ("TOKEN_INVALID", "Bearer ".to_owned()),
        ("TOKEN_INVALID", "Bearer x".to_owned()),
        ("TOKEN_INVALID", good.replace("Bearer ", "Basic ")),
        ("TOKEN_INVALID", good.replace("Bearer ", "")),
        ("TOKEN_INVALID", format!("{good}.{}", "x".repeat(5000))),
    ];
    let method = "hearth.journal.v1.JournalService/VerifyJournal";
    for service in SERVICES {
        let channel = world().channel(service);
        assert!(call(&channel, method, &[("authorization", &good)]).await.is_ok());
        for (expected, token) in &cases {
            let status = call(&channel, method, &[("authorization", token)]).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, *expected), "{token}");
        }
        let status = call(&channel, method, &[("authorization", &good), ("authorization", &good)]).await.unwrap_err();
        assert_eq!(reason(&status), "AUTH_AMBIGUOUS");
        // A role that only a certificate proves counts for nothing in a token.
        let service_role = with(&|c| c.roles = vec!["service_hall".to_owned(), "no_such_role".to_owned()]);
        let status = call(&channel, "hearth.journal.v1.JournalService/WatchEvents", &[("authorization", &service_role)])
            .await
            .unwrap_err();
        assert_eq!(reason(&status), "METHOD_NOT_ALLOWED");
    }
}

/// Foreign and unknown ids look the same, on every port, for what every service has.
#[tokio::test]
async fn a_job_that_is_unknown_is_not_found() {
    for service in SERVICES {
        let mut jobs = JobServiceClient::new(world().channel(service));
        let status = jobs.get_job(world().by(&[Role::Auditor], GetJobRequest { job_id: key() })).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
        assert_eq!(status.get_details_resource_info().unwrap().resource_type, "job");
    }
}

/// Design 7: with the other three away a service starts and serves; what needs them says who is missing.
#[tokio::test]
async fn a_service_starts_and_serves_with_the_others_down() {
    for service in ALL {
        let alone = alone(service).await;
        let channel = alone.channel(service.name);
        let mut health = HealthClient::new(channel.clone());
        assert_eq!(
            health.check(HealthCheckRequest::default()).await.unwrap().into_inner().status(),
            ServingStatus::Serving
        );
        serve_alone(service.name, &alone, channel.clone()).await;
        let mut journal = JournalServiceClient::new(channel.clone());
        let sealed = eventually("the journal row of the write", async || {
            let answer = journal
                .verify_journal(alone.by(&[Role::Auditor], VerifyJournalRequest {}))
                .await
                .unwrap()
                .into_inner();
            (answer.sealed_rows > 0 && answer.unsealed_rows == 0).then_some(answer)
        });
        let sealed = sealed.await;
        assert!(sealed.intact && sealed.orphans.is_empty(), "{}", service.name);
        if sealed.events > 0 {
            let mut events = journal
                .watch_events(alone.by(&[Role::Auditor], WatchEventsRequest { after_position: 0 }))
                .await
                .unwrap()
                .into_inner();
            let first = events.message().await.unwrap().unwrap().event.unwrap();
            assert_eq!((first.position, first.source.as_str()), (1, service.name));
        }
        // This one was started without reflection.
        let status = call(&channel, "grpc.reflection.v1.ServerReflection/ServerReflectionInfo", &[])
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented);
    }
}

/// A write and a read of the service's own.
async fn serve_alone(service: &str, alone: &World, channel: Channel) {
    match service {
        "archive" => {
            let mut parties = PartyServiceClient::new(channel);
            let request = RegisterPersonRequest {
                request_id: key(),
                name: "王芳".to_owned(),
                id_number: "11010519491231002X".to_owned(),
                phone: "13812345678".to_owned(),
                address: String::new(),
                branch: "河西区".to_owned(),
            };
            parties.register_person(alone.by(&[Role::Agent], request)).await.unwrap();
            let request = SearchPartiesRequest {
                phone: "138 1234 5678".to_owned(),
                ..SearchPartiesRequest::default()
            };
            let found = parties.search_parties(alone.by(&[Role::Agent], request)).await.unwrap().into_inner().parties;
            assert_eq!(found.iter().map(|p| p.phone.as_str()).collect::<Vec<_>>(), ["138****5678"]);
        }
        "hall" => {
            let mut staff = StaffServiceClient::new(channel.clone());
            let request = RegisterStaffRequest {
                request_id: key(),
                name: "李强".to_owned(),
                posts: vec![contracts::hearth::hall::v1::Post::Opener.into()],
                badge_no: "K-1".to_owned(),
                login: "li.qiang".to_owned(),
                employer: contracts::hearth::hall::v1::Employer::Own.into(),
                vendor_id: String::new(),
                vendor_person_id: String::new(),
                branch: "河西区".to_owned(),
            };
            staff.register_staff(alone.by(&[Role::Personnel], request)).await.unwrap();
            let mut steps = StepServiceClient::new(channel.clone());
            let list = steps
                .list_steps(alone.by(&[Role::Auditor], ListStepsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            assert!(list.steps.is_empty());
            let mut openings = OpeningServiceClient::new(channel);
            let request = ApplyForOpeningRequest {
                request_id: key(),
                account_id: key(),
                premises_id: key(),
                service_point_id: key(),
                use_class: "living".to_owned(),
            };
            let status = openings.apply_for_opening(alone.by(&[Role::Agent], request)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::Unavailable, "DEPENDENCY_UNAVAILABLE"));
            assert_eq!(status.get_details_error_info().unwrap().metadata["dependency"], "archive");
            assert!(status.get_details_retry_info().is_some());
        }
        "billing" => {
            let mut meters = MeterServiceClient::new(channel.clone());
            let request = RegisterMeterRequest {
                request_id: key(),
                meter_no: "M-1".to_owned(),
                kind: meter::Kind::Mechanical.into(),
                model: "G2.5".to_owned(),
                qmax: Some(Decimal { value: "4".to_owned() }),
                digits: 5,
                branch: "河西区".to_owned(),
                ..RegisterMeterRequest::default()
            };
            let registered: Meter = meters
                .register_meter(alone.by(&[Role::DistrictManager], request))
                .await
                .unwrap()
                .into_inner()
                .meter
                .unwrap();
            assert_eq!(registered.meter_no, "M-1");
            let mut tariffs = TariffServiceClient::new(channel);
            let list = tariffs
                .list_tariffs(alone.by(&[Role::Auditor], ListTariffsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            assert!(list.tariffs.is_empty());
        }
        "vendor" => {
            let mut vendors = VendorServiceClient::new(channel);
            let request = RegisterVendorRequest {
                request_id: key(),
                // A number that is printed in GB 32100-2015 as its sample.
                uscc: "91350100M000100Y43".to_owned(),
                name: "天津某维修有限公司".to_owned(),
                kinds: vec![contracts::hearth::vendor::v1::VendorKind::ServiceFirm.into()],
            };
            vendors.register_vendor(alone.by(&[Role::ItDepartment], request)).await.unwrap();
            let list = vendors
                .list_vendors(alone.by(&[Role::Auditor], ListVendorsRequest::default()))
                .await
                .unwrap()
                .into_inner();
            assert_eq!(list.vendors.len(), 1);
        }
        other => panic!("no such service: {other}"),
    }
}
