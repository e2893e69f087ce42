use contracts::hearth::archive::v1::{
    AddPolicyDepartmentRequest, AddPolicyDepartmentResponse, ApprovePolicyVersionRequest, ApprovePolicyVersionResponse, CountersignPolicyVersionRequest,
    CountersignPolicyVersionResponse, DraftPolicyVersionRequest, DraftPolicyVersionResponse, IssuePolicyVersionRequest, IssuePolicyVersionResponse,
    PolicyControlPage, PolicyIssued, PolicySection, PolicyVersion, RegisterPolicyRequest, RegisterPolicyResponse, ReturnPolicyVersionRequest,
    ReturnPolicyVersionResponse, ReviewPolicyVersionRequest, ReviewPolicyVersionResponse, RevisePolicyVersionRequest, RevisePolicyVersionResponse,
    SetPolicyTypeRequirementRequest, SetPolicyTypeRequirementResponse, SubmitPolicyVersionRequest, SubmitPolicyVersionResponse, WithdrawPolicyVersionRequest,
    WithdrawPolicyVersionResponse,
};
use database::{Begun, Write};
use rpc::{Call, Fault, wire};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::{
    control::{self, ControlPage, Part, Section},
    duty,
    label::{self, Label},
    model::{self, Action, Countersigner, Level, Secrecy, State, Type, step},
    show,
    store::{self, document, pack, row},
    sweep,
};
use crate::{
    Desk,
    party::model::text,
    refusal::{Refusal, at},
};

pub(crate) async fn register(desk: Desk, call: Call, request: RegisterPolicyRequest) -> Result<RegisterPolicyResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let unknown = |field| move || at(field)(Refusal::EnumUnknown);
    let policy = document::Model {
        id: Uuid::now_v7(),
        doc_no: request.doc_no.clone(),
        title: text(&request.title, 100).map_err(at("title"))?,
        kind: Type::of_number(request.r#type).ok_or_else(unknown("type"))?.code().to_owned(),
        level: Level::of_number(request.level).ok_or_else(unknown("level"))?.code().to_owned(),
        owner_department: text(&request.owner_department, 60).map_err(at("owner_department"))?,
        secrecy: Secrecy::of_number(request.secrecy).ok_or_else(unknown("secrecy"))?.number(),
        code_of_conduct: request.code_of_conduct,
        version: 1,
        created_at: write.now().micros(),
    };
    store::insert_document(&write, &policy).await?;
    write.subject(policy.id);
    let policy = Some(show::policy(policy, vec![])?);
    write.commit(RegisterPolicyResponse { policy }).await
}

pub(crate) async fn require(desk: Desk, call: Call, request: SetPolicyTypeRequirementRequest) -> Result<SetPolicyTypeRequirementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let kind = Type::of_number(request.r#type).ok_or_else(|| at("type")(Refusal::EnumUnknown))?;
    let mut row = store::lock_requirement(&write, kind).await?;
    rpc::check_etag(&request.etag, show::requirement_key(kind), row.version)?;
    let mut parts: Vec<Part> = request.required_parts.iter().filter_map(|part| Part::of_number(*part)).collect();
    parts.sort();
    parts.dedup();
    row.parts = pack(&parts)?;
    row.version = row.version.saturating_add(1);
    store::save_requirement(&write, &row).await?;
    write.subject(kind.code());
    let requirement = Some(show::requirement(row)?);
    write.commit(SetPolicyTypeRequirementResponse { requirement }).await
}

/// Control page and sections of a request, checked.
fn content(page: Option<&PolicyControlPage>, sections: &[PolicySection]) -> Result<(ControlPage, Vec<Section>), Fault> {
    let page = show::control_of(page)?;
    page.days().map_err(at("control_page.valid_until_date"))?;
    let sections = show::sections_of(sections);
    control::distinct(&sections).map_err(at("sections"))?;
    Ok((page, sections))
}

