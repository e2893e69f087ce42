use contracts::hearth::{
    archive::v1::{
        CustomerRow, GetPartyRequest, ImportCustomersRequest, ImportCustomersResponse, ListAccountsRequest, ListAgreementsRequest, ListEntitlementsRequest,
        ListPremisesRequest, RowNotice, SearchPartiesRequest, Service, SignMethod, account, agreement, entitlement, intake_service_client::IntakeServiceClient,
        party,
    },
    options::v1::Role,
    r#type::v1::Decimal,
};
use testbed::{Bed, Client, each, key, reason};
use tonic::{Code, Status};

use crate::world::{Desk, HEPING, HEXI, date, events, id_number, phone, rows, template};

/// The first 50 customers of the city's register: 49 persons and organisations of two districts.
const REGISTER: &str = include_str!("../data/register_head.csv");

fn register() -> Vec<CustomerRow> {
    let rows = REGISTER.lines().enumerate().skip(1).map(|(line, text)| {
        let c: Vec<&str> = text.split(',').collect();
        CustomerRow {
            line: line as i64 + 1,
            account_no: c[0].to_owned(),
            name: c[1].to_owned(),
            kind: if c[2] == "person" { party::Kind::Person } else { party::Kind::Organisation }.into(),
            id_number: c[3].to_owned(),
            phone: c[4].to_owned(),
            address: c[5].to_owned(),
            community_code: c[6].to_owned(),
            branch: c[7].to_owned(),
            use_class: c[8].to_owned(),
            household_persons: c[9].parse().unwrap_or(0),
            low_income: c[10] == "1",
            area_m2: (!c[11].is_empty()).then(|| Decimal { value: c[11].to_owned() }),
            supply_from_date: date(c[18]),
            service: 0,
        }
    });
    rows.collect()
}

pub fn row(n: u32) -> CustomerRow {
    CustomerRow {
        line: i64::from(n),
        account_no: format!("T{n:07}"),
        name: format!("王建国{n}"),
        kind: party::Kind::Person.into(),
        id_number: id_number(n),
        phone: phone(n),
        address: format!("天津市河西区尖山街道红山里社区{n}号楼"),
        community_code: String::new(),
        branch: HEXI.to_owned(),
        use_class: "living".to_owned(),
        household_persons: 0,
        low_income: false,
        area_m2: None,
        supply_from_date: date("2024-12-31"),
        service: 0,
    }
}

pub fn chunk(rows: Vec<CustomerRow>) -> ImportCustomersRequest {
    ImportCustomersRequest {
        request_id: key(),
        dry_run: false,
        template_id: None,
        rows,
    }
}

pub async fn import(client: &Client, chunks: Vec<ImportCustomersRequest>) -> Result<Vec<ImportCustomersResponse>, Status> {
    let mut answers = IntakeServiceClient::new(client.clone())
        .import_customers(futures::stream::iter(chunks))
        .await?
        .into_inner();
    let mut all = vec![];
    while let Some(answer) = answers.message().await? {
        all.push(answer);
    }
    Ok(all)
}

async fn counts(bed: &Bed) -> Vec<i64> {
    let mut all = vec![];
    for table in [
        "party",
        "premises",
        "service_point",
        "account",
        "agreement",
        "agreement_version",
        "entitlement",
        "event",
    ] {
        all.push(
            rows(bed, &format!("SELECT count(*) FROM {table}"), vec![]).await[0]
                .try_get_by_index(0)
                .unwrap(),
        );
    }
    all
}

