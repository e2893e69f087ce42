//! Rules of credit files.

use std::collections::BTreeMap;

use chrono::{Days, NaiveDate};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{party::model::Kind as PartyKind, refusal::Refusal};

/// What a fact is about (登记事项).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum FactKind {
    /// Registration number (注册号、统一社会信用代码); the older numbers stay in the history.
    RegistrationNumber,
    /// Registered name (注册名称).
    RegisteredName,
    /// Office address (办公地址).
    OfficeAddress,
    /// Category and nature of the enterprise (企业类别、性质).
    EnterpriseNature,
    /// Business scope (经营范围).
    BusinessScope,
    /// Registered capital as subscribed (认缴注册资本).
    SubscribedCapital,
    /// Registered capital as paid in (实缴注册资本).
    PaidInCapital,
    /// Legal representative (法定代表人).
    LegalRepresentative,
    /// Chairman (董事长).
    Chairman,
    /// General manager (总经理); may be the chairman.
    GeneralManager,
    /// Operating period (经营期限).
    OperatingPeriod,
    /// Business licence (营业执照).
    BusinessLicence,
    /// Authority that registered it (登记机关).
    IssuingAuthority,
    /// Certification of the trade (行业资质).
    IndustryCertification,
    /// Certification of production management (生产管理认证).
    ProductionCertification,
    /// Relation to the company (与本公司关系).
    Relation,
    /// Usual payment practice (付款惯例).
    PaymentPractice,
    /// Phone of the premises (场所电话).
    PremisesPhone,
    /// Mobile phone (手机).
    Mobile,
}

/// What the content of a fact consists of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A text.
    Text,
    /// A number of a register.
    Number,
    /// Name of a person or an organisation.
    Name,
    /// An address.
    Address,
    /// A phone.
    Phone,
    /// An amount in a currency.
    Capital,
    /// A first day.
    Period,
    /// A paper with its number and the authority that issued it.
    Paper,
}

/// Whether a kind of party has a fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// Part of a complete file.
    Required,
    /// May be kept.
    Optional,
    /// May not be kept (H-11).
    Refused,
}

/// What holds for a kind of fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The kind.
    pub kind: FactKind,
    /// As the table keeps it.
    pub code: &'static str,
    /// What its content is.
    pub form: Form,
    /// Whether it says until when it holds, or that it holds long-term (长期).
    pub expires: bool,
    /// Whether a party may have several, told apart by their item.
    pub many: bool,
    /// For organisations.
    pub organisation: Need,
    /// For persons: only what supply and payment need.
    pub person: Need,
}

const fn rule(kind: FactKind, code: &'static str, form: Form, organisation: Need, person: Need) -> Rule {
    Rule {
        kind,
        code,
        form,
        expires: matches!(form, Form::Period | Form::Paper),
        many: matches!(kind, FactKind::IndustryCertification | FactKind::ProductionCertification),
        organisation,
        person,
    }
}

/// All kinds of facts.
pub const RULES: [Rule; 19] = {
    use FactKind as K;
    use Form as F;
    use Need::{Optional, Refused, Required};
    [
        rule(K::RegistrationNumber, "REGISTRATION_NUMBER", F::Number, Required, Refused),
        rule(K::RegisteredName, "REGISTERED_NAME", F::Name, Required, Refused),
        rule(K::OfficeAddress, "OFFICE_ADDRESS", F::Address, Required, Refused),
        rule(K::EnterpriseNature, "ENTERPRISE_NATURE", F::Text, Required, Refused),
        rule(K::BusinessScope, "BUSINESS_SCOPE", F::Text, Required, Refused),
        rule(K::SubscribedCapital, "SUBSCRIBED_CAPITAL", F::Capital, Required, Refused),
        rule(K::PaidInCapital, "PAID_IN_CAPITAL", F::Capital, Optional, Refused),
        rule(K::LegalRepresentative, "LEGAL_REPRESENTATIVE", F::Name, Required, Refused),
        rule(K::Chairman, "CHAIRMAN", F::Name, Required, Refused),
        rule(K::GeneralManager, "GENERAL_MANAGER", F::Name, Required, Refused),
        rule(K::OperatingPeriod, "OPERATING_PERIOD", F::Period, Required, Refused),
        rule(K::BusinessLicence, "BUSINESS_LICENCE", F::Paper, Required, Refused),
        rule(K::IssuingAuthority, "ISSUING_AUTHORITY", F::Text, Required, Refused),
        rule(K::IndustryCertification, "INDUSTRY_CERTIFICATION", F::Paper, Optional, Refused),
        rule(K::ProductionCertification, "PRODUCTION_CERTIFICATION", F::Paper, Optional, Refused),
        rule(K::Relation, "RELATION", F::Text, Required, Refused),
        rule(K::PaymentPractice, "PAYMENT_PRACTICE", F::Text, Optional, Optional),
        rule(K::PremisesPhone, "PREMISES_PHONE", F::Phone, Required, Optional),
        rule(K::Mobile, "MOBILE", F::Phone, Required, Required),
    ]
};

