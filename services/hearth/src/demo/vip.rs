//! November: the vendor asks to become a VIP, five people decide one after another (G-01 to G-04), and it wins a tender within three per cent (G-05, G-06).

use anyhow::{Result, anyhow, ensure};
use calendar::Instant;
use contracts::hearth::vendor::v1::{
    ApplyVipRequest, CultureAttestation, DecideVipStepRequest, EvaluateTenderRequest, GetTenderRequest, ImportTradesRequest, OpenTenderRequest, Quote,
    ReviewQuoteRequest, SubmitQuoteRequest, Tender, TradeRow, VipCase, tender_service_client::TenderServiceClient, vip_case,
    vip_service_client::VipServiceClient,
};
use money::Money;
use rpc::wire;

use super::{
    cast::{Actor, BIDDING_CENTRE, Cast, FINANCE, LEADER, MATERIALS, SPECIALIST, date, held, key, said},
    stage::Stage,
    vendor::{Admitted, BRANCH},
};
use crate::{
    client::Client,
    import::figures::{fen, yuan},
};

/// Trades of the group with the vendor: reference, day, company, amount, of it with a fault of quality; in fen.
const TRADES: [(&str, &str, &str, i64, i64); 3] = [
    ("JR-2012-014", "2012-05-18", "市燃气集团", 460_000_000, 0),
    ("JR-2018-102", "2018-09-03", "市燃气集团", 380_000_000, 0),
    ("JR-2022-057", "2022-04-11", "市热力公司", 240_000_000, 0),
];
/// Who decides, in this order.
const STEPS: [Actor; 5] = [MATERIALS, SPECIALIST, FINANCE, BIDDING_CENTRE, LEADER];
/// The VIP's quote is exactly 3 % above the rival's.
const QUOTES: [i64; 2] = [10_300_000, 10_000_000];

/// How it ended.
pub struct Listed {
    pub tender_no: String,
    pub price: i64,
    pub lowest: i64,
}

fn vips(cast: &Cast, actor: Actor) -> Result<VipServiceClient<Client>> {
    cast.ask("vendor", actor).map(VipServiceClient::new)
}

fn tenders(cast: &Cast, actor: Actor) -> Result<TenderServiceClient<Client>> {
    cast.ask("vendor", actor).map(TenderServiceClient::new)
}

pub async fn list(cast: &Cast, stage: &Stage, vendor: &Admitted) -> Result<Listed> {
    let chapter = stage.chapter("VIP", 0);
    cast.set_clock("2025-11-17T09:00").await?;
    chapter.doing("trades");
    trade(cast, vendor).await?;

    chapter.doing("asked for");
    let apply = ApplyVipRequest {
        request_id: key("VIP application"),
        vendor_id: vendor.vendor_id.clone(),
        attestation: Some(CultureAttestation {
            document: "认同企业文化声明书 2025-11".to_owned(),
            signed_date: Some(date("2025-11-17")?),
        }),
    };
    let mut portal = VipServiceClient::new(cast.ask_as_vendor("vendor", "jinran-office", &vendor.vendor_id)?);
    let mut case: VipCase = held("VIP case", said("the application", portal.apply_vip(apply)).await?.vip_case)?;
    for actor in STEPS {
        let decide = DecideVipStepRequest {
            request_id: key(&format!("VIP step of {}", actor.subject)),
            vip_case_id: case.vip_case_id,
            etag: case.etag,
            approved: true,
            opinion: "同意".to_owned(),
        };
        case = held(
            "VIP case",
            said("a step of the application", vips(cast, actor)?.decide_vip_step(decide)).await?.vip_case,
        )?;
    }
    ensure!(case.state() == vip_case::State::Listed, "the application is {}", case.state().as_str_name());

    chapter.doing("tender");
    let tender = bid(cast, vendor).await?;
    let found = held("evaluation", tender.evaluation)?;
    let quote = |id: &str| tender.quotes.iter().find(|q| q.quote_id == id);
    let price = |quote: Option<&Quote>| quote.map_or(0, |q| fen(&q.final_price));
    let (winner, lowest) = (quote(&found.winner_quote_id), quote(&found.lowest_quote_id));
    ensure!(
        winner.is_some_and(|q| q.vendor_id == vendor.vendor_id) && lowest.is_some_and(|q| q.vendor_id == vendor.rival_id),
        "the VIP within three per cent was not preferred"
    );
    let (price, lowest) = (price(winner), price(lowest));
    chapter.done(&format!(
        "{} listed by five people; {} won at {}, without the preference {} would have",
        vendor.name,
        tender.tender_no,
        yuan(price),
        yuan(lowest)
    ));
    Ok(Listed {
        tender_no: tender.tender_no,
        price,
        lowest,
    })
}

