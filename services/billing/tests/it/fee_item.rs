//! and edge 46: what may be charged.

use contracts::hearth::{
    billing::v1::{fee_item_service_client::FeeItemServiceClient, *},
    options::v1::Role,
};
use testbed::{each, key, reason};

use crate::{
    dues::{charge_of, fees, item, pay, publish},
    world::{HEPING, HEXI, World, day, metres, text, yuan},
};

#[tokio::test]
async fn a_04_charge_is_priced_by_the_item_in_force() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-02-20T09:00:00+08:00");
        let first = publish(&world, item("PIPE_MOVE", "80.50")).await;
        assert_eq!((first.version, first.state(), first.until_date), (1, fee_item::State::InForce, None));
        let second = publish(
            &world,
            PublishFeeItemRequest {
                from_date: day("2025-03-01"),
                ..item("PIPE_MOVE", "90")
            },
        )
        .await;
        assert_eq!((second.version, second.price.clone()), (2, metres("90")));
        world.clock("2025-03-10T09:00:00+08:00");
        let seen = fees(&world)
            .get_fee_item(GetFeeItemRequest {
                fee_item_id: first.fee_item_id.clone(),
            })
            .await
            .unwrap()
            .into_inner()
            .fee_item
            .unwrap();
        assert_eq!(
            (seen.until_date, seen.state()),
            (day("2025-03-01"), fee_item::State::Ended),
            "the new version ends the one before"
        );
        let mut cashier = FeeItemServiceClient::new(bed.staff(&[Role::Cashier]));
        let bill = cashier
            .charge_fee(charge_of(&home, "PIPE_MOVE", "2.5"))
            .await
            .unwrap()
            .into_inner()
            .bill
            .unwrap();
        assert_eq!(
            (bill.kind(), bill.state(), text(&bill.amount).as_str()),
            (bill::Kind::Fee, bill::State::Issued, "225.00")
        );
        assert_eq!(
            (bill.fee_item_id.as_str(), &bill.issue_date, &bill.due_date),
            (second.fee_item_id.as_str(), &day("2025-03-10"), &day("2025-03-25"))
        );
        let line = &bill.lines[0];
        assert_eq!(
            (line.reason.as_str(), &line.quantity, &line.price, &line.volume),
            ("FEE", &metres("2.5"), &metres("90"), &None)
        );
        let earlier = ChargeFeeRequest {
            service_date: day("2025-02-28"),
            ..charge_of(&home, "PIPE_MOVE", "1")
        };
        let earlier = cashier.charge_fee(earlier).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(text(&earlier.amount), "80.50", "the price of the day of the service");
        assert_eq!(world.balance(&home).await, ("305.50".to_owned(), "0.00".to_owned()));
        let paid = pay(&world, &home, "400.00", "1").await;
        assert_eq!(text(&paid.prepayment), "94.50");
        let next = cashier.charge_fee(charge_of(&home, "PIPE_MOVE", "1")).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(
            (next.state(), text(&next.paid).as_str()),
            (bill::State::Paid, "90.00"),
            "paid from what was paid ahead"
        );
        // A charge is taken back as any bill.
        let reverse = ReverseBillRequest {
            request_id: key(),
            bill_id: next.bill_id,
            etag: next.etag,
            reason: "not done".to_owned(),
            reading_was_wrong: false,
        };
        let back = world.bills().reverse_bill(reverse).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(
            (back.state(), world.balance(&home).await),
            (bill::State::Reversed, ("0.00".to_owned(), "94.50".to_owned()))
        );
        world.sound().await;
        let listed = fees(&world)
            .list_fee_items(ListFeeItemsRequest {
                on_date: day("2025-02-01"),
                ..Default::default()
            })
            .await
            .unwrap()
            .into_inner()
            .fee_items;
        assert_eq!(listed.iter().map(|i| i.version).collect::<Vec<_>>(), [1]);
        assert_eq!(
            world
                .count("SELECT count(*) FROM event WHERE kind = 'hearth.billing.v1.FeeItemPublished'")
                .await,
            2
        );
    })
    .await;
}

