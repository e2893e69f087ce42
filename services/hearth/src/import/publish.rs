//! Files that are published as a whole: tariffs and profiles.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, anyhow};
use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        ListProfilesRequest, ListTariffsRequest, Profile, PublishProfileRequest, PublishTariffRequest, profile_service_client::ProfileServiceClient,
        tariff_service_client::TariffServiceClient,
    },
    options::v1::Role,
};

use super::{Target, UNREADABLE, profile, tariff, text_of, told};
use crate::{client::Client, say::say};

#[derive(clap::Args)]
pub struct ProfileFile {
    /// Profile file (TOML).
    file: PathBuf,
    /// Check the file only; nothing is published.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
}

#[derive(clap::Args)]
pub struct TariffFile {
    /// Tariff file (TOML).
    file: PathBuf,
    /// Day on which the prices were made public; the first day in force where it is not given.
    #[arg(long, value_name = "DATE")]
    published: Option<NaiveDate>,
    /// Check the file only; nothing is published.
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    target: Target,
}

impl ProfileFile {
    pub async fn publish(self) -> Result<ExitCode> {
        let read = || profile::read(&text_of(&self.file)?).with_context(|| self.file.display().to_string());
        let requests = match read() {
            Ok(requests) => requests,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        };
        if self.dry_run {
            for request in &requests {
                say(format!("{}: {}", request.name, request.branch))?;
            }
            say("\ndry run: nothing was published")?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut client = ProfileServiceClient::new(self.target.client("billing", Role::Accountant)?);
        for request in requests {
            let what = format!("{}: {}", request.name, request.branch);
            if already_published(&mut client, &request).await? {
                say(format!("already there: {what}"))?;
                continue;
            }
            let published = client.publish_profile(request).await;
            published.map_err(|status| anyhow!("the profile of {what} is refused: {}", told(&status)))?;
            say(format!("published: {what}"))?;
        }
        Ok(ExitCode::SUCCESS)
    }
}

async fn already_published(client: &mut ProfileServiceClient<Client>, request: &PublishProfileRequest) -> Result<bool> {
    let same = |p: &Profile| p.branch == request.branch && p.name == request.name && p.from_date == request.from_date && p.terms == request.terms;
    let mut page_token = String::new();
    loop {
        let list = ListProfilesRequest {
            branch: request.branch.clone(),
            page_size: 500,
            page_token,
        };
        let page = client.list_profiles(list).await.map_err(|status| anyhow!(told(&status)))?.into_inner();
        if page.profiles.iter().any(same) {
            return Ok(true);
        }
        if page.next_page_token.is_empty() {
            return Ok(false);
        }
        page_token = page.next_page_token;
    }
}

impl TariffFile {
    pub async fn publish(self) -> Result<ExitCode> {
        let read = || -> Result<PublishTariffRequest> { tariff::read(&text_of(&self.file)?, self.published).with_context(|| self.file.display().to_string()) };
        let request = match read() {
            Ok(request) => request,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        };
        let classes = request.classes.iter().map(|c| c.use_class.as_str()).collect::<Vec<_>>().join(", ");
        let what = format!("{}: {classes}", request.name);
        if self.dry_run {
            say(format!("{what}\n\ndry run: nothing was published"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut client = TariffServiceClient::new(self.target.client("billing", Role::Accountant)?);
        let there = client
            .list_tariffs(ListTariffsRequest {
                on_date: request.from_date,
                page_size: 500,
                page_token: String::new(),
            })
            .await;
        let there = there.map_err(|s| anyhow!(told(&s)))?.into_inner().tariffs;
        if there
            .iter()
            .any(|t| t.name == request.name && t.from_date == request.from_date && tariff::same(&t.classes, &request.classes))
        {
            say(format!("already there: {what}"))?;
            return Ok(ExitCode::SUCCESS);
        }
        match client.publish_tariff(request).await {
            Ok(_) => {
                say(format!("published: {what}"))?;
                Ok(ExitCode::SUCCESS)
            }
            Err(status) => Err(anyhow!("the tariff is refused: {}", told(&status))),
        }
    }
}
