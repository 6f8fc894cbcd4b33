//! Makes a *localized* copy of `template.yaml`, which can be deployed to the AWS emulator.
//!
//! The copy refers to the built binaries and the state machines by absolute paths.

use std::path::Path;

use anyhow::{Result, bail};

use crate::binaries::FUNCTIONS;

/// Text before the path of a state machine's definition.
const DEFINITION: &str = "DefinitionUri: ";

/// Returns the template with absolute paths of the state machines' definitions and with a `CodeUri`
/// of each function's built binary in the folder `staged`.
///
/// With a `CodeUri`, the template can be deployed without `sam build`, which would make a release
/// build.
pub(crate) fn localized(template: &str, root: &Path, staged: &Path) -> Result<String> {
    let mut copy = String::with_capacity(template.len());
    // Binary that the last `BuildProperties` names, until its `CodeUri` is written.
    let mut binary = None;
    let mut function_count = 0;
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
            function_count += 1;
        }
    }
    if function_count != FUNCTIONS.len() {
        bail!(
            "template.yaml names the binary of {function_count} functions, expected {}",
            FUNCTIONS.len()
        );
    }
    Ok(copy)
}

/// Quotes a path for YAML. Every JSON string is also a valid YAML string.
fn quoted(path: &Path) -> String {
    serde_json::Value::from(path.to_string_lossy()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localized_template_changes_only_paths_of_binaries_and_definitions() {
        let template = include_str!("../../../template.yaml");
        let copy = localized(template, Path::new("/the root"), Path::new("/staged")).unwrap();

        for name in FUNCTIONS {
            assert!(copy.contains(&format!("      CodeUri: \"/staged/{name}\"\n")), "{name}");
        }
        assert!(copy.contains(r#"DefinitionUri: "/the root/statemachine/transfer.asl.json""#));
        assert_eq!(copy.lines().count(), template.lines().count() + FUNCTIONS.len());
    }
}
