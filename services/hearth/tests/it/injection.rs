//! S12: texts that would do harm if anybody ran them are data: kept as they are or refused, and nothing else changes. On both engines.

use std::collections::BTreeMap;

use contracts::hearth::{
    archive::v1::{RegisterPersonRequest, RegisterPremisesRequest, party_service_client::PartyServiceClient, premises_service_client::PremisesServiceClient},
    billing::v1::{RegisterMeterRequest, meter, meter_service_client::MeterServiceClient},
    hall::v1::{Employer, Post, RegisterStaffRequest, staff_service_client::StaffServiceClient},
    options::v1::Role,
    r#type::v1::{Date, Decimal},
    vendor::v1::{RegisterVendorRequest, VendorKind, vendor_service_client::VendorServiceClient},
};
use database::Engine;
use sea_orm::{ConnectionTrait, Statement};
use testbed::{Bed, each, key, reason};
use tonic::{Code, Status};

use crate::fill::{BRANCH, credit_code, identity};

/// Texts that are data like any other.
pub const DATA: [&str; 27] = [
    "'; DROP TABLE party;--",
    "\" OR 1=1",
    "' OR '1'='1",
    "1; DELETE FROM journal",
    "') UNION SELECT sql FROM x--",
    "'; SELECT pg_sleep(9);--",
    "$1",
    "$$; DROP TABLE vendor $$",
    "?1 ?2 :name @p",
    "E'\\x27'",
    "/* */ -- #",
    "%",
    "_",
    "[a-z]*",
    "\\",
    "\\%\\_",
    "\\x00\\u0000",
    "=cmd|'/C calc'!A0",
    "+1+1",
    "-2+3",
    "@SUM(A1)",
    "<script>alert(1)</script>",
    "{{7*7}} ${7*7} #{7*7}",
    "../../etc/passwd",
    "%00%0a%2e%2e",
    "$(reboot) `id` | cat",
    "𠮷𪚥·阿依古丽",
];

/// Texts with a character that no line of text has a use for.
const REFUSED: [&str; 13] = [
    "\0",
    "a\0b",
    "\u{1b}[31mred",
    "\u{1b}]0;title\u{7}",
    "\r\nadmin logged in",
    "line\nline",
    "\u{8}\u{7f}",
    "\u{202e}gpj.exe",
    "\u{2066}x\u{2069}",
    "a\u{200b}b",
    "a\u{200d}b",
    "a\u{2028}b",
    "\u{feff}x",
];

/// Each text in five places: alone, at the end, at the start, within, and after one that does no harm.
fn everywhere(harm: &str) -> [String; 5] {
    [
        harm.to_owned(),
        format!("王{harm}"),
        format!("{harm}建国"),
        format!("河{harm}西"),
        format!("O'Neil {harm}"),
    ]
}

/// Columns that keep a text of a caller, with a service that has the table.
const KEPT: [(&str, &str, &str); 5] = [
    ("archive", "party", "name"),
    ("archive", "premises", "address"),
    ("hall", "staff", "name"),
    ("billing", "meter", "manufacturer"),
    ("vendor", "vendor", "name"),
];

