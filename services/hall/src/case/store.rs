use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::Vault;

use super::model::{Category, Channel, Outcome, State};
use crate::{
    codes::Code,
    deadline::store::Place,
    fields,
    rows::{columns, table},
    sealed::{self, Clear},
};

columns!(State, Channel, Category, Outcome);

table! {
    versioned case "service_case" {
        case_no: String,
        channel: Channel,
        category: Category,
        branch: String,
        account_id: Option<Uuid>,
        caller_name: String,
        caller_phone: Option<Vec<u8>>,
        address: String,
        detail: String,
        state: State,
        owner_staff_id: Option<Uuid>,
        outcome: Option<Outcome>,
        reply_channel: Option<Channel>,
        reply_at: Option<i64>,
        reply_text: String,
        rule_cited: String,
        reopened: i32,
        received_at: i64,
        remote: bool,
    }
}

pub use case::Model as Case;

/// Names of the sealed columns. The texts stand in columns of texts, where older rows hold clear ones.
pub const PHONE: &str = "service_case.caller_phone";
pub const NAME: &str = "service_case.caller_name";
pub const ADDRESS: &str = "service_case.address";
pub const DETAIL: &str = "service_case.detail";
pub const REPLY: &str = "service_case.reply_text";

impl Scoped for case::Entity {
    const BRANCH: Option<Self::Column> = Some(case::Column::Branch);
}

/// A case that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Case, Fault> {
    find::<case::Entity>(scope)
        .filter(case::Column::Id.eq(id))
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("case", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Case, Fault> {
    find::<case::Entity>(scope)
        .filter(case::Column::Id.eq(id))
        .lock_exclusive()
        .one(conn)
        .await?
        .ok_or_else(|| Fault::not_found("case", id))
}

pub async fn list(conn: &Conn, scope: &Scope, page: &Page, state: Option<State>, account: Option<Uuid>) -> Result<Vec<Case>, Fault> {
    let mut select = find::<case::Entity>(scope).order_by_asc(case::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(case::Column::Id.gt(after));
    }
    if let Some(state) = state {
        select = select.filter(case::Column::State.eq(state));
    }
    if let Some(account) = account {
        select = select.filter(case::Column::AccountId.eq(account));
    }
    Ok(select.all(conn).await?)
}

/// Cases with what is sealed of them opened, empty where it was erased; answers are masked by the frame.
pub async fn opened(conn: &Conn, vault: &Vault, rows: &[Case]) -> Result<Vec<proto::Case>, Fault> {
    let phones = rows.iter().map(|row| (row.id, PHONE, row.caller_phone.as_deref()));
    let mut phones = sealed::bytes(conn, vault, phones).await?;
    let texts = rows.iter().flat_map(|row| {
        let [name, address, detail, reply] = [&row.caller_name, &row.address, &row.detail, &row.reply_text].map(String::as_str);
        [
            (row.id, NAME, name),
            (row.id, ADDRESS, address),
            (row.id, DETAIL, detail),
            (row.id, REPLY, reply),
        ]
    });
    let mut texts = sealed::texts(conn, vault, texts).await?;
    Ok(rows.iter().map(|row| row.told(&mut phones, &mut texts)).collect())
}

impl Case {
    pub fn place(&self) -> Place<'_> {
        Place {
            branch: &self.branch,
            remote: self.remote,
        }
    }

    /// The case with what is sealed of it opened.
    pub async fn proto(self, conn: &Conn, vault: &Vault) -> Result<Option<proto::Case>, Fault> {
        Ok(opened(conn, vault, &[self]).await?.pop())
    }

    fn told(&self, phones: &mut Clear, texts: &mut Clear) -> proto::Case {
        let caller_phone = phones.take();
        let (caller_name, address, detail, reply_text) = (texts.take(), texts.take(), texts.take(), texts.take());
        let answer = self.outcome.map(|outcome| proto::CaseAnswer {
            outcome: outcome.number(),
            reply_channel: fields::number(self.reply_channel),
            reply_time: self.reply_at.map(fields::instant),
            text: reply_text,
            rule_cited: self.rule_cited.clone(),
        });
        proto::Case {
            case_id: self.id.to_string(),
            case_no: self.case_no.clone(),
            channel: self.channel.number(),
            category: self.category.number(),
            branch: self.branch.clone(),
            account_id: fields::text(self.account_id),
            caller_name,
            caller_phone,
            address,
            detail,
            state: self.state.number(),
            owner_staff_id: fields::text(self.owner_staff_id),
            answer,
            reopened: self.reopened,
            receive_time: Some(fields::instant(self.received_at)),
            etag: self.etag(),
            remote: self.remote,
        }
    }
}
