//! Tests of the checks of the template, with modified copies of the project's sources.

use super::*;

mod machines;

pub(super) const TEMPLATE: &str = include_str!("../../../../template.yaml");
pub(super) const TRANSFER: &str = include_str!("../../../../statemachine/transfer.asl.json");

const SAMCONFIG: &str = include_str!("../../../../samconfig.toml");

/// The project with some of its sources modified.
pub(super) struct Project {
    template: String,
    definitions: Vec<(&'static str, String)>,
    calls: String,
    samconfig: String,
}

impl Project {
    pub(super) fn unmodified() -> Self {
        Self {
            template: TEMPLATE.to_owned(),
            definitions: vec![("statemachine/transfer.asl.json", TRANSFER.to_owned())],
            calls: calls::DECLARED.to_owned(),
            samconfig: SAMCONFIG.to_owned(),
        }
    }

    pub(super) fn template(mut self, from: &str, to: &str) -> Self {
        assert!(self.template.contains(from), "the template has no {from}");
        self.template = self.template.replace(from, to);
        self
    }

    pub(super) fn samconfig(mut self, from: &str, to: &str) -> Self {
        assert!(self.samconfig.contains(from), "samconfig.toml has no {from}");
        self.samconfig = self.samconfig.replacen(from, to, 1);
        self
    }

    pub(super) fn workflow(mut self, from: &str, to: &str) -> Self {
        assert!(self.definitions[0].1.contains(from), "the workflow has no {from}");
        self.definitions[0].1 = self.definitions[0].1.replacen(from, to, 1);
        self
    }

    fn calls(mut self, from: &str, to: &str) -> Self {
        assert!(self.calls.contains(from), "the table has no {from}");
        self.calls = self.calls.replacen(from, to, 1);
        self
    }

    pub(super) fn violations(&self) -> Vec<String> {
        let definitions = self.definitions.iter();
        let sources = Sources {
            template: Template::parse(&self.template).unwrap(),
            definitions: definitions.map(|(p, t)| Definition::parse(*p, t).unwrap()).collect(),
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
    CODE.get_or_init(|| Code::of_project(&Paths::of_workspace().unwrap().root).unwrap())
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

/// Permissions of the role of `push` on the table.
const PUSH_RIGHTS: &str = "Action: [dynamodb:ConditionCheckItem, dynamodb:DeleteItem, \
                           dynamodb:GetItem, dynamodb:UpdateItem]";

#[test]
fn wildcard_permission_is_reported() {
    assert_violations(
        &Project::unmodified()
            .template(PUSH_RIGHTS, &PUSH_RIGHTS.replace(']', ", \"dynamodb:*\"]")),
        &["PushRole contains a wildcard: dynamodb:*"],
    );
    assert_violations(
        &Project::unmodified().template(
            "Resource: !Sub ${TransfersTable.Arn}/index/unfinished",
            "Resource: !Sub ${TransfersTable.Arn}/index/*",
        ),
        &[
            "SweepRole contains a wildcard: ${TransfersTable.Arn}/index/*",
            "SweepRole lacks dynamodb:Query on TransfersTable/index/unfinished",
        ],
    );
}

#[test]
fn unneeded_permission_is_reported() {
    assert_violations(
        &Project::unmodified().template(
            PUSH_RIGHTS,
            &PUSH_RIGHTS.replace("dynamodb:UpdateItem", "dynamodb:PutItem, dynamodb:UpdateItem"),
        ),
        &["PushRole needlessly allows dynamodb:PutItem on TransfersTable"],
    );
}

#[test]
fn call_without_a_permission_is_reported() {
    assert_violations(
        &Project::unmodified()
            .template("Action: [kms:Decrypt, kms:Encrypt]", "Action: kms:Decrypt"),
        &["UploadRole lacks kms:Encrypt on SessionKey"],
    );
}

#[test]
fn difference_between_call_table_and_code_is_reported() {
    let pushes = "push         dynamodb        TransfersTable                    \
                  ConditionCheckItem DeleteItem GetItem UpdateItem";
    let rereads = pushes.replace("UpdateItem", "Query");
    assert_violations(
        &Project::unmodified().calls(pushes, &rereads),
        &[
            "push calls dynamodb:UpdateItem, which calls.txt does not list",
            "calls.txt lists push calling dynamodb:Query, but its code does not call it",
            "PushRole lacks dynamodb:Query on TransfersTable",
            "PushRole needlessly allows dynamodb:UpdateItem on TransfersTable",
        ],
    );
}

#[test]
fn key_usable_in_any_encryption_context_is_reported() {
    // Neither condition is enough: without a context there is no key other than transferId, and a
    // context with transferId may have additional keys.
    let only = "\"ForAllValues:StringEquals\": { kms:EncryptionContextKeys: transferId }";
    let present = "\"Null\": !If [SeesEncryptionContext, { \"kms:EncryptionContext:transferId\": \"false\" }, !Ref AWS::NoValue]";
    let sees = "!Not [!Equals [!Ref EmulatorGatewayResponses, \"true\"]]";
    for (condition, without) in [(only, "# none"), (present, "# none"), (sees, "!Equals [a, b]")] {
        assert_violations(
            &Project::unmodified().template(condition, without),
            &[
                "FinalizeRole may use kms:Decrypt in any encryption context",
                "SweepRole may use kms:Decrypt in any encryption context",
                "UploadRole may use kms:Decrypt in any encryption context",
                "UploadRole may use kms:Encrypt in any encryption context",
            ],
        );
    }
}

#[test]
fn missing_and_unused_variables_are_reported() {
    assert_violations(
        &Project::unmodified().template(
            "          TRANSFERS_TABLE: !Ref TransfersTable\n          DEADLINE_BASE",
            "          TABLE_NAME: !Ref TransfersTable\n          DEADLINE_BASE",
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
    let before = "SSESpecification: { SSEEnabled: true, SSEType: KMS, KMSMasterKeyId: !GetAtt TableKey.Arn }";
    let tables = ["DocumentsTable", "TransfersTable"];
    let missing_tags =
        |table| ["project", "environment"].map(|tag| format!("{table} lacks the tag {tag}"));
    let violations = tables.into_iter().flat_map(missing_tags).collect::<Vec<_>>();
    assert_violations(
        &Project::unmodified().template(&format!("{before}{tags}"), before),
        &violations.iter().map(String::as_str).collect::<Vec<_>>(),
    );
    let function_tags =
        "    Tags: { project: docferry, environment: !Ref Environment }\n\nResources:";
    let untagged = Project::unmodified().template(function_tags, "\nResources:").violations();
    assert!(untagged.contains(&"PollFunction lacks the tag project".to_owned()), "{untagged:?}");
    let functions = TEMPLATE.matches("Type: AWS::Serverless::Function").count();
    assert_eq!(untagged.len(), 2 * functions);
}

#[test]
fn shared_roles_and_policies_outside_roles_are_reported() {
    let project =
        Project::unmodified().template("Role: !GetAtt PollRole.Arn", "Role: !GetAtt PushRole.Arn");
    let violations = project.violations();
    for violation in [
        "PollRole is the role of 0 functions or state machines, not of one",
        "PushRole is the role of 2 functions or state machines, not of one",
    ] {
        assert!(violations.contains(&violation.to_owned()), "{violations:?}");
    }
    assert_violations(
        &Project::unmodified().template(
            "      FunctionName: !Sub ${AWS::StackName}-poll\n",
            "      FunctionName: !Sub ${AWS::StackName}-poll\n      Policies: [AmazonS3FullAccess]\n",
        ),
        &["PollFunction has policies outside its role"],
    );
}
