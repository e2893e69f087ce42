//! Assessments of contracts (F-07, F-08): pure rules.

use calendar::{Calendar, CalendarMissing, Instant};
use chrono::{Datelike, Months, NaiveDate};
use ids::{ContractId, VendorId};

use crate::{codes::codes, keys::AssessmentId, refusal::Refusal, vendor::Points};

codes! {
    /// Where an assessment stands.
    pub enum State {
        Scored = 1 "SCORED",
        Objected = 2 "OBJECTED",
        Frozen = 3 "FROZEN",
    }
}

/// What is done to an assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    Object,
    Decide,
}

/// F-08. FROZEN comes by itself when nobody objects in time ([`on_day`]).
pub const TRANSITIONS: &[(State, Action, State)] = &[
    (State::Scored, Action::Object, State::Objected),
    (State::Objected, Action::Decide, State::Frozen),
];

/// The state after an action, by the table of F-08.
pub fn step(from: State, action: Action) -> Result<State, Refusal> {
    TRANSITIONS
        .iter()
        .find(|(f, a, _)| (*f, *a) == (from, action))
        .map(|t| t.2)
        .ok_or(Refusal::AssessmentState)
}

/// The state on a day: a score to which nobody objected by the last day is frozen.
pub fn on_day(state: State, objection_due: NaiveDate, today: NaiveDate) -> State {
    if state == State::Scored && today > objection_due {
        State::Frozen
    } else {
        state
    }
}

/// Working days that the vendor has to object (F-08).
pub const OBJECTION_DAYS: u32 = 5;

/// The last day for an objection to a score that was given on a day.
pub fn objection_due(scored: NaiveDate) -> Result<NaiveDate, CalendarMissing> {
    Calendar::china().add_working_days(scored, OBJECTION_DAYS)
}

codes! {
    /// Grades (F-07); [`GRADES`] says what each entails.
    pub enum Grade {
        Excellent = 1 "EXCELLENT",
        Good = 2 "GOOD",
        Fair = 3 "FAIR",
        Pass = 4 "PASS",
        Fail = 5 "FAIL",
        /// A month without orders: neither passed nor failed.
        NotAssessed = 6 "NOT_ASSESSED",
    }
}

/// What a grade entails.
#[derive(Clone, Copy, Debug)]
pub struct GradeRow {
    pub grade: Grade,
    /// The lowest sum that gets it; compared as it is, never rounded.
    pub from: Points,
    /// Part of the due that is paid, in hundredths of a percent.
    pub factor: i32,
    pub rectification: bool,
}

const fn grade(grade: Grade, points: i64, factor: i32, rectification: bool) -> GradeRow {
    GradeRow {
        grade,
        from: Points::whole(points),
        factor,
        rectification,
    }
}

/// F-07, best first.
pub const GRADES: &[GradeRow] = &[
    grade(Grade::Excellent, 90, 10_000, false),
    grade(Grade::Good, 80, 10_000, false),
    grade(Grade::Fair, 70, 9_500, false),
    grade(Grade::Pass, 60, 8_500, true),
    grade(Grade::Fail, 0, 7_000, true),
];

/// Factor of a month without orders, in hundredths of a percent.
pub const FULL: i32 = 10_000;

/// The grade of a sum.
pub fn graded(total: Points) -> Grade {
    GRADES.iter().find(|row| total >= row.from).map_or(Grade::Fail, |row| row.grade)
}

/// The part of the due that a grade pays, in hundredths of a percent.
pub fn factor(grade: Grade) -> i32 {
    GRADES.iter().find(|row| row.grade == grade).map_or(FULL, |row| row.factor)
}

/// Whether a grade asks for a rectification.
pub fn rectification(grade: Grade) -> bool {
    GRADES.iter().any(|row| row.grade == grade && row.rectification)
}

/// The five items (F-07).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Scores {
    pub timeliness: Points,
    pub quality: Points,
    pub service_level: Points,
    pub staff_safety: Points,
    pub documents: Points,
}

