//! Nonsense to every method: whatever the bytes, a call ends with a status that means something and tells nothing from inside.

use std::{collections::BTreeMap, time::Duration};

use database::Engine;
use futures::StreamExt;
use prost_reflect::{DescriptorPool, DynamicMessage, FieldDescriptor, Kind, MethodDescriptor, ReflectMessage, Value};
use rpc::AccessTable;
use tonic::Code;

use crate::{
    fill::{Dice, Filler},
    sides::{Caller, Side, bytes, improper},
    world::folder,
};

/// Calls on each engine, and the seed, of another run.
const CALLS: &str = "HEARTH_NONSENSE_CALLS";
const SEED: &str = "HEARTH_NONSENSE_SEED";

/// Stands in every hostile text, so that an echo is seen.
const MARK: &str = "zq7kx";

/// Texts that were trouble somewhere.
fn hostile(dice: &mut Dice) -> String {
    let texts = [
        String::new(),
        " \u{3000}".to_owned(),
        format!("{MARK}\0"),
        format!("'; DROP TABLE party;-- {MARK}"),
        format!("\" OR 1=1 {MARK}"),
        format!("%_\\{MARK}"),
        format!("{MARK}\u{202e}abc"),
        format!("{MARK}\u{1b}[31m\r\nERROR"),
        format!("𠮷{MARK}e\u{301}"),
        format!("{{{MARK}}}"),
        MARK.repeat(3000),
        "00000000-0000-0000-0000-000000000000".to_owned(),
        "99999999999999999999999999".to_owned(),
        "-0.0000000001".to_owned(),
        "NaN".to_owned(),
        "1e400".to_owned(),
        "１２".to_owned(),
        "../../etc/passwd".to_owned(),
        "\"0000000000000000\"".to_owned(),
        "2026-02-29".to_owned(),
        "9999-99-99T99:99:99Z".to_owned(),
    ];
    texts[dice.below(texts.len())].clone()
}

/// A value that the type allows and nobody means.
fn hostile_value(field: &FieldDescriptor, dice: &mut Dice) -> Value {
    let integers = [i64::MIN, i64::MIN + 1, -1, 0, 1, i64::from(i32::MAX), i64::MAX - 1, i64::MAX];
    let n = integers[dice.below(integers.len())];
    match field.kind() {
        Kind::Bool => Value::Bool(dice.percent(50)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(n as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(n),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(n as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(n as u64),
        Kind::Enum(_) => Value::EnumNumber([0, -1, 99, i32::MIN, i32::MAX][dice.below(5)]),
        Kind::Double => Value::F64(f64::NAN),
        Kind::Float => Value::F32(f32::NAN),
        Kind::Bytes => Value::Bytes(dice.bytes(20).into()),
        Kind::String => Value::String(hostile(dice)),
        Kind::Message(of) => Value::Message(DynamicMessage::new(of)),
    }
}

/// Spoils one field, at any depth.
fn spoil(message: &mut DynamicMessage, dice: &mut Dice) {
    let fields: Vec<_> = message.descriptor().fields().collect();
    let Some(field) = fields.get(dice.below(fields.len())) else { return };
    if field.is_map() {
        return;
    }
    if field.is_list() {
        let n = [0, 1, 2, 700][dice.below(4)];
        let value = hostile_value(field, dice);
        message.set_field(field, Value::List(vec![value; n]));
        return;
    }
    // Deeper, as long as there is something below.
    if let Value::Message(inner) = message.get_field_mut(field)
        && dice.percent(80)
    {
        return spoil(inner, dice);
    }
    let value = hostile_value(field, dice);
    message.set_field(field, value);
}

/// Spoils bytes that were a message.
fn spoil_bytes(bytes: &mut Vec<u8>, dice: &mut Dice) {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        match dice.below(4) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => bytes.truncate(at),
            2 => bytes.insert(at, dice.roll() as u8),
            _ => {
                let again = bytes[at..].to_vec();
                bytes.extend(again);
            }
        }
    }
}

/// One request of nonsense.
fn nonsense(side: &mut Side, method: &MethodDescriptor, dice: &mut Dice) -> Vec<u8> {
    if dice.percent(15) {
        let n = dice.below(300);
        return dice.bytes(n);
    }
    let now = side.clock.now();
    let mut filler = Filler::new(&mut side.known, dice, now);
    let mut message = filler.request(&method.input(), &serde_json::json!({}));
    match dice.below(10) {
        0 => {}
        1..=3 => {
            let mut bytes = bytes(&message);
            spoil_bytes(&mut bytes, dice);
            return bytes;
        }
        _ => (0..=dice.below(3)).for_each(|_| spoil(&mut message, dice)),
    }
    bytes(&message)
}

/// Every method of the contracts.
fn methods() -> Vec<MethodDescriptor> {
    let access = AccessTable::read().unwrap();
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS).unwrap();
    let served = |m: &MethodDescriptor| {
        let name = format!("{}/{}", m.parent_service().full_name(), m.name());
        access.get(&name).is_some_and(|m| !m.access.development)
    };
    pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()).filter(served).collect()
}

