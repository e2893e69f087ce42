//! Requests made from the contracts alone: each field filled by its type and rules, ids and tags from what earlier answers gave.

use std::collections::BTreeMap;

use calendar::Instant;
use chrono::{Datelike, Days, NaiveDate};
use proptest::{
    strategy::{Strategy, ValueTree},
    test_runner::{Config, RngAlgorithm, TestRng, TestRunner},
};
use prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, ReflectMessage, Value};

/// One branch, so that what is made in one call fits what is made in another.
pub const BRANCH: &str = "河西区";

/// A stream of numbers that its seed decides (splitmix64).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }
    /// 0 up to `n`, without `n`.
    pub fn below(&mut self, n: usize) -> usize {
        (self.roll() % n.max(1) as u64) as usize
    }
    pub fn percent(&mut self, n: usize) -> bool {
        self.below(100) < n
    }
    pub fn uuid(&mut self) -> String {
        let bits = u128::from(self.roll()) << 64 | u128::from(self.roll());
        uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string()
    }
    pub fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.roll() as u8).collect()
    }
}

/// What answers have told so far.
#[derive(Default)]
pub struct Known {
    /// Ids, numbers and codes by name of field, that of the latest answer last.
    values: BTreeMap<String, Vec<String>>,
    /// Version tags by id.
    etags: BTreeMap<String, String>,
    count: u64,
    counts: BTreeMap<String, u64>,
    /// What the last request counts, if it succeeds.
    counting: Vec<String>,
    made: BTreeMap<String, String>,
    /// Texts that would do harm if anybody ran them, put in turn into every field that takes any text; empty where plain texts will do.
    pub harm: Vec<String>,
    /// How often each of these fields was filled.
    filled: BTreeMap<String, usize>,
    /// Field and text of those of the last request.
    pub texts: Vec<(String, String)>,
}

/// Names that mean one thing here and another there: a case of the archive is no case of the hall.
const HOMONYMS: &[&str] = &["case_id", "certificate_id", "person_id", "line_id", "hold_id"];

/// Name of a field under which what it holds is remembered: `owner_staff_ids` holds what `staff_id` names.
fn is_known(name: &str) -> bool {
    let name = name.trim_end_matches('s');
    (name.ends_with("_id") && name != "request_id" && (!name.ends_with("file_id") || name == "credit_file_id")) || name.ends_with("_no") || name == "login"
}

impl Known {
    /// Takes ids, numbers and tags out of an answer.
    pub fn learn(&mut self, message: &DynamicMessage) {
        let mut own = None;
        let package = message.descriptor().package_name().to_owned();
        for (field, value) in message.fields() {
            let name = field.name();
            match value {
                Value::String(text) if is_known(name) && !text.is_empty() => {
                    own = own.or_else(|| Some(text.clone()));
                    for name in [name.to_owned(), format!("{package}/{name}")] {
                        let list = self.values.entry(name).or_default();
                        list.retain(|known| known != text);
                        list.push(text.clone());
                    }
                }
                Value::String(text) if name == "etag" => {
                    if let Some(id) = &own {
                        self.etags.insert(id.clone(), text.clone());
                    }
                }
                Value::Message(inner) => self.learn(inner),
                Value::List(items) => items.iter().filter_map(Value::as_message).for_each(|m| self.learn(m)),
                _ => {}
            }
        }
    }

    /// Says what came of the last request.
    pub fn counted(&mut self, succeeded: bool) {
        for name in std::mem::take(&mut self.counting).into_iter().filter(|_| succeeded) {
            *self.counts.entry(name).or_default() += 1;
        }
    }

    pub fn etag(&self, id: &str) -> Option<&str> {
        self.etags.get(id).map(String::as_str)
    }

