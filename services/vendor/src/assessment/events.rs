//! What hall tells that an assessment has to show.

use contracts::hearth::hall::v1::ComplaintUpheld;
use database::{Scope, Write};
use ids::VendorId;
use rpc::{Fault, wire};

use super::store::{self, Complaint};
use crate::vendor;

/// A complaint against a vendor was upheld. It stands beside the assessment of the period in which it was told.
pub(crate) async fn complaint_upheld(write: &mut Write, told: ComplaintUpheld) -> Result<(), Fault> {
    let vendor: VendorId = wire::id_of("vendor_id", &told.vendor_id)?;
    let complaint = Complaint {
        vendor: vendor::store::load(&**write, &Scope::everything(), vendor).await?.id,
        upheld: write.now().date(),
        id: told.complaint_id,
    };
    store::insert_complaint(&**write, &complaint).await?;
    write.subject(complaint.vendor);
    Ok(())
}
