//! What people do again and again in the tests.

use contracts::hearth::{
    hall::v1::{
        acceptance_service_client::AcceptanceServiceClient, estate_service_client::EstateServiceClient, opening_service_client::OpeningServiceClient,
        order_service_client::OrderServiceClient, staff_service_client::StaffServiceClient, *,
    },
    options::v1::Role,
};
use testbed::{Bed, Client, key};

use crate::{
    BRANCH, FILE, date, decimal,
    world::{COMMUNITY, Customer, World},
};

pub fn personnel(bed: &Bed) -> StaffServiceClient<Client> {
    StaffServiceClient::new(bed.staff(&[Role::Personnel]))
}

/// A member of own staff, without any certificate.
pub async fn member(bed: &Bed, login: &str, branch: &str) -> StaffMember {
    let request = RegisterStaffRequest {
        request_id: key(),
        name: "王小明".to_owned(),
        posts: vec![Post::Opener.into(), Post::Repairer.into()],
        badge_no: format!("B-{}", &key()[24..]),
        login: login.to_owned(),
        employer: Employer::Own.into(),
        branch: branch.to_owned(),
        ..RegisterStaffRequest::default()
    };
    personnel(bed).register_staff(request).await.unwrap().into_inner().staff.unwrap()
}

/// A member whom a vendor employs.
pub async fn vendor_member(bed: &Bed, login: &str, vendor_id: &str, person_id: &str) -> StaffMember {
    let request = RegisterStaffRequest {
        request_id: key(),
        name: "李外包".to_owned(),
        posts: vec![Post::Repairer.into()],
        badge_no: format!("V-{}", &key()[24..]),
        login: login.to_owned(),
        employer: Employer::Vendor.into(),
        vendor_id: vendor_id.to_owned(),
        vendor_person_id: person_id.to_owned(),
        branch: BRANCH.to_owned(),
    };
    personnel(bed).register_staff(request).await.unwrap().into_inner().staff.unwrap()
}

/// Records a certificate and has a second person confirm it.
pub async fn certify(bed: &Bed, staff: &StaffMember, kind: CertificateKind, valid_to: &str) -> (StaffMember, String) {
    let request = RecordCertificateRequest {
        request_id: key(),
        staff_id: staff.staff_id.clone(),
        etag: staff.etag.clone(),
        kind: kind.into(),
        certificate_no: key(),
        issuing_body: "天津市住建委".to_owned(),
        issued_date: Some(date("2022-01-01")),
        valid_to_date: Some(date(valid_to)),
        scan_file_id: FILE.to_owned(),
    };
    let recorded = personnel(bed).record_certificate(request).await.unwrap().into_inner();
    let (staff, certificate_id) = (recorded.staff.unwrap(), recorded.certificate_id);
    let request = ConfirmCertificateRequest {
        request_id: key(),
        staff_id: staff.staff_id,
        etag: staff.etag,
        certificate_id: certificate_id.clone(),
    };
    let staff = personnel(bed).confirm_certificate(request).await.unwrap().into_inner().staff.unwrap();
    (staff, certificate_id)
}

/// Records a training.
pub async fn train(bed: &Bed, staff: &StaffMember, kind: TrainingKind, passed: &str) -> StaffMember {
    let request = RecordTrainingRequest {
        request_id: key(),
        staff_id: staff.staff_id.clone(),
        etag: staff.etag.clone(),
        kind: kind.into(),
        authority: "天津市供热办".to_owned(),
        passed_date: Some(date(passed)),
    };
    personnel(bed).record_training(request).await.unwrap().into_inner().staff.unwrap()
}

/// A member of the branch with a certificate until a day; repairers with both trainings.
pub async fn certified(bed: &Bed, login: &str, kind: CertificateKind, valid_to: &str) -> StaffMember {
    let mut staff = member(bed, login, BRANCH).await;
    if kind == CertificateKind::Repair {
        staff = train(bed, &staff, TrainingKind::Safety, "2022-01-01").await;
        staff = train(bed, &staff, TrainingKind::Technical, "2022-01-01").await;
    }
    certify(bed, &staff, kind, valid_to).await.0
}

