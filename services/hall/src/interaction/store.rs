use contracts::hearth::hall::v1 as proto;
use database::{Scope, Scoped, find};
use rpc::{Fault, page::Page};
use sea_orm::{ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use super::model::{Channel, Outcome, State};
use crate::{
    case::model::Category,
    codes::Code,
    fields,
    rows::{columns, table},
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
pub async fn get(conn: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Interaction, Fault> {
    find::<interaction::Entity>(scope)
        .filter(interaction::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("interaction", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &impl ConnectionTrait, scope: &Scope, id: Uuid) -> Result<Interaction, Fault> {
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

pub async fn list(conn: &impl ConnectionTrait, scope: &Scope, page: &Page, wanted: &Wanted) -> Result<Vec<Interaction>, Fault> {
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

    /// The entry without what is sealed.
    fn bare(&self) -> proto::Interaction {
        let reply = self.outcome.map(|outcome| proto::InteractionReply {
            outcome: outcome.number(),
            reply_channel: fields::number(self.reply_channel),
            reply_time: self.reply_at.map(fields::instant),
            text: String::new(),
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
            caller_name: String::new(),
            caller_phone: String::new(),
            category: fields::number(self.category),
            detail: String::new(),
            state: self.state.number(),
            case_id: fields::text(self.case_id),
            complaint_id: fields::text(self.complaint_id),
            station: self.station.clone(),
            opinion: String::new(),
            opinion_time: self.opinion_at.map(fields::instant),
            reply,
            etag: self.etag(),
        }
    }
}

/// Entries with what is sealed opened, empty where they were erased; answers are masked by the frame.
pub async fn opened(conn: &impl ConnectionTrait, vault: &Vault, rows: &[Interaction]) -> Result<Vec<proto::Interaction>, Fault> {
    let names = sealed(rows, NAME, |row| row.caller_name.as_deref());
    let phones = sealed(rows, PHONE, |row| row.caller_phone.as_deref());
    let mut found: Vec<_> = rows.iter().map(Interaction::bare).collect();
    for (texts, is_name) in [(names, true), (phones, false)] {
        let clear = vault.open_many(conn, &texts).await.map_err(Fault::internal)?;
        for ((id, ..), text) in texts.iter().zip(clear) {
            let Some(row) = found.iter_mut().find(|row| row.interaction_id == id.to_string()) else {
                continue;
            };
            let field = if is_name { &mut row.caller_name } else { &mut row.caller_phone };
            *field = text.unwrap_or_default();
        }
    }
    for (row, told) in rows.iter().zip(&mut found) {
        let held = [(DETAIL, row.detail.as_str()), (OPINION, &row.opinion), (REPLY, &row.reply_text)];
        let [detail, opinion, text] = match vault.open_texts(conn, row.id, held).await {
            Err(vault::Error::Erased(_)) => Default::default(),
            texts => texts.map_err(Fault::internal)?,
        };
        (told.detail, told.opinion) = (detail, opinion);
        if let Some(reply) = &mut told.reply {
            reply.text = text;
        }
    }
    Ok(found)
}

fn sealed<'a>(rows: &'a [Interaction], field: &'static str, of: impl Fn(&'a Interaction) -> Option<&'a [u8]>) -> Vec<(Uuid, &'static str, &'a [u8])> {
    rows.iter().filter_map(|row| of(row).map(|bytes| (row.id, field, bytes))).collect()
}
