//! The pages of `docs/` that are generated: from the contracts, from the services' reasons, from the settings.

use std::{collections::BTreeMap, fmt::Write, fs};

use contracts::hearth::options::v1::{Role, access::Audit};
use rpc::{AccessTable, Kind, Method, token::role_name};

use crate::tree::{files, has_word, root};

const RENEW: &str = "HEARTH_WRITE_DOCS=1 cargo test -p hearth --test it docs";

/// Compares a page with what it has to be, or writes it.
fn keep(name: &str, text: &str) {
    let path = root().join("docs").join(name);
    if std::env::var_os("HEARTH_WRITE_DOCS").is_some_and(|v| v == "1") {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, text).unwrap();
    } else {
        let found = fs::read_to_string(&path).unwrap_or_default();
        assert!(found == text, "docs/{name} is not what the code says; renew it with\n    {RENEW}");
    }
}

fn head(title: &str, text: &str) -> String {
    format!("# {title}\n\nGenerated; a test keeps it current (`{RENEW}` renews it).\n\n{text}\n")
}

const TITLES: [(&str, &str); 7] = [
    ("archive", "archive (客户档案), port 7701"),
    ("hall", "hall (服务厅), port 7702"),
    ("billing", "billing (抄表催费), port 7703"),
    ("vendor", "vendor (外包), port 7704"),
    ("journal", "journal, on every port"),
    ("job", "jobs, on every port"),
    ("clock", "clock, in `hearth demo` only"),
];

/// Decision 28: who may call what.
#[test]
fn access_md_is_current() {
    let mut page = head(
        "Who may call what",
        "One row for each RPC, one column for each role that occurs; ● means that the role is enough. Staff, customers and people of vendors are known by an access token, services\n\
         by their certificate. Whoever is not listed gets `PERMISSION_DENIED`, whoever is nobody `UNAUTHENTICATED`. Health and reflection need no token.\n\n\
         *Kind*: a read is masked; a write carries a `request_id`; a reveal shows personal data in clear text, needs a purpose and leaves a journal row.\n\
         *Bound by*: the field of the request that must equal the vendor or customer in the caller's token; such a caller may call nothing else. A caller with a branch sees the rows of that branch in\n\
         every method. A service that sends its user's token along may do what the user may as well, no more. *Audit*: what an auditor looks for beyond the journal row.",
    );
    let table = AccessTable::read().unwrap();
    let mut packages: BTreeMap<&str, Vec<&Method>> = BTreeMap::new();
    for method in table.methods() {
        packages.entry(method.name.split('.').nth(1).unwrap()).or_default().push(method);
    }
    for (package, title) in TITLES {
        let methods = packages.remove(package).unwrap();
        let mut roles: Vec<_> = methods.iter().flat_map(|m| m.access.roles()).collect();
        roles.sort_by_key(|r| *r as i32);
        roles.dedup();
        let names: Vec<_> = roles.iter().map(|r| role_name(*r).replace('_', " ")).collect();
        let _ = write!(page, "\n## {title}\n\n| RPC | kind | bound by | audit | {} |\n", names.join(" | "));
        let _ = writeln!(page, "| --- | --- | --- | --- |{}", " :-: |".repeat(roles.len()));
        for method in methods {
            let access = &method.access;
            let kind = match method.kind {
                Kind::Read => "read",
                Kind::Write => "write",
                Kind::Reveal => "reveal",
            };
            let bound = [
                ("vendor", &access.vendor_field),
                ("customer", &access.customer_field),
                ("branch", &access.branch_field),
            ];
            let bound: Vec<_> = bound
                .iter()
                .filter(|(_, f)| !f.is_empty())
                .map(|(who, field)| format!("{who}: `{field}`"))
                .collect();
            let audit = match access.audit() {
                Audit::Unspecified => "",
                Audit::Money => "money",
                Audit::Personal => "personal data",
                Audit::Authority => "authority",
            };
            let marks: Vec<_> = roles.iter().map(|r| if access.roles.contains(&(*r as i32)) { "●" } else { "" }).collect();
            let name = method.name.rsplit('.').next().unwrap();
            let open = if access.public { " (no token needed)" } else { "" };
            let _ = writeln!(page, "| `{name}`{open} | {kind} | {} | {audit} | {} |", bound.join(", "), marks.join(" | "));
        }
    }
    assert!(packages.is_empty(), "no title for {packages:?}");
    keep("access.md", &page);
}

