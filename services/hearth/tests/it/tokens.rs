//! Which access tokens are taken: the rows of the table of bad tokens, each in every service.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as B64};
use boot::keys::ISSUER;
use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign, get_current_timestamp as now};
use rpc::token::{AUDIENCE, Verifier};
use serde_json::{Value, json};
use testbed::{key, reason};
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    tree::SERVICES,
    world::{call, world},
};

/// Any RPC that an auditor may call and that answers to an empty message.
const METHOD: &str = "hearth.journal.v1.JournalService/VerifyJournal";

/// The id of the issuer's key.
fn key_id() -> String {
    let issuer = std::fs::read_to_string(world().keys().join("issuer")).unwrap();
    issuer.split_whitespace().nth(1).unwrap().to_owned()
}

fn header() -> Value {
    json!({"alg": "EdDSA", "typ": "at+jwt", "kid": key_id()})
}

/// The claims of a good token of an auditor.
fn claims() -> Value {
    json!({
        "iss": ISSUER, "sub": "auditor", "aud": AUDIENCE, "jti": key(), "roles": ["auditor"],
        "iat": now(), "nbf": now(), "exp": now() + 300,
    })
}

/// Signs whatever it is given with the key of a folder.
fn signed_with(folder: &std::path::Path, header: &str, claims: &str) -> String {
    let pem = std::fs::read(folder.join("signing-key.pem")).unwrap();
    let message = format!("{}.{}", B64.encode(header), B64.encode(claims));
    let signature = sign(message.as_bytes(), &EncodingKey::from_ed_pem(&pem).unwrap(), Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

fn signed(header: &Value, claims: &Value) -> String {
    signed_with(&world().keys(), &header.to_string(), &claims.to_string())
}

/// A good token with one claim changed; with `None` it is left out.
pub fn with_claims(changes: &[(&str, Option<Value>)]) -> String {
    signed(&header(), &changed(claims(), changes))
}

fn with_header(changes: &[(&str, Option<Value>)]) -> String {
    signed(&changed(header(), changes), &claims())
}

fn changed(mut object: Value, changes: &[(&str, Option<Value>)]) -> Value {
    let map = object.as_object_mut().unwrap();
    for (name, value) in changes {
        match value {
            Some(value) => map.insert((*name).to_owned(), value.clone()),
            None => map.remove(*name),
        };
    }
    object
}

/// Row of the table in reliability.md 4.3 (0 for its rules 3.9), what is tried, the reason, the value of `authorization`.
fn table() -> Vec<(u8, &'static str, &'static str, String)> {
    let (invalid, strangers) = ("TOKEN_INVALID", tempfile::tempdir().unwrap());
    let strangers = strangers.path().join("keys");
    boot::keys::make(&strangers, &[]).unwrap();
    let good = signed(&header(), &claims());
    let parts: Vec<_> = good.split('.').collect();
    let other = signed(&header(), &claims());
    let jwks = std::fs::read_to_string(world().keys().join("jwks.json")).unwrap();
    let x = serde_json::from_str::<Value>(&jwks).unwrap()["keys"][0]["x"].as_str().unwrap().to_owned();
    let theirs: Value = serde_json::from_str(&std::fs::read_to_string(strangers.join("jwks.json")).unwrap()).unwrap();
    let set = |name: &'static str, value: Value| with_claims(&[(name, Some(value))]);
    let head = |name: &'static str, value: Value| with_header(&[(name, Some(value))]);
    let unsigned = |alg: &str| {
        format!(
            "{}.{}.",
            B64.encode(json!({"alg": alg, "typ": "at+jwt", "kid": key_id()}).to_string()),
            parts[1]
        )
    };
    let mac = |secret: &[u8]| {
        let message = format!("{}.{}", B64.encode(changed(header(), &[("alg", Some(json!("HS256")))]).to_string()), parts[1]);
        let signature = sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    };
    let flipped = format!(
        "{}.{}.{}{}",
        parts[0],
        parts[1],
        if parts[2].starts_with('A') { 'B' } else { 'A' },
        &parts[2][1..]
    );
    let edited = B64.encode(changed(claims(), &[("roles", Some(json!(["operator"])))]).to_string());

    let mut rows = vec![
        (42, "no scheme", invalid, good.clone()),
        (42, "another scheme", invalid, format!("Basic {good}")),
        (42, "nothing", invalid, String::new()),
        (42, "a scheme alone", invalid, "Bearer ".to_owned()),
        (42, "a word", invalid, "Bearer x".to_owned()),
        (42, "two tokens in one", invalid, format!("Bearer {good} {good}")),
    ];
    let mut add = |row, what, reason, token: String| rows.push((row, what, reason, format!("Bearer {token}")));
    for alg in ["none", "None", "nOnE", "NONE", ""] {
        add(43, "no algorithm, no signature", invalid, unsigned(alg));
    }
    add(43, "no algorithm, a good signature", invalid, format!("{}{}", unsigned("none"), parts[2]));
    add(44, "the key set as a secret", invalid, mac(jwks.as_bytes()));
    add(44, "the public key as a secret", invalid, mac(&B64.decode(&x).unwrap()));
    add(44, "the text of the public key as a secret", invalid, mac(x.as_bytes()));
    for alg in ["ES256", "RS256", "PS256", "Ed25519", "eddsa"] {
        add(45, "another algorithm by name", invalid, head("alg", json!(alg)));
    }
    add(45, "no name of an algorithm", invalid, with_header(&[("alg", None)]));
    add(46, "a bit flipped in the signature", invalid, flipped);
    add(46, "no signature", invalid, format!("{}.{}.", parts[0], parts[1]));
    add(46, "two parts", invalid, format!("{}.{}", parts[0], parts[1]));
    add(
        46,
        "the signature of another token",
        invalid,
        format!("{}.{}.{}", parts[0], parts[1], other.rsplit('.').next().unwrap()),
    );
    add(
        46,
        "a key of somebody else",
        invalid,
        signed_with(&strangers, &header().to_string(), &claims().to_string()),
    );
    add(47, "roles added", invalid, format!("{}.{edited}.{}", parts[0], parts[2]));
    let past = |ago: u64| {
        [
            ("iat", Some(json!(now() - 600))),
            ("nbf", Some(json!(now() - 600))),
            ("exp", Some(json!(now() - ago))),
        ]
    };
    add(48, "expired", "TOKEN_EXPIRED", with_claims(&past(300)));
    add(48, "expired beyond the leeway of 30 s", "TOKEN_EXPIRED", with_claims(&past(35)));
    for name in ["exp", "nbf", "iat", "sub", "iss", "aud", "jti"] {
        add(48, "a claim is missing", invalid, with_claims(&[(name, None)]));
    }
    for name in ["exp", "nbf", "iat"] {
        let odd = [
            json!(now().to_string()),
            json!(1_764_000_000.5),
            json!(1e300),
            json!(-1),
            Value::Null,
            json!([now()]),
            json!(true),
        ];
        for value in odd {
            add(49, "a time of another type", invalid, set(name, value));
        }
        add(49, "a time beyond all", invalid, set(name, json!(u64::MAX)));
    }
    add(50, "not yet", "TOKEN_NOT_YET_VALID", set("nbf", json!(now() + 200)));
    let later = [("iat", Some(json!(now() + 200))), ("exp", Some(json!(now() + 400)))];
    add(50, "made tomorrow", "TOKEN_NOT_YET_VALID", with_claims(&later));
    for issuer in [json!("https://elsewhere.test"), json!(format!("{ISSUER}/")), json!([ISSUER]), json!("")] {
        add(51, "another issuer", invalid, set("iss", issuer));
    }
    for audience in [json!("another"), json!(["another", "hearth-admin"]), json!([]), json!({}), json!("HEARTH")] {
        add(51, "for another audience", invalid, set("aud", audience));
    }
    for typ in [json!("JWT"), json!("id+jwt"), json!("rt+jwt"), json!("")] {
        add(52, "another kind of token", "TOKEN_WRONG_TYPE", head("typ", typ));
    }
    add(52, "a token without a kind", "TOKEN_WRONG_TYPE", with_header(&[("typ", None)]));
    for kid in [
        json!("another"),
        json!("../../etc/passwd"),
        json!("' OR 1=1 --"),
        json!("k".repeat(1024)),
        json!(7),
        json!(""),
    ] {
        add(53, "a key that is not known", invalid, head("kid", kid));
    }
    add(53, "no key named", invalid, with_header(&[("kid", None)]));
    add(54, "a key set elsewhere", invalid, head("jku", json!("https://elsewhere.test/jwks")));
    add(54, "a certificate elsewhere", invalid, head("x5u", json!("https://elsewhere.test/x5u")));
    add(54, "its own key", invalid, head("jwk", theirs["keys"][0].clone()));
    let own = changed(header(), &[("jwk", Some(theirs["keys"][0].clone()))]).to_string();
    add(54, "its own key, signed by it", invalid, signed_with(&strangers, &own, &claims().to_string()));
    add(54, "its own certificate", invalid, head("x5c", json!(["AAAA"])));
    add(
        54,
        "something critical",
        invalid,
        with_header(&[("crit", Some(json!(["b64"]))), ("b64", Some(json!(false)))]),
    );
    add(55, "five parts", invalid, format!("{good}.{}.{}", parts[1], parts[2]));
    add(
        55,
        "a token within",
        invalid,
        signed_with(&world().keys(), &changed(header(), &[("cty", Some(json!("JWT")))]).to_string(), &good),
    );
    add(55, "6 KiB", invalid, set("note", json!("n".repeat(4400))));
    add(55, "5,000 dots", invalid, ".".repeat(5000));
    add(55, "no base64", invalid, format!("{{}}.{}.{}", parts[1], parts[2]));
    add(55, "no JSON", invalid, signed_with(&world().keys(), &header().to_string(), "exp=1"));
    add(55, "no object", invalid, signed(&header(), &json!([claims()])));
    let twice = claims().to_string().replacen('{', "{\"sub\":\"operator\",", 1);
    add(55, "a claim twice", invalid, signed_with(&world().keys(), &header().to_string(), &twice));
    add(0, "a life of 16 minutes", invalid, set("exp", json!(now() + 16 * 60)));
    add(0, "good at no time", invalid, set("exp", json!(now())));
    add(0, "nobody", invalid, set("sub", json!("")));
    add(0, "a number as a person", invalid, set("sub", json!(7)));
    add(0, "roles that are no list", invalid, set("roles", json!("auditor")));
    rows
}

#[tokio::test]
async fn r_s4_every_odd_token_is_refused_with_its_reason_and_one_text() {
    let table = table();
    assert!(table.len() >= 100, "{}", table.len());
    for service in SERVICES {
        let channel = world().channel(service);
        let missing = call(&channel, METHOD, &[]).await.unwrap_err();
        assert_eq!((missing.code(), reason(&missing).as_str()), (Code::Unauthenticated, "TOKEN_MISSING"));
        for (row, what, expected, token) in &table {
            let status = call(&channel, METHOD, &[("authorization", token)]).await.expect_err(what);
            assert_eq!(
                (status.code(), reason(&status).as_str()),
                (Code::Unauthenticated, *expected),
                "{row} {what} {token}"
            );
            assert_eq!(status.message(), missing.message(), "{row} {what}");
            let details = status.get_error_details();
            assert!(
                details.error_info().unwrap().metadata.is_empty() && details.bad_request().is_none(),
                "{row} {what}"
            );
        }
        let good = format!("Bearer {}", with_claims(&[]));
        let status = call(&channel, METHOD, &[("authorization", &good), ("authorization", &good)]).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Unauthenticated, "AUTH_AMBIGUOUS"));
    }
}

