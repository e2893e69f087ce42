//! Access tokens: verified against a key set; signed only by the development issuer and the tool.

use std::{
    collections::HashMap,
    num::NonZeroUsize,
    path::Path,
    sync::{Arc, Mutex, PoisonError, RwLock},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use contracts::hearth::options::v1::Role;
use guard::{
    Principal,
    status::{self, Details},
};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, jwk::JwkSet};
use lru::LruCache;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest, Sha256};
use tokio::sync::watch;
use tonic::{Code, Status};

pub use crate::revocation::DenyList;

/// The audience of every token of the suite.
pub const AUDIENCE: &str = "hearth";
/// RFC 9068.
const TYPE: &str = "at+jwt";
/// Larger tokens are refused unread.
const LARGEST: usize = 4096;
/// Longest life of a token, seconds.
pub const LONGEST: u64 = 15 * 60;
const LEEWAY: u64 = 30;
/// Tokens whose signature is not checked again; the one that was not shown for the longest time makes room. Some 6 MB.
const KNOWN: NonZeroUsize = NonZeroUsize::MIN.saturating_add(9_999);

/// Claims of an access token.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    pub iss: String,
    pub sub: String,
    /// One audience may stand without a list around it.
    #[serde(deserialize_with = "one_or_more")]
    pub aud: Vec<String>,
    pub iat: u64,
    pub nbf: u64,
    pub exp: u64,
    pub jti: String,
    /// Roles in lower case without prefix: `cashier`.
    #[serde(default)]
    pub roles: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub branch: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vendor: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<String>,
}

fn one_or_more<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Audience {
        One(String),
        More(Vec<String>),
    }
    Ok(match Audience::deserialize(from)? {
        Audience::One(name) => vec![name],
        Audience::More(names) => names,
    })
}

/// Why a token is not taken: the reason that the caller gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rejected {
    Invalid,
    Expired,
    NotYetValid,
    WrongType,
    /// This token is on the deny list.
    Revoked,
    /// Its holder, or the vendor of its holder, is on the deny list.
    Suspended,
}

impl Rejected {
    /// The refusal. Its text is the same whatever is wrong with the token, but for a holder who has to be told.
    pub(crate) fn status(self, service: &str) -> Status {
        let (code, text) = match self {
            Self::Suspended => (Code::PermissionDenied, "the account is suspended"),
            _ => (Code::Unauthenticated, "the access token is missing or not valid"),
        };
        status::build(code, service, self.reason(), text, Details::default())
    }

    pub fn reason(self) -> &'static str {
        match self {
            Self::Invalid => "TOKEN_INVALID",
            Self::Expired => "TOKEN_EXPIRED",
            Self::NotYetValid => "TOKEN_NOT_YET_VALID",
            Self::WrongType => "TOKEN_WRONG_TYPE",
            Self::Revoked => "TOKEN_REVOKED",
            Self::Suspended => "ACCOUNT_SUSPENDED",
        }
    }
}

/// The name of a role in tokens and documents: `ROLE_VENDOR_ADMIN` is `vendor_admin`.
pub fn role_name(role: Role) -> String {
    role.as_str_name().trim_start_matches("ROLE_").to_lowercase()
}

/// The role of a name; none where there is no such role, or where only a certificate can prove it.
pub fn role_of(name: &str) -> Option<Role> {
    Role::from_str_name(&format!("ROLE_{}", name.to_uppercase())).filter(|r| *r != Role::Unspecified)
}

/// Checks tokens of one issuer.
#[derive(Clone)]
pub struct Verifier(Arc<Inner>);

struct Inner {
    issuer: String,
    set: RwLock<Arc<KeySet>>,
    denied: watch::Sender<DenyList>,
}

/// The issuer's keys, and the tokens that they were found to have signed, by digest. A set that differs begins without such tokens.
struct KeySet {
    jwks: String,
    keys: HashMap<String, DecodingKey>,
    known: Mutex<LruCache<[u8; 32], Arc<Signed>>>,
}

/// What a token of the issuer says. That it says so never changes; whether it is good now does, and is asked each time.
struct Signed {
    id: String,
    from: u64,
    until: u64,
    principal: Principal,
}

