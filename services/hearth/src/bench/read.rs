//! `hearth bench read`.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    future::{Ready, ready},
    path::{Path, PathBuf},
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow, ensure};
use boot::telemetry::{Look, Telemetry};
use calendar::Clock;
use contracts::hearth::{
    billing::v1::{GetBillRequest, GetBillResponse, bill_service_client::BillServiceClient},
    options::v1::Role,
};
use database::{Database, Target};
use prost::Message;
use rpc::token::Issuer;
use sea_orm::{ConnectionTrait, Statement};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Handle, Runtime},
    task::JoinSet,
};
use tonic::{
    Request, Response, Status,
    body::Body,
    codegen::{BoxFuture, Context as Task, Poll, Service, http},
    metadata::{Ascii, MetadataValue},
    server::{Grpc, NamedService, UnaryService},
    transport::{Channel, Endpoint, Server, server::TcpIncoming},
};
use tonic_prost::ProstCodec;
use uuid::Uuid;

use super::{
    cost::{Cost, Meter},
    figures::{Way, keep, publish, table},
    place::{Args, Place},
    rows::{fill, now},
    run,
};
use crate::{
    client::person,
    say::say,
    suite::{Stores, Suite, Taken},
};

/// Read one bill through the whole service, against an echo of the same size and the query alone.
#[derive(clap::Args)]
pub struct Read {
    #[command(flatten)]
    place: Args,
    /// Calls of every way in a round.
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    calls: u32,
    /// Rounds of every way, in turn.
    #[arg(long, value_name = "N", default_value_t = 5)]
    rounds: usize,
    /// Page to write the table into.
    #[arg(long, value_name = "FILE")]
    into: Option<PathBuf>,
}

/// Bills that are read in turn.
const BILLS: i64 = 1_000;
/// Connections, and calls at a time on each.
const CONNECTIONS: u32 = 4;
const AT_ONCE: u32 = 16;
/// Threads of the callers, whose CPU is not the server's.
const CALLERS: &str = "bench-callers";
const DEADLINE: Duration = Duration::from_secs(10);
/// Where no collector is: spans are recorded and handed over, and nobody takes them.
const NOWHERE: &str = "http://127.0.0.1:9";

