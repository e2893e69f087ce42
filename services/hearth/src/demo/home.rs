//! March: gas is opened in a new home, from the application to the flame (E4 to E6).

use anyhow::{Result, ensure};
use calendar::NaiveDate;
use contracts::hearth::{
    archive::v1::{
        OpenAccountRequest, RegisterPersonRequest, RegisterPremisesRequest, Service, Template, account_service_client::AccountServiceClient,
        party_service_client::PartyServiceClient, premises_service_client::PremisesServiceClient,
    },
    billing::v1::{RecordReadingRequest, RegisterMeterRequest, meter, meter_service_client::MeterServiceClient, reading_service_client::ReadingServiceClient},
    hall::v1::{
        AcceptAppliancesRequest, AcceptOrderRequest, Appliance, ApplianceKind, ApplyForOpeningRequest, ApprovePapersRequest, ArriveForOpeningRequest,
        CertificateKind, ConfirmCertificateRequest, Employer, FlueOutlet, FlueType, GasKind, GetOpeningRequest, GetOrderRequest, HoseKind,
        IgniteAppliancesRequest, Opening, Paper, PassReviewRequest, PassTightnessRequest, Post, PurgeLineRequest, Readiness, RecordApplianceAcceptanceRequest,
        RecordCertificateRequest, RecordEstateInspectionRequest, RecordPipeAcceptanceRequest, RecordPresenceRequest, RegisterStaffRequest, Relation, RoomType,
        ScheduleOpeningRequest, SettleFeesRequest, SignContractRequest, SignMethod, SignOpeningRequest, StaffMember, TrainUserRequest,
        acceptance_service_client::AcceptanceServiceClient, estate_service_client::EstateServiceClient, opening, opening_service_client::OpeningServiceClient,
        order_service_client::OrderServiceClient, paper, staff_service_client::StaffServiceClient,
    },
};

use super::{
    cast::{
        AGENT, Actor, Cast, DISPATCHER, DISTRICT_MANAGER, INSPECTOR, OPENER, PERSONNEL, READER, SECOND_PERSONNEL, date, decimal, held, key, said, scan, until,
    },
    city::Account,
    stage::Stage,
};
use crate::client::Client;

const BRANCH: &str = "河西区";
const COMMUNITY: &str = "120103009013";
const USE_CLASS: &str = "living";
const METER: &str = "M101000901";
const OPENED: &str = "2025-03-06";
const INITIAL: &str = "2.35";

/// What the remote meter of the new home reports at the end of each month, from the month after the opening.
const READINGS: [(u32, &str); 9] = [
    (4, "38.10"),
    (5, "57.72"),
    (6, "74.05"),
    (7, "88.61"),
    (8, "103.94"),
    (9, "121.37"),
    (10, "144.80"),
    (11, "176.22"),
    (12, "214.98"),
];

/// The new home.
pub struct Home {
    pub account_no: String,
    pub opening_no: String,
}

impl Home {
    /// As the oracle needs it.
    pub fn account(&self) -> Result<(String, Account)> {
        let initial = super::oracle::litres_of(INITIAL).unwrap_or_default();
        let installed: NaiveDate = OPENED.parse()?;
        let account = Account {
            account_no: self.account_no.clone(),
            use_class: USE_CLASS.to_owned(),
            low_income: false,
            digits: 6,
            installed,
            initial,
        };
        Ok((METER.to_owned(), account))
    }
}

