use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use database::Target;
use http::Uri;
use rpc::{Load, TlsFiles};
use tracing_subscriber::EnvFilter;

use crate::KeySet;

/// One setting: the same name as flag, in the environment and in the file.
pub struct Setting {
    /// Name in a file and, with dashes, as a flag: `database_url`.
    pub name: &'static str,
    /// Name in the environment.
    pub variable: &'static str,
    /// Used when nobody sets it; `{service}` and `{port}` are filled in. `None` where it must be set.
    pub default: Option<&'static str>,
    pub help: &'static str,
}

const fn setting(name: &'static str, variable: &'static str, default: Option<&'static str>, help: &'static str) -> Setting {
    Setting { name, variable, default, help }
}

impl Setting {
    /// Where a person sets it.
    pub(crate) fn places(&self) -> String {
        format!("flag --{}, variable {}", self.name.replace('_', "-"), self.variable)
    }
}

/// Every setting of a service.
pub const SETTINGS: &[Setting] = &[
    setting(
        "database_url",
        "HEARTH_DATABASE_URL",
        Some("sqlite://{service}.db"),
        "database: sqlite://FILE or postgres://USER@HOST/NAME",
    ),
    setting("listen", "HEARTH_LISTEN", Some("127.0.0.1:{port}"), "address and port to listen on"),
    setting("issuer", "HEARTH_ISSUER", None, "issuer of the access tokens (claim iss)"),
    setting("jwks", "HEARTH_JWKS", None, "the issuer's key set (JWKS): a file, or a URL by https"),
    setting(
        "deny_list",
        "HEARTH_DENY_LIST",
        Some(""),
        "file of what is refused before its token runs out, looked at every 5 s: a line for each token (jti:ID), person (sub:SUBJECT) or vendor (vendor:ID)",
    ),
    setting(
        "tls_ca",
        "HEARTH_TLS_CA",
        None,
        "PEM file of the authority that signs the services' certificates",
    ),
    setting("tls_certificate", "HEARTH_TLS_CERTIFICATE", None, "PEM file of this service's certificate"),
    setting("tls_key", "HEARTH_TLS_KEY", None, "PEM file of this service's private key"),
    setting("vault_keys", "HEARTH_VAULT_KEYS", None, "key ring of the sealed personal data"),
    setting("files", "HEARTH_FILES", Some("{service}-files"), "folder of stored files"),
    setting(
        "bill_template",
        "HEARTH_BILL_TEMPLATE",
        Some(""),
        "template of bills as documents, a TOML file (billing only); the one of the service where none is named",
    ),
    setting("archive", "HEARTH_ARCHIVE", Some("https://127.0.0.1:7701"), "address of the archive service"),
    setting("hall", "HEARTH_HALL", Some("https://127.0.0.1:7702"), "address of the hall service"),
    setting("billing", "HEARTH_BILLING", Some("https://127.0.0.1:7703"), "address of the billing service"),
    setting("vendor", "HEARTH_VENDOR", Some("https://127.0.0.1:7704"), "address of the vendor service"),
    setting(
        "reflection",
        "HEARTH_REFLECTION",
        Some("on"),
        "whether the contracts can be asked for by reflection: on or off",
    ),
    setting(
        "origins",
        "HEARTH_ORIGINS",
        Some(""),
        "origins of browsers that may call by gRPC-Web, with commas between",
    ),
    setting(
        "connections_per_address",
        "HEARTH_CONNECTIONS_PER_ADDRESS",
        Some("2048"),
        "connections that one address may hold open; more where a proxy stands in front and all come from its address",
    ),
    setting(
        "quota",
        "HEARTH_QUOTA",
        Some("1000"),
        "calls a second that one caller may make on average; the people of a vendor count together as well, a service may ten times as much",
    ),
    setting(
        "calls_of_one",
        "HEARTH_CALLS_OF_ONE",
        Some("32"),
        "calls that one caller may have in hand at once; a service ten times as many",
    ),
    setting(
        "calls_in_hand",
        "HEARTH_CALLS_IN_HAND",
        Some("64"),
        "calls that the service works on at once, to begin with; it finds its own number from there",
    ),
    setting(
        "otlp_endpoint",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
        Some(""),
        "OpenTelemetry collector (gRPC); empty for none",
    ),
    setting("log", "HEARTH_LOG", Some("info"), "filter of the log, such as info or hall=debug,info"),
];

