use chrono::{Datelike, NaiveDate};
use contracts::hearth::archive::v1::{
    CloseCreditFileRequest, CloseCreditFileResponse, CreditFile, CreditFileUpdated, FactContent, NewFact, OpenCreditFileRequest, OpenCreditFileResponse,
    RecordFactsRequest, RecordFactsResponse, VerifyCreditFileRequest, VerifyCreditFileResponse,
};
use database::{Begun, Scope, Write, numbers};
use ids::PartyId;
use money::Money;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{self, Action, Capital, Content, FactKind, State, Validity, step},
    store::{self, fact, row},
};
use crate::{
    Desk,
    integrity::reach,
    party::{
        identity,
        model::{Kind as PartyKind, State as PartyState, text},
        store as parties,
    },
    refusal::Refusal,
    unsealed,
};

pub(crate) async fn open(desk: Desk, call: Call, request: OpenCreditFileRequest) -> Result<OpenCreditFileResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let party: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = parties::load(&write, &Scope::of(&call), party.uuid()).await?;
    if party.standing()? == PartyState::Closed {
        return Err(Refusal::PartyClosed.into());
    }
    let year = now.date().year();
    let count = numbers::next(&write, "credit-file", &party.branch, year, 1).await?;
    let file = row::Model {
        id: Uuid::now_v7(),
        file_no: model::number(&party.branch, year, count),
        party_id: party.id,
        party_kind: party.kind,
        branch: party.branch,
        state: State::Opened.code().to_owned(),
        last_verified_on: None,
        next_check_on: None,
        lapses_on: None,
        version: 1,
        created_at: now.micros(),
        updated_at: now.micros(),
    };
    store::insert(&write, file.clone()).await?;
    let credit_file = tell(&desk, &mut write, file, vec![]).await?;
    write.commit(OpenCreditFileResponse { credit_file }).await
}

/// Tells that a file changed, and gives it as the contract shows it.
async fn tell(desk: &Desk, write: &mut Write, file: row::Model, kinds: Vec<FactKind>) -> Result<Option<CreditFile>, Fault> {
    let shown = show(desk, write, file).await?;
    write.event(
        &shown.party_id,
        &CreditFileUpdated {
            party_id: shown.party_id.clone(),
            credit_file_id: shown.credit_file_id.clone(),
            state: shown.state,
            completeness_bp: shown.completeness_bp,
            kinds: kinds.into_iter().map(|kind| store::show_kind(kind).into()).collect(),
        },
    );
    Ok(Some(shown))
}

async fn show(desk: &Desk, write: &mut Write, file: row::Model) -> Result<CreditFile, Fault> {
    let today = write.now().date();
    write.subject(file.id);
    store::show(write, &desk.vault, file, today).await
}

pub(crate) async fn record(desk: Desk, call: Call, request: RecordFactsRequest) -> Result<RecordFactsResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (now, today) = (write.now().micros(), write.now().date());
    let id: Uuid = wire::id_of("credit_file_id", &request.credit_file_id)?;
    let mut file = store::lock(&write, &Scope::of(&call), id).await?;
    rpc::check_etag(&request.etag, file.id, file.version)?;
    let (state, party) = (file.stands()?, file.party()?);
    if state == State::Closed {
        return Err(Refusal::CreditFileClosed.into());
    }
    let mut given = vec![];
    for (n, fact) in request.facts.iter().enumerate() {
        given.push(Given::of(fact, party, today, &format!("facts[{n}]"))?);
    }
    let texts: Vec<_> = given.iter().map(|fact| (file.party_id, store::CONTENT, fact.content.as_str())).collect();
    let sealed = desk.vault.seal_many(&*write, &texts).await.map_err(unsealed)?;
    let rows: Vec<_> = given
        .iter()
        .zip(sealed)
        .map(|(new, content_sealed)| fact::Model {
            id: Uuid::now_v7(),
            file_id: file.id,
            party_id: file.party_id,
            branch: file.branch.clone(),
            kind: new.kind.code().to_owned(),
            item: new.item.clone(),
            content_sealed,
            source: new.source.clone(),
            as_of: new.as_of,
            valid_to: new.validity.last(),
            long_term: new.validity == Validity::LongTerm,
            entered_by: call.subject().to_owned(),
            created_at: now,
        })
        .collect();
    let before = store::rules(&store::facts(&write, &[file.id]).await?)?;
    let before: Vec<Uuid> = model::current(&before).iter().map(|fact| fact.id).collect();
    let ties = if given.iter().any(|fact| fact.kind == FactKind::LegalRepresentative) {
        Some(reach::ties(&write, &desk.vault, file.party_id).await?)
    } else {
        None
    };
    store::insert_facts(&write, &rows).await?;

    let facts = store::facts(&write, &[file.id]).await?;
    let known = store::rules(&facts)?;
    let current = model::current(&known);
    store::watch_papers(&write, &file).await?;
    let mut changed: Vec<FactKind> = current.iter().filter(|fact| !before.contains(&fact.id)).map(|fact| fact.kind).collect();
    changed.dedup();
    let missing = model::missing(party, &current, today);
    let next = step(state, if missing.is_empty() { Action::Fill } else { Action::Collect })?;
    stand(&mut file, party, next, &current, today);
    store::save(&write, &mut file, now).await?;
    let party = file.party_id;
    let credit_file = if changed.is_empty() {
        Some(show(&desk, &mut write, file).await?)
    } else {
        tell(&desk, &mut write, file, changed).await?
    };
    if let Some(before) = ties {
        reach::retied(&mut write, &desk.vault, party, &before).await?;
    }
    write.commit(RecordFactsResponse { credit_file }).await
}

