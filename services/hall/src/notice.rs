//! What has to be known about a customer before anything is promised (提示横幅): credit holds, the list of dishonest customers and entitlements that end,
//! as archive tells them. Basic supply is never refused for them.

mod ending;

use std::collections::BTreeMap;

use calendar::NaiveDate;
use contracts::hearth::{
    archive::v1::{
        AccountOpened, CreditHoldCleared, CreditHoldRaised, KeyAccountDesignated, KeyAccountDowngraded, KeyAccountWithdrawn, PartyListedDishonest,
        PartyListingEnded,
    },
    hall::v1::CustomerNotice,
};
use database::{Conn, Consumer, Event, Write};
use prost::{Message, Name};
use rpc::{Fault, wire};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use crate::{
    callback::key_account,
    codes::{Code, codes},
    rows::{columns, table},
};

codes! {
    /// What a notice is about.
    pub enum Kind {
        CreditHold = 1 "CREDIT_HOLD",
        ListedDishonest = 2 "LISTED_DISHONEST",
        HouseholdSizeEnds = 3 "HOUSEHOLD_SIZE_ENDS",
        LowIncomeEnds = 4 "LOW_INCOME_ENDS",
        FlatPriceEnds = 5 "FLAT_PRICE_ENDS",
    }
}
columns!(Kind);

table! {
    notice "customer_notice" {
        party_id: String,
        kind: Kind,
        cause: String,
        since_on: NaiveDate,
        until_on: Option<NaiveDate>,
        live: bool,
        agreement_id: String,
    }
}
table! {
    /// Which party an account is of; the id is that of the account.
    account "customer_account" {
        party_id: String,
    }
}

/// The notices that hold on a day for a party, or for the party of an account.
pub async fn of(conn: &Conn, party: &str, account: Option<Uuid>, day: NaiveDate) -> Result<Vec<CustomerNotice>, Fault> {
    let party = match (party.is_empty(), account) {
        (false, _) => party.to_owned(),
        (true, None) => return Ok(vec![]),
        (true, Some(account)) => match account::Entity::find_by_id(account).one(conn).await? {
            Some(row) => row.party_id,
            None => return Ok(vec![]),
        },
    };
    let rows = notice::Entity::find()
        .filter(notice::Column::PartyId.eq(party))
        .filter(notice::Column::Live.eq(true))
        .filter(notice::Column::SinceOn.lte(day))
        .order_by_asc(notice::Column::Kind)
        .order_by_asc(notice::Column::UntilOn)
        .all(conn)
        .await?;
    let holds = rows.into_iter().filter(|row| row.until_on.is_none_or(|until| until > day));
    Ok(holds
        .map(|row| CustomerNotice {
            kind: row.kind.number(),
            cause: row.cause,
            since_date: Some(wire::date(row.since_on)),
            until_date: row.until_on.map(wire::date),
            agreement_id: row.agreement_id,
        })
        .collect())
}

/// An account of each party that has one: the first that was opened.
pub async fn accounts(conn: &Conn, parties: &[Uuid]) -> Result<BTreeMap<Uuid, Uuid>, Fault> {
    let select = account::Entity::find()
        .filter(account::Column::PartyId.is_in(parties.iter().map(Uuid::to_string)))
        .order_by_desc(account::Column::Id);
    let rows = select.all(conn).await?;
    Ok(rows
        .into_iter()
        .filter_map(|row| Some((Uuid::try_parse(&row.party_id).ok()?, row.id)))
        .collect())
}

/// Takes the events of the archive service.
pub struct ArchiveEvents;

