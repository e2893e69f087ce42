use contracts::hearth::archive::v1::{
    Agreement, Entitlement, EntitlementExpiring, GrantFlatPriceRequest, GrantHouseholdSizeRequest, GrantLowIncomeRequest, HouseholdSizeChanged,
    ListEntitlementsRequest, VoidAgreementRequest, WithdrawEntitlementRequest, entitlement,
};
use database::Engine;
use prost::Message;
use testbed::{Bed, at, each, eventually, key, reason};
use tonic::Code;
use uuid::Uuid;

use crate::world::{Desk, HEXI, date, events, raw, rows, uuid};

fn size(agreement: &Agreement, persons: i32, from: &str, until: Option<&str>) -> GrantHouseholdSizeRequest {
    GrantHouseholdSizeRequest {
        request_id: key(),
        agreement_id: agreement.agreement_id.clone(),
        persons,
        from_date: date(from),
        until_date: until.and_then(date),
        proof: "户口簿".to_owned(),
    }
}

async fn signed(desk: &mut Desk) -> Agreement {
    let template = desk.template().await;
    let request = desk.ready(1, HEXI, &template).await;
    desk.sign(request).await
}

async fn told(bed: &Bed, agreement: &Agreement) -> Vec<(i32, String, String)> {
    let sql = "SELECT data FROM event WHERE subject = $1 AND kind = 'hearth.archive.v1.HouseholdSizeChanged' ORDER BY id";
    let day = |d: Option<contracts::hearth::r#type::v1::Date>| d.map_or(String::new(), |d| format!("{}-{}-{}", d.year, d.month, d.day));
    let found = rows(bed, sql, vec![agreement.agreement_id.clone().into()]).await;
    let events = found
        .iter()
        .map(|row| HouseholdSizeChanged::decode(row.try_get_by_index::<Vec<u8>>(0).unwrap().as_slice()).unwrap());
    events.map(|e| (e.persons, day(e.from_date), day(e.until_date))).collect()
}

async fn list(desk: &mut Desk, agreement: &Agreement) -> Vec<Entitlement> {
    let request = ListEntitlementsRequest {
        agreement_id: agreement.agreement_id.clone(),
        ..ListEntitlementsRequest::default()
    };
    desk.entitlements.list_entitlements(request).await.unwrap().into_inner().entitlements
}

