use contracts::hearth::archive::v1::{CustomerRow, ImportCustomersRequest, ImportCustomersResponse, RowNotice, party};
use database::Begun;
use money::Area;
use rpc::{Call, Code, Fault, wire};

use super::{
    batch::Batch,
    model::{self, Row},
};
use crate::{
    Desk,
    party::{identity::Warning, model::Kind},
    premises::store::service_of,
    refusal::Refusal,
};

/// One chunk, one transaction.
pub(crate) async fn import(desk: Desk, call: Call, request: ImportCustomersRequest) -> Result<ImportCustomersResponse, Fault> {
    let mut write = match desk.db.begin(&call, &request).await? {
        Begun::Fresh(write) => write,
        Begun::Replay(answer) => return Ok(answer),
    };
    let today = write.now().date();
    let mut answer = ImportCustomersResponse::default();
    let mut ready = vec![];
    for given in &request.rows {
        match model::check(&row(given), call.branch(), today) {
            Ok(row) => ready.push((given.line, row)),
            Err((field, refusal)) => answer.refused.push(refused(given.line, field, refusal)),
        }
    }
    let mut batch = Batch::load(&desk, &write, request.template_id.as_deref(), &ready).await?;
    for (line, row) in ready {
        let warning = row.identity.warning();
        match batch.decide(row) {
            Ok(true) => {
                answer.accepted = answer.accepted.saturating_add(1);
                answer.warnings.extend(warning.map(|w| warned(line, w)));
            }
            Ok(false) => answer.unchanged = answer.unchanged.saturating_add(1),
            Err((field, refusal)) => answer.refused.push(refused(line, field, refusal)),
        }
    }
    answer.refused.sort_by_key(|notice| notice.line);
    batch.store(&desk, &mut write).await.map_err(again)?;
    if request.dry_run {
        // Dropped without a commit, the write leaves nothing.
        return Ok(answer);
    }
    write.commit(answer).await
}

/// Somebody wrote the same numbers between our look and our insert: the chunk is decided anew.
fn again(fault: Fault) -> Fault {
    if fault.code() == Code::AlreadyExists {
        Fault::aborted("CONTENTION", "others are writing the same customers; try again").because(fault)
    } else {
        fault
    }
}

fn row(given: &CustomerRow) -> Row<'_> {
    let kind = match given.kind() {
        party::Kind::Person => Some(Kind::Person),
        party::Kind::Organisation => Some(Kind::Organisation),
        party::Kind::Unspecified => None,
    };
    let service = if given.service == 0 {
        None
    } else {
        Some(service_of(given.service()).ok_or(Refusal::EnumUnknown))
    };
    Row {
        account_no: &given.account_no,
        name: &given.name,
        kind,
        id_number: &given.id_number,
        phone: &given.phone,
        address: &given.address,
        community_code: &given.community_code,
        branch: &given.branch,
        use_class: &given.use_class,
        household_persons: given.household_persons,
        low_income: given.low_income,
        area: given.area_m2.as_ref().map(|area| {
            wire::decimal_of::<Area>(Some(area), "area_m2")
                .map(Area::hundredths)
                .map_err(|_| Refusal::AreaRange)
        }),
        supply_from: given
            .supply_from_date
            .as_ref()
            .map(|day| wire::date_of(Some(day), "supply_from_date").map_err(|_| Refusal::DateRange)),
        service,
    }
}

fn refused(line: i64, field: &str, refusal: Refusal) -> RowNotice {
    RowNotice {
        line,
        field: field.to_owned(),
        reason: refusal.reason().to_owned(),
        text: refusal.message().to_owned(),
    }
}

fn warned(line: i64, warning: Warning) -> RowNotice {
    RowNotice {
        line,
        field: "id_number".to_owned(),
        reason: warning.code().to_owned(),
        text: warning.text().to_owned(),
    }
}
