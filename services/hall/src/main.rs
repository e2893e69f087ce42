//! The hall service.

fn main() -> std::process::ExitCode {
    boot::run(hall::SERVICE)
}