#[tokio::test]
async fn a_04_a_price_is_charged_from_the_day_on_which_it_was_published() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        let on = |date: &str| ChargeFeeRequest {
            service_date: day(date),
            ..charge_of(&home, "VISIT", "1")
        };
        let from = |date: &str| PublishFeeItemRequest {
            from_date: day(date),
            ..item("VISIT", "60")
        };
        world.clock("2025-03-10T09:00:00+08:00");
        // In force since September by its document; nobody could know of it before today.
        let first = publish(&world, item("VISIT", "50")).await;
        assert_eq!(reason(&fees(&world).charge_fee(on("2025-03-09")).await.unwrap_err()), "FEE_ITEM_UNPUBLISHED");
        world.clock("2025-03-12T09:00:00+08:00");
        let old = fees(&world).charge_fee(on("2025-03-12")).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(text(&old.amount), "50.00");
        // What is charged at the published price stays right: the next price begins tomorrow.
        for date in ["2025-03-11", "2025-03-12"] {
            let refused = fees(&world).publish_fee_item(from(date)).await.unwrap_err();
            assert_eq!(reason(&refused), "FEE_ITEM_TOO_SOON", "{date}");
        }
        let next = publish(&world, from("2025-03-13")).await;
        world.clock("2025-03-13T09:00:00+08:00");
        let new = fees(&world).charge_fee(on("2025-03-13")).await.unwrap().into_inner().bill.unwrap();
        let late = fees(&world).charge_fee(on("2025-03-12")).await.unwrap().into_inner().bill.unwrap();
        assert_eq!(
            [&new, &late].map(|b| (text(&b.amount), b.fee_item_id.clone())),
            [("60.00".to_owned(), next.fee_item_id), ("50.00".to_owned(), first.fee_item_id)]
        );
        // After a withdrawal nothing is replaced; the days between have no price.
        let current = ListFeeItemsRequest {
            on_date: day("2025-03-13"),
            ..Default::default()
        };
        let current = fees(&world).list_fee_items(current).await.unwrap().into_inner().fee_items.remove(0);
        let withdraw = WithdrawFeeItemRequest {
            request_id: key(),
            fee_item_id: current.fee_item_id,
            etag: current.etag,
            until_date: day("2025-03-13"),
            reason: "withdrawn by notice 8".to_owned(),
        };
        let answer = fees(&world).withdraw_fee_item(withdraw).await.unwrap().into_inner();
        assert_eq!(answer.reversed_bill_ids, [new.bill_id]);
        world.clock("2025-03-15T09:00:00+08:00");
        publish(&world, from("2025-03-13")).await;
        assert_eq!(reason(&fees(&world).charge_fee(on("2025-03-14")).await.unwrap_err()), "FEE_ITEM_UNPUBLISHED");
        fees(&world).charge_fee(on("2025-03-15")).await.unwrap();
        assert_eq!(world.sound().await.revenue, yuan("160.00"));
    })
    .await;
}