pub fn dispatcher(bed: &Bed) -> OrderServiceClient<Client> {
    OrderServiceClient::new(bed.staff(&[Role::Dispatcher]))
}

/// A new order of the branch.
pub async fn order(bed: &Bed, kind: OrderType) -> Order {
    let request = CreateOrderRequest {
        request_id: key(),
        r#type: kind.into(),
        branch: BRANCH.to_owned(),
        task: "燃气灶点不着火".to_owned(),
        ..CreateOrderRequest::default()
    };
    dispatcher(bed).create_order(request).await.unwrap().into_inner().order.unwrap()
}

pub fn dispatch(order: &Order, staff: &[&StaffMember], planned: &str) -> DispatchOrderRequest {
    DispatchOrderRequest {
        request_id: key(),
        order_id: order.order_id.clone(),
        etag: order.etag.clone(),
        staff_ids: staff.iter().map(|member| member.staff_id.clone()).collect(),
        planned_date: Some(date(planned)),
    }
}

pub async fn get_order(bed: &Bed, id: &str) -> GetOrderResponse {
    dispatcher(bed)
        .get_order(GetOrderRequest { order_id: id.to_owned() })
        .await
        .unwrap()
        .into_inner()
}

/// Everything that an opening needs but its own steps, with certified openers and a customer.
pub struct Stage {
    pub customer: Customer,
    pub inspector: StaffMember,
    pub openers: Vec<StaffMember>,
    pub estate_id: String,
}

/// A stove that may be connected.
pub fn stove() -> Appliance {
    Appliance {
        kind: ApplianceKind::Stove.into(),
        brand: "华帝".to_owned(),
        model: "JZT-i10".to_owned(),
        certificate_no: "XK21-009-00123".to_owned(),
        manual: true,
        gas_kind: GasKind::Natural12t.into(),
        flame_failure_device: true,
        flue_type: FlueType::Open.into(),
        flue_outlet: FlueOutlet::Room.into(),
        room_type: RoomType::Kitchen.into(),
        room_air_supply: true,
        room_exhaust: true,
        range_hood: true,
        hose_kind: HoseKind::SteelCorrugated.into(),
        hose_through_wall: false,
        auto_shut_valve: true,
        gas_alarm: true,
    }
}

pub fn openings(bed: &Bed, roles: &[Role]) -> OpeningServiceClient<Client> {
    OpeningServiceClient::new(bed.staff(roles))
}
/// The openings as a member of the crew sees them.
pub fn crew(bed: &Bed, login: &str) -> OpeningServiceClient<Client> {
    OpeningServiceClient::new(bed.staff_named(login, &[Role::Opener]))
}
pub fn acceptances(bed: &Bed) -> AcceptanceServiceClient<Client> {
    AcceptanceServiceClient::new(bed.staff(&[Role::Inspector]))
}

impl Stage {
    /// Sets the stage; `names` are the logins of the openers.
    pub async fn set(bed: &Bed, world: &World, names: &[&str]) -> Self {
        let customer = world.customer(BRANCH);
        let inspector = certified(bed, &format!("inspector-{}", key()), CertificateKind::SafetyInspection, "2026-12-31").await;
        let mut openers = vec![];
        for name in names {
            openers.push(certified(bed, name, CertificateKind::GasOpening, "2026-12-31").await);
        }
        let estate_id = inspect_estate(bed, &inspector, true).await;
        Self {
            customer,
            inspector,
            openers,
            estate_id,
        }
    }

