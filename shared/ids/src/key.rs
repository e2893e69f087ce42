//! Typed keys: one UUIDv7, one marker per kind of row, so that a party's key never stands where a meter's is asked.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::marker::PhantomData;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use thiserror::Error;
use uuid::Uuid;

/// What an [`Id`] points at. Implemented by the markers in [`kind`] only.
pub trait Kind: 'static {
    /// Name of the alias, for debugging output: `PartyId`.
    const NAME: &'static str;
}

/// Key of a row of kind `K`. Ordered by time of creation, since UUIDv7 begins with milliseconds.
pub struct Id<K>(Uuid, PhantomData<fn() -> K>);

/// Why a text is not a key.
#[derive(Clone, Copy, Debug, Eq, Error, PartialEq)]
pub enum IdError {
    /// Not 36 characters of hexadecimal digits and dashes (8-4-4-4-12): braces, URNs and forms without dashes are refused.
    #[error("an id is a UUID of the form xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx")]
    Form,
    /// The nil UUID stands for "nothing" in many programs and is never a key.
    #[error("the nil UUID is not an id")]
    Nil,
}

impl<K> Id<K> {
    /// A new key from the real clock and fresh randomness (UUIDv7).
    #[must_use]
    #[allow(clippy::new_without_default, reason = "two calls give two keys; a default that changes would surprise")]
    pub fn new() -> Self {
        Self::from(Uuid::now_v7())
    }

    /// Reads a key from its text of 36 characters; upper case is accepted.
    ///
    /// # Errors
    /// [`IdError::Form`] for any other form, [`IdError::Nil`] for the nil UUID.
    pub fn parse(text: &str) -> Result<Self, IdError> {
        if text.len() != 36 {
            return Err(IdError::Form);
        }
        let uuid = Uuid::try_parse(text).map_err(|_| IdError::Form)?;
        if uuid.is_nil() {
            return Err(IdError::Nil);
        }
        Ok(Self::from(uuid))
    }

    /// The bare UUID, as the database stores it.
    #[must_use]
    pub const fn uuid(self) -> Uuid {
        self.0
    }
}

impl<K> From<Uuid> for Id<K> {
    fn from(uuid: Uuid) -> Self {
        Self(uuid, PhantomData)
    }
}

impl<K> From<Id<K>> for Uuid {
    fn from(id: Id<K>) -> Self {
        id.0
    }
}

impl<K> FromStr for Id<K> {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        Self::parse(text)
    }
}

// Written by hand: derives would ask the same of the marker, which has no values.
impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<K> Copy for Id<K> {}

impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}

impl<K> Eq for Id<K> {}

impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}

impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0.as_hyphenated(), f)
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}({self})", K::NAME)
    }
}