fn notices(list: &[RowNotice]) -> Vec<(i64, &str, &str)> {
    list.iter().map(|n| (n.line, n.field.as_str(), n.reason.as_str())).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a33_the_register_of_the_city_is_taken_over_and_again_is_nothing_new() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        desk.template().await;
        let archivist = bed.staff(&[Role::Archivist]);
        let all = register();
        assert_eq!(all.len(), 50);
        let before = counts(bed).await;

        // A dry run answers the same and keeps nothing.
        let dry = ImportCustomersRequest {
            dry_run: true,
            ..chunk(all.clone())
        };
        let told = import(&archivist, vec![dry]).await.unwrap();
        assert_eq!((told[0].accepted, told[0].refused.len()), (50, 0));
        assert_eq!(counts(bed).await, before);

        let chunks: Vec<_> = all.chunks(20).map(|rows| chunk(rows.to_vec())).collect();
        let answers = import(&archivist, chunks.clone()).await.unwrap();
        assert_eq!(
            answers.iter().map(|a| (a.accepted, a.unchanged, a.refused.len())).collect::<Vec<_>>(),
            [(20, 0, 0), (20, 0, 0), (10, 0, 0)]
        );
        let persons = all.iter().filter(|r| r.kind() == party::Kind::Person).count();
        assert_eq!(
            answers.iter().map(|a| a.warnings.len()).sum::<usize>(),
            persons,
            "their birth years are those of nobody"
        );
        assert!(
            answers
                .iter()
                .flat_map(|a| &a.warnings)
                .all(|w| (w.field.as_str(), w.reason.as_str()) == ("id_number", "BIRTH_DATE_UNUSUAL"))
        );
        let after = counts(bed).await;
        let entitlements = all.iter().map(|r| i64::from(r.household_persons > 0) + i64::from(r.low_income)).sum::<i64>();
        assert_eq!(after[..7], [50, 50, 50, 50, 50, 50, entitlements]);

        // The same chunks with the same keys answer the same; with new keys they find everything there.
        assert_eq!(import(&archivist, chunks).await.unwrap(), answers);
        let again = import(&archivist, vec![chunk(all.clone())]).await.unwrap();
        assert_eq!((again[0].accepted, again[0].unchanged, again[0].refused.len()), (0, 50, 0));
        assert_eq!(counts(bed).await, after);

        // What became of the first customer.
        let list = ListAccountsRequest {
            account_no: "T0000001".to_owned(),
            ..Default::default()
        };
        let account = desk.accounts.list_accounts(list).await.unwrap().into_inner().accounts.remove(0);
        assert_eq!((account.state(), account.branch.as_str()), (account::State::Open, HEXI));
        let list = ListAgreementsRequest {
            account_id: Some(account.account_id.clone()),
            ..Default::default()
        };
        let agreement_id = desk
            .agreements
            .list_agreements(list)
            .await
            .unwrap()
            .into_inner()
            .agreements
            .remove(0)
            .agreement_id;
        let agreement = desk.agreement(&agreement_id).await;
        assert_eq!(
            (agreement.state(), agreement.use_class.as_str(), agreement.service()),
            (agreement::State::InForce, "living", Service::Gas)
        );
        assert_eq!(
            (agreement.from_date, agreement.versions[0].sign_method()),
            (date("2024-12-31"), SignMethod::TakenOver)
        );
        let list = ListEntitlementsRequest {
            agreement_id: agreement_id.clone(),
            ..Default::default()
        };
        let entitled = desk.entitlements.list_entitlements(list).await.unwrap().into_inner().entitlements.remove(0);
        assert_eq!(
            (entitled.kind(), entitled.persons, entitled.from_date),
            (entitlement::Kind::HouseholdSize, 4, date("2024-12-31"))
        );
        let search = SearchPartiesRequest {
            id_number: "120103180808207147".to_owned(),
            ..Default::default()
        };
        let found = desk.parties.search_parties(search).await.unwrap().into_inner().parties.remove(0);
        assert_eq!(
            (found.party_id.as_str(), found.phone.as_str(), found.state()),
            (account.party_id.as_str(), "190****0001", party::State::Active)
        );
        assert_eq!(events(bed, &agreement_id).await, ["ContractSigned", "ContractInForce", "HouseholdSizeChanged"]);
        assert_eq!(events(bed, &account.account_id).await, ["AccountOpened", "AccountChanged"]);
        assert_eq!(events(bed, &account.party_id).await, ["PartyRegistered"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a33_a_bad_row_is_refused_by_line_field_and_reason_and_its_neighbours_are_not() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        desk.template().await;
        let archivist = bed.staff(&[Role::Archivist]);
        let bad = |n, change: &dyn Fn(&mut CustomerRow)| {
            let mut row = row(n);
            change(&mut row);
            row
        };
        let rows = vec![
            row(1),
            bad(2, &|r| r.id_number = "120103180808207148".to_owned()),
            bad(3, &|r| r.phone = "1234".to_owned()),
            bad(4, &|r| r.name = " ".to_owned()),
            bad(5, &|r| r.kind = 0),
            bad(6, &|r| r.account_no = "T0000001".to_owned()),
            bad(7, &|r| (r.id_number, r.name) = (id_number(1), "李四".to_owned())),
            bad(8, &|r| r.address = row(1).address),
            bad(9, &|r| r.supply_from_date = date("2025-02-29")),
            bad(10, &|r| r.area_m2 = Some(Decimal { value: "0.001".to_owned() })),
            bad(11, &|r| r.service = 9),
            bad(12, &|r| (r.id_number, r.name) = (id_number(1), "王建国1".to_owned())),
            bad(13, &|r| {
                (r.kind, r.id_number) = (party::Kind::Organisation.into(), "91350211M0000XUF46".to_owned())
            }),
            row(14),
        ];
        let answer = import(&archivist, vec![chunk(rows)]).await.unwrap().remove(0);
        assert_eq!((answer.accepted, answer.unchanged), (4, 0));
        let expected = [
            (2, "id_number", "ID_NUMBER"),
            (3, "phone", "PHONE"),
            (4, "name", "REQUIRED"),
            (5, "kind", "ENUM_UNKNOWN"),
            (6, "account_no", "DUPLICATE"),
            (7, "name", "IDENTITY_NAME_MISMATCH"),
            (8, "address", "AGREEMENT_OVERLAP"),
            (9, "supply_from_date", "DATE_RANGE"),
            (10, "area_m2", "DECIMAL_RANGE"),
            (11, "service", "ENUM_UNKNOWN"),
        ];
        assert_eq!(notices(&answer.refused), expected);
        assert!(notices(&answer.warnings).contains(&(13, "id_number", "CREDIT_CODE_CHECK")));
        // Line 12 joined the party of line 1.
        let search = SearchPartiesRequest {
            id_number: id_number(1),
            ..Default::default()
        };
        let party = desk.parties.search_parties(search).await.unwrap().into_inner().parties.remove(0);
        let list = ListAccountsRequest {
            party_id: Some(party.party_id),
            ..Default::default()
        };
        assert_eq!(desk.accounts.list_accounts(list).await.unwrap().into_inner().accounts.len(), 2);

        // Against what is there already.
        let later = vec![
            bad(21, &|r| r.account_no = "T0000001".to_owned()),
            bad(22, &|r| (r.id_number, r.name) = (id_number(1), "李四".to_owned())),
            bad(23, &|r| r.address = row(1).address),
            bad(24, &|r| (r.id_number, r.name) = (id_number(14), "王建国14".to_owned())),
        ];
        let answer = import(&archivist, vec![chunk(later)]).await.unwrap().remove(0);
        let expected = [
            (21, "account_no", "ACCOUNT_NO_TAKEN"),
            (22, "name", "IDENTITY_NAME_MISMATCH"),
            (23, "address", "AGREEMENT_OVERLAP"),
        ];
        assert_eq!((answer.accepted, notices(&answer.refused)), (1, expected.to_vec()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_joins_prospects_and_free_service_points() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        desk.template().await;
        let party = desk.person(1, HEXI).await;
        let home = desk.premises(1, HEXI).await;
        let mut taken = row(1);
        // The answer of the registration is masked; the register has the whole address.
        taken.address = "天津市河西区尖山街道红山里社区1号楼1单元2701室".to_owned();
        let answer = import(&bed.staff(&[Role::Archivist]), vec![chunk(vec![taken])]).await.unwrap().remove(0);
        assert_eq!(answer.accepted, 1);
        let party = desk
            .parties
            .get_party(GetPartyRequest { party_id: party.party_id })
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        assert_eq!(party.state(), party::State::Active);
        let list = ListAgreementsRequest {
            party_id: Some(party.party_id),
            ..Default::default()
        };
        let agreement = desk.agreements.list_agreements(list).await.unwrap().into_inner().agreements.remove(0);
        assert_eq!(agreement.service_point_id, home.service_points[0].service_point_id);
        assert_eq!(
            desk.premises
                .list_premises(ListPremisesRequest::default())
                .await
                .unwrap()
                .into_inner()
                .premises
                .len(),
            1
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_needs_a_template_a_role_and_the_own_branch() {
    each(archive::SERVICE, async |bed| {
        let archivist = bed.staff(&[Role::Archivist]);
        let status = import(&archivist, vec![chunk(vec![row(1)])]).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "TEMPLATE_NOT_IN_FORCE"));
        let mut desk = Desk::head_office(bed);
        let first = desk.template().await;
        desk.templates
            .publish_template(template("OTHER_GAS", 1, Service::Gas, "2024-06-01"))
            .await
            .unwrap();
        let chosen = ImportCustomersRequest {
            template_id: Some(first.template_id.clone()),
            ..chunk(vec![row(1)])
        };
        import(&archivist, vec![chosen.clone()]).await.unwrap();
        let agreement = desk
            .agreements
            .list_agreements(ListAgreementsRequest::default())
            .await
            .unwrap()
            .into_inner()
            .agreements
            .remove(0);
        assert_eq!(desk.agreement(&agreement.agreement_id).await.versions[0].template_id, first.template_id);

        let reused = ImportCustomersRequest { rows: vec![row(2)], ..chosen };
        assert_eq!(reason(&import(&archivist, vec![reused]).await.unwrap_err()), "IDEMPOTENCY_KEY_REUSED");
        let status = import(&bed.staff(&[Role::Agent]), vec![chunk(vec![row(2)])]).await.unwrap_err();
        assert_eq!(status.code(), Code::PermissionDenied);

        let mut elsewhere = row(3);
        elsewhere.branch = HEPING.to_owned();
        let answer = import(&bed.staff_of(HEXI, &[Role::Archivist]), vec![chunk(vec![row(2), elsewhere])])
            .await
            .unwrap()
            .remove(0);
        assert_eq!((answer.accepted, notices(&answer.refused)), (1, vec![(3, "branch", "TENANT_SCOPE")]));
    })
    .await;
}
