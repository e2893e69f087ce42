use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
    time::Duration,
};

use bytes::Bytes;
use contracts::hearth::options::v1::Role;
use guard::Whole;
use prost::Message;
use rpc::{Principal, token::Issuer};
use tonic::{Code, Request, Status, transport::Channel};

/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(8);

/// Who calls.
#[derive(Clone, Debug)]
pub struct Who {
    pub subject: String,
    roles: Vec<Role>,
    vendor: Option<String>,
}

impl Who {
    /// Staff of head office.
    pub fn staff(subject: impl Into<String>, roles: &[Role]) -> Self {
        Self {
            subject: subject.into(),
            roles: roles.to_vec(),
            vendor: None,
        }
    }

    /// Somebody of a vendor.
    pub fn of_vendor(subject: impl Into<String>, vendor: &str) -> Self {
        Self {
            vendor: Some(vendor.to_owned()),
            ..Self::staff(subject, &[Role::VendorAdmin])
        }
    }

    /// Reads whatever is to be verified.
    pub fn auditor() -> Self {
        Self::staff("lab-auditor", &[Role::Auditor])
    }
}

/// Methods whose request and answer are streams; one message each way is sent here.
const STREAMED: &[&str] = &["/ImportCustomers", "/ImportMeters", "/ImportReadings"];

/// Calls services by the names of methods, over TLS and with tokens of its own.
pub struct Client {
    issuer: Issuer,
    ca: PathBuf,
    channels: Mutex<BTreeMap<String, Channel>>,
}

impl Client {
    pub fn new(keys: &Path) -> Self {
        Self {
            issuer: Issuer::from_folder(keys).unwrap(),
            ca: keys.join("ca.pem"),
            channels: Mutex::default(),
        }
    }

    /// The same authority and signing key, connections of its own.
    #[must_use]
    pub fn another(&self) -> Self {
        Self {
            issuer: self.issuer.clone(),
            ca: self.ca.clone(),
            channels: Mutex::default(),
        }
    }

    fn channel(&self, address: &str) -> Channel {
        let mut channels = self.channels.lock().unwrap();
        channels
            .entry(address.to_owned())
            .or_insert_with(|| rpc::user_channel(address, &self.ca).unwrap())
            .clone()
    }

    /// Sends an encoded message, such as to `hearth.billing.v1.PaymentService/TakePayment`.
    pub async fn send(&self, address: &str, who: &Who, method: &str, message: Bytes) -> Result<Bytes, Status> {
        let principal = Principal {
            subject: who.subject.clone(),
            roles: who.roles.iter().map(|r| *r as i32).collect(),
            vendor: who.vendor.clone(),
            ..Principal::default()
        };
        let token = format!("Bearer {}", self.issuer.sign(&principal).unwrap());
        let mut client = tonic::client::Grpc::new(self.channel(address));
        let path = format!("/{method}").parse().unwrap();
        let call = async {
            client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
            if STREAMED.iter().any(|name| method.ends_with(name)) {
                let request = prepared(Request::new(futures::stream::iter([message])), &token);
                let mut answers = client.streaming(request, path, Whole).await?.into_inner();
                answers
                    .message()
                    .await?
                    .ok_or_else(|| Status::unavailable("the stream ended without an answer"))
            } else {
                Ok(client.unary(prepared(Request::new(message), &token), path, Whole).await?.into_inner())
            }
        };
        // A peer that is frozen keeps no deadline.
        tokio::time::timeout(PATIENCE + Duration::from_secs(1), call)
            .await
            .unwrap_or_else(|_| Err(Status::deadline_exceeded("nobody answered")))
    }

    /// Sends a message and reads the answer.
    pub async fn ask<R: Message + Default>(&self, address: &str, who: &Who, method: &str, message: &impl Message) -> Result<R, Status> {
        let answer = self.send(address, who, method, message.encode_to_vec().into()).await?;
        Ok(R::decode(answer).unwrap())
    }
}

fn prepared<T>(mut request: Request<T>, token: &str) -> Request<T> {
    request.set_timeout(PATIENCE);
    request.metadata_mut().insert("authorization", token.parse().unwrap());
    request
}

/// Whether a failure leaves open what became of the call, or asks to try again.
pub fn is_open(status: &Status) -> bool {
    match status.code() {
        Code::Unavailable | Code::DeadlineExceeded | Code::Cancelled | Code::Unknown | Code::ResourceExhausted => true,
        // Somebody else changed the thing meanwhile: asked again it would be refused again.
        Code::Aborted => testbed::reason(status) != "ETAG_MISMATCH",
        _ => false,
    }
}
