//! The parsed `template.yaml`, the AWS SAM template of the project, for the checks and the
//! deployment.
//!
//! A *resource* has a *logical id*, which is its name in the template. A *parameter* is a value
//! that each deployment sets. *Globals* are properties that all functions share.
//!
//! [`localized`] makes a copy of the template that can be deployed to the AWS emulator.

mod localized;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

pub(crate) use localized::localized;

/// The parsed template. Intrinsic functions have their long form: `!Ref X` is `{ "Ref": "X" }`.
#[derive(Debug)]
pub(crate) struct Template(Value);

/// A resource of the template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'a> {
    /// Logical id.
    pub(crate) id: &'a str,
    /// CloudFormation type.
    pub(crate) resource_type: &'a str,
    /// The whole resource: properties and attributes such as metadata and conditions.
    body: &'a Value,
    /// Properties that all functions share.
    globals: &'a Value,
}

impl Template {
    /// Reads the project's template.
    pub(crate) fn of_project(root: &Path) -> Result<Self> {
        let path = root.join("template.yaml");
        let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
        Self::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Result<Self> {
        yaml::read(text).map(Self)
    }

    pub(crate) fn resources(&self) -> impl Iterator<Item = Resource<'_>> {
        let resources = self.0["Resources"].as_object().into_iter().flatten();
        resources.map(|(id, body)| Resource {
            id,
            resource_type: body["Type"].as_str().unwrap_or_default(),
            body,
            globals: &self.0["Globals"]["Function"],
        })
    }

    pub(crate) fn resource(&self, id: &str) -> Option<Resource<'_>> {
        self.resources().find(|resource| resource.id == id)
    }

    pub(crate) fn of_type(&self, resource_type: &str) -> impl Iterator<Item = Resource<'_>> {
        self.resources().filter(move |resource| resource.resource_type == resource_type)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = Resource<'_>> {
        self.of_type("AWS::Serverless::Function")
    }

    pub(crate) fn machines(&self) -> impl Iterator<Item = Resource<'_>> {
        self.of_type("AWS::Serverless::StateMachine")
    }

    /// Returns the names of the parameters.
    pub(crate) fn parameters(&self) -> BTreeSet<String> {
        let parameters = self.0["Parameters"].as_object().into_iter().flatten();
        parameters.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the definition of a parameter, or null if the template has no such parameter.
    pub(crate) fn parameter(&self, name: &str) -> &Value {
        &self.0["Parameters"][name]
    }

    /// Returns a mapping of constants, or null if the template has no such mapping.
    pub(crate) fn mapping(&self, name: &str) -> &Value {
        &self.0["Mappings"][name]
    }

    /// Returns the expression of a condition, or null if the template has no such condition.
    pub(crate) fn condition(&self, name: &str) -> &Value {
        &self.0["Conditions"][name]
    }

    /// Returns the names of the environment variables of all functions together.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let globals = self.0["Globals"]["Function"]["Environment"]["Variables"].as_object();
        let global_names = globals.into_iter().flatten().map(|(name, _)| name.as_str());
        let functions: Vec<_> = self.functions().collect();
        let own_names = functions.iter().flat_map(|function| function.variables().into_keys());
        global_names.chain(own_names).map(str::to_owned).collect()
    }

    /// Returns each route that the API passes to a function, as `METHOD /path`. The template
    /// declares most routes as events of a function. It declares a route that an event cannot
    /// express in the definition body of the API.
    pub(crate) fn routes(&self) -> BTreeSet<String> {
        let functions: Vec<_> = self.functions().collect();
        let event_routes = functions.iter().flat_map(Resource::events).filter_map(|event| {
            let method = event["Properties"]["Method"].as_str()?.to_uppercase();
            Some((method, event["Properties"]["Path"].as_str()?))
        });
        let apis: Vec<_> = self.of_type("AWS::Serverless::Api").collect();
        let paths =
            apis.iter().filter_map(|api| api.property("DefinitionBody")["paths"].as_object());
        let body_routes = paths.flatten().flat_map(|(path, path_item)| {
            let methods = path_item.as_object().into_iter().flatten();
            methods.map(move |(method, _)| (method.to_uppercase(), path.as_str()))
        });
        // A CORS preflight request is not a route of its own.
        let routes = event_routes.chain(body_routes).filter(|(method, _)| method != "OPTIONS");
        routes.map(|(method, path)| format!("{method} {path}")).collect()
    }

    /// Returns the logical id of the resource that a value names. The value is a reference or the
    /// ARN of a state machine. The template builds such an ARN from the name of the state machine
    /// where a reference would be circular.
    pub(crate) fn referenced_resource<'a>(&'a self, value: &'a Value) -> Option<&'a str> {
        let named_machine = || {
            let (_, name) = value["Fn::Sub"].as_str()?.rsplit_once(":stateMachine:")?;
            self.machines().find(|machine| machine.property("Name")["Fn::Sub"] == name)
        };
        let referenced = referenced_id(value).and_then(|id| self.resource(id));
        referenced.or_else(named_machine).map(|resource| resource.id)
    }

    /// Returns the maximum of a number in the template: the number itself, or the `MaxValue` of the
    /// parameter that it refers to.
    pub(crate) fn maximum_of(&self, value: &Value) -> Option<u64> {
        value.as_u64().or_else(|| {
            let parameter = value["Ref"].as_str()?;
            self.0["Parameters"][parameter]["MaxValue"].as_u64()
        })
    }
}

