//! Households whose meters share their tiers (一户多表): what is corrected of one of them moves the others (B11, B22, E11-03).

use contracts::hearth::billing::v1::{adjustment::Grounds, *};
use database::Engine;
use proptest::{prelude::*, strategy::ValueTree, test_runner::TestRunner};
use testbed::{Bed, at, each, each_of, key, reason};

use crate::{
    adjustment::{approved, ask, post, stated, taken_back},
    rebill::rebill,
    world::{Home, World, reading, sharing, text, tianjin},
};

async fn publish_shanghai(world: &World<'_>) {
    let shanghai = PublishTariffRequest {
        classes: vec![sharing()],
        ..tianjin()
    };
    world.tariffs().publish_tariff(shanghai).await.unwrap();
}

/// Homes of one account.
async fn household(world: &World<'_>, name: &str, meters: usize) -> Vec<Home> {
    let mut homes: Vec<Home> = vec![];
    for n in 0..meters {
        homes.push(world.home(&format!("{name}-{n}")).await);
        if n > 0 {
            world.join(&homes[0], &homes[n]).await;
        }
    }
    homes
}

/// Two meters of one account and the tiers that they share.
async fn scene(bed: &Bed) -> (World<'_>, Vec<Home>) {
    let world = World::new(bed).await;
    publish_shanghai(&world).await;
    let homes = household(&world, "G", 2).await;
    (world, homes)
}

/// A month of 2025 of homes, read on its last day and billed.
async fn month(world: &World<'_>, month: i32, last: &str, indexes: &[(&Home, &str)]) {
    world.clock(&format!("{last}T20:00:00+08:00"));
    for (home, index) in indexes {
        world.read(home, last, index).await;
    }
    assert_eq!(usize::try_from(world.run(month).await.produced).unwrap(), indexes.len());
}

/// The live bills of a meter, oldest first, with their lines.
async fn live(world: &World<'_>, home: &Home) -> Vec<Bill> {
    let request = ListBillsRequest {
        agreement_id: Some(home.agreement.clone()),
        page_size: 500,
        ..Default::default()
    };
    let mut live = vec![];
    for bill in world.bills().list_bills(request).await.unwrap().into_inner().bills {
        let request = GetBillRequest {
            bill_id: bill.bill_id.clone(),
            party_id: None,
        };
        if bill.state() != bill::State::Reversed {
            live.push(world.bills().get_bill(request).await.unwrap().into_inner().bill.unwrap());
        }
    }
    live.sort_by_key(|bill| (bill.year, bill.month));
    live
}

/// Volume before, volume and amount of the live bills of a meter.
async fn told(world: &World<'_>, home: &Home) -> Vec<(String, String, String)> {
    let metres = |volume: &Option<contracts::hearth::r#type::v1::Decimal>| volume.as_ref().unwrap().value.clone();
    let bills = live(world, home).await;
    let told = bills.iter().map(|b| (metres(&b.volume_before), metres(&b.volume), text(&b.amount)));
    told.collect()
}

fn bills(rows: &[(&str, &str, &str)]) -> Vec<(String, String, String)> {
    rows.iter()
        .map(|(before, volume, yuan)| ((*before).to_owned(), (*volume).to_owned(), (*yuan).to_owned()))
        .collect()
}

/// The true index of the last day of a month, which another one was noted for before.
async fn true_index(world: &World<'_>, home: &Home, last: &str, index: &str) {
    let request = RecordReadingRequest {
        read_time: Some(rpc::wire::time(at(&format!("{last}T13:00:00+08:00")))),
        ..reading(home, last, index)
    };
    world.readings().record_reading(request).await.unwrap();
}

