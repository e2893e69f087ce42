//! What somebody does to the journal with the file or the owner's password in hand, and what the role of the service may do.

use contracts::hearth::{
    journal::v1::{Anchor, CompareHistoryRequest, journal_service_client::JournalServiceClient},
    options::v1::Role,
};
use database::{Engine, journal};
use rpc::Fault;
use testbed::{Bed, eventually};

use crate::{NOTED, all, copy, disarm, note, restore, sealed};

const ROWS: i64 = 20;

/// What somebody may do to the row at a position; `n` goes from 0 to 99.
fn tampering(engine: Engine, n: i64) -> (&'static str, Vec<String>) {
    // Steps through the rows; some of these reach to the row after.
    let at = 1 + n * 7 % (ROWS - 1);
    let next = at + 1;
    let row = format!("(SELECT id FROM journal WHERE position = {at})");
    let (bytes, id) = match engine {
        Engine::Sqlite => ("X'00'", "randomblob(16)"),
        Engine::Postgres => ("'\\x00'::bytea", "gen_random_uuid()"),
    };
    let one = |sql: String| vec![sql];
    match n % 20 {
        0 => ("edit a purpose", one(format!("UPDATE journal SET purpose = '别的' WHERE position = {at}"))),
        1 => ("take a purpose away", one(format!("UPDATE journal SET purpose = NULL WHERE position = {at}"))),
        2 => (
            "edit what it was about",
            one(format!("UPDATE journal SET subjects = '999' WHERE position = {at}")),
        ),
        3 => ("edit the digest", one(format!("UPDATE journal SET digest = {bytes} WHERE position = {at}"))),
        4 => (
            "edit the request id",
            one(format!("UPDATE journal SET request_id = 'other' WHERE position = {at}")),
        ),
        5 => ("change the actor", one(format!("UPDATE journal SET actor = 'wang' WHERE position = {at}"))),
        6 => (
            "put a service before the actor",
            one(format!("UPDATE journal SET service = 'hall' WHERE position = {at}")),
        ),
        7 => ("change the method", one(format!("UPDATE journal SET method = 'x/y' WHERE position = {at}"))),
        8 => (
            "re-date a row",
            one(format!("UPDATE journal SET written_at = written_at - 1 WHERE position = {at}")),
        ),
        9 => (
            "re-date an event",
            one(format!(
                "UPDATE event SET occurred_at = occurred_at + 1 WHERE journal_id = {row} AND ordinal = 0"
            )),
        ),
        10 => ("edit the trace", one(format!("UPDATE journal SET traceparent = NULL WHERE position = {at}"))),
        11 => ("delete a row", one(format!("DELETE FROM journal WHERE position = {at}"))),
        12 => ("delete an event", one(format!("DELETE FROM event WHERE journal_id = {row} AND ordinal = 1"))),
        13 => (
            "edit a fact",
            one(format!("UPDATE event SET data = {bytes} WHERE journal_id = {row} AND ordinal = 1")),
        ),
        14 => (
            "insert a row",
            vec![
                format!("UPDATE journal SET position = -position WHERE position > {at}"),
                "UPDATE journal SET position = 1 - position WHERE position < 0".to_owned(),
                format!(
                    "INSERT INTO journal (id, written_at, actor, method, subjects, digest, position, hash)
                    SELECT {id}, written_at, 'wang', method, subjects, digest, {next}, hash FROM journal WHERE position = {at}"
                ),
                "UPDATE seal SET position = position + 1".to_owned(),
            ],
        ),
        15 => (
            "insert a row after the last",
            one(format!(
                "INSERT INTO journal (id, written_at, actor, method, subjects, digest, position, hash)
                SELECT {id}, written_at, 'wang', method, subjects, digest, {}, hash FROM journal WHERE position = {at}",
                ROWS + 1
            )),
        ),
        16 => (
            "insert an event",
            one(format!(
                "INSERT INTO event (id, journal_id, ordinal, kind, subject, occurred_at, data)
                SELECT {id}, journal_id, 2, kind, subject, occurred_at, data FROM event WHERE journal_id = {row} AND ordinal = 1"
            )),
        ),
        17 => (
            "swap two rows",
            vec![
                format!("UPDATE journal SET position = -1 WHERE position = {at}"),
                format!("UPDATE journal SET position = {at} WHERE position = {next}"),
                format!("UPDATE journal SET position = {next} WHERE position = -1"),
            ],
        ),
        18 => (
            "swap two events",
            vec![
                format!("UPDATE event SET ordinal = 1 - ordinal, position = NULL WHERE journal_id = {row}"),
                format!("UPDATE event SET position = {} + ordinal WHERE journal_id = {row}", 2 * at - 1),
            ],
        ),
        _ => (
            "renumber an event",
            one(format!("UPDATE event SET sequence = 1000 WHERE journal_id = {row} AND ordinal = 0")),
        ),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn r_a1_tampering_is_found_in_a_hundred_of_a_hundred_copies() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        for n in 0..ROWS {
            note(&db, &format!("{n}")).await.unwrap();
        }
        assert!(sealed(&db, ROWS).await.intact);
        let tables = ["journal", "event", "seal"];
        copy(&db, &tables).await;
        disarm(&db).await;
        for n in 0..100 {
            let (what, statements) = tampering(bed.engine(), n);
            all(&db, &statements).await.unwrap_or_else(|e| panic!("{what}: {e}"));
            let state = journal::verify(&db).await.unwrap();
            assert!(!state.intact, "{:?}: copy {n}, {what}, was not found", bed.engine());
            assert!(state.broken_position > 0);
            restore(&db, &tables).await;
            assert!(journal::verify(&db).await.unwrap().intact, "copy {n}");
        }
    })
    .await;
}

