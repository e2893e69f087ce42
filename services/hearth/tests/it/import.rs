//! `hearth import`, as a person calls it, against `hearth up`.

mod published;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use rust_xlsxwriter::Workbook;

use crate::tool::{HEARTH, assert_told, start};

const REGISTER: &str = "\
户号,name,kind,id_number,phone,address,community_code,branch,use_class,household_persons,low_income,area_m2,supply_from
T0000001,王建国,个人,120103180808207147,19000000001,天津市河西区尖山街道红山里社区24号楼1单元2701室,120103009013,河西区,living,4,否,70.27,2024/12/31
T0000002,李婷彬,个人,120103185206055775,19000000002,天津市河西区天塔街道五一阳光社区27号楼3单元1204室,120103008025,河西区,independent heating,2,否,101.78,2024/12/31
T0000003,聂萍,个人,120103185206055770,19000000003,天津市和平区小白楼街道解放路社区5号楼1单元2402室,120101002010,和平区,living,3,是,118.94,2024/12/31
T0000004,苑璐阳,个人,12010118551211032X,19000000004,天津市和平区新兴街道新兴北里社区8号楼3单元501室,120101004003,和平区,living,maybe,否,63.28,2024/12/31
";

const METERS: &str = "\
meter_no,account_no,meter_kind,meter_model,qmax_m3h,digits,initial_index,installed_on
M1,T0000001,remote,G2.5,4,5,565000,2024-12-31
M2,T0000002,物联网,G4,6,5,5381500,2024-12-31
M3,T0000009,物联网,G4,6,5,0,2024-12-31
";

const READINGS: &str = "\
meter,read_at_local,register_l
M1,2025-03-01T20:19:50,601250
M1,2025-03-30T02:30:00,640000
M2,2025-10-26T02:30:00,5600000
M2,2025-02-28T12:00:00,5.5e+06
M2,2025-02-28T12:00:00
M2,2025-02-27 12:00,5441000
M9,2025-02-28T12:00:00,1000
";

const PROFILE: &str = r#"
name = "Trial city"
source = "供用气合同第七条"
effective_from = "2030-01-01"
branches = ["河西区", "和平区"]

[terms]
due_days = 15
late_fee_per_mille = "0.5"
late_fee_cap_percent = 100
reminder_days = [-3, 1]
demand_days = 30
waiting_days = 30
notice_days = 15
restore_hours = 24
"#;

/// The codes are the sample of GB 32100-2015 and the same with a wrong check character.
const TRADES: &str = "\
reference,date,company,credit_code,amount,quality_fault,reverses
T-1,2024-03-01,某燃气有限公司,91350100M000100Y43,1000.00,10.00,
T-2,2024/4/1,某燃气有限公司,91350100M000100Y43,-100,,T-1
T-3,2024-04-01,某燃气有限公司,91350100M000100Y43,\"1,000.00\",,
T-4,2024-04-01,某燃气有限公司,91350100M000100Y44,1,,
";

const TARIFF: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_tianjin_gas_2024.toml");

/// Line and reason of every refused row.
fn refused(path: &str) -> Vec<(String, String)> {
    let mut reader = csv::ReaderBuilder::new().flexible(true).from_path(Path::new(path)).unwrap();
    reader
        .records()
        .map(|row| row.unwrap())
        .map(|row| (row[0].to_owned(), row[1].to_owned()))
        .collect()
}

fn pairs(rows: &[(&str, &str)]) -> Vec<(String, String)> {
    rows.iter().map(|(line, reason)| ((*line).to_owned(), (*reason).to_owned())).collect()
}