/// Makes a row of a table with the text in it; gives its id.
async fn write(bed: &Bed, table: &str, n: u64, text: String) -> Result<String, Status> {
    let (request_id, branch) = (key(), BRANCH.to_owned());
    match table {
        "party" => {
            let request = RegisterPersonRequest {
                request_id,
                name: text,
                id_number: identity(n),
                phone: format!("190{n:08}"),
                branch,
                ..Default::default()
            };
            let answer = PartyServiceClient::new(bed.staff_named("clerk", &[Role::Agent]))
                .register_person(request)
                .await?;
            Ok(answer.into_inner().party.unwrap().party_id)
        }
        "premises" => {
            let request = RegisterPremisesRequest {
                request_id,
                address: text,
                branch,
                ..Default::default()
            };
            let answer = PremisesServiceClient::new(bed.staff_named("clerk", &[Role::Agent]))
                .register_premises(request)
                .await?;
            Ok(answer.into_inner().premises.unwrap().premises_id)
        }
        "staff" => {
            let request = RegisterStaffRequest {
                request_id,
                name: text,
                posts: vec![Post::Opener.into()],
                badge_no: format!("B-{n}"),
                login: format!("login-{n}"),
                employer: Employer::Own.into(),
                branch,
                ..Default::default()
            };
            let answer = StaffServiceClient::new(bed.staff_named("clerk", &[Role::Personnel]))
                .register_staff(request)
                .await?;
            Ok(answer.into_inner().staff.unwrap().staff_id)
        }
        "meter" => {
            let day = |year| Some(Date { year, month: 1, day: 2 });
            let request = RegisterMeterRequest {
                request_id,
                meter_no: format!("M{n}"),
                kind: meter::Kind::Mechanical.into(),
                manufacturer: text,
                qmax: Some(Decimal { value: "4".to_owned() }),
                digits: 5,
                verified_date: day(2024),
                expires_date: day(2034),
                branch,
                ..Default::default()
            };
            let answer = MeterServiceClient::new(bed.staff_named("clerk", &[Role::IcCardAdmin]))
                .register_meter(request)
                .await?;
            Ok(answer.into_inner().meter.unwrap().meter_id)
        }
        _ => {
            let request = RegisterVendorRequest {
                request_id,
                uscc: credit_code(n),
                name: text,
                kinds: vec![VendorKind::ServiceFirm.into()],
            };
            let answer = VendorServiceClient::new(bed.staff_named("clerk", &[Role::ItDepartment]))
                .register_vendor(request)
                .await?;
            Ok(answer.into_inner().vendor.unwrap().vendor_id)
        }
    }
}

async fn texts(bed: &Bed, sql: String) -> Vec<String> {
    let db = bed.db();
    let statement = Statement::from_string(db.reader().get_database_backend(), sql);
    let rows = db.reader().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

/// How many rows each table has.
async fn counts(bed: &Bed) -> BTreeMap<String, i64> {
    let tables = match bed.engine() {
        Engine::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
        Engine::Postgres => "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public'",
    };
    let mut counts = BTreeMap::new();
    for table in texts(bed, tables.to_owned()).await {
        let db = bed.db();
        let sql = format!("SELECT count(*) FROM \"{table}\"");
        let row = db.reader().query_one_raw(Statement::from_string(db.reader().get_database_backend(), sql)).await;
        counts.insert(table, row.unwrap().unwrap().try_get_by_index(0).unwrap());
    }
    counts
}

async fn harmless(service: boot::Service) {
    each(service, async |bed| {
        for (_, table, column) in KEPT.iter().filter(|(name, ..)| *name == service.name) {
            let before = counts(bed).await;
            let mut n = 0;
            let mut kept = BTreeMap::new();
            for (harm, good) in DATA.iter().map(|t| (t, true)).chain(REFUSED.iter().map(|t| (t, false))) {
                for text in everywhere(harm) {
                    n += 1;
                    match write(bed, table, n, text.clone()).await {
                        Ok(id) if good => {
                            kept.insert(id, text);
                        }
                        Err(status) if !good => {
                            assert_eq!(
                                (status.code(), reason(&status).as_str()),
                                (Code::InvalidArgument, "REQUEST_INVALID"),
                                "{table} {text:?}"
                            );
                        }
                        other => panic!("{table} {text:?}: {other:?}"),
                    }
                }
            }
            assert_eq!((n, kept.len()), (200, 135));
            for (id, text) in &kept {
                let id = match bed.engine() {
                    Engine::Sqlite => format!("x'{}'", id.replace('-', "")),
                    Engine::Postgres => format!("'{id}'"),
                };
                let stored = texts(bed, format!("SELECT \"{column}\" FROM \"{table}\" WHERE id = {id}")).await;
                assert_eq!(stored, std::slice::from_ref(text), "{table}");
            }
            // One row for each that was taken, and no table that lost one or grew by more.
            for (name, count) in counts(bed).await {
                let grown = count - before[&name];
                let most = if name == *table { 135..=135 } else { 0..=135 };
                assert!(most.contains(&grown), "{name} has {grown} rows more after {table}");
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_s12_two_hundred_harmful_texts_are_data_in_archive() {
    harmless(archive::SERVICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_s12_two_hundred_harmful_texts_are_data_in_hall() {
    harmless(hall::SERVICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_s12_two_hundred_harmful_texts_are_data_in_billing() {
    harmless(billing::SERVICE).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_s12_two_hundred_harmful_texts_are_data_in_vendor() {
    harmless(vendor::SERVICE).await;
}
