use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use contracts::hearth::journal::v1::{
    CompareHistoryRequest, CompareHistoryResponse, Event, ListRecordsRequest, ListRecordsResponse, VerifyJournalRequest, VerifyJournalResponse,
    WatchEventsRequest, WatchEventsResponse, journal_service_server::JournalService,
};
use futures::StreamExt;
use prost::{Message, Name};
use tokio::sync::watch;
use tonic::{Request, Response, Status};

/// The events of a faked service.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    source: String,
    told: Mutex<Vec<Event>>,
    bell: watch::Sender<usize>,
}

impl Feed {
    pub(crate) fn new(source: &str) -> Self {
        Self(Arc::new(Inner {
            source: source.to_owned(),
            told: Mutex::default(),
            bell: watch::Sender::new(0),
        }))
    }

    /// Tells a fact; returns its position.
    pub fn tell<M: Message + Name>(&self, subject: impl std::fmt::Display, payload: &M) -> i64 {
        let mut told = self.0.told.lock().unwrap();
        let mut counts = HashMap::<String, i64>::new();
        told.iter().for_each(|e| *counts.entry(e.subject.clone()).or_default() += 1);
        let (position, subject) = (told.len() as i64 + 1, subject.to_string());
        let sequence = counts.get(&subject).copied().unwrap_or(0) + 1;
        told.push(Event {
            id: uuid::Uuid::now_v7().to_string(),
            source: self.0.source.clone(),
            r#type: M::full_name(),
            subject,
            time: None,
            position,
            sequence,
            data: payload.encode_to_vec(),
            traceparent: String::new(),
        });
        drop(told);
        self.0.bell.send_modify(|n| *n += 1);
        position
    }

    /// Delivers an event once more in the stream of a connected reader, as a broken line may do.
    pub fn repeat(&self, position: i64) {
        let mut told = self.0.told.lock().unwrap();
        let again = told.iter().find(|e| e.position == position).cloned().unwrap();
        told.push(again);
        drop(told);
        self.0.bell.send_modify(|n| *n += 1);
    }
}

#[tonic::async_trait]
impl JournalService for Feed {
    type WatchEventsStream = rpc::Outflow<WatchEventsResponse>;

    async fn watch_events(&self, request: Request<WatchEventsRequest>) -> Result<Response<Self::WatchEventsStream>, Status> {
        let after = request.get_ref().after_position;
        let start = (self.clone(), self.0.bell.subscribe(), 0_usize);
        let events = futures::stream::unfold(start, move |(feed, mut bell, mut next)| async move {
            loop {
                bell.mark_unchanged();
                let found = feed.0.told.lock().unwrap().get(next).cloned();
                match found {
                    Some(event) => {
                        next += 1;
                        return Some((event, (feed, bell, next)));
                    }
                    None => bell.changed().await.ok()?,
                }
            }
        });
        let events = events
            .filter(move |e| std::future::ready(e.position > after))
            .map(|event| Ok(WatchEventsResponse { event: Some(event) }));
        Ok(Response::new(Box::pin(events)))
    }

    async fn verify_journal(&self, _: Request<VerifyJournalRequest>) -> Result<Response<VerifyJournalResponse>, Status> {
        Ok(Response::new(VerifyJournalResponse::default()))
    }

    async fn compare_history(&self, _: Request<CompareHistoryRequest>) -> Result<Response<CompareHistoryResponse>, Status> {
        Ok(Response::new(CompareHistoryResponse::default()))
    }

    async fn list_records(&self, _: Request<ListRecordsRequest>) -> Result<Response<ListRecordsResponse>, Status> {
        Ok(Response::new(ListRecordsResponse::default()))
    }
}