#[test]
fn files_are_imported_twice_with_one_effect() {
    let suite = start();
    let (gb, _, _) = encoding_rs::GB18030.encode(REGISTER);
    let register = suite.file("register.csv", &gb);
    let columns = ["--columns", "account_no=户号"];

    assert_told(&suite.import("customers", &register, &columns), 1, &["--trial-template"]);
    let dry = suite.import("customers", &register, &["--columns", "account_no=户号", "--trial-template", "--dry-run"]);
    assert_told(&dry, 1, &["contract template"]);
    let first = suite.import("customers", &register, &["--columns", "account_no=户号", "--trial-template"]);
    assert_told(
        &first,
        0,
        &["rows read 4", "accepted 2", "already there 0", "refused 2", "register.csv.refused.csv"],
    );
    assert_eq!(refused(&format!("{register}.refused.csv")), pairs(&[("5", "NUMBER"), ("4", "ID_NUMBER")]));
    let again = suite.import("customers", &register, &columns);
    assert_told(&again, 0, &["accepted 0", "already there 2", "refused 2"]);

    // Put right where it was refused, and imported from there.
    let corrected = fs::read_to_string(format!("{register}.refused.csv"))
        .unwrap()
        .replace("120103185206055770", "120101181005076341")
        .replace("maybe", "3");
    let corrected = suite.file("corrected.csv", corrected.as_bytes());
    assert_told(&suite.import("customers", &corrected, &columns), 0, &["rows read 2", "accepted 2", "refused 0"]);

    let meters = suite.file("meters.csv", METERS.as_bytes());
    let other = suite.folder.path().join("other.csv").display().to_string();
    for accepted in ["accepted 2 already there 0", "accepted 0 already there 2"] {
        let output = suite.import("meters", &meters, &["--unit", "l", "--refused", &other]);
        assert_told(&output, 0, &["rows read 3", accepted, "refused 1", "ACCOUNT_UNKNOWN 1", "other.csv"]);
        assert_eq!(refused(&other), pairs(&[("4", "ACCOUNT_UNKNOWN")]));
    }

    let readings = suite.file("readings.csv", READINGS.as_bytes());
    let spanish = [
        "--columns",
        "meter_no=meter,read_at=read_at_local,index=register_l",
        "--unit",
        "l",
        "--time-zone",
        "Europe/Madrid",
    ];
    let dry = suite.import("readings", &readings, &[&spanish[..], &["--dry-run"]].concat());
    assert_told(&dry, 0, &["would be accepted 2", "dry run: nothing was kept"]);
    for accepted in ["accepted 2 already there 0", "accepted 0 already there 2"] {
        let output = suite.import("readings", &readings, &spanish);
        assert_told(&output, 0, &["rows read 7", accepted, "refused 5"]);
        let mut found = refused(&format!("{readings}.refused.csv"));
        found.sort();
        let reasons = [
            ("3", "LOCAL_TIME_SKIPPED"),
            ("4", "LOCAL_TIME_TWICE"),
            ("5", "INDEX_NOT_PLAIN_DIGITS"),
            ("6", "CELLS"),
            ("8", "METER_UNKNOWN"),
        ];
        assert_eq!(found, pairs(&reasons));
    }

    let tariff = TARIFF;
    assert_told(&suite.import("tariffs", tariff, &["--dry-run"]), 0, &["nothing was published"]);
    assert_told(&suite.import("tariffs", tariff, &[]), 0, &["published: Tianjin"]);
    assert_told(&suite.import("tariffs", tariff, &[]), 0, &["already there: Tianjin"]);
    // Heat: with the rule for the difference between area and meter, which no notice of gas has.
    let heat = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_tianjin_heat.toml");
    assert_told(
        &suite.import("tariffs", heat, &["--dry-run"]),
        0,
        &["resident, non-resident", "nothing was published"],
    );
    assert_told(
        &suite.import("tariffs", heat, &[]),
        0,
        &["published: Tianjin central districts, central heating"],
    );
    assert_told(&suite.import("tariffs", heat, &[]), 0, &["already there: Tianjin central"]);
    assert_told(&suite.import("tariffs", heat, &["--settlement", "capped"]), 1, &["the tariff is refused"]);
    assert_told(
        &suite.import("tariffs", tariff, &["--settlement", "capped"]),
        2,
        &["--settlement is for tariffs of heat"],
    );
}

/// What was told after the name of a version: its id.
fn id_of(output: &Output) -> String {
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    text.trim_end().rsplit_once('(').unwrap().1.trim_end_matches(')').to_owned()
}

