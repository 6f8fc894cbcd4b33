//! Parses a query string or form body into a search.

use docferry_domain::document::{DocumentKey, SubjectError, SubjectPatterns};
use docferry_domain::ids::FileId;

use super::filter::{Codes, FILE_ID_SYSTEM, Filter, OBJECT_GUID_SYSTEM};
use super::search::{Order, SearchQuery, Summary};
use crate::outcome::{Issue, IssueCode, OperationOutcome};
use crate::parameter::{Kind, Lookup, PAGE, PARAMETERS, TokenField, look_up};
use crate::value::{self, MAX_ALTERNATIVES};
use crate::{DateRange, form};

/// Default number of documents on a page.
const DEFAULT_COUNT: u16 = 100;
/// Maximum number of documents on a page.
const MAX_COUNT: u16 = 1000;
/// Maximum number of parameters.
const MAX_PARAMETERS: usize = 100;

/// How unknown parameters are treated (`Prefer: handling=…`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Handling {
    /// They are ignored.
    #[default]
    Lenient,
    /// They are errors.
    Strict,
}

impl Handling {
    /// Reads a `Prefer` header (RFC 7240). Other preferences are ignored.
    #[must_use]
    pub fn from_prefer(header: &str) -> Self {
        let preferences =
            header.split([',', ';']).filter_map(|preference| preference.split_once('='));
        let mut handling =
            preferences.filter(|(name, _)| name.trim().eq_ignore_ascii_case("handling"));
        // The first one counts when a preference occurs twice.
        match handling.next() {
            Some((_, value)) if value.trim().trim_matches('"') == "strict" => Self::Strict,
            _ => Self::Lenient,
        }
    }
}

impl SearchQuery {
    /// Parses the parameters of a search, in a query string or a form body.
    ///
    /// # Errors
    /// An issue for each faulty parameter, which names it.
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
        let mut draft = Draft::new(subjects);
        for (name, value) in pairs {
            match look_up(&name) {
                Lookup::Known(name, kind) => draft.read(name, kind, value),
                Lookup::UnsupportedModifier => {
                    draft.report(&name, IssueCode::NotSupported, "the modifier is not supported");
                }
                Lookup::Unknown if handling == Handling::Strict => {
                    draft.report(&name, IssueCode::NotSupported, "the parameter is not supported");
                }
                Lookup::Unknown => {}
            }
        }
        draft.finish()
    }
}

/// A search of which some parameters have been read.
struct Draft<'a> {
    subjects: &'a SubjectPatterns,
    query: SearchQuery,
    /// Kinds of the parameters that may occur only once and have occurred.
    seen: Vec<Kind>,
    issues: Vec<Issue>,
}

/// Error in a value.
type Fault = (IssueCode, String);

fn fault<T: ToString>(problem: T) -> Fault {
    (IssueCode::Value, problem.to_string())
}

