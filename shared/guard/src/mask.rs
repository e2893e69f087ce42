//! Masks of personal data (脱敏), by the numbers of `hearth.options.v1.PersonalData`.
//!
//! Every mask is idempotent, so that data masked at its source may pass through another answer; a value too short for its class
//! shows less, not more. Empty text stays empty, except in the class OTHER, where it matters already whether something is there.

const STAR: char = '*';
const CUT: char = '…';

/// Masks `value` as its class says; class 0 carries no personal data. A class that is not known here is hidden.
pub fn apply(class: i32, value: &mut String) {
    let mask = match class {
        0 => return,
        1 => name,
        2 => phone,
        3 => id_number,
        4 => address,
        5 => bank_account,
        6 => email,
        _ => other,
    };
    *value = mask(value);
}

/// 张小明 → `张**`: the first character. A name of one character is hidden.
pub fn name(value: &str) -> String {
    match value.chars().count() {
        0 | 1 => keep(value, 0, 0),
        _ => keep(value, 1, 0),
    }
}

/// 13812345678 → `138****5678`; from 8 to 10 characters the last four; shorter ones are hidden.
pub fn phone(value: &str) -> String {
    match value.chars().count() {
        ..8 => keep(value, 0, 0),
        8..11 => keep(value, 0, 4),
        _ => keep(value, 3, 4),
    }
}

/// Identity number of a person or code of an organisation: the first three and the last four; below 15 characters (passports,
/// permits) the last two; below 8 nothing.
pub fn id_number(value: &str) -> String {
    match value.chars().count() {
        ..8 => keep(value, 0, 0),
        8..15 => keep(value, 0, 2),
        _ => keep(value, 3, 4),
    }
}

/// Down to the street: `北京市朝阳区建国路…`. Without a street before the house number at most nine characters, and at most half.
pub fn address(value: &str) -> String {
    const STREETS: [&str; 6] = ["街道", "大道", "街", "路", "镇", "乡"];
    // A name of a road farther away belongs to a remark, not to the address.
    const FAR: usize = 30;
    const NEAR: usize = 9;

    if value.is_empty() {
        return String::new();
    }
    let (body, masked) = value.strip_suffix(CUT).map_or((value, false), |body| (body, true));
    let total = body.chars().count();
    let mut shown = 0_usize;
    let mut rest = body;
    // The house number and all that follows is never shown.
    while let Some(next) = rest.chars().next().filter(|c| !c.is_numeric() && *c != CUT) {
        if let Some(street) = STREETS.iter().find(|street| rest.starts_with(**street)) {
            shown = shown.saturating_add(street.chars().count());
            if shown > FAR {
                break;
            }
            return body.chars().take(shown).chain([CUT]).collect();
        }
        shown = shown.saturating_add(1);
        rest = rest.split_at(next.len_utf8()).1;
    }
    // What this function made stays; half of a half would lose more with each answer that it passes.
    let limit = if masked && total <= NEAR { total } else { NEAR.min(total / 2) };
    body.chars().take(shown.min(limit)).chain([CUT]).collect()
}

/// The last four; below 12 characters nothing.
pub fn bank_account(value: &str) -> String {
    match value.chars().count() {
        ..12 => keep(value, 0, 0),
        _ => keep(value, 0, 4),
    }
}

/// `z***@example.com`: first letter and domain; a single letter before the sign is hidden, and so is what is no e-mail address.
pub fn email(value: &str) -> String {
    if value.is_empty() {
        return String::new();
    }
    let Some((local, domain)) = value.rsplit_once('@').filter(|(_, domain)| !domain.is_empty()) else {
        return other(value);
    };
    let mut letters = local.chars();
    match (letters.next(), letters.next()) {
        (Some(first), Some(_)) if first != STAR => format!("{first}***@{domain}"),
        _ => format!("***@{domain}"),
    }
}

/// Hides everything, also whether there is anything: a proof of low income tells by being there.
pub fn other(_: &str) -> String {
    "***".to_owned()
}

