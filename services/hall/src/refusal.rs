rpc::refusals! {
    /// Why the hall service refuses a request that is well formed.
    pub enum Refusal {
        /// A day after today where something has happened already.
        DateInFuture = InvalidArgument "DATE_IN_FUTURE" "the day lies in the future",
        /// A day before today where something is planned.
        PlannedInPast = InvalidArgument "PLANNED_IN_PAST" "the planned day has passed",
        /// A version that would hold for days that have passed.
        DateInPast = InvalidArgument "DATE_IN_PAST" "the first day has passed",

        /// A member whom a vendor employs names vendor and person; own staff names neither.
        VendorPersonNeeded = InvalidArgument "VENDOR_PERSON_NEEDED" "a vendor's member names vendor and person, own staff neither",
        /// The member has left.
        StaffLeft = FailedPrecondition "STAFF_LEFT" "the member of staff has left",
        /// Certificates of vendors' persons are kept by the vendor service.
        CertificateKeptByVendor = FailedPrecondition "CERTIFICATE_KEPT_BY_VENDOR" "the vendor service keeps the certificates of this person",
        /// A certificate that ends before it begins.
        ValidityOrder = InvalidArgument "VALIDITY_ORDER" "the last day lies before the first",
        /// The certificate's state does not allow the step.
        CertificateState = FailedPrecondition "CERTIFICATE_STATE" "the state of the certificate does not allow this step",
        /// Somebody else than the first person is needed.
        SecondPersonNeeded = PermissionDenied "SECOND_PERSON_NEEDED" "another person than the first is needed",
        /// no certificate that counts on the day.
        CertificateNeeded = FailedPrecondition "CERTIFICATE_NEEDED" "a certificate that counts on the day is needed",

        /// Neither an account, nor a phone, nor an address.
        CallerNeeded = InvalidArgument "CALLER_NEEDED" "an account, a phone or an address is needed",
        /// The phone is none.
        PhoneInvalid = InvalidArgument "PHONE_INVALID" "not a mobile number, a landline with area code, or a 400 number",
        /// The case's state does not allow the step.
        CaseState = FailedPrecondition "CASE_STATE" "the state of the case does not allow this step",
        /// a refusal cites its rule.
        RuleNeeded = InvalidArgument "RULE_NEEDED" "a refusal cites the rule; another outcome does not",
        /// Work of the case is not done.
        OrdersOpen = FailedPrecondition "ORDERS_OPEN" "a work order of the case is open",
        /// Complaints are closed by a manager.
        ManagerNeeded = PermissionDenied "MANAGER_NEEDED" "a manager closes complaints",

        /// The order's type and state do not allow the step.
        OrderState = FailedPrecondition "ORDER_STATE" "type and state of the order do not allow this step",
        /// Orders of this type are made by their opening.
        OrderTypeRefused = InvalidArgument "ORDER_TYPE" "an order of this type is made by its opening",
        /// Orders of this type are moved by their opening.
        MovedByOpening = FailedPrecondition "MOVED_BY_OPENING" "an order of this type is moved by its opening",
        /// A member stands twice in the crew.
        StaffTwice = InvalidArgument "STAFF_TWICE" "a member stands twice in the crew",
        /// The time to answer has passed.
        RespondByInPast = InvalidArgument "RESPOND_BY_IN_PAST" "the time to answer has passed",
        /// The caller is not of the crew.
        NotTheCrew = PermissionDenied "NOT_THE_CREW" "only the crew of the order may do this",
        /// The type needs evidence that is absent.
        EvidenceMissing = InvalidArgument "EVIDENCE_MISSING" "evidence that the type needs is missing",
        /// Work of a vendor is accepted in the vendor service.
        VendorAcceptance = FailedPrecondition "VENDOR_ACCEPTANCE" "the vendor service accepts this work",

        /// The clock's state does not allow the step.
        ClockState = FailedPrecondition "CLOCK_STATE" "the state of the clock does not allow this step",
        /// A breached clock is not paused.
        ClockBreached = FailedPrecondition "CLOCK_BREACHED" "the clock is past due",
        /// The policy forbids pauses.
        ClockNotPausable = FailedPrecondition "CLOCK_NOT_PAUSABLE" "this clock may not be paused",

        /// A pass needs 300 mm between pipes and electric panels.
        PanelDistance = InvalidArgument "PANEL_DISTANCE" "a pass needs 300 mm between pipes and electric panels",

        /// The step is not parked.
        StepState = FailedPrecondition "STEP_STATE" "the step is not parked",

        /// The account takes no new agreement.
        AccountState = FailedPrecondition "ACCOUNT_STATE" "the account takes no new agreement",
        /// The service point belongs to other premises or is not for gas.
        ServicePointNotOfPremises = InvalidArgument "SERVICE_POINT_NOT_OF_PREMISES" "the premises have no such service point for gas",
        /// The opening's state does not allow the step.
        OpeningState = FailedPrecondition "OPENING_STATE" "the state of the opening does not allow this step",
        /// A step in another service is under way.
        StepUnderWay = FailedPrecondition "STEP_UNDER_WAY" "a step in another service is under way",
        /// E3-02: all missing papers at once.
        PapersMissing = InvalidArgument "PAPERS_MISSING" "papers are missing",
        /// E4-04: no agreement without a passed safety review.
        SafetyReviewMissing = FailedPrecondition "SAFETY_REVIEW_MISSING" "a non-resident needs a passed safety review",
        /// E5-01: an appliance that may not be connected.
        ApplianceNotAccepted = FailedPrecondition "APPLIANCE_NOT_ACCEPTED" "an appliance is not accepted",
        /// E4-02: items of the review fail.
        PreReviewIncomplete = FailedPrecondition "PRE_REVIEW_INCOMPLETE" "items of the pre-opening review fail",
        /// E4-01: two people for a non-resident.
        TwoOpenersNeeded = InvalidArgument "TWO_OPENERS_NEEDED" "more openers are needed",
        /// What was refused on site is not proved to be put right.
        RectificationUnproven = FailedPrecondition "RECTIFICATION_UNPROVEN" "the proof that the cause needs is not recorded",
        /// The pressure fell.
        NotTight = InvalidArgument "NOT_TIGHT" "the pressure fell; the opening has to be refused",
        /// The index has more places than the meter shows.
        IndexFormat = InvalidArgument "INDEX_FORMAT" "an index is not negative and has at most three places",
    }
}

#[cfg(test)]
mod tests {
    use super::Refusal;

    #[test]
    fn every_reason_is_told_once() {
        let mut reasons: Vec<_> = Refusal::ALL.iter().map(|r| r.reason()).collect();
        reasons.sort_unstable();
        reasons.dedup();
        assert_eq!(reasons.len(), Refusal::ALL.len());
    }
}
