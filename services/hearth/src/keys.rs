use std::{path::PathBuf, process::ExitCode};

use anyhow::Result;

/// Makes a certificate authority, a certificate and a key ring per service, and a token-signing key with its key set.
#[derive(clap::Args)]
pub struct Keys {
    /// Folder for the keys; must not hold any yet.
    folder: PathBuf,
    /// Further host names or addresses under which the services are reached; may be repeated.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
}

impl Keys {
    pub fn run(self) -> Result<ExitCode> {
        boot::keys::make(&self.folder, &self.names)?;
        println!(
            "keys are in {}: ca.pem, SERVICE.pem, SERVICE.key.pem, SERVICE.vault, signing-key.pem, jwks.json, issuer",
            self.folder.display()
        );
        println!("the issuer of their tokens is {}", boot::keys::ISSUER);
        Ok(ExitCode::SUCCESS)
    }
}
