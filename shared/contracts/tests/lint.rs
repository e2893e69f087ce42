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
