//! Stable reasons for rules of the contracts, whose own names belong to the validation library.

/// Fields of the types that all contracts share, or that mean the same everywhere, whatever rule they break.
const FIELDS: &[(&str, &str, &str)] = &[
    ("currency_code", "string", "CURRENCY"),
    ("minor_units", "int64", "AMOUNT_RANGE"),
    ("page_size", "int32", "PAGE_SIZE"),
    ("year", "int32", "DATE"),
    ("month", "int32", "DATE"),
    ("day", "int32", "DATE"),
    ("value", "string", "DECIMAL_FORMAT"),
];

const RULES: &[(&str, &str)] = &[
    ("required", "REQUIRED"),
    ("string.min_len", "REQUIRED"),
    ("repeated.min_items", "REQUIRED"),
    ("enum.not_in", "REQUIRED"),
    ("enum.defined_only", "ENUM_UNKNOWN"),
    ("string.max_len", "TOO_LONG"),
    ("string.pattern", "PATTERN"),
    ("string.uuid", "ID_FORMAT"),
    ("string.uuid_empty", "ID_FORMAT"),
    ("repeated.max_items", "TOO_MANY"),
    ("repeated.unique", "DUPLICATE"),
];

/// The reason of a broken rule; that of a rule without one here is its name, such as `INT64_GTE`.
pub(crate) fn reason(field: &str, rule: &str) -> String {
    if rule.is_empty() {
        return "INVALID".to_owned();
    }
    let last = field.rsplit('.').next().unwrap_or(field);
    let of_field = FIELDS
        .iter()
        .find(|(name, of, _)| last == *name && rule.split('.').next() == Some(of))
        .map(|(_, _, reason)| *reason);
    let of_rule = || RULES.iter().find(|(name, _)| *name == rule).map(|(_, reason)| *reason);
    of_field.or_else(of_rule).map_or_else(|| rule.replace('.', "_").to_uppercase(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_told_by_a_reason_that_outlives_its_name() {
        for (field, rule, expected) in [
            ("name", "string.max_len", "TOO_LONG"),
            ("rows[3].amount.currency_code", "string.const", "CURRENCY"),
            ("amount.minor_units", "int64.gte_lte", "AMOUNT_RANGE"),
            ("due_date.month", "int32.gte_lte", "DATE"),
            ("index.value", "string.pattern", "DECIMAL_FORMAT"),
            ("value", "enum.defined_only", "ENUM_UNKNOWN"),
            ("persons", "int32.gte", "INT32_GTE"),
            ("anything", "", "INVALID"),
        ] {
            assert_eq!(reason(field, rule), expected, "{field} {rule}");
        }
    }
}
