//! Rules of a row of an older register.

use chrono::NaiveDate;
use ids::Phone;

use crate::{
    account::model::given_number,
    entitlement::model::persons,
    party::{
        identity::{self, Identity},
        model::{ADDRESS_LIMIT, Kind, NAME_LIMIT, text},
    },
    premises::model::{Service, area, community_code},
    refusal::Refusal,
};

/// A row as a register has it.
#[derive(Clone, Debug, Default)]
pub struct Row<'a> {
    /// Account number.
    pub account_no: &'a str,
    /// Name.
    pub name: &'a str,
    /// Kind, if it is one.
    pub kind: Option<Kind>,
    /// Identity number or credit code.
    pub id_number: &'a str,
    /// Phone.
    pub phone: &'a str,
    /// Address of the premises.
    pub address: &'a str,
    /// Community code.
    pub community_code: &'a str,
    /// Branch.
    pub branch: &'a str,
    /// Class of use.
    pub use_class: &'a str,
    /// Registered persons; 0 where none are.
    pub household_persons: i32,
    /// Whether the household has a low income.
    pub low_income: bool,
    /// Floor area in 10⁻² m2; `Err` where the text is no such number.
    pub area: Option<Result<i64, Refusal>>,
    /// First day of supply; `Err` where there is no such day.
    pub supply_from: Option<Result<NaiveDate, Refusal>>,
    /// What is supplied; `Err` where it is not known.
    pub service: Option<Result<Service, Refusal>>,
}

/// A row that keeps the rules.
#[derive(Clone)]
pub struct Ready {
    /// Account number.
    pub account_no: String,
    /// Name.
    pub name: String,
    /// Kind.
    pub kind: Kind,
    /// Identity number or credit code.
    pub identity: Identity,
    /// Phone.
    pub phone: Phone,
    /// Address of the premises.
    pub address: String,
    /// Community code.
    pub community_code: String,
    /// Branch.
    pub branch: String,
    /// Class of use.
    pub use_class: String,
    /// Registered persons.
    pub persons: Option<i32>,
    /// Whether the household has a low income.
    pub low_income: bool,
    /// Floor area in 10⁻² m2.
    pub area: Option<i64>,
    /// First day of supply.
    pub supply_from: NaiveDate,
    /// What is supplied.
    pub service: Service,
}

/// Checks a row. An older register is trusted with a credit code whose check character is wrong.
///
/// # Errors
/// The first column that breaks a rule, and the rule.
pub fn check(row: &Row<'_>, own_branch: Option<&str>, today: NaiveDate) -> Result<Ready, (&'static str, Refusal)> {
    let at = |column: &'static str| move |refusal| (column, refusal);
    let kind = row.kind.ok_or(("kind", Refusal::EnumUnknown))?;
    let identity = match kind {
        Kind::Person => Identity::person(row.id_number, today),
        Kind::Organisation => Identity::organisation(row.id_number, true),
    };
    let branch = text(row.branch, 40).map_err(at("branch"))?;
    if own_branch.is_some_and(|own| own != branch) {
        return Err(("branch", Refusal::TenantScope));
    }
    let supply_from = row.supply_from.unwrap_or(Err(Refusal::Required)).map_err(at("supply_from_date"))?;
    if today.succ_opt().is_none_or(|tomorrow| supply_from > tomorrow) {
        return Err(("supply_from_date", Refusal::DateRange));
    }
    Ok(Ready {
        account_no: given_number(row.account_no).map_err(at("account_no"))?,
        name: text(row.name, NAME_LIMIT).map_err(at("name"))?,
        kind,
        identity: identity.map_err(at("id_number"))?,
        phone: identity::phone(row.phone).map_err(at("phone"))?,
        address: text(row.address, ADDRESS_LIMIT).map_err(at("address"))?,
        community_code: community_code(row.community_code).map_err(at("community_code"))?,
        branch,
        use_class: text(row.use_class, 60).map_err(at("use_class"))?,
        persons: if row.household_persons == 0 {
            None
        } else {
            Some(persons(row.household_persons).map_err(at("household_persons"))?)
        },
        low_income: row.low_income,
        area: row.area.map(|given| given.and_then(area)).transpose().map_err(at("area_m2"))?,
        supply_from,
        service: row.service.unwrap_or(Ok(Service::Gas)).map_err(at("service"))?,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    fn day(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    fn good() -> Row<'static> {
        Row {
            account_no: "T0000001",
            name: "王建国",
            kind: Some(Kind::Person),
            id_number: "120103180808207147",
            phone: "19000000001",
            address: "天津市河西区尖山街道红山里社区24号楼1单元2701室",
            community_code: "120103009013",
            branch: "河西区",
            use_class: "living",
            household_persons: 4,
            low_income: false,
            area: Some(Ok(7027)),
            supply_from: Some(Ok(day("2024-12-31"))),
            service: None,
        }
    }

    fn refused(change: impl FnOnce(&mut Row<'static>)) -> Option<(&'static str, Refusal)> {
        let mut row = good();
        change(&mut row);
        check(&row, Some("河西区"), day("2025-01-01")).err()
    }

    #[test]
    fn a_row_of_the_register_keeps_the_rules() {
        let ready = check(&good(), None, day("2025-01-01")).ok().unwrap();
        assert_eq!((ready.persons, ready.area, ready.service), (Some(4), Some(7027), Service::Gas));
    }

    #[test]
    fn each_column_is_refused_by_name() {
        type Change = fn(&mut Row<'static>);
        let cases: [(_, Refusal, Change); 15] = [
            ("account_no", Refusal::AccountNo, |r| r.account_no = "T 1"),
            ("name", Refusal::Required, |r| r.name = "\u{3000}"),
            ("kind", Refusal::EnumUnknown, |r| r.kind = None),
            ("id_number", Refusal::IdNumber, |r| r.id_number = "120103180808207148"),
            ("id_number", Refusal::CreditCode, |r| r.kind = Some(Kind::Organisation)),
            ("phone", Refusal::Phone, |r| r.phone = "190000000011"),
            ("address", Refusal::Required, |r| r.address = ""),
            ("community_code", Refusal::CommunityCode, |r| r.community_code = "1"),
            ("branch", Refusal::Required, |r| r.branch = " "),
            ("branch", Refusal::TenantScope, |r| r.branch = "和平区"),
            ("use_class", Refusal::Required, |r| r.use_class = ""),
            ("household_persons", Refusal::PersonsRange, |r| r.household_persons = 100),
            ("area_m2", Refusal::AreaRange, |r| r.area = Some(Ok(0))),
            ("supply_from_date", Refusal::Required, |r| r.supply_from = None),
            ("supply_from_date", Refusal::DateRange, |r| r.supply_from = Some(Ok(day("2025-01-03")))),
        ];
        for (column, refusal, change) in cases {
            assert_eq!(refused(change), Some((column, refusal)), "{column}");
        }
    }
}