    /// Everything that goes by the name or by its end, oldest first; for a homonym that of the package.
    fn named(&self, package: &str, name: &str) -> Option<&Vec<String>> {
        let mut rest = name.trim_end_matches('s');
        loop {
            let own = HOMONYMS.contains(&rest).then(|| self.values.get(&format!("{package}/{rest}"))).flatten();
            let found = own.or_else(|| self.values.get(rest));
            if found.is_some() {
                return found;
            }
            rest = rest.split_once('_')?.1;
            if !is_known(rest) {
                return None;
            }
        }
    }

    pub fn latest(&self, name: &str) -> Option<&str> {
        self.named("", name)?.last().map(String::as_str)
    }

    /// Mostly the latest, now and then an older one.
    fn pick(&self, package: &str, name: &str, dice: &mut Dice) -> Option<String> {
        let older = dice.percent(8);
        let which = dice.roll() as usize;
        let found = self.named(package, name)?;
        let last = found.len().checked_sub(1)?;
        Some(found[if older { last - which % found.len().min(6) } else { last }].clone())
    }

    fn next(&mut self) -> u64 {
        self.count += 1;
        self.count
    }
}

/// Fills requests.
pub struct Filler<'a> {
    pub known: &'a mut Known,
    pub dice: &'a mut Dice,
    pub now: Instant,
    /// That of the request, whose ids go before those of others.
    package: String,
}

impl<'a> Filler<'a> {
    pub fn new(known: &'a mut Known, dice: &'a mut Dice, now: Instant) -> Self {
        Self {
            known,
            dice,
            now,
            package: String::new(),
        }
    }

    /// A request: what the script gives for its method stands, the rest is made.
    pub fn request(&mut self, of: &MessageDescriptor, given: &serde_json::Value) -> DynamicMessage {
        of.package_name().clone_into(&mut self.package);
        self.known.texts.clear();
        self.known.counting.clear();
        let mut message = self.message(of, 0);
        // The field whose tag is asked for, as in "$of:offer_id"; else it is that of the last one that has a tag.
        let about = given["etag"].as_str().and_then(|text| text.strip_prefix("$of:"));
        let given = self.resolve(given);
        if let Some(fields) = given.as_object() {
            for (name, value) in fields {
                let field = of.get_field_by_name(name).unwrap_or_else(|| panic!("{} has no field {name}", of.full_name()));
                if value.is_null() {
                    message.clear_field(&field);
                    continue;
                }
                let part = serde_json::json!({ name.as_str(): value });
                let part = DynamicMessage::deserialize(of.clone(), part).unwrap_or_else(|e| panic!("{} {name}: {e}", of.full_name()));
                message.set_field(&field, part.get_field(&field).into_owned());
            }
        }
        self.tag(&mut message, about);
        // Not those that the script or a tag took the place of.
        let mut kept = vec![];
        strings(&message, &mut kept);
        self.known.texts.retain(|text| kept.contains(text));
        message
    }

    /// Gives the version tag of what the request is about: of the last of its ids that has one.
    fn tag(&mut self, message: &mut DynamicMessage, about: Option<&str>) {
        let Some(field) = message.descriptor().get_field_by_name("etag") else {
            return;
        };
        let ids: Vec<_> = message
            .fields()
            .filter(|(f, _)| about.map_or_else(|| is_known(f.name()) && f.number() < field.number() + 1, |name| f.name() == name))
            .filter_map(|(_, v)| v.as_str().map(str::to_owned))
            .collect();
        let ids = if ids.is_empty() {
            message.fields().filter_map(|(_, v)| v.as_str().map(str::to_owned)).collect()
        } else {
            ids
        };
        if let Some(tag) = ids.iter().rev().find_map(|id| self.known.etag(id)) {
            message.set_field(&field, Value::String(tag.to_owned()));
        }
    }

    /// Words of the script that begin with `$`.
    fn resolve(&mut self, given: &serde_json::Value) -> serde_json::Value {
        use serde_json::Value as Json;
        match given {
            Json::Object(fields) => Json::Object(fields.iter().map(|(k, v)| (k.clone(), self.resolve(v))).collect()),
            Json::Array(items) => Json::Array(items.iter().map(|v| self.resolve(v)).collect()),
            Json::String(text) => match text.strip_prefix('$') {
                Some(word) => self.word(word),
                None => given.clone(),
            },
            other => other.clone(),
        }
    }

