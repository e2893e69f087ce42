use contracts::hearth::{
    archive::v1::{
        Capital, CloseCreditFileRequest, CreditFile, CustomerListRow, Fact, FactContent, FactKind, GetCreditFileRequest, LicenceExpiring, ListCustomersRequest,
        ListFactsRequest, ListLicenceExpiriesRequest, NewFact, OpenCreditFileRequest, Party, RecordFactsRequest, RegisterOrganisationRequest,
        RevealCreditFileRequest, VerifyCreditFileRequest, credit_file::State, credit_file_service_client::CreditFileServiceClient, party,
    },
    options::v1::Role,
    r#type::v1::Decimal,
};
use prost::Message;
use testbed::{Bed, Client, at, each, eventually, fields, key, reason};
use tonic::{Code, Status};

use crate::world::{Desk, HEPING, HEXI, date, events, phone, raw, rows, uuid};

type Files = CreditFileServiceClient<Client>;

fn manager(bed: &Bed) -> Files {
    CreditFileServiceClient::new(bed.staff_named("wu-manager", &[Role::KeyAccountManager]))
}

fn analyst(bed: &Bed) -> Files {
    CreditFileServiceClient::new(bed.staff_named("zheng-analyst", &[Role::CreditAnalyst]))
}

fn refused(result: Result<impl std::fmt::Debug, Status>) -> (Code, String) {
    let status = result.unwrap_err();
    (status.code(), reason(&status))
}

async fn organisation(bed: &Bed) -> Party {
    let request = RegisterOrganisationRequest {
        request_id: key(),
        name: "河西区第一小学".to_owned(),
        credit_code: "1212000028215658XE".to_owned(),
        code_seen_on_licence: false,
        phone: "022-23456789".to_owned(),
        address: String::new(),
        branch: HEXI.to_owned(),
    };
    let mut desk = Desk::head_office(bed);
    desk.parties.register_organisation(request).await.unwrap().into_inner().party.unwrap()
}

async fn open(files: &mut Files, party: &Party) -> CreditFile {
    let request = OpenCreditFileRequest {
        request_id: key(),
        party_id: party.party_id.clone(),
    };
    files.open_credit_file(request).await.unwrap().into_inner().credit_file.unwrap()
}

fn fact(kind: FactKind, content: FactContent) -> NewFact {
    NewFact {
        kind: kind.into(),
        item: String::new(),
        content: Some(content),
        source: "营业执照".to_owned(),
        as_of_date: date("2025-01-01"),
        valid_to_date: None,
        long_term: false,
    }
}

fn text(text: &str) -> FactContent {
    FactContent {
        text: text.to_owned(),
        ..FactContent::default()
    }
}

fn named(name: &str) -> FactContent {
    FactContent {
        name: name.to_owned(),
        ..FactContent::default()
    }
}

fn number(number: &str) -> FactContent {
    FactContent {
        number: number.to_owned(),
        ..FactContent::default()
    }
}

fn call_at(n: u32) -> FactContent {
    FactContent {
        phone: phone(n),
        ..FactContent::default()
    }
}

fn capital(amount: &str, currency: &str) -> FactContent {
    FactContent {
        capital: Some(Capital {
            amount: Some(Decimal { value: amount.to_owned() }),
            currency_code: currency.to_owned(),
        }),
        ..FactContent::default()
    }
}

fn licence(valid_to: Option<&str>) -> NewFact {
    NewFact {
        valid_to_date: valid_to.and_then(date),
        long_term: valid_to.is_none(),
        ..fact(
            FactKind::BusinessLicence,
            FactContent {
                number: "120103000012345".to_owned(),
                authority: "河西区市场监督管理局".to_owned(),
                ..FactContent::default()
            },
        )
    }
}

