//! What must hold once the faults have stopped: through the services, and straight in their databases.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use contracts::hearth::{
    billing::v1::{GetBalanceRequest, GetBalanceResponse, VerifyLedgerRequest, VerifyLedgerResponse},
    hall::v1::{CreateOrderResponse, ListStepsRequest, ListStepsResponse, step},
    journal::v1::{VerifyJournalRequest, VerifyJournalResponse},
};
use futures::StreamExt;
use prost::Message;
use uuid::Uuid;

use crate::{
    SERVICES,
    city::City,
    client::Who,
    history::{Done, Meaning},
    site::Site,
    sql::Sql,
};

/// What a check found, in numbers.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub acknowledged: usize,
    pub unknown: u64,
    /// How long it took after the faults until every consumer had taken every event.
    pub settled: Duration,
}

/// Everything. Fails at the first thing that does not hold.
pub async fn all(site: &Site, city: &City) -> Found {
    site.assert_running();
    // E1: ten seconds after the faults.
    let settled = settled(site, Duration::from_secs(10)).await;
    ledger(site).await;
    no_step_waits(site).await;
    let done = site.history.done();
    answers_stand(site, &done).await;
    for service in SERVICES {
        writes_stand_once(site, service.name, &done).await;
    }
    books(site, city, &done).await;
    effects(site, &done).await;
    copies(site).await;
    Found {
        acknowledged: site.history.acknowledged(),
        unknown: site.history.unknown(),
        settled,
    }
}

async fn journal(site: &Site, service: &str) -> Option<VerifyJournalResponse> {
    let method = "hearth.journal.v1.JournalService/VerifyJournal";
    site.client
        .ask(&site.address(service), &Who::auditor(), method, &VerifyJournalRequest::default())
        .await
        .ok()
}

