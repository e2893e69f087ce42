//! Why the archive refuses.

rpc::refusals! {
    /// Why the archive refuses a request that is well formed.
    pub enum Refusal {
        /// A text of blanks only, or nothing where something is needed.
        Required = InvalidArgument "REQUIRED" "a value is required",
        /// Longer than the column keeps.
        TooLong = InvalidArgument "TOO_LONG" "the text is too long",
        /// GB 11643: form, birth day or check digit is wrong.
        IdNumber = InvalidArgument "ID_NUMBER" "not an identity number of 18 characters with a right check digit",
        /// GB 32100: form or check character is wrong.
        CreditCode = InvalidArgument "CREDIT_CODE" "not a unified social credit code with a right check character",
        /// Neither mobile, landline with area code, nor 400 number.
        Phone = InvalidArgument "PHONE" "not a phone number",
        /// Neither letters, digits nor hyphens.
        AccountNo = InvalidArgument "ACCOUNT_NO" "not an account number",
        /// Not 12 digits.
        CommunityCode = InvalidArgument "COMMUNITY_CODE" "not a community code of 12 digits",
        /// Not positive, or more than a site may have.
        AreaRange = InvalidArgument "DECIMAL_RANGE" "the area is out of range",
        /// A number of persons that no household has.
        PersonsRange = InvalidArgument "PERSONS_RANGE" "the number of persons is out of range",
        /// A value of an enum that is not known.
        EnumUnknown = InvalidArgument "ENUM_UNKNOWN" "the value is not known",
        /// The same thing twice in one request.
        Duplicate = InvalidArgument "DUPLICATE" "it stands twice in the request",
        /// A correction without content.
        NothingToChange = InvalidArgument "NOTHING_TO_CHANGE" "nothing is given that could change",
        /// A day too late or too early for what it says.
        DateRange = InvalidArgument "DATE_RANGE" "the day is out of range",
        /// An end before the start, or a start before what it follows.
        Period = InvalidArgument "PERIOD" "the days are in the wrong order",
        /// A person changes something without the version tag.
        EtagRequired = InvalidArgument "ETAG_REQUIRED" "the version tag that was read is required",
        /// The row is for a branch that the caller does not belong to.
        TenantScope = PermissionDenied "TENANT_SCOPE" "the row names another branch",

        /// D-07: an active party has the number.
        PartyIdentityUnique = AlreadyExists "PARTY_IDENTITY_UNIQUE" "a party that is not closed has this identity number",
        /// The party is closed.
        PartyClosed = FailedPrecondition "PARTY_CLOSED" "the party is closed",
        /// The step does not begin where the party stands.
        PartyState = FailedPrecondition "PARTY_STATE" "the party does not stand where this step begins",
        /// It has accounts that are not closed.
        PartyHasAccounts = FailedPrecondition "PARTY_HAS_ACCOUNTS" "the party has accounts that are not closed",

        /// D-07: no household with several meters is declared.
        ServicePointExists = FailedPrecondition "SERVICE_POINT_EXISTS" "the premises have a service point of this service; declare several meters to add another",

        /// The step does not begin where the account stands.
        AccountState = FailedPrecondition "ACCOUNT_STATE" "the account does not stand where this step begins",
        /// It has agreements that have not ended.
        AccountHasAgreements = FailedPrecondition "ACCOUNT_HAS_AGREEMENTS" "the account has agreements that have not ended",
        /// The number belongs to somebody else.
        AccountNoTaken = AlreadyExists "ACCOUNT_NO_TAKEN" "the account number belongs to another party",

        /// Not the version after the latest.
        TemplateVersion = FailedPrecondition "TEMPLATE_VERSION" "not the version after the latest",
        /// Another service than the versions before.
        TemplateService = FailedPrecondition "TEMPLATE_SERVICE" "the template is for another service",
        /// In force before the version before it.
        TemplateDate = FailedPrecondition "TEMPLATE_DATE" "it would come into force before the version before it",
        /// Not to be signed on that day.
        TemplateNotInForce = FailedPrecondition "TEMPLATE_NOT_IN_FORCE" "the template version may not be signed on that day",

        /// flagged clauses without acknowledgement.
        FlaggedClausesNotAcknowledged = FailedPrecondition "FLAGGED_CLAUSES_NOT_ACKNOWLEDGED" "flagged clauses are not acknowledged",
        /// The step does not begin where the agreement stands.
        AgreementState = FailedPrecondition "AGREEMENT_STATE" "the agreement does not stand where this step begins",
        /// Premises and account lie in different branches.
        BranchMismatch = FailedPrecondition "BRANCH_MISMATCH" "premises and account lie in different branches",
        /// Service point or template are for another service.
        ServiceMismatch = FailedPrecondition "SERVICE_MISMATCH" "service point or template are for another service",
        /// D-07: another agreement covers the service point; the rule of the database has the same name.
        AgreementOverlap = AlreadyExists "AGREEMENT_OVERLAP" "another agreement covers the service point in these days",

        /// It is withdrawn, or ends earlier anyway.
        EntitlementState = FailedPrecondition "ENTITLEMENT_STATE" "the entitlement is withdrawn or ends earlier",
        /// Another entitlement of the kind covers some of the days; the rule of the database has the same name.
        EntitlementOverlap = AlreadyExists "ENTITLEMENT_OVERLAP" "another entitlement of this kind covers some of these days",

        /// The identity number belongs to a party with another name.
        IdentityNameMismatch = AlreadyExists "IDENTITY_NAME_MISMATCH" "the identity number belongs to a party with another name",
    }
}

/// A refusal that is about a field.
pub(crate) fn at(field: &'static str) -> impl Fn(Refusal) -> rpc::Fault {
    move |refusal| rpc::Fault::from(refusal).field(field)
}
