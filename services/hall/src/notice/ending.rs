//! Entitlements of agreements that end soon (edge 14), shown until they have ended, are renewed or are withdrawn.

use calendar::NaiveDate;
use contracts::hearth::archive::v1::{
    ContractEnded, ContractVoided, EntitlementExpiring, FlatPriceChosen, HouseholdSizeChanged, LowIncomeFlagChanged, entitlement::Kind as Entitled,
};
use database::{Event, Write};
use prost::Name;
use rpc::{Fault, wire};
use sea_orm::{
    ColumnTrait, EntityTrait, QueryFilter,
    sea_query::{Expr, ExprTrait},
};

use super::{Kind, about, decode, notice, raise};

/// Cause of a notice of something that ends by itself.
const EXPIRES: &str = "EXPIRES";

/// What was told of the days of an agreement from one on.
struct Word {
    agreement: String,
    kind: Kind,
    /// Whether it is entitled from then on.
    entitled: bool,
    from: NaiveDate,
    until: Option<NaiveDate>,
}

pub(super) async fn take(write: &mut Write, event: &Event) -> Result<(), Fault> {
    let kind = event.r#type.as_str();
    if kind == EntitlementExpiring::full_name() {
        expires(write, event).await
    } else if kind == ContractEnded::full_name() {
        let told: ContractEnded = decode(event)?;
        gone(write, &told.agreement_id).await
    } else if kind == ContractVoided::full_name() {
        let told: ContractVoided = decode(event)?;
        gone(write, &told.agreement_id).await
    } else if let Some(word) = word(event)? {
        hear(write, word).await
    } else {
        Ok(())
    }
}

fn word(event: &Event) -> Result<Option<Word>, Fault> {
    let name = event.r#type.as_str();
    let (agreement, kind, entitled, from, until) = if name == HouseholdSizeChanged::full_name() {
        let told: HouseholdSizeChanged = decode(event)?;
        (told.agreement_id, Kind::HouseholdSizeEnds, told.persons > 0, told.from_date, told.until_date)
    } else if name == LowIncomeFlagChanged::full_name() {
        let told: LowIncomeFlagChanged = decode(event)?;
        (told.agreement_id, Kind::LowIncomeEnds, told.low_income, told.from_date, told.until_date)
    } else if name == FlatPriceChosen::full_name() {
        let told: FlatPriceChosen = decode(event)?;
        (told.agreement_id, Kind::FlatPriceEnds, told.chosen, told.from_date, told.until_date)
    } else {
        return Ok(None);
    };
    Ok(Some(Word {
        agreement,
        kind,
        entitled,
        from: wire::date_of(from.as_ref(), "from_date")?,
        until: wire::date_if(until.as_ref(), "until_date")?,
    }))
}

async fn expires(write: &mut Write, event: &Event) -> Result<(), Fault> {
    let told: EntitlementExpiring = decode(event)?;
    let kind = match told.kind() {
        Entitled::HouseholdSize => Kind::HouseholdSizeEnds,
        Entitled::LowIncome => Kind::LowIncomeEnds,
        Entitled::FlatPrice => Kind::FlatPriceEnds,
        // Of a later release.
        Entitled::Unspecified => return Ok(()),
    };
    let since = match &event.time {
        Some(time) => wire::time_of(Some(time), "time")?,
        None => write.now(),
    };
    let until = wire::date_of(told.until_date.as_ref(), "until_date")?;
    let mut row = about(&told.party_id, kind, EXPIRES, since.date(), Some(until));
    row.agreement_id = told.agreement_id;
    raise(write, row).await
}

/// Each grant tells all later entitlements again, with their ends: a notice goes where its end is not one any more, and stays, or comes back, where what was
/// told up to that end is told again. That nothing follows its end is what it says.
async fn hear(write: &mut Write, word: Word) -> Result<(), Fault> {
    let (reached, live) = match (word.entitled, word.until) {
        (false, _) => (notice::Column::UntilOn.gt(word.from), Expr::value(false)),
        (true, None) => (notice::Column::UntilOn.gte(word.from), Expr::value(false)),
        (true, Some(until)) => (notice::Column::UntilOn.gte(word.from), Expr::col(notice::Column::UntilOn).eq(until)),
    };
    let done = notice::Entity::update_many()
        .col_expr(notice::Column::Live, live)
        .filter(notice::Column::AgreementId.eq(&word.agreement))
        .filter(notice::Column::Kind.eq(word.kind))
        .filter(reached)
        .exec(&**write)
        .await?;
    if done.rows_affected > 0 {
        write.subject(word.agreement);
    }
    Ok(())
}

/// Who has moved out renews nothing, whatever is told of the agreement later.
async fn gone(write: &mut Write, agreement: &str) -> Result<(), Fault> {
    let done = notice::Entity::delete_many()
        .filter(notice::Column::AgreementId.eq(agreement))
        .exec(&**write)
        .await?;
    if done.rows_affected > 0 {
        write.subject(agreement);
    }
    Ok(())
}
