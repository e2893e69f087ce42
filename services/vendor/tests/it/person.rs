use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        AcceptOfferRequest, ApproveKeyStaffRequest, BlacklistVendorRequest, CertificateKind, CheckCertifiedRequest, CheckCertifiedResponse, EndPersonRequest,
        GetPersonRequest, GrantAccessRequest, GrantAccessResponse, ListPersonsRequest, Person, RecordConfidentialityRequest, RegisterPersonRequest,
        RevealPersonRequest, RevokeAccessRequest, RevokeCertificateRequest, ServiceCategory, VendorAccessRevoked, VendorPersonCertified,
        check_certified_response::Reason, person::State, person_service_client::PersonServiceClient, training::Kind,
    },
};
use rpc::Routes;
use sea_orm::{ConnectionTrait, Statement};
use testbed::{Bed, Feed, each, fields, key, reason};
use tonic::{Code, Status};

use crate::world::{
    Offers, Persons, admitted, certify, date, day, events, get, id_number, leave, offer, offered, payloads, person, persons, registered, repairer, set_day,
    sign_confidentiality, train, uuid, vendors,
};

const REPAIR: ServiceCategory = ServiceCategory::FieldRepair;

async fn grant(bed: &Bed, person: &Person) -> Result<GrantAccessResponse, Status> {
    let request = GrantAccessRequest {
        request_id: key(),
        vendor_id: person.vendor_id.clone(),
        person_id: person.person_id.clone(),
        etag: person.etag.clone(),
        purpose: "维修派单".into(),
        systems: vec!["hall-portal".into()],
        until_date: None,
    };
    persons(bed, "it", &[Role::ItDepartment])
        .grant_access(request)
        .await
        .map(|answer| answer.into_inner())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_10_no_access_before_agreement_training_and_certificate() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let person = person(bed, &vendor).await;
        assert_eq!(reason(&grant(bed, &person).await.unwrap_err()), "NDA_MISSING");
        let person = sign_confidentiality(bed, person).await;
        assert_eq!(reason(&grant(bed, &person).await.unwrap_err()), "TRAINING_MISSING");
        let person = train(bed, person, Kind::Safety).await;
        assert_eq!(reason(&grant(bed, &person).await.unwrap_err()), "CERTIFICATE_MISSING");
        let (person, _) = certify(bed, person, CertificateKind::MeterReading, date(2025, 1, 1), date(2025, 12, 31)).await;
        let granted = grant(bed, &person).await.unwrap();
        // 90 days from 2 January 2025.
        assert_eq!(day(&granted.person.unwrap().grants[0].until_date), "2025-04-02");

        let stranger = crate::world::person(bed, &registered(bed).await.vendor_id).await;
        assert_eq!(reason(&grant(bed, &stranger).await.unwrap_err()), "VENDOR_NOT_ADMITTED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_10_who_leaves_loses_every_grant_at_once() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let first = grant(bed, &repairer(bed, &vendor).await).await.unwrap();
        let second = grant(bed, first.person.as_ref().unwrap()).await.unwrap();
        let person = second.person.unwrap();
        let request = EndPersonRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            person_id: person.person_id.clone(),
            etag: person.etag,
            reason: "离职".into(),
        };
        let mut admin = Persons::new(bed.vendor_user(&vendor, &[Role::VendorAdmin]));
        let ended = admin.end_person(request).await.unwrap().into_inner().person.unwrap();
        assert_eq!(ended.state(), State::Ended);
        assert!(ended.grants.iter().all(|g| g.revoke_time.is_some()));
        // VendorAdmitted, VendorPersonCertified, then one for each grant.
        let told = events(bed, 4).await;
        let mut revoked: Vec<_> = payloads::<VendorAccessRevoked>(&told).into_iter().map(|e| e.grant_id).collect();
        revoked.sort();
        let mut expected = [first.grant_id, second.grant_id];
        expected.sort();
        assert_eq!(revoked, expected);
        assert!(told[2..].iter().all(|e| e.subject == person.person_id));

        assert_eq!(reason(&grant(bed, &ended).await.unwrap_err()), "PERSON_ENDED");
        let check = certified(bed, &person.person_id, CertificateKind::Repair, date(2025, 3, 1)).await;
        assert_eq!(check.reason(), Reason::PersonEnded);
        let list = |with_ended| ListPersonsRequest {
            vendor_id: vendor.clone(),
            with_ended,
            ..Default::default()
        };
        assert!(admin.list_persons(list(false)).await.unwrap().into_inner().persons.is_empty());
        assert_eq!(admin.list_persons(list(true)).await.unwrap().into_inner().persons.len(), 1);
    })
    .await;
}

