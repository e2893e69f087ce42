//! Compiles the contracts without protoc: messages, clients, servers, validation, and the checks of the guard.

use std::{env, error::Error, fs, path::Path, path::PathBuf};

use protox::{
    Compiler,
    file::{ChainFileResolver, DescriptorSetFileResolver, GoogleFileResolver, IncludeFileResolver},
    prost_reflect,
};

#[path = "build/lint.rs"]
mod lint;
#[path = "build/wire.rs"]
mod wire;

fn main() -> Result<(), Box<dyn Error>> {
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let root = Path::new("../../proto");
    println!("cargo:rerun-if-changed=../../proto");
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");

    let mut names = vec![];
    protos(root, root, &mut names)?;
    names.sort();

    let validate = prost_protovalidate_types::DESCRIPTOR_POOL.encode_to_vec();
    let mut files = ChainFileResolver::new();
    files.add(IncludeFileResolver::new(root.into()));
    files.add(DescriptorSetFileResolver::decode(validate.as_slice())?);
    files.add(GoogleFileResolver::new());
    let mut compiler = Compiler::with_file_resolver(files);
    compiler.include_imports(true).include_source_info(true);
    compiler.open_files(&names).map_err(|e| format!("{}: {e}", e.file().unwrap_or("proto")))?;
    let set = compiler.encode_file_descriptor_set();
    fs::write(out.join("descriptor.bin"), &set)?;

    let pool = compiler.descriptor_pool();
    lint::check(&pool)?;
    fs::write(out.join("wire.rs"), wire::code(&pool)?)?;

    let mut config = prost_build::Config::new();
    config.enable_type_names();
    tonic_prost_build::configure()
        .codec_path("guard::GuardedCodec")
        .btree_map(".")
        .include_file("mod.rs")
        .extern_path(".buf.validate", "::prost_protovalidate::types")
        .compile_fds_with_config(compiler.file_descriptor_set(), config)?;
    guarded(&out)?;
    prost_protovalidate_build::Builder::new()
        .file_descriptor_set_bytes(set)
        .extern_path(".buf.validate", "::prost_protovalidate::types")
        .extern_path(".google.protobuf", "::prost_types")
        .fail_on_runtime_only(true)
        .compile()?;
    Ok(())
}

/// Lets the generated servers and clients take `guard`'s way through a unary call, which is compiled once and not once for each method. The
/// generator has no setting for it.
fn guarded(out: &Path) -> Result<(), Box<dyn Error>> {
    const NAMES: [(&str, &str); 2] = [
        ("tonic::server::Grpc::new", "guard::Grpc::new"),
        ("self.inner.unary(", "guard::ask(&mut self.inner, "),
    ];
    let mut found = [0_usize; 2];
    for entry in fs::read_dir(out)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rs") {
            let mut code = fs::read_to_string(&path)?;
            for ((theirs, ours), count) in NAMES.iter().zip(&mut found) {
                *count += code.matches(theirs).count();
                code = code.replace(theirs, ours);
            }
            fs::write(&path, code)?;
        }
    }
    if found.contains(&0) {
        return Err("the generator calls tonic by other names than before".into());
    }
    Ok(())
}

fn protos(root: &Path, folder: &Path, names: &mut Vec<String>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            protos(root, &path, names)?;
        } else if path.extension().is_some_and(|e| e == "proto") {
            names.push(path.strip_prefix(root)?.to_string_lossy().replace('\\', "/"));
        }
    }
    Ok(())
}
