//! Calls by name with JSON, each field of personal data that a request leaves out filled with a value of its own.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
};

use bytes::Bytes;
use contracts::hearth::options::v1::Role;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, Kind, MessageDescriptor, SerializeOptions, Value};
use rpc::{AccessTable, Method, Principal};
use serde_json::{Map, Value as Json};
use tonic::{Code, Status, transport::Channel};

use crate::{processes::Processes, wire};

/// Class of names, of phones and so on, as in `hearth.options.v1.PersonalData`.
pub const NAME: i32 = 1;
pub const ADDRESS: i32 = 4;
pub const OTHER: i32 = 7;

/// A value that was sown.
#[derive(Clone, Debug)]
pub struct Marker {
    /// Full name of the field, such as `hearth.archive.v1.RegisterPersonRequest.phone`.
    pub field: String,
    pub class: i32,
    /// The part of it that stands nowhere by chance and that no mask shows.
    pub needle: String,
}

/// A call that was made.
#[derive(Clone, Debug)]
pub struct Done {
    pub method: Method,
    pub actor: String,
    pub request_id: String,
    pub request: Bytes,
    pub answer: Result<Bytes, Status>,
}

pub struct Sower<'a> {
    processes: &'a Processes,
    pool: DescriptorPool,
    access: AccessTable,
    personal: ExtensionDescriptor,
    channels: Mutex<BTreeMap<String, Channel>>,
    pub markers: Mutex<Vec<Marker>>,
    pub done: Mutex<Vec<Done>>,
    /// Personal fields of answers that held something, with the role that saw them, and what was wrong about them.
    pub seen: Mutex<BTreeSet<(String, Role)>>,
    pub unmasked: Mutex<Vec<String>>,
}

impl<'a> Sower<'a> {
    pub fn new(processes: &'a Processes) -> Self {
        let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
        Self {
            processes,
            personal: pool.get_extension_by_name("hearth.options.v1.personal_data").unwrap(),
            pool,
            access: AccessTable::read().unwrap(),
            channels: Mutex::default(),
            markers: Mutex::default(),
            done: Mutex::default(),
            seen: Mutex::default(),
            unmasked: Mutex::default(),
        }
    }

    pub fn methods(&self) -> Vec<Method> {
        self.access.methods().into_iter().cloned().collect()
    }

    pub fn method(&self, name: &str) -> Method {
        self.access.get(name).unwrap_or_else(|| panic!("there is no method {name}")).clone()
    }

    fn of(&self, method: &str) -> (MessageDescriptor, MessageDescriptor) {
        let (service, name) = method.split_once('/').unwrap();
        let method = self.pool.get_service_by_name(service).unwrap().methods().find(|m| m.name() == name).unwrap();
        (method.input(), method.output())
    }

    /// Fields with personal data that a message reaches: full name and class.
    pub fn personal(&self, message: &MessageDescriptor) -> BTreeMap<String, i32> {
        let (mut found, mut seen, mut next) = (BTreeMap::new(), BTreeSet::new(), vec![message.clone()]);
        while let Some(message) = next.pop() {
            if !seen.insert(message.full_name().to_owned()) {
                continue;
            }
            for field in message.fields() {
                let class = self.class(&field);
                if class > 0 {
                    found.insert(field.full_name().to_owned(), class);
                }
                if let Kind::Message(inner) = field.kind() {
                    next.push(inner);
                }
            }
        }
        found
    }

    pub fn personal_of(&self, method: &str) -> (BTreeMap<String, i32>, BTreeMap<String, i32>) {
        let (input, output) = self.of(method);
        (self.personal(&input), self.personal(&output))
    }

    fn class(&self, field: &prost_reflect::FieldDescriptor) -> i32 {
        field.options().get_extension(&self.personal).as_enum_number().unwrap_or(0)
    }

    /// Notes a value that a request names itself.
    pub fn note(&self, field: &str, class: i32, needle: &str) {
        self.markers.lock().unwrap().push(Marker {
            field: field.to_owned(),
            class,
            needle: needle.to_owned(),
        });
    }

