//! Who may do what: every RPC × every principal, as the contract says; and who may no more.

use std::time::{Duration, Instant};

use bytes::Bytes;
use contracts::hearth::{
    journal::v1::{WatchEventsRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use futures::{StreamExt, stream};
use rpc::Principal;
use serde_json::json;
use testbed::{eventually, key, reason, suite::Up};
use tonic::{Code, Request, Status, transport::Channel};

use crate::{
    rpcs::{Rpc, rpcs},
    tokens::with_claims,
    tool::HEARTH,
    tree::SERVICES,
    world::{call, people, world},
};

/// Whether the caller's token is still good.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fate {
    Good,
    Expired,
    Suspended,
}

struct Caller {
    name: &'static str,
    /// The service whose certificate is shown.
    certificate: Option<&'static str>,
    token: Option<Principal>,
    fate: Fate,
}

const BRANCH: &str = "河西区";

fn person(subject: &str, roles: &[Role]) -> Principal {
    Principal {
        subject: subject.to_owned(),
        roles: roles.iter().map(|r| *r as i32).collect(),
        ..Principal::default()
    }
}

/// The principals: roles, bindings, certificates, alone and together.
fn callers() -> Vec<Caller> {
    let (a, b, party) = (key(), key(), key());
    let clerk = Principal {
        branch: Some(BRANCH.to_owned()),
        ..person("clerk", &[Role::Agent])
    };
    let supervisor = Principal {
        branch: Some(BRANCH.to_owned()),
        ..person("supervisor", &[Role::ServiceManager])
    };
    let of = |vendor: &str, subject: &str, role| Principal {
        vendor: Some(vendor.to_owned()),
        ..person(subject, &[role])
    };
    let customer = Principal {
        customer: Some(party),
        ..person("customer", &[Role::Customer])
    };
    let auditor = person("auditor", &[Role::Auditor]);
    let caller = |name, certificate, token| Caller {
        name,
        certificate,
        token,
        fate: Fate::Good,
    };
    let user = |name, token| caller(name, None, Some(token));
    let mut callers = vec![
        caller("nobody", None, None),
        user("hall clerk of a branch", clerk.clone()),
        user("supervisor of a branch", supervisor),
        user("cashier", person("cashier", &[Role::Cashier])),
        user("billing operator", person("accountant", &[Role::Accountant])),
        user("approver", person("leader", &[Role::Leader])),
        user("auditor", auditor.clone()),
        user("privacy officer", person("privacy", &[Role::PrivacyOfficer])),
        user("operator", person("operator", &[Role::Operator])),
        user("admin of vendor A", of(&a, "admin-a", Role::VendorAdmin)),
        user("worker of vendor A", of(&a, "worker-a", Role::VendorWorker)),
        user("admin of vendor B", of(&b, "admin-b", Role::VendorAdmin)),
        user("worker of vendor B", of(&b, "worker-b", Role::VendorWorker)),
        user("vendor user of no vendor", person("admin-x", &[Role::VendorAdmin, Role::VendorWorker])),
        user("mobile back end for a customer", customer.clone()),
        user("mobile back end for nobody", person("app", &[Role::Customer])),
        user(
            "agent who is a customer",
            Principal {
                roles: vec![Role::Agent as i32, Role::Customer as i32],
                ..customer.clone()
            },
        ),
        user(
            "auditor who is a vendor's",
            Principal {
                vendor: Some(a.clone()),
                ..auditor.clone()
            },
        ),
        user("someone without a role", person("someone", &[])),
        caller("hall for a clerk", Some("hall"), Some(clerk)),
        caller("hall for an auditor", Some("hall"), Some(auditor.clone())),
        caller("hall for a customer", Some("hall"), Some(customer)),
        caller("hall for an admin of vendor A", Some("hall"), Some(of(&a, "admin-a", Role::VendorAdmin))),
        caller("hall for someone without a role", Some("hall"), Some(person("someone", &[]))),
        caller("billing for an auditor", Some("billing"), Some(auditor)),
        caller("vendor for everybody", Some("vendor"), Some(person("everybody", &people()))),
    ];
    callers.extend(SERVICES.map(|service| caller(service, Some(service), None)));
    for (name, certificate, fate) in [
        ("expired", None, Fate::Expired),
        ("hall for someone expired", Some("hall"), Fate::Expired),
        ("suspended", None, Fate::Suspended),
        ("hall for someone suspended", Some("hall"), Fate::Suspended),
    ] {
        let token = Some(person("matrix-suspended", &people()));
        callers.push(Caller {
            name,
            certificate,
            token,
            fate,
        });
    }
    callers
}

impl Caller {
    fn authorization(&self) -> Option<String> {
        let token = self.token.as_ref()?;
        if self.fate != Fate::Expired {
            return Some(world().token_of(token));
        }
        let past = jsonwebtoken::get_current_timestamp() - 600;
        let roles: Vec<_> = token.roles.iter().map(|r| rpc::token::role_name(Role::try_from(*r).unwrap())).collect();
        let claims = [("iat", json!(past)), ("nbf", json!(past)), ("exp", json!(past + 300)), ("roles", json!(roles))];
        Some(format!("Bearer {}", with_claims(&claims.map(|(name, value)| (name, Some(value))))))
    }

    fn channel(&self, service: &'static str) -> Channel {
        match self.certificate {
            Some(caller) => world().peer(service, caller),
            None => world().channel(service),
        }
    }

    /// What the contract says about the caller and an RPC: why it is refused, or that it comes through.
    fn expected(&self, rpc: &Rpc) -> Option<(Code, &'static str)> {
        match self.fate {
            Fate::Expired => return Some((Code::Unauthenticated, "TOKEN_EXPIRED")),
            Fate::Suspended => return Some((Code::PermissionDenied, "ACCOUNT_SUSPENDED")),
            Fate::Good => {}
        }
        if rpc.public {
            return None;
        }
        if let Some(service) = self.certificate
            && !rpc.lists(&format!("ROLE_SERVICE_{}", service.to_uppercase()))
        {
            return Some((Code::PermissionDenied, "CALLER_NOT_ALLOWED"));
        }
        let Some(token) = &self.token else {
            return self.certificate.is_none().then_some((Code::Unauthenticated, "TOKEN_MISSING"));
        };
        let counts = |role: &i32| match Role::try_from(*role).unwrap() {
            Role::Customer => token.customer.is_some(),
            Role::VendorAdmin | Role::VendorWorker => token.vendor.is_some(),
            _ => true,
        };
        let listed = |role: &i32| rpc.lists(Role::try_from(*role).unwrap().as_str_name());
        let bound_elsewhere = (token.vendor.is_some() && rpc.vendor.is_empty()) || (token.customer.is_some() && rpc.customer.is_empty());
        let refused = bound_elsewhere || !token.roles.iter().any(|role| counts(role) && listed(role));
        refused.then_some((Code::PermissionDenied, "METHOD_NOT_ALLOWED"))
    }

    /// The fields of a request that bind this caller, and what they have to hold.
    fn bindings<'a>(&'a self, rpc: &'a Rpc) -> Vec<(&'a str, &'a str)> {
        let Some(token) = &self.token else { return vec![] };
        let pairs = [(&rpc.vendor, &token.vendor), (&rpc.customer, &token.customer), (&rpc.branch, &token.branch)];
        let pairs = pairs.into_iter().filter(|(field, _)| !field.is_empty());
        pairs.filter_map(|(field, own)| Some((field.as_str(), own.as_deref()?))).collect()
    }
}

