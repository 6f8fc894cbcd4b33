//! Parsed `template.yaml`, and the copy of it that is deployed locally.

mod localized;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use serde_json::Value;

pub(crate) use localized::localized;

/// The parsed template, with intrinsic functions in their long form.
#[derive(Debug)]
pub(crate) struct Template(Value);

/// A resource of the template.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Resource<'a> {
    /// Logical id.
    pub(crate) id: &'a str,
    /// CloudFormation type.
    pub(crate) kind: &'a str,
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
        let all = self.0["Resources"].as_object().into_iter().flatten();
        all.map(|(id, body)| Resource {
            id,
            kind: body["Type"].as_str().unwrap_or_default(),
            body,
            globals: &self.0["Globals"]["Function"],
        })
    }

    pub(crate) fn resource(&self, id: &str) -> Option<Resource<'_>> {
        self.resources().find(|resource| resource.id == id)
    }

    pub(crate) fn of_kind(&self, kind: &str) -> impl Iterator<Item = Resource<'_>> {
        self.resources().filter(move |resource| resource.kind == kind)
    }

    pub(crate) fn functions(&self) -> impl Iterator<Item = Resource<'_>> {
        self.of_kind("AWS::Serverless::Function")
    }

    pub(crate) fn machines(&self) -> impl Iterator<Item = Resource<'_>> {
        self.of_kind("AWS::Serverless::StateMachine")
    }

    /// Returns the names of the parameters.
    pub(crate) fn parameters(&self) -> BTreeSet<String> {
        let parameters = self.0["Parameters"].as_object().into_iter().flatten();
        parameters.map(|(name, _)| name.clone()).collect()
    }

    /// Returns the definition of a parameter, or null if there is none of that name.
    pub(crate) fn parameter(&self, name: &str) -> &Value {
        &self.0["Parameters"][name]
    }

    /// Returns a mapping of constants, or null if there is none of that name.
    pub(crate) fn mapping(&self, name: &str) -> &Value {
        &self.0["Mappings"][name]
    }

    /// Returns the expression of a condition, or null if there is none of that name.
    pub(crate) fn condition(&self, name: &str) -> &Value {
        &self.0["Conditions"][name]
    }

    /// Returns the names of the environment variables of all functions together.
    pub(crate) fn variables(&self) -> BTreeSet<String> {
        let shared = self.0["Globals"]["Function"]["Environment"]["Variables"].as_object();
        let globals = shared.into_iter().flatten().map(|(name, _)| name.as_str());
        let own: Vec<_> = self.functions().collect();
        let own = own.iter().flat_map(|function| function.variables().into_keys());
        globals.chain(own).map(str::to_owned).collect()
    }

    /// Returns `METHOD /path` of each route that the API passes to a function: by an event, or in
    /// the API's body where an event cannot express it.
    pub(crate) fn routes(&self) -> BTreeSet<String> {
        let functions: Vec<_> = self.functions().collect();
        let events = functions.iter().flat_map(Resource::events).filter_map(|event| {
            let method = event["Properties"]["Method"].as_str()?.to_uppercase();
            Some((method, event["Properties"]["Path"].as_str()?))
        });
        let apis: Vec<_> = self.of_kind("AWS::Serverless::Api").collect();
        let paths =
            apis.iter().filter_map(|api| api.property("DefinitionBody")["paths"].as_object());
        let body_routes = paths.flatten().flat_map(|(path, item)| {
            let methods = item.as_object().into_iter().flatten();
            methods.map(move |(method, _)| (method.to_uppercase(), path.as_str()))
        });
        // CORS preflight requests are no routes of their own.
        let calls = events.chain(body_routes).filter(|(method, _)| method != "OPTIONS");
        calls.map(|(method, path)| format!("{method} {path}")).collect()
    }

    /// Returns the resource that a value names: by a reference, or, for a state machine, by an ARN
    /// built from its name where a reference would be circular.
    pub(crate) fn owner<'a>(&'a self, value: &'a Value) -> Option<&'a str> {
        let machine = || {
            let (_, name) = value["Fn::Sub"].as_str()?.rsplit_once(":stateMachine:")?;
            self.machines().find(|machine| machine.property("Name")["Fn::Sub"] == name)
        };
        let referred = referred(value).and_then(|(id, _)| self.resource(id));
        referred.or_else(machine).map(|resource| resource.id)
    }

    /// Returns the maximum of a number in the template: the number itself, or the `MaxValue` of the
    /// parameter that it refers to.
    pub(crate) fn at_most(&self, value: &Value) -> Option<u64> {
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

    /// Returns a property, or the global value for all functions.
    pub(crate) fn property_or_global(&self, name: &str) -> &'a Value {
        let own = self.property(name);
        if own.is_null() { &self.globals[name] } else { own }
    }

    /// Returns the function's name in the source.
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

    /// Returns the values for `${name}` in a state machine's definition.
    pub(crate) fn substitutions(&self) -> BTreeMap<&'a str, &'a Value> {
        let all = self.property("DefinitionSubstitutions").as_object().into_iter().flatten();
        all.map(|(name, value)| (name.as_str(), value)).collect()
    }
}

/// Returns the resource or parameter that a `Ref` or `GetAtt` names, and the attribute, if any.
pub(crate) fn referred(value: &Value) -> Option<(&str, Option<&str>)> {
    if let Some(name) = value["Ref"].as_str() {
        return Some((name, None));
    }
    let path = value["Fn::GetAtt"].as_array()?;
    Some((path.first()?.as_str()?, path.get(1).and_then(Value::as_str)))
}

/// Returns the members of a list, or the single value in its place.
pub(crate) fn each(value: &Value) -> &[Value] {
    match value {
        Value::Null => &[],
        Value::Array(members) => members,
        value => std::slice::from_ref(value),
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
        assert_eq!(template.at_most(upload.property("Timeout")), Some(900));
        assert_eq!(upload.property_or_global("Runtime"), "provided.al2023");
    }
}
