//! Profile `ci` of the crash lab. `HEARTH_LAB_SEED=… cargo test -p lab` replays a seed; `cargo run -p lab --release -- full` is the whole programme.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use database::Engine::{Postgres, Sqlite};
use lab::scenario::{frozen, kills, links, orders, points, retries, runs};

/// The services are the lab's own program under their names.
fn ready() {
    lab::program(Some(env!("CARGO_BIN_EXE_lab")));
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d1_d8_e1_m1_m2_services_killed_under_load_lose_and_double_nothing_and_serve_again_soon() {
    ready();
    kills::run(Sqlite, 1, 10).await;
    kills::run(Postgres, 1, 5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_d1b_e1_each_service_ends_at_every_failpoint_and_nothing_is_lost_or_doubled() {
    ready();
    points::run(Sqlite).await;
    points::run(Postgres).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_e1_e2_what_services_tell_each_other_has_one_effect_over_connections_of_any_kind() {
    ready();
    links::run(Sqlite, 8).await;
    links::run(Postgres, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_i1_a_write_whose_answer_is_lost_happens_once_and_answers_the_same_bytes() {
    ready();
    retries::lost_answers(Sqlite, 20).await;
    retries::lost_answers(Postgres, 20).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_i3_of_64_twins_one_has_the_effect_and_all_are_told_the_same() {
    ready();
    retries::twins(Sqlite, 8).await;
    retries::twins(Postgres, 8).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_i9_a_killed_bill_run_ends_as_one_that_is_left_alone() {
    ready();
    runs::run(Sqlite, 700, 2).await;
    runs::run(Postgres, 350, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_o13_a_frozen_service_comes_back_without_a_crash_or_a_double() {
    ready();
    frozen::run(Sqlite, &[2]).await;
    frozen::run(Postgres, &[2]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn r_o19_d12_a_service_serves_alone_and_all_start_in_any_order() {
    ready();
    orders::run(Sqlite, 3).await;
    orders::run(Postgres, 3).await;
}
