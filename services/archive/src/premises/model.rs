//! Rules of premises and service points.

use crate::refusal::Refusal;

/// What is supplied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Service {
    /// Gas (燃气).
    Gas,
    /// Heat (供热).
    Heat,
}

impl Service {
    /// As the tables keep it.
    pub fn code(self) -> &'static str {
        match self {
            Self::Gas => "GAS",
            Self::Heat => "HEAT",
        }
    }

    /// The service of a code.
    pub fn of(code: &str) -> Option<Self> {
        [Self::Gas, Self::Heat].into_iter().find(|service| service.code() == code)
    }
}

/// D-07: a second point of the same service is for households that declare several meters.
///
/// # Errors
/// [`Refusal::ServicePointExists`].
pub fn may_add(present: &[Service], service: Service, several_meters: bool) -> Result<(), Refusal> {
    if present.contains(&service) && !several_meters {
        Err(Refusal::ServicePointExists)
    } else {
        Ok(())
    }
}

/// A floor area: positive, and below 1 km2. In 10⁻² m2.
///
/// # Errors
/// [`Refusal::AreaRange`].
pub fn area(hundredths: i64) -> Result<i64, Refusal> {
    if (1..100_000_000).contains(&hundredths) {
        Ok(hundredths)
    } else {
        Err(Refusal::AreaRange)
    }
}

/// A community code of 12 digits, or nothing.
///
/// # Errors
/// [`Refusal::CommunityCode`].
pub fn community_code(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    let right = text.is_empty() || (text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit()));
    if right { Ok(text.to_owned()) } else { Err(Refusal::CommunityCode) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn d_07_a_second_point_needs_a_declaration() {
        assert_eq!(may_add(&[Service::Heat], Service::Gas, false), Ok(()));
        assert_eq!(may_add(&[Service::Gas], Service::Gas, false), Err(Refusal::ServicePointExists));
        assert_eq!(may_add(&[Service::Gas], Service::Gas, true), Ok(()));
    }

    #[test]
    fn areas_and_community_codes() {
        assert_eq!(area(7027), Ok(7027));
        assert_eq!(area(0), Err(Refusal::AreaRange));
        assert_eq!(area(-1), Err(Refusal::AreaRange));
        assert_eq!(area(i64::MAX), Err(Refusal::AreaRange));
        assert_eq!(community_code("120103009013").unwrap(), "120103009013");
        assert_eq!(community_code("").unwrap(), "");
        assert_eq!(community_code("12010300901"), Err(Refusal::CommunityCode));
        assert_eq!(community_code("１20103009013"), Err(Refusal::CommunityCode));
        assert_eq!(Service::of(Service::Heat.code()), Some(Service::Heat));
    }
}
