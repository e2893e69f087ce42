//! Events of the others. Each takes effect once, in order; the frame moves the cursor in the same transaction.

use contracts::hearth::{archive::v1 as archive, hall::v1 as hall};
use database::{Consumer, Event, Scope, Write, numbers};
use prost::{Message, Name};
use rpc::{Fault, wire};
use sea_orm::ActiveValue::Set;
use uuid::Uuid;

use super::{
    hold,
    model::{DESTITUTE, SupplyState, TermKind},
    store::{self, FILED},
};
use crate::{meter, route::plan};

/// Takes what archive tells of accounts, agreements and entitlements.
pub struct FromArchive;

#[tonic::async_trait]
impl Consumer for FromArchive {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        if let Some(told) = read::<archive::AccountOpened>(event)? {
            account_opened(write, &told).await
        } else if let Some(told) = read::<archive::ContractSigned>(event)? {
            signed(write, &told).await
        } else if let Some(told) = read::<archive::ContractInForce>(event)? {
            let id = wire::id_of("agreement_id", &told.agreement_id)?;
            let row = store::supply(write, &Scope::everything(), id).await?;
            let mut edit = store::editing(row.id);
            edit.from_date = Set(Some(wire::date_of(told.from_date.as_ref(), "from_date")?));
            edit.state = Set(SupplyState::InForce.code().to_owned());
            store::change(write, edit).await
        } else if let Some(told) = read::<archive::ContractAmended>(event)? {
            let id = wire::id_of("agreement_id", &told.agreement_id)?;
            let from = wire::date_of(told.from_date.as_ref(), "from_date")?;
            store::put_term(write, id, TermKind::UseClass, Some(told.use_class), from, None).await
        } else if let Some(told) = read::<archive::ContractEnded>(event)? {
            let row = store::supply(write, &Scope::everything(), wire::id_of("agreement_id", &told.agreement_id)?).await?;
            let mut edit = store::editing(row.id);
            edit.end_date = Set(Some(wire::date_of(told.end_date.as_ref(), "end_date")?));
            edit.state = Set(SupplyState::Ended.code().to_owned());
            store::change(write, edit).await
        } else if let Some(told) = read::<archive::ContractVoided>(event)? {
            let row = store::supply(write, &Scope::everything(), wire::id_of("agreement_id", &told.agreement_id)?).await?;
            let mut edit = store::editing(row.id);
            edit.state = Set(SupplyState::Voided.code().to_owned());
            store::change(write, edit).await
        } else if let Some(told) = read::<archive::HouseholdSizeChanged>(event)? {
            let id = wire::id_of("agreement_id", &told.agreement_id)?;
            let from = wire::date_of(told.from_date.as_ref(), "from_date")?;
            let until = wire::date_if(told.until_date.as_ref(), "until_date")?;
            store::put_term(write, id, TermKind::Persons, (told.persons > 0).then(|| told.persons.to_string()), from, until).await
        } else if let Some(told) = read::<archive::LowIncomeFlagChanged>(event)? {
            let id = wire::id_of("agreement_id", &told.agreement_id)?;
            let from = wire::date_of(told.from_date.as_ref(), "from_date")?;
            let until = wire::date_if(told.until_date.as_ref(), "until_date")?;
            let value = if told.destitute { DESTITUTE } else { "1" };
            store::put_term(write, id, TermKind::LowIncome, told.low_income.then(|| value.to_owned()), from, until).await
        } else if let Some(told) = read::<archive::FlatPriceChosen>(event)? {
            let id = wire::id_of("agreement_id", &told.agreement_id)?;
            let from = wire::date_of(told.from_date.as_ref(), "from_date")?;
            let until = wire::date_if(told.until_date.as_ref(), "until_date")?;
            store::put_term(write, id, TermKind::FlatPrice, told.chosen.then(|| "1".to_owned()), from, until).await
        } else if let Some(told) = read::<archive::CreditHoldRaised>(event)? {
            let party = wire::id_of("party_id", &told.party_id)?;
            let day = wire::date_of(told.raised_date.as_ref(), "raised_date")?;
            hold::raise(write, party, &told.branch, &told.cause, day).await
        } else if let Some(told) = read::<archive::CreditHoldCleared>(event)? {
            let day = wire::date_of(told.cleared_date.as_ref(), "cleared_date")?;
            hold::clear(write, wire::id_of("party_id", &told.party_id)?, day).await
        } else if let Some(told) = read::<archive::PartyListedDishonest>(event)? {
            let row = hold::listing::Model {
                party_id: wire::id_of::<Uuid>("party_id", &told.party_id)?.to_string(),
                branch: told.branch,
                conduct_code: told.conduct_code,
                from_date: wire::date_of(told.from_date.as_ref(), "from_date")?,
                until_date: wire::date_if(told.until_date.as_ref(), "until_date")?,
                live: true,
            };
            hold::list(write, row).await
        } else if let Some(told) = read::<archive::PartyListingEnded>(event)? {
            hold::delist(write, wire::id_of("party_id", &told.party_id)?).await
        } else {
            Ok(())
        }
    }
}

