use chrono::NaiveDate;
use contracts::hearth::{
    archive::v1::{
        Entitlement, FlatPriceChosen, GrantFlatPriceRequest, GrantFlatPriceResponse, GrantHouseholdSizeRequest, GrantHouseholdSizeResponse,
        GrantLowIncomeRequest, GrantLowIncomeResponse, HouseholdSizeChanged, ListEntitlementsRequest, ListEntitlementsResponse, LowIncomeFlagChanged,
        WithdrawEntitlementRequest, WithdrawEntitlementResponse,
    },
    r#type::v1::Date,
};
use database::{Begun, Scope, Write};
use ids::{AgreementId, EntitlementId};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, Days, Kind, Right, State},
    store,
};
use crate::{Desk, agreement::store as agreements, party::model::text, refusal::at, unsealed};

pub(crate) async fn grant_household_size(desk: Desk, call: Call, request: GrantHouseholdSizeRequest) -> Result<GrantHouseholdSizeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let persons = model::persons(request.persons).map_err(at("persons"))?;
    let grant = Grant {
        agreement: &request.agreement_id,
        right: Right::Persons(persons),
        from: request.from_date,
        until: request.until_date,
        proof: &request.proof,
    };
    let entitlement = grant.make(&desk, &mut write, &call).await?;
    write.commit(GrantHouseholdSizeResponse { entitlement }).await
}

pub(crate) async fn grant_low_income(desk: Desk, call: Call, request: GrantLowIncomeRequest) -> Result<GrantLowIncomeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let grant = Grant {
        agreement: &request.agreement_id,
        right: Right::LowIncome { destitute: request.destitute },
        from: request.from_date,
        until: request.until_date,
        proof: &request.proof,
    };
    let entitlement = grant.make(&desk, &mut write, &call).await?;
    write.commit(GrantLowIncomeResponse { entitlement }).await
}

pub(crate) async fn grant_flat_price(desk: Desk, call: Call, request: GrantFlatPriceRequest) -> Result<GrantFlatPriceResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let grant = Grant {
        agreement: &request.agreement_id,
        right: Right::FlatPrice,
        from: request.from_date,
        until: request.until_date,
        proof: &request.proof,
    };
    let entitlement = grant.make(&desk, &mut write, &call).await?;
    write.commit(GrantFlatPriceResponse { entitlement }).await
}

struct Grant<'a> {
    agreement: &'a str,
    right: Right,
    from: Option<Date>,
    until: Option<Date>,
    proof: &'a str,
}

impl Grant<'_> {
    async fn make(self, desk: &Desk, write: &mut Write, call: &Call) -> Result<Option<Entitlement>, Fault> {
        let now = write.now().micros();
        let from = wire::date_of(self.from.as_ref(), "from_date")?;
        let until = wire::date_if(self.until.as_ref(), "until_date")?;
        let new = Days::new(from, until).map_err(at("until_date"))?;
        let proof = text(self.proof, 200).map_err(at("proof"))?;
        let id: AgreementId = wire::id_of("agreement_id", self.agreement)?;
        // The lock makes grants on one agreement follow each other.
        let agreement = agreements::lock(write, &Scope::of(call), id.uuid()).await?;
        agreement.stands()?.may_entitle()?;
        let mut registered = store::granted(write, agreement.id, self.right.kind()).await?;
        let days: Vec<_> = registered.iter().map(store::row::Model::days).collect();
        if let Some(ended) = model::cut(&days, new)?.and_then(|index| registered.get_mut(index)) {
            let days = Days {
                until: Some(new.from),
                ..ended.days()
            };
            store::save(write, ended, State::Granted, days, now).await?;
        }
        let entitlement = store::row::Model {
            id: EntitlementId::new().uuid(),
            agreement_id: agreement.id,
            party_id: agreement.party_id,
            branch: agreement.branch,
            kind: self.right.kind().code().to_owned(),
            persons: if let Right::Persons(persons) = self.right { persons } else { 0 },
            from_date: new.from,
            until_date: new.until,
            proof_sealed: desk.vault.seal(&**write, agreement.party_id, store::PROOF, &proof).await.map_err(unsealed)?,
            state: State::Granted.code().to_owned(),
            version: 1,
            created_at: now,
            updated_at: now,
            destitute: self.right == Right::LowIncome { destitute: true },
            next_mark_on: new.until.and_then(model::first_mark_on),
        };
        store::insert(write, std::slice::from_ref(&entitlement)).await?;
        write.subject(entitlement.id);
        tell_from(write, self.right.kind(), agreement.id, new.from).await?;
        Ok(store::show(write, &desk.vault, vec![entitlement]).await?.pop())
    }
}

