//! Hard rejects of appliances (E5-01), as a table; what safety devices a profile asks for.

use serde::{Deserialize, Serialize};

use crate::codes::codes;

codes! {
    /// Kinds of appliance (燃烧器具).
    pub enum ApplianceKind {
        Stove = 1 "STOVE",
        WaterHeater = 2 "WATER_HEATER",
        Boiler = 3 "BOILER",
        Commercial = 4 "COMMERCIAL",
    }
}

codes! {
    /// Kinds of gas.
    pub enum GasKind {
        Natural12T = 1 "NATURAL_12T",
        Natural10T = 2 "NATURAL_10T",
        Manufactured = 3 "MANUFACTURED",
        Lpg = 4 "LPG",
    }
}

codes! {
    /// How an appliance takes air and lets exhaust go.
    pub enum FlueType {
        Open = 1 "OPEN",
        SemiSealedNatural = 2 "SEMI_SEALED_NATURAL",
        SemiSealedForced = 3 "SEMI_SEALED_FORCED",
        Sealed = 4 "SEALED",
    }
}

codes! {
    /// Where an exhaust ends.
    pub enum FlueOutlet {
        Room = 1 "ROOM",
        Wall = 2 "WALL",
        NaturalFlue = 3 "NATURAL_FLUE",
    }
}

codes! {
    /// Rooms.
    pub enum RoomType {
        Kitchen = 1 "KITCHEN",
        Balcony = 2 "BALCONY",
        Bathroom = 3 "BATHROOM",
        Bedroom = 4 "BEDROOM",
        LivingRoom = 5 "LIVING_ROOM",
        Business = 6 "BUSINESS",
    }
}

codes! {
    /// How an appliance is connected.
    pub enum HoseKind {
        SteelCorrugated = 1 "STEEL_CORRUGATED",
        Armoured = 2 "ARMOURED",
        Rubber = 3 "RUBBER",
        FixedPipe = 4 "FIXED_PIPE",
    }
}

/// An appliance where it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Appliance {
    pub kind: ApplianceKind,
    pub brand: String,
    pub model: String,
    pub certificate_no: String,
    pub manual: bool,
    pub gas_kind: GasKind,
    pub flame_failure_device: bool,
    pub flue_type: FlueType,
    pub flue_outlet: FlueOutlet,
    pub room_type: RoomType,
    pub room_air_supply: bool,
    pub room_exhaust: bool,
    pub range_hood: bool,
    pub hose_kind: HoseKind,
    pub hose_through_wall: bool,
    pub auto_shut_valve: bool,
    pub gas_alarm: bool,
}

/// What safety devices are asked for, by the profile in force.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// Gas that is supplied.
    pub gas_kind: GasKind,
    /// Hoses that are allowed.
    pub hoses: Vec<HoseKind>,
    pub auto_shut_valve: bool,
    pub gas_alarm: bool,
    /// Openers that are needed (E4-01).
    pub openers: i32,
}

/// Why an appliance may not be connected.
pub type Reject = (&'static str, fn(&Appliance, &Profile) -> bool);

/// The hard rejects of E5-01 (chapter 5, and hazards of level 1).
pub const REJECTS: &[Reject] = &[
    ("CERTIFICATE_MISSING", |a, _| a.certificate_no.trim().is_empty()),
    ("MANUAL_MISSING", |a, _| !a.manual),
    ("GAS_KIND_MISMATCH", |a, p| a.gas_kind != p.gas_kind),
    ("FLAME_FAILURE_DEVICE_MISSING", |a, _| !a.flame_failure_device),
    // 浴室内应使用密闭式燃具.
    ("BATHROOM_NOT_SEALED", |a, _| {
        a.room_type == RoomType::Bathroom && a.flue_type != FlueType::Sealed
    }),
    // 非密闭式燃具不得设于无给排气的房间.
    ("UNSEALED_WITHOUT_AIR", |a, _| {
        a.flue_type != FlueType::Sealed && !(a.room_air_supply && a.room_exhaust)
    }),
    ("SEMI_SEALED_NATURAL_WITH_HOOD", |a, _| {
        a.flue_type == FlueType::SemiSealedNatural && a.range_hood
    }),
    ("FORCED_EXHAUST_IN_NATURAL_FLUE", |a, _| {
        a.flue_type == FlueType::SemiSealedForced && a.flue_outlet == FlueOutlet::NaturalFlue
    }),
    ("DIRECT_VENT_HEATER", |a, _| {
        a.kind == ApplianceKind::WaterHeater && a.flue_type == FlueType::Open
    }),
    ("HOSE_THROUGH_WALL", |a, _| a.hose_through_wall),
];

/// Every hard reject that applies; none means that the appliance is accepted.
pub fn rejects(appliance: &Appliance, profile: &Profile) -> Vec<&'static str> {
    REJECTS
        .iter()
        .filter(|(_, applies)| applies(appliance, profile))
        .map(|(code, _)| *code)
        .collect()
}

