//! What steps there are, and how long to wait before one is tried again.

use std::time::Duration;

use crate::codes::codes;

codes! {
    /// What is done in another service.
    pub enum Kind {
        SignAgreement = 1 "SIGN_AGREEMENT",
        InstallMeter = 2 "INSTALL_METER",
        ActivateAgreement = 3 "ACTIVATE_AGREEMENT",
        RemoveInstallation = 4 "REMOVE_INSTALLATION",
        VoidAgreement = 5 "VOID_AGREEMENT",
        CheckVendorPerson = 6 "CHECK_VENDOR_PERSON",
    }
}

codes! {
    /// Where a step stands.
    pub enum State {
        Pending = 1 "PENDING",
        Done = 2 "DONE",
        Parked = 3 "PARKED",
        Dropped = 4 "DROPPED",
    }
}

/// Tries after which an unknown id counts as a refusal: until then the other service may not have heard of it yet.
pub const PATIENCE: i32 = 10;

/// How long to wait after a failed try; `attempts` counts that one.
pub fn wait(attempts: i32) -> Duration {
    let doubled = 200_u64.saturating_mul(1 << attempts.clamp(1, 9).saturating_sub(1));
    Duration::from_millis(doubled)
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::assert_contract;

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<Kind>("KIND_", |n| contract::step::Kind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<State>("STATE_", |n| contract::step::State::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn waits_double_up_to_about_a_minute() {
        let waits: Vec<_> = [1, 2, 3, 8, 9, 10, 1000].map(|n| wait(n).as_millis()).to_vec();
        assert_eq!(waits, [200, 400, 800, 25_600, 51_200, 51_200, 51_200]);
    }
}
