use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, Result, anyhow};
use rpc::token::{DenyList, Verifier};
use ureq::tls::{RootCerts, TlsConfig};

/// How often the keys are looked at: a new one is known, and one that was withdrawn is refused, after this time at the latest. What
/// tokens name makes no difference to it.
const KEYS: Duration = Duration::from_secs(30);
/// How often the deny list is looked at.
const DENIED: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(5);
/// A key set is a few kilobytes.
const LARGEST: u64 = 256 * 1024;

/// Where the issuer of the access tokens publishes its public keys (JWKS).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySet {
    File(PathBuf),
    Url(String),
}

impl KeySet {
    /// Reads the setting: a URL by `https`, or by `http` on this machine; else the name of a file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Some((scheme, rest)) = text.split_once("://") else {
            let path = PathBuf::from(text);
            return if path.is_file() {
                Ok(Self::File(path))
            } else {
                Err(format!("there is no file {text}"))
            };
        };
        let host = rest.split(['/', ':']).next().unwrap_or_default();
        match scheme {
            "https" if !host.is_empty() => Ok(Self::Url(text.to_owned())),
            "http" if ["localhost", "127.0.0.1"].contains(&host) => Ok(Self::Url(text.to_owned())),
            "http" => Err("keys are taken over https only; http is for this machine (localhost)".to_owned()),
            _ => Err(format!("{text} is neither a file nor an https URL")),
        }
    }

    /// The key set as it is now.
    pub async fn load(&self) -> Result<String> {
        match self {
            Self::File(path) => tokio::fs::read_to_string(path)
                .await
                .with_context(|| format!("the key set {} cannot be read", path.display())),
            Self::Url(url) => {
                let address = url.clone();
                tokio::task::spawn_blocking(move || fetch(&address))
                    .await?
                    .with_context(|| format!("the key set at {url} cannot be fetched"))
            }
        }
    }

    /// Keeps a verifier up to date for ever. When the issuer does not answer, the keys known so far stay good.
    pub async fn follow(self, verifier: Verifier) {
        loop {
            tokio::time::sleep(KEYS).await;
            if let Err(error) = self.renew(&verifier).await {
                tracing::warn!(error = format!("{error:#}"), "the issuer's keys stay as they were");
            }
        }
    }

    /// Gives a verifier the keys as they are now.
    pub async fn renew(&self, verifier: &Verifier) -> Result<()> {
        verifier.replace(&self.load().await?).map_err(|e| anyhow!(e))
    }
}

/// Reads a deny list and gives it to a verifier; a line that is none of its entries is logged.
pub(crate) async fn deny(path: &Path, verifier: &Verifier) -> Result<()> {
    let text = tokio::fs::read_to_string(path)
        .await
        .with_context(|| format!("the deny list {} cannot be read", path.display()))?;
    let (list, bad) = DenyList::parse(&text);
    if !bad.is_empty() {
        tracing::error!(lines = ?bad, "lines of the deny list are neither jti:, sub: nor vendor: and refuse nobody");
    }
    verifier.deny(list);
    Ok(())
}

/// Keeps a verifier's deny list up to date for ever: looks at the file and, when it has changed, reads it. What was refused stays
/// refused while it cannot be read.
pub(crate) async fn follow_denied(path: PathBuf, verifier: Verifier) {
    let mut seen = None;
    loop {
        let now = rpc::stamp(&path);
        if now != seen {
            seen = now;
            if let Err(error) = deny(&path, &verifier).await {
                tracing::error!(error = format!("{error:#}"), "who is refused stays as it was");
            }
        }
        tokio::time::sleep(DENIED).await;
    }
}

fn fetch(url: &str) -> Result<String> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = TlsConfig::builder()
        .root_certs(RootCerts::PlatformVerifier)
        .unversioned_rustls_crypto_provider(provider)
        .build();
    let agent = ureq::Agent::new_with_config(
        ureq::Agent::config_builder()
            .tls_config(tls)
            .timeout_global(Some(PATIENCE))
            .max_redirects(0)
            .build(),
    );
    Ok(agent.get(url).call()?.body_mut().with_config().limit(LARGEST).read_to_string()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_come_from_a_file_or_over_https() {
        assert_eq!(KeySet::parse("https://id.example/jwks"), Ok(KeySet::Url("https://id.example/jwks".to_owned())));
        assert_eq!(KeySet::parse("http://localhost:1/k"), Ok(KeySet::Url("http://localhost:1/k".to_owned())));
        assert_eq!(KeySet::parse("Cargo.toml"), Ok(KeySet::File("Cargo.toml".into())));
        for refused in [
            "http://id.example/jwks",
            "http://127.0.0.1.example/jwks",
            "https://",
            "ftp://x/y",
            "no-such-file",
        ] {
            assert!(KeySet::parse(refused).is_err(), "{refused}");
        }
    }
}
