//! `hearth bill-run` as a person calls it.

use std::process::Output;

use contracts::hearth::{
    billing::v1::{OpenBookRequest, PutIntoBookRequest, reading_book::Cycle, route_service_client::RouteServiceClient},
    options::v1::Role,
    r#type::v1::Date,
};
use rpc::{Principal, token::Issuer};
use testbed::{key, suite::Suite};
use tonic::Request;

use crate::{
    check::change,
    tool::{assert_told, filed, hearth},
};

const REGISTER: &str = "\
account_no,name,kind,id_number,phone,address,community_code,branch,use_class,household_persons,low_income,area_m2,supply_from
T0000001,王建国,个人,120103180808207147,19000000001,天津市河西区尖山街道红山里社区24号楼1单元2701室,120103009013,河西区,living,4,否,70.27,2024/12/31
T0000002,李婷彬,个人,120103185206055775,19000000002,天津市河西区天塔街道五一阳光社区27号楼3单元1204室,120103008025,河西区,no such class,2,否,101.78,2024/12/31
";

const METERS: &str = "\
meter_no,account_no,meter_kind,meter_model,qmax_m3h,digits,initial_index,installed_on
M1,T0000001,remote,G2.5,4,5,0,2024-12-31
M2,T0000002,物联网,G4,6,5,0,2024-12-31
";

fn bill_run(suite: &Suite, words: &[&str]) -> Output {
    let command = ["bill-run", "--address", suite.address("billing")];
    hearth(&suite.data(), &[&command[..], words].concat())
}

/// A reading book with the first meter in it.
async fn book(suite: &Suite) {
    let keys = suite.data().join("keys");
    let principal = Principal {
        subject: "wang".to_owned(),
        roles: vec![Role::DistrictManager as i32],
        ..Principal::default()
    };
    let token = Issuer::from_folder(&keys).unwrap().sign(&principal).unwrap();
    let channel = rpc::user_channel(suite.address("billing"), &keys.join("ca.pem")).unwrap();
    let mut client = RouteServiceClient::with_interceptor(channel, move |mut request: Request<()>| {
        request.metadata_mut().insert("authorization", format!("Bearer {token}").parse().unwrap());
        Ok(request)
    });
    let open = OpenBookRequest {
        request_id: key(),
        code: "R-1".to_owned(),
        name: "红山里一线".to_owned(),
        branch: "河西区".to_owned(),
        cycle: Cycle::Month.into(),
        read_day: 31,
        from_date: Some(Date { year: 2025, month: 1, day: 1 }),
        reader: "li".to_owned(),
    };
    let book_id = client.open_book(open).await.unwrap().into_inner().book.unwrap().book_id;
    let put = PutIntoBookRequest {
        request_id: key(),
        book_id,
        meter_nos: vec!["M1".to_owned()],
    };
    client.put_into_book(put).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_month_is_billed_from_the_command_line_and_a_gap_is_a_failure() {
    let suite = filed(REGISTER, METERS);
    let readings = suite.file("readings.csv", b"meter_no,read_at,index\nM1,2025-01-31,46\nM2,2025-01-31,50\n");
    assert_told(&suite.import("readings", &readings, &[]), 0, &["accepted 2"]);
    book(&suite).await;

    assert_told(&bill_run(&suite, &["2025-01", "--book", "R-9"]), 1, &["billing knows no reading book R-9"]);
    assert_told(&bill_run(&suite, &["2199-01"]), 1, &["the run is refused", "PERIOD_NOT_OVER"]);
    assert_told(&bill_run(&suite, &["2025-1"]), 2, &["YYYY-MM"]);
    assert_told(&bill_run(&suite, &[]), 2, &["<MONTH>"]);
    // 46 × 2.86.
    let of_book = bill_run(&suite, &["2025-01", "--branch", "河西区", "--book", "R-1"]);
    assert_told(&of_book, 0, &["of 2025-01, 河西区", "expected 1", "produced 1", "gap 0", "yuan billed 131.56"]);
    // The other class has no price.
    let rest = bill_run(&suite, &["2025-01"]);
    assert_told(
        &rest,
        0,
        &[
            "all branches",
            "expected 2",
            "produced 0",
            "billed before 1",
            "parked 1",
            "parked: TARIFF_MISSING 1",
        ],
    );

    // A litre that the line of a bill does not have is found by the check.
    let checked = |code, words: &[&str]| assert_told(&hearth(&suite.data(), &["check"]), code, words);
    checked(0, &["ok ledger 1 transactions, 2 entries, sum 0", "no fault"]);
    let shorter = ["DROP TRIGGER bill_line_no_update", "UPDATE bill_line SET volume = volume - 1"];
    change(&suite.data(), "billing", &shorter).await;
    checked(1, &["FAULT ledger sum 0 fen; 1 bills whose lines do not count their volume", "1 with a fault"]);
    change(&suite.data(), "billing", &["UPDATE bill_line SET volume = volume + 1"]).await;

    // A run whose only part says that it is done and has met nobody.
    let (run, job) = (key(), key());
    let blob = |id: &str| format!("X'{}'", id.replace('-', ""));
    change(
        &suite.data(),
        "billing",
        &[
            &format!(
                "INSERT INTO bill_run (id, job_id, year, month, branch, due_days, state, expected, filed, produced, already, held, missing, parked, skipped, not_due, amount, created_at)
                 VALUES ({}, {}, 2025, 1, '', 0, 'RUNNING', 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                blob(&run),
                blob(&job)
            ),
            &format!(
                "INSERT INTO bill_run_part (run_id, ordinal, branch, done, produced, already, held, missing, parked, skipped, not_due, bills_held, amount)
                 VALUES ({}, 1, '河西区', true, 0, 0, 0, 0, 0, 0, 0, 0, 0)",
                blob(&run)
            ),
            &format!(
                "INSERT INTO job (id, kind, state, request, done, total, note, requested_by, created_at, updated_at, failures)
                 VALUES ({}, 'bill-run', 'QUEUED', {}, 0, 0, '', 'zhao', 0, 0, 0)",
                blob(&job),
                blob(&run)
            ),
        ],
    )
    .await;
    let lost = bill_run(&suite, &["--follow", &run]);
    assert_told(&lost, 1, &["expected 2", "gap 2", "the run is incomplete: 2 agreements have no outcome"]);
    let given_up = [
        format!("UPDATE bill_run SET state = 'RUNNING' WHERE id = {}", blob(&run)),
        format!("UPDATE job SET state = 'CANCELLED' WHERE id = {}", blob(&job)),
    ];
    change(&suite.data(), "billing", &given_up.each_ref().map(String::as_str)).await;
    let cancelled = bill_run(&suite, &["--follow", &run]);
    assert_told(&cancelled, 1, &["expected 2", "the run was cancelled; what is billed stays"]);
}
