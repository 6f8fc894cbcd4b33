//! What the emulator does not enforce and a linter does not know of the template.

use std::collections::BTreeMap;

use crate::binaries::FUNCTIONS;

/// What is wrong, a sentence each.
///
/// The template is read as text: it is ours and regular, and its short forms
/// (`!Sub`) are no plain YAML anyway.
pub(crate) fn complaints(template: &str, workflow: &str) -> Vec<String> {
    let mut found = Vec::new();
    let resources = resources(template);
    for (name, text) in &resources {
        if text.contains("Type: AWS::IAM::Role") && without_comments(text).contains('*') {
            found.push(format!("{name} holds a wildcard"));
        }
    }
    for function in FUNCTIONS {
        let name = capitalized(function);
        for (kind, needed) in [
            ("Function", format!("Role: !GetAtt {name}Role.Arn")),
            ("Function", format!("LoggingConfig: {{ LogGroup: !Ref {name}LogGroup }}")),
            ("LogGroup", "RetentionInDays:".to_owned()),
            ("Role", "Service: lambda.amazonaws.com".to_owned()),
        ] {
            let resource = format!("{name}{kind}");
            if !resources.get(resource.as_str()).is_some_and(|text| text.contains(&needed)) {
                found.push(format!("{resource} lacks `{needed}`"));
            }
        }
        // State machine roles are not enforced by the emulator.
        let invoked = workflow.contains(&format!("${{{name}FunctionArn}}"));
        let allowed = resources
            .get("TransferStateMachineRole")
            .is_some_and(|text| text.contains(&format!("- !GetAtt {name}Function.Arn")));
        if invoked != allowed {
            let wrong = if invoked { "may not invoke" } else { "needlessly may invoke" };
            found.push(format!("the state machine's role {wrong} {function}"));
        }
    }
    found
}

/// The text of each resource by its logical id.
fn resources(template: &str) -> BTreeMap<&str, String> {
    let lines = template.lines().skip_while(|line| *line != "Resources:").skip(1);
    let mut resources = BTreeMap::new();
    let mut current = None;
    for line in lines.take_while(|line| *line != "Outputs:") {
        let name = line.strip_prefix("  ").and_then(|rest| rest.strip_suffix(':'));
        if let Some(name) = name.filter(|name| name.chars().all(char::is_alphanumeric)) {
            current = Some(name);
        }
        if let Some(name) = current {
            let text: &mut String = resources.entry(name).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    resources
}

fn without_comments(text: &str) -> String {
    text.lines().filter(|line| !line.trim_start().starts_with('#')).collect()
}

fn capitalized(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEMPLATE: &str = include_str!("../../../template.yaml");
    const WORKFLOW: &str = include_str!("../../../statemachine/transfer.asl.json");

    #[test]
    fn the_template_in_the_project_has_no_complaints() {
        assert_eq!(complaints(TEMPLATE, WORKFLOW), Vec::<String>::new());
    }

    #[test]
    fn a_wildcard_in_a_role_is_told() {
        let broken = TEMPLATE.replace("Action: states:StartExecution", "Action: states:*");
        assert_eq!(
            complaints(&broken, WORKFLOW),
            ["InitiateRole holds a wildcard", "SweepRole holds a wildcard"]
        );
    }

    #[test]
    fn a_right_that_the_state_machine_lacks_is_told() {
        let broken = TEMPLATE.replace("                  - !GetAtt PollFunction.Arn\n", "");
        assert_eq!(complaints(&broken, WORKFLOW), ["the state machine's role may not invoke poll"]);
    }
}
