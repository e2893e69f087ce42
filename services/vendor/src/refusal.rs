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

        /// The person has left.
        PersonEnded = FailedPrecondition "PERSON_ENDED" "the person has left the vendor",
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
    }
}