impl FactKind {
    /// What holds for it; every kind has a rule.
    pub fn rule(self) -> Option<&'static Rule> {
        RULES.iter().find(|rule| rule.kind == self)
    }

    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        self.rule().map_or("", |rule| rule.code)
    }

    /// Whether it is a licence or a certification: one that has expired for long is a hard stop (H-03).
    pub fn is_paper(self) -> bool {
        self.rule().is_some_and(|rule| rule.form == Form::Paper)
    }

    /// The kind of a code.
    pub fn of(code: &str) -> Option<Self> {
        RULES.iter().find(|rule| rule.code == code).map(|rule| rule.kind)
    }
}

impl Rule {
    /// Whether a kind of party has it.
    pub fn need(&self, party: PartyKind) -> Need {
        match party {
            PartyKind::Organisation => self.organisation,
            PartyKind::Person => self.person,
        }
    }
}

/// Registered capital (注册资本) in the currency in which it is registered; never converted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capital {
    /// Hundredths of the unit.
    pub hundredths: i64,
    /// ISO 4217 code.
    pub currency: String,
}

/// What a fact says; the form of its kind decides what is filled.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Content {
    /// Text.
    pub text: String,
    /// Number of a register or a paper.
    pub number: String,
    /// Authority that issued a paper.
    pub authority: String,
    /// Name.
    pub name: String,
    /// Address.
    pub address: String,
    /// Phone.
    pub phone: String,
    /// Capital.
    pub capital: Option<Capital>,
    /// First day of a period.
    pub start: Option<NaiveDate>,
}

impl Content {
    /// Whether exactly what the form asks for is there.
    fn fits(&self, form: Form) -> bool {
        let filled = [
            !self.text.is_empty(),
            !self.number.is_empty(),
            !self.authority.is_empty(),
            !self.name.is_empty(),
            !self.address.is_empty(),
            !self.phone.is_empty(),
            self.capital.is_some(),
            self.start.is_some(),
        ];
        let wanted = match form {
            Form::Text => [true, false, false, false, false, false, false, false],
            Form::Number => [false, true, false, false, false, false, false, false],
            Form::Paper => [false, true, true, false, false, false, false, false],
            Form::Name => [false, false, false, true, false, false, false, false],
            Form::Address => [false, false, false, false, true, false, false, false],
            Form::Phone => [false, false, false, false, false, true, false, false],
            Form::Capital => [false, false, false, false, false, false, true, false],
            Form::Period => [false, false, false, false, false, false, false, true],
        };
        filled == wanted
    }
}

/// Until when a fact holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// Through a last day.
    Until(NaiveDate),
    /// Long-term (长期): a paper without an end.
    LongTerm,
    /// It says nothing about an end.
    Unsaid,
}

impl Validity {
    /// From the two columns; none where both are given.
    pub fn of(until: Option<NaiveDate>, long_term: bool) -> Option<Self> {
        match (until, long_term) {
            (Some(_), true) => None,
            (Some(day), false) => Some(Self::Until(day)),
            (None, true) => Some(Self::LongTerm),
            (None, false) => Some(Self::Unsaid),
        }
    }

    /// The last day, where there is one.
    pub fn last(self) -> Option<NaiveDate> {
        match self {
            Self::Until(last) => Some(last),
            Self::LongTerm | Self::Unsaid => None,
        }
    }

    /// Whether it has ended on a day.
    pub fn expired(self, today: NaiveDate) -> bool {
        self.last().is_some_and(|last| last < today)
    }
}

