//! A profile file as the requests that publish it, one for each branch.

use anyhow::{Context, Result, bail, ensure};
use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        AdjustmentLevel, AdjustmentTerms, EstimationMethod, ProfileTerms, PublishProfileRequest,
        profile_terms::{AllocationOrder, Disputed},
    },
    options::v1::Role,
};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    source: String,
    effective_from: NaiveDate,
    branches: Vec<String>,
    terms: Terms,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Terms {
    due_days: i32,
    late_fee_per_mille: String,
    late_fee_cap_percent: i32,
    allocation_order: Option<String>,
    disputed: Option<String>,
    reminder_days: Vec<i32>,
    demand_days: i32,
    waiting_days: i32,
    notice_days: i32,
    restore_hours: i32,
    /// How meters that nobody could read are estimated (E2-04).
    #[serde(default)]
    estimation_order: Vec<String>,
    adjustment: Option<Adjustment>,
}

/// Adjustments of volume (E11).
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Adjustment {
    lookback_months: i32,
    theft_days: i32,
    theft_hours: Option<String>,
    levels: Vec<Level>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Level {
    up_to_m3: Option<String>,
    up_to_yuan: Option<String>,
    roles: Vec<String>,
}

/// Reads a file.
///
/// # Errors
/// A text that is no profile, one for no branch or for one branch twice, or a word that the contract does not know.
pub fn read(text: &str) -> Result<Vec<PublishProfileRequest>> {
    let file: File = toml::from_str(text).map_err(|error| anyhow::anyhow!(rating::toml_fault(text, &error)))?;
    ensure!(!file.branches.is_empty(), "branches: a profile names at least one branch");
    if let Some(twice) = file
        .branches
        .iter()
        .enumerate()
        .find(|(at, branch)| file.branches.iter().take(*at).any(|b| b == *branch))
    {
        bail!("branches: {} stands twice", twice.1);
    }
    let terms = terms(file.terms)?;
    let request = |branch: String| PublishProfileRequest {
        // Two different files never have one digest, and one file is published once for a branch.
        request_id: rpc::derived_request_id(text, &format!("publish-profile {branch}")),
        branch,
        name: file.name.clone(),
        from_date: Some(rpc::wire::date(file.effective_from)),
        terms: Some(terms.clone()),
        source: file.source.clone(),
    };
    Ok(file.branches.into_iter().map(request).collect())
}

fn terms(terms: Terms) -> Result<ProfileTerms> {
    let order = match terms.allocation_order {
        Some(word) => AllocationOrder::from_str_name(&format!("ALLOCATION_ORDER_{}", word.to_uppercase())).with_context(|| told("allocation_order", &word))?,
        None => AllocationOrder::LateFeeFirst,
    };
    let disputed = match terms.disputed {
        Some(word) => Disputed::from_str_name(&format!("DISPUTED_{}", word.to_uppercase())).with_context(|| told("disputed", &word))?,
        None => Disputed::StopsBoth,
    };
    Ok(ProfileTerms {
        due_days: terms.due_days,
        late_fee_millionths: thousandths(&terms.late_fee_per_mille)
            .context("late_fee_per_mille: not a plain number with at most three places, such as \"0.5\"")?,
        late_fee_cap_percent: terms.late_fee_cap_percent,
        allocation_order: order.into(),
        disputed: disputed.into(),
        reminder_days: terms.reminder_days,
        demand_days: terms.demand_days,
        waiting_days: terms.waiting_days,
        notice_days: terms.notice_days,
        restore_hours: terms.restore_hours,
        estimation_order: terms.estimation_order.iter().map(|word| method(word)).collect::<Result<_>>()?,
        adjustment: terms.adjustment.map(adjustment).transpose()?,
    })
}

fn method(word: &str) -> Result<i32> {
    let known = EstimationMethod::from_str_name(&format!("ESTIMATION_METHOD_{}", word.to_uppercase()));
    known.map(i32::from).with_context(|| told("estimation_order", word))
}

fn adjustment(terms: Adjustment) -> Result<AdjustmentTerms> {
    let mut levels = vec![];
    for level in terms.levels {
        let yuan = level
            .up_to_yuan
            .map(|yuan| yuan.parse::<money::Money>().with_context(|| format!("up_to_yuan: {yuan}")));
        let role = |word: &String| {
            Role::from_str_name(&format!("ROLE_{}", word.to_uppercase()))
                .with_context(|| told("roles", word))
                .map(i32::from)
        };
        levels.push(AdjustmentLevel {
            up_to_volume: level.up_to_m3.map(rpc::wire::decimal),
            up_to_amount: yuan.transpose()?.map(rpc::wire::money),
            roles: level.roles.iter().map(role).collect::<Result<_>>()?,
        });
    }
    Ok(AdjustmentTerms {
        levels,
        lookback_months: terms.lookback_months,
        theft_days: terms.theft_days,
        theft_hours: terms.theft_hours.map(rpc::wire::decimal),
    })
}

fn told(field: &str, word: &str) -> String {
    format!("{field}: {word} is not a word of the contract (hearth.billing.v1.ProfileTerms)")
}

/// A plain decimal text in 10⁻³, exactly.
fn thousandths(text: &str) -> Option<i32> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let plain = |part: &str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
    if !plain(whole) || !plain(fraction) || fraction.len() > 3 {
        return None;
    }
    format!("{whole}{fraction:0<3}").parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
name = "Trial city"
source = "供用气合同第七条"
effective_from = "2025-01-01"
branches = ["河西区", "和平区"]

[terms]
due_days = 15
late_fee_per_mille = "0.5"
late_fee_cap_percent = 100
allocation_order = "principal_first"
reminder_days = [-3, 1]
demand_days = 30
waiting_days = 30
notice_days = 15
restore_hours = 24
"#;

    #[test]
    fn decision_9_one_file_serves_the_branches_of_a_city() {
        let requests = read(TEXT).unwrap();
        assert_eq!(requests.iter().map(|r| r.branch.as_str()).collect::<Vec<_>>(), ["河西区", "和平区"]);
        assert_ne!(requests[0].request_id, requests[1].request_id);
        assert_eq!(requests, read(TEXT).unwrap(), "one file is published once");
        let terms = requests[0].terms.clone().unwrap();
        assert_eq!((terms.late_fee_millionths, terms.reminder_days.as_slice()), (500, [-3, 1].as_slice()));
        assert_eq!(
            (terms.allocation_order(), terms.disputed()),
            (AllocationOrder::PrincipalFirst, Disputed::StopsBoth)
        );
        assert_eq!((terms.adjustment, terms.estimation_order), (None, vec![]), "what the service holds");
    }

    #[test]
    fn e_2_04_a_city_orders_the_methods_of_estimation() {
        let more = "estimation_order = [\"four_months\", \"last_year\"]\n";
        let terms = read(&format!("{TEXT}{more}")).unwrap()[0].terms.clone().unwrap();
        assert_eq!(
            terms.estimation_order().collect::<Vec<_>>(),
            [EstimationMethod::FourMonths, EstimationMethod::LastYear]
        );
        let wrong = read(&format!("{TEXT}{more}").replace("four_months", "by_guess")).unwrap_err();
        assert!(format!("{wrong:#}").contains("estimation_order: by_guess"), "{wrong:#}");
    }

    #[test]
    fn e_11_02_a_city_says_who_approves_adjustments() {
        let more = r#"
[terms.adjustment]
lookback_months = 2
theft_days = 180
theft_hours = "4"
levels = [{ up_to_m3 = "50", up_to_yuan = "5000", roles = ["district_manager", "accountant"] }, { roles = ["leader"] }]
"#;
        let adjustment = read(&format!("{TEXT}{more}")).unwrap()[0].terms.clone().unwrap().adjustment.unwrap();
        let level = |up_to_volume, up_to_amount, roles: &[Role]| AdjustmentLevel {
            up_to_volume,
            up_to_amount,
            roles: roles.iter().map(|role| i32::from(*role)).collect(),
        };
        let first = level(
            Some(rpc::wire::decimal("50")),
            Some(rpc::wire::money("5000".parse().unwrap())),
            &[Role::DistrictManager, Role::Accountant],
        );
        assert_eq!(adjustment.levels, [first, level(None, None, &[Role::Leader])]);
        assert_eq!(
            (adjustment.lookback_months, adjustment.theft_days, adjustment.theft_hours),
            (2, 180, Some(rpc::wire::decimal("4")))
        );
        let wrong = read(&format!("{TEXT}{more}").replace("leader", "boss")).unwrap_err();
        assert!(format!("{wrong:#}").contains("roles: boss"), "{wrong:#}");
    }

    #[test]
    fn what_is_no_profile_is_refused_by_name() {
        for (from, to, told) in [
            ("\"0.5\"", "\"0.0005\"", "late_fee_per_mille"),
            ("\"0.5\"", "\"1/2\"", "late_fee_per_mille"),
            ("principal_first", "interest_first", "allocation_order"),
            ("\"和平区\"", "\"河西区\"", "河西区 stands twice"),
            ("due_days = 15", "due_day = 15", "line 8: unknown field `due_day`"),
            ("[\"河西区\", \"和平区\"]", "[]", "at least one branch"),
        ] {
            let error = read(&TEXT.replace(from, to)).unwrap_err();
            assert!(format!("{error:#}").contains(told), "{error:#}");
        }
        assert_eq!(["2", "0.5", "0.125"].map(thousandths), [Some(2000), Some(500), Some(125)]);
    }
}
