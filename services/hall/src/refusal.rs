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
        /// The matter's state does not allow the step.
        MatterState = FailedPrecondition "MATTER_STATE" "the state of the matter does not allow this step",
        /// fees are published by billing only.
        FeesComeFromBilling = InvalidArgument "FEES_COME_FROM_BILLING" "fee standards and fee bases come from the fee items of billing",
        /// Only a commitment stands for a promise.
        PromiseOfCommitment = InvalidArgument "PROMISE_OF_COMMITMENT" "only a commitment names a promise",
        /// No SLA policy has the subject on the first day.
        PromiseUnknown = FailedPrecondition "PROMISE_UNKNOWN" "no promise is in force for the subject",

        /// The entry's state does not allow the step.
        InteractionState = FailedPrecondition "INTERACTION_STATE" "the state of the entry does not allow this step",
        /// S-02: the badge is confirmed on each visit.
        BadgeNeeded = InvalidArgument "BADGE_NEEDED" "a visit needs the number of the badge",
        /// S-02: the badge is not the caller's.
        BadgeMismatch = PermissionDenied "BADGE_MISMATCH" "the badge is not the caller's",
        /// The contact led to one already.
        LinkedAlready = FailedPrecondition "LINKED_ALREADY" "the entry is linked already",
        /// Passed on, and to nothing.
        LinkNeeded = FailedPrecondition "LINK_NEEDED" "what is passed on needs a case or a complaint",
        /// a refusal is explained.
        ExplanationNeeded = InvalidArgument "EXPLANATION_NEEDED" "a refusal needs its explanation",
        /// The reply lies before the contact.
        ReplyBeforeContact = InvalidArgument "REPLY_BEFORE_CONTACT" "the reply lies before the contact",
        /// Somebody looks after it already.
        EscalationTaken = FailedPrecondition "ESCALATION_TAKEN" "the escalation is taken in hand already",

        /// A visit names its order, a shift none.
        OrderOfVisit = InvalidArgument "ORDER_OF_VISIT" "a visit names its order, a shift none",
        /// The fact is about somebody else.
        NotTheMember = PermissionDenied "NOT_THE_MEMBER" "only the member answers",
        /// The member has answered.
        FactAnswered = FailedPrecondition "FACT_ANSWERED" "the member has answered already",

        /// The complaint's state does not allow the step.
        ComplaintState = FailedPrecondition "COMPLAINT_STATE" "the state of the complaint does not allow this step",
        /// C-07: an anonymous complaint carries nothing by which the reporter is known.
        AnonymousKnown = InvalidArgument "ANONYMOUS_KNOWN" "an anonymous complaint names no account, name, phone or address",
        /// C-07: a reply to an anonymous complaint is filed, another one is sent.
        ReplyChannel = InvalidArgument "REPLY_CHANNEL" "the reply to an anonymous complaint is filed, another one names its channel",
        /// C-06: each reporter gets a reply.
        DuplicatesUnanswered = FailedPrecondition "DUPLICATES_UNANSWERED" "the reporter of a linked complaint has no reply",
        /// The order was another vendor's.
        VendorNotOfOrder = InvalidArgument "VENDOR_NOT_OF_ORDER" "the order was not this vendor's",
        /// C-05: clocks of complaints stand for the customer only.
        PauseReason = InvalidArgument "PAUSE_REASON" "the clock of a complaint is stopped only while the customer is waited for",

        /// The task's state does not allow the step.
        CallbackState = FailedPrecondition "CALLBACK_STATE" "the state of the call-back does not allow this step",
        /// C-01: nobody chooses whom to call by what he tells of.
        CallbackRateWhole = InvalidArgument "CALLBACK_RATE_WHOLE" "what is only told of is called every time",
        /// C-02: a handler does not ask about the own work.
        CallerIsHandler = PermissionDenied "CALLER_IS_HANDLER" "whoever handled the matter does not call",
        /// C-02: nobody of the vendor whose crew did the work asks about it.
        CallerOfSameVendor = PermissionDenied "CALLER_OF_SAME_VENDOR" "nobody of the vendor that did the work calls",
        /// Somebody else has the task.
        NotTheAssignee = PermissionDenied "NOT_THE_ASSIGNEE" "the task is given to somebody else",
        /// The policy wants a call of the director.
        RankTooLow = PermissionDenied "RANK_TOO_LOW" "the director makes this call",
        /// The director closes what was not satisfied at first.
        DirectorNeeded = PermissionDenied "DIRECTOR_NEEDED" "the director closes the call-back of a dissatisfied customer",
        /// The caller is not registered as staff, or has left.
        NotStaff = FailedPrecondition "NOT_STAFF" "the caller is no member of staff",
        /// C-04: the rework is open.
        ReworkOpen = FailedPrecondition "REWORK_OPEN" "the rework is open",
        /// C(e): the complaint goes on.
        ComplaintReopened = FailedPrecondition "COMPLAINT_REOPENED" "the complaint goes on; its call waits",
        /// C(e): the customer does not want to be called.
        CustomerObjects = FailedPrecondition "CUSTOMER_OBJECTS" "the customer does not want to be called",
        /// C(e): somebody else answered, and the number is still the same.
        NumberNotCorrected = FailedPrecondition "NUMBER_NOT_CORRECTED" "somebody else answered; the number has to be corrected first",
        /// The policy plans another channel, or the customer was reached through another one.
        ChannelNotPlanned = InvalidArgument "CHANNEL_NOT_PLANNED" "the customer is asked through another channel",
        /// Nobody was reached in this round, or has not given a good answer.
        NotReached = FailedPrecondition "NOT_REACHED" "the customer has not answered in this round",
        /// C-08: nothing is missing.
        RecordComplete = FailedPrecondition "RECORD_COMPLETE" "no record waits for a signature",

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