#[test]
fn tariffs_follow_and_replace_each_other_and_stand_side_by_side_for_branches() {
    let suite = start();
    let text = fs::read_to_string(TARIFF).unwrap();
    let import = |text: &str, further: &[&str]| suite.import("tariffs", &suite.file("tariff.toml", text.as_bytes()), further);
    let first = import(&text, &[]);
    assert_told(&first, 0, &["published: Tianjin"]);
    let first = id_of(&first);
    // All that the file says makes the version, not its prices alone: this one is another, and stands in the way of none that is told as its successor.
    for changed in [
        text.replacen("half_up_0.01_once_per_bill", "floor_0.10_once_per_bill", 1),
        text.replacen("model = ", "tax_percent = \"9\"\nmodel = ", 1),
        text.replacen("model = ", "boundary = \"reading_cycle\"\nmodel = ", 1),
        text.replacen("model = ", "change = \"by_read_date\"\nmodel = ", 1),
        text.replacen("model = ", "late_use = { look_back_months = 24 }\nmodel = ", 1),
    ] {
        assert_told(
            &import(&changed, &[]),
            1,
            &["TARIFF_OVERLAP", &format!("in force: Tianjin residents, piped natural gas ({first})")],
        );
    }
    assert_told(&import(&text, &[]), 0, &["already there: Tianjin", &first]);
    let right = text.replacen("2.86", "2.87", 1);
    let replaced = import(&right, &["--replaces", &first]);
    assert_told(&replaced, 0, &["published: Tianjin"]);
    let right_id = id_of(&replaced);
    assert_told(&import(&right, &["--replaces", &first]), 0, &["already there: Tianjin", &right_id]);
    // The wrong one is known, though it counts no more; brought back in the place of the right one it is another.
    assert_told(&import(&text, &[]), 0, &["already there: Tianjin", &first]);
    let back = import(&text, &["--replaces", &right_id]);
    assert_told(&back, 0, &["published: Tianjin"]);
    let back = id_of(&back);
    assert_ne!(back, first);
    let next = right.replacen("2024-09-01", "2025-09-01", 1);
    for told in ["published: Tianjin", "already there: Tianjin"] {
        assert_told(&import(&next, &["--follows", &back]), 0, &[told]);
    }
    assert_told(&import(&next, &["--follows", &back, "--replaces", &back]), 2, &["cannot be used with"]);
    // A branch has its own besides.
    for (branch, told) in [("和平区", "published"), ("和平区", "already there"), ("南开区", "published")] {
        assert_told(&import(&text, &["--branch", branch]), 0, &[told]);
    }
    let heat = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_tianjin_heat.toml")).unwrap();
    assert_told(&import(&heat, &[]), 0, &["published"]);
    let taxed = heat.replacen("model = ", "tax_percent = \"9\"\nmodel = ", 1);
    assert_told(&import(&taxed, &[]), 1, &["TARIFF_OVERLAP", "in force"]);
    assert_told(&import(&taxed, &["--branch", "和平区"]), 0, &["published"]);
}

#[test]
fn a_file_that_cannot_be_used_is_told_apart_from_a_service_that_does_not_answer() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    assert!(Command::new(HEARTH).arg("keys").arg(&keys).output().unwrap().status.success());
    let run = |file: &Path, further: &[&str]| {
        Command::new(HEARTH)
            .args(["import", "readings"])
            .arg(file)
            .arg("--data")
            .arg(&keys)
            .args(["--address", "https://127.0.0.1:1"])
            .args(further)
            .output()
            .unwrap()
    };
    let file = folder.path().join("readings.csv");
    assert_told(&run(&file, &[]), 2, &["cannot be read"]);
    fs::write(&file, b"").unwrap();
    assert_told(&run(&file, &[]), 2, &["is empty"]);
    fs::write(&file, b"meter_no,read_at,index\n\xff\xff,2025-01-31,1\n").unwrap();
    assert_told(&run(&file, &[]), 2, &["UTF-8 or GB18030"]);
    fs::write(&file, "表号,read_at,index\nM1,2025-01-31,1\n").unwrap();
    assert_told(&run(&file, &[]), 2, &["no column for meter_no", "表号, read_at, index"]);
    assert_told(
        &run(&file, &["--columns", "meter=表号"]),
        2,
        &["there is no field meter; the fields are meter_no, read_at, index, source"],
    );
    assert_told(&run(&file, &["--columns", "meter_no=表号"]), 1, &["does not answer"]);
}