#[tokio::test]
async fn a_04_charges_without_a_ground_are_refused() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        let foreign = world.home_in("T2", HEPING).await;
        world.clock("2025-03-10T09:00:00+08:00");
        publish(
            &world,
            PublishFeeItemRequest {
                customer_classes: vec!["non-resident".to_owned()],
                ..item("SHOP_VISIT", "50")
            },
        )
        .await;
        publish(
            &world,
            PublishFeeItemRequest {
                until_date: day("2025-03-10"),
                ..item("OLD_VISIT", "50")
            },
        )
        .await;
        publish(
            &world,
            PublishFeeItemRequest {
                from_date: day("2025-03-11"),
                ..item("NEW_VISIT", "50")
            },
        )
        .await;
        publish(&world, item("VISIT", "50")).await;
        for (code, quantity, wanted) in [
            ("NO_SUCH", "1", "FEE_ITEM_UNKNOWN"),
            ("OLD_VISIT", "1", "FEE_ITEM_NOT_IN_FORCE"),
            ("NEW_VISIT", "1", "FEE_ITEM_NOT_IN_FORCE"),
            ("SHOP_VISIT", "1", "FEE_ITEM_CLASS"),
            ("VISIT", "0", "QUANTITY"),
            ("VISIT", "-1", "QUANTITY"),
            ("VISIT", "999999999", "QUANTITY"),
        ] {
            let refused = fees(&world).charge_fee(charge_of(&home, code, quantity)).await.unwrap_err();
            assert_eq!(reason(&refused), wanted, "{code} {quantity}");
        }
        let tomorrow = ChargeFeeRequest {
            service_date: day("2025-03-11"),
            ..charge_of(&home, "VISIT", "1")
        };
        assert_eq!(reason(&fees(&world).charge_fee(tomorrow).await.unwrap_err()), "FUTURE_SERVICE");
        let other = ChargeFeeRequest {
            agreement_id: Some(foreign.agreement.clone()),
            ..charge_of(&home, "VISIT", "1")
        };
        assert_eq!(
            reason(&fees(&world).charge_fee(other).await.unwrap_err()),
            "NOT_FOUND",
            "an agreement of another account"
        );
        let mut local = FeeItemServiceClient::new(bed.staff_of(HEXI, &[Role::Cashier]));
        assert_eq!(
            reason(&local.charge_fee(charge_of(&foreign, "VISIT", "1")).await.unwrap_err()),
            "NOT_FOUND",
            "an account of another branch"
        );
        for (request, wanted) in [
            (
                PublishFeeItemRequest {
                    legal_basis: String::new(),
                    ..item("X1", "1")
                },
                "LEGAL_BASIS_MISSING",
            ),
            (
                PublishFeeItemRequest {
                    approving_body: " ".to_owned(),
                    ..item("X1", "1")
                },
                "LEGAL_BASIS_MISSING",
            ),
            (item("X1", "0"), "FEE_PRICE"),
            (
                PublishFeeItemRequest {
                    until_date: day("2024-09-01"),
                    ..item("X1", "1")
                },
                "DATE_ORDER",
            ),
            (
                PublishFeeItemRequest {
                    from_date: day("2025-02-01"),
                    ..item("OLD_VISIT", "60")
                },
                "FEE_ITEM_OVERLAP",
            ),
            (
                PublishFeeItemRequest {
                    from_date: day("2024-01-01"),
                    ..item("VISIT", "60")
                },
                "FEE_ITEM_OVERLAP",
            ),
        ] {
            assert_eq!(reason(&fees(&world).publish_fee_item(request).await.unwrap_err()), wanted);
        }
        for sql in ["UPDATE fee_item SET price = 1", "DELETE FROM fee_item"] {
            assert!(world.sql(sql).await.unwrap_err().to_string().contains("fee_item_is_immutable"), "{sql}");
        }
        for role in [Role::Auditor, Role::Agent, Role::Reader, Role::DistrictManager] {
            let mut other = FeeItemServiceClient::new(bed.staff(&[role]));
            let denied = other.charge_fee(charge_of(&home, "VISIT", "1")).await.unwrap_err();
            assert_eq!(denied.code(), tonic::Code::PermissionDenied, "{role:?}");
            assert_eq!(
                other.publish_fee_item(item("X2", "1")).await.unwrap_err().code(),
                tonic::Code::PermissionDenied,
                "{role:?}"
            );
        }
        assert_eq!(world.balance(&home).await, ("0.00".to_owned(), "0.00".to_owned()));
    })
    .await;
}

