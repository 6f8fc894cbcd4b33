//! Reader of the fields of a request's JSON body. The request types of this crate use it.
//!
//! [`Fields`] collects the errors of all fields, so that the caller of the API gets them in one
//! response and not one after the other.

use std::fmt::Display;
use std::str::FromStr;

use docferry_domain::document::DriveFolder;
use docferry_domain::person::Recipient;
use docferry_domain::transfer::DriveTarget;
use serde_json::{Map, Value};

use crate::problem::FieldError;

/// Fields of a JSON object, with the errors that were found so far.
///
/// An error never contains a value of the request.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// JSON pointer to the object.
    pointer: String,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Returns the fields of a body.
    ///
    /// # Errors
    /// If the body is not a JSON object.
    pub(crate) fn of(body: &'a Value) -> Result<Self, Vec<FieldError>> {
        let object = body.as_object().ok_or_else(|| {
            vec![FieldError { pointer: String::new(), detail: "must be a JSON object".into() }]
        })?;
        Ok(Self { object, pointer: String::new(), errors: Vec::new() })
    }

    /// Adds an error for a field.
    pub(crate) fn add_error(&mut self, name: &str, detail: impl Display) {
        let pointer = format!("{}/{name}", self.pointer);
        self.errors.push(FieldError { pointer, detail: detail.to_string() });
    }

    /// Returns a field, or `None` if it is missing or null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Returns a string that must be present. Adds an error if it is missing, null or of another
    /// type.
    pub(crate) fn required_text(&mut self, name: &str) -> Option<&'a str> {
        if self.value(name).is_none() {
            self.add_error(name, "is required");
            return None;
        }
        self.typed(name, "must be a string", Value::as_str)
    }

    /// Returns a string, or `None` if it is missing or null. Adds an error if it has another type.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        self.typed(name, "must be a string or null", Value::as_str)
    }

    /// Converts a field with `convert`. If `convert` returns `None`, adds `rule` as an error.
    /// Returns `None` without an error if the field is missing or null.
    fn typed<T>(
        &mut self,
        name: &str,
        rule: &str,
        convert: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let converted = convert(self.value(name)?);
        if converted.is_none() {
            self.add_error(name, rule);
        }
        converted
    }

    /// Parses the text of a field by the rule of the type `T`. Adds an error if the text is
    /// invalid. Returns `None` if there is no text.
    pub(crate) fn parse<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        text: Option<&str>,
    ) -> Option<T> {
        text?.parse().map_err(|error: T::Err| self.add_error(name, error)).ok()
    }

    /// Reads a field that must be one of a few words. `choices` are the words with their values.
    /// Returns `default` if the field is missing or null. If the field is anything else, adds an
    /// error and returns `default` as well.
    pub(crate) fn choice<T: Copy>(&mut self, name: &str, choices: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, value)) = choices.iter().find(|(word, _)| *word == text) {
            return *value;
        }
        let words: Vec<_> = choices.iter().map(|(word, _)| *word).collect();
        self.add_error(name, format_args!("must be one of {}", words.join(", ")));
        default
    }

    /// Reads a nested object with `read`. Returns `None` if the field is missing, null or no
    /// object.
    pub(crate) fn nested<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Fields<'a>) -> T,
    ) -> Option<T> {
        let object = self.typed(name, "must be a JSON object", Value::as_object)?;
        let pointer = format!("{}/{name}", self.pointer);
        let mut nested = Fields { object, pointer, errors: Vec::new() };
        let value = read(&mut nested);
        self.errors.append(&mut nested.errors);
        Some(value)
    }

    /// Reads a folder in a OneDrive from the fields `email` and `filePath`. A `filePath` that is
    /// null, missing or empty means the root folder.
    pub(crate) fn drive_target(&mut self) -> Option<DriveTarget> {
        let email = self.required_text("email");
        let recipient: Option<Recipient> = self.parse("email", email);
        let file_path = self.text("filePath").filter(|path| !path.is_empty());
        let folder = match file_path {
            None => Some(DriveFolder::default()),
            Some(_) => self.parse("filePath", file_path),
        };
        let file_path = file_path.map(str::to_owned);
        Some(DriveTarget { recipient: recipient?, file_path, folder: folder? })
    }

    /// Returns the value that was read from the fields, or the errors if there are any.
    pub(crate) fn finish<T>(self, value: Option<T>) -> Result<T, Vec<FieldError>> {
        match value {
            Some(value) if self.errors.is_empty() => Ok(value),
            _ => Err(self.errors),
        }
    }
}
