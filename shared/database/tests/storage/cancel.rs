//! Callers that leave while a slow PostgreSQL still works for them.

use std::{env, time::Duration};

use contracts::hearth::hall::v1::ListEscalationsRequest;
use database::Engine;
use rpc::{Call, Kind, Principal};
use testbed::means::{runs, say};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, tcp},
};

use crate::{
    desk::{DESK, desk, note},
    process::alone,
    server::{Server, beside, free_port, url, value},
};

const TEST: &str = "cancel::r_c4_a_caller_who_leaves_leaves_no_open_transaction_behind";
const SEED: u64 = 20_260_301;
/// Connections of a service's pool.
const POOL: i64 = 16;

/// Forwards each segment five milliseconds late, both ways, so that a caller can leave while a BEGIN is under way.
async fn slow(listener: TcpListener, port: u16) {
    async fn forward(mut from: tcp::OwnedReadHalf, mut to: tcp::OwnedWriteHalf) {
        let mut segment = vec![0; 64 * 1024];
        while let Ok(n @ 1..) = from.read(&mut segment).await {
            tokio::time::sleep(Duration::from_millis(5)).await;
            if to.write_all(&segment[..n]).await.is_err() {
                break;
            }
        }
    }
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else {
            continue;
        };
        for half in [&client, &server] {
            half.set_nodelay(true).unwrap();
        }
        let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
        tokio::spawn(forward(from_client, to_server));
        tokio::spawn(forward(from_server, to_client));
    }
}

fn next(state: &mut u64) -> u64 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    *state >> 33
}

#[tokio::test(flavor = "multi_thread")]
async fn r_c4_a_caller_who_leaves_leaves_no_open_transaction_behind() {
    let (port, proxy) = (free_port().to_string(), free_port().to_string());
    let through = url(proxy.parse().unwrap());
    let variables = [
        (testbed::postgres::URL, through.as_str()),
        ("HEARTH_TEST_PORT", &port),
        ("HEARTH_TEST_PROXY", &proxy),
    ];
    if crate::server::binaries().is_none() || !alone(TEST, &variables, &[]) {
        return;
    }
    let number = |name| env::var(name).unwrap().parse::<u16>().unwrap();
    let port = number("HEARTH_TEST_PORT");
    let server = Server::start(port).unwrap();
    tokio::spawn(slow(TcpListener::bind(("127.0.0.1", number("HEARTH_TEST_PROXY"))).await.unwrap(), port));
    testbed::each_of(DESK, &[Engine::Postgres], async |bed| {
        let admin = beside(&url(port)).await;
        let calls = runs(1_000, 10_000);
        let (db, client) = (bed.db(), desk(bed));
        // Connections first: to make one takes longer than any caller stays.
        let reader = db.reader();
        let warm = (0..POOL).map(|_| value::<String>(reader, "SELECT pg_sleep(0.2)::text"));
        futures::future::join_all(warm).await;
        let mut state = SEED;
        let mut left = 0;
        for round in (0..calls).step_by(10) {
            // Ten at once find a connection each; its check and the BEGIN take ten milliseconds each.
            let callers = (0..10_u32).map(|caller| {
                let patience = Duration::from_micros(next(&mut state) % 20_000);
                let (db, mut client) = (db.clone(), client.clone());
                async move {
                    let call = Call::new("hearth.hall.v1.EscalationService/TakeEscalation", Kind::Write, Principal::default());
                    let stayed = match (round / 10 + caller) % 4 {
                        0 => tokio::time::timeout(patience, client.take_escalation(note())).await.is_ok(),
                        1 => tokio::time::timeout(patience, client.list_escalations(ListEscalationsRequest::default()))
                            .await
                            .is_ok(),
                        _ => tokio::time::timeout(patience * 2, db.open(&call)).await.is_ok(),
                    };
                    u32::from(!stayed)
                }
            });
            left += futures::future::join_all(callers).await.into_iter().sum::<u32>();
        }
        assert!(left * 2 > calls, "only {left} of {calls} left: seed {SEED} leaves too few");

        // The next ones meet no connection of theirs: what is acknowledged is committed, for everybody to see.
        let name: String = value(db.reader(), "SELECT current_database()::text").await;
        let seen = beside(&url(port).replace("/postgres", &format!("/{name}"))).await;
        let next_calls = (0..200).map(|_| {
            let (mut client, seen) = (client.clone(), seen.clone());
            async move {
                let note = note();
                let id = note.escalation_id.clone();
                client.take_escalation(note).await.unwrap();
                assert_eq!(
                    value::<i64>(&seen, &format!("SELECT count(*) FROM note WHERE text = '{id}'")).await,
                    1,
                    "seed {SEED}"
                );
            }
        });
        futures::future::join_all(next_calls).await;
        let own = format!("FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'hearth'");
        let pool: i64 = value(&admin, &format!("SELECT count(*) {own}")).await;
        assert!(pool <= POOL, "{pool} connections");
        testbed::eventually("no connection idles in a transaction", async || {
            let idle: i64 = value(&admin, &format!("SELECT count(*) {own} AND state LIKE 'idle in transaction%'")).await;
            (idle == 0).then_some(())
        })
        .await;
        let warned = server.log().matches("already a transaction in progress").count();
        assert_eq!(warned, 0, "transactions begun in transactions that others left, seed {SEED}");
        say(&format!(
            "figure: C4 {left} of {calls} calls left by their caller, 0 transactions left open, {pool} connections (seed {SEED})"
        ));
        seen.close().await.unwrap();
        admin.close().await.unwrap();
    })
    .await;
}
