//! Each rule of a token refuses by itself. A token that was verified once is not verified again, and is refused for all that as soon as
//! one that is new would be.

use jsonwebtoken::crypto::sign;
use serde_json::{Value, json};

use super::*;

const ISSUER: &str = boot::keys::ISSUER;

/// A key folder's issuer and key set.
fn issuer() -> (Issuer, String) {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    boot::keys::make(&keys, &[]).unwrap();
    (Issuer::from_folder(&keys).unwrap(), std::fs::read_to_string(keys.join("jwks.json")).unwrap())
}

fn of(subject: &str) -> Principal {
    Principal {
        subject: subject.to_owned(),
        ..Principal::default()
    }
}

/// A verifier that has taken this token once, and a clock that goes on from there.
fn shown(issuer: &Issuer, jwks: &str) -> (Verifier, String, Claims) {
    let verifier = Verifier::new(ISSUER, jwks).unwrap();
    let token = issuer.sign(&of("wang")).unwrap();
    let claims = jsonwebtoken::dangerous::insecure_decode::<Claims>(&token).unwrap().claims;
    assert_eq!(verifier.verify_at(&token, claims.iat).unwrap().subject, "wang");
    (verifier, token, claims)
}

/// The second at which the tokens of a table are shown.
const NOW: u64 = 1_764_000_000;

/// What differs from a good token: members of its header and its claims; null leaves one out.
type Change = (Value, Value);

fn changed(mut object: Value, change: &Value) -> Value {
    let members = object.as_object_mut().unwrap();
    members.extend(change.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
    object
}

/// Header and claims as they are signed.
fn message(issuer: &Issuer, (header, claims): &Change) -> String {
    let good = json!({
        "iss": ISSUER, "sub": "wang", "aud": AUDIENCE, "jti": "t-1", "roles": ["auditor"],
        "iat": NOW - 60, "nbf": NOW - 60, "exp": NOW + 60,
    });
    let header = changed(json!({"alg": "EdDSA", "typ": TYPE, "kid": issuer.key_id}), header);
    let part = |value: Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}", part(header), part(changed(good, claims)))
}

fn signed(issuer: &Issuer, change: &Change) -> String {
    let message = message(issuer, change);
    let signature = sign(message.as_bytes(), &issuer.key, Algorithm::EdDSA).unwrap();
    format!("{message}.{signature}")
}

impl KeySet {
    fn count(&self) -> usize {
        self.known.lock().unwrap().len()
    }
}

/// T13: what the library's defaults let pass is refused here, to the second.
#[test]
fn r_s4_t13_each_rule_of_a_token_refuses_by_itself() {
    let (issuer, jwks) = issuer();
    let verifier = Verifier::new(ISSUER, &jwks).unwrap();
    let verdict = |change: &Change| verifier.verify_at(&signed(&issuer, change), NOW).map(|_| ());
    let own = serde_json::from_str::<Value>(&jwks).unwrap()["keys"][0].clone();
    let header = |change: Value| (change, json!({}));
    let claims = |change: Value| (json!({}), change);
    for taken in [
        claims(json!({})),
        header(json!({"typ": "AT+JWT"})),
        claims(json!({"aud": ["another", AUDIENCE]})),
        claims(json!({"exp": NOW - LEEWAY})),
        claims(json!({"nbf": NOW + LEEWAY})),
        claims(json!({"iat": NOW - 60, "exp": NOW - 60 + LONGEST})),
    ] {
        assert_eq!(verdict(&taken), Ok(()), "{taken:?}");
    }
    let invalid = [
        header(json!({"alg": "HS256"})),
        header(json!({"alg": "ES256"})),
        header(json!({"alg": "none"})),
        header(json!({"alg": null})),
        header(json!({"kid": "another"})),
        header(json!({"kid": null})),
        header(json!({"jku": "https://elsewhere.test/jwks"})),
        header(json!({"x5u": "https://elsewhere.test/x5u"})),
        header(json!({"x5c": ["aaaa"]})),
        header(json!({"jwk": own})),
        header(json!({"crit": ["b64"], "b64": false})),
        claims(json!({"iss": format!("{ISSUER}/")})),
        claims(json!({"aud": "another"})),
        claims(json!({"aud": []})),
        claims(json!({"sub": ""})),
        // Good at no time, since it ends before it begins or as it is made; and for a second too long.
        claims(json!({"nbf": NOW + 10, "exp": NOW + 10})),
        claims(json!({"iat": NOW, "exp": NOW})),
        claims(json!({"iat": NOW - 60, "exp": NOW - 60 + LONGEST + 1})),
        claims(json!({"note": "n".repeat(LARGEST)})),
    ];
    let incomplete = ["iss", "sub", "aud", "jti", "iat", "nbf", "exp"].map(|name| claims(json!({name: null})));
    for refused in invalid.iter().chain(&incomplete) {
        assert_eq!(verdict(refused), Err(Rejected::Invalid), "{refused:?}");
    }
    for (refused, why) in [
        (header(json!({"typ": "JWT"})), Rejected::WrongType),
        (header(json!({"typ": null})), Rejected::WrongType),
        (claims(json!({"exp": NOW - LEEWAY - 1})), Rejected::Expired),
        (claims(json!({"nbf": NOW + LEEWAY + 1})), Rejected::NotYetValid),
        (claims(json!({"iat": NOW + LEEWAY + 1})), Rejected::NotYetValid),
    ] {
        assert_eq!(verdict(&refused), Err(why), "{refused:?}");
    }
}

