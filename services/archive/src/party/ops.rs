use contracts::hearth::archive::v1::{
    ClosePartyRequest, ClosePartyResponse, CorrectContactRequest, CorrectContactResponse, CustomerClosed, CustomerUpdated, GetPartyRequest, GetPartyResponse,
    Party, PartyRegistered, RegisterOrganisationRequest, RegisterOrganisationResponse, RegisterPersonRequest, RegisterPersonResponse, RevealPartyRequest,
    RevealPartyResponse, SearchPartiesRequest, SearchPartiesResponse,
};
use database::{Begun, Scope, Write};
use ids::PartyId;
use rpc::{Call, Fault, page::Page, wire};

use super::{
    identity::{self, Identity},
    model::{self, Action, Kind, NAME_LIMIT, State, step},
    store,
};
use crate::{
    Desk,
    integrity::reach,
    refusal::{Refusal, at},
    unsealed,
};

pub(crate) async fn register_person(desk: Desk, call: Call, request: RegisterPersonRequest) -> Result<RegisterPersonResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let identity = Identity::person(&request.id_number, write.now().date()).map_err(at("id_number"))?;
    let given = Given {
        kind: Kind::Person,
        name: &request.name,
        phone: &request.phone,
        address: &request.address,
        branch: &request.branch,
    };
    let party = register(&desk, &mut write, &identity, given).await?;
    let warnings = identity.warning().map(|w| w.code().to_owned()).into_iter().collect();
    write.commit(RegisterPersonResponse { party, warnings }).await
}

pub(crate) async fn register_organisation(desk: Desk, call: Call, request: RegisterOrganisationRequest) -> Result<RegisterOrganisationResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let identity = Identity::organisation(&request.credit_code, request.code_seen_on_licence).map_err(at("credit_code"))?;
    let given = Given {
        kind: Kind::Organisation,
        name: &request.name,
        phone: &request.phone,
        address: &request.address,
        branch: &request.branch,
    };
    let party = register(&desk, &mut write, &identity, given).await?;
    let warnings = identity.warning().map(|w| w.code().to_owned()).into_iter().collect();
    write.commit(RegisterOrganisationResponse { party, warnings }).await
}

struct Given<'a> {
    kind: Kind,
    name: &'a str,
    phone: &'a str,
    address: &'a str,
    branch: &'a str,
}

async fn register(desk: &Desk, write: &mut Write, identity: &Identity, given: Given<'_>) -> Result<Option<Party>, Fault> {
    let name = model::text(given.name, NAME_LIMIT).map_err(at("name"))?;
    let phone = identity::phone(given.phone).map_err(at("phone"))?;
    let branch = model::text(given.branch, 40).map_err(at("branch"))?;
    // The unique index has the last word; this also finds numbers under an older key while keys are rotated.
    if !store::with_numbers(write, desk.vault.blind_all(store::ID_NUMBER, identity.number()))
        .await?
        .is_empty()
    {
        return Err(Refusal::PartyIdentityUnique.into());
    }
    let new = store::New {
        id: PartyId::new().uuid(),
        kind: given.kind,
        branch: &branch,
        name: &name,
        address: given.address.trim(),
        number: identity.number(),
        phone: phone.as_str(),
        state: State::Prospect,
    };
    let rows = store::insert(write, &desk.vault, &[new], write.now().micros()).await?;
    let shown = store::show(write, &desk.vault, &rows).await?.pop();
    if let Some(party) = &shown {
        write.subject(&party.party_id);
        write.event(
            &party.party_id,
            &PartyRegistered {
                party_id: party.party_id.clone(),
                kind: party.kind,
                branch,
            },
        );
    }
    for row in &rows {
        reach::registered(write, &desk.vault, row).await?;
    }
    Ok(shown)
}

