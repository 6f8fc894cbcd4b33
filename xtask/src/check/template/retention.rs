//! Checks the deletion policies of the resources in `template.yaml`.
//!
//! A *deletion policy* states whether CloudFormation deletes a resource together with its stack.
//! Two rules apply. A resource with production data must remain when its stack is deleted. A
//! resource with a fixed name must not remain after a failed creation of a stack, because the next
//! creation would then fail.

use serde_json::{Value, json};

use crate::template::{Resource, Template};

/// Environments whose data may be lost.
const DISPOSABLE: [&str; 2] = ["local", "dev"];

/// Types of resources whose data cannot be recreated.
const DURABLE_TYPES: [&str; 5] = [
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
];

/// Condition of the exchange bucket in the template. The stack has this bucket only on the
/// emulator.
const EMULATOR_ONLY: &str = "MakesExchangeBucket";

/// Returns the violations, one sentence each.
pub(super) fn violations(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    let disposable =
        DISPOSABLE.map(|name| json!({ "Fn::Equals": [{ "Ref": "Environment" }, name] }));
    if *template.condition("IsProduction") != json!({ "Fn::Not": [{ "Fn::Or": disposable }] }) {
        violations
            .push("IsProduction must hold in every environment except local and dev".to_owned());
    }
    let is_durable = |resource: &Resource<'_>| DURABLE_TYPES.contains(&resource.resource_type);
    for resource in template.resources().filter(is_durable) {
        if resource.attribute("Condition") == EMULATOR_ONLY {
            continue;
        }
        let deletion_policy =
            if has_fixed_name(resource) { "RetainExceptOnCreate" } else { "Retain" };
        for (attribute, policy) in
            [("DeletionPolicy", deletion_policy), ("UpdateReplacePolicy", "Retain")]
        {
            if *resource.attribute(attribute) != in_production(policy) {
                violations.push(format!(
                    "{} must have the {attribute} {policy} in production only",
                    resource.id
                ));
            }
        }
    }
    violations
}

/// Returns the expression for a policy that applies in production only.
fn in_production(policy: &str) -> Value {
    json!({ "Fn::If": ["IsProduction", policy, "Delete"] })
}

fn has_fixed_name(resource: Resource<'_>) -> bool {
    let names = ["BucketName", "Name", "QueueName", "TableName"];
    names.iter().any(|name| !resource.property(name).is_null())
}

#[cfg(test)]
mod tests {
    use crate::check::template::tests::{Project, assert_violations};

    #[test]
    fn environment_that_is_neither_local_nor_dev_must_be_protected() {
        assert_violations(
            &Project::unmodified().template(
                "IsProduction: !Not [!Or [!Equals [!Ref Environment, local], !Equals [!Ref Environment, dev]]]",
                "IsProduction: !Equals [!Ref Environment, prod]",
            ),
            &["IsProduction must hold in every environment except local and dev"],
        );
    }

    #[test]
    fn secret_without_a_deletion_policy_is_reported() {
        let secret = "  OrdsSecret:\n    Type: AWS::SecretsManager::Secret\n";
        let policies = "    DeletionPolicy: !If [IsProduction, RetainExceptOnCreate, Delete]\n    UpdateReplacePolicy: !If [IsProduction, Retain, Delete]\n";
        assert_violations(
            &Project::unmodified().template(&format!("{secret}{policies}"), secret),
            &[
                "OrdsSecret must have the DeletionPolicy RetainExceptOnCreate in production only",
                "OrdsSecret must have the UpdateReplacePolicy Retain in production only",
            ],
        );
    }

    #[test]
    fn retained_fixed_name_after_failed_creation_is_reported() {
        let queue =
            "  AuditQueue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: !If [IsProduction, ";
        assert_violations(
            &Project::unmodified().template(
                &format!("{queue}RetainExceptOnCreate, Delete]"),
                &format!("{queue}Retain, Delete]"),
            ),
            &["AuditQueue must have the DeletionPolicy RetainExceptOnCreate in production only"],
        );
    }
}
