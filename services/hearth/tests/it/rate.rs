//! `hearth rate`: the worked bills of domain.md 11.1, priced from the command line.

use std::{
    fs,
    process::{Command, Output},
};

use crate::tool::{HEARTH, assert_told, told};

const TIANJIN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/data/cn_tianjin_gas_2024.toml");

/// A tariff file of the rating crate.
fn file(name: &str) -> String {
    format!("{}/../billing/rating/tests/data/tariffs/{name}.toml", env!("CARGO_MANIFEST_DIR"))
}

fn rate(tariff: &str, class: &str, further: &[&str]) -> Output {
    Command::new(HEARTH).args(["rate", tariff, "--class", class]).args(further).output().unwrap()
}

#[test]
fn p_11_1_worked_bills() {
    let (beijing, shanghai, taian) = (file("cn_beijing_gas_2024"), file("cn_shanghai_gas_2014"), file("cn_taian_gas_2024"));
    let cases: [(&str, &str, &[&str], &str); 20] = [
        (&beijing, "general living", &["350"], "913.50"),
        (&beijing, "general living", &["351"], "916.33"),
        (&beijing, "general living", &["500"], "1338.00"),
        (&beijing, "general living", &["620"], "1845.60"),
        (&beijing, "general living", &["620", "--household", "6"], "1644.60"),
        (&beijing, "wall-hung boiler heating", &["2000"], "5330.00"),
        (&beijing, "wall-hung boiler heating", &["2600"], "7168.00"),
        (TIANJIN, "living", &["350"], "1026.00"),
        (TIANJIN, "living", &["650"], "2071.50"),
        (TIANJIN, "living", &["650", "--low-income"], "1859.00"),
        (TIANJIN, "independent heating", &["2000"], "5820.00"),
        (&shanghai, "living", &["600"], "1959.00"),
        (&shanghai, "living", &["600", "--household", "5"], "1842.00"),
        (&shanghai, "living", &["552", "--household", "7"], "1683.60"),
        (&shanghai, "living", &["552", "--household", "7", "--flat-price"], "1683.60"),
        (&shanghai, "living", &["600", "--household", "7", "--flat-price"], "1830.00"),
        (&taian, "living", &["400"], "1309.20"),
        (&taian, "living", &["400", "--low-income"], "1276.00"),
        // 1309.20 without what is given free: 12 × 6 × 2.97 = 213.84.
        (&taian, "living", &["400", "--low-income=destitute", "--free-months", "12"], "1095.36"),
        (&taian, "boiler heating", &["1000"], "3080.00"),
    ];
    for (tariff, class, further, total) in cases {
        assert_told(&rate(tariff, class, further), 0, &[&format!("{total} total, rounded once")]);
    }
}

#[test]
fn every_line_has_its_tier_its_formula_and_its_reason() {
    assert_told(
        &rate(TIANJIN, "living", &["650", "33.333"]),
        0,
        &[
            "Tianjin residents, piped natural gas, in force from 2024-09-01",
            "class living",
            "650 m³ 1 300 2.86 300 × 2.86 = 858",
            "858.00 TIER: m³ 0 to 300 of tier year 2024",
            "1008.00 TIER: m³ 300 to 600 of tier year 2024",
            "3 50 4.11 50 × 4.11 = 205.5",
            // 95.33238 exactly.
            "33.333 × 2.86 = 95.33238 95.33",
            "2 bills, 683.333 m³, ¥ 2,166.83",
        ],
    );
    let household = rate(&file("cn_beijing_gas_2024"), "general living", &["620", "--household", "6"]);
    assert_told(&household, 0, &["HOUSEHOLD_TIER: m³ 0 to 500 of tier year 2024, bounds raised for 6 persons"]);
    let low_income = rate(TIANJIN, "living", &["650", "--low-income"]);
    assert_told(&low_income, 0, &["LOW_INCOME: m³ 600 to 650 of tier year 2024, at the price for low income"]);
}

#[test]
fn p_11_1_six_bimonthly_reads_go_on_from_each_other() {
    let volumes = ["60", "70", "80", "90", "100", "120"];
    let totals = ["156.60", "182.70", "208.80", "234.90", "272.00", "367.60", "6 bills, 520 m³, ¥ 1,422.60"];
    let beijing = file("cn_beijing_gas_2024");
    assert_told(&rate(&beijing, "general living", &[&volumes[..], &["--in-turn"]].concat()), 0, &totals);

    // The same from a file, in any order, beside another account and rows that cannot be priced.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volumes.csv");
    let mut text = "户号,from,to,volume,household\nB,2025-01-01,2025-12-31,620,6\n".to_owned();
    for (month, volume) in volumes.iter().enumerate().rev() {
        let next = if month == 5 {
            "2025-12-31".to_owned()
        } else {
            format!("2025-{:02}-01", 2 * month + 3)
        };
        text.push_str(&format!("A,2025-{:02}-01,{next},{volume},\n", 2 * month + 1));
    }
    text.push_str("C,2025-02-01,2025-01-01,1,\nC,2025-01-01,2025-02-01,1.2345,\n");
    fs::write(&path, text).unwrap();
    let output = rate(&beijing, "general living", &["--columns", "account=户号", "--file", path.to_str().unwrap()]);
    let bills = [
        &totals[..6],
        &[
            "A 2025-09-01 to 2025-11-01 1 50 2.61",
            "1644.60 total",
            "7 bills, 1140 m³, ¥ 3,067.20",
            "line 9 is not priced: the days of the period are out of order",
            "line 10 is not priced: volume: more places than are kept",
        ],
    ];
    assert_told(&output, 1, &bills.concat());
}

