use contracts::hearth::hall::v1::{staff_service_server::StaffService, *};

use super::ops;
use crate::Desk;

/// Serves `StaffService`.
pub struct Api(pub Desk);

rpc::service! {
    StaffService for Api(Desk) {
        write register_staff(RegisterStaffRequest) -> RegisterStaffResponse = ops::register;
        write assign_posts(AssignPostsRequest) -> AssignPostsResponse = ops::assign_posts;
        write end_staff(EndStaffRequest) -> EndStaffResponse = ops::end;
        write record_training(RecordTrainingRequest) -> RecordTrainingResponse = ops::record_training;
        write record_certificate(RecordCertificateRequest) -> RecordCertificateResponse = ops::record_certificate;
        write confirm_certificate(ConfirmCertificateRequest) -> ConfirmCertificateResponse = ops::confirm_certificate;
        write revoke_certificate(RevokeCertificateRequest) -> RevokeCertificateResponse = ops::revoke_certificate;
        read get_staff(GetStaffRequest) -> GetStaffResponse = ops::get;
        read list_staff(ListStaffRequest) -> ListStaffResponse = ops::list;
        write reveal_staff(RevealStaffRequest) -> RevealStaffResponse = ops::reveal;
        read check_staff_certified(CheckStaffCertifiedRequest) -> CheckStaffCertifiedResponse = ops::check;
        read list_certificate_warnings(ListCertificateWarningsRequest) -> ListCertificateWarningsResponse = ops::warnings;
    }
}
