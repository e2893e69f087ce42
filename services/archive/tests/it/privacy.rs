use contracts::hearth::{
    archive::v1::{
        CorrectContactRequest, GetPartyRequest, GrantLowIncomeRequest, ListPremisesRequest, RevealPartyRequest, SearchPartiesRequest,
        party_service_client::PartyServiceClient,
    },
    options::v1::Role,
};
use database::Engine;
use testbed::{Bed, each, fields, key, reason};
use tonic::Code;

use crate::world::{Desk, HEXI, date, id_number, person, phone, rows};

const PROOF: &str = "低保证号 津民字第20240077号";

/// Every byte that the database keeps: the files on SQLite, each column of each table as text on PostgreSQL.
async fn everything(bed: &Bed) -> Vec<u8> {
    if bed.engine() == Engine::Sqlite {
        let wal = bed.file().with_extension("db-wal");
        return [std::fs::read(bed.file()).unwrap(), std::fs::read(wal).unwrap_or_default()].concat();
    }
    let tables = rows(
        bed,
        "SELECT table_name::text FROM information_schema.tables WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
        vec![],
    )
    .await;
    let mut all = vec![];
    for table in tables {
        let table: String = table.try_get_by_index(0).unwrap();
        for row in rows(bed, &format!("SELECT t::text FROM \"{table}\" t"), vec![]).await {
            let text: String = row.try_get_by_index(0).unwrap();
            all.extend(text.as_bytes());
            // A bytea column prints as hexadecimal digits; look behind them too.
            for part in text.split("\\\\x").skip(1) {
                let digits: Vec<u8> = part.bytes().take_while(u8::is_ascii_hexdigit).collect();
                all.extend(
                    digits
                        .chunks_exact(2)
                        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()),
                );
            }
        }
    }
    all
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

