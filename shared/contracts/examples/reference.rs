//! Writes the reference of every RPC, message and enum, in the words of the contracts: `reference [FOLDER]`, one page a package.

use std::{collections::BTreeMap, env, error::Error, fmt::Write, fs, path::PathBuf};

use prost_reflect::{Cardinality, DescriptorPool, EnumDescriptor, FieldDescriptor, FileDescriptor, Kind, MessageDescriptor, MethodDescriptor};

/// Comments of a file by the path of what they stand before.
struct Comments(BTreeMap<Vec<i32>, String>);

impl Comments {
    fn of(file: &FileDescriptor) -> Self {
        let info = file.file_descriptor_proto().source_code_info.clone().unwrap_or_default();
        let text = |raw: &str| raw.lines().map(str::trim).collect::<Vec<_>>().join("\n").trim().replace('<', "\\<");
        let found = info
            .location
            .iter()
            .filter_map(|at| Some((at.path.clone(), text(at.leading_comments.as_deref()?))));
        Self(found.collect())
    }

    fn at(&self, path: &[i32]) -> &str {
        self.0.get(path).map_or("", String::as_str)
    }

    /// As one line of a table.
    fn cell(&self, path: &[i32]) -> String {
        self.at(path).split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
    }
}

/// Name within the package: `Party.State`.
fn short<'a>(full: &'a str, package: &str) -> &'a str {
    full.strip_prefix(package).map_or(full, |rest| rest.trim_start_matches('.'))
}

/// A name as a link to where it is described.
fn link(full: &str, package: &str) -> String {
    let anchor = |name: &str| name.to_lowercase().replace('.', "");
    match full.split('.').collect::<Vec<_>>().as_slice() {
        _ if full.starts_with(&format!("{package}.")) => {
            let name = short(full, package);
            format!("[{name}](#{})", anchor(name))
        }
        ["hearth", other, "v1", name @ ..] => {
            let name = name.join(".");
            format!("[{name}]({other}.md#{})", anchor(&name))
        }
        _ => format!("`{full}`"),
    }
}

fn type_of(field: &FieldDescriptor, package: &str) -> String {
    let one = match field.kind() {
        Kind::Message(message) => link(message.full_name(), package),
        Kind::Enum(descriptor) => link(descriptor.full_name(), package),
        scalar => format!("{scalar:?}").to_lowercase(),
    };
    match field.cardinality() {
        Cardinality::Repeated => format!("list of {one}"),
        _ if field.field_descriptor_proto().proto3_optional() => format!("{one}, optional"),
        _ => one,
    }
}

fn fields(page: &mut String, comments: &Comments, message: &MessageDescriptor, package: &str) {
    if message.fields().len() == 0 {
        return page.push_str("\nEmpty.\n");
    }
    page.push_str("\n| field | type | |\n| --- | --- | --- |\n");
    for field in message.fields() {
        let _ = writeln!(page, "| `{}` | {} | {} |", field.name(), type_of(&field, package), comments.cell(field.path()));
    }
}

fn rpc(page: &mut String, comments: &Comments, method: &MethodDescriptor, package: &str) {
    let _ = write!(page, "\n### {}\n\n{}\n", method.name(), comments.at(method.path()));
    let sides = [
        ("Request", method.input(), method.is_client_streaming()),
        ("Answer", method.output(), method.is_server_streaming()),
    ];
    for (side, message, streams) in sides {
        let _ = write!(page, "\n{side}{}\n", if streams { ", a stream:" } else { ":" });
        fields(page, comments, &message, package);
    }
}

fn values(page: &mut String, comments: &Comments, descriptor: &EnumDescriptor, package: &str) {
    let _ = write!(page, "\n### {}\n\n{}\n", short(descriptor.full_name(), package), comments.at(descriptor.path()));
    page.push_str("\n| value | number | |\n| --- | --- | --- |\n");
    for value in descriptor.values() {
        let _ = writeln!(page, "| `{}` | {} | {} |", value.name(), value.number(), comments.cell(value.path()));
    }
}

fn message(page: &mut String, comments: &Comments, descriptor: &MessageDescriptor, package: &str) {
    let _ = write!(page, "\n### {}\n\n{}\n", short(descriptor.full_name(), package), comments.at(descriptor.path()));
    fields(page, comments, descriptor, package);
    for inner in descriptor.child_enums() {
        values(page, comments, &inner, package);
    }
    for inner in descriptor.child_messages().filter(|m| !m.is_map_entry()) {
        message(page, comments, &inner, package);
    }
}

fn page(pool: &DescriptorPool, name: &str) -> String {
    let package = format!("hearth.{name}.v1");
    let files: Vec<_> = pool.files().filter(|f| f.package_name() == package).collect();
    let mut page = format!(
        "# Package {package}\n\nWho may call what stands in `docs/access.md`, what a refusal looks like in `docs/errors.md`. A request that breaks a limit of the contract is refused with\n\
         `INVALID_ARGUMENT` and the field; the limits stand beside the fields in `proto/hearth/{name}/v1`.\n"
    );
    let mut own = vec![];
    for file in &files {
        let comments = Comments::of(file);
        for service in file.services() {
            let _ = write!(page, "\n## {}\n\n{}\n", service.name(), comments.at(service.path()));
            for method in service.methods() {
                rpc(&mut page, &comments, &method, &package);
                own.extend([method.input(), method.output()].map(|m| m.full_name().to_owned()));
            }
        }
    }
    page.push_str("\n## Messages\n");
    for file in &files {
        let comments = Comments::of(file);
        for descriptor in file.messages().filter(|m| !own.iter().any(|name| name == m.full_name())) {
            message(&mut page, &comments, &descriptor, &package);
        }
        for descriptor in file.enums() {
            values(&mut page, &comments, &descriptor, &package);
        }
    }
    page
}

fn main() -> Result<(), Box<dyn Error>> {
    let folder = env::args_os().nth(1).map_or_else(|| PathBuf::from("target/reference"), PathBuf::from);
    fs::create_dir_all(&folder)?;
    let pool = DescriptorPool::decode(contracts::DESCRIPTORS)?;
    let names: BTreeMap<_, _> = pool
        .files()
        .filter_map(|f| Some((f.package_name().strip_prefix("hearth.")?.strip_suffix(".v1")?.to_owned(), ())))
        .collect();
    for name in names.into_keys().filter(|name| name != "options") {
        fs::write(folder.join(format!("{name}.md")), page(&pool, &name))?;
    }
    println!("the reference is in {}", folder.display());
    Ok(())
}
