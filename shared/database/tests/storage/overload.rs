//! A database that stands still under load.

use std::{
    env,
    time::{Duration, Instant},
};

use testbed::means::{runs, say};

use crate::{
    callers::{Callers, DONE, REFUSED, ended, goodput, serve, slow_down},
    notes::DESK,
    process::alone,
    server::{Server, free_port, kill, url},
};

const TEST: &str = "overload::r_o3_goodput_comes_back_after_the_database_stood_still";

/// In `full`, since it takes a minute.
#[tokio::test(flavor = "multi_thread")]
async fn r_o3_goodput_comes_back_after_the_database_stood_still() {
    if !runs(false, true) {
        return;
    }
    let port = free_port().to_string();
    let own = url(port.parse().unwrap());
    if crate::server::binaries().is_none() || !alone(TEST, &[(testbed::postgres::URL, &own), ("HEARTH_TEST_PORT", &port)], &[]) {
        return;
    }
    let server = Server::start(env::var("HEARTH_TEST_PORT").unwrap().parse().unwrap()).unwrap();
    let url = testbed::postgres::migrated(DESK).await.unwrap();
    slow_down(&url, Duration::from_millis(500)).await;
    let folder = tempfile::tempdir().unwrap();
    boot::keys::make(&folder.path().join("keys"), &[]).unwrap();
    let (running, address) = serve(&url, folder.path()).await;
    let callers = Callers::new(&address, folder.path(), Duration::from_secs(3));

    // What can be done, by as many as the database has connections for.
    let seconds = Duration::from_secs;
    let peak = callers.peak(seconds(5)).await;
    let rate = (peak * 0.7) as u32;

    let began = Instant::now();
    let quiet = callers.offer(rate, seconds(8)).await;
    let base = goodput(&quiet, began + seconds(2), began + seconds(8));
    let (_, unloaded) = ended(&quiet, DONE);

    let still = async {
        tokio::time::sleep(seconds(3)).await;
        let frozen = server.processes();
        frozen.iter().for_each(|process| kill("STOP", *process));
        tokio::time::sleep(seconds(10)).await;
        frozen.iter().for_each(|process| kill("CONT", *process));
        Instant::now()
    };
    let (outage, over) = tokio::join!(callers.offer(rate, seconds(25)), still);
    let again = goodput(&outage, over + seconds(5), over + seconds(10));

    let ((done, _), (refused, quickly)) = (ended(&outage, DONE), ended(&outage, REFUSED));
    say(&format!(
        "figure: O3 Postgres: peak {peak:.0} writes/s, at 0.7 x {base:.0}/s, p99 {unloaded} ms; still for 10 s: {done} done, {refused} refused (p99 {quickly} ms), {} neither; from 5 s after it {again:.0}/s",
        outage.len() - done - refused
    ));
    assert!(again >= 0.95 * base, "{again} of {base} writes a second after the database stood still");
    running.stop().await.unwrap();
}
