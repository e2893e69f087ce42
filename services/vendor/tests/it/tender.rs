use calendar::TimeDelta;
use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        BidPreferenceApplied, CancelTenderRequest, EvaluateTenderRequest, GetTenderRequest, ListTendersRequest, OpenTenderRequest, Quote, ReviewQuoteRequest,
        SubmitQuoteRequest, SuspendVendorRequest, Tender, WithdrawQuoteRequest, tender::State,
    },
};
use testbed::{Bed, each, key, reason};
use tonic::{Code, Status};

use crate::{
    field::{REPAIR, Tenders, as_fen, blacklist, fen, tenders},
    vip::vip,
    world::{admitted, events, get, payloads, uuid, vendors},
};

pub async fn try_open(bed: &Bed, compulsory: bool, minutes: i64) -> Result<Tender, Status> {
    let request = OpenTenderRequest {
        request_id: key(),
        branch: "河西区".into(),
        title: "中压管网改造".into(),
        compulsory,
        quote_deadline_time: bed.clock().now().plus(TimeDelta::minutes(minutes)).map(rpc::wire::time),
    };
    let answer = tenders(bed, "bidder", &[Role::BiddingCentre]).open_tender(request).await?;
    Ok(answer.into_inner().tender.unwrap())
}

/// A tender that takes quotes for an hour.
async fn open(bed: &Bed, compulsory: bool) -> Tender {
    try_open(bed, compulsory, 60).await.unwrap()
}

fn close(bed: &Bed) {
    let later = bed.clock().now().plus(TimeDelta::minutes(60)).unwrap();
    bed.clock().set(later).unwrap();
}

pub async fn quote(bed: &Bed, tender: &Tender, vendor_id: &str, price: i64) -> Result<Quote, Status> {
    let request = SubmitQuoteRequest {
        request_id: key(),
        vendor_id: vendor_id.into(),
        tender_id: tender.tender_id.clone(),
        final_price: fen(price),
    };
    let mut admin = Tenders::new(bed.vendor_user(vendor_id, &[Role::VendorAdmin]));
    Ok(admin.submit_quote(request).await?.into_inner().quote.unwrap())
}

async fn withdraw(bed: &Bed, tender: &Tender, quote: &Quote) -> Result<Quote, Status> {
    let request = WithdrawQuoteRequest {
        request_id: key(),
        vendor_id: quote.vendor_id.clone(),
        tender_id: tender.tender_id.clone(),
        quote_id: quote.quote_id.clone(),
    };
    let mut admin = Tenders::new(bed.vendor_user(&quote.vendor_id, &[Role::VendorAdmin]));
    Ok(admin.withdraw_quote(request).await?.into_inner().quote.unwrap())
}

async fn seen(bed: &Bed, tender: &Tender) -> Tender {
    let request = GetTenderRequest {
        vendor_id: String::new(),
        tender_id: tender.tender_id.clone(),
    };
    tenders(bed, "auditor", &[Role::Auditor])
        .get_tender(request)
        .await
        .unwrap()
        .into_inner()
        .tender
        .unwrap()
}

async fn review(bed: &Bed, tender: &Tender, quote: &Quote, meets_tech: bool) -> Result<Tender, Status> {
    let request = ReviewQuoteRequest {
        request_id: key(),
        tender_id: tender.tender_id.clone(),
        etag: seen(bed, tender).await.etag,
        quote_id: quote.quote_id.clone(),
        meets_tech,
        findings: "技术评审".into(),
    };
    let mut specialist = tenders(bed, "specialist", &[Role::SpecialistDepartment]);
    Ok(specialist.review_quote(request).await?.into_inner().tender.unwrap())
}

async fn evaluate(bed: &Bed, by: &str, tender: &Tender) -> Result<Tender, Status> {
    let request = EvaluateTenderRequest {
        request_id: key(),
        tender_id: tender.tender_id.clone(),
        etag: seen(bed, tender).await.etag,
        reasons: "综合评审".into(),
    };
    let answer = tenders(bed, by, &[Role::BiddingCentre]).evaluate_tender(request).await?;
    Ok(answer.into_inner().tender.unwrap())
}

/// A tender with quotes of price and fitness, closed, reviewed and evaluated; answers who wins and who was lowest, by place.
async fn outcome(bed: &Bed, compulsory: bool, bids: &[(&str, i64, bool)]) -> (Option<usize>, Option<usize>, Tender) {
    let tender = open(bed, compulsory).await;
    let mut quotes = vec![];
    for (vendor, price, _) in bids {
        quotes.push(quote(bed, &tender, vendor, *price).await.unwrap());
    }
    close(bed);
    for (quote, (_, _, meets_tech)) in quotes.iter().zip(bids) {
        review(bed, &tender, quote, *meets_tech).await.unwrap();
    }
    let tender = evaluate(bed, "bidder", &tender).await.unwrap();
    let found = tender.evaluation.clone().unwrap();
    let place = |id: &str| quotes.iter().position(|q| q.quote_id == id);
    (place(&found.winner_quote_id), place(&found.lowest_quote_id), tender)
}

