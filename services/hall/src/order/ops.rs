use calendar::{Instant, NaiveDate};
use chrono::Datelike;
use contracts::hearth::hall::v1::*;
use database::{Begun, Scope, Write, numbers};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;
use vault::Vault;

use super::{
    model::{ABNORMAL_USE, Action, State, Type, allowed, certificate, step, subject},
    store::{self, Order, TASK},
};
use crate::{
    Desk, callback,
    callback::{
        model::{Cause, Contact, vendor_mark},
        plan::Happening,
        store::Draw,
    },
    case,
    codes::Code,
    complaint::model::Utility,
    deadline::{self, model::Clock, store::Place},
    fields,
    refusal::Refusal,
    rows::Packed,
    staff::{self, certified, certified::Word},
    step as steps, story,
};

/// The first entry in the history of an order.
const CREATE: &str = "CREATE";

pub async fn create(desk: Desk, call: Call, request: CreateOrderRequest) -> Result<CreateOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let kind: Type = fields::pick("type", request.r#type)?;
    if kind == Type::Opening {
        return Err(Fault::from(Refusal::OrderTypeRefused).field("type"));
    }
    let today = write.now().date();
    let planned_on = wire::date_if(request.planned_date.as_ref(), "planned_date")?.unwrap_or(today);
    planned(planned_on, today)?;
    let (mut account_id, mut received) = (fields::id_if("account_id", &request.account_id)?, write.now());
    let case_id = fields::id_if("case_id", &request.case_id)?;
    let mut utility: Option<Utility> = fields::pick_if(request.utility);
    let mut remote = request.remote;
    if let Some(id) = case_id {
        let case = case::store::lock(&write, &Scope::of(&call), id).await?;
        if case.branch != request.branch {
            return Err(Fault::not_found("case", id));
        }
        if case.state == case::model::State::Closed {
            return Err(Fault::from(Refusal::CaseState).meta("state", case.state.code()));
        }
        (account_id, received) = (account_id.or(case.account_id), Instant::from_micros(case.received_at));
        utility = utility.or(case::model::utility(case.category));
        remote |= case.remote;
    }
    let order = file(
        &mut write,
        &desk.vault,
        New {
            kind,
            utility: utility.unwrap_or(Utility::Gas),
            branch: request.branch,
            case_id,
            account_id,
            agreement_id: None,
            opening_id: None,
            planned_on,
            task: request.task,
            remote,
            received,
        },
    )
    .await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(CreateOrderResponse { order }).await
}

/// A new order.
pub struct New {
    pub kind: Type,
    pub utility: Utility,
    pub branch: String,
    pub case_id: Option<Uuid>,
    pub account_id: Option<Uuid>,
    /// The agreement whose site is visited because of its use.
    pub agreement_id: Option<Uuid>,
    pub opening_id: Option<Uuid>,
    pub planned_on: NaiveDate,
    pub task: String,
    /// Whether the place lies outside the city (偏远地区).
    pub remote: bool,
    /// When the customer asked: clocks of arrival and resolution start here.
    pub received: Instant,
}

/// Files an order in the pool and starts its clocks.
pub async fn file(write: &mut Write, vault: &Vault, new: New) -> Result<Order, Fault> {
    let now = write.now();
    let id = Uuid::now_v7();
    let [task] = vault.seal_texts(&**write, id, [(TASK, new.task.as_str())]).await.map_err(Fault::internal)?;
    let year = now.date().year();
    let number = numbers::next(write, "WO", &new.branch, year, 1).await?;
    let order = Order {
        id,
        order_no: format!("WO-{}-{year}-{number:06}", new.branch),
        kind: new.kind,
        case_id: new.case_id,
        account_id: new.account_id,
        opening_id: new.opening_id,
        branch: new.branch,
        planned_on: new.planned_on,
        state: State::Pool,
        crew: Packed(vec![]),
        vendor_id: None,
        vendor_person_id: None,
        respond_by: None,
        round: 1,
        no_access: 0,
        task,
        report: None,
        reported_by: String::new(),
        returned_reason: String::new(),
        created_at: now.micros(),
        utility: new.utility,
        agreement_id: new.agreement_id,
        version: 1,
    };
    order.clone().insert(write).await?;
    let received = new.received;
    let place = Place {
        branch: &order.branch,
        remote: new.remote,
    };
    let promised = order.agreement_id.map_or(subject(order.kind, order.utility), |_| ABNORMAL_USE);
    let from = |clock| if clock == Clock::Acceptance { now } else { received };
    deadline::store::start(write, order.id, place, promised, from).await?;
    story::note(write, order.id, CREATE, "", order.state.code(), "").await?;
    write.subject(order.id);
    Ok(order)
}