/// Whether hose, valve and alarm are as the profile asks (E4-02).
pub fn has_safety_devices(appliance: &Appliance, profile: &Profile) -> bool {
    profile.hoses.contains(&appliance.hose_kind) && (appliance.auto_shut_valve || !profile.auto_shut_valve) && (appliance.gas_alarm || !profile.gas_alarm)
}

/// Whether the room may be used so: a stove and its like never in a bedroom or bathroom (E4-02).
pub fn room_is_allowed(appliance: &Appliance) -> bool {
    match appliance.room_type {
        RoomType::Bedroom => false,
        RoomType::Bathroom => matches!(appliance.kind, ApplianceKind::WaterHeater | ApplianceKind::Boiler),
        RoomType::Kitchen | RoomType::Balcony | RoomType::LivingRoom | RoomType::Business => true,
    }
}

/// Profiles that ship: for households, and for others.
pub fn default_profile(household: bool) -> Profile {
    let hoses = vec![HoseKind::SteelCorrugated, HoseKind::Armoured, HoseKind::FixedPipe];
    Profile {
        gas_kind: GasKind::Natural12T,
        hoses,
        auto_shut_valve: household,
        gas_alarm: true,
        openers: if household { 1 } else { 2 },
    }
}

#[cfg(test)]
pub(crate) fn sound(kind: ApplianceKind) -> Appliance {
    Appliance {
        kind,
        brand: "Haolin".to_owned(),
        model: "H-20".to_owned(),
        certificate_no: "XK21-009-00123".to_owned(),
        manual: true,
        gas_kind: GasKind::Natural12T,
        flame_failure_device: true,
        flue_type: FlueType::SemiSealedForced,
        flue_outlet: FlueOutlet::Wall,
        room_type: RoomType::Kitchen,
        room_air_supply: true,
        room_exhaust: true,
        range_hood: true,
        hose_kind: HoseKind::SteelCorrugated,
        hose_through_wall: false,
        auto_shut_valve: true,
        gas_alarm: true,
    }
}

#[cfg(test)]
mod tests {
    use contracts::hearth::hall::v1 as contract;

    use super::*;
    use crate::codes::assert_contract;

