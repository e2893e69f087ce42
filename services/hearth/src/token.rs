use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, anyhow, bail};
use contracts::hearth::options::v1::Role;
use rpc::{
    Principal,
    token::{Issuer, role_name, role_of},
};

use crate::say::say;

/// Signs an access token that is good for fifteen minutes and prints it.
#[derive(clap::Args)]
pub struct Token {
    /// Role, such as cashier, reader, accountant, vendor_admin; may be repeated.
    #[arg(long = "role", value_name = "ROLE", required = true)]
    roles: Vec<String>,
    /// Who it is for.
    #[arg(long, default_value = "trial-user")]
    subject: String,
    /// Branch that the holder is bound to.
    #[arg(long)]
    branch: Option<String>,
    /// Vendor that the holder is bound to (a vendor id).
    #[arg(long)]
    vendor: Option<String>,
    /// Customer that the holder is (a party id).
    #[arg(long)]
    customer: Option<String>,
    /// Data folder of `hearth up` or `hearth demo`, or a folder made by `hearth keys`.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
}

impl Token {
    pub fn run(self) -> Result<ExitCode> {
        let roles = self.roles.iter().map(|name| role(name)).collect::<Result<Vec<_>>>()?;
        let needs = |role: &Role| match role {
            Role::Customer if self.customer.is_none() => Some("--customer"),
            Role::VendorAdmin | Role::VendorWorker if self.vendor.is_none() => Some("--vendor"),
            _ => None,
        };
        if let Some(flag) = roles.iter().find_map(needs) {
            bail!("a role of a customer or a vendor counts only for one of them; name it with {flag}");
        }
        let own = self.data.join("keys");
        let folder = if own.is_dir() { own } else { self.data };
        let issuer = Issuer::from_folder(&folder)
            .map_err(|e| anyhow!(e))
            .with_context(|| format!("{} holds no signing key; name the folder with --data", folder.display()))?;
        let principal = Principal {
            subject: self.subject,
            roles: roles.iter().map(|r| *r as i32).collect(),
            branch: self.branch,
            vendor: self.vendor,
            customer: self.customer,
            service: None,
        };
        say(issuer.sign(&principal).map_err(|e| anyhow!(e))?)?;
        Ok(ExitCode::SUCCESS)
    }
}

fn role(name: &str) -> Result<Role> {
    match role_of(&name.replace('-', "_")) {
        Some(role) if (role as i32) < Role::ServiceArchive as i32 => Ok(role),
        Some(_) => bail!("{name} is a service: a service is known by its certificate, not by a token"),
        None => {
            let all = (1..Role::ServiceArchive as i32)
                .filter_map(|n| Role::try_from(n).ok())
                .map(role_name)
                .collect::<Vec<_>>();
            bail!("there is no role {name}; the roles are {}", all.join(", "))
        }
    }
}
