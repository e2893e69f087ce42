//! Bills as documents: what they say is what the bill says, as a reader of PDFs sees it.

use contracts::hearth::{
    billing::v1::{bill_service_client::BillServiceClient, *},
    options::v1::Role,
};
use lopdf::content::Content;
use testbed::{each, key, reason};

use crate::{
    dues::{charge_of, fees, item, pay, publish, two_per_mille},
    heat,
    world::{HEPING, HEXI, World, text, yuan},
};

pub async fn printed(world: &World<'_>, bill_id: &str) -> GetBillDocumentResponse {
    let request = GetBillDocumentRequest {
        bill_id: bill_id.to_owned(),
        party_id: None,
    };
    world.bills().get_bill_document(request).await.unwrap().into_inner()
}

/// The text of the first page, as it can be searched and copied.
pub fn words(document: &GetBillDocumentResponse) -> String {
    lopdf::Document::load_mem(&document.content).unwrap().extract_text(&[1]).unwrap()
}

/// Rectangles of the first page in the order in which they are drawn: whether black, and left, bottom, width, height in tenths of a point.
fn rectangles(document: &GetBillDocumentResponse) -> Vec<(bool, [i64; 4])> {
    let pdf = lopdf::Document::load_mem(&document.content).unwrap();
    let content = Content::decode(&pdf.get_page_content(pdf.get_pages()[&1])).unwrap();
    let (mut black, mut found) = (false, vec![]);
    for operation in content.operations {
        match operation.operator.as_str() {
            "rg" => black = operation.operands.iter().all(|share| share.as_float().unwrap() == 0.0),
            "re" => found.push((black, [0, 1, 2, 3].map(|n: usize| operation.operands[n].as_i64().unwrap()))),
            _ => {}
        }
    }
    found
}

/// What the code of the first page says, read from its picture; nothing where there is none.
fn scanned(document: &GetBillDocumentResponse) -> Option<String> {
    let modules: Vec<[i64; 4]> = rectangles(document).into_iter().filter_map(|(black, r)| black.then_some(r)).collect();
    let (left, bottom) = (modules.iter().map(|r| r[0]).min()?, modules.iter().map(|r| r[1]).min()?);
    let (right, top) = (modules.iter().map(|r| r[0] + r[2]).max()?, modules.iter().map(|r| r[1] + r[3]).max()?);
    // A quiet zone around it, and one pixel for a tenth of a point.
    let margin = 100;
    let pixels = |length: i64| usize::try_from(length).unwrap();
    let (width, height) = (pixels(right - left + 2 * margin), pixels(top - bottom + 2 * margin));
    let mut paper = vec![255; width * height];
    for [x, y, across, up] in modules {
        for row in top - y - up..top - y {
            let start = pixels(row + margin) * width + pixels(x - left + margin);
            paper[start..][..pixels(across)].fill(0);
        }
    }
    let mut picture = rqrr::PreparedImage::prepare_from_greyscale(width, height, |x, y| paper[y * width + x]);
    let grids = picture.detect_grids();
    Some(grids[0].decode().unwrap().1)
}