/// Nobody signs but who holds the issuer's key: not the public key as a secret, not a key that the token brings along.
#[test]
fn r_s4_only_the_key_of_the_issuer_signs() {
    let ((issuer, jwks), (stranger, theirs)) = (issuer(), issuer());
    let verifier = Verifier::new(ISSUER, &jwks).unwrap();
    let key = |set: &str| serde_json::from_str::<Value>(set).unwrap()["keys"][0].clone();
    let as_it_is = (json!({}), json!({}));
    let good = signed(&issuer, &as_it_is);
    assert!(verifier.verify_at(&good, NOW).is_ok());
    let (unsigned, signature) = good.rsplit_once('.').unwrap();
    let other = signed(&issuer, &(json!({}), json!({"roles": ["operator"]})));
    let (operator, _) = other.rsplit_once('.').unwrap();
    let by_stranger = |header: Value| {
        let message = message(&issuer, &(header, json!({})));
        let signature = sign(message.as_bytes(), &stranger.key, Algorithm::EdDSA).unwrap();
        format!("{message}.{signature}")
    };
    let x = key(&jwks)["x"].as_str().unwrap().to_owned();
    let by_secret = |secret: &[u8]| {
        let message = message(&issuer, &(json!({"alg": "HS256"}), json!({})));
        let signature = sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256).unwrap();
        format!("{message}.{signature}")
    };
    let refused = [
        format!("{unsigned}."),
        unsigned.to_owned(),
        format!("{operator}.{signature}"),
        format!("{}.", message(&issuer, &(json!({"alg": "none"}), json!({})))),
        by_stranger(json!({})),
        by_stranger(json!({"kid": stranger.key_id})),
        by_stranger(json!({"jwk": key(&theirs)})),
        by_secret(jwks.as_bytes()),
        by_secret(x.as_bytes()),
        by_secret(&BASE64_URL_SAFE_NO_PAD.decode(&x).unwrap()),
    ];
    for token in refused {
        assert_eq!(verifier.verify_at(&token, NOW), Err(Rejected::Invalid), "{token}");
    }
}

/// A token proves no service, and no holder of a role that belongs to somebody unless it says to whom.
#[test]
fn r_s4_roles_count_with_what_binds_them_and_those_of_services_never() {
    let (issuer, jwks) = issuer();
    let verifier = Verifier::new(ISSUER, &jwks).unwrap();
    let roles = |claims: Value| verifier.verify_at(&signed(&issuer, &(json!({}), claims)), NOW).unwrap().roles;
    let all: Vec<_> = (1..=Role::ServiceVendor as i32).filter_map(|n| Role::try_from(n).ok()).collect();
    let names: Vec<_> = all.iter().copied().map(role_name).collect();
    let expected = |somebody: &[Role]| -> Vec<i32> {
        let counts = |role: &&Role| **role < Role::Customer || somebody.contains(role);
        all.iter().filter(counts).map(|role| *role as i32).collect()
    };
    assert_eq!(roles(json!({"roles": names})), expected(&[]));
    assert_eq!(roles(json!({"roles": names, "customer": "c"})), expected(&[Role::Customer]));
    assert_eq!(
        roles(json!({"roles": names, "vendor": "v"})),
        expected(&[Role::VendorAdmin, Role::VendorWorker])
    );
    assert!(roles(json!({"roles": ["no_such_role", "unspecified", ""]})).is_empty());
}