pub(crate) async fn draft(desk: Desk, call: Call, request: DraftPolicyVersionRequest) -> Result<DraftPolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now().micros();
    let policy = store::lock_document(&write, wire::id_of("policy_id", &request.policy_id)?).await?;
    let policy = show::readable(&call, policy)?;
    let label = Label::parse(&request.label).map_err(at("label"))?;
    let known = store::versions(&write, policy.id).await?;
    let labels = known.iter().map(row::Model::label).collect::<Result<Vec<_>, _>>()?;
    label::may_follow(&labels, label)?;
    if store::in_work(&known) {
        return Err(Refusal::PolicyVersionInWork.into());
    }
    let (page, sections) = content(request.control_page.as_ref(), &request.sections)?;
    let version = row::Model {
        id: Uuid::now_v7(),
        policy_id: policy.id,
        label: label.to_string(),
        label_rank: label.rank(),
        state: State::Draft.code().to_owned(),
        control: pack(&page)?,
        sections: pack(&sections)?,
        content_digest: String::new(),
        drafter: call.subject().to_owned(),
        reviewer: String::new(),
        approver: String::new(),
        countersigners: pack::<[Countersigner]>(&[])?,
        added_departments: pack::<[String]>(&[])?,
        reason: String::new(),
        issued_on: None,
        live_from: None,
        live_until: None,
        supersedes_id: None,
        version: 1,
        created_at: now,
        updated_at: now,
    };
    store::insert(&write, &version).await?;
    write.subject(version.id);
    let policy_version = Some(show::version(&policy, version)?);
    write.commit(DraftPolicyVersionResponse { policy_version }).await
}

/// A version that a write is about, with its document, which the caller may read (D-06), both locked and brought up to the day.
struct Held {
    policy: document::Model,
    version: row::Model,
}

impl Held {
    async fn load(write: &mut Write, call: &Call, id: &str, etag: &str) -> Result<Self, Fault> {
        let id: Uuid = wire::id_of("policy_version_id", id)?;
        let policy = store::version(write, id).await?.policy_id;
        let policy = store::lock_document(write, policy).await?;
        let policy = show::readable(call, policy)?;
        sweep::settle(write, &policy).await?;
        let version = store::version(write, id).await?;
        rpc::check_etag(etag, version.id, version.version)?;
        Ok(Self { policy, version })
    }

    /// Takes a step, where the version stands for it.
    fn step(&mut self, action: Action) -> Result<(), Fault> {
        step(self.version.stands()?, action)?.code().clone_into(&mut self.version.state);
        Ok(())
    }

    /// Writes the version and gives it as the contract shows it.
    async fn save(mut self, write: &mut Write) -> Result<Option<PolicyVersion>, Fault> {
        let now = write.now().micros();
        store::save(write, &mut self.version, now).await?;
        write.subject(self.version.id);
        Ok(Some(show::version(&self.policy, self.version)?))
    }
}

pub(crate) async fn revise(desk: Desk, call: Call, request: RevisePolicyVersionRequest) -> Result<RevisePolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Revise)?;
    held.version.hands(&[]).may_revise(call.subject())?;
    let (page, sections) = content(request.control_page.as_ref(), &request.sections)?;
    held.version.control = pack(&page)?;
    held.version.sections = pack(&sections)?;
    let policy_version = held.save(&mut write).await?;
    write.commit(RevisePolicyVersionResponse { policy_version }).await
}

pub(crate) async fn submit(desk: Desk, call: Call, request: SubmitPolicyVersionRequest) -> Result<SubmitPolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Submit)?;
    held.version.hands(&[]).may_revise(call.subject())?;
    let required = store::required_parts(&write, held.policy.kind()?).await?;
    let lacking = control::parts_missing(&required, &held.version.parts()?);
    if !lacking.is_empty() {
        let parts: Vec<_> = lacking.into_iter().map(Part::code).collect();
        return Err(Fault::from(Refusal::PolicyPartsMissing).meta("parts", parts.join(" ")));
    }
    let signers = model::countersigners(&held.version.drafter, &request.countersigners).map_err(at("countersigners"))?;
    held.version.countersigners = pack(&signers)?;
    let digest = Sha256::new()
        .chain_update(&held.version.control)
        .chain_update([0])
        .chain_update(&held.version.sections)
        .finalize();
    held.version.content_digest = hex::encode(digest);
    held.version.reason = String::new();
    let policy_version = held.save(&mut write).await?;
    write.commit(SubmitPolicyVersionResponse { policy_version }).await
}

