//! The end of a server, seen by its clients.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use contracts::hearth::job::v1::{GetJobRequest, job_service_client::JobServiceClient};
use rpc::Limits;
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tonic::{Code, transport::Channel};
use tonic_health::pb::{HealthCheckRequest, health_check_response::ServingStatus, health_client::HealthClient};
use tonic_types::StatusExt;

use crate::{
    rows::{ask, connect, request},
    world::{Bearer, Does, WATCH, World, eventually, get, job, plain, start},
};

/// Calls until it is told to end; a call that did not reach a server is made again. Gives how many were answered and how often one was
/// repeated, or the first failure that a retry does not mend.
async fn steady(channel: Channel, end: Arc<AtomicBool>) -> Result<(usize, usize), String> {
    let mut client = JobServiceClient::with_interceptor(channel, Bearer);
    let (mut answered, mut repeated) = (0, 0);
    while !end.load(Ordering::SeqCst) {
        let mut tries = 0;
        loop {
            match client.get_job(GetJobRequest { job_id: job(Does::After(20)) }).await {
                Ok(_) => break,
                // Said by the server itself. What the client's own library says of a connection that went away has many codes.
                Err(status) if status.get_details_error_info().is_some() => return Err(format!("{status:?}")),
                Err(status) if tries > 200 => return Err(format!("again and again: {status:?}")),
                Err(_) => {
                    (tries, repeated) = (tries + 1, repeated + 1);
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
        }
        answered += 1;
    }
    Ok((answered, repeated))
}

/// O17: twenty times a server ends under load and another takes its place: every call is answered in the end, at most by being
/// made again, and each server is gone within its grace.
#[tokio::test(flavor = "multi_thread")]
async fn r_o17_a_drain_under_load_loses_no_call() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let mut world = start(listener, Limits::default(), None);
    let end = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..8)
        .map(|_| {
            let channel = Channel::from_shared(world.url()).unwrap().connect_lazy();
            tokio::spawn(steady(channel, end.clone()))
        })
        .collect();
    let drains = 20;
    for _ in 0..drains {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let began = Instant::now();
        world.stop(Duration::from_millis(50)).await;
        assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
        world = start(TcpListener::bind(address).await.unwrap(), Limits::default(), None);
    }
    end.store(true, Ordering::SeqCst);
    for client in clients {
        let (answered, repeated) = client.await.unwrap().unwrap();
        assert!(answered > drains, "{answered}");
        println!("{answered} calls answered, {repeated} repeated over {drains} drains");
    }
}

async fn health(world: &World, service: &str) -> Option<ServingStatus> {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(world.channel()).check(request).await.ok().map(|a| a.into_inner().status())
}

/// O17: it tells first and serves on for the pause; then streams without an end are ended, and calls in hand are answered.
#[tokio::test(flavor = "multi_thread")]
async fn r_o17_a_server_that_ends_says_so_first() {
    let world = plain(Limits::default()).await;
    let name = "hearth.job.v1.JobService";
    assert_eq!(health(&world, name).await, Some(ServingStatus::Serving));
    let client = connect(world.address).await;
    let watch = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, request(WATCH, &[]), &get(Does::After(0))).await }
    });
    let long = tokio::spawn({
        let client = client.clone();
        async move { ask(&client, request(crate::world::GET, &[]), &get(Does::After(2_000))).await }
    });
    let channel = world.channel();
    let address = world.address;
    let stopping = tokio::spawn(world.stop(Duration::from_millis(1_000)));
    let began = Instant::now();
    eventually("NOT_SERVING", async || {
        let asked = [name, ""].map(|service| {
            let request = HealthCheckRequest { service: service.to_owned() };
            let mut client = HealthClient::new(channel.clone());
            async move { client.check(request).await.unwrap().into_inner().status() }
        });
        futures::future::join_all(asked).await.iter().all(|s| *s == ServingStatus::NotServing)
    })
    .await;
    assert!(began.elapsed() < Duration::from_millis(500), "at once: {:?}", began.elapsed());
    // Whoever has not looked yet is served.
    assert_eq!(
        ask(&connect(address).await, request(crate::world::GET, &[]), &get(Does::After(0))).await.code(),
        Some(Code::Ok)
    );
    assert_eq!(watch.await.unwrap().code(), Some(Code::Ok));
    assert!(began.elapsed() >= Duration::from_millis(900), "{:?}", began.elapsed());
    assert_eq!(long.await.unwrap().code(), Some(Code::Ok));
    timeout(Duration::from_secs(5), stopping).await.unwrap().unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens any more");
}

/// O17: who is connected and says nothing does not hold it up.
#[tokio::test]
async fn r_o17_silent_connections_do_not_hold_up_a_drain() {
    let world = plain(Limits::default()).await;
    let _silent: Vec<_> = futures::future::join_all((0..10).map(|_| TcpStream::connect(world.address))).await;
    let began = Instant::now();
    world.stop(Duration::ZERO).await;
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}