    fn word(&mut self, word: &str) -> serde_json::Value {
        let (name, argument) = word.split_once(':').unwrap_or((word, ""));
        let today = self.now.date();
        let days = argument.parse::<i64>().unwrap_or(0);
        let moved = |day: NaiveDate| {
            if days < 0 {
                day - Days::new(days.unsigned_abs())
            } else {
                day + Days::new(days.unsigned_abs())
            }
        };
        let date = |day: NaiveDate| serde_json::json!({"year": day.year(), "month": day.month(), "day": day.day()});
        match name {
            "new" => {
                let made = format!("{argument}{}", self.known.next());
                self.known.made.insert(argument.to_owned(), made.clone());
                made.into()
            }
            "again" => self.known.made.get(argument).cloned().unwrap_or_default().into(),
            "digits" => format!("{:0width$}", self.known.next(), width = argument.parse::<usize>().unwrap_or(1)).into(),
            "pick" => self.known.pick(&self.package, argument, self.dice).unwrap_or_else(|| self.dice.uuid()).into(),
            "oldest" => self.nth(argument, 0).into(),
            "older" => self.nth(argument, usize::MAX).into(),
            "uuid" => self.dice.uuid().into(),
            // Set by the tag.
            "of" => "".into(),
            "day" => date(moved(today)),
            "month" => date(moved(today.with_day(1).unwrap())),
            // First of the month before.
            "last" => date((today.with_day(1).unwrap() - Days::new(1)).with_day(1).unwrap()),
            "last_month" => (today.with_day(1).unwrap() - Days::new(1)).month().into(),
            "last_year" => (today.with_day(1).unwrap() - Days::new(1)).year().into(),
            "time" => {
                let micros = self.now.micros() + days * 3_600_000_000;
                Instant::from_micros(micros).to_string().into()
            }
            "text_day" => moved(today).to_string().into(),
            "person" => identity(self.known.next()).into(),
            "company" => {
                let made = credit_code(self.known.next());
                self.known.made.insert("company".to_owned(), made.clone());
                made.into()
            }
            "count" => {
                self.known.counting.push(argument.to_owned());
                // The first stands in the tables from the beginning.
                (self.known.counts.get(argument).copied().unwrap_or_default() + 2).into()
            }
            _ => panic!("the script has no word ${word}"),
        }
    }

    /// The first of what goes by the name, or the last but one.
    fn nth(&mut self, name: &str, at: usize) -> String {
        let found = self.known.named(&self.package, name);
        let found = found.and_then(|f| f.get(at.min(f.len().saturating_sub(2))).cloned());
        found.unwrap_or_else(|| self.dice.uuid())
    }

