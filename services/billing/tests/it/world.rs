//! What the tests share: homes that archive tells of, meters, readings, runs.

use calendar::{Instant, NaiveDate};
use contracts::hearth::{
    archive::v1::{self as archive, Service},
    billing::v1::{
        bill_run_service_client::BillRunServiceClient, bill_service_client::BillServiceClient, ledger_service_client::LedgerServiceClient,
        meter_service_client::MeterServiceClient, payment_service_client::PaymentServiceClient, reading_service_client::ReadingServiceClient,
        supply_service_client::SupplyServiceClient, tariff_service_client::TariffServiceClient, *,
    },
    options::v1::Role,
    r#type::v1::{Date, Decimal, Money},
};
use database::Engine;
use rpc::{Routes, wire};
use sea_orm::{ConnectionTrait, DbErr, Statement};
use testbed::{Bed, Client, Feed, eventually, key};
use uuid::Uuid;

pub const HEXI: &str = "河西区";
pub const HEPING: &str = "和平区";

/// The service with archive's and hall's events at hand.
pub struct World<'a> {
    pub bed: &'a Bed,
    pub archive: Feed,
    pub hall: Feed,
}

/// A home with an agreement.
#[derive(Clone, Debug)]
pub struct Home {
    pub agreement: String,
    pub account: String,
    pub account_no: String,
    pub party: String,
    pub meter_no: String,
}

pub fn day(text: &str) -> Option<Date> {
    Some(wire::date(text.parse::<NaiveDate>().unwrap()))
}

pub fn metres(text: &str) -> Option<Decimal> {
    Some(Decimal { value: text.to_owned() })
}

pub fn yuan(text: &str) -> Option<Money> {
    Some(wire::money(text.parse().unwrap()))
}

pub fn text(money: &Option<Money>) -> String {
    money::Money::from_fen(money.as_ref().unwrap().minor_units).to_string()
}

impl<'a> World<'a> {
    pub async fn new(bed: &'a Bed) -> Self {
        let archive = bed.fake("archive", Routes::default()).await;
        let hall = bed.fake("hall", Routes::default()).await;
        Self { bed, archive, hall }
    }

    pub fn meters(&self) -> MeterServiceClient<Client> {
        MeterServiceClient::new(self.bed.staff(&[Role::DistrictManager]))
    }
    pub fn readings(&self) -> ReadingServiceClient<Client> {
        ReadingServiceClient::new(self.bed.staff(&[Role::Reader]))
    }
    pub fn district(&self) -> ReadingServiceClient<Client> {
        ReadingServiceClient::new(self.bed.staff(&[Role::DistrictManager]))
    }
    pub fn tariffs(&self) -> TariffServiceClient<Client> {
        TariffServiceClient::new(self.bed.staff(&[Role::Accountant]))
    }
    pub fn runs(&self) -> BillRunServiceClient<Client> {
        BillRunServiceClient::new(self.bed.staff(&[Role::Accountant]))
    }
    pub fn bills(&self) -> BillServiceClient<Client> {
        BillServiceClient::new(self.bed.staff(&[Role::Accountant]))
    }
    pub fn cashier(&self) -> PaymentServiceClient<Client> {
        PaymentServiceClient::new(self.bed.staff(&[Role::Cashier]))
    }
    pub fn accountant(&self) -> PaymentServiceClient<Client> {
        PaymentServiceClient::new(self.bed.staff(&[Role::Accountant]))
    }
    pub fn ledger(&self) -> LedgerServiceClient<Client> {
        LedgerServiceClient::new(self.bed.staff(&[Role::Auditor]))
    }
    pub fn supplies(&self) -> SupplyServiceClient<Client> {
        SupplyServiceClient::new(self.bed.staff(&[Role::Auditor]))
    }

    pub fn clock(&self, text: &str) {
        self.bed.clock().set(testbed::at(text)).unwrap();
    }

