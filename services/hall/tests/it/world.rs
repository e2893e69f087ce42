//! What the peers know and do in the tests, and how they misbehave on demand.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard},
};

use contracts::hearth::{archive::v1 as archive, billing::v1 as billing, r#type::v1::Date, vendor::v1 as vendor};
use rpc::{Code, Fault, Routes};
use testbed::{Bed, Feed};
use tonic::Status;

use crate::peers::Peer;

/// How a call to a peer goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// It does what it should.
    Normal,
    /// It never answers and does nothing.
    HangsBefore,
    /// It does what it should and never answers.
    HangsAfter,
    /// It is away.
    Unavailable,
    /// It did what it should and then fell over.
    FailsAfter,
    /// It says no.
    Refuses,
    /// It has not heard of the agreement yet.
    NotYet,
}

#[derive(Default)]
struct State {
    modes: BTreeMap<&'static str, Mode>,
    /// Calls that have arrived, by method.
    arrived: BTreeMap<&'static str, usize>,
    /// Effects, by method: a call that is repeated under its key has none.
    effects: BTreeMap<&'static str, usize>,
    /// Keys that had an effect, with the agreement that came of them.
    keys: BTreeMap<String, String>,
    accounts: BTreeMap<String, archive::Account>,
    premises: BTreeMap<String, archive::Premises>,
    agreements: BTreeMap<String, archive::Agreement>,
    meters: BTreeMap<String, billing::Meter>,
    installed: BTreeMap<String, billing::Installation>,
    /// Persons of vendors: vendor, and the last day on which they are certified.
    persons: BTreeMap<String, (String, Date)>,
    alerts: Vec<String>,
}

/// The peers' common memory.
#[derive(Clone, Default)]
pub struct World(Arc<Mutex<State>>);

fn missing(service: &str) -> Status {
    Fault::not_found("thing", "id").into_status(service)
}