/// A journal that was chained before the hash covered the trace, the time and the sequence of events goes on as it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_of_the_first_form_is_borne_out_and_continued() {
    use sha2::{Digest, Sha256};
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        let mut digest = Sha256::new();
        // Hash before, position, id, time; then each text behind its length: actor, service, method, request id, purpose, subjects, digest.
        digest.update(1_i64.to_be_bytes());
        digest.update([0; 16]);
        digest.update(5_i64.to_be_bytes());
        for text in ["li", "", "m", "", "", "", "d"] {
            digest.update((text.len() as u64).to_be_bytes());
            digest.update(text);
        }
        let hash: String = digest.finalize().iter().map(|b| format!("{b:02x}")).collect();
        let (bytes, id) = match bed.engine() {
            Engine::Sqlite => (format!("X'{hash}'"), "X'00000000000000000000000000000000'"),
            Engine::Postgres => (format!("'\\x{hash}'::bytea"), "'00000000-0000-0000-0000-000000000000'"),
        };
        let digest = if bed.engine() == Engine::Sqlite { "X'64'" } else { "'\\x64'::bytea" };
        all(
            &db,
            &[
                format!(
                    "INSERT INTO journal (id, written_at, actor, method, subjects, digest, traceparent, position, hash)
                    VALUES ({id}, 5, 'li', 'm', '', {digest}, 'trace', 1, {bytes})"
                ),
                format!("UPDATE seal SET position = 1, hash = {bytes}"),
            ],
        )
        .await
        .unwrap();
        note(&db, "next").await.unwrap();
        let state = sealed(&db, 2).await;
        assert!(state.intact, "{state:?}");
        disarm(&db).await;
        all(&db, &["UPDATE journal SET actor = 'wang' WHERE position = 1".to_owned()]).await.unwrap();
        assert_eq!(journal::verify(&db).await.unwrap().broken_position, 1);
    })
    .await;
}

async fn head(bed: &Bed, anchors: Vec<Anchor>) -> (Option<Anchor>, usize) {
    let request = CompareHistoryRequest {
        anchors,
        ..CompareHistoryRequest::default()
    };
    let answer = JournalServiceClient::new(bed.staff(&[Role::Auditor])).compare_history(request).await;
    let answer = answer.unwrap().into_inner();
    (answer.head, answer.missed.len())
}

