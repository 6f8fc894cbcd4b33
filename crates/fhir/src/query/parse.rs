//! Parser of searches: reads a query string or a form body into a [`SearchQuery`].
//!
//! The parser looks each parameter up in the [table of parameters](crate::parameter::PARAMETERS).
//! It collects the errors of all parameters, so that a client can correct them at once.

use docferry_domain::document::{DocumentKey, SubjectError, SubjectPatterns};
use docferry_domain::ids::FileId;

use super::filter::{Codes, FILE_ID_SYSTEM, Filter, OBJECT_GUID_SYSTEM};
use super::search::{Order, SearchQuery, Summary};
use crate::outcome::{Issue, IssueCode, OperationOutcome};
use crate::parameter::{DateField, Kind, Lookup, PAGE, PARAMETERS, TokenField, look_up};
use crate::value::{self, MAX_ALTERNATIVES};
use crate::{DateRange, form};

/// Default number of documents on a page.
const DEFAULT_COUNT: u16 = 100;
/// Maximum number of documents on a page.
const MAX_COUNT: u16 = 1000;
/// Maximum number of parameters.
const MAX_PARAMETERS: usize = 100;

/// Treatment of unknown parameters, which a client selects by the header `Prefer: handling=…`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// Unknown parameters are ignored.
    #[default]
    Lenient,
    /// Unknown parameters are errors.
    Strict,
}

impl Handling {
    /// Parses a `Prefer` header (RFC 7240) and ignores the other preferences in it.
    #[must_use]
    pub fn from_prefer(header: &str) -> Self {
        let mut preferences =
            header.split([',', ';']).filter_map(|preference| preference.split_once('='));
        // If the preference occurs twice, the first occurrence is valid.
        let handling = preferences.find(|(name, _)| name.trim().eq_ignore_ascii_case("handling"));
        match handling {
            Some((_, value)) if value.trim().trim_matches('"') == "strict" => Self::Strict,
            _ => Self::Lenient,
        }
    }
}

impl SearchQuery {
    /// Parses the parameters of a search from a query string or a form body. `subjects` are the
    /// patterns that a valid subject matches.
    ///
    /// # Errors
    /// Returns an issue for each parameter that is not valid. The issue names the parameter.
    pub fn parse(
        form: &str,
        subjects: &SubjectPatterns,
        handling: Handling,
    ) -> Result<Self, OperationOutcome> {
        let malformed = || {
            let problem = "the parameters are not percent-encoded UTF-8";
            OperationOutcome::new(IssueCode::Structure, problem)
        };
        let pairs = form::decode(form).ok_or_else(malformed)?;
        if pairs.len() > MAX_PARAMETERS {
            let problem = "at most 100 parameters are allowed";
            return Err(OperationOutcome::new(IssueCode::Structure, problem));
        }
        let mut reader = ParameterReader::new(subjects);
        for (name, value) in pairs {
            match look_up(&name) {
                Lookup::Known(name, kind) => reader.read(name, kind, value),
                Lookup::UnsupportedModifier => {
                    reader.report(&name, IssueCode::NotSupported, "the modifier is not supported");
                }
                Lookup::Unknown if handling == Handling::Strict => {
                    reader.report(&name, IssueCode::NotSupported, "the parameter is not supported");
                }
                Lookup::Unknown => {}
            }
        }
        reader.finish()
    }
}

/// Reader of the parameters of one search. It adds each parameter to the query.
struct ParameterReader<'a> {
    subjects: &'a SubjectPatterns,
    /// Query with the parameters that have been read so far.
    query: SearchQuery,
    /// Kinds of the parameters that have occurred so far.
    seen_kinds: Vec<Kind>,
    /// Errors of the parameters that have been read so far.
    issues: Vec<Issue>,
}

/// Error in the value of a parameter. The reader adds the name of the parameter to it.
struct InvalidValue {
    code: IssueCode,
    problem: String,
}

impl InvalidValue {
    /// Returns the error for a malformed value.
    fn malformed<T: ToString>(problem: T) -> Self {
        Self { code: IssueCode::Value, problem: problem.to_string() }
    }
}

impl<'a> ParameterReader<'a> {
    fn new(subjects: &'a SubjectPatterns) -> Self {
        let query = SearchQuery {
            subject: None,
            filters: Vec::new(),
            count: DEFAULT_COUNT,
            order: Order::default(),
            summary: Summary::default(),
            page_token: None,
            understood: Vec::new(),
        };
        Self { subjects, query, seen_kinds: Vec::new(), issues: Vec::new() }
    }

