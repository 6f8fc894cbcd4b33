//! Tests of `cargo xtask check template`.
//!
//! A test changes the text of one of the project's files in memory and expects exactly the
//! violations that follow from this change.

use super::*;

mod machines;
mod permissions;

pub(super) const TEMPLATE: &str = include_str!("../../../../template.yaml");
pub(super) const TRANSFER: &str = include_str!("../../../../statemachine/transfer.asl.json");

const SAMCONFIG: &str = include_str!("../../../../samconfig.toml");

/// File with the definition of a state machine.
struct DefinitionFile {
    path: &'static str,
    text: String,
}

/// The texts of the checked files. A test replaces parts of them.
pub(super) struct Project {
    template: String,
    /// The definition of the transfer workflow is the first one.
    definitions: Vec<DefinitionFile>,
    calls: String,
    samconfig: String,
}

impl Project {
    pub(super) fn unmodified() -> Self {
        Self {
            template: TEMPLATE.to_owned(),
            definitions: vec![DefinitionFile {
                path: "statemachine/transfer.asl.json",
                text: TRANSFER.to_owned(),
            }],
            calls: calls::DECLARED.to_owned(),
            samconfig: SAMCONFIG.to_owned(),
        }
    }

    /// Replaces every occurrence of `from` in `template.yaml`.
    pub(super) fn template(mut self, from: &str, to: &str) -> Self {
        assert!(self.template.contains(from), "the template has no {from}");
        self.template = self.template.replace(from, to);
        self
    }

    /// Replaces the first occurrence of `from` in `samconfig.toml`.
    pub(super) fn samconfig(mut self, from: &str, to: &str) -> Self {
        assert!(self.samconfig.contains(from), "samconfig.toml has no {from}");
        self.samconfig = self.samconfig.replacen(from, to, 1);
        self
    }

    /// Replaces the first occurrence of `from` in the definition of the transfer workflow.
    pub(super) fn workflow(mut self, from: &str, to: &str) -> Self {
        let transfer = &mut self.definitions[0];
        assert!(transfer.text.contains(from), "the workflow has no {from}");
        transfer.text = transfer.text.replacen(from, to, 1);
        self
    }

    /// Replaces the first occurrence of `from` in `calls.txt`.
    fn calls(mut self, from: &str, to: &str) -> Self {
        assert!(self.calls.contains(from), "calls.txt has no {from}");
        self.calls = self.calls.replacen(from, to, 1);
        self
    }

    pub(super) fn violations(&self) -> Vec<String> {
        let definitions = self.definitions.iter();
        let sources = Sources {
            template: Template::parse(&self.template).unwrap(),
            definitions: definitions
                .map(|file| Definition::parse(file.path, &file.text).unwrap())
                .collect(),
            calls: calls::read(&self.calls).unwrap(),
            code: code().clone(),
            environments: settings::parse_samconfig(&self.samconfig).unwrap(),
        };
        sources.violations().into_iter().flat_map(|(_, violations)| violations).collect()
    }
}

/// Returns the analysis of the project's code, which takes seconds and is the same in all tests.
fn code() -> &'static Code {
    static CODE: std::sync::OnceLock<Code> = std::sync::OnceLock::new();
    CODE.get_or_init(|| Code::of_project(&Paths::of_workspace().unwrap()).unwrap())
}

pub(super) fn assert_violations(project: &Project, violations: &[&str]) {
    assert_eq!(project.violations(), violations);
}

#[test]
fn template_of_the_project_has_no_violations() {
    let paths = Paths::of_workspace().unwrap();
    for (title, violations) in Sources::of_project(&paths).unwrap().violations() {
        assert_eq!(violations, Vec::<String>::new(), "{title}");
    }
}

#[test]
fn missing_and_unused_variables_are_reported() {
    assert_violations(
        &Project::unmodified().template(
            "          TRANSFERS_TABLE: !Ref TransfersTable\n          DOCUMENTS_TABLE: !Ref RegistryTable\n          DEADLINE_BASE",
            "          TABLE_NAME: !Ref TransfersTable\n          DOCUMENTS_TABLE: !Ref RegistryTable\n          DEADLINE_BASE",
        ),
        &[
            "push has the variable TABLE_NAME, which its code does not read",
            "push needs the variable TRANSFERS_TABLE, which is not set",
        ],
    );
}

#[test]
fn variable_for_an_uncalled_resource_is_reported() {
    assert_violations(
        &Project::unmodified().calls(
            "push         secretsmanager  OrdsSecret                        GetSecretValue\n",
            "",
        ),
        &[
            "push gets OrdsSecret by ORDS_SECRET_ARN, but calls nothing on it",
            "PushRole needlessly allows secretsmanager:GetSecretValue on OrdsSecret",
        ],
    );
}

#[test]
fn function_without_a_log_group_is_reported() {
    assert_violations(
        &Project::unmodified()
            .template("      LoggingConfig: { LogGroup: !Ref PollLogGroup }\n", ""),
        &[
            "PollRole needlessly allows logs:CreateLogStream on PollLogGroup",
            "PollRole needlessly allows logs:PutLogEvents on PollLogGroup",
            "PollFunction has no log group of its own",
            "PollLogGroup is the log group of no function",
        ],
    );
}

#[test]
fn resource_without_tags_is_reported() {
    let tags = "\n      Tags: [{ Key: project, Value: docferry }, { Key: environment, Value: !Ref Environment }]";
    let last_property = "SSESpecification: { SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt TableKey.Arn }";
    let tables = ["AuditTable", "DocumentsTable", "RegistryTable", "TransfersTable"];
    let missing_tags =
        |table| ["project", "environment"].map(|tag| format!("{table} lacks the tag {tag}"));
    let violations = tables.into_iter().flat_map(missing_tags).collect::<Vec<_>>();
    assert_violations(
        &Project::unmodified().template(&format!("{last_property}{tags}"), last_property),
        &violations.iter().map(String::as_str).collect::<Vec<_>>(),
    );

    let function_tags =
        "    Tags: { project: docferry, environment: !Ref Environment }\n\nResources:";
    let untagged = Project::unmodified().template(function_tags, "\nResources:").violations();
    assert!(untagged.contains(&"PollFunction lacks the tag project".to_owned()), "{untagged:?}");
    // Each function lacks both tags.
    let functions = TEMPLATE.matches("Type: AWS::Serverless::Function").count();
    assert_eq!(untagged.len(), 2 * functions);
}