    /// Archive tells of a home, signed and in force.
    pub fn tell(&self, account_no: &str, branch: &str, use_class: &str, from: &str) -> Home {
        let home = self.tell_signed(account_no, branch, use_class, from);
        self.archive.tell(
            &home.agreement,
            &archive::ContractInForce {
                agreement_id: home.agreement.clone(),
                from_date: day(from),
            },
        );
        home
    }

    /// Archive tells of a home that is only signed.
    pub fn tell_signed(&self, account_no: &str, branch: &str, use_class: &str, signed: &str) -> Home {
        let id = || Uuid::now_v7().to_string();
        let home = Home {
            agreement: id(),
            account: id(),
            account_no: account_no.to_owned(),
            party: id(),
            meter_no: format!("M-{account_no}"),
        };
        self.archive.tell(
            &home.account,
            &archive::AccountOpened {
                account_id: home.account.clone(),
                account_no: home.account_no.clone(),
                party_id: home.party.clone(),
                branch: branch.to_owned(),
            },
        );
        self.archive.tell(
            &home.agreement,
            &archive::ContractSigned {
                agreement_id: home.agreement.clone(),
                agreement_no: format!("HT-{account_no}"),
                account_id: home.account.clone(),
                account_no: home.account_no.clone(),
                party_id: home.party.clone(),
                premises_id: id(),
                service_point_id: id(),
                service: Service::Gas.into(),
                use_class: use_class.to_owned(),
                branch: branch.to_owned(),
                signed_date: day(signed),
            },
        );
        home
    }

    /// Waits until a copy looks as wanted.
    pub async fn supply(&self, home: &Home, wanted: impl Fn(&Supply) -> bool) -> Supply {
        eventually("the copy of the agreement", async || {
            let answer = self
                .supplies()
                .get_supply(GetSupplyRequest {
                    agreement_id: home.agreement.clone(),
                })
                .await;
            answer.ok().and_then(|a| a.into_inner().supply).filter(|s| wanted(s))
        })
        .await
    }

    /// A home of the class living with an installed remote meter, whose index was 0 on new year's eve.
    pub async fn home(&self, account_no: &str) -> Home {
        self.home_in(account_no, HEXI).await
    }

    pub async fn home_in(&self, account_no: &str, branch: &str) -> Home {
        let home = self.tell(account_no, branch, "living", "2024-12-31");
        self.supply(&home, |s| s.state() == supply::State::InForce).await;
        self.install(&home, "2024-12-31", "0").await;
        home
    }

    /// A home that is read since new year's eve of 2021, at the prices of the city as if they had held then, which share a period over years by its days.
    pub async fn home_since_2022(&self, account_no: &str) -> Home {
        let long = PublishTariffRequest {
            from_date: day("2021-01-01"),
            published_date: day("2020-12-20"),
            boundary: tariff::Boundary::DaySplit.into(),
            ..tianjin()
        };
        self.tariffs().publish_tariff(long).await.unwrap();
        let home = self.tell(account_no, HEXI, "living", "2021-12-31");
        self.supply(&home, |s| s.state() == supply::State::InForce).await;
        self.install(&home, "2021-12-31", "0").await;
        home
    }

    /// Files an installed meter by the import.
    pub async fn install(&self, home: &Home, day: &str, index: &str) {
        let answer = self.import_meters(vec![meter_row(home, day, index)]).await;
        assert_eq!((answer[0].accepted, answer[0].refused.len()), (1, 0), "{answer:?}");
    }

    pub async fn import_meters(&self, rows: Vec<MeterRow>) -> Vec<ImportMetersResponse> {
        let chunks: Vec<_> = rows
            .chunks(500)
            .map(|rows| ImportMetersRequest {
                request_id: key(),
                dry_run: false,
                rows: rows.to_vec(),
            })
            .collect();
        let mut answers = self.meters().import_meters(tokio_stream::iter(chunks)).await.unwrap().into_inner();
        let mut all = vec![];
        while let Some(answer) = answers.message().await.unwrap() {
            all.push(answer);
        }
        all
    }

