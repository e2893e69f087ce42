//! Whoever calls the service of the notes.

use contracts::hearth::{hall::v1::escalation_service_client::EscalationServiceClient, options::v1::Role};
use testbed::{Bed, Client};

pub use crate::notes::{DESK, note};

pub type Desk = EscalationServiceClient<Client>;

pub fn desk(bed: &Bed) -> Desk {
    EscalationServiceClient::new(bed.staff(&[Role::Dispatcher]))
}
