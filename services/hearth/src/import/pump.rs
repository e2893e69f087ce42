//! Chunks to a service and its answers back, several under way at once, over one stream that is opened again when it breaks.

use std::{collections::VecDeque, error::Error as _, time::Duration};

use anyhow::{Result, anyhow};
use csv::StringRecord;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};
use tonic_types::StatusExt;

use super::columns::{Cells, Field};

/// Rows of a chunk, as the contracts allow.
pub const CHUNK: usize = 500;
const WINDOW: usize = 4;
const TRIES: u32 = 5;

/// Something about a row of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// Line of the file, from 1; the header is line 1.
    pub line: i64,
    pub field: String,
    /// Stable reason.
    pub reason: String,
    pub text: String,
}

/// What a service says to a chunk.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    pub accepted: i64,
    /// Were there already.
    pub already: i64,
    /// Taken, and held for a person.
    pub held: i64,
    pub refused: Vec<Notice>,
    /// Taken, but something looks odd.
    pub warnings: Vec<Notice>,
}

/// What one kind of file is made of, and where it goes.
pub trait Kind {
    type Row: Clone;
    type Request: Send + 'static;
    type Response;
    /// The service that takes it.
    const SERVICE: &'static str;
    const FIELDS: &'static [Field];
    /// A reason that may pass by itself: what another service has told is on its way.
    const PASSING: Option<&'static str> = None;

    /// A row from its cells, or the field that is wrong and why.
    fn row(&self, line: i64, cells: Cells<'_>) -> Result<Self::Row, (&'static str, super::convert::Wrong)>;
    fn request(&self, request_id: String, dry_run: bool, rows: Vec<Self::Row>) -> Self::Request;
    fn open(&self, requests: ReceiverStream<Self::Request>) -> impl Future<Output = Result<Streaming<Self::Response>, Status>> + Send;
    fn answer(&self, response: Self::Response) -> Answer;
}

/// Where chunks come from and answers go, in the same order.
pub trait Feed<R> {
    fn next(&mut self) -> Result<Option<Vec<R>>>;
    fn answered(&mut self, answer: Answer) -> Result<()>;
}

/// Sends everything. `key` names this run: a chunk that is sent again after a break has the same request id and therefore one effect.
pub async fn pump<K: Kind>(kind: &K, key: &str, dry_run: bool, feed: &mut impl Feed<K::Row>) -> Result<()> {
    let mut under_way = UnderWay {
        waiting: VecDeque::new(),
        ended: false,
        sent: 0,
    };
    let mut tries = 0_u32;
    loop {
        let before = under_way.sent;
        match pass(kind, key, dry_run, feed, &mut under_way).await {
            Ok(()) => return Ok(()),
            Err(Broken::Here(error)) => return Err(error),
            Err(Broken::There(status)) => {
                tries = if under_way.sent > before { 0 } else { tries.saturating_add(1) };
                if !passes(&status) || tries >= TRIES {
                    return Err(anyhow!(told(&status)));
                }
                tokio::time::sleep(Duration::from_millis(100_u64.saturating_mul(1 << tries.min(5)))).await;
            }
        }
    }
}

/// Whether trying again may help.
fn passes(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Aborted | Code::ResourceExhausted | Code::Unknown)
}

/// A refusal as a person reads it.
pub fn told(status: &Status) -> String {
    match status.code() {
        Code::Unavailable if status.get_details_error_info().is_none() => {
            let cause = cause(status);
            let hint = if cause.contains("certificate") {
                "; its certificate is of other keys; name its data folder with --data"
            } else {
                "; is it running, and is that its address?"
            };
            return format!("the service does not answer ({cause}){hint}");
        }
        Code::Unimplemented => return "there is no such method at this address; is it that of another service, or of another version?".to_owned(),
        _ => {}
    }
    let mut text = match status.get_details_error_info() {
        Some(info) => format!("{} ({})", status.message(), info.reason),
        None => format!("{} ({:?})", status.message(), status.code()),
    };
    for violation in status.get_details_bad_request().map(|b| b.field_violations).unwrap_or_default() {
        text.push_str(&format!("; {}: {}", violation.field, violation.description));
    }
    text
}

/// What lies at the bottom of a failure: "connection refused" rather than "transport error".
fn cause(status: &Status) -> String {
    let (mut told, mut source) = (status.message().to_owned(), status.source());
    while let Some(inner) = source {
        (told, source) = (inner.to_string(), inner.source());
    }
    told
}

struct UnderWay<R> {
    waiting: VecDeque<(String, Vec<R>)>,
    ended: bool,
    sent: u64,
}

enum Broken {
    Here(anyhow::Error),
    There(Status),
}

impl From<anyhow::Error> for Broken {
    fn from(error: anyhow::Error) -> Self {
        Self::Here(error)
    }
}

impl From<Status> for Broken {
    fn from(status: Status) -> Self {
        Self::There(status)
    }
}

async fn pass<K: Kind>(kind: &K, key: &str, dry_run: bool, feed: &mut impl Feed<K::Row>, state: &mut UnderWay<K::Row>) -> Result<(), Broken> {
    let broken = || Status::unavailable("the stream ended before every chunk was answered");
    let (send, receive) = mpsc::channel(WINDOW);
    for (id, rows) in &state.waiting {
        send.send(kind.request(id.clone(), dry_run, rows.clone())).await.map_err(|_| broken())?;
    }
    let mut answers = kind.open(ReceiverStream::new(receive)).await?;
    loop {
        while !state.ended && state.waiting.len() < WINDOW {
            let Some(rows) = feed.next()? else {
                state.ended = true;
                break;
            };
            let id = rpc::derived_request_id(key, &state.sent.to_string());
            state.sent = state.sent.saturating_add(1);
            state.waiting.push_back((id.clone(), rows.clone()));
            // A send that fails shows in the answers.
            let _ = send.send(kind.request(id, dry_run, rows)).await;
        }
        if state.waiting.is_empty() {
            return Ok(());
        }
        match answers.message().await? {
            Some(answer) => {
                state.waiting.pop_front();
                feed.answered(kind.answer(answer))?;
            }
            None => return Err(broken().into()),
        }
    }
}

/// Checks that hold for every kind of file: whole rows, lengths, and characters that no service takes.
pub fn check(fields: &[Field], record: &StringRecord, cells: Cells<'_>) -> Result<(), (&'static str, super::convert::Wrong)> {
    if !cells.is_whole() {
        return Err(("", ("CELLS", "the row has more or fewer cells than the header")));
    }
    if record.iter().any(|cell| cell.chars().any(|c| c.is_control() || is_hidden(c))) {
        return Err(("", ("CHARACTER", "the row has a control character or an invisible one")));
    }
    match fields.iter().find(|f| cells.get(f.name).chars().count() > f.limit) {
        Some(field) => Err((field.name, ("TOO_LONG", "the text is too long"))),
        None => match fields.iter().find(|f| f.required && cells.get(f.name).is_empty()) {
            Some(field) => Err((field.name, ("EMPTY", "the cell is empty"))),
            None => Ok(()),
        },
    }
}

/// Bidirectional controls and zero-width characters, which make two names look alike.
fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
