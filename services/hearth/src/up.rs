use std::{collections::BTreeMap, path::PathBuf, process::ExitCode};

use anyhow::Result;
use boot::telemetry::{Look, Telemetry};
use calendar::Clock;

use crate::{
    say::{program, say},
    suite::{Folder, Suite, Taken},
};

/// Runs the four services with SQLite files in one folder until Ctrl-C.
#[derive(clap::Args)]
pub struct Up {
    /// Folder of the data, made when absent.
    #[arg(long, value_name = "DIR", default_value = "hearth-data")]
    data: PathBuf,
    #[command(flatten)]
    ports: Ports,
    /// Origins of browsers that may call by gRPC-Web, with commas between.
    #[arg(long, value_name = "URL", value_delimiter = ',', value_parser = boot::origin)]
    origins: Vec<String>,
    /// Filter of the log, such as info or hall=debug.
    #[arg(long, env = "HEARTH_LOG", default_value = "warn")]
    log: String,
}

/// Ports of the services.
#[derive(clap::Args)]
pub struct Ports {
    /// Port of the archive service.
    #[arg(long, value_name = "PORT")]
    archive_port: Option<u16>,
    /// Port of the hall service.
    #[arg(long, value_name = "PORT")]
    hall_port: Option<u16>,
    /// Port of the billing service.
    #[arg(long, value_name = "PORT")]
    billing_port: Option<u16>,
    /// Port of the vendor service.
    #[arg(long, value_name = "PORT")]
    vendor_port: Option<u16>,
}

impl Ports {
    pub fn chosen(&self) -> BTreeMap<&'static str, u16> {
        let all = [
            ("archive", self.archive_port),
            ("hall", self.hall_port),
            ("billing", self.billing_port),
            ("vendor", self.vendor_port),
        ];
        all.into_iter().filter_map(|(name, port)| Some((name, port?))).collect()
    }
}

impl Up {
    pub async fn run(self) -> Result<ExitCode> {
        let endpoint = std::env::var("OTEL_EXPORTER_OTLP_ENDPOINT").ok().filter(|e| !e.is_empty());
        let telemetry = Telemetry::start("hearth", &self.log, Look::Short, endpoint.as_deref())?;
        let folder = Folder::open(&self.data, "up")?;
        let suite = Suite::start(&folder, Clock::real(), &self.ports.chosen(), Taken::Complain, &self.origins).await?;
        for (name, _) in boot::PORTS {
            say(format!("{name:<8} https://{}", suite.address(name)?))?;
        }
        say(format!("\nauthority  {}", folder.keys().join("ca.pem").display()))?;
        say(format!("a token    {} token --role agent --data {}", program(), folder.path().display()))?;
        say("\nCtrl-C stops.")?;
        // Where signals cannot be had, the process ends by other means.
        let _ = tokio::signal::ctrl_c().await;
        suite.stop().await?;
        telemetry.stop().await;
        Ok(ExitCode::SUCCESS)
    }
}