pub async fn dispatch(desk: Desk, call: Call, request: DispatchOrderRequest) -> Result<DispatchOrderResponse, Fault> {
    let crew = fields::ids("staff_ids", &request.staff_ids)?;
    let planned_on = wire::date_of(request.planned_date.as_ref(), "planned_date")?;
    let id = fields::id("order_id", &request.order_id)?;
    // Asked before the transaction; a replay does not need the answer.
    let word = ask(&desk, &call, id, &crew, planned_on).await;
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, id, &request.etag).await?;
    moved_here(&order)?;
    dispatch_crew(&mut write, &mut order, &Scope::of(&call), &crew, &word?, planned_on).await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(DispatchOrderResponse { order }).await
}

/// Asks the vendor service about the members of a crew whom vendors employ, for the certificate that an order needs.
async fn ask(desk: &Desk, call: &Call, order: Uuid, crew: &[Uuid], day: NaiveDate) -> Result<Word, Fault> {
    let Ok(order) = store::get(desk.db.reader(), &Scope::of(call), order).await else {
        return Ok(Word::new());
    };
    match certificate(order.kind) {
        Some(kind) => certified::ask(desk, call, crew, kind, day).await,
        None => Ok(Word::new()),
    }
}

/// Gives an order to a crew whose certificates count on the planned day.
pub async fn dispatch_crew(write: &mut Write, order: &mut Order, scope: &Scope, crew: &[Uuid], word: &Word, planned_on: NaiveDate) -> Result<(), Fault> {
    planned(planned_on, write.now().date())?;
    if crew.iter().zip(1..).any(|(id, next)| crew.iter().skip(next).any(|other| other == id)) {
        return Err(Fault::from(Refusal::StaffTwice).field("staff_ids"));
    }
    let members = staff::store::crew(write, scope, crew).await?;
    if let Some(gone) = members.iter().find(|member| member.state == staff::model::State::Left) {
        return Err(Fault::from(Refusal::StaffLeft).meta("staff_id", gone.id));
    }
    check_step(order, Action::Dispatch)?;
    if let Some(kind) = certificate(order.kind)
        && let Some((member, why)) = certified::first_without(write, &members, word, kind, planned_on).await?
    {
        return Err(certified::refusal(member, why, kind));
    }
    order.crew = Packed(crew.to_vec());
    order.planned_on = planned_on;
    take(write, order, Action::Dispatch, "").await
}

pub async fn offer(desk: Desk, call: Call, request: OfferOrderRequest) -> Result<OfferOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, fields::id("order_id", &request.order_id)?, &request.etag).await?;
    let vendor = fields::id("vendor_id", &request.vendor_id)?;
    let planned_on = wire::date_of(request.planned_date.as_ref(), "planned_date")?;
    planned(planned_on, write.now().date())?;
    let respond_by = wire::time_of(request.respond_by_time.as_ref(), "respond_by_time")?;
    if respond_by <= write.now() {
        return Err(Fault::from(Refusal::RespondByInPast).field("respond_by_time"));
    }
    order.vendor_id = Some(vendor);
    order.respond_by = Some(respond_by.micros());
    order.planned_on = planned_on;
    take(&mut write, &mut order, Action::Offer, &vendor.to_string()).await?;
    let event = WorkOrderOffered {
        order_id: order.id.to_string(),
        order_no: order.order_no.clone(),
        kind: order.kind.code().to_owned(),
        vendor_id: vendor.to_string(),
        branch: order.branch.clone(),
        certificate_kind: fields::number(certificate(order.kind)),
        planned_date: Some(wire::date(planned_on)),
        respond_by: Some(wire::time(respond_by)),
    };
    write.event(order.id, &event);
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(OfferOrderResponse { order }).await
}

pub async fn withdraw(desk: Desk, call: Call, request: WithdrawOrderRequest) -> Result<WithdrawOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, fields::id("order_id", &request.order_id)?, &request.etag).await?;
    moved_here(&order)?;
    let why = Return {
        action: Action::Withdraw,
        code: "WITHDRAWN",
        note: &request.reason,
        staff: None,
    };
    return_to_pool(&mut write, &mut order, why).await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(WithdrawOrderResponse { order }).await
}