#[tokio::test(flavor = "multi_thread")]
async fn a37_household_sizes_follow_each_other_by_day() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let agreement = signed(&mut desk).await;
        let grants = &mut desk.entitlements;
        let four = grants
            .grant_household_size(size(&agreement, 4, "2025-01-01", None))
            .await
            .unwrap()
            .into_inner()
            .entitlement
            .unwrap();
        grants.grant_household_size(size(&agreement, 6, "2025-06-01", None)).await.unwrap();
        for (from, until) in [("2025-06-01", None), ("2025-03-01", None), ("2025-03-01", Some("2025-06-02"))] {
            let status = grants.grant_household_size(size(&agreement, 5, from, until)).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "ENTITLEMENT_OVERLAP"));
        }
        assert_eq!(
            reason(
                &grants
                    .grant_household_size(size(&agreement, 5, "2025-03-01", Some("2025-03-01")))
                    .await
                    .unwrap_err()
            ),
            "PERIOD"
        );
        assert_eq!(
            grants.grant_household_size(size(&agreement, 0, "2025-03-01", None)).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        grants
            .grant_household_size(size(&agreement, 5, "2025-03-01", Some("2025-04-01")))
            .await
            .unwrap();

        let now = list(&mut desk, &agreement).await;
        let days: Vec<_> = now.iter().map(|e| (e.persons, e.from_date, e.until_date)).collect();
        let expected = [
            (4, date("2025-01-01"), date("2025-03-01")),
            (6, date("2025-06-01"), None),
            (5, date("2025-03-01"), date("2025-04-01")),
        ];
        assert_eq!(days, expected);
        assert!(now.iter().all(|e| !e.proof.contains("户口")));
        assert_ne!(now[0].etag, four.etag);
        // The last word on every day from March on: 5, then none, then 6.
        let told = told(bed, &agreement).await;
        let tail = [(5, "2025-3-1", "2025-4-1"), (0, "2025-4-1", ""), (6, "2025-6-1", "")];
        assert_eq!(told[2..].iter().map(|(p, f, u)| (*p, f.as_str(), u.as_str())).collect::<Vec<_>>(), tail);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entitlement_is_withdrawn_with_its_tag() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let agreement = signed(&mut desk).await;
        let grant = GrantLowIncomeRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            from_date: date("2025-01-01"),
            until_date: None,
            proof: "低保证".to_owned(),
            destitute: false,
        };
        // No end lies so near that it is told of already (edge 14).
        let low = desk
            .entitlements
            .grant_low_income(grant.clone())
            .await
            .unwrap()
            .into_inner()
            .entitlement
            .unwrap();
        assert_eq!(desk.entitlements.grant_low_income(grant).await.unwrap().into_inner().entitlement.unwrap(), low);
        let withdraw = |etag: &str, from: &str| WithdrawEntitlementRequest {
            request_id: key(),
            entitlement_id: low.entitlement_id.clone(),
            etag: etag.to_owned(),
            from_date: date(from),
        };
        let ended = desk
            .entitlements
            .withdraw_entitlement(withdraw(&low.etag, "2025-06-01"))
            .await
            .unwrap()
            .into_inner()
            .entitlement
            .unwrap();
        assert_eq!((ended.state(), ended.until_date), (entitlement::State::Granted, date("2025-06-01")));
        assert_eq!(
            reason(&desk.entitlements.withdraw_entitlement(withdraw(&low.etag, "2025-01-15")).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        assert_eq!(
            reason(&desk.entitlements.withdraw_entitlement(withdraw(&ended.etag, "2025-06-01")).await.unwrap_err()),
            "ENTITLEMENT_STATE"
        );
        let gone = desk
            .entitlements
            .withdraw_entitlement(withdraw(&ended.etag, "2025-01-01"))
            .await
            .unwrap()
            .into_inner()
            .entitlement
            .unwrap();
        assert_eq!(gone.state(), entitlement::State::Withdrawn);
        assert_eq!(
            events(bed, &agreement.agreement_id).await,
            ["ContractSigned", "LowIncomeFlagChanged", "LowIncomeFlagChanged", "LowIncomeFlagChanged"]
        );
        // A choice of price stands beside the others.
        let choose = GrantFlatPriceRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            from_date: date("2025-01-01"),
            until_date: None,
            proof: "申请书".to_owned(),
        };
        let chosen = desk.entitlements.grant_flat_price(choose).await.unwrap().into_inner().entitlement.unwrap();
        assert_eq!((chosen.kind(), chosen.persons, chosen.destitute), (entitlement::Kind::FlatPrice, 0, false));
        let back = WithdrawEntitlementRequest {
            entitlement_id: chosen.entitlement_id.clone(),
            ..withdraw(&chosen.etag, "2025-06-01")
        };
        desk.entitlements.withdraw_entitlement(back).await.unwrap();
        assert_eq!(events(bed, &agreement.agreement_id).await[4..], ["FlatPriceChosen", "FlatPriceChosen"]);

        let void = VoidAgreementRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            etag: Some(agreement.etag.clone()),
            reason: "X".to_owned(),
        };
        desk.agreements.void_agreement(void).await.unwrap();
        let late = size(&agreement, 3, "2025-01-01", None);
        assert_eq!(reason(&desk.entitlements.grant_household_size(late).await.unwrap_err()), "AGREEMENT_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_6_the_database_refuses_overlapping_entitlements() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let agreement = signed(&mut desk).await;
        desk.entitlements.grant_household_size(size(&agreement, 4, "2025-01-01", None)).await.unwrap();
        let copy = async |state: &str, kind: &str, from: &str, until: &str| {
            let sql = format!(
                "INSERT INTO entitlement (id, agreement_id, party_id, branch, kind, persons, from_date, until_date, proof_sealed, state, version, created_at,
                updated_at) SELECT $1, agreement_id, party_id, branch, '{kind}', persons, '{from}', {until}, proof_sealed, '{state}', 1, created_at, updated_at
                FROM entitlement WHERE agreement_id = $2 ORDER BY id LIMIT 1"
            );
            raw(bed, &sql, vec![Uuid::now_v7().into(), uuid(&agreement.agreement_id)]).await
        };
        let overlap = Err("ENTITLEMENT_OVERLAP".to_owned());
        assert_eq!(copy("GRANTED", "HOUSEHOLD_SIZE", "2026-01-01", "NULL").await, overlap);
        assert_eq!(copy("GRANTED", "HOUSEHOLD_SIZE", "2024-01-01", "'2025-01-02'").await, overlap);
        assert_eq!(copy("GRANTED", "HOUSEHOLD_SIZE", "2024-01-01", "'2025-01-01'").await, Ok(()));
        assert_eq!(copy("WITHDRAWN", "HOUSEHOLD_SIZE", "2025-01-01", "NULL").await, Ok(()));
        assert_eq!(copy("GRANTED", "LOW_INCOME", "2025-01-01", "NULL").await, Ok(()));
        assert_eq!(
            raw(bed, "UPDATE entitlement SET state = 'GRANTED' WHERE state = 'WITHDRAWN'", vec![]).await,
            overlap
        );
    })
    .await;
}