/// Moves a file, and fixes the day on which it becomes stale where it is complete.
pub(crate) fn stand(file: &mut row::Model, party: PartyKind, state: State, current: &[&model::Fact], today: NaiveDate) {
    state.code().clone_into(&mut file.state);
    file.lapses_on = match state {
        State::Complete | State::ReVerified => {
            let check = *file.next_check_on.get_or_insert_with(|| model::next_check(today));
            Some(model::lapses_on(party, current, check))
        }
        State::Opened | State::Collecting | State::Stale | State::Closed => None,
    };
}

/// A fact of the request, checked.
struct Given {
    kind: FactKind,
    item: String,
    content: String,
    source: String,
    as_of: NaiveDate,
    validity: Validity,
}

impl Given {
    fn of(fact: &NewFact, party: PartyKind, today: NaiveDate, path: &str) -> Result<Self, Fault> {
        let at = |field: &str| {
            let field = format!("{path}.{field}");
            move |refusal: Refusal| Fault::from(refusal).field(field)
        };
        let kind = store::kind_of(fact.kind()).ok_or_else(|| at("kind")(Refusal::EnumUnknown))?;
        let content = content_of(fact.content.as_ref(), path)?;
        let as_of = wire::date_of(fact.as_of_date.as_ref(), &format!("{path}.as_of_date"))?;
        let until = wire::date_if(fact.valid_to_date.as_ref(), &format!("{path}.valid_to_date"))?;
        let item = fact.item.trim().to_owned();
        let validity = model::may_record(party, kind, &item, &content, Validity::of(until, fact.long_term), as_of, today)
            .map_err(|refusal| Fault::from(refusal).field(path))?;
        Ok(Self {
            kind,
            item,
            content: serde_json::to_string(&content).map_err(Fault::internal)?,
            source: text(&fact.source, 100).map_err(at("source"))?,
            as_of,
            validity,
        })
    }
}

fn content_of(given: Option<&FactContent>, path: &str) -> Result<Content, Fault> {
    let given = given.cloned().unwrap_or_default();
    let plain = |text: String| text.trim().to_owned();
    let phone = match given.phone.trim() {
        "" => String::new(),
        phone => identity::phone(phone)
            .map_err(|refusal| Fault::from(refusal).field(format!("{path}.content.phone")))?
            .as_str()
            .to_owned(),
    };
    let capital = match given.capital {
        Some(capital) => {
            let amount: Money = wire::decimal_of(capital.amount.as_ref(), &format!("{path}.content.capital.amount"))?;
            if amount.is_negative() || amount.is_zero() {
                return Err(Fault::from(Refusal::CapitalRange).field(format!("{path}.content.capital.amount")));
            }
            Some(Capital {
                hundredths: amount.fen(),
                currency: capital.currency_code,
            })
        }
        None => None,
    };
    Ok(Content {
        text: plain(given.text),
        number: plain(given.number),
        authority: plain(given.authority),
        name: plain(given.name),
        address: plain(given.address),
        phone,
        capital,
        start: wire::date_if(given.start_date.as_ref(), &format!("{path}.content.start_date"))?,
    })
}

pub(crate) async fn verify(desk: Desk, call: Call, request: VerifyCreditFileRequest) -> Result<VerifyCreditFileResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let id: Uuid = wire::id_of("credit_file_id", &request.credit_file_id)?;
    let mut file = store::lock(&write, &Scope::of(&call), id).await?;
    rpc::check_etag(&request.etag, file.id, file.version)?;
    let (state, party) = (file.stands()?, file.party()?);
    if state == State::Closed {
        return Err(Refusal::CreditFileClosed.into());
    }
    let facts = store::facts(&write, &[file.id]).await?;
    let known = store::rules(&facts)?;
    let current = model::current(&known);
    let missing = model::missing(party, &current, today);
    let hands = current
        .iter()
        .filter_map(|fact| facts.iter().find(|row| row.id == fact.id))
        .map(|row| row.entered_by.as_str());
    model::may_verify(missing.len(), hands, call.subject())?;
    let next = step(state, Action::Verify)?;
    file.last_verified_on = Some(today);
    file.next_check_on = Some(model::next_check(today));
    stand(&mut file, party, next, &current, today);
    store::save(&write, &mut file, write.now().micros()).await?;
    let credit_file = tell(&desk, &mut write, file, vec![]).await?;
    write.commit(VerifyCreditFileResponse { credit_file }).await
}

pub(crate) async fn close(desk: Desk, call: Call, request: CloseCreditFileRequest) -> Result<CloseCreditFileResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let id: Uuid = wire::id_of("credit_file_id", &request.credit_file_id)?;
    let mut file = store::lock(&write, &Scope::of(&call), id).await?;
    rpc::check_etag(&request.etag, file.id, file.version)?;
    let (party, next) = (file.party()?, step(file.stands()?, Action::Close)?);
    stand(&mut file, party, next, &[], today);
    store::save(&write, &mut file, write.now().micros()).await?;
    store::silence(&write, file.id).await?;
    let credit_file = tell(&desk, &mut write, file, vec![]).await?;
    write.commit(CloseCreditFileResponse { credit_file }).await
}