    fn fresh(&self, field: &str, class: i32) -> String {
        let n = self.markers.lock().unwrap().len();
        // Four rare characters, a digit each.
        let tail: String = format!("{n:04}")
            .bytes()
            .map(|digit| "龖龗龞龢龤龥鼟鼗齉齾".chars().nth((digit - b'0').into()).unwrap())
            .collect();
        let (value, needle) = match class {
            NAME => (format!("欧阳{tail}"), tail),
            2 => (format!("139{:08}", 70_000_000 + n * 37), String::new()),
            3 => (
                testbed::id_number(&format!("1101051949{:02}{:02}{:03}", 1 + n % 12, 1 + n / 12 % 28, n % 1000)),
                String::new(),
            ),
            ADDRESS => (format!("天津市河西区友谊路{n}号{tail}"), tail),
            OTHER => (format!("情况{tail}"), tail),
            _ => panic!("{field}: no marker is known for the class {class}"),
        };
        self.note(field, class, if needle.is_empty() { &value } else { &needle });
        value
    }

    /// Fills what is left out; what is named is noted, unless it was sown before.
    fn sow(&self, message: &MessageDescriptor, json: &mut Map<String, Json>) {
        for field in message.fields() {
            let class = self.class(&field);
            match (class, field.kind()) {
                (1.., Kind::String) if !json.contains_key(field.name()) => {
                    json.insert(field.name().to_owned(), self.fresh(field.full_name(), class).into());
                }
                (1.., Kind::String) => {
                    let value = json[field.name()].as_str().unwrap().to_owned();
                    let known = self
                        .markers
                        .lock()
                        .unwrap()
                        .iter()
                        .find(|m| !m.needle.is_empty() && value.contains(&m.needle))
                        .cloned();
                    if !value.is_empty() {
                        self.note(field.full_name(), class, &known.map_or(value, |marker| marker.needle));
                    }
                }
                (_, Kind::Message(inner)) => match json.get_mut(field.name()) {
                    Some(Json::Object(inside)) => self.sow(&inner, inside),
                    Some(Json::Array(list)) => list.iter_mut().filter_map(Json::as_object_mut).for_each(|inside| self.sow(&inner, inside)),
                    _ => {}
                },
                _ => {}
            }
        }
    }

    /// The encoded request; a key is added where a write has none.
    pub fn request(&self, method: &str, mut json: Json) -> Bytes {
        let (input, _) = self.of(method);
        let object = json.as_object_mut().unwrap();
        if input.get_field_by_name("request_id").is_some() && !object.contains_key("request_id") {
            object.insert("request_id".to_owned(), testbed::key().into());
        }
        self.sow(&input, object);
        let message = DynamicMessage::deserialize(input, &json).unwrap_or_else(|e| panic!("{method}: {e}: {json}"));
        message.encode_to_vec().into()
    }

    fn text(&self, method: &str, request: &Bytes, field: &str) -> String {
        let (input, _) = self.of(method);
        let message = DynamicMessage::decode(input, request.clone()).unwrap();
        message.get_field_by_name(field).and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
    }

    /// Sends a request as a caller and keeps what came of it.
    pub async fn send(&self, principal: &Principal, method: &str, request: Bytes) -> Result<Json, Status> {
        let service = method.split('.').nth(1).unwrap();
        let caller = principal.service.clone();
        let channel = self.channels.lock().unwrap().get(&format!("{service}/{caller:?}")).cloned();
        let channel = channel.unwrap_or_else(|| {
            let made = match caller.as_deref() {
                None => self.processes.channel(service),
                Some(name) => self.processes.peer(boot::PORTS.iter().find(|(n, _)| *n == service).unwrap().0, name),
            };
            self.channels.lock().unwrap().insert(format!("{service}/{caller:?}"), made.clone());
            made
        });
        let token = self.processes.token(principal);
        let metadata: &[_] = if caller.is_none() { &[("authorization", token.as_str())] } else { &[] };
        let found = self.method(method);
        let answer = wire::send(&channel, method, found.streaming, metadata, request.clone()).await;
        self.done.lock().unwrap().push(Done {
            actor: principal.subject.clone(),
            request_id: self.text(method, &request, "request_id"),
            method: found.clone(),
            request,
            answer: answer.clone(),
        });
        let (_, output) = self.of(method);
        let message = DynamicMessage::decode(output, answer?).unwrap();
        if found.kind != rpc::Kind::Reveal {
            self.look(&message, &principal.roles.iter().map(|n| Role::try_from(*n).unwrap()).collect::<Vec<_>>());
        }
        let options = SerializeOptions::new().use_proto_field_name(true);
        Ok(message.serialize_with_options(serde_json::value::Serializer, &options).unwrap())
    }

