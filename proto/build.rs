//! Compiles every contract under `proto/` in pure Rust; no protoc needs to be installed.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

type Failure = Box<dyn std::error::Error>;

const ROOT: &str = "proto";

#[expect(
    clippy::disallowed_methods,
    reason = "cargo tells a build script its output directory by a variable only"
)]
fn main() -> Result<(), Failure> {
    println!("cargo::rerun-if-changed={ROOT}");
    let mut contracts = Vec::new();
    collect(Path::new(ROOT), &mut contracts)?;
    contracts.sort();

    let mut compiler = protox::Compiler::new([ROOT])?;
    compiler.include_source_info(true).include_imports(true).open_files(&contracts)?;

    let out = PathBuf::from(env::var("OUT_DIR")?);
    fs::write(out.join("descriptors.binpb"), compiler.encode_file_descriptor_set())?;
    tonic_prost_build::configure()
        .btree_map(".")
        .boxed(".tidewatch.v1.AccountResult.result.found")
        .boxed(".tidewatch.v1.HealthResult.result.found")
        .boxed(".tidewatch.v1.WatchHealthResponse.message.changed")
        .compile_fds(compiler.file_descriptor_set())?;
    Ok(())
}

fn collect(folder: &Path, contracts: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, contracts)?;
        } else if path.extension().is_some_and(|extension| extension == "proto") {
            contracts.push(path);
        }
    }
    Ok(())
}