    pub async fn import_readings(&self, rows: Vec<ReadingRow>) -> Vec<ImportReadingsResponse> {
        let chunks: Vec<_> = rows
            .chunks(500)
            .map(|rows| ImportReadingsRequest {
                request_id: key(),
                dry_run: false,
                rows: rows.to_vec(),
            })
            .collect();
        let mut answers = self.readings().import_readings(tokio_stream::iter(chunks)).await.unwrap().into_inner();
        let mut all = vec![];
        while let Some(answer) = answers.message().await.unwrap() {
            all.push(answer);
        }
        all
    }

    /// Reads a home's meter at noon.
    pub async fn read(&self, home: &Home, on: &str, index: &str) -> RecordReadingResponse {
        self.readings().record_reading(reading(home, on, index)).await.unwrap().into_inner()
    }

    pub async fn publish_tianjin(&self) -> Tariff {
        self.tariffs().publish_tariff(tianjin()).await.unwrap().into_inner().tariff.unwrap()
    }

    pub async fn start_run(&self, year: i32, month: i32) -> String {
        let request = StartBillRunRequest {
            request_id: key(),
            year,
            month,
            branch: String::new(),
            ..Default::default()
        };
        self.runs().start_bill_run(request).await.unwrap().into_inner().run_id
    }

    /// Rejects what an exception holds.
    pub async fn reject(&self, exception: &ReadingException, grounds: &str) {
        let reject = RejectExceptionRequest {
            request_id: key(),
            exception_id: exception.exception_id.clone(),
            etag: exception.etag.clone(),
            grounds: grounds.to_owned(),
        };
        self.district().reject_exception(reject).await.unwrap();
    }
    pub async fn finished(&self, run_id: &str) -> BillRun {
        let mut runs = self.runs();
        // A run of many agreements takes longer than one look; each look sees it move or waits.
        for _ in 0..6 {
            let run = eventually("news of the run", async || {
                let run = runs
                    .get_bill_run(GetBillRunRequest { run_id: run_id.to_owned() })
                    .await
                    .unwrap()
                    .into_inner()
                    .run
                    .unwrap();
                (run.state() == bill_run::State::Done || run.produced > 0).then_some(run)
            })
            .await;
            if run.state() == bill_run::State::Done {
                return run;
            }
            let done = |run: BillRun| (run.state() == bill_run::State::Done).then_some(run);
            let mut look = runs.clone();
            if let Ok(run) = tokio::time::timeout(
                std::time::Duration::from_secs(9),
                eventually("the run", async || {
                    done(
                        look.get_bill_run(GetBillRunRequest { run_id: run_id.to_owned() })
                            .await
                            .unwrap()
                            .into_inner()
                            .run
                            .unwrap(),
                    )
                }),
            )
            .await
            {
                return run;
            }
        }
        panic!("the run did not end");
    }

    /// Runs the bills of a month of 2025.
    pub async fn run(&self, month: i32) -> BillRun {
        let run_id = self.start_run(2025, month).await;
        self.finished(&run_id).await
    }

    pub async fn bills_of(&self, home: &Home) -> Vec<Bill> {
        let request = ListBillsRequest {
            account_id: Some(home.account.clone()),
            page_size: 500,
            ..Default::default()
        };
        self.bills().list_bills(request).await.unwrap().into_inner().bills
    }

    pub async fn exceptions(&self, state: reading_exception::State, code: reading_exception::Code) -> Vec<ReadingException> {
        let mut request = ListExceptionsRequest {
            state: state.into(),
            code: code.into(),
            page_size: 500,
            ..Default::default()
        };
        let mut all = vec![];
        loop {
            let page = self.district().list_exceptions(request.clone()).await.unwrap().into_inner();
            all.extend(page.exceptions);
            if page.next_page_token.is_empty() {
                return all;
            }
            request.page_token = page.next_page_token;
        }
    }

