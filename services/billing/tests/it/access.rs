//! Who may not, and branches over every noun.

use contracts::hearth::{
    billing::v1::{
        ledger_service_client::LedgerServiceClient, meter_service_client::MeterServiceClient, payment_service_client::PaymentServiceClient,
        reading_service_client::ReadingServiceClient, supply_service_client::SupplyServiceClient, tariff_service_client::TariffServiceClient, *,
    },
    options::v1::Role,
};
use testbed::{each, key, reason};
use tonic::Code;

use crate::world::{HEPING, HEXI, World, reading, reading_row, tianjin, yuan};

#[tokio::test]
async fn roles_of_section_13_are_held() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-01-31T20:00:00+08:00");
        let cashier = || bed.staff(&[Role::Cashier]);
        let denied = ReadingServiceClient::new(cashier())
            .record_reading(reading(&home, "2025-01-31", "46"))
            .await
            .unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        let denied = TariffServiceClient::new(cashier()).publish_tariff(tianjin()).await.unwrap_err();
        assert_eq!(denied.code(), Code::PermissionDenied);
        let pay = TakePaymentRequest {
            request_id: key(),
            account_id: home.account.clone(),
            amount: yuan("1.00"),
            channel: "COUNTER".to_owned(),
            channel_reference: "1".to_owned(),
            bill_ids: vec![],
        };
        for role in [Role::Accountant, Role::Auditor, Role::Reader, Role::Agent] {
            let denied = PaymentServiceClient::new(bed.staff(&[role])).take_payment(pay.clone()).await.unwrap_err();
            assert_eq!(denied.code(), Code::PermissionDenied, "{role:?}");
        }
        assert_eq!(
            PaymentServiceClient::new(bed.anonymous()).take_payment(pay).await.unwrap_err().code(),
            Code::Unauthenticated
        );
        LedgerServiceClient::new(bed.staff(&[Role::Auditor]))
            .verify_ledger(VerifyLedgerRequest {})
            .await
            .unwrap();
    })
    .await;
}

#[tokio::test]
async fn a_branch_does_not_see_or_touch_what_another_has() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home_in("T1", HEXI).await;
        world.clock("2025-02-28T20:00:00+08:00");
        world.read(&home, "2025-01-31", "46").await;
        let held = world.read(&home, "2025-02-28", "3").await.exceptions.remove(0);
        let roles = [Role::Reader, Role::DistrictManager, Role::Accountant];
        let staff = || bed.staff_of(HEPING, &roles);
        let mut readings = ReadingServiceClient::new(staff());
        assert_eq!(
            reason(&readings.record_reading(reading(&home, "2025-02-27", "60")).await.unwrap_err()),
            "NOT_FOUND"
        );
        let chunk = ImportReadingsRequest {
            request_id: key(),
            dry_run: false,
            rows: vec![reading_row(2, &home, "2025-02-27", "60")],
        };
        let answer = readings
            .import_readings(tokio_stream::iter([chunk]))
            .await
            .unwrap()
            .into_inner()
            .message()
            .await
            .unwrap()
            .unwrap();
        assert_eq!(answer.refused[0].reason, "METER_UNKNOWN");
        assert!(
            readings
                .list_readings(ListReadingsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .readings
                .is_empty()
        );
        assert!(
            readings
                .list_exceptions(ListExceptionsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .exceptions
                .is_empty()
        );
        let reject = RejectExceptionRequest {
            request_id: key(),
            exception_id: held.exception_id.clone(),
            etag: held.etag.clone(),
            grounds: "mine".to_owned(),
        };
        assert_eq!(reason(&readings.reject_exception(reject).await.unwrap_err()), "NOT_FOUND");
        let mut meters = MeterServiceClient::new(staff());
        assert_eq!(
            reason(
                &meters
                    .get_meter_by_number(GetMeterByNumberRequest {
                        meter_no: home.meter_no.clone()
                    })
                    .await
                    .unwrap_err()
            ),
            "NOT_FOUND"
        );
        assert!(
            meters
                .list_installations(ListInstallationsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .installations
                .is_empty()
        );
        let mut own = MeterServiceClient::new(bed.staff_of(HEXI, &roles));
        own.get_meter_by_number(GetMeterByNumberRequest {
            meter_no: home.meter_no.clone(),
        })
        .await
        .unwrap();
        assert_eq!(
            own.list_installations(ListInstallationsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .installations
                .len(),
            1
        );
        let mut own = ReadingServiceClient::new(bed.staff_of(HEXI, &roles));
        assert_eq!(own.list_readings(ListReadingsRequest::default()).await.unwrap().into_inner().readings.len(), 2);
        assert_eq!(
            own.list_exceptions(ListExceptionsRequest::default())
                .await
                .unwrap()
                .into_inner()
                .exceptions
                .len(),
            1
        );
        let mut supplies = SupplyServiceClient::new(staff());
        assert_eq!(
            reason(
                &supplies
                    .get_supply(GetSupplyRequest {
                        agreement_id: home.agreement.clone()
                    })
                    .await
                    .unwrap_err()
            ),
            "NOT_FOUND"
        );
        assert!(
            supplies
                .list_supplies(ListSuppliesRequest::default())
                .await
                .unwrap()
                .into_inner()
                .supplies
                .is_empty()
        );
        let mut ledger = LedgerServiceClient::new(staff());
        assert_eq!(
            reason(
                &ledger
                    .get_balance(GetBalanceRequest {
                        account_id: home.account.clone(),
                        party_id: None
                    })
                    .await
                    .unwrap_err()
            ),
            "NOT_FOUND"
        );
        let mut customer = LedgerServiceClient::new(bed.customer(&home.party));
        customer
            .get_balance(GetBalanceRequest {
                account_id: home.account.clone(),
                party_id: Some(home.party.clone()),
            })
            .await
            .unwrap();
        let mut stranger = LedgerServiceClient::new(bed.customer(&key()));
        let hidden = stranger
            .get_balance(GetBalanceRequest {
                account_id: home.account.clone(),
                party_id: Some(home.party.clone()),
            })
            .await
            .unwrap_err();
        assert_eq!(hidden.code(), Code::PermissionDenied);
    })
    .await;
}
