/// A closed list of words of the trade: each has a number in the contract and a code in the database.
pub trait Code: Copy + PartialEq + 'static {
    /// Every word of the list.
    const ALL: &'static [Self];
    /// Name of the list, for a code that the database holds and this version does not know.
    const LIST: &'static str;

    /// Its code in the database, which is its name in the contract.
    fn code(self) -> &'static str;
    /// Its number in the contract.
    fn number(self) -> i32;

    /// The word of a number of the contract; 0 and unknown numbers have none.
    fn of_number(number: i32) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.number() == number)
    }
    /// The word of a code.
    fn of_code(code: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|word| word.code() == code)
    }
}

/// Declares such a list; the tests hold it against the contract.
macro_rules! codes {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $number:literal $code:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$doc])* #[serde(rename = $code)] $variant),+
        }

        impl $crate::codes::Code for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            const LIST: &'static str = stringify!($name);

            fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),+ }
            }
            fn number(self) -> i32 {
                match self { $(Self::$variant => $number),+ }
            }
        }
    };
}
pub(crate) use codes;

/// Fails where a list and the enum of the contract differ in a name or a number.
#[cfg(test)]
pub(crate) fn assert_contract<T: Code>(prefix: &str, name_of: impl Fn(i32) -> Option<&'static str>) {
    let words: Vec<_> = T::ALL.iter().map(|word| (word.number(), word.code())).collect();
    testbed::assert_contract(&words, prefix, name_of);
}