impl Read {
    pub async fn run(self) -> Result<ExitCode> {
        let clock = Clock::simulated(now()?);
        let place = self.place.open().await?;
        let folder = tempfile::tempdir()?;
        let keys = folder.path().join("keys");
        boot::keys::make(&keys, &[])?;
        say(format!("filling a database with {BILLS} bills"))?;
        fill(&place, &clock, BILLS).await?;
        let db = place.round(&clock).await?;
        run::once(&place, &db, &clock, BILLS, 1).await?;
        let bills = bills(&db).await?;
        let telemetry = Telemetry::start("bench", "off", Look::Short, Some(NOWHERE))?;
        let suite = serve(&place, &clock, folder.path(), &keys).await?;
        let callers = Callers::begin()?;

        let token = Issuer::from_folder(&keys)
            .and_then(|issuer| issuer.sign(&person("bench", &[Role::Operator])))
            .map_err(|e| anyhow!(e))?;
        let stack = Door {
            address: format!("https://{}", suite.address("billing")?),
            ca: Some(keys.join("ca.pem")),
            token: Some(format!("Bearer {token}").parse()?),
        };
        let query: Query = Arc::new(billing::bill_of(db.clone(), clock.clone())?);
        let first = bills.first().context("there is no bill")?;
        let answer = query(first.clone()).await.map_err(|e| anyhow!("{e}"))?;
        let echo = echo(answer.clone()).await?;
        for door in [&stack, &echo] {
            let came = door.client()?.get_bill(door.request(first)).await?.into_inner();
            ensure!(came == answer, "what was answered differs: {came:?} and {answer:?}");
        }

        let mut ways = ["one bill, whole stack", "tonic echo", "the query alone"].map(|name| Way::new(name, (None, None)));
        for round in 1..=self.rounds {
            let mut costs = vec![];
            for door in [&stack, &echo] {
                let meter = Meter::begin_without(&db, Some(CALLERS)).await?;
                call(&callers, door, &bills, self.calls).await?;
                costs.push(meter.end()?);
            }
            let meter = Meter::begin(&db).await?;
            ask(&query, &bills, self.calls).await?;
            costs.push(meter.end()?);
            keep(round, &mut ways, costs)?;
        }
        let [whole, bare, alone] = ways;
        // What is allowed: twice the echo and the query.
        let mut allowed = Way::new("twice the echo and the query", (None, Some(100)));
        allowed.rounds = bare.rounds.iter().zip(&alone.rounds).map(|(bare, alone)| sum(&[bare, bare, alone])).collect();
        drop(callers);
        suite.stop().await?;
        telemetry.stop().await;
        db.close().await;

        let engine = place.engine_name();
        let text = format!(
            "{engine}, {} calls, {AT_ONCE} at a time on each of {CONNECTIONS} connections, answers of {} bytes, medians of {} rounds; CPU of the server and its database.\n\n{}",
            self.calls,
            answer.encoded_len(),
            self.rounds,
            table(&[whole, bare, alone, allowed], self.calls.into(), "calls")
        );
        publish(&format!("read {engine}"), &text, self.into.as_deref())?;
        place.close().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// What answers a request without the way there.
type Query = Arc<dyn Fn(GetBillRequest) -> rpc::Answer<GetBillResponse> + Send + Sync>;

fn sum(costs: &[&Cost]) -> Cost {
    Cost {
        wall: costs.iter().map(|c| c.wall).sum(),
        cpu: costs.iter().map(|c| c.cpu).sum(),
    }
}

/// Requests for all bills.
async fn bills(db: &Database) -> Result<Arc<[GetBillRequest]>> {
    let ask = Statement::from_string(db.reader().get_database_backend(), "SELECT id FROM bill ORDER BY id");
    let rows = db.reader().query_all_raw(ask).await?;
    let request = |row: &sea_orm::QueryResult| {
        let id: Uuid = row.try_get_by_index(0)?;
        Ok::<_, anyhow::Error>(GetBillRequest {
            bill_id: id.to_string(),
            ..GetBillRequest::default()
        })
    };
    rows.iter().map(request).collect()
}

async fn serve(place: &Place, clock: &Clock, folder: &Path, keys: &Path) -> Result<Suite> {
    let billing = Target::parse(&place.round_url()?).map_err(|e| anyhow!(e))?;
    let stores = |service: &str| {
        let database = match service {
            "billing" => billing.clone(),
            other => Target::parse(&format!("sqlite://{}", folder.join(format!("{other}.db")).display())).map_err(|e| anyhow!(e))?,
        };
        Ok(Stores {
            database,
            files: folder.join(format!("{service}-files")),
            ring: keys.join(format!("{service}.vault")),
        })
    };
    let free = boot::PORTS.iter().map(|(name, _)| (*name, 0)).collect::<BTreeMap<_, _>>();
    Suite::begin(stores, keys, clock.clone(), &free, Taken::Move, &[]).await
}

/// Where bills are asked for, and what is shown there.
#[derive(Clone)]
struct Door {
    address: String,
    ca: Option<PathBuf>,
    token: Option<MetadataValue<Ascii>>,
}

impl Door {
    fn client(&self) -> Result<BillServiceClient<Channel>> {
        let channel = match &self.ca {
            Some(ca) => rpc::user_channel(&self.address, ca).map_err(|e| anyhow!(e))?,
            None => Endpoint::from_shared(self.address.clone())?.connect_lazy(),
        };
        Ok(BillServiceClient::new(channel))
    }

    fn request(&self, bill: &GetBillRequest) -> Request<GetBillRequest> {
        let mut request = Request::new(bill.clone());
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
            request.set_timeout(DEADLINE);
        }
        request
    }
}

/// Threads of the callers, apart from those of the server.
struct Callers {
    threads: Option<Runtime>,
    handle: Handle,
}

impl Callers {
    fn begin() -> Result<Self> {
        let threads = Builder::new_multi_thread().worker_threads(1).thread_name(CALLERS).enable_all().build()?;
        let handle = threads.handle().clone();
        Ok(Self {
            threads: Some(threads),
            handle,
        })
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        // Dropped as they are they would be waited for, which no task may do.
        if let Some(threads) = self.threads.take() {
            threads.shutdown_background();
        }
    }
}

/// Calls from threads of their own.
async fn call(callers: &Callers, door: &Door, bills: &Arc<[GetBillRequest]>, calls: u32) -> Result<()> {
    let mut work = JoinSet::new();
    for _ in 0..CONNECTIONS {
        let client = {
            // A connection belongs to the threads where it is made.
            let _there = callers.handle.enter();
            door.client()?
        };
        for _ in 0..AT_ONCE {
            let (mut client, door, bills) = (client.clone(), door.clone(), bills.clone());
            let share = calls.div_ceil(CONNECTIONS.saturating_mul(AT_ONCE));
            let own = async move {
                for bill in bills.iter().cycle().take(usize::try_from(share)?) {
                    client.get_bill(door.request(bill)).await?;
                }
                Ok::<_, anyhow::Error>(())
            };
            work.spawn_on(own, &callers.handle);
        }
    }
    while let Some(done) = work.join_next().await {
        done??;
    }
    Ok(())
}

/// The same without the way there.
async fn ask(query: &Query, bills: &Arc<[GetBillRequest]>, calls: u32) -> Result<()> {
    let mut work = JoinSet::new();
    for _ in 0..CONNECTIONS.saturating_mul(AT_ONCE) {
        let (query, bills) = (query.clone(), bills.clone());
        let share = calls.div_ceil(CONNECTIONS.saturating_mul(AT_ONCE));
        work.spawn(async move {
            for bill in bills.iter().cycle().take(usize::try_from(share)?) {
                query(bill.clone()).await.map_err(|e| anyhow!("{e}"))?;
            }
            Ok::<_, anyhow::Error>(())
        });
    }
    while let Some(done) = work.join_next().await {
        done??;
    }
    Ok(())
}

/// Answers every request with the same bill, by the bare library.
#[derive(Clone)]
struct Echo(Arc<GetBillResponse>);

impl UnaryService<GetBillRequest> for Echo {
    type Response = GetBillResponse;
    type Future = Ready<Result<Response<GetBillResponse>, Status>>;

    fn call(&mut self, _: Request<GetBillRequest>) -> Self::Future {
        ready(Ok(Response::new(GetBillResponse::clone(&self.0))))
    }
}

impl NamedService for Echo {
    const NAME: &'static str = "hearth.billing.v1.BillService";
}

impl Service<http::Request<Body>> for Echo {
    type Response = http::Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Self::Response, Infallible>;

    fn poll_ready(&mut self, _: &mut Task<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<Body>) -> Self::Future {
        let echo = self.clone();
        Box::pin(async move { Ok(Grpc::new(ProstCodec::<GetBillResponse, GetBillRequest>::default()).unary(echo, request).await) })
    }
}

/// Serves an echo for as long as the process lives.
async fn echo(answer: GetBillResponse) -> Result<Door> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = format!("http://{}", listener.local_addr()?);
    let server = Server::builder().add_service(Echo(Arc::new(answer)));
    tokio::spawn(server.serve_with_incoming(TcpIncoming::from(listener).with_nodelay(Some(true))));
    Ok(Door {
        address,
        ca: None,
        token: None,
    })
}
