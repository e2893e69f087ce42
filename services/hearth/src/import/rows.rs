//! The kinds of files that have rows, and their services.

use std::{collections::HashMap, sync::Mutex};

use chrono::Datelike;
use chrono_tz::Tz;
use contracts::hearth::{
    archive::v1::{CustomerRow, ImportCustomersRequest, ImportCustomersResponse, intake_service_client::IntakeServiceClient},
    billing::v1::{
        ImportMetersRequest, ImportMetersResponse, ImportOpeningRequest, ImportOpeningResponse, ImportPaymentsRequest, ImportPaymentsResponse,
        ImportReadingsRequest, ImportReadingsResponse, MeterRow, OpeningItem, OpeningRow, PaymentRow, ReadingRow, meter_service_client::MeterServiceClient,
        opening_service_client::OpeningServiceClient, payment_service_client::PaymentServiceClient, reading_service_client::ReadingServiceClient,
    },
    r#type::v1::{Decimal, Money},
    vendor::v1::{ImportTradesRequest, ImportTradesResponse, TradeRow, vip_service_client::VipServiceClient},
};
use money::Volume;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Status, Streaming};

use super::{
    columns::{Cells, Field},
    convert::{self, Unit, Wrong},
    pump::{Answer, Kind, Notice},
};
use crate::client::Client;