#[tokio::test]
async fn g_sh_and_b22_the_other_meters_of_a_household_are_billed_anew_with_a_misread_one() {
    each(billing::SERVICE, async |bed| {
        let (world, homes) = scene(bed).await;
        let (one, two) = (&homes[0], &homes[1]);
        month(&world, 1, "2025-01-31", &[(one, "100"), (two, "300")]).await;
        // 100 × 3.00; 210 × 3.00 + 90 × 3.30.
        assert_eq!(told(&world, one).await, bills(&[("0", "100", "300.00")]));
        assert_eq!(told(&world, two).await, bills(&[("100", "300", "927.00")]));
        world.clock("2025-02-02T09:00:00+08:00");
        true_index(&world, one, "2025-01-31", "50").await;
        let wrong = live(&world, one).await.remove(0);
        let answer = rebill(&world, &wrong, true).await;
        // 50 × 3.00; 260 × 3.00 + 40 × 3.30: of 350 m³ no more than 40 are above 310.
        assert_eq!(told(&world, one).await, bills(&[("0", "50", "150.00")]));
        assert_eq!(told(&world, two).await, bills(&[("50", "300", "912.00")]));
        assert_eq!((answer.reversed_bills.len(), text(&answer.difference).as_str()), (2, "-165.00"));
        let order = |bills: &[Bill]| bills.iter().map(|b| b.agreement_id.clone()).collect::<Vec<_>>();
        assert_eq!(order(&answer.bills), [one.agreement.clone(), two.agreement.clone()]);
        assert_eq!(order(&answer.reversed_bills), order(&answer.bills));
        assert_eq!(world.balance(one).await.0, "1062.00");
        // What follows goes on above them as if nothing had been misread: 60 × 3.30; 110 × 3.30 + 150 × 4.20.
        month(&world, 2, "2025-02-28", &[(one, "110"), (two, "560")]).await;
        assert_eq!(told(&world, one).await[1..], bills(&[("350", "60", "198.00")]));
        assert_eq!(told(&world, two).await[1..], bills(&[("410", "260", "993.00")]));
        // A bill of the last meter moves those before it no more than they lie behind it.
        let answer = rebill(&world, &live(&world, two).await[1], false).await;
        assert_eq!((answer.reversed_bills.len(), text(&answer.difference).as_str()), (1, "0.00"));
        world.sound().await;
    })
    .await;
}