async fn account_opened(write: &Write, told: &archive::AccountOpened) -> Result<(), Fault> {
    let row = store::account::Model {
        id: wire::id_of("account_id", &told.account_id)?,
        account_no: told.account_no.clone(),
        party_id: wire::id_of("party_id", &told.party_id)?,
        branch: told.branch.clone(),
        state: "OPENING".to_owned(),
    };
    store::keep_account(write, row).await
}

async fn signed(write: &Write, told: &archive::ContractSigned) -> Result<(), Fault> {
    let id: Uuid = wire::id_of("agreement_id", &told.agreement_id)?;
    let account_id: Uuid = wire::id_of("account_id", &told.account_id)?;
    let party_id: Uuid = wire::id_of("party_id", &told.party_id)?;
    let signed = wire::date_of(told.signed_date.as_ref(), "signed_date")?;
    let service = match archive::Service::try_from(told.service) {
        Ok(archive::Service::Gas) => "GAS",
        Ok(archive::Service::Heat) => "HEAT",
        _ => return Err(Fault::invalid("service", "SERVICE", "the service is not known")),
    };
    let account = store::account::Model {
        id: account_id,
        account_no: told.account_no.clone(),
        party_id,
        branch: told.branch.clone(),
        state: "OPENING".to_owned(),
    };
    store::keep_account(write, account).await?;
    let row = store::supply::Model {
        id,
        agreement_no: told.agreement_no.clone(),
        account_id,
        account_no: told.account_no.clone(),
        party_id,
        branch: told.branch.clone(),
        service: service.to_owned(),
        state: SupplyState::Signed.code().to_owned(),
        from_date: None,
        end_date: None,
        opened_date: None,
        // The lock of the number lasts to the commit: what has a number up to the last one that is seen is seen as well.
        filed_no: numbers::next(write, FILED, "", 0, 1).await?,
        premises_id: Some(wire::id_of("premises_id", &told.premises_id)?),
    };
    store::keep(write, row).await?;
    store::put_term(write, id, TermKind::UseClass, Some(told.use_class.clone()), signed, None).await
}

/// Takes what hall tells of openings.
pub struct FromHall;

#[tonic::async_trait]
impl Consumer for FromHall {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let Some(told) = read::<hall::GasOpened>(event)? else { return Ok(()) };
        let id: Uuid = wire::id_of("agreement_id", &told.agreement_id)?;
        let day = wire::date_of(told.opened_date.as_ref(), "opened_date")?;
        // E4-03: billing starts on the day on which the gas was opened.
        meter::store::open(write, id, day).await?;
        let installed = meter::store::of_agreements(write, &[id]).await?;
        plan::cover(write, &installed.iter().map(|i| i.id).collect::<Vec<_>>()).await?;
        let mut edit = store::editing(id);
        edit.opened_date = Set(Some(day));
        store::change(write, edit).await
    }
}

fn read<M: Message + Name + Default>(event: &Event) -> Result<Option<M>, Fault> {
    if event.r#type != M::full_name() {
        return Ok(None);
    }
    M::decode(event.data.as_slice()).map(Some).map_err(Fault::internal)
}
