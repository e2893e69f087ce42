//! Nothing in the contracts is left without the code that makes it true.

use std::collections::BTreeMap;

use prost_reflect::DescriptorPool;
use rpc::AccessTable;

use crate::tree::{SERVICES, files, has_word};

/// Events that nobody takes yet, with what will take them.
const AWAITED: &[(&str, &str)] = &[
    ("hearth.archive.v1.PartyRegistered", "customer statistics of the callback centre (S-06)"),
    ("hearth.archive.v1.CustomerUpdated", "customer statistics of the callback centre (S-06)"),
    ("hearth.archive.v1.CustomerClosed", "customer statistics of the callback centre (S-06)"),
    ("hearth.archive.v1.PremisesRegistered", "inspection rounds of hall (E15)"),
    ("hearth.archive.v1.ServicePointAdded", "inspection rounds of hall (E15)"),
    ("hearth.archive.v1.AccountChanged", "suspension in hall (E2-05)"),
    ("hearth.archive.v1.AccountClosed", "final bills in billing"),
    ("hearth.archive.v1.TemplatePublished", "contract counter of hall (A-07)"),
    ("hearth.archive.v1.PolicyIssued", "training gate of hall (D-04)"),
    ("hearth.archive.v1.PolicyEffective", "training gate of hall (D-04)"),
    ("hearth.archive.v1.PolicySuperseded", "training gate of hall (D-04)"),
    ("hearth.archive.v1.PolicyWithdrawn", "training gate of hall (D-04)"),
    ("hearth.archive.v1.PolicyDutyOverdue", "assignment block of hall (D-04)"),
    ("hearth.archive.v1.CreditFileUpdated", "banner of hall (H-04)"),
    ("hearth.archive.v1.LicenceExpiring", "banner of hall (H-04)"),
    ("hearth.archive.v1.CreditRated", "banner of hall (B-06)"),
    ("hearth.archive.v1.CreditLineChanged", "limit of IC-card purchases in billing (E7)"),
    ("hearth.hall.v1.StaffChanged", "training and examination in archive (D-04)"),
    ("hearth.hall.v1.StaffCertificateExpired", "training and examination in archive (D-04)"),
    ("hearth.hall.v1.OrderReturned", "service levels of vendors (F-06)"),
    ("hearth.hall.v1.OpeningCancelled", "customer file in archive"),
    ("hearth.hall.v1.EstateInspected", "customer file in archive"),
    ("hearth.hall.v1.CallbackPlanned", "monthly report of the callback centre (C-10)"),
    ("hearth.hall.v1.CallbackCompleted", "monthly report of the callback centre (C-10)"),
    ("hearth.hall.v1.CustomerDissatisfied", "service levels of vendors (F-06)"),
    ("hearth.hall.v1.ComplaintOpened", "customer file in archive"),
    ("hearth.hall.v1.ComplaintReplied", "customer file in archive"),
    ("hearth.hall.v1.ComplaintClosed", "customer file in archive"),
    ("hearth.hall.v1.ComplaintEscalated", "customer file in archive"),
    ("hearth.billing.v1.MeterInstalled", "inspection rounds of hall (E15)"),
    ("hearth.billing.v1.MeterReadAccepted", "customer file in archive"),
    ("hearth.billing.v1.AdjustmentPosted", "payment behaviour in the credit file of archive (H-04)"),
    ("hearth.billing.v1.AdjustmentReversed", "payment behaviour in the credit file of archive (H-04)"),
    ("hearth.billing.v1.SuspensionRequested", "the legal path of a suspension in hall (9.6)"),
    ("hearth.billing.v1.SuspensionWithdrawn", "the legal path of a suspension in hall (9.6)"),
    ("hearth.billing.v1.BillOverdue", "payment behaviour in the credit file of archive (H-04)"),
    ("hearth.billing.v1.LateFeeAccrued", "payment behaviour in the credit file of archive (H-04)"),
    ("hearth.vendor.v1.VendorAdmitted", "choice of vendors at dispatch in hall"),
    ("hearth.vendor.v1.VendorSuspended", "choice of vendors at dispatch in hall"),
    ("hearth.vendor.v1.VendorExited", "reassignment of open orders in hall"),
    ("hearth.vendor.v1.VendorContractSigned", "document file in archive"),
    ("hearth.vendor.v1.VendorAccessRevoked", "accounts of vendors' people in hall"),
    ("hearth.vendor.v1.VendorPersonCertified", "choice of vendors at dispatch in hall"),
    ("hearth.vendor.v1.VendorAssessed", "choice of vendors at dispatch in hall"),
    ("hearth.vendor.v1.PaymentHeld", "vouchers of the finance system"),
    ("hearth.vendor.v1.PaymentReleased", "vouchers of the finance system"),
    ("hearth.vendor.v1.VipListed", "service level of VIPs in hall"),
    ("hearth.vendor.v1.VipDelisted", "service level of VIPs in hall"),
    ("hearth.vendor.v1.BidPreferenceApplied", "audit report (G-06)"),
];

