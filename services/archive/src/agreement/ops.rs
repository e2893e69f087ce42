use chrono::{Datelike, NaiveDate};
use contracts::hearth::archive::v1::{
    ActivateAgreementRequest, ActivateAgreementResponse, Agreement, AmendAgreementRequest, AmendAgreementResponse, ContractAmended, ContractEnded,
    ContractInForce, ContractSigned, ContractVoided, EndAgreementRequest, EndAgreementResponse, GetAgreementRequest, GetAgreementResponse,
    ListAgreementsRequest, ListAgreementsResponse, SignAgreementRequest, SignAgreementResponse, SignMethod as Signed, VoidAgreementRequest,
    VoidAgreementResponse,
};
use database::{Begun, Scope, Write, numbers};
use ids::{AccountId, AgreementId, PartyId, ServicePointId, TemplateId};
use rpc::{Call, Fault, page::Page, wire};
use uuid::Uuid;

use super::{
    missing,
    model::{self, Action, SignMethod, State, step},
    store,
};
use crate::{
    Desk,
    account::{model as accounts, ops as account_ops, store as account_rows},
    party::model::text,
    premises::{model::Service, store as premises_rows},
    refusal::{Refusal, at},
    template::{model as templates, store as template_rows},
};

pub(crate) async fn sign(desk: Desk, call: Call, request: SignAgreementRequest) -> Result<SignAgreementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let (now, scope) = (write.now(), Scope::of(&call));
    let service = premises_rows::service_of(request.service()).ok_or_else(|| at("service")(Refusal::Required))?;
    let account: AccountId = wire::id_of("account_id", &request.account_id)?;
    let point: ServicePointId = wire::id_of("service_point_id", &request.service_point_id)?;
    let signed = wire::date_of(request.signed_date.as_ref(), "signed_date")?;
    model::signed_by(signed, now.date()).map_err(at("signed_date"))?;
    let start = wire::date_if(request.start_date.as_ref(), "start_date")?;
    let from = model::planned_start(signed, start, now.date()).map_err(at("start_date"))?;
    let use_class = text(&request.use_class, 60).map_err(at("use_class"))?;

    let account = account_rows::lock(&write, &scope, account.uuid()).await?;
    account.stands()?.may_sign()?;
    let (point, premises) = premises_rows::load_point(&write, &scope, point.uuid()).await?;
    if premises.branch != account.branch {
        return Err(Refusal::BranchMismatch.into());
    }
    if point.supplies()? != service {
        return Err(Refusal::ServiceMismatch.into());
    }
    let signature = Signature {
        template_id: &request.template_id,
        template_version: request.template_version,
        method: request.sign_method(),
        signed,
        acknowledged: &request.flagged_clauses_acknowledged,
    };
    let mut terms = signature.check(&write, service).await?;
    let id = AgreementId::new();
    if store::covered(&write, point.id, service, from, id.uuid()).await? {
        return Err(Refusal::AgreementOverlap.into());
    }
    let count = numbers::next(&write, "agreement", &account.branch, now.date().year(), 1).await?;
    let agreement = store::row::Model {
        id: id.uuid(),
        agreement_no: model::number(&account.branch, now.date().year(), count),
        account_id: account.id,
        account_no: account.account_no,
        party_id: account.party_id,
        premises_id: premises.id,
        service_point_id: point.id,
        service: service.code().to_owned(),
        branch: account.branch,
        state: State::Signed.code().to_owned(),
        live_from: from,
        live_until: None,
        signed_version: 1,
        use_class: use_class.clone(),
        version: 1,
        created_at: now.micros(),
        updated_at: now.micros(),
    };
    (terms.agreement_id, terms.version, terms.use_class, terms.from_date) = (id.uuid(), 1, use_class, from);
    store::insert(&write, std::slice::from_ref(&agreement), std::slice::from_ref(&terms)).await?;
    let agreement = store::show(agreement, vec![terms])?;
    write.subject(id);
    write.event(id, &contract_signed(&agreement, signed));
    write.commit(SignAgreementResponse { agreement: Some(agreement) }).await
}

/// What the others learn of a new agreement.
pub(crate) fn contract_signed(agreement: &Agreement, signed: NaiveDate) -> ContractSigned {
    let Agreement {
        agreement_id,
        agreement_no,
        account_id,
        account_no,
        party_id,
        premises_id,
        service_point_id,
        service,
        use_class,
        branch,
        ..
    } = agreement.clone();
    ContractSigned {
        agreement_id,
        agreement_no,
        account_id,
        account_no,
        party_id,
        premises_id,
        service_point_id,
        service,
        use_class,
        branch,
        signed_date: Some(wire::date(signed)),
    }
}

/// What was signed: of which template, how, when, and what the customer acknowledged.
struct Signature<'a> {
    template_id: &'a str,
    template_version: i32,
    method: Signed,
    signed: NaiveDate,
    acknowledged: &'a [String],
}

