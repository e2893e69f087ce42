//! Admission of vendors (F-01, F-03, F-13): pure rules.

use std::{cmp::Reverse, fmt, str::FromStr};

use calendar::Instant;
use chrono::{Months, NaiveDate};
use ids::{QualificationId, VendorId};
use money::DecimalError;
use serde::{Deserialize, Serialize};

use crate::{codes::codes, refusal::Refusal};

codes! {
    /// Where a vendor stands (F-01).
    pub enum State {
        Registered = 1 "REGISTERED",
        DossierComplete = 2 "DOSSIER_COMPLETE",
        Verified = 3 "VERIFIED",
        Scored = 4 "SCORED",
        Ranked = 5 "RANKED",
        SiteReviewed = 6 "SITE_REVIEWED",
        Admitted = 7 "ADMITTED",
        Suspended = 8 "SUSPENDED",
        Exiting = 9 "EXITING",
        Exited = 10 "EXITED",
        Blacklisted = 11 "BLACKLISTED",
    }
}

codes! {
    /// How far one qualification is on its way to admission.
    pub enum Stage {
        DossierComplete = 1 "DOSSIER_COMPLETE",
        Verified = 2 "VERIFIED",
        Scored = 3 "SCORED",
        Ranked = 4 "RANKED",
        SiteReviewed = 5 "SITE_REVIEWED",
        Granted = 6 "GRANTED",
        Failed = 7 "FAILED",
    }
}

codes! {
    /// Kinds of vendor (S-09).
    pub enum Kind {
        Hardware = 1 "HARDWARE",
        Software = 2 "SOFTWARE",
        NetworkProvider = 3 "NETWORK_PROVIDER",
        ServiceFirm = 4 "SERVICE_FIRM",
    }
}

codes! {
    /// What a document of a dossier shows.
    pub enum DocumentKind {
        Licence = 1 "LICENCE",
        Technical = 2 "TECHNICAL",
        Financial = 3 "FINANCIAL",
        Quotation = 4 "QUOTATION",
        References = 5 "REFERENCES",
    }
}

codes! {
    /// Categories of service (服务类别); [`Category::traits`] says what each entails.
    pub enum Category {
        ConsultingTechnicalPlan = 1 "CONSULTING_TECHNICAL_PLAN",
        ConsultingDiagnosis = 2 "CONSULTING_DIAGNOSIS",
        ConsultingContingency = 3 "CONSULTING_CONTINGENCY",
        ConsultingOther = 4 "CONSULTING_OTHER",
        OperationInstallation = 10 "OPERATION_INSTALLATION",
        OperationRepair = 11 "OPERATION_REPAIR",
        OperationUpgrade = 12 "OPERATION_UPGRADE",
        OperationInspection = 13 "OPERATION_INSPECTION",
        OperationOther = 14 "OPERATION_OTHER",
        Training = 20 "TRAINING",
        FieldSafetyInspection = 30 "FIELD_SAFETY_INSPECTION",
        FieldMeterReading = 31 "FIELD_METER_READING",
        FieldRepair = 32 "FIELD_REPAIR",
        FieldCustomerService = 33 "FIELD_CUSTOMER_SERVICE",
        SupplyHardware = 40 "SUPPLY_HARDWARE",
        SupplySoftware = 41 "SUPPLY_SOFTWARE",
        SupplyNetwork = 42 "SUPPLY_NETWORK",
        ItStrategy = 90 "IT_STRATEGY",
        RiskManagement = 91 "RISK_MANAGEMENT",
        InternalAudit = 92 "INTERNAL_AUDIT",
        SecurityResponsibility = 93 "SECURITY_RESPONSIBILITY",
    }
}

/// What a category entails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Traits {
    /// Whether it may be given to a vendor at all (F-13).
    pub outsourceable: bool,
    /// Whether the work sees personal data, so that a contract needs clauses on it (F-04).
    pub personal_data: bool,
    /// Whether it is operation and maintenance, which needs an emergency and backup plan (F-04).
    pub operation: bool,
}