/// Whether a caller came through to the checks of the request or further.
fn came_through(outcome: &Result<Bytes, Status>) -> bool {
    const STOPPED: [Code; 6] = [
        Code::Unauthenticated,
        Code::PermissionDenied,
        Code::Unimplemented,
        Code::Internal,
        Code::Unknown,
        Code::Unavailable,
    ];
    outcome.as_ref().err().is_none_or(|status| !STOPPED.contains(&status.code()))
}

fn told(outcome: Result<Bytes, Status>) -> Option<(Code, String)> {
    outcome.err().map(|status| (status.code(), reason(&status)))
}

/// One cell; for a caller that a field binds, with its own id there and with somebody else's.
async fn cell(caller: &Caller, rpc: &Rpc, channel: &Channel, authorization: Option<&str>) -> Result<bool, String> {
    let own = caller.bindings(rpc);
    let outcome = rpc.ask(channel, authorization, rpc.request(&own)).await;
    let Some((code, why)) = caller.expected(rpc) else {
        if !came_through(&outcome) {
            return Err(format!("{} at {}: {:?} though it may", caller.name, rpc.name, told(outcome)));
        }
        if !own.is_empty() {
            let somebody = key();
            let foreign: Vec<_> = own.iter().map(|(field, _)| (*field, somebody.as_str())).collect();
            let outcome = told(rpc.ask(channel, authorization, rpc.request(&foreign)).await);
            if outcome != Some((Code::PermissionDenied, "TENANT_SCOPE".to_owned())) {
                return Err(format!("{} at {} with a foreign id: {outcome:?}", caller.name, rpc.name));
            }
        }
        return Ok(true);
    };
    match told(outcome) {
        Some(told) if told == (code, why.to_owned()) => Ok(false),
        other => Err(format!("{} at {}: {other:?} instead of {why}", caller.name, rpc.name)),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_s1_every_rpc_answers_every_principal_as_its_contract_says() {
    world().deny("sub:matrix-suspended");
    let suspended = world().token_of(&person("matrix-suspended", &[Role::Auditor]));
    for service in SERVICES {
        in_force(service, &suspended, "ACCOUNT_SUSPENDED").await;
    }
    let (mut cells, mut allowed, mut wrong) = (0, 0, vec![]);
    for service in SERVICES {
        let rpcs = rpcs(service);
        for caller in callers() {
            let (channel, authorization) = (caller.channel(service), caller.authorization());
            let outcomes = stream::iter(&rpcs).map(|rpc| cell(&caller, rpc, &channel, authorization.as_deref()));
            for outcome in outcomes.buffer_unordered(8).collect::<Vec<_>>().await {
                cells += 1;
                match outcome {
                    Ok(came_through) => allowed += usize::from(came_through),
                    Err(what) => wrong.push(what),
                }
            }
        }
    }
    println!("{cells} cells, {allowed} allowed");
    assert!(wrong.is_empty(), "{} of {cells}:\n{}", wrong.len(), wrong.join("\n"));
    assert!(cells > 10_000 && allowed > 500, "{cells} cells, {allowed} allowed");
}

const OPEN_TO_AUDITORS: &str = "hearth.journal.v1.JournalService/VerifyJournal";

/// Waits until a token is refused, and says for how long.
async fn in_force(service: &str, token: &str, why: &str) -> Duration {
    let (channel, started) = (world().channel(service), Instant::now());
    eventually(why, async || {
        let outcome = call(&channel, OPEN_TO_AUDITORS, &[("authorization", token)]).await;
        outcome.err().filter(|status| reason(status) == why)
    })
    .await;
    started.elapsed()
}

/// A token, a person and a vendor are refused within a minute of their entry in the deny list, and their streams end; others go on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_s8_whoever_is_denied_is_refused_within_a_minute_and_its_streams_end() {
    let watch = async |subject: &str| {
        let token = world().token_of(&person(subject, &[Role::Auditor]));
        let mut request = Request::new(WatchEventsRequest { after_position: 0 });
        request.metadata_mut().insert("authorization", token.parse().unwrap());
        let mut client = JournalServiceClient::new(world().channel("archive"));
        (token, client.watch_events(request).await.unwrap().into_inner())
    };
    let (leaving, staying) = (format!("auditor-{}", key()), format!("auditor-{}", key()));
    let (token, mut ended) = watch(&leaving).await;
    let (other, mut going_on) = watch(&staying).await;
    let (id, vendor) = (key(), key());
    let single = format!("Bearer {}", with_claims(&[("jti", Some(json!(id)))]));
    let of_vendor = format!("Bearer {}", with_claims(&[("vendor", Some(json!(vendor)))]));
    world().deny(&format!("sub:{leaving}"));
    world().deny(&format!("jti:{id}"));
    world().deny(&format!("vendor:{vendor}"));

    let started = Instant::now();
    let end = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            match ended.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("the stream ends without a word"),
                Err(status) => return status,
            }
        }
    });
    let end = end.await.expect("the stream goes on for a minute");
    assert_eq!((end.code(), reason(&end).as_str()), (Code::PermissionDenied, "ACCOUNT_SUSPENDED"));
    println!("the stream ended after {:?}", started.elapsed());
    for service in SERVICES {
        in_force(service, &token, "ACCOUNT_SUSPENDED").await;
        in_force(service, &single, "TOKEN_REVOKED").await;
        in_force(service, &of_vendor, "ACCOUNT_SUSPENDED").await;
        assert!(call(&world().channel(service), OPEN_TO_AUDITORS, &[("authorization", &other)]).await.is_ok());
    }
    assert!(started.elapsed() < Duration::from_secs(60));
    // A heartbeat or an event, or nothing for a while: not an end.
    let still = tokio::time::timeout(Duration::from_millis(500), going_on.message()).await;
    assert!(!matches!(still, Ok(Ok(None) | Err(_))), "{still:?}");
}

