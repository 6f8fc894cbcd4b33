//! The API description as data.

use serde_json::Value;

use crate::schema::Schemas;
use crate::yaml;

/// Keys of a path item that are operations. It may have other keys, such as `parameters`.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "trace"];

/// Parsed API description.
#[derive(Debug)]
pub struct Description {
    document: Value,
    pub(crate) schemas: Schemas,
}

/// Error for a text that is not an API description.
#[derive(Debug, thiserror::Error)]
pub enum DescriptionError {
    /// The text is not valid YAML.
    #[error(transparent)]
    Unreadable(#[from] yaml::YamlError),
    /// The document has no paths.
    #[error("the document has no paths")]
    Empty,
}

/// Operation of the API: a method of a path.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// Method in upper case.
    pub method: &'a str,
    /// Path template, with parameters such as `{jobId}`.
    pub path: &'a str,
    /// Operation object of the description.
    pub body: &'a Value,
}

impl Operation<'_> {
    /// Returns `METHOD /path`.
    #[must_use]
    pub fn route(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Description {
    /// Returns the description of docferry's API, `openapi.yaml` at compile time.
    ///
    /// # Errors
    /// When the file is not a valid description.
    pub fn of_project() -> Result<Self, DescriptionError> {
        Self::parse(include_str!("../../../openapi.yaml"))
    }

    /// Parses a description.
    ///
    /// # Errors
    /// When the text is not valid YAML or has no paths.
    pub fn parse(text: &str) -> Result<Self, DescriptionError> {
        // YAML tags have no meaning in OpenAPI, so they are ignored.
        let document = yaml::read(text, &|_, value| value)?;
        if !document["paths"].is_object() {
            return Err(DescriptionError::Empty);
        }
        let schemas = Schemas::new(&document["components"]);
        Ok(Self { document, schemas })
    }

    /// Returns the whole document.
    #[must_use]
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// Returns all operations.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, item)| {
            let bodies = item.as_object().into_iter().flatten();
            bodies.filter_map(move |(method, body)| {
                let method = METHODS.iter().find(|known| **known == method)?;
                Some(Operation { method: upper_case(method), path, body })
            })
        })
    }

    /// Returns the operation to which API Gateway routes a request. A path without parameters takes
    /// precedence over one with parameters, whatever methods they have.
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let templates = self.operations().map(|operation| operation.path);
        let matching = templates.filter(|template| matches(template, path));
        let best = matching.min_by_key(|template| template.matches('{').count())?;
        self.operations().find(|operation| operation.path == best && operation.method == method)
    }

    /// Returns the target of a reference; any other value is returned unchanged.
    #[must_use]
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        match target {
            Some(pointer) => self.document.pointer(pointer).unwrap_or(&Value::Null),
            None => value,
        }
    }

    /// Returns the violations of a schema of the description by a value, one message for each. No
    /// message repeats the value.
    #[must_use]
    pub fn value_violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        self.schemas.violations(schema, value)
    }
}

fn upper_case(method: &str) -> &'static str {
    match method {
        "get" => "GET",
        "put" => "PUT",
        "post" => "POST",
        "delete" => "DELETE",
        "patch" => "PATCH",
        "head" => "HEAD",
        _ => "TRACE",
    }
}

/// Whether a path matches a template with parameters.
fn matches(template: &str, path: &str) -> bool {
    let (mut expected, mut actual) = (template.split('/'), path.split('/'));
    loop {
        match (expected.next(), actual.next()) {
            (None, None) => return true,
            (Some(name), Some(part)) if name.starts_with('{') && !part.is_empty() => {}
            (Some(name), Some(part)) if name == part => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn path_without_parameters_takes_precedence() {
        let description = Description::of_project().unwrap();
        let found = |method: &str, path: &str| {
            description.operation(method, path).map(|found| found.route())
        };
        let fetch = Some("GET /v1/download/{jobId}".to_owned());
        assert_eq!(found("GET", "/v1/download/abc?x=/y"), fetch);
        assert_eq!(found("POST", "/v1/download/check"), Some("POST /v1/download/check".into()));
        // As in API Gateway, the path without parameters wins, although it has only POST.
        assert_eq!(found("GET", "/v1/download/check"), None);
        assert_eq!(found("GET", "/v1/download/"), None);
        assert_eq!(found("GET", "/v1/download/a/b"), None);
    }

    #[test]
    fn document_without_paths_is_not_a_description() {
        assert!(matches!(Description::parse("openapi: 3.0.3"), Err(DescriptionError::Empty)));
        assert!(matches!(Description::parse("a: ["), Err(DescriptionError::Unreadable(_))));
    }
}