impl Category {
    /// What the category entails.
    pub const fn traits(self) -> Traits {
        let (outsourceable, personal_data, operation) = match self {
            Self::ConsultingTechnicalPlan | Self::ConsultingContingency | Self::ConsultingOther | Self::Training => (true, false, false),
            // A diagnosis looks into running systems and what they hold.
            Self::ConsultingDiagnosis => (true, true, false),
            Self::OperationInstallation | Self::OperationRepair | Self::OperationUpgrade | Self::OperationInspection | Self::OperationOther => {
                (true, true, true)
            }
            Self::FieldSafetyInspection | Self::FieldMeterReading | Self::FieldRepair | Self::FieldCustomerService => (true, true, false),
            Self::SupplyHardware | Self::SupplySoftware | Self::SupplyNetwork => (true, false, false),
            Self::ItStrategy | Self::RiskManagement | Self::InternalAudit | Self::SecurityResponsibility => (false, false, false),
        };
        Traits {
            outsourceable,
            personal_data,
            operation,
        }
    }

    /// Refuses what may not be given away (F-13).
    pub fn outsourceable(self) -> Result<Self, Refusal> {
        if self.traits().outsourceable {
            Ok(self)
        } else {
            Err(Refusal::CategoryNotOutsourceable)
        }
    }
}

/// What is done to a vendor or to one of its qualifications.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    CompleteDossier,
    Verify,
    Score,
    Rank,
    ReviewSite,
    Admit,
    Suspend,
    Resume,
    Blacklist,
    StartExit,
    FinishExit,
}

/// F-01, as it stands in the policy.
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Registered, Action::CompleteDossier, State::DossierComplete),
    (State::DossierComplete, Action::Verify, State::Verified),
    (State::Verified, Action::Score, State::Scored),
    (State::Scored, Action::Rank, State::Ranked),
    (State::Ranked, Action::ReviewSite, State::SiteReviewed),
    (State::SiteReviewed, Action::Admit, State::Admitted),
    (State::Admitted, Action::Suspend, State::Suspended),
    (State::Suspended, Action::Resume, State::Admitted),
    (State::Admitted, Action::StartExit, State::Exiting),
    (State::Suspended, Action::StartExit, State::Exiting),
    (State::Exiting, Action::FinishExit, State::Exited),
    (State::Registered, Action::Blacklist, State::Blacklisted),
    (State::DossierComplete, Action::Blacklist, State::Blacklisted),
    (State::Verified, Action::Blacklist, State::Blacklisted),
    (State::Scored, Action::Blacklist, State::Blacklisted),
    (State::Ranked, Action::Blacklist, State::Blacklisted),
    (State::SiteReviewed, Action::Blacklist, State::Blacklisted),
    (State::Admitted, Action::Blacklist, State::Blacklisted),
    (State::Suspended, Action::Blacklist, State::Blacklisted),
    (State::Exiting, Action::Blacklist, State::Blacklisted),
    (State::Exited, Action::Blacklist, State::Blacklisted),
];

/// The way of one qualification: the steps of F-01 before admission. A ranking may be made anew until the site is reviewed.
pub const STAGES: &[(Stage, Action, Stage)] = &[
    (Stage::DossierComplete, Action::Verify, Stage::Verified),
    (Stage::Verified, Action::Score, Stage::Scored),
    (Stage::Scored, Action::Rank, Stage::Ranked),
    (Stage::Ranked, Action::Rank, Stage::Ranked),
    (Stage::Ranked, Action::ReviewSite, Stage::SiteReviewed),
    (Stage::SiteReviewed, Action::Admit, Stage::Granted),
];

/// The state after an action, by the table of F-01.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::VendorState)
}