type Refused = (&'static str, Wrong);

fn in_field<T>(field: &'static str, value: Result<T, Wrong>) -> Result<T, Refused> {
    value.map_err(|wrong| (field, wrong))
}

const fn field(name: &'static str, headers: &'static [&'static str], required: bool, limit: usize) -> Field {
    Field {
        name,
        headers,
        required,
        limit,
    }
}

fn line32(line: i64) -> Result<i32, Refused> {
    i32::try_from(line).map_err(|_| ("", ("LINE", "the file has too many lines")))
}

macro_rules! notices {
    ($list:expr) => {
        $list
            .into_iter()
            .map(|n| Notice {
                line: n.line.into(),
                field: n.field,
                reason: n.reason,
                text: n.text,
            })
            .collect()
    };
}

/// How every kind goes to its service: rows become a chunk, chunks a stream, and each answer is read. Named are the method, the request with what it
/// says beside the rows, and the answer with its count of rows that were there already and what else it tells.
macro_rules! walk {
    ($client:ident . $method:ident, $request:ident $(with $more:ident)?, $response:ident: $already:ident $(held $held:ident)? $(warns $warnings:ident)?) => {
        type Request = $request;
        type Response = $response;

        fn request(&self, request_id: String, dry_run: bool, rows: Vec<Self::Row>) -> $request {
            $request {
                request_id,
                dry_run,
                rows,
                $($more: self.$more.clone(),)?
            }
        }

        async fn open(&self, requests: ReceiverStream<$request>) -> Result<Streaming<$response>, Status> {
            $client::new(self.client.clone()).$method(requests).await.map(tonic::Response::into_inner)
        }

        fn answer(&self, response: $response) -> Answer {
            let mut answer = Answer {
                accepted: response.accepted.into(),
                already: response.$already.into(),
                ..Answer::default()
            };
            answer.refused = notices!(response.refused);
            $(answer.held = response.$held.into();)?
            $(answer.warnings = notices!(response.$warnings);)?
            answer
        }
    };
}

/// Customers with premises, accounts and contracts, for archive.
pub struct Customers {
    pub client: Client,
    /// Template of the contracts; none for the one in force.
    pub template_id: Option<String>,
}

impl Kind for Customers {
    type Row = CustomerRow;
    walk!(IntakeServiceClient.import_customers, ImportCustomersRequest with template_id, ImportCustomersResponse: unchanged warns warnings);
    const SERVICE: &'static str = "archive";
    const FIELDS: &'static [Field] = &[
        field("account_no", &["account_no"], true, 200),
        field("name", &["name"], true, 1000),
        field("party_kind", &["party_kind", "kind"], true, 40),
        field("id_number", &["id_number"], true, 200),
        field("phone", &["phone"], true, 200),
        field("address", &["address"], true, 1000),
        field("community_code", &["community_code"], false, 200),
        field("branch", &["branch"], true, 200),
        field("use_class", &["use_class"], true, 200),
        field("household_persons", &["household_persons"], false, 20),
        field("low_income", &["low_income"], false, 20),
        field("area_m2", &["area_m2"], false, 20),
        field("supply_from", &["supply_from", "installed_on"], true, 40),
        field("service", &["service"], false, 40),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<CustomerRow, Refused> {
        let text = |name| cells.get(name).to_owned();
        let supply_from = in_field("supply_from", convert::day(cells.get("supply_from")))?;
        if !(1900..=2199).contains(&supply_from.year()) {
            return Err(("supply_from", ("DATE", "the year is out of range")));
        }
        Ok(CustomerRow {
            line,
            account_no: text("account_no"),
            name: text("name"),
            kind: in_field("party_kind", convert::party_kind(cells.get("party_kind")))?.into(),
            id_number: text("id_number"),
            phone: text("phone"),
            address: text("address"),
            community_code: text("community_code"),
            branch: text("branch"),
            use_class: text("use_class"),
            household_persons: in_field("household_persons", convert::number(cells.get("household_persons")))?,
            low_income: in_field("low_income", convert::flag(cells.get("low_income")))?,
            area_m2: in_field("area_m2", convert::decimal(cells.get("area_m2")))?.map(|value| Decimal { value }),
            supply_from_date: Some(rpc::wire::date(supply_from)),
            service: in_field("service", convert::supplied(cells.get("service")))?.into(),
        })
    }
}

/// Meters and where they are installed, for billing.
pub struct Meters {
    pub client: Client,
    pub unit: Unit,
}

impl Kind for Meters {
    type Row = MeterRow;
    walk!(MeterServiceClient.import_meters, ImportMetersRequest, ImportMetersResponse: repeats);
    const SERVICE: &'static str = "billing";
    const PASSING: Option<&'static str> = Some("ACCOUNT_UNKNOWN");
    const FIELDS: &'static [Field] = &[
        field("meter_no", &["meter_no"], true, 100),
        field("account_no", &["account_no"], true, 100),
        field("meter_kind", &["meter_kind", "kind"], true, 40),
        field("meter_model", &["meter_model", "model"], false, 100),
        field("qmax_m3h", &["qmax_m3h", "qmax"], true, 40),
        field("digits", &["digits"], true, 20),
        field("initial_index", &["initial_index"], true, 40),
        field("installed_on", &["installed_on"], true, 40),
        field("multiplier", &["multiplier"], false, 20),
        field("gas_kind", &["gas_kind"], false, 40),
        field("verified_on", &["verified_on"], false, 40),
        field("expires_on", &["expires_on"], false, 40),
        field("seal_no", &["seal_no"], false, 100),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<MeterRow, Refused> {
        let text = |name| cells.get(name).to_owned();
        Ok(MeterRow {
            line: line32(line)?,
            meter_no: text("meter_no"),
            account_no: text("account_no"),
            kind: in_field("meter_kind", convert::meter_kind(cells.get("meter_kind")))?.into(),
            model: text("meter_model"),
            qmax: text("qmax_m3h"),
            digits: in_field("digits", convert::number(cells.get("digits")))?,
            installed_on: in_field("installed_on", convert::day(cells.get("installed_on")))?.to_string(),
            initial_index: in_field("initial_index", self.unit.to_meter(cells.get("initial_index")))?,
            multiplier: in_field("multiplier", convert::number(cells.get("multiplier")))?,
            gas_kind: in_field("gas_kind", convert::gas_kind(cells.get("gas_kind")))?.into(),
            verified_on: in_field("verified_on", day_if(cells.get("verified_on")))?,
            expires_on: in_field("expires_on", day_if(cells.get("expires_on")))?,
            seal_no: text("seal_no"),
        })
    }
}

/// A day; an empty cell stays empty.
fn day_if(text: &str) -> Result<String, Wrong> {
    if text.is_empty() {
        return Ok(String::new());
    }
    convert::day(text).map(|day| day.to_string())
}

/// Readings, for billing.
pub struct Readings {
    pub client: Client,
    pub unit: Unit,
    /// Zone of times without an offset.
    pub zone: Tz,
    /// Source of rows that name none.
    pub source: String,
    /// Adds up the use within intervals.
    pub summed: Option<Summed>,
}

impl Kind for Readings {
    type Row = ReadingRow;
    walk!(ReadingServiceClient.import_readings, ImportReadingsRequest, ImportReadingsResponse: repeats held held);
    const SERVICE: &'static str = "billing";
    const FIELDS: &'static [Field] = &[
        field("meter_no", &["meter_no"], true, 100),
        field("read_at", &["read_at"], true, 40),
        field("index", &["index"], true, 40),
        field("source", &["source"], false, 40),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<ReadingRow, Refused> {
        let (source, meter_no, raw) = (cells.get("source"), cells.get("meter_no"), cells.get("index"));
        // Before the time is judged: what was used within an interval was used, even if its time is refused.
        let index = in_field("index", self.index(meter_no, raw))?;
        let (read_at, time_twice) = in_field("read_at", convert::moment_or_twice(cells.get("read_at"), self.zone))?;
        Ok(ReadingRow {
            line: line32(line)?,
            meter_no: meter_no.to_owned(),
            read_at: read_at.to_string(),
            raw_index: (index != raw).then(|| raw.to_owned()),
            index,
            source: if source.is_empty() { self.source.clone() } else { source.to_owned() },
            time_twice,
        })
    }
}

impl Readings {
    /// What the register of a meter shows by a number of the file.
    fn index(&self, meter_no: &str, raw: &str) -> Result<String, Wrong> {
        match &self.summed {
            Some(summed) => summed.index(meter_no, &self.unit.to_meter(raw)?),
            None => self.unit.to_meter(raw),
        }
    }
}

/// What meters have counted so far, where a file has the use within intervals instead of a register: in billionths, so that no interval is rounded.
#[derive(Default)]
pub struct Summed(Mutex<HashMap<String, i128>>);

impl Summed {
    /// The register after an interval, from 0 before the first one of the file, rounded half up to the thousandth.
    fn index(&self, meter_no: &str, used: &str) -> Result<String, Wrong> {
        let used = billionths(used).ok_or(("INDEX_NOT_PLAIN_DIGITS", "the use is no plain number"))?;
        let mut meters = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let counted = meters.entry(meter_no.to_owned()).or_default();
        *counted = counted.saturating_add(used);
        let thousandths = counted.saturating_add(500_000).div_euclid(1_000_000);
        let litres = i64::try_from(thousandths).map_err(|_| ("INDEX_DIGITS", "the uses add up to more than a register can show"))?;
        Ok(Volume::from_litres(litres).short().to_string())
    }
}

/// A plain number of at most nine places.
fn billionths(text: &str) -> Option<i128> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str, most: usize| !part.is_empty() && part.len() <= most && part.bytes().all(|b| b.is_ascii_digit());
    (plain(whole, 15) && plain(fraction, 9))
        .then(|| format!("{whole}{fraction:0<9}").parse().ok())
        .flatten()
}

/// Payments of a channel, for billing.
pub struct Payments {
    pub client: Client,
    /// Zone of times without an offset.
    pub zone: Tz,
    /// Channel of rows that name none.
    pub channel: String,
}

impl Kind for Payments {
    type Row = PaymentRow;
    walk!(PaymentServiceClient.import_payments, ImportPaymentsRequest, ImportPaymentsResponse: repeats);
    const SERVICE: &'static str = "billing";
    const PASSING: Option<&'static str> = Some("ACCOUNT_UNKNOWN");
    const FIELDS: &'static [Field] = &[
        field("account_no", &["account_no"], true, 100),
        field("amount", &["amount"], true, 40),
        field("channel_reference", &["channel_reference", "reference"], true, 100),
        field("paid_at", &["paid_at", "paid_on"], true, 40),
        field("channel", &["channel"], false, 40),
        field("service", &["service"], false, 40),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<PaymentRow, Refused> {
        let channel = cells.get("channel");
        Ok(PaymentRow {
            line: line32(line)?,
            account_no: cells.get("account_no").to_owned(),
            amount: cells.get("amount").to_owned(),
            channel: if channel.is_empty() { self.channel.clone() } else { channel.to_owned() },
            channel_reference: cells.get("channel_reference").to_owned(),
            paid_at: in_field("paid_at", convert::day_or_moment(cells.get("paid_at"), self.zone))?,
            service: in_field("service", convert::service(cells.get("service")))?.to_owned(),
        })
    }
}

/// The state with which billing begins where another system billed before, for billing.
pub struct Opening {
    pub client: Client,
    pub unit: Unit,
}

impl Opening {
    /// A register value or a volume in cubic metres; an empty cell stays empty.
    fn metres(&self, cells: Cells<'_>, field: &'static str) -> Result<String, Refused> {
        match cells.get(field) {
            "" => Ok(String::new()),
            text => in_field(field, self.unit.to_meter(text)),
        }
    }
}

impl Kind for Opening {
    type Row = OpeningRow;
    walk!(OpeningServiceClient.import_opening, ImportOpeningRequest, ImportOpeningResponse: repeats);
    const SERVICE: &'static str = "billing";
    const PASSING: Option<&'static str> = Some("ACCOUNT_UNKNOWN");
    const FIELDS: &'static [Field] = &[
        field("account_no", &["account_no"], true, 100),
        field("as_of", &["as_of"], true, 40),
        field("service", &["service"], false, 40),
        field("meter_no", &["meter_no"], false, 100),
        field("index", &["index"], false, 40),
        field("year_volume", &["year_volume"], false, 40),
        field("prepayment", &["prepayment"], false, 40),
        field("open_items", &["open_items"], false, 8000),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<OpeningRow, Refused> {
        Ok(OpeningRow {
            line: line32(line)?,
            account_no: cells.get("account_no").to_owned(),
            service: in_field("service", convert::service(cells.get("service")))?.to_owned(),
            as_of: in_field("as_of", convert::day(cells.get("as_of")))?.to_string(),
            meter_no: cells.get("meter_no").to_owned(),
            index: self.metres(cells, "index")?,
            year_volume: self.metres(cells, "year_volume")?,
            prepayment: cells.get("prepayment").to_owned(),
            items: in_field("open_items", open_items(cells.get("open_items")))?,
        })
    }
}

/// Open items of a cell: number, last day and amount of each, parted by blanks; items are parted by semicolons.
fn open_items(text: &str) -> Result<Vec<OpeningItem>, Wrong> {
    let items = text.split([';', '；']).map(str::trim).filter(|item| !item.is_empty());
    items
        .map(|item| {
            // The number may have blanks of its own.
            let mut parts = item.rsplitn(3, char::is_whitespace);
            let (Some(amount), Some(due), Some(reference)) = (parts.next(), parts.next(), parts.next()) else {
                return Err(("OPEN_ITEM", "not a bill number, a day and an amount, parted by blanks"));
            };
            Ok(OpeningItem {
                reference: reference.trim().to_owned(),
                due_on: convert::day(due)?.to_string(),
                amount: amount.to_owned(),
            })
        })
        .collect()
}

/// Trades of the companies of the group with vendors, for vendor.
pub struct Trades {
    pub client: Client,
}

impl Kind for Trades {
    type Row = TradeRow;
    walk!(VipServiceClient.import_trades, ImportTradesRequest, ImportTradesResponse: unchanged);
    const SERVICE: &'static str = "vendor";
    const FIELDS: &'static [Field] = &[
        field("reference", &["reference"], true, 200),
        field("trade_date", &["trade_date", "date"], true, 40),
        field("company", &["company"], true, 200),
        field("uscc", &["uscc", "credit_code"], true, 200),
        field("amount", &["amount"], true, 40),
        field("quality_fault", &["quality_fault"], false, 40),
        field("reverses_reference", &["reverses_reference", "reverses"], false, 200),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<TradeRow, Refused> {
        let text = |name| cells.get(name).to_owned();
        let yuan = |name| -> Result<Money, Refused> { in_field(name, convert::yuan(cells.get(name))).map(rpc::wire::money) };
        Ok(TradeRow {
            line,
            reference: text("reference"),
            trade_date: Some(rpc::wire::date(in_field("trade_date", convert::day(cells.get("trade_date")))?)),
            company: text("company"),
            uscc: text("uscc"),
            amount: Some(yuan("amount")?),
            quality_fault: if cells.get("quality_fault").is_empty() {
                None
            } else {
                Some(yuan("quality_fault")?)
            },
            reverses_reference: text("reverses_reference"),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn uses_are_added_up_for_each_meter_and_only_the_sum_is_rounded() {
        let summed = Summed::default();
        let after: Vec<_> = ["1.0004", "1.0004", "0", "0.0002"].map(|used| summed.index("M1", used).unwrap()).to_vec();
        // 1.0004, 2.0008, 2.0008, 2.001.
        assert_eq!(after, ["1", "2.001", "2.001", "2.001"]);
        assert_eq!(summed.index("M2", "12.5").unwrap(), "12.5");
        for wrong in ["", "-1", "1.", ".5", "1e3", "1.0000000001"] {
            assert_eq!(summed.index("M1", wrong).unwrap_err().0, "INDEX_NOT_PLAIN_DIGITS", "{wrong}");
        }
        assert_eq!(summed.index("M1", "1").unwrap(), "3.001", "what could not be read adds nothing");
        for _ in 0..9 {
            // Nine times 999,999,999,999,999 m³ are more litres than 63 bits hold.
            drop(summed.index("M3", "999999999999999"));
        }
        assert_eq!(summed.index("M3", "999999999999999").unwrap_err().0, "INDEX_DIGITS");
    }

    #[test]
    fn what_a_file_says_of_a_meter_besides_is_read() {
        assert_eq!((day_if("").unwrap(), day_if("2024/12/31").unwrap()), (String::new(), "2024-12-31".to_owned()));
        assert_eq!(day_if("soon").unwrap_err().0, "DATE");
    }

    #[test]
    fn open_items_are_read_from_one_cell() {
        let items = open_items("BL 2024 11 2024/12/15 131.56; BL-12 2025-01-15 60.00;").unwrap();
        let told: Vec<_> = items.iter().map(|i| (i.reference.as_str(), i.due_on.as_str(), i.amount.as_str())).collect();
        assert_eq!(told, [("BL 2024 11", "2024-12-15", "131.56"), ("BL-12", "2025-01-15", "60.00")]);
        assert_eq!(open_items(" ").unwrap(), []);
        assert_eq!(open_items("BL-12 60.00").unwrap_err().0, "OPEN_ITEM");
        assert_eq!(open_items("BL-12 soon 60.00").unwrap_err().0, "DATE");
    }
}
