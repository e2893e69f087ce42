//! Tables of the copy.

use std::collections::HashMap;

use calendar::NaiveDate;
use contracts::hearth::billing::v1 as proto;
use database::{Conn, Scope, Scoped, Write, find};
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveModelTrait, ActiveValue::Set, ColumnTrait, ConnectionTrait, DbBackend, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect,
    sea_query::OnConflict,
};
use uuid::Uuid;

use super::model::{Change, DESTITUTE, Service, Span, SupplyState, TermKind, replaced};
use crate::{
    fetch::{self, placed},
    run::model::{Term, Terms},
    table,
    words::known,
};

table!(account, "account", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    state: String,
});
placed!(supply, "supply", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    agreement_no: String,
    account_id: Uuid,
    account_no: String,
    party_id: Uuid,
    branch: String,
    service: String,
    state: String,
    from_date: Option<Date>,
    end_date: Option<Date>,
    opened_date: Option<Date>,
    filed_no: i64,
    /// Archive's key; none where the agreement was told of before it was kept.
    premises_id: Option<Uuid>,
});
placed!(term, "supply_term", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    agreement_id: Uuid,
    kind: String,
    value: String,
    from_date: Date,
    until_date: Option<Date>,
});

impl Scoped for account::Entity {
    const BRANCH: Option<account::Column> = Some(account::Column::Branch);
    const CUSTOMER: Option<account::Column> = Some(account::Column::PartyId);
}

impl Scoped for supply::Entity {
    const BRANCH: Option<supply::Column> = Some(supply::Column::Branch);
    const CUSTOMER: Option<supply::Column> = Some(supply::Column::PartyId);
}

/// Series of the numbers by which agreements are filed.
pub const FILED: &str = "SUPPLY";

/// Files an account, or what is new about it.
pub async fn keep_account(conn: &Conn, row: account::Model) -> Result<(), Fault> {
    let conflict = OnConflict::column(account::Column::Id)
        .update_columns([account::Column::PartyId, account::Column::Branch])
        .to_owned();
    account::Entity::insert(row.into_active_model().reset_all())
        .on_conflict(conflict)
        .exec_without_returning(conn)
        .await?;
    Ok(())
}

/// An account that the caller may see.
pub async fn account(conn: &Conn, scope: &Scope, id: Uuid) -> Result<account::Model, Fault> {
    find::<account::Entity>(scope)
        .filter(account::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("account", id))
}

/// Locks accounts in the order of their keys: bills, payments and reversals of an account queue here. On SQLite who writes is alone.
pub async fn lock_accounts(write: &Write, ids: &[Uuid]) -> Result<(), Fault> {
    if write.get_database_backend() == DbBackend::Sqlite {
        return Ok(());
    }
    account::Entity::find()
        .select_only()
        .column(account::Column::Id)
        .filter(table::among(write, account::Column::Id, ids.iter().copied()))
        .order_by_asc(account::Column::Id)
        .lock_exclusive()
        .into_tuple::<Uuid>()
        .all(&**write)
        .await?;
    Ok(())
}

/// A supply that the caller may see.
pub async fn supply(conn: &Conn, scope: &Scope, id: Uuid) -> Result<supply::Model, Fault> {
    find::<supply::Entity>(scope)
        .filter(supply::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("agreement", id))
}

/// Supplies by their ids.
pub async fn of_ids(conn: &Conn, ids: &[Uuid]) -> Result<Vec<supply::Model>, Fault> {
    fetch::all(conn, supply::Entity::find().filter(table::among(conn, supply::Column::Id, ids.iter().copied()))).await
}

/// What payments of accounts are for where nothing else is said: gas, or heat for an account that has heat alone (9.5).
pub async fn services(conn: &Conn, accounts: &[Uuid]) -> Result<HashMap<Uuid, Service>, Fault> {
    let rows = supply::Entity::find()
        .filter(supply::Column::AccountId.is_in(accounts.iter().copied()))
        .filter(supply::Column::State.ne(SupplyState::Voided.code()))
        .all(conn)
        .await?;
    let mut services = HashMap::new();
    for row in rows {
        let service = services.entry(row.account_id).or_insert(Service::Heat);
        if row.service != Service::Heat.code() {
            *service = Service::Gas;
        }
    }
    Ok(services)
}

/// The agreements of account numbers for a service that the caller may see, those in force first.
pub async fn of_accounts(conn: &Conn, scope: &Scope, account_nos: &[&str]) -> Result<Vec<supply::Model>, Fault> {
    let rows = find::<supply::Entity>(scope)
        .filter(supply::Column::AccountNo.is_in(account_nos.iter().copied()))
        .filter(supply::Column::State.is_in([SupplyState::Signed.code(), SupplyState::InForce.code()]))
        .order_by_asc(supply::Column::State)
        .order_by_asc(supply::Column::Id)
        .all(conn)
        .await?;
    Ok(rows)
}