    #[test]
    fn the_lists_are_those_of_the_contract() {
        assert_contract::<ApplianceKind>("APPLIANCE_KIND_", |n| contract::ApplianceKind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<GasKind>("GAS_KIND_", |n| contract::GasKind::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<FlueType>("FLUE_TYPE_", |n| contract::FlueType::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<FlueOutlet>("FLUE_OUTLET_", |n| contract::FlueOutlet::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<RoomType>("ROOM_TYPE_", |n| contract::RoomType::try_from(n).ok().map(|v| v.as_str_name()));
        assert_contract::<HoseKind>("HOSE_KIND_", |n| contract::HoseKind::try_from(n).ok().map(|v| v.as_str_name()));
    }

    #[test]
    fn e5_01_a_sound_appliance_is_accepted() {
        for kind in [ApplianceKind::Stove, ApplianceKind::WaterHeater, ApplianceKind::Boiler] {
            assert!(rejects(&sound(kind), &default_profile(true)).is_empty(), "{kind:?}");
        }
    }

    #[test]
    fn e5_01_each_hard_reject() {
        let heater = || sound(ApplianceKind::WaterHeater);
        let cases: Vec<(&str, Appliance)> = vec![
            (
                "CERTIFICATE_MISSING",
                Appliance {
                    certificate_no: String::new(),
                    ..heater()
                },
            ),
            ("MANUAL_MISSING", Appliance { manual: false, ..heater() }),
            (
                "GAS_KIND_MISMATCH",
                Appliance {
                    gas_kind: GasKind::Lpg,
                    ..heater()
                },
            ),
            (
                "FLAME_FAILURE_DEVICE_MISSING",
                Appliance {
                    flame_failure_device: false,
                    ..heater()
                },
            ),
            (
                "BATHROOM_NOT_SEALED",
                Appliance {
                    room_type: RoomType::Bathroom,
                    ..heater()
                },
            ),
            (
                "UNSEALED_WITHOUT_AIR",
                Appliance {
                    room_air_supply: false,
                    ..heater()
                },
            ),
            (
                "UNSEALED_WITHOUT_AIR",
                Appliance {
                    room_exhaust: false,
                    ..heater()
                },
            ),
            (
                "SEMI_SEALED_NATURAL_WITH_HOOD",
                Appliance {
                    flue_type: FlueType::SemiSealedNatural,
                    flue_outlet: FlueOutlet::NaturalFlue,
                    ..heater()
                },
            ),
            (
                "FORCED_EXHAUST_IN_NATURAL_FLUE",
                Appliance {
                    flue_outlet: FlueOutlet::NaturalFlue,
                    ..heater()
                },
            ),
            (
                "DIRECT_VENT_HEATER",
                Appliance {
                    flue_type: FlueType::Open,
                    flue_outlet: FlueOutlet::Room,
                    ..heater()
                },
            ),
            (
                "HOSE_THROUGH_WALL",
                Appliance {
                    hose_through_wall: true,
                    ..heater()
                },
            ),
        ];
        for (code, appliance) in &cases {
            assert_eq!(rejects(appliance, &default_profile(true)), [*code]);
        }
        for (code, _) in REJECTS {
            assert!(cases.iter().any(|(known, _)| known == code), "{code} has no case");
        }
    }

    #[test]
    fn e5_01_sealed_appliances_may_stand_in_a_bathroom_and_need_no_air_of_the_room() {
        let heater = Appliance {
            flue_type: FlueType::Sealed,
            room_type: RoomType::Bathroom,
            room_air_supply: false,
            room_exhaust: false,
            ..sound(ApplianceKind::WaterHeater)
        };
        assert!(rejects(&heater, &default_profile(true)).is_empty());
        let natural = Appliance {
            flue_type: FlueType::SemiSealedNatural,
            flue_outlet: FlueOutlet::NaturalFlue,
            range_hood: false,
            ..sound(ApplianceKind::WaterHeater)
        };
        assert!(
            rejects(&natural, &default_profile(true)).is_empty(),
            "natural draught is allowed where no hood works against it"
        );
    }

    #[test]
    fn e5_01_all_rejects_are_told_at_once() {
        let bad = Appliance {
            certificate_no: String::new(),
            manual: false,
            hose_through_wall: true,
            ..sound(ApplianceKind::Stove)
        };
        assert_eq!(
            rejects(&bad, &default_profile(true)),
            ["CERTIFICATE_MISSING", "MANUAL_MISSING", "HOSE_THROUGH_WALL"]
        );
    }

    #[test]
    fn e4_02_hose_valve_and_alarm_are_as_the_profile_asks() {
        let home = default_profile(true);
        let stove = sound(ApplianceKind::Stove);
        assert!(has_safety_devices(&stove, &home));
        assert!(!has_safety_devices(
            &Appliance {
                hose_kind: HoseKind::Rubber,
                ..stove.clone()
            },
            &home
        ));
        assert!(!has_safety_devices(
            &Appliance {
                auto_shut_valve: false,
                ..stove.clone()
            },
            &home
        ));
        assert!(!has_safety_devices(
            &Appliance {
                gas_alarm: false,
                ..stove.clone()
            },
            &home
        ));
        assert!(has_safety_devices(
            &Appliance {
                auto_shut_valve: false,
                ..stove
            },
            &default_profile(false)
        ));
    }

    #[test]
    fn e4_02_no_kitchen_in_a_bedroom_or_bathroom() {
        let in_room = |kind, room_type| room_is_allowed(&Appliance { room_type, ..sound(kind) });
        assert!(!in_room(ApplianceKind::Stove, RoomType::Bedroom));
        assert!(!in_room(ApplianceKind::Boiler, RoomType::Bedroom));
        assert!(!in_room(ApplianceKind::Stove, RoomType::Bathroom));
        assert!(in_room(ApplianceKind::WaterHeater, RoomType::Bathroom));
        assert!(in_room(ApplianceKind::Stove, RoomType::Kitchen));
    }
}
