//! Autumn to spring: one heating season from the tariff to the settlement, two homes by area, one by meter with its refund.

use anyhow::{Context, Result, ensure};
use contracts::hearth::{
    archive::v1::{
        ActivateAgreementRequest, AddServicePointRequest, Clause, GetAgreementRequest, GetPremisesRequest, PublishTemplateRequest, Service,
        SignAgreementRequest, SignMethod, Template, agreement_service_client::AgreementServiceClient, premises_service_client::PremisesServiceClient,
        template_service_client::TemplateServiceClient,
    },
    billing::v1::{
        AssessHeatRequest, Bill, EnrolHeatRequest, HeatAccount, InstallMeterRequest, ListHeatAccountsRequest, OpenHeatSeasonRequest,
        RecordSeasonReadingRequest, RegisterMeterRequest, SettleHeatRequest, TakePaymentRequest,
        heat_account::{self, Method},
        heat_service_client::HeatServiceClient,
        meter,
        meter_service_client::MeterServiceClient,
        payment_service_client::PaymentServiceClient,
        season_reading::Moment,
        tariff_service_client::TariffServiceClient,
    },
};

use super::{
    cast::{ACCOUNTANT, AGENT, CASHIER, CONTRACT_OFFICER, Cast, DISTRICT_MANAGER, READER, date, decimal, held, key, said, until},
    checks::Standing,
    oracle::Heated,
    pages, papers,
    stage::Stage,
    vendor::BRANCH,
    year::{YEAR, job},
};
use crate::import::{
    HeatSettlement, ToldOfTariff,
    figures::{fen, yuan},
    heat_tariff_request, tariff_file,
};

/// The heat tariff that is in force.
pub const TARIFF: &str = include_str!("../../data/cn_tianjin_heat.toml");
/// The season that is played.
pub const SEASON: &str = "2025-2026";
/// Class of use of the homes.
pub const USE_CLASS: &str = "resident";
const METER: &str = "H101000001";
/// Area of each home; the first is billed by meter.
const AREAS: [&str; 3] = ["100", "70.27", "101.78"];
/// 8 100 kWh on 100 m² are 750 + 1053 yuan (the press example of the tariff).
const INDEXES: [&str; 2] = ["0", "8100"];

/// Homes that are heated.
pub struct Homes {
    agreements: Vec<String>,
    accounts: Vec<HeatAccount>,
    enrolled: Vec<Heated>,
    billed: i64,
}

/// The season as it ended.
pub struct Season {
    /// As the oracle needs them.
    pub homes: Vec<Heated>,
    pub billed: i64,
    /// What was paid ahead of it, in fen.
    pub paid: i64,
    pub charged: i64,
    pub refund: i64,
}

/// October: agreements for heat, enrolment, and the bills of the season.
pub async fn begin(cast: &Cast, stage: &Stage) -> Result<Homes> {
    let chapter = stage.chapter("heat", 0);
    cast.set_clock("2025-10-13T09:00").await?;
    chapter.doing("tariff and season");
    let tariff = heat_tariff_request(TARIFF, tariff_file(TARIFF)?, Some(HeatSettlement::Refund), &ToldOfTariff::default())?;
    let mut tariffs = TariffServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
    said("the heat tariff", tariffs.publish_heat_tariff(tariff)).await?;
    let mut heat = HeatServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
    let open = OpenHeatSeasonRequest {
        request_id: key("heat season"),
        season: SEASON.to_owned(),
        branch: BRANCH.to_owned(),
        start_date: Some(date("2025-11-15")?),
        end_date: Some(date("2026-03-15")?),
        due_date: Some(date("2025-12-31")?),
        document_reference: "津供热〔2025〕采暖期通告".to_owned(),
    };
    said("the season", heat.open_heat_season(open)).await?;

    chapter.doing("agreements");
    let template = template(cast).await?;
    let mut bills = pages::bills(cast, ACCOUNTANT, YEAR, 9).await?;
    bills.retain(|bill| bill.branch == BRANCH);
    bills.sort_by(|a, b| a.account_no.cmp(&b.account_no));
    ensure!(bills.len() >= AREAS.len(), "fewer than three homes of {BRANCH} were billed in September");
    let (mut agreements, mut enrolled) = (vec![], vec![]);
    for (n, (bill, area)) in bills.into_iter().zip(AREAS).enumerate() {
        enrolled.push(Heated {
            account_no: bill.account_no.clone(),
            area,
            indexes: (n == 0).then_some(INDEXES),
        });
        agreements.push(sign(cast, &template, bill).await?);
    }
    until("billing hearing of the agreements", async || {
        Ok(Standing::ask(cast).await?.has_taken("billing", "archive").then_some(()))
    })
    .await?;

    chapter.doing("enrolment");
    let mut district = HeatServiceClient::new(cast.ask("billing", DISTRICT_MANAGER)?);
    for (n, (agreement, home)) in agreements.iter().zip(&enrolled).enumerate() {
        let enrol = EnrolHeatRequest {
            request_id: key(&format!("enrolment {n}")),
            agreement_id: agreement.clone(),
            season: SEASON.to_owned(),
            method: if home.indexes.is_some() { Method::Meter } else { Method::Area }.into(),
            area: Some(decimal(home.area)),
            height: None,
            correction: None,
            document_reference: format!("房产证 {n}"),
        };
        said("an enrolment", district.enrol_heat(enrol)).await?;
    }
    meter(cast, agreements.first().context("nobody is heated")?).await?;

    chapter.doing("bills");
    let assess = AssessHeatRequest {
        request_id: key("heat bills"),
        season: SEASON.to_owned(),
        branch: BRANCH.to_owned(),
    };
    let assessed = said("the heat bills", heat.assess_heat(assess)).await?;
    job(cast, assessed.job_id, |_| {}).await?;
    let accounts = accounts(cast).await?;
    ensure!(
        accounts.len() == AREAS.len() && accounts.iter().all(|a| !a.bill_id.is_empty()),
        "not every home got its heat bill"
    );
    let billed = accounts.iter().map(|a| fen(&a.amount)).sum();
    chapter.done(&format!("season {SEASON}: {} homes billed ahead, {}", accounts.len(), yuan(billed)));
    Ok(Homes {
        agreements,
        accounts,
        enrolled,
        billed,
    })
}

