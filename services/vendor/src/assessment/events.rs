//! What hall tells that an assessment has to show.

use calendar::Instant;
use contracts::hearth::hall::v1::{ComplaintCategory, ComplaintFindingReversed, ComplaintUpheld, Finding};
use database::{Scope, Write};
use ids::{OrderId, VendorId};
use rpc::{Fault, wire};

use super::{
    model::Fact,
    store::{self, Complaint},
};
use crate::{contract::Contract, offer, remedy, settlement, vendor};

/// What a complaint takes off the draft, by what it is about.
const fn fact(category: ComplaintCategory) -> Fact {
    match category {
        ComplaintCategory::Delay => Fact::ComplaintDelay,
        ComplaintCategory::Attitude => Fact::ComplaintAttitude,
        ComplaintCategory::Safety => Fact::ComplaintSafety,
        _ => Fact::ComplaintQuality,
    }
}

/// A complaint against a vendor was upheld. It counts in the assessment of the period in which it was, under the contract of the work that it
/// is about; one about safety is an open disturbance besides. Told again, it counts as it was told last.
pub(crate) async fn complaint_upheld(write: &mut Write, told: ComplaintUpheld, at: Instant) -> Result<(), Fault> {
    let vendor: VendorId = wire::id_of("vendor_id", &told.vendor_id)?;
    let vendor = vendor::store::lock(write, &Scope::everything(), vendor).await?.id;
    let upheld = wire::date_if(told.upheld_date.as_ref(), "upheld_date")?.unwrap_or(at.date());
    let contract = contract_of(write, vendor, &told, at).await?;
    let complaint = Complaint {
        vendor,
        contract: contract.as_ref().map(|c| c.id),
        upheld,
        fact: fact(told.category()),
        in_part: told.finding() == Finding::PartlyUpheld,
        order: told.order_id,
        id: told.complaint_id,
    };
    store::uphold(write, &complaint).await?;
    write.subject(vendor);
    if complaint.fact == Fact::ComplaintSafety {
        let told = remedy::Complaint {
            id: &complaint.id,
            vendor,
            contract: complaint.contract,
            branch: contract.map(|c| c.branch).unwrap_or_default(),
        };
        remedy::disturbed(write, told).await?;
    }
    Ok(())
}

/// The contract of the work that a complaint is about, where that is certain.
async fn contract_of(write: &Write, vendor: VendorId, told: &ComplaintUpheld, at: Instant) -> Result<Option<Contract>, Fault> {
    let order: Option<OrderId> = vendor::wire::id_if("order_id", &told.order_id)?;
    let work = match order {
        Some(order) => offer::store::work_of(write, vendor, order).await?,
        None => None,
    };
    match work {
        Some(work) => settlement::contract_of(write, vendor, &work.branch, &work.kind, work.planned).await,
        None => settlement::contract_of(write, vendor, "", "", at.date()).await,
    }
}

/// A complaint does not stand any more: it counts for nothing, and the disturbance that came from it is cancelled.
pub(crate) async fn finding_reversed(write: &mut Write, told: ComplaintFindingReversed) -> Result<(), Fault> {
    let vendor: VendorId = wire::id_of("vendor_id", &told.vendor_id)?;
    let vendor = vendor::store::lock(write, &Scope::everything(), vendor).await?.id;
    if store::reverse(write, vendor, &told.complaint_id).await? {
        write.subject(vendor);
        remedy::cancel_disturbance(write, vendor, &told.complaint_id).await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f_07_every_category_of_complaint_counts_somewhere() {
        use ComplaintCategory as C;
        for (category, expected) in [
            (C::Unspecified, Fact::ComplaintQuality),
            (C::Billing, Fact::ComplaintQuality),
            (C::Metering, Fact::ComplaintQuality),
            (C::Supply, Fact::ComplaintQuality),
            (C::Repair, Fact::ComplaintQuality),
            (C::Safety, Fact::ComplaintSafety),
            (C::Attitude, Fact::ComplaintAttitude),
            (C::Delay, Fact::ComplaintDelay),
            (C::Contract, Fact::ComplaintQuality),
            (C::Suggestion, Fact::ComplaintQuality),
            (C::Other, Fact::ComplaintQuality),
        ] {
            assert_eq!(fact(category), expected, "{category:?}");
        }
    }
}
