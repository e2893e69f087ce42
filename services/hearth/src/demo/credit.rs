//! August: the customer with the largest open bill becomes a key account, is rated (B-01, B-08), passes its limit, pays, and is free again (B-05).

use anyhow::{Context, Result, ensure};
use contracts::hearth::{
    archive::v1::{
        ApproveCreditLineRequest, ApproveRatingRequest, CheckStandingRequest, DesignateKeyAccountRequest, FactContent, FactKind, Grade, NewFact,
        OpenCreditFileRequest, OpenRatingRequest, ProposeCreditLineRequest, RecordFactsRequest, ReviewRatingRequest, ScoreRatingRequest,
        credit_file_service_client::CreditFileServiceClient, credit_rating, credit_service_client::CreditServiceClient, key_account,
        standing_service_client::StandingServiceClient,
    },
    billing::v1::{Bill, GetBalanceRequest, TakePaymentRequest, ledger_service_client::LedgerServiceClient, payment_service_client::PaymentServiceClient},
};
use money::Money;

use super::{
    cast::{ACCOUNTANT, AGENT, Actor, CASHIER, CREDIT_ANALYST, Cast, FINANCE, KEY_ACCOUNT_MANAGER, SERVICE_MANAGER, date, held, key, said, until},
    pages, payments,
    payments::Takings,
    stage::Stage,
    year::YEAR,
};
use crate::{
    client::Client,
    import::figures::{fen, yuan},
};

/// A line of half a month: one open bill passes it.
const TERM_DAYS: i32 = 15;

/// The key account as it was rated.
pub struct KeyAccount {
    pub account_no: String,
    pub grade: &'static str,
    pub limit: i64,
    pub owed: i64,
}

fn credit(cast: &Cast, actor: Actor) -> Result<CreditServiceClient<Client>> {
    cast.ask("archive", actor).map(CreditServiceClient::new)
}

