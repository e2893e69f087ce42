use std::collections::BTreeSet;

use contracts::hearth::archive::v1::{
    Account, CloseAccountRequest, EndAgreementRequest, GetPartyRequest, ListAccountsRequest, OpenAccountRequest, PauseAccountRequest, ResumeAccountRequest,
    StartClosingAccountRequest, SuspendAccountRequest, account, party,
};
use testbed::{each, key, reason};
use tonic::{Code, Status};
use tonic_types::StatusExt;

use crate::{
    agreement::activate,
    world::{Desk, HEPING, HEXI, date, events},
};

#[derive(Clone, Copy)]
enum Verb {
    Suspend,
    Pause,
    Resume,
    StartClosing,
    Close,
}

async fn act(desk: &mut Desk, account: &Account, verb: Verb) -> Result<Account, Status> {
    let (request_id, account_id, etag, reason) = (key(), account.account_id.clone(), account.etag.clone(), "TEST".to_owned());
    let accounts = &mut desk.accounts;
    let changed = match verb {
        Verb::Suspend => {
            accounts
                .suspend_account(SuspendAccountRequest {
                    request_id,
                    account_id,
                    etag,
                    reason,
                })
                .await?
                .into_inner()
                .account
        }
        Verb::Pause => {
            accounts
                .pause_account(PauseAccountRequest {
                    request_id,
                    account_id,
                    etag,
                    reason,
                })
                .await?
                .into_inner()
                .account
        }
        Verb::Resume => {
            accounts
                .resume_account(ResumeAccountRequest {
                    request_id,
                    account_id,
                    etag,
                    reason,
                })
                .await?
                .into_inner()
                .account
        }
        Verb::StartClosing => {
            accounts
                .start_closing_account(StartClosingAccountRequest {
                    request_id,
                    account_id,
                    etag,
                    reason,
                })
                .await?
                .into_inner()
                .account
        }
        Verb::Close => {
            accounts
                .close_account(CloseAccountRequest { request_id, account_id, etag })
                .await?
                .into_inner()
                .account
        }
    };
    Ok(changed.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_26_an_account_from_opening_to_closed() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let template = desk.template().await;
        let signed = desk.ready(1, HEXI, &template).await;
        let signed = desk.sign(signed).await;
        let mut at = desk.account(&signed.account_id).await;
        assert_eq!(at.state(), account::State::Opening);
        for verb in [Verb::Suspend, Verb::Pause, Verb::Resume, Verb::StartClosing, Verb::Close] {
            let status = act(&mut desk, &at, verb).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, "ACCOUNT_STATE"));
        }
        let agreement = activate(&mut desk, &signed, "2025-01-02").await;
        at = desk.account(&signed.account_id).await;
        assert_eq!(at.state(), account::State::Open);
        for (verb, state) in [
            (Verb::Suspend, account::State::Suspended),
            (Verb::Resume, account::State::Open),
            (Verb::Pause, account::State::Paused),
            (Verb::Resume, account::State::Open),
            (Verb::StartClosing, account::State::Closing),
        ] {
            at = act(&mut desk, &at, verb).await.unwrap();
            assert_eq!(at.state(), state);
        }
        let status = act(&mut desk, &at, Verb::Close).await.unwrap_err();
        assert_eq!(reason(&status), "ACCOUNT_HAS_AGREEMENTS");
        assert_eq!(status.get_details_error_info().unwrap().metadata["agreements"], agreement.agreement_id);
        let end = EndAgreementRequest {
            request_id: key(),
            agreement_id: agreement.agreement_id.clone(),
            etag: Some(agreement.etag),
            end_date: date("2025-01-03"),
        };
        desk.agreements.end_agreement(end).await.unwrap();
        at = act(&mut desk, &at, Verb::Close).await.unwrap();
        assert_eq!(at.state(), account::State::Closed);
        let party = desk
            .parties
            .get_party(GetPartyRequest { party_id: at.party_id.clone() })
            .await
            .unwrap()
            .into_inner()
            .party
            .unwrap();
        assert_eq!(party.state(), party::State::Dormant);
        let mut told = vec!["AccountOpened"];
        told.extend(["AccountChanged"; 7]);
        told.push("AccountClosed");
        assert_eq!(events(bed, &at.account_id).await, told);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn decision_11_account_numbers_are_gapless_per_branch_also_when_many_open_at_once() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let party = desk.person(1, HEXI).await;
        let racers = (0..20).map(|n| {
            let (mut desk, party) = (desk.clone(), party.clone());
            tokio::spawn(async move {
                if n == 7 {
                    // One that fails leaves no gap.
                    let unknown = OpenAccountRequest {
                        request_id: key(),
                        party_id: key(),
                        branch: HEXI.to_owned(),
                    };
                    assert_eq!(desk.accounts.open_account(unknown).await.unwrap_err().code(), Code::NotFound);
                }
                desk.open(&party).await.account_no
            })
        });
        let numbers: BTreeSet<_> = futures::future::join_all(racers.collect::<Vec<_>>())
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        let expected: BTreeSet<_> = (1..=20).map(|n| format!("A2025-{HEXI}-{n:06}")).collect();
        assert_eq!(numbers, expected);
        let elsewhere = OpenAccountRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            branch: HEPING.to_owned(),
        };
        let elsewhere = desk.accounts.open_account(elsewhere).await.unwrap().into_inner().account.unwrap();
        assert_eq!(elsewhere.account_no, format!("A2025-{HEPING}-000001"));

        let list = ListAccountsRequest {
            party_id: Some(party.party_id.clone()),
            page_size: 500,
            ..ListAccountsRequest::default()
        };
        assert_eq!(desk.accounts.list_accounts(list).await.unwrap().into_inner().accounts.len(), 21);
        let one = ListAccountsRequest {
            account_no: elsewhere.account_no.clone(),
            ..ListAccountsRequest::default()
        };
        assert_eq!(desk.accounts.list_accounts(one).await.unwrap().into_inner().accounts, [elsewhere]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn opening_twice_with_one_key_opens_one_account() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let party = desk.person(1, HEXI).await;
        let request = OpenAccountRequest {
            request_id: key(),
            party_id: party.party_id.clone(),
            branch: HEXI.to_owned(),
        };
        let racers = (0..10).map(|_| {
            let (mut desk, request) = (desk.clone(), request.clone());
            tokio::spawn(async move { desk.accounts.open_account(request).await.unwrap().into_inner() })
        });
        let answers: Vec<_> = futures::future::join_all(racers.collect::<Vec<_>>())
            .await
            .into_iter()
            .map(Result::unwrap)
            .collect();
        assert!(answers.windows(2).all(|pair| pair[0] == pair[1]));
        let list = ListAccountsRequest {
            party_id: Some(party.party_id),
            ..ListAccountsRequest::default()
        };
        assert_eq!(desk.accounts.list_accounts(list).await.unwrap().into_inner().accounts.len(), 1);
    })
    .await;
}
