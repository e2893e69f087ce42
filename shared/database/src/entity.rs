//! Tables of the machinery; every service has them.

use crate::table;

table!(replay, "replay", {
    #[sea_orm(primary_key, auto_increment = false)] caller: String,
    #[sea_orm(primary_key, auto_increment = false)] request_id: String,
    method: String,
    digest: Vec<u8>,
    response: Vec<u8>,
    created_at: i64,
});
table!(journal, "journal", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    written_at: i64,
    actor: String,
    service: Option<String>,
    method: String,
    request_id: Option<String>,
    purpose: Option<String>,
    subjects: String,
    digest: Vec<u8>,
    traceparent: Option<String>,
    position: Option<i64>,
    hash: Option<Vec<u8>>,
});
table!(event, "event", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    journal_id: Uuid,
    ordinal: i32,
    kind: String,
    subject: String,
    occurred_at: i64,
    data: Vec<u8>,
    position: Option<i64>,
    sequence: Option<i64>,
});
table!(seal, "seal", {
    #[sea_orm(primary_key, auto_increment = false)] id: i32,
    position: i64,
    event_position: i64,
    hash: Vec<u8>,
});
table!(cursor, "cursor", {
    #[sea_orm(primary_key, auto_increment = false)] source: String,
    position: i64,
    event_id: Option<String>,
});
table!(anchor, "anchor", {
    #[sea_orm(primary_key, auto_increment = false)] source: String,
    #[sea_orm(primary_key, auto_increment = false)] position: i64,
    hash: String,
    kept_at: i64,
});
table!(parked_event, "parked_event", {
    #[sea_orm(primary_key, auto_increment = false)] source: String,
    #[sea_orm(primary_key, auto_increment = false)] position: i64,
    kind: String,
    subject: String,
    data: Vec<u8>,
    reason: String,
    parked_at: i64,
    tries: i32,
    next_at: i64,
});
table!(lease, "lease", {
    #[sea_orm(primary_key, auto_increment = false)] name: String,
    holder: String,
    until: i64,
});
table!(number, "number", {
    #[sea_orm(primary_key, auto_increment = false)] series: String,
    #[sea_orm(primary_key, auto_increment = false)] branch: String,
    #[sea_orm(primary_key, auto_increment = false)] year: i32,
    last: i64,
});
table!(job, "job", {
    #[sea_orm(primary_key, auto_increment = false)] id: Uuid,
    kind: String,
    state: String,
    request: Vec<u8>,
    done: i64,
    total: i64,
    note: String,
    requested_by: String,
    created_at: i64,
    updated_at: i64,
    failures: i32,
});