impl World {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }

    /// Starts the three peers; the feed is the vendor service's.
    pub async fn start(&self, bed: &Bed) -> Feed {
        use contracts::hearth::archive::v1::{
            account_service_server::AccountServiceServer, agreement_service_server::AgreementServiceServer, premises_service_server::PremisesServiceServer,
            standing_service_server::StandingServiceServer,
        };
        let peer = Peer(self.clone());
        let mut archive = Routes::default();
        archive.add(AccountServiceServer::new(peer.clone()));
        archive.add(PremisesServiceServer::new(peer.clone()));
        archive.add(StandingServiceServer::new(peer.clone()));
        archive.add(AgreementServiceServer::new(peer.clone()));
        bed.fake("archive", archive).await;
        let mut billing = Routes::default();
        billing.add(contracts::hearth::billing::v1::meter_service_server::MeterServiceServer::new(peer.clone()));
        bed.fake("billing", billing).await;
        let mut vendor = Routes::default();
        vendor.add(contracts::hearth::vendor::v1::person_service_server::PersonServiceServer::new(peer));
        bed.fake("vendor", vendor).await
    }

    pub fn set(&self, method: &'static str, mode: Mode) {
        self.state().modes.insert(method, mode);
    }
    pub fn arrived(&self, method: &'static str) -> usize {
        self.state().arrived.get(method).copied().unwrap_or(0)
    }
    pub fn effects(&self, method: &'static str) -> usize {
        self.state().effects.get(method).copied().unwrap_or(0)
    }
    pub fn alert(&self, code: &str) {
        self.state().alerts.push(code.to_owned());
    }
    pub fn agreement(&self, id: &str) -> archive::Agreement {
        self.state().agreements.get(id).cloned().unwrap()
    }
    pub fn change_agreement(&self, id: &str, change: impl FnOnce(&mut archive::Agreement)) {
        change(self.state().agreements.get_mut(id).unwrap());
    }
    pub fn change_meter(&self, no: &str, change: impl FnOnce(&mut billing::Meter)) {
        change(self.state().meters.get_mut(no).unwrap());
    }
    pub fn change_account(&self, id: &str, change: impl FnOnce(&mut archive::Account)) {
        change(self.state().accounts.get_mut(id).unwrap());
    }
    pub fn installed(&self, no: &str) -> Option<billing::Installation> {
        self.state().installed.get(no).cloned()
    }
    pub fn certify(&self, person: &str, vendor: &str, until: Date) {
        self.state().persons.insert(person.to_owned(), (vendor.to_owned(), until));
    }

    /// A customer with premises, an account, and a meter in store.
    pub fn customer(&self, branch: &str) -> Customer {
        let id = || testbed::key();
        let customer = Customer {
            account_id: id(),
            premises_id: id(),
            service_point_id: id(),
            meter_no: format!("M-{}", &id()[24..]),
        };
        let mut state = self.state();
        let account = archive::Account {
            account_id: customer.account_id.clone(),
            party_id: id(),
            branch: branch.to_owned(),
            state: archive::account::State::Opening.into(),
            ..archive::Account::default()
        };
        state.accounts.insert(customer.account_id.clone(), account);
        let point = archive::ServicePoint {
            service_point_id: customer.service_point_id.clone(),
            premises_id: customer.premises_id.clone(),
            service: archive::Service::Gas.into(),
        };
        let premises = archive::Premises {
            premises_id: customer.premises_id.clone(),
            community_code: COMMUNITY.to_owned(),
            branch: branch.to_owned(),
            service_points: vec![point],
            ..archive::Premises::default()
        };
        state.premises.insert(customer.premises_id.clone(), premises);
        let meter = billing::Meter {
            meter_id: id(),
            meter_no: customer.meter_no.clone(),
            seal_no: "S-7781".to_owned(),
            verified_date: Some(crate::date("2024-11-05")),
            expires_date: Some(crate::date("2034-11-04")),
            branch: branch.to_owned(),
            state: billing::meter::State::InStore.into(),
            ..billing::Meter::default()
        };
        state.meters.insert(customer.meter_no.clone(), meter);
        customer
    }

    /// Answers a call: once for its key, whatever happens around it.
    async fn once(&self, method: &'static str, service: &str, key: &str, effect: impl FnOnce(&mut State) -> Result<String, Fault>) -> Result<String, Status> {
        let mode = {
            let mut state = self.state();
            *state.arrived.entry(method).or_default() += 1;
            state.modes.get(method).copied().unwrap_or(Mode::Normal)
        };
        match mode {
            Mode::HangsBefore => std::future::pending().await,
            Mode::Unavailable => return Err(Fault::unavailable("AWAY", "away").into_status(service)),
            Mode::Refuses => return Err(Fault::precondition("REFUSED_BY_TEST", "no").into_status(service)),
            Mode::NotYet => return Err(missing(service)),
            Mode::Normal | Mode::HangsAfter | Mode::FailsAfter => {}
        }
        let answer = {
            let mut state = self.state();
            match state.keys.get(key).cloned() {
                Some(before) => before,
                None => {
                    let answer = effect(&mut state).map_err(|fault| fault.into_status(service))?;
                    *state.effects.entry(method).or_default() += 1;
                    state.keys.insert(key.to_owned(), answer.clone());
                    answer
                }
            }
        };
        match mode {
            Mode::HangsAfter => std::future::pending().await,
            Mode::FailsAfter => Err(Fault::new(Code::Internal, "INTERNAL", "internal error").into_status(service)),
            _ => Ok(answer),
        }
    }

    pub fn get_account(&self, request: &archive::GetAccountRequest) -> Result<archive::GetAccountResponse, Status> {
        let account = self.state().accounts.get(&request.account_id).cloned();
        account
            .map(|account| archive::GetAccountResponse { account: Some(account) })
            .ok_or_else(|| missing("archive"))
    }
    pub fn get_premises(&self, request: &archive::GetPremisesRequest) -> Result<archive::GetPremisesResponse, Status> {
        let premises = self.state().premises.get(&request.premises_id).cloned();
        premises
            .map(|premises| archive::GetPremisesResponse { premises: Some(premises) })
            .ok_or_else(|| missing("archive"))
    }
    pub fn check_standing(&self) -> Result<archive::CheckStandingResponse, Status> {
        if self.state().modes.get("CheckStanding") == Some(&Mode::Unavailable) {
            return Err(Fault::unavailable("AWAY", "away").into_status("archive"));
        }
        let reasons = self.state().alerts.clone();
        Ok(archive::CheckStandingResponse {
            may_deal: reasons.is_empty(),
            reasons,
            basic_supply: true,
            ..archive::CheckStandingResponse::default()
        })
    }
    pub async fn sign_agreement(&self, request: archive::SignAgreementRequest) -> Result<archive::SignAgreementResponse, Status> {
        let key = request.request_id.clone();
        let id = self
            .once("SignAgreement", "archive", &key, move |state| {
                let agreement = archive::Agreement {
                    agreement_id: testbed::key(),
                    account_id: request.account_id,
                    service_point_id: request.service_point_id,
                    service: request.service,
                    use_class: request.use_class,
                    state: archive::agreement::State::Signed.into(),
                    from_date: request.signed_date,
                    ..archive::Agreement::default()
                };
                let id = agreement.agreement_id.clone();
                state.agreements.insert(id.clone(), agreement);
                Ok(id)
            })
            .await?;
        Ok(archive::SignAgreementResponse {
            agreement: Some(self.agreement(&id)),
        })
    }
    pub async fn activate_agreement(&self, request: archive::ActivateAgreementRequest) -> Result<archive::ActivateAgreementResponse, Status> {
        let id = self
            .turn(
                "ActivateAgreement",
                &request.request_id,
                &request.agreement_id,
                archive::agreement::State::InForce,
                request.from_date,
            )
            .await?;
        Ok(archive::ActivateAgreementResponse {
            agreement: Some(self.agreement(&id)),
        })
    }
    pub async fn void_agreement(&self, request: archive::VoidAgreementRequest) -> Result<archive::VoidAgreementResponse, Status> {
        let id = self
            .turn(
                "VoidAgreement",
                &request.request_id,
                &request.agreement_id,
                archive::agreement::State::Voided,
                None,
            )
            .await?;
        Ok(archive::VoidAgreementResponse {
            agreement: Some(self.agreement(&id)),
        })
    }
    async fn turn(&self, method: &'static str, key: &str, id: &str, to: archive::agreement::State, from: Option<Date>) -> Result<String, Status> {
        self.once(method, "archive", key, |state| {
            let agreement = state.agreements.get_mut(id).ok_or_else(|| Fault::not_found("agreement", id))?;
            if agreement.state() != archive::agreement::State::Signed {
                return Err(Fault::precondition("AGREEMENT_STATE", "not signed"));
            }
            agreement.state = to.into();
            agreement.from_date = from.or(agreement.from_date);
            Ok(id.to_owned())
        })
        .await
    }
    pub fn get_agreement(&self, request: &archive::GetAgreementRequest) -> Result<archive::GetAgreementResponse, Status> {
        let agreement = self.state().agreements.get(&request.agreement_id).cloned();
        agreement
            .map(|agreement| archive::GetAgreementResponse { agreement: Some(agreement) })
            .ok_or_else(|| missing("archive"))
    }

    pub fn get_meter(&self, request: &billing::GetMeterByNumberRequest) -> Result<billing::GetMeterByNumberResponse, Status> {
        let state = self.state();
        let meter = state.meters.get(&request.meter_no).cloned().ok_or_else(|| missing("billing"))?;
        Ok(billing::GetMeterByNumberResponse {
            meter: Some(meter),
            installation: state.installed.get(&request.meter_no).cloned(),
        })
    }
    pub async fn install_meter(&self, request: billing::InstallMeterRequest) -> Result<billing::InstallMeterResponse, Status> {
        let key = request.request_id.clone();
        let installation = billing::Installation {
            installation_id: testbed::key(),
            meter_no: request.meter_no.clone(),
            agreement_id: request.agreement_id,
            from_date: request.from_date,
            initial_index: request.initial_index,
            photo_file: request.photo_file,
            signed: request.signed,
            awaits_opening: true,
            ..billing::Installation::default()
        };
        let no = self
            .once("InstallMeter", "billing", &key, move |state| {
                state.installed.insert(request.meter_no.clone(), installation);
                Ok(request.meter_no)
            })
            .await?;
        Ok(billing::InstallMeterResponse {
            installation: self.installed(&no),
        })
    }
    pub async fn remove_installation(&self, request: billing::RemoveInstallationRequest) -> Result<billing::RemoveInstallationResponse, Status> {
        self.once("RemoveInstallation", "billing", &request.request_id, |state| {
            let installation = state
                .installed
                .remove(&request.meter_no)
                .ok_or_else(|| Fault::not_found("installation", &request.meter_no))?;
            assert_eq!(
                (installation.agreement_id, installation.from_date),
                (request.agreement_id.clone(), request.end_date),
                "the same installation, on its first day"
            );
            Ok(request.meter_no.clone())
        })
        .await?;
        Ok(billing::RemoveInstallationResponse { installation: None })
    }

    pub fn check_certified(&self, request: &vendor::CheckCertifiedRequest) -> Result<vendor::CheckCertifiedResponse, Status> {
        let mut state = self.state();
        *state.arrived.entry("CheckCertified").or_default() += 1;
        if state.modes.get("CheckCertified") == Some(&Mode::Unavailable) {
            return Err(Fault::unavailable("AWAY", "away").into_status("vendor"));
        }
        let (vendor_id, until) = state.persons.get(&request.person_id).cloned().ok_or_else(|| missing("vendor"))?;
        let day = |date: &Date| (date.year, date.month, date.day);
        let certified = request.on_date.as_ref().is_some_and(|on| day(on) <= day(&until));
        let reason = if certified {
            vendor::check_certified_response::Reason::Certified
        } else {
            vendor::check_certified_response::Reason::CertificateNotValid
        };
        Ok(vendor::CheckCertifiedResponse {
            certified,
            reason: reason.into(),
            vendor_id,
            certificate_id: String::new(),
        })
    }
}

/// Code of the estate in which all customers live.
pub const COMMUNITY: &str = "120103001001";

/// What the peers know of a customer.
#[derive(Clone, Debug)]
pub struct Customer {
    pub account_id: String,
    pub premises_id: String,
    pub service_point_id: String,
    pub meter_no: String,
}