/// Registers key staff as a member of the IT department.
async fn key_staff(bed: &Bed, vendor_id: &str, id_number: &str) -> Result<Person, Status> {
    let request = RegisterPersonRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        name: "李明华".into(),
        id_number: id_number.into(),
        phone: "13812345678".into(),
        field_work: true,
        key_staff: true,
    };
    let answer = persons(bed, "it", &[Role::ItDepartment]).register_person(request).await?;
    Ok(answer.into_inner().person.unwrap())
}

fn decision(person: &Person, approved: bool, opinion: &str) -> ApproveKeyStaffRequest {
    ApproveKeyStaffRequest {
        request_id: key(),
        vendor_id: person.vendor_id.clone(),
        person_id: person.person_id.clone(),
        etag: person.etag.clone(),
        approved,
        opinion: opinion.into(),
    }
}

async fn decide(mut by: Persons, person: &Person, approved: bool, opinion: &str) -> Result<Person, Status> {
    let answer = by.approve_key_staff(decision(person, approved, opinion)).await?;
    Ok(answer.into_inner().person.unwrap())
}

/// A repairer's agreement, trainings and certificate.
async fn qualify(bed: &Bed, person: Person) -> Person {
    let person = sign_confidentiality(bed, person).await;
    let person = train(bed, person, Kind::Safety).await;
    let person = train(bed, person, Kind::Technical).await;
    certify(bed, person, CertificateKind::Repair, date(2025, 1, 1), date(2025, 12, 31)).await.0
}