    pub async fn balance(&self, home: &Home) -> (String, String) {
        let answer = self
            .ledger()
            .get_balance(GetBalanceRequest {
                account_id: home.account.clone(),
                party_id: None,
            })
            .await
            .unwrap()
            .into_inner();
        let balance = answer.balance.unwrap();
        (text(&balance.receivable), text(&balance.prepayment))
    }

    /// The ledger is sound.
    pub async fn sound(&self) -> LedgerReport {
        let report = self.ledger().verify_ledger(VerifyLedgerRequest {}).await.unwrap().into_inner().report.unwrap();
        assert_eq!(report.faults, Vec::<String>::new());
        assert_eq!(text(&report.sum), "0.00");
        report
    }

    /// A statement straight into the database, as no RPC would do it.
    pub async fn sql(&self, sql: &str) -> Result<(), DbErr> {
        self.bed.db().writer().execute_unprepared(sql).await.map(|_| ())
    }

    /// The only number of a query.
    pub async fn count(&self, sql: &str) -> i64 {
        let db = self.bed.db();
        let row = db
            .reader()
            .query_one_raw(Statement::from_string(db.reader().get_database_backend(), sql))
            .await
            .unwrap()
            .unwrap();
        row.try_get_by_index(0).unwrap()
    }

    /// A UUID as the engine writes it.
    pub fn uuid(&self, id: &str) -> String {
        let id: Uuid = id.parse().unwrap();
        match self.bed.engine() {
            Engine::Sqlite => format!("x'{}'", id.simple()),
            Engine::Postgres => format!("'{id}'"),
        }
    }

    /// Lets the meter of another home be a further one of a household, of the same flat.
    pub async fn join(&self, household: &Home, further: &Home) {
        self.join_account(household, further).await;
        let (first, agreement) = (self.uuid(&household.agreement), self.uuid(&further.agreement));
        let same = format!("UPDATE supply SET premises_id = (SELECT s.premises_id FROM supply s WHERE s.id = {first}) WHERE id = {agreement}");
        self.sql(&same).await.unwrap();
    }

    /// Lets another home be a further one of an account.
    pub async fn join_account(&self, household: &Home, further: &Home) {
        let (account, agreement) = (self.uuid(&household.account), self.uuid(&further.agreement));
        let moved = format!("UPDATE supply SET account_id = {account} WHERE id = {agreement}");
        self.sql(&moved).await.unwrap();
    }

    /// The meter of a home is exchanged for one from the store, whose register shows so much.
    pub async fn exchange(&self, home: &Home, new: &str, on: &str, indexes: (Option<&str>, &str)) -> Home {
        self.meters().register_meter(gas_meter(new)).await.unwrap();
        self.meters().exchange_meter(exchange_of(home, new, on, indexes)).await.unwrap();
        Home {
            meter_no: new.to_owned(),
            ..home.clone()
        }
    }
}

/// A meter from the store.
pub fn gas_meter(meter_no: &str) -> RegisterMeterRequest {
    RegisterMeterRequest {
        request_id: key(),
        meter_no: meter_no.to_owned(),
        kind: meter::Kind::Iot.into(),
        model: "G2.5".to_owned(),
        qmax: metres("4"),
        digits: 5,
        verified_date: day("2025-01-10"),
        gas_kind: meter::GasKind::Natural.into(),
        branch: HEXI.to_owned(),
        ..Default::default()
    }
}

/// The exchange of the meter of a home: its last index, which may be unknown, and the first of the new one.
pub fn exchange_of(home: &Home, new: &str, on: &str, (last, first): (Option<&str>, &str)) -> ExchangeMeterRequest {
    ExchangeMeterRequest {
        request_id: key(),
        agreement_id: home.agreement.clone(),
        old_meter_no: home.meter_no.clone(),
        final_index: last.and_then(metres),
        new_meter_no: new.to_owned(),
        initial_index: metres(first),
        exchange_date: day(on),
        reason: "SWAP".to_owned(),
        photo_file: "photo".to_owned(),
        signed: true,
    }
}

