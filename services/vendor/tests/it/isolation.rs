//! A vendor user sees only its own: every method that a vendor role may call, tried with the ids of another vendor.

use contracts::hearth::{
    options::v1::Role,
    vendor::v1::{
        AcceptOfferRequest, ApplyVipRequest, CompleteDossierRequest, CultureAttestation, DeclineOfferRequest, EndPersonRequest, GetAssessmentRequest,
        GetContractRequest, GetOfferRequest, GetPaymentRequest, GetPersonRequest, GetRemedyRequest, GetRetentionRequest, GetTenderRequest, GetVendorRequest,
        GetVendorResponse, GetVipCaseRequest, ListAssessmentsRequest, ListAssetsRequest, ListContractsRequest, ListOffersRequest, ListPaymentsRequest,
        ListPersonsRequest, ListRatesRequest, ListRemediesRequest, ListTendersRequest, ListVipCasesRequest, ObjectToAssessmentRequest, RecordInvoiceRequest,
        RegisterPersonRequest, ReportRemedyRequest, ReportWorkRequest, ServiceCategory, SubmitQuoteRequest, WithdrawQuoteRequest, WithdrawVipRequest,
    },
};
use guard::GuardedCodec;
use rpc::{AccessTable, Principal, Routes};
use testbed::{Bed, Client, each, key, reason};
use tonic::{Code, Request, Status, client::Grpc};

use crate::{
    field::{Assessments, Field, Settlements, Tenders, Vips, fen},
    remedy::{self, Remedies},
    settlement, tender, vip,
    world::{Contracts, Offers, Persons, Vendors, admitted, approved, date, dossier, get, id_number, offer, offered, set_day, terms, uuid},
};

const REPAIR: ServiceCategory = ServiceCategory::FieldRepair;

/// What belongs to one vendor.
#[derive(Clone)]
struct Things {
    vendor: String,
    vendor_etag: String,
    contract: String,
    person: String,
    person_etag: String,
    offer: String,
    offer_etag: String,
    assessment: String,
    assessment_etag: String,
    payment: String,
    payment_etag: String,
    asset: String,
    remedy: String,
    remedy_etag: String,
    case: String,
    case_etag: String,
    tender: String,
    quote: String,
}

impl Things {
    /// Nobody's.
    fn unknown() -> Self {
        let etag = || "\"0123456789abcdef\"".to_owned();
        Self {
            vendor: uuid(),
            vendor_etag: etag(),
            contract: uuid(),
            person: uuid(),
            person_etag: etag(),
            offer: uuid(),
            offer_etag: etag(),
            assessment: uuid(),
            assessment_etag: etag(),
            payment: uuid(),
            payment_etag: etag(),
            asset: uuid(),
            remedy: uuid(),
            remedy_etag: etag(),
            case: uuid(),
            case_etag: etag(),
            tender: uuid(),
            quote: uuid(),
        }
    }
}

/// What a vendor has after a month of 2025.
async fn things(bed: &Bed, hall: &testbed::Feed, month: i32) -> Things {
    let field = Field::with(bed, hall.clone()).await;
    let asset = settlement::lend(bed, &field, date(2025, 12, 1)).await.unwrap();
    set_day(bed, &format!("2025-{:02}-06", month + 1));
    let assessment = field.try_assess(bed, date(2025, month, 1), None).await.unwrap();
    let remedy = remedy::any(bed, &field).await;
    let payment = settlement::prepare(bed, &field, date(2025, month, 1)).await;
    let told = contracts::hearth::hall::v1::WorkOrderOffered {
        planned_date: Some(date(2025, 12, 1)),
        respond_by: Some(rpc::wire::time(testbed::at("2025-12-01T12:00:00+08:00"))),
        ..offered(&field.vendor, &uuid())
    };
    let offer = offer(bed, hall, told).await;
    let uscc = get(bed, &field.vendor).await.uscc;
    vip::import(bed, vec![vip::trade(&uscc, &uscc, vip::ENOUGH)]).await;
    let case = vip::apply(bed, &field.vendor).await.unwrap();
    let tender = tender::try_open(bed, false, 400_000).await.unwrap();
    let quote = tender::quote(bed, &tender, &field.vendor, 100).await.unwrap();
    Things {
        vendor_etag: get(bed, &field.vendor).await.etag,
        vendor: field.vendor,
        contract: field.contract.contract_id,
        person: field.worker.person_id,
        person_etag: field.worker.etag,
        offer: offer.offer_id,
        offer_etag: offer.etag,
        assessment: assessment.assessment_id,
        assessment_etag: assessment.etag,
        payment: payment.payment_request_id,
        payment_etag: payment.etag,
        asset: asset.asset_id,
        remedy: remedy.remedy_id,
        remedy_etag: remedy.etag,
        case: case.vip_case_id,
        case_etag: case.etag,
        tender: tender.tender_id,
        quote: quote.quote_id,
    }
}

