//! Generates clients from `openapi.yaml` with openapi-generator, and builds them in
//! `target/clients/` together with the programs in `tests/clients/` that use them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use super::npm;
use crate::binaries::cargo;
use crate::extras;
use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// File in the folder of a client with the reason why the client could not be built.
const FAILURE_FILE: &str = "failure.txt";

/// A client that openapi-generator generates.
struct Client {
    /// Folder in `target/clients/` and `tests/clients/`.
    folder: &'static str,
    /// Name of the generator.
    generator: &'static str,
    /// Subfolder of `target/clients/{folder}` for the generated files.
    output: &'static str,
    /// Additional options of the generator.
    options: &'static [&'static str],
}

/// All generated clients. The tests build and run the clients for Python, TypeScript and Rust, and
/// read the sources of the other clients. The client for C# does not use the default library of the
/// generator, because that library cannot read a number where the description has `oneOf`.
const CLIENTS: [Client; 6] = [
    Client { folder: "python", generator: "python", output: "client", options: &[] },
    Client { folder: "typescript", generator: "typescript-fetch", output: "client", options: &[] },
    Client { folder: "rust", generator: "rust", output: "client", options: &[] },
    Client { folder: "java", generator: "java", output: "client", options: &[] },
    Client {
        folder: "csharp",
        generator: "csharp",
        output: "client",
        options: &["--library", "httpclient"],
    },
    Client { folder: "go", generator: "go", output: "client", options: &[] },
];

/// The generated clients, ready for their tests.
pub(super) struct Clients {
    /// Folder with a subfolder for each client.
    pub(super) folder: PathBuf,
    /// Python with the dependencies of the generated Python client.
    pub(super) python: PathBuf,
}

/// Generates and builds the clients. If the generator cannot be installed, prints a line and
/// returns `None`. If a client cannot be built, the test of this client fails.
pub(super) fn or_skip(paths: &Paths, tools: &Tools) -> Option<Clients> {
    let node = extras::NODE.ensure(paths, tools);
    let tools_and_node = Tools::clients(paths).and_then(|generator| Ok((generator, node?)));
    match tools_and_node {
        Ok((generator, node)) => {
            let folder = make_clients(paths, &generator, &node);
            Some(Clients { folder, python: generator.python() })
        }
        Err(error) => {
            println!("skipped: the generated clients ({error:#})");
            None
        }
    }
}

/// Generates and builds all clients. A failure is written to the folder of the client, where the
/// client's test reads it.
fn make_clients(paths: &Paths, generator: &Tools, node: &Path) -> PathBuf {
    let folder = paths.target.join("clients");
    println!("Generating and building clients in target/clients …");
    let start = Instant::now();
    for client in &CLIENTS {
        let client_folder = folder.join(client.folder);
        let failure_file = client_folder.join(FAILURE_FILE);
        let result =
            generate(paths, generator, client, &client_folder).and_then(|()| match client.folder {
                "typescript" => build_typescript(paths, node, &client_folder),
                "rust" => build_rust(paths, &client_folder),
                _ => Ok(()),
            });
        let write_result = match result {
            Ok(()) => Ok(()),
            Err(error) => fs::write(failure_file, format!("{error:#}")),
        };
        if let Err(error) = write_result {
            println!("{}: {error}", client.folder);
        }
    }
    println!("The clients were built in {} s.", start.elapsed().as_secs());
    folder
}

/// Generates the sources of a client. If the project has a program that uses them, copies it into
/// the client's folder.
fn generate(paths: &Paths, generator: &Tools, client: &Client, client_folder: &Path) -> Result<()> {
    let output = client_folder.join(client.output);
    // An earlier run may have left files in both folders.
    for earlier_output in [&output, &client_folder.join("out")] {
        if earlier_output.exists() {
            fs::remove_dir_all(earlier_output)?;
        }
    }
    fs::create_dir_all(client_folder)?;
    let earlier_failure = client_folder.join(FAILURE_FILE);
    if earlier_failure.exists() {
        fs::remove_file(earlier_failure)?;
    }
    let mut command = generator.command("openapi-generator-cli")?;
    command.args(["generate", "--generator-name", client.generator, "--input-spec"]);
    command.arg(paths.root.join("openapi.yaml")).arg("--output").arg(&output);
    command.args(client.options);
    process::run_quietly(&mut command, &client_folder.join("generate.log"))
        .with_context(|| format!("the client for {} could not be generated", client.folder))?;
    let program_folder = paths.root.join("tests/clients").join(client.folder);
    if !program_folder.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(program_folder)? {
        let entry = entry?;
        fs::copy(entry.path(), client_folder.join(entry.file_name()))?;
    }
    Ok(())
}

/// Compiles the client and its program. The compiler also checks their types.
fn build_typescript(paths: &Paths, node: &Path, client_folder: &Path) -> Result<()> {
    if !client_folder.join("node_modules/typescript/bin/tsc").exists() {
        npm::install(node, client_folder, &paths.tools.join("typescript.log"))
            .context("TypeScript could not be installed")?;
    }
    let mut compiler = Command::new(node);
    compiler
        .arg("node_modules/typescript/bin/tsc")
        .args(["--project", "."])
        .current_dir(client_folder);
    process::run_quietly(&mut compiler, &client_folder.join("compile.log"))
        .context("the client for TypeScript does not compile")
}

/// Compiles the client and its program. They use the lock file of the workspace, so that their
/// dependencies have the same versions.
fn build_rust(paths: &Paths, client_folder: &Path) -> Result<()> {
    fs::copy(paths.root.join("Cargo.lock"), client_folder.join("Cargo.lock"))?;
    let mut build = cargo(paths);
    build.args(["build", "--quiet", "--target-dir"]).arg(&paths.target).current_dir(client_folder);
    process::run_quietly(&mut build, &client_folder.join("compile.log"))
        .context("the client for Rust does not compile")?;
    fs::copy(paths.target.join("debug/generated-client-round"), client_folder.join("round"))?;
    Ok(())
}
