//! The copy of the template that is deployed to the local cloud.

use std::path::Path;

use anyhow::{Result, bail};

use crate::binaries::FUNCTIONS;

/// What comes before the path of a state machine's definition.
const DEFINITION: &str = "DefinitionUri: ";

/// The template with `CodeUri`s that point to what was built already, instead of
/// asking `sam build` for a release build. Nothing else differs.
pub(crate) fn localized(template: &str, root: &Path, staged: &Path) -> Result<String> {
    let mut copy = String::with_capacity(template.len());
    let mut binary = None;
    let mut placed = 0;
    for line in template.lines() {
        if let Some(name) = line.trim().strip_prefix("BuildProperties: { Binary: ") {
            binary = name.strip_suffix(" }");
        }
        match line.split_once(DEFINITION) {
            Some((indent, path)) => {
                copy += &format!("{indent}{DEFINITION}{}", quoted(&root.join(path)));
            }
            None => copy += line,
        }
        copy.push('\n');
        if line == "    Properties:"
            && let Some(name) = binary.take()
        {
            copy += &format!("      CodeUri: {}\n", quoted(&staged.join(name)));
            placed += 1;
        }
    }
    if placed != FUNCTIONS.len() {
        bail!("template.yaml names the binary of {placed} functions, expected {}", FUNCTIONS.len());
    }
    Ok(copy)
}

/// In YAML a string in double quotes may hold anything, written as in JSON.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_points_to_its_staged_binary_and_nothing_else_changes() {
        let template = include_str!("../../../template.yaml");
        let copy = localized(template, Path::new("/the root"), Path::new("/staged")).unwrap();
        for name in FUNCTIONS {
            assert!(copy.contains(&format!("      CodeUri: \"/staged/{name}\"\n")), "{name}");
        }
        assert!(copy.contains(r#"DefinitionUri: "/the root/statemachine/transfer.asl.json""#));
        assert_eq!(copy.lines().count(), template.lines().count() + FUNCTIONS.len());
    }
}
