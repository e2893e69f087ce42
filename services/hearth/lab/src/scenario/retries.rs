//! I1: a write whose answer is lost is asked for again and again, across kills. I3: a write is sent by many at once.

use std::collections::BTreeMap;

use bytes::Bytes;
use database::Engine;
use futures::future::join_all;

use super::Scene;
use crate::{
    client::{Client, is_open},
    history::{Op, told},
    load::{Load, Writer},
    proxy::{Mode, Proxy, fault},
    seed::Seed,
    site::Site,
    sql::Sql,
};

/// Every so many retries the service is killed.
const KILL_EVERY: usize = 8;
const TWINS: usize = 64;
const CONNECTIONS: usize = 8;

/// Each kind of write, its first answer lost, then retried so many times.
pub async fn lost_answers(engine: Engine, retries: usize) -> Option<String> {
    let mut scene = Scene::set("lost answers", engine, Load::HOMES).await?;
    let mut writer = Writer::new(0, &scene.site, &scene.city, &scene.seed);
    let (mut kinds, mut effects) = (0, 0);
    while let Some(op) = next(&mut writer, kinds).await {
        effects += i64::from(retried(&scene.site, &mut scene.seed, &mut writer, op, retries).await);
        kinds += 1;
    }
    let figures = format!("{kinds} kinds of writes, {retries} retries each, {effects} had their effect before the first retry");
    Some(scene.end(&figures).await)
}

/// The kinds of writes, one after the other.
async fn next(writer: &mut Writer, n: usize) -> Option<Op> {
    match n {
        0 => Some(writer.payment()),
        1 => Some(writer.reading()),
        2 => writer.edit().await,
        3 => Some(writer.newcomer()),
        // Filed, offered to the vendor, declined by it.
        4..7 => Some(writer.errand_at_once().await),
        _ => None,
    }
}

/// Whether the effect stood before the first retry.
async fn retried(site: &Site, seed: &mut Seed, writer: &mut Writer, op: Op, retries: usize) -> bool {
    let proxy = Proxy::to(&site.address(op.service)).await;
    let client = site.client.another();
    let send = async || client.send(&proxy.address(), &op.who, op.method, op.message.clone()).await;
    // The connection stands, so that it is the answer that is lost and not the call.
    client
        .send(&proxy.address(), &op.who, "grpc.health.v1.Health/Check", Bytes::new())
        .await
        .unwrap();
    proxy.set(Mode::LoseReplies);
    let lost = send().await.expect_err("the answer is lost");
    assert!(is_open(&lost), "{}: {lost}", op.method);
    let stands = Sql::of(site, op.service).await;
    let stands = stands.number(&format!("SELECT count(*) FROM replay WHERE request_id = '{}'", op.id)).await;
    let mut answer: Option<Bytes> = None;
    for n in 0..retries {
        if n % KILL_EVERY == KILL_EVERY - 1 {
            site.kill_and_restart(op.service).await;
        }
        let mode = match seed.within(0, 2) {
            0 => Mode::Pass,
            _ => fault(seed),
        };
        // Nobody waits for an answer that cannot come.
        proxy.set(if mode == Mode::Hold { Mode::Duplicate } else { mode });
        match send().await {
            Ok(again) => {
                let first = answer.get_or_insert_with(|| again.clone());
                assert_eq!(*first, again, "{} {}: another answer", op.method, op.id);
            }
            Err(status) => assert!(is_open(&status), "{} {}: {}", op.method, op.id, told(&status)),
        }
    }
    proxy.set(Mode::Pass);
    let answer = match answer {
        Some(answer) => answer,
        // Its connection may have been cut a moment ago.
        None => testbed::eventually("an answer", async || send().await.ok()).await,
    };
    writer.learn(op.method, &answer);
    site.history.push(op, Ok(answer));
    stands == 1
}

/// Rounds of copies that are sent at the same moment over several connections.
pub async fn twins(engine: Engine, rounds: usize) -> Option<String> {
    let scene = Scene::set("twins", engine, Load::HOMES).await?;
    let clients: Vec<Client> = (0..CONNECTIONS).map(|_| scene.site.client.another()).collect();
    let mut writer = Writer::new(0, &scene.site, &scene.city, &scene.seed);
    // Reasons with which a twin was told to try again.
    let mut waited: BTreeMap<String, usize> = BTreeMap::new();
    for round in 0..rounds {
        let op = match round % 4 {
            0 => writer.payment(),
            1 => writer.reading(),
            2 => writer.newcomer(),
            _ => writer.errand_at_once().await,
        };
        let address = scene.site.address(op.service);
        let calls = (0..TWINS).map(|n| clients[n % CONNECTIONS].send(&address, &op.who, op.method, op.message.clone()));
        let mut answer = None;
        for outcome in join_all(calls).await {
            match outcome {
                Ok(found) => {
                    let first = answer.get_or_insert_with(|| found.clone());
                    assert_eq!(*first, found, "{} {}: twins were told different things", op.method, op.id);
                }
                Err(status) => {
                    assert!(is_open(&status), "{} {}: {}", op.method, op.id, told(&status));
                    *waited.entry(testbed::reason(&status)).or_default() += 1;
                }
            }
        }
        let answer = answer.unwrap_or_else(|| panic!("{} {}: none of {TWINS} twins was answered", op.method, op.id));
        writer.learn(op.method, &answer);
        scene.site.history.push(op, Ok(answer));
    }
    let figures = format!("{rounds} rounds of {TWINS} twins, one effect each, told to try again: {waited:?}");
    Some(scene.end(&figures).await)
}
