//! The rules that the build holds the contracts to refuse what breaks them: the contracts of today with one of each kind wrong.
#![allow(clippy::unwrap_used)]

use prost_reflect::{self, DescriptorPool, DynamicMessage, Value, prost::Message};

#[path = "../build/lint.rs"]
mod lint;

const PARTIES: &str = "hearth/archive/v1/party_service.proto";

/// A part of a description by its name: a file of the set, a method of a service, a field of a message.
fn part<'a>(of: &'a mut DynamicMessage, list: &str, name: &str) -> &'a mut DynamicMessage {
    let parts = of.get_field_by_name_mut(list).unwrap().as_list_mut().unwrap();
    let mut parts = parts.iter_mut().filter_map(Value::as_message_mut);
    parts.find(|part| part.get_field_by_name("name").unwrap().as_str() == Some(name)).unwrap()
}

fn field<'a>(set: &'a mut DynamicMessage, file: &str, message: &str, field: &str) -> &'a mut DynamicMessage {
    part(part(part(set, "file", file), "message_type", message), "field", field)
}

fn import(set: &mut DynamicMessage, file: &str, names: &[&str]) {
    let imports = part(set, "file", file).get_field_by_name_mut("dependency").unwrap().as_list_mut().unwrap();
    imports.extend(names.iter().map(|name| Value::String((*name).to_owned())));
}

/// Options of a field that hold a text to a pattern and to nothing else.
fn with_pattern(pool: &DescriptorPool, pattern: &str) -> Value {
    let new = |name: &str| DynamicMessage::new(pool.get_message_by_name(name).unwrap());
    let mut text = new("buf.validate.StringRules");
    text.set_field_by_name("pattern", Value::String(pattern.to_owned()));
    let mut rules = new("buf.validate.FieldRules");
    rules.set_field_by_name("string", Value::Message(text));
    let mut options = new("google.protobuf.FieldOptions");
    options.set_extension(&pool.get_extension_by_name("buf.validate.field").unwrap(), Value::Message(rules));
    // Among the descriptors of descriptors the rules are an unknown field.
    let of_options = DescriptorPool::global().get_message_by_name("google.protobuf.FieldOptions").unwrap();
    Value::Message(DynamicMessage::decode(of_options, options.encode_to_vec().as_slice()).unwrap())
}

#[test]
fn a_pattern_is_a_limit_only_where_what_it_takes_has_a_greatest_length() {
    let unlimited = [
        "^.*$",
        "^[^ ]+$",
        "^[0-9]{2,}$",
        "^$|^[A-Z]+$",
        "^[A-Z][A-Z0-9_]*$",
        "^([0-9]{2})*$",
        "[0-9]{4}",
        "^[0-9]{4}",
        "[0-9]{4}$",
        "^[0-9]{4}$|x",
        "(",
    ];
    let limited = [
        "^[0-9]{4}$",
        "^$|^[0-9a-fA-F-]{36}$",
        "^([0-9]{12})?$",
        "^[0-9+*]{7,20}$",
        "^20[0-9]{2}(-Q[1-4])?$",
    ];
    let of_sets = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let mut set = DynamicMessage::decode(of_sets, contracts::DESCRIPTORS).unwrap();
    let today = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let request = part(part(&mut set, "file", PARTIES), "message_type", "SearchPartiesRequest");
    let text = part(request, "field", "name").clone();
    let fields = request.get_field_by_name_mut("field").unwrap().as_list_mut().unwrap();
    for (number, pattern) in (1_000..).zip(unlimited.iter().chain(&limited)) {
        let mut field = text.clone();
        field.set_field_by_name("name", Value::String(format!("text_{number}")));
        field.set_field_by_name("json_name", Value::String(format!("text{number}")));
        field.set_field_by_name("number", Value::I32(number));
        field.set_field_by_name("options", with_pattern(&today, pattern));
        fields.push(Value::Message(field));
    }
    let pool = DescriptorPool::decode(set.encode_to_vec().as_slice()).unwrap();
    let told = lint::check(&pool).unwrap_err().to_string();
    let expected = (1_000..).take(unlimited.len());
    let expected = expected.map(|number| format!("  hearth.archive.v1.SearchPartiesRequest.text_{number}: a text of a request without a limit"));
    assert_eq!(told.lines().skip(1).collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[test]
fn the_build_refuses_contracts_that_break_the_rules_of_the_house() {
    let of_sets = DescriptorPool::global().get_message_by_name("google.protobuf.FileDescriptorSet").unwrap();
    let mut set = DynamicMessage::decode(of_sets, contracts::DESCRIPTORS).unwrap();
    let other = || Value::String("other".to_owned());

    let parties = part(part(&mut set, "file", PARTIES), "service", "PartyService");
    part(parties, "method", "GetParty").clear_field_by_name("options");
    field(&mut set, PARTIES, "SearchPartiesRequest", "name").clear_field_by_name("options");
    field(&mut set, PARTIES, "RevealPartyRequest", "purpose").set_field_by_name("name", other());
    field(&mut set, PARTIES, "ClosePartyRequest", "request_id").set_field_by_name("name", other());
    field(
        &mut set,
        "hearth/archive/v1/agreement_service.proto",
        "SignAgreementRequest",
        "flagged_clauses_acknowledged",
    )
    .clear_field_by_name("options");
    // The number of double.
    field(&mut set, "hearth/type/v1/money.proto", "Money", "minor_units").set_field_by_name("type", Value::EnumNumber(1));
    let events = "hearth/archive/v1/events.proto";
    let personal = field(&mut set, PARTIES, "RegisterPersonRequest", "phone")
        .get_field_by_name("options")
        .unwrap()
        .into_owned();
    field(&mut set, events, "PartyListedDishonest", "branch").set_field_by_name("options", personal);
    import(&mut set, events, &["buf/validate/validate.proto", "hearth/options/v1/options.proto"]);
    import(&mut set, "hearth/vendor/v1/contract.proto", &["hearth/hall/v1/order.proto"]);

    let pool = DescriptorPool::decode(set.encode_to_vec().as_slice()).unwrap();
    let told = lint::check(&pool).unwrap_err().to_string();
    for expected in [
        "PartyService.GetParty: no access option with a kind",
        "SearchPartiesRequest.name: a text of a request without a limit",
        "PartyService.RevealParty: a reveal without a purpose",
        "PartyService.CloseParty: a write without request_id",
        "flagged_clauses_acknowledged: a list of a request without max_items",
        "Money.minor_units: a binary float",
        "PartyListedDishonest.branch: personal data in an event",
        "hearth/vendor/v1/contract.proto: imports hearth/hall/v1/order.proto of another service",
    ] {
        assert!(told.contains(expected), "{expected} is missing in: {told}");
    }
}
