use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant, SystemTime},
};

use futures::future::BoxFuture;
use http::Uri;
use hyper_util::rt::TokioIo;
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::{
    TlsConnector,
    client::TlsStream,
    rustls::{
        CertificateError, ClientConfig, DigitallySignedStruct, DistinguishedName, Error, RootCertStore, ServerConfig, SignatureScheme,
        client::{
            WebPkiServerVerifier,
            danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
        },
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
        server::{
            WebPkiClientVerifier,
            danger::{ClientCertVerified, ClientCertVerifier},
        },
        version::TLS13,
    },
};
use tonic::codegen::StdError;
use tower::Service;

/// How often the files are looked at, at most.
const EVERY: Duration = Duration::from_secs(1);

/// The certificate files of one service.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// PEM of the certificate authority that signs services.
    pub ca: PathBuf,
    /// PEM of the service's certificate; its only URI name is `spiffe://hearth/<service>`.
    pub certificate: PathBuf,
    /// PEM of its key.
    pub key: PathBuf,
}

/// When a file was written and how long it is.
pub type Stamp = Option<(SystemTime, u64)>;

/// By what a file is known to have changed; none where it cannot be looked at.
pub fn stamp(path: &Path) -> Stamp {
    let seen = std::fs::metadata(path).ok()?;
    Some((seen.modified().ok()?, seen.len()))
}

impl TlsFiles {
    /// The files that `hearth keys` makes for a service.
    pub fn in_folder(folder: &Path, service: &str) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            certificate: folder.join(format!("{service}.pem")),
            key: folder.join(format!("{service}.key.pem")),
        }
    }

    fn stamps(&self) -> [Stamp; 3] {
        [&self.ca, &self.certificate, &self.key].map(|path| stamp(path))
    }

    fn read(&self) -> Result<Material, String> {
        let bad = |path: &Path, e: &dyn std::fmt::Display| format!("{}: {e}", path.display());
        let certificates = |path: &Path| -> Result<Vec<CertificateDer<'static>>, String> {
            let read = CertificateDer::pem_file_iter(path).map_err(|e| bad(path, &e))?;
            read.collect::<Result<_, _>>().map_err(|e| bad(path, &e))
        };
        let mut roots = RootCertStore::empty();
        for root in certificates(&self.ca)? {
            roots.add(root).map_err(|e| bad(&self.ca, &e))?;
        }
        let (roots, chain) = (Arc::new(roots), certificates(&self.certificate)?);
        let key = Arc::new(PrivateKeyDer::from_pem_file(&self.key).map_err(|e| bad(&self.key, &e))?);
        let server = server(&roots, &chain, &key).map_err(|e| bad(&self.certificate, &e))?;
        Ok(Material { roots, chain, key, server })
    }
}

/// TLS of one service from its files. They are read anew when they have changed, so that a renewed certificate is shown from the
/// next connection on; files that cannot be used leave the old ones in force.
#[derive(Clone)]
pub struct Tls(Arc<Source>);

struct Source {
    files: TlsFiles,
    state: Mutex<State>,
}

struct State {
    looked: Instant,
    stamps: [Stamp; 3],
    material: Material,
}

#[derive(Clone)]
struct Material {
    roots: Arc<RootCertStore>,
    chain: Vec<CertificateDer<'static>>,
    key: Arc<PrivateKeyDer<'static>>,
    server: Arc<ServerConfig>,
}

impl Tls {
    /// Fails where the files cannot be used, and says which.
    pub fn new(files: TlsFiles) -> Result<Self, String> {
        // Looked at before they are read: what is written meanwhile is seen the next time.
        let stamps = files.stamps();
        let state = State {
            looked: Instant::now(),
            stamps,
            material: files.read()?,
        };
        Ok(Self(Arc::new(Source {
            files,
            state: Mutex::new(state),
        })))
    }

    fn material(&self) -> Material {
        let Source { files, state } = &*self.0;
        let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.looked.elapsed() >= EVERY {
            state.looked = Instant::now();
            let stamps = files.stamps();
            if stamps != state.stamps {
                state.stamps = stamps;
                match files.read() {
                    Ok(material) => {
                        tracing::info!("the certificates have been renewed");
                        state.material = material;
                    }
                    Err(error) => tracing::error!(error, "the certificates stay as they were"),
                }
            }
        }
        state.material.clone()
    }

    /// For the next connection that is accepted: TLS 1.3; a client may show a certificate, and one that does not name exactly one
    /// service of ours is refused in the handshake.
    pub fn server(&self) -> Arc<ServerConfig> {
        self.material().server
    }