#[tokio::test]
async fn a_document_shows_tiers_indexes_photo_code_and_thirteen_months() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        two_per_mille(&world).await;
        let home = world.home("T1").await;
        let mut index = 0;
        for n in 1..=13 {
            // 30 m³ a month, and 36 in the last.
            index += if n < 13 { 30 } else { 36 };
            let (year, month) = (2025 + (n - 1) / 12, (n - 1) % 12 + 1);
            let last = testbed::at(&format!("{}-{:02}-01T00:00:00+08:00", 2025 + n / 12, n % 12 + 1))
                .date()
                .pred_opt()
                .unwrap();
            world.clock(&format!("{last}T20:00:00+08:00"));
            let reading = RecordReadingRequest {
                source: "photo".to_owned(),
                photo_file: format!("photo-{n}"),
                ..crate::world::reading(&home, &last.to_string(), &index.to_string())
            };
            world.readings().record_reading(reading).await.unwrap();
            let run = world.start_run(year, month).await;
            assert_eq!(world.finished(&run).await.produced, 1, "month {n}");
        }
        let bills = world.bills_of(&home).await;
        let bill = bills.last().unwrap();
        // 36 × 2.86; the year before ended with 360 m³, of which 60 in the second tier.
        assert_eq!(text(&bill.amount), "102.96");
        let document = printed(&world, &bill.bill_id).await;
        assert_eq!(
            (document.media_type.as_str(), document.file_name.clone(), document.missing_characters),
            ("application/pdf", format!("{}.pdf", bill.bill_no), 0)
        );
        assert!(
            document.content.starts_with(b"%PDF-") && document.content.len() < 60 * 1024,
            "{} bytes",
            document.content.len()
        );
        assert_eq!(printed(&world, &bill.bill_id).await, document, "the same bill, the same bytes");
        let said = words(&document);
        for fact in [
            "燃气账单 Gas bill",
            &bill.bill_no,
            HEXI,
            "T1",
            "HT-T1",
            "M-T1",
            "photo-13",
            "居民生活 Living",
            "2026-01-01 至 2026-01-31",
            "360 m³",
            "396 m³",
            "36 m³",
            "第 1 档 Tier 1",
            "2.86",
            "¥ 102.96",
            "请于 2026-02-15 前缴纳",
            "2‰",
            "2025-01",
        ] {
            assert!(said.contains(fact), "{fact} in\n{said}");
        }
        let bars: Vec<i64> = rectangles(&document).iter().filter(|(_, r)| r[2] == 235).map(|(_, r)| r[3]).collect();
        // 30 × 620 / 36 = 516.67, cut to a whole tenth of a point.
        assert_eq!(bars, [[516; 12].as_slice(), &[620]].concat());
        let code = format!(
            "https://pay.example.com/bill?no={}&fen=10296",
            bill.bill_no.replace("河西区", "%E6%B2%B3%E8%A5%BF%E5%8C%BA")
        );
        assert_eq!(scanned(&document), Some(code));

        // In December 360 m³ are reached: 300 in the first tier before it was left in November.
        let december = words(&printed(&world, &bills[11].bill_id).await);
        assert!(
            december.contains("第 2 档 Tier 2") && december.contains("330 m³") && december.contains("3.36"),
            "{december}"
        );

        pay(&world, &home, "1200", "1").await;
        let january = &bills[0];
        let settled = printed(&world, &january.bill_id).await;
        assert_eq!(scanned(&settled), None, "what is paid is not asked for again");
        let said = words(&settled);
        assert!(said.contains("本账单已结清") && said.contains("-85.80") && said.contains("0.00"), "{said}");

        // A deployment's own template takes the place of the shipped one; where it cannot be read or used the service does not start, and says why.
        let path = bed.file().with_file_name("bill.toml");
        let start = async || {
            let settings = boot::Settings {
                bill_template: Some(path.clone()),
                ..bed.settings()
            };
            let start = boot::Start {
                settings,
                clock: bed.clock().clone(),
                listener: tokio::net::TcpListener::bind(bed.address()).await.unwrap(),
            };
            boot::start(billing::SERVICE, start).await
        };
        bed.crash().await;
        for (template, told) in [
            (None, "cannot be read: No such file"),
            (Some(SHIPPED.replacen("{due_date}", "{due_day}", 1)), "there is no {due_day}"),
            (Some(SHIPPED.replacen("[chart]", "[graph]", 1)), "unknown field `graph`"),
        ] {
            if let Some(text) = template {
                std::fs::write(&path, text).unwrap();
            }
            let refused = format!("{:#}", start().await.err().unwrap());
            assert!(refused.contains("bill.toml") && refused.contains(told), "{told}: {refused}");
        }
        std::fs::write(&path, SHIPPED.replacen("安居燃气热力有限公司", "津门燃气有限公司", 1)).unwrap();
        let other = start().await.unwrap();
        let said = words(&printed(&world, &january.bill_id).await);
        assert!(
            said.contains("津门燃气有限公司") && !said.contains("安居燃气热力有限公司") && said.contains("-85.80"),
            "{said}"
        );
        other.stop().await.unwrap();
    })
    .await;
}

/// The template of the service.
const SHIPPED: &str = include_str!("../../document/template.toml");

