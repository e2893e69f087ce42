//! Which access tokens are taken.

use boot::keys::ISSUER;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rpc::token::{AUDIENCE, Claims};
use testbed::{key, reason};
use tonic::Code;

use crate::{
    tree::SERVICES,
    world::{call, world},
};

/// A good token of an auditor, to be spoiled.
fn claims() -> Claims {
    let now = jsonwebtoken::get_current_timestamp();
    Claims {
        iss: ISSUER.to_owned(),
        sub: "auditor".to_owned(),
        aud: AUDIENCE.to_owned(),
        iat: now,
        nbf: now,
        exp: now + 300,
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
    let now = jsonwebtoken::get_current_timestamp();
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
        ("TOKEN_EXPIRED", with(&|c| (c.iat, c.nbf, c.exp) = (now - 600, now - 600, now - 300))),
        ("TOKEN_NOT_YET_VALID", with(&|c| c.nbf = now + 200)),
        ("TOKEN_NOT_YET_VALID", with(&|c| (c.iat, c.exp) = (now + 200, now + 400))),
        ("TOKEN_INVALID", with(&|c| c.exp = now + 24 * 3600)),
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