#[test]
fn r_s4_the_signature_of_a_token_is_checked_once() {
    let (issuer, jwks) = issuer();
    let (verifier, token, claims) = shown(&issuer, &jwks);
    let set = verifier.set();
    // Without a key no signature can be checked: what is still taken was not.
    let keyless = KeySet {
        jwks: jwks.clone(),
        keys: HashMap::new(),
        known: Mutex::new(std::mem::replace(&mut *set.known.lock().unwrap(), LruCache::new(KNOWN))),
    };
    *verifier.0.set.write().unwrap() = Arc::new(keyless);
    assert_eq!(verifier.verify_at(&token, claims.iat).unwrap().subject, "wang");
    let other = issuer.sign(&of("wang")).unwrap();
    assert_eq!(verifier.verify_at(&other, claims.iat), Err(Rejected::Invalid));
    // One byte more or less is another token.
    for changed in [token[1..].to_owned(), format!("{token}A"), token.to_uppercase()] {
        assert_eq!(verifier.verify_at(&changed, claims.iat), Err(Rejected::Invalid), "{changed}");
    }
}

#[test]
fn r_s4_a_refused_token_takes_no_place() {
    let (verifier, (stranger, _)) = (Verifier::new(ISSUER, &issuer().1).unwrap(), issuer());
    for n in 0..100 {
        assert_eq!(verifier.verify(&stranger.sign(&of(&format!("s{n}"))).unwrap()), Err(Rejected::Invalid));
        assert_eq!(verifier.verify(&format!("a.b.{n}")), Err(Rejected::Invalid));
    }
    assert_eq!(verifier.set().count(), 0);
}

#[test]
fn r_s8_a_known_token_is_refused_as_soon_as_the_deny_list_names_it() {
    let (issuer, jwks) = issuer();
    let (verifier, token, claims) = shown(&issuer, &jwks);
    let denied = |line: &str| verifier.deny(DenyList::parse(line).0);
    denied(&format!("jti:{}", claims.jti));
    assert_eq!(verifier.verify_at(&token, claims.iat), Err(Rejected::Revoked));
    denied("sub:wang");
    assert_eq!(verifier.verify_at(&token, claims.iat), Err(Rejected::Suspended));
    denied("");
    assert!(verifier.verify_at(&token, claims.iat).is_ok());
    assert_eq!(verifier.set().count(), 1);
}

#[test]
fn r_s4_a_known_token_ends_at_its_second() {
    let (issuer, jwks) = issuer();
    let (verifier, token, claims) = shown(&issuer, &jwks);
    let last = claims.exp + LEEWAY;
    assert!(verifier.verify_at(&token, last).is_ok());
    assert_eq!(verifier.verify_at(&token, last + 1), Err(Rejected::Expired));
    // A clock that is put back does not make it good before its time.
    let first = claims.nbf - LEEWAY;
    assert!(verifier.verify_at(&token, first).is_ok());
    assert_eq!(verifier.verify_at(&token, first - 1), Err(Rejected::NotYetValid));
}

#[test]
fn r_s4_a_known_token_ends_with_its_key() {
    let (issuer, jwks) = issuer();
    let (verifier, token, claims) = shown(&issuer, &jwks);
    // Looked at every 30 s and found unchanged.
    verifier.replace(&jwks).unwrap();
    assert_eq!(verifier.set().count(), 1);
    // One that was being checked while the keys changed is found in the old set alone.
    let before = verifier.set();
    let another = key_set("another", &[7; 32]);
    verifier.replace(&another).unwrap();
    let late = issuer.sign(&of("li")).unwrap();
    assert!(before.signed(&late, ISSUER).is_ok());
    for token in [&token, &late] {
        assert_eq!(verifier.verify_at(token, claims.iat), Err(Rejected::Invalid));
    }
    assert_eq!(verifier.set().count(), 0);
    // What cannot be read changes nothing.
    assert!(verifier.replace("{}").is_err());
    assert_eq!(verifier.set().jwks, another);
}

#[test]
fn r_s4_of_100_000_tokens_as_many_are_known_as_there_is_room_for() {
    let (issuer, jwks) = issuer();
    let (verifier, token, claims) = shown(&issuer, &jwks);
    let set = verifier.set();
    let signed = set.signed(&token, ISSUER).unwrap();
    for n in 0..100_000_u32 {
        let digest = Sha256::digest(n.to_be_bytes()).into();
        set.known.lock().unwrap().put(digest, signed.clone());
        // Who calls now and then keeps its place.
        if n % 5_000 == 0 {
            set.signed(&token, ISSUER).unwrap();
        }
    }
    assert_eq!(set.count(), KNOWN.get());
    let digest: [u8; 32] = Sha256::digest(&token).into();
    assert!(set.known.lock().unwrap().contains(&digest));
    assert!(verifier.verify_at(&token, claims.iat).is_ok());
}
