//! `docs/bad-inputs.md`, and the bad inputs that every field of every request shares.

use std::collections::BTreeMap;

use contracts::hearth::options::v1::Role;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage, Value};
use rpc::AccessTable;
use tonic::Code;
use tonic_types::StatusExt;

use crate::{
    fill::{Dice, Filler, rules},
    sides::{Caller, Side, bytes},
    tree::{Tests, cells, quoted, root},
    world::{engine, folder},
};

const PAGE: &str = "docs/bad-inputs.md";

/// The rows of the page: number, input, code, reason, where it is shown.
fn table() -> Vec<[String; 5]> {
    cells(PAGE).into_iter().filter_map(|row| row.try_into().ok()).collect()
}

/// Every bad input is there, every test that is named exists, every reason is one of the errors.
#[test]
fn every_bad_input_is_shown_by_a_test_or_waits_for_what_it_needs() {
    let rows = table();
    let numbers: Vec<_> = rows.iter().map(|row| row[0].clone()).collect();
    let expected: Vec<_> = (1..=130).map(|n| n.to_string()).collect();
    assert_eq!(numbers, expected);
    let errors = std::fs::read_to_string(root().join("docs/errors.md")).unwrap();
    let sources = Tests::read();
    let mut faults = vec![];
    for [number, input, _, reason, shown] in &rows {
        let not_built = shown.contains("not built");
        for reason in quoted(reason) {
            let word = reason.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
            if word && !not_built && !errors.contains(&format!("`{reason}`")) {
                faults.push(format!("{number} {input}: {reason} is not in docs/errors.md"));
            }
        }
        let tests = quoted(shown);
        if tests.is_empty() && !not_built {
            faults.push(format!("{number} {input}: neither a test nor what it waits for"));
        }
        // Such as "refunds: not built (E3-06, B29)".
        for wait in shown.split("not built").skip(1) {
            let ids = wait.strip_prefix(" (").and_then(|rest| rest.split_once(')')).map_or("", |(ids, _)| ids);
            let is_id = |id: &str| id.starts_with(|c: char| c.is_ascii_uppercase()) && id.ends_with(|c: char| c.is_ascii_digit());
            if !ids.split(", ").all(is_id) {
                faults.push(format!("{number} {input}: what brings it is not named"));
            }
        }
        for test in tests {
            let Some((place, name)) = test.rsplit_once("::") else {
                faults.push(format!("{number} {input}: {test} names no file"));
                continue;
            };
            let found = sources.has("", &place.split("::").collect::<Vec<_>>(), name);
            if !found {
                faults.push(format!("{number} {input}: there is no test {test}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// 69, 93, 102, 111: masks of fields, filters and orders of any text, totals, floating numbers. A contract that gets one needs its row.
#[test]
fn what_no_contract_has_cannot_be_sent_wrong() {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let (mut fields, mut faults) = (0, vec![]);
    let mut left: Vec<_> = pool.services().flat_map(|s| s.methods().map(|m| m.input()).collect::<Vec<_>>()).collect();
    let mut seen = std::collections::BTreeSet::new();
    while let Some(message) = left.pop() {
        if !seen.insert(message.full_name().to_owned()) || !message.full_name().starts_with("hearth.") {
            continue;
        }
        for field in message.fields() {
            fields += 1;
            let free = [
                "filter",
                "order_by",
                "update_mask",
                "field_mask",
                "total",
                "total_amount",
                "expected_total",
                "latitude",
                "longitude",
            ];
            let wide = matches!(field.kind(), Kind::Double | Kind::Float);
            let mask = matches!(field.kind(), Kind::Message(of) if of.full_name() == "google.protobuf.FieldMask");
            if wide || mask || free.contains(&field.name()) {
                faults.push(field.full_name().to_owned());
            }
            if let Kind::Message(of) = field.kind() {
                left.push(of);
            }
        }
    }
    assert!(fields > 1000, "{fields} fields of requests");
    assert!(faults.is_empty(), "{faults:?}");
}

/// A request with one bad field, and what must be said of it.
struct Bad {
    message: DynamicMessage,
    field: String,
    reason: &'static str,
    /// The reason of the whole refusal.
    whole: &'static str,
}

/// Every bad value that the contract forbids for a field of the request.
fn bad_values(field: &FieldDescriptor) -> Vec<(Value, &'static str)> {
    let rules = rules(field);
    let part = |name: &str| {
        let rules = rules.as_ref().filter(|r| r.has_field_by_name(name))?;
        rules.get_field_by_name(name)?.as_message().cloned()
    };
    let number = |of: &DynamicMessage, name: &str| match of.get_field_by_name(name).filter(|_| of.has_field_by_name(name))?.into_owned() {
        Value::U64(n) => Some(n),
        _ => None,
    };
    let mut bad = vec![];
    if field.is_list() {
        let most = part("repeated").and_then(|r| number(&r, "max_items")).filter(|n| *n <= 1000);
        if let (Some(most), Kind::String) = (most, field.kind()) {
            bad.push((Value::List((0..=most).map(|n| Value::String(format!("A{n}"))).collect()), "TOO_MANY"));
        }
        return bad;
    }
    let text = |text: &str| Value::String(text.to_owned());
    match field.kind() {
        Kind::String => {
            let string = part("string");
            let uuid = string
                .as_ref()
                .is_some_and(|s| s.get_field_by_name("uuid").is_some_and(|v| v.as_bool() == Some(true)));
            if uuid {
                let full = "0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4f5";
                bad.extend([format!("{{{full}}}"), format!("{full}0"), "x".to_owned()].map(|t| (Value::String(t), "ID_FORMAT")));
            }
            if let Some(most) = string.as_ref().and_then(|s| number(s, "max_len")).filter(|_| !uuid) {
                bad.push((Value::String("长".repeat(most as usize + 1)), "TOO_LONG"));
            }
            if string.as_ref().and_then(|s| number(s, "min_len")).is_some_and(|n| n > 0) && !field.supports_presence() {
                bad.push((text(""), "REQUIRED"));
            }
            bad.extend([(text("a\0b"), "CONTROL_CHARACTER"), (text("a\u{1b}[31m"), "CONTROL_CHARACTER")]);
            bad.extend([(text("a\u{202e}b"), "UNSAFE_CHARACTER"), (text("a\u{200d}b"), "UNSAFE_CHARACTER")]);
        }
        Kind::Enum(_) => {
            if let Some(of) = part("enum") {
                if of.get_field_by_name("defined_only").is_some_and(|v| v.as_bool() == Some(true)) {
                    bad.push((Value::EnumNumber(99), "ENUM_UNKNOWN"));
                }
                let forbidden = of
                    .get_field_by_name("not_in")
                    .and_then(|v| v.as_list().map(<[Value]>::to_vec))
                    .unwrap_or_default();
                if forbidden.contains(&Value::I32(0)) {
                    bad.push((Value::EnumNumber(0), "REQUIRED"));
                }
            }
        }
        Kind::Int32 if field.name() == "page_size" => bad.push((Value::I32(-1), "PAGE_SIZE")),
        _ => {}
    }
    bad
}

/// Bad values of the types that all contracts share, below the field.
fn bad_parts(field: &FieldDescriptor) -> Vec<(DynamicMessage, &'static str, &'static str)> {
    let Kind::Message(of) = field.kind() else { return vec![] };
    let made = |set: &[(&str, Value)]| {
        let mut message = DynamicMessage::new(of.clone());
        set.iter().for_each(|(name, value)| message.set_field_by_name(name, value.clone()));
        message
    };
    let text = |t: &str| Value::String(t.to_owned());
    match of.full_name() {
        "hearth.type.v1.Money" => {
            let mut bad = vec![(
                made(&[("currency_code", text("USD")), ("minor_units", Value::I64(1))]),
                "currency_code",
                "CURRENCY",
            )];
            for n in [i64::MIN, -100_000_000_001, 100_000_000_001, i64::MAX] {
                bad.push((
                    made(&[("currency_code", text("CNY")), ("minor_units", Value::I64(n))]),
                    "minor_units",
                    "AMOUNT_RANGE",
                ));
            }
            bad
        }
        "hearth.type.v1.Decimal" => ["1e400", "NaN", "Infinity", "0x10", "1,000", "１２", ""]
            .map(|t| (made(&[("value", text(t))]), "value", "DECIMAL_FORMAT"))
            .to_vec(),
        "hearth.type.v1.Date" => {
            let date = |y, m, d| made(&[("year", Value::I32(y)), ("month", Value::I32(m)), ("day", Value::I32(d))]);
            vec![
                (date(2026, 13, 1), "month", "DATE"),
                (date(0, 1, 1), "year", "DATE"),
                (date(10000, 1, 1), "year", "DATE"),
                (date(2026, 1, 32), "day", "DATE"),
            ]
        }
        _ => vec![],
    }
}

/// A good request of a method, each time with one field spoiled.
fn bad_requests(method: &MethodDescriptor, good: &DynamicMessage) -> Vec<Bad> {
    let mut all = vec![];
    for field in method.input().fields().filter(|f| f.containing_oneof().is_none_or(|o| o.is_synthetic())) {
        let name = field.name().to_owned();
        for (value, reason) in bad_values(&field) {
            let mut message = good.clone();
            message.set_field(&field, value.clone());
            let whole = match (name.as_str(), value.as_str()) {
                ("request_id", _) => "IDEMPOTENCY_KEY_FORMAT",
                ("etag", _) => "ETAG_REQUIRED",
                _ => "REQUEST_INVALID",
            };
            all.push(Bad {
                message,
                field: name.clone(),
                reason,
                whole,
            });
        }
        for (value, part, reason) in bad_parts(&field).into_iter().filter(|_| !field.is_list()) {
            let mut message = good.clone();
            message.set_field(&field, Value::Message(value));
            all.push(Bad {
                message,
                field: format!("{name}.{part}"),
                reason,
                whole: "REQUEST_INVALID",
            });
        }
    }
    if let Some(key) = good.descriptor().get_field_by_name("request_id") {
        for (text, whole) in [
            (String::new(), "IDEMPOTENCY_KEY_REQUIRED"),
            ("x".repeat(256), "IDEMPOTENCY_KEY_FORMAT"),
            ("a key".to_owned(), "IDEMPOTENCY_KEY_FORMAT"),
        ] {
            let mut message = good.clone();
            message.set_field(&key, Value::String(text));
            all.push(Bad {
                message,
                field: "request_id".to_owned(),
                reason: "ID_FORMAT",
                whole,
            });
        }
    }
    all
}

/// 76, 77, 80 to 82, 87 to 89, 91, 98, 100, 101, 104, 112, 113, 116: in each field of each request that can be wrong in that way.
#[tokio::test(flavor = "multi_thread")]
async fn bad_inputs_of_every_field_are_refused_by_name_and_reason() {
    let access = AccessTable::read().unwrap();
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let mut side = Side::start(engine(), &folder().join("keys")).await.unwrap();
    let (mut tried, mut faults): (BTreeMap<&str, usize>, Vec<String>) = (BTreeMap::new(), vec![]);
    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        let path = format!("{}/{}", method.parent_service().full_name(), method.name());
        let Some(found) = access.get(&path).filter(|m| !m.access.development) else {
            continue;
        };
        let roles: Vec<_> = found.access.roles.iter().filter_map(|r| Role::try_from(*r).ok()).collect();
        let now = side.clock.now();
        let mut dice = Dice(1);
        let mut filler = Filler::new(&mut side.known, &mut dice, now);
        let good = filler.request(&method.input(), &serde_json::json!({}));
        // The gate refuses whoever has no certificate of a service before it reads what only services may ask.
        if roles.iter().all(|r| *r >= Role::ServiceArchive) && !found.access.public {
            continue;
        }
        let caller = if found.access.public {
            Caller::all()
        } else {
            Caller::of("s1", &roles, &good)
        };
        for bad in bad_requests(&method, &good)
            .into_iter()
            .filter(|b| caller.vendor.is_none() || b.field != "vendor_id")
        {
            *tried.entry(bad.reason).or_default() += 1;
            let outcome = side.call(&method, &caller, &bytes(&bad.message)).await;
            let Err(status) = outcome else {
                faults.push(format!("{path} takes {} with {}", bad.field, bad.reason));
                continue;
            };
            let details = status.get_error_details();
            let whole = details.error_info().map(|i| i.reason.clone()).unwrap_or_default();
            let violations = details.bad_request().map(|b| b.field_violations.clone()).unwrap_or_default();
            let told = violations.iter().any(|v| v.field == bad.field && v.reason == bad.reason);
            // What else is wrong with a request made at random may come first.
            let first = violations.first().is_some_and(|v| v.field == bad.field);
            if status.code() != Code::InvalidArgument || !told || (first && whole != bad.whole) {
                let seen: Vec<_> = violations.iter().map(|v| format!("{} {}", v.field, v.reason)).collect();
                faults.push(format!(
                    "{path} {} {}: {:?} {whole} and not {}, {seen:?}",
                    bad.field,
                    bad.reason,
                    status.code(),
                    bad.whole
                ));
            }
        }
    }
    println!("requests with one bad field, by reason: {tried:?}");
    assert!(faults.is_empty(), "{}\n{}", faults.len(), faults[..faults.len().min(30)].join("\n"));
    assert!(tried.values().sum::<usize>() > 3000 && tried.len() >= 12, "{tried:?}");
    for running in side.running {
        running.stop().await.unwrap();
    }
}