/// Tells what is granted from a day on, and where nothing is: right for a listener whom the last word on a day replaces all before it,
/// and for one who keeps what was told of later days.
async fn tell_from(write: &mut Write, kind: Kind, agreement: Uuid, from: NaiveDate) -> Result<(), Fault> {
    for entitlement in store::granted(write, agreement, kind).await?.into_iter().filter(|e| e.from_date >= from) {
        tell(write, entitlement.right()?, agreement, entitlement.days());
        if let Some(until) = entitlement.until_date {
            tell_none(write, kind, agreement, until);
        }
    }
    Ok(())
}

/// Tells codes and days; proof and reason stay here.
pub(crate) fn tell(write: &mut Write, right: Right, agreement: Uuid, days: Days) {
    let agreement_id = agreement.to_string();
    let (from_date, until_date) = (Some(wire::date(days.from)), days.until.map(wire::date));
    match right {
        Right::Persons(persons) => write.event(
            agreement,
            &HouseholdSizeChanged {
                agreement_id,
                persons,
                from_date,
                until_date,
            },
        ),
        Right::LowIncome { destitute } => write.event(
            agreement,
            &LowIncomeFlagChanged {
                agreement_id,
                low_income: true,
                from_date,
                until_date,
                destitute,
            },
        ),
        Right::FlatPrice => write.event(
            agreement,
            &FlatPriceChosen {
                agreement_id,
                chosen: true,
                from_date,
                until_date,
            },
        ),
    }
}

fn tell_none(write: &mut Write, kind: Kind, agreement: Uuid, from: NaiveDate) {
    let agreement_id = agreement.to_string();
    let from_date = Some(wire::date(from));
    match kind {
        Kind::HouseholdSize => write.event(
            agreement,
            &HouseholdSizeChanged {
                agreement_id,
                persons: 0,
                from_date,
                until_date: None,
            },
        ),
        Kind::LowIncome => write.event(
            agreement,
            &LowIncomeFlagChanged {
                agreement_id,
                low_income: false,
                from_date,
                until_date: None,
                destitute: false,
            },
        ),
        Kind::FlatPrice => write.event(
            agreement,
            &FlatPriceChosen {
                agreement_id,
                chosen: false,
                from_date,
                until_date: None,
            },
        ),
    }
}

pub(crate) async fn withdraw(desk: Desk, call: Call, request: WithdrawEntitlementRequest) -> Result<WithdrawEntitlementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: EntitlementId = wire::id_of("entitlement_id", &request.entitlement_id)?;
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let mut entitlement = store::lock(&write, &Scope::of(&call), id.uuid()).await?;
    rpc::check_etag(&request.etag, entitlement.id, entitlement.version)?;
    let first = entitlement.from_date;
    let (state, days) = model::withdraw(entitlement.stands()?, entitlement.days(), from)?;
    store::save(&write, &mut entitlement, state, days, write.now().micros()).await?;
    if state == State::Withdrawn {
        store::ends_again(&write, &entitlement).await?;
    }
    write.subject(id);
    let kind = entitlement.is()?;
    tell_none(&mut write, kind, entitlement.agreement_id, from.max(first));
    tell_from(&mut write, kind, entitlement.agreement_id, from.max(first)).await?;
    let entitlement = store::show(&write, &desk.vault, vec![entitlement]).await?.pop();
    write.commit(WithdrawEntitlementResponse { entitlement }).await
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListEntitlementsRequest) -> Result<ListEntitlementsResponse, Fault> {
    let scope = Scope::of(&call);
    let page = Page::of(
        &call,
        &[&request.agreement_id, request.party_id.as_deref().unwrap_or_default()],
        request.page_size,
        &request.page_token,
    )?;
    let id: AgreementId = wire::id_of("agreement_id", &request.agreement_id)?;
    let agreement = agreements::load(desk.db.reader(), &scope, id.uuid()).await?;
    if request
        .party_id
        .as_ref()
        .is_some_and(|party| !party.eq_ignore_ascii_case(&agreement.party_id.to_string()))
    {
        return Err(Fault::not_found("agreement", id));
    }
    let rows = store::list(desk.db.reader(), &scope, agreement.id, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListEntitlementsResponse {
        entitlements: store::show(desk.db.reader(), &desk.vault, rows).await?,
        next_page_token,
    })
}
