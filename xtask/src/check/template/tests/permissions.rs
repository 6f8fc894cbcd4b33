//! Tests of the checks of IAM permissions in the template.

use super::{Project, assert_violations};

/// Permissions of the role of the function `push` on the table of transfers, as in the template.
const PUSH_PERMISSIONS: &str = "Action: [dynamodb:ConditionCheckItem, dynamodb:DeleteItem, \
                           dynamodb:GetItem, dynamodb:UpdateItem]";

#[test]
fn wildcard_permission_is_reported() {
    assert_violations(
        &Project::unmodified()
            .template(PUSH_PERMISSIONS, &PUSH_PERMISSIONS.replace(']', ", \"dynamodb:*\"]")),
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
            PUSH_PERMISSIONS,
            &PUSH_PERMISSIONS
                .replace("dynamodb:UpdateItem", "dynamodb:PutItem, dynamodb:UpdateItem"),
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
    let row = "push         dynamodb        TransfersTable                    \
                  ConditionCheckItem DeleteItem GetItem UpdateItem";
    let changed_row = row.replace("UpdateItem", "Query");

    assert_violations(
        &Project::unmodified().calls(row, &changed_row),
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
    // Neither condition is enough alone. Without `Null`, a call may have no context at all. Without
    // `ForAllValues`, the context may have keys besides transferId.
    let allowed_keys = "\"ForAllValues:StringEquals\": { kms:EncryptionContextKeys: transferId }";
    let required_key = "\"Null\": !If [SeesEncryptionContext, { \"kms:EncryptionContext:transferId\": \"false\" }, !Ref AWS::NoValue]";
    let outside_emulator = "!Not [!Equals [!Ref EmulatorGatewayResponses, \"true\"]]";
    let weakened =
        [(allowed_keys, "# none"), (required_key, "# none"), (outside_emulator, "!Equals [a, b]")];

    for (condition, replacement) in weakened {
        assert_violations(
            &Project::unmodified().template(condition, replacement),
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
fn shared_role_unused_role_and_policy_outside_a_role_are_reported() {
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
