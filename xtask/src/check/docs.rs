//! Checks that the Markdown documents match the project: their commands, links, tables, and the
//! tests that they name.

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
    let documents = read(&paths.root)?;
    let template = Template::of_project(&paths.root)?;
    let mut found = Vec::new();
    for document in &documents {
        found.extend(blocks::violations(document)?);
        found.extend(names::violations(document, &paths.root));
    }
    let text_of = |path: &str| {
        let document = documents.iter().find(|document| document.path == path);
        document
            .map(|document| document.text.as_str())
            .with_context(|| format!("{path} is missing"))
    };
    found.extend(tables::settings(text_of("docs/CONFIGURATION.md")?, &template));
    found.extend(tables::codes_and_routes(
        text_of("docs/OPERATIONS.md")?,
        text_of("docs/API.md")?,
        &template,
    ));
    found.extend(tables::roles(text_of("docs/SECURITY.md")?));
    found.extend(refusals::violations(text_of("docs/GRAPH.md")?));
    found.extend(names::guarantees_without_test(text_of("docs/SEMANTICS.md")?));
    Ok(found)
}

/// Reads every document in the project's folder, `docs/` and `docs/adr/`.
fn read(root: &Path) -> Result<Vec<Document>> {
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