/// November: the season is paid before it begins.
pub async fn pay(cast: &Cast, homes: &Homes) -> Result<()> {
    let mut cashier = PaymentServiceClient::new(cast.ask("billing", CASHIER)?);
    for account in &homes.accounts {
        let take = TakePaymentRequest {
            request_id: key(&format!("heat payment {}", account.account_no)),
            account_id: account.account_id.clone(),
            amount: account.amount.clone(),
            channel: "BANK".to_owned(),
            channel_reference: format!("heat{SEASON}{}", account.account_no),
            // A payment pays heat only where it says so.
            bill_ids: vec![account.bill_id.clone()],
        };
        said("a heat payment", cashier.take_payment(take)).await?;
    }
    Ok(())
}

/// March 2026: the meter is read at both ends of the season, and the season is settled.
pub async fn settle(cast: &Cast, stage: &Stage, homes: &Homes) -> Result<Season> {
    let chapter = stage.chapter("heat", 0);
    cast.set_clock("2026-03-20T10:00").await?;
    chapter.doing("readings");
    let agreement = homes.agreements.first().context("nobody is heated")?;
    let mut reader = HeatServiceClient::new(cast.ask("billing", READER)?);
    let moments = [(Moment::Start, "2025-11-15"), (Moment::End, "2026-03-15")];
    for ((moment, day), index) in moments.into_iter().zip(INDEXES) {
        let read = RecordSeasonReadingRequest {
            request_id: key(&format!("heat reading {day}")),
            agreement_id: agreement.clone(),
            season: SEASON.to_owned(),
            meter_no: METER.to_owned(),
            moment: moment.into(),
            read_date: Some(date(day)?),
            index: index.to_owned(),
        };
        said("a heat reading", reader.record_season_reading(read)).await?;
    }
    chapter.doing("settlement");
    let settle = SettleHeatRequest {
        request_id: key("heat settlement"),
        season: SEASON.to_owned(),
        branch: BRANCH.to_owned(),
        due_days: 0,
    };
    let mut heat = HeatServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
    let settled = said("the settlement", heat.settle_heat(settle)).await?;
    job(cast, settled.job_id, |_| {}).await?;
    let accounts = accounts(cast).await?;
    let metered = accounts.iter().find(|a| a.method() == Method::Meter).context("no home is billed by meter")?;
    ensure!(
        metered.state() == heat_account::State::RefundDue,
        "the home by meter is {}",
        metered.state().as_str_name()
    );
    let settlement = metered.settlement.as_ref().context("the home by meter is not settled")?;
    let (charged, paid) = (fen(&settlement.charged), fen(&settlement.by_area));
    // 100 m² and 8 100 kWh: 1 803.00 instead of 2 500.00.
    ensure!(
        (charged, paid) == (180_300, 250_000),
        "the season by meter came to {}, paid {}",
        yuan(charged),
        yuan(paid)
    );
    let season = Season {
        homes: homes.enrolled.clone(),
        billed: homes.billed,
        paid: homes.billed,
        charged,
        refund: paid.saturating_sub(charged),
    };
    chapter.doing("papers");
    let documents = papers::of_season(cast).await?;
    chapter.done(&format!(
        "season {SEASON} settled: by meter {} instead of {}, {} back; {documents} documents",
        yuan(charged),
        yuan(paid),
        yuan(season.refund)
    ));
    Ok(season)
}

