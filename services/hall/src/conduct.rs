//! Conduct of staff (行为举止, S-02): badges that are worn, and facts that are dated, evidenced and answerable.

use calendar::NaiveDate;
use contracts::hearth::hall::v1::{conduct_service_server::ConductService, *};
use database::{Begun, Conn, Scope, Scoped, find};
use rpc::{Call, Fault, page::Page, wire};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use crate::{
    Desk, case,
    codes::{Code, codes},
    fields, order,
    refusal::Refusal,
    rows::{columns, table},
    sealed::{self, Clear},
    staff::{self, store::Staff},
};

codes! {
    /// When a badge is confirmed.
    pub enum Occasion {
        Shift = 1 "SHIFT",
        Visit = 2 "VISIT",
    }
}

codes! {
    /// What a fact is about.
    pub enum Kind {
        Attitude = 1 "ATTITUDE",
        BadgeNotWorn = 2 "BADGE_NOT_WORN",
        Appearance = 3 "APPEARANCE",
        Quarrel = 4 "QUARREL",
        BuckPassed = 5 "BUCK_PASSED",
    }
}
columns!(Occasion, Kind);

table! {
    badge "badge_check" {
        staff_id: Uuid,
        badge_no: String,
        occasion: Occasion,
        order_id: Option<Uuid>,
        branch: String,
        confirmed_at: i64,
    }
}
table! {
    versioned fact "conduct_fact" {
        staff_id: Uuid,
        kind: Kind,
        happened_on: NaiveDate,
        detail: String,
        evidence_file_id: String,
        case_id: Option<Uuid>,
        branch: String,
        recorded_by: String,
        recorded_at: i64,
        answer: String,
        answered_at: Option<i64>,
    }
}

/// Names of what is sealed in columns of texts, where older rows are clear.
pub const DETAIL: &str = "conduct_fact.detail";
pub const ANSWER: &str = "conduct_fact.answer";

impl Scoped for badge::Entity {
    const BRANCH: Option<Self::Column> = Some(badge::Column::Branch);
}
impl Scoped for fact::Entity {
    const BRANCH: Option<Self::Column> = Some(fact::Column::Branch);
}

/// The member who calls, if the badge is the member's own.
pub async fn wears(conn: &Conn, call: &Call, badge_no: &str) -> Result<Staff, Fault> {
    let member = staff::store::of_login(conn, call.subject()).await?;
    member
        .filter(|member| member.badge_no == badge_no && member.state == staff::model::State::Active)
        .ok_or_else(|| Refusal::BadgeMismatch.into())
}

async fn confirm_badge(desk: Desk, call: Call, request: ConfirmBadgeRequest) -> Result<ConfirmBadgeResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let member = wears(&write, &call, &request.badge_no).await?;
    let occasion: Occasion = fields::pick("occasion", request.occasion)?;
    let order_id = fields::id_if("order_id", &request.order_id)?;
    if order_id.is_some() != (occasion == Occasion::Visit) {
        return Err(Fault::from(Refusal::OrderOfVisit).field("order_id"));
    }
    if let Some(id) = order_id {
        let order = order::store::get(&write, &Scope::of(&call), id).await?;
        order::field::is_crew(&write, &order, &call, false).await?;
    }
    let row = badge::Model {
        id: Uuid::now_v7(),
        staff_id: member.id,
        badge_no: request.badge_no,
        occasion,
        order_id,
        branch: member.branch,
        confirmed_at: write.now().micros(),
    };
    write.subject(member.id);
    let answer = row.proto();
    row.insert(&write).await?;
    write.commit(ConfirmBadgeResponse { badge_check: Some(answer) }).await
}

async fn list_badges(desk: Desk, call: Call, request: ListBadgeChecksRequest) -> Result<ListBadgeChecksResponse, Fault> {
    let page = Page::of(&call, &[&request.staff_id], request.page_size, &request.page_token)?;
    let mut select = find::<badge::Entity>(&Scope::of(&call)).order_by_asc(badge::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(badge::Column::Id.gt(after));
    }
    if let Some(staff) = fields::id_if("staff_id", &request.staff_id)? {
        select = select.filter(badge::Column::StaffId.eq(staff));
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |row| row.id);
    Ok(ListBadgeChecksResponse {
        badge_checks: rows.iter().map(badge::Model::proto).collect(),
        next_page_token,
    })
}

async fn record_fact(desk: Desk, call: Call, request: RecordConductFactRequest) -> Result<RecordConductFactResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let scope = Scope::of(&call);
    let member = staff::store::get(&write, &scope, fields::id("staff_id", &request.staff_id)?).await?;
    if member.login == call.subject() {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    let happened_on = wire::date_of(request.happened_date.as_ref(), "happened_date")?;
    fields::not_after("happened_date", happened_on, write.now().date())?;
    let case_id = fields::id_if("case_id", &request.case_id)?;
    if let Some(id) = case_id {
        case::store::get(&write, &scope, id).await?;
    }
    let id = Uuid::now_v7();
    let clear = [(DETAIL, request.detail.as_str())];
    let [detail] = desk.vault.seal_texts(&*write, id, clear).await.map_err(Fault::internal)?;
    let row = fact::Model {
        id,
        staff_id: member.id,
        kind: fields::pick("kind", request.kind)?,
        happened_on,
        detail,
        evidence_file_id: request.evidence_file_id,
        case_id,
        branch: member.branch,
        recorded_by: call.subject().to_owned(),
        recorded_at: write.now().micros(),
        answer: String::new(),
        answered_at: None,
        version: 1,
    };
    write.subject(row.id);
    write.subject(member.id);
    row.clone().insert(&write).await?;
    let conduct_fact = opened(&write, &desk.vault, &[row]).await?.pop();
    write.commit(RecordConductFactResponse { conduct_fact }).await
}

