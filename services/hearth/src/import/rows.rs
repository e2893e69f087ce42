//! The three kinds of CSV files and their services.

use chrono::Datelike;
use chrono_tz::Tz;
use contracts::hearth::{
    archive::v1::{CustomerRow, ImportCustomersRequest, ImportCustomersResponse, RowNotice, intake_service_client::IntakeServiceClient},
    billing::v1::{
        ImportMetersRequest, ImportMetersResponse, ImportReadingsRequest, ImportReadingsResponse, MeterRow, ReadingRow,
        meter_service_client::MeterServiceClient, reading_service_client::ReadingServiceClient,
    },
    r#type::v1::Decimal,
};
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

/// Customers with premises, accounts and contracts, for archive.
pub struct Customers {
    pub client: Client,
    /// Template of the contracts; none for the one in force.
    pub template_id: Option<String>,
}

impl Kind for Customers {
    type Row = CustomerRow;
    type Request = ImportCustomersRequest;
    type Response = ImportCustomersResponse;
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
            service: 0,
        })
    }

    fn request(&self, request_id: String, dry_run: bool, rows: Vec<CustomerRow>) -> ImportCustomersRequest {
        ImportCustomersRequest {
            request_id,
            dry_run,
            template_id: self.template_id.clone(),
            rows,
        }
    }

    async fn open(&self, requests: ReceiverStream<ImportCustomersRequest>) -> Result<Streaming<ImportCustomersResponse>, Status> {
        IntakeServiceClient::new(self.client.clone())
            .import_customers(requests)
            .await
            .map(tonic::Response::into_inner)
    }

    fn answer(&self, response: ImportCustomersResponse) -> Answer {
        let notice = |n: RowNotice| Notice {
            line: n.line,
            field: n.field,
            reason: n.reason,
            text: n.text,
        };
        Answer {
            accepted: response.accepted.into(),
            already: response.unchanged.into(),
            held: 0,
            refused: response.refused.into_iter().map(notice).collect(),
            warnings: response.warnings.into_iter().map(notice).collect(),
        }
    }
}

/// Meters and where they are installed, for billing.
pub struct Meters {
    pub client: Client,
    pub unit: Unit,
}

impl Kind for Meters {
    type Row = MeterRow;
    type Request = ImportMetersRequest;
    type Response = ImportMetersResponse;
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
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<MeterRow, Refused> {
        let text = |name| cells.get(name).to_owned();
        Ok(MeterRow {
            line: i32::try_from(line).map_err(|_| ("", ("LINE", "the file has too many lines")))?,
            meter_no: text("meter_no"),
            account_no: text("account_no"),
            kind: in_field("meter_kind", convert::meter_kind(cells.get("meter_kind")))?.into(),
            model: text("meter_model"),
            qmax: text("qmax_m3h"),
            digits: in_field("digits", convert::number(cells.get("digits")))?,
            installed_on: in_field("installed_on", convert::day(cells.get("installed_on")))?.to_string(),
            initial_index: in_field("initial_index", self.unit.to_cubic_metres(cells.get("initial_index")))?,
        })
    }

    fn request(&self, request_id: String, dry_run: bool, rows: Vec<MeterRow>) -> ImportMetersRequest {
        ImportMetersRequest { request_id, dry_run, rows }
    }

    async fn open(&self, requests: ReceiverStream<ImportMetersRequest>) -> Result<Streaming<ImportMetersResponse>, Status> {
        MeterServiceClient::new(self.client.clone())
            .import_meters(requests)
            .await
            .map(tonic::Response::into_inner)
    }

    fn answer(&self, response: ImportMetersResponse) -> Answer {
        let refused = response.refused.into_iter().map(|n| Notice {
            line: n.line.into(),
            field: n.field,
            reason: n.reason,
            text: n.text,
        });
        Answer {
            accepted: response.accepted.into(),
            already: response.repeats.into(),
            held: 0,
            refused: refused.collect(),
            warnings: vec![],
        }
    }
}

/// Readings, for billing.
pub struct Readings {
    pub client: Client,
    pub unit: Unit,
    /// Zone of times without an offset.
    pub zone: Tz,
    /// Source of rows that name none.
    pub source: String,
}

impl Kind for Readings {
    type Row = ReadingRow;
    type Request = ImportReadingsRequest;
    type Response = ImportReadingsResponse;
    const SERVICE: &'static str = "billing";
    const FIELDS: &'static [Field] = &[
        field("meter_no", &["meter_no"], true, 100),
        field("read_at", &["read_at"], true, 40),
        field("index", &["index"], true, 40),
        field("source", &["source"], false, 40),
    ];

    fn row(&self, line: i64, cells: Cells<'_>) -> Result<ReadingRow, Refused> {
        let source = cells.get("source");
        Ok(ReadingRow {
            line: i32::try_from(line).map_err(|_| ("", ("LINE", "the file has too many lines")))?,
            meter_no: cells.get("meter_no").to_owned(),
            read_at: in_field("read_at", convert::moment(cells.get("read_at"), self.zone))?.to_string(),
            index: in_field("index", self.unit.to_cubic_metres(cells.get("index")))?,
            source: if source.is_empty() { self.source.clone() } else { source.to_owned() },
        })
    }

    fn request(&self, request_id: String, dry_run: bool, rows: Vec<ReadingRow>) -> ImportReadingsRequest {
        ImportReadingsRequest { request_id, dry_run, rows }
    }

    async fn open(&self, requests: ReceiverStream<ImportReadingsRequest>) -> Result<Streaming<ImportReadingsResponse>, Status> {
        ReadingServiceClient::new(self.client.clone())
            .import_readings(requests)
            .await
            .map(tonic::Response::into_inner)
    }

    fn answer(&self, response: ImportReadingsResponse) -> Answer {
        let refused = response.refused.into_iter().map(|n| Notice {
            line: n.line.into(),
            field: n.field,
            reason: n.reason,
            text: n.text,
        });
        Answer {
            accepted: response.accepted.into(),
            already: response.repeats.into(),
            held: response.held.into(),
            refused: refused.collect(),
            warnings: vec![],
        }
    }
}
