//! What was kept of a journal outside it, by the service that takes its events and in a file, held against what it holds now.

use std::{collections::BTreeMap, fs, io::Write as _, path::Path};

use anyhow::{Context, Result, anyhow, bail};
use contracts::hearth::journal::v1::{Anchor, CompareHistoryRequest, CompareHistoryResponse, Witness, journal_service_client::JournalServiceClient};

use super::{Outcome, patiently};
use crate::{client::Client, import::figures::count};

/// Places that one request may name.
const PLACES: usize = 1000;

async fn compare(clients: &BTreeMap<&'static str, Client>, service: &str, request: CompareHistoryRequest) -> Result<CompareHistoryResponse> {
    let client = clients.get(service).ok_or_else(|| anyhow!("there is no service {service}"))?;
    let answer = JournalServiceClient::new(client.clone()).compare_history(patiently(request)).await;
    Ok(answer.with_context(|| format!("{service} cannot compare its journal"))?.into_inner())
}

fn told(places: usize, by: &str, answer: &CompareHistoryResponse) -> Outcome {
    match answer.missed.first() {
        Some(first) => Err(format!(
            "{} of {places} places kept {by} are not in the journal, the first at {}: it was restored, cut or made anew",
            answer.missed.len(),
            first.position
        )),
        None if answer.event_missed => Err(format!("the last event taken {by} is not in the journal: it was restored from an older copy")),
        None => Ok(format!(
            "{} places kept {by}, all in the journal",
            count(i64::try_from(places).unwrap_or(i64::MAX))
        )),
    }
}

/// What one service kept of another.
pub async fn kept(clients: &BTreeMap<&'static str, Client>, by: &str, witness: &Witness) -> Result<Outcome> {
    let request = CompareHistoryRequest {
        anchors: witness.anchors.clone(),
        event_position: witness.event_position,
        event_id: witness.event_id.clone(),
    };
    let answer = compare(clients, &witness.source, request).await?;
    Ok(told(witness.anchors.len(), &format!("by {by}"), &answer))
}

/// What a file kept of each service: lines of service, position and hash. Where they are all found the file gets a line more for each.
pub async fn file(clients: &BTreeMap<&'static str, Client>, path: &Path) -> Result<Vec<(&'static str, Outcome)>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("{} cannot be read", path.display())),
    };
    let mut kept: BTreeMap<&str, Vec<Anchor>> = BTreeMap::new();
    for (number, line) in (1..).zip(text.lines()) {
        let mut words = line.split(' ');
        match (words.next(), words.next().map(str::parse), words.next(), words.next()) {
            (Some(service), Some(Ok(position)), Some(hash), None) if clients.contains_key(service) => {
                let hash = hash.to_owned();
                kept.entry(service).or_default().push(Anchor { position, hash });
            }
            _ => bail!("line {number} of {} is no service, position and hash", path.display()),
        }
    }
    let (mut outcomes, mut added) = (vec![], String::new());
    for service in clients.keys() {
        let anchors = kept.remove(service).unwrap_or_default();
        let mut all = CompareHistoryResponse::default();
        for chunk in anchors.chunks(PLACES).chain(anchors.is_empty().then_some([].as_slice())) {
            let request = CompareHistoryRequest {
                anchors: chunk.to_vec(),
                ..CompareHistoryRequest::default()
            };
            let answer = compare(clients, service, request).await?;
            all.missed.extend(answer.missed);
            all.head = answer.head;
        }
        let outcome = told(anchors.len(), "in the file", &all);
        let last = anchors.last().map_or(0, |anchor| anchor.position);
        if let Some(head) = all.head.filter(|head| outcome.is_ok() && head.position > last) {
            added.push_str(&format!("{service} {} {}\n", head.position, head.hash));
        }
        outcomes.push((*service, outcome));
    }
    if !added.is_empty() {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path);
        let written = file.as_mut().map_err(|e| std::io::Error::from(e.kind())).and_then(|file| {
            file.write_all(added.as_bytes())?;
            file.sync_all()
        });
        written.with_context(|| format!("{} cannot be written to", path.display()))?;
    }
    Ok(outcomes)
}
