//! I1, I2, I4: whatever succeeded in the script is asked for again, of one engine only, so that an effect of its own would set the two apart.

use bytes::Bytes;
use calendar::Instant;
use database::Database;
use futures::StreamExt;
use prost_reflect::{DynamicMessage, FieldDescriptor, MethodDescriptor};
use sea_orm::{ConnectionTrait, Statement};
use tonic::{Code, Status};

use crate::{
    fill::{Dice, Filler, Known},
    sides::{Caller, Side, bytes},
};

/// Where the clock stands while a write is asked for again, in days from when it was made.
const JUMPS: [i64; 3] = [0, 8, -1];
const AT_ONCE: usize = 8;

/// A write that succeeded, with what was said to it.
#[derive(Clone)]
pub struct Asked {
    pub method: MethodDescriptor,
    pub caller: Caller,
    pub message: Vec<u8>,
    pub answers: Vec<Bytes>,
}

/// What came of the same key with another content.
#[derive(Default)]
pub struct Changed {
    /// Fields that were changed, and refused for their key.
    pub told: usize,
    /// Fields of which every other value was refused for what it is, with the refusal.
    pub unfit: Vec<(String, String)>,
    pub faults: Vec<String>,
}

impl Asked {
    fn db<'a>(&self, side: &'a Side) -> &'a Database {
        let package = self.method.parent_service().package_name();
        let found = side.running.iter().find(|r| package.split('.').nth(1) == Some(r.name));
        // What every service has is asked of billing.
        &found.or_else(|| side.running.iter().find(|r| r.name == "billing")).unwrap().db
    }

    /// Rows that every effect of this method leaves: in the journal and among the kept answers.
    async fn rows(&self, side: &Side) -> [i64; 2] {
        let path = format!("{}/{}", self.method.parent_service().full_name(), self.method.name());
        let db = self.db(side);
        let sql = format!("SELECT (SELECT count(*) FROM journal WHERE method = '{path}'), (SELECT count(*) FROM replay WHERE method = '{path}')");
        let row = db.reader().query_one_raw(Statement::from_string(db.reader().get_database_backend(), sql)).await;
        let row = row.unwrap().unwrap();
        [0, 1].map(|i| row.try_get_by_index(i).unwrap())
    }

    /// Asks for it again, so many times, some at once, while the clock stands right, eight days late and a day early: each time the same bytes.
    pub async fn repeat(&self, side: &Side, times: usize) -> Vec<String> {
        let (now, before) = (side.clock.now(), self.rows(side).await);
        let mut faults = vec![];
        for (n, days) in JUMPS.into_iter().enumerate() {
            side.clock.jump(Instant::from_micros(now.micros() + days * 86_400_000_000)).unwrap();
            let part = times * (n + 1) / JUMPS.len() - times * n / JUMPS.len();
            let calls = futures::stream::iter(0..part).map(|_| side.send(&self.method, &self.caller, &self.message));
            let outcomes: Vec<_> = calls.buffer_unordered(AT_ONCE).collect().await;
            let odd = outcomes.iter().find(|outcome| outcome.as_ref().ok() != Some(&self.answers));
            if let Some(odd) = odd {
                faults.push(format!(
                    "{} asked for again, {days} days on: {odd:?} and not {:?}",
                    self.method.full_name(),
                    self.answers
                ));
            }
        }
        side.clock.jump(now).unwrap();
        let after = self.rows(side).await;
        if after != before {
            faults.push(format!(
                "{} asked for {times} times more: {before:?} rows of journal and answers, then {after:?}",
                self.method.full_name()
            ));
        }
        faults
    }

    /// Sends each field of the request in turn with another value, and without one, under the same key.
    pub async fn change(&self, side: &Side, dice: &mut Dice) -> Changed {
        let request = DynamicMessage::decode(self.method.input(), self.message.as_slice()).unwrap();
        let before = self.rows(side).await;
        let mut changed = Changed::default();
        for field in self.method.input().fields().filter(|f| f.name() != "request_id") {
            let (mut unfit, mut told) = (None, false);
            for (other, last) in others(&request, &field, side.clock.now(), dice) {
                // One other value is enough; and one call without any.
                if told && !last {
                    continue;
                }
                // The key belongs to who calls, whichever vendor a token names.
                let caller = Caller {
                    vendor: self.caller.vendor.as_ref().and_then(|_| vendor_of(&other)),
                    ..self.caller.clone()
                };
                match side.send(&self.method, &caller, &bytes(&other)).await {
                    Err(status) if reason(&status) == "IDEMPOTENCY_KEY_REUSED" && status.code() == Code::InvalidArgument => told = true,
                    // The contract forbids the value: it comes before the key.
                    Err(status) if status.code() == Code::InvalidArgument => unfit = Some(format!("{} {}", reason(&status), status.message())),
                    outcome => changed.faults.push(format!(
                        "{} with another {} under the same key: {outcome:?}\n  {}",
                        self.method.full_name(),
                        field.name(),
                        serde_json::to_string(&other).unwrap()
                    )),
                }
            }
            match unfit {
                _ if told => changed.told += 1,
                Some(why) => changed.unfit.push((field.full_name().to_owned(), why)),
                None => changed.unfit.push((field.full_name().to_owned(), "has no other value".to_owned())),
            }
        }
        let after = self.rows(side).await;
        if after != before {
            changed.faults.push(format!(
                "{} with other contents under its key: {before:?} rows of journal and answers, then {after:?}",
                self.method.full_name()
            ));
        }
        changed
    }
}

fn reason(status: &Status) -> String {
    testbed::reason(status)
}

fn vendor_of(message: &DynamicMessage) -> Option<String> {
    message.get_field_by_name("vendor_id")?.as_str().map(str::to_owned)
}

/// The request with other values in a field; at last with none, where it has one.
fn others(request: &DynamicMessage, field: &FieldDescriptor, now: Instant, dice: &mut Dice) -> Vec<(DynamicMessage, bool)> {
    let mut known = Known::default();
    let mut filler = Filler::new(&mut known, dice, now);
    let values = match request.has_field(field) {
        true => filler.others(field, &request.get_field(field)),
        false => filler.some(field).into_iter().collect(),
    };
    let with = values.into_iter().map(|value| {
        let mut message = request.clone();
        message.set_field(field, value);
        (message, false)
    });
    // Whoever works for a vendor names it in every call.
    let without = (request.has_field(field) && field.name() != "vendor_id").then(|| {
        let mut message = request.clone();
        message.clear_field(field);
        (message, true)
    });
    with.chain(without).filter(|(made, _)| bytes(made) != bytes(request)).collect()
}
