use std::{
    any::Any,
    collections::VecDeque,
    future::Future,
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures::{FutureExt, Stream, StreamExt, future::BoxFuture};
use guard::Call;
use tokio::sync::oneshot;
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use tracing::Instrument;

use crate::{Fault, admission::Held, gate::Ending};

static WRITES: LazyLock<TaskTracker> = LazyLock::new(TaskTracker::new);

/// Waits until no write runs any more; a drain asks for it once no call can come in.
pub async fn unfinished_writes() {
    WRITES.close();
    WRITES.wait().await;
}

/// What an operation will answer.
pub type Answer<R> = BoxFuture<'static, Result<R, Fault>>;

/// Answers of a stream.
pub type Outflow<R> = Pin<Box<dyn Stream<Item = Result<R, Status>> + Send>>;

fn entry<Q>(request: Request<Q>) -> Result<(Call, Q), Status> {
    let (_, extensions, message) = request.into_parts();
    match extensions.get::<Call>() {
        Some(call) => Ok((call.clone(), message)),
        None => Err(Status::permission_denied("not allowed")),
    }
}

/// An answer whose type is forgotten: what surrounds an operation (deadline, tries, panics, faults) is compiled once and not for each RPC.
type Erased = Box<dyn Any + Send>;

fn erased<R: Send + 'static>(answer: impl Future<Output = Result<R, Fault>> + Send + 'static) -> Answer<Erased> {
    Box::pin(async move { answer.await.map(|answer| Box::new(answer) as Erased) })
}

fn recalled<R: 'static>(call: &Call, answer: Erased) -> Result<R, Status> {
    match answer.downcast() {
        Ok(answer) => Ok(*answer),
        Err(_) => Err(Fault::internal("an answer of another type").into_status(call.service())),
    }
}

/// A read: cut off at the deadline.
pub async fn read<D, Q, R, F, Fut>(desk: &D, request: Request<Q>, op: F) -> Result<Response<R>, Status>
where
    D: Clone,
    R: Send + 'static,
    F: FnOnce(D, Call, Q) -> Fut,
    Fut: Future<Output = Result<R, Fault>> + Send + 'static,
{
    let (call, message) = entry(request)?;
    let work = erased(op(desk.clone(), call.clone(), message));
    let answer = in_time(&call, work).await?;
    recalled(&call, answer).map(Response::new)
}

async fn in_time(call: &Call, work: Answer<Erased>) -> Result<Erased, Status> {
    let work = AssertUnwindSafe(work).catch_unwind();
    let answer = match call.deadline() {
        Some(deadline) => tokio::time::timeout_at(deadline.into(), work)
            .await
            .unwrap_or_else(|_| Ok(Err(Fault::deadline()))),
        None => work.await,
    };
    answer
        .unwrap_or_else(|_| Err(Fault::internal("the handler panicked")))
        .map_err(|f| f.into_status(call.service()))
}

/// A write: once begun it runs to its end in a task of its own, whatever becomes of the caller, and is tried again when it met
/// others on the same rows. A caller that left finds the outcome by its request id.
pub async fn write<D, Q, R, F, Fut>(desk: &D, request: Request<Q>, op: F) -> Result<Response<R>, Status>
where
    D: Clone + Send + 'static,
    Q: Clone + Send + 'static,
    R: Send + 'static,
    F: Fn(D, Call, Q) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Fault>> + Send + 'static,
{
    let (call, message) = entry(request)?;
    detached(desk.clone(), call, message, op).await.map(Response::new)
}

async fn detached<D, Q, R, F, Fut>(desk: D, call: Call, message: Q, op: F) -> Result<R, Status>
where
    D: Clone + Send + 'static,
    Q: Clone + Send + 'static,
    R: Send + 'static,
    F: Fn(D, Call, Q) -> Fut + Send + 'static,
    Fut: Future<Output = Result<R, Fault>> + Send + 'static,
{
    let taken = call.clone();
    let attempt = move || erased(op(desk.clone(), taken.clone(), message.clone()));
    let answer = to_its_end(&call, Box::new(attempt)).await?;
    recalled(&call, answer)
}