/// Replaces a term for the days from `from` on.
pub async fn put_term(conn: &Conn, agreement: Uuid, kind: TermKind, value: Option<String>, from: NaiveDate, until: Option<NaiveDate>) -> Result<(), Fault> {
    let rows = term::Entity::find()
        .filter(term::Column::AgreementId.eq(agreement))
        .filter(term::Column::Kind.eq(kind.code()))
        .all(conn)
        .await?;
    let spans: Vec<_> = rows
        .iter()
        .map(|r| Span {
            key: r.id,
            from: r.from_date,
            until: r.until_date,
        })
        .collect();
    for change in replaced(&spans, from) {
        match change {
            Change::Gone(id) => {
                term::Entity::delete_by_id(id).exec(conn).await?;
            }
            Change::Ends(id, day) => {
                term::Entity::update_many()
                    .col_expr(term::Column::UntilDate, Some(day).into())
                    .filter(term::Column::Id.eq(id))
                    .exec(conn)
                    .await?;
            }
        }
    }
    if let Some(value) = value
        && until.is_none_or(|until| until > from)
    {
        let row = term::Model {
            id: Uuid::now_v7(),
            agreement_id: agreement,
            kind: kind.code().to_owned(),
            value,
            from_date: from,
            until_date: until,
        };
        table::insert::<term::Entity>(conn, row).await?;
    }
    Ok(())
}

/// Terms of many agreements, oldest first.
pub async fn terms(conn: &Conn, agreements: &[Uuid]) -> Result<Vec<term::Model>, Fault> {
    let select = term::Entity::find().filter(table::among(conn, term::Column::AgreementId, agreements.iter().copied()));
    let mut terms: Vec<term::Model> = fetch::all(conn, select).await?;
    terms.sort_by_key(|t| t.from_date);
    Ok(terms)
}

/// The terms of one agreement as a run reads them.
pub fn terms_of<'a>(supply: &supply::Model, rows: impl Iterator<Item = &'a term::Model>) -> Terms {
    let in_force = supply.state == SupplyState::InForce.code() || supply.state == SupplyState::Ended.code();
    let mut terms = Terms {
        from: supply.from_date.filter(|_| in_force),
        end: supply.end_date,
        ..Terms::default()
    };
    for row in rows {
        let (from, until) = (row.from_date, row.until_date);
        match TermKind::of(&row.kind) {
            Some(TermKind::UseClass) => terms.classes.push(Term {
                value: row.value.clone(),
                from,
                until,
            }),
            Some(TermKind::Persons) => terms.persons.push(Term {
                value: row.value.parse().unwrap_or(0),
                from,
                until,
            }),
            Some(TermKind::LowIncome) => terms.low_income.push(Term {
                value: if row.value == DESTITUTE {
                    rating::LowIncome::Destitute
                } else {
                    rating::LowIncome::Subsistence
                },
                from,
                until,
            }),
            Some(TermKind::FlatPrice) => terms.flat_price.push(Term { value: (), from, until }),
            None => {}
        }
    }
    terms
}

/// Applies a change to a supply.
pub async fn change(conn: &Conn, row: supply::ActiveModel) -> Result<(), Fault> {
    supply::Entity::update(row).exec(conn).await?;
    Ok(())
}

/// Files a supply.
pub async fn keep(conn: &Conn, row: supply::Model) -> Result<(), Fault> {
    table::insert::<supply::Entity>(conn, row).await?;
    Ok(())
}

/// Starts a change of one supply.
pub fn editing(id: Uuid) -> supply::ActiveModel {
    supply::ActiveModel {
        id: Set(id),
        ..Default::default()
    }
}

/// A page of supplies with their terms.
pub async fn list(conn: &Conn, scope: &Scope, page: &Page, account_no: &str, branch: &str) -> Result<(Vec<proto::Supply>, String), Fault> {
    let mut select = find::<supply::Entity>(scope).order_by_asc(supply::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(supply::Column::Id.gt(after));
    }
    if !account_no.is_empty() {
        select = select.filter(supply::Column::AccountNo.eq(account_no));
    }
    if !branch.is_empty() {
        select = select.filter(supply::Column::Branch.eq(branch));
    }
    let (rows, next) = page.cut(select.all(conn).await?, |r| r.id);
    let terms = terms(conn, &rows.iter().map(|r| r.id).collect::<Vec<_>>()).await?;
    let messages = rows.iter().map(|row| message(row, &terms)).collect::<Result<_, _>>()?;
    Ok((messages, next))
}

/// The message of a supply; `terms` may hold those of others too.
pub fn message(row: &supply::Model, terms: &[term::Model]) -> Result<proto::Supply, Fault> {
    let own = || terms.iter().filter(|t| t.agreement_id == row.id);
    let entitlements = own().filter_map(|t| {
        let code = match TermKind::of(&t.kind)? {
            TermKind::UseClass => return None,
            TermKind::Persons => format!("HOUSEHOLD_{}", t.value),
            TermKind::LowIncome if t.value == DESTITUTE => DESTITUTE.to_owned(),
            TermKind::LowIncome => "LOW_INCOME".to_owned(),
            TermKind::FlatPrice => "FLAT_PRICE".to_owned(),
        };
        Some(proto::Entitlement {
            code,
            from_date: Some(wire::date(t.from_date)),
            until_date: t.until_date.map(wire::date),
        })
    });
    let classes = own().filter(|t| t.kind == TermKind::UseClass.code());
    Ok(proto::Supply {
        agreement_id: row.id.to_string(),
        agreement_no: row.agreement_no.clone(),
        account_id: row.account_id.to_string(),
        account_no: row.account_no.clone(),
        party_id: row.party_id.to_string(),
        branch: row.branch.clone(),
        service: row.service.clone(),
        state: known(SupplyState::of(&row.state), &row.state)?.number(),
        in_force_date: row.from_date.map(wire::date),
        end_date: row.end_date.map(wire::date),
        use_classes: classes
            .map(|t| proto::UseClass {
                use_class: t.value.clone(),
                from_date: Some(wire::date(t.from_date)),
            })
            .collect(),
        entitlements: entitlements.collect(),
    })
}
