use contracts::hearth::archive::v1::{
    GetTemplateRequest, GetTemplateResponse, ListTemplatesRequest, ListTemplatesResponse, PublishTemplateRequest, PublishTemplateResponse,
    template_service_server::TemplateService,
};

use super::ops;
use crate::Desk;

/// The gRPC service of contract templates.
pub struct Api(pub Desk);

rpc::service! {
    TemplateService for Api(Desk) {
        write publish_template(PublishTemplateRequest) -> PublishTemplateResponse = ops::publish;
        read get_template(GetTemplateRequest) -> GetTemplateResponse = ops::get;
        read list_templates(ListTemplatesRequest) -> ListTemplatesResponse = ops::list;
    }
}