/// Every role that is served stands in a column, so that a newcomer finds each one.
#[test]
fn no_role_is_unused_without_notice() {
    let table = AccessTable::read().unwrap();
    let used: Vec<_> = table.methods().iter().flat_map(|m| m.access.roles.clone()).collect();
    for role in [
        Role::Auditor,
        Role::Operator,
        Role::Customer,
        Role::VendorAdmin,
        Role::VendorWorker,
        Role::ServiceHall,
    ] {
        assert!(used.contains(&(role as i32)), "{role:?} may call nothing");
    }
}

/// Code, reason, when.
type Row = (&'static str, &'static str, &'static str);

/// Reasons of the frame, by the time at which a caller meets them.
const FRAME: &[(&str, &[Row])] = &[
    (
        "Before the request is read",
        &[
            ("UNAUTHENTICATED", "TOKEN_MISSING", "no access token, and no certificate of a service"),
            (
                "UNAUTHENTICATED",
                "TOKEN_INVALID",
                "not a token of the issuer for this suite: form, signature, algorithm, key, issuer, audience or life",
            ),
            ("UNAUTHENTICATED", "TOKEN_EXPIRED", "the token has expired; fetch another"),
            ("UNAUTHENTICATED", "TOKEN_NOT_YET_VALID", "the token is for later; the clocks may differ"),
            (
                "UNAUTHENTICATED",
                "TOKEN_WRONG_TYPE",
                "not an access token (`typ` is not `at+jwt`), such as an identity token",
            ),
            ("UNAUTHENTICATED", "TOKEN_REVOKED", "the token has been revoked"),
            (
                "PERMISSION_DENIED",
                "ACCOUNT_SUSPENDED",
                "the holder of the token, or the vendor of the holder, is suspended",
            ),
            ("UNAUTHENTICATED", "AUTH_AMBIGUOUS", "more than one `authorization`"),
            (
                "PERMISSION_DENIED",
                "METHOD_NOT_ALLOWED",
                "none of the roles of the caller, or of the user for whom a service calls, may call this method, or a bound caller calls a method that names no vendor or customer",
            ),
            ("PERMISSION_DENIED", "CALLER_NOT_ALLOWED", "the service that calls may not call this method"),
            ("UNIMPLEMENTED", "METHOD_UNKNOWN", "there is no such method here"),
            ("UNIMPLEMENTED", "CODEC_UNSUPPORTED", "only protobuf is spoken"),
            ("UNIMPLEMENTED", "ENCODING_UNSUPPORTED", "the message is compressed"),
            ("UNIMPLEMENTED", "CARDINALITY", "a second message, where the method takes one"),
            ("RESOURCE_EXHAUSTED", "HEADERS_TOO_LARGE", "more than 8 KiB of metadata"),
            (
                "RESOURCE_EXHAUSTED",
                "MESSAGE_TOO_LARGE",
                "the message is larger than 256 KiB, than 1 MiB where rows are imported or a document is taken, or an answer would be larger than 4 MiB; `limit` says which",
            ),
            (
                "RESOURCE_EXHAUSTED",
                "QUOTA_EXCEEDED",
                "more calls than the quota of the caller allows; `QuotaFailure` says which quota, `RetryInfo` when to try again",
            ),
            ("RESOURCE_EXHAUSTED", "CONCURRENCY_EXCEEDED", "the caller has too many calls in hand at once"),
            (
                "UNAVAILABLE",
                "OVERLOADED",
                "more is asked of the service than it can do; `RetryInfo` and the trailer `grpc-retry-pushback-ms` say when to try again",
            ),
            ("INVALID_ARGUMENT", "BAD_DEADLINE", "`grpc-timeout` is malformed"),
            (
                "DEADLINE_EXCEEDED",
                "DEADLINE_EXCEEDED",
                "the deadline has passed; what became of a write is found by sending it again with the same `request_id`",
            ),
            ("INTERNAL", "MALFORMED_MESSAGE", "the bytes are no message of the contract"),
        ],
    ),
    (
        "While the request is checked",
        &[
            (
                "PERMISSION_DENIED",
                "TENANT_SCOPE",
                "the request names another vendor, customer or branch than that of the caller",
            ),
            (
                "INVALID_ARGUMENT",
                "REQUEST_INVALID",
                "fields break rules of the contract; `BadRequest` lists up to 20, each with a reason of its own; a rule without one below is told by its name (`INT64_GTE`)",
            ),
            ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REQUIRED", "a write without `request_id`"),
            ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_FORMAT", "the `request_id` is no UUID"),
            ("INVALID_ARGUMENT", "IDEMPOTENCY_KEY_REUSED", "the `request_id` was used for another request"),
            ("INVALID_ARGUMENT", "ETAG_REQUIRED", "a change without the version that was read"),
            ("INVALID_ARGUMENT", "CONTROL_CHARACTER", "field violation: a text with a control character"),
            (
                "INVALID_ARGUMENT",
                "UNSAFE_CHARACTER",
                "field violation: a text with a character that hides or reorders others",
            ),
            ("INVALID_ARGUMENT", "INVALID", "field violation: a rule without a name of its own"),
            ("INVALID_ARGUMENT", "REQUIRED", "a value is required"),
            ("INVALID_ARGUMENT", "TOO_LONG", "the text is too long"),
            ("INVALID_ARGUMENT", "PATTERN", "the text has another form than the field's comment says"),
            ("INVALID_ARGUMENT", "TOO_MANY", "more items than may be given at once"),
            ("INVALID_ARGUMENT", "DUPLICATE", "it stands twice in the request"),
            ("INVALID_ARGUMENT", "ENUM_UNKNOWN", "the value is not known"),
            ("INVALID_ARGUMENT", "ID_FORMAT", "not a UUID"),
            ("INVALID_ARGUMENT", "DATE", "there is no such day, or not between 1900 and 2199"),
            ("INVALID_ARGUMENT", "TIME_RANGE", "a time outside the years 1900 to 2199"),
            ("INVALID_ARGUMENT", "CURRENCY", "an amount that is not in CNY"),
            ("INVALID_ARGUMENT", "AMOUNT_RANGE", "an amount beyond 10^11 fen"),
            ("INVALID_ARGUMENT", "DECIMAL_FORMAT", "not a plain decimal number"),
            ("INVALID_ARGUMENT", "SCALE", "a decimal number with more places than the field keeps"),
            ("INVALID_ARGUMENT", "DECIMAL_RANGE", "a decimal number out of range"),
            ("INVALID_ARGUMENT", "PAGE_SIZE", "a negative page size"),
            ("INVALID_ARGUMENT", "PAGE_TOKEN_INVALID", "a page token of another caller, method or filter"),
        ],
    ),
    (
        "While it is served",
        &[
            (
                "NOT_FOUND",
                "NOT_FOUND",
                "there is no such thing, or it is not the caller's: the two look the same; `ResourceInfo` names kind and id",
            ),
            ("ABORTED", "ETAG_MISMATCH", "the resource has changed since it was read; read it again"),
            ("ABORTED", "CONTENTION", "others are writing the same rows; try again"),
            ("FAILED_PRECONDITION", "JOB_ENDED", "the job has ended already"),
            ("FAILED_PRECONDITION", "CLOCK_BACKWARDS", "the simulated clock of a demo moves forward only"),
            (
                "UNAVAILABLE",
                "DEPENDENCY_UNAVAILABLE",
                "another service that is needed does not answer; the metadata `dependency` names it, `RetryInfo` says when to try again",
            ),
            (
                "UNAVAILABLE",
                "STORAGE_UNAVAILABLE",
                "the database cannot be reached; `RetryInfo` says when to try again",
            ),
            ("UNAVAILABLE", "STORAGE_FULL", "the disk of the database is full"),
            ("INTERNAL", "INTERNAL", "a mistake of ours; the log has the cause, with the trace of the call"),
        ],
    ),
    (
        "At start, in the log",
        &[
            (
                "FAILED_PRECONDITION",
                "DATABASE_UNSAFE",
                "a setting of the database could lose acknowledged writes",
            ),
            (
                "FAILED_PRECONDITION",
                "MIGRATION_CHANGED",
                "the tables were made by another program than this one",
            ),
        ],
    ),
    (
        "Among the services, in the log",
        &[(
            "FAILED_PRECONDITION",
            "HISTORY_DIFFERS",
            "the journal of a peer does not hold what was kept of it: restored from an older copy, cut or changed",
        )],
    ),
];

/// Texts in capitals that the frame's sources hold and that are no reasons.
const NO_REASONS: &[&str] = &[
    // names of codes
    "CANCELLED",
    "UNKNOWN",
    "ALREADY_EXISTS",
    "PERMISSION_DENIED",
    "RESOURCE_EXHAUSTED",
    "FAILED_PRECONDITION",
    "ABORTED",
    "INVALID_ARGUMENT",
    "OUT_OF_RANGE",
    "UNIMPLEMENTED",
    "UNAVAILABLE",
    "DATA_LOSS",
    "UNAUTHENTICATED",
    // a parked event behind another one
    "WAITS",
    // states of jobs
    "QUEUED",
    "RUNNING",
    "SUCCEEDED",
    "FAILED",  // a service that gives no reason
    "REFUSED", // words of SQL, of the command line, of cargo
    "UNIQUE",
    "FILE",
    "VALUE",
    "CARGO_PKG_VERSION",
];

/// One form for every refusal; its reasons are the contract.
#[test]
fn errors_md_is_current() {
    let mut page = head(
        "Errors",
        "Every refusal is a `google.rpc.Status` with an `ErrorInfo`: `reason` is what a program acts on and never changes its meaning, `domain` is `<service>.hearth`, `metadata` carries values\n\
         (never personal data). `BadRequest` names fields, `ResourceInfo` what was not found, `RetryInfo` when to try again. The message is English and for developers; no internal text leaves a service.\n\n\
         What to do about a code: `INVALID_ARGUMENT` mend the request; `FAILED_PRECONDITION` bring about the state that is missing; `ABORTED` read again and repeat; `ALREADY_EXISTS` and `NOT_FOUND` are\n\
         answers; `UNAVAILABLE` and `DEADLINE_EXCEEDED` repeat with the same `request_id`, after a pause; `PERMISSION_DENIED`, `UNAUTHENTICATED` ask somebody else or fetch a token; `INTERNAL` tell us.\n\n\
         ## Reasons of every service",
    );
    for (title, rows) in FRAME {
        let _ = write!(page, "\n### {title}\n\n| reason | code | when |\n| --- | --- | --- |\n");
        for (code, reason, when) in *rows {
            let _ = writeln!(page, "| `{reason}` | `{code}` | {when} |");
        }
    }
    macro_rules! service {
        ($name:ident, $title:literal) => {
            let rows: Vec<_> = $name::Refusal::ALL.iter().map(|r| (r.reason(), code(r.code()), r.message())).collect();
            section(&mut page, $title, &rows, $name::SERVICE.migrations);
        };
    }
    service!(archive, "archive (客户档案)");
    service!(hall, "hall (服务厅)");
    service!(billing, "billing (抄表催费)");
    service!(vendor, "vendor (外包)");
    keep("errors.md", &page);
}

fn section(page: &mut String, title: &str, rows: &[(&str, String, &str)], migrations: &[&str]) {
    let _ = write!(page, "\n## {title}\n\n| reason | code | message |\n| --- | --- | --- |\n");
    for (reason, code, message) in rows {
        let _ = writeln!(page, "| `{reason}` | `{code}` | {message} |");
    }
    let unique: Vec<_> = unique_rules(migrations)
        .into_iter()
        .filter(|rule| !rows.iter().any(|(reason, ..)| reason == rule))
        .map(|rule| format!("`{rule}`"))
        .collect();
    if !unique.is_empty() {
        let _ = write!(
            page,
            "\nRules of uniqueness that the database holds, `ALREADY_EXISTS`: {}.\n",
            unique.join(", ")
        );
    }
}

/// Names of the unique rules, as reasons.
fn unique_rules(migrations: &[&str]) -> Vec<String> {
    let mut rules = vec![];
    for line in migrations.iter().flat_map(|text| text.lines()).map(str::trim) {
        let named = line
            .strip_prefix("CREATE UNIQUE INDEX ")
            .or_else(|| line.strip_prefix("CONSTRAINT ").filter(|rest| rest.contains(" UNIQUE ")));
        rules.extend(named.and_then(|rest| rest.split(' ').next()).map(str::to_uppercase));
    }
    rules.sort();
    rules.dedup();
    rules
}

fn code(code: rpc::Code) -> String {
    let mut text = String::new();
    for c in format!("{code:?}").chars() {
        if c.is_uppercase() && !text.is_empty() {
            text.push('_');
        }
        text.extend(c.to_uppercase());
    }
    text
}

/// A reason that a client may meet stands on the page.
#[test]
fn every_reason_of_the_frame_is_on_the_page() {
    let known: Vec<_> = FRAME.iter().flat_map(|(_, rows)| rows.iter().map(|(_, reason, _)| *reason)).collect();
    let sources: Vec<_> = ["rpc", "guard", "database", "boot"]
        .iter()
        .flat_map(|c| files(&format!("shared/{c}/src"), "rs"))
        .collect();
    let code: Vec<_> = sources.iter().map(|(path, text)| (path, text.split("#[cfg(test)]").next().unwrap())).collect();
    let mut faults = vec![];
    for (path, text) in &code {
        for line in text.lines().filter(|l| !l.trim_start().starts_with("//")) {
            for word in line.split('"').skip(1).step_by(2) {
                let reason = word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase() || c == '_');
                let other = NO_REASONS.contains(&word) || word.starts_with("HEARTH_") || word.starts_with("OTEL_") || word.starts_with("ROLE_");
                if reason && !other && !known.contains(&word) {
                    faults.push(format!("{path}: {word}"));
                }
            }
        }
    }
    for reason in known {
        if !code.iter().any(|(_, text)| has_word(text, reason)) {
            faults.push(format!("{reason} is on the page and in no source"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Reasons with their codes: those of the frame, then those of each service.
fn reasons() -> Vec<(String, String)> {
    let frame = FRAME.iter().flat_map(|(_, rows)| rows.iter());
    let mut all: Vec<_> = frame.map(|(code, reason, _)| ((*reason).to_owned(), (*code).to_owned())).collect();
    macro_rules! service {
        ($name:ident) => {
            all.extend($name::Refusal::ALL.iter().map(|r| (r.reason().to_owned(), code(r.code()))));
        };
    }
    service!(archive);
    service!(hall);
    service!(billing);
    service!(vendor);
    all
}

/// One reason, one code: a program that acts on reasons need not know which service spoke.
#[test]
fn a_reason_has_one_code_in_the_whole_suite() {
    let mut codes: BTreeMap<String, String> = BTreeMap::new();
    let mut faults = vec![];
    for (reason, code) in reasons() {
        let first = codes.entry(reason.clone()).or_insert_with(|| code.clone());
        if *first != code {
            faults.push(format!("{reason} is {first} and {code}"));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Decision 12: every reason has a Chinese text, and no text stands for a reason that nobody gives.
#[test]
fn decision_12_every_reason_is_told_in_chinese() {
    let catalogue = guard::language::chinese();
    let known: Vec<_> = reasons().into_iter().map(|(reason, _)| reason).collect();
    // Names of rules of the contracts, which the validation library gives.
    let of_rules = ["STRING_", "ENUM_", "REPEATED_", "INT32_", "INT64_", "MESSAGE_"];
    let mut faults: Vec<_> = known
        .iter()
        .filter(|r| !catalogue.contains_key(r.as_str()))
        .map(|r| format!("{r} = "))
        .collect();
    let idle = catalogue
        .keys()
        .filter(|r| !known.iter().any(|k| k == *r) && !of_rules.iter().any(|p| r.starts_with(p)));
    faults.extend(idle.map(|r| format!("{r} is no reason any more")));
    faults.dedup();
    assert!(faults.is_empty(), "shared/guard/src/messages.zh-CN.txt:\n{}", faults.join("\n"));
}

/// Decision 28: every setting, once.
#[test]
fn settings_md_is_current() {
    let page = head(
        "Settings",
        "The same setting as a flag, as a variable of the environment, or in a TOML file (`--config FILE`); flags win over the environment, the environment over the file. All mistakes are told at once.\n\
         `{service}` and `{port}` stand for the name and the default port of the service.",
    );
    keep("settings.md", &format!("{page}\n{}", boot::settings_table()));
}
