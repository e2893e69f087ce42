//! gRPC-Web over TLS with HTTP/1.1, for browsers and proxies that have no HTTP/2.

use std::sync::{Arc, LazyLock};

use rpc::Limits;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, ServerName, pem::PemObject},
    },
};

use crate::world::{Does, GET, get, keys, secret, token};

/// TLS as a client without a certificate, which speaks these protocols.
pub async fn tls(socket: TcpStream, protocols: &[&[u8]]) -> TlsStream<TcpStream> {
    static CONFIG: LazyLock<ClientConfig> = LazyLock::new(|| {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(keys().join("ca.pem")).unwrap() {
            roots.add(certificate.unwrap()).unwrap();
        }
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()));
        let config = config.with_safe_default_protocol_versions().unwrap();
        config.with_root_certificates(roots).with_no_client_auth()
    });
    let mut config = CONFIG.clone();
    config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, socket).await.unwrap()
}

/// The server takes the newest protocol that both have.
#[tokio::test]
async fn a_browser_calls_by_grpc_web_over_http_1_1_and_tls() {
    let world = secret(Limits::default()).await;
    let both = tls(TcpStream::connect(world.address).await.unwrap(), &[b"http/1.1", b"h2"]).await;
    assert_eq!(both.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));

    let mut old = tls(TcpStream::connect(world.address).await.unwrap(), &[b"http/1.1"]).await;
    assert_eq!(old.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    let body = get(Does::After(0));
    let token = token();
    // The second call goes over the same connection.
    for close in ["keep-alive", "close"] {
        let head = format!(
            "POST {GET} HTTP/1.1\r\nhost: localhost\r\norigin: https://portal.test\r\ncontent-type: application/grpc-web+proto\r\n\
             x-grpc-web: 1\r\nauthorization: {token}\r\nconnection: {close}\r\ncontent-length: {}\r\n\r\n",
            body.len()
        );
        old.write_all(&[head.as_bytes(), &body].concat()).await.unwrap();
    }
    let mut answer = vec![];
    // A peer that closes without a farewell of TLS is no concern here.
    let _ = old.read_to_end(&mut answer).await;
    let answer = String::from_utf8_lossy(&answer);
    assert_eq!(answer.matches("HTTP/1.1 200 OK").count(), 2, "{answer}");
    assert_eq!(answer.matches("grpc-status:0").count(), 2, "{answer}");
    assert_eq!(answer.matches("access-control-allow-origin: https://portal.test").count(), 2, "{answer}");
}

/// Bad input 5: gRPC itself needs HTTP/2, and what is neither is answered as HTTP.
#[tokio::test]
async fn r_t7_bad_input_5_grpc_over_http_1_1_is_refused() {
    let world = secret(Limits::default()).await;
    for (kind, code) in [("application/grpc", "415"), ("text/plain", "415")] {
        let mut old = tls(TcpStream::connect(world.address).await.unwrap(), &[b"http/1.1"]).await;
        let head = format!("POST {GET} HTTP/1.1\r\nhost: localhost\r\ncontent-type: {kind}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
        old.write_all(head.as_bytes()).await.unwrap();
        let mut answer = vec![];
        let _ = old.read_to_end(&mut answer).await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with(&format!("HTTP/1.1 {code}")), "{kind}: {answer}");
    }
}
