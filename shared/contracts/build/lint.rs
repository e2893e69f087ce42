//! What no linter of others knows: every method says who may call it, who reveals says why, every text of a request has a limit, no event
//! carries personal data, no contract of one service imports another's.

use std::{collections::BTreeSet, error::Error};

use regex_syntax::hir::Look;

use super::prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};

pub fn check(pool: &DescriptorPool) -> Result<(), Box<dyn Error>> {
    let access = pool.get_extension_by_name("hearth.options.v1.access").ok_or("the access option is missing")?;
    let rules = pool.get_extension_by_name("buf.validate.field").ok_or("the validation option is missing")?;
    let personal = pool
        .get_extension_by_name("hearth.options.v1.personal_data")
        .ok_or("the personal-data option is missing")?;
    let mut faults = BTreeSet::new();

    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        let options = method.options();
        let option = options.get_extension(&access);
        let kind = option.as_message().and_then(|m| m.get_field_by_name("kind")?.as_enum_number()).unwrap_or(0);
        if !options.has_extension(&access) || kind == 0 {
            faults.insert(format!("{}: no access option with a kind", method.full_name()));
        }
        if (kind == 2 || kind == 3) && !method.is_client_streaming() && method.input().get_field_by_name("request_id").is_none() {
            faults.insert(format!("{}: a write without request_id", method.full_name()));
        }
        let purpose = method.input().get_field_by_name("purpose");
        if kind == 3 && !purpose.is_some_and(|field| text_rules(&field, &rules).is_some_and(|text| text.has_field_by_name("min_len"))) {
            faults.insert(format!("{}: a reveal without a purpose that has a least length", method.full_name()));
        }
        reach(&method.input(), &mut BTreeSet::new(), &mut |field| {
            if field.kind() == Kind::String && !field.is_map() && !limited(field, &rules) {
                faults.insert(format!("{}: a text of a request without a limit", field.full_name()));
            }
            if field.is_list() && !bounded(&field.options(), &rules) {
                faults.insert(format!("{}: a list of a request without max_items", field.full_name()));
            }
            if field.is_map() {
                faults.insert(format!("{}: a map in a request", field.full_name()));
            }
        });
    }
    for file in pool.files().filter(|f| f.name().starts_with("hearth/")) {
        let service = |name: &str| name.split('/').nth(1).unwrap_or_default().to_owned();
        for import in file.dependencies() {
            if !matches!(service(import.name()).as_str(), "type" | "options" | "journal" | "job")
                && import.name().starts_with("hearth/")
                && service(import.name()) != service(file.name())
            {
                faults.insert(format!("{}: imports {} of another service", file.name(), import.name()));
            }
        }
        if file.name().ends_with("/events.proto") {
            for message in file.messages() {
                reach(&message, &mut BTreeSet::new(), &mut |field| {
                    if field.options().has_extension(&personal) {
                        faults.insert(format!("{}: personal data in an event", field.full_name()));
                    }
                });
            }
        }
        for message in file.messages() {
            reach(&message, &mut BTreeSet::new(), &mut |field| {
                if matches!(field.kind(), Kind::Float | Kind::Double) {
                    faults.insert(format!("{}: a binary float", field.full_name()));
                }
            });
        }
    }
    if faults.is_empty() {
        Ok(())
    } else {
        Err(format!(
            "the contracts break rules of the house:\n  {}",
            faults.into_iter().collect::<Vec<_>>().join("\n  ")
        )
        .into())
    }
}

/// Calls `meet` for every field of ours that a message reaches.
fn reach(message: &MessageDescriptor, seen: &mut BTreeSet<String>, meet: &mut impl FnMut(&FieldDescriptor)) {
    if !message.full_name().starts_with("hearth.") || !seen.insert(message.full_name().to_owned()) {
        return;
    }
    for field in message.fields() {
        meet(&field);
        if let Kind::Message(inner) = field.kind() {
            reach(&inner, seen, meet);
        }
    }
}

fn part(value: &DynamicMessage, name: &str) -> Option<DynamicMessage> {
    if !value.has_field_by_name(name) {
        return None;
    }
    match value.get_field_by_name(name)?.into_owned() {
        Value::Message(m) => Some(m),
        _ => None,
    }
}

/// The rules of a text, or of each text of a list.
fn text_rules(field: &FieldDescriptor, rules: &ExtensionDescriptor) -> Option<DynamicMessage> {
    let options = field.options();
    let value = options.get_extension(rules);
    let found = value.as_message().filter(|_| options.has_extension(rules))?;
    if field.is_list() {
        part(&part(&part(found, "repeated")?, "items")?, "string")
    } else {
        part(found, "string")
    }
}

fn limited(field: &FieldDescriptor, rules: &ExtensionDescriptor) -> bool {
    text_rules(field, rules).is_some_and(|s| {
        let known = s.descriptor();
        let set = |n: &str| known.get_field_by_name(n).is_some() && s.has_field_by_name(n);
        let pattern = s.get_field_by_name("pattern").filter(|_| set("pattern"));
        ["const", "len", "max_len", "max_bytes", "in", "uuid"].into_iter().any(set) || pattern.is_some_and(|p| p.as_str().is_some_and(is_finite))
    })
}

/// Whether what matches a pattern has a greatest length. A pattern that is not bound to both ends is found in texts of any length.
fn is_finite(pattern: &str) -> bool {
    regex_syntax::parse(pattern).is_ok_and(|parsed| {
        let of = parsed.properties();
        of.maximum_len().is_some() && of.look_set_prefix().contains(Look::Start) && of.look_set_suffix().contains(Look::End)
    })
}

fn bounded(options: &DynamicMessage, rules: &ExtensionDescriptor) -> bool {
    let value = options.get_extension(rules);
    value
        .as_message()
        .filter(|_| options.has_extension(rules))
        .and_then(|f| part(f, "repeated"))
        .is_some_and(|r| r.has_field_by_name("max_items"))
}
