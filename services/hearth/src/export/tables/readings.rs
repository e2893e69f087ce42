//! Readings of meters.

use anyhow::Result;
use contracts::hearth::billing::v1::{ListReadingsRequest, Reading, reading_service_client::ReadingServiceClient};
use indicatif::ProgressBar;

use super::{moment, number, word};
use crate::{
    client::Client,
    export::{
        filter::Filter,
        page::list,
        sheet::{Column, Sheet, figure, text},
    },
};

pub const COLUMNS: &[Column] = &[
    text("meter_no"),
    text("read_at"),
    figure("index", 3),
    text("source"),
    text("state"),
    text("raw_index"),
    text("rollover"),
    text("recorded_by"),
    text("branch"),
    text("create_time"),
    text("reading_id"),
    text("installation_id"),
    text("agreement_id"),
];

pub async fn fill(client: Client, filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    bar.set_message("readings");
    let supplies = filter.supplies(&client).await?;
    // Of all contracts, or of each that the account has.
    let agreements = supplies.map_or(vec![None], |found| found.into_iter().map(|s| Some(s.agreement_id)).collect());
    for agreement_id in agreements {
        let request = ListReadingsRequest {
            branch: filter.branch(),
            agreement_id,
            from_date: filter.first_date(),
            until_date: filter.until_date(),
            ..ListReadingsRequest::default()
        };
        list!(ReadingServiceClient::new(client.clone()), list_readings, request, readings, |reading| {
            bar.inc(1);
            sheet.row(&row(reading))
        })?;
    }
    Ok(())
}

fn row(reading: Reading) -> Vec<String> {
    let state = reading.state();
    vec![
        reading.meter_no,
        moment(reading.read_time.as_ref()),
        number(reading.index.as_ref()),
        reading.source,
        word(state.as_str_name(), "STATE_").to_owned(),
        reading.raw_index,
        reading.rollover.to_string(),
        reading.recorded_by,
        reading.branch,
        moment(reading.create_time.as_ref()),
        reading.reading_id,
        reading.installation_id,
        reading.agreement_id,
    ]
}