/// Calls a method as `client`, naming `vendor` as the vendor and what else it needs from `of`. Answers how many things were shown or
/// changed. A method that is missing here fails the test.
async fn attempt(client: &Client, method: &str, vendor: &str, of: &Things) -> Result<usize, Status> {
    let (vendors, contracts) = (&mut Vendors::new(client.clone()), &mut Contracts::new(client.clone()));
    let (persons, offers) = (&mut Persons::new(client.clone()), &mut Offers::new(client.clone()));
    let (assessments, settlements) = (&mut Assessments::new(client.clone()), &mut Settlements::new(client.clone()));
    let remedies = &mut Remedies::new(client.clone());
    let (vips, tenders) = (&mut Vips::new(client.clone()), &mut Tenders::new(client.clone()));
    let (request_id, vendor_id) = (key(), vendor.to_owned());
    let (contract_id, person_id, offer_id) = (of.contract.clone(), of.person.clone(), of.offer.clone());
    let reason = || "because".to_owned();
    match method.trim_start_matches("hearth.vendor.v1.") {
        "VendorService/GetVendor" => vendors.get_vendor(GetVendorRequest { vendor_id }).await.map(|_| 1),
        "VendorService/CompleteDossier" => {
            let (etag, category) = (of.vendor_etag.clone(), ServiceCategory::Training.into());
            let request = CompleteDossierRequest {
                request_id,
                vendor_id,
                etag,
                category,
                documents: dossier(),
            };
            vendors.complete_dossier(request).await.map(|_| 1)
        }
        "ContractService/GetContract" => contracts.get_contract(GetContractRequest { vendor_id, contract_id }).await.map(|_| 1),
        "ContractService/ListContracts" => {
            let request = ListContractsRequest {
                vendor_id,
                ..Default::default()
            };
            contracts
                .list_contracts(request)
                .await
                .map(|a| a.into_inner().contracts.iter().filter(|c| c.contract_id == of.contract).count())
        }
        "PersonService/RegisterPerson" => {
            let request = RegisterPersonRequest {
                request_id,
                vendor_id,
                name: "李四".into(),
                id_number: id_number(),
                phone: "13900001111".into(),
                field_work: false,
                key_staff: false,
            };
            persons.register_person(request).await.map(|_| 1)
        }
        "PersonService/EndPerson" => {
            let request = EndPersonRequest {
                request_id,
                vendor_id,
                person_id,
                etag: of.person_etag.clone(),
                reason: reason(),
            };
            persons.end_person(request).await.map(|_| 1)
        }
        "PersonService/GetPerson" => persons.get_person(GetPersonRequest { vendor_id, person_id }).await.map(|_| 1),
        "PersonService/ListPersons" => {
            let request = ListPersonsRequest {
                vendor_id,
                with_ended: true,
                ..Default::default()
            };
            persons
                .list_persons(request)
                .await
                .map(|a| a.into_inner().persons.iter().filter(|p| p.person_id == of.person).count())
        }
        "OfferService/GetOffer" => offers.get_offer(GetOfferRequest { vendor_id, offer_id }).await.map(|_| 1),
        "OfferService/ListOffers" => {
            let request = ListOffersRequest {
                vendor_id,
                ..Default::default()
            };
            offers
                .list_offers(request)
                .await
                .map(|a| a.into_inner().offers.iter().filter(|o| o.offer_id == of.offer).count())
        }
        "OfferService/AcceptOffer" => {
            let request = AcceptOfferRequest {
                request_id,
                vendor_id,
                offer_id,
                person_id,
                etag: String::new(),
            };
            offers.accept_offer(request).await.map(|_| 1)
        }
        "OfferService/DeclineOffer" => {
            let request = DeclineOfferRequest {
                request_id,
                vendor_id,
                offer_id,
                etag: of.offer_etag.clone(),
                reason: reason(),
            };
            offers.decline_offer(request).await.map(|_| 1)
        }
        "OfferService/ReportWork" => {
            let (etag, done_date) = (of.offer_etag.clone(), Some(date(2025, 1, 2)));
            let request = ReportWorkRequest {
                request_id,
                vendor_id,
                offer_id,
                etag,
                summary: "done".into(),
                done_date,
            };
            offers.report_work(request).await.map(|_| 1)
        }
        "AssessmentService/ObjectToAssessment" => {
            let request = ObjectToAssessmentRequest {
                request_id,
                vendor_id,
                assessment_id: of.assessment.clone(),
                etag: of.assessment_etag.clone(),
                objection: reason(),
            };
            assessments.object_to_assessment(request).await.map(|_| 1)
        }
        "AssessmentService/GetAssessment" => {
            let assessment_id = of.assessment.clone();
            assessments.get_assessment(GetAssessmentRequest { vendor_id, assessment_id }).await.map(|_| 1)
        }
        "AssessmentService/ListAssessments" => {
            let request = ListAssessmentsRequest {
                vendor_id,
                ..Default::default()
            };
            let answer = assessments.list_assessments(request).await?.into_inner();
            Ok(answer.assessments.iter().filter(|a| a.assessment_id == of.assessment).count())
        }
        "RemedyService/ReportRemedy" => {
            let request = ReportRemedyRequest {
                request_id,
                vendor_id,
                remedy_id: of.remedy.clone(),
                etag: of.remedy_etag.clone(),
                report: reason(),
            };
            remedies.report_remedy(request).await.map(|_| 1)
        }
        "RemedyService/GetRemedy" => {
            let remedy_id = of.remedy.clone();
            remedies.get_remedy(GetRemedyRequest { vendor_id, remedy_id }).await.map(|_| 1)
        }
        "RemedyService/ListRemedies" => {
            let request = ListRemediesRequest {
                vendor_id,
                ..Default::default()
            };
            let answer = remedies.list_remedies(request).await?.into_inner();
            Ok(answer.remedies.iter().filter(|r| r.remedy_id == of.remedy).count())
        }
        "SettlementService/ListRates" => {
            let request = ListRatesRequest {
                vendor_id,
                contract_id,
                ..Default::default()
            };
            settlements.list_rates(request).await.map(|a| a.into_inner().rates.len())
        }
        "SettlementService/ListAssets" => {
            let request = ListAssetsRequest {
                vendor_id,
                ..Default::default()
            };
            let answer = settlements.list_assets(request).await?.into_inner();
            Ok(answer.assets.iter().filter(|a| a.asset_id == of.asset).count())
        }
        "SettlementService/RecordInvoice" => {
            let request = RecordInvoiceRequest {
                request_id,
                vendor_id,
                payment_request_id: of.payment.clone(),
                etag: of.payment_etag.clone(),
                invoice_no: "1".into(),
                invoice_date: Some(date(2025, 1, 2)),
                ..Default::default()
            };
            settlements.record_invoice(request).await.map(|_| 1)
        }
        "SettlementService/GetPayment" => {
            let payment_request_id = of.payment.clone();
            settlements.get_payment(GetPaymentRequest { vendor_id, payment_request_id }).await.map(|_| 1)
        }
        "SettlementService/ListPayments" => {
            let request = ListPaymentsRequest {
                vendor_id,
                ..Default::default()
            };
            let answer = settlements.list_payments(request).await?.into_inner();
            Ok(answer.payment_requests.iter().filter(|p| p.payment_request_id == of.payment).count())
        }
        "SettlementService/GetRetention" => settlements.get_retention(GetRetentionRequest { vendor_id, contract_id }).await.map(|_| 1),
        "VipService/ApplyVip" => {
            let request = ApplyVipRequest {
                request_id,
                vendor_id,
                attestation: Some(CultureAttestation {
                    document: "C-1".into(),
                    signed_date: Some(date(2025, 1, 2)),
                }),
            };
            vips.apply_vip(request).await.map(|_| 1)
        }
        "VipService/WithdrawVip" => {
            let request = WithdrawVipRequest {
                request_id,
                vendor_id,
                vip_case_id: of.case.clone(),
                etag: of.case_etag.clone(),
                reason: reason(),
            };
            vips.withdraw_vip(request).await.map(|_| 1)
        }
        "VipService/GetVipCase" => {
            let vip_case_id = of.case.clone();
            vips.get_vip_case(GetVipCaseRequest { vendor_id, vip_case_id }).await.map(|_| 1)
        }
        "VipService/ListVipCases" => {
            let request = ListVipCasesRequest {
                vendor_id,
                ..Default::default()
            };
            let answer = vips.list_vip_cases(request).await?.into_inner();
            Ok(answer.vip_cases.iter().filter(|c| c.vip_case_id == of.case).count())
        }
        "TenderService/SubmitQuote" => {
            let request = SubmitQuoteRequest {
                request_id,
                vendor_id,
                tender_id: of.tender.clone(),
                final_price: fen(1),
            };
            tenders.submit_quote(request).await.map(|_| 1)
        }
        "TenderService/WithdrawQuote" => {
            let request = WithdrawQuoteRequest {
                request_id,
                vendor_id,
                tender_id: of.tender.clone(),
                quote_id: of.quote.clone(),
            };
            tenders.withdraw_quote(request).await.map(|_| 1)
        }
        "TenderService/GetTender" => {
            let tender_id = of.tender.clone();
            let answer = tenders.get_tender(GetTenderRequest { vendor_id, tender_id }).await?.into_inner();
            Ok(answer.tender.unwrap().quotes.iter().filter(|q| q.quote_id == of.quote).count())
        }
        "TenderService/ListTenders" => {
            let request = ListTendersRequest {
                vendor_id,
                ..Default::default()
            };
            let answer = tenders.list_tenders(request).await?.into_inner();
            let quotes = answer.tenders.iter().flat_map(|t| &t.quotes);
            Ok(quotes.filter(|q| q.quote_id == of.quote).count())
        }
        missing => panic!("{missing} may be called by vendors and is not tried with another vendor's ids"),
    }
}