/// Neither breaks the chain: what is left, or what was made anew, is a whole chain. A place kept outside tells.
#[tokio::test(flavor = "multi_thread")]
async fn r_a1_a_cut_tail_and_a_chain_made_anew_are_found_by_a_place_kept_outside() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        assert_eq!(head(bed, vec![]).await, (None, 0));
        for n in 0..ROWS {
            note(&db, &format!("{n}")).await.unwrap();
        }
        sealed(&db, ROWS).await;
        let (kept, _) = head(bed, vec![]).await;
        let kept = kept.unwrap();
        assert_eq!((kept.position, kept.hash.len()), (ROWS, 64));
        // Later writes change nothing about it.
        note(&db, "later").await.unwrap();
        sealed(&db, ROWS + 1).await;
        assert_eq!(head(bed, vec![kept.clone()]).await.1, 0);

        let tables = ["journal", "event", "seal"];
        copy(&db, &tables).await;
        disarm(&db).await;
        let cut = |last: i64| {
            vec![
                format!("DELETE FROM event WHERE journal_id IN (SELECT id FROM journal WHERE position > {last})"),
                format!("DELETE FROM journal WHERE position > {last}"),
                format!(
                    "UPDATE seal SET position = {last}, event_position = {}, hash = (SELECT hash FROM journal WHERE position = {last})",
                    2 * last
                ),
            ]
        };
        let anew = |what: &str| {
            vec![
                what.to_owned(),
                "UPDATE event SET position = NULL, sequence = NULL".to_owned(),
                "UPDATE journal SET position = NULL, hash = NULL".to_owned(),
                match bed.engine() {
                    Engine::Sqlite => "UPDATE seal SET position = 0, event_position = 0, hash = X''".to_owned(),
                    Engine::Postgres => "UPDATE seal SET position = 0, event_position = 0, hash = ''".to_owned(),
                },
            ]
        };
        for (rows, statements) in [
            (ROWS - 1, cut(ROWS - 1)),
            (5, cut(5)),
            (ROWS + 1, anew("UPDATE journal SET actor = 'wang' WHERE position = 3")),
            (ROWS - 4, anew("DELETE FROM journal WHERE position BETWEEN 10 AND 14")),
        ] {
            all(&db, &statements).await.unwrap();
            let state = eventually("the chain is whole", async || {
                Some(journal::verify(&db).await.unwrap()).filter(|s| s.unsealed_rows == 0 && s.sealed_rows == rows)
            })
            .await;
            assert!(state.intact, "the chain alone cannot tell: {state:?}");
            assert_eq!(head(bed, vec![kept.clone()]).await.1, 1, "{statements:?}");
            restore(&db, &tables).await;
            assert_eq!(head(bed, vec![kept.clone()]).await.1, 0);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_a3_the_journal_cannot_be_rewritten_through_the_application() {
    testbed::each(NOTED, async |bed| {
        let db = bed.db();
        note(&db, "one").await.unwrap();
        sealed(&db, 1).await;
        all(
            &db,
            &[
                "INSERT INTO anchor (source, position, hash, kept_at) VALUES ('hall', 1, '', 0)".to_owned(),
                "INSERT INTO kept (id) VALUES (1)".to_owned(),
            ],
        )
        .await
        .unwrap();
        let mut attempts: Vec<String> = ["journal", "event", "seal", "anchor", "kept"].map(|t| format!("DELETE FROM {t}")).into();
        for (table, columns) in [
            (
                "journal",
                "id written_at actor service method request_id purpose subjects digest traceparent position hash",
            ),
            ("event", "id journal_id ordinal kind subject occurred_at data position sequence"),
            ("anchor", "position hash"),
        ] {
            // A value of the right type that is another one than the row's.
            attempts.extend(columns.split(' ').map(|column| {
                let value = match (column, bed.engine()) {
                    ("written_at" | "ordinal" | "occurred_at" | "position" | "sequence", _) => "77",
                    ("id" | "journal_id", Engine::Sqlite) => "randomblob(16)",
                    ("id" | "journal_id", Engine::Postgres) => "gen_random_uuid()",
                    ("digest" | "data", Engine::Sqlite) | ("hash", Engine::Sqlite) => "X'77'",
                    ("digest" | "data", Engine::Postgres) => "'\\x77'::bytea",
                    ("hash", Engine::Postgres) if table == "journal" => "'\\x77'::bytea",
                    _ => "'77'",
                };
                format!("UPDATE {table} SET {column} = {value}")
            }));
        }
        attempts.extend(["UPDATE seal SET position = 0".to_owned(), "UPDATE seal SET position = position".to_owned()]);
        if bed.engine() == Engine::Postgres {
            attempts.extend(["journal", "event", "seal", "anchor", "kept", "journal, event, seal CASCADE"].map(|t| format!("TRUNCATE {t}")));
        }
        for attempt in &attempts {
            let fault = Fault::from(all(&db, std::slice::from_ref(attempt)).await.unwrap_err());
            assert!(fault.reason().ends_with("_IS_APPEND_ONLY"), "{attempt}: {fault}");
        }
        // A row that is not sealed yet: only its number may come.
        let (bytes, id) = match bed.engine() {
            Engine::Sqlite => ("X'77'", "X'00000000000000000000000000000001'"),
            Engine::Postgres => ("'\\x77'::bytea", "'00000000-0000-0000-0000-000000000001'"),
        };
        let fresh = format!("INSERT INTO journal (id, written_at, actor, method, subjects, digest) VALUES ({id}, 1, 'li', 'm', '', {bytes})");
        for set in [
            "written_at = 2",
            "actor = 'wang'",
            "service = 'hall'",
            "method = 'n'",
            "request_id = 'r'",
            "purpose = 'p'",
            "subjects = 's'",
            "traceparent = 't'",
            "position = 2, hash = NULL",
        ] {
            let attempt = [
                fresh.clone(),
                format!("UPDATE journal SET position = 2, hash = {bytes}, {set} WHERE actor = 'li' AND position IS NULL"),
            ];
            let attempt = if set.starts_with("position") {
                [attempt[0].clone(), format!("UPDATE journal SET {set} WHERE position IS NULL")]
            } else {
                attempt
            };
            let fault = Fault::from(all(&db, &attempt).await.unwrap_err());
            assert!(fault.reason().ends_with("_IS_APPEND_ONLY"), "{set}: {fault}");
        }
        assert!(sealed(&db, 1).await.intact);
    })
    .await;
}