impl<'a> Draft<'a> {
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
        Self { subjects, query, seen: Vec::new(), issues: Vec::new() }
    }

    fn report(&mut self, name: &str, code: IssueCode, problem: impl Into<String>) {
        self.issues.push(Issue::of(name, code, problem));
    }

    /// Reads a parameter by its kind.
    fn read(&mut self, name: &'static str, kind: Kind, value: String) {
        let may_repeat =
            matches!(kind, Kind::Id | Kind::Identifier | Kind::Token(_) | Kind::Date(_));
        if !may_repeat && self.seen.contains(&kind) {
            self.report(name, IssueCode::Value, "the parameter may occur only once");
            return;
        }
        self.seen.push(kind);
        let value = restore_plus(kind, value);
        let read = match kind {
            Kind::Subject => self.subject(&value),
            Kind::Id => {
                self.keys(&value, |id| Ok(vec![DocumentKey::Id(id.parse().map_err(fault)?)]))
            }
            Kind::Identifier => self.keys(&value, identifier),
            Kind::Token(field) => self.token(field, &value),
            Kind::Date(field) => {
                let ranges = value::alternatives(&value).and_then(|dates| {
                    dates.into_iter().map(DateRange::parse).collect::<Result<Vec<_>, _>>()
                });
                ranges
                    .map(|ranges| self.query.filters.push(Filter::Date(field, ranges)))
                    .map_err(fault)
            }
            Kind::Count => self.count(&value),
            Kind::Sort => {
                choose(&value, &[("date", Order::OldestFirst), ("-date", Order::NewestFirst)])
                    .map(|order| self.query.order = order)
            }
            Kind::Summary => {
                choose(&value, &[("count", Summary::Count), ("false", Summary::Documents)])
                    .map(|summary| self.query.summary = summary)
            }
            Kind::Format => choose(
                &value,
                &[("json", ()), ("application/json", ()), ("application/fhir+json", ())],
            ),
            Kind::Page => {
                self.query.page_token = Some(value);
                return;
            }
        };
        match read {
            Ok(()) => self.query.understood.push((name, value)),
            Err((code, problem)) => self.report(name, code, problem),
        }
    }

    fn subject(&mut self, value: &str) -> Result<(), Fault> {
        let [one] = value::alternatives(value).map_err(fault)?[..] else {
            return Err(fault("must be one subject"));
        };
        let token = value::token(one).map_err(fault)?;
        let subject = self.subjects.read(token.system.as_deref(), &token.code);
        let subject = subject.map_err(|error| match error {
            SubjectError::UnknownSystem(_) => (IssueCode::CodeInvalid, error.to_string()),
            SubjectError::Malformed(_) => fault(error),
        })?;
        self.query.subject = Some(subject);
        Ok(())
    }

    fn keys(
        &mut self,
        value: &str,
        read: impl Fn(&str) -> Result<Vec<DocumentKey>, Fault>,
    ) -> Result<(), Fault> {
        let mut keys = Vec::new();
        for text in value::alternatives(value).map_err(fault)? {
            keys.extend(read(text)?);
        }
        keys.sort();
        keys.dedup();
        if keys.len() > MAX_ALTERNATIVES {
            return Err(fault("must name at most 100 documents; give the system of identifiers"));
        }
        self.query.filters.push(Filter::Key(keys));
        Ok(())
    }

    fn token(&mut self, field: TokenField, value: &str) -> Result<(), Fault> {
        let mut codes = Vec::new();
        for text in value::alternatives(value).map_err(fault)? {
            let token = value::token(text).map_err(fault)?;
            let allowed = field.codes();
            if !allowed.is_empty() && !allowed.contains(&token.code.as_str()) {
                let problem = format!("must be one of {}", allowed.join(", "));
                return Err((IssueCode::CodeInvalid, problem));
            }
            codes.push(token);
        }
        self.query.filters.push(Filter::Token(field, Codes(codes)));
        Ok(())
    }

    fn count(&mut self, value: &str) -> Result<(), Fault> {
        let is_number = value.bytes().all(|b| b.is_ascii_digit());
        let count = value.parse().ok().filter(|count| is_number && (1..=MAX_COUNT).contains(count));
        self.query.count = count.ok_or_else(|| fault("must be a whole number from 1 to 1000"))?;
        Ok(())
    }

    fn finish(mut self) -> Result<SearchQuery, OperationOutcome> {
        let names_documents =
            self.seen.iter().any(|kind| matches!(kind, Kind::Id | Kind::Identifier));
        if !self.seen.contains(&Kind::Subject) && !names_documents {
            let name = PARAMETERS.iter().find(|parameter| parameter.kind == Kind::Subject);
            let name = name.and_then(|parameter| parameter.names.first());
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

/// Restores each `+` that the caller did not percent-encode, because the decoder of forms reads it
/// as a space. Offsets of times, media types and base64 contain `+`.
fn restore_plus(kind: Kind, value: String) -> String {
    match kind {
        // No valid value contains a space.
        Kind::Date(_) | Kind::Identifier | Kind::Format => value.replace(' ', "+"),
        // Spaces are valid beside a semicolon (`text/plain; charset=utf-8`) and in quoted strings.
        // A caller who sends a quoted string has to encode `+`.
        Kind::Token(TokenField::ContentType) if !value.contains('"') => {
            let restore = |part: &str| {
                let inner = part.trim_matches(' ');
                part.replace(inner, &inner.replace(' ', "+"))
            };
            value.split(';').map(restore).collect::<Vec<_>>().join(";")
        }
        _ => value,
    }
}

/// Reads `[system|]value`. Without a system, the value may be a number, a GUID, or both.
fn identifier(text: &str) -> Result<Vec<DocumentKey>, Fault> {
    let token = value::token(text).map_err(fault)?;
    let file = || {
        let is_number = token.code.bytes().all(|b| b.is_ascii_digit());
        token.code.parse().ok().filter(|_| is_number).map(|n| DocumentKey::File(FileId::new(n)))
    };
    let object = || token.code.parse().ok().map(DocumentKey::Object);
    let keys: Vec<_> = match token.system.as_deref() {
        None => file().into_iter().chain(object()).collect(),
        Some(FILE_ID_SYSTEM) => file().into_iter().collect(),
        Some(OBJECT_GUID_SYSTEM) => object().into_iter().collect(),
        Some(_) => {
            let problem = format!(
                "the system is not known; known are {FILE_ID_SYSTEM}, {OBJECT_GUID_SYSTEM}"
            );
            return Err((IssueCode::CodeInvalid, problem));
        }
    };
    if keys.is_empty() {
        return Err(fault("must be a document number or an object GUID in base64"));
    }
    Ok(keys)
}

/// Reads one of the given texts.
fn choose<T: Copy>(value: &str, choices: &[(&str, T)]) -> Result<T, Fault> {
    let chosen = choices.iter().find(|(name, _)| *name == value);
    chosen.map(|(_, chosen)| *chosen).ok_or_else(|| {
        let names = choices.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        (IssueCode::NotSupported, format!("must be one of {names}"))
    })
}
