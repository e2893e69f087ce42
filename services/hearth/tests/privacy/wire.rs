//! Calls of encoded messages by the name of their method.

use bytes::Bytes;
use guard::Whole;
use tonic::{Request, Status, transport::Channel};

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
        return Ok(client.unary(with(headers), path, Whole).await?.into_inner());
    }
    let request = with(headers).map(|message| futures::stream::once(std::future::ready(message)));
    let answers = client.streaming(request, path, Whole).await?;
    answers.into_inner().message().await?.ok_or_else(|| Status::internal("no answer"))
}
