//! Reads the IAM permissions of the template's roles, and checks the policies of the template.
//!
//! A *statement* of a policy lists actions and the resources on which it allows them. A
//! *permission* is one action on one resource. It names the resource by the logical id in
//! `template.yaml`, not by an ARN.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::template::{Reference, Resource, Template, as_list};

/// Members of a policy statement that these checks support.
const STATEMENT_MEMBERS: [&str; 5] = ["Sid", "Effect", "Action", "Resource", "Condition"];

/// Number of hexadecimal digits of a transfer id.
const TRANSFER_ID_DIGITS: usize = 32;

/// Permission for one action on one resource.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Permission {
    /// IAM action, such as `dynamodb:GetItem`.
    pub(super) action: String,
    /// Logical id of a resource. A part of a resource has a path after the id:
    /// `TransfersTable/index/unfinished`, `TransferStateMachine/executions`.
    pub(super) resource: String,
}

impl Permission {
    pub(super) fn new(action: &str, resource: impl Into<String>) -> Self {
        Self { action: action.to_owned(), resource: resource.into() }
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.action, self.resource)
    }
}

/// Permissions of a role, and the violations in the policies that grant them.
#[derive(Debug, Default)]
pub(super) struct RolePermissions {
    /// Permissions that the policies grant.
    pub(super) permissions: BTreeSet<Permission>,
    pub(super) violations: Vec<String>,
}

/// Returns the permissions of every role in the template, by logical id.
pub(super) fn permissions_by_role(template: &Template) -> BTreeMap<&str, RolePermissions> {
    template
        .of_type("AWS::IAM::Role")
        .map(|role| (role.id, role_permissions(template, role)))
        .collect()
}

fn role_permissions(template: &Template, role: Resource<'_>) -> RolePermissions {
    let mut permissions = RolePermissions::default();
    if !role.property("ManagedPolicyArns").is_null() {
        permissions.violations.push(format!("{} has managed policies", role.id));
    }
    if role.property("AssumeRolePolicyDocument").to_string().contains('*') {
        permissions.violations.push(format!("{} can be assumed by anyone", role.id));
    }
    for policy in as_list(role.property("Policies")) {
        for statement in as_list(&policy["PolicyDocument"]["Statement"]) {
            permissions.add_statement(template, role.id, statement);
        }
    }
    permissions
}

impl RolePermissions {
    /// Adds the permissions of a policy statement. If the statement breaks a rule, adds a
    /// violation.
    fn add_statement(&mut self, template: &Template, role: &str, statement: &Value) {
        let members = statement.as_object().into_iter().flatten().map(|(member, _)| member);
        for member in members.filter(|member| !STATEMENT_MEMBERS.contains(&member.as_str())) {
            self.violations.push(format!("{role} has the unsupported statement member {member}"));
        }
        if statement["Effect"] != "Allow" {
            self.violations.push(format!("{role} has an Effect other than Allow"));
        }
        let mut resources = BTreeSet::new();
        for resource in as_list(&statement["Resource"]) {
            match resource_name(template, resource) {
                Ok(name) => resources.extend([name]),
                Err(UnnamedResource::Wildcard(text)) => {
                    self.violations.push(format!("{role} contains a wildcard: {text}"));
                }
                Err(UnnamedResource::Unknown) => {
                    self.violations
                        .push(format!("{role} refers to an unknown resource: {resource}"));
                }
            }
        }
        for action in as_list(&statement["Action"]).iter().filter_map(Value::as_str) {
            if action.contains(['*', '?']) {
                self.violations.push(format!("{role} contains a wildcard: {action}"));
                continue;
            }
            // A role may use the key only with an encryption context that names a transfer, that
            // is, for the upload URL of that transfer.
            if action.starts_with("kms:")
                && !requires_transfer_context(template, &statement["Condition"])
            {
                self.violations.push(format!("{role} may use {action} in any encryption context"));
            }
            self.permissions
                .extend(resources.iter().map(|resource| Permission::new(action, resource)));
        }
    }
}

/// Returns whether a policy condition allows only KMS calls with exactly one key in the encryption
/// context: `transferId`.
///
/// The condition needs two operators, because each of them alone allows too much. `ForAllValues`
/// also allows a call without any context. `Null` also allows a context with additional keys.
fn requires_transfer_context(template: &Template, condition: &Value) -> bool {
    let allowed_keys = &condition["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"];
    let requires_transfer_id = json!({ "kms:EncryptionContext:transferId": "false" });
    // On the emulator, the condition has no value, because the emulator does not provide the
    // encryption context to policies.
    let no_value = json!({ "Ref": "AWS::NoValue" });
    let expected_null =
        json!({ "Fn::If": ["SeesEncryptionContext", requires_transfer_id, no_value] });
    let on_emulator = json!({ "Fn::Equals": [{ "Ref": "EmulatorGatewayResponses" }, "true"] });
    let sees_encryption_context = json!({ "Fn::Not": [on_emulator] });
    allowed_keys == "transferId"
        && condition["Null"] == expected_null
        && *template.condition("SeesEncryptionContext") == sees_encryption_context
}

