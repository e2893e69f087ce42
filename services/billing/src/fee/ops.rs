//! Publication and withdrawal of fee items, and charges.

use calendar::NaiveDate;
use chrono::{Datelike, Days};
use contracts::hearth::billing::v1::{
    ChargeFeeRequest, ChargeFeeResponse, FeeItemPublished, FeeItemWithdrawn, PublishFeeItemRequest, PublishFeeItemResponse, WithdrawFeeItemRequest,
    WithdrawFeeItemResponse,
};
use database::{Begun, Scope, Write};
use money::{UnitPrice, Volume};
use rpc::{Call, Fault, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;

use super::{
    model::{Draft, ItemState, amount, applies, check, state_on},
    store::{self, fee_item},
};
use crate::{
    Desk, Refusal,
    bill::{
        issue::issue,
        model::{BillKind, BillState},
        ops::{settle_others, take_all_back},
        store::{self as bills, FEE, bill, line},
    },
    profile::store::book,
    supply::{
        hold,
        model::{SupplyState, TermKind},
        store::{self as supplies, supply},
    },
    table,
};

/// PublishFeeItem.
pub async fn publish(desk: Desk, call: Call, request: PublishFeeItemRequest) -> Result<PublishFeeItemResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let until = wire::date_if(request.until_date.as_ref(), "until_date")?;
    let price: UnitPrice = wire::decimal_of(request.price.as_ref(), "price")?;
    let draft = Draft {
        code: &request.code,
        name: &request.name,
        price,
        legal_basis: &request.legal_basis,
        approving_body: &request.approving_body,
        from,
        until,
    };
    check(&draft)?;
    let today = write.now().date();
    let before = store::versions(&write, &request.code).await?;
    if let Some(open) = before.iter().find(|v| v.until_date.is_none() && v.from_date < from) {
        // What was charged up to today was charged at the price that was published.
        if from <= today {
            return Err(Fault::from(Refusal::FeeItemTooSoon).field("from_date"));
        }
        end(&mut write, open.clone(), from).await?;
    }
    let row = fee_item::Model {
        id: Uuid::now_v7(),
        code: request.code.clone(),
        version: before.last().map_or(1, |v| v.version.saturating_add(1)),
        name: request.name.clone(),
        unit: request.unit.clone(),
        price: price.micros(),
        legal_basis: request.legal_basis.clone(),
        approving_body: request.approving_body.clone(),
        from_date: from,
        until_date: until,
        customer_classes: request.customer_classes.join("\n"),
        published_by: call.subject().to_owned(),
        created_at: write.now().micros(),
        revision: 1,
    };
    table::insert::<fee_item::Entity>(&write, row.clone()).await?;
    write.subject(row.id);
    write.event(
        &row.code,
        &FeeItemPublished {
            fee_item_id: row.id.to_string(),
            code: row.code.clone(),
            version: row.version,
            name: row.name.clone(),
            unit: row.unit.clone(),
            price: Some(wire::decimal(price.short())),
            legal_basis: row.legal_basis.clone(),
            approving_body: row.approving_body.clone(),
            from_date: Some(wire::date(from)),
            until_date: until.map(wire::date),
            customer_classes: request.customer_classes.clone(),
        },
    );
    write
        .commit(PublishFeeItemResponse {
            fee_item: Some(store::message(&row, today)),
        })
        .await
}