/// The state of a vendor of which one qualification takes a step. The first one leads the vendor along; where the vendor is as far
/// or further, and not barred, it stays.
pub fn carry(vendor: State, action: Action) -> Result<State, Refusal> {
    if let Ok(next) = step(vendor, action) {
        return Ok(next);
    }
    let reached = TRANSITIONS.iter().find(|(_, a, _)| *a == action).map(|t| t.2).ok_or(Refusal::VendorState)?;
    if (reached..=State::Admitted).contains(&vendor) {
        Ok(vendor)
    } else {
        Err(Refusal::VendorState)
    }
}

/// The stage of a qualification after a step; one that is not passed ends it.
pub fn advance(from: Stage, action: Action, passed: bool) -> Result<Stage, Refusal> {
    let next = STAGES
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::QualificationStage)?;
    Ok(if passed { next } else { Stage::Failed })
}

impl Stage {
    /// Whether the qualification is still on its way.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Granted | Self::Failed)
    }
}

/// Points of a score, exact to three places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Points(i64);

impl Points {
    /// From whole points.
    pub const fn whole(value: i64) -> Self {
        Self(value.saturating_mul(1000))
    }

    /// From thousandths.
    pub const fn from_thousandths(value: i64) -> Self {
        Self(value)
    }

    /// As thousandths.
    pub const fn thousandths(self) -> i64 {
        self.0
    }
}

impl FromStr for Points {
    type Err = DecimalError;

    /// Not negative, at most three places.
    fn from_str(text: &str) -> Result<Self, DecimalError> {
        let (whole, places) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(places) {
            return Err(DecimalError::Format);
        }
        if places.len() > 3 {
            return Err(DecimalError::Scale);
        }
        if whole.len() > 6 {
            return Err(DecimalError::Range);
        }
        let thousandths = format!("{whole}{places:0<3}");
        thousandths.parse().map(Self).map_err(|_| DecimalError::Range)
    }
}

impl fmt::Display for Points {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:03}", self.0 / 1000, self.0 % 1000)
    }
}

/// Scores of a qualification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scores {
    pub technical: Points,
    pub financial: Points,
    pub quotation: Points,
    pub references: Points,
}

/// A template of scoring: the maxima, the pass mark and how long a qualification counts.
#[derive(Clone, Copy, Debug)]
pub struct Template {
    pub technical: Points,
    pub financial: Points,
    pub quotation: Points,
    pub references: Points,
    pub pass: Points,
    pub valid_months: u32,
}

/// F-03: 40, 25, 25 and 10 points, 60 to pass, 12 months.
pub const F_03: Template = Template {
    technical: Points::from_thousandths(40_000),
    financial: Points::from_thousandths(25_000),
    quotation: Points::from_thousandths(25_000),
    references: Points::from_thousandths(10_000),
    pass: Points::from_thousandths(60_000),
    valid_months: 12,
};

impl Template {
    /// The total of scores that keep within the maxima.
    pub fn total(&self, scores: &Scores) -> Result<Points, Refusal> {
        let pairs = [
            (scores.technical, self.technical),
            (scores.financial, self.financial),
            (scores.quotation, self.quotation),
            (scores.references, self.references),
        ];
        let mut total = Points::default();
        for (given, most) in pairs {
            if given > most || given < Points::default() {
                return Err(Refusal::ScoreRange);
            }
            total.0 = total.0.checked_add(given.0).ok_or(Refusal::ScoreRange)?;
        }
        Ok(total)
    }

    /// Whether a total passes; it is compared as it is, never rounded.
    pub fn passes(&self, total: Points) -> bool {
        total >= self.pass
    }

    /// The last day on which a contract may be signed on a qualification that was reviewed on a day.
    pub fn valid_to(&self, review: NaiveDate) -> Option<NaiveDate> {
        review.checked_add_months(Months::new(self.valid_months))
    }
}