    /// Records an error of the parameter `name`.
    fn report(&mut self, name: &str, code: IssueCode, problem: impl Into<String>) {
        self.issues.push(Issue::of_parameter(name, code, problem));
    }

    /// Reads one parameter: adds it to the query, or records an error.
    fn read(&mut self, name: &'static str, kind: Kind, value: String) {
        let may_repeat =
            matches!(kind, Kind::Id | Kind::Identifier | Kind::Token(_) | Kind::Date(_));
        if !may_repeat && self.seen_kinds.contains(&kind) {
            self.report(name, IssueCode::Value, "the parameter may occur only once");
            return;
        }
        self.seen_kinds.push(kind);
        let value = restore_plus(kind, value);
        let result = match kind {
            Kind::Subject => self.read_subject(&value),
            Kind::Id => self.read_keys(&value, |id| {
                Ok(vec![DocumentKey::Id(id.parse().map_err(InvalidValue::malformed)?)])
            }),
            Kind::Identifier => self.read_keys(&value, parse_identifier),
            Kind::Token(field) => self.read_codes(field, &value),
            Kind::Date(field) => self.read_dates(field, &value),
            Kind::Count => self.read_count(&value),
            Kind::Sort => {
                choice(&value, &[("date", Order::OldestFirst), ("-date", Order::NewestFirst)])
                    .map(|order| self.query.order = order)
            }
            Kind::Summary => {
                choice(&value, &[("count", Summary::Count), ("false", Summary::Documents)])
                    .map(|summary| self.query.summary = summary)
            }
            // All these formats are JSON, so the value is only checked.
            Kind::Format => choice(
                &value,
                &[("json", ()), ("application/json", ()), ("application/fhir+json", ())],
            ),
            // Each page of a search has another token, so the token is not one of the parameters
            // that identify the search.
            Kind::Page => {
                self.query.page_token = Some(value);
                return;
            }
        };
        match result {
            Ok(()) => self.query.understood.push((name, value)),
            Err(InvalidValue { code, problem }) => self.report(name, code, problem),
        }
    }

    fn read_subject(&mut self, value: &str) -> Result<(), InvalidValue> {
        let [alternative] = value::alternatives(value).map_err(InvalidValue::malformed)?[..] else {
            return Err(InvalidValue::malformed("must be one subject"));
        };
        let token = value::token(alternative).map_err(InvalidValue::malformed)?;
        let subject = self.subjects.read(token.system.as_deref(), &token.code);
        let subject = subject.map_err(|error| match error {
            SubjectError::UnknownSystem(_) => {
                InvalidValue { code: IssueCode::CodeInvalid, problem: error.to_string() }
            }
            SubjectError::Malformed(_) => InvalidValue::malformed(error),
        })?;
        self.query.subject = Some(subject);
        Ok(())
    }

    /// Reads the keys of documents. `parse_keys` returns the keys that one alternative may mean.
    fn read_keys(
        &mut self,
        value: &str,
        parse_keys: impl Fn(&str) -> Result<Vec<DocumentKey>, InvalidValue>,
    ) -> Result<(), InvalidValue> {
        let mut keys = Vec::new();
        for alternative in value::alternatives(value).map_err(InvalidValue::malformed)? {
            keys.extend(parse_keys(alternative)?);
        }
        keys.sort();
        keys.dedup();
        if keys.len() > MAX_ALTERNATIVES {
            let problem = "must name at most 100 documents; give the system of identifiers";
            return Err(InvalidValue::malformed(problem));
        }
        self.query.filters.push(Filter::Key(keys));
        Ok(())
    }

    fn read_codes(&mut self, field: TokenField, value: &str) -> Result<(), InvalidValue> {
        let mut codes = Vec::new();
        for alternative in value::alternatives(value).map_err(InvalidValue::malformed)? {
            let token = value::token(alternative).map_err(InvalidValue::malformed)?;
            let allowed = field.codes();
            if !allowed.is_empty() && !allowed.contains(&token.code.as_str()) {
                let problem = format!("must be one of {}", allowed.join(", "));
                return Err(InvalidValue { code: IssueCode::CodeInvalid, problem });
            }
            codes.push(token);
        }
        self.query.filters.push(Filter::Token(field, Codes(codes)));
        Ok(())
    }

