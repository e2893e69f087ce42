//! Why billing refuses.

rpc::refusals! {
    /// Why the billing service refuses a request that is well formed.
    pub enum Refusal {
        /// E2-02: the index is not written in plain digits.
        IndexNotPlainDigits = InvalidArgument "INDEX_NOT_PLAIN_DIGITS" "the index is not written in plain digits",
        /// E2-02: the index has more places than are kept.
        IndexPlaces = InvalidArgument "INDEX_PLACES" "the index has more than three places",
        /// E2-02: the register cannot show the index.
        IndexDigits = InvalidArgument "INDEX_DIGITS" "the index has more digits than the register",
        /// E2-02: a reading from the future.
        FutureReading = InvalidArgument "TIME_RANGE" "the reading lies in the future",
        /// The time of a reading cannot be read.
        ReadTime = InvalidArgument "READ_TIME" "the time of the reading is no RFC 3339 time with an offset",
        /// The source of a reading is unknown.
        Source = InvalidArgument "SOURCE" "the source is none of reader, remote, user, check",
        /// There is no such meter for the caller.
        MeterUnknown = NotFound "METER_UNKNOWN" "there is no such meter",
        /// An account has one gas meter, or the meter is named.
        MeterAmbiguous = FailedPrecondition "METER_AMBIGUOUS" "the account has several gas meters; name the meter",
        /// The meter was nowhere installed at that moment.
        MeterNotInstalled = FailedPrecondition "METER_INACTIVE" "the meter was not installed at that moment",
        /// E2-02, decision 3: another value stands for the same moment.
        ReadingConflict = AlreadyExists "READING_CONFLICT" "another index stands for the same moment",
        /// The exception is decided already.
        ExceptionNotOpen = FailedPrecondition "EXCEPTION_NOT_OPEN" "the exception is decided already",
        /// An exception of this kind cannot be released.
        ExceptionNotReleasable = FailedPrecondition "EXCEPTION_NOT_RELEASABLE" "readings with such a finding cannot be released; adjust or reject them",
        /// An exception of this kind holds no reading that could be rejected.
        ExceptionNotRejectable = FailedPrecondition "EXCEPTION_NOT_REJECTABLE" "the exception holds no reading that could be rejected",
        /// An exception of this kind holds no reading that could be adjusted.
        ExceptionNotAdjustable = FailedPrecondition "EXCEPTION_NOT_ADJUSTABLE" "the exception holds no reading that could be adjusted",
        /// E2-07: who brought a reading does not review it.
        OwnException = PermissionDenied "OWN_EXCEPTION" "who brought a reading may not decide on its exception",
        /// A bill stands on the reading.
        ReadingBilled = FailedPrecondition "READING_BILLED" "a bill ends at the reading; adjust its volume or cancel the bill",
        /// Thread 27: only a reading that counts and is no end of an installation is voided.
        ReadingNotVoidable = FailedPrecondition "READING_NOT_VOIDABLE" "the reading does not count, is held, or begins or ends an installation",
        /// The true index does not fit between the readings around it.
        IndexOutOfLine = InvalidArgument "INDEX_OUT_OF_LINE" "the index does not fit between the readings around it",
        /// The meter is not in store.
        MeterNotInStore = FailedPrecondition "METER_NOT_IN_STORE" "the meter is not in store",
        /// E4-02: the meter is beyond its life.
        MeterExpired = FailedPrecondition "METER_EXPIRED" "the verification or life of the meter has ended",
        /// E4-02: the meter was not verified.
        MeterNotVerified = FailedPrecondition "METER_NOT_VERIFIED" "the meter has no verification",
        /// The agreement has ended or was voided.
        SupplyNotLive = FailedPrecondition "SUPPLY_NOT_LIVE" "the agreement has ended or was voided",
        /// E4-03: the user did not sign for the index.
        SignatureMissing = InvalidArgument "SIGNATURE_MISSING" "the user must sign for the initial index",
        /// The final index is lower than a reading.
        FinalIndexLower = InvalidArgument "FINAL_INDEX_LOWER" "the final index is lower than the last reading",
        /// The meter was read after the day of removal.
        InstallationHasLaterRead = FailedPrecondition "INSTALLATION_HAS_LATER_READ" "the meter was read after the end date",
        /// B17: only gas that is billed by what a meter shows is converted.
        ConversionMeter = FailedPrecondition "CONVERSION_METER" "only what a mechanical or a remote gas meter shows is converted",
        /// B17: conditions that no network has.
        ConversionConditions = InvalidArgument "CONVERSION_CONDITIONS" "no gas network has such conditions",
        /// B17: what was counted until the day is not known.
        ConversionUnread = FailedPrecondition "CONVERSION_UNREAD" "the meter has no accepted reading of the day on which the conditions change",
        /// The days of a request are out of order.
        DateOrder = InvalidArgument "DATE_ORDER" "the end lies before the beginning",
        /// a tariff rests on a published notice.
        LegalBasisMissing = InvalidArgument "LEGAL_BASIS_MISSING" "a tariff needs its notice, its authority and the day of publication",
        /// The tiers of a tariff cannot be used.
        Tiers = InvalidArgument "TIERS" "the bounds must rise, only the last tier is open, prices are not negative",
        /// A class stands twice in a tariff.
        ClassTwice = InvalidArgument "CLASS_TWICE" "a class of use stands twice",
        /// The version to follow has ended or begins later.
        TariffNotOpen = FailedPrecondition "TARIFF_NOT_OPEN" "the version to follow has ended or begins later",
        /// Decision 10: no branch ends the prices of another.
        TariffBranch = InvalidArgument "TARIFF_BRANCH" "a version follows or replaces one for the same branch",
        /// 9.1: rules of a tariff that cannot hold together.
        TariffRule = InvalidArgument "TARIFF_RULE" "the rules of the prices do not fit each other",
        /// A version is replaced once.
        TariffReplaced = FailedPrecondition "TARIFF_REPLACED" "the version was replaced already",
        /// 9.2: only what a wrong version billed is rated anew.
        TariffNotReplaced = FailedPrecondition "TARIFF_NOT_REPLACED" "the version counts; publish the one that replaces it first",
        /// 9.2: nothing bills a settled season anew.
        TariffSettled = FailedPrecondition "TARIFF_SETTLED" "a season was settled by the version, which nothing bills anew",
        /// 9.2: the report of a dry run comes first.
        ReratingNotTried = FailedPrecondition "RERATING_NOT_TRIED" "no finished dry run of this version to its replacement, of this branch or of all, is named",
        /// 9.2: one run of a version at a time, and its replacement stands meanwhile.
        ReratingRunning = FailedPrecondition "RERATING_RUNNING" "a re-rating run of the version goes on",
        /// B14: degree days that bills may rest on do not change.
        DegreeDayKnown = AlreadyExists "DEGREE_DAY_KNOWN" "the day has another number of degree days",
        /// A day stands twice in a request.
        DayTwice = InvalidArgument "DAY_TWICE" "a day stands twice",
        /// The month is not over.
        PeriodNotOver = FailedPrecondition "PERIOD_NOT_OVER" "the month is not over",
        /// A bill run went through all parts, and agreements are left without an outcome.
        RunIncomplete = FailedPrecondition "RUN_INCOMPLETE" "agreements of the run have no outcome; another run of the month looks at each of them again",
        /// The bill is reversed.
        BillReversed = FailedPrecondition "BILL_REVERSED" "the bill is reversed",
        /// Only an open bill is paid.
        BillState = FailedPrecondition "BILL_STATE" "the bill is paid or reversed",
        /// A later bill stands.
        BillNotLatest = FailedPrecondition "BILL_NOT_LATEST" "a later bill of the agreement or of its household stands; reverse that one first",
        /// B23: a credit note takes a part.
        CreditAmount = FailedPrecondition "CREDIT_NOT_BELOW_BILL" "a credit note takes less than what stands of the bill; reverse it to take all of it",
        /// A payment is more than nothing.
        AmountNotPositive = InvalidArgument "AMOUNT_RANGE" "the amount must be more than 0",
        /// Edge 22: the reference stands for another payment.
        PaymentReferenceUnique = AlreadyExists "PAYMENT_REFERENCE_UNIQUE" "the reference stands for a payment of another account or amount",
        /// The payment is reversed.
        PaymentReversed = FailedPrecondition "PAYMENT_REVERSED" "the payment is reversed",
        /// the price of a fee is more than nothing.
        FeePrice = InvalidArgument "FEE_PRICE" "the price of a fee must be more than 0",
        /// the fee is on the list of banned fees.
        FeeBanned = FailedPrecondition "FEE_BANNED" "the fee is banned; only one that ended by 2021-03-01 may be kept",
        /// there is no such fee item.
        FeeItemUnknown = FailedPrecondition "FEE_ITEM_UNKNOWN" "there is no such fee item",
        /// the fee item is not in force on the day of the service.
        FeeItemNotInForce = FailedPrecondition "FEE_ITEM_NOT_IN_FORCE" "the fee item is not in force on the day of the service",
        /// the fee item was published after the day of the service.
        FeeItemUnpublished = FailedPrecondition "FEE_ITEM_UNPUBLISHED" "the fee item was published after the day of the service",
        /// a version would take the place of another one on days that have passed.
        FeeItemTooSoon = FailedPrecondition "FEE_ITEM_TOO_SOON" "up to today the published version stands; the one that follows it begins tomorrow or later",
        /// the fee item does not apply to the class of the customer.
        FeeItemClass = FailedPrecondition "FEE_ITEM_CLASS" "the fee item does not apply to the class of the customer",
        /// The version has ended.
        FeeItemEnded = FailedPrecondition "FEE_ITEM_ENDED" "the version has ended by that day already",
        /// A charge is of more than nothing, within what can be billed.
        Quantity = InvalidArgument "QUANTITY" "the quantity must be more than 0 and within what can be billed",
        /// A service of the future is not charged.
        FutureService = InvalidArgument "FUTURE_SERVICE" "the day of the service lies in the future",
        /// The account has not exactly one agreement.
        AgreementNotNamed = FailedPrecondition "AGREEMENT_NOT_NAMED" "the account has not exactly one agreement; name it",
        /// E2-05: the ladder cannot be climbed.
        Ladder = InvalidArgument "LADDER" "reminders must rise and come before the demand",
        /// Bills were issued under what held before.
        ProfileTooLate = FailedPrecondition "PROFILE_TOO_LATE" "the branch has issued bills on that day or later",
        /// A bill is delivered between its issue and today.
        DeliveryDate = InvalidArgument "DELIVERY_DATE" "a bill is delivered on its day of issue or later, and not in the future",
        /// The delivery is recorded.
        DeliveryRecorded = FailedPrecondition "DELIVERY_RECORDED" "the day of delivery is recorded already",
        /// Late fee of the bill was paid or waived.
        LateFeeSettled = FailedPrecondition "LATE_FEE_SETTLED" "late fee of the bill was paid or waived already",
        /// There is nothing to waive.
        NoLateFee = FailedPrecondition "NO_LATE_FEE" "no late fee is due on the bill",
        /// The waiver is decided.
        WaiverDecided = FailedPrecondition "WAIVER_DECIDED" "the waiver is decided already",
        /// Who proposed a waiver does not decide on it.
        OwnWaiver = PermissionDenied "OWN_WAIVER" "who proposed a waiver may not decide on it",
        /// The dispute is answered.
        DisputeAnswered = FailedPrecondition "DISPUTE_ANSWERED" "the dispute is answered already",
        /// Who took a dispute does not answer it.
        OwnDispute = PermissionDenied "OWN_DISPUTE" "who took a dispute may not answer it",
        /// E2-07: who reads meters takes no cash.
        ReaderTakesNoCash = PermissionDenied "READER_TAKES_NO_CASH" "a meter reader may not take payments",
        /// a price of heat cannot be used.
        HeatPrice = InvalidArgument "HEAT_PRICE" "prices of heat are not negative and within range",
        /// The name of a season is the years of its days.
        SeasonName = InvalidArgument "SEASON_NAME" "the name of a season is the years of its first and last day, such as 2025-2026",
        /// The agreement is not for heat.
        SupplyNotHeat = FailedPrecondition "SUPPLY_NOT_HEAT" "the agreement is not for heat",
        /// The season is over.
        SeasonOver = FailedPrecondition "SEASON_OVER" "the season is over",
        /// The season is not over.
        SeasonNotOver = FailedPrecondition "SEASON_NOT_OVER" "the season is not over",
        /// a new area takes effect with the next season.
        HeatAssessed = FailedPrecondition "HEAT_ASSESSED" "the season bill is issued; a new area takes effect with the next season",
        /// There is no season bill.
        HeatNotAssessed = FailedPrecondition "HEAT_NOT_ASSESSED" "the season bill is not issued",
        /// The season is settled.
        HeatSettled = FailedPrecondition "HEAT_SETTLED" "the season is settled",
        /// The season is charged by area anyway.
        HeatByArea = FailedPrecondition "HEAT_BY_AREA" "the season is charged by area",
        /// The area cannot be charged by.
        HeatArea = InvalidArgument "HEAT_AREA" "the area is more than 0 and at most 1,000,000 square metres",
        /// The height cannot be charged by.
        HeatHeight = InvalidArgument "HEAT_HEIGHT" "the height lies between 1 and 100 metres",
        /// The correction cannot be charged by.
        HeatCorrection = InvalidArgument "HEAT_CORRECTION" "the correction is more than 0, at most 2, and has four places",
        /// Who entered an area does not correct it.
        OwnEnrolment = PermissionDenied "OWN_ENROLMENT" "who entered the area may not correct it",
        /// Who brought a reading does not correct it.
        OwnReading = PermissionDenied "OWN_READING" "who brought the reading may not correct it",
        /// The day does not belong to an end of the season.
        SeasonReadingDay = InvalidArgument "SEASON_READING_DAY" "the day lies more than 45 days outside the season",
        /// Another reading stands in its place.
        SeasonReadingSuperseded = FailedPrecondition "SEASON_READING_SUPERSEDED" "another reading stands in its place",
        /// A heat bill is corrected with its season.
        BillOfSeason = FailedPrecondition "BILL_OF_SEASON" "a heat bill is corrected with its season",
        /// A gas meter does not meter heat.
        MeterOfOtherService = FailedPrecondition "METER_OF_OTHER_SERVICE" "the meter counts something else",
        /// 9.5: one payment is for one service.
        NamedBillsMixed = InvalidArgument "NAMED_BILLS_MIXED" "the bills named are for gas and for heat; take two payments",
        /// The channel is kept for what is taken over.
        ChannelReserved = InvalidArgument "CHANNEL_RESERVED" "the channel is kept for balances that are taken over",
        /// B-05, G-11: nothing is bought on credit.
        PrepaymentRequired = FailedPrecondition "PREPAYMENT_REQUIRED" "the party buys nothing on credit and has not paid enough ahead",
        /// G-11: no favours.
        ListedDishonest = FailedPrecondition "LISTED_DISHONEST" "the party is on the list of dishonest customers",
        /// A check cannot be used.
        CheckTwice = InvalidArgument "CHECK_TWICE" "a check stands twice for a class of use",
        /// The held bill is decided.
        HeldBillDecided = FailedPrecondition "HELD_BILL_DECIDED" "the held bill is decided already",
        /// Another person decides on a held bill.
        OwnHeldBill = PermissionDenied "OWN_HELD_BILL" "who started the run or brought the reading may not decide on its held bills",
        /// The bill would be another one now.
        HeldBillChanged = FailedPrecondition "HELD_BILL_CHANGED" "the bill would be another one now; the next run takes it up",
        /// Only regular bills are billed anew.
        BillNotRegular = FailedPrecondition "BILL_NOT_REGULAR" "only regular bills are billed anew",
        /// B23: what was credited of a bill would be asked for again.
        BillCredited = FailedPrecondition "BILL_CREDITED" "a part of a bill that would be taken back was credited, which the bill in its place would ask for again",
        /// A month cannot be billed anew.
        RebillParked = FailedPrecondition "REBILL_PARKED" "a month cannot be billed anew now",
        /// Thread 19: how far back use that became known late changes bills, the tariff says.
        LateUsePolicy = FailedPrecondition "LATE_USE_POLICY" "the tariff keeps the bill as it is, although its use became known late",
        /// The last day lies beyond the life of the meter (T3).
        MeterLife = InvalidArgument "METER_LIFE" "the last day lies beyond the life of the meter",
        /// Small diaphragm meters are verified once (T3).
        MeterFirstVerificationOnly = FailedPrecondition "METER_FIRST_VERIFICATION_ONLY" "a gas meter of up to 10 cubic metres an hour is verified once only",
        /// E9-01: the abnormal case is closed.
        CaseClosed = FailedPrecondition "CASE_CLOSED" "the case is closed",
        /// E2-03: there is something to bill by.
        ReadAlready = FailedPrecondition "READ_ALREADY" "the month has a reading",
        /// E2-03: too many estimates in a row, or none at all.
        EstimateNotAllowed = FailedPrecondition "ESTIMATE_NOT_ALLOWED" "the class allows no estimate, or no further one in a row; an appointment is due",
        /// E2-03: nothing that was recorded says that the meter could not be read.
        EstimateUnproven = FailedPrecondition "ESTIMATE_UNPROVEN" "no visit and no finding about the meter says that it could not be read",
        /// E2-04: no method has what it needs.
        NoBasis = FailedPrecondition "NO_BASIS" "there is nothing to estimate by",
        /// E4-03, and a reading from a photo: the photo is named.
        PhotoMissing = InvalidArgument "PHOTO_MISSING" "the photo of the index must be named",
        /// E2-01: the day of a book lies within its cycle.
        ReadDay = InvalidArgument "READ_DAY" "a weekly book is read on a day from 1 to 7",
        /// E2-01: every in-service meter is in a book.
        MetersUncovered = FailedPrecondition "METERS_UNCOVERED" "in-service meters of the branch are in no book",
        /// The task is done.
        TaskDone = FailedPrecondition "TASK_DONE" "the meter was read, or is gone",
        /// A reader reports own visits only.
        NotYourTask = PermissionDenied "NOT_YOUR_TASK" "the task is another reader's",
        /// The local time of a reading came twice when clocks were put back.
        LocalTimeTwice = InvalidArgument "LOCAL_TIME_TWICE" "the local time came twice when clocks were put back; write it with its offset",
        /// E12: a meter is behind one bulk meter at a time.
        SubMeterTaken = FailedPrecondition "SUB_METER_TAKEN" "the meter is behind another bulk meter",
        /// E12: no meter is behind itself.
        SubMeterLoop = InvalidArgument "SUB_METER_LOOP" "a meter cannot be behind itself",
        /// E12: a bulk meter without sub-meters cannot be compared.
        NoSubMeters = FailedPrecondition "NO_SUB_METERS" "no meter is behind it on those days",
        /// What is recorded has happened.
        FutureDay = InvalidArgument "FUTURE_DAY" "the day lies in the future",
        /// E11-01: the method proves something else.
        AdjustmentMethod = InvalidArgument "ADJUSTMENT_METHOD" "the method does not fit the grounds",
        /// E11-02: levels of approval that do not rise.
        AdjustmentLevels = InvalidArgument "ADJUSTMENT_LEVELS" "levels of approval rise, and only the last one has no bounds",
        /// The adjustment does not allow this now.
        AdjustmentState = FailedPrecondition "ADJUSTMENT_STATE" "the adjustment is in a state that does not allow this",
        /// An adjustment of nothing.
        AdjustmentNothing = FailedPrecondition "ADJUSTMENT_NOTHING" "the adjustment comes to nothing",
        /// E11-03: no bill falls below nothing.
        AdjustmentExceeds = FailedPrecondition "ADJUSTMENT_EXCEEDS" "more would be taken away than was billed",
        /// The days of the adjustment have no price.
        AdjustmentUnpriced = FailedPrecondition "ADJUSTMENT_UNPRICED" "the days of the adjustment cannot be priced",
        /// E11-02: it comes to more than its approvals cover.
        AdjustmentOverApproval = FailedPrecondition "ADJUSTMENT_OVER_APPROVAL" "it comes to more than its approvals cover; reject it and ask for it anew with what it comes to",
        /// E11-02: another post approves.
        AdjustmentPost = PermissionDenied "ADJUSTMENT_POST" "the post is not awaited, or is not the caller's",
        /// E11-02: maker and checker are two persons.
        OwnAdjustment = PermissionDenied "OWN_ADJUSTMENT" "who made, approved or posted an adjustment may not do this as well",
        /// E11-04: the meter passed its test; whoever asked for it pays its fee.
        MeterWithinLimits = FailedPrecondition "METER_WITHIN_LIMITS" "the error is permitted; whoever asked for the test pays its fee",
        /// E11-05: the bill of a theft goes back with its adjustment.
        BillOfAdjustment = FailedPrecondition "BILL_OF_ADJUSTMENT" "the bill of a theft is taken back with its adjustment",
        /// The theft case does not allow this now.
        TheftState = FailedPrecondition "THEFT_STATE" "the theft case is in a state that does not allow this",
        /// E11-05: hours are a matter of the city.
        TheftHours = InvalidArgument "THEFT_HOURS" "neither the request nor the profile names the hours of a day",
        /// Who opened a theft case does not dismiss it.
        OwnTheftCase = PermissionDenied "OWN_THEFT_CASE" "who opened a theft case may not dismiss it",
    }
}