pub fn meter_row(home: &Home, day: &str, index: &str) -> MeterRow {
    MeterRow {
        line: 1,
        meter_no: home.meter_no.clone(),
        account_no: home.account_no.clone(),
        kind: meter::Kind::Iot.into(),
        model: "G2.5".to_owned(),
        qmax: "4".to_owned(),
        digits: 5,
        installed_on: day.to_owned(),
        initial_index: index.to_owned(),
        ..Default::default()
    }
}

pub fn noon(on: &str) -> Instant {
    testbed::at(&format!("{on}T12:00:00+08:00"))
}

pub fn reading(home: &Home, on: &str, index: &str) -> RecordReadingRequest {
    RecordReadingRequest {
        request_id: key(),
        meter_no: home.meter_no.clone(),
        read_time: Some(wire::time(noon(on))),
        index: index.to_owned(),
        source: "reader".to_owned(),
        ..Default::default()
    }
}

pub fn reading_row(line: i32, home: &Home, on: &str, index: &str) -> ReadingRow {
    ReadingRow {
        line,
        meter_no: home.meter_no.clone(),
        read_at: format!("{on}T12:00:00+08:00"),
        index: index.to_owned(),
        source: "remote".to_owned(),
        ..Default::default()
    }
}

fn tiers(tiers: &[(Option<&str>, &str)]) -> Vec<Tier> {
    tiers
        .iter()
        .map(|(up_to, price)| Tier {
            up_to: up_to.and_then(metres),
            unit_price: metres(price),
            flat_price: None,
        })
        .collect()
}

pub fn class(name: &str, steps: &[(Option<&str>, &str)], low_income: tariff_class::LowIncome) -> TariffClass {
    TariffClass {
        use_class: name.to_owned(),
        tiers: tiers(steps),
        low_income: low_income.into(),
        ..Default::default()
    }
}

/// A household's meters share their tiers, at the prices of Shanghai.
pub fn sharing() -> TariffClass {
    TariffClass {
        meters_share_tiers: true,
        ..class(
            "living",
            &[(Some("310"), "3.00"), (Some("520"), "3.30"), (None, "4.20")],
            tariff_class::LowIncome::Unspecified,
        )
    }
}

/// The tariff of the city: tariffs/cn_tianjin_gas_2024.toml.
pub fn tianjin() -> PublishTariffRequest {
    use tariff_class::LowIncome::{AllAtTier1, Unspecified};
    PublishTariffRequest {
        request_id: key(),
        name: "Tianjin residents, piped natural gas".to_owned(),
        commodity: "natural_gas".to_owned(),
        from_date: day("2024-09-01"),
        until_date: None,
        legal_basis: "Tianjin notice in force on 2024-09-01".to_owned(),
        approved_by: "Tianjin Municipal Development and Reform Commission".to_owned(),
        published_date: day("2024-08-30"),
        tier_year_start_month: 1,
        tier_year_start_day: 1,
        boundary: tariff::Boundary::ReadingCycle.into(),
        currency_code: "CNY".to_owned(),
        classes: vec![
            class("living", &[(Some("300"), "2.86"), (Some("600"), "3.36"), (None, "4.11")], AllAtTier1),
            class(
                "independent heating",
                &[(Some("1500"), "2.76"), (Some("2500"), "3.36"), (None, "4.11")],
                AllAtTier1,
            ),
            class("non-resident at resident price", &[(None, "2.89")], Unspecified),
        ],
        // As a version is answered that names no way of passing to it.
        change: tariff::Change::DaySplit.into(),
        ..Default::default()
    }
}