/// What was told of ends: of which agreement and kind, the first day without it, and how many days before, in this order.
async fn ends(bed: &Bed) -> Vec<(String, entitlement::Kind, Option<contracts::hearth::r#type::v1::Date>, i32)> {
    let sql = "SELECT data, subject FROM event WHERE kind = 'hearth.archive.v1.EntitlementExpiring' ORDER BY id";
    let found = rows(bed, sql, vec![]).await;
    let told = found.iter().map(|row| {
        let event = EntitlementExpiring::decode(row.try_get_by_index::<Vec<u8>>(0).unwrap().as_slice()).unwrap();
        assert_eq!(row.try_get_by_index::<String>(1).unwrap(), event.agreement_id);
        (event.agreement_id.clone(), event.kind(), event.until_date, event.days_before)
    });
    told.collect()
}

async fn grant(desk: &mut Desk, agreement: &Agreement, from: &str, until: Option<&str>) -> Entitlement {
    let granted = desk.entitlements.grant_household_size(size(agreement, 6, from, until)).await.unwrap();
    granted.into_inner().entitlement.unwrap()
}

async fn withdraw(desk: &mut Desk, entitlement: &Entitlement, from: &str) -> Entitlement {
    let request = WithdrawEntitlementRequest {
        request_id: key(),
        entitlement_id: entitlement.entitlement_id.clone(),
        etag: entitlement.etag.clone(),
        from_date: date(from),
    };
    desk.entitlements.withdraw_entitlement(request).await.unwrap().into_inner().entitlement.unwrap()
}

async fn homes<const N: usize>(desk: &mut Desk) -> [Agreement; N] {
    let template = desk.template().await;
    let mut homes = vec![];
    for n in 1..=u32::try_from(N).unwrap() {
        let request = desk.ready(n, HEXI, &template).await;
        homes.push(desk.sign(request).await);
    }
    homes.try_into().unwrap()
}