    pub async fn apply(&self, bed: &Bed, use_class: &str) -> Opening {
        let request = ApplyForOpeningRequest {
            request_id: key(),
            account_id: self.customer.account_id.clone(),
            premises_id: self.customer.premises_id.clone(),
            service_point_id: self.customer.service_point_id.clone(),
            use_class: use_class.to_owned(),
        };
        openings(bed, &[Role::Agent])
            .apply_for_opening(request)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    pub fn papers(opening: &Opening) -> ApprovePapersRequest {
        let kinds = [
            paper::Kind::ApplicationForm,
            paper::Kind::IdentityDocument,
            paper::Kind::TitleDeed,
            paper::Kind::BusinessLicence,
        ];
        let papers = kinds
            .iter()
            .map(|kind| Paper {
                kind: (*kind).into(),
                file_id: FILE.to_owned(),
            })
            .collect();
        ApprovePapersRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            papers,
        }
    }

    pub async fn approve_papers(&self, bed: &Bed, opening: &Opening) -> Opening {
        openings(bed, &[Role::Agent])
            .approve_papers(Self::papers(opening))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    pub fn terms(&self, bed: &Bed, opening: &Opening) -> SignContractRequest {
        SignContractRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            template_id: key(),
            template_version: 3,
            signed_date: Some(rpc::wire::date(bed.clock().now().date())),
            sign_method: SignMethod::Paper.into(),
            flagged_clauses_acknowledged: vec!["7.2".to_owned()],
        }
    }

    pub async fn sign_contract(&self, bed: &Bed, opening: &Opening) -> Opening {
        openings(bed, &[Role::Agent])
            .sign_contract(self.terms(bed, opening))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    pub async fn settle_fees(&self, bed: &Bed, opening: &Opening) -> Opening {
        let request = SettleFeesRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            receipt_nos: vec![],
        };
        openings(bed, &[Role::Cashier])
            .settle_fees(request)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    pub async fn record_appliance(&self, bed: &Bed, appliance: Appliance, replaces: &str) -> ApplianceAcceptance {
        let request = RecordApplianceAcceptanceRequest {
            request_id: key(),
            service_point_id: self.customer.service_point_id.clone(),
            branch: BRANCH.to_owned(),
            appliance: Some(appliance),
            inspector_staff_id: self.inspector.staff_id.clone(),
            visit_date: Some(rpc::wire::date(bed.clock().now().date())),
            replaces_acceptance_id: replaces.to_owned(),
        };
        acceptances(bed)
            .record_appliance_acceptance(request)
            .await
            .unwrap()
            .into_inner()
            .acceptance
            .unwrap()
    }

    pub async fn record_pipe(&self, bed: &Bed, passed: bool) -> String {
        let request = RecordPipeAcceptanceRequest {
            request_id: key(),
            service_point_id: self.customer.service_point_id.clone(),
            branch: BRANCH.to_owned(),
            report_no: key(),
            report_file_id: FILE.to_owned(),
            passed,
            inspector_staff_id: self.inspector.staff_id.clone(),
            test_date: Some(rpc::wire::date(bed.clock().now().date())),
        };
        acceptances(bed)
            .record_pipe_acceptance(request)
            .await
            .unwrap()
            .into_inner()
            .acceptance
            .unwrap()
            .acceptance_id
    }

    pub fn accept_request(&self, opening: &Opening, ids: &[&str]) -> AcceptAppliancesRequest {
        AcceptAppliancesRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            appliance_acceptance_ids: ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }

    pub async fn record_presence(&self, bed: &Bed, opening: &Opening, born: &str) -> RecordPresenceResponse {
        let request = RecordPresenceRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            relation: Relation::Customer.into(),
            birth_date: Some(date(born)),
            visit_date: Some(rpc::wire::date(bed.clock().now().date())),
            witness_staff_id: self.inspector.staff_id.clone(),
        };
        openings(bed, &[Role::Inspector]).record_presence(request).await.unwrap().into_inner()
    }

