//! Writes `impl Visit` for every message and `impl Wire` for every request and answer.

use std::{collections::BTreeMap, error::Error, fmt::Write};

use protox::prost_reflect::{DescriptorPool, ExtensionDescriptor, FieldDescriptor, Kind, MessageDescriptor};

pub fn code(pool: &DescriptorPool) -> Result<String, Box<dyn Error>> {
    let mut code = String::new();
    visits(pool, &mut code)?;
    wires(pool, &mut code)?;
    Ok(code)
}

fn wires(pool: &DescriptorPool, code: &mut String) -> Result<(), Box<dyn Error>> {
    let option = pool.get_extension_by_name("hearth.options.v1.access").ok_or("the access option is missing")?;
    let mut impls = BTreeMap::<String, String>::new();
    for method in pool.services().flat_map(|s| s.methods().collect::<Vec<_>>()) {
        let options = method.options();
        let access = options.get_extension(&option);
        let path = |name: &str| {
            access
                .as_message()
                .and_then(|m| m.get_field_by_name(name)?.as_str().map(str::to_owned))
                .unwrap_or_default()
        };
        let mut body = "const REQUEST: bool = true;\n".to_owned();
        for name in ["vendor", "customer", "branch"] {
            let field = path(&format!("{name}_field"));
            if !field.is_empty() {
                writeln!(body, "    fn {name}(&self) -> Option<&str> {{ {} }}", access_path(&method.input(), &field)?)?;
            }
        }
        if method.input().get_field_by_name("request_id").is_some() {
            writeln!(body, "    fn request_id(&self) -> Option<&str> {{ Some(self.request_id.as_str()) }}")?;
        }
        impls.insert(method.input().full_name().to_owned(), body);
        impls
            .entry(method.output().full_name().to_owned())
            .or_insert_with(|| "const REQUEST: bool = false;\n".to_owned());
    }
    for (name, body) in impls {
        writeln!(
            code,
            "impl Wire for {} {{\n    {body}    fn read(bytes: &[u8]) -> Result<Self, DecodeError> {{ Message::decode(bytes) }}\n    \
             fn bytes(&self) -> Vec<u8> {{ self.encode_to_vec() }}\n    \
             fn rules(&self) -> Result<(), ValidationError> {{ self.validate() }}\n}}",
            rust_path(&name)
        )?;
    }
    Ok(())
}

fn access_path(message: &MessageDescriptor, path: &str) -> Result<String, Box<dyn Error>> {
    let missing = || format!("{}: {path} is no text field", message.full_name());
    let (mut at, mut code) = (message.clone(), "Some(self)".to_owned());
    let mut parts = path.split('.').peekable();
    while let Some(part) = parts.next() {
        let field = at.get_field_by_name(part).ok_or_else(missing)?;
        match (parts.peek(), field.kind()) {
            (None, Kind::String) if !field.is_list() && optional(&field) => write!(code, ".and_then(|m| m.{part}.as_deref())")?,
            (None, Kind::String) if !field.is_list() => write!(code, ".map(|m| m.{part}.as_str())")?,
            (Some(_), Kind::Message(inner)) if !field.is_list() => {
                write!(code, ".and_then(|m| m.{part}.as_ref())")?;
                at = inner;
            }
            _ => return Err(missing().into()),
        }
    }
    Ok(code)
}

fn visits(pool: &DescriptorPool, code: &mut String) -> Result<(), Box<dyn Error>> {
    let personal = pool
        .get_extension_by_name("hearth.options.v1.personal_data")
        .ok_or("the personal-data option is missing")?;
    let multiline = pool
        .get_extension_by_name("hearth.options.v1.multiline")
        .ok_or("the multiline option is missing")?;
    for message in pool.all_messages().filter(|m| m.full_name().starts_with("hearth.") && !m.is_map_entry()) {
        let mut body = String::new();
        for field in message.fields() {
            visit(&field, &personal, &multiline, &mut body)?;
        }
        let texts = if body.is_empty() { "_" } else { "texts" };
        writeln!(
            code,
            "impl Visit for {} {{\n    fn visit(&mut self, {texts}: &mut Texts) {{\n{body}    }}\n}}",
            rust_path(message.full_name())
        )?;
    }
    Ok(())
}

fn visit(field: &FieldDescriptor, personal: &ExtensionDescriptor, multiline: &ExtensionDescriptor, code: &mut String) -> Result<(), Box<dyn Error>> {
    let (plain, name) = (field.name(), escape(field.name()));
    let options = field.options();
    let class = options.get_extension(personal).as_enum_number().unwrap_or(0);
    let lines = options.get_extension(multiline).as_bool().unwrap_or(false);
    let act = |index: &str, value: &str| match field.kind() {
        Kind::String => Some(format!("texts.text(\"{plain}\", {index}, {class}, {lines}, {value});")),
        Kind::Message(m) if m.full_name().starts_with("hearth.") => Some(format!("texts.enter(\"{plain}\", {index}, {value});")),
        _ => None,
    };
    if field.is_map() {
        return Ok(());
    }
    if field.is_list() {
        if let Some(act) = act("Some(i)", "v") {
            writeln!(code, "        for (i, v) in self.{name}.iter_mut().enumerate() {{ {act} }}")?;
        }
    } else if let Some(choice) = field.containing_oneof().filter(|_| !optional(field)) {
        if let Some(act) = act("None", "v") {
            let parent = field.parent_message();
            let path = format!("{}::{}::{}", rust_module(parent.full_name()), camel(choice.name()), camel(plain));
            writeln!(code, "        if let Some({path}(v)) = &mut self.{} {{ {act} }}", escape(choice.name()))?;
        }
    } else if matches!(field.kind(), Kind::Message(_)) || optional(field) {
        if let Some(act) = act("None", "v") {
            writeln!(code, "        if let Some(v) = &mut self.{name} {{ {act} }}")?;
        }
    } else if let Some(act) = act("None", &format!("&mut self.{name}")) {
        writeln!(code, "        {act}")?;
    }
    Ok(())
}

fn optional(field: &FieldDescriptor) -> bool {
    field.field_descriptor_proto().proto3_optional()
}

/// `hearth.vendor.v1.Vendor.Contact` is `hearth::vendor::v1::vendor::Contact` in Rust.
fn rust_path(full: &str) -> String {
    let (parents, name) = full.rsplit_once('.').unwrap_or(("", full));
    format!("{}::{name}", rust_module(parents))
}

fn rust_module(full: &str) -> String {
    full.split('.').map(|part| escape(&snake(part))).collect::<Vec<_>>().join("::")
}

fn snake(name: &str) -> String {
    let mut text = String::new();
    for (i, c) in name.char_indices() {
        if c.is_ascii_uppercase() && i > 0 {
            text.push('_');
        }
        text.push(c.to_ascii_lowercase());
    }
    text
}

fn camel(name: &str) -> String {
    name.split('_')
        .map(|p| {
            p.chars()
                .enumerate()
                .map(|(i, c)| if i == 0 { c.to_ascii_uppercase() } else { c })
                .collect::<String>()
        })
        .collect()
}

fn escape(name: &str) -> String {
    match name {
        "type" | "use" | "ref" | "match" | "move" | "in" | "for" | "where" | "box" | "final" | "override" | "mod" | "loop" => format!("r#{name}"),
        _ => name.to_owned(),
    }
}