/// Waits until every journal is sealed and intact, every consumer has taken every event and no job is open; says how long that took.
pub async fn settled(site: &Site, patience: Duration) -> Duration {
    let began = Instant::now();
    loop {
        let why = unsettled(site).await;
        let Some(why) = why else { return began.elapsed() };
        assert!(began.elapsed() < patience, "after {patience:?}: {why}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn unsettled(site: &Site) -> Option<String> {
    let mut journals = BTreeMap::new();
    for service in SERVICES {
        let Some(journal) = journal(site, service.name).await else {
            return Some(format!("{} does not answer", service.name));
        };
        // These are no matter of time.
        assert!(journal.intact, "{}: the chain breaks at {}", service.name, journal.broken_position);
        assert!(journal.orphans.is_empty(), "{}: {:?}", service.name, journal.orphans);
        assert!(
            journal.cursors.iter().all(|c| c.parked == 0),
            "{}: parked events: {:?}",
            service.name,
            journal.cursors
        );
        journals.insert(service.name, journal);
    }
    for (name, journal) in &journals {
        if journal.unsealed_rows > 0 || journal.open_jobs > 0 {
            return Some(format!("{name}: {} rows unsealed, {} jobs open", journal.unsealed_rows, journal.open_jobs));
        }
        for cursor in &journal.cursors {
            let told = journals[cursor.source.as_str()].events;
            if cursor.position != told {
                return Some(format!("{name} has taken {} of {told} events of {}", cursor.position, cursor.source));
            }
        }
    }
    None
}

/// M1: the sum is 0 and nothing disagrees; may be asked at any time.
pub async fn ledger(site: &Site) {
    let method = "hearth.billing.v1.LedgerService/VerifyLedger";
    let answer: Result<VerifyLedgerResponse, _> = site
        .client
        .ask(&site.address("billing"), &Who::auditor(), method, &VerifyLedgerRequest {})
        .await;
    let Ok(answer) = answer else { return };
    let report = answer.report.unwrap();
    assert!(report.faults.is_empty(), "{:?}", report.faults);
    assert_eq!(report.sum.map_or(0, |s| s.minor_units), 0, "the sum of the ledger");
}

async fn no_step_waits(site: &Site) {
    let list = ListStepsRequest {
        state: step::State::Pending.into(),
        ..ListStepsRequest::default()
    };
    let answer: ListStepsResponse = site
        .client
        .ask(&site.address("hall"), &Who::auditor(), "hearth.hall.v1.StepService/ListSteps", &list)
        .await
        .unwrap();
    assert!(answer.steps.is_empty(), "{} steps wait", answer.steps.len());
}

/// D1, I1: every write that was acknowledged answers the same bytes again.
async fn answers_stand(site: &Site, done: &[Done]) {
    let again = futures::stream::iter(done.iter().filter(|d| d.answer.is_ok())).map(|done| async move {
        let op = &done.op;
        let again = site.client.send(&site.address(op.service), &op.who, op.method, op.message.clone()).await;
        let again = again.unwrap_or_else(|status| panic!("{} {}: acknowledged, and now {status}", op.method, op.id));
        assert_eq!(&again, done.answer.as_ref().unwrap(), "{} {}: another answer", op.method, op.id);
    });
    again.buffer_unordered(8).collect::<Vec<_>>().await;
}

/// D1, I1: in the database of a service stand exactly the writes that were acknowledged, each with one replay row and one journal row.
async fn writes_stand_once(site: &Site, service: &str, done: &[Done]) {
    let sql = Sql::of(site, service).await;
    let wanted: BTreeMap<&str, &Done> = done
        .iter()
        .filter(|d| d.op.service == service && d.answer.is_ok())
        .map(|d| (d.op.id.as_str(), d))
        .collect();
    let mut kept = BTreeSet::new();
    for row in sql.rows("SELECT caller, request_id, response FROM replay").await {
        let (caller, id): (String, String) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        let response: Vec<u8> = row.try_get_by_index(2).unwrap();
        let done = wanted
            .get(id.as_str())
            .unwrap_or_else(|| panic!("{service}: {id} of {caller} stands there, and nobody was told"));
        assert_eq!(caller, done.op.who.subject, "{service}: {id}");
        assert_eq!(&response, done.answer.as_ref().unwrap(), "{service}: {id} is kept with another answer");
        kept.insert(id);
    }
    let mut written = BTreeSet::new();
    for row in sql
        .rows("SELECT request_id, method FROM journal WHERE request_id IS NOT NULL AND service IS NULL")
        .await
    {
        let (id, method): (String, String) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        assert!(written.insert(id.clone()), "{service}: {method} {id} was written twice");
    }
    for (what, found) in [("an answer", &kept), ("a journal row", &written)] {
        let lost: Vec<_> = wanted.keys().filter(|id| !found.contains(**id)).collect();
        assert!(lost.is_empty(), "{service}: acknowledged, without {what}: {lost:?}");
        assert_eq!(found.len(), wanted.len(), "{service}: more than was acknowledged has {what}");
    }
    // A1: positions without gaps.
    for table in ["journal", "event"] {
        let gap = sql.number(&format!("SELECT count(*) - coalesce(max(position), 0) FROM {table}")).await;
        assert_eq!(gap, 0, "{service}: positions of {table}");
    }
}

/// M1, M2: by SQL over the entries, and against what the service says of each account.
async fn books(site: &Site, city: &City, done: &[Done]) {
    let sql = Sql::of(site, "billing").await;
    let odd = "SELECT count(*) FROM (SELECT transaction_id FROM ledger_entry GROUP BY transaction_id HAVING sum(amount) <> 0) AS odd";
    assert_eq!(sql.number(odd).await, 0, "transactions that do not sum up to 0");
    assert_eq!(sql.number("SELECT CAST(coalesce(sum(amount), 0) AS bigint) FROM ledger_entry").await, 0);
    assert_eq!(
        sql.number("SELECT count(*) FROM ledger_transaction WHERE NOT sealed").await,
        0,
        "open transactions"
    );
    let mut sums: BTreeMap<(Uuid, String), i64> = BTreeMap::new();
    let entries = "SELECT account_id, book, CAST(sum(amount) AS bigint) FROM ledger_entry WHERE account_id IS NOT NULL GROUP BY account_id, book";
    for row in sql.rows(entries).await {
        let key = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap());
        sums.insert(key, row.try_get_by_index(2).unwrap());
    }
    let of = |account: &str, book: &str| sums.get(&(account.parse().unwrap(), book.to_owned())).copied().unwrap_or(0);
    let billed = sql.number("SELECT count(*) FROM bill").await > 0;
    for home in &city.homes {
        let balance = GetBalanceRequest {
            account_id: home.account.clone(),
            party_id: None,
        };
        let method = "hearth.billing.v1.LedgerService/GetBalance";
        let answer: GetBalanceResponse = site.client.ask(&site.address("billing"), &Who::auditor(), method, &balance).await.unwrap();
        let balance = answer.balance.unwrap();
        let fen = |money: Option<contracts::hearth::r#type::v1::Money>| money.map_or(0, |m| m.minor_units);
        assert_eq!(fen(balance.receivable), of(&home.account, "RECEIVABLE"), "{}", home.account_no);
        assert_eq!(fen(balance.prepayment), -of(&home.account, "PREPAYMENT"), "{}", home.account_no);
        // The client's own book of what it paid.
        let paid = done.iter().filter(|d| d.answer.is_ok()).filter_map(|d| match &d.op.meaning {
            Meaning::Payment { account, fen, .. } if *account == home.account => Some(fen),
            _ => None,
        });
        if !billed {
            assert_eq!(-of(&home.account, "PREPAYMENT"), paid.sum::<i64>(), "{}: what was paid", home.account_no);
        }
    }
}

/// What the writes were for stands there once, and nothing else does.
async fn effects(site: &Site, done: &[Done]) {
    let meanings = || done.iter().filter(|d| d.answer.is_ok()).map(|d| &d.op.meaning);
    let sql = Sql::of(site, "billing").await;
    let mut found = vec![];
    for row in sql.rows("SELECT channel_reference, account_id, amount FROM payment").await {
        let account: Uuid = row.try_get_by_index(1).unwrap();
        found.push((
            row.try_get_by_index::<String>(0).unwrap(),
            account.to_string(),
            row.try_get_by_index::<i64>(2).unwrap(),
        ));
    }
    same(
        "payments",
        found,
        meanings().filter_map(|m| match m {
            Meaning::Payment { account, reference, fen } => Some((reference.clone(), account.clone(), *fen)),
            _ => None,
        }),
    );
    let mut found = vec![];
    for row in sql.rows("SELECT meter_no, read_at FROM reading WHERE source = 'reader'").await {
        found.push((row.try_get_by_index::<String>(0).unwrap(), row.try_get_by_index::<i64>(1).unwrap()));
    }
    same(
        "readings",
        found,
        meanings().filter_map(|m| match m {
            Meaning::Reading { meter, micros } => Some((meter.clone(), *micros)),
            _ => None,
        }),
    );

    let sql = Sql::of(site, "archive").await;
    let mut found = vec![];
    for row in sql.rows("SELECT account_no FROM account").await {
        found.push(row.try_get_by_index::<String>(0).unwrap());
    }
    same(
        "customers",
        found,
        meanings().flat_map(|m| match m {
            Meaning::Customers { accounts } => accounts.clone(),
            _ => vec![],
        }),
    );
    let mut edits: BTreeMap<&str, (i64, &str)> = BTreeMap::new();
    for meaning in meanings() {
        if let Meaning::Edit { party, address } = meaning {
            let edit = edits.entry(party).or_insert((0, ""));
            *edit = (edit.0 + 1, address);
        }
    }
    let mut versions = BTreeMap::new();
    for row in sql.rows("SELECT id, version, address FROM party").await {
        let id: Uuid = row.try_get_by_index(0).unwrap();
        versions.insert(
            id.to_string(),
            (row.try_get_by_index::<i64>(1).unwrap(), row.try_get_by_index::<String>(2).unwrap()),
        );
    }
    for (party, (count, address)) in edits {
        // C1: the first version, and one for each correction.
        assert_eq!(versions[party], (count + 1, address.to_owned()), "corrections of party {party}");
    }

    let sql = Sql::of(site, "hall").await;
    let mut states = BTreeMap::new();
    for row in sql.rows("SELECT id, state FROM work_order").await {
        let id: Uuid = row.try_get_by_index(0).unwrap();
        states.insert(id.to_string(), row.try_get_by_index::<String>(1).unwrap());
    }
    // What an order is about is sealed; its client was told the id.
    let filed = done.iter().filter(|d| d.op.meaning == Meaning::Order).filter_map(|d| d.answer.clone().ok());
    let filed = filed.map(|answer| CreateOrderResponse::decode(answer).unwrap().order.unwrap().order_id);
    same("orders", states.keys().cloned().collect(), filed);
    // E1: each offer has reached the vendor once, each refusal has come back.
    let mut wanted: BTreeMap<&str, &str> = BTreeMap::new();
    for meaning in meanings() {
        match meaning {
            Meaning::Offer { order } => {
                wanted.entry(order).or_insert("OFFERED");
            }
            Meaning::Decline { order } => {
                wanted.insert(order, "DECLINED");
            }
            _ => {}
        }
    }
    let mut found = vec![];
    for row in Sql::of(site, "vendor").await.rows("SELECT order_id, state FROM work_offer").await {
        let order: Uuid = row.try_get_by_index(0).unwrap();
        found.push((order.to_string(), row.try_get_by_index::<String>(1).unwrap()));
    }
    same("offers", found, wanted.iter().map(|(order, state)| ((*order).to_owned(), (*state).to_owned())));
    for (order, state) in wanted {
        let hall = if state == "DECLINED" { "POOL" } else { "OFFERED" };
        assert_eq!(states[order], hall, "order {order} in hall, {state} at the vendor's");
    }
}

/// E1: billing's copies of accounts and agreements are those of archive.
async fn copies(site: &Site) {
    let (archive, billing) = (Sql::of(site, "archive").await, Sql::of(site, "billing").await);
    for (source, copy) in [
        (
            "SELECT id, account_no, party_id, branch FROM account",
            "SELECT id, account_no, party_id, branch FROM account",
        ),
        (
            "SELECT id, agreement_no, account_id, state FROM agreement",
            "SELECT id, agreement_no, account_id, state FROM supply",
        ),
    ] {
        let mut sides = vec![];
        for (sql, text) in [(&archive, source), (&billing, copy)] {
            let rows = sql.rows(text).await;
            let rows = rows.iter().map(|row| {
                let ids: (Uuid, Uuid) = (row.try_get_by_index(0).unwrap(), row.try_get_by_index(2).unwrap());
                let texts: (String, String) = (row.try_get_by_index(1).unwrap(), row.try_get_by_index(3).unwrap());
                (ids, texts)
            });
            sides.push(rows.collect::<Vec<_>>());
        }
        let copied = sides.pop().unwrap();
        same(copy, copied, sides.pop().unwrap());
    }
}

/// The same things, each as often.
#[track_caller]
fn same<T: Ord + std::fmt::Debug>(what: &str, mut found: Vec<T>, wanted: impl IntoIterator<Item = T>) {
    let mut wanted: Vec<T> = wanted.into_iter().collect();
    found.sort();
    wanted.sort();
    if found != wanted {
        let lost: Vec<_> = wanted.iter().filter(|w| !found.contains(w)).collect();
        let phantom: Vec<_> = found.iter().filter(|f| !wanted.contains(f)).collect();
        let double: Vec<_> = found.windows(2).filter(|w| w[0] == w[1]).map(|w| &w[0]).collect();
        panic!("{what}: lost {lost:?}, phantom {phantom:?}, double {double:?}");
    }
}
