//! The bad inputs of text, ids and lists, on the fields that the archive has.

use contracts::hearth::archive::v1::{
    AddServicePointRequest, GetPartyRequest, ImportCustomersRequest, ListAccountsRequest, RegisterPersonRequest, SearchPartiesRequest,
    intake_service_client::IntakeServiceClient, party_service_client::PartyServiceClient,
};
use contracts::hearth::options::v1::Role;
use testbed::{each, key, reason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::world::{Desk, HEXI, id_number, person, rows};

fn why(status: &Status) -> Vec<(String, String)> {
    status
        .get_details_bad_request()
        .map(|b| b.field_violations.into_iter().map(|v| (v.field, v.reason)).collect())
        .unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_76_to_86_texts() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let mut next = 0;
        let mut given = async |change: &dyn Fn(&mut RegisterPersonRequest)| {
            next += 1;
            let mut request = person(next, HEXI);
            change(&mut request);
            desk.parties
                .register_person(request)
                .await
                .map(|answer| answer.into_inner().party.unwrap().party_id)
        };
        // 76, 77: empty, blanks only, over the limit.
        for (name, expected) in [("", "REQUIRED"), ("  \u{3000}", "REQUIRED"), (&"王".repeat(101), "TOO_LONG")] {
            let status = given(&|r| r.name = name.to_owned()).await.unwrap_err();
            assert_eq!(
                (status.code(), why(&status)),
                (Code::InvalidArgument, vec![("name".to_owned(), expected.to_owned())])
            );
        }
        // 80 to 82: characters that forge lines or look like others.
        for (name, expected) in [
            ("王\0建国", "CONTROL_CHARACTER"),
            ("王\u{1b}[31m", "CONTROL_CHARACTER"),
            ("王\r\n建国", "CONTROL_CHARACTER"),
            ("王\u{202e}建国", "UNSAFE_CHARACTER"),
            ("王\u{200d}建国", "UNSAFE_CHARACTER"),
        ] {
            let status = given(&|r| r.name = name.to_owned()).await.unwrap_err();
            assert_eq!(
                (status.code(), why(&status)),
                (Code::InvalidArgument, vec![("name".to_owned(), expected.to_owned())]),
                "{name:?}"
            );
        }
        // 78, 83, 84, 94: data, whatever it looks like; composed when it was not.
        for (name, kept) in [
            ("'; DROP TABLE party;--", "'; DROP TABLE party;--"),
            ("\" OR 1=1", "\" OR 1=1"),
            ("\\", "\\"),
            ("%_", "%_"),
            ("𠮷野·阿依古丽", "𠮷野·阿依古丽"),
            ("Jose\u{301}", "Jos\u{e9}"),
            ("=cmd()", "=cmd()"),
        ] {
            let id = given(&|r| r.name = name.to_owned()).await.unwrap();
            let stored = rows(bed, "SELECT name FROM party WHERE id = $1", vec![crate::world::uuid(&id)]).await;
            assert_eq!(stored[0].try_get_by_index::<String>(0).unwrap(), kept);
        }
        // 85, 86: numbers that cannot be.
        for wrong in ["110105194912310021", "110105194902290026", "110105491231002", "1101051949123100"] {
            let status = given(&|r| r.id_number = wrong.to_owned()).await.unwrap_err();
            assert_eq!(
                (status.code(), why(&status)),
                (Code::InvalidArgument, vec![("id_number".to_owned(), "ID_NUMBER".to_owned())])
            );
            assert!(!format!("{status:?}").contains(wrong), "a refusal repeats no identity number");
        }
        for wrong in ["19000O00001", "190000000012", "phone"] {
            let status = given(&|r| r.phone = wrong.to_owned()).await.unwrap_err();
            assert_eq!(
                (status.code(), why(&status)),
                (Code::InvalidArgument, vec![("phone".to_owned(), "PHONE".to_owned())])
            );
        }
        let id = given(&|r| r.phone = "１９０００００９９９９".to_owned()).await.unwrap();
        let search = SearchPartiesRequest {
            phone: "19000009999".to_owned(),
            ..Default::default()
        };
        assert_eq!(desk.parties.search_parties(search).await.unwrap().into_inner().parties[0].party_id, id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_84_decomposed_and_composed_names_are_one() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let mut request = person(1, HEXI);
        request.name = "Jose\u{301}".to_owned();
        desk.parties.register_person(request).await.unwrap();
        for name in ["Jos\u{e9}", "Jose\u{301}", "JOS\u{c9}"] {
            let search = SearchPartiesRequest {
                name: name.to_owned(),
                ..Default::default()
            };
            assert_eq!(desk.parties.search_parties(search).await.unwrap().into_inner().parties.len(), 1, "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_87_and_95_ids() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let party = desk.person(1, HEXI).await;
        let upper = GetPartyRequest {
            party_id: party.party_id.to_uppercase(),
        };
        assert_eq!(desk.parties.get_party(upper).await.unwrap().into_inner().party.unwrap(), party);
        let braces = format!("{{{}}}", party.party_id);
        let longer = format!("{}0", party.party_id);
        for wrong in ["", "x", braces.as_str(), longer.as_str(), "00000000-0000-0000-0000-000000000000"] {
            let status = desk.parties.get_party(GetPartyRequest { party_id: wrong.to_owned() }).await.unwrap_err();
            let expected = vec![("party_id".to_owned(), "ID_FORMAT".to_owned())];
            assert_eq!((status.code(), why(&status)), (Code::InvalidArgument, expected), "{wrong}");
        }
        let absent = key();
        let status = desk.parties.get_party(GetPartyRequest { party_id: absent.clone() }).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::NotFound, "NOT_FOUND"));
        let resource = status.get_details_resource_info().unwrap();
        assert_eq!((resource.resource_type.as_str(), resource.resource_name), ("party", absent));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_88_to_92_enums_lists_and_pages() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let home = desk.premises(1, HEXI).await;
        for (service, expected) in [(0, "REQUIRED"), (99, "ENUM_UNKNOWN")] {
            let add = AddServicePointRequest {
                request_id: key(),
                premises_id: home.premises_id.clone(),
                etag: home.etag.clone(),
                service,
                multi_meter_household: false,
            };
            let status = desk.premises.add_service_point(add).await.unwrap_err();
            let expected = vec![("service".to_owned(), expected.to_owned())];
            assert_eq!((status.code(), why(&status)), (Code::InvalidArgument, expected));
        }
        let mut list = ListAccountsRequest {
            page_size: -1,
            ..Default::default()
        };
        let status = desk.accounts.list_accounts(list.clone()).await.unwrap_err();
        let expected = vec![("page_size".to_owned(), "PAGE_SIZE".to_owned())];
        assert_eq!((status.code(), why(&status)), (Code::InvalidArgument, expected));
        // Cut to the largest page.
        list.page_size = 1_000_000_000;
        desk.accounts.list_accounts(list).await.unwrap();
        for token in ["x", "AAAA", &"A".repeat(43)] {
            let list = ListAccountsRequest {
                page_token: token.to_owned(),
                ..Default::default()
            };
            assert_eq!(reason(&desk.accounts.list_accounts(list).await.unwrap_err()), "PAGE_TOKEN_INVALID");
        }
        let mut intake = IntakeServiceClient::new(bed.staff(&[Role::Archivist]));
        let many = ImportCustomersRequest {
            request_id: key(),
            rows: vec![Default::default(); 501],
            ..Default::default()
        };
        let status = match intake.import_customers(futures::stream::iter([many])).await {
            Ok(answers) => answers.into_inner().message().await.unwrap_err(),
            Err(status) => status,
        };
        let expected = vec![("rows".to_owned(), "TOO_MANY".to_owned())];
        assert_eq!((status.code(), why(&status)), (Code::InvalidArgument, expected));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_input_113_keys_that_are_none() {
    each(archive::SERVICE, async |bed| {
        let mut parties = PartyServiceClient::new(bed.staff(&[Role::Agent]));
        for wrong in ["x".repeat(256), "a b".to_owned(), "key".to_owned()] {
            let request = RegisterPersonRequest {
                request_id: wrong,
                id_number: id_number(1),
                ..person(1, HEXI)
            };
            let status = parties.register_person(request).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "IDEMPOTENCY_KEY_FORMAT"));
        }
    })
    .await;
}
