use contracts::hearth::hall::v1 as proto;
use database::{Conn, Scope, Scoped, find};
use rpc::{Fault, page::Page};
use sea_orm::{ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect};
use uuid::Uuid;
use vault::{Index, Vault};

use super::model::{Category, Finding, State, Utility};
use crate::{
    case::model::Channel,
    codes::Code,
    deadline::store::Place,
    fields,
    rows::{columns, table},
    sealed::{self, Clear},
};

columns!(State, Utility, Category, Finding);

table! {
    versioned complaint "complaint" {
        complaint_no: String,
        channel: Channel,
        utility: Utility,
        category: Option<Category>,
        branch: String,
        account_id: Option<Uuid>,
        premises_id: Option<Uuid>,
        anonymous: bool,
        no_callback: bool,
        reporter_name: Option<Vec<u8>>,
        reporter_phone: Option<Vec<u8>>,
        reporter_address: Option<Vec<u8>>,
        reporter_key: String,
        detail: String,
        state: State,
        owner_staff_id: Option<Uuid>,
        master_id: Option<Uuid>,
        callback_task_id: Option<Uuid>,
        finding: Option<Finding>,
        summary: String,
        proposed_by: String,
        vendor_id: Option<Uuid>,
        order_id: Option<Uuid>,
        upheld_told: bool,
        reply_channel: Option<Channel>,
        reply_at: Option<i64>,
        reply_text: String,
        reopened: i32,
        received_at: i64,
        told_vendor_id: Option<Uuid>,
        told_finding: Option<Finding>,
        remote: bool,
    }
}

pub use complaint::Model as Complaint;

impl Scoped for complaint::Entity {
    const BRANCH: Option<Self::Column> = Some(complaint::Column::Branch);
}

/// Names of the sealed columns.
pub const NAME: &str = "complaint.reporter_name";
pub const PHONE: &str = "complaint.reporter_phone";
pub const ADDRESS: &str = "complaint.reporter_address";
/// Those that stand in columns of texts, where older rows are clear.
pub const DETAIL: &str = "complaint.detail";
pub const SUMMARY: &str = "complaint.summary";
pub const REPLY: &str = "complaint.reply_text";

/// The blind index of the phone, which stands in the key that finds duplicates.
pub const BY_PHONE: Index = Index {
    table: "complaint",
    sealed: ("reporter_phone", PHONE),
    blind: ("reporter_key", PHONE),
    text: true,
};