impl Signature<'_> {
    /// the template may be signed on that day and every flagged clause is acknowledged. Gives the terms without what only the
    /// caller knows.
    async fn check(&self, write: &Write, service: Service) -> Result<store::terms::Model, Fault> {
        let id: TemplateId = wire::id_of("template_id", self.template_id)?;
        let method = match self.method {
            Signed::Paper => SignMethod::Paper,
            Signed::Electronic => SignMethod::Electronic,
            Signed::TakenOver => SignMethod::TakenOver,
            Signed::Unspecified => return Err(at("sign_method")(Refusal::Required)),
        };
        let template = template_rows::load(write, id.uuid(), self.template_version).await?;
        if template.supplies()? != service {
            return Err(Refusal::ServiceMismatch.into());
        }
        let next = template_rows::next_effective(write, &template).await?;
        templates::may_sign(template.version.effective_date, next, self.signed)?;
        let clauses = template.clauses()?;
        let missing = templates::not_acknowledged(&clauses, self.acknowledged);
        if !missing.is_empty() {
            return Err(at("flagged_clauses_acknowledged")(Refusal::FlaggedClausesNotAcknowledged).meta("clauses", missing.join(" ")));
        }
        Ok(store::terms::Model {
            agreement_id: Uuid::nil(),
            version: 0,
            use_class: String::new(),
            from_date: self.signed,
            template_id: template.head.id,
            template_version: template.version.version,
            sign_method: method.code().to_owned(),
            signed_date: self.signed,
            acknowledged: serde_json::to_string(self.acknowledged).map_err(Fault::internal)?,
            reason: String::new(),
            created_at: write.now().micros(),
        })
    }
}

/// Locks an agreement and holds the version tag against it. A service may leave the tag out: its steps are guarded by the state, and a
/// step that is repeated after a crash must be the same request.
async fn locked(write: &Write, call: &Call, id: &str, etag: Option<&str>) -> Result<store::row::Model, Fault> {
    let id: AgreementId = wire::id_of("agreement_id", id)?;
    let agreement = store::lock(write, &Scope::of(call), id.uuid()).await?;
    match etag {
        Some(etag) => rpc::check_etag(etag, agreement.id, agreement.version)?,
        None if call.principal().service.is_some() => {}
        None => return Err(at("etag")(Refusal::EtagRequired)),
    }
    Ok(agreement)
}

async fn shown(write: &Write, agreement: store::row::Model) -> Result<Option<Agreement>, Fault> {
    let versions = store::versions(write, agreement.id).await?;
    store::show(agreement, versions).map(Some)
}

pub(crate) async fn activate(desk: Desk, call: Call, request: ActivateAgreementRequest) -> Result<ActivateAgreementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let mut agreement = locked(&write, &call, &request.agreement_id, request.etag.as_deref()).await?;
    let after = step(agreement.stands()?, Action::Activate)?;
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let signed = store::versions(&write, agreement.id).await?.first().map_or(from, |terms| terms.signed_date);
    model::first_day(signed, from, now.date()).map_err(at("from_date"))?;
    if store::covered(&write, agreement.service_point_id, agreement.supplies()?, from, agreement.id).await? {
        return Err(Refusal::AgreementOverlap.into());
    }
    (agreement.state, agreement.live_from) = (after.code().to_owned(), from);
    store::save(&write, &mut agreement, now.micros()).await?;
    write.subject(agreement.id);
    write.event(
        agreement.id,
        &ContractInForce {
            agreement_id: agreement.id.to_string(),
            from_date: Some(wire::date(from)),
        },
    );
    let account = account_rows::lock(&write, &Scope::of(&call), agreement.account_id).await?;
    account_ops::change(&mut write, account, accounts::Action::Activate, "").await?;
    missing::found(&mut write, &[agreement.service_point_id]).await?;
    let agreement = shown(&write, agreement).await?;
    write.commit(ActivateAgreementResponse { agreement }).await
}

