//! The step `template` of `cargo xtask test`: checks `template.yaml` and the state machines with
//! the AWS linters.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;
use serde_json::json;

use crate::check::Definition;
use crate::emulator::credentials;
use crate::paths::Paths;
use crate::process;
use crate::template::Template;
use crate::tools::Tools;

pub(crate) fn run(paths: &Paths, tools: &Tools) -> Result<()> {
    let template = paths.root.join("template.yaml");
    process::run(
        tools
            .command("sam")?
            .args(["validate", "--lint", "--template-file"])
            .arg(&template)
            .envs(credentials())
            .current_dir(&paths.root),
    )?;
    process::run(tools.command("cfn-lint")?.arg("--").arg(&template))?;
    let inlined = write_inlined_machines(paths)?;
    process::run(tools.command("cfn-lint")?.arg("--").arg(&inlined))?;
    println!("template and state machines: no problems found");
    Ok(())
}

/// Writes a template that contains the definitions of the state machines, and returns its path.
/// The template is for cfn-lint, which does not follow `DefinitionUri`.
fn write_inlined_machines(paths: &Paths) -> Result<PathBuf> {
    let parsed = Template::of_project(&paths.root)?;
    let mut machines = serde_json::Map::new();
    for (number, definition) in Definition::all(&paths.root)?.into_iter().enumerate() {
        let machine =
            parsed.machines().find(|machine| machine.property("DefinitionUri") == &definition.path);
        let substitutions = machine.map(|machine| machine.substitutions()).unwrap_or_default();
        let arn_names = substitutions.keys().filter(|name| name.ends_with("Arn"));
        let arns: serde_json::Map<_, _> =
            arn_names.map(|name| ((*name).to_owned(), json!(arn(name)))).collect();
        let resource = json!({
            "Type": "AWS::StepFunctions::StateMachine",
            "Properties": {
                "RoleArn": "arn:aws:iam::123456789012:role/lint",
                // The linter accepts any number here.
                "DefinitionString": definition.substitute_numbers(|_| 2),
                "DefinitionSubstitutions": arns,
            }
        });
        machines.insert(format!("Machine{number}"), resource);
    }
    let folder = paths.target.join("lint");
    fs::create_dir_all(&folder)?;
    let inlined = folder.join("statemachine.json");
    fs::write(&inlined, json!({ "Resources": machines }).to_string())?;
    Ok(inlined)
}

/// Returns an ARN for a placeholder. The linter checks only the format of the ARN.
fn arn(placeholder: &str) -> String {
    let service = if placeholder.contains("Function") { "lambda" } else { "states" };
    let resource = if service == "lambda" { "function" } else { "stateMachine" };
    format!("arn:aws:{service}:ca-central-1:123456789012:{resource}:{placeholder}")
}
