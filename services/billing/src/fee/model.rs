//! What may be charged and what may not be published, pure.

use calendar::NaiveDate;
use money::{Money, UnitPrice, Volume};
use unicode_normalization::UnicodeNormalization;

use crate::{refusal::Refusal, words::words};

words! {
    /// Where a version of a fee item stands on a day.
    pub enum ItemState {
        /// Published, not in force yet.
        Published "PUBLISHED",
        /// In force.
        InForce "IN_FORCE",
        /// Ended.
        Ended "ENDED",
    }
}

/// A banned fee: its code, and words by which a name gives it away under another code.
pub struct Banned {
    pub code: &'static str,
    pub words: &'static [&'static str],
}

/// fees that were ended in 2021 and may not come back under any name.
pub const BANNED: &[Banned] = &[
    Banned {
        code: "METER_COST",
        words: &["计量装置费", "表具费", "meter cost"],
    },
    Banned {
        code: "COMPULSORY_VERIFICATION",
        words: &["强制检定费", "检定费", "compulsory verification"],
    },
    Banned {
        code: "AGENT_SURCHARGE",
        words: &["代收加价", "转供加价", "加收服务费", "agent surcharge"],
    },
    Banned {
        code: "RED_LINE_MAINTENANCE",
        words: &["红线内管网", "红线内维护", "red-line", "red line"],
    },
    Banned {
        code: "GAS_OPENING",
        words: &["开口费", "gas opening"],
    },
    Banned {
        code: "GAS_ACCOUNT_OPENING",
        words: &["开户费", "account opening"],
    },
    Banned {
        code: "GAS_CONNECTION",
        words: &["接入费", "gas connection"],
    },
    Banned {
        code: "GAS_VENTILATION",
        words: &["通气费", "ventilation"],
    },
    Banned {
        code: "GAS_IGNITION",
        words: &["点火费", "ignition"],
    },
    Banned {
        code: "HEAT_INTERFACE",
        words: &["接口费", "heat interface"],
    },
    Banned {
        code: "HEAT_NETWORK",
        words: &["管网建设费", "配套费", "heat network"],
    },
    Banned {
        code: "HEAT_MERGING",
        words: &["并网费", "并网配套", "heat merging"],
    },
];

/// Day from which banned fees may not be in force.
pub const BANNED_FROM: NaiveDate = match NaiveDate::from_ymd_opt(2021, 3, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// Whether an item is on the list of banned fees, by its code, a code made from it, or its name.
pub fn is_banned(code: &str, name: &str) -> bool {
    let name = name.nfkc().collect::<String>().to_lowercase();
    BANNED.iter().any(|ban| {
        let made_from = code.strip_prefix(ban.code).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'));
        made_from || ban.words.iter().any(|word| says(&name, word))
    })
}

/// Whether a name in small letters of one width says a word, whatever is written between the letters: a Chinese word anywhere, a Latin one as a whole,
/// also in the plural.
fn says(name: &str, word: &str) -> bool {
    let letters = |text: &str| text.chars().filter(|c| c.is_alphanumeric()).collect::<String>();
    let word = letters(word);
    if !word.is_ascii() {
        return letters(name).contains(&word);
    }
    let parts: Vec<&str> = name.split(|c: char| !c.is_ascii_alphabetic()).filter(|part| !part.is_empty()).collect();
    (0..parts.len()).any(|first| {
        let mut run = String::new();
        parts.iter().skip(first).any(|part| {
            run.push_str(part);
            run.strip_prefix(&word).is_some_and(|rest| rest.is_empty() || rest == "s")
        })
    })
}

/// What is to be published.
pub struct Draft<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub price: UnitPrice,
    pub legal_basis: &'a str,
    pub approving_body: &'a str,
    pub from: NaiveDate,
    pub until: Option<NaiveDate>,
}

/// Whether an item may be published.
///
/// # Errors
/// LEGAL_BASIS_MISSING, FEE_PRICE, DATE_ORDER, FEE_BANNED.
pub fn check(draft: &Draft<'_>) -> Result<(), Refusal> {
    if draft.legal_basis.trim().chars().count() < 4 || draft.approving_body.trim().chars().count() < 2 {
        return Err(Refusal::LegalBasisMissing);
    }
    if draft.price <= UnitPrice::ZERO {
        return Err(Refusal::FeePrice);
    }
    if draft.until.is_some_and(|until| until <= draft.from) {
        return Err(Refusal::DateOrder);
    }
    // One that ended before the ban is history and may be kept.
    if is_banned(draft.code, draft.name) && draft.until.is_none_or(|until| until > BANNED_FROM) {
        return Err(Refusal::FeeBanned);
    }
    Ok(())
}

/// Where a version stands on a day.
pub fn state_on(from: NaiveDate, until: Option<NaiveDate>, day: NaiveDate) -> ItemState {
    if until.is_some_and(|until| until <= day) {
        ItemState::Ended
    } else if from > day {
        ItemState::Published
    } else {
        ItemState::InForce
    }
}

/// Whether an item applies to a class of customers; one without classes applies to all.
pub fn applies(classes: &[&str], class: &str) -> bool {
    classes.is_empty() || classes.contains(&class)
}

/// Most units of one charge, thousandths.
const MOST: i64 = 1_000_000_000;

