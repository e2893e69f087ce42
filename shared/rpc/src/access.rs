use std::{
    collections::HashMap,
    sync::{Arc, OnceLock},
};

use contracts::hearth::options::v1::{Access, access};
use guard::Kind;
use prost_reflect::DescriptorPool;

/// One method and who may call it.
#[derive(Clone, Debug)]
pub struct Method {
    /// `hearth.vendor.v1.OfferService/AcceptOffer`.
    pub name: String,
    pub access: Access,
    pub kind: Kind,
    /// Whether requests or answers are a stream.
    pub streaming: bool,
    /// Whether requests are a stream.
    pub inflow: bool,
    /// Whether a call that is made twice has one effect: a read, or a request with a `request_id`.
    pub repeatable: bool,
}

/// Who may call what, read from the descriptors; what is not in it is not served.
#[derive(Clone, Debug)]
pub struct AccessTable(Arc<HashMap<String, Method>>);

/// The contracts do not change while a program runs.
static TABLE: OnceLock<AccessTable> = OnceLock::new();

impl AccessTable {
    /// Reads the table that the contracts carry. The build of the contracts refuses a method without an access option, so every
    /// method of ours is in it.
    pub fn read() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        if let Some(read) = TABLE.get() {
            return Ok(read.clone());
        }
        let pool = DescriptorPool::decode(contracts::DESCRIPTORS)?;
        let option = pool.get_extension_by_name("hearth.options.v1.access").ok_or("the access option is missing")?;
        let mut table = HashMap::new();
        for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
            let options = method.options();
            let value = options.get_extension(&option);
            let Some(message) = value.as_message().filter(|_| options.has_extension(&option)) else {
                continue;
            };
            let mut bytes = vec![];
            prost::Message::encode(message, &mut bytes)?;
            let access = <Access as prost::Message>::decode(bytes.as_slice())?;
            let kind = match access.kind() {
                access::Kind::Read => Kind::Read,
                access::Kind::Write => Kind::Write,
                access::Kind::Reveal => Kind::Reveal,
                access::Kind::Unspecified => continue,
            };
            let name = format!("{}/{}", method.parent_service().full_name(), method.name());
            let inflow = method.is_client_streaming();
            let streaming = inflow || method.is_server_streaming();
            let keyed = method.input().get_field_by_name("request_id").is_some();
            let repeatable = !streaming && (kind == Kind::Read || keyed);
            table.insert(
                name.clone(),
                Method {
                    name,
                    access,
                    kind,
                    streaming,
                    inflow,
                    repeatable,
                },
            );
        }
        Ok(TABLE.get_or_init(|| Self(Arc::new(table))).clone())
    }

    /// `path` without its leading slash.
    pub fn get(&self, path: &str) -> Option<&Method> {
        self.0.get(path)
    }

    /// Every method, by name.
    pub fn methods(&self) -> Vec<&Method> {
        let mut all: Vec<_> = self.0.values().collect();
        all.sort_by(|a, b| a.name.cmp(&b.name));
        all
    }
}
