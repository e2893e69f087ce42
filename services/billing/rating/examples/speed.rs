//! How long one bill takes: twelve months of as many agreements as named, three annual tiers, each bill with its explanation.
//!
//! `cargo run --release -p rating --example speed -- 100000`

use std::{sync::Arc, time::Instant};

use chrono::NaiveDate;
use money::Volume;
use rating::{Book, Index, Ledger, Leg, Period, Tariff, Term, Terms, Version};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agreements: i64 = std::env::args().nth(1).as_deref().unwrap_or("100000").parse()?;
    let tariff = Arc::new(Tariff::from_toml(include_str!("../tests/data/tariffs/cn_tianjin_gas_2024.toml"))?);
    let start = NaiveDate::from_ymd_opt(2024, 12, 31).ok_or("a day")?;
    let book = Book::new([Version::new(1, "019a".repeat(9), "living", (start, None), tariff)])?;
    let terms = Terms {
        classes: vec![Term {
            value: "living".to_owned(),
            from: start,
            until: None,
        }],
        ..Terms::default()
    };
    let mut ends = vec![start];
    for month in 2..=13 {
        let next = NaiveDate::from_ymd_opt(2025 + month / 13, u32::try_from((month - 1) % 12 + 1)?, 1).ok_or("a day")?;
        ends.push(next.pred_opt().ok_or("a day")?);
    }
    let (begun, mut fen, mut bytes, mut bills) = (Instant::now(), 0, 0, 0_u32);
    for agreement in 0..agreements {
        let mut ledger = Ledger::default();
        let mut index = Volume::from_litres(agreement);
        for (from, to) in ends.iter().zip(ends.iter().skip(1)) {
            let volume = Volume::from_litres((agreement * 7 + 31) % 90_000);
            let end = index.checked_add(volume)?;
            let legs = [Leg {
                from: *from,
                to: *to,
                volume,
                meter: "019a019a-019a-019a-019a-019a019a019a",
                index: Some(Index {
                    start: index,
                    end,
                    rolled: Volume::ZERO,
                    adjusted: Volume::ZERO,
                    estimated: false,
                }),
                ..Leg::default()
            }];
            let period = Period {
                terms: &terms,
                book: &book,
                legs: &legs,
                read: *to,
                read_months: None,
                degree_days: None,
                ledger: &ledger,
            };
            let rated = period.price()?.rated;
            fen += rated.total.fen();
            bytes += rated.explanation.as_str().len();
            bills += 1;
            (index, ledger) = (end, rated.ledger);
        }
    }
    let nanos = begun.elapsed().as_nanos() / u128::from(bills.max(1));
    println!("{bills} bills, {fen} fen, {} bytes and {nanos} ns a bill", bytes / bills.max(1) as usize);
    Ok(())
}