    pub fn review(&self, opening: &Opening, pipe: &str, presence: &str) -> PassReviewRequest {
        PassReviewRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            meter_no: self.customer.meter_no.clone(),
            pipe_acceptance_id: pipe.to_owned(),
            presence_id: presence.to_owned(),
            estate_id: self.estate_id.clone(),
        }
    }

    pub fn schedule(&self, opening: &Opening, planned: &str, crew: &[&StaffMember]) -> ScheduleOpeningRequest {
        ScheduleOpeningRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            planned_date: Some(date(planned)),
            staff_ids: crew.iter().map(|member| member.staff_id.clone()).collect(),
        }
    }

    /// From the application to the contract that archive has signed.
    pub async fn to_contract(&self, bed: &Bed, use_class: &str) -> Opening {
        let opening = self.apply(bed, use_class).await;
        let opening = self.approve_papers(bed, &opening).await;
        let opening = self.sign_contract(bed, &opening).await;
        reaches(bed, &opening.opening_id, opening::State::ContractSigned).await
    }

    /// From the contract to the acceptances.
    pub async fn to_acceptance(&self, bed: &Bed, opening: &Opening) -> Opening {
        let opening = self.settle_fees(bed, opening).await;
        let stove = self.record_appliance(bed, stove(), "").await;
        let request = self.accept_request(&opening, &[&stove.acceptance_id]);
        openings(bed, &[Role::Inspector])
            .accept_appliances(request)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    /// From the acceptances to the passed review.
    pub async fn to_review(&self, bed: &Bed, opening: &Opening) -> Opening {
        let pipe = self.record_pipe(bed, true).await;
        let presence = self.record_presence(bed, opening, "1980-05-01").await;
        let request = self.review(&presence.opening.unwrap(), &pipe, &presence.presence_id);
        openings(bed, &[Role::Inspector])
            .pass_review(request)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    /// From the review to the accepted work order.
    pub async fn to_crew(&self, bed: &Bed, opening: &Opening, planned: &str) -> Opening {
        let crew: Vec<_> = self.openers.iter().collect();
        let request = self.schedule(opening, planned, &crew);
        let opening = openings(bed, &[Role::Dispatcher])
            .schedule_opening(request)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        accept_order(bed, &opening.order_id, &self.openers[0].login).await;
        opening
    }

    /// On site, up to the trained user.
    pub async fn to_trained(&self, bed: &Bed, opening: &Opening) -> Opening {
        let mut crew = crew(bed, &self.openers[0].login);
        let named = |opening: &Opening| (opening.opening_id.clone(), opening.etag.clone());
        let (opening_id, etag) = named(opening);
        let answer = crew
            .arrive_for_opening(ArriveForOpeningRequest {
                request_id: key(),
                opening_id,
                etag,
            })
            .await
            .unwrap()
            .into_inner();
        assert!(!answer.returned_to_pool);
        let (opening_id, etag) = named(&answer.opening.unwrap());
        let request = PassTightnessRequest {
            request_id: key(),
            opening_id,
            etag,
            test_pressure_pa: 5000,
            held_minutes: 15,
            drop_pa: 0,
        };
        let opening = crew.pass_tightness(request).await.unwrap().into_inner().opening.unwrap();
        let (opening_id, etag) = named(&opening);
        let opening = crew
            .purge_line(PurgeLineRequest {
                request_id: key(),
                opening_id,
                etag,
            })
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        let (opening_id, etag) = named(&opening);
        let opening = crew
            .ignite_appliances(IgniteAppliancesRequest {
                request_id: key(),
                opening_id,
                etag,
            })
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap();
        let (opening_id, etag) = named(&opening);
        let request = TrainUserRequest {
            request_id: key(),
            opening_id,
            etag,
            booklet_no: "AQ-2025-0017".to_owned(),
        };
        crew.train_user(request).await.unwrap().into_inner().opening.unwrap()
    }

    pub fn signature(&self, opening: &Opening) -> SignOpeningRequest {
        SignOpeningRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            initial_index: Some(decimal("3.25")),
            photo_file_id: FILE.to_owned(),
            signature_file_id: FILE.to_owned(),
        }
    }

    pub async fn sign(&self, bed: &Bed, opening: &Opening) -> Opening {
        crew(bed, &self.openers[0].login)
            .sign_opening(self.signature(opening))
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }

    /// From the application to the trained user, on the day of the clock.
    pub async fn to_flame(&self, bed: &Bed, use_class: &str) -> Opening {
        let today = bed.clock().now().date().to_string();
        let opening = self.to_contract(bed, use_class).await;
        let opening = self.to_acceptance(bed, &opening).await;
        let opening = self.to_review(bed, &opening).await;
        let opening = self.to_crew(bed, &opening, &today).await;
        self.to_trained(bed, &opening).await
    }

    pub async fn cancel(&self, bed: &Bed, opening: &Opening) -> Opening {
        let request = CancelOpeningRequest {
            request_id: key(),
            opening_id: opening.opening_id.clone(),
            etag: opening.etag.clone(),
            reason: "客户撤回".to_owned(),
        };
        openings(bed, &[Role::Agent])
            .cancel_opening(request)
            .await
            .unwrap()
            .into_inner()
            .opening
            .unwrap()
    }
}