#[tonic::async_trait]
impl Consumer for ArchiveEvents {
    async fn take(&self, write: &mut Write, event: &Event) -> Result<(), Fault> {
        let kind = event.r#type.as_str();
        if kind == AccountOpened::full_name() {
            let opened: AccountOpened = decode(event)?;
            belongs(write, &opened.account_id, &opened.party_id).await
        } else if kind == CreditHoldRaised::full_name() {
            let raised: CreditHoldRaised = decode(event)?;
            let since = wire::date_of(raised.raised_date.as_ref(), "raised_date")?;
            for account in &raised.account_ids {
                belongs(write, account, &raised.party_id).await?;
            }
            raise(write, about(&raised.party_id, Kind::CreditHold, &raised.cause, since, None)).await
        } else if kind == CreditHoldCleared::full_name() {
            let cleared: CreditHoldCleared = decode(event)?;
            clear(write, &cleared.party_id, Kind::CreditHold).await
        } else if kind == PartyListedDishonest::full_name() {
            let listed: PartyListedDishonest = decode(event)?;
            let since = wire::date_of(listed.from_date.as_ref(), "from_date")?;
            let until = wire::date_if(listed.until_date.as_ref(), "until_date")?;
            list(write, about(&listed.party_id, Kind::ListedDishonest, &listed.conduct_code, since, until)).await
        } else if kind == PartyListingEnded::full_name() {
            let ended: PartyListingEnded = decode(event)?;
            clear(write, &ended.party_id, Kind::ListedDishonest).await
        } else if kind == KeyAccountDesignated::full_name() {
            let told: KeyAccountDesignated = decode(event)?;
            key_account::designated(write, &told.party_id, told.branch, told.account_manager).await
        } else if kind == KeyAccountDowngraded::full_name() {
            let told: KeyAccountDowngraded = decode(event)?;
            key_account::ended(write, &told.party_id).await
        } else if kind == KeyAccountWithdrawn::full_name() {
            let told: KeyAccountWithdrawn = decode(event)?;
            key_account::ended(write, &told.party_id).await
        } else {
            ending::take(write, event).await
        }
    }
}

fn decode<M: Message + Default>(event: &Event) -> Result<M, Fault> {
    M::decode(event.data.as_slice()).map_err(Fault::internal)
}

async fn belongs(write: &Write, account: &str, party: &str) -> Result<(), Fault> {
    let row = account::Model {
        id: Uuid::try_parse(account).map_err(Fault::internal)?,
        party_id: party.to_owned(),
    };
    let newest = OnConflict::column(account::Column::Id).update_column(account::Column::PartyId).to_owned();
    account::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(newest)
        .exec_without_returning(&**write)
        .await?;
    Ok(())
}

/// A notice about a party.
fn about(party: &str, kind: Kind, cause: &str, since: NaiveDate, until: Option<NaiveDate>) -> notice::Model {
    notice::Model {
        id: Uuid::now_v7(),
        party_id: party.to_owned(),
        kind,
        cause: cause.to_owned(),
        since_on: since,
        until_on: until,
        live: true,
        agreement_id: String::new(),
    }
}

/// Shows a listing: of two the earlier begin and the later end hold.
async fn list(write: &mut Write, mut row: notice::Model) -> Result<(), Fault> {
    let before = notice::Entity::find()
        .filter(notice::Column::PartyId.eq(&row.party_id))
        .filter(notice::Column::Kind.eq(row.kind))
        .filter(notice::Column::Live.eq(true));
    if let Some(before) = before.one(&**write).await? {
        row.since_on = row.since_on.min(before.since_on);
        row.until_on = row.until_on.zip(before.until_on).map(|(new, old)| new.max(old));
    }
    raise(write, row).await
}

/// Shows a notice; one of its kind that is shown already takes the new cause and days.
async fn raise(write: &mut Write, row: notice::Model) -> Result<(), Fault> {
    let party = row.party_id.clone();
    let newest = OnConflict::columns([notice::Column::PartyId, notice::Column::Kind, notice::Column::AgreementId])
        .update_columns([notice::Column::Cause, notice::Column::SinceOn, notice::Column::UntilOn, notice::Column::Live])
        .to_owned();
    notice::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(newest)
        .exec_without_returning(&**write)
        .await?;
    write.subject(party);
    Ok(())
}

async fn clear(write: &mut Write, party: &str, kind: Kind) -> Result<(), Fault> {
    notice::Entity::update_many()
        .col_expr(notice::Column::Live, Expr::value(false))
        .filter(notice::Column::PartyId.eq(party))
        .filter(notice::Column::Kind.eq(kind))
        .exec(&**write)
        .await?;
    write.subject(party);
    Ok(())
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1::customer_notice;

    use super::*;

    #[test]
    fn the_list_is_that_of_the_contract() {
        crate::codes::assert_contract::<Kind>("KIND_", |n| customer_notice::Kind::try_from(n).ok().map(|v| v.as_str_name()));
    }
}
