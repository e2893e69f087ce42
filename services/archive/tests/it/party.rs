use contracts::hearth::{
    archive::v1::{
        CheckStandingRequest, ClosePartyRequest, CorrectContactRequest, GetPartyRequest, RegisterOrganisationRequest, SearchPartiesRequest,
        SuspendAccountRequest, party, standing_service_client::StandingServiceClient,
    },
    options::v1::Role,
};
use testbed::{each, key, reason};
use tonic::Code;

use crate::world::{Desk, HEXI, events, id_number, person, phone, raw, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn d_07_an_identity_number_is_unique_among_parties_that_are_not_closed() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let first = desk.person(1, HEXI).await;
        assert_eq!(first.state(), party::State::Prospect);
        let again = person(1, HEXI);
        let status = desk.parties.register_person(again.clone()).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::AlreadyExists, "PARTY_IDENTITY_UNIQUE"));

        let close = ClosePartyRequest {
            request_id: key(),
            party_id: first.party_id.clone(),
            etag: first.etag.clone(),
        };
        let closed = desk.parties.close_party(close).await.unwrap().into_inner().party.unwrap();
        assert_eq!(closed.state(), party::State::Closed);
        let second = desk.parties.register_person(again).await.unwrap().into_inner().party.unwrap();
        assert_ne!(first.party_id, second.party_id);
        assert_eq!(events(bed, &first.party_id).await, ["PartyRegistered", "CustomerClosed"]);

        // The database alone holds it too.
        let back = raw(bed, "UPDATE party SET state = 'ACTIVE' WHERE id = $1", vec![uuid(&first.party_id)]).await;
        assert_eq!(back, Err("PARTY_IDENTITY_UNIQUE".to_owned()));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn d_07_of_twenty_who_register_one_number_one_wins() {
    each(archive::SERVICE, async |bed| {
        let desk = Desk::head_office(bed);
        let racers = (0..20).map(|_| {
            let mut desk = desk.clone();
            tokio::spawn(async move { desk.parties.register_person(person(1, HEXI)).await })
        });
        let outcomes = futures::future::join_all(racers.collect::<Vec<_>>()).await;
        let (won, lost): (Vec<_>, Vec<_>) = outcomes.into_iter().map(Result::unwrap).partition(Result::is_ok);
        assert_eq!(won.len(), 1);
        assert!(lost.into_iter().all(|l| reason(&l.unwrap_err()) == "PARTY_IDENTITY_UNIQUE"));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a40_the_same_request_answers_the_same_and_another_body_is_refused() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let request = person(1, HEXI);
        let first = desk.parties.register_person(request.clone()).await.unwrap().into_inner();
        let second = desk.parties.register_person(request.clone()).await.unwrap().into_inner();
        assert_eq!(first, second);
        assert_eq!(first.warnings, ["BIRTH_DATE_UNUSUAL"]);
        assert_eq!(events(bed, &first.party.unwrap().party_id).await, ["PartyRegistered"]);

        let mut other = request.clone();
        other.phone = phone(2);
        let status = desk.parties.register_person(other).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::InvalidArgument, "IDEMPOTENCY_KEY_REUSED"));
        let mut none = request;
        none.request_id = String::new();
        assert_eq!(reason(&desk.parties.register_person(none).await.unwrap_err()), "IDEMPOTENCY_KEY_REQUIRED");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a35_a_stale_tag_is_refused() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let party = desk.person(1, HEXI).await;
        let correct = |etag: &str, number: u32| CorrectContactRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            etag: etag.to_owned(),
            phone: Some(phone(number)),
            ..CorrectContactRequest::default()
        };
        let changed = desk.parties.correct_contact(correct(&party.etag, 2)).await.unwrap().into_inner().party.unwrap();
        assert_ne!(changed.etag, party.etag);
        assert_eq!(changed.phone, "190****0002");
        let status = desk.parties.correct_contact(correct(&party.etag, 3)).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::Aborted, "ETAG_MISMATCH"));
        assert_eq!(reason(&desk.parties.correct_contact(correct("", 3)).await.unwrap_err()), "ETAG_REQUIRED");
        let nothing = CorrectContactRequest {
            phone: None,
            ..correct(&changed.etag, 3)
        };
        assert_eq!(reason(&desk.parties.correct_contact(nothing).await.unwrap_err()), "NOTHING_TO_CHANGE");
        // What is the same already changes nothing and tells nothing.
        let same = desk
            .parties
            .correct_contact(correct(&changed.etag, 2))
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        assert_eq!(same.etag, changed.etag);
        assert_eq!(events(bed, &party.party_id).await, ["PartyRegistered", "CustomerUpdated"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a13_parties_are_found_by_phone_number_and_name() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let mut names = vec![];
        for (n, name) in [(1, "王建国"), (2, "王建国%"), (3, "阿依古丽·买买提"), (4, "Smith Ltd"), (5, "王_")] {
            let mut request = person(n, HEXI);
            request.name = name.to_owned();
            names.push(desk.parties.register_person(request).await.unwrap().into_inner().party.unwrap().party_id);
        }
        let mut found = async |request: SearchPartiesRequest| -> Vec<String> {
            let parties = desk.parties.search_parties(request).await.unwrap().into_inner().parties;
            parties.into_iter().map(|p| p.party_id).collect()
        };
        let by_phone = |text: &str| SearchPartiesRequest {
            phone: text.to_owned(),
            ..SearchPartiesRequest::default()
        };
        let by_number = |text: &str| SearchPartiesRequest {
            id_number: text.to_owned(),
            ..SearchPartiesRequest::default()
        };
        let by_name = |text: &str| SearchPartiesRequest {
            name: text.to_owned(),
            ..SearchPartiesRequest::default()
        };
        assert_eq!(found(by_phone("+86 190-0000-0002")).await, names[1..2]);
        assert_eq!(found(by_phone(&phone(9))).await, [""; 0]);
        assert_eq!(found(by_number(&id_number(3).to_lowercase())).await, names[2..3]);
        assert_eq!(found(by_number(&id_number(9))).await, [""; 0]);
        assert_eq!(found(by_name("建国")).await, names[0..2]);
        assert_eq!(found(by_name("古丽·买")).await, names[2..3]);
        assert_eq!(found(by_name("sMITH")).await, names[3..4]);
        // Bad input 79: wildcards are plain characters.
        assert_eq!(found(by_name("%")).await, names[1..2]);
        assert_eq!(found(by_name("王_")).await, names[4..5]);
        assert_eq!(found(by_name("\\")).await, [""; 0]);

        let page = SearchPartiesRequest {
            page_size: 2, ..by_name("王")
        };
        let first = desk.parties.search_parties(page.clone()).await.unwrap().into_inner();
        assert_eq!(first.parties.len(), 2);
        let next = SearchPartiesRequest {
            page_token: first.next_page_token.clone(),
            ..page.clone()
        };
        let second = desk.parties.search_parties(next).await.unwrap().into_inner();
        assert_eq!(second.parties.iter().map(|p| p.party_id.clone()).collect::<Vec<_>>(), names[4..5]);
        assert_eq!(second.next_page_token, "");
        // Bad input 92: a token of another search.
        let foreign = SearchPartiesRequest {
            page_token: first.next_page_token,
            ..by_name("阿")
        };
        assert_eq!(reason(&desk.parties.search_parties(foreign).await.unwrap_err()), "PAGE_TOKEN_INVALID");
        // One term, not two, not none.
        let both = SearchPartiesRequest {
            phone: phone(1),
            ..by_name("王")
        };
        assert_eq!(desk.parties.search_parties(both).await.unwrap_err().code(), Code::InvalidArgument);
        assert_eq!(
            desk.parties.search_parties(SearchPartiesRequest::default()).await.unwrap_err().code(),
            Code::InvalidArgument
        );
        assert_eq!(reason(&desk.parties.search_parties(by_phone("190")).await.unwrap_err()), "PHONE");
        assert_eq!(reason(&desk.parties.search_parties(by_number("120103")).await.unwrap_err()), "ID_NUMBER");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn organisations_are_known_by_their_credit_code() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let register = |code: &str, seen| RegisterOrganisationRequest {
            request_id: key(),
            name: "河西区第一小学".to_owned(),
            credit_code: code.to_owned(),
            code_seen_on_licence: seen,
            phone: "022-23456789".to_owned(),
            address: String::new(),
            branch: HEXI.to_owned(),
        };
        let school = desk
            .parties
            .register_organisation(register("1212000028215658XE", false))
            .await
            .unwrap()
            .into_inner();
        assert!(school.warnings.is_empty());
        assert_eq!(school.party.unwrap().kind(), party::Kind::Organisation);
        let pilot = "91350211M0000XUF46";
        assert_eq!(
            reason(&desk.parties.register_organisation(register(pilot, false)).await.unwrap_err()),
            "CREDIT_CODE"
        );
        let seen = desk.parties.register_organisation(register(pilot, true)).await.unwrap().into_inner();
        assert_eq!(seen.warnings, ["CREDIT_CODE_CHECK"]);
        let found = SearchPartiesRequest {
            id_number: pilot.to_owned(),
            ..SearchPartiesRequest::default()
        };
        assert_eq!(desk.parties.search_parties(found).await.unwrap().into_inner().parties.len(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a25_standing_names_the_reasons_and_never_refuses_basic_supply() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let signed = desk.ready(1, HEXI, &template).await;
        let signed = desk.sign(signed).await;
        crate::agreement::activate(&mut desk, &signed, "2025-01-02").await;
        let mut standing = StandingServiceClient::new(bed.peer("hall"));
        let ask = CheckStandingRequest {
            party_id: signed.party_id.clone(),
        };
        let good = standing.check_standing(ask.clone()).await.unwrap().into_inner();
        assert!(good.may_deal && good.basic_supply && good.reasons.is_empty());

        let account = desk.account(&signed.account_id).await;
        let suspend = SuspendAccountRequest {
            request_id: key(),
            account_id: account.account_id,
            etag: account.etag,
            reason: "ARREARS".to_owned(),
        };
        desk.accounts.suspend_account(suspend).await.unwrap();
        let poor = standing.check_standing(ask.clone()).await.unwrap().into_inner();
        assert_eq!((poor.may_deal, poor.basic_supply), (false, true));
        assert_eq!(poor.reasons, ["ACCOUNT_SUSPENDED"]);

        let unknown = CheckStandingRequest { party_id: key() };
        assert_eq!(standing.check_standing(unknown).await.unwrap_err().code(), Code::NotFound);
        let mut reader = StandingServiceClient::new(bed.staff(&[Role::Reader]));
        assert_eq!(reader.check_standing(ask).await.unwrap_err().code(), Code::PermissionDenied);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_party_with_an_account_is_not_closed() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let party = desk.person(1, HEXI).await;
        desk.open(&party).await;
        let party = desk
            .parties
            .get_party(GetPartyRequest { party_id: party.party_id })
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        assert_eq!(party.state(), party::State::Active);
        let close = ClosePartyRequest {
            request_id: key(),
            party_id: party.party_id,
            etag: party.etag,
        };
        let status = desk.parties.close_party(close).await.unwrap_err();
        assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "PARTY_HAS_ACCOUNTS"));
    })
    .await;
}