/// WithdrawFeeItem (edge 46).
pub async fn withdraw(desk: Desk, call: Call, request: WithdrawFeeItemRequest) -> Result<WithdrawFeeItemResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let day = wire::date_of(request.until_date.as_ref(), "until_date")?;
    let id: Uuid = wire::id_of("fee_item_id", &request.fee_item_id)?;
    let row = fee_item::Entity::find_by_id(id)
        .lock_exclusive()
        .one(&*write)
        .await?
        .ok_or_else(|| Fault::not_found("fee item", id))?;
    rpc::check_etag(&request.etag, row.id, row.revision)?;
    if day < row.from_date {
        return Err(Fault::from(Refusal::DateOrder).field("until_date"));
    }
    if row.until_date.is_some_and(|until| until <= day) {
        return Err(Refusal::FeeItemEnded.into());
    }
    let row = end(&mut write, row, day).await?;
    // What was charged for days on which it had no ground any more is given back.
    let unfounded = bill::Entity::find()
        .filter(bill::Column::FeeItemId.eq(id))
        .filter(bill::Column::ToDate.gte(day))
        .filter(bill::Column::State.ne(BillState::Reversed.code()))
        .order_by_asc(bill::Column::Id)
        .all(&*write)
        .await?;
    let mut accounts: Vec<Uuid> = unfounded.iter().map(|b| b.account_id).collect();
    accounts.sort_unstable();
    accounts.dedup();
    supplies::lock_accounts(&write, &accounts).await?;
    let unfounded = bills::by_ids(&write, &unfounded.iter().map(|b| b.id).collect::<Vec<_>>()).await?;
    let standing = unfounded.into_iter().filter(|bill| bill.state != BillState::Reversed.code()).collect();
    let reversed = take_all_back(&mut write, standing, &request.reason).await?;
    let reversed = reversed.iter().map(|bill| bill.id.to_string()).collect();
    for account in accounts {
        settle_others(&mut write, account).await?;
    }
    write.subject(row.id);
    let today = write.now().date();
    write
        .commit(WithdrawFeeItemResponse {
            fee_item: Some(store::message(&row, today)),
            reversed_bill_ids: reversed,
        })
        .await
}

/// Ends a version and tells it.
async fn end(write: &mut Write, mut row: fee_item::Model, day: NaiveDate) -> Result<fee_item::Model, Fault> {
    row.until_date = Some(day);
    row.revision = row.revision.saturating_add(1);
    fee_item::Entity::update_many()
        .col_expr(fee_item::Column::UntilDate, row.until_date.into())
        .col_expr(fee_item::Column::Revision, row.revision.into())
        .filter(fee_item::Column::Id.eq(row.id))
        .exec(&**write)
        .await?;
    write.event(
        &row.code,
        &FeeItemWithdrawn {
            fee_item_id: row.id.to_string(),
            code: row.code.clone(),
            until_date: Some(wire::date(day)),
        },
    );
    Ok(row)
}

/// ChargeFee: the item in force on the day of the service says the price.
pub async fn charge(desk: Desk, call: Call, request: ChargeFeeRequest) -> Result<ChargeFeeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let day = wire::date_if(request.service_date.as_ref(), "service_date")?.unwrap_or(today);
    if day > today {
        return Err(Fault::from(Refusal::FutureService).field("service_date"));
    }
    let scope = Scope::of(&call);
    let account = supplies::account(&write, &scope, wire::id_of("account_id", &request.account_id)?).await?;
    supplies::lock_accounts(&write, &[account.id]).await?;
    let agreement = agreement(&write, account.id, request.agreement_id.as_deref()).await?;
    let class = class_on(&write, agreement.id, day).await?;
    let item = item_for(&write, &request.fee_item_code, day, &class).await?;
    let units: Volume = wire::decimal_of(request.quantity.as_ref(), "quantity")?;
    let amount = amount(units, item.price()).map_err(|r| Fault::from(r).field("quantity"))?;
    let due_days = book(&write).await?.on(&account.branch, today).due_days;
    let row = fee_bill(&agreement, &item, class, Span { day, today, due_days }, amount.fen(), write.now().micros());
    let line = line::Model {
        bill_id: row.id,
        ordinal: 0,
        tier: 0,
        volume: units.litres(),
        price: item.price,
        amount: row.amount,
        reason: FEE.to_owned(),
        tariff_id: None,
        tier_year: row.tier_year,
        from_date: row.from_date,
        to_date: row.to_date,
        unit: None,
    };
    let issued = issue(&mut write, vec![row], vec![line.clone()], vec![]).await?;
    let row = issued.first().ok_or_else(|| Fault::internal("a charge without a bill"))?;
    // B-05, G-11: no purchase on credit. What is refused here leaves nothing behind.
    if row.rest() > 0 && hold::pays_ahead(&write, account.party_id, today).await? {
        return Err(Refusal::PrepaymentRequired.into());
    }
    write.subject(row.id);
    let bill = bills::message(row, &[line])?;
    write.commit(ChargeFeeResponse { bill: Some(bill) }).await
}

