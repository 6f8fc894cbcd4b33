//! Reader of the fields of a JSON body, which collects every error.

use std::fmt::Display;
use std::str::FromStr;

use docferry_domain::document::DriveFolder;
use docferry_domain::person::Recipient;
use docferry_domain::transfer::DriveTarget;
use serde_json::{Map, Value};

use crate::problem::FieldError;

/// Members of a JSON object, read one after the other. Errors are collected, so that a
/// caller gets all of them at once.
///
/// No text repeats a value of the request.
pub(crate) struct Fields<'a> {
    object: &'a Map<String, Value>,
    /// JSON pointer to the object.
    at: String,
    errors: Vec<FieldError>,
}

impl<'a> Fields<'a> {
    /// Returns the members of a body.
    pub(crate) fn of(body: &'a Value) -> Result<Self, Vec<FieldError>> {
        let object = body.as_object().ok_or_else(|| {
            vec![FieldError { pointer: String::new(), detail: "must be a JSON object".into() }]
        })?;
        Ok(Self { object, at: String::new(), errors: Vec::new() })
    }

    /// Adds an error for a member.
    pub(crate) fn refuse(&mut self, name: &str, detail: impl Display) {
        let pointer = format!("{}/{name}", self.at);
        self.errors.push(FieldError { pointer, detail: detail.to_string() });
    }

    /// Returns a member, unless it is missing or null.
    pub(crate) fn value(&self, name: &str) -> Option<&'a Value> {
        self.object.get(name).filter(|value| !value.is_null())
    }

    /// Returns a required string.
    pub(crate) fn required(&mut self, name: &str) -> Option<&'a str> {
        if self.value(name).is_none() {
            self.refuse(name, "is required");
            return None;
        }
        self.typed(name, "must be a string", Value::as_str)
    }

    /// Returns a string that may be missing or null.
    pub(crate) fn text(&mut self, name: &str) -> Option<&'a str> {
        self.typed(name, "must be a string or null", Value::as_str)
    }

    /// Returns a member of one type, or adds `rule` as an error.
    fn typed<T>(
        &mut self,
        name: &str,
        rule: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
    ) -> Option<T> {
        let value = self.value(name)?;
        let read = read(value);
        if read.is_none() {
            self.refuse(name, rule);
        }
        read
    }

    /// Parses a text, or adds an error.
    pub(crate) fn parse<T: FromStr<Err: Display>>(
        &mut self,
        name: &str,
        text: Option<&str>,
    ) -> Option<T> {
        text?.parse().map_err(|error: T::Err| self.refuse(name, error)).ok()
    }

    /// Returns the meaning of one of a few words, or the default when it is missing or
    /// null.
    pub(crate) fn word<T: Copy>(&mut self, name: &str, words: &[(&str, T)], default: T) -> T {
        let Some(text) = self.text(name) else { return default };
        if let Some((_, meaning)) = words.iter().find(|(word, _)| *word == text) {
            return *meaning;
        }
        let known: Vec<_> = words.iter().map(|(word, _)| *word).collect();
        self.refuse(name, format_args!("must be one of {}", known.join(", ")));
        default
    }

    /// Reads a nested object, if there is one.
    pub(crate) fn within<T>(
        &mut self,
        name: &str,
        read: impl FnOnce(&mut Fields<'a>) -> T,
    ) -> Option<T> {
        let object = self.typed(name, "must be a JSON object", Value::as_object)?;
        let at = format!("{}/{name}", self.at);
        let mut inner = Fields { object, at, errors: Vec::new() };
        let read = read(&mut inner);
        self.errors.append(&mut inner.errors);
        Some(read)
    }

    /// Reads a folder in a OneDrive: `email`, and `filePath`, where null, missing and empty
    /// mean the root.
    pub(crate) fn drive(&mut self) -> Option<DriveTarget> {
        let email = self.required("email");
        let recipient: Option<Recipient> = self.parse("email", email);
        let file_path = self.text("filePath").filter(|path| !path.is_empty());
        let folder = match file_path {
            None => Some(DriveFolder::default()),
            Some(_) => self.parse("filePath", file_path),
        };
        let file_path = file_path.map(str::to_owned);
        Some(DriveTarget { recipient: recipient?, file_path, folder: folder? })
    }

    /// Returns the value, or the errors if there are any.
    pub(crate) fn finish<T>(self, read: Option<T>) -> Result<T, Vec<FieldError>> {
        match read {
            Some(read) if self.errors.is_empty() => Ok(read),
            _ => Err(self.errors),
        }
    }
}
