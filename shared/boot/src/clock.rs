//! The RPC that moves a simulated clock; served in development only.

use calendar::Clock;
use contracts::hearth::clock::v1::{
    SetClockRequest, SetClockResponse,
    clock_service_server::{ClockService, ClockServiceServer},
};
use rpc::{Call, Fault, wire};
use tonic::{Request, Response, Status};

#[derive(Clone)]
pub(crate) struct Api(Clock);

pub(crate) fn server(clock: Clock) -> ClockServiceServer<Api> {
    ClockServiceServer::new(Api(clock))
}

#[tonic::async_trait]
impl ClockService for Api {
    async fn set_clock(&self, request: Request<SetClockRequest>) -> Result<Response<SetClockResponse>, Status> {
        rpc::read(&self.0, request, set).await
    }
}

async fn set(clock: Clock, _: Call, request: SetClockRequest) -> Result<SetClockResponse, Fault> {
    let time = wire::time_of(request.time.as_ref(), "time")?;
    if time < clock.now() {
        return Err(Fault::precondition("CLOCK_BACKWARDS", "the clock moves forward only"));
    }
    clock
        .set(time)
        .map_err(|_| Fault::precondition("CLOCK_BACKWARDS", "the clock cannot be moved"))?;
    Ok(SetClockResponse {
        time: Some(wire::time(clock.now())),
    })
}
