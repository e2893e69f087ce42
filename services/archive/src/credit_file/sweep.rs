//! Brings files up to the day: warnings before a licence ends (H-03), files that have become stale. Nothing waits for it: completeness
//! is computed by the day wherever a file is looked at.

use contracts::hearth::archive::v1::{CreditFileUpdated, LicenceExpiring};
use database::Scope;
use rpc::{Call, Fault, wire};
use uuid::Uuid;

use super::{
    model::{self, Action, FactKind, State, step},
    ops, store,
};
use crate::{Desk, unknown_code};

const BATCH: u64 = 100;

/// One run; says how many papers and files it looked at.
pub(crate) async fn run(desk: &Desk) -> Result<usize, Fault> {
    let today = desk.db.clock().now().date();
    let papers = store::papers_due(desk.db.reader(), today, BATCH).await?;
    for paper in &papers {
        warn(desk, paper.id).await?;
    }
    let files = store::lapsed(desk.db.reader(), today, BATCH).await?;
    for file in &files {
        lapse(desk, file.id).await?;
    }
    Ok(papers.len().saturating_add(files.len()))
}

async fn warn(desk: &Desk, id: Uuid) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("archive", "sweep-licences")).await?;
    let today = write.now().date();
    let Some(paper) = store::lock_paper(&write, id).await? else {
        return Ok(());
    };
    let Some(mark) = model::mark_due(paper.valid_to, today, paper.warned) else {
        return Ok(());
    };
    store::warned(&write, &paper, mark).await?;
    let kind = FactKind::of(&paper.kind).ok_or_else(|| unknown_code("licence_watch.kind"))?;
    write.subject(paper.file_id);
    write.event(
        paper.party_id,
        &LicenceExpiring {
            party_id: paper.party_id.to_string(),
            credit_file_id: paper.file_id.to_string(),
            fact_id: paper.fact_id.to_string(),
            kind: store::show_kind(kind).into(),
            valid_to_date: Some(wire::date(paper.valid_to)),
            days_before: mark,
        },
    );
    write.close().await
}

async fn lapse(desk: &Desk, id: Uuid) -> Result<(), Fault> {
    let mut write = desk.db.open(&Call::background("archive", "sweep-credit-files")).await?;
    let today = write.now().date();
    let mut file = store::lock(&write, &Scope::everything(), id).await?;
    let state = file.stands()?;
    if !matches!(state, State::Complete | State::ReVerified) || file.lapses_on.is_none_or(|day| day > today) {
        return Ok(());
    }
    let party = file.party()?;
    ops::stand(&mut file, party, step(state, Action::Lapse)?, &[], today);
    store::save(&write, &mut file, write.now().micros()).await?;
    let standing = store::standing(&write, file.party_id, today).await?;
    write.subject(file.id);
    write.event(
        file.party_id,
        &CreditFileUpdated {
            party_id: file.party_id.to_string(),
            credit_file_id: file.id.to_string(),
            state: store::show_state(file.stands()?).into(),
            completeness_bp: i32::try_from(standing.completeness_bp).unwrap_or_default(),
            kinds: vec![],
        },
    );
    write.close().await
}
