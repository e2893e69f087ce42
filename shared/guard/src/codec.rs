use std::marker::PhantomData;

use prost::{
    DecodeError, Message,
    bytes::{Buf, BufMut},
};
use prost_protovalidate::ValidationError;
use tonic::{
    Code, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

use crate::{
    call::{CALL, Call, Kind},
    rules,
    status::{self, Details},
    text::{Texts, Visit},
};

/// A field that breaks a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// Path of the field, such as `rows[3].name`.
    pub field: String,
    /// Stable reason, such as `TOO_LONG`.
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
    /// A message from its bytes. Written out for each message, as `bytes` is, so that this is compiled once, beside the message.
    fn read(bytes: &[u8]) -> Result<Self, DecodeError>
    where
        Self: Sized;
    /// The bytes of the message.
    fn bytes(&self) -> Vec<u8>;
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
    U: Wire + Send + 'static,
{
    type Encode = T;
    type Decode = U;
    type Encoder = GuardedEncoder<T>;
    type Decoder = GuardedDecoder<U>;

    fn encoder(&mut self) -> Self::Encoder {
        GuardedEncoder(Door::here(), PhantomData)
    }
    fn decoder(&mut self) -> Self::Decoder {
        GuardedDecoder(Door::here(), PhantomData)
    }
}

/// The call that messages belong to. Taken inside the scope of the call; a stream may later be polled from any task.
#[derive(Clone)]
pub(crate) struct Door(Option<Call>);

impl Door {
    pub fn here() -> Self {
        Self(CALL.try_with(Call::clone).ok())
    }

    /// A message from its bytes; a request is held against the call.
    pub fn open<U: Wire>(&self, bytes: &[u8]) -> Result<U, Status> {
        let mut message = U::read(bytes).map_err(|e| Status::internal(e.to_string()))?;
        if U::REQUEST {
            let call = self
                .0
                .as_ref()
                .ok_or_else(|| refuse("hearth", Code::PermissionDenied, "METHOD_NOT_ALLOWED", "not allowed", vec![]))?;
            check(call, &mut message)?;
        }
        Ok(message)
    }

    /// The bytes of a message; an answer is masked unless the call is a reveal.
    pub fn close<T: Wire>(&self, mut message: T) -> Vec<u8> {
        let clear = self.0.as_ref().is_some_and(|call| call.kind() == Kind::Reveal);
        if !T::REQUEST && !clear {
            Texts::mask(&mut message);
        }
        message.bytes()
    }
}

pub struct GuardedEncoder<T>(Door, PhantomData<T>);

impl<T: Wire> Encoder for GuardedEncoder<T> {
    type Item = T;
    type Error = Status;

    fn encode(&mut self, message: T, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put_slice(&self.0.close(message));
        Ok(())
    }
}

pub struct GuardedDecoder<U>(Door, PhantomData<U>);

impl<U: Wire> Decoder for GuardedDecoder<U> {
    type Item = U;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<U>, Status> {
        let bytes = buffer.copy_to_bytes(buffer.remaining());
        self.0.open(&bytes).map(Some)
    }
}

fn check<U: Wire>(call: &Call, message: &mut U) -> Result<(), Status> {
    bound(call, [message.vendor(), message.customer(), message.branch()])?;
    let rules = message.rules();
    let texts = Texts::check(message);
    verdict(call, message.request_id(), rules, texts)
}

fn verdict(call: &Call, request_id: Option<&str>, rules: Result<(), ValidationError>, texts: Vec<Violation>) -> Result<(), Status> {
    let mut found = rules.err().map(|e| broken(&e)).unwrap_or_default();
    found.extend(texts);
    if found.is_empty() {
        Ok(())
    } else {
        Err(faulty(call.service(), request_id, found))
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
            reason: rules::reason(&v.field_path(), v.rule_id()),
            description: v.message().to_owned(),
        })
        .collect()
}

/// The answer as a caller without a right to clear text gets it.
pub fn masked<T: Wire>(mut message: T) -> T {
    Texts::mask(&mut message);
    message
}