/// Methods whose only object is the vendor that they name, or a tender, which is open to all vendors.
const NAMES_THE_VENDOR_ONLY: &[&str] = &[
    "VendorService/GetVendor",
    "VendorService/CompleteDossier",
    "PersonService/RegisterPerson",
    "VipService/ApplyVip",
    "TenderService/SubmitQuote",
    "TenderService/GetTender",
];

fn methods() -> (Vec<String>, Vec<String>) {
    let table = AccessTable::read().unwrap();
    let vendor_roles = [i32::from(Role::VendorAdmin), i32::from(Role::VendorWorker)];
    let ours = table.methods().into_iter().filter(|m| m.name.starts_with("hearth.vendor.v1."));
    let (open, closed): (Vec<_>, Vec<_>) = ours.partition(|m| m.access.roles.iter().any(|role| vendor_roles.contains(role)));
    for method in &open {
        assert_eq!(method.access.vendor_field, "vendor_id", "{}", method.name);
    }
    let names = |methods: Vec<&rpc::Method>| methods.into_iter().map(|m| m.name.clone()).collect();
    (names(open), names(closed))
}

fn shape(outcome: Result<usize, Status>) -> Result<usize, (Code, String, String)> {
    outcome.map_err(|status| (status.code(), reason(&status), status.message().to_owned()))
}

