//! Which rows are wanted.

use anyhow::{Context, Result, anyhow, bail, ensure};
use calendar::{Instant, NaiveDate};
use contracts::hearth::{
    billing::v1::{ListSuppliesRequest, Supply, supply_service_client::SupplyServiceClient},
    r#type::v1::Date,
};
use prost_types::Timestamp;
use rpc::wire;

use super::What;
use crate::{client::Client, import::told};

/// Filters of the command line; what is not given narrows nothing.
#[derive(clap::Args)]
pub struct Filter {
    /// Only what bears this day or a later one: the reading, the issue of the bill, the payment, the day of the books, the write.
    #[arg(long, value_name = "DATE")]
    from: Option<NaiveDate>,
    /// Only what bears this day or an earlier one.
    #[arg(long, value_name = "DATE")]
    to: Option<NaiveDate>,
    /// Only what belongs to this branch.
    #[arg(long, value_name = "NAME")]
    branch: Option<String>,
    /// Only what belongs to the account with this number.
    #[arg(long, value_name = "NUMBER")]
    account: Option<String>,
}

impl Filter {
    /// Refuses what a file cannot be narrowed by, instead of writing more than was asked for.
    ///
    /// # Errors
    /// An end before the start, and a filter that the rows have no field for.
    pub fn check(&self, what: What) -> Result<()> {
        ensure!(
            self.from.zip(self.to).is_none_or(|(from, to)| from <= to),
            "--from lies after --to: nothing would be written"
        );
        let given = [
            ("--from", self.from.is_some()),
            ("--to", self.to.is_some()),
            ("--branch", self.branch.is_some()),
            ("--account", self.account.is_some()),
        ];
        let not_by: &[&str] = match what {
            What::Customers => &["--from", "--to"],
            What::Audit => &["--branch", "--account"],
            What::Readings | What::Bills | What::Documents | What::Payments | What::Ledger => &[],
        };
        if let Some((name, _)) = given.iter().find(|(name, given)| *given && not_by.contains(name)) {
            bail!("{} cannot be narrowed by {name}; leave it out", what.name());
        }
        Ok(())
    }

    /// The branch, or nothing for all.
    pub fn branch(&self) -> String {
        self.branch.clone().unwrap_or_default()
    }

    /// The number of the account, or nothing for all.
    pub fn account_no(&self) -> String {
        self.account.clone().unwrap_or_default()
    }

    /// The first day.
    pub fn first_date(&self) -> Option<Date> {
        self.from.map(wire::date)
    }

    /// The last day.
    pub fn until_date(&self) -> Option<Date> {
        self.to.map(wire::date)
    }

    /// The first moment.
    pub fn first_time(&self) -> Option<Timestamp> {
        self.from.map(|day| wire::time(Instant::start_of(day)))
    }

    /// The first moment that is not wanted any more.
    pub fn until_time(&self) -> Option<Timestamp> {
        let next = self.to.and_then(|day| day.succ_opt());
        next.map(|day| wire::time(Instant::start_of(day)))
    }

    /// Whether a day is wanted.
    pub fn holds(&self, day: Option<&Date>) -> bool {
        let Ok(day) = wire::date_of(day, "day") else {
            return self.from.is_none() && self.to.is_none();
        };
        self.from.is_none_or(|from| from <= day) && self.to.is_none_or(|to| day <= to)
    }

    /// The contracts of the account as billing knows them; nothing where no account is named.
    ///
    /// # Errors
    /// Billing knows no such account.
    pub async fn supplies(&self, client: &Client) -> Result<Option<Vec<Supply>>> {
        let Some(account_no) = &self.account else { return Ok(None) };
        let request = ListSuppliesRequest {
            account_no: account_no.clone(),
            page_size: super::page::PAGE,
            ..ListSuppliesRequest::default()
        };
        let answer = SupplyServiceClient::new(client.clone()).list_supplies(request).await;
        let found = answer.map_err(|status| anyhow!(told(&status)))?.into_inner().supplies;
        ensure!(!found.is_empty(), "billing knows no account {account_no}: it may have no contract yet");
        Ok(Some(found))
    }

    /// The id of the account; nothing where none is named.
    ///
    /// # Errors
    /// As for [`supplies`](Self::supplies).
    pub async fn account_id(&self, client: &Client) -> Result<Option<String>> {
        match self.supplies(client).await? {
            Some(found) => Ok(Some(found.first().context("an account without contract")?.account_id.clone())),
            None => Ok(None),
        }
    }
}
