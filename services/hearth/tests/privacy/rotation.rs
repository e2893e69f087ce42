//! The key of a service's sealed data is changed while it serves and is killed.

use std::{
    fs,
    process::{Command, Output},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use contracts::hearth::{
    archive::v1::{RegisterPersonRequest, RevealPartyRequest, SearchPartiesRequest, party_service_client::PartyServiceClient},
    options::v1::Role,
};
use database::Engine;
use rpc::Principal;
use testbed::key;
use tonic::{Code, Request, Status, transport::Channel};
use uuid::Uuid;
use vault::{Keyring, Vault};

use crate::processes::{Processes, number};

/// Further persons, so that a kill falls in the middle of the work.
const FURTHER: usize = 20_000;

fn rotate(processes: &Processes, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hearth"));
    command.arg("rotate").arg(arguments[0]).arg(processes.ring("archive")).args(&arguments[1..]);
    command.output().unwrap()
}

fn done(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Looks until something is so, two minutes at most.
async fn until(what: &str, mut so: impl AsyncFnMut() -> bool) {
    for _ in 0..12_000 {
        if so().await {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{what} did not come about within two minutes");
}

/// Somebody who reads or writes.
#[derive(Clone)]
struct Caller {
    channel: Channel,
    token: String,
}

impl Caller {
    fn of(processes: &Processes, role: Role) -> Self {
        let principal = Principal {
            subject: format!("{role:?}"),
            roles: vec![role as i32],
            ..Principal::default()
        };
        Self {
            channel: processes.channel("archive"),
            token: processes.token(&principal),
        }
    }

    fn ask<T>(&self, message: T) -> Request<T> {
        let mut request = Request::new(message);
        request.metadata_mut().insert("authorization", self.token.parse().unwrap());
        request
    }

    /// Registers a person; the id.
    async fn register(&self, n: u64) -> Result<String, Status> {
        let request = RegisterPersonRequest {
            request_id: key(),
            name: "王建国".to_owned(),
            id_number: id_number(n),
            phone: phone(n),
            address: String::new(),
            branch: "河西区".to_owned(),
        };
        let answer = PartyServiceClient::new(self.channel.clone()).register_person(self.ask(request)).await?;
        Ok(answer.into_inner().party.unwrap().party_id)
    }

    /// Finds a person by phone and reads them in clear text; whether both are right.
    async fn read(&self, n: u64, id: &str) -> Result<bool, Status> {
        let mut client = PartyServiceClient::new(self.channel.clone());
        let search = SearchPartiesRequest {
            phone: phone(n),
            ..SearchPartiesRequest::default()
        };
        let found = client.search_parties(self.ask(search)).await?.into_inner().parties;
        let reveal = RevealPartyRequest {
            request_id: key(),
            party_id: id.to_owned(),
            purpose: "轮换期间核对".to_owned(),
        };
        let shown = client.reveal_party(self.ask(reveal)).await?.into_inner().party.unwrap();
        Ok(found.len() == 1 && found[0].party_id == id && shown.phone == phone(n) && shown.id_number == id_number(n))
    }
}

fn phone(n: u64) -> String {
    format!("138{n:08}")
}

fn id_number(n: u64) -> String {
    testbed::id_number(&format!("1101051949{:02}{:02}{:03}", 1 + n / 1000 % 12, 1 + n / 12_000 % 28, n % 1000))
}

/// Whether a call failed only since the process was killed.
fn away(status: &Status, killed: &AtomicBool) -> bool {
    killed.load(Ordering::SeqCst) && is_transport(status)
}

fn is_transport(status: &Status) -> bool {
    matches!(status.code(), Code::Unavailable | Code::Unknown | Code::Cancelled | Code::DeadlineExceeded) || status.message().contains("transport")
}

#[tokio::test(flavor = "multi_thread")]
async fn r_p2_keys_change_under_load_with_a_kill_and_no_read_fails() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(processes) = Processes::start(engine, &["archive"]).await else {
            continue;
        };
        let processes = Arc::new(processes);
        let db = processes.db("archive").await;
        let ring = processes.ring("archive");
        let old_ring = fs::read_to_string(&ring).unwrap();
        let old = Keyring::load(&ring).unwrap().current_id().to_owned();
        {
            let vault = Vault::of_file(&ring, "archive").unwrap();
            let further: Vec<_> = (0..FURTHER).map(|_| (Uuid::now_v7(), "test.further", "x")).collect();
            vault.seal_many(&db, &further).await.unwrap();
        }

        let (stop, reads, writes) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        // From the kill on, until the last call that it may have met has ended.
        let (killed, turns) = (Arc::new(AtomicBool::new(false)), Arc::new([const { AtomicU64::new(0) }; 4]));
        let mut tasks = vec![];
        for worker in 0..4_u64 {
            let (reader, writer) = (Caller::of(&processes, Role::ServiceManager), Caller::of(&processes, Role::Agent));
            let (stop, reads, writes, killed) = (stop.clone(), reads.clone(), writes.clone(), killed.clone());
            let turns = turns.clone();
            tasks.push(tokio::spawn(async move {
                let (mut known, mut n) = (vec![], worker);
                while !stop.load(Ordering::SeqCst) {
                    match writer.register(n).await {
                        Ok(id) => {
                            known.push((n, id));
                            writes.fetch_add(1, Ordering::SeqCst);
                        }
                        Err(status) => assert!(away(&status, &killed), "a write failed: {status:?}"),
                    }
                    n += 4;
                    for back in [1, 7, 40] {
                        let Some((n, id)) = known.len().checked_sub(back).map(|at| &known[at]) else {
                            continue;
                        };
                        match reader.read(*n, id).await {
                            Ok(right) => {
                                assert!(right, "{n} was not found or not right");
                                reads.fetch_add(1, Ordering::SeqCst);
                            }
                            Err(status) => assert!(away(&status, &killed), "a read failed: {status:?}"),
                        }
                    }
                    turns[worker as usize].fetch_add(1, Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                known
            }));
        }
        let read_anew = async |times: usize| {
            until("the ring is read anew", async || {
                fs::read_to_string(processes.log("archive"))
                    .unwrap()
                    .matches("the key ring was read anew")
                    .count()
                    >= times
            })
            .await;
        };

        // Nothing can be finished that was not begun.
        let finish = ["finish", "--database", processes.url("archive")];
        assert!(!rotate(&processes, &["use"]).status.success());
        done(&rotate(&processes, &["start"]));
        done(&rotate(&processes, &["start"]));
        read_anew(1).await;
        assert_eq!(
            number(&db, &format!("SELECT count(*) FROM subject_key WHERE key_id <> '{old}'")).await,
            0,
            "nothing is made with a key that waits"
        );
        done(&rotate(&processes, &["use"]));
        let new = Keyring::load(&ring).unwrap().current_id().to_owned();
        let behind = async || number(&db, &format!("SELECT count(*) FROM subject_key WHERE key_id = '{old}'")).await;
        until("the work begins", async || {
            number(&db, &format!("SELECT count(*) FROM subject_key WHERE key_id = '{new}'")).await >= 500
        })
        .await;
        killed.store(true, Ordering::SeqCst);
        processes.kill("archive");
        let left = behind().await;
        assert!(left > 0, "the kill came too late to show anything");
        assert!(!rotate(&processes, &finish).status.success(), "the older key is still needed");
        processes.launch("archive");
        processes.serving("archive").await;
        // Every worker has begun and ended a turn since: what fails from here on, fails for another reason.
        let before: Vec<_> = turns.iter().map(|n| n.load(Ordering::SeqCst) + 1).collect();
        until("turns after the kill", async || {
            turns.iter().zip(&before).all(|(n, before)| n.load(Ordering::SeqCst) > *before)
        })
        .await;
        killed.store(false, Ordering::SeqCst);
        until("all is under the new key", async || {
            number(
                &db,
                &format!("SELECT count(*) FROM journal WHERE method = 'archive/rotate-keys' AND subjects = '{new}'"),
            )
            .await
                == 1
        })
        .await;
        assert_eq!(behind().await, 0);
        done(&rotate(&processes, &finish));
        assert_eq!(Keyring::load(&ring).unwrap().ids().collect::<Vec<_>>(), [new.as_str()]);
        until("the ring without the old key is read", async || {
            let log = fs::read_to_string(processes.log("archive")).unwrap();
            log.lines()
                .rev()
                .find(|l| l.contains("the key ring was read anew"))
                .is_some_and(|l| !l.contains(&old))
        })
        .await;
        let before = reads.load(Ordering::SeqCst);
        until("reads under the new key alone", async || reads.load(Ordering::SeqCst) > before + 20).await;
        stop.store(true, Ordering::SeqCst);
        let mut known = vec![];
        for task in tasks {
            known.extend(task.await.unwrap());
        }
        let reader = Caller::of(&processes, Role::ServiceManager);
        for (n, id) in &known {
            assert!(reader.read(*n, id).await.unwrap(), "{n}");
        }
        let say = format!(
            "{engine:?}: {} writes, {} reads, {left} keys left at the kill",
            writes.load(Ordering::SeqCst),
            reads.load(Ordering::SeqCst)
        );
        println!("{say}");

        // The old key alone is refused.
        processes.kill("archive");
        fs::write(&ring, old_ring).unwrap();
        let said = processes.refused("archive");
        assert!(said.contains(&format!("lacks keys that are in use: {new}")), "{said}");
    }
}
