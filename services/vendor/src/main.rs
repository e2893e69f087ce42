//! The vendor service as a program of its own.

fn main() -> std::process::ExitCode {
    boot::run(vendor::SERVICE)
}