/// A service asks for its user with the user's rights, not with its own: what the service may do by itself it may not do for a user
/// who may not.
#[tokio::test]
async fn r_s6_a_service_does_for_a_user_only_what_the_user_may() {
    let mut tried = 0;
    for service in SERVICES {
        for caller in SERVICES {
            let channel = world().peer(service, caller);
            for rpc in rpcs(service).iter().filter(|rpc| rpc.lists(&format!("ROLE_SERVICE_{}", caller.to_uppercase()))) {
                let by_itself = rpc.ask(&channel, None, rpc.request(&[])).await;
                assert!(came_through(&by_itself), "{caller} at {}: {by_itself:?}", rpc.name);
                let others: Vec<_> = people().into_iter().filter(|role| !rpc.lists(role.as_str_name())).collect();
                let token = world().token(&others);
                let for_user = rpc.ask(&channel, Some(&token), rpc.request(&[])).await;
                assert_eq!(
                    told(for_user),
                    Some((Code::PermissionDenied, "METHOD_NOT_ALLOWED".to_owned())),
                    "{caller} at {}",
                    rpc.name
                );
                tried += 1;
            }
        }
    }
    assert!(tried >= 40, "{tried}");
}

/// The sockets of a process that others can reach: listening TCP, and UDP.
#[cfg(target_os = "linux")]
fn open_ports(pid: u32) -> Vec<(String, u16)> {
    let fds = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
    let own: Vec<_> = fds.filter_map(|fd| std::fs::read_link(fd.unwrap().path()).ok()).collect();
    let mut open = vec![];
    for (protocol, state) in [("tcp", "0A"), ("tcp6", "0A"), ("udp", "07"), ("udp6", "07")] {
        let table = std::fs::read_to_string(format!("/proc/{pid}/net/{protocol}")).unwrap_or_default();
        for row in table.lines().skip(1) {
            let columns: Vec<_> = row.split_whitespace().collect();
            let socket = format!("socket:[{}]", columns[9]);
            if columns[3] == state && own.iter().any(|fd| fd.as_os_str() == socket.as_str()) {
                let (address, port) = columns[1].split_once(':').unwrap();
                open.push((address.to_owned(), u16::from_str_radix(port, 16).unwrap()));
            }
        }
    }
    open
}