#[tokio::test(flavor = "multi_thread")]
async fn p1_the_database_holds_no_clear_identity_number_phone_or_proof() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let signed = desk.ready(1, HEXI, &template).await;
        let signed = desk.sign(signed).await;
        let grant = GrantLowIncomeRequest {
            request_id: key(),
            agreement_id: signed.agreement_id.clone(),
            from_date: date("2025-01-01"),
            until_date: None,
            proof: PROOF.to_owned(),
            destitute: true,
        };
        let granted = desk.entitlements.grant_low_income(grant).await.unwrap().into_inner().entitlement.unwrap();
        assert!(!granted.proof.contains("20240077"));
        let party = desk
            .parties
            .get_party(GetPartyRequest {
                party_id: signed.party_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        let correct = CorrectContactRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            etag: party.etag,
            phone: Some(phone(77)),
            ..CorrectContactRequest::default()
        };
        desk.parties.correct_contact(correct).await.unwrap();
        let mut manager = PartyServiceClient::new(bed.staff(&[Role::ServiceManager]));
        let reveal = RevealPartyRequest {
            request_id: key(),
            party_id: party.party_id,
            purpose: "核对身份证".to_owned(),
        };
        let shown = manager.reveal_party(reveal).await.unwrap().into_inner().party.unwrap();
        assert_eq!((shown.id_number.as_str(), shown.phone.as_str()), (id_number(1).as_str(), phone(77).as_str()));

        let bytes = everything(bed).await;
        // PERSONAL columns are clear, so the look does see what is there.
        assert!(holds(&bytes, "王建国1"));
        // The answer that is kept for a replay is masked; it lies in a column of bytes.
        assert!(holds(&bytes, "190****0077"));
        for secret in [id_number(1), phone(1), phone(77), PROOF.to_owned()] {
            assert!(!holds(&bytes, &secret), "{secret} lies in the database");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn p5_every_answer_is_masked_for_everybody() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let mut request = person(1, HEXI);
        request.name = "王建国".to_owned();
        request.address = "天津市河西区尖山街道红山里社区24号楼1单元2701室".to_owned();
        let registered = desk.parties.register_person(request).await.unwrap().into_inner().party.unwrap();
        desk.premises(1, HEXI).await;
        let party_id = registered.party_id.clone();
        let mut seen = vec![registered];
        for role in [Role::Cashier, Role::Agent, Role::ServiceManager, Role::Auditor, Role::PrivacyOfficer] {
            let mut parties = PartyServiceClient::new(bed.staff(&[role]));
            seen.push(
                parties
                    .get_party(GetPartyRequest { party_id: party_id.clone() })
                    .await
                    .unwrap()
                    .into_inner()
                    .party
                    .unwrap(),
            );
            let search = SearchPartiesRequest {
                id_number: id_number(1),
                ..SearchPartiesRequest::default()
            };
            seen.extend(parties.search_parties(search).await.unwrap().into_inner().parties);
        }
        let mut own = PartyServiceClient::new(bed.customer(&party_id));
        seen.push(own.get_party(GetPartyRequest { party_id }).await.unwrap().into_inner().party.unwrap());
        assert_eq!(seen.len(), 12);
        let id = id_number(1);
        for party in seen {
            assert!(party.name.starts_with('王') && !party.name.contains("建国"), "{}", party.name);
            assert_eq!(party.id_number, format!("{}***********{}", &id[..3], &id[14..]));
            assert_eq!(party.phone, "190****0001");
            assert!(party.address.contains("尖山街道") && !party.address.contains("2701"), "{}", party.address);
        }
        let listed = desk.premises.list_premises(ListPremisesRequest::default()).await.unwrap().into_inner().premises;
        assert!(!listed[0].address.contains("2701"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_08_a_reveal_needs_role_and_purpose_and_is_journaled() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let party = desk.person(1, HEXI).await;
        let reveal = |purpose: &str| RevealPartyRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            purpose: purpose.to_owned(),
        };
        for role in [Role::Agent, Role::Cashier, Role::Auditor, Role::Archivist] {
            let status = PartyServiceClient::new(bed.staff(&[role]))
                .reveal_party(reveal("核对身份证"))
                .await
                .unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied);
        }
        let mut manager = PartyServiceClient::new(bed.staff_named("manager-li", &[Role::ServiceManager]));
        for purpose in ["", "abc"] {
            let status = manager.reveal_party(reveal(purpose)).await.unwrap_err();
            assert_eq!((status.code(), fields(&status)), (Code::InvalidArgument, vec!["purpose".to_owned()]));
        }
        assert_eq!(reason(&manager.reveal_party(reveal("      ")).await.unwrap_err()), "REQUIRED");
        let unknown = RevealPartyRequest {
            party_id: key(),
            ..reveal("核对身份证")
        };
        assert_eq!(manager.reveal_party(unknown).await.unwrap_err().code(), Code::NotFound);

        let journal = async || {
            let sql = "SELECT actor, purpose, subjects FROM journal WHERE method = 'hearth.archive.v1.PartyService/RevealParty' ORDER BY id";
            let found = rows(bed, sql, vec![]).await;
            found
                .iter()
                .map(|row| (0..3).map(|i| row.try_get_by_index::<String>(i).unwrap()).collect::<Vec<_>>())
                .collect::<Vec<_>>()
        };
        assert!(journal().await.is_empty());
        let request = reveal("客户到柜台核对身份证");
        let shown = manager.reveal_party(request.clone()).await.unwrap().into_inner().party.unwrap();
        assert_eq!((shown.name.as_str(), shown.id_number, shown.phone), ("王建国1", id_number(1), phone(1)));
        // Asked again with the same key, it is shown and journaled again.
        manager.reveal_party(request).await.unwrap();
        let row = vec!["manager-li".to_owned(), "客户到柜台核对身份证".to_owned(), party.party_id.clone()];
        assert_eq!(journal().await, [row.clone(), row]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn events_carry_no_personal_data() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let signed = desk.ready(1, HEXI, &template).await;
        desk.sign(signed).await;
        let events = rows(bed, "SELECT data FROM event", vec![]).await;
        assert!(events.len() >= 5);
        for row in events {
            let data: Vec<u8> = row.try_get_by_index(0).unwrap();
            for text in ["王建国", &id_number(1), &phone(1), "尖山街道"] {
                assert!(!holds(&data, text));
            }
        }
    })
    .await;
}