/// The first meter is billed after the second one, whose January began at nothing.
#[tokio::test]
async fn g_sh_and_b22_a_meter_that_was_billed_out_of_its_turn_is_billed_anew_as_well() {
    each(billing::SERVICE, async |bed| {
        let (world, homes) = scene(bed).await;
        let (one, two) = (&homes[0], &homes[1]);
        month(&world, 1, "2025-01-31", &[(two, "300")]).await;
        world.read(one, "2025-01-31", "100").await;
        assert_eq!(world.run(1).await.produced, 1);
        assert_eq!(told(&world, two).await, bills(&[("0", "300", "900.00")]));
        // 10 × 3.00 + 90 × 3.30.
        assert_eq!(told(&world, one).await, bills(&[("300", "100", "327.00")]));
        world.clock("2025-02-02T09:00:00+08:00");
        true_index(&world, two, "2025-01-31", "250").await;
        let answer = rebill(&world, &live(&world, two).await[0], true).await;
        // In their turn: 100 × 3.00; 210 × 3.00 + 40 × 3.30. Of 350 m³ 40 are above 310.
        assert_eq!(told(&world, one).await, bills(&[("0", "100", "300.00")]));
        assert_eq!(told(&world, two).await, bills(&[("100", "250", "762.00")]));
        assert_eq!(text(&answer.difference), "-165.00");
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn g_sh_and_e_11_03_an_adjustment_moves_the_other_meters_of_its_household() {
    each(billing::SERVICE, async |bed| {
        let (world, homes) = scene(bed).await;
        let (one, two) = (&homes[0], &homes[1]);
        month(&world, 1, "2025-01-31", &[(one, "100"), (two, "300")]).await;
        world.clock("2025-02-02T09:00:00+08:00");
        let lost = |home: &Home| stated(home, Grounds::MeterUnreadable, "50", "2024-12-31", "2025-01-31");
        let first = approved(&world, ask(&world, lost(one)).await, "2025-02-02").await;
        let posted = post(&world, &first).await;
        // 150 × 3.00; 160 × 3.00 + 140 × 3.30: of 450 m³ 140 are above 310.
        assert_eq!(told(&world, one).await, bills(&[("0", "150", "450.00")]));
        assert_eq!(told(&world, two).await, bills(&[("150", "300", "942.00")]));
        let posted = posted.adjustment.unwrap();
        assert_eq!(text(&posted.difference), "165.00");
        // One of the other meter stays in its bill when that of the first one goes.
        let second = approved(&world, ask(&world, lost(two)).await, "2025-02-02").await;
        post(&world, &second).await;
        assert_eq!(told(&world, two).await, bills(&[("150", "350", "1107.00")]));
        assert_eq!(taken_back(&world, &posted).await.bills.len(), 2);
        // 210 × 3.00 + 140 × 3.30.
        assert_eq!(told(&world, one).await, bills(&[("0", "100", "300.00")]));
        assert_eq!(told(&world, two).await, bills(&[("100", "350", "1092.00")]));
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn g_sh_a_bill_below_that_of_another_meter_is_reversed_after_it() {
    each(billing::SERVICE, async |bed| {
        let (world, homes) = scene(bed).await;
        let (one, two) = (&homes[0], &homes[1]);
        month(&world, 12, "2025-12-31", &[(one, "100"), (two, "300")]).await;
        world.clock("2026-01-31T20:00:00+08:00");
        world.read(one, "2026-01-31", "120").await;
        let january = world.start_run(2026, 1).await;
        assert_eq!(world.finished(&january).await.produced, 1);
        let reverse = async |bill: Bill| {
            let request = ReverseBillRequest {
                request_id: key(),
                bill_id: bill.bill_id,
                etag: bill.etag,
                reason: "misread".to_owned(),
                reading_was_wrong: false,
            };
            world.bills().reverse_bill(request).await
        };
        // Of the next tier year; the first tiers of that begin with it.
        reverse(live(&world, one).await.remove(1)).await.unwrap();
        let below = reverse(live(&world, one).await.remove(0)).await.unwrap_err();
        assert_eq!(reason(&below), "BILL_NOT_LATEST");
        assert_eq!(world.finished(&world.start_run(2026, 1).await).await.produced, 1);
        // No litre of January counts where December does.
        reverse(live(&world, two).await.remove(0)).await.unwrap();
        reverse(live(&world, one).await.remove(1)).await.unwrap();
        reverse(live(&world, one).await.remove(0)).await.unwrap();
        assert_eq!(world.run(12).await.produced, 2);
        assert_eq!(told(&world, one).await, bills(&[("0", "100", "300.00")]));
        assert_eq!(told(&world, two).await, bills(&[("100", "300", "927.00")]));
        world.sound().await;
    })
    .await;
}

/// 9.1: the tier ledger belongs to the household and its premises.
#[tokio::test]
async fn g_sh_two_meters_of_one_flat_share_their_tiers_and_two_flats_of_one_account_do_not() {
    each(billing::SERVICE, async |bed| {
        let (world, homes) = scene(bed).await;
        let other = world.home("G-2").await;
        world.join_account(&homes[0], &other).await;
        let all = [&homes[0], &homes[1], &other];
        month(&world, 1, "2025-01-31", &[(all[0], "200"), (all[1], "250"), (all[2], "250")]).await;
        assert_eq!(told(&world, all[0]).await, bills(&[("0", "200", "600.00")]));
        // 110 × 3.00 + 140 × 3.30.
        assert_eq!(told(&world, all[1]).await, bills(&[("200", "250", "792.00")]));
        // 250 × 3.00.
        assert_eq!(told(&world, all[2]).await, bills(&[("0", "250", "750.00")]));
        // Where it is not known of each where it lies, all of the account share: 450 m³ and the 250 are used; 240 × 4.20.
        world.sql("UPDATE supply SET premises_id = NULL").await.unwrap();
        month(&world, 2, "2025-02-28", &[(all[2], "490")]).await;
        assert_eq!(told(&world, all[2]).await[1..], bills(&[("700", "240", "1008.00")]));
        world.sound().await;
    })
    .await;
}

const LAST: [&str; 3] = ["2025-01-31", "2025-02-28", "2025-03-31"];

/// Two or three meters with their indexes on the last days of three months, of which one was misread.
#[derive(Clone, Debug)]
struct Given {
    indexes: Vec<[i64; 3]>,
    meter: usize,
    month: usize,
    misread: i64,
}

/// No month differs so much from those before it that its reading would be held.
fn given() -> impl Strategy<Value = Given> {
    let uses = prop::collection::vec(prop::array::uniform3(100_i64..=115), 2..=3);
    (uses, any::<prop::sample::Index>(), 0_usize..3, 1_i64..=15).prop_map(|(uses, meter, month, over)| {
        let meter = meter.index(uses.len());
        let mut indexes: Vec<[i64; 3]> = uses.iter().map(|u| [u[0], u[0] + u[1], u[0] + u[1] + u[2]]).collect();
        // Room for what was read too much, which the next month counts less.
        for index in indexes[meter].iter_mut().skip(month + 1) {
            *index += over;
        }
        let misread = indexes[meter][month] + over;
        Given {
            indexes,
            meter,
            month,
            misread,
        }
    })
}

/// Bills households that are misread and their twins that are not, and corrects what was misread.
async fn corrected(engine: Engine, count: usize) {
    each_of(billing::SERVICE, &[engine], async |bed| {
        let world = World::new(bed).await;
        publish_shanghai(&world).await;
        // The same cases whenever it is run.
        let mut runner = TestRunner::deterministic();
        let mut cases = vec![];
        for n in 0..count {
            let given = given().new_tree(&mut runner).unwrap().current();
            let misread = household(&world, &format!("M{n}"), given.indexes.len()).await;
            let twin = household(&world, &format!("T{n}"), given.indexes.len()).await;
            cases.push((given, misread, twin));
        }
        for (at, last) in LAST.iter().enumerate() {
            world.clock(&format!("{last}T20:00:00+08:00"));
            for (given, misread, twin) in &cases {
                for (meter, indexes) in given.indexes.iter().enumerate() {
                    let wrong = (meter, at) == (given.meter, given.month);
                    let index = if wrong { given.misread } else { indexes[at] };
                    world.read(&misread[meter], last, &index.to_string()).await;
                    world.read(&twin[meter], last, &indexes[at].to_string()).await;
                }
            }
            let meters: usize = cases.iter().map(|(given, ..)| 2 * given.indexes.len()).sum();
            let run = world.run(i32::try_from(at).unwrap() + 1).await;
            assert_eq!(usize::try_from(run.produced).unwrap(), meters, "{run:?}");
        }
        world.clock("2025-04-02T09:00:00+08:00");
        for (given, misread, twin) in &cases {
            let home = &misread[given.meter];
            true_index(&world, home, LAST[given.month], &given.indexes[given.meter][given.month].to_string()).await;
            let wrong = live(&world, home).await.remove(given.month);
            rebill(&world, &wrong, true).await;
            for (one, other) in misread.iter().zip(twin) {
                let lines = async |home: &Home| live(&world, home).await.into_iter().map(|b| b.lines).collect::<Vec<_>>();
                assert_eq!(told(&world, one).await, told(&world, other).await, "{given:?}");
                assert_eq!(lines(one).await, lines(other).await, "{given:?}");
            }
        }
        world.sound().await;
    })
    .await;
}

#[tokio::test]
async fn b11_a_corrected_household_is_billed_as_one_whose_readings_were_true() {
    corrected(Engine::Sqlite, 6).await;
    corrected(Engine::Postgres, 2).await;
}