/// Whether a fact may be recorded about a party.
///
/// # Errors
/// [`Refusal::FactNotForPersons`] (H-11), [`Refusal::FactForm`], [`Refusal::FactItem`], [`Refusal::FactValidity`],
/// [`Refusal::DateRange`] for a day that has not come.
pub fn may_record(
    party: PartyKind,
    kind: FactKind,
    item: &str,
    content: &Content,
    validity: Option<Validity>,
    as_of: NaiveDate,
    today: NaiveDate,
) -> Result<Validity, Refusal> {
    let rule = kind.rule().ok_or(Refusal::EnumUnknown)?;
    if rule.need(party) == Need::Refused {
        return Err(Refusal::FactNotForPersons);
    }
    if !content.fits(rule.form) {
        return Err(Refusal::FactForm);
    }
    if rule.many == item.is_empty() {
        return Err(Refusal::FactItem);
    }
    if as_of > today {
        return Err(Refusal::DateRange);
    }
    match (rule.expires, validity) {
        (_, None) | (true, Some(Validity::Unsaid)) | (false, Some(Validity::LongTerm)) => Err(Refusal::FactValidity),
        (_, Some(validity)) => Ok(validity),
    }
}

/// A fact without its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// Its key: later entered, greater.
    pub id: Uuid,
    /// What it is about.
    pub kind: FactKind,
    /// Which one, where there may be several.
    pub item: String,
    /// The day as of which its source says so.
    pub as_of: NaiveDate,
    /// Until when it holds.
    pub validity: Validity,
}

/// H-05: the facts that hold: of each kind and item the one with the latest as-of day, of these the one entered last. A fact that is
/// entered later and is older does not push the newer one out.
pub fn current<'a>(facts: impl IntoIterator<Item = &'a Fact>) -> Vec<&'a Fact> {
    let mut found: BTreeMap<(FactKind, &str), &Fact> = BTreeMap::new();
    for fact in facts {
        let held = found.entry((fact.kind, fact.item.as_str())).or_insert(fact);
        if (fact.as_of, fact.id) > (held.as_of, held.id) {
            *held = fact;
        }
    }
    found.into_values().collect()
}

/// The required kinds that are missing or have expired.
pub fn missing(party: PartyKind, current: &[&Fact], today: NaiveDate) -> Vec<FactKind> {
    let there = |kind| current.iter().any(|fact| fact.kind == kind && !fact.validity.expired(today));
    required(party).filter(|kind| !there(*kind)).collect()
}

/// H-02: required facts that are present and unexpired, in basis points of the required ones, rounded down.
pub fn completeness_bp(party: PartyKind, missing: usize) -> i64 {
    let all = required(party).count();
    let there = i64::try_from(all.saturating_sub(missing)).unwrap_or_default();
    let all = i64::try_from(all).unwrap_or_default();
    there.saturating_mul(10_000).checked_div(all).unwrap_or_default()
}

/// Completeness of a file that lacks nothing.
pub const COMPLETE_BP: i64 = 10_000;

fn required(party: PartyKind) -> impl Iterator<Item = FactKind> {
    RULES.iter().filter(move |rule| rule.need(party) == Need::Required).map(|rule| rule.kind)
}

/// Days after which a file is to be verified again.
const CHECK_DAYS: Days = Days::new(365);

/// The day of the next check.
pub fn next_check(today: NaiveDate) -> NaiveDate {
    today.checked_add_days(CHECK_DAYS).unwrap_or(NaiveDate::MAX)
}

/// The first day on which a complete file is stale: the day of its check, or the day after a required fact has ended.
pub fn lapses_on(party: PartyKind, current: &[&Fact], next_check: NaiveDate) -> NaiveDate {
    let ends = current.iter().filter_map(|fact| match fact.validity {
        Validity::Until(last) if required(party).any(|kind| kind == fact.kind) => last.succ_opt(),
        _ => None,
    });
    ends.min().map_or(next_check, |end| end.min(next_check))
}

/// H-03: days before the end at which a warning is given; 0 stands for the day after the last.
pub const MARKS: [i32; 4] = [60, 30, 7, 0];

