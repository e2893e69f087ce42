use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tonic::transport::{Certificate, Identity};

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

impl TlsFiles {
    /// The files that `hearth keys` makes for a service.
    pub fn in_folder(folder: &Path, service: &str) -> Self {
        Self {
            ca: folder.join("ca.pem"),
            certificate: folder.join(format!("{service}.pem")),
            key: folder.join(format!("{service}.key.pem")),
        }
    }

    pub(crate) fn load(&self) -> Result<(Certificate, Identity), String> {
        let read = |path: &Path| std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
        Ok((
            Certificate::from_pem(read(&self.ca)?),
            Identity::from_pem(read(&self.certificate)?, read(&self.key)?),
        ))
    }
}

/// The service that a verified client certificate names. A certificate with no or several URI names names nobody.
pub(crate) fn service_of(certificate: &[u8]) -> Option<String> {
    let der = tonic::transport::CertificateDer::from(certificate);
    let entity = webpki::EndEntityCert::try_from(&der).ok()?;
    let mut names = entity.valid_uri_names();
    match (names.next(), names.next()) {
        (Some(name), None) => name.strip_prefix("spiffe://hearth/").map(str::to_owned),
        _ => None,
    }
}

/// The key of a saga's step: the same on every try, so that a step that is repeated after a crash has one effect.
pub fn derived_request_id(id: impl std::fmt::Display, step: &str) -> String {
    let digest = Sha256::new().chain_update(id.to_string()).chain_update([0]).chain_update(step).finalize();
    let mut bytes = [0; 16];
    bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().to_string()
}