    /// For the next connection to the service `peer`: shows our certificate, and takes none that names another service.
    pub fn client(&self, peer: &'static str) -> Result<Arc<ClientConfig>, Error> {
        let Material { roots, chain, key, .. } = self.material();
        let provider = Arc::new(ring::default_provider());
        let inner = WebPkiServerVerifier::builder_with_provider(roots, provider.clone())
            .build()
            .map_err(|e| Error::General(e.to_string()))?;
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(&[&TLS13])?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(ThePeer { inner, peer }))
            .with_client_auth_cert(chain, key.clone_key())?;
        config.alpn_protocols = vec![b"h2".to_vec()];
        Ok(Arc::new(config))
    }
}

fn server(roots: &Arc<RootCertStore>, chain: &[CertificateDer<'static>], key: &PrivateKeyDer<'static>) -> Result<Arc<ServerConfig>, Error> {
    let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
    let inner = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
        .allow_unauthenticated()
        .build()
        .map_err(|e| Error::General(e.to_string()))?;
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&TLS13])?
        .with_client_cert_verifier(Arc::new(OneService(inner)))
        .with_single_cert(chain.to_vec(), key.clone_key())?;
    // Browsers that call by gRPC-Web may have HTTP/1.1 only.
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The service that a verified certificate names. A certificate with no or several URI names names nobody.
pub(crate) fn service_of(certificate: &[u8]) -> Option<String> {
    let der = CertificateDer::from(certificate);
    let entity = webpki::EndEntityCert::try_from(&der).ok()?;
    let mut names = entity.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(name), None) => name.strip_prefix("spiffe://hearth/").map(str::to_owned),
        _ => None,
    }
}

/// What the library checks (authority, dates, use), and that the certificate passes `right`.
fn only<T>(checked: Result<T, Error>, certificate: &[u8], right: impl FnOnce(String) -> bool) -> Result<T, Error> {
    match (checked, service_of(certificate)) {
        (Ok(checked), Some(name)) if right(name.clone()) => Ok(checked),
        (Ok(_), _) => Err(CertificateError::ApplicationVerificationFailure.into()),
        (Err(error), _) => Err(error),
    }
}

/// Takes a client certificate that names one service.
#[derive(Debug)]
struct OneService(Arc<dyn ClientCertVerifier>);

impl ClientCertVerifier for OneService {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }
    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }
    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }
    fn verify_client_cert(&self, end: &CertificateDer<'_>, chain: &[CertificateDer<'_>], now: UnixTime) -> Result<ClientCertVerified, Error> {
        only(self.0.verify_client_cert(end, chain, now), end, |_| true)
    }
    fn verify_tls12_signature(&self, message: &[u8], end: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, end, signed)
    }
    fn verify_tls13_signature(&self, message: &[u8], end: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, end, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}

/// Takes the certificate of the service that is meant: that of another one, though of the same authority and host, is not it.
#[derive(Debug)]
struct ThePeer {
    inner: Arc<dyn ServerCertVerifier>,
    peer: &'static str,
}

impl ServerCertVerifier for ThePeer {
    fn verify_server_cert(
        &self,
        end: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        only(self.inner.verify_server_cert(end, chain, host, ocsp, now), end, |name| name == self.peer)
    }
    fn verify_tls12_signature(&self, message: &[u8], end: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, end, signed)
    }
    fn verify_tls13_signature(&self, message: &[u8], end: &CertificateDer<'_>, signed: &DigitallySignedStruct) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, end, signed)
    }
    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}

type Connected = TokioIo<TlsStream<TcpStream>>;
type Connecting = BoxFuture<'static, Result<Connected, StdError>>;

/// Connects to a peer with the certificates of the moment.
pub(crate) fn connector(tls: Tls, peer: &'static str) -> impl Service<Uri, Response = Connected, Error = StdError, Future = Connecting> + Clone {
    tower::service_fn(move |address: Uri| {
        let tls = tls.clone();
        let connected: Connecting = Box::pin(async move {
            let host = address.host().unwrap_or_default().trim_matches(['[', ']']).to_owned();
            let socket = TcpStream::connect((host.as_str(), address.port_u16().unwrap_or(443))).await?;
            socket.set_nodelay(true)?;
            let stream = TlsConnector::from(tls.client(peer)?).connect(ServerName::try_from(host)?, socket).await?;
            Ok(TokioIo::new(stream))
        });
        connected
    })
}

/// The key of a saga's step: the same on every try, so that a step that is repeated after a crash has one effect.
pub fn derived_request_id(id: impl std::fmt::Display, step: &str) -> String {
    let digest = Sha256::new().chain_update(id.to_string()).chain_update([0]).chain_update(step).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
