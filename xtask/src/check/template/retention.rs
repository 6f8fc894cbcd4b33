//! What survives when a stack is deleted, and what does not stand in the way of the next.

use serde_json::{Value, json};

use crate::template::{Resource, Template};

/// Environments that hold nothing which must survive.
const PASSING: [&str; 2] = ["local", "dev"];

/// Kinds that hold what cannot be made again.
const LASTING: [&str; 5] = [
    "AWS::DynamoDB::Table",
    "AWS::KMS::Key",
    "AWS::S3::Bucket",
    "AWS::SQS::Queue",
    "AWS::SecretsManager::Secret",
];

/// The bucket of the emulator, which no deployment on AWS makes.
const OF_EMULATOR: &str = "MakesExchangeBucket";

/// What is wrong, a sentence each.
pub(super) fn complaints(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    let passing = PASSING.map(|name| json!({ "Fn::Equals": [{ "Ref": "Environment" }, name] }));
    if *template.condition("IsProduction") != json!({ "Fn::Not": [{ "Fn::Or": passing }] }) {
        found.push("IsProduction is not every environment but local and dev".to_owned());
    }
    for resource in template.resources().filter(|r| LASTING.contains(&r.kind)) {
        if resource.attribute("Condition") == OF_EMULATOR {
            continue;
        }
        // A stack that could not be made deletes what it has made, and can be made again
        // only when that is gone: names are taken otherwise.
        let retain = if has_fixed_name(resource) { "RetainExceptOnCreate" } else { "Retain" };
        for (attribute, kept) in [("DeletionPolicy", retain), ("UpdateReplacePolicy", "Retain")] {
            if *resource.attribute(attribute) != in_production(kept) {
                found.push(format!(
                    "{} has no {attribute} of {kept} in production alone",
                    resource.id
                ));
            }
        }
    }
    found
}

fn in_production(policy: &str) -> Value {
    json!({ "Fn::If": ["IsProduction", policy, "Delete"] })
}

fn has_fixed_name(resource: Resource<'_>) -> bool {
    let names = ["BucketName", "Name", "QueueName", "TableName"];
    names.iter().any(|name| !resource.property(name).is_null())
}

#[cfg(test)]
mod tests {
    use crate::check::template::tests::{Project, told};

    #[test]
    fn environment_that_is_neither_local_nor_dev_must_be_protected() {
        told(
            &Project::as_it_is().template(
                "IsProduction: !Not [!Or [!Equals [!Ref Environment, local], !Equals [!Ref Environment, dev]]]",
                "IsProduction: !Equals [!Ref Environment, prod]",
            ),
            &["IsProduction is not every environment but local and dev"],
        );
    }

    #[test]
    fn secret_that_is_lost_with_its_stack_is_reported() {
        let secret = "  OrdsSecret:\n    Type: AWS::SecretsManager::Secret\n";
        let kept = "    DeletionPolicy: !If [IsProduction, RetainExceptOnCreate, Delete]\n    UpdateReplacePolicy: !If [IsProduction, Retain, Delete]\n";
        told(
            &Project::as_it_is().template(&format!("{secret}{kept}"), secret),
            &[
                "OrdsSecret has no DeletionPolicy of RetainExceptOnCreate in production alone",
                "OrdsSecret has no UpdateReplacePolicy of Retain in production alone",
            ],
        );
    }

    #[test]
    fn fixed_name_that_a_failed_creation_leaves_taken_is_reported() {
        let queue =
            "  AuditQueue:\n    Type: AWS::SQS::Queue\n    DeletionPolicy: !If [IsProduction, ";
        told(
            &Project::as_it_is().template(
                &format!("{queue}RetainExceptOnCreate, Delete]"),
                &format!("{queue}Retain, Delete]"),
            ),
            &["AuditQueue has no DeletionPolicy of RetainExceptOnCreate in production alone"],
        );
    }
}
