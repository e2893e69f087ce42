//! What the four services promise alike, tried on all of them.

use bytes::{Buf, Bytes};
use contracts::hearth::{
    clock::v1::{SetClockRequest, clock_service_client::ClockServiceClient},
    job::v1::{GetJobRequest, job_service_client::JobServiceClient},
    options::v1::Role,
};
use http_body_util::BodyExt;
use prost::Message;
use testbed::{fields, key, reason};
use tonic::{Code, Status, body::Body, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;
use tower::ServiceExt;

use crate::{
    tree::SERVICES,
    world::{ORIGIN, call, methods_of, people, send, world},
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
        let answer: contracts::hearth::journal::v1::VerifyJournalResponse = Message::decode(frames[0].1.clone()).unwrap();
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

/// Methods that ask who calls: all but those that are open to the public.
fn closed(service: &str) -> Vec<rpc::Method> {
    methods_of(service).into_iter().filter(|m| !m.access.public).collect()
}

/// Whether somebody may call a method who is bound to nobody: the roles of customers and vendors count for one of them only.
fn unbound(method: &rpc::Method) -> bool {
    method.access.public || method.access.roles.iter().any(|role| *role < Role::Customer as i32)
}

/// Decision 24: of everything that a service does only the published matters are told to nobody in particular.
#[tokio::test]
async fn decision_24_only_the_published_matters_are_public() {
    let public = SERVICES.into_iter().flat_map(methods_of).filter(|m| m.access.public);
    let names: Vec<_> = public.map(|m| m.name).collect();
    assert_eq!(names, ["hearth.hall.v1.MatterService/GetPublishedMatters"]);
    assert!(call(&world().channel("hall"), &names[0], &[]).await.is_ok());
}

/// S1: deny by default, with one answer for every method.
#[tokio::test]
async fn no_rpc_answers_without_a_token() {
    for service in SERVICES {
        let channel = world().channel(service);
        for method in closed(service) {
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
        for method in closed(service) {
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
            for method in closed(service).into_iter().filter(|m| !m.access.roles.contains(&(role as i32))) {
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
        for method in closed(service) {
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
            .filter(|m| !m.name.contains(".journal.") && !m.name.contains(".job.") && unbound(m));
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
        for method in methods_of(service)
            .into_iter()
            .filter(|m| !m.streaming && m.kind != rpc::Kind::Read && unbound(m))
        {
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

/// Decision 12: a caller is told in its own language why it is refused, at the gate, by the rules of the contract and by a handler;
/// who asks for none gets English only.
#[tokio::test]
async fn decision_12_a_refusal_is_told_in_the_language_of_the_caller() {
    let token = world().token(&[Role::Operator]);
    let channel = world().channel("archive");
    let method = "hearth.job.v1.JobService/GetJob";
    let unknown = GetJobRequest { job_id: key() }.encode_to_vec();
    let said = async |metadata: &[(&'static str, &str)], message: Vec<u8>| {
        let status = send(&channel, method, metadata, message.into()).await.unwrap_err();
        let field = status.get_details_bad_request().and_then(|b| b.field_violations.into_iter().next());
        (
            status.get_details_localized_message().map(|m| (m.locale, m.message)),
            field.and_then(|f| f.localized_message).map(|m| m.message),
        )
    };
    let (authorization, language) = ("authorization", "accept-language");
    let chinese = |text: &str| Some(("zh-CN".to_owned(), text.to_owned()));
    assert_eq!(said(&[(language, "zh-CN,en;q=0.5")], vec![]).await, (chinese("请先登录"), None));
    assert_eq!(
        said(&[(authorization, &token), (language, "zh")], vec![]).await,
        (chinese("填写的内容不符合要求"), Some("不是有效的编号（UUID）".to_owned()))
    );
    assert_eq!(
        said(&[(authorization, &token), (language, "zh")], unknown.clone()).await,
        (chinese("没有这条记录，或您无权查看"), None)
    );
    assert_eq!(
        said(&[(authorization, &token), (language, "en-GB")], unknown.clone()).await,
        (Some(("en".to_owned(), "no such job".to_owned())), None)
    );
    assert_eq!(said(&[(authorization, &token)], unknown).await, (None, None));
}