#[tokio::test]
async fn a_document_is_for_those_who_may_see_the_bill() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home_in("T1", HEXI).await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        world.run(1).await;
        let bill = world.bills_of(&home).await.remove(0);
        let request = |bill_id: &str, party_id: Option<&str>| GetBillDocumentRequest {
            bill_id: bill_id.to_owned(),
            party_id: party_id.map(str::to_owned),
        };
        let mut customer = BillServiceClient::new(bed.customer(&home.party));
        let own = customer
            .get_bill_document(request(&bill.bill_id, Some(&home.party)))
            .await
            .unwrap()
            .into_inner();
        assert_eq!(own, printed(&world, &bill.bill_id).await);
        let stranger = key();
        let mut others = BillServiceClient::new(bed.customer(&stranger));
        let mut branch = BillServiceClient::new(bed.staff_of(HEPING, &[Role::Cashier]));
        for (answer, unknown) in [
            (
                others.get_bill_document(request(&bill.bill_id, Some(&stranger))).await.unwrap_err(),
                others.get_bill_document(request(&key(), Some(&stranger))).await.unwrap_err(),
            ),
            (
                branch.get_bill_document(request(&bill.bill_id, None)).await.unwrap_err(),
                branch.get_bill_document(request(&key(), None)).await.unwrap_err(),
            ),
        ] {
            assert_eq!((reason(&answer), reason(&unknown)), ("NOT_FOUND".to_owned(), "NOT_FOUND".to_owned()));
        }
        let mut reader = BillServiceClient::new(bed.staff(&[Role::Reader]));
        let denied = reader.get_bill_document(request(&bill.bill_id, None)).await.unwrap_err();
        assert_eq!(denied.code(), tonic::Code::PermissionDenied);
    })
    .await;
}

#[tokio::test]
async fn a_reversed_bill_says_so_and_names_what_took_its_place() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.publish_tianjin().await;
        let home = world.home("T1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        world.read(&home, "2025-01-31", "480").await;
        world.run(1).await;
        // 300 × 2.86 and 180 × 3.36.
        let bill = world.bills_of(&home).await.remove(0);
        let credit = CreditBillRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: bill.etag.clone(),
            amount: yuan("100"),
            reason: "the price of the second tier was announced late".to_owned(),
        };
        let credited = world.bills().credit_bill(credit).await.unwrap().into_inner();
        let note = credited.credit_note.unwrap();
        let said = words(&printed(&world, &bill.bill_id).await);
        for fact in ["1,462.80", "¥ 1,362.80", "-100.00", note.credit_note_no.as_str()] {
            assert!(said.contains(fact), "{fact} in\n{said}");
        }
        assert!(!said.contains("作废"), "{said}");
        let anew = CancelAndRebillRequest {
            request_id: key(),
            bill_id: bill.bill_id.clone(),
            etag: credited.bill.unwrap().etag,
            reason: "billed to the wrong class".to_owned(),
            reading_was_wrong: false,
            credits_taken_back: true,
        };
        let answer = world.bills().cancel_and_rebill(anew).await.unwrap().into_inner();
        let document = printed(&world, &bill.bill_id).await;
        let said = words(&document);
        for fact in [
            "已冲正 作废",
            "¥ 1,462.80",
            answer.reversed_bills[0].credit_note_no.as_str(),
            answer.bills[0].bill_no.as_str(),
        ] {
            assert!(said.contains(fact), "{fact} in\n{said}");
        }
        assert_eq!(scanned(&document), None);
        let said = words(&printed(&world, &answer.bills[0].bill_id).await);
        // The month was used once: what was reversed stands in no bar.
        assert!(said.contains("\n480\n") && !said.contains("960") && !said.contains("作废"), "{said}");
    })
    .await;
}

#[tokio::test]
async fn heat_and_fees_have_documents_without_indexes() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let (_, bill) = heat::season_by_area(&world, "T1", "80.5").await;
        // 80.5 m² × 25.00.
        let said = words(&printed(&world, &bill.bill_id).await);
        for fact in [
            "采暖费账单",
            "2025-2026",
            "80.5 m²",
            "25",
            "¥ 2,012.50",
            "2025-11-15 至 2026-03-15",
            "请于 2025-12-31 前缴纳",
        ] {
            assert!(said.contains(fact), "{fact} in\n{said}");
        }
        for fact in ["示数", "近十三个月", "违约金"] {
            assert!(!said.contains(fact), "{fact} in\n{said}");
        }
        let home = world.home("T2").await;
        publish(&world, item("MOVE", "80.5")).await;
        let fee = fees(&world)
            .charge_fee(charge_of(&home, "MOVE", "2.5"))
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        let said = words(&printed(&world, &fee.bill_id).await);
        for fact in ["服务收费账单", "¥ 201.25", "2.5", "80.5"] {
            assert!(said.contains(fact), "{fact} in\n{said}");
        }
        assert!(!said.contains("示数"), "{said}");
    })
    .await;
}