impl Verifier {
    /// `jwks` is a JSON Web Key Set; only Ed25519 keys with an id count.
    pub fn new(issuer: &str, jwks: &str) -> Result<Self, String> {
        Ok(Self(Arc::new(Inner {
            issuer: issuer.to_owned(),
            set: RwLock::new(Arc::new(KeySet::new(jwks)?)),
            denied: watch::Sender::default(),
        })))
    }

    /// Takes another key set from now on: the issuer changed its keys.
    pub fn replace(&self, jwks: &str) -> Result<(), String> {
        if self.set().jwks == jwks {
            return Ok(());
        }
        let set = Arc::new(KeySet::new(jwks)?);
        *self.0.set.write().unwrap_or_else(PoisonError::into_inner) = set;
        self.0.denied.send_modify(|_| ());
        Ok(())
    }

    /// Takes another deny list from now on.
    pub fn deny(&self, list: DenyList) {
        self.0.denied.send_replace(list);
    }

    /// Waits until a token that was good is taken no more for another reason than its age.
    pub(crate) async fn refusal(&self, token: &str) -> Rejected {
        let mut changes = self.0.denied.subscribe();
        loop {
            match self.verify(token) {
                Err(why) if why != Rejected::Expired => return why,
                _ => {}
            }
            if changes.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    fn set(&self) -> Arc<KeySet> {
        self.0.set.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Verifies with the wall clock. Every rule stands here: of the library only the signature is asked for.
    pub fn verify(&self, token: &str) -> Result<Principal, Rejected> {
        self.verify_at(token, jsonwebtoken::get_current_timestamp())
    }

    fn verify_at(&self, token: &str, now: u64) -> Result<Principal, Rejected> {
        let signed = self.set().signed(token, &self.0.issuer)?;
        let Principal { subject, vendor, .. } = &signed.principal;
        self.0.denied.borrow().verdict(&signed.id, subject, vendor.as_deref())?;
        if signed.until.saturating_add(LEEWAY) < now {
            return Err(Rejected::Expired);
        }
        if signed.from > now.saturating_add(LEEWAY) {
            return Err(Rejected::NotYetValid);
        }
        Ok(signed.principal.clone())
    }
}

impl KeySet {
    fn new(jwks: &str) -> Result<Self, String> {
        Ok(Self {
            jwks: jwks.to_owned(),
            keys: keys_of(jwks)?,
            known: Mutex::new(LruCache::new(KNOWN)),
        })
    }

    /// What a token says that one of these keys signed.
    fn signed(&self, token: &str, issuer: &str) -> Result<Arc<Signed>, Rejected> {
        if token.len() > LARGEST || token.split('.').count() != 3 {
            return Err(Rejected::Invalid);
        }
        let digest = Sha256::digest(token).into();
        let known = || self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(signed) = known().get(&digest) {
            return Ok(signed.clone());
        }
        let signed = Arc::new(self.check(token, issuer)?);
        known().put(digest, signed.clone());
        Ok(signed)
    }

    fn check(&self, token: &str, issuer: &str) -> Result<Signed, Rejected> {
        let header = jsonwebtoken::decode_header(token).map_err(|_| Rejected::Invalid)?;
        // Keys come from the key set alone, and what a token calls critical is not understood here.
        let elsewhere = header.jku.is_some() || header.jwk.is_some() || header.x5u.is_some() || header.x5c.is_some();
        if header.alg != Algorithm::EdDSA || elsewhere || header.crit.is_some() {
            return Err(Rejected::Invalid);
        }
        let key = header.kid.and_then(|id| self.keys.get(&id)).ok_or(Rejected::Invalid)?;
        let mut signature = Validation::new(Algorithm::EdDSA);
        signature.required_spec_claims.clear();
        (signature.validate_exp, signature.validate_aud) = (false, false);
        let claims = jsonwebtoken::decode::<Claims>(token, key, &signature).map_err(|_| Rejected::Invalid)?.claims;
        if !header.typ.is_some_and(|t| t.eq_ignore_ascii_case(TYPE)) {
            return Err(Rejected::WrongType);
        }
        let Claims {
            iss,
            sub,
            aud,
            iat,
            nbf,
            exp,
            jti,
            roles,
            branch,
            vendor,
            customer,
        } = claims;
        let ours = iss == issuer && aud.iter().any(|a| a == AUDIENCE) && !sub.is_empty();
        // A token that is good at no time, or for too long a time, is not good at any.
        if !ours || exp <= nbf.max(iat) || exp.saturating_sub(iat) > LONGEST {
            return Err(Rejected::Invalid);
        }
        // Whose role says that he is somebody's, without saying whose, is nobody; and only a certificate proves a service.
        let counts = |role: &Role| match role {
            Role::Customer => customer.is_some(),
            Role::VendorAdmin | Role::VendorWorker => vendor.is_some(),
            other => (*other as i32) < Role::ServiceArchive as i32,
        };
        let roles = roles.iter().filter_map(|n| role_of(n)).filter(counts).map(|r| r as i32).collect();
        Ok(Signed {
            id: jti,
            from: nbf.max(iat),
            until: exp,
            principal: Principal {
                subject: sub,
                roles,
                service: None,
                branch,
                vendor,
                customer,
            },
        })
    }
}

/// The Ed25519 keys of a JSON Web Key Set that have an id.
fn keys_of(jwks: &str) -> Result<HashMap<String, DecodingKey>, String> {
    let set: JwkSet = serde_json::from_str(jwks).map_err(|e| format!("the key set is not a JWKS: {e}"))?;
    let mut keys = HashMap::new();
    for key in &set.keys {
        if let (Some(id), Ok(decoding)) = (&key.common.key_id, DecodingKey::from_jwk(key)) {
            keys.insert(id.clone(), decoding);
        }
    }
    if keys.is_empty() {
        return Err("the key set holds no Ed25519 key with an id".to_owned());
    }
    Ok(keys)
}

/// Signs tokens, for development and trials: an identity provider does it in production.
#[derive(Clone)]
pub struct Issuer {
    name: String,
    key_id: String,
    key: EncodingKey,
}

impl Issuer {
    /// `pem` is a PKCS#8 Ed25519 private key.
    pub fn new(name: &str, key_id: &str, pem: &str) -> Result<Self, String> {
        let key = EncodingKey::from_ed_pem(pem.as_bytes()).map_err(|e| format!("the signing key is no Ed25519 key in PEM: {e}"))?;
        Ok(Self {
            name: name.to_owned(),
            key_id: key_id.to_owned(),
            key,
        })
    }

    /// Reads `signing-key.pem` and `issuer` of a folder made by `hearth keys`.
    pub fn from_folder(folder: &Path) -> Result<Self, String> {
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).map_err(|e| format!("{}: {e}", folder.join(name).display()));
        let issuer = read("issuer")?;
        let mut words = issuer.split_whitespace();
        let (name, key_id) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        Self::new(name, key_id, &read("signing-key.pem")?)
    }

    /// Signs a token that is good for [`LONGEST`] seconds from now.
    pub fn sign(&self, principal: &Principal) -> Result<String, String> {
        let now = jsonwebtoken::get_current_timestamp();
        let roles = principal.roles.iter().filter_map(|r| Role::try_from(*r).ok()).map(role_name).collect();
        let claims = Claims {
            iss: self.name.clone(),
            sub: principal.subject.clone(),
            aud: vec![AUDIENCE.to_owned()],
            iat: now,
            nbf: now,
            exp: now.saturating_add(LONGEST),
            jti: uuid::Uuid::now_v7().to_string(),
            roles,
            branch: principal.branch.clone(),
            vendor: principal.vendor.clone(),
            customer: principal.customer.clone(),
        };
        let mut header = Header::new(Algorithm::EdDSA);
        header.typ = Some(TYPE.to_owned());
        header.kid = Some(self.key_id.clone());
        jsonwebtoken::encode(&header, &claims, &self.key).map_err(|e| format!("the token cannot be signed: {e}"))
    }
}

/// The key set with one Ed25519 public key.
pub fn key_set(key_id: &str, public: &[u8]) -> String {
    let x = BASE64_URL_SAFE_NO_PAD.encode(public);
    serde_json::json!({"keys": [{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig", "kid": key_id, "x": x}]}).to_string()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests;
