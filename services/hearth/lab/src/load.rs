use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use bytes::Bytes;
use contracts::hearth::{
    archive::v1::{CorrectContactRequest, CorrectContactResponse, GetPartyRequest, GetPartyResponse},
    billing::v1::{RecordReadingRequest, TakePaymentRequest},
    hall::v1::{CreateOrderRequest, CreateOrderResponse, OfferOrderRequest, OfferOrderResponse, OrderType},
    options::v1::Role,
    vendor::v1::{DeclineOfferRequest, ListOffersRequest, ListOffersResponse, Offer, offer},
};
use prost::Message;
use tokio::task::JoinSet;

use crate::{
    city::{BRANCH, City, Home, customer, customers, moment, op},
    client::{Client, Who},
    history::{Meaning, Op},
    seed::Seed,
    site::Site,
};

/// Noon of 2025-01-01 in Shanghai, microseconds.
const FIRST_READING: i64 = 1_735_704_000_000_000;
const HOUR: i64 = 3_600_000_000;
/// Account numbers of writers lie so far apart.
const SPAN: usize = 1000;

/// Eight clients that write all the time: payments, readings, corrections of customers, new customers, orders for a vendor.
pub struct Load {
    stop: Arc<AtomicBool>,
    writers: JoinSet<()>,
    /// When each service last acknowledged a write.
    last: Arc<Mutex<BTreeMap<&'static str, Instant>>>,
}

impl Load {
    pub const WRITERS: usize = 8;
    /// Homes that they need.
    pub const HOMES: usize = 16;

    pub fn start(site: &Arc<Site>, city: &City, seed: &Seed) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            writers: JoinSet::new(),
            last: Arc::default(),
        };
        for n in 0..Self::WRITERS {
            let mut writer = Writer::new(n, site, city, seed);
            let (stop, last) = (load.stop.clone(), load.last.clone());
            load.writers.spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    if let Some(service) = writer.step().await {
                        last.lock().unwrap().insert(service, Instant::now());
                    }
                }
            });
        }
        load
    }

    /// Waits until a service acknowledges a write that ended after `since`; 30 s at most. `None` where it did not.
    pub async fn answered(&self, service: &str, since: Instant) -> Option<std::time::Duration> {
        while since.elapsed().as_secs() < 30 {
            if let Some(at) = self.last.lock().unwrap().get(service).filter(|at| **at > since) {
                return Some(*at - since);
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        None
    }

    /// Lets every writer finish the call in hand.
    pub async fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(outcome) = self.writers.join_next().await {
            outcome.unwrap();
        }
    }
}

/// How far a writer's order is.
enum Order {
    None,
    Filed { order: String, etag: String },
    Offered { order: String },
}

/// One client. It works on its own homes, so that no other client stands in its way, and on all services.
pub struct Writer {
    n: usize,
    site: Arc<Site>,
    client: Client,
    seed: Seed,
    homes: Vec<Home>,
    vendor: String,
    written: usize,
    order: Order,
    etag: Option<String>,
}

impl Writer {
    pub fn new(n: usize, site: &Arc<Site>, city: &City, seed: &Seed) -> Self {
        Self {
            n,
            site: site.clone(),
            client: site.client.another(),
            seed: seed.part(n),
            homes: city.homes.iter().skip(n * 2).take(2).cloned().collect(),
            vendor: city.vendor.clone(),
            written: 0,
            order: Order::None,
            etag: None,
        }
    }

