use contracts::hearth::archive::v1::{
    GetTemplateRequest, GetTemplateResponse, ListTemplatesRequest, ListTemplatesResponse, PublishTemplateRequest, PublishTemplateResponse,
    template_service_server::TemplateService,
};
use tonic::{Request, Response, Status};

use super::ops;
use crate::Desk;

/// The gRPC service of contract templates.
pub struct Api(pub Desk);

#[tonic::async_trait]
impl TemplateService for Api {
    async fn publish_template(&self, request: Request<PublishTemplateRequest>) -> Result<Response<PublishTemplateResponse>, Status> {
        rpc::write(&self.0, request, ops::publish).await
    }
    async fn get_template(&self, request: Request<GetTemplateRequest>) -> Result<Response<GetTemplateResponse>, Status> {
        rpc::read(&self.0, request, ops::get).await
    }
    async fn list_templates(&self, request: Request<ListTemplatesRequest>) -> Result<Response<ListTemplatesResponse>, Status> {
        rpc::read(&self.0, request, ops::list).await
    }
}