/// Settings of one service, checked.
#[derive(Clone, Debug)]
pub struct Settings {
    pub database: Target,
    pub listen: SocketAddr,
    pub issuer: String,
    pub jwks: KeySet,
    pub deny_list: Option<PathBuf>,
    pub tls: TlsFiles,
    pub vault_keys: PathBuf,
    pub files: PathBuf,
    pub bill_template: Option<PathBuf>,
    /// Addresses by service.
    pub peers: BTreeMap<&'static str, String>,
    pub reflection: bool,
    pub origins: Vec<String>,
    pub connections_per_address: usize,
    pub load: Load,
    pub otlp_endpoint: Option<String>,
    pub log: String,
}

impl Settings {
    /// Reads the settings of a service: flags win over the environment, that over the file, that over the defaults. Every mistake
    /// is told, not only the first.
    pub fn read(
        service: &str,
        port: u16,
        flags: &BTreeMap<String, String>,
        environment: impl Fn(&str) -> Option<String>,
        file: Option<&str>,
    ) -> Result<Self, Vec<String>> {
        let mut mistakes = vec![];
        let from_file = file.map(|text| parse_file(text, &mut mistakes)).unwrap_or_default();
        let mut values = BTreeMap::new();
        for setting in SETTINGS {
            let default = setting.default.map(|d| d.replace("{service}", service).replace("{port}", &port.to_string()));
            let value = flags
                .get(setting.name)
                .cloned()
                .or_else(|| environment(setting.variable))
                .or_else(|| from_file.get(setting.name).cloned())
                .or(default);
            match value {
                Some(value) => {
                    values.insert(setting.name, value);
                }
                None => mistakes.push(format!("{} is not set: {} ({})", setting.name, setting.help, setting.places())),
            }
        }
        let get = |name: &str| values.get(name).cloned().unwrap_or_default();
        let given = |name: &str| values.contains_key(name);

        let database = Target::parse(&get("database_url"))
            .map_err(|e| mistakes.push(format!("database_url: {e}")))
            .ok();
        let listen = get("listen")
            .parse()
            .map_err(|_| mistakes.push(format!("listen: {} is no address with a port, such as 127.0.0.1:{port}", get("listen"))))
            .ok();
        let mut exists = |name: &str| {
            if given(name) && !PathBuf::from(get(name)).is_file() {
                mistakes.push(format!("{name}: there is no file {}", get(name)));
            }
            PathBuf::from(get(name))
        };
        let tls = TlsFiles {
            ca: exists("tls_ca"),
            certificate: exists("tls_certificate"),
            key: exists("tls_key"),
        };
        let vault_keys = exists("vault_keys");
        let deny_list = if get("deny_list").is_empty() { None } else { Some(exists("deny_list")) };
        let bill_template = if get("bill_template").is_empty() {
            None
        } else {
            Some(exists("bill_template"))
        };
        let jwks = KeySet::parse(&get("jwks"));
        if let (true, Err(mistake)) = (given("jwks"), &jwks) {
            mistakes.push(format!("jwks: {mistake}"));
        }
        let reflection = match get("reflection").as_str() {
            "on" => true,
            "off" => false,
            other => {
                mistakes.push(format!("reflection: {other} is neither on nor off"));
                false
            }
        };
        let mut number = |name: &str| match get(name).parse() {
            Ok(n) if n > 0_u32 => n,
            _ => {
                mistakes.push(format!("{name}: {} is no number above zero", get(name)));
                1
            }
        };
        let connections = number("connections_per_address");
        let load = Load {
            quota: number("quota"),
            of_one: number("calls_of_one"),
            in_hand: number("calls_in_hand"),
        };
        let otlp_endpoint = Some(get("otlp_endpoint")).filter(|e| !e.is_empty());
        let origins: Vec<_> = get("origins").split(',').map(str::trim).filter(|o| !o.is_empty()).map(str::to_owned).collect();
        let peers: BTreeMap<_, _> = crate::PORTS.iter().map(|(name, _)| (*name, get(name))).collect();
        let addresses = peers.iter().map(|(name, address)| (*name, address));
        let addresses = addresses.chain(origins.iter().map(|origin| ("origins", origin)));
        for (name, address) in addresses.chain(otlp_endpoint.iter().map(|endpoint| ("otlp_endpoint", endpoint))) {
            mistakes.extend(origin(address).err().map(|mistake| format!("{name}: {mistake}")));
        }
        if let Err(mistake) = EnvFilter::try_new(get("log")) {
            mistakes.push(format!("log: {mistake}"));
        }
        match (database, listen, jwks) {
            (Some(database), Some(listen), Ok(jwks)) if mistakes.is_empty() => Ok(Self {
                database,
                listen,
                issuer: get("issuer"),
                jwks,
                deny_list,
                tls,
                vault_keys,
                files: get("files").into(),
                bill_template,
                peers,
                reflection,
                origins,
                connections_per_address: usize::try_from(connections).unwrap_or(usize::MAX),
                load,
                otlp_endpoint,
                log: get("log"),
            }),
            _ => Err(mistakes),
        }
    }
}

