//! Which way things depend on each other, and that every reference between tables is known.

use crate::tree::{SERVICES, files, has_word, root};

/// Rules stay pure: they know neither the wire nor the database nor the runtime.
#[test]
fn models_import_no_machinery() {
    let mut faults = vec![];
    for (path, text) in files("services", "rs") {
        if path.contains("/src/") && (path.ends_with("/model.rs") || path.contains("/model/")) {
            // Unit tests below the rules may use what they like.
            let rules = text.split("#[cfg(test)]").next().unwrap();
            for machine in ["tonic", "prost", "prost_types", "sea_orm", "tokio", "contracts", "database"] {
                if rules
                    .lines()
                    .filter(|l| !l.trim_start().starts_with("//"))
                    .any(|l| has_word(l, &format!("{machine}::")) || has_word(l, &format!("use {machine};")))
                {
                    faults.push(format!("{path} uses {machine}"));
                }
            }
        }
    }
    for (path, text) in files("services/billing/rating/src", "rs") {
        for machine in ["tonic", "prost", "sea_orm", "tokio", "std::fs", "std::io"] {
            if has_word(&text, &format!("{machine}::")) {
                faults.push(format!("{path} uses {machine}"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Services meet only in `proto/`; shared crates know no service.
#[test]
fn no_service_depends_on_another() {
    let mut faults = vec![];
    for (path, text) in files("services", "toml").into_iter().chain(files("shared", "toml")) {
        if !path.ends_with("/Cargo.toml") || path.starts_with("services/hearth/") {
            continue;
        }
        let manifest: toml::Table = text.parse().unwrap();
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(dependencies) = manifest.get(section).and_then(|d| d.as_table()) else {
                continue;
            };
            for service in SERVICES.into_iter().chain(["hearth"]) {
                if dependencies.contains_key(service) {
                    faults.push(format!("{path} depends on {service}"));
                }
            }
            // Tests may start a service; programs may not hold what only tests need.
            if section == "dependencies" && dependencies.contains_key("testbed") {
                faults.push(format!("{path} depends on testbed outside its tests"));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Events go from database to database by the services themselves (thread 24 of what users of other systems suffer from): no client of a message broker is
/// among the dependencies, nor one started beside the services.
#[test]
fn thread_24_there_is_no_message_broker() {
    const BROKERS: &[&str] = &[
        "activemq", "amq", "amqp", "amqprs", "fluvio", "iggy", "kafka", "lapin", "mqtt", "nats", "nsq", "paho", "pulsar", "rabbitmq", "rdkafka", "redis",
        "rocketmq", "rumqttc", "stomp", "valkey", "zeromq", "zmq",
    ];
    let is_broker = |name: &str| name.split(['-', '_', '/', ':', '.']).any(|part| BROKERS.contains(&part));
    let lock: toml::Table = std::fs::read_to_string(root().join("Cargo.lock")).unwrap().parse().unwrap();
    let packages: Vec<&str> = lock["package"].as_array().unwrap().iter().map(|p| p["name"].as_str().unwrap()).collect();
    assert!(
        packages.contains(&"tonic") && packages.contains(&"sea-orm"),
        "the services' own packages are among {}",
        packages.len()
    );
    let compose = std::fs::read_to_string(root().join("docker-compose.yml")).unwrap();
    let images: Vec<&str> = compose.lines().filter_map(|line| line.trim().strip_prefix("image: ")).collect();
    assert!(images.contains(&"postgres:18"), "{images:?}");
    let found: Vec<&&str> = packages.iter().chain(&images).filter(|name| is_broker(name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

/// What users of other systems suffer from with meter data, tariffs and bills (threads 1 to 27 and 66 to 75) has tests that are named by it.
#[test]
fn every_thread_about_bills_has_a_test_by_its_number() {
    let mut tested = std::collections::BTreeSet::new();
    for (_, text) in files("services", "rs").into_iter().chain(files("shared", "rs")) {
        for name in text.lines().filter_map(|line| line.split_once("fn thread_").map(|(_, name)| name)) {
            let words: Vec<&str> = name.split('_').collect();
            let numbers = words.iter().step_by(2).zip(std::iter::once(&"and").chain(words.iter().skip(1).step_by(2)));
            tested.extend(
                numbers
                    .take_while(|(_, before)| **before == "and")
                    .filter_map(|(number, _)| number.parse::<u32>().ok()),
            );
        }
    }
    let missing: Vec<u32> = (1..=27).chain(66..=75).filter(|number| !tested.contains(number)).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Another service's messages are written only where a service speaks with it: never with a database.
#[test]
fn shared_crates_and_stores_name_no_foreign_package() {
    let mut faults = vec![];
    for (path, text) in files("shared", "rs") {
        if path.contains("/src/") {
            faults.extend(
                SERVICES
                    .into_iter()
                    .filter(|s| text.contains(&format!("hearth::{s}::")))
                    .map(|s| format!("{path} names the package of {s}")),
            );
        }
    }
    for service in SERVICES {
        for (path, text) in files(&format!("services/{service}/src"), "rs") {
            let foreign = SERVICES
                .into_iter()
                .filter(|other| *other != service && path.ends_with("/store.rs") && text.contains(&format!("hearth::{other}::")));
            faults.extend(foreign.map(|other| format!("{path} names the package of {other}")));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Columns that hold keys of something kept elsewhere: in another service, or in one of several tables. Those that a service took over from another one
/// itself are held against it by `hearth check` (src/check/kept.rs).
const ELSEWHERE: &[(&str, &[&str])] = &[
    ("archive", &["subject_key.subject"]),
    (
        "hall",
        &[
            // archive, billing, vendor
            "service_case.account_id",
            "work_order.account_id",
            "work_order.agreement_id",
            "opening.account_id",
            "opening.premises_id",
            "opening.service_point_id",
            "opening.agreement_id",
            "callback_task.account_id",
            "pipe_acceptance.service_point_id",
            "appliance_acceptance.service_point_id",
            "staff.vendor_id",
            "staff.vendor_person_id",
            "work_order.vendor_id",
            "work_order.vendor_person_id",
            "complaint.account_id",
            "complaint.premises_id",
            "complaint.vendor_id",
            "complaint.told_vendor_id",
            "call_objection.account_id",
            "callback_task.vendor_id",
            // an opening, an order or a case
            "deadline.owner_id",
            "move.story_id",
            "step.story_id",
            "callback_task.about_id",
            "callback_draw.about_id",
            // a complaint or an order
            "callback_task.rework_id",
            // a key that an opening makes for its refusal
            "opening.refusal_id",
        ],
    ),
    (
        "billing",
        &[
            // archive
            "account.party_id",
            "supply.party_id",
            "supply.premises_id",
            "bill.party_id",
            "payment.party_id",
            "adjustment.party_id",
            "theft_case.party_id",
            "relief.party_id",
            // where a run and its parts stand, not rows of their own
            "bill_run.reached",
            "bill_run_part.after_account",
            "bill_run_part.last_account",
            "bill_run_part.reached_account",
            "bill_run_part.reached",
            // a bill, a payment or a credit note
            "ledger_transaction.reference",
        ],
    ),
    // hall
    ("vendor", &["work_offer.order_id", "work_offer.event_id"]),
];

/// Every column that holds a key is verified by `hearth check`, or known to lead elsewhere.
#[test]
fn every_reference_between_tables_is_verified() {
    let mut faults = vec![];
    for service in [archive::SERVICE, hall::SERVICE, billing::SERVICE, vendor::SERVICE] {
        let elsewhere = ELSEWHERE.iter().find(|(name, _)| *name == service.name).unwrap().1;
        let keys: Vec<_> = service.migrations.iter().flat_map(|text| keys(text)).collect();
        for column in &keys {
            let known = service.references.iter().any(|(from, _)| from == column) || elsewhere.contains(&column.as_str());
            if !known && !column.ends_with(".id") {
                faults.push(format!(
                    "{}: {column} stands neither in SERVICE.references nor among those that lead elsewhere",
                    service.name
                ));
            }
        }
        for (from, to) in service.references {
            for end in [from, to] {
                if !keys.iter().any(|c| c == end) && *end != "job.id" {
                    faults.push(format!("{}: there is no key {end}", service.name));
                }
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// `table.column` of every column of type uuid.
fn keys(migration: &str) -> Vec<String> {
    let (mut found, mut table) = (vec![], String::new());
    for line in migration.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
            table = rest.trim_end_matches(" (").to_owned();
        } else if let Some((of, column)) = line.strip_prefix("ALTER TABLE ").and_then(|rest| rest.split_once(" ADD COLUMN ")) {
            let mut words = column.split_whitespace();
            if let (Some(column), Some("uuid")) = (words.next(), words.next()) {
                found.push(format!("{of}.{column}"));
            }
        } else if let (Some(column), Some("uuid" | "uuid,")) = (line.split_whitespace().next(), line.split_whitespace().nth(1)) {
            found.push(format!("{table}.{column}"));
        }
    }
    found
}
