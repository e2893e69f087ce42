use std::{
    collections::HashMap,
    net::IpAddr,
    num::NonZeroU32,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use governor::{
    DefaultKeyedRateLimiter, Quota, RateLimiter,
    clock::{Clock, DefaultClock},
};
use guard::{
    Principal,
    status::{self, Details},
};
use tonic::{Code, Status};

use crate::Load;

/// How much more than a person a service may ask.
const SERVICE: u32 = 10;
/// Callers that have been quiet are forgotten after so many calls.
const SWEEP: u32 = 4096;

type Counts = Arc<Mutex<HashMap<String, u32>>>;

/// What each caller has asked of late, and has in hand.
pub(crate) struct Callers {
    people: DefaultKeyedRateLimiter<String>,
    services: DefaultKeyedRateLimiter<String>,
    quota: u32,
    of_one: u32,
    in_hand: Counts,
    calls: AtomicU32,
}

/// A call that counts with its caller until it is dropped.
pub(crate) struct InHand {
    key: String,
    counts: Counts,
}

impl Drop for InHand {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get_mut(&self.key) {
            Some(count) if *count > 1 => *count = count.saturating_sub(1),
            _ => {
                counts.remove(&self.key);
            }
        }
    }
}

/// Why a caller has to wait.
#[derive(Debug, PartialEq)]
pub(crate) enum Refused {
    Quota {
        /// `caller`, `vendor` or `service`.
        whose: &'static str,
        /// Calls a second.
        quota: u32,
        pause: Duration,
    },
    Concurrency(u32),
}

impl Callers {
    pub fn new(load: &Load) -> Self {
        let limiter = |times: u32| {
            let rate = |n: u32| NonZeroU32::new(n).unwrap_or(NonZeroU32::MIN);
            let a_second = load.quota.saturating_mul(times);
            RateLimiter::keyed(Quota::per_second(rate(a_second)).allow_burst(rate(a_second.saturating_mul(2))))
        };
        Self {
            people: limiter(1),
            services: limiter(SERVICE),
            quota: load.quota,
            of_one: load.of_one,
            in_hand: Counts::default(),
            calls: AtomicU32::new(0),
        }
    }

    /// Counts a call with whoever is responsible for it: the service that calls, else the subject of the token and its vendor; where
    /// nobody is known, the address.
    pub fn admit(&self, principal: &Principal, from: Option<IpAddr>) -> Result<InHand, Refused> {
        let key = match (&principal.service, from) {
            (Some(service), _) => format!("service:{service}"),
            (None, Some(from)) if principal.subject == "public" => from.to_string(),
            _ => format!("caller:{}", principal.subject),
        };
        match &principal.service {
            Some(_) => check(&self.services, &key, "service", self.quota.saturating_mul(SERVICE))?,
            None => {
                check(&self.people, &key, "caller", self.quota)?;
                if let Some(vendor) = &principal.vendor {
                    check(&self.people, &format!("vendor:{vendor}"), "vendor", self.quota)?;
                }
            }
        }
        if self.calls.fetch_add(1, Ordering::Relaxed) % SWEEP == SWEEP - 1 {
            self.people.retain_recent();
            self.services.retain_recent();
        }
        let most = if principal.service.is_some() {
            self.of_one.saturating_mul(SERVICE)
        } else {
            self.of_one
        };
        let mut counts = self.in_hand.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(key.clone()).or_default();
        if *count >= most {
            return Err(Refused::Concurrency(most));
        }
        *count = count.saturating_add(1);
        Ok(InHand {
            key,
            counts: self.in_hand.clone(),
        })
    }
}

fn check(limiter: &DefaultKeyedRateLimiter<String>, key: &String, whose: &'static str, quota: u32) -> Result<(), Refused> {
    limiter.check_key(key).map_err(|until| Refused::Quota {
        whose,
        quota,
        pause: until.wait_time_from(DefaultClock::default().now()),
    })
}

