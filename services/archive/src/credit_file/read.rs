use std::collections::BTreeMap;

use contracts::hearth::archive::v1::{
    CustomerListRow, GetCreditFileRequest, GetCreditFileResponse, LicenceExpiry, ListCustomersRequest, ListCustomersResponse, ListFactsRequest,
    ListFactsResponse, ListLicenceExpiriesRequest, ListLicenceExpiriesResponse, RevealCreditFileRequest, RevealCreditFileResponse,
};
use database::{Begun, Scope};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    model::{self, FactKind},
    store,
};
use crate::{
    Desk, credit,
    party::{model::text, store as parties},
    refusal::at,
    unknown_code,
};

pub(crate) async fn get(desk: Desk, call: Call, request: GetCreditFileRequest) -> Result<GetCreditFileResponse, Fault> {
    let (conn, scope) = (desk.db.reader(), Scope::of(&call));
    let file = if request.party_id.is_empty() {
        store::load(conn, &scope, wire::id_of("credit_file_id", &request.credit_file_id)?).await?
    } else {
        store::of_party(conn, &scope, wire::id_of("party_id", &request.party_id)?).await?
    };
    Ok(GetCreditFileResponse {
        credit_file: Some(store::show(conn, &desk.vault, file, desk.db.clock().now().date()).await?),
    })
}

/// D-08: every unmasking is logged, with its purpose.
pub(crate) async fn reveal(desk: Desk, call: Call, request: RevealCreditFileRequest) -> Result<RevealCreditFileResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let id: Uuid = wire::id_of("credit_file_id", &request.credit_file_id)?;
    write.purpose(&text(&request.purpose, 200).map_err(at("purpose"))?);
    let file = store::load(&write, &Scope::of(&call), id).await?;
    write.subject(id);
    let today = write.now().date();
    let credit_file = Some(store::show(&write, &desk.vault, file, today).await?);
    write.commit(RevealCreditFileResponse { credit_file }).await
}

pub(crate) async fn facts(desk: Desk, call: Call, request: ListFactsRequest) -> Result<ListFactsResponse, Fault> {
    let conn = desk.db.reader();
    let filters = [request.credit_file_id.as_str(), request.kind().as_str_name()];
    let page = Page::of(&call, &filters, request.page_size, &request.page_token)?;
    let file = store::load(conn, &Scope::of(&call), wire::id_of("credit_file_id", &request.credit_file_id)?).await?;
    let known = store::rules(&store::facts(conn, &[file.id]).await?)?;
    let current: Vec<Uuid> = model::current(&known).iter().map(|fact| fact.id).collect();
    let rows = store::list_facts(conn, file.id, store::kind_of(request.kind()), &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let rows: Vec<_> = rows.iter().collect();
    Ok(ListFactsResponse {
        facts: store::show_facts(conn, &desk.vault, &rows, &current).await?,
        next_page_token,
    })
}

/// H-01: the rows of the list are made from the files, so sheet and list cannot differ.
pub(crate) async fn customers(desk: Desk, call: Call, request: ListCustomersRequest) -> Result<ListCustomersResponse, Fault> {
    let conn = desk.db.reader();
    let today = desk.db.clock().now().date();
    let page = Page::of(&call, &[&request.branch], request.page_size, &request.page_token)?;
    let files = store::list(conn, &Scope::of(&call), &request.branch, &page).await?;
    let (files, next_page_token) = page.cut(files, |file| file.id);
    let party_ids: Vec<Uuid> = files.iter().map(|file| file.party_id).collect();
    let registered = parties::with_ids(conn, party_ids.clone()).await?.into_iter();
    let mut registered: BTreeMap<Uuid, _> = registered.map(|party| (party.id, (party.name, party.updated_at))).collect();
    let mut standings = credit::summary(conn, &party_ids).await?;
    let rows = store::facts(conn, &files.iter().map(|file| file.id).collect::<Vec<_>>()).await?;
    let mut by_file: BTreeMap<Uuid, Vec<model::Fact>> = BTreeMap::new();
    for row in &rows {
        by_file.entry(row.file_id).or_default().push(row.rule()?);
    }
    // Of what the facts say only name, class and contact are on the list.
    let listed = [FactKind::RegisteredName.code(), FactKind::EnterpriseNature.code(), FactKind::Mobile.code()];
    let shown: Vec<_> = rows.iter().filter(|row| listed.contains(&row.kind.as_str())).collect();
    let contents = store::contents(conn, &desk.vault, &shown).await?;
    let mut customers = vec![];
    for file in files {
        let known = by_file.remove(&file.id).unwrap_or_default();
        let current = model::current(&known);
        let missing = model::missing(file.party()?, &current, today);
        let says = |kind| {
            let fact = current.iter().find(|fact| fact.kind == kind);
            fact.and_then(|fact| contents.get(&fact.id)).cloned().unwrap_or_default()
        };
        let credit = standings.remove(&file.party_id).unwrap_or_default();
        let (mut name, mut changed) = (says(FactKind::RegisteredName).name, file.updated_at.max(credit.changed_at));
        if name.is_empty()
            && let Some((known_as, since)) = registered.remove(&file.party_id)
        {
            (name, changed) = (known_as, changed.max(since));
        }
        customers.push(CustomerListRow {
            party_id: file.party_id.to_string(),
            credit_file_id: file.id.to_string(),
            file_no: file.file_no.clone(),
            name,
            party_kind: store::show_party(file.party()?).into(),
            customer_class: says(FactKind::EnterpriseNature).text,
            grade: credit.grade,
            credit_state: credit.state,
            contact: says(FactKind::Mobile).phone,
            completeness_bp: i32::try_from(model::completeness_bp(file.party()?, missing.len())).unwrap_or_default(),
            update_time: Some(wire::time(calendar::Instant::from_micros(changed))),
            branch: file.branch.clone(),
        });
    }
    Ok(ListCustomersResponse { customers, next_page_token })
}

pub(crate) async fn expiries(desk: Desk, call: Call, request: ListLicenceExpiriesRequest) -> Result<ListLicenceExpiriesResponse, Fault> {
    let until = wire::date_of(request.until_date.as_ref(), "until_date")?;
    let page = Page::of(&call, &[&until.to_string()], request.page_size, &request.page_token)?;
    let rows = store::list_papers(desk.db.reader(), &Scope::of(&call), until, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    let mut expiries = vec![];
    for paper in rows {
        let kind = FactKind::of(&paper.kind).ok_or_else(|| unknown_code("licence_watch.kind"))?;
        expiries.push(LicenceExpiry {
            fact_id: paper.fact_id.to_string(),
            credit_file_id: paper.file_id.to_string(),
            party_id: paper.party_id.to_string(),
            kind: store::show_kind(kind).into(),
            valid_to_date: Some(wire::date(paper.valid_to)),
            warned_days: paper.warned,
        });
    }
    Ok(ListLicenceExpiriesResponse { expiries, next_page_token })
}