#[tokio::test]
async fn a_05_banned_fees_cannot_be_published() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        world.clock("2025-03-10T09:00:00+08:00");
        for request in [
            item("METER_COST", "300"),
            item("GAS_IGNITION_2", "60"),
            PublishFeeItemRequest {
                name: "居民燃气开户费".to_owned(),
                ..item("SERVICE_A", "60")
            },
            PublishFeeItemRequest {
                name: "热力管网建设费".to_owned(),
                ..item("SERVICE_B", "60")
            },
            PublishFeeItemRequest {
                from_date: day("2019-01-01"),
                ..item("GAS_OPENING", "60")
            },
        ] {
            assert_eq!(reason(&fees(&world).publish_fee_item(request).await.unwrap_err()), "FEE_BANNED");
        }
        let history = PublishFeeItemRequest {
            from_date: day("2019-01-01"),
            until_date: day("2021-03-01"),
            ..item("GAS_OPENING", "60")
        };
        assert_eq!(publish(&world, history).await.state(), fee_item::State::Ended);
        let home = world.home("T1").await;
        assert_eq!(
            reason(&fees(&world).charge_fee(charge_of(&home, "GAS_OPENING", "1")).await.unwrap_err()),
            "FEE_ITEM_NOT_IN_FORCE"
        );
    })
    .await;
}

#[tokio::test]
async fn edge_46_withdrawn_item_takes_later_charges_back_and_leaves_earlier_ones() {
    each(billing::SERVICE, async |bed| {
        let world = World::new(bed).await;
        let home = world.home("T1").await;
        world.clock("2025-03-01T09:00:00+08:00");
        let visit = publish(&world, item("VISIT", "50")).await;
        world.clock("2025-03-10T09:00:00+08:00");
        let on = |date: &str| ChargeFeeRequest {
            service_date: day(date),
            ..charge_of(&home, "VISIT", "1")
        };
        let early = fees(&world).charge_fee(on("2025-03-04")).await.unwrap().into_inner().bill.unwrap();
        let late = fees(&world).charge_fee(on("2025-03-05")).await.unwrap().into_inner().bill.unwrap();
        let named = TakePaymentRequest {
            bill_ids: vec![late.bill_id.clone()],
            ..crate::dues::take(&home, "50.00", "1")
        };
        world.cashier().take_payment(named).await.unwrap();
        let withdraw = |until: &str, item: &FeeItem| WithdrawFeeItemRequest {
            request_id: key(),
            fee_item_id: item.fee_item_id.clone(),
            etag: item.etag.clone(),
            until_date: day(until),
            reason: "withdrawn by notice 7".to_owned(),
        };
        assert_eq!(
            reason(&fees(&world).withdraw_fee_item(withdraw("2024-08-31", &visit)).await.unwrap_err()),
            "DATE_ORDER"
        );
        let answer = fees(&world).withdraw_fee_item(withdraw("2025-03-05", &visit)).await.unwrap().into_inner();
        assert_eq!(answer.reversed_bill_ids, std::slice::from_ref(&late.bill_id));
        let ended = answer.fee_item.unwrap();
        assert_eq!((ended.state(), &ended.until_date), (fee_item::State::Ended, &day("2025-03-05")));
        assert_eq!(
            reason(&fees(&world).withdraw_fee_item(withdraw("2025-03-09", &visit)).await.unwrap_err()),
            "ETAG_MISMATCH"
        );
        assert_eq!(
            reason(&fees(&world).withdraw_fee_item(withdraw("2025-03-09", &ended)).await.unwrap_err()),
            "FEE_ITEM_ENDED"
        );
        assert_eq!(reason(&fees(&world).charge_fee(on("2025-03-05")).await.unwrap_err()), "FEE_ITEM_NOT_IN_FORCE");
        fees(&world).charge_fee(on("2025-03-03")).await.unwrap();
        // What was paid for the later one pays the earlier one.
        let bills = world.bills_of(&home).await;
        let state = |id: &str| bills.iter().find(|b| b.bill_id == id).unwrap().state();
        assert_eq!((state(&early.bill_id), state(&late.bill_id)), (bill::State::Paid, bill::State::Reversed));
        assert_eq!(world.balance(&home).await, ("50.00".to_owned(), "0.00".to_owned()));
        assert_eq!(world.sound().await.revenue, yuan("100.00"));
    })
    .await;
}