/// Openers and inspectors are registered and certified: one person records a certificate, another one confirms it.
async fn member(cast: &Cast, actor: Actor, name: &str, badge_no: &str, post: Post, certificate: CertificateKind) -> Result<StaffMember> {
    let mut first = StaffServiceClient::new(cast.ask("hall", PERSONNEL)?);
    let mut second = StaffServiceClient::new(cast.ask("hall", SECOND_PERSONNEL)?);
    let register = RegisterStaffRequest {
        request_id: key(&format!("staff {badge_no}")),
        name: name.to_owned(),
        posts: vec![post.into()],
        badge_no: badge_no.to_owned(),
        login: actor.subject.to_owned(),
        employer: Employer::Own.into(),
        branch: BRANCH.to_owned(),
        ..RegisterStaffRequest::default()
    };
    let staff = held("member of staff", said("registering staff", first.register_staff(register)).await?.staff)?;
    let record = RecordCertificateRequest {
        request_id: key(&format!("certificate {badge_no}")),
        staff_id: staff.staff_id.clone(),
        etag: staff.etag,
        kind: certificate.into(),
        certificate_no: format!("SG-2023-{badge_no}"),
        issuing_body: "天津市燃气管理处".to_owned(),
        issued_date: Some(date("2023-09-01")?),
        valid_to_date: Some(date("2027-08-31")?),
        scan_file_id: scan(badge_no),
    };
    let answer = said("the certificate", first.record_certificate(record)).await?;
    let confirm = ConfirmCertificateRequest {
        request_id: key(&format!("confirm {badge_no}")),
        staff_id: staff.staff_id,
        etag: held("member of staff", answer.staff)?.etag,
        certificate_id: answer.certificate_id,
    };
    held(
        "member of staff",
        said("confirming the certificate", second.confirm_certificate(confirm)).await?.staff,
    )
}

struct Story<'a> {
    cast: &'a Cast,
    opener: StaffMember,
    inspector: StaffMember,
}

impl Story<'_> {
    fn opening(&self, actor: Actor) -> Result<OpeningServiceClient<Client>> {
        Ok(OpeningServiceClient::new(self.cast.ask("hall", actor)?))
    }

    async fn reaches(&self, opening_id: &str, state: opening::State) -> Result<Opening> {
        until(&format!("the opening reaching {}", state.as_str_name()), async || {
            let get = GetOpeningRequest {
                opening_id: opening_id.to_owned(),
            };
            let opening = held("opening", said("the opening", self.opening(AGENT)?.get_opening(get)).await?.opening)?;
            if let Some(step) = opening.open_step.as_ref().filter(|step| step.parked) {
                anyhow::bail!("the step {} of the opening is parked: {}", step.kind, step.last_reason);
            }
            Ok((opening.state() == state).then_some(opening))
        })
        .await
    }
}