async fn answer_fact(desk: Desk, call: Call, request: AnswerConductFactRequest) -> Result<AnswerConductFactResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id = fields::id("conduct_fact_id", &request.conduct_fact_id)?;
    let select = find::<fact::Entity>(&Scope::of(&call)).filter(fact::Column::Id.eq(id)).lock_exclusive();
    let mut row = select.one(&*write).await?.ok_or_else(|| Fault::not_found("conduct fact", id))?;
    row.check(&request.etag)?;
    let member = staff::store::of_login(&write, call.subject()).await?;
    if member.is_none_or(|member| member.id != row.staff_id) {
        return Err(Refusal::NotTheMember.into());
    }
    if row.answered_at.is_some() {
        return Err(Refusal::FactAnswered.into());
    }
    let clear = [(ANSWER, request.answer.as_str())];
    [row.answer] = desk.vault.seal_texts(&*write, row.id, clear).await.map_err(Fault::internal)?;
    row.answered_at = Some(write.now().micros());
    row.save(&write).await?;
    write.subject(row.id);
    let conduct_fact = opened(&write, &desk.vault, &[row]).await?.pop();
    write.commit(AnswerConductFactResponse { conduct_fact }).await
}

async fn list_facts(desk: Desk, call: Call, request: ListConductFactsRequest) -> Result<ListConductFactsResponse, Fault> {
    let page = Page::of(&call, &[&request.staff_id], request.page_size, &request.page_token)?;
    let mut select = find::<fact::Entity>(&Scope::of(&call)).order_by_asc(fact::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(fact::Column::Id.gt(after));
    }
    if let Some(staff) = fields::id_if("staff_id", &request.staff_id)? {
        select = select.filter(fact::Column::StaffId.eq(staff));
    }
    let (rows, next_page_token) = page.cut(select.all(desk.db.reader()).await?, |row| row.id);
    Ok(ListConductFactsResponse {
        conduct_facts: opened(desk.db.reader(), &desk.vault, &rows).await?,
        next_page_token,
    })
}

impl badge::Model {
    fn proto(&self) -> BadgeCheck {
        BadgeCheck {
            badge_check_id: self.id.to_string(),
            staff_id: self.staff_id.to_string(),
            badge_no: self.badge_no.clone(),
            occasion: self.occasion.number(),
            order_id: fields::text(self.order_id),
            branch: self.branch.clone(),
            confirm_time: Some(fields::instant(self.confirmed_at)),
        }
    }
}

/// Facts with what is sealed of them opened, empty where it was erased; answers are masked by the frame.
async fn opened(conn: &Conn, vault: &Vault, rows: &[fact::Model]) -> Result<Vec<ConductFact>, Fault> {
    let texts = rows
        .iter()
        .flat_map(|row| [(row.id, DETAIL, row.detail.as_str()), (row.id, ANSWER, &row.answer)]);
    let mut texts = sealed::texts(conn, vault, texts).await?;
    Ok(rows.iter().map(|row| row.told(&mut texts)).collect())
}

impl fact::Model {
    fn told(&self, texts: &mut Clear) -> ConductFact {
        let (detail, answer) = (texts.take(), texts.take());
        ConductFact {
            conduct_fact_id: self.id.to_string(),
            staff_id: self.staff_id.to_string(),
            kind: self.kind.number(),
            happened_date: Some(wire::date(self.happened_on)),
            detail,
            evidence_file_id: self.evidence_file_id.clone(),
            case_id: fields::text(self.case_id),
            branch: self.branch.clone(),
            record_time: Some(fields::instant(self.recorded_at)),
            answer,
            answer_time: self.answered_at.map(fields::instant),
            etag: self.etag(),
        }
    }
}

/// Serves `ConductService`.
pub struct Api(pub Desk);

rpc::service! {
    ConductService for Api(Desk) {
        write confirm_badge(ConfirmBadgeRequest) -> ConfirmBadgeResponse = confirm_badge;
        read list_badge_checks(ListBadgeChecksRequest) -> ListBadgeChecksResponse = list_badges;
        write record_conduct_fact(RecordConductFactRequest) -> RecordConductFactResponse = record_fact;
        write answer_conduct_fact(AnswerConductFactRequest) -> AnswerConductFactResponse = answer_fact;
        read list_conduct_facts(ListConductFactsRequest) -> ListConductFactsResponse = list_facts;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::assert_contract;

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<Occasion>("OCCASION_", |n| badge_check::Occasion::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<Kind>("KIND_", |n| conduct_fact::Kind::try_from(n).ok().map(|v| v.as_str_name()));
    }
}
