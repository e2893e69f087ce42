//! Every RPC as its contract has it, read from the descriptors here and not by the code under test.

use std::time::Duration;

use bytes::Bytes;
use guard::Whole;
use prost::Message;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};
use tonic::{Request, Status, transport::Channel};

use crate::world::send;

pub struct Rpc {
    /// `hearth.vendor.v1.OfferService/AcceptOffer`.
    pub name: String,
    pub input: MessageDescriptor,
    pub streaming: bool,
    /// `ROLE_AGENT`.
    pub roles: Vec<String>,
    /// Fields of the request that bind a caller; empty where there is none.
    pub vendor: String,
    pub customer: String,
    pub branch: String,
    pub public: bool,
}

/// Every RPC that a service serves.
pub fn rpcs(service: &str) -> Vec<Rpc> {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let option = pool.get_extension_by_name("hearth.options.v1.access").unwrap();
    let names = pool.get_enum_by_name("hearth.options.v1.Role").unwrap();
    let served = ["journal", "job", service].map(|name| format!("hearth.{name}.v1"));
    let methods = pool.services().filter(|s| served.iter().any(|package| package == s.package_name()));
    let methods = methods.flat_map(|s| s.methods().collect::<Vec<_>>());
    let rpc = |method: prost_reflect::MethodDescriptor| {
        let options = method.options();
        assert!(options.has_extension(&option), "{} says nothing about access", method.full_name());
        let value = options.get_extension(&option);
        let access = value.as_message().unwrap();
        let field = |name: &str| access.get_field_by_name(name).unwrap().into_owned();
        let text = |name: &str| field(name).as_str().unwrap().to_owned();
        let roles = field("roles");
        let roles = roles
            .as_list()
            .unwrap()
            .iter()
            .map(|role| names.get_value(role.as_enum_number().unwrap()).unwrap());
        Rpc {
            name: format!("{}/{}", method.parent_service().full_name(), method.name()),
            input: method.input(),
            streaming: method.is_client_streaming() || method.is_server_streaming(),
            roles: roles.map(|role| role.name().to_owned()).collect(),
            vendor: text("vendor_field"),
            customer: text("customer_field"),
            branch: text("branch_field"),
            public: field("public").as_bool().unwrap(),
        }
    };
    methods.map(rpc).collect()
}

impl Rpc {
    pub fn lists(&self, role: &str) -> bool {
        self.roles.iter().any(|listed| listed == role)
    }

    /// A request with nothing but some texts in it, by the paths of their fields; an empty path is passed over.
    pub fn request(&self, texts: &[(&str, &str)]) -> Bytes {
        let mut message = DynamicMessage::new(self.input.clone());
        for (path, text) in texts.iter().filter(|(path, _)| !path.is_empty()) {
            put(&mut message, path, text);
        }
        message.encode_to_vec().into()
    }

    /// The answer; of a stream the first, and nothing where it stays open without a word.
    pub async fn ask(&self, channel: &Channel, authorization: Option<&str>, message: Bytes) -> Result<Bytes, Status> {
        let metadata: Vec<_> = authorization.map(|token| ("authorization", token)).into_iter().collect();
        if self.streaming {
            Ok(first(channel, &self.name, &metadata, message).await?.unwrap_or_default())
        } else {
            send(channel, &self.name, &metadata, message).await
        }
    }
}

/// The first answer of a method whose requests or answers are a stream; none where it stays open without a word.
async fn first(channel: &Channel, method: &str, metadata: &[(&'static str, &str)], message: Bytes) -> Result<Option<Bytes>, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    let mut request = Request::new(tokio_stream::once(message));
    for (name, value) in metadata {
        request.metadata_mut().append(*name, value.parse().unwrap());
    }
    let path = format!("/{method}").parse().unwrap();
    let mut answers = client.streaming(request, path, Whole).await?.into_inner();
    let answer = tokio::time::timeout(Duration::from_millis(300), answers.message()).await;
    answer.unwrap_or(Ok(None))
}

/// Sets a text by the path of its field.
pub fn put(message: &mut DynamicMessage, path: &str, text: &str) {
    match path.split_once('.') {
        None => message.set_field_by_name(path, Value::String(text.to_owned())),
        Some((head, rest)) => {
            let Some(Value::Message(inner)) = message.get_field_by_name_mut(head) else {
                panic!("{head} is no message")
            };
            put(inner, rest, text);
        }
    }
}
