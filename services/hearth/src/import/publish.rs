//! Files that are published as a whole: tariffs and profiles.

use std::{path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, anyhow, bail};
use calendar::NaiveDate;
use contracts::hearth::{
    billing::v1::{
        ListProfilesRequest, ListTariffsRequest, Profile, PublishHeatTariffRequest, PublishProfileRequest, PublishTariffRequest, Tariff,
        profile_service_client::ProfileServiceClient, tariff_service_client::TariffServiceClient,
    },
    options::v1::Role,
    r#type::v1::Date,
};
use rating::Commodity;

use super::{
    Target, UNREADABLE,
    heat_tariff::{self, Settlement},
    profile, tariff, text_of, told,
};
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
    /// For heat: what is done with the difference between area and meter at the end of a season; refund where neither this nor the file says it.
    #[arg(long, value_enum)]
    settlement: Option<Settlement>,
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
        let read = || Version::read(&text_of(&self.file)?, &self).with_context(|| self.file.display().to_string());
        let version = match read() {
            Ok(version) => version,
            Err(error) => {
                eprintln!("hearth: {error:#}");
                return Ok(ExitCode::from(UNREADABLE));
            }
        };
        let what = version.what();
        if self.dry_run {
            say(format!("{what}\n\ndry run: nothing was published"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let mut client = TariffServiceClient::new(self.target.client("billing", Role::Accountant)?);
        let there = client
            .list_tariffs(ListTariffsRequest {
                on_date: version.first_date(),
                page_size: 500,
                page_token: String::new(),
            })
            .await;
        let there = there.map_err(|s| anyhow!(told(&s)))?.into_inner().tariffs;
        if there.iter().any(|tariff| version.is(tariff)) {
            say(format!("already there: {what}"))?;
            return Ok(ExitCode::SUCCESS);
        }
        let published = match version {
            Version::Gas(request) => client.publish_tariff(request).await.map(drop),
            Version::Heat(request) => client.publish_heat_tariff(request).await.map(drop),
        };
        published.map_err(|status| anyhow!("the tariff is refused: {}", told(&status)))?;
        say(format!("published: {what}"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A version of a tariff, of what is sold.
enum Version {
    Gas(PublishTariffRequest),
    Heat(PublishHeatTariffRequest),
}

impl Version {
    fn read(text: &str, file: &TariffFile) -> Result<Self> {
        let tariff = tariff::parse(text)?;
        match (tariff.commodity, file.settlement) {
            (Commodity::Heat, settlement) => heat_tariff::request(text, tariff, settlement, file.published).map(Self::Heat),
            (_, None) => tariff::request(text, tariff, file.published).map(Self::Gas),
            (_, Some(_)) => bail!("--settlement is for tariffs of heat"),
        }
    }

    fn what(&self) -> String {
        let (name, classes): (_, Vec<&str>) = match self {
            Self::Gas(request) => (&request.name, request.classes.iter().map(|c| c.use_class.as_str()).collect()),
            Self::Heat(request) => (&request.name, request.classes.iter().map(|c| c.use_class.as_str()).collect()),
        };
        format!("{name}: {}", classes.join(", "))
    }

    fn first_date(&self) -> Option<Date> {
        match self {
            Self::Gas(request) => request.from_date,
            Self::Heat(request) => request.from_date,
        }
    }

    /// Whether a tariff that was published is this one.
    fn is(&self, there: &Tariff) -> bool {
        let (name, same) = match self {
            Self::Gas(request) => (&request.name, tariff::same(&there.classes, &request.classes)),
            Self::Heat(request) => (&request.name, heat_tariff::same(&there.heat_classes, &request.classes)),
        };
        same && there.name == *name && there.from_date == self.first_date()
    }
}