/// Reason why a resource in a policy has no name in the form of [`Permission::resource`].
enum UnnamedResource {
    /// The policy's text contains a wildcard that is not permitted.
    Wildcard(String),
    /// The policy names a resource that the template does not define.
    Unknown,
}

/// Returns the name of a resource in a policy, in the form of [`Permission::resource`]. The name is
/// the logical id. If the policy names only a part of the resource, the part follows the id.
fn resource_name(template: &Template, value: &Value) -> Result<String, UnnamedResource> {
    if let Some(Reference { id, attribute }) = Reference::parse(value) {
        let part = if attribute == Some("StreamArn") { "/stream" } else { "" };
        return match template.resource(id) {
            Some(_) => Ok(format!("{id}{part}")),
            None => Err(UnnamedResource::Unknown),
        };
    }
    if let Some(machine) = template.referenced_resource(value) {
        return Ok(machine.to_owned());
    }
    let text = value.as_str().or(value["Fn::Sub"].as_str()).ok_or(UnnamedResource::Unknown)?;
    if let Some((machine_name, execution)) =
        text.split_once(":execution:").and_then(|(_, name)| name.rsplit_once(':'))
    {
        return executions_name(template, text, machine_name, execution);
    }
    // Objects in a bucket have no logical ids. A policy names them by a prefix:
    // `${Bucket.Arn}/prefix/*`
    if let Some((id, prefix)) = text
        .strip_prefix("${")
        .and_then(|pattern| pattern.strip_suffix("/*")?.split_once(".Arn}/"))
        .filter(|(_, prefix)| !prefix.is_empty() && !prefix.contains(['*', '?', '/']))
    {
        return match template.resource(id) {
            Some(bucket) if bucket.resource_type == "AWS::S3::Bucket" => {
                Ok(format!("{id}/{prefix}"))
            }
            _ => Err(UnnamedResource::Wildcard(text.to_owned())),
        };
    }
    if text.contains(['*', '?']) {
        return Err(UnnamedResource::Wildcard(text.to_owned()));
    }
    // An EventBridge rule reports the end of an execution to Step Functions. AWS creates this rule.
    if let Some((_, rule)) = text.split_once(":rule/") {
        return Ok(format!("rule/{rule}"));
    }
    // `${Table.Arn}/index/name`
    let (id, part) = text
        .strip_prefix("${")
        .and_then(|name| name.split_once(".Arn}"))
        .ok_or(UnnamedResource::Unknown)?;
    template.resource(id).map(|_| format!("{id}{part}")).ok_or(UnnamedResource::Unknown)
}

/// Returns the name of the executions of a state machine. `text` is their ARN in a policy, in which
/// `machine_name` and `execution` are the last two parts.
///
/// Only this ARN may be a pattern, because the name of an execution contains the id of its
/// transfer.
fn executions_name(
    template: &Template,
    text: &str,
    machine_name: &str,
    execution: &str,
) -> Result<String, UnnamedResource> {
    let transfer_id = "?".repeat(TRANSFER_ID_DIGITS);
    // An execution number has one or two digits.
    let allowed_patterns = [1, 2].map(|digits| "?".repeat(digits)).map(|number| {
        // The first form is for the transfer of a single document, the second for a document in a
        // batch.
        [format!("{transfer_id}-{number}"), format!("{transfer_id}_????-{number}")]
    });
    let is_allowed = allowed_patterns.as_flattened().iter().any(|pattern| pattern == execution);
    let machine =
        template.machines().find(|machine| machine.property("Name")["Fn::Sub"] == machine_name);
    match machine {
        Some(machine) if is_allowed => Ok(format!("{}/executions", machine.id)),
        Some(_) if execution.contains(['*', '?']) => {
            Err(UnnamedResource::Wildcard(text.to_owned()))
        }
        _ => Err(UnnamedResource::Unknown),
    }
}

/// Checks the policies outside the roles. Only roles and resource policies may grant permissions. A
/// resource policy that allows an action to everyone must have a condition.
pub(super) fn violations(template: &Template) -> Vec<String> {
    let mut violations = Vec::new();
    for resource in template.resources() {
        if ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"].contains(&resource.resource_type) {
            violations.push(format!("{} grants permissions outside the roles", resource.id));
        }
        for document in ["KeyPolicy", "PolicyDocument", "ResourcePolicy"] {
            for statement in as_list(&resource.property(document)["Statement"]) {
                let allows_everyone = statement["Principal"].to_string().contains("\"*\"");
                if allows_everyone && statement["Condition"].is_null() {
                    violations.push(format!("{} is open to everyone", resource.id));
                }
            }
        }
    }
    for function in template.functions() {
        if !function.property_or_global("Policies").is_null() {
            violations.push(format!("{} has policies outside its role", function.id));
        }
    }
    violations
}

/// Returns one violation for each needed permission that a role lacks, and one for each permission
/// that the role does not need.
pub(super) fn permission_differences(
    role: &str,
    granted: &BTreeSet<Permission>,
    needed: &BTreeSet<Permission>,
) -> Vec<String> {
    let lacking = needed.difference(granted).map(|permission| format!("{role} lacks {permission}"));
    let surplus = granted
        .difference(needed)
        .map(|permission| format!("{role} needlessly allows {permission}"));
    lacking.chain(surplus).collect()
}