/// Records the inspection of the estate in which all customers live.
pub async fn inspect_estate(bed: &Bed, inspector: &StaffMember, passed: bool) -> String {
    inspect(bed, inspector, COMMUNITY, passed).await
}

/// Records the inspection of an estate.
pub async fn inspect(bed: &Bed, inspector: &StaffMember, code: &str, passed: bool) -> String {
    let request = RecordEstateInspectionRequest {
        request_id: key(),
        community_code: code.to_owned(),
        name: "梅江南小区".to_owned(),
        branch: BRANCH.to_owned(),
        inspector_staff_id: inspector.staff_id.clone(),
        inspected_date: Some(rpc::wire::date(bed.clock().now().date())),
        passed,
        findings: String::new(),
        panel_distance_mm: 350,
    };
    let mut client = EstateServiceClient::new(bed.staff(&[Role::Inspector]));
    client.record_estate_inspection(request).await.unwrap().into_inner().estate.unwrap().estate_id
}

pub async fn accept_order(bed: &Bed, order_id: &str, login: &str) -> AcceptOrderResponse {
    let order = get_order(bed, order_id).await.order.unwrap();
    let mut client = OrderServiceClient::new(bed.staff_named(login, &[Role::Opener, Role::Repairer]));
    client
        .accept_order(AcceptOrderRequest {
            request_id: key(),
            order_id: order.order_id,
            etag: order.etag,
        })
        .await
        .unwrap()
        .into_inner()
}

pub async fn get_opening(bed: &Bed, id: &str) -> Opening {
    openings(bed, &[Role::Agent])
        .get_opening(GetOpeningRequest { opening_id: id.to_owned() })
        .await
        .unwrap()
        .into_inner()
        .opening
        .unwrap()
}

/// Waits until an opening stands in a state.
pub async fn reaches(bed: &Bed, id: &str, state: opening::State) -> Opening {
    testbed::eventually("the state of the opening", async || {
        let opening = get_opening(bed, id).await;
        (opening.state() == state).then_some(opening)
    })
    .await
}

/// The steps of a story, oldest first.
pub async fn steps(bed: &Bed, story_id: &str) -> Vec<Step> {
    let mut client = step_service_client::StepServiceClient::new(bed.staff(&[Role::ServiceManager]));
    let request = ListStepsRequest {
        story_id: story_id.to_owned(),
        ..ListStepsRequest::default()
    };
    client.list_steps(request).await.unwrap().into_inner().steps
}

/// The events of the hall so far, of one type and about one subject.
pub async fn events<M: prost::Message + prost::Name + Default>(bed: &Bed, subject: &str) -> Vec<M> {
    use sea_orm::{ConnectionTrait, FromQueryResult, Statement};
    #[derive(FromQueryResult)]
    struct Row {
        data: Vec<u8>,
    }
    let db = bed.db();
    let backend = db.reader().get_database_backend();
    let sql = "SELECT data FROM event WHERE kind = $1 AND subject = $2 ORDER BY id";
    let statement = Statement::from_sql_and_values(backend, sql, [M::full_name().into(), subject.into()]);
    let rows = Row::find_by_statement(statement).all(db.reader()).await.unwrap();
    rows.iter().map(|row| M::decode(row.data.as_slice()).unwrap()).collect()
}