/// An address with scheme and host and without a path: the origin of a server or of a page in a browser.
///
/// # Errors
/// The mistake, in words.
pub fn origin(address: &str) -> Result<String, String> {
    let uri: Option<Uri> = address.parse().ok();
    let origin = uri.and_then(|uri| Some(format!("{}://{}", uri.scheme_str()?, uri.authority()?)));
    origin
        .filter(|origin| origin == address && origin.starts_with("http"))
        .ok_or_else(|| format!("{address} is no address such as https://hearth.example.com:7701"))
}

fn parse_file(text: &str, mistakes: &mut Vec<String>) -> BTreeMap<String, String> {
    let table: toml::Table = match text.parse() {
        Ok(table) => table,
        Err(error) => {
            mistakes.push(format!("the settings file is no TOML: {error}"));
            return BTreeMap::new();
        }
    };
    let mut values = BTreeMap::new();
    for (name, value) in table {
        match value.as_str() {
            _ if !SETTINGS.iter().any(|s| s.name == name) => mistakes.push(format!("{name}: there is no such setting")),
            Some(text) => {
                values.insert(name, text.to_owned());
            }
            None => mistakes.push(format!("{name}: the value has to be a text in quotes")),
        }
    }
    values
}

/// The table of settings for the documents.
pub fn settings_table() -> String {
    let mut text = "| setting | flag | variable | default | meaning |\n| --- | --- | --- | --- | --- |\n".to_owned();
    for s in SETTINGS {
        let default = match s.default {
            None => "must be set".to_owned(),
            Some("") => "none".to_owned(),
            Some(value) => format!("`{value}`"),
        };
        text.push_str(&format!(
            "| `{}` | `--{}` | `{}` | {default} | {} |\n",
            s.name,
            s.name.replace('_', "-"),
            s.variable,
            s.help
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_mistakes_are_told_at_once() {
        let environment = |name: &str| {
            let value = match name {
                "HEARTH_LISTEN" => "nowhere",
                "HEARTH_ORIGINS" => "https://portal.example.com, *",
                "HEARTH_VENDOR" => "vendor:7704",
                "HEARTH_REFLECTION" => "no",
                "HEARTH_LOG" => "hall=loud",
                "OTEL_EXPORTER_OTLP_ENDPOINT" => "https://collector/v1/traces",
                _ => return None,
            };
            Some(value.to_owned())
        };
        let flags = BTreeMap::from([("database_url".to_owned(), "mysql://x".to_owned())]);
        let mistakes = Settings::read("hall", 7702, &flags, environment, Some("colour = \"red\"\nissuer = 7\n"))
            .unwrap_err()
            .join("\n");
        for expected in [
            "colour: there is no such setting",
            "mysql is no database URL",
            "listen: nowhere",
            "origins: * is no address",
            "vendor: vendor:7704 is no address",
            "reflection: no is neither on nor off",
            "log: error parsing level filter",
            "issuer: the value has to be a text",
            "otlp_endpoint: https://collector/v1/traces is no address",
            "issuer is not set",
            "tls_key is not set",
        ] {
            assert!(mistakes.contains(expected), "{expected} is missing in\n{mistakes}");
        }
        assert!(!mistakes.contains("portal.example.com is") && !mistakes.contains("hall: "), "{mistakes}");
    }
}
