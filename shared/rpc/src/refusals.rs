/// Declares the reasons for which a service refuses a request that is well formed: one enum, one row a reason.
///
/// ```text
/// rpc::refusals! {
///     /// Why the vendor service refuses.
///     pub enum Refusal {
///         /// F-04.
///         VendorNotAdmitted = FailedPrecondition "VENDOR_NOT_ADMITTED" "the vendor is not admitted for this category",
///     }
/// }
/// ```
#[macro_export]
macro_rules! refusals {
    ($(#[$meta:meta])* pub enum $name:ident { $($(#[$doc:meta])* $variant:ident = $code:ident $reason:literal $message:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum $name {
            $($(#[$doc])* $variant),+
        }

        impl $name {
            /// Every reason, for the documents and their test.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The stable reason that clients act on.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason),+ }
            }

            /// Short English text.
            pub fn message(self) -> &'static str {
                match self { $(Self::$variant => $message),+ }
            }

            /// The gRPC code.
            pub fn code(self) -> $crate::Code {
                match self { $(Self::$variant => $crate::Code::$code),+ }
            }
        }

        impl ::std::fmt::Display for $name {
            fn fmt(&self, f: &mut ::std::fmt::Formatter<'_>) -> ::std::fmt::Result {
                f.write_str(self.message())
            }
        }

        impl ::std::error::Error for $name {}

        impl ::std::convert::From<$name> for $crate::Fault {
            fn from(refusal: $name) -> Self {
                $crate::Fault::new(refusal.code(), refusal.reason(), refusal.message())
            }
        }
    };
}
