//! Free texts in the database of the hall: sealed when they are written, sealed later where they were not, empty once they are erased.

use contracts::hearth::{
    hall::v1::{
        callback_service_client::CallbackServiceClient, case_service_client::CaseServiceClient, complaint_service_client::ComplaintServiceClient,
        conduct_service_client::ConductServiceClient, interaction_service_client::InteractionServiceClient, order_service_client::OrderServiceClient, *,
    },
    options::v1::Role,
};
use sea_orm::{ConnectionTrait, Statement};
use testbed::{Bed, at, each, eventually, key};

use crate::{
    BRANCH, FILE,
    callback::{answered, complete, sentiment},
    complaint::{self, investigate, propose},
    date,
    hands::{certified, dispatcher, member},
    interaction::{close, recorded},
};

/// What stands in each column of texts; none of it may be found there.
const WORDS: &[(&str, &str)] = &[
    ("service_case.caller_name", "张三丰"),
    ("service_case.address", "友谊路"),
    ("service_case.detail", "阀门漏气"),
    ("interaction.detail", "家里只有15度"),
    ("interaction.reply_text", "已调整阀门"),
    ("complaint.detail", "抄表员态度恶劣"),
    ("complaint.summary", "情况属实"),
    ("work_order.task", "张三丰家换软管"),
    ("work_order.report", "已更换"),
    ("conduct_fact.detail", "与张三丰争吵"),
    ("conduct_fact.answer", "当时在抢修"),
    ("callback_record.verbatim", "还可以"),
    ("callback_record.rework_task", "给张三丰重修"),
];

/// The texts of a column.
async fn column(bed: &Bed, name: &str) -> Vec<String> {
    let (table, column) = name.split_once('.').unwrap();
    let (db, sql) = (
        bed.db(),
        format!("SELECT {column} AS held FROM {table} WHERE {column} IS NOT NULL AND {column} <> ''"),
    );
    let statement = Statement::from_string(db.writer().get_database_backend(), sql);
    let rows = db.writer().query_all_raw(statement).await.unwrap();
    rows.iter().map(|row| row.try_get("", "held").unwrap()).collect()
}

/// Ids of what was written.
struct Written {
    case: String,
    interaction: String,
    complaint: String,
    order: String,
    staff: String,
    task: String,
}

async fn write(bed: &Bed) -> Written {
    bed.clock().set(at("2025-03-03T09:00:00+08:00")).unwrap();
    let request = OpenCaseRequest {
        request_id: key(),
        channel: Channel::Hotline.into(),
        category: Category::GasRepair.into(),
        branch: BRANCH.to_owned(),
        caller_name: "张三丰".to_owned(),
        caller_phone: "13812345678".to_owned(),
        address: "友谊路12号".to_owned(),
        detail: "阀门漏气".to_owned(),
        ..OpenCaseRequest::default()
    };
    let mut cases = CaseServiceClient::new(bed.staff(&[Role::Agent]));
    let case = cases.open_case(request).await.unwrap().into_inner().case.unwrap();
    let interaction = close(bed, &recorded(bed).await).await;
    let complaint = complaint::open(bed, complaint::new(Utility::Gas)).await;
    let complaint = complaint::classify(bed, &complaint, ComplaintCategory::Attitude).await;
    let complaint = investigate(bed, &complaint::assign(bed, &complaint).await).await;
    let complaint = propose(bed, complaint::proposal(&complaint, Finding::Upheld, "")).await;
    let crew = certified(bed, "han", CertificateKind::Repair, "2026-12-31").await;
    let request = CreateOrderRequest {
        request_id: key(),
        r#type: OrderType::Repair.into(),
        branch: BRANCH.to_owned(),
        task: "张三丰家换软管".to_owned(),
        ..CreateOrderRequest::default()
    };
    let order = dispatcher(bed).create_order(request).await.unwrap().into_inner().order.unwrap();
    complete(bed, &order, &crew, false).await;
    let request = RecordConductFactRequest {
        request_id: key(),
        staff_id: crew.staff_id.clone(),
        kind: conduct_fact::Kind::Quarrel.into(),
        happened_date: Some(date("2025-03-03")),
        detail: "与张三丰争吵".to_owned(),
        evidence_file_id: FILE.to_owned(),
        case_id: String::new(),
    };
    let mut manager = ConductServiceClient::new(bed.staff(&[Role::ServiceManager]));
    let fact = manager.record_conduct_fact(request).await.unwrap().into_inner().conduct_fact.unwrap();
    let request = AnswerConductFactRequest {
        request_id: key(),
        conduct_fact_id: fact.conduct_fact_id,
        etag: fact.etag,
        answer: "当时在抢修".to_owned(),
    };
    let mut own = ConductServiceClient::new(bed.staff_named("han", &[Role::Repairer]));
    own.answer_conduct_fact(request).await.unwrap();
    member(bed, "caller", BRANCH).await;
    let task = answered(bed, &sentiment(bed, &key()).await, "给张三丰重修").await;
    Written {
        case: case.case_id,
        interaction: interaction.interaction_id,
        complaint: complaint.complaint_id,
        order: order.order_id,
        staff: crew.staff_id,
        task: task.callback_task_id,
    }
}

