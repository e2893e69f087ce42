use std::collections::BTreeMap;

use chrono::NaiveDate;
use contracts::hearth::archive::v1 as proto;
use database::{Conn, Scope, Scoped};
use rpc::{Fault, page::Page, wire};
use sea_orm::{
    ColumnTrait, EntityTrait, PaginatorTrait, QueryFilter, QueryOrder, QuerySelect, QueryTrait,
    sea_query::{Condition, SelectStatement},
};
use serde::{Serialize, de::DeserializeOwned};
use uuid::Uuid;

use super::model::{
    Grade, GuaranteeKind, GuaranteeState, HoldState, KeyState, LineState, Lock, RatingState, Segment,
    exposure::{Guarantee, average},
    score::{Band, Factor, Model, points_text},
};
use crate::{party::store::row as party, table, table::update, unknown_code};

table!(key_account, "key_account", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    account_manager: String,
    segment: String,
    basis: String,
    since_date: Date,
    state: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(credit_model, "credit_model", {
    #[sea_orm(primary_key, auto_increment = false)]
    version: i32,
    effective_date: Date,
    weights: String,
    bands: String,
    mass_breach_parties: i32,
    published_by: String,
    created_at: i64,
});

table!(rating, "credit_rating", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    period: String,
    state: String,
    model_version: i32,
    measures: String,
    scores: String,
    total: i64,
    scored_grade: String,
    grade: String,
    hard_stops: String,
    caps: String,
    evidence: String,
    rated_by: String,
    reviewed_by: String,
    approved_by: String,
    exception_by: String,
    return_reason: String,
    effective_date: Option<Date>,
    next_review_date: Option<Date>,
    review_reason: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(line, "credit_line", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    rating_id: Uuid,
    limit_fen: i64,
    term_days: i32,
    delivered_fen: i64,
    delivering_months: i32,
    all_months: i32,
    factor_bp: i32,
    valid_from: Date,
    valid_until: Date,
    state: String,
    checked_on: Option<Date>,
    proposed_by: String,
    approved_by: String,
    reason: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(guarantee, "guarantee", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    kind: String,
    amount: i64,
    last_date: Option<Date>,
    document_id: String,
    receipt_no: String,
    state: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

table!(hold, "credit_hold", {
    #[sea_orm(primary_key, auto_increment = false)]
    id: Uuid,
    party_id: Uuid,
    branch: String,
    lock_kind: String,
    state: String,
    breach_date: Date,
    exposure: i64,
    limit_fen: i64,
    cleared_date: Option<Date>,
    reviewed_by: String,
    version: i64,
    created_at: i64,
    updated_at: i64,
});

/// What the tables that a page lists have in common, and how a row of each is written again.
macro_rules! kept {
    ($($module:ident $name:literal $state:ty),+ $(,)?) => {
        $(
            impl Scoped for $module::Entity {
                const BRANCH: Option<$module::Column> = Some($module::Column::Branch);
            }

            impl $module::Model {
                /// Where it stands.
                pub(crate) fn stands(&self) -> Result<$state, Fault> {
                    <$state>::of(&self.state).ok_or_else(|| unknown_code(concat!($name, ".state")))
                }

                /// Writes what changed and counts the version up.
                pub(crate) async fn save(&mut self, conn: &Conn, now: i64) -> Result<(), Fault> {
                    self.version = self.version.saturating_add(1);
                    self.updated_at = now;
                    Ok(update::<$module::Entity>(conn, self.clone()).await?)
                }

                /// The tag of this version.
                pub(crate) fn etag(&self) -> String {
                    rpc::etag(self.id, self.version)
                }

                /// Loads a row to change it, if the caller has seen this version of it.
                pub(crate) async fn lock(conn: &Conn, scope: &Scope, id: Uuid, etag: &str) -> Result<Self, Fault> {
                    let found = database::find::<$module::Entity>(scope).filter($module::Column::Id.eq(id)).lock_exclusive();
                    let found = found.one(conn).await?.ok_or_else(|| Fault::not_found($name, id))?;
                    rpc::check_etag(etag, found.id, found.version)?;
                    Ok(found)
                }

                /// A page of them, of a party and in a state where these are given.
                pub(crate) async fn list(
                    conn: &Conn,
                    scope: &Scope,
                    party: Option<Uuid>,
                    state: Option<&str>,
                    page: &Page,
                ) -> Result<Vec<Self>, Fault> {
                    let mut found = database::find::<$module::Entity>(scope);
                    if let Some(party) = party {
                        found = found.filter($module::Column::PartyId.eq(party));
                    }
                    if let Some(state) = state {
                        found = found.filter($module::Column::State.eq(state));
                    }
                    if let Some(after) = page.after {
                        found = found.filter($module::Column::Id.gt(after));
                    }
                    Ok(found.order_by_asc($module::Column::Id).limit(page.limit()).all(conn).await?)
                }
            }
        )+
    };
}

kept!(
    key_account "key_account" KeyState,
    rating "credit_rating" RatingState,
    line "credit_line" LineState,
    guarantee "guarantee" GuaranteeState,
    hold "credit_hold" HoldState,
);

const IN_EFFECT: [&str; 2] = [RatingState::Effective.code(), RatingState::ReviewDue.code()];
const LIVE: [&str; 2] = [LineState::Active.code(), LineState::Frozen.code()];

/// A list that a text column keeps.
pub(crate) fn unpack<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    serde_json::from_str(text).map_err(Fault::internal)
}

/// The text of a list.
pub(crate) fn pack<T: Serialize>(value: &T) -> Result<String, Fault> {
    serde_json::to_string(value).map_err(Fault::internal)
}

/// The designation of a party that is a key account.
pub(crate) async fn key_account_of(conn: &Conn, party: Uuid) -> Result<Option<key_account::Model>, Fault> {
    let found = key_account::Entity::find()
        .filter(key_account::Column::PartyId.eq(party))
        .filter(key_account::Column::State.eq(KeyState::Active.code()));
    Ok(found.one(conn).await?)
}

/// The version of the scoring model with a number, or the one in force on a day.
pub(crate) async fn model(conn: &Conn, version: Option<i32>, today: NaiveDate) -> Result<Option<credit_model::Model>, Fault> {
    let found = match version {
        Some(version) => credit_model::Entity::find_by_id(version),
        None => credit_model::Entity::find().filter(credit_model::Column::EffectiveDate.lte(today)),
    };
    Ok(found.order_by_desc(credit_model::Column::Version).one(conn).await?)
}

/// The latest version of the scoring model.
pub(crate) async fn latest_model(conn: &Conn) -> Result<Option<credit_model::Model>, Fault> {
    Ok(credit_model::Entity::find().order_by_desc(credit_model::Column::Version).one(conn).await?)
}

impl credit_model::Model {
    /// The rules that it keeps.
    pub(crate) fn rules(&self) -> Result<Model, Fault> {
        let weights: Vec<(String, i32)> = unpack(&self.weights)?;
        let bands: Vec<(String, i64, i32, i32)> = unpack(&self.bands)?;
        let factor = |code: &str| Factor::of(code).ok_or_else(|| unknown_code("credit_model.weights"));
        let grade = |code: &str| Grade::of(code).ok_or_else(|| unknown_code("credit_model.bands"));
        Ok(Model {
            weights: weights
                .iter()
                .map(|(code, points)| Ok((factor(code)?, *points)))
                .collect::<Result<_, Fault>>()?,
            bands: bands
                .iter()
                .map(|(code, above, least_bp, largest_bp)| {
                    Ok(Band {
                        grade: grade(code)?,
                        above: *above,
                        least_bp: *least_bp,
                        largest_bp: *largest_bp,
                    })
                })
                .collect::<Result<_, Fault>>()?,
        })
    }

    /// As the contract shows it.
    pub(crate) fn show(&self) -> Result<proto::CreditModel, Fault> {
        let rules = self.rules()?;
        Ok(proto::CreditModel {
            version: self.version,
            effective_date: Some(wire::date(self.effective_date)),
            weights: rules
                .weights
                .iter()
                .map(|(factor, points)| proto::credit_model::Weight {
                    factor: factor.number(),
                    points: *points,
                })
                .collect(),
            bands: rules
                .bands
                .iter()
                .map(|band| proto::credit_model::Band {
                    grade: band.grade.number(),
                    above: Some(wire::decimal(points_text(band.above))),
                    least_factor_bp: band.least_bp,
                    largest_factor_bp: band.largest_bp,
                })
                .collect(),
            mass_breach_parties: self.mass_breach_parties,
        })
    }
}

/// The texts of the two lists of a model.
pub(crate) fn pack_model(rules: &Model) -> Result<(String, String), Fault> {
    let weights: Vec<_> = rules.weights.iter().map(|(factor, points)| (factor.code(), *points)).collect();
    let bands: Vec<_> = rules.bands.iter().map(|b| (b.grade.code(), b.above, b.least_bp, b.largest_bp)).collect();
    Ok((pack(&weights)?, pack(&bands)?))
}

/// The rating of a party that is in effect.
pub(crate) async fn in_effect(conn: &Conn, party: Uuid) -> Result<Option<rating::Model>, Fault> {
    let found = rating::Entity::find()
        .filter(rating::Column::PartyId.eq(party))
        .filter(rating::Column::State.is_in(IN_EFFECT));
    Ok(found.one(conn).await?)
}

/// The lines of a party that have not ended, those among them that are not in use yet.
pub(crate) async fn open_lines(conn: &Conn, party: Uuid) -> Result<Vec<line::Model>, Fault> {
    let waiting = [LineState::Proposed.code(), LineState::Approved.code()];
    let found = line::Entity::find()
        .filter(line::Column::PartyId.eq(party))
        .filter(line::Column::State.is_in(LIVE.into_iter().chain(waiting)))
        .order_by_asc(line::Column::Id);
    Ok(found.all(conn).await?)
}

/// The line of a party that is in use or frozen.
pub(crate) async fn live_line(conn: &Conn, party: Uuid) -> Result<Option<line::Model>, Fault> {
    let found = line::Entity::find()
        .filter(line::Column::PartyId.eq(party))
        .filter(line::Column::State.is_in(LIVE));
    Ok(found.one(conn).await?)
}

/// Which of these parties are held to a limit: those that have a line, or had one, and those that are rated C.
pub(crate) async fn with_limit(conn: &Conn, parties: &[Uuid]) -> Result<Vec<Uuid>, Fault> {
    let ids = || parties.iter().copied();
    let lines = line::Entity::find()
        .select_only()
        .column(line::Column::PartyId)
        .filter(line::Column::PartyId.is_in(ids()))
        .filter(line::Column::CheckedOn.is_not_null());
    let rated = rating::Entity::find()
        .select_only()
        .column(rating::Column::PartyId)
        .filter(rating::Column::PartyId.is_in(ids()))
        .filter(rating::Column::State.is_in(IN_EFFECT))
        .filter(rating::Column::Grade.eq(Grade::C.code()));
    let either = Condition::any()
        .add(party::Column::Id.in_subquery(lines.into_query()))
        .add(party::Column::Id.in_subquery(rated.into_query()));
    let found = party::Entity::find().select_only().column(party::Column::Id).filter(either);
    Ok(found.order_by_asc(party::Column::Id).into_tuple().all(conn).await?)
}

/// The lines of a party are not looked at any more: another one takes their place.
pub(crate) async fn unwatch_lines(conn: &Conn, party: Uuid) -> Result<(), Fault> {
    line::Entity::update_many()
        .col_expr(line::Column::CheckedOn, Option::<NaiveDate>::None.into())
        .filter(line::Column::PartyId.eq(party))
        .exec(conn)
        .await?;
    Ok(())
}

/// Parties with a rating in effect that lacks a hard stop.
pub(crate) fn without_stop(code: &str) -> SelectStatement {
    rating::Entity::find()
        .select_only()
        .column(rating::Column::PartyId)
        .filter(rating::Column::State.is_in(IN_EFFECT))
        .filter(rating::Column::HardStops.not_like(format!("%{code}%")))
        .into_query()
}

/// Locks of a party whose breach has not ended.
pub(crate) async fn open_holds(conn: &Conn, party: Uuid) -> Result<Vec<hold::Model>, Fault> {
    let found = hold::Entity::find()
        .filter(hold::Column::PartyId.eq(party))
        .filter(hold::Column::State.ne(HoldState::Cleared.code()))
        .order_by_asc(hold::Column::LockKind);
    Ok(found.all(conn).await?)
}

/// Limits of a branch that were broken on a day and are broken still: how many, and those that nobody has reviewed yet. A limit of 0 is broken by any
/// use, and not by a price.
pub(crate) async fn limits_broken(conn: &Conn, branch: &str, day: NaiveDate) -> Result<(u64, Vec<hold::Model>), Fault> {
    let broken = hold::Entity::find()
        .filter(hold::Column::Branch.eq(branch))
        .filter(hold::Column::BreachDate.eq(day))
        .filter(hold::Column::LockKind.eq(Lock::Limit.code()))
        .filter(hold::Column::LimitFen.gt(0))
        .filter(hold::Column::State.ne(HoldState::Cleared.code()));
    let unreviewed = broken
        .clone()
        .filter(hold::Column::State.eq(HoldState::Raised.code()))
        .filter(hold::Column::ReviewedBy.eq(""))
        .order_by_asc(hold::Column::Id);
    Ok((broken.count(conn).await?, unreviewed.all(conn).await?))
}

/// Guarantees that parties gave and that are held.
pub(crate) async fn held_guarantees(conn: &Conn, parties: &[Uuid]) -> Result<Vec<guarantee::Model>, Fault> {
    let found = guarantee::Entity::find()
        .filter(guarantee::Column::PartyId.is_in(parties.iter().copied()))
        .filter(guarantee::Column::State.eq(GuaranteeState::Held.code()));
    Ok(found.all(conn).await?)
}

/// Approved ratings whose day has come, and those in effect whose review day has.
pub(crate) async fn ratings_due(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<rating::Model>, Fault> {
    let begins = Condition::all()
        .add(rating::Column::State.eq(RatingState::Approved.code()))
        .add(rating::Column::EffectiveDate.lte(today));
    let over = Condition::all()
        .add(rating::Column::State.eq(RatingState::Effective.code()))
        .add(rating::Column::NextReviewDate.lte(today));
    let found = rating::Entity::find().filter(Condition::any().add(begins).add(over)).limit(limit);
    Ok(found.all(conn).await?)
}

/// Lines that begin, and those, live or the last of their party, that nobody has looked at today.
pub(crate) async fn lines_due(conn: &Conn, today: NaiveDate, limit: u64) -> Result<Vec<line::Model>, Fault> {
    let begins = Condition::all()
        .add(line::Column::State.eq(LineState::Approved.code()))
        .add(line::Column::ValidFrom.lte(today));
    let look = line::Column::CheckedOn.lt(today);
    let found = line::Entity::find().filter(Condition::any().add(begins).add(look)).limit(limit);
    Ok(found.all(conn).await?)
}

/// How the credit of a party stands, in short; empty where there is none.
#[derive(Default)]
pub(crate) struct Summary {
    /// Grade in effect.
    pub(crate) grade: String,
    /// HOLD where a lock is closed, else where the line stands.
    pub(crate) state: String,
    /// When one of them changed last.
    pub(crate) changed_at: i64,
}

/// How the credit of parties stands.
pub(crate) async fn summary(conn: &Conn, parties: &[Uuid]) -> Result<BTreeMap<Uuid, Summary>, Fault> {
    let ids = || parties.iter().copied();
    let ratings = rating::Entity::find()
        .filter(rating::Column::PartyId.is_in(ids()))
        .filter(rating::Column::State.is_in(IN_EFFECT));
    // What has ended was a change, too.
    let ended = [LineState::Expired.code(), LineState::Cancelled.code()];
    let lines = line::Entity::find()
        .filter(line::Column::PartyId.is_in(ids()))
        .filter(line::Column::ApprovedBy.ne(""))
        .filter(line::Column::State.is_in(LIVE.into_iter().chain(ended)));
    let holds = hold::Entity::find().filter(hold::Column::PartyId.is_in(ids()));
    let mut summary: BTreeMap<Uuid, Summary> = BTreeMap::new();
    for rating in ratings.all(conn).await? {
        let credit = summary.entry(rating.party_id).or_default();
        credit.changed_at = credit.changed_at.max(rating.updated_at);
        credit.grade = rating.grade;
    }
    for line in lines.all(conn).await? {
        let credit = summary.entry(line.party_id).or_default();
        credit.changed_at = credit.changed_at.max(line.updated_at);
        if LIVE.contains(&line.state.as_str()) {
            credit.state = line.state;
        }
    }
    for hold in holds.all(conn).await? {
        let credit = summary.entry(hold.party_id).or_default();
        credit.changed_at = credit.changed_at.max(hold.updated_at);
        if hold.state == HoldState::Raised.code() {
            "HOLD".clone_into(&mut credit.state);
        }
    }
    Ok(summary)
}

fn yuan(fen: i64) -> Option<contracts::hearth::r#type::v1::Money> {
    Some(wire::money(money::Money::from_fen(fen)))
}

fn number<T: Copy>(word: Option<T>, number: impl Fn(T) -> i32, column: &str) -> Result<i32, Fault> {
    word.map(number).ok_or_else(|| unknown_code(column))
}

impl key_account::Model {
    /// As the contract shows it.
    pub(crate) fn show(self) -> Result<proto::KeyAccount, Fault> {
        Ok(proto::KeyAccount {
            key_account_id: self.id.to_string(),
            party_id: self.party_id.to_string(),
            segment: number(Segment::of(&self.segment), Segment::number, "key_account.segment")?,
            state: self.stands()?.number(),
            etag: self.etag(),
            since_date: Some(wire::date(self.since_date)),
            branch: self.branch,
            account_manager: self.account_manager,
            designation_basis: self.basis,
        })
    }
}

impl rating::Model {
    pub(crate) async fn load(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Self, Fault> {
        let found = database::find::<rating::Entity>(scope).filter(rating::Column::Id.eq(id)).one(conn).await?;
        found.ok_or_else(|| Fault::not_found("credit_rating", id))
    }

    /// The grade that holds; none before it was scored.
    pub(crate) fn grade(&self) -> Option<Grade> {
        Grade::of(&self.grade)
    }

    /// As the contract shows it.
    pub(crate) fn show(self) -> Result<proto::CreditRating, Fault> {
        let scores: Vec<(String, i64)> = unpack(&self.scores)?;
        let scored = !self.grade.is_empty();
        let score = |(code, hundredths): &(String, i64)| {
            Ok(proto::credit_rating::Score {
                factor: number(Factor::of(code), Factor::number, "credit_rating.scores")?,
                points: Some(wire::decimal(points_text(*hundredths))),
            })
        };
        Ok(proto::CreditRating {
            rating_id: self.id.to_string(),
            party_id: self.party_id.to_string(),
            state: self.stands()?.number(),
            model_version: self.model_version,
            scores: scores.iter().map(score).collect::<Result<_, Fault>>()?,
            total: scored.then(|| wire::decimal(points_text(self.total))),
            scored_grade: Grade::of(&self.scored_grade).map_or(0, Grade::number),
            grade: self.grade().map_or(0, Grade::number),
            hard_stops: unpack(&self.hard_stops)?,
            caps: unpack(&self.caps)?,
            evidence_ids: unpack(&self.evidence)?,
            exception_by: unpack(&self.exception_by)?,
            effective_date: self.effective_date.map(wire::date),
            next_review_date: self.next_review_date.map(wire::date),
            create_time: Some(wire::time(calendar::Instant::from_micros(self.created_at))),
            etag: self.etag(),
            branch: self.branch,
            period: self.period,
            rated_by: self.rated_by,
            reviewed_by: self.reviewed_by,
            approved_by: self.approved_by,
            return_reason: self.return_reason,
            review_reason: self.review_reason,
        })
    }
}

impl line::Model {
    /// As the contract shows it.
    pub(crate) fn show(self) -> Result<proto::CreditLine, Fault> {
        Ok(proto::CreditLine {
            line_id: self.id.to_string(),
            party_id: self.party_id.to_string(),
            rating_id: self.rating_id.to_string(),
            limit: yuan(self.limit_fen),
            term_days: self.term_days,
            average_delivering: yuan(average(self.delivered_fen, self.delivering_months.into())),
            average_all: yuan(average(self.delivered_fen, self.all_months.into())),
            delivering_months: self.delivering_months,
            all_months: self.all_months,
            factor_bp: self.factor_bp,
            valid_from_date: Some(wire::date(self.valid_from)),
            valid_until_date: Some(wire::date(self.valid_until)),
            state: self.stands()?.number(),
            etag: self.etag(),
            branch: self.branch,
            proposed_by: self.proposed_by,
            approved_by: self.approved_by,
            reason: self.reason,
        })
    }
}

impl guarantee::Model {
    /// What the rules see of it.
    pub(crate) fn rule(&self) -> Guarantee {
        Guarantee {
            amount: self.amount,
            last: self.last_date,
            receipt_no: self.receipt_no.clone(),
        }
    }

    /// As the contract shows it.
    pub(crate) fn show(self, counted: bool) -> Result<proto::Guarantee, Fault> {
        Ok(proto::Guarantee {
            guarantee_id: self.id.to_string(),
            party_id: self.party_id.to_string(),
            kind: number(GuaranteeKind::of(&self.kind), GuaranteeKind::number, "guarantee.kind")?,
            amount: yuan(self.amount),
            last_date: self.last_date.map(wire::date),
            state: self.stands()?.number(),
            counted,
            etag: self.etag(),
            branch: self.branch,
            document_id: self.document_id,
            receipt_no: self.receipt_no,
        })
    }
}

impl hold::Model {
    /// Which lock it is.
    pub(crate) fn lock_kind(&self) -> Result<Lock, Fault> {
        Lock::of(&self.lock_kind).ok_or_else(|| unknown_code("credit_hold.lock_kind"))
    }

    /// As the contract shows it.
    pub(crate) fn show(self) -> Result<proto::CreditHold, Fault> {
        Ok(proto::CreditHold {
            hold_id: self.id.to_string(),
            party_id: self.party_id.to_string(),
            lock: self.lock_kind()?.number(),
            state: self.stands()?.number(),
            breach_date: Some(wire::date(self.breach_date)),
            exposure: yuan(self.exposure),
            limit: yuan(self.limit_fen),
            cleared_date: self.cleared_date.map(wire::date),
            etag: self.etag(),
            branch: self.branch,
            reviewed_by: self.reviewed_by,
        })
    }
}
