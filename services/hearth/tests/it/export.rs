//! `hearth export`: what was imported comes out again, masked where it is a person's, and safe for a spreadsheet.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use calamine::{Data, Reader, Xlsx, open_workbook};

use crate::tool::{assert_told, filed, hearth};

/// Rows of a file by column.
fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(path).unwrap();
    let mut reader = csv::Reader::from_reader(text.strip_prefix('\u{feff}').unwrap().as_bytes());
    reader.deserialize().map(Result::unwrap).collect()
}

const REGISTER: &str = "\
account_no,name,kind,id_number,phone,address,community_code,branch,use_class,household_persons,low_income,area_m2,supply_from
T0000001,王建国,个人,120103180808207147,19000000001,天津市河西区尖山街道红山里社区24号楼1单元2701室,120103009013,=河西区,living,4,否,70.27,2024/12/31
T0000002,李婷彬,个人,120103185206055775,19000000002,天津市河西区天塔街道五一阳光社区27号楼3单元1204室,120103008025,=河西区,independent heating,2,否,101.78,2024/12/31
";

const METERS: &str = "\
meter_no,account_no,meter_kind,meter_model,qmax_m3h,digits,initial_index,installed_on
M1,T0000001,remote,G2.5,4,5,565,2024-12-31
M2,T0000002,物联网,G4,6,5,5381.5,2024-12-31
";

const OPENING: &str = "\
account_no,as_of,meter_no,index,open_items
T0000001,2024-12-31,M1,565,BL-12 2025-01-15 60
";