pub(crate) async fn amend(desk: Desk, call: Call, request: AmendAgreementRequest) -> Result<AmendAgreementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let mut agreement = locked(&write, &call, &request.agreement_id, Some(&request.etag)).await?;
    step(agreement.stands()?, Action::Amend)?;
    let from = wire::date_of(request.from_date.as_ref(), "from_date")?;
    let signed = wire::date_of(request.signed_date.as_ref(), "signed_date")?;
    model::signed_by(signed, now.date()).map_err(at("signed_date"))?;
    let use_class = text(&request.use_class, 60).map_err(at("use_class"))?;
    let reason = text(&request.reason, 200).map_err(at("reason"))?;
    let before = store::versions(&write, agreement.id)
        .await?
        .last()
        .map_or(agreement.live_from, |terms| terms.from_date);
    model::amended_from(before, from, signed, now.date()).map_err(at("from_date"))?;
    let signature = Signature {
        template_id: &request.template_id,
        template_version: request.template_version,
        method: request.sign_method(),
        signed,
        acknowledged: &request.flagged_clauses_acknowledged,
    };
    let mut terms = signature.check(&write, agreement.supplies()?).await?;
    let version = agreement
        .signed_version
        .checked_add(1)
        .ok_or_else(|| Fault::internal("an agreement has too many versions"))?;
    (terms.agreement_id, terms.version, terms.from_date, terms.reason) = (agreement.id, version, from, reason);
    terms.use_class.clone_from(&use_class);
    store::insert(&write, &[], &[terms]).await?;
    (agreement.signed_version, agreement.use_class) = (version, use_class.clone());
    store::save(&write, &mut agreement, now.micros()).await?;
    write.subject(agreement.id);
    let amended = ContractAmended {
        agreement_id: agreement.id.to_string(),
        version,
        use_class,
        from_date: Some(wire::date(from)),
    };
    write.event(agreement.id, &amended);
    let agreement = shown(&write, agreement).await?;
    write.commit(AmendAgreementResponse { agreement }).await
}

pub(crate) async fn end(desk: Desk, call: Call, request: EndAgreementRequest) -> Result<EndAgreementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let mut agreement = locked(&write, &call, &request.agreement_id, request.etag.as_deref()).await?;
    let after = step(agreement.stands()?, Action::End)?;
    let end = wire::date_of(request.end_date.as_ref(), "end_date")?;
    model::end_day(agreement.live_from, end, now.date()).map_err(at("end_date"))?;
    (agreement.state, agreement.live_until) = (after.code().to_owned(), Some(end));
    store::save(&write, &mut agreement, now.micros()).await?;
    write.subject(agreement.id);
    write.event(
        agreement.id,
        &ContractEnded {
            agreement_id: agreement.id.to_string(),
            end_date: Some(wire::date(end)),
        },
    );
    let agreement = shown(&write, agreement).await?;
    write.commit(EndAgreementResponse { agreement }).await
}

pub(crate) async fn void(desk: Desk, call: Call, request: VoidAgreementRequest) -> Result<VoidAgreementResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let now = write.now();
    let mut agreement = locked(&write, &call, &request.agreement_id, request.etag.as_deref()).await?;
    agreement.state = step(agreement.stands()?, Action::Void)?.code().to_owned();
    store::save(&write, &mut agreement, now.micros()).await?;
    write.subject(agreement.id);
    write.event(
        agreement.id,
        &ContractVoided {
            agreement_id: agreement.id.to_string(),
        },
    );
    let agreement = shown(&write, agreement).await?;
    write.commit(VoidAgreementResponse { agreement }).await
}

pub(crate) async fn get(desk: Desk, call: Call, request: GetAgreementRequest) -> Result<GetAgreementResponse, Fault> {
    let id: AgreementId = wire::id_of("agreement_id", &request.agreement_id)?;
    let agreement = store::load(desk.db.reader(), &Scope::of(&call), id.uuid()).await?;
    if request
        .party_id
        .as_ref()
        .is_some_and(|party| !party.eq_ignore_ascii_case(&agreement.party_id.to_string()))
    {
        return Err(Fault::not_found("agreement", id));
    }
    let versions = store::versions(desk.db.reader(), agreement.id).await?;
    Ok(GetAgreementResponse {
        agreement: Some(store::show(agreement, versions)?),
    })
}

pub(crate) async fn list(desk: Desk, call: Call, request: ListAgreementsRequest) -> Result<ListAgreementsResponse, Fault> {
    let plain = |id: &Option<String>| id.clone().unwrap_or_default();
    let filters = [plain(&request.party_id), plain(&request.account_id), plain(&request.service_point_id)];
    let page = Page::of(&call, &filters.each_ref().map(String::as_str), request.page_size, &request.page_token)?;
    let filter = store::Filter {
        party: request
            .party_id
            .as_deref()
            .map(|id| wire::id_of::<PartyId>("party_id", id))
            .transpose()?
            .map(PartyId::uuid),
        account: request
            .account_id
            .as_deref()
            .map(|id| wire::id_of::<AccountId>("account_id", id))
            .transpose()?
            .map(AccountId::uuid),
        point: request
            .service_point_id
            .as_deref()
            .map(|id| wire::id_of::<ServicePointId>("service_point_id", id))
            .transpose()?
            .map(ServicePointId::uuid),
    };
    let rows = store::list(desk.db.reader(), &Scope::of(&call), filter, &page).await?;
    let (rows, next_page_token) = page.cut(rows, |row| row.id);
    Ok(ListAgreementsResponse {
        agreements: rows.into_iter().map(|row| store::show(row, vec![])).collect::<Result<_, _>>()?,
        next_page_token,
    })
}
