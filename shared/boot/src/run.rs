use std::{collections::BTreeMap, process::ExitCode, time::Duration};

use anyhow::{Context, Result};
use calendar::Clock;
use clap::{Arg, ArgAction, Command};
use tokio::net::TcpListener;

use crate::{SETTINGS, Service, Settings, Start, host, telemetry};

/// How long a service that is told to end still serves, for whoever chooses between servers to see that it is going.
const PAUSE: Duration = Duration::from_secs(2);
/// After this a service that was told to end is ended, whatever it waits for.
const LONGEST: Duration = Duration::from_secs(30);

/// The whole of a service's `main`.
pub fn run(service: Service) -> ExitCode {
    let program = format!("hearth-{}", service.name);
    let mut command = Command::new(program.clone())
        .version(crate::VERSION)
        .about("A service of Hearth, the customer-service suite of a gas and heating utility")
        .arg(
            Arg::new("config")
                .long("config")
                .value_name("FILE")
                .help("settings file (TOML); flags and environment win over it"),
        );
    command = command.arg(
        Arg::new("healthy")
            .long("healthy")
            .action(ArgAction::SetTrue)
            .help("ask the service that runs with these settings whether it serves; exits with 0 if so"),
    );
    for setting in SETTINGS {
        let default = setting
            .default
            .filter(|d| !d.is_empty())
            .map_or_else(String::new, |d| format!(" [default: {}]", fill(d, service)));
        command = command.arg(
            Arg::new(setting.name)
                .long(setting.name.replace('_', "-"))
                .value_name("VALUE")
                .help(format!("{} [env: {}]{default}", setting.help, setting.variable)),
        );
    }
    let matches = command.get_matches();
    let flags: BTreeMap<_, _> = SETTINGS
        .iter()
        .filter_map(|s| Some((s.name.to_owned(), matches.get_one::<String>(s.name)?.clone())))
        .collect();
    let file = match matches
        .get_one::<String>("config")
        .map(|path| std::fs::read_to_string(path).with_context(|| format!("the settings file {path} cannot be read")))
        .transpose()
    {
        Ok(file) => file,
        Err(error) => return complain(&program, &[format!("{error:#}")]),
    };
    let settings = match Settings::read(service.name, service.port, &flags, |name| std::env::var(name).ok(), file.as_deref()) {
        Ok(settings) => settings,
        Err(mistakes) => return complain(&program, &mistakes),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return complain(&program, &[error.to_string()]),
    };
    if matches.get_flag("healthy") {
        let address = format!("https://localhost:{}", settings.listen.port());
        return match runtime.block_on(rpc::healthy(&address, &settings.tls.ca)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(reason) => complain(&program, &[reason]),
        };
    }
    match runtime.block_on(serve(service, settings)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => complain(&program, &[format!("{error:#}")]),
    }
}

fn fill(default: &str, service: Service) -> String {
    default.replace("{service}", service.name).replace("{port}", &service.port.to_string())
}

fn complain(program: &str, mistakes: &[String]) -> ExitCode {
    for mistake in mistakes {
        eprintln!("{program}: {mistake}");
    }
    ExitCode::FAILURE
}

async fn serve(service: Service, settings: Settings) -> Result<()> {
    let telemetry = telemetry::Telemetry::start(service.name, &settings.log, telemetry::Look::Json, settings.otlp_endpoint.as_deref())?;
    let listener = TcpListener::bind(settings.listen)
        .await
        .with_context(|| format!("{} cannot be listened on; set another with --listen", settings.listen))?;
    let running = host::start(
        service,
        Start {
            settings,
            clock: Clock::real(),
            listener,
        },
    )
    .await?;
    tracing::info!(service = service.name, address = %running.address, "serving");
    let outcome = running.run(signal()).await;
    rpc::unfinished_writes().await;
    telemetry.stop().await;
    outcome
}

/// Ends at SIGTERM or Ctrl-C, with the time for which the service goes on: a person at a terminal does not wait.
async fn signal() -> Duration {
    let interrupt = async {
        // Without a handler the process simply ends at the signal.
        let _ = tokio::signal::ctrl_c().await;
        Duration::ZERO
    };
    #[cfg(unix)]
    let pause = {
        let Ok(mut terminate) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()) else {
            return interrupt.await;
        };
        tokio::select! {
            pause = interrupt => pause,
            _ = terminate.recv() => PAUSE,
        }
    };
    #[cfg(not(unix))]
    let pause = interrupt.await;
    // A thread, since what does not end may be the runtime itself.
    #[allow(clippy::disallowed_methods, reason = "it blocks no thread but its own")]
    std::thread::spawn(|| {
        std::thread::sleep(LONGEST);
        eprintln!("the service does not end by itself");
        std::process::exit(1);
    });
    pause
}