#[test]
fn a_period_across_the_end_of_a_tier_year_is_shared_as_the_tariff_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("volumes.csv");
    // 62 days, of which 31 each lie in 2024 and in 2025.
    fs::write(&path, "account,from,to,volume\nA,2024-01-01,2024-11-30,300\nA,2024-11-30,2025-01-31,100\n").unwrap();
    let output = rate(TIANJIN, "living", &["--file", path.to_str().unwrap()]);
    // Tianjin shares by days: 50 m³ on from 300, and 50 m³ from 0.
    assert_told(
        &output,
        0,
        &[
            "168.00 TIER: m³ 300 to 350 of tier year 2024",
            "143.00 TIER: m³ 0 to 50 of tier year 2025",
            "311.00 total",
        ],
    );
}

#[test]
fn p_11_2_heat_by_area_and_by_meter() {
    let (tianjin, beijing) = (file("cn_tianjin_heat"), file("cn_beijing_heat"));
    assert_told(
        &rate(&tianjin, "resident", &["--area", "100", "--kwh", "8100"]),
        0,
        &["by area 2500.00", "by meter 1803.00", "charged 1803.00, refund 697.00"],
    );
    assert_told(
        &rate(&tianjin, "resident", &["--area", "100", "--kwh", "13462"]),
        0,
        &["charged 2500.06, supplement 0.06"],
    );
    assert_told(
        &rate(&beijing, "resident, city network", &["--area", "80.5", "--height", "5.0", "--explain"]),
        0,
        &["by area 2173.50", "a1 mul area 24 = 1932", "total round half_up 0.01 sum 1 8 = 2173.5"],
    );
    assert_told(&rate(TIANJIN, "living", &["--area", "1"]), 2, &["is no tariff of heat"]);
    assert_told(
        &rate(&beijing, "non-resident, other districts", &["--area", "1", "--kwh", "1"]),
        2,
        &["no price for metered settlement"],
    );
    // A notice that prices GJ: 100 × 7.50 + 10 × 44.45; nothing is converted.
    let folder = tempfile::tempdir().unwrap();
    let gj = folder.path().join("gj.toml");
    let text = fs::read_to_string(&tianjin).unwrap();
    fs::write(&gj, text.replacen("metered_per_kwh = \"0.13\"", "metered_per_gj = \"44.45\"", 1)).unwrap();
    let by_gj = |further: &[&str]| rate(gj.to_str().unwrap(), "resident", &[&["--area", "100"], further].concat());
    assert_told(&by_gj(&["--gj", "10"]), 0, &["by meter 1194.50"]);
    assert_told(&by_gj(&["--kwh", "8100"]), 2, &["neither is converted", "give --gj"]);
    assert_told(&rate(&tianjin, "resident", &["--area", "100", "--gj", "10"]), 2, &["give --kwh"]);
    assert_told(&by_gj(&["--gj", "10", "--kwh", "8100"]), 2, &["cannot be used with"]);
}

#[test]
fn edge_30_a_later_version_takes_over_on_its_day() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let version = |from: &str, tiers: &str| {
        let text = fs::read_to_string(file("cn_taian_gas_2024")).unwrap();
        let (head, _) = text.split_once("[[class]]").unwrap();
        let head = head.replace("2025-02-14", from);
        format!("{head}[[class]]\nname = \"living\"\ntiers = {tiers}\n")
    };
    let old = version(
        "2019-01-01",
        r#"[{ up_to = "240", price = "2.76" }, { up_to = "360", price = "3.31" }, { price = "4.14" }]"#,
    );
    let new = version(
        "2024-10-01",
        r#"[{ up_to = "240", price = "2.97" }, { up_to = "360", price = "3.52" }, { price = "4.35" }]"#,
    );
    let (old, new) = (path("old.toml", &old), path("new.toml", &new));
    let volumes = path("volumes.csv", "account,from,to,volume\nA,2024-09-10,2024-10-10,30\n");
    let output = rate(&old, "living", &["--then", &new, "--file", &volumes, "--explain"]);
    assert_told(
        &output,
        0,
        &["84.90 total", "v1 parts 1 m1.used 20 10 = 20 10", "total round half_up 0.01 sum = 84.9"],
    );
    assert_told(
        &rate(&new, "living", &["--then", &old, "--file", &volumes]),
        2,
        &["does not begin after the version before it"],
    );
}

#[test]
fn what_cannot_be_priced_is_told_in_one_sentence() {
    let classes = "living, independent heating, non-resident at resident price";
    assert_told(&rate(TIANJIN, "livng", &["1"]), 2, &["has no class livng; its classes are ", classes]);
    let nameless = Command::new(HEARTH).args(["rate", TIANJIN, "1"]).output().unwrap();
    assert_told(&nameless, 2, &["name a class with --class; the classes of ", classes]);
    assert_told(&rate(&file("cn_tianjin_heat"), "residents", &["1"]), 2, &["heat is priced by area and energy"]);
    assert_told(&rate("nowhere.toml", "living", &["1"]), 2, &["nowhere.toml cannot be read"]);
    // One line of the file, in one line.
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tariff.toml");
    fs::write(&path, "name = \"a\"\ncommodity = \"natural_gas\"\nprice = 1\n").unwrap();
    let output = rate(path.to_str().unwrap(), "living", &["1"]);
    assert_told(&output, 2, &["tariff.toml: line 3: unknown field `price`, expected one of `name`"]);
    assert_eq!(String::from_utf8_lossy(&output.stderr).lines().count(), 1);
    assert_told(&rate(TIANJIN, "living", &["1e3"]), 2, &["not a plain decimal number"]);
    assert_told(&rate(TIANJIN, "living", &["1", "--flat-price"]), 2, &["does not offer the flat price"]);
    let (text, code) = told(&rate(TIANJIN, "living", &[]));
    assert!(code == Some(2) && text.contains("VOLUME"), "{text}");
}
