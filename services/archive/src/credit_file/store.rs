use std::collections::BTreeMap;

use chrono::NaiveDate;
use contracts::hearth::archive::v1 as proto;
use database::{Conn, Scope, Scoped};
use money::Money;
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ActiveModelTrait, ColumnTrait, EntityTrait, IntoActiveModel, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Expr, IntoCondition, SelectStatement},
};
use uuid::Uuid;
use vault::Vault;

use super::model::{self, Capital, Content, FactKind, Form, State, Validity};
use crate::{party::model::Kind as PartyKind, table, unknown_code, unsealed};

/// Column name as the vault knows it.
pub(crate) const CONTENT: &str = "credit_fact.content";

table!(row, "credit_file", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    file_no: String,
    party_id: Uuid,
    party_kind: String,
    branch: String,
    state: String,
    last_verified_on: Option<Date>,
    next_check_on: Option<Date>,
    lapses_on: Option<Date>,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(fact, "credit_fact", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    file_id: Uuid,
    party_id: Uuid,
    branch: String,
    kind: String,
    item: String,
    content_sealed: Vec<u8>,
    source: String,
    as_of: Date,
    valid_to: Option<Date>,
    long_term: bool,
    entered_by: String,
    created_at: i64,
});

table!(watch, "licence_watch", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    fact_id: Uuid,
    file_id: Uuid,
    party_id: Uuid,
    branch: String,
    kind: String,
    valid_to: Date,
    warned: Option<i32>,
    next_mark_on: Option<Date>,
});

impl Scoped for row::Entity {
    const BRANCH: Option<row::Column> = Some(row::Column::Branch);
}
impl Scoped for watch::Entity {
    const BRANCH: Option<watch::Column> = Some(watch::Column::Branch);
}

impl row::Model {
    pub(crate) fn stands(&self) -> Result<State, Fault> {
        State::of(&self.state).ok_or_else(|| unknown_code("credit_file.state"))
    }
    pub(crate) fn party(&self) -> Result<PartyKind, Fault> {
        PartyKind::of(&self.party_kind).ok_or_else(|| unknown_code("credit_file.party_kind"))
    }
}

impl fact::Model {
    pub(crate) fn is(&self) -> Result<FactKind, Fault> {
        FactKind::of(&self.kind).ok_or_else(|| unknown_code("credit_fact.kind"))
    }
    pub(crate) fn rule(&self) -> Result<model::Fact, Fault> {
        Ok(model::Fact {
            id: self.id,
            kind: self.is()?,
            item: self.item.clone(),
            as_of: self.as_of,
            validity: Validity::of(self.valid_to, self.long_term).ok_or_else(|| unknown_code("credit_fact.long_term"))?,
        })
    }
}

/// What the rules see of facts.
pub(crate) fn rules(facts: &[fact::Model]) -> Result<Vec<model::Fact>, Fault> {
    facts.iter().map(fact::Model::rule).collect()
}

/// What a credit file says about a party to those who rate it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FileStanding {
    /// Required facts that are present and unexpired, in basis points of the required ones.
    pub completeness_bp: i64,
    /// The earliest last day of the licence and the certifications; none where there are none, or all are long-term. What a closed file says of them
    /// holds until another one says something newer.
    pub paper_until: Option<NaiveDate>,
    /// Whether there is a file that is not closed.
    pub has_file: bool,
}

/// How the credit file of a party stands on a day (H-02, H-03).
///
/// # Errors
/// Those of the database.
pub async fn standing(conn: &Conn, party_id: Uuid, today: NaiveDate) -> Result<FileStanding, Fault> {
    let mut facts = facts_of(conn, party_id).await?;
    let known = rules(&facts)?;
    let papers = model::current(&known).into_iter().filter(|fact| fact.kind.is_paper());
    let paper_until = papers.filter_map(|fact| fact.validity.last()).min();
    let open = row::Entity::find()
        .filter(row::Column::PartyId.eq(party_id))
        .filter(row::Column::State.ne(State::Closed.code()));
    let Some(file) = open.one(conn).await? else {
        return Ok(FileStanding {
            completeness_bp: 0,
            paper_until,
            has_file: false,
        });
    };
    facts.retain(|fact| fact.file_id == file.id);
    let own = rules(&facts)?;
    let missing = model::missing(file.party()?, &model::current(&own), today);
    Ok(FileStanding {
        completeness_bp: model::completeness_bp(file.party()?, missing.len()),
        paper_until,
        has_file: true,
    })
}

fn licence_until(current: &[&model::Fact]) -> Option<NaiveDate> {
    let licence = current.iter().find(|fact| fact.kind == FactKind::BusinessLicence);
    licence.and_then(|fact| fact.validity.last())
}

