//! Customers: accounts with the party that is billed, each contract with the premises that it supplies. Masked, as every list is.

use std::collections::BTreeMap;

use anyhow::{Result, anyhow};
use contracts::hearth::archive::v1::{
    Account, Agreement, GetPartyRequest, ListAccountsRequest, ListAgreementsRequest, ListPremisesRequest, Party, Premises,
    account_service_client::AccountServiceClient, agreement_service_client::AgreementServiceClient, party_service_client::PartyServiceClient,
    premises_service_client::PremisesServiceClient,
};
use futures::{StreamExt, TryStreamExt, stream};
use indicatif::ProgressBar;

use super::{day, moment, number, word};
use crate::{
    client::Client,
    export::{
        filter::Filter,
        page::list,
        sheet::{Column, Sheet, figure, text},
    },
    import::told,
};

pub const COLUMNS: &[Column] = &[
    text("account_no"),
    text("account_state"),
    text("name"),
    text("party_kind"),
    text("id_number"),
    text("phone"),
    text("address"),
    text("community_code"),
    figure("area_m2", 2),
    text("branch"),
    text("service"),
    text("use_class"),
    text("agreement_no"),
    text("agreement_state"),
    text("supply_from"),
    text("supply_until"),
    text("opened"),
    text("account_id"),
    text("party_id"),
    text("agreement_id"),
    text("premises_id"),
];

/// Parties that are asked for at one time.
const ABREAST: usize = 16;

pub async fn fill(client: &Client, filter: &Filter, sheet: &mut Sheet, bar: &ProgressBar) -> Result<()> {
    bar.set_message("accounts");
    let mut accounts = vec![];
    list!(
        AccountServiceClient::new(client.clone()),
        list_accounts,
        ListAccountsRequest {
            account_no: filter.account_no(),
            ..ListAccountsRequest::default()
        },
        accounts,
        |account: Account| {
            if filter.branch().is_empty() || account.branch == filter.branch() {
                accounts.push(account);
            }
            Ok(())
        }
    )?;
    bar.set_message("contracts");
    let mut agreements: BTreeMap<String, Vec<Agreement>> = BTreeMap::new();
    list!(
        AgreementServiceClient::new(client.clone()),
        list_agreements,
        ListAgreementsRequest {
            // One account is asked for alone.
            account_id: accounts.first().filter(|_| !filter.account_no().is_empty()).map(|a| a.account_id.clone()),
            ..ListAgreementsRequest::default()
        },
        agreements,
        |agreement: Agreement| {
            agreements.entry(agreement.account_id.clone()).or_default().push(agreement);
            Ok(())
        }
    )?;
    bar.set_message("premises");
    let mut premises: BTreeMap<String, Premises> = BTreeMap::new();
    list!(
        PremisesServiceClient::new(client.clone()),
        list_premises,
        ListPremisesRequest::default(),
        premises,
        |found: Premises| {
            premises.insert(found.premises_id.clone(), found);
            Ok(())
        }
    )?;
    bar.set_message("customers");
    // In the order of the accounts, so that a file can be compared with an earlier one.
    let parties = stream::iter(&accounts).map(|account| party(client, &account.party_id)).buffered(ABREAST);
    let mut rows = stream::iter(&accounts).zip(parties).map(|(account, party)| party.map(|party| (account, party)));
    while let Some((account, party)) = rows.try_next().await? {
        let own = agreements.remove(&account.account_id).unwrap_or_default();
        if own.is_empty() {
            sheet.row(&row(account, &party, &Agreement::default(), None))?;
        }
        for agreement in &own {
            sheet.row(&row(account, &party, agreement, premises.get(&agreement.premises_id)))?;
        }
        bar.inc(1);
    }
    Ok(())
}

async fn party(client: &Client, party_id: &str) -> Result<Party> {
    let request = GetPartyRequest { party_id: party_id.to_owned() };
    let answer = PartyServiceClient::new(client.clone()).get_party(request).await;
    Ok(answer.map_err(|status| anyhow!(told(&status)))?.into_inner().party.unwrap_or_default())
}

fn row(account: &Account, party: &Party, agreement: &Agreement, premises: Option<&Premises>) -> Vec<String> {
    let none = Premises::default();
    let premises = premises.unwrap_or(&none);
    let (service, state) = match agreement.agreement_id.as_str() {
        "" => ("", ""),
        _ => (agreement.service().as_str_name(), agreement.state().as_str_name()),
    };
    vec![
        account.account_no.clone(),
        word(account.state().as_str_name(), "STATE_").to_owned(),
        party.name.clone(),
        word(party.kind().as_str_name(), "KIND_").to_lowercase(),
        party.id_number.clone(),
        party.phone.clone(),
        premises.address.clone(),
        premises.community_code.clone(),
        number(premises.area_m2.as_ref()),
        account.branch.clone(),
        word(service, "SERVICE_").to_owned(),
        agreement.use_class.clone(),
        agreement.agreement_no.clone(),
        word(state, "STATE_").to_owned(),
        day(agreement.from_date.as_ref()),
        day(agreement.end_date.as_ref()),
        moment(account.create_time.as_ref()),
        account.account_id.clone(),
        account.party_id.clone(),
        agreement.agreement_id.clone(),
        agreement.premises_id.clone(),
    ]
}
