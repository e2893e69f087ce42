//! Files that are published as a whole: tariffs and profiles.

use std::{collections::BTreeSet, path::PathBuf, process::ExitCode};

use anyhow::{Context, Result, anyhow, bail};
use contracts::hearth::{
    billing::v1::{
        ListProfilesRequest, ListTariffsRequest, Profile, PublishHeatTariffRequest, PublishProfileRequest, PublishTariffRequest, Tariff,
        profile_service_client::ProfileServiceClient,
        tariff::{Boundary, Change},
        tariff_service_client::TariffServiceClient,
    },
    options::v1::Role,
};
use rating::Commodity;

use super::{
    Target, UNREADABLE,
    heat_tariff::{self, Settlement},
    profile,
    tariff::{self, Told},
    text_of, told,
};
use crate::{client::Client, export::page::list, say::say};

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
    #[command(flatten)]
    told: Told,
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
        let asked = version.said();
        let mut there = vec![];
        let request = ListTariffsRequest {
            on_date: asked.from_date,
            branch: asked.branch.clone(),
            ..ListTariffsRequest::default()
        };
        list!(client.clone(), list_tariffs, request, tariffs, |tariff: Tariff| {
            there.push(tariff);
            Ok(())
        })?;
        // One that was replaced as wrong is not what a replacement or a successor is to bring back.
        let counts = |tariff: &&Tariff| tariff.replaced_by_tariff_id.is_empty() || (self.told.follows.is_none() && self.told.replaces.is_none());
        if let Some(known) = there.iter().filter(counts).find(|tariff| said(tariff) == asked) {
            say(format!("already there: {what} ({})", known.tariff_id))?;
            return Ok(ExitCode::SUCCESS);
        }
        let published = match version {
            Version::Gas(request) => client.publish_tariff(*request).await.map(|answer| answer.into_inner().tariff),
            Version::Heat(request) => client.publish_heat_tariff(*request).await.map(|answer| answer.into_inner().tariff),
        };
        let published = published.map_err(|status| anyhow!("the tariff is refused: {}{}", told(&status), in_the_way(&asked, &there)))?;
        let id = published.map(|tariff| tariff.tariff_id).unwrap_or_default();
        say(format!("published: {what} ({id})"))?;
        Ok(ExitCode::SUCCESS)
    }
}

/// The versions in force that have prices of the same classes for the same branch.
fn in_the_way(asked: &Tariff, there: &[Tariff]) -> String {
    let names = |tariff: &Tariff| -> BTreeSet<String> {
        let heat = tariff.heat_classes.iter().map(|class| class.use_class.clone());
        tariff.classes.iter().map(|class| class.use_class.clone()).chain(heat).collect()
    };
    let asked_for = names(asked);
    let same = |tariff: &&Tariff| {
        let of_same = tariff.commodity == asked.commodity && tariff.branch == asked.branch && tariff.replaced_by_tariff_id.is_empty();
        of_same && !names(tariff).is_disjoint(&asked_for)
    };
    let line = |tariff: &Tariff| format!("\nin force: {} ({}); name it with --follows or --replaces", tariff.name, tariff.tariff_id);
    there.iter().filter(same).map(line).collect()
}

/// What a version that was published says, as far as a file says it.
fn said(tariff: &Tariff) -> Tariff {
    let mut said = Tariff {
        tariff_id: String::new(),
        until_date: None,
        published_date: None,
        create_time: None,
        replaced_by_tariff_id: String::new(),
        ..tariff.clone()
    };
    said.classes.sort_by(|a, b| a.use_class.cmp(&b.use_class));
    said.heat_classes.sort_by(|a, b| a.use_class.cmp(&b.use_class));
    said
}

fn gas(request: PublishTariffRequest) -> Tariff {
    Tariff {
        name: request.name,
        commodity: request.commodity,
        from_date: request.from_date,
        legal_basis: request.legal_basis,
        approved_by: request.approved_by,
        tier_year_start_month: request.tier_year_start_month,
        tier_year_start_day: request.tier_year_start_day,
        boundary: request.boundary,
        classes: request.classes,
        change: request.change,
        closing_reading: request.closing_reading,
        rounding: request.rounding,
        tax_percent: request.tax_percent,
        tax_included: request.tax_included,
        tax_rounding: request.tax_rounding,
        late_use: request.late_use,
        branch: request.branch,
        ..Tariff::default()
    }
}

fn heat(request: PublishHeatTariffRequest) -> Tariff {
    Tariff {
        name: request.name,
        commodity: Commodity::Heat.code().to_owned(),
        from_date: request.from_date,
        legal_basis: request.legal_basis,
        approved_by: request.approved_by,
        // Heat has seasons; what a version of it is listed with besides is that of every version that says nothing else.
        tier_year_start_month: 1,
        tier_year_start_day: 1,
        boundary: Boundary::ReadingCycle.into(),
        change: Change::DaySplit.into(),
        heat_classes: request.classes,
        rounding: request.rounding,
        tax_percent: request.tax_percent,
        tax_included: request.tax_included,
        tax_rounding: request.tax_rounding,
        branch: request.branch,
        ..Tariff::default()
    }
}

/// A version of a tariff, of what is sold.
enum Version {
    Gas(Box<PublishTariffRequest>),
    Heat(Box<PublishHeatTariffRequest>),
}

impl Version {
    fn read(text: &str, file: &TariffFile) -> Result<Self> {
        let tariff = tariff::parse(text)?;
        match (tariff.commodity, file.settlement) {
            (Commodity::Heat, settlement) => Ok(Self::Heat(heat_tariff::request(text, tariff, settlement, &file.told)?.into())),
            (_, None) => Ok(Self::Gas(tariff::request(text, tariff, &file.told)?.into())),
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

    /// The version as it would be listed, as far as a file says it.
    fn said(&self) -> Tariff {
        let listed = match self {
            Self::Gas(request) => gas((**request).clone()),
            Self::Heat(request) => heat((**request).clone()),
        };
        said(&listed)
    }
}