/// A complaint that the caller may see.
pub async fn get(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Complaint, Fault> {
    let select = find::<complaint::Entity>(scope).filter(complaint::Column::Id.eq(id));
    select.one(conn).await?.ok_or_else(|| Fault::not_found("complaint", id))
}

/// The same, held until the write has ended.
pub async fn lock(conn: &Conn, scope: &Scope, id: Uuid) -> Result<Complaint, Fault> {
    let select = find::<complaint::Entity>(scope).filter(complaint::Column::Id.eq(id)).lock_exclusive();
    select.one(conn).await?.ok_or_else(|| Fault::not_found("complaint", id))
}

/// The open complaint by one of the reporter's keys, about the same as this one, that others are linked to (C-06), held until the write has ended.
pub async fn master(conn: &Conn, complaint: &Complaint, keys: &[String]) -> Result<Option<Complaint>, Fault> {
    let select = complaint::Entity::find()
        .filter(complaint::Column::Id.ne(complaint.id))
        .filter(complaint::Column::Branch.eq(&complaint.branch))
        .filter(complaint::Column::ReporterKey.is_in(keys))
        .filter(complaint::Column::Utility.eq(complaint.utility))
        .filter(complaint::Column::Category.eq(complaint.category))
        .filter(complaint::Column::State.is_not_in([State::Received, State::Linked, State::Closed]));
    Ok(select.order_by_asc(complaint::Column::Id).lock_exclusive().one(conn).await?)
}

/// The duplicates of a complaint, oldest first.
pub async fn duplicates(conn: &Conn, master: Uuid) -> Result<Vec<Complaint>, Fault> {
    let select = complaint::Entity::find().filter(complaint::Column::MasterId.eq(master));
    Ok(select.order_by_asc(complaint::Column::Id).all(conn).await?)
}

pub async fn list(
    conn: &Conn,
    scope: &Scope,
    page: &Page,
    state: Option<State>,
    account: Option<Uuid>,
    category: Option<Category>,
) -> Result<Vec<Complaint>, Fault> {
    let mut select = find::<complaint::Entity>(scope).order_by_asc(complaint::Column::Id).limit(page.limit());
    if let Some(after) = page.after {
        select = select.filter(complaint::Column::Id.gt(after));
    }
    if let Some(state) = state {
        select = select.filter(complaint::Column::State.eq(state));
    }
    if let Some(account) = account {
        select = select.filter(complaint::Column::AccountId.eq(account));
    }
    if let Some(category) = category {
        select = select.filter(complaint::Column::Category.eq(category));
    }
    Ok(select.all(conn).await?)
}

/// Complaints with what is sealed of them opened, empty where it was erased; answers are masked by the frame.
pub async fn opened(conn: &Conn, vault: &Vault, rows: &[Complaint]) -> Result<Vec<proto::Complaint>, Fault> {
    let reporters = rows.iter().flat_map(|row| {
        let [name, phone, address] = [&row.reporter_name, &row.reporter_phone, &row.reporter_address].map(Option::as_deref);
        [(row.id, NAME, name), (row.id, PHONE, phone), (row.id, ADDRESS, address)]
    });
    let mut reporters = sealed::bytes(conn, vault, reporters).await?;
    let texts = rows.iter().flat_map(|row| {
        [
            (row.id, DETAIL, row.detail.as_str()),
            (row.id, SUMMARY, &row.summary),
            (row.id, REPLY, &row.reply_text),
        ]
    });
    let mut texts = sealed::texts(conn, vault, texts).await?;
    Ok(rows.iter().map(|row| row.told(&mut reporters, &mut texts)).collect())
}

impl Complaint {
    /// The complaint with what is sealed of it opened.
    pub async fn proto(self, conn: &Conn, vault: &Vault) -> Result<Option<proto::Complaint>, Fault> {
        Ok(opened(conn, vault, &[self]).await?.pop())
    }

    fn told(&self, reporters: &mut Clear, texts: &mut Clear) -> proto::Complaint {
        let (reporter_name, reporter_phone, reporter_address) = (reporters.take(), reporters.take(), reporters.take());
        let (detail, summary, reply_text) = (texts.take(), texts.take(), texts.take());
        let proposal = self.finding.map(|finding| proto::ComplaintProposal {
            finding: finding.number(),
            summary,
            vendor_id: fields::text(self.vendor_id),
            order_id: fields::text(self.order_id),
        });
        let reply = self.reply_at.map(|at| proto::ComplaintReply {
            reply_channel: fields::number(self.reply_channel),
            reply_time: Some(fields::instant(at)),
            text: reply_text,
        });
        proto::Complaint {
            complaint_id: self.id.to_string(),
            complaint_no: self.complaint_no.clone(),
            channel: self.channel.number(),
            utility: self.utility.number(),
            category: fields::number(self.category),
            branch: self.branch.clone(),
            account_id: fields::text(self.account_id),
            premises_id: fields::text(self.premises_id),
            anonymous: self.anonymous,
            no_callback: self.no_callback,
            reporter_name,
            reporter_phone,
            reporter_address,
            detail,
            state: self.state.number(),
            owner_staff_id: fields::text(self.owner_staff_id),
            master_complaint_id: fields::text(self.master_id),
            proposal,
            reply,
            reopened: self.reopened,
            callback_task_id: fields::text(self.callback_task_id),
            receive_time: Some(fields::instant(self.received_at)),
            etag: self.etag(),
            remote: self.remote,
        }
    }

    pub fn place(&self) -> Place<'_> {
        Place {
            branch: &self.branch,
            remote: self.remote,
        }
    }

    /// Promises that hold for it.
    pub fn subject(&self) -> &'static str {
        super::model::subject(self.utility, self.category)
    }
}