pub async fn rate(cast: &Cast, stage: &Stage, takings: &mut Takings) -> Result<KeyAccount> {
    let chapter = stage.chapter("credit", 0);
    cast.set_clock("2025-08-04T09:00").await?;
    let (bill, owed) = debtor(cast).await?;
    let party_id = bill.party_id.clone();

    chapter.doing("file");
    let mut files = CreditFileServiceClient::new(cast.ask("archive", KEY_ACCOUNT_MANAGER)?);
    let open = OpenCreditFileRequest {
        request_id: key("credit file"),
        party_id: party_id.clone(),
    };
    let file = held("credit file", said("the credit file", files.open_credit_file(open)).await?.credit_file)?;
    let record = RecordFactsRequest {
        request_id: key("credit facts"),
        credit_file_id: file.credit_file_id,
        etag: file.etag,
        facts: vec![NewFact {
            kind: FactKind::PaymentPractice.into(),
            content: Some(FactContent {
                text: "按月付款,偶有拖延".to_owned(),
                ..FactContent::default()
            }),
            source: "营业所走访".to_owned(),
            as_of_date: Some(date("2025-08-01")?),
            ..NewFact::default()
        }],
    };
    said("the facts", files.record_facts(record)).await?;

    chapter.doing("rated");
    let designate = DesignateKeyAccountRequest {
        request_id: key("key account"),
        party_id: party_id.clone(),
        account_manager: KEY_ACCOUNT_MANAGER.subject.to_owned(),
        segment: key_account::Segment::PublicWelfare.into(),
        designation_basis: "营业所用气量最大".to_owned(),
    };
    said("the key account", credit(cast, SERVICE_MANAGER)?.designate_key_account(designate)).await?;
    let open = OpenRatingRequest {
        request_id: key("rating"),
        party_id: party_id.clone(),
        period: YEAR.to_string(),
    };
    let rating = held("rating", said("the rating", credit(cast, CREDIT_ANALYST)?.open_rating(open)).await?.rating)?;
    let score = ScoreRatingRequest {
        request_id: key("rating score"),
        rating_id: rating.rating_id,
        etag: rating.etag,
        agreed: 100,
        performed: 100,
        signal: credit_rating::Signal::None.into(),
        ..ScoreRatingRequest::default()
    };
    let rating = held("rating", said("the score", credit(cast, CREDIT_ANALYST)?.score_rating(score)).await?.rating)?;
    let review = ReviewRatingRequest {
        request_id: key("rating review"),
        rating_id: rating.rating_id,
        etag: rating.etag,
    };
    let rating = held("rating", said("the review", credit(cast, FINANCE)?.review_rating(review)).await?.rating)?;
    let approve = ApproveRatingRequest {
        request_id: key("rating approval"),
        rating_id: rating.rating_id,
        etag: rating.etag,
    };
    let rating = held(
        "rating",
        said("the approval", credit(cast, SERVICE_MANAGER)?.approve_rating(approve)).await?.rating,
    )?;

    chapter.doing("line");
    let propose = ProposeCreditLineRequest {
        request_id: key("credit line"),
        party_id: party_id.clone(),
        term_days: TERM_DAYS,
        factor_bp: 0,
        valid_from_date: None,
        valid_until_date: Some(date("2026-07-31")?),
    };
    let line = held(
        "credit line",
        said("the credit line", credit(cast, CREDIT_ANALYST)?.propose_credit_line(propose)).await?.line,
    )?;
    let approve = ApproveCreditLineRequest {
        request_id: key("credit line approval"),
        line_id: line.line_id,
        etag: line.etag,
    };
    let line = held(
        "credit line",
        said("its approval", credit(cast, SERVICE_MANAGER)?.approve_credit_line(approve)).await?.line,
    )?;
    let limit = fen(&line.limit);
    ensure!(owed > limit, "{} owes {} within a line of {}", bill.account_no, yuan(owed), yuan(limit));

    chapter.doing("on hold");
    until("the hold reaching billing", async || {
        Ok((on_hold(cast, &party_id).await? && asked_ahead(cast, &bill).await?).then_some(()))
    })
    .await?;

    chapter.doing("paid");
    let pay = TakePaymentRequest {
        request_id: key("payment of the key account"),
        account_id: bill.account_id.clone(),
        amount: Some(rpc::wire::money(Money::from_fen(owed))),
        channel: "COUNTER".to_owned(),
        channel_reference: format!("202508{}", bill.account_no),
        ..TakePaymentRequest::default()
    };
    let mut cashier = PaymentServiceClient::new(cast.ask("billing", CASHIER)?);
    said("the payment", cashier.take_payment(pay)).await?;
    takings.took(1, owed);
    until("the hold being lifted", async || {
        Ok((!on_hold(cast, &party_id).await? && !asked_ahead(cast, &bill).await?).then_some(()))
    })
    .await?;

    let grade = rating.grade();
    chapter.done(&format!(
        "{} rated {}, line {}, on hold over {}, paid, free again",
        bill.account_no,
        name(grade),
        yuan(limit),
        yuan(owed)
    ));
    Ok(KeyAccount {
        account_no: bill.account_no,
        grade: name(grade),
        limit,
        owed,
    })
}

/// The largest open bill of July whose account owes nothing else, and what it owes.
async fn debtor(cast: &Cast) -> Result<(Bill, i64)> {
    let bills = pages::bills(cast, ACCOUNTANT, 0, 0).await?;
    let owing = |account: &str| bills.iter().filter(|b| b.account_id == account).map(payments::open).sum::<i64>();
    let july = bills.iter().filter(|b| b.year == YEAR && b.month == 7 && payments::open(b) > 0);
    let mut alone: Vec<_> = july.filter(|b| owing(&b.account_id) == payments::open(b)).collect();
    // The account number settles a tie, so that every demo is the same.
    alone.sort_by_key(|b| (std::cmp::Reverse(payments::open(b)), b.account_no.clone()));
    let largest = alone.into_iter().next().context("nobody owes anything in August")?;
    Ok((largest.clone(), payments::open(largest)))
}

async fn on_hold(cast: &Cast, party_id: &str) -> Result<bool> {
    let mut standing = StandingServiceClient::new(cast.ask("archive", AGENT)?);
    let check = CheckStandingRequest { party_id: party_id.to_owned() };
    let answer = said("the standing", standing.check_standing(check)).await?;
    ensure!(answer.basic_supply, "a hold speaks against basic supply");
    Ok(answer.prepayment_required)
}

/// Whether billing asks for payment ahead.
async fn asked_ahead(cast: &Cast, bill: &Bill) -> Result<bool> {
    let mut ledger = LedgerServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
    let get = GetBalanceRequest {
        account_id: bill.account_id.clone(),
        ..GetBalanceRequest::default()
    };
    Ok(held("balance", said("the balance", ledger.get_balance(get)).await?.balance)?.prepayment_required)
}

fn name(grade: Grade) -> &'static str {
    grade.as_str_name().trim_start_matches("GRADE_")
}
