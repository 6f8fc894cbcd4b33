//! Checks that the Markdown documents match the project: the commands, links and tables in them,
//! and the names of files and tests.

mod blocks;
mod document;
mod names;
mod refusals;
mod tables;

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};

use crate::paths::Paths;
use crate::template::Template;

use document::Document;
pub(crate) use refusals::generate;

/// Returns the violations, one sentence each.
pub(crate) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let documents = read_documents(&paths.root)?;
    let template = Template::of_project(&paths.root)?;
    let mut violations = Vec::new();
    for document in &documents {
        violations.extend(blocks::violations(document)?);
        violations.extend(names::violations(document, &paths.root));
    }
    let text_of = |path: &str| {
        let document = documents.iter().find(|document| document.path == path);
        document
            .map(|document| document.text.as_str())
            .with_context(|| format!("{path} is missing"))
    };
    violations.extend(tables::setting_violations(text_of("docs/CONFIGURATION.md")?, &template));
    violations.extend(tables::code_and_route_violations(
        text_of("docs/OPERATIONS.md")?,
        text_of("docs/API.md")?,
        &template,
    ));
    violations.extend(tables::role_violations(text_of("docs/SECURITY.md")?));
    violations.extend(refusals::violations(text_of("docs/GRAPH.md")?));
    violations.extend(names::guarantees_without_test(text_of("docs/SEMANTICS.md")?));
    Ok(violations)
}

/// Reads every document in the project's folder, `docs/` and `docs/adr/`.
fn read_documents(root: &Path) -> Result<Vec<Document>> {
    let mut documents = Vec::new();
    for folder in ["", "docs", "docs/adr"] {
        let entries = fs::read_dir(root.join(folder)).with_context(|| format!("{folder}/"))?;
        for entry in entries {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root)?.to_string_lossy().replace('\\', "/");
                documents.push(Document { path: name, text: fs::read_to_string(&path)? });
            }
        }
    }
    documents.sort_by(|a, b| a.path.cmp(&b.path));
    Ok(documents)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_of_the_project_have_no_violations() {
        let paths = Paths::of_workspace().unwrap();
        assert_eq!(violations(&paths).unwrap(), Vec::<String>::new());
    }
}