async fn template(cast: &Cast) -> Result<Template> {
    let publish = PublishTemplateRequest {
        request_id: key("heat template"),
        code: "HEAT_HOUSEHOLD".to_owned(),
        version: 1,
        title: "居民供用热合同".to_owned(),
        service: Service::Heat.into(),
        filed_with_authority_no: String::new(),
        effective_date: Some(date("2025-10-01")?),
        clauses: vec![Clause {
            clause_no: "1".to_owned(),
            title: "价款".to_owned(),
            text: "按政府定价执行,采暖期前预付,按表计量的采暖期后多退少补。".to_owned(),
            flagged: false,
        }],
    };
    let mut officer = TemplateServiceClient::new(cast.ask("archive", CONTRACT_OFFICER)?);
    held("template", said("the heat template", officer.publish_template(publish)).await?.template)
}

/// The home of a gas bill signs for heat as well; the id of its agreement.
async fn sign(cast: &Cast, template: &Template, bill: Bill) -> Result<String> {
    let own = |what: &str| key(&format!("heat {what} {}", bill.account_no));
    let mut agreements = AgreementServiceClient::new(cast.ask("archive", AGENT)?);
    let get = GetAgreementRequest {
        agreement_id: bill.agreement_id.clone(),
        ..GetAgreementRequest::default()
    };
    let gas = held("agreement", said("the agreement", agreements.get_agreement(get)).await?.agreement)?;
    let mut premises = PremisesServiceClient::new(cast.ask("archive", AGENT)?);
    let get = GetPremisesRequest { premises_id: gas.premises_id };
    let place = held("premises", said("the premises", premises.get_premises(get)).await?.premises)?;
    let add = AddServicePointRequest {
        request_id: own("service point"),
        premises_id: place.premises_id,
        etag: place.etag,
        service: Service::Heat.into(),
        multi_meter_household: false,
    };
    let place = held("premises", said("the service point", premises.add_service_point(add)).await?.premises)?;
    let point = place
        .service_points
        .into_iter()
        .find(|p| p.service() == Service::Heat)
        .context("no service point for heat")?;
    let sign = SignAgreementRequest {
        request_id: own("agreement"),
        account_id: bill.account_id.clone(),
        service_point_id: point.service_point_id,
        service: Service::Heat.into(),
        template_id: template.template_id.clone(),
        template_version: template.version,
        use_class: USE_CLASS.to_owned(),
        start_date: Some(date("2025-10-13")?),
        signed_date: Some(date("2025-10-13")?),
        sign_method: SignMethod::Paper.into(),
        flagged_clauses_acknowledged: vec![],
    };
    let heat = held("agreement", said("the heat agreement", agreements.sign_agreement(sign)).await?.agreement)?;
    let activate = ActivateAgreementRequest {
        request_id: own("activation"),
        agreement_id: heat.agreement_id.clone(),
        etag: Some(heat.etag),
        from_date: Some(date("2025-10-13")?),
    };
    let mut officer = AgreementServiceClient::new(cast.ask("archive", CONTRACT_OFFICER)?);
    said("the activation", officer.activate_agreement(activate)).await?;
    Ok(heat.agreement_id)
}

async fn meter(cast: &Cast, agreement_id: &str) -> Result<()> {
    let mut meters = MeterServiceClient::new(cast.ask("billing", DISTRICT_MANAGER)?);
    let register = RegisterMeterRequest {
        request_id: key("heat meter"),
        meter_no: METER.to_owned(),
        kind: meter::Kind::HeatKwh.into(),
        model: "DN20".to_owned(),
        qmax: Some(decimal("25")),
        digits: 7,
        verified_date: Some(date("2025-09-01")?),
        expires_date: Some(date("2031-08-31")?),
        branch: BRANCH.to_owned(),
        ..RegisterMeterRequest::default()
    };
    said("the heat meter", meters.register_meter(register)).await?;
    let install = InstallMeterRequest {
        request_id: key("heat meter hung"),
        meter_no: METER.to_owned(),
        agreement_id: agreement_id.to_owned(),
        from_date: Some(date("2025-10-13")?),
        initial_index: Some(decimal("0")),
        photo_file: "photo of the heat meter".to_owned(),
        signed: true,
    };
    said("the heat meter's place", meters.install_meter(install)).await?;
    Ok(())
}

async fn accounts(cast: &Cast) -> Result<Vec<HeatAccount>> {
    let list = ListHeatAccountsRequest {
        season: SEASON.to_owned(),
        ..ListHeatAccountsRequest::default()
    };
    let mut heat = HeatServiceClient::new(cast.ask("billing", ACCOUNTANT)?);
    Ok(said("the heat accounts", heat.list_heat_accounts(list)).await?.accounts)
}