    /// The next write to its end; names the service that acknowledged it.
    async fn step(&mut self) -> Option<&'static str> {
        let op = match self.seed.within(0, 10) {
            0..4 => self.payment(),
            4..6 => self.reading(),
            6 => self.edit().await?,
            7 => self.newcomer(),
            _ => self.errand().await?,
        };
        let (service, method) = (op.service, op.method);
        let answer = self.site.history.settle(&self.site, &self.client, op).await;
        // No client stands in another's way, so nothing may be refused.
        let answer = answer.unwrap_or_else(|why| panic!("writer {}: {method}: {why}", self.n));
        self.learn(method, &answer);
        Some(service)
    }

    /// Keeps what an answer tells for the next write.
    pub fn learn(&mut self, method: &str, answer: &Bytes) {
        match method.rsplit('/').next().unwrap() {
            "CorrectContact" => self.etag = Some(CorrectContactResponse::decode(answer.clone()).unwrap().party.unwrap().etag),
            "CreateOrder" => {
                let order = CreateOrderResponse::decode(answer.clone()).unwrap().order.unwrap();
                self.order = Order::Filed {
                    order: order.order_id,
                    etag: order.etag,
                };
            }
            "OfferOrder" => {
                self.order = Order::Offered {
                    order: OfferOrderResponse::decode(answer.clone()).unwrap().order.unwrap().order_id,
                }
            }
            "DeclineOffer" => self.order = Order::None,
            _ => {}
        }
    }

    fn who(&self, role: Role) -> Who {
        Who::staff(format!("{}-{}", rpc::token::role_name(role), self.n), &[role])
    }

    pub fn payment(&mut self) -> Op {
        self.written += 1;
        let (account, reference) = (self.seed.pick(&self.homes).account.clone(), format!("{}-{}", self.n, self.written));
        let fen = self.seed.within(1, 100_000) as i64;
        let meaning = Meaning::Payment {
            account: account.clone(),
            reference: reference.clone(),
            fen,
        };
        let who = self.who(Role::Cashier);
        op(&mut self.seed, &who, "hearth.billing.v1.PaymentService/TakePayment", meaning, |request_id| {
            TakePaymentRequest {
                request_id,
                account_id: account,
                amount: Some(rpc::wire::money(money_of(fen))),
                channel: "BANK".to_owned(),
                channel_reference: reference,
                bill_ids: vec![],
            }
            .encode_to_vec()
        })
    }

    pub fn reading(&mut self) -> Op {
        self.written += 1;
        let meter = self.homes[0].meter_no.clone();
        let micros = FIRST_READING + self.written as i64 * HOUR;
        let index = self.written.to_string();
        let (who, meaning) = (self.who(Role::Reader), Meaning::Reading { meter: meter.clone(), micros });
        op(&mut self.seed, &who, "hearth.billing.v1.ReadingService/RecordReading", meaning, |request_id| {
            RecordReadingRequest {
                request_id,
                meter_no: meter,
                read_time: Some(rpc::wire::time(moment(micros))),
                index,
                source: "reader".to_owned(),
                ..Default::default()
            }
            .encode_to_vec()
        })
    }

    pub async fn edit(&mut self) -> Option<Op> {
        self.written += 1;
        let party = self.homes[1].party.clone();
        if self.etag.is_none() {
            let get = GetPartyRequest { party_id: party.clone() };
            let method = "hearth.archive.v1.PartyService/GetParty";
            let found: Result<GetPartyResponse, _> = self.client.ask(&self.site.address("archive"), &Who::auditor(), method, &get).await;
            self.etag = Some(found.ok()?.party.unwrap().etag);
        }
        let (etag, address) = (self.etag.clone().unwrap(), format!("天津市河西区大沽南路{}号", self.written));
        let meaning = Meaning::Edit {
            party: party.clone(),
            address: address.clone(),
        };
        let who = self.who(Role::Archivist);
        Some(op(
            &mut self.seed,
            &who,
            "hearth.archive.v1.PartyService/CorrectContact",
            meaning,
            |request_id| {
                CorrectContactRequest {
                    request_id,
                    party_id: party,
                    etag,
                    address: Some(address),
                    ..CorrectContactRequest::default()
                }
                .encode_to_vec()
            },
        ))
    }

    pub fn newcomer(&mut self) -> Op {
        self.written += 1;
        let row = customer((self.n + 1) * SPAN * 4 + self.written);
        let (who, accounts) = (self.who(Role::Archivist), vec![row.account_no.clone()]);
        customers(&mut self.seed, &who, vec![row], accounts)
    }

    /// The next step of an order that goes to the vendor and comes back; none while the vendor has not heard of it.
    pub async fn errand(&mut self) -> Option<Op> {
        match &self.order {
            Order::None => Some(self.file()),
            Order::Filed { order, etag } => {
                let (order, etag) = (order.clone(), etag.clone());
                Some(self.offer(order, etag))
            }
            Order::Offered { order } => {
                let offer = self.offer_of(order).await?;
                Some(self.decline(offer))
            }
        }
    }

    /// The same, once the vendor has heard of it.
    pub async fn errand_at_once(&mut self) -> Op {
        for _ in 0..500 {
            if let Some(op) = self.errand().await {
                return op;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        panic!("the vendor does not hear of the order");
    }

    fn file(&mut self) -> Op {
        self.written += 1;
        let task = format!("灶具点火后熄火 {}-{}", self.n, self.written);
        let (who, meaning) = (self.who(Role::Dispatcher), Meaning::Order);
        op(&mut self.seed, &who, "hearth.hall.v1.OrderService/CreateOrder", meaning, |request_id| {
            CreateOrderRequest {
                request_id,
                r#type: OrderType::Repair.into(),
                branch: BRANCH.to_owned(),
                task,
                ..CreateOrderRequest::default()
            }
            .encode_to_vec()
        })
    }

    fn offer(&mut self, order: String, etag: String) -> Op {
        // Far enough away, so that nobody's time to respond ends in the run.
        let later = moment(calendar::Clock::real().now().micros() + 48 * HOUR);
        let (who, meaning, vendor_id) = (self.who(Role::Dispatcher), Meaning::Offer { order: order.clone() }, self.vendor.clone());
        op(&mut self.seed, &who, "hearth.hall.v1.OrderService/OfferOrder", meaning, |request_id| {
            OfferOrderRequest {
                request_id,
                order_id: order,
                etag,
                vendor_id,
                respond_by_time: Some(rpc::wire::time(later)),
                planned_date: Some(rpc::wire::date(later.date())),
            }
            .encode_to_vec()
        })
    }

    async fn offer_of(&self, order: &str) -> Option<Offer> {
        let list = ListOffersRequest {
            vendor_id: self.vendor.clone(),
            order_id: order.to_owned(),
            ..ListOffersRequest::default()
        };
        let (who, method) = (Who::auditor(), "hearth.vendor.v1.OfferService/ListOffers");
        let found: Result<ListOffersResponse, _> = self.client.ask(&self.site.address("vendor"), &who, method, &list).await;
        found.ok()?.offers.into_iter().find(|o| o.state() == offer::State::Offered)
    }

    fn decline(&mut self, offer: Offer) -> Op {
        let who = Who::of_vendor(format!("vendor-office-{}", self.n), &self.vendor);
        let (vendor_id, meaning) = (self.vendor.clone(), Meaning::Decline { order: offer.order_id.clone() });
        op(&mut self.seed, &who, "hearth.vendor.v1.OfferService/DeclineOffer", meaning, |request_id| {
            DeclineOfferRequest {
                request_id,
                vendor_id,
                offer_id: offer.offer_id,
                etag: offer.etag,
                reason: "no crew".to_owned(),
            }
            .encode_to_vec()
        })
    }
}

fn money_of(fen: i64) -> money::Money {
    money::Money::from_fen(fen)
}