async fn accept(bed: &Bed, hall: &Feed, person: &Person) -> Result<(), Status> {
    let offer = offer(bed, hall, offered(&person.vendor_id, &uuid())).await;
    let request = AcceptOfferRequest {
        request_id: key(),
        vendor_id: person.vendor_id.clone(),
        offer_id: offer.offer_id,
        person_id: person.person_id.clone(),
        etag: String::new(),
    };
    let mut admin = Offers::new(bed.vendor_user(&person.vendor_id, &[Role::VendorAdmin]));
    admin.accept_offer(request).await.map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn f_10_a_replacement_of_key_staff_needs_the_approval_of_a_second_person() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let first = key_staff(bed, &vendor, &id_number()).await.unwrap();
        let second = key_staff(bed, &vendor, &id_number()).await.unwrap();
        for named in [&first, &second] {
            assert_eq!((named.state(), named.replaces_person_id.as_str()), (State::Active, ""), "nobody has left");
        }
        let first = leave(bed, first).await;
        assert_eq!((first.state(), day(&first.end_date)), (State::Ended, "2025-01-02".into()));
        assert_eq!(person(bed, &vendor).await.state(), State::Active, "no key staff");

        let number = id_number();
        let successor = key_staff(bed, &vendor, &number).await.unwrap();
        assert_eq!((successor.state(), &successor.replaces_person_id), (State::AwaitingApproval, &first.person_id));
        assert_eq!(reason(&key_staff(bed, &vendor, &number).await.unwrap_err()), "PERSON_ID_NUMBER_UNIQUE");
        assert_eq!(
            key_staff(bed, &vendor, &id_number()).await.unwrap().state(),
            State::Active,
            "one gap, one replacement"
        );

        // Everything is there but the approval.
        let successor = qualify(bed, successor).await;
        assert_eq!(reason(&grant(bed, &successor).await.unwrap_err()), "KEY_STAFF_NOT_APPROVED");
        assert_eq!(reason(&accept(bed, &hall, &successor).await.unwrap_err()), "KEY_STAFF_NOT_APPROVED");
        let check = certified(bed, &successor.person_id, CertificateKind::Repair, date(2025, 3, 1)).await;
        assert_eq!((check.certified, check.reason()), (false, Reason::KeyStaffNotApproved));

        let officer = || persons(bed, "officer", &[Role::ContractOfficer]);
        let admin = Persons::new(bed.vendor_user(&vendor, &[Role::VendorAdmin]));
        let status = decide(admin, &successor, true, "").await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "METHOD_NOT_ALLOWED"));
        let registrar = persons(bed, "it", &[Role::ItDepartment, Role::ContractOfficer]);
        let status = decide(registrar, &successor, true, "").await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "SECOND_PERSON_NEEDED"));
        let status = decide(officer(), &successor, false, " ").await.unwrap_err();
        assert_eq!((reason(&status).as_str(), fields(&status)), ("OPINION_MISSING", vec!["opinion".to_owned()]));

        let refused = decide(officer(), &successor, false, "经验不足").await.unwrap();
        assert_eq!((refused.state(), refused.approval_opinion.as_str()), (State::Refused, "经验不足"));
        assert_eq!(reason(&decide(officer(), &refused, true, "").await.unwrap_err()), "PERSON_STATE");
        assert_eq!(reason(&grant(bed, &refused).await.unwrap_err()), "KEY_STAFF_NOT_APPROVED");
        assert_eq!(reason(&accept(bed, &hall, &refused).await.unwrap_err()), "KEY_STAFF_NOT_APPROVED");
        assert_eq!(reason(&decide(officer(), &first, true, "").await.unwrap_err()), "PERSON_ENDED");

        // The gap is open again, also for the same person with better papers.
        let again = qualify(bed, key_staff(bed, &vendor, &number).await.unwrap()).await;
        assert_eq!((again.state(), &again.replaces_person_id), (State::AwaitingApproval, &first.person_id));
        let request = decision(&again, true, "");
        let mut leader = persons(bed, "leader", &[Role::Leader]);
        let approved = leader.approve_key_staff(request.clone()).await.unwrap().into_inner().person.unwrap();
        assert_eq!(approved.state(), State::Active);
        assert_eq!(
            leader.approve_key_staff(request).await.unwrap().into_inner().person.unwrap(),
            approved,
            "a replay"
        );
        assert!(grant(bed, &approved).await.is_ok());
        assert!(accept(bed, &hall, &approved).await.is_ok());
        assert!(certified(bed, &approved.person_id, CertificateKind::Repair, date(2025, 3, 1)).await.certified);

        let listed = async |with_ended| {
            let request = ListPersonsRequest {
                vendor_id: vendor.clone(),
                with_ended,
                ..Default::default()
            };
            let answer = persons(bed, "it", &[Role::ItDepartment]).list_persons(request).await.unwrap();
            answer.into_inner().persons.iter().map(Person::state).collect::<Vec<_>>()
        };
        assert_eq!(listed(false).await, [State::Active; 4]);
        let all = [State::Ended, State::Active, State::Active, State::Refused, State::Active, State::Active];
        assert_eq!(listed(true).await, all);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_10_a_successor_who_leaves_before_the_approval_replaced_nobody() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let first = leave(bed, key_staff(bed, &vendor, &id_number()).await.unwrap()).await;
        let successor = key_staff(bed, &vendor, &id_number()).await.unwrap();
        let listed = ListPersonsRequest {
            vendor_id: vendor.clone(),
            ..Default::default()
        };
        let mut admin = Persons::new(bed.vendor_user(&vendor, &[Role::VendorAdmin]));
        let shown = admin.list_persons(listed).await.unwrap().into_inner().persons;
        assert_eq!(shown.iter().map(Person::state).collect::<Vec<_>>(), [State::AwaitingApproval]);
        let gone = leave(bed, successor).await;
        assert_eq!(gone.state(), State::Ended);

        let next = key_staff(bed, &vendor, &id_number()).await.unwrap();
        assert_eq!((next.state(), &next.replaces_person_id), (State::AwaitingApproval, &first.person_id));
        let approved = decide(persons(bed, "officer", &[Role::ContractOfficer]), &next, true, "").await.unwrap();
        // Whoever replaces that one replaces no longer the first.
        leave(bed, approved.clone()).await;
        let last = key_staff(bed, &vendor, &id_number()).await.unwrap();
        assert_eq!((last.state(), &last.replaces_person_id), (State::AwaitingApproval, &approved.person_id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn f_11_a_grant_is_revoked_once_and_a_listed_vendor_loses_all() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let one = grant(bed, &repairer(bed, &vendor).await).await.unwrap();
        let two = grant(bed, &repairer(bed, &vendor).await).await.unwrap();
        let mut it = persons(bed, "it", &[Role::ItDepartment]);
        let revoke = |person: &Person, grant_id: &str| RevokeAccessRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            person_id: person.person_id.clone(),
            etag: person.etag.clone(),
            grant_id: grant_id.to_owned(),
            reason: "调岗".into(),
        };
        let person = one.person.unwrap();
        // The other person's grant is not this person's.
        assert_eq!(it.revoke_access(revoke(&person, &two.grant_id)).await.unwrap_err().code(), Code::NotFound);
        let person = it.revoke_access(revoke(&person, &one.grant_id)).await.unwrap().into_inner().person.unwrap();
        assert_eq!(reason(&it.revoke_access(revoke(&person, &one.grant_id)).await.unwrap_err()), "ACCESS_REVOKED");

        let request = BlacklistVendorRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            etag: get(bed, &vendor).await.etag,
            reason: "泄密".into(),
            until_date: Some(date(2030, 1, 1)),
        };
        vendors(bed, "leader", &[Role::Leader]).blacklist_vendor(request).await.unwrap();
        let request = GetPersonRequest {
            vendor_id: vendor.clone(),
            person_id: two.person.unwrap().person_id,
        };
        let person = it.get_person(request).await.unwrap().into_inner().person.unwrap();
        assert!(person.grants[0].revoke_time.is_some());
    })
    .await;
}