/// What so many units cost, rounded half up once. `units` counts thousandths, as volumes do.
///
/// # Errors
/// QUANTITY for nothing, less, or more than a charge may be.
pub fn amount(units: Volume, price: UnitPrice) -> Result<Money, Refusal> {
    if units <= Volume::ZERO || units.litres() > MOST {
        return Err(Refusal::Quantity);
    }
    let amount = money::amount(units, price)
        .and_then(money::Exact::round_half_up)
        .map_err(|_| Refusal::Quantity)?;
    // What the contract can carry: 10^11 fen.
    if amount.fen() > 100_000_000_000 { Err(Refusal::Quantity) } else { Ok(amount) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use contracts::hearth::billing::v1 as proto;

    use super::*;

    fn day(y: i32, m: u32, d: u32) -> NaiveDate {
        NaiveDate::from_ymd_opt(y, m, d).unwrap()
    }

    fn draft<'a>(code: &'a str, name: &'a str) -> Draft<'a> {
        Draft {
            code,
            name,
            price: "80".parse().unwrap(),
            legal_basis: "津发改价综〔2024〕1号",
            approving_body: "市发展改革委",
            from: day(2024, 9, 1),
            until: None,
        }
    }

    #[test]
    fn words_are_those_of_the_contract() {
        let words: Vec<_> = ItemState::ALL.iter().map(|w| (w.number(), w.code())).collect();
        testbed::assert_contract(&words, "STATE_", |n| proto::fee_item::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn a_04_an_item_needs_its_legal_basis() {
        assert_eq!(check(&draft("PIPE_MOVE", "户内管改移")), Ok(()));
        for wrong in [
            Draft {
                legal_basis: " - ",
                ..draft("PIPE_MOVE", "户内管改移")
            },
            Draft {
                approving_body: "",
                ..draft("PIPE_MOVE", "户内管改移")
            },
        ] {
            assert_eq!(check(&wrong), Err(Refusal::LegalBasisMissing));
        }
        let free = Draft {
            price: UnitPrice::ZERO,
            ..draft("PIPE_MOVE", "户内管改移")
        };
        assert_eq!(check(&free), Err(Refusal::FeePrice));
    }

    #[test]
    fn a_05_banned_fees_are_refused_under_any_name() {
        for ban in BANNED {
            assert_eq!(check(&draft(ban.code, "某费")), Err(Refusal::FeeBanned), "{}", ban.code);
            for word in ban.words {
                assert_eq!(check(&draft("OTHER", &format!("居民{word}（新）"))), Err(Refusal::FeeBanned), "{word}");
            }
        }
        assert_eq!(check(&draft("METER_COST_2", "某费")), Err(Refusal::FeeBanned));
        assert_eq!(check(&draft("METER_COSTUME", "某费")), Ok(()));
        let history = |until| Draft {
            from: day(2018, 1, 1),
            until,
            ..draft("GAS_IGNITION", "点火费")
        };
        assert_eq!(check(&history(Some(day(2021, 3, 1)))), Ok(()));
        assert_eq!(check(&history(Some(day(2021, 3, 2)))), Err(Refusal::FeeBanned));
        assert_eq!(check(&history(None)), Err(Refusal::FeeBanned), "an old one that goes on");
    }

    #[test]
    fn a_05_a_banned_word_is_found_however_it_is_written_and_in_no_other_word() {
        let banned = [
            "点 火 费",
            "点　火　费",
            "点·火·费（新）",
            "ＩＧＮＩＴＩＯＮ　ｆｅｅ",
            "igni tion",
            "i-g-n-i-t-i-o-n",
            "居民Ignition费",
            "re-ignition",
            "Meter   Costs",
            "ｍｅｔｅｒｃｏｓｔ",
            "red line upkeep",
            "RED-LINE",
        ];
        for name in banned {
            assert_eq!(check(&draft("OTHER", name)), Err(Refusal::FeeBanned), "{name}");
        }
        for name in ["Preignition sensor", "hyperventilation alarm", "red lined pipe", "gas reconnection", "点火器"] {
            assert_eq!(check(&draft("OTHER", name)), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_04_an_item_is_in_force_from_its_first_to_the_day_before_its_end() {
        let state = |d| state_on(day(2025, 3, 1), Some(day(2025, 6, 1)), d);
        assert_eq!(state(day(2025, 2, 28)), ItemState::Published);
        assert_eq!((state(day(2025, 3, 1)), state(day(2025, 5, 31))), (ItemState::InForce, ItemState::InForce));
        assert_eq!(state(day(2025, 6, 1)), ItemState::Ended);
        assert!(applies(&[], "living") && applies(&["living"], "living") && !applies(&["non-resident"], "living"));
    }

    #[test]
    fn a_04_quantity_times_price_is_rounded_once() {
        let price = |text: &str| text.parse::<UnitPrice>().unwrap();
        let units = |text: &str| text.parse::<Volume>().unwrap();
        assert_eq!(amount(units("2.5"), price("80")).unwrap().to_string(), "200.00");
        assert_eq!(amount(units("0.333"), price("10.55")).unwrap().to_string(), "3.51", "3.51315");
        assert_eq!(amount(units("1"), price("0.005")).unwrap().to_string(), "0.01");
        for wrong in ["0", "-1", "1000001"] {
            assert_eq!(amount(units(wrong), price("1")), Err(Refusal::Quantity), "{wrong}");
        }
    }
}