/// W7, W8, W10: bytes, spoiled messages and hostile values in each field, to each method, on both engines.
#[tokio::test(flavor = "multi_thread")]
async fn r_w8_ten_thousand_calls_of_nonsense_end_with_a_status_that_tells_nothing_from_inside() {
    let setting = |name: &str, usual: u64| std::env::var(name).map_or(usual, |text| text.parse().unwrap());
    let (calls, seed) = (setting(CALLS, testbed::means::runs(5_000, 50_000)), setting(SEED, 8));
    let keys = folder().join("keys");
    let methods = methods();
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let Some(mut side) = Side::start(engine, &keys).await else { continue };
        let mut dice = Dice(seed);
        let (mut codes, mut faults, mut left): (BTreeMap<String, usize>, Vec<String>, usize) = (BTreeMap::new(), vec![], calls as usize);
        let mut next = 0;
        while left > 0 {
            let batch: Vec<_> = (0..left.min(16))
                .map(|_| {
                    next += 1;
                    let method = methods[next % methods.len()].clone();
                    let request = nonsense(&mut side, &method, &mut dice);
                    (method, request)
                })
                .collect();
            left -= batch.len();
            let (caller, here) = (Caller::all(), &side);
            let outcomes: Vec<_> = futures::stream::iter(batch)
                .map(async |(method, request)| {
                    // A stream that goes on for ever has taken the request.
                    let call = here.call(&method, &caller, &request);
                    let outcome = match tokio::time::timeout(Duration::from_millis(200), call).await {
                        Err(_) if method.is_server_streaming() => Ok(vec![]),
                        Err(_) => here.call(&method, &caller, &request).await,
                        Ok(outcome) => outcome,
                    };
                    (method, request, outcome)
                })
                .buffered(8)
                .collect()
                .await;
            for (method, request, outcome) in outcomes {
                let code = outcome.as_ref().err().map_or(Code::Ok, tonic::Status::code);
                *codes.entry(format!("{code:?}")).or_default() += 1;
                outcome.iter().flatten().for_each(|answer| side.known.learn(answer));
                if let Some(fault) = outcome.err().and_then(|status| improper(&status, Some(MARK))) {
                    let shown = DynamicMessage::decode(method.input(), request.as_slice()).map(|m| serde_json::to_string(&m).unwrap());
                    let shown: String = format!("{shown:?}").chars().take(1500).collect();
                    faults.push(format!("{}: {fault}\n  {shown}", method.full_name()));
                }
            }
        }
        println!("{engine:?}, seed {seed}: {calls} calls to {} methods: {codes:?}", methods.len());
        assert!(
            faults.is_empty(),
            "{} of {calls} calls, seed {seed}\n{}",
            faults.len(),
            faults[..faults.len().min(15)].join("\n")
        );
        assert!(codes.get("Ok").is_some_and(|n| *n > 0) && codes.len() > 4, "the calls reach nothing: {codes:?}");
        for running in side.running {
            running.stop().await.unwrap();
        }
    }
}