/// Those of some parties of which a licence or certification ended before a day.
pub(crate) async fn expired(conn: &Conn, of: SelectStatement, before: NaiveDate, limit: u64) -> Result<Vec<Uuid>, Fault> {
    let papers = model::RULES.iter().filter(|rule| rule.form == Form::Paper).map(|rule| rule.code);
    let found = watch::Entity::find()
        .select_only()
        .column(watch::Column::PartyId)
        .distinct()
        .filter(watch::Column::ValidTo.lt(before))
        .filter(watch::Column::Kind.is_in(papers))
        .filter(watch::Column::PartyId.in_subquery(of))
        .limit(limit);
    Ok(found.into_tuple().all(conn).await?)
}

pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope).filter(row::Column::Id.eq(id)).one(conn).await?;
    found.ok_or_else(|| Fault::not_found("credit file", id))
}

/// The file of a party that was opened last.
pub(crate) async fn of_party(conn: &Conn, scope: &Scope, party: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope).filter(row::Column::PartyId.eq(party));
    let last = found.order_by_desc(row::Column::Id).one(conn).await?;
    last.ok_or_else(|| Fault::not_found("credit file", party))
}

pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<row::Model, Fault> {
    let found = database::find::<row::Entity>(scope)
        .filter(row::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?;
    found.ok_or_else(|| Fault::not_found("credit file", id))
}

/// Files that are not closed, for the customer list.
pub(crate) async fn list(conn: &Conn, scope: &Scope, branch: &str, page: &Page) -> Result<Vec<row::Model>, Fault> {
    let mut found = database::find::<row::Entity>(scope).filter(row::Column::State.ne(State::Closed.code()));
    if !branch.is_empty() {
        found = found.filter(row::Column::Branch.eq(branch));
    }
    if let Some(after) = page.after {
        found = found.filter(row::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(row::Column::Id).limit(page.limit()).all(conn).await?)
}

/// Complete files whose check has come due, or of which a required fact has ended.
pub(crate) async fn lapsed(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<row::Model>, Fault> {
    let found = row::Entity::find()
        .filter(row::Column::State.is_in([State::Complete.code(), State::ReVerified.code()]))
        .filter(row::Column::LapsesOn.lte(today));
    Ok(found.order_by_asc(row::Column::Id).limit(limit).all(conn).await?)
}

pub(crate) async fn insert(conn: &Conn, file: row::Model) -> Result<(), Fault> {
    Ok(table::insert::<row::Entity>(conn, file).await?)
}

/// Writes a file that was locked, and counts its version up.
pub(crate) async fn save(conn: &Conn, file: &mut row::Model, now: i64) -> Result<(), Fault> {
    file.version = file.version.saturating_add(1);
    file.updated_at = now;
    Ok(table::update::<row::Entity>(conn, file.clone()).await?)
}

/// All facts of some files in the order in which they were entered.
pub(crate) async fn facts(conn: &Conn, files: &[Uuid]) -> Result<Vec<fact::Model>, Fault> {
    let found = fact::Entity::find().filter(fact::Column::FileId.is_in(files.iter().copied()));
    Ok(found.order_by_asc(fact::Column::Id).all(conn).await?)
}

/// All facts about a party, those of closed files among them, in the order in which they were entered.
async fn facts_of(conn: &Conn, party: Uuid) -> Result<Vec<fact::Model>, Fault> {
    let found = fact::Entity::find().filter(fact::Column::PartyId.eq(party));
    Ok(found.order_by_asc(fact::Column::Id).all(conn).await?)
}

/// The legal representatives of some parties as their files name them now; parties without are left out.
pub(crate) async fn representatives(conn: &Conn, vault: &Vault, of: impl IntoCondition) -> Result<BTreeMap<Uuid, String>, Fault> {
    let found = fact::Entity::find()
        .filter(of)
        .filter(fact::Column::Kind.eq(FactKind::LegalRepresentative.code()))
        .order_by_asc(fact::Column::AsOf)
        .order_by_asc(fact::Column::Id);
    // H-05: of each party the last one holds.
    let held: BTreeMap<Uuid, fact::Model> = found.all(conn).await?.into_iter().map(|fact| (fact.party_id, fact)).collect();
    let mut contents = contents(conn, vault, &held.values().collect::<Vec<_>>()).await?;
    let named = held.into_iter().filter_map(|(party, fact)| Some((party, contents.remove(&fact.id)?.name)));
    Ok(named.filter(|(_, name)| !name.is_empty()).collect())
}

pub(crate) async fn list_facts(conn: &Conn, file: Uuid, kind: Option<FactKind>, page: &Page) -> Result<Vec<fact::Model>, Fault> {
    let mut found = fact::Entity::find().filter(fact::Column::FileId.eq(file));
    if let Some(kind) = kind {
        found = found.filter(fact::Column::Kind.eq(kind.code()));
    }
    if let Some(after) = page.after {
        found = found.filter(fact::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(fact::Column::Id).limit(page.limit()).all(conn).await?)
}

pub(crate) async fn insert_facts(conn: &Conn, facts: &[fact::Model]) -> Result<(), Fault> {
    let rows = facts.iter().cloned().map(|fact| fact.into_active_model().reset_all());
    fact::Entity::insert_many(rows).exec_without_returning(conn).await?;
    Ok(())
}

/// Watches the papers of a party that hold, and no others any more: those of its file, and those of a closed one that nothing newer is known about.
pub(crate) async fn watch_papers(conn: &Conn, file: &row::Model) -> Result<(), Fault> {
    let facts = facts_of(conn, file.party_id).await?;
    let known = rules(&facts)?;
    let current = model::current(&known);
    watch::Entity::delete_many()
        .filter(watch::Column::PartyId.eq(file.party_id))
        .filter(watch::Column::FactId.is_not_in(current.iter().map(|fact| fact.id)))
        .exec(conn)
        .await?;
    let watched: Vec<Uuid> = watch::Entity::find()
        .filter(watch::Column::FileId.eq(file.id))
        .all(conn)
        .await?
        .into_iter()
        .map(|watch| watch.fact_id)
        .collect();
    for paper in current
        .iter()
        .filter(|fact| fact.kind.rule().is_some_and(|rule| rule.expires) && !watched.contains(&fact.id))
    {
        let Validity::Until(last) = paper.validity else { continue };
        let Some(fact) = facts.iter().find(|fact| fact.id == paper.id && fact.file_id == file.id) else {
            continue;
        };
        let row = watch::Model {
            id: Uuid::now_v7(),
            fact_id: fact.id,
            file_id: file.id,
            party_id: fact.party_id,
            branch: fact.branch.clone(),
            kind: fact.kind.clone(),
            valid_to: last,
            warned: None,
            next_mark_on: model::next_mark_on(last, None),
        };
        table::insert::<watch::Entity>(conn, row).await?;
    }
    Ok(())
}

/// Nobody is warned of the papers of a file any more; that they end still stops credit (B-02).
pub(crate) async fn silence(conn: &Conn, file: Uuid) -> Result<(), Fault> {
    watch::Entity::update_many()
        .col_expr(watch::Column::NextMarkOn, Expr::value(Option::<NaiveDate>::None))
        .filter(watch::Column::FileId.eq(file))
        .exec(conn)
        .await?;
    Ok(())
}

/// Papers for which a warning is due.
pub(crate) async fn papers_due(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<watch::Model>, Fault> {
    let found = watch::Entity::find().filter(watch::Column::NextMarkOn.lte(today));
    Ok(found.order_by_asc(watch::Column::Id).limit(limit).all(conn).await?)
}

pub(crate) async fn lock_paper(conn: &Conn, id: Uuid) -> Result<Option<watch::Model>, Fault> {
    Ok(watch::Entity::find_by_id(id).lock_exclusive().one(conn).await?)
}

/// Notes a warning that was given.
pub(crate) async fn warned(conn: &Conn, paper: &watch::Model, mark: i32) -> Result<(), Fault> {
    watch::Entity::update_many()
        .col_expr(watch::Column::Warned, Expr::value(mark))
        .col_expr(watch::Column::NextMarkOn, Expr::value(model::next_mark_on(paper.valid_to, Some(mark))))
        .filter(watch::Column::Id.eq(paper.id))
        .exec(conn)
        .await?;
    Ok(())
}

/// Papers of files that are not closed.
pub(crate) async fn list_papers(conn: &Conn, scope: &Scope, until: NaiveDate, page: &Page) -> Result<Vec<watch::Model>, Fault> {
    let open = row::Entity::find()
        .select_only()
        .column(row::Column::Id)
        .filter(row::Column::State.ne(State::Closed.code()));
    let mut found = database::find::<watch::Entity>(scope)
        .filter(watch::Column::FileId.in_subquery(open.into_query()))
        .filter(watch::Column::ValidTo.lte(until));
    if let Some(after) = page.after {
        found = found.filter(watch::Column::Id.gt(after));
    }
    Ok(found.order_by_asc(watch::Column::Id).limit(page.limit()).all(conn).await?)
}

/// The kind of the contract.
pub(crate) fn kind_of(kind: proto::FactKind) -> Option<FactKind> {
    FactKind::of(kind.as_str_name().strip_prefix("FACT_KIND_")?)
}

/// The kind as the contract shows it.
pub(crate) fn show_kind(kind: FactKind) -> proto::FactKind {
    proto::FactKind::from_str_name(&format!("FACT_KIND_{}", kind.code())).unwrap_or_default()
}

pub(crate) fn show_state(state: State) -> proto::credit_file::State {
    proto::credit_file::State::from_str_name(&format!("STATE_{}", state.code())).unwrap_or_default()
}

pub(crate) fn show_party(kind: PartyKind) -> proto::party::Kind {
    match kind {
        PartyKind::Person => proto::party::Kind::Person,
        PartyKind::Organisation => proto::party::Kind::Organisation,
    }
}

/// What facts say, by their ids; those of an erased party say nothing any more.
pub(crate) async fn contents(conn: &Conn, vault: &Vault, facts: &[&fact::Model]) -> Result<BTreeMap<Uuid, Content>, Fault> {
    let sealed: Vec<_> = facts.iter().map(|fact| (fact.party_id, CONTENT, fact.content_sealed.as_slice())).collect();
    let clear = vault.open_many(conn, &sealed).await.map_err(unsealed)?;
    let mut contents = BTreeMap::new();
    for (fact, text) in facts.iter().zip(clear) {
        let content = match text {
            Some(text) => serde_json::from_str(&text).map_err(Fault::internal)?,
            None => Content::default(),
        };
        contents.insert(fact.id, content);
    }
    Ok(contents)
}

/// Facts as the contract shows them, in the same order; the codec masks them unless the method reveals.
pub(crate) async fn show_facts(conn: &Conn, vault: &Vault, facts: &[&fact::Model], current: &[Uuid]) -> Result<Vec<proto::Fact>, Fault> {
    let mut contents = contents(conn, vault, facts).await?;
    let mut shown = Vec::with_capacity(facts.len());
    for fact in facts {
        let content = contents.remove(&fact.id).unwrap_or_default();
        shown.push(proto::Fact {
            fact_id: fact.id.to_string(),
            kind: show_kind(fact.is()?).into(),
            item: fact.item.clone(),
            content: Some(proto::FactContent {
                text: content.text,
                number: content.number,
                authority: content.authority,
                name: content.name,
                address: content.address,
                phone: content.phone,
                capital: content.capital.map(show_capital),
                start_date: content.start.map(wire::date),
            }),
            source: fact.source.clone(),
            as_of_date: Some(wire::date(fact.as_of)),
            valid_to_date: fact.valid_to.map(wire::date),
            long_term: fact.long_term,
            entered_by: fact.entered_by.clone(),
            entered_time: Some(wire::time(calendar::Instant::from_micros(fact.created_at))),
            current: current.contains(&fact.id),
        });
    }
    Ok(shown)
}

fn show_capital(capital: Capital) -> proto::Capital {
    proto::Capital {
        // Only the two places of money are borrowed: the currency is the capital's own.
        amount: Some(wire::decimal(Money::from_fen(capital.hundredths))),
        currency_code: capital.currency,
    }
}

/// A file with the facts that hold on a day.
pub(crate) async fn show(conn: &Conn, vault: &Vault, file: row::Model, today: NaiveDate) -> Result<proto::CreditFile, Fault> {
    let facts = facts(conn, &[file.id]).await?;
    let known = rules(&facts)?;
    let current = model::current(&known);
    let ids: Vec<Uuid> = current.iter().map(|fact| fact.id).collect();
    let missing = model::missing(file.party()?, &current, today);
    let completeness = model::completeness_bp(file.party()?, missing.len());
    let held: Vec<&fact::Model> = current.iter().filter_map(|fact| facts.iter().find(|row| row.id == fact.id)).collect();
    Ok(proto::CreditFile {
        credit_file_id: file.id.to_string(),
        file_no: file.file_no.clone(),
        party_id: file.party_id.to_string(),
        party_kind: show_party(file.party()?).into(),
        branch: file.branch.clone(),
        state: show_state(file.stands()?).into(),
        completeness_bp: i32::try_from(completeness).unwrap_or_default(),
        missing_kinds: missing.into_iter().map(|kind| show_kind(kind).into()).collect(),
        licence_valid_to_date: licence_until(&current).map(wire::date),
        facts: show_facts(conn, vault, &held, &ids).await?,
        last_verified_date: file.last_verified_on.map(wire::date),
        next_check_date: file.next_check_on.map(wire::date),
        update_time: Some(wire::time(calendar::Instant::from_micros(file.updated_at))),
        etag: rpc::etag(file.id, file.version),
    })
}
