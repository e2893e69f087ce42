use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use super::model::{Channel, Outcome, State};
use crate::{
    case::model::Category,
    codes::Code,
    fields,
    rows::{columns, table},
    sealed::{self, Clear},
};

columns!(State, Channel, Outcome);

table! {
    versioned interaction "interaction" {
        interaction_no: String,
        channel: Channel,
        branch: String,
        received_at: i64,
        handler: String,
        badge_no: String,
        party_id: String,
        account_id: String,
        caller_name: Option<Vec<u8>>,
        caller_phone: Option<Vec<u8>>,
        category: Option<Category>,
        detail: String,
        state: State,
        case_id: Option<Uuid>,
        complaint_id: Option<Uuid>,
        station: String,
        opinion: String,
        opinion_at: Option<i64>,
        outcome: Option<Outcome>,
        reply_channel: Option<Channel>,
        reply_at: Option<i64>,
        reply_text: String,
        rule_cited: String,
    }
}

pub use interaction::Model as Interaction;

/// Names of the sealed columns.
pub const NAME: &str = "interaction.caller_name";
pub const PHONE: &str = "interaction.caller_phone";
/// Those that stand in columns of texts, where older rows are clear.
pub const DETAIL: &str = "interaction.detail";
pub const OPINION: &str = "interaction.opinion";
pub const REPLY: &str = "interaction.reply_text";

impl Scoped for interaction::Entity {
    const BRANCH: Option<Self::Column> = Some(interaction::Column::Branch);
}

/// An entry that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Interaction, Fault> {
    find::<interaction::Entity>(scope)
        .filter(interaction::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("interaction", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Interaction, Fault> {
    find::<interaction::Entity>(scope)
        .filter(interaction::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("interaction", id))
}

/// Which entries are wanted.
#[derive(Debug, Default)]
pub struct Wanted {
    pub state: Option<State>,
    pub channel: Option<Channel>,
    pub party_id: String,
    pub case_id: Option<Uuid>,
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, wanted: &Wanted) -> Result<Vec<Interaction>, Fault> {
    let mut select = find::<interaction::Entity>(scope).order_by_asc(interaction::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(interaction::Column::Id.gt(after));
    }
    if let Some(state) = wanted.state {
        select = select.filter(interaction::Column::State.eq(state));
    }
    if let Some(channel) = wanted.channel {
        select = select.filter(interaction::Column::Channel.eq(channel));
    }
    if !wanted.party_id.is_empty() {
        select = select.filter(interaction::Column::PartyId.eq(&wanted.party_id));
    }
    if let Some(case) = wanted.case_id {
        select = select.filter(interaction::Column::CaseId.eq(case));
    }
    Ok(select.all(conn).await?)
}

impl Interaction {
    /// The account, if there is one.
    pub fn account(&self) -> Option<Uuid> {
        Uuid::try_parse(&self.account_id).ok()
    }

    /// The entry with what is sealed of it opened.
    pub async fn proto(self, conn: &Conn, vault: &Vault) -> Result<Option<proto::Interaction>, Fault> {
        Ok(opened(conn, vault, &[self]).await?.pop())
    }

    fn told(&self, callers: &mut Clear, texts: &mut Clear) -> proto::Interaction {
        let (caller_name, caller_phone) = (callers.take(), callers.take());
        let (detail, opinion, text) = (texts.take(), texts.take(), texts.take());
        let reply = self.outcome.map(|outcome| proto::InteractionReply {
            outcome: outcome.number(),
            reply_channel: fields::number(self.reply_channel),
            reply_time: self.reply_at.map(fields::instant),
            text,
            rule_cited: self.rule_cited.clone(),
        });
        proto::Interaction {
            interaction_id: self.id.to_string(),
            interaction_no: self.interaction_no.clone(),
            channel: self.channel.number(),
            branch: self.branch.clone(),
            receive_time: Some(fields::instant(self.received_at)),
            handler: self.handler.clone(),
            badge_no: self.badge_no.clone(),
            party_id: self.party_id.clone(),
            account_id: self.account_id.clone(),
            caller_name,
            caller_phone,
            category: fields::number(self.category),
            detail,
            state: self.state.number(),
            case_id: fields::text(self.case_id),
            complaint_id: fields::text(self.complaint_id),
            station: self.station.clone(),
            opinion,
            opinion_time: self.opinion_at.map(fields::instant),
            reply,
            etag: self.etag(),
        }
    }
}

/// Entries with what is sealed of them opened, empty where it was erased; answers are masked by the frame.
pub async fn opened(conn: &Conn, vault: &Vault, rows: &[Interaction]) -> Result<Vec<proto::Interaction>, Fault> {
    let callers = rows
        .iter()
        .flat_map(|row| [(row.id, NAME, row.caller_name.as_deref()), (row.id, PHONE, row.caller_phone.as_deref())]);
    let mut callers = sealed::bytes(conn, vault, callers).await?;
    let texts = rows.iter().flat_map(|row| {
        [
            (row.id, DETAIL, row.detail.as_str()),
            (row.id, OPINION, &row.opinion),
            (row.id, REPLY, &row.reply_text),
        ]
    });
    let mut texts = sealed::texts(conn, vault, texts).await?;
    Ok(rows.iter().map(|row| row.told(&mut callers, &mut texts)).collect())
}
