//! Callers of the suite: a channel per service, with a token that is renewed before it ends.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::{Result, anyhow};
use contracts::hearth::options::v1::Role;
use rpc::{Principal, token::Issuer};
use tonic::{
    Request, Status,
    service::{Interceptor, interceptor::InterceptedService},
    transport::Channel,
};

/// A channel with the token of one caller.
pub type Client = InterceptedService<Channel, Bearer>;

const RENEW: Duration = Duration::from_secs(10 * 60);

/// Signs tokens for the callers of one folder's keys.
#[derive(Clone)]
pub struct Desk {
    issuer: Issuer,
    ca: PathBuf,
}

impl Desk {
    pub fn new(keys: &Path) -> Result<Self> {
        Ok(Self {
            issuer: Issuer::from_folder(keys).map_err(|e| anyhow!(e))?,
            ca: keys.join("ca.pem"),
        })
    }

    /// A channel of a caller to a service, such as `https://127.0.0.1:7701`.
    pub fn client(&self, address: &str, principal: Principal) -> Result<Client> {
        let channel = rpc::user_channel(address, &self.ca).map_err(|e| anyhow!(e))?;
        let bearer = Bearer {
            issuer: self.issuer.clone(),
            principal,
            token: Arc::default(),
        };
        Ok(InterceptedService::new(channel, bearer))
    }
}

/// The address of a service as the command line takes it.
///
/// # Errors
/// One that does not begin with https://.
pub fn address(text: &str) -> Result<String, String> {
    match text.strip_prefix("https://") {
        Some(rest) if !rest.is_empty() => Ok(text.to_owned()),
        _ => Err("write it as https://HOST:PORT".to_owned()),
    }
}

/// Somebody of head office.
pub fn person(subject: &str, roles: &[Role]) -> Principal {
    Principal {
        subject: subject.to_owned(),
        roles: roles.iter().map(|r| *r as i32).collect(),
        ..Principal::default()
    }
}

/// Puts the caller's token into every call.
#[derive(Clone)]
pub struct Bearer {
    issuer: Issuer,
    principal: Principal,
    token: Arc<Mutex<Option<(Instant, String)>>>,
}

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let failed = |_| Status::internal("no token can be signed");
        let mut held = self.token.lock().map_err(|_| Status::internal("no token can be signed"))?;
        let token = match held.as_ref().filter(|(since, _)| since.elapsed() < RENEW) {
            Some((_, token)) => token.clone(),
            None => {
                let token = self.issuer.sign(&self.principal).map_err(failed)?;
                *held = Some((Instant::now(), token.clone()));
                token
            }
        };
        let value = format!("Bearer {token}").parse().map_err(|_| Status::internal("no token can be signed"))?;
        request.metadata_mut().insert("authorization", value);
        Ok(request)
    }
}
