use contracts::hearth::hall::v1::{step_service_server::StepService, *};

use super::ops;
use crate::Desk;

/// Serves `StepService`.
pub struct Api(pub Desk);

rpc::service! {
    StepService for Api(Desk) {
        read list_steps(ListStepsRequest) -> ListStepsResponse = ops::list;
        write retry_step(RetryStepRequest) -> RetryStepResponse = ops::retry;
    }
}