async fn certified(bed: &Bed, person_id: &str, kind: CertificateKind, on: contracts::hearth::r#type::v1::Date) -> CheckCertifiedResponse {
    let request = CheckCertifiedRequest {
        person_id: person_id.into(),
        certificate_kind: kind.into(),
        on_date: Some(on),
    };
    PersonServiceClient::new(bed.peer("hall")).check_certified(request).await.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_01_hall_asks_whether_a_person_is_certified() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let worker = person(bed, &vendor).await;
        let id = worker.person_id.clone();
        let repair = CertificateKind::Repair;
        assert_eq!(certified(bed, &id, repair, date(2025, 3, 1)).await.reason(), Reason::CertificateMissing);
        let (worker, certificate) = certify(bed, worker, repair, date(2025, 2, 1), date(2025, 6, 30)).await;
        assert_eq!(certified(bed, &id, repair, date(2025, 3, 1)).await.reason(), Reason::TrainingMissing);
        let worker = train(bed, worker, Kind::Safety).await;
        let worker = train(bed, worker, Kind::Technical).await;
        let answer = certified(bed, &id, repair, date(2025, 6, 30)).await;
        assert_eq!(
            (answer.certified, answer.reason(), &answer.certificate_id, &answer.vendor_id),
            (true, Reason::Certified, &certificate, &vendor)
        );
        for outside in [date(2025, 1, 31), date(2025, 7, 1)] {
            let answer = certified(bed, &id, repair, outside).await;
            assert_eq!((answer.certified, answer.reason()), (false, Reason::CertificateNotValid));
        }
        let told: Vec<VendorPersonCertified> = payloads(&events(bed, 2).await);
        assert_eq!((told[0].certificate_id.as_str(), told[0].certificate_kind()), (certificate.as_str(), repair));

        // Taken back on 1 March: it counted until the day before.
        set_day(bed, "2025-03-01");
        let request = RevokeCertificateRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            person_id: id.clone(),
            etag: worker.etag,
            certificate_id: certificate.clone(),
            reason: "伪造".into(),
        };
        persons(bed, "it", &[Role::ItDepartment]).revoke_certificate(request).await.unwrap();
        assert!(certified(bed, &id, repair, date(2025, 2, 28)).await.certified);
        assert_eq!(certified(bed, &id, repair, date(2025, 3, 1)).await.reason(), Reason::CertificateNotValid);

        let request = CheckCertifiedRequest {
            person_id: uuid(),
            certificate_kind: repair.into(),
            on_date: Some(date(2025, 3, 1)),
        };
        let status = PersonServiceClient::new(bed.peer("hall")).check_certified(request.clone()).await.unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let status = PersonServiceClient::new(bed.peer("billing")).check_certified(request).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::PermissionDenied, "CALLER_NOT_ALLOWED".into()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn personal_data_is_sealed_masked_and_revealed_for_a_purpose() {
    each(vendor::SERVICE, async |bed| {
        let vendor = registered(bed).await.vendor_id;
        let number = id_number();
        let request = RegisterPersonRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            name: "张小明".into(),
            id_number: number.clone(),
            phone: "13812345678".into(),
            field_work: true,
            key_staff: true,
        };
        let mut it = persons(bed, "it", &[Role::ItDepartment]);
        let masked = it.register_person(request.clone()).await.unwrap().into_inner().person.unwrap();
        let hidden = format!("{}***********{}", &number[..3], &number[14..]);
        assert_eq!(
            (masked.name.as_str(), masked.phone.as_str(), masked.id_number.as_str()),
            ("张**", "138****5678", hidden.as_str())
        );
        assert_eq!(
            it.register_person(request.clone()).await.unwrap().into_inner().person.unwrap(),
            masked,
            "a replay is masked too"
        );
        let read = GetPersonRequest {
            vendor_id: vendor.clone(),
            person_id: masked.person_id.clone(),
        };
        assert_eq!(it.get_person(read).await.unwrap().into_inner().person.unwrap(), masked);

        let reveal = |purpose: &str| RevealPersonRequest {
            request_id: key(),
            vendor_id: vendor.clone(),
            person_id: masked.person_id.clone(),
            purpose: purpose.into(),
        };
        assert_eq!(fields(&it.reveal_person(reveal("x")).await.unwrap_err()), ["purpose"]);
        let clear = it.reveal_person(reveal("核对身份证件")).await.unwrap().into_inner().person.unwrap();
        assert_eq!(
            (clear.name.as_str(), clear.phone.as_str(), clear.id_number.as_str()),
            ("张小明", "13812345678", number.as_str())
        );

        let db = bed.db();
        let backend = db.reader().get_database_backend();
        let sql = "SELECT actor, purpose, subjects FROM journal WHERE method LIKE '%RevealPerson'";
        let rows = db.reader().query_all_raw(Statement::from_string(backend, sql)).await.unwrap();
        assert_eq!(rows.len(), 1);
        let column = |name: &str| rows[0].try_get::<String>("", name).unwrap();
        assert_eq!(
            (column("actor"), column("purpose"), column("subjects")),
            ("it".into(), "核对身份证件".into(), masked.person_id.clone())
        );
        let sql = "SELECT id_number_sealed, phone_sealed FROM person";
        let row = db.reader().query_one_raw(Statement::from_string(backend, sql)).await.unwrap().unwrap();
        for name in ["id_number_sealed", "phone_sealed"] {
            let stored: Vec<u8> = row.try_get("", name).unwrap();
            assert!(
                !stored
                    .windows(8)
                    .any(|part| number.as_bytes().windows(8).chain(b"13812345678".windows(8)).any(|clear| clear == part)),
                "{name}"
            );
        }

        // The same person again is refused; for another vendor it is another matter (F (e): one person may work for two).
        let again = RegisterPersonRequest {
            request_id: key(),
            ..request.clone()
        };
        let status = it.register_person(again).await.unwrap_err();
        assert_eq!((status.code(), reason(&status)), (Code::AlreadyExists, "PERSON_ID_NUMBER_UNIQUE".into()));
        let elsewhere = RegisterPersonRequest {
            request_id: key(),
            vendor_id: registered(bed).await.vendor_id,
            ..request.clone()
        };
        assert!(it.register_person(elsewhere).await.is_ok());
        let bad = RegisterPersonRequest {
            request_id: key(),
            id_number: format!("{}0", &number[..17]),
            phone: "12345678".into(),
            ..request.clone()
        };
        let wrong = if number.ends_with('0') {
            RegisterPersonRequest {
                id_number: format!("{}1", &number[..17]),
                ..bad
            }
        } else {
            bad
        };
        assert_eq!(reason(&it.register_person(wrong).await.unwrap_err()), "ID_NUMBER_INVALID");
        let bad_phone = RegisterPersonRequest {
            request_id: key(),
            id_number: id_number(),
            phone: "12345678901".into(),
            ..request
        };
        assert_eq!(reason(&it.register_person(bad_phone).await.unwrap_err()), "PHONE_INVALID");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn facts_of_a_person_lie_in_the_past_and_etags_count() {
    each(vendor::SERVICE, async |bed| {
        let worker = person(bed, &registered(bed).await.vendor_id).await;
        let sign = |on| RecordConfidentialityRequest {
            request_id: key(),
            vendor_id: worker.vendor_id.clone(),
            person_id: worker.person_id.clone(),
            etag: worker.etag.clone(),
            signed_date: Some(on),
            document: "NDA-1".into(),
        };
        let mut it = persons(bed, "it", &[Role::ItDepartment]);
        assert_eq!(reason(&it.record_confidentiality(sign(date(2025, 1, 3))).await.unwrap_err()), "DATE_IN_FUTURE");
        assert_eq!(reason(&it.record_confidentiality(sign(date(2025, 2, 30))).await.unwrap_err()), "DATE");
        it.record_confidentiality(sign(date(2025, 1, 2))).await.unwrap();
        assert_eq!(reason(&it.record_confidentiality(sign(date(2025, 1, 2))).await.unwrap_err()), "ETAG_MISMATCH");
    })
    .await;
}
