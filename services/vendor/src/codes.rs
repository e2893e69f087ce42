/// Declares a closed list of words of the trade: each with its number in the contract and its code in the database.
///
/// The names and numbers are those of the contract's enum; a unit test holds them together.
macro_rules! codes {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $code)] $variant),+
        }

        impl $name {
            /// Every word of the list.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its code in the database, which is its name in the contract.
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// Its number in the contract.
            pub const fn number(self) -> i32 {
                match self { $(Self::$variant => $number),+ }
            }

            /// The word of a number of the contract; 0 and unknown numbers have none.
            #[allow(dead_code, reason = "lists that stand in answers only are never read from a request")]
            pub fn of_number(number: i32) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.number() == number)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::codes::UnknownCode;

            fn from_str(code: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|word| word.code() == code).ok_or($crate::codes::UnknownCode(stringify!($name)))
            }
        }
    };
}
pub(crate) use codes;

/// A code that the list does not have: the database holds what this version does not know.
#[derive(Debug, thiserror::Error)]
#[error("unknown code of {0}")]
pub struct UnknownCode(pub(crate) &'static str);
