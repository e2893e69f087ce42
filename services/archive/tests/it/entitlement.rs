use contracts::hearth::archive::v1::{
    Agreement, Entitlement, GrantFlatPriceRequest, GrantHouseholdSizeRequest, GrantLowIncomeRequest, HouseholdSizeChanged, ListEntitlementsRequest,
    VoidAgreementRequest, WithdrawEntitlementRequest, entitlement,
};
use prost::Message;
use testbed::{Bed, each, key, reason};
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
            .withdraw_entitlement(withdraw(&low.etag, "2025-02-01"))
            .await
            .unwrap()
            .into_inner()
            .entitlement
            .unwrap();
        assert_eq!((ended.state(), ended.until_date), (entitlement::State::Granted, date("2025-02-01")));
        assert_eq!(
            reason(&desk.entitlements.withdraw_entitlement(withdraw(&low.etag, "2025-01-15")).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        assert_eq!(
            reason(&desk.entitlements.withdraw_entitlement(withdraw(&ended.etag, "2025-02-01")).await.unwrap_err()),
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
            ..withdraw(&chosen.etag, "2025-03-01")
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