impl Scores {
    /// Items in whole points, in the order of the policy.
    const fn of(points: [i64; 5]) -> Self {
        let [timeliness, quality, service_level, staff_safety, documents] = points;
        Self {
            timeliness: Points::whole(timeliness),
            quality: Points::whole(quality),
            service_level: Points::whole(service_level),
            staff_safety: Points::whole(staff_safety),
            documents: Points::whole(documents),
        }
    }

    /// Each item with that of another, combined.
    fn with(self, other: Self, combine: impl Fn(i64, i64) -> i64) -> Self {
        let each = |own: Points, other: Points| Points::from_thousandths(combine(own.thousandths(), other.thousandths()));
        Self {
            timeliness: each(self.timeliness, other.timeliness),
            quality: each(self.quality, other.quality),
            service_level: each(self.service_level, other.service_level),
            staff_safety: each(self.staff_safety, other.staff_safety),
            documents: each(self.documents, other.documents),
        }
    }
}

codes! {
    /// What the draft of an assessment (考核草稿) counts.
    pub enum Fact {
        WorkRefused = 1 "WORK_REFUSED",
        ComplaintQuality = 2 "COMPLAINT_QUALITY",
        ComplaintDelay = 3 "COMPLAINT_DELAY",
        ComplaintAttitude = 4 "COMPLAINT_ATTITUDE",
        ComplaintSafety = 5 "COMPLAINT_SAFETY",
        Disturbance = 6 "DISTURBANCE",
        DisturbanceLate = 7 "DISTURBANCE_LATE",
        PromiseBroken = 8 "PROMISE_BROKEN",
        /// F-10.
        StaffTurnover = 9 "STAFF_TURNOVER",
    }
}

/// What each fact takes off the items, in points. The policy names the items and leaves the points to the utility.
pub const DEDUCTIONS: &[(Fact, Scores)] = &[
    (Fact::WorkRefused, Scores::of([0, 2, 0, 0, 0])),
    (Fact::ComplaintQuality, Scores::of([0, 3, 0, 0, 0])),
    (Fact::ComplaintDelay, Scores::of([0, 0, 3, 0, 0])),
    (Fact::ComplaintAttitude, Scores::of([0, 0, 0, 2, 0])),
    (Fact::ComplaintSafety, Scores::of([0, 5, 5, 0, 0])),
    (Fact::Disturbance, Scores::of([0, 0, 2, 0, 0])),
    (Fact::DisturbanceLate, Scores::of([0, 0, 3, 0, 0])),
    (Fact::PromiseBroken, Scores::of([1, 0, 0, 0, 0])),
    (Fact::StaffTurnover, Scores::of([0, 0, 0, 3, 0])),
];

/// A fact that the draft counts; one that is true in part counts half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counted {
    pub fact: Fact,
    pub in_part: bool,
}

/// What one kind of fact takes off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deduction {
    pub fact: Fact,
    pub count: i32,
    pub off: Scores,
}

/// What facts take off, kind by kind; kinds that did not happen are left out.
pub fn deductions(facts: &[Counted]) -> Vec<Deduction> {
    let of = |(fact, each): &(Fact, Scores)| {
        let halves = facts.iter().filter(|c| c.fact == *fact).map(|c| if c.in_part { 1 } else { 2 });
        let count = facts.iter().filter(|c| c.fact == *fact).count();
        let halves = halves.fold(0_i64, i64::saturating_add);
        Deduction {
            fact: *fact,
            count: i32::try_from(count).unwrap_or(i32::MAX),
            off: each.with(*each, |points, _| points.saturating_mul(halves) / 2),
        }
    };
    DEDUCTIONS.iter().map(of).filter(|d| d.count > 0).collect()
}

/// The items that a draft proposes: their maxima less what is taken off, none below zero.
pub fn proposed(deductions: &[Deduction]) -> Scores {
    let less = |left: Scores, d: &Deduction| left.with(d.off, |left, off| left.saturating_sub(off).max(0));
    deductions.iter().fold(Scores::of(WEIGHTS), less)
}

