/// Declares what serves each RPC of a service: one row an RPC. The word before it says how it is run, [`write()`](crate::write()) or
/// [`read`](crate::read); what is no unary call follows after `and`, as it stands in the generated trait.
///
/// ```text
/// /// The gRPC service of parties.
/// pub struct Api(pub Desk);
///
/// rpc::service! {
///     PartyService for Api(Desk) {
///         write close_party(ClosePartyRequest) -> ClosePartyResponse = ops::close;
///         read get_party(GetPartyRequest) -> GetPartyResponse = ops::get;
///     }
/// }
/// ```
///
/// Each operation is boxed in a function that is generic over nothing: that it can move between threads is then shown once for
/// all of them. Shown anew within each method of the trait, it took more than half of the time that a service takes to check.
#[macro_export]
macro_rules! service {
    (
        $service:ident for $api:ident($desk:ty) {
            $($how:ident $method:ident($request:ty) -> $response:ty = $op:path;)*
        } $(and { $($rest:tt)* })?
    ) => {
        #[::tonic::async_trait]
        impl $service for $api {
            $(
                async fn $method(&self, request: ::tonic::Request<$request>) -> Result<::tonic::Response<$response>, ::tonic::Status> {
                    fn op(desk: $desk, call: $crate::Call, request: $request) -> $crate::Answer<$response> {
                        ::std::boxed::Box::pin($op(desk, call, request))
                    }
                    $crate::$how(&self.0, request, op).await
                }
            )*
            $($($rest)*)?
        }
    };
}