async fn to_its_end(call: &Call, attempt: Box<dyn Fn() -> Answer<Erased> + Send>) -> Result<Erased, Status> {
    let (done, answer) = oneshot::channel();
    let work = async move {
        let mut tries = 0_u32;
        let outcome = loop {
            let answer = attempt();
            match answer.await {
                Err(fault) if fault.is_contention() && tries < 3 => {
                    tries = tries.saturating_add(1);
                    tokio::time::sleep(Duration::from_millis(u64::from(tries) * 15)).await;
                }
                outcome => break outcome,
            }
        };
        // Nobody waits any more when the caller left.
        let _left = done.send(outcome);
    };
    begin(work);
    let outcome = match call.deadline() {
        Some(deadline) => match tokio::time::timeout_at(deadline.into(), answer).await {
            Ok(outcome) => outcome,
            Err(_) => return Err(Fault::deadline().into_status(call.service())),
        },
        None => answer.await,
    };
    outcome
        .unwrap_or_else(|_| Err(Fault::internal("the handler panicked")))
        .map_err(|f| f.into_status(call.service()))
}

/// The work keeps its place when its caller has left.
fn begin(work: impl Future<Output = ()> + Send + 'static) {
    let held = Held::current();
    let work = async move {
        work.await;
        drop(held);
    };
    WRITES.spawn(work.in_current_span());
}

/// A read whose answer is a stream.
pub async fn stream<D, Q, R, F, S>(desk: &D, request: Request<Q>, op: F) -> Result<Response<Outflow<R>>, Status>
where
    D: Clone,
    R: Send + 'static,
    F: FnOnce(D, Call, Q) -> Result<S, Fault>,
    S: Stream<Item = Result<R, Fault>> + Send + 'static,
{
    let ending = request.extensions().get::<Ending>().cloned();
    let (call, message) = entry(request)?;
    let service = call.service().to_owned();
    let refusal = refusal(ending.clone(), &call);
    let answers = op(desk.clone(), call, message).map_err(|f| f.into_status(&service))?;
    let answers = answers.map(move |answer| answer.map_err(|f| f.into_status(&service)));
    // The reader comes back with its position; until then the server may stop.
    let stopped = async move {
        match ending {
            Some(ending) => ending.draining.cancelled_owned().await,
            None => std::future::pending().await,
        }
    };
    Ok(Response::new(while_welcome(answers.take_until(Box::pin(stopped)), refusal)))
}

/// Comes when the caller's token is taken no more; a service without one is known by its connection.
fn refusal(ending: Option<Ending>, call: &Call) -> BoxFuture<'static, Status> {
    match (ending, call.token()) {
        (Some(ending), Some(token)) => {
            let (token, service) = (token.to_owned(), call.service().to_owned());
            Box::pin(async move { ending.verifier.refusal(&token).await.status(&service) })
        }
        _ => Box::pin(std::future::pending()),
    }
}

/// The answers, and the refusal as the last of them should it come.
fn while_welcome<R: Send + 'static>(answers: impl Stream<Item = Result<R, Status>> + Send + 'static, refusal: BoxFuture<'static, Status>) -> Outflow<R> {
    let state = Some((Box::pin(answers), refusal));
    Box::pin(futures::stream::unfold(state, |state| async move {
        let (mut answers, mut refusal) = state?;
        tokio::select! {
            biased;
            status = &mut refusal => Some((Err(status), None)),
            answer = answers.next() => answer.map(|answer| (answer, Some((answers, refusal)))),
        }
    }))
}

/// A stream of writes, each with its own answer in the same order; one that fails ends the stream.
pub async fn exchange<D, Q, R, F, Fut>(desk: &D, request: Request<Streaming<Q>>, op: F) -> Result<Response<Outflow<R>>, Status>
where
    D: Clone + Send + Sync + 'static,
    Q: Clone + Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(D, Call, Q) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<R, Fault>> + Send + 'static,
{
    let one = move |desk: D, call: Call, messages: Vec<Arc<Q>>| {
        let work = messages.first().map(|message| op(desk, call, Q::clone(message)));
        async move {
            match work {
                Some(work) => Ok(vec![work.await?]),
                None => Ok(vec![]),
            }
        }
    };
    exchange_some(desk, request, 1, one).await
}