/// Refuses scores of which an item is above the proposal while no finding says why (F-07).
pub fn founded(scores: Option<Scores>, proposed: Scores, findings: &str) -> Result<(), Refusal> {
    let above = scores.is_some_and(|given| given.items().iter().zip(proposed.items()).any(|(given, most)| *given > most));
    if above && findings.trim().is_empty() {
        return Err(Refusal::FindingsMissing);
    }
    Ok(())
}

/// Maxima of the items in the order of [`Scores::items`], in points.
pub const WEIGHTS: [i64; 5] = [30, 30, 20, 10, 10];

impl Scores {
    /// The items in the order of the policy.
    pub fn items(&self) -> [Points; 5] {
        [self.timeliness, self.quality, self.service_level, self.staff_safety, self.documents]
    }

    /// Refuses an item above its maximum.
    pub fn checked(self) -> Result<Self, Refusal> {
        let within = |(given, most): (&Points, i64)| (0..=most.saturating_mul(1000)).contains(&given.thousandths());
        if self.items().iter().zip(WEIGHTS).all(within) {
            Ok(self)
        } else {
            Err(Refusal::ScoreRange)
        }
    }

    /// Their sum, exact.
    pub fn total(&self) -> Points {
        Points::from_thousandths(self.items().iter().map(|item| item.thousandths()).fold(0, i64::saturating_add))
    }
}

/// A calendar month.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Month {
    pub first: NaiveDate,
    pub last: NaiveDate,
}

impl Month {
    /// The month that begins on a day.
    pub fn beginning(first: NaiveDate) -> Result<Self, Refusal> {
        let next = first
            .checked_add_months(Months::new(1))
            .filter(|_| first.day() == 1)
            .ok_or(Refusal::PeriodMonth)?;
        let last = next.pred_opt().ok_or(Refusal::PeriodMonth)?;
        Ok(Self { first, last })
    }
}

/// What is assessed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Period {
    /// Empty for a month.
    pub milestone: String,
    pub from: NaiveDate,
    pub to: NaiveDate,
}

impl Period {
    /// A month, or the days of a milestone.
    pub fn of(milestone: String, from: NaiveDate, to: Option<NaiveDate>) -> Result<Self, Refusal> {
        let to = match to {
            Some(to) if !milestone.is_empty() && to >= from => to,
            None if milestone.is_empty() => Month::beginning(from)?.last,
            _ => return Err(Refusal::TermOrder),
        };
        Ok(Self { milestone, from, to })
    }

    /// Refuses a period that is not over, or that lies outside the term of the contract.
    pub fn assessable(&self, term: (NaiveDate, NaiveDate), today: NaiveDate) -> Result<(), Refusal> {
        if today <= self.to {
            return Err(Refusal::PeriodOpen);
        }
        if self.to < term.0 || self.from > term.1 {
            return Err(Refusal::ContractTerm);
        }
        Ok(())
    }

    /// A month without orders takes no scores; anything else needs them.
    pub fn grade(&self, orders: usize, scores: Option<Scores>) -> Result<Grade, Refusal> {
        match scores {
            None if self.milestone.is_empty() && orders == 0 => Ok(Grade::NotAssessed),
            None => Err(Refusal::ScoresMissing),
            Some(_) if self.milestone.is_empty() && orders == 0 => Err(Refusal::NothingToAssess),
            Some(scores) => Ok(graded(scores.total())),
        }
    }
}

/// An assessment (考核).
#[derive(Clone, Debug)]
pub struct Assessment {
    pub id: AssessmentId,
    pub contract: ContractId,
    pub vendor: VendorId,
    pub branch: String,
    pub period: Period,
    /// As kept; what it is on a day says [`Assessment::on`].
    pub state: State,
    pub scores: Option<Scores>,
    pub grade: Grade,
    pub findings: String,
    /// Accepted and refused work in the period.
    pub orders: i32,
    pub assessor: String,
    pub assessed: Instant,
    pub objection_due: NaiveDate,
    pub objection: String,
    pub objected: Option<Instant>,
    pub upheld: Option<bool>,
    pub decision_reason: String,
    pub decider: Option<String>,
    pub version: i64,
}

