use contracts::hearth::archive::v1::{GetTemplateRequest, ListTemplatesRequest, Service};
use testbed::{each, fields, key, reason};
use tonic::Code;

use crate::world::{Desk, events, raw, template, uuid};

#[tokio::test(flavor = "multi_thread")]
async fn versions_of_a_template_follow_each_other_and_never_change() {
    each(archive::SERVICE, async |bed| {
        let mut desk = Desk::head_office(bed);
        let first = desk.template().await;
        for (request, expected) in [
            (template("RESIDENT_GAS", 1, Service::Gas, "2025-01-01"), "TEMPLATE_VERSION"),
            (template("RESIDENT_GAS", 3, Service::Gas, "2025-01-01"), "TEMPLATE_VERSION"),
            (template("RESIDENT_GAS", 2, Service::Heat, "2025-01-01"), "TEMPLATE_SERVICE"),
            (template("RESIDENT_GAS", 2, Service::Gas, "2024-01-01"), "TEMPLATE_DATE"),
            (template("RESIDENT_HEAT", 2, Service::Heat, "2025-01-01"), "TEMPLATE_VERSION"),
        ] {
            let status = desk.templates.publish_template(request).await.unwrap_err();
            assert_eq!((status.code(), reason(&status).as_str()), (Code::FailedPrecondition, expected));
        }
        let mut twice = template("RESIDENT_GAS", 2, Service::Gas, "2025-07-01");
        twice.clauses[1].clause_no = "1".to_owned();
        let status = desk.templates.publish_template(twice).await.unwrap_err();
        assert_eq!((reason(&status).as_str(), fields(&status)), ("DUPLICATE", vec!["clauses".to_owned()]));

        let second = desk
            .templates
            .publish_template(template("RESIDENT_GAS", 2, Service::Gas, "2025-07-01"))
            .await
            .unwrap()
            .into_inner()
            .template
            .unwrap();
        assert_eq!(second.template_id, first.template_id);
        let get = |version| GetTemplateRequest {
            template_id: first.template_id.clone(),
            version,
        };
        assert_eq!(desk.templates.get_template(get(1)).await.unwrap().into_inner().template.unwrap(), first);
        assert_eq!(desk.templates.get_template(get(0)).await.unwrap().into_inner().template.unwrap(), second);
        assert_eq!(first.clauses[1].text, "第一行\n第二行");
        assert_eq!(desk.templates.get_template(get(3)).await.unwrap_err().code(), Code::NotFound);
        let unknown = GetTemplateRequest {
            template_id: key(),
            version: 0,
        };
        assert_eq!(desk.templates.get_template(unknown).await.unwrap_err().code(), Code::NotFound);

        desk.templates
            .publish_template(template("RESIDENT_HEAT", 1, Service::Heat, "2024-01-01"))
            .await
            .unwrap();
        let list = ListTemplatesRequest {
            service: Service::Gas.into(),
            ..ListTemplatesRequest::default()
        };
        let listed = desk.templates.list_templates(list).await.unwrap().into_inner().templates;
        assert_eq!(listed.iter().map(|t| (t.version, t.clauses.len())).collect::<Vec<_>>(), [(1, 0), (2, 0)]);
        assert_eq!(
            desk.templates
                .list_templates(ListTemplatesRequest::default())
                .await
                .unwrap()
                .into_inner()
                .templates
                .len(),
            3
        );
        assert_eq!(events(bed, &first.template_id).await, ["TemplatePublished", "TemplatePublished"]);

        for sql in [
            "UPDATE template_version SET title = 'x' WHERE template_id = $1",
            "DELETE FROM template_version WHERE template_id = $1",
        ] {
            assert_eq!(
                raw(bed, sql, vec![uuid(&first.template_id)]).await,
                Err("TEMPLATE_VERSION_IS_APPEND_ONLY".to_owned())
            );
        }
    })
    .await;
}