    fn message(&mut self, of: &MessageDescriptor, depth: usize) -> DynamicMessage {
        let mut message = DynamicMessage::new(of.clone());
        let today = self.now.date();
        match of.full_name() {
            "hearth.type.v1.Date" => {
                let day = today + Days::new(30) - Days::new(self.dice.below(60) as u64);
                let parts = [("year", day.year()), ("month", day.month() as i32), ("day", day.day() as i32)];
                parts.iter().for_each(|(name, n)| message.set_field_by_name(name, Value::I32(*n)));
                return message;
            }
            "hearth.type.v1.Money" => {
                message.set_field_by_name("currency_code", Value::String("CNY".to_owned()));
                message.set_field_by_name("minor_units", Value::I64(1 + self.dice.below(100_000) as i64));
                return message;
            }
            "hearth.type.v1.Decimal" => {
                message.set_field_by_name("value", Value::String(format!("{}", 1 + self.dice.below(90))));
                return message;
            }
            "google.protobuf.Timestamp" => {
                let seconds = self.now.micros() / 1_000_000 - self.dice.below(3600) as i64;
                message.set_field_by_name("seconds", Value::I64(seconds));
                return message;
            }
            _ => {}
        }
        let chosen: Vec<_> = of
            .oneofs()
            .filter(|o| !o.is_synthetic())
            .map(|o| o.fields().nth(self.dice.below(o.fields().len())).unwrap())
            .collect();
        for field in of.fields() {
            let rules = Rules::of(&field);
            let in_oneof = field.containing_oneof().is_some_and(|o| !o.is_synthetic());
            let left = (in_oneof && !chosen.contains(&field))
                || (!rules.required && field.supports_presence() && !in_oneof && self.dice.percent(30))
                || (depth > 4 && matches!(field.kind(), Kind::Message(_)));
            if left {
                continue;
            }
            let value = if field.is_list() {
                let (least, most) = rules.items;
                let n = least.max(self.dice.below(3)).min(most);
                Value::List((0..n).filter_map(|_| self.value(&field, &rules.of_item(), depth)).collect())
            } else if field.is_map() {
                continue;
            } else {
                match self.value(&field, &rules, depth) {
                    Some(value) => value,
                    None => continue,
                }
            };
            message.set_field(&field, value);
        }
        message
    }

    fn value(&mut self, field: &FieldDescriptor, rules: &Rules, depth: usize) -> Option<Value> {
        let between = |dice: &mut Dice, (low, high): (i64, i64)| low + dice.below((high - low).clamp(0, 30) as usize + 1) as i64;
        Some(match field.kind() {
            Kind::Bool => Value::Bool(self.dice.percent(50)),
            Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(between(self.dice, rules.range) as i32),
            Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(between(self.dice, rules.range)),
            Kind::Uint32 | Kind::Fixed32 => Value::U32(between(self.dice, rules.range) as u32),
            Kind::Uint64 | Kind::Fixed64 => Value::U64(between(self.dice, rules.range) as u64),
            Kind::Enum(of) => {
                let known: Vec<_> = of.values().map(|v| v.number()).filter(|n| *n != 0).collect();
                let known = if rules.numbers.is_empty() { known } else { rules.numbers.clone() };
                Value::EnumNumber(known[self.dice.below(known.len())])
            }
            Kind::Message(of) => Value::Message(self.message(&of, depth + 1)),
            Kind::Bytes => Value::Bytes(self.dice.bytes(8).into()),
            Kind::String => Value::String(self.text(field, rules)),
            Kind::Double | Kind::Float => return None,
        })
    }

    fn text(&mut self, field: &FieldDescriptor, rules: &Rules) -> String {
        let name = field.name();
        let known = is_known(name).then(|| self.known.pick(&self.package, name, self.dice)).flatten();
        match name {
            "request_id" => return self.dice.uuid(),
            "branch" => return BRANCH.to_owned(),
            "id_number" => return identity(self.known.next()),
            "credit_code" | "uscc" => return credit_code(self.known.next()),
            _ if name.ends_with("phone") => return format!("190{:08}", self.known.next()),
            _ if known.is_some() => return known.unwrap_or_default(),
            _ => {}
        }
        if let Some(text) = &rules.constant {
            return text.clone();
        }
        if !rules.texts.is_empty() {
            return rules.texts[self.dice.below(rules.texts.len())].clone();
        }
        if rules.uuid {
            return self.dice.uuid();
        }
        if let Some(pattern) = &rules.pattern {
            return self.matching(pattern, rules.length.1);
        }
        let text = self.free(field);
        let text: String = text.chars().cycle().take(text.chars().count().clamp(rules.length.0, rules.length.1)).collect();
        self.known.texts.push((field.full_name().to_owned(), text.clone()));
        text
    }