pub(crate) async fn review(desk: Desk, call: Call, request: ReviewPolicyVersionRequest) -> Result<ReviewPolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Review)?;
    held.version.hands(&held.version.signers()?).may_review(call.subject())?;
    held.version.reviewer = call.subject().to_owned();
    let policy_version = held.save(&mut write).await?;
    write.commit(ReviewPolicyVersionResponse { policy_version }).await
}

pub(crate) async fn countersign(desk: Desk, call: Call, request: CountersignPolicyVersionRequest) -> Result<CountersignPolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now().micros();
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Countersign)?;
    let mut signers = held.version.signers()?;
    held.version.hands(&signers).may_countersign(call.subject())?;
    for signer in signers.iter_mut().filter(|signer| signer.staff == call.subject()) {
        signer.signed_at = Some(now);
    }
    held.version.countersigners = pack(&signers)?;
    let policy_version = held.save(&mut write).await?;
    write.commit(CountersignPolicyVersionResponse { policy_version }).await
}

pub(crate) async fn approve(desk: Desk, call: Call, request: ApprovePolicyVersionRequest) -> Result<ApprovePolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Approve)?;
    held.version.hands(&held.version.signers()?).may_approve(call.subject())?;
    held.version.approver = call.subject().to_owned();
    let policy_version = held.save(&mut write).await?;
    write.commit(ApprovePolicyVersionResponse { policy_version }).await
}

/// `return` is a word of the language.
pub(crate) async fn send_back(desk: Desk, call: Call, request: ReturnPolicyVersionRequest) -> Result<ReturnPolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Return)?;
    held.version.reason = text(&request.reason, 500).map_err(at("reason"))?;
    held.version.reviewer = String::new();
    held.version.approver = String::new();
    held.version.content_digest = String::new();
    held.version.countersigners = pack::<[Countersigner]>(&[])?;
    let policy_version = held.save(&mut write).await?;
    write.commit(ReturnPolicyVersionResponse { policy_version }).await
}

pub(crate) async fn issue(desk: Desk, call: Call, request: IssuePolicyVersionRequest) -> Result<IssuePolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (now, today) = (write.now().micros(), write.now().date());
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    held.step(Action::Issue)?;
    let page = held.version.page()?;
    let lacking = page.not_explicit();
    let Some(effective) = page.effective.filter(|_| lacking.is_empty()) else {
        let mut clauses: Vec<_> = lacking.iter().map(|entry| entry.clause.code()).collect();
        clauses.dedup();
        let fields: Vec<_> = lacking.iter().map(|entry| entry.field).collect();
        return Err(Fault::from(Refusal::PolicyClausesMissing)
            .meta("clauses", clauses.join(" "))
            .meta("fields", fields.join(" ")));
    };
    if page.distribution.is_empty() {
        return Err(Refusal::PolicyDistributionEmpty.into());
    }
    let former = latest(&mut write, &held.policy, held.version.id).await?;
    model::may_issue(today, effective, former.as_ref().and_then(row::Model::live))?;
    let mut departments = page.distribution.clone();
    // The former one ends first: the database holds one version in force a day (D-02).
    if let Some(mut former) = former {
        let mut carried = former.added()?;
        carried.retain(|department| !departments.contains(department));
        held.version.added_departments = pack(&carried)?;
        departments.extend(carried);
        held.version.supersedes_id = Some(former.id);
        former.live_until = model::ends(former.live_until, Some(effective));
        store::save(&write, &mut former, now).await?;
    }
    held.version.issued_on = Some(today);
    held.version.live_from = Some(effective);
    held.version.live_until = page.ends();
    store::insert_duties(&write, &held.version, duty::training(&page, &departments, today), now).await?;
    write.event(
        held.policy.id,
        &PolicyIssued {
            policy_id: held.policy.id.to_string(),
            policy_version_id: held.version.id.to_string(),
            doc_no: held.policy.doc_no.clone(),
            label: held.version.label.clone(),
            issue_date: Some(wire::date(today)),
            effective_date: Some(wire::date(effective)),
        },
    );
    let policy_version = held.save(&mut write).await?;
    write.commit(IssuePolicyVersionResponse { policy_version }).await
}

