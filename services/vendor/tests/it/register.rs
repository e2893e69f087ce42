//! The register of vendors: names, legal representatives, persons of two vendors.

use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        EndPersonRequest, GetPersonRequest, GrantAccessRequest, Person, RegisterPersonRequest, RegisterVendorRequest, RenameVendorRequest, ServiceCategory,
        StartExitRequest, Vendor, VendorKind, payment_request, person, training, vendor::State,
    },
};
use testbed::{Bed, each, key, reason};
use tonic::{Code, Status};

use crate::{
    contract::sign,
    field::{Field, REPAIR, blacklist},
    settlement::{approve, invoice, open as open_holds, pay, prepare, submit},
    tender,
    world::{
        admitted, approved, certify, date, day, get, id_number, persons, ranked_and_admitted, registered, represent, scored, scores, set_day,
        sign_confidentiality, terms, today, train, vendors, with_dossier,
    },
};

const GOOD: [&str; 5] = ["25", "25", "15", "10", "10"];

fn renaming(bed: &Bed, vendor: &Vendor, name: &str) -> RenameVendorRequest {
    RenameVendorRequest {
        request_id: key(),
        vendor_id: vendor.vendor_id.clone(),
        etag: vendor.etag.clone(),
        name: name.into(),
        from_date: Some(rpc::wire::date(today(bed))),
        document: "准予变更登记通知书-7".into(),
    }
}