    /// A text that no other request has.
    fn free(&mut self, field: &FieldDescriptor) -> String {
        let n = self.known.next();
        let filled = self.known.filled.entry(field.full_name().to_owned()).or_default();
        *filled += 1;
        // Fields begin at different texts, so that a short run meets many.
        let at = *filled + field.full_name().len();
        match self.known.harm.get(at % self.known.harm.len().max(1)) {
            None => format!("说明{n}"),
            Some(harm) if at.is_multiple_of(2) => format!("{harm}{n}"),
            Some(harm) => format!("{n}{harm}"),
        }
    }

    /// Values that the type and the rules of a field allow as well as the present one: of a list or a message one for each part that is changed.
    pub fn others(&mut self, field: &FieldDescriptor, present: &Value) -> Vec<Value> {
        self.others_than(field, &Rules::of(field), present)
    }

    /// A value for a field that has none.
    pub fn some(&mut self, field: &FieldDescriptor) -> Option<Value> {
        let rules = Rules::of(field);
        if field.is_list() {
            return Some(Value::List(vec![self.value(field, &rules.of_item(), 0)?]));
        }
        match field.kind() {
            Kind::Message(_) => self.value(field, &rules, 0),
            // What a field has that is not set would not be sent.
            _ => self.others_than(field, &rules, &field.default_value()).pop(),
        }
    }

    fn others_than(&mut self, field: &FieldDescriptor, rules: &Rules, present: &Value) -> Vec<Value> {
        const TRIES: usize = 40;
        match present {
            Value::Map(_) => vec![],
            Value::List(items) => {
                let Some(first) = items.first() else { return vec![] };
                let changed = self.others_than(field, &rules.of_item(), first);
                let with = |item| Value::List([vec![item], items[1..].to_vec()].concat());
                changed.into_iter().map(with).collect()
            }
            Value::Message(message) if !["hearth.type.v1", "google.protobuf"].contains(&message.descriptor().package_name()) => {
                let parts: Vec<_> = message.descriptor().fields().filter(|part| message.has_field(part)).collect();
                let changed = parts.into_iter().flat_map(|part| {
                    let values = self.others(&part, &message.get_field(&part));
                    values.into_iter().map(move |value| {
                        let mut message = message.clone();
                        message.set_field(&part, value);
                        Value::Message(message)
                    })
                });
                changed.collect()
            }
            // All that is made is made in one branch.
            Value::String(_) if field.name() == "branch" => vec![Value::String("和平区".to_owned())],
            _ => (0..TRIES)
                .find_map(|_| self.value(field, rules, 0).filter(|made| made != present))
                .into_iter()
                .collect(),
        }
    }

    fn matching(&mut self, pattern: &str, most: usize) -> String {
        let pattern = pattern.trim_start_matches("^$|").trim_start_matches('^').trim_end_matches('$');
        let mut seed = [0; 32];
        seed.iter_mut().for_each(|b| *b = self.dice.roll() as u8);
        let mut runner = TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed));
        let strategy = proptest::string::string_regex(pattern).unwrap();
        // A pattern without an end makes texts that are too long for their field.
        let mut next = || strategy.new_tree(&mut runner).unwrap().current();
        let mut made = next();
        for _ in 0..20 {
            if made.chars().count() > most {
                made = next();
            }
        }
        made.chars().take(20.max(if pattern.contains("{64}") { 64 } else { 36 })).collect()
    }
}

/// Every text of a message, with its field.
fn strings(message: &DynamicMessage, found: &mut Vec<(String, String)>) {
    for (field, value) in message.fields() {
        let items = match value {
            Value::List(items) => items.as_slice(),
            single => std::slice::from_ref(single),
        };
        for item in items {
            match item {
                Value::String(text) => found.push((field.full_name().to_owned(), text.clone())),
                Value::Message(inner) => strings(inner, found),
                _ => {}
            }
        }
    }
}

/// The rules of a field, as far as they matter for filling it.
struct Rules {
    required: bool,
    length: (usize, usize),
    items: (usize, usize),
    range: (i64, i64),
    numbers: Vec<i32>,
    texts: Vec<String>,
    constant: Option<String>,
    pattern: Option<String>,
    uuid: bool,
    item: Option<DynamicMessage>,
}