async fn trade(cast: &Cast, vendor: &Admitted) -> Result<()> {
    let rows = (1..).zip(TRADES).map(|(line, (reference, day, company, amount, fault))| {
        Ok(TradeRow {
            line,
            reference: reference.to_owned(),
            trade_date: Some(date(day)?),
            company: company.to_owned(),
            uscc: vendor.uscc.to_owned(),
            amount: Some(wire::money(Money::from_fen(amount))),
            quality_fault: (fault > 0).then(|| wire::money(Money::from_fen(fault))),
            reverses_reference: String::new(),
        })
    });
    let import = ImportTradesRequest {
        request_id: key("trades"),
        dry_run: false,
        rows: rows.collect::<Result<_>>()?,
    };
    let mut answers = said("the trades", vips(cast, FINANCE)?.import_trades(futures::stream::iter([import]))).await?;
    let answer = answers.message().await?.ok_or_else(|| anyhow!("the trades got no answer"))?;
    ensure!(answer.refused.is_empty(), "trades were refused: {:?}", answer.refused);
    Ok(())
}

/// A tender that the law does not demand: both bid, both are fit, the deadline passes, it is evaluated.
async fn bid(cast: &Cast, vendor: &Admitted) -> Result<Tender> {
    let open = OpenTenderRequest {
        request_id: key("tender"),
        branch: BRANCH.to_owned(),
        title: "庭院管网年度维护".to_owned(),
        compulsory: false,
        quote_deadline_time: Some(wire::time(Instant::parse_rfc3339("2025-11-20T17:00:00+08:00")?)),
    };
    let tender = held("tender", said("the tender", tenders(cast, BIDDING_CENTRE)?.open_tender(open)).await?.tender)?;
    let mut quotes = vec![];
    for ((vendor_id, office), price) in [(&vendor.vendor_id, "jinran-office"), (&vendor.rival_id, "hedong-office")]
        .into_iter()
        .zip(QUOTES)
    {
        let submit = SubmitQuoteRequest {
            request_id: key(&format!("quote of {office}")),
            vendor_id: vendor_id.clone(),
            tender_id: tender.tender_id.clone(),
            final_price: Some(wire::money(Money::from_fen(price))),
        };
        let mut portal = TenderServiceClient::new(cast.ask_as_vendor("vendor", office, vendor_id)?);
        quotes.push(held("quote", said("a quote", portal.submit_quote(submit)).await?.quote)?);
    }
    cast.set_clock("2025-11-21T09:00").await?;
    for quote in quotes {
        let review = ReviewQuoteRequest {
            request_id: key(&format!("review of {}", quote.vendor_id)),
            tender_id: tender.tender_id.clone(),
            etag: seen(cast, &tender.tender_id).await?.etag,
            quote_id: quote.quote_id,
            meets_tech: true,
            findings: "满足技术要求".to_owned(),
        };
        said("a review", tenders(cast, SPECIALIST)?.review_quote(review)).await?;
    }
    let evaluate = EvaluateTenderRequest {
        request_id: key("evaluation"),
        tender_id: tender.tender_id.clone(),
        etag: seen(cast, &tender.tender_id).await?.etag,
        reasons: "报价在最低价百分之三以内的VIP优先".to_owned(),
    };
    held(
        "tender",
        said("the evaluation", tenders(cast, BIDDING_CENTRE)?.evaluate_tender(evaluate)).await?.tender,
    )
}

async fn seen(cast: &Cast, tender_id: &str) -> Result<Tender> {
    let get = GetTenderRequest {
        vendor_id: String::new(),
        tender_id: tender_id.to_owned(),
    };
    held("tender", said("the tender", tenders(cast, BIDDING_CENTRE)?.get_tender(get)).await?.tender)
}