/// S7: a suite that runs has its four ports and no other, for this machine only; and on them answers no method that is not its own.
#[cfg(target_os = "linux")]
#[test]
fn r_s7_nothing_listens_but_the_four_ports() {
    let data = tempfile::tempdir().unwrap();
    let up = Up::start(HEARTH, &data.path().join("data"));
    let mut said: Vec<u16> = up.addresses().values().filter_map(|a| a.rsplit(':').next()?.parse().ok()).collect();
    let open = open_ports(up.id());
    up.kill();
    // 127.0.0.1, as the kernel writes it.
    assert!(open.iter().all(|(address, _)| address == "0100007F"), "{open:?}");
    let mut open: Vec<_> = open.into_iter().map(|(_, port)| port).collect();
    said.sort_unstable();
    open.sort_unstable();
    assert_eq!(said.len(), 4);
    assert_eq!(open, said);
}

/// S7: without the setting the contracts cannot be asked for, by neither version of the protocol.
#[tokio::test]
async fn r_s7_without_reflection_nobody_learns_the_contracts() {
    let alone = crate::world::alone(archive::SERVICE).await;
    for method in [
        "grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
        "grpc.channelz.v1.Channelz/GetServers",
        "grpc.health.v1.Health/Nothing",
    ] {
        let status = call(&alone.channel("archive"), method, &[]).await.unwrap_err();
        assert_eq!(status.code(), Code::Unimplemented, "{method}");
    }
}