impl Assessment {
    /// Where it stands on a day.
    pub fn on(&self, today: NaiveDate) -> State {
        on_day(self.state, self.objection_due, today)
    }

    /// Whether its score does not change any more.
    pub fn is_frozen(&self, today: NaiveDate) -> bool {
        self.on(today) == State::Frozen
    }

    /// Takes the vendor's objection.
    pub fn object(&mut self, text: String, now: Instant) -> Result<(), Refusal> {
        self.state = step(self.on(now.date()), Action::Object)?;
        (self.objection, self.objected) = (text, Some(now));
        Ok(())
    }

    /// Takes the decision on it; new scores come only with an objection that is upheld, and never lower ones.
    pub fn decide(&mut self, upheld: Option<Scores>, decider: &str, reason: String, today: NaiveDate) -> Result<(), Refusal> {
        self.state = step(self.on(today), Action::Decide)?;
        if decider == self.assessor {
            return Err(Refusal::SecondPersonNeeded);
        }
        if let Some(scores) = upheld {
            let before = self.scores.ok_or(Refusal::NothingToAssess)?;
            if scores.total() < before.total() {
                return Err(Refusal::ScoreLowered);
            }
            (self.scores, self.grade) = (Some(scores), graded(scores.total()));
        }
        (self.upheld, self.decision_reason, self.decider) = (Some(upheld.is_some()), reason, Some(decider.to_owned()));
        Ok(())
    }
}

codes! {
    /// What a fail leads to (F-07).
    pub enum Consequence {
        SuspensionCandidate = 1 "SUSPENSION_CANDIDATE",
        ExitCandidate = 2 "EXIT_CANDIDATE",
    }
}

/// Fails in a row under one contract that lead to the exit procedure.
pub const FAILS_IN_A_ROW: usize = 2;
/// Fails of a vendor in a calendar year that do.
pub const FAILS_IN_A_YEAR: usize = 3;

