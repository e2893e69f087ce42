//! Reads the rows of an opening.

use std::collections::HashSet;

use calendar::NaiveDate;
use contracts::hearth::billing::v1::OpeningRow;
use money::{Money, Volume};

use super::model::{Item, Opening, Wrong};
use crate::supply::model::Service;

/// The largest amount that is taken, fen.
const LARGEST: i64 = 100_000_000_000;

/// Reads a row.
///
/// # Errors
/// What is wrong with it.
pub fn read(row: &OpeningRow, today: NaiveDate) -> Result<Opening, Wrong> {
    let service = match row.service.as_str() {
        "" => Service::Gas,
        code => Service::of(code).ok_or(Wrong("service", "SERVICE", "the service is GAS or HEAT"))?,
    };
    let as_of: NaiveDate = row.as_of.parse().map_err(|_| Wrong("as_of", "DATE", "the day is not written as YYYY-MM-DD"))?;
    if as_of > today {
        return Err(Wrong("as_of", "FUTURE_DATE", "the day lies in the future"));
    }
    let metered = !row.meter_no.is_empty();
    if metered == row.index.is_empty() {
        return Err(Wrong("index", "INDEX", "a meter has an index, and an index has a meter"));
    }
    let volume = match row.year_volume.as_str() {
        "" => Volume::ZERO,
        text => Volume::parse(text).ok().filter(|v| !v.is_negative()).ok_or(Wrong(
            "year_volume",
            "VOLUME",
            "the volume is no number of cubic metres with at most three places",
        ))?,
    };
    if service == Service::Heat && (metered || !volume.is_zero()) {
        return Err(Wrong(
            "year_volume",
            "SERVICE",
            "heat has no tier year, and its index is read at the start of a season",
        ));
    }
    let fen = |text: &str| Money::parse(text).ok().map(Money::fen).filter(|fen| (0..=LARGEST).contains(fen));
    let prepaid = match row.prepayment.as_str() {
        "" => 0,
        text => fen(text).ok_or(Wrong("prepayment", "AMOUNT", "the amount is no number of yuan with at most two places"))?,
    };
    let mut references = HashSet::new();
    let mut items = vec![];
    for item in &row.items {
        let known = (1..=80).contains(&item.reference.chars().count()) && references.insert(item.reference.as_str());
        if !known {
            return Err(Wrong("items", "ITEM", "an item has a reference of its own, of 1 to 80 characters"));
        }
        let due = item
            .due_on
            .parse()
            .map_err(|_| Wrong("items", "DATE", "the day is not written as YYYY-MM-DD"))?;
        let amount =
            fen(&item.amount)
                .filter(|fen| *fen > 0)
                .ok_or(Wrong("items", "AMOUNT", "the amount is no number of yuan above 0 with at most two places"))?;
        items.push(Item {
            reference: item.reference.clone(),
            due,
            amount,
        });
    }
    Ok(Opening {
        service,
        as_of,
        metered,
        volume,
        prepaid,
        items,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1::OpeningItem;

    use super::*;

    fn today() -> NaiveDate {
        NaiveDate::from_ymd_opt(2025, 7, 1).unwrap()
    }

    fn item(reference: &str, due: &str, amount: &str) -> OpeningItem {
        OpeningItem {
            reference: reference.to_owned(),
            due_on: due.to_owned(),
            amount: amount.to_owned(),
        }
    }

    fn row() -> OpeningRow {
        OpeningRow {
            line: 1,
            account_no: "T1".to_owned(),
            service: String::new(),
            as_of: "2025-06-30".to_owned(),
            meter_no: "M-T1".to_owned(),
            index: "1200".to_owned(),
            year_volume: "200".to_owned(),
            prepayment: "5.00".to_owned(),
            items: vec![item("A", "2025-06-15", "10.00"), item("B", "2025-05-15", "2.50")],
        }
    }

    #[test]
    fn a_row_says_the_same_in_any_order_of_its_items() {
        let one = read(&row(), today()).unwrap();
        assert_eq!((one.owed(), one.prepaid, one.volume), (1250, 500, "200".parse().unwrap()));
        let mut turned = row();
        turned.items.reverse();
        let content = |opening: &Opening| opening.content("M-T1", Some(1_200_000));
        assert_eq!(content(&read(&turned, today()).unwrap()), content(&one));
        turned.prepayment = "5.01".to_owned();
        assert_ne!(content(&read(&turned, today()).unwrap()), content(&one));
    }

    #[test]
    fn a_row_is_named_with_what_is_wrong() {
        type Change = fn(&mut OpeningRow);
        let wrong: [(Change, &str, &str); 11] = [
            (|r| r.service = "WATER".to_owned(), "service", "SERVICE"),
            (|r| r.as_of = "30.6.2025".to_owned(), "as_of", "DATE"),
            (|r| r.as_of = "2025-07-02".to_owned(), "as_of", "FUTURE_DATE"),
            (|r| r.index = String::new(), "index", "INDEX"),
            (|r| r.meter_no = String::new(), "index", "INDEX"),
            (|r| r.year_volume = "-1".to_owned(), "year_volume", "VOLUME"),
            (|r| r.service = "HEAT".to_owned(), "year_volume", "SERVICE"),
            (|r| r.prepayment = "-5".to_owned(), "prepayment", "AMOUNT"),
            (|r| r.items[1].reference = "A".to_owned(), "items", "ITEM"),
            (|r| r.items[0].amount = "0".to_owned(), "items", "AMOUNT"),
            (|r| r.items[0].due_on = "June".to_owned(), "items", "DATE"),
        ];
        for (change, field, reason) in wrong {
            let mut bad = row();
            change(&mut bad);
            let found = read(&bad, today()).unwrap_err();
            assert_eq!((found.0, found.1), (field, reason));
        }
    }
}