impl Refused {
    pub fn into_status(self, service: &str) -> Status {
        match self {
            Self::Quota { whose, quota, pause } => {
                let details = Details {
                    retry: Some(pause),
                    quota: Some((whose.to_owned(), format!("{quota} calls a second"))),
                    ..Details::default()
                };
                status::build(Code::ResourceExhausted, service, "QUOTA_EXCEEDED", "more calls than the quota allows", details)
            }
            Self::Concurrency(most) => {
                let details = Details {
                    quota: Some(("caller".to_owned(), format!("{most} calls at once"))),
                    ..Details::default()
                };
                let text = "more calls at once than a caller may have in hand";
                status::build(Code::ResourceExhausted, service, "CONCURRENCY_EXCEEDED", text, details)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use super::*;

    fn who(subject: &str, vendor: Option<&str>, service: Option<&str>) -> Principal {
        Principal {
            subject: subject.to_owned(),
            vendor: vendor.map(str::to_owned),
            service: service.map(str::to_owned),
            ..Principal::default()
        }
    }

    fn callers(quota: u32, of_one: u32) -> Callers {
        Callers::new(&Load {
            quota,
            of_one,
            ..Load::default()
        })
    }

    /// Calls that are let in of so many.
    fn let_in(callers: &Callers, who: &Principal, calls: usize) -> usize {
        (0..calls).filter(|_| callers.admit(who, None).is_ok()).count()
    }

    #[test]
    fn r_o16_a_caller_at_twenty_times_its_quota_gets_its_quota_and_others_lose_nothing() {
        let callers = callers(10, 1000);
        let (greedy, modest) = (who("a", None, None), who("b", None, None));
        let began = Instant::now();
        let got = let_in(&callers, &greedy, 200);
        // Twenty at once, and ten more for each second that the loop took.
        let most = 20 + 10 * (began.elapsed().as_secs() as usize + 1);
        assert!((20..=most).contains(&got), "{got}");
        assert_eq!(let_in(&callers, &modest, 20), 20);
        let refused = callers.admit(&greedy, None).err().unwrap();
        assert!(
            matches!(refused, Refused::Quota { whose: "caller", quota: 10, pause } if pause <= Duration::from_millis(100)),
            "{refused:?}"
        );
    }

    #[test]
    fn r_o16_the_people_of_a_vendor_share_its_quota() {
        let callers = callers(10, 1000);
        let got: usize = (0..20).map(|n| let_in(&callers, &who(&format!("worker-{n}"), Some("v1"), None), 10)).sum();
        assert!((20..=40).contains(&got), "{got}");
        assert!(matches!(
            callers.admit(&who("worker-x", Some("v1"), None), None).err().unwrap(),
            Refused::Quota { whose: "vendor", .. }
        ));
        assert_eq!(let_in(&callers, &who("other", Some("v2"), None), 20), 20);
    }

    /// A service answers for all that it relays, so a user's own count is not touched by it.
    #[test]
    fn a_service_counts_by_its_certificate_and_may_ten_times_as_much() {
        let callers = callers(10, 1000);
        let hall = who("a", None, Some("hall"));
        assert_eq!(let_in(&callers, &hall, 200), 200);
        let refused = (0..10_000).find_map(|_| callers.admit(&hall, None).err());
        assert!(
            matches!(
                refused,
                Some(Refused::Quota {
                    whose: "service",
                    quota: 100,
                    ..
                })
            ),
            "{refused:?}"
        );
        assert_eq!(let_in(&callers, &who("a", None, None), 20), 20);
    }

    #[test]
    fn strangers_are_told_apart_by_their_address() {
        let callers = callers(10, 1000);
        let public = who("public", None, None);
        let from = |n: u8| Some(IpAddr::from([10, 0, 0, n]));
        let got = |n| (0..40).filter(|_| callers.admit(&public, from(n)).is_ok()).count();
        assert!((20..40).contains(&got(1)));
        assert!(got(2) >= 20);
    }

    #[test]
    fn what_a_caller_has_in_hand_is_capped_and_given_back() {
        let callers = callers(1000, 3);
        let one = who("a", None, None);
        let mut held: Vec<_> = (0..3).map(|_| callers.admit(&one, None).ok().unwrap()).collect();
        assert_eq!(callers.admit(&one, None).err().unwrap(), Refused::Concurrency(3));
        assert!(callers.admit(&who("b", None, None), None).is_ok());
        held.pop();
        let again = callers.admit(&one, None);
        assert!(again.is_ok());
        drop((held, again));
        assert!(callers.in_hand.lock().unwrap().is_empty(), "who has nothing in hand takes no memory");
    }
}