    fn read_dates(&mut self, field: DateField, value: &str) -> Result<(), InvalidValue> {
        let dates = value::alternatives(value).map_err(InvalidValue::malformed)?;
        let ranges: Result<Vec<_>, _> = dates.into_iter().map(DateRange::parse).collect();
        let ranges = ranges.map_err(InvalidValue::malformed)?;
        self.query.filters.push(Filter::Date(field, ranges));
        Ok(())
    }

    fn read_count(&mut self, value: &str) -> Result<(), InvalidValue> {
        let has_only_digits = value.bytes().all(|byte| byte.is_ascii_digit());
        let count: Option<u16> = value.parse().ok();
        let count = count.filter(|count| has_only_digits && (1..=MAX_COUNT).contains(count));
        let problem = "must be a whole number from 1 to 1000";
        self.query.count = count.ok_or_else(|| InvalidValue::malformed(problem))?;
        Ok(())
    }

    /// Returns the query, or the errors of all parameters. Also checks that the parameters may be
    /// combined.
    fn finish(mut self) -> Result<SearchQuery, OperationOutcome> {
        let names_documents =
            self.seen_kinds.iter().any(|kind| matches!(kind, Kind::Id | Kind::Identifier));
        if !self.seen_kinds.contains(&Kind::Subject) && !names_documents {
            let parameter = PARAMETERS.iter().find(|parameter| parameter.kind == Kind::Subject);
            let name = parameter.and_then(|parameter| parameter.names.first());
            let problem = "is required, unless _id or identifier is given";
            self.report(name.unwrap_or(&""), IssueCode::Required, problem);
        }
        if self.query.summary == Summary::Count && self.query.page_token.is_some() {
            self.report(PAGE, IssueCode::Value, "a count has no pages");
        }
        if self.issues.is_empty() {
            Ok(self.query)
        } else {
            Err(OperationOutcome { issue: self.issues })
        }
    }
}

/// Restores each `+` that the caller did not percent-encode. The decoder of forms has replaced it
/// by a space. Offsets of times, media types and base64 contain `+`.
fn restore_plus(kind: Kind, value: String) -> String {
    match kind {
        // No valid value contains a space.
        Kind::Date(_) | Kind::Identifier | Kind::Format => value.replace(' ', "+"),
        // Spaces are valid beside a semicolon (`text/plain; charset=utf-8`) and in quoted strings.
        // A caller who sends a quoted string has to encode `+`.
        Kind::Token(TokenField::ContentType) if !value.contains('"') => {
            let restore = |section: &str| {
                let inner = section.trim_matches(' ');
                section.replace(inner, &inner.replace(' ', "+"))
            };
            value.split(';').map(restore).collect::<Vec<_>>().join(";")
        }
        _ => value,
    }
}

/// Parses `[system|]value` and returns the keys that the value may mean. Without a system, a value
/// of digits may be a document number, an object GUID in base64, or both.
fn parse_identifier(text: &str) -> Result<Vec<DocumentKey>, InvalidValue> {
    let token = value::token(text).map_err(InvalidValue::malformed)?;
    let by_number = || {
        let has_only_digits = token.code.bytes().all(|byte| byte.is_ascii_digit());
        let number = token.code.parse().ok().filter(|_| has_only_digits)?;
        Some(DocumentKey::File(FileId::new(number)))
    };
    let by_guid = || token.code.parse().ok().map(DocumentKey::Object);
    let keys: Vec<_> = match token.system.as_deref() {
        None => by_number().into_iter().chain(by_guid()).collect(),
        Some(FILE_ID_SYSTEM) => by_number().into_iter().collect(),
        Some(OBJECT_GUID_SYSTEM) => by_guid().into_iter().collect(),
        Some(_) => {
            let problem = format!(
                "the system is not known; known are {FILE_ID_SYSTEM}, {OBJECT_GUID_SYSTEM}"
            );
            return Err(InvalidValue { code: IssueCode::CodeInvalid, problem });
        }
    };
    if keys.is_empty() {
        let problem = "must be a document number or an object GUID in base64";
        return Err(InvalidValue::malformed(problem));
    }
    Ok(keys)
}

/// Returns the meaning of a value that must be one of a few texts. `choices` are the allowed texts,
/// each with its meaning.
fn choice<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, InvalidValue> {
    let chosen = choices.iter().find(|(text, _)| *text == value);
    chosen.map(|(_, meaning)| *meaning).ok_or_else(|| {
        let texts = choices.iter().map(|(text, _)| *text).collect::<Vec<_>>().join(", ");
        InvalidValue { code: IssueCode::NotSupported, problem: format!("must be one of {texts}") }
    })
}