#[test]
fn what_the_services_hold_comes_out_as_text_and_as_a_workbook() {
    let suite = filed(REGISTER, METERS);
    let opening = suite.file("opening.csv", OPENING.as_bytes());
    assert_told(&suite.import("opening", &opening, &[]), 0, &["accepted 1"]);
    let readings = suite.file("readings.csv", b"meter_no,read_at,index\nM1,2025-01-31,601.25\nM2,2025-01-31,5400\n");
    assert_told(&suite.import("readings", &readings, &[]), 0, &["accepted 2"]);
    let payments = suite.file(
        "payments.csv",
        b"account_no,amount,reference,paid_at\nT0000001,100,+1,2025-01-20\nT0000001,50,B-2,2025-01-21\n",
    );
    assert_told(&suite.import("payments", &payments, &[]), 0, &["accepted 2"]);

    let path = |name: &str| suite.folder.path().join(name);
    let export = |what: &str| {
        let path = path(&format!("{what}.csv"));
        assert_told(&suite.export(what, &path), 0, &[&format!("of {what} in")]);
        rows(&path)
    };
    let customers = export("customers");
    assert_eq!(customers.len(), 2);
    let first = &customers[0];
    assert_eq!(
        [
            &first["account_no"],
            &first["name"],
            &first["phone"],
            &first["use_class"],
            &first["supply_from"],
            &first["area_m2"]
        ],
        ["T0000001", "王**", "190****0001", "living", "2024-12-31", "70.27"]
    );
    assert!(!first["address"].contains("2701") && !first["id_number"].contains("18080820"), "{first:?}");
    assert_eq!(first["branch"], "'=河西区", "a formula is defused");

    // What was taken over counts as a reading too.
    let readings: Vec<_> = export("readings").into_iter().filter(|r| r["source"] == "remote").collect();
    assert_eq!(readings.len(), 2, "{readings:?}");
    assert!(
        readings
            .iter()
            .any(|r| r["meter_no"] == "M1" && r["index"] == "601.25" && r["read_at"] == "2025-01-31T04:00:00Z"),
        "{readings:?}"
    );
    let payments = export("payments");
    let told: Vec<_> = payments
        .iter()
        .map(|p| (p["channel_reference"].as_str(), p["amount"].as_str(), p["prepayment"].as_str()))
        .collect();
    assert_eq!(told, [("'+1", "100.00", "40.00"), ("B-2", "50.00", "50.00")]);
    let bills = export("bills");
    assert_eq!(
        (bills.len(), bills[0]["kind"].as_str(), bills[0]["amount"].as_str(), bills[0]["paid"].as_str()),
        (1, "OPENING", "60.00", "60.00")
    );

    let ledger = export("ledger");
    let fen = |row: &BTreeMap<String, String>| row["amount"].replace('.', "").parse::<i64>().unwrap();
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for row in &ledger {
        *sums.entry(&row["transaction_id"]).or_default() += fen(row);
    }
    assert!(sums.len() >= 3 && sums.values().all(|sum| *sum == 0), "{sums:?}");
    let cash: i64 = ledger.iter().filter(|row| row["book"] == "CASH").map(fen).sum();
    assert_eq!(cash, 15_000);

    let audit = export("audit");
    for service in ["archive", "billing"] {
        let positions: Vec<_> = audit.iter().filter(|e| e["service"] == service).map(|e| e["position"].clone()).collect();
        let expected: Vec<_> = (1..=positions.len()).map(|n| n.to_string()).collect();
        assert!(!positions.is_empty() && positions == expected, "{service}: {positions:?}");
    }
    // Who called which method about what; the digest and the chain stand beside it.
    let paid = audit.iter().find(|e| e["method"] == "hearth.billing.v1.PaymentService/ImportPayments").unwrap();
    assert_eq!(
        (
            paid["actor"].as_str(),
            paid["on_behalf_by"].as_str(),
            paid["purpose"].as_str(),
            paid["audit"].as_str()
        ),
        ("import", "", "", "money")
    );
    let classes: BTreeSet<_> = audit.iter().map(|e| e["audit"].as_str()).collect();
    assert!(classes.is_superset(&["money", "personal data", ""].into()), "{classes:?}");
    assert!(paid["subjects"].ends_with("payments:2"), "{paid:?}");
    assert!(
        paid["digest"].len() == 64 && paid["hash"].len() == 64 && !paid["request_id"].is_empty(),
        "{paid:?}"
    );

    // Narrowed to a period, a branch, an account; refused where the rows have no such field.
    let narrowed = |what: &str, filters: &[&str]| {
        let path = path(&format!("narrow-{what}.csv"));
        let output = suite.export_with(what, &path, filters);
        assert_told(&output, 0, &[&format!("of {what} in")]);
        rows(&path)
    };
    let references = |filters: &[&str]| -> Vec<String> { narrowed("payments", filters).into_iter().map(|p| p["channel_reference"].clone()).collect() };
    assert_eq!(references(&["--from", "2025-01-21"]), ["B-2"]);
    assert_eq!(references(&["--to", "2025-01-20"]), ["'+1"]);
    assert_eq!(references(&["--account", "T0000001", "--branch", "=河西区"]).len(), 2);
    assert_eq!(references(&["--account", "T0000002"]).len(), 0);
    assert_eq!(narrowed("customers", &["--account", "T0000002"]).len(), 1);
    assert_eq!(narrowed("customers", &["--branch", "和平区"]).len(), 0);
    let of_one = narrowed("readings", &["--account", "T0000002", "--from", "2025-01-31"]);
    assert_eq!(of_one.iter().map(|r| r["meter_no"].as_str()).collect::<Vec<_>>(), ["M2"]);
    assert_eq!(narrowed("bills", &["--account", "T0000001"]).len(), 1);
    assert_eq!(narrowed("bills", &["--to", "2000-01-01"]).len(), 0);
    let transactions = narrowed("ledger", &["--account", "T0000001"]);
    assert!(!transactions.is_empty() && narrowed("ledger", &["--account", "T0000002"]).is_empty());
    assert_eq!(narrowed("audit", &["--to", "2000-01-01"]).len(), 0);
    for (what, filters, sentence) in [
        ("customers", ["--from", "2025-01-01"], "customers cannot be narrowed by --from"),
        ("audit", ["--branch", "河西区"], "audit cannot be narrowed by --branch"),
        ("payments", ["--account", "T9"], "billing knows no account T9"),
    ] {
        assert_told(&suite.export_with(what, &path("none.csv"), &filters), 1, &[sentence]);
    }
    assert!(!path("none.csv").exists());

    // Bills as documents: one that is whole is left as it is, one that was broken off or is gone is made.
    let folder = path("documents");
    let documents = |told: &str| assert_told(&suite.export("documents", &folder), 0, &[told]);
    documents("1 documents written, 0 already there");
    let document = fs::read_dir(&folder).unwrap().next().unwrap().unwrap().path();
    // Its number holds the sign of a formula too.
    let named = format!("{}-{}.pdf", bills[0]["bill_no"].replace('=', "_"), bills[0]["bill_id"]);
    assert_eq!(document, folder.join(named));
    let first = fs::read(&document).unwrap();
    assert!(first.starts_with(b"%PDF-") && first.ends_with(b"%%EOF"));
    fs::write(&document, "kept").unwrap();
    documents("0 documents written, 1 already there");
    assert_eq!(fs::read(&document).unwrap(), b"kept");
    fs::rename(&document, document.with_extension("pdf.part")).unwrap();
    documents("1 documents written, 0 already there");
    assert_eq!(fs::read(&document).unwrap(), first, "the same bill, the same bytes");
    let none = suite.export_with("documents", &path("none"), &["--branch", "和平区"]);
    assert_told(&none, 0, &["0 documents written, 0 already there"]);

    // The same as a workbook: figures are numbers, and the workbook can be imported where a text could.
    let workbook = path("payments.xlsx");
    assert_told(&suite.export("payments", &workbook), 0, &["2 rows of payments"]);
    let mut book: Xlsx<_> = open_workbook(&workbook).unwrap();
    let range = book.worksheet_range("payments").unwrap();
    assert_eq!(range.get_value((1, 4)), Some(&Data::Float(100.0)));
    let again = suite.import("payments", &workbook.display().to_string(), &["--columns", "paid_at=take_time"]);
    assert_told(&again, 0, &["rows read 2", "accepted 0 already there 2"]);
}

#[test]
fn a_workbook_needs_a_file_and_an_address_its_service() {
    let folder = tempfile::tempdir().unwrap();
    assert_told(&hearth(folder.path(), &["export", "bills", "--format", "xlsx"]), 1, &["-o FILE.xlsx"]);
    assert_told(&hearth(folder.path(), &["export", "documents"]), 1, &["-o DIR"]);
    assert_told(
        &hearth(folder.path(), &["export", "bills", "--address", "http://127.0.0.1:1"]),
        2,
        &["https://HOST:PORT"],
    );
    assert_told(&hearth(folder.path(), &["export", "bills"]), 1, &["holds no keys; name the folder with --data"]);
}
