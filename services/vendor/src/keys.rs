//! Keys of rows that only this service knows.

macro_rules! keys {
    ($($(#[$doc:meta])+ $kind:ident $alias:ident;)+) => {
        $($(#[$doc])+ pub enum $kind {}
        impl ids::Kind for $kind {
            const NAME: &'static str = stringify!($alias);
        }
        $(#[$doc])+ pub type $alias = ids::Id<$kind>;)+
    };
}

keys! {
    /// Assessment (考核) of a contract.
    Assessment AssessmentId;
    /// Row of a rate card (价目).
    Rate RateId;
    /// Asset lent to a vendor (借用资产).
    Asset AssetId;
    /// Payment request (付款申请).
    PaymentRequest PaymentRequestId;
    /// Deduction for a missed service level (服务水平扣款).
    Deduction DeductionId;
    /// Hold on a payment (付款冻结).
    Hold HoldId;
    /// What a vendor has to set right (整改事项).
    Remedy RemedyId;
    /// Proceeding about a vendor or a contract (处置程序).
    Proceeding ProceedingId;
    /// Trade of a company of the group with a vendor (交易).
    Trade TradeId;
    /// Case about the standing of a VIP (VIP申报).
    VipCase VipCaseId;
    /// Tender (招标项目).
    Tender TenderId;
    /// Quote (报价) of a vendor in a tender.
    Quote QuoteId;
}
