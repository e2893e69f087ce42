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
        FutureReading = InvalidArgument "FUTURE_READING" "the reading lies in the future",
        /// The time of a reading cannot be read.
        ReadTime = InvalidArgument "READ_TIME" "the time of the reading is no RFC 3339 time with an offset",
        /// The source of a reading is unknown.
        Source = InvalidArgument "SOURCE" "the source is none of reader, remote, user",
        /// There is no such meter for the caller.
        MeterUnknown = NotFound "METER_UNKNOWN" "there is no such meter",
        /// The meter was nowhere installed at that moment.
        MeterNotInstalled = FailedPrecondition "METER_NOT_INSTALLED" "the meter was not installed at that moment",
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
        /// The month is not over.
        PeriodNotOver = FailedPrecondition "PERIOD_NOT_OVER" "the month is not over",
        /// The bill is reversed.
        BillReversed = FailedPrecondition "BILL_REVERSED" "the bill is reversed",
        /// A later bill stands.
        BillNotLatest = FailedPrecondition "BILL_NOT_LATEST" "a later bill of the agreement stands; reverse that one first",
        /// A payment is more than nothing.
        AmountNotPositive = InvalidArgument "AMOUNT_NOT_POSITIVE" "a payment must be more than 0",
        /// Edge 22: the reference stands for another payment.
        PaymentReferenceUnique = AlreadyExists "PAYMENT_REFERENCE_UNIQUE" "the reference stands for a payment of another account or amount",
        /// The payment is reversed.
        PaymentReversed = FailedPrecondition "PAYMENT_REVERSED" "the payment is reversed",
        /// E2-07: who reads meters takes no cash.
        ReaderTakesNoCash = PermissionDenied "READER_TAKES_NO_CASH" "a meter reader may not take payments",
    }
}
