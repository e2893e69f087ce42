use contracts::hearth::{
    archive::v1::{
        ActivateAgreementRequest, AddServicePointRequest, AmendAgreementRequest, CheckStandingRequest, CloseAccountRequest, ClosePartyRequest,
        CorrectContactRequest, EndAgreementRequest, GetAccountRequest, GetAgreementRequest, GetPartyRequest, GetPremisesRequest, GrantHouseholdSizeRequest,
        GrantLowIncomeRequest, ListAccountsRequest, ListAgreementsRequest, ListEntitlementsRequest, ListPremisesRequest, OpenAccountRequest,
        PauseAccountRequest, ResumeAccountRequest, RevealPartyRequest, SearchPartiesRequest, Service, SignAgreementRequest, SignMethod,
        StartClosingAccountRequest, SuspendAccountRequest, VoidAgreementRequest, WithdrawEntitlementRequest, standing_service_client::StandingServiceClient,
    },
    options::v1::Role,
};
use testbed::{each, key, reason};
use tonic::{Code, Status};

use crate::world::{Desk, HEPING, HEXI, STAFF, date, id_number, person, phone, premises};

/// Ids of one branch.
struct Ids {
    party: String,
    premises: String,
    account: String,
    agreement: String,
    entitlement: String,
}

/// Every call that names something of a branch, with these ids. All answers must be refusals.
async fn every_call(desk: &Desk, standing: &StandingServiceClient<testbed::Client>, ids: &Ids, own: &SignAgreementRequest) -> Vec<(&'static str, Status)> {
    let Ids {
        party,
        premises,
        account,
        agreement,
        entitlement,
    } = ids;
    let (party_id, premises_id, account_id, agreement_id, entitlement_id) =
        (party.clone(), premises.clone(), account.clone(), agreement.clone(), entitlement.clone());
    let (etag, why) = ("\"0\"".to_owned(), "TEST".to_owned());
    let mut all = vec![];
    macro_rules! call {
        ($client:expr, $method:ident, $request:expr) => {
            all.push((stringify!($method), $client.clone().$method($request).await.map(|_| ()).unwrap_err()));
        };
    }
    let request_id = key;
    call!(desk.parties, get_party, GetPartyRequest { party_id: party_id.clone() });
    call!(
        desk.parties,
        correct_contact,
        CorrectContactRequest {
            request_id: request_id(),
            party_id: party_id.clone(),
            etag: etag.clone(),
            phone: Some(phone(3)),
            ..Default::default()
        }
    );
    call!(
        desk.parties,
        close_party,
        ClosePartyRequest {
            request_id: request_id(),
            party_id: party_id.clone(),
            etag: etag.clone()
        }
    );
    call!(
        desk.parties,
        reveal_party,
        RevealPartyRequest {
            request_id: request_id(),
            party_id: party_id.clone(),
            purpose: "核对身份".to_owned()
        }
    );
    call!(standing, check_standing, CheckStandingRequest { party_id: party_id.clone() });
    call!(
        desk.premises,
        get_premises,
        GetPremisesRequest {
            premises_id: premises_id.clone()
        }
    );
    call!(
        desk.premises,
        add_service_point,
        AddServicePointRequest {
            request_id: request_id(),
            premises_id,
            etag: etag.clone(),
            service: Service::Heat.into(),
            multi_meter_household: false
        }
    );
    call!(
        desk.accounts,
        open_account,
        OpenAccountRequest {
            request_id: request_id(),
            party_id,
            branch: HEXI.to_owned()
        }
    );
    call!(
        desk.accounts,
        get_account,
        GetAccountRequest {
            account_id: account_id.clone(),
            party_id: None
        }
    );
    call!(
        desk.accounts,
        suspend_account,
        SuspendAccountRequest {
            request_id: request_id(),
            account_id: account_id.clone(),
            etag: etag.clone(),
            reason: why.clone()
        }
    );
    call!(
        desk.accounts,
        pause_account,
        PauseAccountRequest {
            request_id: request_id(),
            account_id: account_id.clone(),
            etag: etag.clone(),
            reason: why.clone()
        }
    );
    call!(
        desk.accounts,
        resume_account,
        ResumeAccountRequest {
            request_id: request_id(),
            account_id: account_id.clone(),
            etag: etag.clone(),
            reason: why.clone()
        }
    );
    call!(
        desk.accounts,
        start_closing_account,
        StartClosingAccountRequest {
            request_id: request_id(),
            account_id: account_id.clone(),
            etag: etag.clone(),
            reason: why.clone()
        }
    );
    call!(
        desk.accounts,
        close_account,
        CloseAccountRequest {
            request_id: request_id(),
            account_id: account_id.clone(),
            etag: etag.clone()
        }
    );
    call!(
        desk.agreements,
        sign_agreement,
        SignAgreementRequest {
            request_id: request_id(),
            account_id,
            ..own.clone()
        }
    );
    call!(
        desk.agreements,
        get_agreement,
        GetAgreementRequest {
            agreement_id: agreement_id.clone(),
            party_id: None
        }
    );
    call!(
        desk.agreements,
        activate_agreement,
        ActivateAgreementRequest {
            request_id: request_id(),
            agreement_id: agreement_id.clone(),
            etag: Some(etag.clone()),
            from_date: date("2025-01-02")
        }
    );
    call!(
        desk.agreements,
        amend_agreement,
        AmendAgreementRequest {
            request_id: request_id(),
            agreement_id: agreement_id.clone(),
            etag: etag.clone(),
            use_class: "living".to_owned(),
            from_date: date("2025-03-01"),
            template_id: own.template_id.clone(),
            template_version: 1,
            signed_date: date("2025-01-02"),
            sign_method: SignMethod::Paper.into(),
            flagged_clauses_acknowledged: vec![],
            reason: "test".to_owned(),
        }
    );
    call!(
        desk.agreements,
        end_agreement,
        EndAgreementRequest {
            request_id: request_id(),
            agreement_id: agreement_id.clone(),
            etag: Some(etag.clone()),
            end_date: date("2025-01-03")
        }
    );
    call!(
        desk.agreements,
        void_agreement,
        VoidAgreementRequest {
            request_id: request_id(),
            agreement_id: agreement_id.clone(),
            etag: Some(etag.clone()),
            reason: why
        }
    );
    call!(
        desk.entitlements,
        grant_household_size,
        GrantHouseholdSizeRequest {
            request_id: request_id(),
            agreement_id: agreement_id.clone(),
            persons: 3,
            from_date: date("2025-01-02"),
            until_date: None,
            proof: "户口簿".to_owned()
        }
    );
    call!(
        desk.entitlements,
        grant_low_income,
        GrantLowIncomeRequest {
            request_id: request_id(),
            agreement_id: agreement_id.clone(),
            from_date: date("2025-01-02"),
            until_date: None,
            proof: "低保证".to_owned(),
            destitute: false,
        }
    );
    call!(
        desk.entitlements,
        list_entitlements,
        ListEntitlementsRequest {
            agreement_id,
            ..Default::default()
        }
    );
    call!(
        desk.entitlements,
        withdraw_entitlement,
        WithdrawEntitlementRequest {
            request_id: request_id(),
            entitlement_id,
            etag,
            from_date: date("2025-01-02")
        }
    );
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn a39_a_foreign_branch_looks_like_an_unknown_id_in_every_call() {
    each(archive::SERVICE, async |bed| {
        let mut head = Desk::head_office(bed);
        let template = head.template().await;
        let own = head.ready(1, HEXI, &template).await;
        let there = head.ready(2, HEPING, &template).await;
        let foreign_point = there.service_point_id.clone();
        let agreement = head.sign(there).await;
        let grant = GrantHouseholdSizeRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            persons: 3,
            from_date: date("2025-01-02"),
            until_date: None,
            proof: "户口簿".to_owned(),
        };
        let entitlement = head.entitlements.grant_household_size(grant).await.unwrap().into_inner().entitlement.unwrap();
        let foreign = Ids {
            party: agreement.party_id.clone(),
            premises: agreement.premises_id.clone(),
            account: agreement.account_id.clone(),
            agreement: agreement.agreement_id.clone(),
            entitlement: entitlement.entitlement_id,
        };
        let unknown = Ids {
            party: key(),
            premises: key(),
            account: key(),
            agreement: key(),
            entitlement: key(),
        };

        let client = bed.staff_of(HEXI, STAFF);
        let (branch, standing) = (Desk::of(client.clone()), StandingServiceClient::new(client));
        let to_foreign = every_call(&branch, &standing, &foreign, &own).await;
        let to_unknown = every_call(&branch, &standing, &unknown, &own).await;
        assert_eq!(to_foreign.len(), 24);
        for ((method, foreign), (_, unknown)) in to_foreign.iter().zip(&to_unknown) {
            assert_eq!(foreign.code(), Code::NotFound, "{method}");
            assert_eq!(
                (foreign.code(), foreign.message(), reason(foreign)),
                (unknown.code(), unknown.message(), reason(unknown)),
                "{method}"
            );
        }
        let point = SignAgreementRequest {
            request_id: key(),
            service_point_id: foreign_point,
            ..own.clone()
        };
        assert_eq!(branch.agreements.clone().sign_agreement(point).await.unwrap_err().code(), Code::NotFound);

        // Lists and searches hold the own branch only; head office sees both.
        for (mut desk, expected) in [(branch.clone(), 1), (head.clone(), 2)] {
            assert_eq!(
                desk.accounts
                    .list_accounts(ListAccountsRequest::default())
                    .await
                    .unwrap()
                    .into_inner()
                    .accounts
                    .len(),
                expected
            );
            assert_eq!(
                desk.premises
                    .list_premises(ListPremisesRequest::default())
                    .await
                    .unwrap()
                    .into_inner()
                    .premises
                    .len(),
                expected
            );
            let by_name = SearchPartiesRequest {
                name: "王".to_owned(),
                ..Default::default()
            };
            assert_eq!(desk.parties.search_parties(by_name).await.unwrap().into_inner().parties.len(), expected);
            for term in [
                SearchPartiesRequest {
                    phone: phone(2),
                    ..Default::default()
                },
                SearchPartiesRequest {
                    id_number: id_number(2),
                    ..Default::default()
                },
            ] {
                assert_eq!(desk.parties.search_parties(term).await.unwrap().into_inner().parties.len(), expected - 1);
            }
            assert_eq!(
                desk.agreements
                    .list_agreements(ListAgreementsRequest::default())
                    .await
                    .unwrap()
                    .into_inner()
                    .agreements
                    .len(),
                expected - 1
            );
        }

        // Nothing may be made in another branch.
        let mut branch = branch;
        for status in [
            branch.parties.register_person(person(5, HEPING)).await.unwrap_err(),
            branch.premises.register_premises(premises(5, HEPING)).await.unwrap_err(),
        ] {
            assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "TENANT_SCOPE"));
        }
        branch.parties.register_person(person(5, HEXI)).await.unwrap();
        // The number of a foreign party is taken all the same, and nothing of it is told.
        let status = branch.parties.register_person(person(2, HEXI)).await.unwrap_err();
        assert_eq!(reason(&status), "PARTY_IDENTITY_UNIQUE");
        assert!(!status.message().contains(HEPING));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s1_a_customer_reads_itself_and_nobody_else() {
    each(archive::SERVICE, async |bed| {
        let mut head = Desk::head_office(bed);
        let template = head.template().await;
        let (one, two) = (head.ready(1, HEXI, &template).await, head.ready(2, HEXI, &template).await);
        let (one, two) = (head.sign(one).await, head.sign(two).await);
        let mut own = Desk::of(bed.customer(&one.party_id));
        own.parties
            .get_party(GetPartyRequest {
                party_id: one.party_id.clone(),
            })
            .await
            .unwrap();
        let me = Some(one.party_id.clone());
        own.accounts
            .get_account(GetAccountRequest {
                account_id: one.account_id.clone(),
                party_id: me.clone(),
            })
            .await
            .unwrap();
        own.agreements
            .get_agreement(GetAgreementRequest {
                agreement_id: one.agreement_id.clone(),
                party_id: me.clone(),
            })
            .await
            .unwrap();
        let accounts = own
            .accounts
            .list_accounts(ListAccountsRequest {
                party_id: me.clone(),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .accounts;
        assert_eq!(accounts.len(), 1);
        let list = ListAgreementsRequest {
            party_id: me.clone(),
            ..Default::default()
        };
        assert_eq!(own.agreements.list_agreements(list).await.unwrap().into_inner().agreements.len(), 1);
        let list = ListEntitlementsRequest {
            agreement_id: one.agreement_id.clone(),
            party_id: me.clone(),
            ..Default::default()
        };
        own.entitlements.list_entitlements(list).await.unwrap();

        // Somebody else's id, under its own party or the other's, or under none.
        for party in [None, Some(two.party_id.clone())] {
            let status = own
                .accounts
                .get_account(GetAccountRequest {
                    account_id: two.account_id.clone(),
                    party_id: party.clone(),
                })
                .await
                .unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::PermissionDenied, "TENANT_SCOPE"));
            let status = own
                .agreements
                .list_agreements(ListAgreementsRequest {
                    party_id: party,
                    ..Default::default()
                })
                .await
                .unwrap_err();
            assert_eq!(reason(&status), "TENANT_SCOPE");
        }
        let status = own
            .accounts
            .get_account(GetAccountRequest {
                account_id: two.account_id.clone(),
                party_id: me.clone(),
            })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let status = own
            .agreements
            .get_agreement(GetAgreementRequest {
                agreement_id: two.agreement_id.clone(),
                party_id: me.clone(),
            })
            .await
            .unwrap_err();
        assert_eq!(status.code(), Code::NotFound);
        let list = ListEntitlementsRequest {
            agreement_id: two.agreement_id.clone(),
            party_id: me,
            ..Default::default()
        };
        assert_eq!(own.entitlements.list_entitlements(list).await.unwrap_err().code(), Code::NotFound);
        let status = own
            .parties
            .get_party(GetPartyRequest {
                party_id: two.party_id.clone(),
            })
            .await
            .unwrap_err();
        assert_eq!(reason(&status), "TENANT_SCOPE");
        for status in [
            own.parties
                .search_parties(SearchPartiesRequest {
                    name: "王".to_owned(),
                    ..Default::default()
                })
                .await
                .unwrap_err(),
            own.premises.list_premises(ListPremisesRequest::default()).await.unwrap_err(),
            own.parties.register_person(person(3, HEXI)).await.unwrap_err(),
        ] {
            assert_eq!(status.code(), Code::PermissionDenied);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s2_nobody_and_the_wrong_roles_are_refused() {
    each(archive::SERVICE, async |bed| {
        let status = Desk::of(bed.anonymous()).parties.register_person(person(1, HEXI)).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
        for role in [Role::Cashier, Role::Reader, Role::Auditor, Role::Dispatcher, Role::VendorAdmin] {
            let status = Desk::of(bed.staff(&[role])).parties.register_person(person(1, HEXI)).await.unwrap_err();
            assert_eq!(status.code(), Code::PermissionDenied);
        }
        let mut auditor = Desk::of(bed.staff(&[Role::Auditor]));
        auditor.accounts.list_accounts(ListAccountsRequest::default()).await.unwrap();
    })
    .await;
}