pub async fn open(cast: &Cast, stage: &Stage, template: &Template) -> Result<Home> {
    let chapter = stage.chapter("opening", 18);
    let step = |what: &str| {
        chapter.step(1);
        chapter.doing(what);
    };

    cast.set_clock("2025-03-03T09:00").await?;
    step("crew certified");
    let opener = member(cast, OPENER, "康建明", "K1201", Post::Opener, CertificateKind::GasOpening).await?;
    let inspector = member(cast, INSPECTOR, "白雪梅", "B1107", Post::Inspector, CertificateKind::SafetyInspection).await?;
    let story = Story { cast, opener, inspector };

    step("estate inspected");
    let inspection = RecordEstateInspectionRequest {
        request_id: key("estate"),
        community_code: COMMUNITY.to_owned(),
        name: "红山里社区".to_owned(),
        branch: BRANCH.to_owned(),
        inspector_staff_id: story.inspector.staff_id.clone(),
        inspected_date: Some(date("2025-03-03")?),
        passed: true,
        findings: "pipes and electric panels kept apart in all stairwells".to_owned(),
        panel_distance_mm: 420,
    };
    let estate = held(
        "estate",
        said(
            "the estate",
            EstateServiceClient::new(cast.ask("hall", INSPECTOR)?).record_estate_inspection(inspection),
        )
        .await?
        .estate,
    )?;

    step("customer filed");
    let agent = cast.ask("archive", AGENT)?;
    let address = "天津市河西区尖山街道红山里社区31号楼2单元602室".to_owned();
    let person = RegisterPersonRequest {
        request_id: key("new party"),
        name: "孟晓棠".to_owned(),
        id_number: "120103189203140024".to_owned(),
        phone: "19000009001".to_owned(),
        address: address.clone(),
        branch: BRANCH.to_owned(),
    };
    let party = held(
        "party",
        said("the customer", PartyServiceClient::new(agent.clone()).register_person(person))
            .await?
            .party,
    )?;
    let premises = RegisterPremisesRequest {
        request_id: key("new premises"),
        address,
        community_code: COMMUNITY.to_owned(),
        branch: BRANCH.to_owned(),
        area_m2: Some(decimal("86.5")),
        services: vec![Service::Gas.into()],
    };
    let premises = held(
        "premises",
        said("the premises", PremisesServiceClient::new(agent.clone()).register_premises(premises))
            .await?
            .premises,
    )?;
    let point = held("service point", premises.service_points.first().cloned())?;
    let account = OpenAccountRequest {
        request_id: key("new account"),
        party_id: party.party_id,
        branch: BRANCH.to_owned(),
    };
    let account = held(
        "account",
        said("the account", AccountServiceClient::new(agent).open_account(account)).await?.account,
    )?;

    step("applied");
    let apply = ApplyForOpeningRequest {
        request_id: key("apply"),
        account_id: account.account_id,
        premises_id: premises.premises_id,
        service_point_id: point.service_point_id.clone(),
        use_class: USE_CLASS.to_owned(),
    };
    let opening = held(
        "opening",
        said("the application", story.opening(AGENT)?.apply_for_opening(apply)).await?.opening,
    )?;
    let opening_id = opening.opening_id.clone();

    step("papers");
    let paper = |kind: paper::Kind| Paper {
        kind: kind.into(),
        file_id: scan(kind.as_str_name()),
    };
    let papers = ApprovePapersRequest {
        request_id: key("papers"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        papers: vec![
            paper(paper::Kind::ApplicationForm),
            paper(paper::Kind::IdentityDocument),
            paper(paper::Kind::TitleDeed),
        ],
    };
    let opening = held("opening", said("the papers", story.opening(AGENT)?.approve_papers(papers)).await?.opening)?;

    step("contract signed");
    let sign = SignContractRequest {
        request_id: key("sign contract"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        template_id: template.template_id.clone(),
        template_version: template.version,
        signed_date: Some(date("2025-03-03")?),
        sign_method: SignMethod::Electronic.into(),
        flagged_clauses_acknowledged: template.clauses.iter().filter(|c| c.flagged).map(|c| c.clause_no.clone()).collect(),
    };
    said("signing the contract", story.opening(AGENT)?.sign_contract(sign)).await?;
    let opening = story.reaches(&opening_id, opening::State::ContractSigned).await?;

    step("fees settled");
    let fees = SettleFeesRequest {
        request_id: key("fees"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        receipt_nos: vec![],
    };
    let opening = held("opening", said("the fees", story.opening(AGENT)?.settle_fees(fees)).await?.opening)?;

    let opening = review(&story, opening, &point.service_point_id, &estate.estate_id, &step).await?;
    let opening = ignite(&story, opening, &step).await?;
    step("open");
    let opening = story.reaches(&opening.opening_id, opening::State::Opened).await?;
    let home = Home {
        account_no: account.account_no,
        opening_no: opening.opening_no,
    };
    chapter.done(&format!(
        "{} applied for on 3 March, gas opened on 6 March in {}",
        home.opening_no, home.account_no
    ));
    Ok(home)
}

/// What has to be accepted and reviewed before anybody may open gas.
async fn review(story: &Story<'_>, opening: Opening, service_point_id: &str, estate_id: &str, step: &impl Fn(&str)) -> Result<Opening> {
    let cast = story.cast;
    let opening_id = opening.opening_id.clone();
    cast.set_clock("2025-03-04T14:00").await?;
    step("pipe accepted");
    let mut acceptance = AcceptanceServiceClient::new(cast.ask("hall", INSPECTOR)?);
    let pipe = RecordPipeAcceptanceRequest {
        request_id: key("pipe"),
        service_point_id: service_point_id.to_owned(),
        branch: BRANCH.to_owned(),
        report_no: "HN-2025-0304-01".to_owned(),
        report_file_id: scan("HN-2025-0304-01"),
        passed: true,
        inspector_staff_id: story.inspector.staff_id.clone(),
        test_date: Some(date("2025-03-04")?),
    };
    let pipe = held("acceptance", said("the pipe", acceptance.record_pipe_acceptance(pipe)).await?.acceptance)?;

    step("stove accepted");
    let stove = Appliance {
        kind: ApplianceKind::Stove.into(),
        brand: "方太".to_owned(),
        model: "JZT-02-TH29B".to_owned(),
        certificate_no: "CCC-2024-118207".to_owned(),
        manual: true,
        gas_kind: GasKind::Natural12t.into(),
        flame_failure_device: true,
        flue_type: FlueType::Open.into(),
        flue_outlet: FlueOutlet::Room.into(),
        room_type: RoomType::Kitchen.into(),
        room_air_supply: true,
        room_exhaust: true,
        range_hood: true,
        hose_kind: HoseKind::SteelCorrugated.into(),
        hose_through_wall: false,
        auto_shut_valve: true,
        gas_alarm: true,
    };
    let stove = RecordApplianceAcceptanceRequest {
        request_id: key("stove"),
        service_point_id: service_point_id.to_owned(),
        branch: BRANCH.to_owned(),
        appliance: Some(stove),
        inspector_staff_id: story.inspector.staff_id.clone(),
        visit_date: Some(date("2025-03-04")?),
        ..RecordApplianceAcceptanceRequest::default()
    };
    let stove = held("acceptance", said("the stove", acceptance.record_appliance_acceptance(stove)).await?.acceptance)?;
    ensure!(stove.passed, "the stove is rejected: {}", stove.rejects.join(", "));
    let accept = AcceptAppliancesRequest {
        request_id: key("accept appliances"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        appliance_acceptance_ids: vec![stove.acceptance_id],
    };
    let opening = held(
        "opening",
        said("the appliances", story.opening(INSPECTOR)?.accept_appliances(accept)).await?.opening,
    )?;

    step("somebody at home");
    let presence = RecordPresenceRequest {
        request_id: key("presence"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        relation: Relation::Family.into(),
        birth_date: Some(date("1968-05-20")?),
        visit_date: Some(date("2025-03-04")?),
        witness_staff_id: story.inspector.staff_id.clone(),
    };
    let answer = said("the presence", story.opening(INSPECTOR)?.record_presence(presence)).await?;
    let (opening, presence_id) = (held("opening", answer.opening)?, answer.presence_id);

    step("meter in store");
    let register = RegisterMeterRequest {
        request_id: key("new meter"),
        meter_no: METER.to_owned(),
        kind: meter::Kind::Iot.into(),
        model: "G2.5".to_owned(),
        qmax: Some(decimal("4")),
        digits: 6,
        manufacturer: "先锋电子".to_owned(),
        seal_no: "QF-250304-01".to_owned(),
        verified_date: Some(date("2025-02-10")?),
        expires_date: Some(date("2035-02-09")?),
        branch: BRANCH.to_owned(),
        ..Default::default()
    };
    said(
        "the meter",
        MeterServiceClient::new(cast.ask("billing", DISTRICT_MANAGER)?).register_meter(register),
    )
    .await?;

    step("review passed");
    let review = PassReviewRequest {
        request_id: key("review"),
        opening_id,
        etag: opening.etag,
        meter_no: METER.to_owned(),
        pipe_acceptance_id: pipe.acceptance_id,
        presence_id,
        estate_id: estate_id.to_owned(),
    };
    held("opening", said("the review", story.opening(INSPECTOR)?.pass_review(review)).await?.opening)
}

/// The day of the flame.
async fn ignite(story: &Story<'_>, opening: Opening, step: &impl Fn(&str)) -> Result<Opening> {
    let cast = story.cast;
    let opening_id = opening.opening_id.clone();
    cast.set_clock("2025-03-05T14:00").await?;
    step("scheduled");
    let schedule = ScheduleOpeningRequest {
        request_id: key("schedule"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        planned_date: Some(date(OPENED)?),
        staff_ids: vec![story.opener.staff_id.clone()],
    };
    let opening = held(
        "opening",
        said("the schedule", story.opening(DISPATCHER)?.schedule_opening(schedule)).await?.opening,
    )?;
    let mut orders = OrderServiceClient::new(cast.ask("hall", OPENER)?);
    let order = held(
        "order",
        said(
            "the order",
            orders.get_order(GetOrderRequest {
                order_id: opening.order_id.clone(),
            }),
        )
        .await?
        .order,
    )?;
    let accept = AcceptOrderRequest {
        request_id: key("accept order"),
        order_id: order.order_id,
        etag: order.etag,
    };
    let answer = said("accepting the order", orders.accept_order(accept)).await?;
    ensure!(answer.readiness() == Readiness::Ready, "the opener's certificate does not count any more");

    cast.set_clock("2025-03-06T09:30").await?;
    step("on site");
    let get = GetOpeningRequest {
        opening_id: opening_id.clone(),
    };
    let opening = held("opening", said("the opening", story.opening(OPENER)?.get_opening(get)).await?.opening)?;
    let arrive = ArriveForOpeningRequest {
        request_id: key("arrive"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
    };
    let opening = held("opening", said("the arrival", story.opening(OPENER)?.arrive_for_opening(arrive)).await?.opening)?;

    step("tight");
    let tight = PassTightnessRequest {
        request_id: key("tightness"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        test_pressure_pa: 5000,
        held_minutes: 15,
        drop_pa: 0,
    };
    let opening = held(
        "opening",
        said("the tightness test", story.opening(OPENER)?.pass_tightness(tight)).await?.opening,
    )?;

    cast.set_clock("2025-03-06T10:10").await?;
    step("purged");
    let purge = PurgeLineRequest {
        request_id: key("purge"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
    };
    let opening = held("opening", said("purging", story.opening(OPENER)?.purge_line(purge)).await?.opening)?;

    step("ignited");
    let ignite = IgniteAppliancesRequest {
        request_id: key("ignite"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
    };
    let opening = held("opening", said("the ignition", story.opening(OPENER)?.ignite_appliances(ignite)).await?.opening)?;

    step("user trained");
    let train = TrainUserRequest {
        request_id: key("train"),
        opening_id: opening_id.clone(),
        etag: opening.etag,
        booklet_no: "AQ-2025-00417".to_owned(),
    };
    let opening = held("opening", said("the training", story.opening(OPENER)?.train_user(train)).await?.opening)?;

    let sign = SignOpeningRequest {
        request_id: key("sign opening"),
        opening_id,
        etag: opening.etag,
        initial_index: Some(decimal(INITIAL)),
        photo_file_id: scan("photo of M101000901"),
        signature_file_id: scan("signature of the user"),
    };
    held("opening", said("the signature", story.opening(OPENER)?.sign_opening(sign)).await?.opening)
}

/// The remote reading of the new home at the end of a month, once there is one.
pub async fn read(cast: &Cast, month: u32, last_day: NaiveDate) -> Result<()> {
    let Some((_, index)) = READINGS.iter().find(|(of, _)| *of == month) else {
        return Ok(());
    };
    let at = calendar::Instant::at_local(last_day, 18, 0).map(rpc::wire::time);
    let record = RecordReadingRequest {
        request_id: key(&format!("reading {month}")),
        meter_no: METER.to_owned(),
        read_time: at,
        index: (*index).to_owned(),
        source: "remote".to_owned(),
        ..Default::default()
    };
    said(
        "the reading of the new home",
        ReadingServiceClient::new(cast.ask("billing", READER)?).record_reading(record),
    )
    .await?;
    Ok(())
}
