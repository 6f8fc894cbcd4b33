use serde_json::Value;

use crate::schema::Schemas;
use crate::yaml;

/// What a path item may have beside operations is not one.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "patch", "head", "trace"];

/// The API as it is described.
#[derive(Debug)]
pub struct Description {
    document: Value,
    pub(crate) schemas: Schemas,
}

/// A text that describes no API.
#[derive(Debug, thiserror::Error)]
pub enum NotADescription {
    /// It cannot be read.
    #[error(transparent)]
    Unreadable(#[from] yaml::NotYaml),
    /// It has no paths.
    #[error("it has no paths")]
    Empty,
}

/// One call of the API.
#[derive(Debug, Clone, Copy)]
pub struct Operation<'a> {
    /// In capitals.
    pub method: &'a str,
    /// As it stands in the description, with `{names}`.
    pub path: &'a str,
    /// What is said of it.
    pub body: &'a Value,
}

impl Operation<'_> {
    /// `METHOD /path`.
    #[must_use]
    pub fn route(&self) -> String {
        format!("{} {}", self.method, self.path)
    }
}

impl Description {
    /// The project's own, as it was when this was compiled.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn of_project() -> Result<Self, NotADescription> {
        Self::parse(include_str!("../../../openapi.yaml"))
    }

    /// Reads a description.
    ///
    /// # Errors
    /// When it is no YAML, or has no paths.
    pub fn parse(text: &str) -> Result<Self, NotADescription> {
        // No tag means anything in it.
        let document = yaml::read(text, &|_, value| value)?;
        if !document["paths"].is_object() {
            return Err(NotADescription::Empty);
        }
        let schemas = Schemas::new(&document["components"]);
        Ok(Self { document, schemas })
    }

    /// All of it.
    #[must_use]
    pub const fn document(&self) -> &Value {
        &self.document
    }

    /// Every call.
    pub fn operations(&self) -> impl Iterator<Item = Operation<'_>> {
        let paths = self.document["paths"].as_object().into_iter().flatten();
        paths.flat_map(|(path, item)| {
            let bodies = item.as_object().into_iter().flatten();
            bodies.filter_map(move |(method, body)| {
                let method = METHODS.iter().find(|known| **known == method)?;
                Some(Operation { method: capital(method), path, body })
            })
        })
    }

    /// The call that API Gateway hands a request to: a path without names goes before
    /// one with them, whatever their methods.
    #[must_use]
    pub fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let path = path.split('?').next().unwrap_or_default();
        let fits = self.operations().map(|operation| operation.path).filter(|of| fits(of, path));
        let best = fits.min_by_key(|of| of.matches('{').count())?;
        self.operations().find(|operation| operation.path == best && operation.method == method)
    }

    /// What a reference leads to; anything else is itself.
    #[must_use]
    pub fn resolve<'a>(&'a self, value: &'a Value) -> &'a Value {
        let target = value["$ref"].as_str().and_then(|target| target.strip_prefix('#'));
        match target {
            Some(pointer) => self.document.pointer(pointer).unwrap_or(&Value::Null),
            None => value,
        }
    }

    /// What is wrong with a value by a schema of the description, a sentence each. The
    /// value is not repeated.
    #[must_use]
    pub fn value_complaints(&self, schema: &Value, value: &Value) -> Vec<String> {
        self.schemas.complaints(schema, value)
    }
}

fn capital(method: &str) -> &'static str {
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

/// Whether a path is one of those that a path with `{names}` stands for.
fn fits(template: &str, path: &str) -> bool {
    let (mut names, mut parts) = (template.split('/'), path.split('/'));
    loop {
        match (names.next(), parts.next()) {
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
    fn a_path_without_names_goes_before_one_with_them() {
        let description = Description::of_project().unwrap();
        let found = |method: &str, path: &str| {
            description.operation(method, path).map(|found| found.route())
        };
        let fetch = Some("GET /v1/download/{jobId}".to_owned());
        assert_eq!(found("GET", "/v1/download/abc?x=/y"), fetch);
        assert_eq!(found("POST", "/v1/download/check"), Some("POST /v1/download/check".into()));
        // As at API Gateway: that path answers POST alone.
        assert_eq!(found("GET", "/v1/download/check"), None);
        assert_eq!(found("GET", "/v1/download/"), None);
        assert_eq!(found("GET", "/v1/download/a/b"), None);
    }

    #[test]
    fn a_text_without_paths_is_no_description() {
        assert!(matches!(Description::parse("openapi: 3.0.3"), Err(NotADescription::Empty)));
        assert!(matches!(Description::parse("a: ["), Err(NotADescription::Unreadable(_))));
    }
}
