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

/// Place of a reader whose line breaks.
const BROKEN: usize = usize::MAX;

/// The events of a faked service.
#[derive(Clone)]
pub struct Feed(Arc<Inner>);

struct Inner {
    source: String,
    told: Mutex<Vec<Event>>,
    bell: watch::Sender<usize>,
    /// What the next reader gets before its line breaks.
    garbled: Mutex<Option<Vec<Event>>>,
}

impl Feed {
    pub(crate) fn new(source: &str) -> Self {
        Self(Arc::new(Inner {
            source: source.to_owned(),
            told: Mutex::default(),
            bell: watch::Sender::new(0),
            garbled: Mutex::default(),
        }))
    }

    /// Tells a fact; returns its position.
    pub fn tell<M: Message + Name>(&self, subject: impl std::fmt::Display, payload: &M) -> i64 {
        let position = self.put(subject, payload);
        self.0.bell.send_modify(|n| *n += 1);
        position
    }

    fn put<M: Message + Name>(&self, subject: impl std::fmt::Display, payload: &M) -> i64 {
        let mut told = self.0.told.lock().unwrap();
        let mut counts = HashMap::<String, i64>::new();
        told.iter().for_each(|e| *counts.entry(e.subject.clone()).or_default() += 1);
        let before = told.iter().map(|e| e.position).max().unwrap_or_default();
        let (position, subject) = (before + 1, subject.to_string());
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

    /// Tells facts about one subject over a line that brings them in this order, by their places from 0 on, and then breaks. The next line is a good one.
    /// Returns the position of the last.
    pub fn tell_garbled<M: Message + Name>(&self, subject: impl std::fmt::Display, payloads: &[M], order: &[usize]) -> i64 {
        let mut garbled = self.0.garbled.lock().unwrap();
        // Readers of good lines do not see them yet.
        let known = self.0.told.lock().unwrap().len();
        let positions: Vec<_> = payloads.iter().map(|payload| self.put(&subject, payload)).collect();
        let told = self.0.told.lock().unwrap();
        *garbled = Some(order.iter().map(|place| told[known + place].clone()).collect());
        drop((told, garbled));
        self.0.bell.send_modify(|n| *n += 1);
        positions.last().copied().unwrap_or_default()
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
                let (garbled, found) = {
                    let mut garbled = feed.0.garbled.lock().unwrap();
                    (garbled.take(), feed.0.told.lock().unwrap().get(next).cloned())
                };
                if let Some(garbled) = garbled {
                    return Some((garbled, (feed, bell, BROKEN)));
                }
                if next == BROKEN {
                    return None;
                }
                match found {
                    Some(event) => {
                        next += 1;
                        return Some((vec![event], (feed, bell, next)));
                    }
                    None => bell.changed().await.ok()?,
                }
            }
        });
        let events = events
            .flat_map(futures::stream::iter)
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
