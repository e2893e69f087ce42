//! What the clients work on: homes with meters, and a vendor.

use std::time::Duration;

use bytes::Bytes;
use calendar::Instant;
use contracts::hearth::{
    archive::v1::{
        Clause, CustomerRow, ImportCustomersRequest, ImportCustomersResponse, ListAccountsRequest, ListAccountsResponse, PublishTemplateRequest, Service, party,
    },
    billing::v1::{ImportMetersRequest, ImportMetersResponse, MeterRow, PublishTariffRequest, Tier, meter, tariff, tariff_class},
    options::v1::Role,
    r#type::v1::{Date, Decimal},
    vendor::v1::{RegisterVendorRequest, RegisterVendorResponse, VendorKind},
};
use prost::Message;

use crate::{
    check,
    client::Who,
    history::{Meaning, Op},
    seed::Seed,
    site::Site,
};

pub const BRANCH: &str = "河西区";

/// A home with an account, an agreement and a meter.
#[derive(Clone, Debug)]
pub struct Home {
    pub account: String,
    pub account_no: String,
    pub party: String,
    pub meter_no: String,
}

/// Homes and a vendor.
pub struct City {
    pub homes: Vec<Home>,
    pub vendor: String,
}

/// A write of anybody, by the name of its method.
pub fn op(seed: &mut Seed, who: &Who, method: &'static str, meaning: Meaning, message: impl FnOnce(String) -> Vec<u8>) -> Op {
    let id = seed.key();
    Op {
        message: Bytes::from(message(id.clone())),
        id,
        who: who.clone(),
        service: service_of(method),
        method,
        meaning,
    }
}

fn service_of(method: &str) -> &'static str {
    let name = method.split('.').nth(1).unwrap();
    crate::SERVICES.iter().find(|s| s.name == name).unwrap().name
}

/// A row of the register.
pub fn customer(n: usize) -> CustomerRow {
    CustomerRow {
        line: n as i64,
        account_no: format!("L{n:07}"),
        name: format!("王建国{n}"),
        kind: party::Kind::Person.into(),
        id_number: testbed::id_number(&format!("120103{:04}0101{:03}", 1950 + n / 1000, n % 1000)),
        phone: format!("138{n:08}"),
        address: format!("天津市河西区红山里{n}号楼"),
        branch: BRANCH.to_owned(),
        use_class: "living".to_owned(),
        supply_from_date: date("2024-12-31"),
        ..CustomerRow::default()
    }
}

pub fn date(text: &str) -> Option<Date> {
    Some(rpc::wire::date(text.parse().unwrap()))
}

pub fn decimal(text: &str) -> Option<Decimal> {
    Some(Decimal { value: text.to_owned() })
}

pub fn moment(micros: i64) -> Instant {
    Instant::from_micros(micros)
}

