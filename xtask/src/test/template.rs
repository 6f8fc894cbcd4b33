//! The template and the state machine, by the linters of AWS.

use std::fs;

use anyhow::Result;
use serde_json::json;

use crate::emulator::credentials;
use crate::paths::Paths;
use crate::process;
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
    // The linter does not follow DefinitionUri: a template that holds the text.
    let definition = fs::read_to_string(paths.root.join("statemachine/transfer.asl.json"))?;
    let folder = paths.target.join("lint");
    fs::create_dir_all(&folder)?;
    let inlined = folder.join("statemachine.json");
    let substitutions: serde_json::Map<_, _> = ["Push", "Poll", "Upload", "Finalize"]
        .map(|name| {
            let arn = format!("arn:aws:lambda:ca-central-1:123456789012:function:{name}");
            (format!("{name}FunctionArn"), json!(arn))
        })
        .into_iter()
        .collect();
    let resource = json!({
        "Type": "AWS::StepFunctions::StateMachine",
        "Properties": {
            "RoleArn": "arn:aws:iam::123456789012:role/lint",
            "DefinitionString": definition,
            "DefinitionSubstitutions": substitutions,
        }
    });
    fs::write(&inlined, json!({ "Resources": { "Transfer": resource } }).to_string())?;
    process::run(tools.command("cfn-lint")?.arg("--").arg(&inlined))?;
    println!("template and state machine: no complaints");
    Ok(())
}