/// What a dossier has to show at least (art. 8).
pub const REQUIRED_DOCUMENTS: &[DocumentKind] = &[DocumentKind::Technical, DocumentKind::Financial, DocumentKind::Quotation];

/// The first required document that a dossier lacks.
pub fn lacking(documents: &[DocumentKind]) -> Option<DocumentKind> {
    REQUIRED_DOCUMENTS.iter().copied().find(|kind| !documents.contains(kind))
}

/// A vendor (第三方服务商).
#[derive(Clone, Debug)]
pub struct Vendor {
    pub id: VendorId,
    pub uscc: String,
    pub name: String,
    pub kinds: Vec<Kind>,
    pub state: State,
    /// Why it was last suspended, resumed, listed or sent away.
    pub state_reason: String,
    pub blacklisted_until: Option<NaiveDate>,
    pub version: i64,
    pub created: Instant,
}

impl Vendor {
    /// Does what F-01 knows as one step of the vendor itself.
    pub fn act(&mut self, action: Action, reason: &str) -> Result<(), Refusal> {
        self.state = step(self.state, action)?;
        reason.clone_into(&mut self.state_reason);
        Ok(())
    }

    /// Goes along with a step of one of its qualifications.
    pub fn carry(&mut self, action: Action) -> Result<(), Refusal> {
        self.state = carry(self.state, action)?;
        Ok(())
    }

    /// Takes another name from a day on and gives the old one; everything else of the vendor stays.
    pub fn rename(&mut self, name: String, from: NaiveDate, document: String, before: &[FormerName]) -> Result<FormerName, Refusal> {
        if name == self.name {
            return Err(Refusal::NameUnchanged);
        }
        let until = from.pred_opt().ok_or(Refusal::TermOrder)?;
        if before.iter().any(|former| former.until >= until) {
            return Err(Refusal::TermOrder);
        }
        Ok(FormerName {
            vendor: self.id,
            name: std::mem::replace(&mut self.name, name),
            until,
            document,
        })
    }

    /// Refuses whoever may not get anything new: on the black list, on the way out, or gone.
    pub fn open_for_business(&self) -> Result<(), Refusal> {
        match self.state {
            State::Blacklisted => Err(Refusal::VendorBlacklisted),
            State::Exiting | State::Exited => Err(Refusal::VendorState),
            _ => Ok(()),
        }
    }
}

/// A name that a vendor had (曾用名).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormerName {
    pub vendor: VendorId,
    pub name: String,
    /// Last day on which it was the name.
    pub until: NaiveDate,
    pub document: String,
}

/// A document of a dossier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    pub kind: DocumentKind,
    pub title: String,
    pub file_digest: String,
}

/// The qualification (资质) of a vendor for one category.
#[derive(Clone, Debug)]
pub struct Qualification {
    pub id: QualificationId,
    pub vendor: VendorId,
    pub category: Category,
    pub stage: Stage,
    pub documents: Vec<Document>,
    pub dossier_complete: Instant,
    pub verifier: Option<String>,
    pub scorer: Option<String>,
    pub scores: Option<Scores>,
    pub total: Option<Points>,
    /// Place in the ranking, 0 before there is one.
    pub place: i32,
    pub review: Option<NaiveDate>,
    pub valid_to: Option<NaiveDate>,
    pub findings: String,
}

impl Qualification {
    /// Opens one with a complete dossier.
    pub fn open(vendor: VendorId, category: Category, documents: Vec<Document>, now: Instant) -> Result<Self, Refusal> {
        let kinds: Vec<_> = documents.iter().map(|d| d.kind).collect();
        if lacking(&kinds).is_some() {
            return Err(Refusal::DossierIncomplete);
        }
        Ok(Self {
            id: QualificationId::new(),
            vendor,
            category: category.outsourceable()?,
            stage: Stage::DossierComplete,
            documents,
            dossier_complete: now,
            verifier: None,
            scorer: None,
            scores: None,
            total: None,
            place: 0,
            review: None,
            valid_to: None,
            findings: String::new(),
        })
    }

