//! The same tests on the library's own server: each falls into its trap.

use std::process::{Command, Stdio};

use contracts::hearth::job::v1::{GetJobRequest, job_service_client::JobServiceClient};
use tonic::{Code, transport::Channel};
use tonic_types::StatusExt;

use crate::world::{BARE, Does, exposed, job};

/// A test, and what it says of the library alone.
const TRAPS: [(&str, &str); 9] = [
    ("flood::r_t1_w5_a_connection_has_a_hundred_streams", "left: None"),
    ("flood::r_t2_w2_floods_of_malformed_streams_end_the_connection", "left: None"),
    ("age::r_t3_a_deadline_is_kept_whatever_the_call_waits_for", "left: (Some(Cancelled)"),
    ("age::r_t4_an_old_connection_is_told_to_go_and_its_call_is_answered", "a GOAWAY"),
    ("crowd::r_t5_o14_no_descriptors_is_no_work", "processor seconds in a second"),
    ("slow::r_t6_o10_who_says_too_little_is_dropped", "18446744073709551615"),
    ("rows::r_t7_bad_inputs_1_to_30_of_the_protocol_get_their_codes", "OutOfRange"),
    ("rows::r_t8_a_panic_ends_one_call_with_a_status", "broken: Some"),
    ("heavy::r_t17_a_claim_reserves_nothing", "reserved for claims"),
];

/// T1 to T8 and T17. T9 and T14 are traps of a client: their tests fall into them beside what stands against them.
#[test]
fn the_bare_stack_falls_into_every_trap() {
    if std::env::var_os(BARE).is_some() {
        return;
    }
    let fall = |(test, says): (&str, &str)| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args([test, "--exact"])
            .env(BARE, "1")
            .env("HEARTH_PROFILE", "full")
            .stdin(Stdio::null());
        let output = command.output().unwrap();
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(
            told.contains("1 failed") && told.contains(says),
            "the trap is gone: then {test} is, too\n{told}"
        );
    };
    std::thread::scope(|scope| TRAPS.map(|trap| scope.spawn(move || fall(trap))).map(|fell| fell.join().unwrap()));
}

/// Fails closed: a request that came through no gate is refused before its handler is asked.
#[tokio::test]
async fn r_s1_handlers_without_a_gate_serve_nobody() {
    let channel = Channel::from_shared(format!("http://{}", exposed())).unwrap().connect_lazy();
    let request = GetJobRequest { job_id: job(Does::After(0)) };
    let status = JobServiceClient::new(channel).get_job(request).await.unwrap_err();
    let reason = status.get_details_error_info().map(|info| info.reason);
    assert_eq!((status.code(), reason.as_deref()), (Code::PermissionDenied, Some("METHOD_NOT_ALLOWED")));
}
