//! What roles allow, in the terms of the template.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde_json::{Value, json};

use crate::template::{Resource, Template, each, referred};

/// One call on one resource, as a policy allows it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Right {
    /// `dynamodb:GetItem`.
    pub(super) action: String,
    /// A resource of the template by its logical id, or a part of it:
    /// `TransfersTable/index/unfinished`, `TransferStateMachine/executions`.
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

/// What a role allows, and what is wrong with how it says so.
#[derive(Debug, Default)]
pub(super) struct Granted {
    pub(super) rights: BTreeSet<Right>,
    pub(super) complaints: Vec<String>,
}

/// What every role of the template allows, by its logical id.
pub(super) fn granted(template: &Template) -> BTreeMap<&str, Granted> {
    template.of_kind("AWS::IAM::Role").map(|role| (role.id, of_role(template, role))).collect()
}

fn of_role(template: &Template, role: Resource<'_>) -> Granted {
    let mut granted = Granted::default();
    if !role.property("ManagedPolicyArns").is_null() {
        granted.complaints.push(format!("{} has rights that stand elsewhere", role.id));
    }
    if role.property("AssumeRolePolicyDocument").to_string().contains('*') {
        granted.complaints.push(format!("{} may be taken by anybody", role.id));
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
            self.complaints.push(format!("{role} has {member}, which says what it may not"));
        }
        if statement["Effect"] != "Allow" {
            self.complaints.push(format!("{role} has an Effect other than Allow"));
        }
        let mut resources = BTreeSet::new();
        for resource in each(&statement["Resource"]) {
            match named(template, resource) {
                Ok(name) => resources.extend([name]),
                Err(Unclear::Wildcard(text)) => {
                    self.complaints.push(format!("{role} holds a wildcard: {text}"));
                }
                Err(Unclear::Unknown) => {
                    let text = format!("{role} names what is no resource of ours: {resource}");
                    self.complaints.push(text);
                }
            }
        }
        for action in each(&statement["Action"]).iter().filter_map(Value::as_str) {
            if action.contains(['*', '?']) {
                self.complaints.push(format!("{role} holds a wildcard: {action}"));
                continue;
            }
            // Whoever may use the key for one transfer's URL may use it for that alone.
            if action.starts_with("kms:") && !is_bound(template, &statement["Condition"]) {
                self.complaints.push(format!("{role} may use {action} in whichever context"));
            }
            self.rights.extend(resources.iter().map(|resource| Right::new(action, resource)));
        }
    }
}

/// Whether calls of KMS must name the transfer, and nothing else, in their context. Both
/// conditions are needed: the first is also true of a call without any context, and the
/// second of one with further keys.
fn is_bound(template: &Template, condition: &Value) -> bool {
    let only = &condition["ForAllValues:StringEquals"]["kms:EncryptionContextKeys"];
    let present = json!({ "kms:EncryptionContext:transferId": "false" });
    // The emulator hands policies no context.
    let nothing = json!({ "Ref": "AWS::NoValue" });
    let present = json!({ "Fn::If": ["SeesEncryptionContext", present, nothing] });
    let on_emulator = json!({ "Fn::Equals": [{ "Ref": "EmulatorGatewayResponses" }, "true"] });
    let sees = json!({ "Fn::Not": [on_emulator] });
    only == "transferId"
        && condition["Null"] == present
        && *template.condition("SeesEncryptionContext") == sees
}

enum Unclear {
    Wildcard(String),
    Unknown,
}

/// The name of what a policy names.
fn named(template: &Template, value: &Value) -> Result<String, Unclear> {
    if let Some((id, attribute)) = referred(value) {
        let part = if attribute == Some("StreamArn") { "/stream" } else { "" };
        return match template.resource(id) {
            Some(_) => Ok(format!("{id}{part}")),
            None => Err(Unclear::Unknown),
        };
    }
    if let Some(machine) = template.owner(value) {
        return Ok(machine.to_owned());
    }
    let text = value.as_str().or(value["Fn::Sub"].as_str()).ok_or(Unclear::Unknown)?;
    // The one place where a pattern has to do: an execution has its transfer's id in
    // its name. The pattern is of that form and of no other.
    if let Some((machine, name)) =
        text.split_once(":execution:").and_then(|(_, rest)| rest.rsplit_once(':'))
    {
        let id = "?".repeat(32);
        let is_transfers = [1, 2].map(|digits| "?".repeat(digits)).map(|attempt| {
            // A transfer's, or that of a document in a bundle.
            [format!("{id}-{attempt}"), format!("{id}_????-{attempt}")]
        });
        let owner = template.machines().find(|m| m.property("Name")["Fn::Sub"] == machine);
        return match owner {
            Some(owner) if is_transfers.as_flattened().iter().any(|form| form == name) => {
                Ok(format!("{}/executions", owner.id))
            }
            Some(_) if name.contains(['*', '?']) => Err(Unclear::Wildcard(text.to_owned())),
            _ => Err(Unclear::Unknown),
        };
    }
    // Objects have no names of their own in a template: those below one prefix.
    if let Some((id, prefix)) = text
        .strip_prefix("${")
        .and_then(|rest| rest.strip_suffix("/*")?.split_once(".Arn}/"))
        .filter(|(_, prefix)| !prefix.is_empty() && !prefix.contains(['*', '?', '/']))
    {
        return match template.resource(id) {
            Some(bucket) if bucket.kind == "AWS::S3::Bucket" => Ok(format!("{id}/{prefix}")),
            _ => Err(Unclear::Wildcard(text.to_owned())),
        };
    }
    if text.contains(['*', '?']) {
        return Err(Unclear::Wildcard(text.to_owned()));
    }
    // How Step Functions hears that an execution which it waits for has ended.
    if let Some((_, rule)) = text.split_once(":rule/") {
        return Ok(format!("rule/{rule}"));
    }
    // `${Table.Arn}/index/name`
    let (id, part) = text
        .strip_prefix("${")
        .and_then(|rest| rest.split_once(".Arn}"))
        .ok_or(Unclear::Unknown)?;
    template.resource(id).map(|_| format!("{id}{part}")).ok_or(Unclear::Unknown)
}

/// What is wrong with policies beside the roles: those that a resource carries
/// itself may name everybody only with a condition, and no other rights than the
/// roles' may be hidden in a resource of its own.
pub(super) fn complaints(template: &Template) -> Vec<String> {
    let mut found = Vec::new();
    for resource in template.resources() {
        if ["AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"].contains(&resource.kind) {
            found.push(format!("{} gives rights beside the roles", resource.id));
        }
        for document in ["KeyPolicy", "PolicyDocument", "ResourcePolicy"] {
            for statement in each(&resource.property(document)["Statement"]) {
                let for_everybody = statement["Principal"].to_string().contains("\"*\"");
                if for_everybody && statement["Condition"].is_null() {
                    found.push(format!("{} is open to everybody", resource.id));
                }
            }
        }
    }
    for function in template.functions() {
        if !function.property_or_global("Policies").is_null() {
            found.push(format!("{} has rights beside its role", function.id));
        }
    }
    found
}
