//! Calls of encoded messages by the name of their method.

use bytes::{Buf, BufMut, Bytes};
use tonic::{
    Request, Status,
    codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
    transport::Channel,
};

/// Sends a message; the answer, or the first one of a stream.
pub async fn send(channel: &Channel, method: &str, streaming: bool, metadata: &[(&'static str, &str)], message: Bytes) -> Result<Bytes, Status> {
    let mut client = tonic::client::Grpc::new(channel.clone());
    client.ready().await.map_err(|e| Status::unavailable(e.to_string()))?;
    let (mut headers, path) = (tonic::metadata::MetadataMap::new(), format!("/{method}").parse().unwrap());
    for (name, value) in metadata {
        headers.append(*name, value.parse().unwrap());
    }
    let with = |headers| Request::from_parts(headers, tonic::Extensions::default(), message.clone());
    if !streaming {
        return Ok(client.unary(with(headers), path, Raw).await?.into_inner());
    }
    let request = with(headers).map(|message| futures::stream::once(std::future::ready(message)));
    let answers = client.streaming(request, path, Raw).await?;
    answers.into_inner().message().await?.ok_or_else(|| Status::internal("no answer"))
}

/// Bytes as they are.
struct Raw;

impl Codec for Raw {
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

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn encode(&mut self, item: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(item);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;
    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