/// Every fact that a complete file of an organisation needs: fifteen.
pub fn sheet(valid_to: Option<&str>) -> Vec<NewFact> {
    let address = FactContent {
        address: "天津市河西区尖山街道红山里社区24号楼1单元2701室".to_owned(),
        ..FactContent::default()
    };
    let period = NewFact {
        long_term: true,
        ..fact(
            FactKind::OperatingPeriod,
            FactContent {
                start_date: date("2003-05-12"),
                ..FactContent::default()
            },
        )
    };
    vec![
        fact(FactKind::RegistrationNumber, number("1212000028215658XE")),
        fact(FactKind::RegisteredName, named("河西区第一小学")),
        fact(FactKind::OfficeAddress, address),
        fact(FactKind::EnterpriseNature, text("事业单位")),
        fact(FactKind::BusinessScope, text("义务教育")),
        fact(FactKind::SubscribedCapital, capital("500000.50", "CNY")),
        fact(FactKind::LegalRepresentative, named("李校长")),
        fact(FactKind::Chairman, named("李校长")),
        fact(FactKind::GeneralManager, named("李校长")),
        period,
        licence(valid_to),
        fact(FactKind::IssuingAuthority, text("河西区事业单位登记管理局")),
        fact(FactKind::Relation, text("用气大客户，无关联")),
        fact(FactKind::PremisesPhone, call_at(2)),
        fact(FactKind::Mobile, call_at(1)),
    ]
}

fn recording(file: &CreditFile, facts: Vec<NewFact>) -> RecordFactsRequest {
    RecordFactsRequest {
        request_id: key(),
        credit_file_id: file.credit_file_id.clone(),
        etag: file.etag.clone(),
        facts,
    }
}

async fn record(files: &mut Files, file: &CreditFile, facts: Vec<NewFact>) -> CreditFile {
    files.record_facts(recording(file, facts)).await.unwrap().into_inner().credit_file.unwrap()
}

async fn get(files: &mut Files, file: &CreditFile) -> CreditFile {
    let request = GetCreditFileRequest {
        credit_file_id: file.credit_file_id.clone(),
        party_id: String::new(),
    };
    files.get_credit_file(request).await.unwrap().into_inner().credit_file.unwrap()
}

async fn reveal(files: &mut Files, file: &CreditFile) -> Vec<Fact> {
    let request = RevealCreditFileRequest {
        request_id: key(),
        credit_file_id: file.credit_file_id.clone(),
        purpose: "年度信用评审".to_owned(),
    };
    files.reveal_credit_file(request).await.unwrap().into_inner().credit_file.unwrap().facts
}

async fn customers(files: &mut Files) -> Vec<CustomerListRow> {
    files.list_customers(ListCustomersRequest::default()).await.unwrap().into_inner().customers
}

