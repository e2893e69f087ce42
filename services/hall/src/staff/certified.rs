//! Whether people may do work: own staff by their certificates here, vendors' persons by the vendor service's word.

use std::collections::BTreeMap;

use calendar::NaiveDate;
use contracts::hearth::vendor::v1::{CertificateKind, CheckCertifiedRequest, person_service_client::PersonServiceClient};
use database::{Conn, Scope};
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{self, Employer, Kind, NotCertified, State},
    store::{self, Staff},
};
use crate::{Desk, codes::Code, refusal::Refusal};

/// What the vendor service said about members whom vendors employ.
pub type Word = BTreeMap<Uuid, bool>;

/// Asks the vendor service about those members of a crew whom vendors employ. Never inside a transaction. Members that the caller
/// cannot see are passed over here and refused by the write.
pub async fn ask(desk: &Desk, call: &Call, ids: &[Uuid], kind: Kind, day: NaiveDate) -> Result<Word, Fault> {
    let scope = Scope::of(call);
    let mut word = Word::new();
    for id in ids {
        let Ok(member) = store::get(desk.db.reader(), &scope, *id).await else {
            continue;
        };
        if let Some(person) = member.vendor_person_id.filter(|_| member.employer == Employer::Vendor) {
            let vendor = member.vendor_id;
            let (certified, of) = ask_person(desk, call, person, kind, day).await?;
            word.insert(*id, certified && of == vendor);
        }
    }
    Ok(word)
}

/// Asks the vendor service about a person, in hall's own name: whoever may give out work need not know vendors' people. An unknown
/// person is not certified. Answers with the person's vendor.
pub async fn ask_person(desk: &Desk, call: &Call, person: Uuid, kind: Kind, day: NaiveDate) -> Result<(bool, Option<Uuid>), Fault> {
    let question = CheckCertifiedRequest {
        person_id: person.to_string(),
        certificate_kind: CertificateKind::try_from(kind.number()).map_err(Fault::internal)?.into(),
        on_date: Some(wire::date(day)),
    };
    let answer = PersonServiceClient::new(desk.vendor.channel())
        .check_certified(desk.vendor.request(&call.in_own_name("check-certified"), question))
        .await;
    match answer.map_err(|status| desk.vendor.fault(status)) {
        Ok(answer) => {
            let answer = answer.into_inner();
            Ok((answer.certified, Uuid::try_parse(&answer.vendor_id).ok()))
        }
        Err(fault) if fault.code() == rpc::Code::NotFound => Ok((false, None)),
        Err(fault) => Err(fault),
    }
}

/// The certificate by which a member counts on a day; `None` for vendors' persons, whose certificates are kept elsewhere.
pub async fn check(conn: &Conn, member: &Staff, word: &Word, kind: Kind, day: NaiveDate) -> Result<Result<Option<Uuid>, NotCertified>, Fault> {
    if member.employer == Employer::Vendor {
        if member.state == State::Left {
            return Ok(Err(NotCertified::StaffLeft));
        }
        // A member who joined after the vendor was asked: the write is tried again.
        let said = word
            .get(&member.id)
            .ok_or_else(|| Fault::aborted("CONTENTION", "the crew has changed; try again"))?;
        return Ok(if *said { Ok(None) } else { Err(NotCertified::VendorSaysNo) });
    }
    let certificates: Vec<_> = store::certificates(conn, member.id).await?.iter().map(store::Certificate::rule).collect();
    let trainings: Vec<_> = store::trainings(conn, member.id).await?.iter().map(|t| (t.kind, t.passed_on)).collect();
    Ok(model::certified(member.state, &certificates, &trainings, kind, day).map(Some))
}

/// The first member of a crew who does not count, and why.
pub async fn first_without(conn: &Conn, crew: &[Staff], word: &Word, kind: Kind, day: NaiveDate) -> Result<Option<(Uuid, NotCertified)>, Fault> {
    for member in crew {
        if let Err(why) = check(conn, member, word, kind, day).await? {
            return Ok(Some((member.id, why)));
        }
    }
    Ok(None)
}

/// The refusal that names the member and the reason.
pub fn refusal(member: Uuid, why: NotCertified, kind: Kind) -> Fault {
    Fault::from(Refusal::CertificateNeeded)
        .meta("staff_id", member)
        .meta("why", why.code())
        .meta("certificate_kind", kind.code())
}

/// Refuses an inspector of own staff who holds none of the kinds on the day.
pub async fn inspector(conn: &Conn, scope: &Scope, id: Uuid, kinds: &[Kind], day: NaiveDate) -> Result<(), Fault> {
    let member = store::get(conn, scope, id).await?;
    if member.employer == Employer::Vendor {
        return Err(Fault::from(Refusal::CertificateKeptByVendor).meta("staff_id", id));
    }
    let mut refused = None;
    for kind in kinds {
        match check(conn, &member, &Word::new(), *kind, day).await? {
            Ok(_) => return Ok(()),
            Err(why) => refused = refused.or(Some(refusal(id, why, *kind))),
        }
    }
    refused.map_or(Ok(()), Err)
}