/// Why an order goes back to the pool.
pub struct Return<'a> {
    pub action: Action,
    /// Code for machines.
    pub code: &'static str,
    /// Text for people; may be empty.
    pub note: &'a str,
    /// The member who does not count; none for another reason.
    pub staff: Option<Uuid>,
}

/// Sends an order back to the pool and tells who has to know.
pub async fn return_to_pool(write: &mut Write, order: &mut Order, why: Return<'_>) -> Result<(), Fault> {
    let vendor = order.vendor_id.take();
    order.crew.0.clear();
    (order.vendor_person_id, order.respond_by) = (None, None);
    order.returned_reason = why.code.to_owned();
    let note = if why.note.is_empty() { why.code } else { why.note };
    take(write, order, why.action, note).await?;
    steps::store::drop_open(write, order.id).await?;
    match vendor {
        Some(vendor) => {
            write.event(
                order.id,
                &WorkOrderWithdrawn {
                    order_id: order.id.to_string(),
                    vendor_id: vendor.to_string(),
                    reason: why.code.to_owned(),
                },
            );
        }
        None => {
            let event = OrderReturned {
                order_id: order.id.to_string(),
                order_no: order.order_no.clone(),
                reason: why.code.to_owned(),
                staff_id: fields::text(why.staff),
            };
            write.event(order.id, &event);
        }
    }
    Ok(())
}

pub async fn complete(desk: Desk, call: Call, request: CompleteOrderRequest) -> Result<CompleteOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = judged(&write, &call, &request.order_id, &request.etag, Action::Complete).await?;
    take(&mut write, &mut order, Action::Complete, "").await?;
    done(&mut write, &order).await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(CompleteOrderResponse { order }).await
}

pub async fn refuse(desk: Desk, call: Call, request: RefuseOrderRequest) -> Result<RefuseOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = judged(&write, &call, &request.order_id, &request.etag, Action::Refuse).await?;
    order.round = order.round.saturating_add(1);
    take(&mut write, &mut order, Action::Refuse, &request.reason).await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(RefuseOrderResponse { order }).await
}

pub async fn cancel(desk: Desk, call: Call, request: CancelOrderRequest) -> Result<CancelOrderResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut order = load(&write, &call, fields::id("order_id", &request.order_id)?, &request.etag).await?;
    moved_here(&order)?;
    give_up(&mut write, &mut order, &request.reason).await?;
    let order = order.proto(&write, &desk.vault).await?;
    write.commit(CancelOrderResponse { order }).await
}

/// Cancels an order; its clocks end as they are.
pub async fn give_up(write: &mut Write, order: &mut Order, reason: &str) -> Result<(), Fault> {
    let vendor = order.vendor_id;
    take(write, order, Action::Cancel, reason).await?;
    steps::store::drop_open(write, order.id).await?;
    deadline::store::end(write, order.id).await?;
    // A customer whose rework is given up is called all the same, and says what is missing.
    let handlers = handlers(write, order).await?;
    callback::rework::done(write, order.id, handlers, vendor).await?;
    if let Some(vendor) = vendor {
        write.event(
            order.id,
            &WorkOrderWithdrawn {
                order_id: order.id.to_string(),
                vendor_id: vendor.to_string(),
                reason: "CANCELLED".to_owned(),
            },
        );
    }
    Ok(())
}

/// What follows when an order is completed: its clocks are met, the customer is called.
pub async fn done(write: &mut Write, order: &Order) -> Result<(), Fault> {
    deadline::store::meet(write, order.id, &[Clock::Acceptance, Clock::OnSite, Clock::Resolution]).await?;
    let handlers = handlers(write, order).await?;
    // Work that was done again is asked about by the second call of the one who was not satisfied (C-04).
    if callback::rework::done(write, order.id, handlers.clone(), order.vendor_id).await? {
        return Ok(());
    }
    let hazard = order.report.as_ref().is_some_and(|report| report.0.hazard);
    ask_about(write, order, handlers, hazard).await.map(|_| ())
}

/// Draws whether the customer is asked about an order that is completed; nothing for a kind of work about which nobody asks.
pub async fn ask_about(write: &mut Write, order: &Order, handlers: Vec<String>, hazard: bool) -> Result<Option<Draw>, Fault> {
    let cause = match order.kind {
        Type::Leak => Cause::Leak,
        Type::Repair => Cause::Repair,
        Type::Inspection => Cause::Inspection,
        Type::Opening | Type::MeterExchange | Type::ReadingVisit => return Ok(None),
    };
    let happening = Happening {
        cause,
        about: order.id,
        account: order.account_id,
        branch: &order.branch,
        handlers,
        vendor: order.vendor_id,
        utility: Some(order.utility),
        hazard,
        contact: Contact::Known,
    };
    callback::plan::plan(write, happening).await
}

