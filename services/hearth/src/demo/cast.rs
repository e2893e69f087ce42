//! Who acts in the demo, and how they call.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Mutex,
};

use anyhow::{Context, Result, anyhow};
use calendar::Instant;
use contracts::hearth::{
    clock::v1::{SetClockRequest, clock_service_client::ClockServiceClient},
    options::v1::Role,
};
use rpc::{Principal, wire};
use tonic::{Response, Status};

use super::city::City;
use crate::{
    client::{self, Client, Desk},
    import::told,
    suite::Suite,
};

/// Somebody of the utility.
#[derive(Clone, Copy)]
pub struct Actor {
    pub subject: &'static str,
    roles: &'static [Role],
}

const fn actor(subject: &'static str, roles: &'static [Role]) -> Actor {
    Actor { subject, roles }
}

pub const OPERATOR: Actor = actor("operator-qin", &[Role::Operator, Role::Auditor]);
pub const ARCHIVIST: Actor = actor("archivist-shen", &[Role::Archivist]);
pub const CONTRACT_OFFICER: Actor = actor("contracts-gu", &[Role::ContractOfficer]);
pub const AGENT: Actor = actor("agent-wen", &[Role::Agent]);
pub const CASHIER: Actor = actor("cashier-luo", &[Role::Cashier]);
pub const READER: Actor = actor("reading-desk", &[Role::Reader]);
/// Decides on readings; the one who brought them may not.
pub const DISTRICT_MANAGER: Actor = actor("district-fang", &[Role::DistrictManager]);
pub const ACCOUNTANT: Actor = actor("accounts-he", &[Role::Accountant]);
pub const PERSONNEL: Actor = actor("personnel-du", &[Role::Personnel]);
/// Confirms what the other one recorded.
pub const SECOND_PERSONNEL: Actor = actor("personnel-ye", &[Role::Personnel]);
pub const DISPATCHER: Actor = actor("dispatch-ren", &[Role::Dispatcher]);
pub const OPENER: Actor = actor("opener-kang", &[Role::Opener]);
pub const INSPECTOR: Actor = actor("inspector-bai", &[Role::Inspector]);
pub const IT_DEPARTMENT: Actor = actor("it-xue", &[Role::ItDepartment]);
pub const VERIFIER: Actor = actor("verifier-lei", &[Role::QualificationVerifier]);
pub const LEADER: Actor = actor("leader-yan", &[Role::Leader]);
pub const ACCEPTOR: Actor = actor("acceptor-hou", &[Role::Acceptor]);
pub const ASSESSOR: Actor = actor("assessor-jin", &[Role::Assessor]);
pub const POLICY_ADMIN: Actor = actor("policies-lu", &[Role::PolicyAdmin]);
pub const SERVICE_MANAGER: Actor = actor("service-tang", &[Role::ServiceManager]);
pub const FINANCE: Actor = actor("finance-pan", &[Role::Finance]);
pub const CREDIT_ANALYST: Actor = actor("credit-mao", &[Role::CreditAnalyst]);
pub const KEY_ACCOUNT_MANAGER: Actor = actor("key-accounts-xiang", &[Role::KeyAccountManager]);
pub const CALLBACK_DIRECTOR: Actor = actor("callbacks-niu", &[Role::CallbackDirector]);
pub const CALLBACK_AGENT: Actor = actor("callbacks-ding", &[Role::CallbackAgent]);
pub const MATERIALS: Actor = actor("materials-qiao", &[Role::Materials]);
pub const SPECIALIST: Actor = actor("specialists-shi", &[Role::SpecialistDepartment]);
pub const BIDDING_CENTRE: Actor = actor("bidding-fan", &[Role::BiddingCentre]);