/// What another system leaves behind, and what a bank sends: every kind twice, as text and as a workbook.
#[test]
fn opening_state_payments_profiles_and_trades_are_imported_twice_with_one_effect() {
    let suite = start();
    let register: Vec<_> = REGISTER.lines().take(3).collect();
    let register = suite.file("register.csv", register.join("\n").as_bytes());
    let customers = suite.import("customers", &register, &["--columns", "account_no=户号", "--trial-template"]);
    assert_told(&customers, 0, &["accepted 2"]);
    assert_told(&suite.import("tariffs", TARIFF, &[]), 0, &["published"]);
    let meters = suite.file("meters.csv", METERS.as_bytes());
    assert_told(&suite.import("meters", &meters, &["--unit", "l"]), 0, &["accepted 2"]);

    // The second row owes two bills, the third is wrong in one of them.
    let opening = "account_no,as_of,meter_no,index,year_volume,prepayment,open_items\n\
                   T0000001,2024-12-31,M1,565,350,20.00,\n\
                   T0000002,2024-12-31,M2,5381.5,,,BL-11 2024-12-15 131.56; BL-12 2025-01-15 60\n\
                   T0000001,2024-12-31,M1,565,350,20.00,BL-12 60\n";
    let opening = suite.file("opening.csv", opening.as_bytes());
    assert_told(
        &suite.import("opening", &opening, &["--dry-run"]),
        0,
        &["would be accepted 2", "nothing was kept"],
    );
    for accepted in ["accepted 2 already there 0", "accepted 0 already there 2"] {
        assert_told(
            &suite.import("opening", &opening, &[]),
            0,
            &["rows read 3", accepted, "refused 1", "OPEN_ITEM 1"],
        );
    }

    // A workbook as a bank sends it: a number for an amount, a date for a day, a line that is empty.
    let mut book = Workbook::new();
    let sheet = book.add_worksheet();
    for (column, name) in (0..).zip(["account_no", "amount", "reference", "paid_on"]) {
        sheet.write_string(0, column, name).unwrap();
    }
    for (row, account, amount, reference) in [(1, "T0000002", 131.56, "B-1"), (3, "T0000009", 10.0, "B-2")] {
        sheet.write_string(row, 0, account).unwrap();
        sheet.write_number(row, 1, amount).unwrap();
        sheet.write_string(row, 2, reference).unwrap();
        let day = rust_xlsxwriter::ExcelDateTime::from_ymd(2025, 1, 20).unwrap();
        let form = rust_xlsxwriter::Format::new().set_num_format("yyyy-mm-dd");
        sheet.write_datetime_with_format(row, 3, &day, &form).unwrap();
    }
    let payments = suite.file("payments.xlsx", &book.save_to_buffer().unwrap());
    for accepted in ["accepted 1 already there 0", "accepted 0 already there 1"] {
        assert_told(&suite.import("payments", &payments, &[]), 0, &["rows read 2", accepted, "ACCOUNT_UNKNOWN 1"]);
        assert_eq!(refused(&format!("{payments}.refused.csv")), pairs(&[("4", "ACCOUNT_UNKNOWN")]));
    }
    assert_told(
        &suite.import("payments", &payments, &["--sheet", "May"]),
        2,
        &["no sheet May; its sheets are Sheet1"],
    );

    let profile = suite.file("profile.toml", PROFILE.as_bytes());
    assert_told(&suite.import("profiles", &profile, &["--dry-run"]), 0, &["nothing was published"]);
    assert_told(
        &suite.import("profiles", &profile, &[]),
        0,
        &["published: Trial city: 河西区 published: Trial city: 和平区"],
    );
    assert_told(
        &suite.import("profiles", &profile, &[]),
        0,
        &["already there: Trial city: 河西区 already there: Trial city: 和平区"],
    );

    let trades = suite.file("trades.csv", TRADES.as_bytes());
    for accepted in ["accepted 2 already there 0", "accepted 0 already there 2"] {
        assert_told(
            &suite.import("trades", &trades, &[]),
            0,
            &["rows read 4", accepted, "AMOUNT 1", "USCC_INVALID 1"],
        );
    }
}
