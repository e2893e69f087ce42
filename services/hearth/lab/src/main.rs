//! `lab full`: the whole programme, which takes hours and goes on where it was broken off. Called under the name of a service (`hearth-billing`) it is
//! that service, by the same `main`: so the processes that are killed are always those of this build.

use std::process::ExitCode;

fn main() -> ExitCode {
    let name = std::env::args().next().unwrap_or_default();
    let called = name.rsplit('/').next().unwrap_or_default();
    match lab::SERVICES.into_iter().find(|service| called == format!("hearth-{}", service.name)) {
        Some(service) => boot::run(service),
        None => lab::scenario::full::main(),
    }
}
