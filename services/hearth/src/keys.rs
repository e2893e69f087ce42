use std::{path::PathBuf, process::ExitCode};

use anyhow::{Result, ensure};

use crate::say::say;

/// Makes a certificate authority, a certificate and a key ring per service, and a token-signing key with its key set.
#[derive(clap::Args)]
pub struct Keys {
    /// Folder for the keys; must not hold any yet.
    folder: PathBuf,
    /// Further host names or addresses under which the services are reached; may be repeated.
    #[arg(long = "name", value_name = "HOST")]
    names: Vec<String>,
    /// Keep the keys of a folder that holds some already, and succeed.
    #[arg(long)]
    keep: bool,
}

impl Keys {
    pub fn run(self) -> Result<ExitCode> {
        // The last file that is made tells that all are there.
        let whole = self.folder.join("issuer").exists();
        ensure!(
            whole || !self.folder.join("ca.pem").exists(),
            "{} holds keys whose making was cut short; empty it and start again",
            self.folder.display()
        );
        if self.keep && whole {
            say(format!("{} keeps its keys", self.folder.display()))?;
            return Ok(ExitCode::SUCCESS);
        }
        boot::keys::make(&self.folder, &self.names)?;
        say(format!(
            "keys are in {}: ca.pem, SERVICE.pem, SERVICE.key.pem, SERVICE.vault, signing-key.pem, jwks.json, issuer",
            self.folder.display()
        ))?;
        say(format!("the issuer of their tokens is {}", boot::keys::ISSUER))?;
        Ok(ExitCode::SUCCESS)
    }
}
