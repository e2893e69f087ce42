//! The billing service on its own: `hearth-billing --help`.

fn main() -> std::process::ExitCode {
    boot::run(billing::SERVICE)
}