    /// Looks at the personal fields of an answer: each has to look as its mask leaves it.
    fn look(&self, message: &DynamicMessage, roles: &[Role]) {
        for (field, value) in message.fields() {
            let class = self.class(&field);
            match value {
                Value::String(text) if class > 0 && !text.is_empty() => {
                    let mut masked = text.clone();
                    guard::mask::apply(class, &mut masked);
                    if masked != *text {
                        self.unmasked.lock().unwrap().push(format!("{}: {text}", field.full_name()));
                    }
                    let mut seen = self.seen.lock().unwrap();
                    seen.extend(roles.iter().map(|role| (field.full_name().to_owned(), *role)));
                }
                Value::Message(inner) => self.look(inner, roles),
                Value::List(list) => list.iter().filter_map(Value::as_message).for_each(|inner| self.look(inner, roles)),
                _ => {}
            }
        }
    }

    /// A call by a member of staff with one role, whose subject is the role's name.
    pub async fn by(&self, role: Role, method: &str, json: Json) -> Json {
        self.attempt(&staff(role), method, json)
            .await
            .unwrap_or_else(|status| panic!("{method}: {status:?}"))
    }

    /// A call that may be refused.
    pub async fn attempt(&self, principal: &Principal, method: &str, json: Json) -> Result<Json, Status> {
        let request = self.request(method, json);
        self.send(principal, method, request).await
    }

    /// The same request in ways that are refused: by a caller without the role, with the key of another request, and with each personal text too
    /// long, with a bell in it, and followed by a mark that no pattern allows.
    pub async fn refusals(&self, principal: &Principal, method: &str, request: &Bytes) {
        let nobody = staff(Role::Acceptor);
        let _ = self.send(&nobody, method, request.clone()).await;
        let (input, _) = self.of(method);
        let message = DynamicMessage::decode(input.clone(), request.clone()).unwrap();
        for field in input.fields().filter(|f| self.class(f) > 0 && !f.is_list()) {
            let Some(text) = message.get_field(&field).as_str().map(str::to_owned) else {
                continue;
            };
            for spoiled in [text.repeat(200), format!("{text}\u{7}"), format!("{text}?"), format!("{text}二")] {
                let mut other = message.clone();
                other.set_field(&field, Value::String(spoiled));
                let _ = self.send(principal, method, other.encode_to_vec().into()).await;
                // With a key of its own it gets past the check of the key, to the rules of the service.
                if let Some(key) = input.get_field_by_name("request_id") {
                    other.set_field(&key, Value::String(testbed::key()));
                    let _ = self.send(principal, method, other.encode_to_vec().into()).await;
                }
            }
        }
        // The whole once more under another key: what is unique is there already.
        if let Some(key) = input.get_field_by_name("request_id") {
            let mut again = message;
            again.set_field(&key, Value::String(testbed::key()));
            let _ = self.send(principal, method, again.encode_to_vec().into()).await;
        }
    }
}

/// Somebody of head office with one role; a service where the role is one's.
pub fn staff(role: Role) -> Principal {
    let name = role.as_str_name().trim_start_matches("ROLE_").to_lowercase();
    let of_service = |service: &&str| boot::PORTS.iter().any(|(known, _)| known == service);
    let service = name.strip_prefix("service_").filter(of_service).map(str::to_owned);
    Principal {
        subject: service.as_ref().map_or_else(|| name.clone(), |service| format!("service:{service}")),
        roles: vec![role as i32],
        service,
        ..Principal::default()
    }
}

/// Whether a refusal is one that the request itself earned, not a fault.
pub fn earned(status: &Status) -> bool {
    !matches!(status.code(), Code::Internal | Code::Unknown | Code::Unavailable | Code::DeadlineExceeded)
}
