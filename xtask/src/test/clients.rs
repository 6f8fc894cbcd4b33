//! Clients that openapi-generator makes from `openapi.yaml`, and the programs in
//! `tests/clients/` that use them, built in `target/clients/`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};

use crate::binaries::cargo;
use crate::extras;
use crate::paths::Paths;
use crate::process;
use crate::tools::Tools;

/// A client: its folder, the generator, where below the folder its files go, and the
/// generator's options.
struct Client {
    folder: &'static str,
    generator: &'static str,
    below: &'static str,
    options: &'static [&'static str],
}

/// Three are run, and of the others the sources are read. The default library of the C#
/// generator cannot read a number where the description has `oneOf`.
const CLIENTS: [Client; 6] = [
    Client { folder: "python", generator: "python", below: "client", options: &[] },
    Client { folder: "typescript", generator: "typescript-fetch", below: "client", options: &[] },
    Client { folder: "rust", generator: "rust", below: "client", options: &[] },
    Client { folder: "java", generator: "java", below: "client", options: &[] },
    Client {
        folder: "csharp",
        generator: "csharp",
        below: "client",
        options: &["--library", "httpclient"],
    },
    Client { folder: "go", generator: "go", below: "client", options: &[] },
];

/// The clients, ready for their tests.
pub(super) struct Clients {
    /// A folder for each client.
    pub(super) folder: PathBuf,
    /// The Python that has what the client for Python imports.
    pub(super) python: PathBuf,
}

/// Generates and builds the clients. A line says when the generator cannot be installed
/// here; a client that does not build makes its test fail.
pub(super) fn or_left_out(paths: &Paths, tools: &Tools) -> Option<Clients> {
    let node = extras::NODE.ensure(paths, tools);
    let made = Tools::clients(paths).and_then(|generator| Ok((generator, node?)));
    match made {
        Ok((generator, node)) => {
            let folder = make(paths, &generator, &node);
            Some(Clients { folder, python: generator.python() })
        }
        Err(error) => {
            println!("left out: the generated clients ({error:#})");
            None
        }
    }
}

/// Makes all clients. A failure is written to the client's folder, where its test reads it.
fn make(paths: &Paths, generator: &Tools, node: &Path) -> PathBuf {
    let folder = paths.target.join("clients");
    println!("Generating and building clients in target/clients …");
    let start = Instant::now();
    for client in &CLIENTS {
        let at = folder.join(client.folder);
        let failure = at.join("failure.txt");
        let made = generate(paths, generator, client, &at).and_then(|()| match client.folder {
            "typescript" => build_typescript(paths, node, &at),
            "rust" => build_rust(paths, &at),
            _ => Ok(()),
        });
        let written = match made {
            Ok(()) => Ok(()),
            Err(error) => fs::write(failure, format!("{error:#}")),
        };
        if let Err(error) = written {
            println!("{}: {error}", client.folder);
        }
    }
    println!("The clients are ready after {} s.", start.elapsed().as_secs());
    folder
}

/// Generates the sources and puts the program that uses them beside them.
fn generate(paths: &Paths, generator: &Tools, client: &Client, at: &Path) -> Result<()> {
    let output = at.join(client.below);
    for folder in [&output, &at.join("out")] {
        if folder.exists() {
            fs::remove_dir_all(folder)?;
        }
    }
    fs::create_dir_all(at)?;
    let failure = at.join("failure.txt");
    if failure.exists() {
        fs::remove_file(failure)?;
    }
    let mut command = generator.command("openapi-generator-cli")?;
    command.args(["generate", "--generator-name", client.generator, "--input-spec"]);
    command.arg(paths.root.join("openapi.yaml")).arg("--output").arg(&output);
    command.args(client.options);
    process::run_quietly(&mut command, &at.join("generate.log"))
        .with_context(|| format!("the client for {} could not be generated", client.folder))?;
    let programs = paths.root.join("tests/clients").join(client.folder);
    if !programs.exists() {
        return Ok(());
    }
    for entry in fs::read_dir(programs)? {
        let entry = entry?;
        fs::copy(entry.path(), at.join(entry.file_name()))?;
    }
    Ok(())
}

/// Compiles, and with it checks the types of, the client and its program.
fn build_typescript(paths: &Paths, node: &Path, at: &Path) -> Result<()> {
    let mut npm = Command::new(node.with_file_name("npm"));
    npm.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]).current_dir(at);
    // Of the node beside it, and no other.
    let path = std::env::var_os("PATH").unwrap_or_default();
    let tools = node.parent().map(Path::to_owned).into_iter();
    npm.env("PATH", std::env::join_paths(tools.chain(std::env::split_paths(&path)))?);
    if !at.join("node_modules/typescript/bin/tsc").exists() {
        process::run_quietly(&mut npm, &paths.tools.join("typescript.log"))
            .context("TypeScript could not be installed; is the npm registry reachable?")?;
    }
    let mut compiler = Command::new(node);
    compiler.arg("node_modules/typescript/bin/tsc").args(["--project", "."]).current_dir(at);
    process::run_quietly(&mut compiler, &at.join("compile.log"))
        .context("the client for TypeScript does not compile")
}

/// Compiles with the workspace's versions: its lock file is the client's.
fn build_rust(paths: &Paths, at: &Path) -> Result<()> {
    fs::copy(paths.root.join("Cargo.lock"), at.join("Cargo.lock"))?;
    let mut build = cargo(paths);
    build.args(["build", "--quiet", "--target-dir"]).arg(&paths.target).current_dir(at);
    process::run_quietly(&mut build, &at.join("compile.log"))
        .context("the client for Rust does not compile")?;
    fs::copy(paths.target.join("debug/generated-client-round"), at.join("round"))?;
    Ok(())
}