/// The version of a document that begins last, apart from one.
async fn latest(write: &mut Write, policy: &document::Model, apart_from: Uuid) -> Result<Option<row::Model>, Fault> {
    let others = store::versions(write, policy.id).await?.into_iter();
    Ok(others
        .filter(|other| other.id != apart_from && other.live_from.is_some())
        .max_by_key(|other| other.live_from))
}

pub(crate) async fn withdraw(desk: Desk, call: Call, request: WithdrawPolicyVersionRequest) -> Result<WithdrawPolicyVersionResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    let before = held.version.stands()?;
    held.step(Action::Withdraw)?;
    held.version.reason = text(&request.reason, 500).map_err(at("reason"))?;
    let former = match before {
        State::Effective => {
            held.version.live_until = model::ends(held.version.live_until, write.now().date().succ_opt());
            None
        }
        _ => {
            (held.version.live_from, held.version.live_until) = (None, None);
            held.version.supersedes_id.take()
        }
    };
    let (policy, version) = (held.policy.clone(), held.version.clone());
    let policy_version = held.save(&mut write).await?;
    if let Some(former) = former {
        reopen(&mut write, former).await?;
    }
    if matches!(before, State::Issued | State::Effective) {
        sweep::end(&mut write, &policy, &version, None).await?;
    }
    write.commit(WithdrawPolicyVersionResponse { policy_version }).await
}

/// The version before one that was given up goes on to its own end, or to the version after.
async fn reopen(write: &mut Write, former: Uuid) -> Result<(), Fault> {
    let now = write.now().micros();
    let mut former = store::version(write, former).await?;
    if !matches!(former.stands()?, State::Issued | State::Effective) {
        return Ok(());
    }
    let others = store::versions(write, former.policy_id).await?;
    let mut next = others.into_iter().filter(|other| other.live_from > former.live_from).collect::<Vec<_>>();
    next.sort_by_key(|other| other.live_from);
    let next = next.into_iter().next();
    former.live_until = model::ends(former.page()?.ends(), next.as_ref().and_then(|next| next.live_from));
    let id = former.id;
    store::save(write, &mut former, now).await?;
    if let Some(mut next) = next {
        next.supersedes_id = Some(id);
        store::save(write, &mut next, now).await?;
    }
    Ok(())
}

pub(crate) async fn add_department(desk: Desk, call: Call, request: AddPolicyDepartmentRequest) -> Result<AddPolicyDepartmentResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let department = text(&request.department, 60).map_err(at("department"))?;
    let mut held = Held::load(&mut write, &call, &request.policy_version_id, &request.etag).await?;
    if !matches!(held.version.stands()?, State::Issued | State::Effective) {
        return Err(Refusal::PolicyState.into());
    }
    if !add(&write, &mut held.version, &department).await? {
        return Err(Refusal::PolicyDepartmentKnown.into());
    }
    // A version that is issued already and begins later takes the place of this one for the department, too.
    let now = write.now().micros();
    for mut later in store::versions(&write, held.policy.id).await? {
        let follows = later.stands()? == State::Issued && later.live_from > held.version.live_from;
        if follows && add(&write, &mut later, &department).await? {
            store::save(&write, &mut later, now).await?;
        }
    }
    let policy_version = held.save(&mut write).await?;
    write.commit(AddPolicyDepartmentResponse { policy_version }).await
}

/// Adds a department to those of a version, with its training from today; says whether it was not among them.
async fn add(write: &Write, version: &mut row::Model, department: &String) -> Result<bool, Fault> {
    let (page, mut added) = (version.page()?, version.added()?);
    if page.distribution.contains(department) || added.contains(department) {
        return Ok(false);
    }
    let training = duty::training(&page, std::slice::from_ref(department), write.now().date());
    store::insert_duties(write, version, training, write.now().micros()).await?;
    added.push(department.clone());
    version.added_departments = pack(&added)?;
    Ok(true)
}