/// The warning that is due for a paper: the smallest mark that is reached and not told. Whoever looks after a long time tells once.
pub fn mark_due(last: NaiveDate, today: NaiveDate, told: Option<i32>) -> Option<i32> {
    let mark = MARKS.into_iter().filter(|mark| day_of(last, *mark).is_some_and(|day| day <= today)).min()?;
    told.is_none_or(|told| mark < told).then_some(mark)
}

/// The day of the next warning after one, if there is one.
pub fn next_mark_on(last: NaiveDate, told: Option<i32>) -> Option<NaiveDate> {
    let mark = MARKS.into_iter().find(|mark| told.is_none_or(|told| *mark < told))?;
    day_of(last, mark)
}

fn day_of(last: NaiveDate, mark: i32) -> Option<NaiveDate> {
    if mark == 0 {
        return last.succ_opt();
    }
    last.checked_sub_days(Days::new(u64::try_from(mark).ok()?))
}

/// Where a file stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// Opened, without a fact.
    Opened,
    /// Facts are collected.
    Collecting,
    /// Every required fact is there and holds.
    Complete,
    /// A required fact has ended, or the check is due.
    Stale,
    /// Verified after it was stale.
    ReVerified,
    /// Closed (归档).
    Closed,
}

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Facts came and something required is missing.
    Collect,
    /// Facts came and nothing required is missing.
    Fill,
    /// A required fact ended, or the check came due.
    Lapse,
    /// Somebody else than who entered the facts has verified them.
    Verify,
    /// The file is closed.
    Close,
}

/// The steps of a file.
pub const TRANSITIONS: [(State, Action, State); 20] = {
    use Action as A;
    use State as S;
    [
        (S::Opened, A::Collect, S::Collecting),
        (S::Opened, A::Fill, S::Complete),
        (S::Opened, A::Close, S::Closed),
        (S::Collecting, A::Collect, S::Collecting),
        (S::Collecting, A::Fill, S::Complete),
        (S::Collecting, A::Close, S::Closed),
        (S::Complete, A::Collect, S::Stale),
        (S::Complete, A::Fill, S::Complete),
        (S::Complete, A::Lapse, S::Stale),
        (S::Complete, A::Verify, S::Complete),
        (S::Complete, A::Close, S::Closed),
        (S::Stale, A::Collect, S::Stale),
        (S::Stale, A::Fill, S::Stale),
        (S::Stale, A::Verify, S::ReVerified),
        (S::Stale, A::Close, S::Closed),
        (S::ReVerified, A::Collect, S::Stale),
        (S::ReVerified, A::Fill, S::ReVerified),
        (S::ReVerified, A::Lapse, S::Stale),
        (S::ReVerified, A::Verify, S::ReVerified),
        (S::ReVerified, A::Close, S::Closed),
    ]
};

impl State {
    /// All states.
    pub const ALL: [Self; 6] = [Self::Opened, Self::Collecting, Self::Complete, Self::Stale, Self::ReVerified, Self::Closed];

    /// As the table keeps it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Opened => "OPENED",
            Self::Collecting => "COLLECTING",
            Self::Complete => "COMPLETE",
            Self::Stale => "STALE",
            Self::ReVerified => "RE_VERIFIED",
            Self::Closed => "CLOSED",
        }
    }

    /// The state of a code.
    pub fn of(code: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.code() == code)
    }
}

/// The state after an action.
///
/// # Errors
/// [`Refusal::CreditFileClosed`] for a closed file, else [`Refusal::CreditFileState`].
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    let found = TRANSITIONS.iter().find(|(state, by, _)| *state == from && *by == action);
    found.map(|(.., to)| *to).ok_or(if from == State::Closed {
        Refusal::CreditFileClosed
    } else {
        Refusal::CreditFileState
    })
}

/// Whether somebody may verify a file: nothing is missing, and none of its facts is of the own hand.
///
/// # Errors
/// [`Refusal::CreditFileIncomplete`], [`Refusal::CreditFileOwnFacts`].
pub fn may_verify<'a>(missing: usize, mut entered_by: impl Iterator<Item = &'a str>, verifier: &str) -> Result<(), Refusal> {
    if missing > 0 {
        return Err(Refusal::CreditFileIncomplete);
    }
    if entered_by.any(|who| who == verifier) {
        Err(Refusal::CreditFileOwnFacts)
    } else {
        Ok(())
    }
}