impl<K> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text<K>(PhantomData<fn() -> K>);

        impl<K> de::Visitor<'_> for Text<K> {
            type Value = Id<K>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a UUID of 36 characters")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Id<K>, E> {
                Id::parse(text).map_err(E::custom)
            }
        }

        deserializer.deserialize_str(Text(PhantomData))
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])+ $kind:ident $alias:ident;)+) => {
        /// Markers of [`Id`]: types without values.
        pub mod kind {
            $($(#[$doc])+ pub enum $kind {}
            impl super::Kind for $kind {
                const NAME: &'static str = stringify!($alias);
            })+
        }
        $($(#[$doc])+ pub type $alias = Id<kind::$kind>;)+
    };
}

// Append only: a line is never renamed or removed, since logs and exports show the names.
kinds! {
    /// Party (客户主体): a person or organisation as the archive knows it.
    Party PartyId;
    /// Premises (房产).
    Premises PremisesId;
    /// Service point (用气点).
    ServicePoint ServicePointId;
    /// Account (户号): who is billed and how.
    Account AccountId;
    /// Contract template (合同范本).
    Template TemplateId;
    /// Agreement (供用气合同 or 供热合同).
    Agreement AgreementId;
    /// Entitlement (优惠资格), such as low income or a large household.
    Entitlement EntitlementId;
    /// Member of staff (员工).
    Staff StaffId;
    /// Certificate (证书) of a member of staff or of a vendor's person.
    Certificate CertificateId;
    /// Case (诉求): what somebody asked of the hall.
    Case CaseId;
    /// Work order (工单).
    Order OrderId;
    /// Gas opening (开气).
    Opening OpeningId;
    /// Estate (小区): the buildings that are opened, metered or inspected together.
    Estate EstateId;
    /// Callback (回访).
    Callback CallbackId;
    /// Meter (表具).
    Meter MeterId;
    /// Installation (装表): a meter at a service point from one day to another.
    Installation InstallationId;
    /// Reading (抄表读数).
    Reading ReadingId;
    /// Reading exception (抄表异常).
    Exception ExceptionId;
    /// Tariff (价目).
    Tariff TariffId;
    /// Bill run (出账批次).
    Run RunId;
    /// Bill (账单).
    Bill BillId;
    /// Ledger entry (账目分录).
    Entry EntryId;
    /// Payment (缴费).
    Payment PaymentId;
    /// Vendor (服务商).
    Vendor VendorId;
    /// Qualification (资质) of a vendor.
    Qualification QualificationId;
    /// Contract (服务合同) with a vendor.
    Contract ContractId;
    /// Person (服务商人员) whom a vendor sends.
    Person PersonId;
    /// Access grant (数据授权) to a vendor's person.
    Grant GrantId;
    /// Offer (派单) of a work order to a vendor.
    Offer OfferId;
    /// Job (后台任务).
    Job JobId;
    /// File (文件) in the content-addressed store.
    File FileId;
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

    use std::any::TypeId;
    use std::collections::HashSet;

    use proptest::prelude::*;
    use serde::de::IntoDeserializer;
    use serde::de::value::{Error as ValueError, StrDeserializer};

    use super::*;

    const TEXT: &str = "0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4f5";

    #[test]
    fn kinds_are_different_types() {
        assert_ne!(TypeId::of::<PartyId>(), TypeId::of::<MeterId>());
        let names = HashSet::from([
            kind::Party::NAME,
            kind::Meter::NAME,
            kind::Case::NAME,
            kind::Account::NAME,
            kind::Agreement::NAME,
        ]);
        assert_eq!(names, HashSet::from(["PartyId", "MeterId", "CaseId", "AccountId", "AgreementId"]));
    }

    #[test]
    fn upper_case_is_read_and_lower_case_is_written() {
        let id = PartyId::parse(&TEXT.to_uppercase()).unwrap();
        assert_eq!(id.to_string(), TEXT);
        assert_eq!(format!("{id:?}"), format!("PartyId({TEXT})"));
        assert_eq!(TEXT.parse::<PartyId>().unwrap(), id);
        assert_eq!(PartyId::from(Uuid::from(id)), id);
    }

    #[test]
    fn other_forms_and_nil_are_refused() {
        let rows = [
            ("", IdError::Form),
            ("00000000-0000-0000-0000-000000000000", IdError::Nil),
            ("0190a6c87b1e7c3d8e4fa0b1c2d3e4f5", IdError::Form),
            ("{0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4f5}", IdError::Form),
            ("urn:uuid:0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4f5", IdError::Form),
            (" 0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4f5", IdError::Form),
            ("0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4f", IdError::Form),
            ("0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4g5", IdError::Form),
            ("0190a6c87-b1e-7c3d-8e4f-a0b1c2d3e4f5", IdError::Form),
            ("0190a6c8-7b1e-7c3d-8e4f-a0b1c2d3e4\u{ff15}", IdError::Form),
        ];
        for (text, error) in rows {
            assert_eq!(PartyId::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn new_ids_are_version_7_and_ascend() {
        let ids: Vec<MeterId> = (0..1000).map(|_| MeterId::new()).collect();
        assert!(ids.iter().all(|id| id.uuid().get_version_num() == 7));
        assert!(ids.is_sorted());
        assert_eq!(ids.iter().collect::<HashSet<_>>().len(), 1000);
    }

    #[test]
    fn serde_reads_and_refuses_as_parse_does() {
        let read = |text: &'static str| {
            let source: StrDeserializer<'_, ValueError> = text.into_deserializer();
            BillId::deserialize(source)
        };
        assert_eq!(read(TEXT).unwrap(), BillId::parse(TEXT).unwrap());
        assert!(read("00000000-0000-0000-0000-000000000000").is_err());
        assert!(read("0190a6c87b1e7c3d8e4fa0b1c2d3e4f5").is_err());
    }

    proptest! {
        #[test]
        fn text_and_back(bits in 1u128..) {
            let id = JobId::from(Uuid::from_u128(bits));
            prop_assert_eq!(JobId::parse(&id.to_string()), Ok(id));
        }

        #[test]
        fn any_text_is_answered(text in ".{0,40}") {
            let _ = FileId::parse(&text);
        }
    }
}