/// The other half: what differs from a good token in nothing that counts is taken.
#[tokio::test]
async fn r_s4_a_good_token_is_taken_within_the_leeway_and_with_several_audiences() {
    let late = [
        ("iat", Some(json!(now() - 300))),
        ("nbf", Some(json!(now() - 300))),
        ("exp", Some(json!(now() - 10))),
    ];
    let tokens = [
        with_claims(&[]),
        with_claims(&late),
        with_claims(&[("nbf", Some(json!(now() + 20)))]),
        with_claims(&[("aud", Some(json!(["another", AUDIENCE])))]),
        with_claims(&[("note", Some(json!({"of": "the issuer"})))]),
        with_header(&[("typ", Some(json!("AT+JWT"))), ("x5t", Some(json!("AAAA")))]),
    ];
    for service in SERVICES {
        for token in &tokens {
            let answer = call(&world().channel(service), METHOD, &[("authorization", &format!("Bearer {token}"))]).await;
            assert!(answer.is_ok(), "{token}: {answer:?}");
        }
    }
}

/// A role that only a certificate proves counts for nothing in a token, nor does one that says that its holder is somebody's, where
/// the token does not say whose.
#[tokio::test]
async fn r_s4_a_token_proves_no_service_and_no_holder_without_a_binding() {
    for (service, method, role) in [
        ("archive", "hearth.archive.v1.AccountService/GetAccount", "service_hall"),
        ("archive", "hearth.archive.v1.PartyService/GetParty", "customer"),
        ("vendor", "hearth.vendor.v1.OfferService/AcceptOffer", "vendor_admin"),
        ("vendor", "hearth.vendor.v1.OfferService/AcceptOffer", "vendor_worker"),
    ] {
        let token = with_claims(&[("roles", Some(json!([role, "no_such_role"])))]);
        let status = call(&world().channel(service), method, &[("authorization", &format!("Bearer {token}"))])
            .await
            .unwrap_err();
        assert_eq!(
            (status.code(), reason(&status).as_str()),
            (Code::PermissionDenied, "METHOD_NOT_ALLOWED"),
            "{role}"
        );
    }
}

/// No token costs more than a millisecond, whatever it is.
#[test]
fn r_s4_no_token_takes_longer_than_a_millisecond() {
    let verifier = Verifier::new(ISSUER, &std::fs::read_to_string(world().keys().join("jwks.json")).unwrap()).unwrap();
    let (mut slowest, mut what_is) = (std::time::Duration::ZERO, "");
    for (_, what, _, token) in table().into_iter().filter(|(row, ..)| *row != 42) {
        let token = token.trim_start_matches("Bearer ");
        // The fastest of some: what the machine does besides does not count.
        let took = (0..20).map(|_| {
            let started = std::time::Instant::now();
            assert!(verifier.verify(token).is_err(), "{what}");
            started.elapsed()
        });
        let took = took.min().unwrap();
        if took > slowest {
            (slowest, what_is) = (took, what);
        }
    }
    println!("slowest: {slowest:?}, {what_is}");
    assert!(slowest.as_micros() <= 1000, "{slowest:?} for {what_is}");
}