fn of(facts: &[Fact], kind: FactKind) -> FactContent {
    facts.iter().find(|fact| fact.kind() == kind).unwrap().content.clone().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn h_01_the_customer_list_is_made_from_the_files() {
    each(archive::SERVICE, async |bed| {
        let (mut manager, mut analyst) = (manager(bed), analyst(bed));
        let party = organisation(bed).await;
        let file = open(&mut manager, &party).await;
        assert_eq!(file.file_no, "CF-河西区-2025-000001");
        let row = customers(&mut analyst).await.remove(0);
        assert_eq!((row.customer_class.as_str(), row.contact.as_str(), row.completeness_bp), ("", "", 0));
        let again = OpenCreditFileRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
        };
        assert_eq!(
            refused(manager.open_credit_file(again).await),
            (Code::AlreadyExists, "CREDIT_FILE_PARTY_UNIQUE".to_owned())
        );

        let file = record(&mut manager, &file, sheet(None)).await;
        let row = customers(&mut analyst).await.remove(0);
        assert_eq!((row.party_id.as_str(), row.file_no.as_str()), (party.party_id.as_str(), file.file_no.as_str()));
        assert_eq!((row.name.as_str(), row.party_kind()), ("河******", party::Kind::Organisation));
        assert_eq!((row.customer_class.as_str(), row.contact.as_str()), ("事业单位", "190****0001"));
        assert_eq!((row.grade.as_str(), row.credit_state.as_str(), row.completeness_bp), ("", "", 10_000));
        assert_eq!(row.update_time, file.update_time);
        // What the file says the list says.
        bed.clock().set(at("2025-01-05T09:00:00+08:00")).unwrap();
        let later = NewFact {
            as_of_date: date("2025-01-05"),
            ..fact(FactKind::EnterpriseNature, text("民办学校"))
        };
        let file = record(&mut manager, &file, vec![later]).await;
        let row = customers(&mut analyst).await.remove(0);
        assert_eq!((row.customer_class.as_str(), row.update_time), ("民办学校", file.update_time));
        // So it is with the name: what was registered, and not how the party is called here.
        let renamed = NewFact {
            as_of_date: date("2025-01-05"),
            ..fact(FactKind::RegisteredName, named("津门实验学堂小学部"))
        };
        let file = record(&mut manager, &file, vec![renamed]).await;
        let row = customers(&mut analyst).await.remove(0);
        assert_eq!((row.name.as_str(), row.update_time), ("津********", file.update_time));

        let mut desk = Desk::head_office(bed);
        let person = desk.person(1, HEPING).await;
        let second = open(&mut analyst, &person).await;
        let page = ListCustomersRequest {
            page_size: 1,
            ..ListCustomersRequest::default()
        };
        let first = analyst.list_customers(page.clone()).await.unwrap().into_inner();
        let rest = ListCustomersRequest {
            page_token: first.next_page_token.clone(),
            ..page.clone()
        };
        let rest = analyst.list_customers(rest).await.unwrap().into_inner();
        assert_eq!(
            (
                first.customers[0].credit_file_id.as_str(),
                rest.customers[0].credit_file_id.as_str(),
                rest.next_page_token.as_str()
            ),
            (file.credit_file_id.as_str(), second.credit_file_id.as_str(), "")
        );
        let heping = ListCustomersRequest {
            branch: HEPING.to_owned(),
            ..ListCustomersRequest::default()
        };
        assert_eq!(analyst.list_customers(heping).await.unwrap().into_inner().customers.len(), 1);
        // A closed file leaves the list and takes nothing any more.
        let close = CloseCreditFileRequest {
            request_id: key(),
            credit_file_id: second.credit_file_id.clone(),
            etag: second.etag.clone(),
        };
        let closed = analyst.close_credit_file(close).await.unwrap().into_inner().credit_file.unwrap();
        assert_eq!(closed.state(), State::Closed);
        assert_eq!(customers(&mut analyst).await.len(), 1);
        let more = recording(&closed, vec![fact(FactKind::Mobile, call_at(3))]);
        assert_eq!(refused(analyst.record_facts(more).await).1, "CREDIT_FILE_CLOSED");
        assert_eq!(
            events(bed, &party.party_id).await,
            [
                "PartyRegistered",
                "CreditFileUpdated",
                "CreditFileUpdated",
                "CreditFileUpdated",
                "CreditFileUpdated"
            ]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_01_the_customer_list_shows_grade_and_credit_state() {
    each(archive::SERVICE, async |bed| {
        let mut world = crate::credit::World::new(bed).await;
        // Everything at a time of its own: file, rating, line, a lock that closes and one that opens.
        world.clock("2026-01-10T08:00:00+08:00");
        let (party, account) = world.customer(1).await;
        let mut analyst = analyst(bed);
        open(&mut analyst, &party).await;
        world.nine_months(&party, &account).await;
        let told = async |analyst: &mut Files| {
            let row = customers(analyst).await.remove(0);
            let changed = chrono::DateTime::from_timestamp(row.update_time.unwrap().seconds, 0).unwrap();
            (
                row.grade,
                row.credit_state,
                (changed + chrono::Duration::hours(8)).format("%m-%d %H:%M").to_string(),
            )
        };
        let row = |grade: &str, state: &str, changed: &str| (grade.to_owned(), state.to_owned(), changed.to_owned());
        assert_eq!(told(&mut analyst).await, row("", "", "01-10 08:00"));
        world.clock("2026-01-10T09:00:00+08:00");
        world.rate(&party, 100, 100).await;
        assert_eq!(told(&mut analyst).await, row("A", "", "01-10 09:00"));
        world.clock("2026-01-10T10:00:00+08:00");
        let line = world.line(&party, 30).await;
        assert_eq!(told(&mut analyst).await, row("A", "ACTIVE", "01-10 10:00"));
        // The look of every day changes nothing.
        world.clock("2026-01-11T09:00:00+08:00");
        let checked = "SELECT 1 FROM credit_line WHERE id = $1 AND checked_on = '2026-01-11'";
        eventually("the look of the day", async || {
            (rows(bed, checked, vec![uuid(&line.line_id)]).await.len() == 1).then_some(())
        })
        .await;
        assert_eq!(told(&mut analyst).await, row("A", "ACTIVE", "01-10 10:00"));
        // 80 000.00 is the limit.
        world.clock("2026-01-11T11:00:00+08:00");
        let (bill, _) = world.bill(&party, &account, 8_000_001, "2026-01-11");
        world.until(&party, |exposure| exposure.on_hold).await;
        assert_eq!(told(&mut analyst).await, row("A", "HOLD", "01-11 11:00"));
        world.clock("2026-01-11T12:00:00+08:00");
        world.pay(&party, &account, 8_000_001, "2026-01-11", &[&bill]);
        world.until(&party, |exposure| !exposure.on_hold).await;
        assert_eq!(told(&mut analyst).await, row("A", "ACTIVE", "01-11 12:00"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_02_completeness_counts_required_facts_that_are_there_and_unexpired() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let party = organisation(bed).await;
        let standing = async |today: &str| {
            let db = bed.db();
            let id = party.party_id.parse().unwrap();
            archive::credit_file::standing(db.reader(), id, today.parse().unwrap()).await.unwrap()
        };
        assert!(!standing("2025-01-02").await.has_file);
        let file = open(&mut manager, &party).await;
        assert_eq!((file.state(), file.completeness_bp, file.missing_kinds.len()), (State::Opened, 0, 15));
        let mut facts = sheet(Some("2025-03-31"));
        let rest = facts.split_off(12);
        let file = record(&mut manager, &file, facts).await;
        // 12 of 15.
        assert_eq!((file.state(), file.completeness_bp), (State::Collecting, 8_000));
        let missing: Vec<_> = file.missing_kinds().collect();
        assert_eq!(missing, [FactKind::Relation, FactKind::PremisesPhone, FactKind::Mobile]);
        let file = record(&mut manager, &file, rest).await;
        assert_eq!(
            (file.state(), file.completeness_bp, file.next_check_date),
            (State::Complete, 10_000, date("2026-01-02"))
        );
        assert_eq!(file.licence_valid_to_date, date("2025-03-31"));

        // On its last day the licence counts, on the day after it does not: 14 of 15.
        let (last, after) = (standing("2025-03-31").await, standing("2025-04-01").await);
        assert_eq!((last.completeness_bp, after.completeness_bp, after.has_file), (10_000, 9_333, true));
        assert_eq!(after.paper_until, "2025-03-31".parse().ok());
        bed.clock().set(at("2025-04-01T00:00:00+08:00")).unwrap();
        let stale = eventually("the stale file", async || {
            let found = get(&mut manager.clone(), &file).await;
            (found.state() == State::Stale).then_some(found)
        })
        .await;
        assert_eq!(
            (stale.completeness_bp, stale.missing_kinds().collect::<Vec<_>>()),
            (9_333, vec![FactKind::BusinessLicence])
        );

        // Renewed, it is complete, and waits for somebody else to verify it.
        let renewed = NewFact {
            as_of_date: date("2025-04-01"),
            ..licence(Some("2030-03-31"))
        };
        let renewed = record(&mut manager, &stale, vec![renewed]).await;
        assert_eq!((renewed.state(), renewed.completeness_bp), (State::Stale, 10_000));
        let verify = |file: &CreditFile| VerifyCreditFileRequest {
            request_id: key(),
            credit_file_id: file.credit_file_id.clone(),
            etag: file.etag.clone(),
        };
        let mut both = CreditFileServiceClient::new(bed.staff_named("wu-manager", &[Role::CreditAnalyst]));
        assert_eq!(
            refused(both.verify_credit_file(verify(&renewed)).await),
            (Code::PermissionDenied, "CREDIT_FILE_OWN_FACTS".to_owned())
        );
        assert_eq!(refused(manager.verify_credit_file(verify(&renewed)).await).0, Code::PermissionDenied);
        let mut analyst = analyst(bed);
        assert_eq!(refused(analyst.verify_credit_file(verify(&stale)).await).1, "ETAG_MISMATCH");
        let verified = analyst.verify_credit_file(verify(&renewed)).await.unwrap().into_inner().credit_file.unwrap();
        assert_eq!(
            (verified.state(), verified.last_verified_date, verified.next_check_date),
            (State::ReVerified, date("2025-04-01"), date("2026-04-01"))
        );
        let mut desk = Desk::head_office(bed);
        let person = desk.person(1, HEXI).await;
        let empty = open(&mut manager, &person).await;
        assert_eq!(refused(analyst.verify_credit_file(verify(&empty)).await).1, "CREDIT_FILE_INCOMPLETE");
        // A year later the check is due.
        bed.clock().set(at("2026-04-01T00:00:00+08:00")).unwrap();
        eventually("the check of the year", async || {
            (get(&mut manager.clone(), &file).await.state() == State::Stale).then_some(())
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_03_licences_are_warned_of_at_60_30_and_7_days_and_when_they_end() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let party = organisation(bed).await;
        let file = open(&mut manager, &party).await;
        use FactKind::{BusinessLicence, IndustryCertification};
        let certificate = |item: &str, valid_to: Option<&str>| NewFact {
            kind: IndustryCertification.into(),
            item: item.to_owned(),
            ..licence(valid_to)
        };
        let facts = vec![
            licence(Some("2025-07-01")),
            certificate("燃气经营许可证", Some("2025-05-31")),
            // Long-term, without an end: never warned of.
            certificate("排污许可证", None),
        ];
        let file = record(&mut manager, &file, facts).await;
        let told = async || {
            let found = rows(
                bed,
                "SELECT data FROM event WHERE kind = 'hearth.archive.v1.LicenceExpiring' ORDER BY id",
                vec![],
            )
            .await;
            let events = found
                .iter()
                .map(|row| LicenceExpiring::decode(row.try_get_by_index::<Vec<u8>>(0).unwrap().as_slice()).unwrap());
            events.map(|event| (event.kind(), event.days_before)).collect::<Vec<_>>()
        };
        let mut expected = vec![];
        for (day, new) in [
            ("2025-04-01", (IndustryCertification, 60)),
            ("2025-05-01", (IndustryCertification, 30)),
            ("2025-05-02", (BusinessLicence, 60)),
            ("2025-05-24", (IndustryCertification, 7)),
        ] {
            bed.clock().set(at(&format!("{day}T08:00:00+08:00"))).unwrap();
            expected.push(new);
            eventually(day, async || (told().await == expected).then_some(())).await;
        }
        let list = |until: &str| ListLicenceExpiriesRequest {
            until_date: date(until),
            ..ListLicenceExpiriesRequest::default()
        };
        let papers = manager.list_licence_expiries(list("2025-06-29")).await.unwrap().into_inner().expiries;
        assert_eq!(
            papers.iter().map(|paper| (paper.kind(), paper.warned_days)).collect::<Vec<_>>(),
            [(IndustryCertification, Some(7))]
        );
        assert_eq!(manager.list_licence_expiries(list("2099-12-31")).await.unwrap().into_inner().expiries.len(), 2);
        // The certificate is renewed in time and not warned of again; the licence is looked at after weeks: told once, of its end.
        let renewed = NewFact {
            as_of_date: date("2025-05-24"),
            ..certificate("燃气经营许可证", Some("2028-05-31"))
        };
        record(&mut manager, &file, vec![renewed]).await;
        bed.clock().set(at("2025-07-02T08:00:00+08:00")).unwrap();
        expected.push((BusinessLicence, 0));
        eventually("the end of the licence", async || (told().await == expected).then_some(())).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_05_facts_are_versioned_and_an_earlier_fact_entered_later_does_not_overwrite() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let party = organisation(bed).await;
        let file = open(&mut manager, &party).await;
        let chairman = |name: &str, as_of: &str| NewFact {
            as_of_date: date(as_of),
            ..fact(FactKind::Chairman, named(name))
        };
        let file = record(&mut manager, &file, vec![chairman("张三丰", "2024-06-01")]).await;
        let before = events(bed, &party.party_id).await.len();
        let file = record(&mut manager, &file, vec![chairman("王五", "2023-06-01")]).await;
        assert_eq!(of(&reveal(&mut manager, &file).await, FactKind::Chairman).name, "张三丰");
        assert_eq!(events(bed, &party.party_id).await.len(), before);
        let file = record(&mut manager, &file, vec![chairman("赵六", "2025-01-01")]).await;
        assert_eq!(of(&reveal(&mut manager, &file).await, FactKind::Chairman).name, "赵六");
        let list = ListFactsRequest {
            credit_file_id: file.credit_file_id.clone(),
            kind: FactKind::Chairman.into(),
            page_size: 2,
            page_token: String::new(),
        };
        let first = manager.list_facts(list.clone()).await.unwrap().into_inner();
        let rest = ListFactsRequest {
            page_token: first.next_page_token.clone(),
            ..list
        };
        let rest = manager.list_facts(rest).await.unwrap().into_inner();
        let all: Vec<_> = first
            .facts
            .iter()
            .chain(&rest.facts)
            .map(|fact| (fact.as_of_date, fact.current, fact.entered_by.as_str()))
            .collect();
        let by = "wu-manager";
        assert_eq!(
            all,
            [(date("2024-06-01"), false, by), (date("2023-06-01"), false, by), (date("2025-01-01"), true, by)]
        );
        assert!(first.facts.iter().all(|fact| fact.content.as_ref().unwrap().name.contains('*')));
        for sql in [
            "UPDATE credit_fact SET source = 'x' WHERE file_id = $1",
            "DELETE FROM credit_fact WHERE file_id = $1",
        ] {
            assert_eq!(
                raw(bed, sql, vec![uuid(&file.credit_file_id)]).await,
                Err("CREDIT_FACT_IS_APPEND_ONLY".to_owned())
            );
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_e_chairman_and_general_manager_may_be_one_person() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let file = open(&mut manager, &organisation(bed).await).await;
        let facts = vec![fact(FactKind::Chairman, named("李校长")), fact(FactKind::GeneralManager, named("李校长"))];
        let file = record(&mut manager, &file, facts).await;
        // One person, two facts: each is found, and changes, by itself.
        let next = NewFact {
            as_of_date: date("2025-01-02"),
            ..fact(FactKind::GeneralManager, named("王主任"))
        };
        let file = record(&mut manager, &file, vec![next]).await;
        let shown = reveal(&mut manager, &file).await;
        let names = [FactKind::Chairman, FactKind::GeneralManager].map(|kind| of(&shown, kind).name);
        assert_eq!(names, ["李校长", "王主任"]);
        assert_eq!(file.missing_kinds.len(), 13);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_e_capital_is_kept_as_registered_subscribed_apart_from_paid_in() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let file = open(&mut manager, &organisation(bed).await).await;
        let facts = vec![
            fact(FactKind::SubscribedCapital, capital("1000000.00", "USD")),
            fact(FactKind::PaidInCapital, capital("200000.50", "CNY")),
        ];
        let file = record(&mut manager, &file, facts).await;
        // A foreign currency is not converted.
        assert_eq!(of(&file.facts, FactKind::SubscribedCapital), capital("1000000.00", "USD"));
        assert_eq!(of(&file.facts, FactKind::PaidInCapital), capital("200000.50", "CNY"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_e_a_long_term_licence_has_no_end_and_is_not_missing() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let party = organisation(bed).await;
        let file = open(&mut manager, &party).await;
        let file = record(&mut manager, &file, sheet(None)).await;
        assert_eq!((file.licence_valid_to_date, file.completeness_bp), (None, 10_000));
        let db = bed.db();
        let later = archive::credit_file::standing(db.reader(), party.party_id.parse().unwrap(), "2099-12-31".parse().unwrap());
        let later = later.await.unwrap();
        assert_eq!((later.completeness_bp, later.paper_until), (10_000, None));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_e_after_a_change_of_the_registration_number_the_old_one_stays_in_the_history() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let file = open(&mut manager, &organisation(bed).await).await;
        // The newer one is entered first.
        for (text, as_of) in [("1212000028215658XE", "2016-10-01"), ("120103000012345", "2010-01-01")] {
            let current = get(&mut manager, &file).await;
            let fact = NewFact {
                as_of_date: date(as_of),
                ..fact(FactKind::RegistrationNumber, number(text))
            };
            record(&mut manager, &current, vec![fact]).await;
        }
        let current = get(&mut manager, &file).await;
        assert_eq!(of(&current.facts, FactKind::RegistrationNumber).number, "1212000028215658XE");
        let list = ListFactsRequest {
            credit_file_id: file.credit_file_id,
            ..ListFactsRequest::default()
        };
        let all = manager.list_facts(list).await.unwrap().into_inner().facts;
        let all: Vec<_> = all.iter().map(|fact| (fact.content.as_ref().unwrap().number.as_str(), fact.current)).collect();
        assert_eq!(all, [("1212000028215658XE", true), ("120103000012345", false)]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s_10_a_fact_has_the_form_of_its_kind_and_a_refused_sheet_leaves_nothing() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let file = open(&mut manager, &organisation(bed).await).await;
        let neither = NewFact {
            long_term: false,
            ..licence(None)
        };
        let both = NewFact {
            long_term: true,
            ..licence(Some("2025-12-31"))
        };
        let tomorrow = NewFact {
            as_of_date: date("2025-01-03"),
            ..licence(None)
        };
        let item = NewFact {
            item: "x".to_owned(),
            ..licence(None)
        };
        let cases = [
            (neither, "FACT_VALIDITY", "facts[1]"),
            (both, "FACT_VALIDITY", "facts[1]"),
            (tomorrow, "DATE_RANGE", "facts[1]"),
            (item, "FACT_ITEM", "facts[1]"),
            (fact(FactKind::Chairman, text("李校长")), "FACT_FORM", "facts[1]"),
            (
                fact(FactKind::PaidInCapital, capital("0", "CNY")),
                "CAPITAL_RANGE",
                "facts[1].content.capital.amount",
            ),
            (
                fact(FactKind::PaidInCapital, capital("1.005", "CNY")),
                "SCALE",
                "facts[1].content.capital.amount",
            ),
            (
                fact(
                    FactKind::Mobile,
                    FactContent {
                        phone: "190".to_owned(),
                        ..FactContent::default()
                    },
                ),
                "PHONE",
                "facts[1].content.phone",
            ),
        ];
        for (wrong, expected, field) in cases {
            let status = manager
                .record_facts(recording(&file, vec![fact(FactKind::Relation, text("无关联")), wrong]))
                .await
                .unwrap_err();
            assert_eq!(
                (status.code(), reason(&status).as_str(), fields(&status)),
                (Code::InvalidArgument, expected, vec![field.to_owned()])
            );
        }
        assert_eq!(get(&mut manager, &file).await, file);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn h_11_of_persons_only_facts_needed_for_supply_are_kept() {
    each(archive::SERVICE, async |bed| {
        let mut analyst = analyst(bed);
        let mut desk = Desk::head_office(bed);
        let person = desk.person(1, HEXI).await;
        let file = open(&mut analyst, &person).await;
        assert_eq!(
            (file.party_kind(), file.missing_kinds().collect::<Vec<_>>()),
            (party::Kind::Person, vec![FactKind::Mobile])
        );
        for kind in [FactKind::Relation, FactKind::BusinessScope, FactKind::EnterpriseNature] {
            assert_eq!(
                refused(analyst.record_facts(recording(&file, vec![fact(kind, text("爱打牌"))])).await),
                (Code::FailedPrecondition, "FACT_NOT_FOR_PERSONS".to_owned())
            );
        }
        let facts = vec![fact(FactKind::Mobile, call_at(1)), fact(FactKind::PaymentPractice, text("每月十日转账"))];
        let file = record(&mut analyst, &file, facts).await;
        assert_eq!((file.state(), file.completeness_bp), (State::Complete, 10_000));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credit_files_are_sealed_masked_and_bound_to_their_branch() {
    each(archive::SERVICE, async |bed| {
        let mut manager = manager(bed);
        let party = organisation(bed).await;
        let file = open(&mut manager, &party).await;
        let file = record(&mut manager, &file, sheet(None)).await;
        for role in [Role::CreditAnalyst, Role::Archivist, Role::Finance, Role::Auditor] {
            let mut files = CreditFileServiceClient::new(bed.staff(&[role]));
            let request = GetCreditFileRequest {
                credit_file_id: String::new(),
                party_id: party.party_id.clone(),
            };
            let seen = files.get_credit_file(request).await.unwrap().into_inner().credit_file.unwrap();
            assert_eq!(seen.etag, file.etag);
            assert_eq!(
                (of(&seen.facts, FactKind::Chairman).name, of(&seen.facts, FactKind::Mobile).phone),
                ("李**".to_owned(), "190****0001".to_owned())
            );
            assert!(!of(&seen.facts, FactKind::OfficeAddress).address.contains("2701"));
        }
        let clear = reveal(&mut manager, &file).await;
        assert_eq!(
            (of(&clear, FactKind::Chairman).name, of(&clear, FactKind::Mobile).phone),
            ("李校长".to_owned(), phone(1))
        );
        let journal = rows(
            bed,
            "SELECT actor, purpose FROM journal WHERE method = 'hearth.archive.v1.CreditFileService/RevealCreditFile'",
            vec![],
        )
        .await;
        let seen: Vec<(String, String)> = journal
            .iter()
            .map(|row| (row.try_get_by_index(0).unwrap(), row.try_get_by_index(1).unwrap()))
            .collect();
        assert_eq!(seen, [("wu-manager".to_owned(), "年度信用评审".to_owned())]);
        let sealed = rows(bed, "SELECT content_sealed FROM credit_fact", vec![]).await;
        assert_eq!(sealed.len(), 15);
        for row in sealed {
            let bytes: Vec<u8> = row.try_get_by_index(0).unwrap();
            for secret in ["李校长", "2701", phone(1).as_str()] {
                assert!(!bytes.windows(secret.len()).any(|part| part == secret.as_bytes()));
            }
        }

        // Another branch sees nothing of it, and cannot tell it from nothing.
        let mut foreign = CreditFileServiceClient::new(bed.staff_of(HEPING, &[Role::CreditAnalyst]));
        let (id, etag) = (file.credit_file_id.clone(), file.etag.clone());
        let answers = [
            refused(
                foreign
                    .get_credit_file(GetCreditFileRequest {
                        credit_file_id: id.clone(),
                        party_id: String::new(),
                    })
                    .await,
            ),
            refused(
                foreign
                    .get_credit_file(GetCreditFileRequest {
                        credit_file_id: String::new(),
                        party_id: party.party_id.clone(),
                    })
                    .await,
            ),
            refused(
                foreign
                    .open_credit_file(OpenCreditFileRequest {
                        request_id: key(),
                        party_id: party.party_id.clone(),
                    })
                    .await,
            ),
            refused(foreign.record_facts(recording(&file, sheet(None))).await),
            refused(
                foreign
                    .verify_credit_file(VerifyCreditFileRequest {
                        request_id: key(),
                        credit_file_id: id.clone(),
                        etag: etag.clone(),
                    })
                    .await,
            ),
            refused(
                foreign
                    .close_credit_file(CloseCreditFileRequest {
                        request_id: key(),
                        credit_file_id: id.clone(),
                        etag,
                    })
                    .await,
            ),
            refused(
                foreign
                    .reveal_credit_file(RevealCreditFileRequest {
                        request_id: key(),
                        credit_file_id: id.clone(),
                        purpose: "年度信用评审".to_owned(),
                    })
                    .await,
            ),
            refused(
                foreign
                    .list_facts(ListFactsRequest {
                        credit_file_id: id,
                        ..ListFactsRequest::default()
                    })
                    .await,
            ),
        ];
        for answer in answers {
            assert_eq!(answer, (Code::NotFound, "NOT_FOUND".to_owned()));
        }
        assert!(customers(&mut foreign).await.is_empty());
        let papers = ListLicenceExpiriesRequest {
            until_date: date("2099-12-31"),
            ..ListLicenceExpiriesRequest::default()
        };
        assert!(foreign.list_licence_expiries(papers).await.unwrap().into_inner().expiries.is_empty());
        assert_eq!(
            refused(
                CreditFileServiceClient::new(bed.customer(&party.party_id))
                    .list_customers(ListCustomersRequest::default())
                    .await
            )
            .0,
            Code::PermissionDenied
        );
    })
    .await;
}