/// What an assessment leads to, given all assessments of its vendor. Months without orders neither add to a row of fails nor break it;
/// later periods count for nothing.
pub fn consequence(of: &Assessment, all: &[Assessment]) -> Option<Consequence> {
    if of.grade != Grade::Fail {
        return None;
    }
    let mut row: Vec<_> = all
        .iter()
        .filter(|a| a.contract == of.contract && a.period.to <= of.period.to && a.grade != Grade::NotAssessed)
        .collect();
    row.sort_by_key(|a| std::cmp::Reverse((a.period.to, a.period.from)));
    let in_a_row = row.iter().take_while(|a| a.grade == Grade::Fail).count();
    let year = |a: &&Assessment| a.grade == Grade::Fail && a.period.to.year() == of.period.to.year() && a.period.to <= of.period.to;
    let in_the_year = all.iter().filter(year).count();
    Some(if in_a_row >= FAILS_IN_A_ROW || in_the_year >= FAILS_IN_A_YEAR {
        Consequence::ExitCandidate
    } else {
        Consequence::SuspensionCandidate
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn points(text: &str) -> Points {
        text.parse().unwrap()
    }

    fn scores(items: [&str; 5]) -> Scores {
        let [timeliness, quality, service_level, staff_safety, documents] = items.map(points);
        Scores {
            timeliness,
            quality,
            service_level,
            staff_safety,
            documents,
        }
    }

    #[test]
    fn f_08_every_transition_legal_and_illegal() {
        let table = [(State::Scored, "O -"), (State::Objected, "- F"), (State::Frozen, "- -")];
        assert_eq!(table.len(), State::ALL.len());
        for (from, row) in table {
            for (action, letter) in [Action::Object, Action::Decide].into_iter().zip(row.split(' ')) {
                let expected = match letter {
                    "O" => Ok(State::Objected),
                    "F" => Ok(State::Frozen),
                    _ => Err(Refusal::AssessmentState),
                };
                assert_eq!(step(from, action), expected, "{from:?} {action:?}");
            }
        }
    }

    #[test]
    fn f_08_five_working_days_with_a_holiday_between() {
        // 29 January 2025 is the first day of the spring festival: 28 January to 4 February are free, 26 January and 8 February are worked.
        // After Friday 24 January: Sunday 26, Monday 27, then 5, 6 and 7 February.
        assert_eq!(objection_due(day("2025-01-24")).unwrap(), day("2025-02-07"));
        assert_eq!(on_day(State::Scored, day("2025-02-07"), day("2025-02-07")), State::Scored);
        assert_eq!(on_day(State::Scored, day("2025-02-07"), day("2025-02-08")), State::Frozen);
        assert_eq!(on_day(State::Objected, day("2025-02-07"), day("2025-03-08")), State::Objected);
    }

    #[test]
    fn f_07_grades_are_compared_unrounded() {
        for (total, grade, factor_then, rectify) in [
            ("100", Grade::Excellent, 10_000, false),
            ("90", Grade::Excellent, 10_000, false),
            // Rounded, this would be 90.
            ("89.5", Grade::Good, 10_000, false),
            ("89.999", Grade::Good, 10_000, false),
            ("80", Grade::Good, 10_000, false),
            ("79.999", Grade::Fair, 9_500, false),
            ("70", Grade::Fair, 9_500, false),
            ("69.999", Grade::Pass, 8_500, true),
            ("60", Grade::Pass, 8_500, true),
            ("59.99", Grade::Fail, 7_000, true),
            ("0", Grade::Fail, 7_000, true),
        ] {
            let got = graded(points(total));
            assert_eq!((got, factor(got), rectification(got)), (grade, factor_then, rectify), "{total}");
        }
        assert_eq!((factor(Grade::NotAssessed), rectification(Grade::NotAssessed)), (10_000, false));
    }

    #[test]
    fn f_07_items_weigh_30_30_20_10_10() {
        assert_eq!(WEIGHTS.iter().sum::<i64>(), 100);
        assert_eq!(scores(["30", "30", "20", "10", "10"]).checked().unwrap().total(), points("100"));
        for over in [
            ["30.001", "0", "0", "0", "0"],
            ["0", "30.001", "0", "0", "0"],
            ["0", "0", "20.001", "0", "0"],
            ["0", "0", "0", "10.001", "0"],
            ["0", "0", "0", "0", "10.001"],
        ] {
            assert_eq!(scores(over).checked(), Err(Refusal::ScoreRange), "{over:?}");
        }
    }

    #[test]
    fn f_07_facts_take_points_off_the_draft() {
        let whole = |fact| Counted { fact, in_part: false };
        let half = |fact| Counted { fact, in_part: true };
        let draft = |facts: &[Counted]| {
            let items = proposed(&deductions(facts)).items();
            items.map(|item| item.to_string())
        };
        assert_eq!(draft(&[]), ["30.000", "30.000", "20.000", "10.000", "10.000"]);
        // Two refusals 2 × 2, one complaint about quality 3 and one upheld in part 1.5: 30 − 8.5.
        let facts = [
            whole(Fact::WorkRefused),
            whole(Fact::WorkRefused),
            whole(Fact::ComplaintQuality),
            half(Fact::ComplaintQuality),
            whole(Fact::ComplaintDelay),
            whole(Fact::ComplaintAttitude),
            whole(Fact::PromiseBroken),
        ];
        assert_eq!(draft(&facts), ["29.000", "21.500", "17.000", "8.000", "10.000"]);
        let counts: Vec<_> = deductions(&facts).iter().map(|d| (d.fact, d.count)).collect();
        assert_eq!(
            counts,
            [
                (Fact::WorkRefused, 2),
                (Fact::ComplaintQuality, 2),
                (Fact::ComplaintDelay, 1),
                (Fact::ComplaintAttitude, 1),
                (Fact::PromiseBroken, 1)
            ]
        );
        // A complaint about safety takes off two items; a disturbance that is late counts twice: 20 − 5 − 2 − 3.
        let facts = [whole(Fact::ComplaintSafety), whole(Fact::Disturbance), whole(Fact::DisturbanceLate)];
        assert_eq!(draft(&facts), ["30.000", "25.000", "10.000", "10.000", "10.000"]);
        // F-10: 10 − 3 for turnover, beside what else is the staff's: − 2 for attitude.
        assert_eq!(draft(&[whole(Fact::StaffTurnover)]), ["30.000", "30.000", "20.000", "7.000", "10.000"]);
        let facts = [whole(Fact::StaffTurnover), whole(Fact::ComplaintAttitude)];
        assert_eq!(draft(&facts), ["30.000", "30.000", "20.000", "5.000", "10.000"]);
        assert_eq!(
            draft(&[whole(Fact::ComplaintSafety); 7]),
            ["30.000", "0.000", "0.000", "10.000", "10.000"],
            "never below zero"
        );
        let table: Vec<_> = DEDUCTIONS.iter().map(|(fact, _)| *fact).collect();
        assert_eq!(table, Fact::ALL);
    }

    #[test]
    fn f_07_whoever_scores_above_the_draft_says_why() {
        let draft = proposed(&deductions(&[Counted {
            fact: Fact::ComplaintQuality,
            in_part: false,
        }]));
        let full = Some(scores(["30", "30", "20", "10", "10"]));
        let at = Some(scores(["30", "27", "20", "10", "10"]));
        assert_eq!(founded(full, draft, " \n"), Err(Refusal::FindingsMissing));
        assert_eq!(founded(full, draft, "the customer was mistaken"), Ok(()));
        assert_eq!(founded(at, draft, ""), Ok(()));
        assert_eq!(founded(None, draft, ""), Ok(()));
    }

    #[test]
    fn f_07_a_month_without_orders_is_not_assessed() {
        let month = Period::of(String::new(), day("2025-02-01"), None).unwrap();
        assert_eq!(month.to, day("2025-02-28"));
        let good = Some(scores(["30", "30", "20", "10", "10"]));
        assert_eq!(month.grade(0, None), Ok(Grade::NotAssessed));
        assert_eq!(month.grade(0, good), Err(Refusal::NothingToAssess));
        assert_eq!(month.grade(1, None), Err(Refusal::ScoresMissing));
        assert_eq!(month.grade(1, good), Ok(Grade::Excellent));
        let milestone = Period::of("M1".into(), day("2025-02-03"), Some(day("2025-02-20"))).unwrap();
        assert_eq!(milestone.grade(0, good), Ok(Grade::Excellent));
        assert_eq!(milestone.grade(0, None), Err(Refusal::ScoresMissing));
        assert_eq!(Period::of(String::new(), day("2025-02-02"), None), Err(Refusal::PeriodMonth));
        assert_eq!(Period::of("M1".into(), day("2025-02-02"), None), Err(Refusal::TermOrder));
        assert_eq!(Period::of(String::new(), day("2025-02-01"), Some(day("2025-02-28"))), Err(Refusal::TermOrder));
        let term = (day("2025-02-10"), day("2025-06-30"));
        assert_eq!(month.assessable(term, day("2025-02-28")), Err(Refusal::PeriodOpen));
        assert_eq!(month.assessable(term, day("2025-03-01")), Ok(()));
        let before = Period::of(String::new(), day("2025-01-01"), None).unwrap();
        assert_eq!(before.assessable(term, day("2025-03-01")), Err(Refusal::ContractTerm));
    }

    /// `year-month` and grade of one contract.
    fn assessments(contract: ContractId, months: &[(&str, Grade)]) -> Vec<Assessment> {
        months
            .iter()
            .map(|(month, grade)| Assessment {
                id: AssessmentId::new(),
                contract,
                vendor: VendorId::new(),
                branch: String::new(),
                period: Period::of(String::new(), day(&format!("{month}-01")), None).unwrap(),
                state: State::Scored,
                scores: Some(scores(["10", "10", "10", "10", "10"])),
                grade: *grade,
                findings: String::new(),
                orders: 1,
                assessor: "assessor".into(),
                assessed: Instant::from_micros(0),
                objection_due: day("2025-12-31"),
                objection: String::new(),
                objected: None,
                upheld: None,
                decision_reason: String::new(),
                decider: None,
                version: 1,
            })
            .collect()
    }

    #[test]
    fn f_07_two_fails_in_a_row_or_three_a_year_lead_to_the_exit() {
        use Consequence::{ExitCandidate, SuspensionCandidate};
        use Grade::{Fail, Good, NotAssessed};
        type Months = &'static [(&'static str, Grade)];
        let cases: [(Months, Option<Consequence>); 7] = [
            (&[("2025-01", Good)], None),
            (&[("2025-01", Fail)], Some(SuspensionCandidate)),
            (&[("2025-01", Fail), ("2025-02", Fail)], Some(ExitCandidate)),
            (&[("2025-01", Fail), ("2025-02", Good), ("2025-03", Fail)], Some(SuspensionCandidate)),
            // A month without orders does not break the row.
            (&[("2025-01", Fail), ("2025-02", NotAssessed), ("2025-03", Fail)], Some(ExitCandidate)),
            (
                &[("2025-01", Fail), ("2025-02", Good), ("2025-03", Fail), ("2025-04", Good), ("2025-05", Fail)],
                Some(ExitCandidate),
            ),
            // The third lies in another year.
            (
                &[("2024-10", Fail), ("2024-11", Good), ("2025-03", Fail), ("2025-04", Good), ("2025-05", Fail)],
                Some(SuspensionCandidate),
            ),
        ];
        for (months, expected) in cases {
            let all = assessments(ContractId::new(), months);
            assert_eq!(consequence(all.last().unwrap(), &all), expected, "{months:?}");
        }
        // A row is one contract's, a year is the vendor's.
        let mut all = assessments(ContractId::new(), &[("2025-01", Fail)]);
        all.extend(assessments(ContractId::new(), &[("2025-02", Fail)]));
        assert_eq!(consequence(&all[1], &all), Some(SuspensionCandidate));
        all.extend(assessments(ContractId::new(), &[("2025-03", Fail)]));
        assert_eq!(consequence(&all[2], &all), Some(ExitCandidate));
        assert_eq!(consequence(&all[0], &all), Some(SuspensionCandidate), "what came later does not count");
    }

    #[test]
    fn f_08_a_third_person_decides_and_the_score_never_falls() {
        let today = day("2025-03-03");
        let mut one = assessments(ContractId::new(), &[("2025-01", Grade::Fail)]).remove(0);
        one.object("unfair".into(), Instant::start_of(today)).unwrap();
        let better = scores(["20", "20", "20", "10", "10"]);
        assert_eq!(
            one.clone().decide(Some(better), "assessor", String::new(), today),
            Err(Refusal::SecondPersonNeeded)
        );
        let worse = scores(["0", "0", "0", "0", "0"]);
        assert_eq!(one.clone().decide(Some(worse), "manager", String::new(), today), Err(Refusal::ScoreLowered));
        let mut refused = one.clone();
        refused.decide(None, "manager", "no".into(), today).unwrap();
        assert_eq!((refused.state, refused.grade, refused.upheld), (State::Frozen, Grade::Fail, Some(false)));
        one.decide(Some(better), "manager", "yes".into(), today).unwrap();
        assert_eq!((one.state, one.grade, one.upheld), (State::Frozen, Grade::Good, Some(true)));
    }
}
