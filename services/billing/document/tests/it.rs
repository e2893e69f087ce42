//! Documents as a reader of PDFs sees them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use chrono::NaiveDate;
use document::{Document, Facts, Line, Month, Note, Printed, Standing, Template};
use lopdf::content::Content;
use money::{Money, UnitPrice, Volume};

/// A code of 33 modules, for an address of 43 to 62 bytes, and twice four quiet ones on 960 tenths of a point.
const MODULE: i64 = 23;

fn day(text: &str) -> NaiveDate {
    text.parse().unwrap()
}

fn tier(tier: i32, litres: i64, fen: i64) -> Line {
    Line {
        reason: "TIER".to_owned(),
        tier,
        period: (day("2025-01-01"), day("2025-01-31")),
        quantity: Volume::from_litres(litres),
        unit: "m3".to_owned(),
        price: UnitPrice::from_micros(2_860_000),
        amount: Money::from_fen(fen),
    }
}

/// A bill of 440.25 m³ in two tiers, of which a part was credited and a part paid.
fn bill(branch: &str) -> Document {
    let facts = Facts::default()
        .with("bill_no", "BL-HX-2025-0000123")
        .with("kind", "GAS_REGULAR")
        .with("branch", branch)
        .with("account_no", "T0000001")
        .with("use_class", "living")
        .with("from_date", "2025-01-01")
        .with("to_date", "2025-01-31")
        .with("from_index", "180.5")
        .with("to_index", "620.75")
        .with("volume", "440.25")
        .with("unit", "m3")
        .with("issue_date", "2025-01-31")
        .with("due_date", "2025-02-15")
        .with_money("amount", Money::from_fen(132_924))
        .with_money("credited", Money::from_fen(10_000))
        .with_money("paid", Money::from_fen(50_000))
        .with_money("due", Money::from_fen(72_924))
        .with("due_fen", 72_924);
    let month = |(n, litres): (i32, Option<i64>)| Month {
        year: 2024 + n / 12,
        month: 1 + n % 12,
        volume: litres.map(Volume::from_litres),
    };
    let use_of = [310_000, 0, 150_000, 40_000, 20_250, 18_000, 0, 0, 22_000, 60_000, 180_000, 300_125, 440_250].map(Some);
    let mut history: Vec<Month> = (0..).zip(use_of).map(month).collect();
    history[7].volume = None;
    Document {
        facts,
        lines: vec![tier(1, 300_000, 85_800), tier(2, 140_250, 47_124)],
        notes: vec![Note {
            number: "CN-HX-2025-0000001".to_owned(),
            date: day("2025-02-03"),
            amount: Money::from_fen(10_000),
        }],
        standing: Standing::Open,
        history,
    }
}

fn print(document: &Document) -> Printed {
    Template::shipped().unwrap().print(document).unwrap()
}

/// The text of a page, as it can be searched and copied.
fn text(pdf: &[u8], page: u32) -> String {
    lopdf::Document::load_mem(pdf).unwrap().extract_text(&[page]).unwrap()
}

/// Rectangles of a page in tenths of a point: left, bottom, width, height.
fn rectangles(pdf: &[u8]) -> Vec<[i64; 4]> {
    let pdf = lopdf::Document::load_mem(pdf).unwrap();
    let page = pdf.get_pages()[&1];
    let content = Content::decode(&pdf.get_page_content(page)).unwrap();
    let drawn = content.operations.iter().filter(|o| o.operator == "re");
    drawn.map(|o| [0, 1, 2, 3].map(|n: usize| o.operands[n].as_i64().unwrap())).collect()
}

#[test]
fn a_document_says_what_the_bill_says() {
    let printed = print(&bill("河西区"));
    assert_eq!((printed.pages, printed.missing), (1, 0));
    assert!(printed.pdf.len() < 60 * 1024, "{} bytes", printed.pdf.len());
    let text = text(&printed.pdf, 1);
    for said in [
        "燃气账单 Gas bill",
        "BL-HX-2025-0000123",
        "河西区",
        "T0000001",
        "居民生活 Living",
        "2025-01-01 至 2025-01-31",
        "180.5 m³",
        "620.75 m³",
        "第 1 档 Tier 1",
        "140.25 m³",
        "2.86",
        "471.24",
        "1,329.24",
        "-100.00",
        "-500.00",
        "¥ 729.24",
        "请于 2025-02-15 前缴纳",
        "2025-02-03  CN-HX-2025-0000001  -100.00",
        "第 1 页 / 共 1 页",
    ] {
        assert!(text.contains(said), "{said} in\n{text}");
    }
    // No fact, no line: the bill says nothing of a season, a contract or a late fee.
    for unsaid in ["采暖季", "合同号", "违约金", "作废", "{"] {
        assert!(!text.contains(unsaid), "{unsaid} in\n{text}");
    }
}