/// The first `head` and the last `tail` characters, with a star for each one between.
fn keep(value: &str, head: usize, tail: usize) -> String {
    let end = value.chars().count().saturating_sub(tail);
    value.chars().enumerate().map(|(at, c)| if at < head || at >= end { c } else { STAR }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Mask = fn(&str) -> String;

    #[test]
    fn p5_masks_look_as_the_rules_say() {
        let cases: [(Mask, &str, &str); 36] = [
            (name, "张小明", "张**"),
            (name, "张伟", "张*"),
            (name, "张", "*"),
            (name, "", ""),
            (name, "𠮷野·阿依古丽", "𠮷******"),
            (phone, "13812345678", "138****5678"),
            (phone, "010-65123456", "010*****3456"),
            (phone, "4008123456", "******3456"),
            (phone, "65123456", "****3456"),
            (phone, "6512345", "*******"),
            (phone, "", ""),
            (id_number, "11010519491231002X", "110***********002X"),
            (id_number, "110105491231002", "110********1002"),
            (id_number, "E12345678", "*******78"),
            (id_number, "1234567", "*******"),
            (address, "北京市朝阳区建国路88号3号楼501室", "北京市朝阳区建国路…"),
            (address, "北京市朝阳区建外街道永安里8号", "北京市朝阳区建外街道…"),
            (address, "天津市西青区杨柳青镇柳口路1号", "天津市西青区杨柳青镇…"),
            (address, "上海市浦东新区世纪大道100号", "上海市浦东新区世纪大道…"),
            (address, "河北省张家口市怀来县新保安乡三村", "河北省张家口市怀来县新保安乡…"),
            (address, "北京市海淀区阳光花园三号楼乙单元三层东户", "北京市海淀区阳光花…"),
            (address, "阳光小区3号楼2单元501室（人民路口）", "阳光小区…"),
            (address, "阳光小区甲座", "阳光小…"),
            (address, "3号楼501", "…"),
            (address, "３号楼５０１", "…"),
            (address, "", ""),
            (bank_account, "6222021234567890123", "***************0123"),
            (bank_account, "12345678901", "***********"),
            (email, "zhangsan@example.com", "z***@example.com"),
            (email, "z@example.com", "***@example.com"),
            (email, "@example.com", "***@example.com"),
            (email, "zhangsan@", "***"),
            (email, "zhangsan", "***"),
            (email, "", ""),
            (other, "LOW_INCOME", "***"),
            (other, "", "***"),
        ];
        for (mask, clear, masked) in cases {
            assert_eq!(mask(clear), masked, "{clear}");
            assert_eq!(mask(masked), masked, "again {masked}");
        }
    }

    #[test]
    fn p5_each_class_has_its_mask_and_an_unknown_class_is_hidden() {
        let masked = |class| {
            let mut value = "13812345678".to_owned();
            apply(class, &mut value);
            value
        };
        assert_eq!(masked(0), "13812345678");
        assert_eq!(masked(1), "1**********");
        assert_eq!(masked(2), "138****5678");
        assert_eq!(masked(3), "*********78");
        assert_eq!(masked(4), "…");
        assert_eq!(masked(5), "***********");
        for class in [6, 7, 8, -1, i32::MAX] {
            assert_eq!(masked(class), "***");
        }
    }

    /// Texts near the rules: digits, streets, signs and marks of the masks themselves.
    fn text() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "[0-9Xx*+ -]{0,24}",
            "[一二北京市朝阳区建国街道路镇乡大楼号0-9３…A]{0,44}",
            "[a-c*@.]{0,12}",
        ]
    }

    /// How many characters of the clear text still stand where they stood, other than stars.
    fn shown(clear: &str, masked: &str) -> usize {
        let head = clear.chars().zip(masked.chars()).take_while(|(a, b)| a == b).count();
        let rest: String = clear.chars().skip(head).collect();
        let covered: String = masked.chars().skip(head).collect();
        head + rest.chars().rev().zip(covered.chars().rev()).take_while(|(a, b)| a == b).count()
    }

    proptest! {
        #[test]
        fn p5_a_mask_of_a_mask_is_the_same(class in 0..9, value in text()) {
            let mut once = value;
            apply(class, &mut once);
            let mut twice = once.clone();
            apply(class, &mut twice);
            prop_assert_eq!(once, twice);
        }

        #[test]
        fn p5_short_values_show_less(value in "[b-y0-9]{1,40}") {
            let length = value.chars().count();
            for (mask, most) in [(name as Mask, 1), (phone, 7), (id_number, 7), (bank_account, 4)] {
                let masked = mask(&value);
                prop_assert_eq!(masked.chars().count(), length);
                let seen = masked.chars().filter(|c| *c != STAR).count();
                prop_assert!(seen <= most);
                // Something is always hidden: all of a very short value, a third of the others.
                let allowed = if length == 1 { 0 } else { length * 2 / 3 };
                prop_assert!(seen <= allowed);
                // One character less never shows more.
                let shorter: String = value.chars().skip(1).collect();
                prop_assert!(mask(&shorter).chars().filter(|c| *c != STAR).count() <= seen);
            }
        }

        #[test]
        fn p5_an_address_never_shows_its_house_number(street in "[北京市朝阳区建国花园东西]{0,20}", number in "[0-9]{1,4}", rest in "[路街道号楼室0-9]{0,20}") {
            let clear = format!("{street}{number}{rest}");
            let masked = address(&clear);
            let seen = shown(&clear, &masked);
            prop_assert!(masked.ends_with(CUT));
            prop_assert!(!masked.chars().any(char::is_numeric));
            prop_assert!(seen <= street.chars().count());
        }

        #[test]
        fn p5_an_address_without_a_street_shows_half_at_most(value in "[北京市朝阳区花园东西]{1,40}") {
            let length = value.chars().count();
            prop_assert_eq!(address(&value).chars().count() - 1, 9.min(length / 2));
        }

        #[test]
        fn p5_an_email_shows_one_letter_and_the_domain(local in "[a-z]{1,20}", domain in "[a-z]{1,10}\\.cn") {
            let first: String = local.chars().take(usize::from(local.len() > 1)).collect();
            prop_assert_eq!(email(&format!("{local}@{domain}")), format!("{first}***@{domain}"));
        }
    }
}
