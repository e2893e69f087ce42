use std::marker::PhantomData;

use prost::bytes::{Buf, BufMut, Bytes};
use tonic::{
    Request, Response, Status, body,
    client::GrpcService,
    codec::{Codec, DecodeBuf, Decoder, EnabledCompressionEncodings, EncodeBuf, Encoder},
    codegen::{Body, BoxFuture, StdError, http},
    server::{ServerStreamingService, StreamingService, UnaryService},
};

use crate::{GuardedCodec, Wire, codec::Door};

/// The server side of every generated method. tonic compiles its way from frames to a message and back anew for each pair of messages,
/// and the services took long to build by it; for unary methods that way is compiled once here, over bytes, and a method
/// adds only the opening of its request and the closing of its answer. Streams go tonic's own way.
///
/// For generated code; [`ask`] is the client side.
pub struct Grpc<C> {
    codec: PhantomData<C>,
    limits: Limits,
}

#[derive(Clone, Copy, Default)]
struct Limits {
    encodings: (EnabledCompressionEncodings, EnabledCompressionEncodings),
    sizes: (Option<usize>, Option<usize>),
}

impl Limits {
    fn server<C: Codec>(self, codec: C) -> tonic::server::Grpc<C> {
        tonic::server::Grpc::new(codec)
            .apply_compression_config(self.encodings.0, self.encodings.1)
            .apply_max_message_size_config(self.sizes.0, self.sizes.1)
    }
}

impl<T, U> Grpc<GuardedCodec<T, U>>
where
    T: Wire + Send + Sync + 'static,
    U: Wire + Send + Sync + 'static,
{
    pub fn new(_: GuardedCodec<T, U>) -> Self {
        Self {
            codec: PhantomData,
            limits: Limits::default(),
        }
    }

    #[must_use]
    pub fn apply_compression_config(mut self, accept: EnabledCompressionEncodings, send: EnabledCompressionEncodings) -> Self {
        self.limits.encodings = (accept, send);
        self
    }

    #[must_use]
    pub fn apply_max_message_size_config(mut self, decoding: Option<usize>, encoding: Option<usize>) -> Self {
        self.limits.sizes = (decoding, encoding);
        self
    }

    pub async fn unary<S, B>(&mut self, mut service: S, request: http::Request<B>) -> http::Response<body::Body>
    where
        B: Body + Send + 'static,
        B::Error: Into<StdError> + Send,
        S: UnaryService<U, Response = T> + Send + 'static,
        S::Future: Send + 'static,
    {
        let door = Door::here();
        let handle = move |request: Request<Bytes>| -> BoxFuture<Response<Bytes>, Status> {
            let (metadata, extensions, bytes) = request.into_parts();
            let answer = door
                .open(&bytes)
                .map(|message| service.call(Request::from_parts(metadata, extensions, message)));
            let door = door.clone();
            Box::pin(async move {
                let (metadata, message, extensions) = answer?.await?.into_parts();
                Ok(Response::from_parts(metadata, door.close(message).into(), extensions))
            })
        };
        whole(Box::new(handle), self.limits, request).await
    }

    pub async fn server_streaming<S, B>(&mut self, service: S, request: http::Request<B>) -> http::Response<body::Body>
    where
        B: Body + Send + 'static,
        B::Error: Into<StdError> + Send,
        S: ServerStreamingService<U, Response = T>,
        S::ResponseStream: Send + 'static,
    {
        self.limits.server(GuardedCodec::<T, U>::default()).server_streaming(service, request).await
    }

    pub async fn streaming<S, B>(&mut self, service: S, request: http::Request<B>) -> http::Response<body::Body>
    where
        B: Body + Send + 'static,
        B::Error: Into<StdError> + Send,
        S: StreamingService<U, Response = T> + Send,
        S::ResponseStream: Send + 'static,
    {
        self.limits.server(GuardedCodec::<T, U>::default()).streaming(service, request).await
    }
}

/// The client side of a generated unary method.
pub async fn ask<C, T, U>(
    client: &mut tonic::client::Grpc<C>,
    request: Request<T>,
    path: http::uri::PathAndQuery,
    _: GuardedCodec<T, U>,
) -> Result<Response<U>, Status>
where
    C: GrpcService<body::Body>,
    C::ResponseBody: Body + Send + 'static,
    <C::ResponseBody as Body>::Error: Into<StdError>,
    T: Wire,
    U: Wire,
{
    let door = Door::here();
    let request = request.map(|message| Bytes::from(door.close(message)));
    let (metadata, bytes, extensions) = client.unary(request, path, Whole).await?.into_parts();
    Ok(Response::from_parts(metadata, door.open(&bytes)?, extensions))
}

type Handle = Box<dyn FnMut(Request<Bytes>) -> BoxFuture<Response<Bytes>, Status> + Send>;

async fn whole<B>(handle: Handle, limits: Limits, request: http::Request<B>) -> http::Response<body::Body>
where
    B: Body + Send + 'static,
    B::Error: Into<StdError> + Send,
{
    limits.server(Whole).unary(Handler(handle), request).await
}

struct Handler(Handle);

impl UnaryService<Bytes> for Handler {
    type Response = Bytes;
    type Future = BoxFuture<Response<Bytes>, Status>;

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        self.0(request)
    }
}

/// Codec of messages that stay the bytes that they are: nothing is checked or masked.
pub struct Whole;

impl Codec for Whole {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }
    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Whole {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