/// Number of a file: branch, year and a running number.
pub fn number(branch: &str, year: i32, count: i64) -> String {
    format!("CF-{branch}-{year}-{count:06}")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn fact(n: u128, kind: FactKind, as_of: &str, validity: Validity) -> Fact {
        Fact {
            id: Uuid::from_u128(n),
            kind,
            item: String::new(),
            as_of: day(as_of),
            validity,
        }
    }

    #[test]
    fn every_transition_of_a_credit_file() {
        let legal: [(State, &[(Action, State)]); 6] = [
            (
                State::Opened,
                &[
                    (Action::Collect, State::Collecting),
                    (Action::Fill, State::Complete),
                    (Action::Close, State::Closed),
                ],
            ),
            (
                State::Collecting,
                &[
                    (Action::Collect, State::Collecting),
                    (Action::Fill, State::Complete),
                    (Action::Close, State::Closed),
                ],
            ),
            (
                State::Complete,
                &[
                    (Action::Collect, State::Stale),
                    (Action::Fill, State::Complete),
                    (Action::Lapse, State::Stale),
                    (Action::Verify, State::Complete),
                    (Action::Close, State::Closed),
                ],
            ),
            (
                State::Stale,
                &[
                    (Action::Collect, State::Stale),
                    (Action::Fill, State::Stale),
                    (Action::Verify, State::ReVerified),
                    (Action::Close, State::Closed),
                ],
            ),
            (
                State::ReVerified,
                &[
                    (Action::Collect, State::Stale),
                    (Action::Fill, State::ReVerified),
                    (Action::Lapse, State::Stale),
                    (Action::Verify, State::ReVerified),
                    (Action::Close, State::Closed),
                ],
            ),
            (State::Closed, &[]),
        ];
        for (from, steps) in legal {
            for action in [Action::Collect, Action::Fill, Action::Lapse, Action::Verify, Action::Close] {
                let expected = match steps.iter().find(|(by, _)| *by == action) {
                    Some((_, to)) => Ok(*to),
                    None if from == State::Closed => Err(Refusal::CreditFileClosed),
                    None => Err(Refusal::CreditFileState),
                };
                assert_eq!(step(from, action), expected, "{from:?} {action:?}");
            }
            assert_eq!(State::of(from.code()), Some(from));
        }
    }

    #[test]
    fn h_02_completeness_counts_required_facts_that_hold() {
        let kinds: Vec<_> = required(PartyKind::Organisation).collect();
        assert_eq!(kinds.len(), 15);
        assert_eq!(required(PartyKind::Person).collect::<Vec<_>>(), [FactKind::Mobile]);
        let today = day("2025-06-01");
        let mut facts: Vec<_> = (1..).zip(kinds).map(|(n, kind)| fact(n, kind, "2025-01-01", Validity::Unsaid)).collect();
        let bp = |facts: &[Fact]| completeness_bp(PartyKind::Organisation, missing(PartyKind::Organisation, &current(facts), today).len());
        assert_eq!(bp(&facts), COMPLETE_BP);
        for (last, expected) in [("2025-06-01", 10_000), ("2025-05-31", 9_333)] {
            facts[0].validity = Validity::Until(day(last));
            assert_eq!(bp(&facts), expected);
        }
        facts.truncate(12);
        facts[0].validity = Validity::LongTerm;
        assert_eq!(bp(&facts), 8_000);
        assert_eq!(bp(&[]), 0);
    }

    #[test]
    fn h_05_a_fact_entered_later_about_an_earlier_day_does_not_push_the_current_one_out() {
        let newer = fact(1, FactKind::Chairman, "2025-03-01", Validity::Unsaid);
        let older = fact(2, FactKind::Chairman, "2024-03-01", Validity::Unsaid);
        let same_day = fact(3, FactKind::Chairman, "2025-03-01", Validity::Unsaid);
        assert_eq!(current([&newer, &older]), [&newer]);
        assert_eq!(current([&older, &newer]), [&newer]);
        // A correction of the same day is entered later and holds.
        assert_eq!(current([&same_day, &newer, &older]), [&same_day]);
    }

    #[test]
    fn h_03_warnings_at_60_30_and_7_days_and_after_the_end() {
        let last = day("2025-12-31");
        for (today, told, expected) in [
            ("2025-10-31", None, None),
            ("2025-11-01", None, Some(60)),
            ("2025-11-30", Some(60), None),
            ("2025-12-01", Some(60), Some(30)),
            ("2025-12-24", Some(30), Some(7)),
            ("2025-12-31", Some(7), None),
            ("2026-01-01", Some(7), Some(0)),
            ("2026-01-01", None, Some(0)),
            ("2026-02-01", Some(0), None),
        ] {
            assert_eq!(mark_due(last, day(today), told), expected, "{today} {told:?}");
        }
        assert_eq!(next_mark_on(last, None), Some(day("2025-11-01")));
        assert_eq!(next_mark_on(last, Some(60)), Some(day("2025-12-01")));
        assert_eq!(next_mark_on(last, Some(7)), Some(day("2026-01-01")));
        assert_eq!(next_mark_on(last, Some(0)), None);
    }

    #[test]
    fn h_11_of_persons_only_what_supply_needs() {
        let mobile = Content {
            phone: "19000000001".to_owned(),
            ..Content::default()
        };
        let text = Content {
            text: "爱打牌".to_owned(),
            ..Content::default()
        };
        let today = day("2025-06-01");
        let ask = |kind, content: &Content| may_record(PartyKind::Person, kind, "", content, Some(Validity::Unsaid), today, today);
        assert_eq!(ask(FactKind::Mobile, &mobile), Ok(Validity::Unsaid));
        assert_eq!(ask(FactKind::Relation, &text), Err(Refusal::FactNotForPersons));
        assert_eq!(ask(FactKind::Chairman, &text), Err(Refusal::FactNotForPersons));
    }

    #[test]
    fn a_fact_has_the_form_of_its_kind() {
        let today = day("2025-06-01");
        let paper = Content {
            number: "91120103MA0000000X".to_owned(),
            authority: "河西区市场监督管理局".to_owned(),
            ..Content::default()
        };
        let ask = |kind, item: &str, content: &Content, validity, as_of| may_record(PartyKind::Organisation, kind, item, content, validity, as_of, today);
        use FactKind::{BusinessLicence, BusinessScope, IndustryCertification};
        assert_eq!(ask(BusinessLicence, "", &paper, Some(Validity::LongTerm), today), Ok(Validity::LongTerm));
        for validity in [None, Some(Validity::Unsaid)] {
            assert_eq!(ask(BusinessLicence, "", &paper, validity, today), Err(Refusal::FactValidity));
        }
        assert_eq!(ask(BusinessLicence, "x", &paper, Some(Validity::LongTerm), today), Err(Refusal::FactItem));
        assert_eq!(ask(IndustryCertification, "", &paper, Some(Validity::LongTerm), today), Err(Refusal::FactItem));
        assert_eq!(ask(BusinessScope, "", &paper, Some(Validity::Unsaid), today), Err(Refusal::FactForm));
        let tomorrow = day("2025-06-02");
        assert_eq!(ask(BusinessLicence, "", &paper, Some(Validity::LongTerm), tomorrow), Err(Refusal::DateRange));
        let scope = Content {
            text: "供热".to_owned(),
            ..Content::default()
        };
        assert_eq!(ask(BusinessScope, "", &scope, Some(Validity::LongTerm), today), Err(Refusal::FactValidity));
        for rule in RULES {
            assert_eq!((rule.kind.rule(), FactKind::of(rule.code)), (Some(&rule), Some(rule.kind)));
        }
    }

    #[test]
    fn a_file_is_verified_by_another_hand() {
        assert_eq!(may_verify(1, ["a"].into_iter(), "b"), Err(Refusal::CreditFileIncomplete));
        assert_eq!(may_verify(0, ["a", "b"].into_iter(), "b"), Err(Refusal::CreditFileOwnFacts));
        assert_eq!(may_verify(0, ["a"].into_iter(), "b"), Ok(()));
        let licence = fact(1, FactKind::BusinessLicence, "2025-01-01", Validity::Until(day("2025-12-31")));
        let other = fact(2, FactKind::IndustryCertification, "2025-01-01", Validity::Until(day("2025-02-01")));
        let at = |current: &[&Fact]| lapses_on(PartyKind::Organisation, current, day("2026-06-01"));
        assert_eq!(at(&[&licence, &other]), day("2026-01-01"));
        assert_eq!(at(&[&other]), day("2026-06-01"));
    }
}