impl<'a> Resource<'a> {
    /// Returns a property, or null if it is absent.
    pub(crate) fn property(&self, name: &str) -> &'a Value {
        &self.body["Properties"][name]
    }

    /// Returns an attribute such as `DeletionPolicy`, or null if it is absent.
    pub(crate) fn attribute(&self, name: &str) -> &'a Value {
        &self.body[name]
    }

    /// Returns a property, or the value that the template sets for all functions.
    pub(crate) fn property_or_global(&self, name: &str) -> &'a Value {
        let own = self.property(name);
        if own.is_null() { &self.globals[name] } else { own }
    }

    /// Returns the name of the function's binary in the workspace, or an empty text for a resource
    /// that is not a function.
    pub(crate) fn binary(&self) -> &'a str {
        self.body["Metadata"]["BuildProperties"]["Binary"].as_str().unwrap_or_default()
    }

    /// Returns the environment variables of this function alone.
    pub(crate) fn variables(&self) -> BTreeMap<&'a str, &'a Value> {
        let variables = self.property("Environment")["Variables"].as_object().into_iter().flatten();
        variables.map(|(name, value)| (name.as_str(), value)).collect()
    }

    /// Returns the event sources of the function.
    pub(crate) fn events(&self) -> impl Iterator<Item = &'a Value> + use<'a> {
        self.property("Events").as_object().into_iter().flatten().map(|(_, event)| event)
    }

    /// Returns the values that replace the placeholders `${name}` in a state machine's definition,
    /// by name.
    pub(crate) fn substitutions(&self) -> BTreeMap<&'a str, &'a Value> {
        let members = self.property("DefinitionSubstitutions").as_object().into_iter().flatten();
        members.map(|(name, value)| (name.as_str(), value)).collect()
    }
}

/// A `Ref` or `Fn::GetAtt` in the template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reference<'a> {
    /// Logical id of a resource, or name of a parameter.
    pub(crate) id: &'a str,
    /// Attribute that a `Fn::GetAtt` names.
    pub(crate) attribute: Option<&'a str>,
}

impl<'a> Reference<'a> {
    /// Returns `None` if the value is not a reference.
    pub(crate) fn parse(value: &'a Value) -> Option<Self> {
        if let Some(id) = value["Ref"].as_str() {
            return Some(Self { id, attribute: None });
        }
        let path = value["Fn::GetAtt"].as_array()?;
        Some(Self { id: path.first()?.as_str()?, attribute: path.get(1).and_then(Value::as_str) })
    }
}

/// Returns the logical id of the resource, or the name of the parameter, to which a value refers.
pub(crate) fn referenced_id(value: &Value) -> Option<&str> {
    Reference::parse(value).map(|reference| reference.id)
}

/// Returns the members of a list. In IAM policies, a single value stands for a list with one
/// member. An absent value, which is null, stands for an empty list.
pub(crate) fn as_list(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(members) => members,
        single => std::slice::from_ref(single),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn template_of_the_project_is_parsed() {
        let template = Template::parse(include_str!("../../../template.yaml")).unwrap();

        let parameters = template.parameters();
        assert!(parameters.contains("GraphTenantId") && !parameters.contains("Type"));
        let variables = template.variables();
        assert!(variables.contains("ENVIRONMENT") && variables.contains("EXCHANGE_SECRET_ARN"));
        assert!(template.routes().contains("GET /document/status/{transferId}"));
        assert!(template.routes().contains("GET /v1/download/subscribe/{jobId}"));
        let upload = template.resource("UploadFunction").unwrap();
        assert_eq!(upload.binary(), "upload");
        assert_eq!(template.maximum_of(upload.property("Timeout")), Some(900));
        assert_eq!(upload.property_or_global("Runtime"), "provided.al2023");
    }
}