/// Calls of all who act, over the network and with their own tokens.
pub struct Cast {
    /// Where they act.
    pub city: City,
    /// Folder of what is left on paper.
    pub papers: PathBuf,
    desk: Desk,
    addresses: BTreeMap<&'static str, String>,
    clients: Mutex<BTreeMap<(&'static str, String), Client>>,
}

impl Cast {
    pub fn new(city: City, keys: &Path, papers: PathBuf, suite: &Suite) -> Result<Self> {
        let mut addresses = BTreeMap::new();
        for (name, _) in boot::PORTS {
            addresses.insert(name, format!("https://{}", suite.address(name)?));
        }
        Ok(Self {
            city,
            papers,
            desk: Desk::new(keys)?,
            addresses,
            clients: Mutex::default(),
        })
    }

    /// Where a service listens.
    pub fn address(&self, service: &str) -> &str {
        self.addresses.get(service).map_or("", String::as_str)
    }

    /// A service as an actor calls it.
    pub fn ask(&self, service: &'static str, actor: Actor) -> Result<Client> {
        self.client(service, client::person(actor.subject, actor.roles))
    }

    /// A service as somebody of a vendor calls it.
    pub fn ask_as_vendor(&self, service: &'static str, subject: &str, vendor_id: &str) -> Result<Client> {
        self.client(
            service,
            Principal {
                vendor: Some(vendor_id.to_owned()),
                ..client::person(subject, &[Role::VendorAdmin])
            },
        )
    }

    fn client(&self, service: &'static str, principal: Principal) -> Result<Client> {
        let mut clients = self.clients.lock().map_err(|_| anyhow!("the callers are lost"))?;
        let key = (service, principal.subject.clone());
        if let Some(client) = clients.get(&key) {
            return Ok(client.clone());
        }
        let client = self.desk.client(self.address(service), principal)?;
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Moves the clock of the rules to a moment such as `2025-01-06T09:00`, Shanghai time.
    pub async fn set_clock(&self, moment: &str) -> Result<()> {
        let time = Instant::parse_rfc3339(&format!("{moment}:00+08:00")).with_context(|| format!("{moment} is no moment"))?;
        let mut clock = ClockServiceClient::new(self.ask("archive", OPERATOR)?);
        said("the clock", clock.set_clock(SetClockRequest { time: Some(wire::time(time)) })).await?;
        Ok(())
    }
}

/// The answer to a call, or what the service said against it.
pub async fn said<T>(what: &str, call: impl Future<Output = Result<Response<T>, Status>>) -> Result<T> {
    call.await.map(Response::into_inner).map_err(|status| anyhow!("{what}: {}", told(&status)))
}

/// What an answer must hold.
pub fn held<T>(what: &str, value: Option<T>) -> Result<T> {
    value.with_context(|| format!("the answer holds no {what}"))
}

/// The request id of a step: the same in every demo.
pub fn key(step: &str) -> String {
    rpc::derived_request_id("the year 2025", step)
}

/// A day of the contracts, from `2025-01-06`.
pub fn date(text: &str) -> Result<contracts::hearth::r#type::v1::Date> {
    Ok(wire::date(text.parse().with_context(|| format!("{text} is no day"))?))
}

/// A decimal of the contracts.
pub fn decimal(text: &str) -> contracts::hearth::r#type::v1::Decimal {
    wire::decimal(text)
}

/// The digest under which a scan or a photo lies in the file store.
pub fn scan(of: &str) -> String {
    use sha2::{Digest, Sha256};
    hex::encode(Sha256::digest(of))
}

/// Asks again and again, for at most half a minute, until there is an answer: what another service does comes as an event.
pub async fn until<T, F: Future<Output = Result<Option<T>>>>(what: &str, mut look: impl FnMut() -> F) -> Result<T> {
    let since = std::time::Instant::now();
    let mut pause = std::time::Duration::from_millis(5);
    loop {
        if let Some(found) = look().await? {
            return Ok(found);
        }
        anyhow::ensure!(since.elapsed() < std::time::Duration::from_secs(30), "{what} did not happen within 30 seconds");
        tokio::time::sleep(pause).await;
        pause = pause.saturating_mul(2).min(std::time::Duration::from_millis(100));
    }
}
