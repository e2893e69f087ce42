//! I9: a bill run that is killed again and again ends as one that is left alone, to the fen.

use std::time::{Duration, Instant};

use contracts::hearth::billing::v1::{GetBillRunRequest, GetBillRunResponse, ImportReadingsResponse, StartBillRunResponse, bill_run};
use database::Engine;
use prost::Message;

use super::{Scene, points, seconds};
use crate::{
    check,
    city::{Home, customer, tariff, write},
    client::Who,
    sql::Sql,
};

/// A bill: account, month, litres, fen.
type Bill = (String, i32, i64, i64);

/// Longest wait for a run. A lease that a killed worker held ends after ten seconds, so each kill may cost as much.
fn patience(accounts: usize, kills: usize) -> Duration {
    Duration::from_secs(300 + 15 * kills as u64 + accounts as u64 / 20)
}

pub async fn run(engine: Engine, accounts: usize, kills: usize) -> Option<String> {
    let (calm, length, _) = billed(engine, accounts, 0).await?;
    assert_eq!(calm.len(), accounts, "a bill for each account");
    let (killed, _, figures) = billed(engine, accounts, kills).await?;
    assert_eq!(killed, calm, "bills of the killed run and of the one that was left alone");
    let total: i64 = calm.iter().map(|bill| bill.3).sum();
    Some(format!(
        "{accounts} accounts, {kills} kills of the run: the same bills as without, {total} fen; alone it takes {}; {figures}",
        seconds(length)
    ))
}

/// Bills January and kills billing so often meanwhile.
async fn billed(engine: Engine, accounts: usize, kills: usize) -> Option<(Vec<Bill>, Duration, String)> {
    let mut scene = Scene::set("runs", engine, accounts).await?;
    write(&scene.site, tariff(&mut scene.seed)).await;
    for first in (0..accounts).step_by(500) {
        let rows = (first..accounts.min(first + 500)).map(|n| {
            let account_no = customer(n).account_no;
            let home = Home {
                account: String::new(),
                meter_no: format!("M-{account_no}"),
                account_no,
                party: String::new(),
            };
            // A litre more for each, so that rounding is met.
            points::row(&home, &format!("{}.{:03}", 20 + n % 40, n % 1000))
        });
        let count = rows.len();
        let taken = write(&scene.site, points::readings(&mut scene.seed, rows.collect())).await;
        assert_eq!(ImportReadingsResponse::decode(taken).unwrap().accepted as usize, count);
    }
    let start = write(&scene.site, points::start_run(&mut scene.seed)).await;
    let run_id = StartBillRunResponse::decode(start).unwrap().run_id;
    let began = Instant::now();
    let mut killed = 0;
    loop {
        let get = GetBillRunRequest { run_id: run_id.clone() };
        let method = "hearth.billing.v1.BillRunService/GetBillRun";
        let answer: Result<GetBillRunResponse, _> = scene.site.client.ask(&scene.site.address("billing"), &Who::auditor(), method, &get).await;
        let run = answer.ok().and_then(|a| a.run).unwrap_or_default();
        if run.state() == bill_run::State::Done {
            break;
        }
        // Each kill in a part of its own, some time after that part has begun.
        if killed < kills && run.produced as usize >= accounts * killed / kills {
            tokio::time::sleep(Duration::from_millis(scene.seed.within(0, 300))).await;
            scene.site.kill_and_restart("billing").await;
            killed += 1;
        }
        assert!(began.elapsed() < patience(accounts, kills), "the run does not end");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let length = began.elapsed();
    // The others take an event of each bill.
    check::settled(&scene.site, Duration::from_secs(60 + accounts as u64 / 50)).await;
    let mut bills = vec![];
    for row in Sql::of(&scene.site, "billing")
        .await
        .rows("SELECT account_no, month, volume, amount FROM bill")
        .await
    {
        let number = |n| row.try_get_by_index::<i64>(n).unwrap();
        bills.push((row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap(), number(2), number(3)));
    }
    bills.sort();
    let figures = scene.end(&format!("{} bills, {killed} kills", bills.len())).await;
    Some((bills, length, figures))
}
