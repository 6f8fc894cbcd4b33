//! The API description `openapi.yaml` as data: its operations, references and schemas.
//!
//! An *operation* is one method of one path, such as `GET /v1/download/{jobId}`. A *path item* is
//! the object that describes all methods of a path. A *reference* is an object `{ "$ref": … }`,
//! which stands for another part of the document. The tests of the API and the checks of
//! `cargo xtask` read the description through [`Description`].

use serde_json::Value;

use crate::schema::Schemas;
use crate::yaml;

/// Keys of a path item that are HTTP methods, with the methods. The other keys of a path item, such
/// as `parameters`, do not describe operations.
const METHODS: [(&str, &str); 7] = [
    ("get", "GET"),
    ("put", "PUT"),
    ("post", "POST"),
    ("delete", "DELETE"),
    ("patch", "PATCH"),
    ("head", "HEAD"),
    ("trace", "TRACE"),
];

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
    /// Operation object of the description, as parsed from YAML.
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
        paths.flat_map(|(path, path_item)| {
            let members = path_item.as_object().into_iter().flatten();
            members.filter_map(move |(key, body)| {
                let (_, method) = METHODS.iter().find(|(method_key, _)| *method_key == key)?;
                Some(Operation { method, path, body })
            })
        })
    }

    /// Returns the operation to which API Gateway routes a request.
    ///
    /// API Gateway first chooses the path and then the method. A path without parameters takes
    /// precedence over a path with parameters, even if only the second path has the method.
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let templates = self.operations().map(|operation| operation.path);
        let matching = templates.filter(|template| matches_template(template, path));
        let parameter_count = |template: &&str| template.matches('{').count();
        let chosen = matching.min_by_key(parameter_count)?;
        self.operations().find(|operation| operation.path == chosen && operation.method == method)
    }

    /// Returns the target of a reference. A value that is not a reference is returned unchanged.
    #[must_use]
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        match target {
            Some(pointer) => self.document.pointer(pointer).unwrap_or(&Value::Null),
            None => value,
        }
    }

    /// Checks a value against a schema of the description. Returns one message for each violation.
    /// No message repeats the value.
    #[must_use]
    pub fn value_violations(&self, schema: &Value, value: &Value) -> Vec<String> {
        self.schemas.violations(schema, value)
    }
}

/// Returns whether a path matches a template. A parameter such as `{jobId}` matches one segment
/// that is not empty.
fn matches_template(template: &str, path: &str) -> bool {
    let (mut template_segments, mut path_segments) = (template.split('/'), path.split('/'));
    loop {
        match (template_segments.next(), path_segments.next()) {
            (None, None) => return true,
            (Some(parameter), Some(segment))
                if parameter.starts_with('{') && !segment.is_empty() => {}
            (Some(literal), Some(segment)) if literal == segment => {}
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
        let route_of = |method: &str, path: &str| {
            description.operation(method, path).map(|operation| operation.route())
        };
        let download = Some("GET /v1/download/{jobId}".to_owned());
        assert_eq!(route_of("GET", "/v1/download/abc?x=/y"), download);
        assert_eq!(route_of("POST", "/v1/download/check"), Some("POST /v1/download/check".into()));
        // As in API Gateway, the path without parameters wins, although it has only POST.
        assert_eq!(route_of("GET", "/v1/download/check"), None);
        assert_eq!(route_of("GET", "/v1/download/"), None);
        assert_eq!(route_of("GET", "/v1/download/a/b"), None);
    }

    #[test]
    fn document_without_paths_is_not_a_description() {
        assert!(matches!(Description::parse("openapi: 3.0.3"), Err(DescriptionError::Empty)));
        assert!(matches!(Description::parse("a: ["), Err(DescriptionError::Unreadable(_))));
    }
}
