//! A service with one write and one read on a table of notes, behind the layers of every service.

use boot::{Parts, Service};
use contracts::hearth::{
    hall::v1::{
        Escalation, ListEscalationsRequest, ListEscalationsResponse, TakeEscalationRequest, TakeEscalationResponse,
        escalation_service_server::{EscalationService, EscalationServiceServer},
    },
    journal::v1::Cursor,
};
use database::{Begun, Database};
use rpc::{Call, Fault};
use sea_orm::{ConnectionTrait, Statement};
use testbed::key;

pub const NOTES: &str = "-- both\nCREATE TABLE note (text text NOT NULL PRIMARY KEY)";
pub const DESK: Service = Service {
    name: "hall",
    port: 7702,
    migrations: &[NOTES],
    build: |host| Box::pin(async move { Ok(Parts::new().serve(EscalationServiceServer::new(Api(host.db)))) }),
    references: &[],
};

#[derive(Clone)]
struct Api(Database);

rpc::service! {
    EscalationService for Api(Database) {
        read list_escalations(ListEscalationsRequest) -> ListEscalationsResponse = list;
        write take_escalation(TakeEscalationRequest) -> TakeEscalationResponse = take;
    }
}

async fn list(db: Database, _: Call, _: ListEscalationsRequest) -> Result<ListEscalationsResponse, Fault> {
    let reader = db.reader();
    let rows = reader
        .query_all_raw(Statement::from_string(
            reader.get_database_backend(),
            "SELECT text FROM note ORDER BY text LIMIT 10",
        ))
        .await?;
    let note = |row: &sea_orm::QueryResult| {
        Ok(Escalation {
            note: row.try_get_by_index(0)?,
            ..Escalation::default()
        })
    };
    Ok(ListEscalationsResponse {
        escalations: rows.iter().map(note).collect::<Result<_, sea_orm::DbErr>>()?,
        ..ListEscalationsResponse::default()
    })
}

async fn take(db: Database, call: Call, request: TakeEscalationRequest) -> Result<TakeEscalationResponse, Fault> {
    let mut write = match db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (id, note) = (request.escalation_id, request.note);
    write.execute_unprepared(&format!("INSERT INTO note (text) VALUES ('{id}')")).await?;
    write.subject(&id);
    write.event(
        &id,
        &Cursor {
            source: id.clone(),
            ..Cursor::default()
        },
    );
    let answer = Escalation {
        escalation_id: id,
        note,
        ..Escalation::default()
    };
    write.commit(TakeEscalationResponse { escalation: Some(answer) }).await
}

/// A note that nobody has written yet.
pub fn note() -> TakeEscalationRequest {
    TakeEscalationRequest {
        request_id: key(),
        escalation_id: key(),
        etag: "-".to_owned(),
        note: "noted".to_owned(),
    }
}