/// Design 14: an event without producer or consumer is a promise to nobody.
#[test]
fn every_event_has_a_producer_and_a_consumer() {
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let sources: BTreeMap<_, _> = SERVICES.into_iter().map(|s| (s, files(&format!("services/{s}/src"), "rs"))).collect();
    let mut faults = vec![];
    for service in SERVICES {
        let file = pool.get_file_by_name(&format!("hearth/{service}/v1/events.proto")).unwrap();
        for message in file.messages() {
            let (full, name) = (message.full_name(), message.name());
            // `Name {` makes the payload; `Name::` and `::Name>` read it.
            if !sources[service].iter().any(|(_, text)| has_word(text, &format!("{name} {{"))) {
                faults.push(format!("{full}: {service} does not produce it"));
            }
            let takes = |text: &str| has_word(text, &format!("{name}::")) || text.contains(&format!("::{name}>")) || text.contains(&format!("<{name}>"));
            let consumers: Vec<_> = SERVICES
                .into_iter()
                .filter(|other| *other != service && sources[other].iter().any(|(_, text)| takes(text)))
                .collect();
            match (consumers.is_empty(), AWAITED.iter().find(|(awaited, _)| *awaited == full)) {
                (true, None) => faults.push(format!("{full}: nobody consumes it, and it is not listed with what will")),
                (false, Some(_)) => faults.push(format!("{full}: {} consumes it, so it has to leave the list", consumers.join(", "))),
                _ => {}
            }
        }
    }
    for (name, _) in AWAITED {
        if pool.get_message_by_name(name).is_none() {
            faults.push(format!("{name}: listed, and in no contract"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Every RPC is called by a test: by its generated method in Rust, or by its name in another language.
#[test]
fn every_rpc_is_called_by_a_test() {
    let mut faults = vec![];
    for method in AccessTable::read().unwrap().methods() {
        let (path, name) = method.name.rsplit_once('/').unwrap();
        let package = path.split('.').nth(1).unwrap();
        // What a service has for itself is called by its own tests; what all have, by those of the frame.
        let own = if SERVICES.contains(&package) {
            format!("services/{package}/tests")
        } else {
            "shared/database/tests".to_owned()
        };
        let (call, text_call) = (
            format!(".{}(", snake(name)),
            format!("{package}.v1.{}/{name}\"", path.rsplit('.').next().unwrap()),
        );
        let rust = files(&own, "rs").into_iter().chain(files("services/hearth/tests", "rs"));
        if !rust.into_iter().any(|(_, text)| text.contains(&call)) && !files("clients", "py").iter().any(|(_, text)| text.contains(&text_call)) {
            faults.push(method.name.clone());
        }
    }
    assert!(faults.is_empty(), "no test calls\n{}", faults.join("\n"));
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for c in name.chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_lowercase());
    }
    text
}