    /// Takes the outcome of the verification.
    pub fn verify(&mut self, verifier: &str, passed: bool, findings: String) -> Result<(), Refusal> {
        self.stage = advance(self.stage, Action::Verify, passed)?;
        (self.verifier, self.findings) = (Some(verifier.to_owned()), findings);
        Ok(())
    }

    /// Takes the scores; below the pass mark the qualification has failed (F-03).
    pub fn score(&mut self, template: &Template, scorer: &str, scores: Scores, findings: String) -> Result<(), Refusal> {
        let total = template.total(&scores)?;
        self.stage = advance(self.stage, Action::Score, template.passes(total))?;
        (self.scorer, self.scores, self.total, self.findings) = (Some(scorer.to_owned()), Some(scores), Some(total), findings);
        Ok(())
    }

    /// Takes a place in the ranking of its category.
    pub fn rank(&mut self, place: i32) -> Result<(), Refusal> {
        self.stage = advance(self.stage, Action::Rank, true)?;
        self.place = place;
        Ok(())
    }

    /// Takes the outcome of the site review, which is the due diligence.
    pub fn review(&mut self, day: NaiveDate, passed: bool, findings: String) -> Result<(), Refusal> {
        self.stage = advance(self.stage, Action::ReviewSite, passed)?;
        (self.review, self.findings) = (Some(day), findings);
        Ok(())
    }

    /// Grants it: the vendor is admitted for the category. Whoever verified or scored it may not be the one who admits.
    pub fn grant(&mut self, template: &Template, by: &str) -> Result<(), Refusal> {
        self.stage = advance(self.stage, Action::Admit, true)?;
        if self.is_judged_by(by) {
            return Err(Refusal::SecondPersonNeeded);
        }
        self.valid_to = self.review.and_then(|day| template.valid_to(day));
        Ok(())
    }

    /// Whether a person verified or scored it (F-02).
    pub fn is_judged_by(&self, subject: &str) -> bool {
        [&self.verifier, &self.scorer].into_iter().flatten().any(|judge| judge == subject)
    }

    /// What the ranking compares; `None` before it is scored.
    pub fn candidate(&self) -> Option<Candidate<QualificationId>> {
        let (total, scores) = self.total.zip(self.scores)?;
        Some(Candidate {
            id: self.id,
            total,
            technical: scores.technical,
            dossier_complete: self.dossier_complete.micros(),
        })
    }
}

/// One qualification in a ranking.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate<T> {
    pub id: T,
    pub total: Points,
    pub technical: Points,
    /// Microseconds UTC at which the dossier was complete.
    pub dossier_complete: i64,
}

