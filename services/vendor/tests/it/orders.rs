//! An acceptance that is sent twice, one that comes late, and hall's withdrawal that is delivered twice, in every order that there is.

use contracts::hearth::{
    hall::v1::{WorkOrderOffered, WorkOrderWithdrawn},
    options::v1::Role,
    vendor::v1::{AcceptOfferRequest, ServiceCategory, WorkOrderAccepted, offer::State},
};
use database::Engine;
use rpc::Routes;
use testbed::{Bed, Feed, each_of, eventually, key, means::runs, reason};

use crate::world::{Offers, admitted, date, events, offer, offered, offers_of, payloads, repairer, uuid};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Accept,
    Late,
    Withdraw,
}

/// Two acceptances, a late one and two withdrawals in each order.
fn orders() -> Vec<Vec<Says>> {
    fn more(left: [(Says, usize); 3], said: &[Says], all: &mut Vec<Vec<Says>>) {
        if said.len() == 5 {
            all.push(said.to_vec());
        }
        for at in (0..3).filter(|at| left[*at].1 > 0) {
            let mut rest = left;
            rest[at].1 -= 1;
            more(rest, &[said, &[left[at].0]].concat(), all);
        }
    }
    let mut all = vec![];
    more([(Says::Accept, 2), (Says::Late, 1), (Says::Withdraw, 2)], &[], &mut all);
    all
}

/// Waits until everything that hall has told is taken.
async fn caught_up(bed: &Bed, hall: &Feed, vendor: &str) {
    offer(bed, hall, offered(vendor, &uuid())).await;
}

/// E7: the end is the same in each, there is one effect of each kind, and none after the withdrawal.
#[tokio::test(flavor = "multi_thread")]
async fn r_e7_an_acceptance_and_its_withdrawal_in_every_order_come_to_one_end() {
    let orders = orders();
    assert_eq!(orders.len(), 30);
    each_of(vendor::SERVICE, runs(&[Engine::Sqlite][..], &[Engine::Sqlite, Engine::Postgres]), async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, ServiceCategory::FieldRepair).await.vendor_id;
        let worker = repairer(bed, &vendor).await;
        let mut user = Offers::new(bed.vendor_user(&vendor, &[Role::VendorWorker]));
        let mut accepted = vec![];
        for order in &orders {
            let order_id = uuid();
            let begun = offer(bed, &hall, offered(&vendor, &order_id)).await;
            let accept = AcceptOfferRequest {
                request_id: key(),
                vendor_id: vendor.clone(),
                offer_id: begun.offer_id.clone(),
                person_id: worker.person_id.clone(),
                etag: String::new(),
            };
            let (mut told, mut taken, mut first) = (None, false, None);
            for says in order {
                let request = match says {
                    Says::Accept => accept.clone(),
                    Says::Late => AcceptOfferRequest {
                        request_id: key(),
                        ..accept.clone()
                    },
                    Says::Withdraw => {
                        match told {
                            Some(position) => hall.repeat(position),
                            None => {
                                let withdrawn = WorkOrderWithdrawn {
                                    order_id: order_id.clone(),
                                    vendor_id: vendor.clone(),
                                    reason: "CANCELLED".into(),
                                };
                                told = Some(hall.tell(&order_id, &withdrawn));
                            }
                        }
                        caught_up(bed, &hall, &vendor).await;
                        continue;
                    }
                };
                let answer = user.accept_offer(request).await.map(|answer| answer.into_inner());
                match answer {
                    // The first that was said is said again, whatever happened since.
                    Ok(answer) if *says == Says::Accept && first.is_some() => assert_eq!(Some(answer), first, "{order:?}"),
                    Ok(answer) => {
                        assert!(told.is_none() && !taken, "{order:?}: {says:?} had an effect too many");
                        taken = true;
                        if *says == Says::Accept {
                            first = Some(answer);
                        }
                    }
                    Err(status) => {
                        let expected = if told.is_some() { "OFFER_STATE" } else { "OFFER_TAKEN" };
                        assert_eq!(reason(&status), expected, "{order:?}: {says:?}");
                        assert!(told.is_some() || taken, "{order:?}: {says:?} was refused and came first");
                    }
                }
            }
            let end = offers_of(bed, &order_id).await;
            assert_eq!(end.iter().map(|offer| offer.state()).collect::<Vec<_>>(), [State::Withdrawn], "{order:?}");
            assert_eq!(taken, order[0] != Says::Withdraw, "{order:?}");
            accepted.extend(taken.then_some(begun.offer_id));
        }
        // VendorAdmitted and VendorPersonCertified, and one for each that was accepted.
        let told: Vec<WorkOrderAccepted> = payloads(&events(bed, 2 + accepted.len()).await);
        assert_eq!(told.into_iter().map(|event| event.offer_id).collect::<Vec<_>>(), accepted);
    })
    .await;
}

/// Three deliveries in each order, and in each order with one of them twice.
fn lines() -> Vec<Vec<usize>> {
    let places = |length: u32| (0..3_usize.pow(length)).map(move |n| (0..length).map(|at| n / 3_usize.pow(at) % 3).collect::<Vec<_>>());
    places(3).chain(places(4)).filter(|line| (0..3).all(|place| line.contains(&place))).collect()
}

/// E2, E7: three offers of one order, each of which replaces the one before, over lines that turn them round and repeat them: each has one effect, in
/// their own order.
#[tokio::test(flavor = "multi_thread")]
async fn r_e2_e7_deliveries_in_every_order_and_twice_have_one_effect_in_theirs() {
    let lines = lines();
    assert_eq!(lines.len(), 6 + 36);
    each_of(vendor::SERVICE, runs(&[Engine::Sqlite][..], &[Engine::Sqlite, Engine::Postgres]), async |bed| {
        let hall = bed.fake("hall", Routes::default()).await;
        let vendor = admitted(bed, ServiceCategory::FieldRepair).await.vendor_id;
        for line in &lines {
            let order_id = uuid();
            let days = [10, 11, 12];
            let told = days.map(|day| WorkOrderOffered {
                planned_date: Some(date(2025, 1, day)),
                ..offered(&vendor, &order_id)
            });
            hall.tell_garbled(&order_id, &told, line);
            let found = eventually("all of them", async || {
                let found = offers_of(bed, &order_id).await;
                (found.len() >= days.len()).then_some(found)
            })
            .await;
            let mut found: Vec<_> = found.iter().map(|offer| (offer.planned_date.unwrap().day, offer.state())).collect();
            found.sort_unstable();
            assert_eq!(found, [(10, State::Withdrawn), (11, State::Withdrawn), (12, State::Offered)], "{line:?}");
        }
        caught_up(bed, &hall, &vendor).await;
    })
    .await;
}
