//! Keys for trials and for compose: a certificate authority, a certificate per service, a token-signing key with its key set, and
//! a key ring per service. In production an identity provider and a real authority take their place.

use std::{fs, io::Write as _, path::Path};

use anyhow::{Context, Result, ensure};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, PKCS_ED25519, PublicKeyData, SanType,
};

/// Issuer of the tokens that these keys sign.
pub const ISSUER: &str = "https://issuer.hearth.invalid";
const KEY_ID: &str = "trial-1";

/// Makes all keys in a folder that holds none yet. `names` are further host names and addresses of the services.
pub fn make(folder: &Path, names: &[String]) -> Result<()> {
    ensure!(!folder.join("ca.pem").exists(), "{} holds keys already", folder.display());
    fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;

    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params.distinguished_name.push(DnType::CommonName, "Hearth trial authority");
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    public(&folder.join("ca.pem"), &authority.pem())?;

    for (service, _) in crate::PORTS {
        let mut hosts = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned(), service.to_owned()];
        hosts.extend(names.iter().cloned());
        let mut params = CertificateParams::new(hosts)?;
        params.subject_alt_names.push(SanType::URI(format!("spiffe://hearth/{service}").try_into()?));
        params.distinguished_name.push(DnType::CommonName, service);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        let key = KeyPair::generate()?;
        let certificate = params.signed_by(&key, &authority)?;
        public(&folder.join(format!("{service}.pem")), &certificate.pem())?;
        secret(&folder.join(format!("{service}.key.pem")), &key.serialize_pem())?;
        vault::Keyring::generate()?.save(&folder.join(format!("{service}.vault")))?;
    }

    let signing = KeyPair::generate_for(&PKCS_ED25519)?;
    secret(&folder.join("signing-key.pem"), &signing.serialize_pem())?;
    public(&folder.join("jwks.json"), &rpc::token::key_set(KEY_ID, signing.der_bytes()))?;
    public(&folder.join("issuer"), &format!("{ISSUER} {KEY_ID}\n"))
}

fn public(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).with_context(|| format!("{} cannot be written", path.display()))
}

fn secret(path: &Path, text: &str) -> Result<()> {
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path).with_context(|| format!("{} cannot be written", path.display()))?;
    file.write_all(text.as_bytes())?;
    Ok(())
}
