//! W7: whatever is given as a token, a cursor or a version tag is answered, never with a panic.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use proptest::prelude::*;
use rpc::{
    Call, Code, Kind, Principal, check_etag, etag,
    page::Page,
    token::{Verifier, key_set},
    wire,
};
use uuid::Uuid;

fn call(vendor: Option<&str>) -> Call {
    let principal = Principal {
        subject: "s".to_owned(),
        vendor: vendor.map(str::to_owned),
        ..Principal::default()
    };
    Call::new("hearth.vendor.v1.OfferService/ListOffers", Kind::Read, principal)
}

/// The token of a page that ends with `last`.
fn token(call: &Call, filters: &[&str], last: Uuid) -> String {
    let page = Page::of(call, filters, 1, "").unwrap();
    let (rows, token) = page.cut(vec![last, Uuid::max()], |id| *id);
    assert_eq!(rows, [last]);
    token
}

fn verifier() -> Verifier {
    Verifier::new("https://issuer.test", &key_set("k", &[7; 32])).unwrap()
}

proptest! {
    #[test]
    fn r_w7_any_text_is_answered_as_a_page_token(text in "(?s).{0,120}", size in any::<i32>()) {
        if let Err(fault) = Page::of(&call(None), &["OPEN"], size, &text) {
            prop_assert_eq!(fault.code(), Code::InvalidArgument);
            prop_assert!(["PAGE_TOKEN_INVALID", "PAGE_SIZE"].contains(&fault.reason()));
        } else {
            prop_assert!(text.is_empty() && size >= 0, "a token that nobody made is taken");
        }
    }

    #[test]
    fn bad_input_66_and_92_a_page_token_is_good_for_its_caller_method_and_filter_only(
        bits in any::<u128>(), filter in ".{0,20}", at in any::<prop::sample::Index>(), flip in 1_u8..=255,
    ) {
        let (id, mine) = (Uuid::from_u128(bits), call(Some("a")));
        let good = token(&mine, &[&filter], id);
        prop_assert_eq!(Page::of(&mine, &[&filter], 10, &good).unwrap().after, Some(id));
        let other = format!("{filter}x");
        prop_assert!(Page::of(&mine, &[&other], 10, &good).is_err(), "another filter");
        prop_assert!(Page::of(&call(Some("b")), &[&filter], 10, &good).is_err(), "another vendor");
        prop_assert!(Page::of(&call(None), &[&filter], 10, &good).is_err(), "nobody in particular");
        let elsewhere = Call::new("hearth.vendor.v1.OfferService/ListOthers", Kind::Read, mine.principal().clone());
        prop_assert!(Page::of(&elsewhere, &[&filter], 10, &good).is_err(), "another method");
        let mut edited = good.clone().into_bytes();
        let at = at.index(edited.len());
        edited[at] ^= flip;
        if let Ok(edited) = String::from_utf8(edited) {
            prop_assert!(Page::of(&mine, &[&filter], 10, &edited).is_err(), "edited");
        }
        prop_assert!(Page::of(&mine, &[&filter], 10, &good[..good.len() - 1]).is_err(), "cut");
    }

    #[test]
    fn r_w7_any_text_is_answered_as_a_version_tag(text in "(?s).{0,40}", bits in any::<u128>(), version in any::<i64>()) {
        let id = Uuid::from_u128(bits);
        let right = etag(id, version);
        prop_assert!(check_etag(&right, id, version).is_ok());
        prop_assert_ne!(&etag(id, version.wrapping_add(1)), &right, "another version");
        prop_assert_ne!(&etag(Uuid::from_u128(!bits), version), &right, "another thing");
        for wrong in [text, etag(id, version.wrapping_add(1)), etag(Uuid::from_u128(!bits), version), right.to_uppercase(), right.replace('"', "")] {
            if wrong != right {
                let fault = check_etag(&wrong, id, version).unwrap_err();
                prop_assert_eq!(fault.reason(), "ETAG_MISMATCH");
            }
        }
    }

    #[test]
    fn r_w7_any_text_is_refused_as_an_access_token(
        text in prop_oneof![
            "(?s).{0,300}",
            r"[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,90}",
            r"eyJhbGciOiJFZERTQSIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsifQ\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{86}",
        ],
    ) {
        prop_assert!(verifier().verify(&text).is_err());
    }

    #[test]
    fn bad_input_103_any_timestamp_is_answered(seconds in any::<i64>(), nanos in any::<i32>()) {
        let given = prost_types::Timestamp { seconds, nanos };
        match wire::time_of(Some(&given), "time") {
            Ok(instant) => prop_assert_eq!(wire::time(instant).seconds, seconds),
            Err(fault) => prop_assert_eq!((fault.code(), fault.reason()), (Code::InvalidArgument, "TIME_RANGE")),
        }
    }

    #[test]
    fn bad_input_104_any_date_is_answered(year in any::<i32>(), month in -1..15, day in -1..40) {
        let given = contracts::hearth::r#type::v1::Date { year, month, day };
        if let Err(fault) = wire::date_of(Some(&given), "date") {
            prop_assert_eq!((fault.code(), fault.reason()), (Code::InvalidArgument, "DATE"));
        }
    }

    #[test]
    fn bad_input_100_any_text_is_answered_as_a_decimal(value in "(?s).{0,40}|-?[0-9]{1,70}([.][0-9]{0,70})?") {
        let given = contracts::hearth::r#type::v1::Decimal { value };
        if let Err(fault) = wire::decimal_of::<money::Volume>(Some(&given), "index") {
            prop_assert!(["DECIMAL_FORMAT", "SCALE", "DECIMAL_RANGE"].contains(&fault.reason()));
        }
    }
}

#[test]
fn bad_input_103_and_104_times_and_days_that_are_none() {
    for (seconds, nanos) in [(i64::MIN, 0), (i64::MAX, 0), (0, -1), (0, 1_000_000_000)] {
        let given = prost_types::Timestamp { seconds, nanos };
        assert_eq!(wire::time_of(Some(&given), "time").unwrap_err().reason(), "TIME_RANGE", "{seconds} {nanos}");
    }
    for (year, month, day) in [(2026, 2, 29), (2026, 13, 1), (0, 1, 1), (10000, 1, 1), (2026, 1, 0)] {
        let given = contracts::hearth::r#type::v1::Date { year, month, day };
        assert_eq!(wire::date_of(Some(&given), "date").unwrap_err().reason(), "DATE", "{year}-{month}-{day}");
    }
}

#[test]
fn bad_input_100_numbers_that_are_none() {
    for (value, expected) in [
        ("1e400", "DECIMAL_FORMAT"),
        ("NaN", "DECIMAL_FORMAT"),
        ("Infinity", "DECIMAL_FORMAT"),
        ("0x10", "DECIMAL_FORMAT"),
        ("1,000", "DECIMAL_FORMAT"),
        ("１２", "DECIMAL_FORMAT"),
        ("1.005", "SCALE"),
    ] {
        let given = contracts::hearth::r#type::v1::Decimal { value: value.to_owned() };
        let fault = wire::decimal_of::<money::Money>(Some(&given), "amount").unwrap_err();
        assert_eq!((fault.code(), fault.reason()), (Code::InvalidArgument, expected), "{value}");
    }
}
