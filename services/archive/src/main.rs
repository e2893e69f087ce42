fn main() -> std::process::ExitCode {
    boot::run(archive::SERVICE)
}