/// What an answer tells of free texts, masked ones too: empty where there is none.
async fn told(bed: &Bed, of: &Written) -> Vec<String> {
    let mut cases = CaseServiceClient::new(bed.staff(&[Role::Agent]));
    let case = RevealCaseRequest {
        request_id: key(),
        case_id: of.case.clone(),
        purpose: "回复用户".to_owned(),
    };
    let case = cases.reveal_case(case).await.unwrap().into_inner().case.unwrap();
    let listed = cases.list_cases(ListCasesRequest::default()).await.unwrap().into_inner().cases;
    assert_eq!(listed.len(), 1);
    let mut interactions = InteractionServiceClient::new(bed.staff(&[Role::Agent]));
    let entry = RevealInteractionRequest {
        request_id: key(),
        interaction_id: of.interaction.clone(),
        purpose: "回复用户".to_owned(),
    };
    let entry = interactions.reveal_interaction(entry).await.unwrap().into_inner().interaction.unwrap();
    interactions.list_interactions(ListInteractionsRequest::default()).await.unwrap();
    let mut complaints = ComplaintServiceClient::new(bed.staff(&[Role::ServiceManager]));
    let complaint = RevealComplaintRequest {
        request_id: key(),
        complaint_id: of.complaint.clone(),
        purpose: "回复用户".to_owned(),
    };
    let complaint = complaints.reveal_complaint(complaint).await.unwrap().into_inner().complaint.unwrap();
    complaints.list_complaints(ListComplaintsRequest::default()).await.unwrap();
    let mut orders = OrderServiceClient::new(bed.staff(&[Role::Dispatcher]));
    let order = GetOrderRequest { order_id: of.order.clone() };
    let order = orders.get_order(order).await.unwrap().into_inner().order.unwrap();
    orders.list_orders(ListOrdersRequest::default()).await.unwrap();
    let mut conduct = ConductServiceClient::new(bed.staff(&[Role::ServiceManager]));
    let facts = ListConductFactsRequest {
        staff_id: of.staff.clone(),
        ..ListConductFactsRequest::default()
    };
    let fact = conduct.list_conduct_facts(facts).await.unwrap().into_inner().conduct_facts.remove(0);
    let mut callbacks = CallbackServiceClient::new(bed.staff(&[Role::CallbackDirector]));
    let task = GetCallbackTaskRequest {
        callback_task_id: of.task.clone(),
    };
    let record = callbacks.get_callback_task(task).await.unwrap().into_inner().task.unwrap().records.remove(0);
    vec![
        case.caller_name,
        case.caller_phone,
        case.address,
        case.detail,
        entry.caller_name,
        entry.caller_phone,
        entry.detail,
        entry.reply.unwrap().text,
        complaint.reporter_name,
        complaint.reporter_phone,
        complaint.reporter_address,
        complaint.detail,
        complaint.proposal.unwrap().summary,
        order.task,
        order.report.unwrap().summary,
        fact.detail,
        fact.answer,
        record.verbatim,
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_p1_no_free_text_stands_clear_and_an_erased_one_is_empty() {
    each(hall::SERVICE, async |bed| {
        let written = write(bed).await;
        for (name, word) in WORDS {
            let held = column(bed, name).await;
            assert!(!held.is_empty() && held.iter().all(|text| !text.contains(word)), "{name}: {held:?}");
        }
        let texts = told(bed, &written).await;
        assert!(texts.iter().all(|text| !text.is_empty()), "{texts:?}");
        // Every key is gone, as after an erasure: nothing fails, and nothing is told.
        bed.db().writer().execute_unprepared("UPDATE subject_key SET key_id = ''").await.unwrap();
        let texts = told(bed, &written).await;
        // What is masked is masked whether there is anything or not.
        assert!(texts.iter().all(|text| text.is_empty() || text == "***"), "{texts:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r_p1_texts_of_older_releases_are_readable_and_sealed_at_the_next_start() {
    each(hall::SERVICE, async |bed| {
        let written = write(bed).await;
        let before = told(bed, &written).await;
        // As older releases left them: clear.
        let clear = [
            ("work_order", "task", "张三丰家换软管"),
            ("conduct_fact", "detail", "与张三丰争吵"),
            ("callback_record", "verbatim", "还可以"),
        ];
        for (table, column, text) in clear {
            let sql = format!("UPDATE {table} SET {column} = '{text}'");
            bed.db().writer().execute_unprepared(&sql).await.unwrap();
        }
        let report = r#"{"summary":"已更换","photos":[],"signature":"","index":null,"new_meter_no":"","new_meter_index":null}"#;
        let sql = format!("UPDATE work_order SET report = '{report}' WHERE report IS NOT NULL");
        bed.db().writer().execute_unprepared(&sql).await.unwrap();
        assert_eq!(told(bed, &written).await, before);
        bed.crash().await;
        bed.start().await;
        for (table, name, word) in clear.into_iter().chain([("work_order", "report", "已更换")]) {
            eventually("the sealing", async || {
                let held = column(bed, &format!("{table}.{name}")).await;
                held.iter().all(|text| !text.contains(word)).then_some(())
            })
            .await;
        }
        assert_eq!(told(bed, &written).await, before);
    })
    .await;
}
