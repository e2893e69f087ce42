//! A token that was verified once is not verified again, and is refused for all that as soon as one that is new would be.

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

impl KeySet {
    fn count(&self) -> usize {
        self.known.lock().unwrap().len()
    }
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