/// The agreement that a charge is for: the one named, or the only one that stands.
async fn agreement(write: &Write, account: Uuid, named: Option<&str>) -> Result<supply::Model, Fault> {
    let mut select = supply::Entity::find()
        .filter(supply::Column::AccountId.eq(account))
        .filter(supply::Column::State.ne(SupplyState::Voided.code()));
    let named: Option<Uuid> = named.map(|id| wire::id_of("agreement_id", id)).transpose()?;
    if let Some(id) = named {
        select = select.filter(supply::Column::Id.eq(id));
    }
    let mut found = select.all(&**write).await?;
    match (found.pop(), named) {
        (Some(only), _) if found.is_empty() => Ok(only),
        (None, Some(id)) => Err(Fault::not_found("agreement", id)),
        _ => Err(Fault::from(Refusal::AgreementNotNamed).field("agreement_id")),
    }
}

/// The class of use of an agreement on a day; before its first day the first one.
async fn class_on(write: &Write, agreement: Uuid, day: NaiveDate) -> Result<String, Fault> {
    let terms = supplies::terms(write, &[agreement]).await?;
    let mut classes: Vec<_> = terms.into_iter().filter(|t| t.kind == TermKind::UseClass.code()).collect();
    let at = classes
        .iter()
        .position(|t| t.from_date <= day && t.until_date.is_none_or(|until| until > day))
        .unwrap_or(0);
    Ok(if classes.is_empty() { String::new() } else { classes.swap_remove(at).value })
}

/// The version of an item that prices a service of a day for a class.
async fn item_for(write: &Write, code: &str, day: NaiveDate, class: &str) -> Result<fee_item::Model, Fault> {
    let versions = store::versions(write, code).await?;
    if versions.is_empty() {
        return Err(Fault::from(Refusal::FeeItemUnknown).field("fee_item_code"));
    }
    let item = versions
        .into_iter()
        .find(|v| state_on(v.from_date, v.until_date, day) == ItemState::InForce)
        .ok_or_else(|| Fault::from(Refusal::FeeItemNotInForce).field("fee_item_code"))?;
    // In force by its document, but nobody could read its price here yet.
    if day < item.publish_date() {
        return Err(Fault::from(Refusal::FeeItemUnpublished).field("service_date"));
    }
    if !applies(&item.classes(), class) {
        return Err(Fault::from(Refusal::FeeItemClass).field("fee_item_code"));
    }
    Ok(item)
}

/// Days of a charge.
struct Span {
    /// Of the service.
    day: NaiveDate,
    today: NaiveDate,
    due_days: i32,
}

fn fee_bill(agreement: &supply::Model, item: &fee_item::Model, class: String, span: Span, amount: i64, now: i64) -> bill::Model {
    let due = Days::new(u64::from(span.due_days.unsigned_abs()));
    bill::Model {
        id: Uuid::now_v7(),
        bill_no: String::new(),
        kind: BillKind::Fee.code().to_owned(),
        state: String::new(),
        agreement_id: agreement.id,
        account_id: agreement.account_id,
        account_no: agreement.account_no.clone(),
        party_id: agreement.party_id,
        branch: agreement.branch.clone(),
        year: span.day.year(),
        month: i32::try_from(span.day.month()).unwrap_or(0),
        // As the period of a reading: after the day before, up to and with the day of the service.
        from_date: span.day.pred_opt().unwrap_or(NaiveDate::MIN),
        to_date: span.day,
        from_index: 0,
        to_index: 0,
        volume: 0,
        volume_before: 0,
        tier_year: span.day.year(),
        use_class: class,
        tariff_id: None,
        amount,
        paid: 0,
        issue_date: span.today,
        due_date: span.today.checked_add_days(due).unwrap_or(span.today),
        de_facto: false,
        low_income: false,
        persons: 0,
        installation_id: None,
        reading_id: None,
        run_id: None,
        credit_note_no: String::new(),
        created_at: now,
        version: 1,
        fee_item_id: Some(item.id),
        delivered_date: None,
        service: Some(agreement.service.clone()),
        season: None,
        unit: None,
        replaces_bill_id: None,
        credited: 0,
        estimated: false,
    }
}
