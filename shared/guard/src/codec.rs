use std::marker::PhantomData;

use prost::Message;
use prost_protovalidate::ValidationError;
use tonic::{
    Code, Status,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};
use tonic_prost::{ProstCodec, ProstDecoder, ProstEncoder};

use crate::{
    call::{CALL, Call, Kind},
    status::{self, Details},
    text::{Texts, Visit},
};

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `rows[3].name`.
    pub field: String,
    /// Stable reason, such as `STRING_MAX_LEN`.
    pub reason: String,
    /// Short English text; never the value.
    pub description: String,
}

/// A message that is the request or the answer of a method. Generated from the access options of the contracts.
pub trait Wire: Message + Visit {
    /// Whether it is a request; else it is an answer.
    const REQUEST: bool;
    /// The field that must equal the vendor of a caller who is bound to one.
    fn vendor(&self) -> Option<&str> {
        None
    }
    /// The field that must equal the party of a caller who is a customer.
    fn customer(&self) -> Option<&str> {
        None
    }
    /// The field that must equal the branch of a caller who is bound to one; `None` where the method has no such field.
    fn branch(&self) -> Option<&str> {
        None
    }
    /// Key of a write.
    fn request_id(&self) -> Option<&str> {
        None
    }
    /// The rules that stand in the contract.
    fn rules(&self) -> Result<(), ValidationError>;
}

/// Chosen by method resolution where the contract has no rule for a message.
pub trait NoRules {
    fn validate(&self) -> Result<(), ValidationError> {
        Ok(())
    }
}
impl<T> NoRules for &T {}

/// Codec of every generated client and server.
pub struct GuardedCodec<T, U>(PhantomData<(T, U)>);

impl<T, U> Default for GuardedCodec<T, U> {
    fn default() -> Self {
        Self(PhantomData)
    }
}

impl<T, U> Codec for GuardedCodec<T, U>
where
    T: Wire + Send + 'static,
    U: Wire + Default + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = GuardedEncoder<T>;
    type Decoder = GuardedDecoder<U>;

    // Both are made inside the scope of the call; a stream may later be polled from any task.
    fn encoder(&mut self) -> Self::Encoder {
        let clear = CALL.try_with(|call| call.kind() == Kind::Reveal).unwrap_or(false);
        GuardedEncoder {
            inner: ProstCodec::<T, U>::raw_encoder(BufferSettings::default()),
            mask: !T::REQUEST && !clear,
        }
    }
    fn decoder(&mut self) -> Self::Decoder {
        GuardedDecoder {
            inner: ProstCodec::<T, U>::raw_decoder(BufferSettings::default()),
            call: CALL.try_with(Call::clone).ok(),
        }
    }
}

pub struct GuardedEncoder<T> {
    inner: ProstEncoder<T>,
    mask: bool,
}

impl<T: Wire> Encoder for GuardedEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, mut message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        if self.mask {
            Texts::mask(&mut message);
        }
        self.inner.encode(message, buffer)
    }
}

pub struct GuardedDecoder<U> {
    inner: ProstDecoder<U>,
    call: Option<Call>,
}

impl<U: Wire + Default> Decoder for GuardedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let Some(mut message) = self.inner.decode(buffer)? else { return Ok(None) };
        if U::REQUEST {
            let call = self
                .call
                .as_ref()
                .ok_or_else(|| refuse("hearth", Code::PermissionDenied, "METHOD_NOT_ALLOWED", "not allowed", vec![]))?;
            check(call, &mut message)?;
        }
        Ok(Some(message))
    }
}

fn check<U: Wire>(call: &Call, message: &mut U) -> Result<(), Status> {
    bound(call, [message.vendor(), message.customer(), message.branch()])?;
    let mut found = message.rules().err().map(|e| broken(&e)).unwrap_or_default();
    found.extend(Texts::check(message));
    if found.is_empty() {
        Ok(())
    } else {
        Err(faulty(call.service(), message.request_id(), found))
    }
}

/// A caller who is bound to a vendor, a customer or a branch names no other one.
fn bound(call: &Call, [vendor, customer, branch]: [Option<&str>; 3]) -> Result<(), Status> {
    let principal = call.principal();
    let pairs = [
        (&principal.vendor, vendor),
        (&principal.customer, customer),
        // A method without a branch field is narrowed by its query instead.
        (if branch.is_some() { &principal.branch } else { &None }, branch),
    ];
    if pairs.iter().any(|(own, given)| own.is_some() && own.as_deref() != *given) {
        return Err(refuse(
            call.service(),
            Code::PermissionDenied,
            "TENANT_SCOPE",
            "the request names somebody else's data",
            vec![],
        ));
    }
    Ok(())
}

/// A missing key or etag is told apart from the other mistakes, since client libraries act on it.
fn faulty(service: &str, request_id: Option<&str>, found: Vec<Violation>) -> Status {
    let reason = match found.first() {
        Some(v) if v.field == "request_id" && request_id.is_some_and(str::is_empty) => "IDEMPOTENCY_KEY_REQUIRED",
        Some(v) if v.field == "request_id" => "IDEMPOTENCY_KEY_FORMAT",
        Some(v) if v.field == "etag" => "ETAG_REQUIRED",
        _ => "REQUEST_INVALID",
    };
    refuse(service, Code::InvalidArgument, reason, "the request breaks the rules of the contract", found)
}

fn refuse(service: &str, code: Code, reason: &str, message: &str, violations: Vec<Violation>) -> Status {
    status::build(
        code,
        service,
        reason,
        message,
        Details {
            violations,
            ..Details::default()
        },
    )
}

fn broken(error: &ValidationError) -> Vec<Violation> {
    let violations = error.violations().iter();
    violations
        .map(|v| Violation {
            field: v.field_path(),
            reason: if v.rule_id().is_empty() {
                "INVALID".to_owned()
            } else {
                v.rule_id().replace('.', "_").to_uppercase()
            },
            description: v.message().to_owned(),
        })
        .collect()
}

/// The answer as a caller without a right to clear text gets it.
pub fn masked<T: Wire>(mut message: T) -> T {
    Texts::mask(&mut message);
    message
}