impl City {
    /// Files homes, their meters and a vendor; the writes stand in the history as any other.
    pub async fn file(site: &Site, seed: &mut Seed, homes: usize) -> Self {
        let archivist = Who::staff("archivist", &[Role::Archivist]);
        let template = op(
            seed,
            &archivist,
            "hearth.archive.v1.TemplateService/PublishTemplate",
            Meaning::Other,
            |request_id| {
                PublishTemplateRequest {
                    request_id,
                    code: "RESIDENT_GAS".to_owned(),
                    version: 1,
                    title: "居民供用气合同".to_owned(),
                    service: Service::Gas.into(),
                    effective_date: date("2020-01-01"),
                    clauses: vec![Clause {
                        clause_no: "1".to_owned(),
                        title: "用气地址、用途".to_owned(),
                        text: "供气人按约定供应管道天然气。".to_owned(),
                        flagged: false,
                    }],
                    ..PublishTemplateRequest::default()
                }
                .encode_to_vec()
            },
        );
        write(site, template).await;
        for first in (0..homes).step_by(500) {
            let rows: Vec<_> = (first..homes.min(first + 500)).map(customer).collect();
            let accounts = rows.iter().map(|r| r.account_no.clone()).collect();
            let count = rows.len();
            let answer = write(site, customers(seed, &archivist, rows, accounts)).await;
            let answer = ImportCustomersResponse::decode(answer).unwrap();
            assert_eq!(answer.accepted as usize, count, "{answer:?}");
        }
        let vendor = op(
            seed,
            &Who::staff("it", &[Role::ItDepartment]),
            "hearth.vendor.v1.VendorService/RegisterVendor",
            Meaning::Other,
            |request_id| {
                RegisterVendorRequest {
                    request_id,
                    // A number that is printed in GB 32100-2015 as its sample.
                    uscc: "91350100M000100Y43".to_owned(),
                    name: "某维修有限公司".to_owned(),
                    kinds: vec![VendorKind::ServiceFirm.into()],
                }
                .encode_to_vec()
            },
        );
        let vendor = RegisterVendorResponse::decode(write(site, vendor).await).unwrap().vendor.unwrap().vendor_id;
        check::settled(site, Duration::from_secs(120)).await;
        let mut filed = vec![];
        // Only those that somebody works with are looked up.
        for n in 0..homes.min(64) {
            let list = ListAccountsRequest {
                account_no: customer(n).account_no,
                ..ListAccountsRequest::default()
            };
            let found: ListAccountsResponse = site
                .client
                .ask(
                    &site.address("archive"),
                    &Who::auditor(),
                    "hearth.archive.v1.AccountService/ListAccounts",
                    &list,
                )
                .await
                .unwrap();
            let account = found.accounts.into_iter().next().unwrap();
            filed.push(Home {
                account: account.account_id,
                meter_no: format!("M-{}", account.account_no),
                account_no: account.account_no,
                party: account.party_id,
            });
        }
        let operator = Who::staff("operator", &[Role::Operator]);
        for first in (0..homes).step_by(500) {
            let rows: Vec<_> = (first..homes.min(first + 500)).map(meter_row).collect();
            let count = rows.len();
            let meters = op(seed, &operator, "hearth.billing.v1.MeterService/ImportMeters", Meaning::Other, |request_id| {
                ImportMetersRequest {
                    request_id,
                    dry_run: false,
                    rows,
                }
                .encode_to_vec()
            });
            let answer = ImportMetersResponse::decode(write(site, meters).await).unwrap();
            assert_eq!(answer.accepted as usize, count, "{answer:?}");
        }
        Self { homes: filed, vendor }
    }
}

fn meter_row(n: usize) -> MeterRow {
    let account_no = customer(n).account_no;
    MeterRow {
        line: n as i32,
        meter_no: format!("M-{account_no}"),
        account_no,
        kind: meter::Kind::Iot.into(),
        model: "G2.5".to_owned(),
        qmax: "4".to_owned(),
        digits: 5,
        installed_on: "2024-12-31".to_owned(),
        initial_index: "0".to_owned(),
        ..Default::default()
    }
}

/// Customers to take over in one chunk.
pub fn customers(seed: &mut Seed, who: &Who, rows: Vec<CustomerRow>, accounts: Vec<String>) -> Op {
    op(
        seed,
        who,
        "hearth.archive.v1.IntakeService/ImportCustomers",
        Meaning::Customers { accounts },
        |request_id| {
            ImportCustomersRequest {
                request_id,
                rows,
                ..ImportCustomersRequest::default()
            }
            .encode_to_vec()
        },
    )
}

/// A tariff with one price.
pub fn tariff(seed: &mut Seed) -> Op {
    op(
        seed,
        &Who::staff("accountant", &[Role::Accountant]),
        "hearth.billing.v1.TariffService/PublishTariff",
        Meaning::Other,
        |request_id| {
            PublishTariffRequest {
                request_id,
                name: "piped natural gas".to_owned(),
                commodity: "natural_gas".to_owned(),
                from_date: date("2024-09-01"),
                legal_basis: "notice in force on 2024-09-01".to_owned(),
                approved_by: "the city's commission".to_owned(),
                published_date: date("2024-08-30"),
                tier_year_start_month: 1,
                tier_year_start_day: 1,
                boundary: tariff::Boundary::ReadingCycle.into(),
                currency_code: "CNY".to_owned(),
                classes: vec![contracts::hearth::billing::v1::TariffClass {
                    use_class: "living".to_owned(),
                    tiers: vec![
                        Tier {
                            up_to: decimal("300"),
                            unit_price: decimal("2.86"),
                            flat_price: None,
                        },
                        Tier {
                            up_to: None,
                            unit_price: decimal("3.36"),
                            flat_price: None,
                        },
                    ],
                    low_income: tariff_class::LowIncome::AllAtTier1.into(),
                    ..Default::default()
                }],
                ..PublishTariffRequest::default()
            }
            .encode_to_vec()
        },
    )
}

/// A write that nothing may stand against.
pub async fn write(site: &Site, op: Op) -> Bytes {
    let method = op.method;
    site.history
        .settle(site, &site.client, op)
        .await
        .unwrap_or_else(|why| panic!("{method}: {why}"))
}