impl Rules {
    fn of(field: &FieldDescriptor) -> Self {
        Self::read(rules(field).as_ref())
    }

    fn of_item(&self) -> Self {
        Self::read(self.item.as_ref())
    }

    fn read(rules: Option<&DynamicMessage>) -> Self {
        let part = |name: &str| {
            let rules = rules.filter(|r| r.has_field_by_name(name))?;
            rules.get_field_by_name(name)?.as_message().cloned()
        };
        let (string, repeated) = (part("string"), part("repeated"));
        let number = |of: &Option<DynamicMessage>, name: &str| {
            let value = of.as_ref().filter(|m| m.has_field_by_name(name))?.get_field_by_name(name)?.into_owned();
            match value {
                Value::U64(n) => Some(n as i64),
                Value::I64(n) => Some(n),
                Value::I32(n) => Some(i64::from(n)),
                _ => None,
            }
        };
        let word = |name: &str| {
            let string = string.as_ref().filter(|m| m.has_field_by_name(name))?;
            string.get_field_by_name(name)?.as_str().map(str::to_owned)
        };
        let list = |of: &Option<DynamicMessage>, name: &str| {
            let value = of.as_ref().and_then(|m| m.get_field_by_name(name).map(|v| v.into_owned()));
            value.as_ref().and_then(Value::as_list).map(<[Value]>::to_vec).unwrap_or_default()
        };
        let integer = part("int32").or_else(|| part("int64"));
        let low = number(&integer, "gte").or_else(|| number(&integer, "gt").map(|n| n + 1)).unwrap_or(1);
        let high = number(&integer, "lte").unwrap_or(low + 10);
        Self {
            required: rules.is_some_and(|r| r.get_field_by_name("required").is_some_and(|v| v.as_bool() == Some(true))),
            length: (
                number(&string, "min_len").unwrap_or(0) as usize,
                number(&string, "max_len").unwrap_or(60) as usize,
            ),
            items: (
                number(&repeated, "min_items").unwrap_or(0) as usize,
                number(&repeated, "max_items").unwrap_or(2) as usize,
            ),
            range: (low, high),
            numbers: list(&part("enum"), "in").iter().filter_map(Value::as_i32).collect(),
            texts: list(&string, "in").iter().filter_map(|v| v.as_str().map(str::to_owned)).collect(),
            constant: word("const"),
            pattern: word("pattern"),
            uuid: string
                .as_ref()
                .is_some_and(|s| s.get_field_by_name("uuid").is_some_and(|v| v.as_bool() == Some(true))),
            item: repeated.and_then(|r| r.get_field_by_name("items")?.as_message().cloned()),
        }
    }
}

/// The `buf.validate` rules of a field.
pub fn rules(field: &FieldDescriptor) -> Option<DynamicMessage> {
    let rules = field.parent_pool().get_extension_by_name("buf.validate.field")?;
    let options = field.options();
    options.get_extension(&rules).as_message().cloned()
}

/// An identity number with a right check digit and a birth year that nobody living has.
pub fn identity(n: u64) -> String {
    let (year, month, day) = (1800 + n % 80, 1 + n / 80 % 12, 1 + n / 960 % 28);
    testbed::id_number(&format!("120103{year:04}{month:02}{day:02}{:03}", n % 1000))
}

/// A unified social credit code with a right check character (GB 32100).
pub fn credit_code(n: u64) -> String {
    const DIGITS: &str = "0123456789ABCDEFGHJKLMNPQRTUWXY";
    let body = format!("91120103{n:09}");
    let weights = [1, 3, 9, 27, 19, 26, 16, 17, 20, 29, 25, 13, 8, 24, 10, 30, 28];
    let sum: usize = body.chars().zip(weights).map(|(c, w)| DIGITS.find(c).unwrap() * w).sum();
    format!("{body}{}", DIGITS.chars().nth((31 - sum % 31) % 31).unwrap())
}