/// Who has worked on an order: its crew, the vendors that it was offered to, and everybody who moved it, also those to whom it is given no more.
/// Nobody of them asks the customer (C-02); whoever only took it down may.
pub async fn handlers(write: &Write, order: &Order) -> Result<Vec<String>, Fault> {
    let crew = staff::store::crew(write, &Scope::everything(), &order.crew.0).await?;
    let mut handlers: Vec<String> = crew.into_iter().map(|member| member.login).collect();
    handlers.push(write.call().subject().to_owned());
    for step in story::of(write, order.id).await? {
        if step.action == Action::Offer.code() {
            let vendor = Uuid::try_parse(&step.reason).map_err(Fault::internal)?;
            handlers.push(vendor_mark(vendor));
        }
        if step.action != CREATE {
            handlers.push(step.actor);
        }
    }
    Ok(handlers)
}

pub async fn get(desk: Desk, call: Call, request: GetOrderRequest) -> Result<GetOrderResponse, Fault> {
    let order = store::get(desk.db.reader(), &Scope::of(&call), fields::id("order_id", &request.order_id)?).await?;
    let moves = story::of(desk.db.reader(), order.id).await?;
    Ok(GetOrderResponse {
        order: order.proto(desk.db.reader(), &desk.vault).await?,
        moves: moves.iter().map(store::move_proto).collect(),
    })
}

pub async fn list(desk: Desk, call: Call, request: ListOrdersRequest) -> Result<ListOrdersResponse, Fault> {
    let filters = [request.state.to_string(), request.r#type.to_string(), request.case_id.clone()];
    let page = Page::of(&call, &filters.each_ref().map(String::as_str), request.page_size, &request.page_token)?;
    let case = fields::id_if("case_id", &request.case_id)?;
    let rows = store::list(
        desk.db.reader(),
        &Scope::of(&call),
        &page,
        fields::pick_if(request.state),
        fields::pick_if(request.r#type),
        case,
    )
    .await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListOrdersResponse {
        orders: store::opened(desk.db.reader(), &desk.vault, &rows).await?,
        next_page_token,
    })
}

fn planned(day: NaiveDate, today: NaiveDate) -> Result<(), Fault> {
    if day < today {
        Err(Fault::from(Refusal::PlannedInPast).field("planned_date"))
    } else {
        Ok(())
    }
}

pub(super) async fn load(write: &Write, call: &Call, id: Uuid, etag: &str) -> Result<Order, Fault> {
    let order = store::lock(write, &Scope::of(call), id).await?;
    order.check(etag)?;
    Ok(order)
}

/// Orders of openings are moved by their opening.
pub(super) fn moved_here(order: &Order) -> Result<(), Fault> {
    if order.kind == Type::Opening {
        Err(Refusal::MovedByOpening.into())
    } else {
        Ok(())
    }
}

/// Reported work of own staff, looked at by another person than reported it.
async fn judged(write: &Write, call: &Call, id: &str, etag: &str, action: Action) -> Result<Order, Fault> {
    let order = load(write, call, fields::id("order_id", id)?, etag).await?;
    moved_here(&order)?;
    if order.vendor_id.is_some() {
        return Err(Refusal::VendorAcceptance.into());
    }
    check_step(&order, action)?;
    if order.reported_by == call.subject() {
        return Err(Refusal::SecondPersonNeeded.into());
    }
    Ok(order)
}

/// The state after a step, or the refusal that names what is allowed.
pub fn check_step(order: &Order, action: Action) -> Result<State, Fault> {
    step(order.kind, order.state, action).ok_or_else(|| {
        let allowed = allowed(order.kind, order.state).join(",");
        Fault::from(Refusal::OrderState).meta("state", order.state.code()).meta("allowed", allowed)
    })
}

/// Takes a step, writes the order and its history.
pub async fn take(write: &mut Write, order: &mut Order, action: Action, reason: &str) -> Result<(), Fault> {
    let (from, to) = (order.state, check_step(order, action)?);
    order.state = to;
    order.save(write).await?;
    story::note(write, order.id, action.code(), from.code(), to.code(), reason).await?;
    write.subject(order.id);
    Ok(())
}