/// Puts candidates in order, best first (F-03): total, then technical score, then the earlier complete dossier; the id decides what is
/// equal in all, so that a ranking can be repeated.
pub fn rank<T: Ord + Clone>(candidates: &mut [Candidate<T>]) {
    candidates.sort_by_key(|c| (Reverse(c.total), Reverse(c.technical), c.dossier_complete, c.id.clone()));
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const ACTIONS: &[Action] = &[
        Action::CompleteDossier,
        Action::Verify,
        Action::Score,
        Action::Rank,
        Action::ReviewSite,
        Action::Admit,
        Action::Suspend,
        Action::Resume,
        Action::Blacklist,
        Action::StartExit,
        Action::FinishExit,
    ];

    /// The policy's line, written a second time by hand: rows are states, columns the actions above, `-` is illegal.
    const F_01: &[(State, &str)] = &[
        (State::Registered, "D - - - - - - - B - -"),
        (State::DossierComplete, "- V - - - - - - B - -"),
        (State::Verified, "- - S - - - - - B - -"),
        (State::Scored, "- - - R - - - - B - -"),
        (State::Ranked, "- - - - W - - - B - -"),
        (State::SiteReviewed, "- - - - - A - - B - -"),
        (State::Admitted, "- - - - - - P - B X -"),
        (State::Suspended, "- - - - - - - A B X -"),
        (State::Exiting, "- - - - - - - - B - G"),
        (State::Exited, "- - - - - - - - B - -"),
        (State::Blacklisted, "- - - - - - - - - - -"),
    ];

    fn state(letter: &str) -> Option<State> {
        Some(match letter {
            "D" => State::DossierComplete,
            "V" => State::Verified,
            "S" => State::Scored,
            "R" => State::Ranked,
            "W" => State::SiteReviewed,
            "A" => State::Admitted,
            "P" => State::Suspended,
            "X" => State::Exiting,
            "G" => State::Exited,
            "B" => State::Blacklisted,
            _ => return None,
        })
    }

    #[test]
    fn f_01_every_transition_legal_and_illegal() {
        assert_eq!(F_01.len(), State::ALL.len());
        for (from, row) in F_01 {
            for (action, letter) in ACTIONS.iter().zip(row.split(' ')) {
                assert_eq!(step(*from, *action), state(letter).ok_or(Refusal::VendorState), "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn f_01_a_later_qualification_leaves_an_admitted_vendor_where_it_is() {
        for action in &ACTIONS[..6] {
            assert_eq!(carry(State::Admitted, *action), Ok(State::Admitted), "{action:?}");
            for barred in [State::Suspended, State::Exiting, State::Exited, State::Blacklisted] {
                assert_eq!(carry(barred, *action), Err(Refusal::VendorState), "{barred:?} {action:?}");
            }
        }
        assert_eq!(carry(State::Registered, Action::CompleteDossier), Ok(State::DossierComplete));
        assert_eq!(
            carry(State::Scored, Action::CompleteDossier),
            Ok(State::Scored),
            "a second category while the first is scored"
        );
        assert_eq!(carry(State::Verified, Action::Rank), Err(Refusal::VendorState), "no step is jumped over");
    }

    #[test]
    fn f_01_every_stage_legal_and_illegal() {
        let legal = [
            (Stage::DossierComplete, Action::Verify),
            (Stage::Verified, Action::Score),
            (Stage::Scored, Action::Rank),
            (Stage::Ranked, Action::Rank),
            (Stage::Ranked, Action::ReviewSite),
            (Stage::SiteReviewed, Action::Admit),
        ];
        for from in Stage::ALL {
            for action in ACTIONS {
                let step = advance(*from, *action, true);
                assert_eq!(step.is_ok(), legal.contains(&(*from, *action)), "{from:?} {action:?}");
                assert_eq!(advance(*from, *action, false), step.map(|_| Stage::Failed), "{from:?} {action:?}");
            }
        }
    }

    fn points(text: &str) -> Points {
        text.parse().unwrap()
    }

    fn scores(technical: &str, financial: &str, quotation: &str, references: &str) -> Scores {
        Scores {
            technical: points(technical),
            financial: points(financial),
            quotation: points(quotation),
            references: points(references),
        }
    }

    #[test]
    fn f_03_points_are_exact_to_three_places() {
        assert_eq!(points("40").thousandths(), 40_000);
        assert_eq!(points("0.5").thousandths(), 500);
        assert_eq!(points("12.345").to_string(), "12.345");
        for (bad, expected) in [
            ("", DecimalError::Format),
            ("-1", DecimalError::Format),
            ("1.2345", DecimalError::Scale),
            ("1.", DecimalError::Format),
            (".5", DecimalError::Format),
            ("1e3", DecimalError::Format),
            ("1234567", DecimalError::Range),
        ] {
            assert_eq!(bad.parse::<Points>(), Err(expected), "{bad}");
        }
    }

    #[test]
    fn f_03_pass_mark_is_compared_unrounded() {
        // 26 + 14 + 14 + 5.999 = 59.999, which any rounding would let pass; 26 + 14 + 14 + 6 = 60.
        let below = F_03.total(&scores("26", "14", "14", "5.999")).unwrap();
        let at = F_03.total(&scores("26", "14", "14", "6")).unwrap();
        assert_eq!((below.to_string().as_str(), at.to_string().as_str()), ("59.999", "60.000"));
        assert!(!F_03.passes(below));
        assert!(F_03.passes(at));
    }

    #[test]
    fn f_03_maxima_are_40_25_25_10() {
        assert_eq!(F_03.total(&scores("40", "25", "25", "10")).unwrap().to_string(), "100.000");
        for over in [
            scores("40.001", "0", "0", "0"),
            scores("0", "25.001", "0", "0"),
            scores("0", "0", "25.001", "0"),
            scores("0", "0", "0", "10.001"),
        ] {
            assert_eq!(F_03.total(&over), Err(Refusal::ScoreRange));
        }
    }

    #[test]
    fn f_03_ties_go_to_technical_then_to_the_earlier_dossier() {
        let candidate = |id, total, technical, dossier_complete| Candidate {
            id,
            total: points(total),
            technical: points(technical),
            dossier_complete,
        };
        let mut all = vec![
            candidate('e', "70", "30", 9),
            candidate('d', "80", "30", 5),
            candidate('c', "80", "30", 4),
            candidate('b', "80", "31", 9),
            candidate('a', "80.001", "20", 9),
        ];
        rank(&mut all);
        assert_eq!(all.iter().map(|c| c.id).collect::<String>(), "abcde");
    }

    #[test]
    fn f_03_valid_for_twelve_months() {
        let day = |y, m, d| NaiveDate::from_ymd_opt(y, m, d).unwrap();
        assert_eq!(F_03.valid_to(day(2025, 3, 1)), Some(day(2026, 3, 1)));
        assert_eq!(F_03.valid_to(day(2024, 2, 29)), Some(day(2025, 2, 28)));
    }

    #[test]
    fn f_e_names_follow_each_other() {
        let day = |text: &str| text.parse::<NaiveDate>().unwrap();
        let mut vendor = Vendor {
            id: VendorId::new(),
            uscc: "X".into(),
            name: "old".into(),
            kinds: vec![],
            state: State::Admitted,
            state_reason: String::new(),
            blacklisted_until: None,
            version: 1,
            created: Instant::from_micros(0),
        };
        let mut rename = |name: &str, from: &str, before: &[FormerName]| vendor.rename(name.into(), day(from), "N-1".into(), before);
        assert_eq!(rename("old", "2025-03-01", &[]), Err(Refusal::NameUnchanged));
        let first = rename("new", "2025-03-01", &[]).unwrap();
        assert_eq!((first.name.as_str(), first.until), ("old", day("2025-02-28")));
        assert_eq!(rename("newer", "2025-03-01", std::slice::from_ref(&first)), Err(Refusal::TermOrder));
        let second = rename("newer", "2025-03-02", std::slice::from_ref(&first)).unwrap();
        assert_eq!((second.name.as_str(), second.until), ("new", day("2025-03-01")));
    }

    #[test]
    fn f_13_what_may_not_be_given_away() {
        let refused: Vec<_> = Category::ALL.iter().filter(|c| c.outsourceable().is_err()).map(|c| c.code()).collect();
        assert_eq!(refused, ["IT_STRATEGY", "RISK_MANAGEMENT", "INTERNAL_AUDIT", "SECURITY_RESPONSIBILITY"]);
    }

    #[test]
    fn art_8_a_dossier_shows_technical_financial_and_quotation() {
        use DocumentKind::{Financial, Licence, Quotation, Technical};
        assert_eq!(lacking(&[Licence, Technical, Financial, Quotation]), None);
        assert_eq!(lacking(&[Licence, Technical, Quotation]), Some(Financial));
        assert_eq!(lacking(&[]), Some(Technical));
    }
}