pub(crate) async fn correct(desk: Desk, call: Call, request: CorrectContactRequest) -> Result<CorrectContactResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let mut party = store::lock(&write, &Scope::of(&call), id.uuid()).await?;
    rpc::check_etag(&request.etag, party.id, party.version)?;
    if party.standing()? == State::Closed {
        return Err(Refusal::PartyClosed.into());
    }
    if request.name.is_none() && request.phone.is_none() && request.address.is_none() {
        return Err(Refusal::NothingToChange.into());
    }
    let mut fields = vec![];
    if let Some(name) = &request.name {
        let name = model::text(name, NAME_LIMIT).map_err(at("name"))?;
        if name != party.name {
            (party.name_key, party.name) = (model::search_key(&name), name);
            fields.push("name".to_owned());
        }
    }
    if let Some(phone) = &request.phone {
        let phone = identity::phone(phone).map_err(at("phone"))?;
        let blind = desk.vault.blind(store::PHONE, phone.as_str());
        if blind != party.phone_blind {
            party.phone_sealed = desk.vault.seal(&*write, party.id, store::PHONE, phone.as_str()).await.map_err(unsealed)?;
            party.phone_blind = blind;
            fields.push("phone".to_owned());
        }
    }
    if let Some(address) = request.address.as_deref().map(str::trim).filter(|address| *address != party.address) {
        party.address = address.to_owned();
        fields.push("address".to_owned());
    }
    write.subject(id);
    if !fields.is_empty() {
        store::save(&write, &mut party, write.now().micros()).await?;
        write.event(
            id,
            &CustomerUpdated {
                party_id: id.to_string(),
                fields,
            },
        );
    }
    let party = store::show_one(&write, &desk.vault, party).await?;
    write.commit(CorrectContactResponse { party }).await
}

pub(crate) async fn close(desk: Desk, call: Call, request: ClosePartyRequest) -> Result<ClosePartyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let mut party = store::lock(&write, &Scope::of(&call), id.uuid()).await?;
    rpc::check_etag(&request.etag, party.id, party.version)?;
    party.state = step(party.standing()?, Action::Close)?.code().to_owned();
    store::save(&write, &mut party, write.now().micros()).await?;
    write.subject(id);
    write.event(id, &CustomerClosed { party_id: id.to_string() });
    let party = store::show_one(&write, &desk.vault, party).await?;
    write.commit(ClosePartyResponse { party }).await
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetPartyRequest) -> Result<GetPartyResponse, Fault> {
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    let party = store::load(desk.db.reader(), &Scope::of(&call), id.uuid()).await?;
    Ok(GetPartyResponse {
        party: store::show_one(desk.db.reader(), &desk.vault, party).await?,
    })
}

pub(crate) async fn search(desk: Desk, call: Call, request: SearchPartiesRequest) -> Result<SearchPartiesResponse, Fault> {
    let filters = [request.phone.as_str(), request.id_number.as_str(), request.name.as_str()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let term = if !request.phone.is_empty() {
        let phone = identity::phone(&request.phone).map_err(at("phone"))?;
        store::Term::Phone(desk.vault.blind_all(store::PHONE, phone.as_str()))
    } else if !request.id_number.is_empty() {
        let number = identity::search_number(&request.id_number).map_err(at("id_number"))?;
        store::Term::Number(desk.vault.blind_all(store::ID_NUMBER, &number))
    } else {
        store::Term::Name(model::text(&request.name, NAME_LIMIT).map_err(at("name"))?)
    };
    let rows = store::search(desk.db.reader(), &Scope::of(&call), term, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(SearchPartiesResponse {
        parties: store::show(desk.db.reader(), &desk.vault, &rows).await?,
        next_page_token,
    })
}

/// D-08: every unmasking is logged, with its purpose; without the journal row there is no answer.
pub(crate) async fn reveal(desk: Desk, call: Call, request: RevealPartyRequest) -> Result<RevealPartyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: PartyId = wire::id_of("party_id", &request.party_id)?;
    write.purpose(&model::text(&request.purpose, 200).map_err(at("purpose"))?);
    let party = store::load(&write, &Scope::of(&call), id.uuid()).await?;
    write.subject(id);
    let party = store::show_one(&write, &desk.vault, party).await?;
    write.commit(RevealPartyResponse { party }).await
}