#[test]
fn the_same_data_gives_the_same_bytes() {
    assert_eq!(print(&bill("河西区")).pdf, print(&bill("河西区")).pdf);
    assert_ne!(print(&bill("河西区")).pdf, print(&bill("河东区")).pdf);
}

#[test]
fn bars_are_as_high_as_their_share_of_the_largest_month() {
    // 620 for 440.25 m³, cut to whole tenths of a point: 310 × 620 / 440.25 = 436.57 and so on.
    let heights = [436, 0, 211, 56, 28, 25, 0, 0, 30, 84, 253, 422, 620];
    let bars: Vec<i64> = rectangles(&print(&bill("河西区")).pdf).iter().filter(|r| r[2] == 235).map(|r| r[3]).collect();
    assert_eq!(bars, heights);
}

#[test]
fn a_bill_of_many_lines_goes_on_on_the_next_page() {
    let mut long = bill("河西区");
    long.lines = (1..=60).map(|n| tier(1, 1000 * n, 286 * n)).collect();
    let printed = print(&long);
    assert_eq!(printed.pages, 3);
    let pages: Vec<String> = (1..=3).map(|page| text(&printed.pdf, page)).collect();
    for n in 1..=60 {
        let quantity = format!("\n{n} m³\n");
        assert_eq!(pages.iter().filter(|page| page.contains(&quantity)).count(), 1, "line {n}");
    }
    assert!(pages[1].contains("数量 Quantity") && pages[1].contains("BL-HX-2025-0000123") && pages[1].contains("第 2 页 / 共 3 页"));
    assert!(!pages[1].contains("应缴金额") && pages[2].contains("近十三个月用量"));
}

#[test]
fn a_long_name_is_broken_into_lines_and_nothing_is_lost() {
    let long = "天津市河西区友谊路与平江道交口西南侧第九供气营业服务分所".repeat(4);
    let printed = print(&bill(&long));
    let text = text(&printed.pdf, 1);
    assert!(!text.contains(&long) && text.replace('\n', "").contains(&long), "{text}");
}

#[test]
fn a_character_without_a_glyph_is_a_box_and_counted() {
    let printed = print(&bill("𠮷祥路🔥营业所"));
    assert_eq!(printed.missing, 2);
    assert!(text(&printed.pdf, 1).contains("\u{fffd}祥路\u{fffd}营业所"));
}

#[test]
fn a_reversed_bill_says_so_on_every_page_and_asks_for_nothing() {
    let mut reversed = bill("河西区");
    reversed.standing = Standing::Reversed;
    reversed.lines = (1..=60).map(|n| tier(1, 1000 * n, 286 * n)).collect();
    let open = print(&bill("河西区"));
    let printed = print(&reversed);
    for page in 1..=3 {
        assert!(text(&printed.pdf, page).contains("已冲正 作废"), "page {page}");
    }
    let text = text(&printed.pdf, 1);
    assert!(text.contains("无需缴费") && !text.contains("扫码缴费"), "{text}");
    // The modules of the code for payment are rectangles of one height.
    let modules = |pdf: &[u8]| rectangles(pdf).iter().filter(|r| r[3] == MODULE).count();
    assert!(modules(&open.pdf) > 200 && modules(&printed.pdf) == 0, "{}", modules(&open.pdf));
}

#[test]
fn a_deployment_has_a_template_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("bill.toml");
    let shipped = include_str!("../template.toml");
    let own = shipped
        .replace("安居燃气热力有限公司", "津沽燃气")
        .replace("language = ", "font = \"own.ttf\"\nlanguage = ");
    std::fs::write(&path, own).unwrap();
    let missing = Template::read(&path).err().unwrap().to_string();
    assert!(missing.contains("bill.toml") && missing.contains("own.ttf"), "{missing}");
    std::fs::write(folder.path().join("own.ttf"), include_bytes!("../font/NotoSansSC-GB2312.ttf")).unwrap();
    let printed = Template::read(&path).unwrap().print(&bill("河西区")).unwrap();
    assert!(text(&printed.pdf, 1).contains("津沽燃气"));
    std::fs::write(folder.path().join("own.ttf"), b"no font").unwrap();
    let broken = Template::read(&path).err().unwrap().to_string();
    assert!(broken.contains("the font cannot be used"), "{broken}");
}