/// The same for an operation that takes several messages at a time: those that have come already, `most` of them. It answers one or more, from the first on; the
/// others come to it again, with what came meanwhile.
pub async fn exchange_some<D, Q, R, F, Fut>(desk: &D, request: Request<Streaming<Q>>, most: usize, op: F) -> Result<Response<Outflow<R>>, Status>
where
    D: Clone + Send + Sync + 'static,
    Q: Send + Sync + 'static,
    R: Send + 'static,
    F: Fn(D, Call, Vec<Arc<Q>>) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = Result<Vec<R>, Fault>> + Send + 'static,
{
    let ending = request.extensions().get::<Ending>().cloned();
    let (call, inflow) = entry(request)?;
    let (desk, refusal, turns) = (desk.clone(), refusal(ending, &call), Held::turns());
    let inbox = Inbox {
        inflow,
        came: VecDeque::new(),
        end: None,
    };
    let answers = futures::stream::try_unfold((inbox, VecDeque::new()), move |(mut inbox, mut answers): (Inbox<Q>, VecDeque<R>)| {
        let (desk, call, op, turns) = (desk.clone(), call.clone(), op.clone(), turns.clone());
        async move {
            if answers.is_empty() {
                inbox.fill(most).await?;
                if inbox.came.is_empty() {
                    return Ok(None);
                }
                let service = call.service().to_owned();
                let work = detached(desk, call, inbox.came.iter().cloned().collect(), op);
                answers = match turns {
                    Some(turns) => turns.take(work).await?,
                    None => work.await?,
                }
                .into();
                if answers.is_empty() {
                    return Err(Fault::internal("no message was answered").into_status(&service));
                }
                inbox.came.drain(..answers.len().min(inbox.came.len()));
            }
            Ok(answers.pop_front().map(|answer| (answer, (inbox, answers))))
        }
    });
    Ok(Response::new(while_welcome(answers, refusal)))
}

/// What has come of a stream and is not answered.
struct Inbox<Q> {
    inflow: Streaming<Q>,
    came: VecDeque<Arc<Q>>,
    /// Nothing comes after it.
    end: Option<Result<(), Status>>,
}

impl<Q> Inbox<Q> {
    /// Waits for a message, and takes what else is there. A fault of the stream is told when all that came before it is answered.
    async fn fill(&mut self, most: usize) -> Result<(), Status> {
        if self.came.is_empty() && self.end.is_none() {
            let came = self.inflow.message().await;
            self.take(came);
        }
        while self.came.len() < most
            && self.end.is_none()
            && let Some(came) = self.inflow.message().now_or_never()
        {
            self.take(came);
        }
        match &mut self.end {
            Some(end) if self.came.is_empty() => std::mem::replace(end, Ok(())),
            _ => Ok(()),
        }
    }

    fn take(&mut self, came: Result<Option<Q>, Status>) {
        match came {
            Ok(Some(message)) => self.came.push_back(Arc::new(message)),
            Ok(None) => self.end = Some(Ok(())),
            Err(status) => self.end = Some(Err(status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use tonic::Code;

    use super::*;

    /// Fails closed: whoever serves without the gate serves nobody.
    #[tokio::test]
    async fn r_s1_a_request_that_came_through_no_gate_is_refused() {
        let op = |(), _: Call, ()| async { Ok(()) };
        let read = read(&(), Request::new(()), op).await.map(|_| ());
        let written = write(&(), Request::new(()), op).await.map(|_| ());
        let streamed = stream(&(), Request::new(()), |(), _: Call, ()| Ok(futures::stream::empty::<Result<(), Fault>>())).await;
        for outcome in [read, written, streamed.map(|_| ())] {
            assert_eq!(outcome.unwrap_err().code(), Code::PermissionDenied);
        }
    }
}
