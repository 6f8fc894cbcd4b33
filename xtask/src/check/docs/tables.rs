//! Tables that list what stands elsewhere: each has all of it and nothing else.

use std::collections::BTreeSet;

use docferry_domain::FailureCode;

use crate::binaries::FUNCTIONS;

pub(super) fn complaints(operations: &str, api: &str, template: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (heading, there) in [
        ("## Template parameters", keys_below(template, "Parameters:", 2)),
        ("## Environment variables", variables(template)),
        ("## Failure codes", FailureCode::ALL.iter().map(|code| code.as_str().into()).collect()),
    ] {
        found.extend(differences(
            "docs/OPERATIONS.md",
            heading,
            &rows(operations, heading),
            &there,
        ));
    }
    for code in FailureCode::ALL {
        let row = operations.lines().find(|line| line.starts_with(&format!("| `{code}` |")));
        let says = if code.is_retryable() { "| yes |" } else { "| no |" };
        if row.is_some_and(|row| !row.contains(says)) {
            found.push(format!("docs/OPERATIONS.md: whether {code} is retried should be {says}"));
        }
    }
    let routes: BTreeSet<String> = api
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .collect::<Vec<_>>()
        .into_iter()
        .filter(|heading| heading.contains(" /"))
        .map(str::to_owned)
        .collect();
    found.extend(differences("docs/API.md", "the headings", &routes, &template_routes(template)));
    found
}

/// Every function has a row that says what it may.
pub(super) fn roles(security: &str) -> Vec<String> {
    let heading = "## What each function may";
    let there = FUNCTIONS.iter().map(|name| (*name).to_owned()).collect();
    differences("docs/SECURITY.md", heading, &rows(security, heading), &there)
}

fn differences(
    document: &str,
    place: &str,
    listed: &BTreeSet<String>,
    there: &BTreeSet<String>,
) -> Vec<String> {
    let missing =
        there.difference(listed).map(|name| format!("{document}, {place}: {name} is missing"));
    let surplus =
        listed.difference(there).map(|name| format!("{document}, {place}: {name} does not exist"));
    missing.chain(surplus).collect()
}

/// The names in the first column of the tables below a heading.
fn rows(text: &str, heading: &str) -> BTreeSet<String> {
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

/// The keys of a section of the template, which is regular: two spaces a level.
fn keys_below(template: &str, section: &str, indent: usize) -> BTreeSet<String> {
    let lines = template.lines().skip_while(|line| *line != section).skip(1);
    lines
        .take_while(|line| line.is_empty() || line.starts_with(' '))
        .filter_map(|line| key(line, indent))
        .map(str::to_owned)
        .collect()
}

/// The variables of all functions: what stands one level below each `Variables:`.
fn variables(template: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut indent = None;
    for line in template.lines() {
        if line.trim() == "Variables:" {
            indent = Some(line.len() - line.trim_start().len() + 2);
        } else if let Some(depth) = indent {
            if line.len() - line.trim_start().len() < depth {
                indent = None;
            } else {
                names.extend(key(line, depth).map(str::to_owned));
            }
        }
    }
    names
}

fn key(line: &str, indent: usize) -> Option<&str> {
    let rest = line.get(indent..).filter(|_| line[..indent].trim().is_empty())?;
    let name = rest.split(':').next().filter(|_| rest.contains(':'))?;
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    is_name.then_some(name)
}

/// `METHOD /path` of every event of a function.
fn template_routes(template: &str) -> BTreeSet<String> {
    let mut routes = BTreeSet::new();
    let mut path = None;
    for line in template.lines().map(str::trim) {
        if let Some(found) = line.strip_prefix("Path: ") {
            path = Some(found);
        } else if let Some(method) = line.strip_prefix("Method: ") {
            routes.extend(path.take().map(|path| format!("{} {path}", method.to_uppercase())));
        }
    }
    routes
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../../template.yaml");

    #[test]
    fn the_template_is_read_as_it_is_written() {
        let parameters = keys_below(TEMPLATE, "Parameters:", 2);
        assert!(parameters.contains("GraphTenantId") && parameters.contains("LogLevel"));
        assert!(!parameters.contains("Type"), "{parameters:?}");
        let variables = variables(TEMPLATE);
        assert!(variables.contains("ENVIRONMENT") && variables.contains("EXCHANGE_SECRET_ARN"));
        assert!(variables.iter().all(|name| name.to_uppercase() == *name), "{variables:?}");
        assert!(template_routes(TEMPLATE).contains("GET /document/status/{transferId}"));
    }

    #[test]
    fn what_is_missing_and_what_does_not_exist_is_told() {
        let text = "## Failure codes\n\n| code |\n|---|\n| `A` |\n| `B` |\n\n## Next\n| `C` |\n";
        let there = BTreeSet::from(["B".to_owned(), "D".to_owned()]);
        let told = differences("x.md", "here", &rows(text, "## Failure codes"), &there);
        assert_eq!(told, ["x.md, here: D is missing", "x.md, here: A does not exist"]);
    }
}
