//! Permissions of the roles, expressed by the template's logical ids.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::template::{Resource, Template, each, referred};

/// Permission for one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    /// IAM action, such as `dynamodb:GetItem`.
    pub(super) action: String,
    /// Logical id of a resource, or a part of it: `TransfersTable/index/unfinished`,
    /// `TransferStateMachine/executions`.
    pub(super) resource: String,
}

impl Right {
    pub(super) fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into() }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// Permissions of a role, and violations in their policies.
#[derive(Debug, Default)]
pub(super) struct Granted {
    pub(super) rights: BTreeSet<Right>,
    pub(super) violations: Vec<String>,
}

/// Returns the permissions of every role in the template, by logical id.
pub(super) fn granted(template: &Template) -> BTreeMap<&str, Granted> {
    template
        .of_kind("AWS::IAM::Role")
        .map(|role| (role.id, role_permissions(template, role)))
        .collect()
}

fn role_permissions(template: &Template, role: Resource<'_>) -> Granted {
    let mut granted = Granted::default();
    if !role.property("ManagedPolicyArns").is_null() {
        granted.violations.push(format!("{} has managed policies", role.id));
    }
    if role.property("AssumeRolePolicyDocument").to_string().contains('*') {
        granted.violations.push(format!("{} can be assumed by anyone", role.id));
    }
    for policy in each(role.property("Policies")) {
        for statement in each(&policy["PolicyDocument"]["Statement"]) {
            granted.read(template, role.id, statement);
        }
    }
    granted
}

impl Granted {
    fn read(&mut self, template: &Template, role: &str, statement: &Value) {
        let known = ["Sid", "Effect", "Action", "Resource", "Condition"];
        let members = statement.as_object().into_iter().flatten();
        for (member, _) in members.filter(|(member, _)| !known.contains(&member.as_str())) {
            self.violations.push(format!("{role} has the unsupported statement member {member}"));
        }
        if statement["Effect"] != "Allow" {
            self.violations.push(format!("{role} has an Effect other than Allow"));
        }
        let mut resources = BTreeSet::new();
        for resource in each(&statement["Resource"]) {
            match resource_name(template, resource) {
                Ok(name) => resources.extend([name]),
                Err(UnnamedResource::Wildcard(text)) => {
                    self.violations.push(format!("{role} contains a wildcard: {text}"));
                }
                Err(UnnamedResource::Unknown) => {
                    let text = format!("{role} refers to an unknown resource: {resource}");
                    self.violations.push(text);
                }
            }
        }
        for action in each(&statement["Action"]).iter().filter_map(Value::as_str) {
            if action.contains(['*', '?']) {
                self.violations.push(format!("{role} contains a wildcard: {action}"));
                continue;
            }
            // A role may use the key only for the URL of the transfer that the context names.
            if action.starts_with("kms:") && !has_bound_context(template, &statement["Condition"]) {
                self.violations.push(format!("{role} may use {action} in any encryption context"));
            }
            self.rights.extend(resources.iter().map(|resource| Right::new(action, resource)));
        }
    }
}

/// Returns whether calls of KMS must name the transfer, and nothing else, in their encryption
/// context. Both conditions are needed: `ForAllValues` is also true without any context, and `Null`
/// is also true with additional keys.
fn has_bound_context(template: &Template, condition: &Value) -> bool {
    let only = &condition["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"];
    let present = json!({ "kms:EncryptionContext:transferId": "false" });
    // The emulator does not provide the encryption context to policies.
    let nothing = json!({ "Ref": "AWS::NoValue" });
    let present = json!({ "Fn::If": ["SeesEncryptionContext", present, nothing] });
    let on_emulator = json!({ "Fn::Equals": [{ "Ref": "EmulatorGatewayResponses" }, "true"] });
    let sees = json!({ "Fn::Not": [on_emulator] });
    only == "transferId"
        && condition["Null"] == present
        && *template.condition("SeesEncryptionContext") == sees
}

/// Reason why a resource in a policy has no name.
enum UnnamedResource {
    Wildcard(String),
    Unknown,
}

/// Returns the name of a resource in a policy: its logical id, and the part of it.
fn resource_name(template: &Template, value: &Value) -> Result<String, UnnamedResource> {
    if let Some((id, attribute)) = referred(value) {
        let part = if attribute == Some("StreamArn") { "/stream" } else { "" };
        return match template.resource(id) {
            Some(_) => Ok(format!("{id}{part}")),
            None => Err(UnnamedResource::Unknown),
        };
    }
    if let Some(machine) = template.owner(value) {
        return Ok(machine.to_owned());
    }
    let text = value.as_str().or(value["Fn::Sub"].as_str()).ok_or(UnnamedResource::Unknown)?;
    // Execution ARNs are the only permitted pattern, because an execution's name contains its
    // transfer's id. The pattern must have exactly this form.
    if let Some((machine, name)) =
        text.split_once(":execution:").and_then(|(_, rest)| rest.rsplit_once(':'))
    {
        let id = "?".repeat(32);
        let transfer_patterns = [1, 2].map(|digits| "?".repeat(digits)).map(|number| {
            // The name of a transfer, or of a document in a batch.
            [format!("{id}-{number}"), format!("{id}_????-{number}")]
        });
        let owner = template.machines().find(|m| m.property("Name")["Fn::Sub"] == machine);
        return match owner {
            Some(owner) if transfer_patterns.as_flattened().iter().any(|form| form == name) => {
                Ok(format!("{}/executions", owner.id))
            }
            Some(_) if name.contains(['*', '?']) => Err(UnnamedResource::Wildcard(text.to_owned())),
            _ => Err(UnnamedResource::Unknown),
        };
    }
    // Objects have no logical ids. They are named by a prefix of the bucket.
    if let Some((id, prefix)) = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix("/*")?.split_once(".Arn}/"))
        .filter(|(_, prefix)| !prefix.is_empty() && !prefix.contains(['*', '?', '/']))
    {
        return match template.resource(id) {
            Some(bucket) if bucket.kind == "AWS::S3::Bucket" => Ok(format!("{id}/{prefix}")),
            _ => Err(UnnamedResource::Wildcard(text.to_owned())),
        };
    }
    if text.contains(['*', '?']) {
        return Err(UnnamedResource::Wildcard(text.to_owned()));
    }
    // The rule that notifies Step Functions of the end of an execution.
    if let Some((_, rule)) = text.split_once(":rule/") {
        return Ok(format!("rule/{rule}"));
    }
    // `${Table.Arn}/index/name`
    let (id, part) = text
        .strip_prefix("${")
        .and_then(|rest| rest.split_once(".Arn}"))
        .ok_or(UnnamedResource::Unknown)?;
    template.resource(id).map(|_| format!("{id}{part}")).ok_or(UnnamedResource::Unknown)
}

/// Checks policies outside the roles. A resource policy may allow everyone only under a condition,
/// and no other resource may grant permissions.
pub(super) fn violations(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for resource in template.resources() {
        if ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"].contains(&resource.kind) {
            found.push(format!("{} grants permissions outside the roles", resource.id));
        }
        for document in ["KeyPolicy", "PolicyDocument", "ResourcePolicy"] {
            for statement in each(&resource.property(document)["Statement"]) {
                let for_everybody = statement["Principal"].to_string().contains("\"*\"");
                if for_everybody && statement["Condition"].is_null() {
                    found.push(format!("{} is open to everyone", resource.id));
                }
            }
        }
    }
    for function in template.functions() {
        if !function.property_or_global("Policies").is_null() {
            found.push(format!("{} has policies outside its role", function.id));
        }
    }
    found
}
