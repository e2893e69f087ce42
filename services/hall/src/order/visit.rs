//! Visits that billing asks for: something about the use of an agreement needs a look at the site (E2-03, E9-01). One is open for each agreement.

use calendar::Instant;
use contracts::hearth::billing::v1::AbnormalUsageDetected;
use database::Write;
use rpc::{Fault, wire};
use vault::Vault;

use super::{model::Type, ops, store};
use crate::{codes::Code, complaint::model::Utility, fields, story};

/// Entry in the history of a visit: what was found.
const FIND: &str = "FIND";

/// Files the visit that a finding asks for, or joins the one that is open for the agreement. `found_at`: when billing found it.
pub async fn detected(write: &mut Write, vault: &Vault, told: AbnormalUsageDetected, found_at: Instant) -> Result<(), Fault> {
    if !told.visit {
        return Ok(());
    }
    let agreement = fields::id("agreement_id", &told.agreement_id)?;
    let date = wire::date_of(told.date.as_ref(), "date")?;
    let finding = format!("{} {} {date}", told.codes.join(" "), told.meter_no);
    let order = match store::open_visit(write, agreement).await? {
        Some(order) => order,
        None => {
            let new = ops::New {
                kind: Type::ReadingVisit,
                utility: Utility::of_code(&told.service).unwrap_or(Utility::Gas),
                branch: told.branch,
                case_id: None,
                account_id: fields::id_if("account_id", &told.account_id)?,
                agreement_id: Some(agreement),
                opening_id: None,
                planned_on: write.now().date(),
                task: finding.clone(),
                remote: false,
                received: found_at,
            };
            ops::file(write, vault, new).await?
        }
    };
    let state = order.state.code();
    story::note(write, order.id, FIND, state, state, &finding).await?;
    write.subject(order.id);
    Ok(())
}
