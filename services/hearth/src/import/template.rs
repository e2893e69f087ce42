//! A contract template for trials: the clauses of a plain supply contract, so that customers can be filed on a new installation.

use anyhow::{Context, Result, anyhow};
use calendar::NaiveDate;
use contracts::hearth::archive::v1::{
    Clause, GetTemplateRequest, ListTemplatesRequest, PublishTemplateRequest, Service, Template, template_service_client::TemplateServiceClient,
};
use serde::Deserialize;

use super::pump::told;
use crate::client::Client;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Text {
    code: String,
    title: String,
    effective_from: NaiveDate,
    clause: Vec<ClauseText>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClauseText {
    no: String,
    title: String,
    text: String,
    #[serde(default)]
    flagged: bool,
}

/// The template for gas that was published last, with its clauses; where there is none, the plain one, which is published then.
pub async fn publish_where_absent(client: &mut TemplateServiceClient<Client>) -> Result<Template> {
    let list = ListTemplatesRequest {
        service: Service::Gas.into(),
        page_size: 500,
        page_token: String::new(),
    };
    let known = client.list_templates(list).await.map_err(|s| anyhow!(told(&s)))?.into_inner().templates;
    let answer = match known.last() {
        Some(last) => {
            let get = GetTemplateRequest {
                template_id: last.template_id.clone(),
                version: last.version,
            };
            client.get_template(get).await.map_err(|s| anyhow!(told(&s)))?.into_inner().template
        }
        None => {
            client
                .publish_template(plain()?)
                .await
                .map_err(|s| anyhow!("the template is refused: {}", told(&s)))?
                .into_inner()
                .template
        }
    };
    answer.context("archive answered without a template")
}

fn plain() -> Result<PublishTemplateRequest> {
    let text: Text = toml::from_str(include_str!("../../data/contract_template.toml"))?;
    let clause = |c: ClauseText| Clause {
        clause_no: c.no,
        title: c.title,
        text: c.text,
        flagged: c.flagged,
    };
    Ok(PublishTemplateRequest {
        request_id: rpc::derived_request_id(&text.code, "publish-template"),
        code: text.code,
        version: 1,
        title: text.title,
        service: Service::Gas.into(),
        filed_with_authority_no: String::new(),
        effective_date: Some(rpc::wire::date(text.effective_from)),
        clauses: text.clause.into_iter().map(clause).collect(),
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
mod tests {
    use super::*;

    #[test]
    fn a_07_the_plain_template_points_out_what_limits_liability() {
        let template = plain().unwrap();
        assert!(template.clauses.iter().any(|c| c.flagged));
        assert!(template.clauses.iter().all(|c| !c.text.is_empty()));
    }
}
