rpc::refusals! {
    /// Why the vendor service refuses a request that is well formed.
    pub enum Refusal {
        /// The credit code fails its check digit.
        UsccInvalid = InvalidArgument "USCC_INVALID" "the unified social credit code does not check out",
        /// Art. 8: a dossier shows technical capability, financial capability and quotation.
        DossierIncomplete = InvalidArgument "DOSSIER_INCOMPLETE" "the dossier lacks a required document",
        /// F-03.
        ScoreRange = InvalidArgument "SCORE_RANGE" "a score is above its maximum",
        /// The day lies in the future.
        DateInFuture = InvalidArgument "DATE_IN_FUTURE" "the day is after today",
        /// The day lies in the past.
        DateInPast = InvalidArgument "DATE_IN_PAST" "the day is not after today",
        /// The end lies before the start.
        TermOrder = InvalidArgument "TERM_ORDER" "the last day is before the first day",
        /// A value that may not be negative.
        ValueNegative = InvalidArgument "VALUE_NEGATIVE" "the value is negative",
        /// The identity number fails its check digit or its birth day.
        IdNumberInvalid = InvalidArgument "ID_NUMBER_INVALID" "the identity number does not check out",
        /// Neither mobile, landline with area code, nor 400 number.
        PhoneInvalid = InvalidArgument "PHONE_INVALID" "the phone number is not one",

        /// F-01: the verb does not fit the vendor's state.
        VendorState = FailedPrecondition "VENDOR_STATE" "the vendor is in a state that does not allow this",
        /// F-01: the verb does not fit the stage of the qualification.
        QualificationStage = FailedPrecondition "QUALIFICATION_STAGE" "the qualification is at a stage that does not allow this",
        /// Another qualification for the category is on its way.
        QualificationOpen = FailedPrecondition "QUALIFICATION_OPEN" "a qualification for this category is on its way",
        /// F-13.
        CategoryNotOutsourceable = FailedPrecondition "CATEGORY_NOT_OUTSOURCEABLE" "the category may not be given to a vendor",
        /// F-03: no scored qualification in the category.
        NothingToRank = FailedPrecondition "NOTHING_TO_RANK" "no scored qualification in this category",
        /// F-02.
        SegregationOfDuties = PermissionDenied "SEGREGATION_OF_DUTIES" "who judges a vendor's qualification may have no part in its contracts, and the other way round",
        /// Whoever approves is another person than whoever prepared.
        SecondPersonNeeded = PermissionDenied "SECOND_PERSON_NEEDED" "another person has to do this",
        /// F-15: a person of the vendor still has access.
        AccessRemains = FailedPrecondition "ACCESS_REMAINS" "a person of the vendor still has access",
        /// F-15: a contract has not ended.
        ContractRemains = FailedPrecondition "CONTRACT_REMAINS" "a contract with the vendor has not ended",
        /// F-15: accepted work is not done.
        WorkRemains = FailedPrecondition "WORK_REMAINS" "the vendor has work that is not done",

        /// F-05: the verb does not fit the contract's state.
        ContractState = FailedPrecondition "CONTRACT_STATE" "the contract is in a state that does not allow this",
        /// The term of the contract has not begun, or is over.
        ContractTerm = FailedPrecondition "CONTRACT_TERM" "today is outside the term of the contract",
        /// F-04.
        VendorBlacklisted = FailedPrecondition "VENDOR_BLACKLISTED" "the vendor is on the black list",
        /// F-04.
        VendorNotAdmitted = FailedPrecondition "VENDOR_NOT_ADMITTED" "the vendor is not admitted for this",
        /// F-03, F-04.
        QualificationOutdated = FailedPrecondition "QUALIFICATION_OUTDATED" "the qualification is older than its validity",
        /// F-04.
        ConfidentialityMissing = FailedPrecondition "CONFIDENTIALITY_MISSING" "the confidentiality agreement is not signed",
        /// F-04.
        DataTermsMissing = FailedPrecondition "DATA_TERMS_MISSING" "the clauses on personal data are missing",
        /// F-04.
        SlaMissing = FailedPrecondition "SLA_MISSING" "no service level is attached",
        /// F-04.
        EmergencyPlanMissing = FailedPrecondition "EMERGENCY_PLAN_MISSING" "the emergency and backup plan is missing",
        /// F-04.
        RetentionMissing = FailedPrecondition "RETENTION_MISSING" "the retention is not set",
        /// F-04: whoever signs for a party has to be allowed to.
        AuthorityExpired = FailedPrecondition "AUTHORITY_EXPIRED" "the authority of a delegate has ended",

        /// The person has left.
        PersonEnded = FailedPrecondition "PERSON_ENDED" "the person has left the vendor",
        /// The verb does not fit the person's state.
        PersonState = FailedPrecondition "PERSON_STATE" "the person is in a state that does not allow this",
        /// F-10: a replacement of key staff needs approval.
        KeyStaffNotApproved = FailedPrecondition "KEY_STAFF_NOT_APPROVED" "the person is to replace key staff and is not approved",
        /// F-10.
        NdaMissing = FailedPrecondition "NDA_MISSING" "the person has not signed the confidentiality agreement",
        /// F-10, S-01.
        TrainingMissing = FailedPrecondition "TRAINING_MISSING" "the person lacks a training",
        /// F-10, A-01.
        CertificateMissing = FailedPrecondition "CERTIFICATE_MISSING" "the person lacks the certificate",
        ///
        CertificateNotValid = FailedPrecondition "CERTIFICATE_NOT_VALID" "no certificate of the person counts on that day",
        /// The certificate was revoked before.
        CertificateRevoked = FailedPrecondition "CERTIFICATE_REVOKED" "the certificate is revoked already",
        /// The grant was revoked before.
        AccessRevoked = FailedPrecondition "ACCESS_REVOKED" "the grant is revoked already",
        /// The key of the person's data was destroyed.
        DataErased = FailedPrecondition "DATA_ERASED" "the personal data was erased",

        /// Somebody else was faster.
        OfferTaken = FailedPrecondition "OFFER_TAKEN" "the order is taken",
        /// The time to respond is over.
        OfferExpired = FailedPrecondition "OFFER_EXPIRED" "the time to respond is over",
        /// The verb does not fit the offer's state.
        OfferState = FailedPrecondition "OFFER_STATE" "the offer is in a state that does not allow this",

        /// F-07: the period is scored, and no scores were given.
        ScoresMissing = InvalidArgument "SCORES_MISSING" "the scores are missing",
        /// F-07: a month without orders takes no scores.
        NothingToAssess = FailedPrecondition "NOTHING_TO_ASSESS" "there were no orders in this month",
        /// The day is not the first of a month.
        PeriodMonth = InvalidArgument "PERIOD_MONTH" "a month is named by its first day",
        /// The period is not over.
        PeriodOpen = FailedPrecondition "PERIOD_OPEN" "the period is not over",
        /// F-08.
        AssessorAccepted = PermissionDenied "ASSESSOR_ACCEPTED" "whoever accepted or refused work of the vendor may not assess it",
        /// F-08: the verb does not fit the assessment's state.
        AssessmentState = FailedPrecondition "ASSESSMENT_STATE" "the assessment is in a state that does not allow this",
        /// F-08: an objection never lowers a score.
        ScoreLowered = FailedPrecondition "SCORE_LOWERED" "the new score is lower than the old one",

        /// An order's rate has a kind of work, a month's has none.
        WorkKind = InvalidArgument "WORK_KIND" "the kind of work does not fit what the rate is for",
        /// A month that was counted does not change.
        RateSettled = FailedPrecondition "RATE_SETTLED" "a payment request has counted this day",
        /// Work is paid under one contract only.
        RateElsewhere = FailedPrecondition "RATE_ELSEWHERE" "another contract with the vendor has this work on its card",
        /// F-09: accepted work has no price.
        RateMissing = FailedPrecondition "RATE_MISSING" "accepted work has no rate",
        /// The asset came back before.
        AssetReturned = FailedPrecondition "ASSET_RETURNED" "the asset was returned already",
        /// F-09: tax is that of the day of the work.
        InvoiceTaxRate = InvalidArgument "INVOICE_TAX_RATE" "the invoice does not show the rates of tax of the days of the work",
        /// F-09: the verb does not fit the payment request's state.
        PaymentState = FailedPrecondition "PAYMENT_STATE" "the payment request is in a state that does not allow this",
        /// F-09.
        AssessmentMissing = FailedPrecondition "ASSESSMENT_MISSING" "the month is not assessed",
        /// The books changed after the request was submitted.
        PaymentChanged = FailedPrecondition "PAYMENT_CHANGED" "counting again gives other amounts",
        /// F-09.
        PaymentHeld = FailedPrecondition "PAYMENT_HELD" "the payment is held",
        /// The contract has no such service level.
        SlaMetricUnknown = FailedPrecondition "SLA_METRIC_UNKNOWN" "the contract has no such service level",
        /// The service places holds of this cause itself.
        HoldCause = InvalidArgument "HOLD_CAUSE" "holds of this cause are not placed by hand",
        /// F-09: holds have an owner.
        HoldOwner = PermissionDenied "HOLD_OWNER" "only the owner of the hold may release it",
        /// The reason of the hold stands.
        HoldStands = FailedPrecondition "HOLD_STANDS" "the reason of the hold stands",
        /// The hold was released before.
        HoldReleased = FailedPrecondition "HOLD_RELEASED" "the hold was released already",
        /// An amount above what a payment may come to.
        PaymentRange = OutOfRange "TOTAL_RANGE" "the payment would be above what one may come to",

        /// G-04.
        VipCaseOpen = FailedPrecondition "VIP_CASE_OPEN" "a case of the vendor is open",
        /// The vendor is a VIP already.
        VipListed = FailedPrecondition "VIP_LISTED" "the vendor is a VIP",
        /// G-04.
        VipTooSoon = FailedPrecondition "VIP_TOO_SOON" "less than 90 days have passed since the refusal",
        /// G-01.
        VipTradeTotal = FailedPrecondition "VIP_TRADE_TOTAL" "the trade with the group is not above the threshold",
        /// G-02.
        VipQuality = FailedPrecondition "VIP_QUALITY" "the share of goods with quality problems is not below one percent",
        /// G-03.
        VipCooperation = FailedPrecondition "VIP_COOPERATION" "a quality problem is not assessed, or the vendor did not cooperate",
        /// S-09.
        VipCulture = FailedPrecondition "VIP_CULTURE" "no attestation of culture counts today",
        /// G-04: another department's turn.
        VipStepRole = PermissionDenied "VIP_STEP_ROLE" "it is another department's turn",
        /// G-04: steps are taken by different persons.
        VipStepPerson = PermissionDenied "VIP_STEP_PERSON" "whoever submitted the case or took an earlier step may not take this one",
        /// The verb does not fit the case's state.
        VipState = FailedPrecondition "VIP_STATE" "the case is in a state that does not allow this",
        /// A refusal says why.
        OpinionMissing = InvalidArgument "OPINION_MISSING" "a refusal needs an opinion",
        /// G-03: the trade had no quality problem.
        NoQualityProblem = FailedPrecondition "NO_QUALITY_PROBLEM" "the trade had no quality problem",
        /// A column of a row is empty or no value.
        Required = InvalidArgument "REQUIRED" "a value is required",
        /// A trade of nothing.
        AmountZero = InvalidArgument "AMOUNT_ZERO" "the amount is zero",
        /// The fault is larger than the trade, or of another sign.
        QualityRange = InvalidArgument "QUALITY_RANGE" "the fault does not lie within the amount",
        /// The trade that is taken back is not known.
        ReversalUnknown = InvalidArgument "REVERSAL_UNKNOWN" "there is no such trade of this vendor to take back",
        /// G-01: it would take back more than is left of the trade.
        ReversalAmount = InvalidArgument "REVERSAL_AMOUNT" "more would be taken back than is left of the trade",
        /// G-02: it would take back more of the fault than there is, or leave more of it than of the trade.
        ReversalFault = InvalidArgument "REVERSAL_FAULT" "the fault that would be left does not lie within what is left of the trade",
        /// It lies before the trade.
        ReversalDate = InvalidArgument "REVERSAL_DATE" "a trade is not taken back before its day",
        /// The reference stands for another trade.
        ReferenceTaken = InvalidArgument "REFERENCE_TAKEN" "the reference stands for another trade",
        /// The reference stands twice in one chunk.
        Duplicate = InvalidArgument "DUPLICATE" "the reference stands twice in this chunk",

        /// The deadline lies in the past.
        DeadlinePast = InvalidArgument "DEADLINE_PAST" "the deadline is not after now",
        /// The price is not positive.
        PriceRange = InvalidArgument "PRICE_RANGE" "the price is not positive",
        /// The quote was withdrawn before.
        QuoteWithdrawn = FailedPrecondition "QUOTE_WITHDRAWN" "the quote was withdrawn",
        /// G-05: technical requirements come first.
        QuoteNotReviewed = FailedPrecondition "QUOTE_NOT_REVIEWED" "a quote is not reviewed",
        /// The verb does not fit the tender's state.
        TenderState = FailedPrecondition "TENDER_STATE" "the tender is in a state that does not allow this",

        /// G-11: who stands behind the vendor is not known.
        LegalRepresentativeMissing = FailedPrecondition "LEGAL_REPRESENTATIVE_MISSING" "the legal representative is not recorded",
        /// G-11: a firm that is registered anew does not escape the list.
        LegalRepresentativeListed = FailedPrecondition "LEGAL_REPRESENTATIVE_LISTED" "the legal representative represents a vendor on the black list",
        /// The vendor is called so already.
        NameUnchanged = FailedPrecondition "NAME_UNCHANGED" "the vendor has this name already",

        /// F-07: whoever scores above the facts says why.
        FindingsMissing = InvalidArgument "FINDINGS_MISSING" "an item is above the draft and no finding says why",
        /// The verb does not fit the remedy's state.
        RemedyState = FailedPrecondition "REMEDY_STATE" "the remedy is in a state that does not allow this",
        /// The service opens remedies of this kind itself.
        RemedyKind = InvalidArgument "REMEDY_KIND" "remedies of this kind are not opened by hand",
        /// F-06.
        Severity = InvalidArgument "SEVERITY" "a disturbance has a severity and nothing else has one",
        /// F-09: remedies have an owner.
        RemedyOwner = PermissionDenied "REMEDY_OWNER" "only the owner of the remedy may do this",
        /// F-07: the verb does not fit the proceeding's state.
        ProceedingState = FailedPrecondition "PROCEEDING_STATE" "the proceeding is in a state that does not allow this",
        /// F-07, G-11.
        Measure = InvalidArgument "MEASURE" "the measure does not belong to this kind of proceeding",
    }
}