#[tokio::test(flavor = "multi_thread")]
async fn another_vendors_ids_look_like_unknown_ones_in_every_method() {
    each(vendor::SERVICE, async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let own = things(bed, &hall, 1).await;
        let foreign = things(bed, &hall, 2).await;
        let client = bed.vendor_user(&own.vendor, &[Role::VendorAdmin, Role::VendorWorker]);
        let (open, _) = methods();
        assert!(open.len() >= 30);
        for method in &open {
            // Naming the other vendor is refused before anything is looked at, in the same words as naming one that is not there.
            let named = shape(attempt(&client, method, &foreign.vendor, &foreign).await);
            assert_eq!(named, shape(attempt(&client, method, &uuid(), &Things::unknown()).await), "{method}");
            assert_eq!(named.as_ref().unwrap_err().0, Code::PermissionDenied, "{method}");
            assert_eq!(named.unwrap_err().1, "TENANT_SCOPE", "{method}");
            if NAMES_THE_VENDOR_ONLY.iter().any(|name| method.ends_with(name)) {
                continue;
            }
            // Naming oneself and a thing of the other vendor finds as little as naming one that is not there.
            let slipped = shape(attempt(&client, method, &own.vendor, &foreign).await);
            assert_eq!(slipped, shape(attempt(&client, method, &own.vendor, &Things::unknown()).await), "{method}");
            match slipped {
                Ok(shown) => assert_eq!(shown, 0, "{method} shows a thing of another vendor"),
                Err((code, ..)) => assert_eq!(code, Code::NotFound, "{method}"),
            }
        }
        // One's own person on one's own offer only: neither half may be the other vendor's.
        let mixed = [
            Things {
                person: foreign.person.clone(),
                ..own.clone()
            },
            Things {
                offer: foreign.offer.clone(),
                ..own.clone()
            },
        ];
        for things in mixed {
            let outcome = shape(attempt(&client, "hearth.vendor.v1.OfferService/AcceptOffer", &own.vendor, &things).await);
            assert_eq!(outcome.unwrap_err().0, Code::NotFound);
        }
        let seen = attempt(&client, "hearth.vendor.v1.TenderService/GetTender", &own.vendor, &foreign).await;
        assert_eq!(seen.unwrap(), 0, "the tender is open to all, the other vendor's quote is not");
        // Nothing of the other vendor has changed, and the same calls do work on one's own.
        let after = get(bed, &foreign.vendor).await;
        assert_eq!(after.etag, foreign.vendor_etag);
        for method in [
            "VendorService/GetVendor",
            "ContractService/GetContract",
            "ContractService/ListContracts",
            "PersonService/GetPerson",
            "PersonService/ListPersons",
            "OfferService/GetOffer",
            "OfferService/ListOffers",
            "OfferService/AcceptOffer",
            "PersonService/EndPerson",
            "AssessmentService/GetAssessment",
            "AssessmentService/ListAssessments",
            "RemedyService/GetRemedy",
            "RemedyService/ListRemedies",
            "RemedyService/ReportRemedy",
            "SettlementService/ListRates",
            "SettlementService/ListAssets",
            "SettlementService/RecordInvoice",
            "SettlementService/GetPayment",
            "SettlementService/ListPayments",
            "SettlementService/GetRetention",
            "VipService/GetVipCase",
            "VipService/ListVipCases",
            "VipService/WithdrawVip",
            "TenderService/GetTender",
            "TenderService/ListTenders",
            "TenderService/WithdrawQuote",
        ] {
            assert_eq!(attempt(&client, method, &own.vendor, &own).await.unwrap(), 1, "{method}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_other_method_is_closed_to_vendors() {
    each(vendor::SERVICE, async |bed| {
        let vendor = uuid();
        let plain = bed.vendor_user(&vendor, &[Role::VendorAdmin, Role::VendorWorker]);
        // One who got roles of the utility by mistake is still bound to the vendor.
        let every: Vec<i32> = (1..40).filter(|n| Role::try_from(*n).is_ok()).collect();
        let mixed = bed.caller(&Principal {
            subject: "mixed".into(),
            roles: every,
            vendor: Some(vendor),
            ..Principal::default()
        });
        let (_, closed) = methods();
        assert!(closed.len() > 20);
        for method in closed {
            for client in [&plain, &mixed] {
                let mut grpc = Grpc::new(client.clone());
                grpc.ready().await.unwrap();
                let path = format!("/{method}").parse().unwrap();
                // The gate decides before it decodes, so any message will do.
                let codec = GuardedCodec::<GetVendorRequest, GetVendorResponse>::default();
                let status = grpc.unary(Request::new(GetVendorRequest::default()), path, codec).await.unwrap_err();
                assert_eq!(
                    (status.code(), reason(&status)),
                    (Code::PermissionDenied, "METHOD_NOT_ALLOWED".into()),
                    "{method}"
                );
            }
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vendors_do_not_learn_who_judged_them() {
    each(vendor::SERVICE, async |bed| {
        let vendor = admitted(bed, REPAIR).await.vendor_id;
        let contract = approved(bed, &vendor, terms(bed, REPAIR)).await;
        let user = bed.vendor_user(&vendor, &[Role::VendorAdmin]);
        let seen = Vendors::new(user.clone())
            .get_vendor(GetVendorRequest { vendor_id: vendor.clone() })
            .await
            .unwrap()
            .into_inner()
            .vendor
            .unwrap();
        assert!(seen.qualifications[0].verifier.is_empty() && seen.qualifications[0].scorer.is_empty());
        let request = GetContractRequest {
            vendor_id: vendor.clone(),
            contract_id: contract.contract_id,
        };
        let shown = Contracts::new(user).get_contract(request).await.unwrap().into_inner().contract.unwrap();
        assert!(shown.creator.is_empty() && shown.approver.is_empty() && shown.signer.is_empty());
        assert!(shown.state_reason.is_empty() && seen.state_reason.is_empty());
        assert_eq!(get(bed, &vendor).await.qualifications[0].verifier, "verifier");
    })
    .await;
}
