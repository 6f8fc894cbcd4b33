//! Checks the tables in the documents that list parameters, variables, failure codes, routes or
//! functions. Each table must be complete and must not list anything that does not exist.

use std::collections::BTreeSet;

use docferry_domain::failure::FailureCode;

use crate::binaries::FUNCTIONS;
use crate::template::Template;

/// Checks that every parameter and variable of the template has a row in `docs/CONFIGURATION.md`.
pub(super) fn setting_violations(configuration: &str, template: &Template) -> Vec<String> {
    [
        ("## Template parameters", template.parameters()),
        ("## Environment variables", template.variables()),
    ]
    .into_iter()
    .flat_map(|(heading, expected)| {
        differences(
            "docs/CONFIGURATION.md",
            heading,
            &names_below(configuration, heading),
            &expected,
        )
    })
    .collect()
}

/// Checks the failure codes in `docs/OPERATIONS.md` and the routes in `docs/API.md`.
pub(super) fn code_and_route_violations(
    operations: &str,
    api: &str,
    template: &Template,
) -> Vec<String> {
    let heading = "## Failure codes";
    let codes = FailureCode::ALL.iter().map(|code| code.as_str().into()).collect();
    let mut violations =
        differences("docs/OPERATIONS.md", heading, &names_below(operations, heading), &codes);
    for code in FailureCode::ALL {
        let row = operations.lines().find(|line| line.starts_with(&format!("| `{code}` |")));
        let expected_cell = if code.is_retryable() { "| yes |" } else { "| no |" };
        if row.is_some_and(|row| !row.contains(expected_cell)) {
            violations.push(format!(
                "docs/OPERATIONS.md: whether {code} is retried should be {expected_cell}"
            ));
        }
    }
    let routes: BTreeSet<String> = api
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .filter(|heading| heading.contains(" /"))
        .map(str::to_owned)
        .collect();
    violations.extend(differences("docs/API.md", "the headings", &routes, &template.routes()));
    violations
}

/// Checks that every function has a row with its permissions in `docs/SECURITY.md`.
pub(super) fn role_violations(security: &str) -> Vec<String> {
    let heading = "## What each function may";
    let expected = FUNCTIONS.iter().map(|name| (*name).to_owned()).collect();
    differences("docs/SECURITY.md", heading, &names_below(security, heading), &expected)
}

/// Returns a violation for each expected name that the document does not list, and for each listed
/// name that is not expected.
fn differences(
    document: &str,
    place: &str,
    listed: &BTreeSet<String>,
    expected: &BTreeSet<String>,
) -> Vec<String> {
    let missing =
        expected.difference(listed).map(|name| format!("{document}, {place}: {name} is missing"));
    let surplus = listed
        .difference(expected)
        .map(|name| format!("{document}, {place}: {name} does not exist"));
    missing.chain(surplus).collect()
}

/// Returns the names in the first column of the tables below a heading.
fn names_below(text: &str, heading: &str) -> BTreeSet<String> {
    text.lines()
        .skip_while(|line| *line != heading)
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .map(str::to_owned)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_and_surplus_table_rows_are_reported() {
        let text = "## Failure codes\n\n| code |\n|---|\n| `A` |\n| `B` |\n\n## Next\n| `C` |\n";
        let expected = BTreeSet::from(["B".to_owned(), "D".to_owned()]);
        let violations =
            differences("x.md", "here", &names_below(text, "## Failure codes"), &expected);
        assert_eq!(violations, ["x.md, here: D is missing", "x.md, here: A does not exist"]);
    }
}
