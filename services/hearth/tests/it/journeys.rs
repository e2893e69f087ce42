//! Journeys across the four services, on both engines: what one service does by what another one tells it, from the first call to the end that the
//! policies ask for.

mod complaint;
mod firm;
mod hold;
mod settlement;

use contracts::hearth::options::v1::Role;
use database::Engine;
use prost_reflect::{DescriptorPool, DynamicMessage, MethodDescriptor, SerializeOptions};
use serde_json::{Value, json};
use testbed::{at, key, reason};
use tonic::Status;

use crate::{
    sides::{Caller, Side, bytes},
    world::folder,
};

/// The branch in which all of it happens.
const BRANCH: &str = "河西区";

/// The four services, as people call them.
struct Town {
    side: Side,
    pool: DescriptorPool,
}

/// Makes a journey on each engine.
async fn each(journey: impl AsyncFn(&Town)) {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(side) = Side::start(engine, &folder().join("keys")).await else {
            continue;
        };
        side.clock.hold(false);
        let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
        let town = Town { side, pool };
        journey(&town).await;
        for running in town.side.running {
            running.stop().await.unwrap();
        }
    }
}

/// Somebody of the house.
fn staff(subject: &str, role: Role) -> Caller {
    Caller {
        subject: subject.to_owned(),
        roles: vec![role],
        vendor: None,
    }
}

impl Town {
    /// Moves the clock to a moment such as `2025-02-10T09:00`, Shanghai time.
    fn clock(&self, moment: &str) {
        self.side.clock.set(at(&time(moment))).unwrap();
    }

    /// Waits until every service has heard all that the others told, and has done what follows from it.
    async fn settled(&self) {
        self.side.quiet().await;
    }

    fn method(&self, name: &str) -> MethodDescriptor {
        let (service, method) = name.split_once('/').unwrap();
        let (package, service) = service.split_once('.').unwrap();
        let service = self.pool.get_service_by_name(&format!("hearth.{package}.v1.{service}")).unwrap();
        let found = service.methods().find(|m| m.name() == method);
        found.unwrap_or_else(|| panic!("there is no method {name}"))
    }

    /// Calls a method such as `hall.OrderService/OfferOrder`. The key of a write is a fresh one; ids and the version that are not given are those of what it is `about`.
    async fn ask(&self, who: &Caller, name: &str, about: &Value, request: Value) -> Result<Value, Status> {
        let method = self.method(name);
        let Value::Object(mut request) = request else {
            panic!("{name}: the request is an object")
        };
        for field in method.input().fields() {
            let field = field.name();
            let known = (field.ends_with("_id") || field == "etag").then(|| about[field].as_str()).flatten();
            let known = if field == "request_id" { Some(key()) } else { known.map(str::to_owned) };
            if let Some(known) = known {
                request.entry(field).or_insert(known.into());
            }
        }
        let message = DynamicMessage::deserialize(method.input(), Value::Object(request)).unwrap_or_else(|e| panic!("{name}: {e}"));
        let answers = self.side.call(&method, who, &bytes(&message)).await?;
        let options = SerializeOptions::new()
            .use_proto_field_name(true)
            .stringify_64_bit_integers(false)
            .skip_default_fields(false);
        let answer = answers.first().unwrap_or_else(|| panic!("{name} answers nothing"));
        let mut answer = answer.serialize_with_options(serde_json::value::Serializer, &options).unwrap();
        // An answer that holds one thing is that thing.
        let fields = answer.as_object_mut().unwrap();
        Ok(if fields.len() == 1 {
            fields.values_mut().next().unwrap().take()
        } else {
            answer
        })
    }

    /// A call that succeeds.
    async fn done(&self, who: &Caller, name: &str, about: &Value, request: Value) -> Value {
        self.ask(who, name, about, request).await.unwrap_or_else(|e| panic!("{name}: {e:?}"))
    }

    /// The reason for which a call is refused.
    async fn refused(&self, who: &Caller, name: &str, about: &Value, request: Value) -> String {
        match self.ask(who, name, about, request).await {
            Ok(answer) => panic!("{name} is not refused: {answer}"),
            Err(status) => reason(&status),
        }
    }
}

/// A moment such as `2025-02-10T09:00`, Shanghai time, as contracts write it.
fn time(moment: &str) -> String {
    format!("{moment}:00+08:00")
}

/// A day of the contracts.
fn day(text: &str) -> Value {
    let parts: Vec<i32> = text.split('-').map(|part| part.parse().unwrap()).collect();
    json!({"year": parts[0], "month": parts[1], "day": parts[2]})
}

/// An amount of the contracts.
fn yuan(text: &str) -> Value {
    json!({"currency_code": "CNY", "minor_units": text.parse::<money::Money>().unwrap().fen()})
}

fn decimal(text: &str) -> Value {
    json!({"value": text})
}
