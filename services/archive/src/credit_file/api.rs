use contracts::hearth::archive::v1::{
    CloseCreditFileRequest, CloseCreditFileResponse, GetCreditFileRequest, GetCreditFileResponse, ListCustomersRequest, ListCustomersResponse,
    ListFactsRequest, ListFactsResponse, ListLicenceExpiriesRequest, ListLicenceExpiriesResponse, OpenCreditFileRequest, OpenCreditFileResponse,
    RecordFactsRequest, RecordFactsResponse, RevealCreditFileRequest, RevealCreditFileResponse, VerifyCreditFileRequest, VerifyCreditFileResponse,
    credit_file_service_server::CreditFileService,
};

use super::{ops, read};
use crate::Desk;

/// The gRPC service of credit files.
pub struct Api(pub Desk);

rpc::service! {
    CreditFileService for Api(Desk) {
        write open_credit_file(OpenCreditFileRequest) -> OpenCreditFileResponse = ops::open;
        write record_facts(RecordFactsRequest) -> RecordFactsResponse = ops::record;
        write verify_credit_file(VerifyCreditFileRequest) -> VerifyCreditFileResponse = ops::verify;
        write close_credit_file(CloseCreditFileRequest) -> CloseCreditFileResponse = ops::close;
        read get_credit_file(GetCreditFileRequest) -> GetCreditFileResponse = read::get;
        write reveal_credit_file(RevealCreditFileRequest) -> RevealCreditFileResponse = read::reveal;
        read list_facts(ListFactsRequest) -> ListFactsResponse = read::facts;
        read list_customers(ListCustomersRequest) -> ListCustomersResponse = read::customers;
        read list_licence_expiries(ListLicenceExpiriesRequest) -> ListLicenceExpiriesResponse = read::expiries;
    }
}