fn day(bed: &Bed, day: &str) {
    bed.clock().set(at(&format!("{day}T08:00:00+08:00"))).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_14_every_kind_is_told_of_60_and_30_days_before_its_last_day() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let agreement = signed(&mut desk).await;
        let persons = grant(&mut desk, &agreement, "2025-01-01", Some("2025-07-01")).await;
        let low = GrantLowIncomeRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            from_date: date("2025-01-01"),
            until_date: date("2025-06-30"),
            proof: "低保证".to_owned(),
            destitute: false,
        };
        desk.entitlements.grant_low_income(low).await.unwrap();
        let flat = GrantFlatPriceRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            from_date: date("2025-01-01"),
            until_date: date("2025-07-02"),
            proof: "申请书".to_owned(),
        };
        desk.entitlements.grant_flat_price(flat).await.unwrap();
        use entitlement::Kind::{FlatPrice, HouseholdSize, LowIncome};
        // Each day has one that is due, so that what comes too early or twice would be seen beside it.
        let mut expected = vec![];
        for (today, kind, until, before) in [
            ("2025-04-30", LowIncome, "2025-06-30", 60),
            ("2025-05-01", HouseholdSize, "2025-07-01", 60),
            ("2025-05-02", FlatPrice, "2025-07-02", 60),
            ("2025-05-30", LowIncome, "2025-06-30", 30),
            ("2025-05-31", HouseholdSize, "2025-07-01", 30),
            ("2025-06-01", FlatPrice, "2025-07-02", 30),
        ] {
            day(bed, today);
            expected.push((agreement.agreement_id.clone(), kind, date(until), before));
            eventually(today, async || (ends(bed).await == expected).then_some(())).await;
        }
        let sql = "SELECT data FROM event WHERE kind = 'hearth.archive.v1.EntitlementExpiring' ORDER BY id";
        let data = rows(bed, sql, vec![]).await[1].try_get_by_index::<Vec<u8>>(0).unwrap();
        let told = EntitlementExpiring::decode(data.as_slice()).unwrap();
        assert_eq!((told.entitlement_id, told.party_id), (persons.entitlement_id, agreement.party_id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_14_who_looks_after_a_long_time_tells_once_and_nothing_of_what_has_ended() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let [slept, ended, later] = homes(&mut desk).await;
        grant(&mut desk, &slept, "2025-01-01", Some("2025-05-02")).await;
        grant(&mut desk, &ended, "2025-01-01", Some("2025-04-01")).await;
        grant(&mut desk, &later, "2025-01-01", Some("2025-06-15")).await;
        // Nobody looks for a hundred days: 60 and 30 days before 1 May have passed, and 31 March has.
        bed.crash().await;
        day(bed, "2025-04-15");
        bed.start().await;
        let told = |agreement: &Agreement, until: &str, before: i32| (agreement.agreement_id.clone(), entitlement::Kind::HouseholdSize, date(until), before);
        let mut expected = vec![told(&slept, "2025-05-02", 30), told(&later, "2025-06-15", 60)];
        eventually("both that go on", async || (ends(bed).await == expected).then_some(())).await;
        // Up to the last day nothing more is told of the first.
        day(bed, "2025-05-01");
        day(bed, "2025-05-15");
        expected.push(told(&later, "2025-06-15", 30));
        eventually("the second mark of the later one", async || (ends(bed).await == expected).then_some(())).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_14_what_is_renewed_or_withdrawn_is_not_told_and_a_new_end_is_counted_anew() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let [renewed, withdrawn, voided, gap, open, cut] = homes(&mut desk).await;
        grant(&mut desk, &renewed, "2025-01-01", Some("2025-07-01")).await;
        let next = grant(&mut desk, &renewed, "2025-07-01", None).await;
        let never = grant(&mut desk, &withdrawn, "2025-01-01", Some("2025-07-01")).await;
        withdraw(&mut desk, &never, "2025-01-01").await;
        grant(&mut desk, &voided, "2025-01-01", Some("2025-07-01")).await;
        let void = VoidAgreementRequest {
            request_id: key(),
            agreement_id: voided.agreement_id.clone(),
            etag: Some(voided.etag.clone()),
            reason: "X".to_owned(),
        };
        desk.agreements.void_agreement(void).await.unwrap();
        // One day is not covered: that is no renewal.
        grant(&mut desk, &gap, "2025-01-01", Some("2025-07-01")).await;
        grant(&mut desk, &gap, "2025-07-02", None).await;
        let endless = grant(&mut desk, &open, "2025-01-01", None).await;
        grant(&mut desk, &cut, "2025-01-01", Some("2025-08-01")).await;

        let told = |agreement: &Agreement, until: &str, before: i32| (agreement.agreement_id.clone(), entitlement::Kind::HouseholdSize, date(until), before);
        day(bed, "2025-05-01");
        let mut expected = vec![told(&gap, "2025-07-01", 60)];
        eventually("the one that is not renewed", async || (ends(bed).await == expected).then_some(())).await;
        // An end that comes by a withdrawal; it has passed the first mark by then.
        day(bed, "2025-05-09");
        let shorter = withdraw(&mut desk, &endless, "2025-07-01").await;
        expected.push(told(&open, "2025-07-01", 60));
        eventually("the end that was set", async || (ends(bed).await == expected).then_some(())).await;
        // A renewal that is taken back leaves an end again, though its first mark has passed.
        day(bed, "2025-05-10");
        withdraw(&mut desk, &next, "2025-07-01").await;
        expected.push(told(&renewed, "2025-07-01", 60));
        eventually("the end that is one again", async || (ends(bed).await == expected).then_some(())).await;
        // Earlier than it was: what was told of the old end does not count.
        day(bed, "2025-05-20");
        withdraw(&mut desk, &shorter, "2025-06-10").await;
        expected.push(told(&open, "2025-06-10", 30));
        eventually("the earlier end", async || (ends(bed).await == expected).then_some(())).await;
        // The new size ends the old one and is told of itself; the old one goes on in it.
        day(bed, "2025-05-26");
        grant(&mut desk, &cut, "2025-06-20", Some("2025-06-25")).await;
        expected.push(told(&cut, "2025-06-25", 30));
        eventually("the new grant", async || (ends(bed).await == expected).then_some(())).await;
        day(bed, "2025-05-31");
        let mut last = vec![told(&gap, "2025-07-01", 30), told(&renewed, "2025-07-01", 30)];
        last.sort_by(|a, b| a.0.cmp(&b.0));
        eventually("the second marks", async || {
            let all = ends(bed).await;
            let mut new = all[expected.len()..].to_vec();
            new.sort_by(|a, b| a.0.cmp(&b.0));
            (new == last).then_some(())
        })
        .await;
        expected = ends(bed).await;
        // Half a year later nobody has heard more.
        day(bed, "2025-12-01");
        let control = grant(&mut desk, &renewed, "2025-12-01", Some("2025-12-10")).await;
        let heard = eventually("a new one that ends soon", async || ends(bed).await.get(expected.len()).cloned()).await;
        assert_eq!((heard.2, heard.3), (control.until_date, 30));
        assert_eq!(ends(bed).await.len(), expected.len() + 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_14_more_ends_than_one_run_looks_at_hold_up_none() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let agreement = signed(&mut desk).await;
        let one = grant(&mut desk, &agreement, "2025-01-01", Some("2025-07-01")).await;
        // Two runs and a half of days of the past that nobody has looked at, as an older release may have left them.
        let sql = "INSERT INTO entitlement (id, agreement_id, party_id, branch, kind, persons, from_date, until_date, proof_sealed, state, version, created_at,
            updated_at, next_mark_on) SELECT $1, agreement_id, party_id, branch, kind, persons, $2, $3, proof_sealed, state, 1, created_at, updated_at, $2
            FROM entitlement WHERE id = $4";
        let first: chrono::NaiveDate = "2020-01-01".parse().unwrap();
        for n in 0..250 {
            let from = first + chrono::Days::new(2 * n);
            let values = vec![Uuid::now_v7().into(), from.into(), from.succ_opt().unwrap().into(), uuid(&one.entitlement_id)];
            raw(bed, sql, values).await.unwrap();
        }
        day(bed, "2025-05-01");
        let expected = [(agreement.agreement_id.clone(), entitlement::Kind::HouseholdSize, date("2025-07-01"), 60)];
        eventually("the one that has not ended", async || (ends(bed).await == expected).then_some(())).await;
        let left = rows(bed, "SELECT next_mark_on FROM entitlement WHERE next_mark_on IS NOT NULL", vec![]).await;
        let left: Vec<_> = left
            .iter()
            .map(|row| row.try_get_by_index::<chrono::NaiveDate>(0).unwrap().to_string())
            .collect();
        assert_eq!(left, ["2025-05-31"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn edge_14_entitlements_of_an_older_release_get_their_marks() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let [ahead, ended, endless, withdrawn] = homes(&mut desk).await;
        grant(&mut desk, &ahead, "2024-01-01", Some("2199-07-01")).await;
        grant(&mut desk, &ended, "2020-01-01", Some("2021-01-01")).await;
        grant(&mut desk, &endless, "2024-01-01", None).await;
        let never = grant(&mut desk, &withdrawn, "2024-01-01", Some("2199-07-01")).await;
        withdraw(&mut desk, &never, "2024-01-01").await;
        bed.clock().hold(true);
        raw(bed, "UPDATE entitlement SET next_mark_on = NULL", vec![]).await.unwrap();
        let section = if bed.engine() == Engine::Sqlite { "-- sqlite" } else { "-- postgres" };
        let (_, after) = archive::SERVICE.migrations[7].split_once(section).unwrap();
        raw(bed, after.split("\n--").next().unwrap(), vec![]).await.unwrap();
        let marks = rows(bed, "SELECT next_mark_on FROM entitlement ORDER BY id", vec![]).await;
        let marks: Vec<_> = marks.iter().map(|row| row.try_get_by_index::<Option<chrono::NaiveDate>>(0).unwrap()).collect();
        assert_eq!(marks, [Some("2199-05-01".parse().unwrap()), None, None, None]);
    })
    .await;
}
