//! Closed lists of words: as a code in the database, as a number in the contract.

/// Declares a closed list. The words stand in the order of the contract's enum, whose first value (1) is the first word.
#[macro_export]
macro_rules! words {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $($(#[$doc])* $variant),+
        }

        impl $name {
            /// Every word, in the order of the contract.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// Its code in the database: its name in the contract without the prefix.
            #[allow(dead_code, reason = "not every list is kept in the database")]
            pub const fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }

            /// The word of a code.
            #[allow(dead_code, reason = "not every list is kept in the database")]
            pub fn of(code: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.code() == code)
            }

            /// Its number in the contract.
            #[allow(dead_code, reason = "not every list is part of an answer")]
            pub fn number(self) -> i32 {
                Self::ALL.iter().zip(1..).find(|(word, _)| **word == self).map_or(0, |(_, number)| number)
            }

            /// The word of a number of the contract; 0 and unknown numbers have none.
            #[allow(dead_code, reason = "not every list is part of a request")]
            pub fn of_number(number: i32) -> Option<Self> {
                Self::ALL.iter().zip(1..).find(|(_, n)| *n == number).map(|(word, _)| *word)
            }
        }
    };
}
