//! Many connections.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use futures::StreamExt;
use rpc::Limits;
use tokio::{io::AsyncReadExt, net::TcpStream, time::timeout};
use tonic::Code;

use crate::{
    child::Process,
    rows::{ask, connect, request},
    web::tls,
    world::{Does, GET, eventually, get, plain, runs},
};

async fn answers(client: &h2::client::SendRequest<bytes::Bytes>) -> bool {
    let reply = ask(client, request(GET, &[]), &get(Does::After(0))).await;
    if reply.code() != Some(Code::Ok) {
        println!("{reply:?}");
    }
    reply.code() == Some(Code::Ok)
}

/// Whether the server closes within two seconds.
async fn closed(mut socket: TcpStream) -> bool {
    let mut bytes = vec![];
    timeout(Duration::from_secs(2), socket.read_to_end(&mut bytes)).await.is_ok()
}

/// Beyond the cap a connection is closed at once, and a place that is left is free again: over all, and from one address.
#[tokio::test]
async fn r_o14_connections_are_capped_over_all_and_by_address() {
    let few = Limits {
        connections: 5,
        ..Limits::default()
    };
    let from_one = Limits {
        connections_per_address: 5,
        ..Limits::default()
    };
    for limits in [few, from_one] {
        let one = limits.connections > 5;
        let world = plain(limits).await;
        let mut held = vec![];
        for _ in 0..5 {
            let client = connect(world.address).await;
            assert!(answers(&client).await);
            held.push(client);
        }
        assert!(closed(TcpStream::connect(world.address).await.unwrap()).await);
        assert!(answers(&held[0]).await, "those who are there stay");
        // Another address is not concerned by what the first one holds.
        let elsewhere = tokio::net::TcpSocket::new_v4().unwrap();
        elsewhere.bind("127.0.0.2:0".parse().unwrap()).unwrap();
        assert_eq!(closed(elsewhere.connect(world.address).await.unwrap()).await, !one);
        held.pop();
        eventually("a free place", async || {
            let socket = TcpStream::connect(world.address).await.unwrap();
            let Ok((client, connection)) = h2::client::handshake(socket).await else {
                return false;
            };
            tokio::spawn(connection);
            answers(&client).await
        })
        .await;
    }
}

/// Holds connections open, as many as there may be, for a second; gives the processor seconds that the server took.
async fn crowd(process: &Process, number: usize) -> f64 {
    let mut held = vec![];
    for _ in 0..number {
        // The queue of the kernel may be full as well.
        if let Ok(Ok(socket)) = timeout(Duration::from_millis(200), TcpStream::connect(process.address)).await {
            held.push(socket);
        }
    }
    // What it costs to stand there with a full queue, not what it costs to get there.
    let before = process.cpu();
    tokio::time::sleep(Duration::from_secs(2)).await;
    (process.cpu() - before) / 2.0
}

/// T5, O14: without descriptors the server waits instead of spinning, goes on with those whom it has, and is back when they leave.
#[tokio::test]
async fn r_t5_o14_no_descriptors_is_no_work() {
    for (descriptors, connections, number) in [(64, Some(10_000), 200), (256, None, 1_000)] {
        let process = Process::start(descriptors, connections, false);
        let client = connect(process.address).await;
        assert!(answers(&client).await);
        let came = Instant::now();
        let cpu = crowd(&process, number).await;
        // 5 % is the figure; a machine that does other things counts some of them here.
        assert!(cpu <= runs(0.2, 0.05), "{cpu} processor seconds in a second, of {descriptors} descriptors");
        assert!(answers(&client).await, "those who are there are served");
        let (lines, seconds) = (process.log().len(), came.elapsed().as_secs_f64());
        assert!(lines > 0 && lines as f64 <= seconds + 1.0, "{lines} lines of log in {seconds} s");
        let began = Instant::now();
        eventually("somebody new", async || {
            let Ok(socket) = TcpStream::connect(process.address).await else {
                return false;
            };
            let Ok(Ok((client, connection))) = timeout(Duration::from_millis(500), h2::client::handshake(socket)).await else {
                return false;
            };
            tokio::spawn(connection);
            answers(&client).await
        })
        .await;
        let back = began.elapsed();
        assert!(back < Duration::from_secs(1), "{back:?}");
        println!(
            "figure: O14 {descriptors} descriptors, {number} connections: {cpu:.3} CPU s a second, {lines} lines in {seconds:.1} s, serves again after {back:?}"
        );
    }
}

/// A connection that answers the pings of the server and does nothing else by itself.
async fn idle(address: SocketAddr, secret: bool) -> h2::client::SendRequest<bytes::Bytes> {
    if !secret {
        return connect(address).await;
    }
    let stream = tls(TcpStream::connect(address).await.unwrap(), &[b"h2"]).await;
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    tokio::spawn(async move {
        let _ = connection.await;
    });
    client
}

/// O9: idle connections, each of which makes a call when it comes and before it leaves. `HEARTH_IDLE=10000` is the full figure.
#[tokio::test(flavor = "multi_thread")]
async fn r_o9_idle_connections_cost_little_and_leave_nothing() {
    let number: usize = std::env::var("HEARTH_IDLE").map_or(1_000, |n| n.parse().unwrap());
    for (secret, most) in [(false, 32 * 1024), (true, 64 * 1024)] {
        let process = Process::start(20_000, Some(12_000), secret);
        let first = idle(process.address, secret).await;
        assert!(answers(&first).await);
        let open = process.descriptors() - 1;
        drop(first);
        eventually("it has left", async || process.descriptors() <= open).await;
        let empty = process.memory();
        let mut peaks = vec![];
        for _ in 0..4 {
            let come = futures::stream::iter(0..number).map(|_| async {
                let idle = idle(process.address, secret).await;
                assert!(answers(&idle).await);
                idle
            });
            let held: Vec<_> = come.buffer_unordered(16).collect().await;
            peaks.push(process.memory());
            let now = process.descriptors();
            assert!(now >= open + number, "{open} descriptors and then {now}");
            let leave = futures::stream::iter(held.iter()).map(answers);
            assert!(leave.buffer_unordered(16).all(async |ok| ok).await);
            drop(held);
            eventually("all have left", async || process.descriptors() <= open).await;
        }
        let each = (peaks[0] - empty) / number;
        println!("{number} connections, TLS {secret}: {each} bytes each, peaks {peaks:?}");
        assert!(each <= most, "{each} bytes for a connection, TLS {secret}");
        // The first time the allocator takes what it then keeps.
        assert!(peaks[3] * 100 <= peaks[1] * 125, "{peaks:?}");
    }
}
