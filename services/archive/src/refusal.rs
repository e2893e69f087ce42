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

        /// it is closed.
        MissingContractClosed = FailedPrecondition "MISSING_CONTRACT_CLOSED" "the task about the missing contract is closed",

        /// It is withdrawn, or ends earlier anyway.
        EntitlementState = FailedPrecondition "ENTITLEMENT_STATE" "the entitlement is withdrawn or ends earlier",
        /// Another entitlement of the kind covers some of the days; the rule of the database has the same name.
        EntitlementOverlap = AlreadyExists "ENTITLEMENT_OVERLAP" "another entitlement of this kind covers some of these days",

        /// The identity number belongs to a party with another name.
        IdentityNameMismatch = AlreadyExists "IDENTITY_NAME_MISMATCH" "the identity number belongs to a party with another name",

        /// The label is neither edition and revision nor year and edition.
        PolicyLabel = InvalidArgument "POLICY_LABEL" "not a label such as C/2 or 2012-1",
        /// The drafter is among the countersigners.
        PolicyCountersigner = InvalidArgument "POLICY_COUNTERSIGNER" "the drafter cannot countersign",
        /// D-05: the version is neither of the two.
        PolicyConflictSide = InvalidArgument "POLICY_CONFLICT_SIDE" "the version is neither of the two in conflict",
        /// D-05: the department interprets neither version.
        PolicyInterpretingDepartment = InvalidArgument "POLICY_INTERPRETING_DEPARTMENT" "the department interprets neither of the two versions",
        /// D-05: the caller is of another department than the one that decides.
        PolicyNotOfDepartment = PermissionDenied "POLICY_NOT_OF_DEPARTMENT" "the caller does not speak for that department",
        /// The step does not begin where the version stands.
        PolicyState = FailedPrecondition "POLICY_STATE" "the policy version does not stand where this step begins",
        /// The document uses the other form of label.
        PolicyLabelStyle = FailedPrecondition "POLICY_LABEL_STYLE" "the document uses another form of label",
        /// The label does not come after those of the document.
        PolicyLabelOrder = FailedPrecondition "POLICY_LABEL_ORDER" "the label does not come after those of the document",
        /// Another version of the document is on its way.
        PolicyVersionInWork = FailedPrecondition "POLICY_VERSION_IN_WORK" "another version of the document is not issued yet",
        /// Only its drafter may.
        PolicyNotDrafter = PermissionDenied "POLICY_NOT_DRAFTER" "only the drafter may do this",
        /// D-01: somebody who took part in a step before.
        PolicySamePerson = PermissionDenied "POLICY_SAME_PERSON" "who took part in a step before may not take this one",
        /// Not among the countersigners.
        PolicyNotCountersigner = PermissionDenied "POLICY_NOT_COUNTERSIGNER" "the caller is not among the countersigners",
        /// Signed before.
        PolicyCountersigned = FailedPrecondition "POLICY_COUNTERSIGNED" "the caller has signed already",
        /// D-01: not all countersigners have signed.
        PolicyCountersignaturesMissing = FailedPrecondition "POLICY_COUNTERSIGNATURES_MISSING" "not all countersigners have signed",
        /// S-07: sections that the type asks for.
        PolicyPartsMissing = FailedPrecondition "POLICY_PARTS_MISSING" "the type of document asks for sections that are missing",
        /// D-01: one of the seven clauses is not explicit.
        PolicyClausesMissing = FailedPrecondition "POLICY_CLAUSES_MISSING" "clauses that must be explicit are not",
        /// D-01: nobody gets it.
        PolicyDistributionEmpty = FailedPrecondition "POLICY_DISTRIBUTION_EMPTY" "the distribution list is empty",
        /// D-02: it would be in force before its issue.
        PolicyRetroactive = FailedPrecondition "POLICY_RETROACTIVE" "the effective day lies before the issue",
        /// D-02: it would not begin after the version before it.
        PolicyEffectiveOrder = FailedPrecondition "POLICY_EFFECTIVE_ORDER" "the version before begins on that day or later",
        /// The department has it.
        PolicyDepartmentKnown = AlreadyExists "POLICY_DEPARTMENT_KNOWN" "the department is on the distribution list",
        /// Done or ended.
        PolicyDutyState = FailedPrecondition "POLICY_DUTY_STATE" "the duty is done or has ended",
        /// S-03: acknowledged, and not to be renewed yet.
        PolicyAcknowledged = AlreadyExists "POLICY_ACKNOWLEDGED" "acknowledged already",
        /// D-05: nothing to decide.
        PolicyConflictDecided = FailedPrecondition "POLICY_CONFLICT_DECIDED" "the conflict is resolved",

        /// H-11: not needed for supply.
        FactNotForPersons = FailedPrecondition "FACT_NOT_FOR_PERSONS" "of persons only facts that supply needs are kept",
        /// The content is not that of the kind.
        FactForm = InvalidArgument "FACT_FORM" "the content is not that of the kind of fact",
        /// An item where there is one only, or none where there may be several.
        FactItem = InvalidArgument "FACT_ITEM" "the kind of fact takes no item, or needs one",
        /// H-03: a paper without an end that is not long-term either, or both.
        FactValidity = InvalidArgument "FACT_VALIDITY" "it needs either a last day or to be long-term, if it is of a kind that ends",
        /// Nothing, or less.
        CapitalRange = InvalidArgument "CAPITAL_RANGE" "the capital is not positive",
        /// Kept, and not changed any more.
        CreditFileClosed = FailedPrecondition "CREDIT_FILE_CLOSED" "the credit file is closed",
        /// The step does not begin where the file stands.
        CreditFileState = FailedPrecondition "CREDIT_FILE_STATE" "the credit file does not stand where this step begins",
        /// Something required is missing or has expired.
        CreditFileIncomplete = FailedPrecondition "CREDIT_FILE_INCOMPLETE" "required facts are missing or have expired",
        /// The verifier entered some of the facts.
        CreditFileOwnFacts = PermissionDenied "CREDIT_FILE_OWN_FACTS" "who entered a fact may not verify the file",

        /// The step does not begin where the designation stands.
        KeyAccountState = FailedPrecondition "KEY_ACCOUNT_STATE" "the key account does not stand where this step begins",
        /// The step does not begin where the rating stands.
        RatingState = FailedPrecondition "RATING_STATE" "the rating does not stand where this step begins",
        /// The step does not begin where the line stands.
        LineState = FailedPrecondition "LINE_STATE" "the credit line does not stand where this step begins",
        /// The step does not begin where the lock stands.
        HoldState = FailedPrecondition "HOLD_STATE" "the credit hold does not stand where this step begins",
        /// B-08: whoever acts has acted before.
        CreditSamePerson = PermissionDenied "CREDIT_SAME_PERSON" "another person has to do this step",
        /// B-08: an account manager decides about the own account.
        CreditOwnAccount = PermissionDenied "CREDIT_OWN_ACCOUNT" "the account manager decides nothing about the own account",
        /// A factor above 200 %, or an exception, without a leader.
        CreditNeedsLeader = PermissionDenied "CREDIT_NEEDS_LEADER" "a leader has to approve a factor above 200 % and every exception",
        /// Not the seven factors once each, or another sum than 100.
        ModelWeights = InvalidArgument "MODEL_WEIGHTS" "the seven factors have to stand once each and sum up to 100",
        /// Not the five grades in order with falling thresholds, or credit for grade C.
        ModelBands = InvalidArgument "MODEL_BANDS" "the five grades have to stand in order, with falling thresholds, and C without credit",
        /// Not the version after the latest.
        ModelVersion = FailedPrecondition "MODEL_VERSION" "not the version after the latest",
        /// In force before the version before it.
        ModelDate = FailedPrecondition "MODEL_DATE" "it would come into force before the version before it",
        /// More performed than agreed.
        Performance = InvalidArgument "PERFORMANCE" "more is performed than was agreed",
        /// A hard stop or signal without a document.
        EvidenceRequired = InvalidArgument "EVIDENCE_REQUIRED" "a document has to prove it",
        /// B-03: nothing to make an exception from.
        RatingNotCapped = FailedPrecondition "RATING_NOT_CAPPED" "the grade of the rating is not capped",
        /// A line for a party without a rating in effect.
        CreditNotRated = FailedPrecondition "CREDIT_NOT_RATED" "the party has no rating in effect",
        /// Outside the range of the grade.
        CreditFactor = InvalidArgument "CREDIT_FACTOR" "the risk factor is outside the range of the grade",
        /// G-11: no credit for a party on the list.
        ListedDishonest = FailedPrecondition "LISTED_DISHONEST" "the party is on the list of dishonest customers",
        /// Nothing, or less.
        AmountRange = InvalidArgument "AMOUNT_RANGE" "the amount is not positive",
        /// A deposit that was paid nowhere.
        ReceiptRequired = InvalidArgument "RECEIPT_REQUIRED" "a deposit needs the number of its receipt",
        /// Given back already.
        GuaranteeReleased = FailedPrecondition "GUARANTEE_RELEASED" "the guarantee was given back",

        /// The step does not begin where the case stands.
        CaseState = FailedPrecondition "CASE_STATE" "the case does not stand where this step begins",
        /// A debt without bills, or bills without a debt.
        DebtBills = InvalidArgument "DEBT_BILLS" "conduct about a debt needs its bills, and other conduct has none",
        /// G-09: the act has a case; the rule of the database has the same name.
        IntegrityCaseActUnique = AlreadyExists "INTEGRITY_CASE_ACT_UNIQUE" "this act has a case already",
        /// G-10: nothing proves it.
        CaseWithoutEvidence = FailedPrecondition "CASE_WITHOUT_EVIDENCE" "no evidence is named",
        /// The working days of that time are not known.
        CalendarMissing = FailedPrecondition "CALENDAR_MISSING" "the calendar of working days does not reach that far",
        /// G-10: the five working days are over.
        StatementLate = FailedPrecondition "STATEMENT_LATE" "the days for a statement are over",
        /// G-10: the party may still state its case.
        HearingOpen = FailedPrecondition "HEARING_OPEN" "the party may still state its case",
        /// G-10: who reported decides.
        ReporterMayNotDecide = PermissionDenied "REPORTER_MAY_NOT_DECIDE" "who reported a case decides nothing about it",
        /// G-10: who decided decides the appeal.
        DeciderMayNotReview = PermissionDenied "DECIDER_MAY_NOT_REVIEW" "who decided a case does not decide its appeal",
        /// G-09: outside the range of the severity.
        Term = InvalidArgument "TERM" "ordinary conduct takes 12 to 24 months, serious conduct 24 to 60",
        /// G-09: early removal before half of the term.
        HalfTerm = FailedPrecondition "HALF_TERM" "half of the term is not over yet",
        /// G-10: the fifteen days are over.
        AppealLate = FailedPrecondition "APPEAL_LATE" "the days for an appeal are over",
        /// G-08: arrears are malicious only after a time.
        DemandTooRecent = FailedPrecondition "DEMAND_TOO_RECENT" "too little time has passed since the judgment or demand",
        /// G-12: a dispute about one of the bills is open.
        DebtDisputed = FailedPrecondition "DEBT_DISPUTED" "a dispute about the debt is open",
        /// G-08: arrears that are paid.
        DebtPaid = FailedPrecondition "DEBT_PAID" "none of the bills is unpaid",
        /// The dispute has ended.
        DisputeClosed = FailedPrecondition "DISPUTE_CLOSED" "the dispute has ended",
        /// Billing took it, and billing answers it.
        DisputeOfBilling = FailedPrecondition "DISPUTE_OF_BILLING" "billing took this dispute and has to answer it",
    }
}

/// A refusal that is about a field.
pub(crate) fn at(field: &'static str) -> impl Fn(Refusal) -> rpc::Fault {
    move |refusal| rpc::Fault::from(refusal).field(field)
}