async fn rename(bed: &Bed, request: RenameVendorRequest) -> Result<Vendor, Status> {
    let answer = vendors(bed, "it", &[Role::ItDepartment]).rename_vendor(request).await?;
    Ok(answer.into_inner().vendor.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_e_a_vendor_that_is_renamed_mid_contract_keeps_everything() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        set_day(bed, "2025-01-20");
        let before = get(bed, &field.vendor).await;
        let future = RenameVendorRequest {
            from_date: Some(date(2025, 1, 21)),
            ..renaming(bed, &before, "津河管网服务有限公司")
        };
        assert_eq!(reason(&rename(bed, future).await.unwrap_err()), "DATE_IN_FUTURE");
        let same = renaming(bed, &before, &before.name);
        assert_eq!(reason(&rename(bed, same).await.unwrap_err()), "NAME_UNCHANGED");
        let request = renaming(bed, &before, "津河管网服务有限公司");
        let renamed = rename(bed, request.clone()).await.unwrap();
        assert_eq!(rename(bed, request).await.unwrap(), renamed, "a repetition changes nothing");
        assert_eq!(
            (renamed.name.as_str(), &renamed.uscc, renamed.state()),
            ("津河管网服务有限公司", &before.uscc, State::Admitted)
        );
        let former: Vec<_> = renamed.former_names.iter().map(|f| (f.name.as_str(), day(&f.until_date))).collect();
        assert_eq!(former, [(before.name.as_str(), "2025-01-19".to_owned())]);
        let earlier = renaming(bed, &renamed, "津河集团有限公司");
        assert_eq!(reason(&rename(bed, earlier).await.unwrap_err()), "TERM_ORDER", "twice on one day");

        // Work of before and after is one month of one contract.
        field.repairs(bed, 1).await;
        set_day(bed, "2025-02-07");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let p = prepare(bed, &field, date(2025, 1, 1)).await;
        assert_eq!((p.lines[0].count, p.vendor_id.as_str()), (2, field.vendor.as_str()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_e_a_vendor_that_merges_is_settled_to_the_end_and_its_successor_qualifies_anew() {
    each(vendor::SERVICE, async |bed| {
        let field = Field::new(bed).await;
        field.repairs(bed, 1).await;
        let merged = get(bed, &field.vendor).await;
        let request = StartExitRequest {
            request_id: key(),
            vendor_id: merged.vendor_id.clone(),
            etag: merged.etag,
            reason: "被吸收合并".into(),
        };
        vendors(bed, "it", &[Role::ItDepartment]).start_exit(request).await.unwrap();
        // A qualification is not inherited: nothing is signed before the successor has its own.
        let successor = registered(bed).await;
        let contract = approved(bed, &successor.vendor_id, terms(bed, REPAIR)).await;
        assert_eq!(reason(&sign(bed, "officer", &contract).await.unwrap_err()), "VENDOR_NOT_ADMITTED");
        let (vendor, qualification) = with_dossier(bed, successor, REPAIR).await;
        let vendor = scored(bed, vendor, &qualification, ("verifier", "verifier"), scores("35", "20", "20", "8")).await;
        ranked_and_admitted(bed, &vendor.vendor_id, &qualification, REPAIR).await;
        sign(bed, "officer", &contract).await.unwrap();
        // What the merged one did is assessed and paid under its own contract.
        set_day(bed, "2025-02-07");
        field.assess(bed, date(2025, 1, 1), GOOD).await;
        let p = invoice(bed, prepare(bed, &field, date(2025, 1, 1)).await).await;
        let p = approve(bed, "finance", &submit(bed, &p).await.unwrap()).await.unwrap();
        assert!(open_holds(&p).is_empty());
        assert_eq!(pay(bed, "finance", &p).await.unwrap().state(), payment_request::State::Paid);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_e_the_same_person_works_for_two_vendors() {
    each(vendor::SERVICE, async |bed| {
        let (one, two) = (admitted(bed, REPAIR).await.vendor_id, admitted(bed, REPAIR).await.vendor_id);
        let number = id_number();
        let register = async |vendor: &str| {
            let request = RegisterPersonRequest {
                request_id: key(),
                vendor_id: vendor.into(),
                name: "张小明".into(),
                id_number: number.clone(),
                phone: "13812345678".into(),
                field_work: true,
                key_staff: false,
            };
            persons(bed, "it", &[Role::ItDepartment]).register_person(request).await
        };
        let ready = async |person: Person| {
            let person = sign_confidentiality(bed, person).await;
            let person = train(bed, person, training::Kind::Safety).await;
            let person = train(bed, person, training::Kind::Technical).await;
            let kind = contracts::hearth::vendor::v1::CertificateKind::Repair;
            certify(bed, person, kind, date(2025, 1, 1), date(2025, 12, 31)).await.0
        };
        let granted = async |person: &Person| {
            let request = GrantAccessRequest {
                request_id: key(),
                vendor_id: person.vendor_id.clone(),
                person_id: person.person_id.clone(),
                etag: person.etag.clone(),
                purpose: "维修派单".into(),
                systems: vec!["hall-portal".into()],
                until_date: None,
            };
            let answer = persons(bed, "it", &[Role::ItDepartment]).grant_access(request).await.unwrap();
            answer.into_inner().person.unwrap()
        };
        let first = ready(register(&one).await.unwrap().into_inner().person.unwrap()).await;
        let status = register(&one).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "PERSON_ID_NUMBER_UNIQUE"));
        // For the second vendor the person is another one: with agreement, trainings and grants of its own.
        let bare = register(&two).await.unwrap().into_inner().person.unwrap();
        assert_ne!(bare.person_id, first.person_id);
        assert!(bare.certificates.is_empty() && bare.trainings.is_empty());
        let second = granted(&ready(bare).await).await;
        let first = granted(&first).await;
        let request = EndPersonRequest {
            request_id: key(),
            vendor_id: one.clone(),
            person_id: first.person_id.clone(),
            etag: first.etag,
            reason: "离职".into(),
        };
        persons(bed, "it", &[Role::ItDepartment]).end_person(request).await.unwrap();
        let seen = async |vendor: &str, id: &str| {
            let request = GetPersonRequest {
                vendor_id: vendor.into(),
                person_id: id.into(),
            };
            let answer = persons(bed, "it", &[Role::ItDepartment]).get_person(request).await.unwrap();
            answer.into_inner().person.unwrap()
        };
        let (left, stays) = (seen(&one, &first.person_id).await, seen(&two, &second.person_id).await);
        assert_eq!((left.state(), stays.state()), (person::State::Ended, person::State::Active));
        assert!(left.grants[0].revoke_time.is_some() && stays.grants[0].revoke_time.is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_e_a_firm_that_is_renamed_or_registered_anew_does_not_escape_the_list() {
    each(vendor::SERVICE, async |bed| {
        let boss = id_number();
        let listed = registered(bed).await;
        let listed = represent(bed, &listed, &boss).await.unwrap();
        assert!(listed.legal_representative_recorded);
        // Another firm of the same person, admitted and with an approved contract before anything happened.
        let (twin, qualification) = with_dossier(bed, registered(bed).await, REPAIR).await;
        let twin = scored(bed, twin, &qualification, ("verifier", "verifier"), scores("35", "20", "20", "8")).await;
        let twin = ranked_and_admitted(bed, &twin.vendor_id, &qualification, REPAIR).await;
        let twin = represent(bed, &twin, &boss).await.unwrap();
        let contract = approved(bed, &twin.vendor_id, terms(bed, REPAIR)).await;
        blacklist(bed, &listed.vendor_id).await;

        // Another name.
        let listed = rename(bed, renaming(bed, &get(bed, &listed.vendor_id).await, "新名管道有限公司"))
            .await
            .unwrap();
        assert_eq!(listed.state(), State::Blacklisted);
        // The same firm again.
        let again = RegisterVendorRequest {
            request_id: key(),
            uscc: listed.uscc.clone(),
            name: "又一家管道有限公司".into(),
            kinds: vec![VendorKind::ServiceFirm.into()],
        };
        let status = vendors(bed, "it", &[Role::ItDepartment]).register_vendor(again).await.unwrap_err();
        assert_eq!(reason(&status), "VENDOR_USCC_UNIQUE");
        // Another firm of the same person.
        let fresh = registered(bed).await;
        assert_eq!(reason(&represent(bed, &fresh, &boss).await.unwrap_err()), "LEGAL_REPRESENTATIVE_LISTED");
        assert!(!get(bed, &fresh.vendor_id).await.legal_representative_recorded);
        // The one that was there before.
        assert_eq!(reason(&sign(bed, "officer", &contract).await.unwrap_err()), "LEGAL_REPRESENTATIVE_LISTED");
        let tender = tender::try_open(bed, false, 60).await.unwrap();
        let status = tender::quote(bed, &tender, &twin.vendor_id, 1).await.unwrap_err();
        assert_eq!(reason(&status), "LEGAL_REPRESENTATIVE_LISTED");
        // Somebody else may represent it.
        represent(bed, &get(bed, &twin.vendor_id).await, &id_number()).await.unwrap();
        sign(bed, "officer", &contract).await.unwrap();
        // The list has an end: the last day is 1 January 2030.
        set_day(bed, "2030-01-01");
        assert_eq!(reason(&represent(bed, &fresh, &boss).await.unwrap_err()), "LEGAL_REPRESENTATIVE_LISTED");
        set_day(bed, "2030-01-02");
        represent(bed, &fresh, &boss).await.unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_e_no_admission_before_it_is_known_who_represents_the_firm() {
    each(vendor::SERVICE, async |bed| {
        use contracts::hearth::vendor::v1::{AdmitVendorRequest, RankVendorsRequest, ReviewSiteRequest};
        let (vendor, qualification) = with_dossier(bed, registered(bed).await, ServiceCategory::FieldRepair).await;
        let vendor = scored(bed, vendor, &qualification, ("verifier", "verifier"), scores("35", "20", "20", "8")).await;
        let bad = represent(bed, &vendor, "11010519491231002Y").await.unwrap_err();
        assert_eq!(bad.code(), Code::InvalidArgument);
        let wrong = represent(bed, &vendor, "110105194912310021").await.unwrap_err();
        assert_eq!(reason(&wrong), "ID_NUMBER_INVALID");
        let mut it = vendors(bed, "it", &[Role::ItDepartment]);
        let request = RankVendorsRequest {
            request_id: key(),
            category: ServiceCategory::FieldRepair.into(),
        };
        it.rank_vendors(request).await.unwrap();
        let request = ReviewSiteRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id.clone(),
            etag: get(bed, &vendor.vendor_id).await.etag,
            qualification_id: qualification.clone(),
            passed: true,
            review_date: Some(rpc::wire::date(today(bed))),
            findings: "团队齐备".into(),
        };
        let vendor = it.review_site(request).await.unwrap().into_inner().vendor.unwrap();
        let request = AdmitVendorRequest {
            request_id: key(),
            vendor_id: vendor.vendor_id,
            etag: vendor.etag,
            qualification_id: qualification,
        };
        let status = vendors(bed, "leader", &[Role::Leader]).admit_vendor(request).await.unwrap_err();
        assert_eq!(reason(&status), "LEGAL_REPRESENTATIVE_MISSING");
    })
    .await;
}