#[tokio::test(flavor = "multi_thread")]
async fn g_05_a_vip_within_three_percent_is_preferred() {
    each(vendor::SERVICE, async |bed| {
        let (first, _) = vip(bed).await;
        let (second, _) = vip(bed).await;
        let (one, two) = (first.vendor_id.as_str(), second.vendor_id.as_str());
        let plain = admitted(bed, REPAIR).await.vendor_id;
        let plain = plain.as_str();
        type Case<'a> = (&'a str, bool, &'a [(&'a str, i64, bool)], Option<usize>, Option<usize>);
        let cases: [Case<'_>; 9] = [
            ("103.00 against 100.00", false, &[(plain, 10_000, true), (one, 10_300, true)], Some(1), Some(0)),
            ("103.01 against 100.00", false, &[(plain, 10_000, true), (one, 10_301, true)], Some(0), Some(0)),
            ("compulsory by law", true, &[(plain, 10_000, true), (one, 10_100, true)], Some(0), Some(0)),
            ("the VIP is not fit", false, &[(plain, 10_000, true), (one, 10_100, false)], Some(0), Some(0)),
            (
                "the lowest fails the technical review",
                false,
                &[(plain, 9_000, false), (one, 10_300, true), (two, 10_000, true)],
                Some(2),
                Some(2),
            ),
            (
                "the VIP is itself the lowest",
                false,
                &[(one, 10_000, true), (plain, 10_100, true)],
                Some(0),
                Some(0),
            ),
            (
                "two VIPs, the lower one",
                false,
                &[(plain, 10_000, true), (one, 10_300, true), (two, 10_200, true)],
                Some(2),
                Some(0),
            ),
            (
                "two VIPs tie, the earlier one",
                false,
                &[(plain, 10_000, true), (one, 10_200, true), (two, 10_200, true)],
                Some(1),
                Some(0),
            ),
            ("nobody is fit", false, &[(plain, 10_000, false), (one, 10_100, false)], None, None),
        ];
        for (name, compulsory, bids, winner, lowest) in cases {
            let (won, low, tender) = outcome(bed, compulsory, bids).await;
            assert_eq!((won, low), (winner, lowest), "{name}");
            assert_eq!(tender.state(), if winner.is_some() { State::Awarded } else { State::Failed }, "{name}");
            assert_eq!(tender.evaluation.unwrap().preference_applied, winner != lowest, "{name}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_05_a_withdrawn_lowest_quote_does_not_count() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, _) = vip(bed).await;
        let (low, middle) = (admitted(bed, REPAIR).await.vendor_id, admitted(bed, REPAIR).await.vendor_id);
        let tender = open(bed, false).await;
        let gone = quote(bed, &tender, &low, 9_000).await.unwrap();
        let stays = quote(bed, &tender, &middle, 10_000).await.unwrap();
        let preferred = quote(bed, &tender, &vendor.vendor_id, 10_300).await.unwrap();
        assert_eq!(reason(&quote(bed, &tender, &low, 8_000).await.unwrap_err()), "TENDER_QUOTE_LIVE_UNIQUE");
        assert_eq!(reason(&quote(bed, &tender, &low, 0).await.unwrap_err()), "PRICE_RANGE");
        assert_eq!(reason(&review(bed, &tender, &gone, true).await.unwrap_err()), "TENDER_STATE", "not closed yet");
        assert_eq!(reason(&evaluate(bed, "bidder", &tender).await.unwrap_err()), "TENDER_STATE");
        close(bed);
        assert_eq!(reason(&quote(bed, &tender, &uuid(), 1).await.unwrap_err()), "NOT_FOUND");
        withdraw(bed, &tender, &gone).await.unwrap();
        assert_eq!(reason(&withdraw(bed, &tender, &gone).await.unwrap_err()), "QUOTE_WITHDRAWN");
        assert_eq!(reason(&review(bed, &tender, &gone, true).await.unwrap_err()), "QUOTE_WITHDRAWN");
        assert_eq!(
            reason(&quote(bed, &tender, &low, 8_000).await.unwrap_err()),
            "TENDER_STATE",
            "the deadline has come"
        );
        review(bed, &tender, &stays, true).await.unwrap();
        assert_eq!(reason(&evaluate(bed, "bidder", &tender).await.unwrap_err()), "QUOTE_NOT_REVIEWED");
        review(bed, &tender, &preferred, true).await.unwrap();
        assert_eq!(reason(&evaluate(bed, "specialist", &tender).await.unwrap_err()), "SECOND_PERSON_NEEDED");
        let found = evaluate(bed, "bidder", &tender).await.unwrap().evaluation.unwrap();
        assert_eq!((found.winner_quote_id, found.lowest_quote_id), (preferred.quote_id, stays.quote_id.clone()));
        assert_eq!(reason(&withdraw(bed, &tender, &stays).await.unwrap_err()), "TENDER_STATE");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_05_only_who_is_a_vip_on_the_day_of_the_deadline_is_preferred() {
    each(vendor::SERVICE, async |bed| {
        let plain = admitted(bed, REPAIR).await.vendor_id;
        let tender = open(bed, false).await;
        let late = admitted(bed, REPAIR).await;
        let lowest = quote(bed, &tender, &plain, 10_000).await.unwrap();
        let other = quote(bed, &tender, &late.vendor_id, 10_100).await.unwrap();
        close(bed);
        review(bed, &tender, &lowest, true).await.unwrap();
        review(bed, &tender, &other, true).await.unwrap();
        // Listed on the day after the deadline.
        crate::world::set_day(bed, "2025-01-03");
        crate::vip::list(bed, &late).await;
        let found = evaluate(bed, "bidder", &tender).await.unwrap().evaluation.unwrap();
        assert!(!found.preference_applied);
        assert_eq!(found.winner_quote_id, lowest.quote_id);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_06_the_counterfactual_is_written_down_and_told() {
    each(vendor::SERVICE, async |bed| {
        let (vendor, _) = vip(bed).await;
        let plain = admitted(bed, REPAIR).await.vendor_id;
        let bids = [(plain.as_str(), 1_000_000, true), (vendor.vendor_id.as_str(), 1_030_000, true)];
        let (_, _, tender) = outcome(bed, false, &bids).await;
        let found = tender.evaluation.clone().unwrap();
        assert!(found.preference_applied);
        assert_eq!(
            (found.winner_vendor_id.as_str(), found.lowest_vendor_id.as_str()),
            (vendor.vendor_id.as_str(), plain.as_str())
        );
        let prices = [&found.winner_price, &found.lowest_price, &found.price_difference].map(as_fen);
        assert_eq!(prices, [1_030_000, 1_000_000, 30_000]);
        assert_eq!(
            (found.preferred_vendor_ids, found.evaluator.as_str()),
            (vec![vendor.vendor_id.clone()], "bidder")
        );
        assert_eq!(found.reasons, "综合评审");
        let told: Vec<BidPreferenceApplied> = payloads(&events(bed, 4).await);
        let event = &told[0];
        assert_eq!(
            (event.winner_vendor_id.as_str(), event.lowest_vendor_id.as_str()),
            (vendor.vendor_id.as_str(), plain.as_str())
        );
        assert_eq!(as_fen(&event.price_difference), 30_000);

        outcome(bed, true, &bids).await;
        let report = ListTendersRequest {
            preference_applied: true,
            ..Default::default()
        };
        let mut auditor = tenders(bed, "auditor", &[Role::Auditor]);
        let listed = auditor.list_tenders(report).await.unwrap().into_inner().tenders;
        assert_eq!(listed, [tender], "the compulsory one is not in the report");
        assert_eq!(auditor.list_tenders(ListTendersRequest::default()).await.unwrap().into_inner().tenders.len(), 2);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn g_05_vendors_on_the_black_list_cannot_bid() {
    each(vendor::SERVICE, async |bed| {
        let (listed, later, plain) = (
            admitted(bed, REPAIR).await.vendor_id,
            admitted(bed, REPAIR).await.vendor_id,
            admitted(bed, REPAIR).await.vendor_id,
        );
        blacklist(bed, &listed).await;
        let tender = open(bed, false).await;
        assert_eq!(reason(&quote(bed, &tender, &listed, 1).await.unwrap_err()), "VENDOR_BLACKLISTED");
        let suspended = admitted(bed, REPAIR).await;
        let request = SuspendVendorRequest {
            request_id: key(),
            vendor_id: suspended.vendor_id.clone(),
            etag: get(bed, &suspended.vendor_id).await.etag,
            reason: "考核".into(),
        };
        vendors(bed, "it", &[Role::ItDepartment]).suspend_vendor(request).await.unwrap();
        assert_eq!(reason(&quote(bed, &tender, &suspended.vendor_id, 1).await.unwrap_err()), "VENDOR_NOT_ADMITTED");

        // Whoever comes on the list after the quote does not count any more.
        let low = quote(bed, &tender, &later, 9_000).await.unwrap();
        let stays = quote(bed, &tender, &plain, 10_000).await.unwrap();
        close(bed);
        review(bed, &tender, &low, true).await.unwrap();
        review(bed, &tender, &stays, true).await.unwrap();
        blacklist(bed, &later).await;
        let found = evaluate(bed, "bidder", &tender).await.unwrap().evaluation.unwrap();
        assert_eq!((found.winner_quote_id, found.lowest_quote_id), (stays.quote_id.clone(), stays.quote_id));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn quotes_are_sealed_until_the_deadline_and_vendors_see_their_own() {
    each(vendor::SERVICE, async |bed| {
        let (own, other) = (admitted(bed, REPAIR).await.vendor_id, admitted(bed, REPAIR).await.vendor_id);
        assert_eq!(reason(&try_open(bed, false, 0).await.unwrap_err()), "DEADLINE_PAST");
        let tender = open(bed, false).await;
        assert_eq!(tender.tender_no, "TD-河西区-2025-000001");
        let mine = quote(bed, &tender, &own, 10_000).await.unwrap();
        let theirs = quote(bed, &tender, &other, 11_000).await.unwrap();
        assert_eq!(mine.final_price, fen(10_000));
        let sealed = seen(bed, &tender).await;
        assert!(sealed.quotes.len() == 2 && sealed.quotes.iter().all(|q| q.final_price.is_none()));
        let mut user = Tenders::new(bed.vendor_user(&own, &[Role::VendorAdmin]));
        let request = GetTenderRequest {
            vendor_id: own.clone(),
            tender_id: tender.tender_id.clone(),
        };
        let shown = user.get_tender(request.clone()).await.unwrap().into_inner().tender.unwrap();
        assert_eq!(shown.quotes, std::slice::from_ref(&mine));
        let stolen = WithdrawQuoteRequest {
            request_id: key(),
            vendor_id: own.clone(),
            tender_id: tender.tender_id.clone(),
            quote_id: theirs.quote_id.clone(),
        };
        assert_eq!(user.withdraw_quote(stolen).await.unwrap_err().code(), Code::NotFound);
        close(bed);
        let opened = seen(bed, &tender).await;
        assert_eq!(opened.quotes.iter().map(|q| as_fen(&q.final_price)).collect::<Vec<_>>(), [10_000, 11_000]);
        review(bed, &tender, &mine, true).await.unwrap();
        review(bed, &tender, &theirs, true).await.unwrap();
        evaluate(bed, "bidder", &tender).await.unwrap();
        let shown = user.get_tender(request).await.unwrap().into_inner().tender.unwrap();
        assert!(shown.evaluation.is_none() && shown.quotes.len() == 1 && shown.state() == State::Awarded);
        let request = ListTendersRequest {
            vendor_id: own.clone(),
            ..Default::default()
        };
        assert_eq!(user.list_tenders(request).await.unwrap().into_inner().tenders, [shown]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tender_is_cancelled_before_its_evaluation_only() {
    each(vendor::SERVICE, async |bed| {
        let tender = open(bed, false).await;
        let request = CancelTenderRequest {
            request_id: key(),
            tender_id: tender.tender_id.clone(),
            etag: tender.etag.clone(),
            reason: "项目取消".into(),
        };
        let mut leader = tenders(bed, "leader", &[Role::Leader]);
        let cancelled = leader.cancel_tender(request).await.unwrap().into_inner().tender.unwrap();
        assert_eq!((cancelled.state(), cancelled.cancel_reason.as_str()), (State::Cancelled, "项目取消"));
        let plain = admitted(bed, REPAIR).await.vendor_id;
        assert_eq!(reason(&quote(bed, &cancelled, &plain, 1).await.unwrap_err()), "TENDER_STATE");
        let elsewhere = GetTenderRequest {
            vendor_id: String::new(),
            tender_id: tender.tender_id.clone(),
        };
        let mut other = Tenders::new(bed.staff_of("南开区", &[Role::BiddingCentre]));
        assert_eq!(other.get_tender(elsewhere).await.unwrap_err().code(), Code::NotFound);
        close(bed);
        let again = CancelTenderRequest {
            request_id: key(),
            tender_id: tender.tender_id.clone(),
            etag: cancelled.etag,
            reason: "项目取消".into(),
        };
        assert_eq!(reason(&leader.cancel_tender(again).await.unwrap_err()), "TENDER_STATE");
    })
    .await;
}
