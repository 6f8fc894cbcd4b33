//! Parsing of query strings and form bodies.

use docferry_domain::document::DocumentKey;
use docferry_fhir::parameter::PARAMETERS;
use docferry_fhir::query::{Handling, Order, Summary};
use docferry_fhir::{OperationOutcome, PageKey, PageTokens, SearchQuery};
use proptest::prelude::*;
use serde_json::json;

use crate::support::{COURT, NHS, any_parameters, errors_of, parse, record, search, subjects};

#[test]
fn three_spellings_name_the_subject() {
    for (form, system, value) in [
        ("subject:identifier=s-1", COURT, "S-1"),
        ("subject%3Aidentifier=urn:example:court-file|S-1", COURT, "S-1"),
        ("subject.identifier=urn%3Aexample%3Acourt-file%7CS-1", COURT, "S-1"),
        ("patient.identifier=https://fhir.nhs.uk/Id/nhs-number%7C943+476+5919", NHS, "9434765919"),
    ] {
        let query = parse(form).unwrap();
        let subject = query.subject().unwrap();
        assert_eq!((subject.system(), subject.value()), (system, value), "{form}");
    }
}

#[test]
fn defaults_apply_without_parameters() {
    let query = search("");
    assert_eq!((query.count(), query.order()), (100, Order::NewestFirst));
    assert_eq!((query.summary(), query.page_token()), (Summary::Documents, None));
    assert!(query.is_only_range() && query.keys().is_none());
    let query = search("_count=1000&_sort=date&_summary=count&_format=json");
    assert_eq!((query.count(), query.order()), (1000, Order::OldestFirst));
    assert_eq!(query.summary(), Summary::Count);
    assert_eq!(search("_count=1&_sort=-date&_page=abc").page_token(), Some("abc"));
}

#[test]
fn faulty_parameter_is_named_with_its_kind_of_error() {
    for (form, code, name) in [
        ("", "required", "subject:identifier"),
        ("subject=Patient/1&type=a", "required", "subject:identifier"),
        ("subject.identifier=", "value", "subject.identifier"),
        ("subject.identifier=S 1", "value", "subject.identifier"),
        ("subject.identifier=S-1,S-2", "value", "subject.identifier"),
        ("subject.identifier=a|b|c", "value", "subject.identifier"),
        ("subject.identifier=urn:example:court-file|", "value", "subject.identifier"),
        ("subject.identifier=urn:other|S-1", "code-invalid", "subject.identifier"),
        ("patient.identifier=|S-1", "code-invalid", "patient.identifier"),
        ("subject.identifier=S-1&patient.identifier=S-1", "value", "patient.identifier"),
        (
            "subject:identifier=https://fhir.nhs.uk/Id/nhs-number|9434765918",
            "value",
            "subject:identifier",
        ),
        ("_id=a/b", "value", "_id"),
        ("_id=a,", "value", "_id"),
        ("identifier=urn:other|1", "code-invalid", "identifier"),
        ("identifier=abc", "value", "identifier"),
        ("identifier=urn:docferry:file-id|-1", "value", "identifier"),
        ("identifier=urn:docferry:object-guid|abc", "value", "identifier"),
        ("_id=a&status=valid", "code-invalid", "status"),
        ("_id=a&doc-status=Final", "code-invalid", "doc-status"),
        ("_id=a&type=", "value", "type"),
        ("_id=a&type=a\\b", "value", "type"),
        ("_id=a&type:not=a", "not-supported", "type:not"),
        ("_id=a&date:missing=true", "not-supported", "date:missing"),
        ("_id=a&date=ne2026", "value", "date"),
        ("_id=a&date=2026-13", "value", "date"),
        ("_id=a&creation=yesterday", "value", "creation"),
        ("_id=a&_count=0", "value", "_count"),
        ("_id=a&_count=1001", "value", "_count"),
        ("_id=a&_count=%2B5", "value", "_count"),
        ("_id=a&_count=99999999999", "value", "_count"),
        ("_id=a&_count=5&_count=5", "value", "_count"),
        ("_id=a&_sort=type", "not-supported", "_sort"),
        ("_id=a&_sort=date,-date", "not-supported", "_sort"),
        ("_id=a&_sort=date&_sort=-date", "value", "_sort"),
        ("_id=a&_summary=text", "not-supported", "_summary"),
        ("_id=a&_format=xml", "not-supported", "_format"),
        ("_id=a&_page=x&_page=y", "value", "_page"),
        ("_id=a&_page:x=y", "not-supported", "_page:x"),
        ("_id=a&_page%3Ax=y", "not-supported", "_page:x"),
        ("_id=a&_count:x=5", "not-supported", "_count:x"),
        ("_id=a&_sort:x=date", "not-supported", "_sort:x"),
        ("_id=a&_summary=count&_page=x", "value", "_page"),
        ("_id=%zz", "structure", ""),
        ("_id=%ff", "structure", ""),
    ] {
        let errors = errors_of(&parse(form).unwrap_err());
        assert_eq!(errors, [(code.to_owned(), name.to_owned())], "{form}");
    }
}

#[test]
fn all_faulty_parameters_are_reported() {
    let errors = errors_of(&parse("_count=x&type=&_sort=1").unwrap_err());
    let names: Vec<_> = errors.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["_count", "type", "_sort", "subject:identifier"]);
}

#[test]
fn unknown_parameters_are_errors_only_when_strict() {
    let form = "_id=a&colour=red&_include=x&=x&%00=x";
    let ignored = parse(form).unwrap();
    assert_eq!(ignored.understood().collect::<Vec<_>>(), [("_id", "a")]);
    let errors = errors_of(&SearchQuery::parse(form, &subjects(), Handling::Strict).unwrap_err());
    let names: Vec<_> = errors.iter().map(|(_, name)| name.as_str()).collect();
    assert_eq!(names, ["colour", "_include", "", "\\u{0}"]);
    for (header, handling) in [
        ("handling=strict", Handling::Strict),
        ("respond-async, Handling=\"strict\"", Handling::Strict),
        ("return=minimal; handling = strict", Handling::Strict),
        ("handling=lenient", Handling::Lenient),
        ("handling=lenient, handling=strict", Handling::Lenient),
        ("handling", Handling::Lenient),
        ("", Handling::Lenient),
    ] {
        assert_eq!(Handling::from_prefer(header), handling, "{header}");
    }
}

#[test]
fn literal_plus_is_restored() {
    let value = |form: &str| {
        let query = search(form);
        let (_, value) = query.understood().last().unwrap();
        value.to_owned()
    };
    for (form, expected) in [
        ("contenttype=application/fhir+json", "application/fhir+json"),
        ("contenttype=application/fhir%2Bjson", "application/fhir+json"),
        ("contenttype=application/a+b+c,image/svg+xml", "application/a+b+c,image/svg+xml"),
        ("contenttype=urn:ietf:bcp:13|image/svg+xml", "urn:ietf:bcp:13|image/svg+xml"),
        ("contenttype=application/fhir+json;+charset=a", "application/fhir+json; charset=a"),
        ("contenttype=a/b+c+;%20d=e+f", "a/b+c ; d=e+f"),
        ("contenttype=a/b%2Bc; d=\"e+f\"", "a/b+c; d=\"e f\""),
        ("_format=application/fhir+json", "application/fhir+json"),
        ("_format=application/fhir%2Bjson", "application/fhir+json"),
        ("date=2026-01-01T00:00:00+02:00", "2026-01-01T00:00:00+02:00"),
        ("creation=lt2026-01-01T00:00:00%2B02:00", "lt2026-01-01T00:00:00+02:00"),
        ("identifier=3q2+7wAAAAAAAAAAAAAAAA==", "3q2+7wAAAAAAAAAAAAAAAA=="),
        // A `+` in a code is a space.
        ("type=court+order", "court order"),
        ("category=a%2Bb", "a+b"),
    ] {
        assert_eq!(value(form), expected, "{form}");
    }
    let until = "2025-12-31T22:00:00Z".parse().unwrap();
    for form in ["date=lt2026-01-01T00:00:00+02:00", "date=lt2026-01-01T00:00:00%2B02:00"] {
        assert_eq!(search(form).indexed_range().until, Some(until), "{form}");
    }
    for (stored, form) in [
        ("application/fhir+json", "contenttype=application/fhir+json"),
        (
            "application/fhir+json; charset=utf-8",
            "contenttype=application/fhir+json;+charset=utf-8",
        ),
        ("text/plain; charset=utf-8", "contenttype=text/plain;%20charset=utf-8"),
        ("text/plain; title=\"a b\"", "contenttype=text/plain; title=\"a b\""),
    ] {
        assert!(search(form).matches(&record(json!({"contentType": stored}))), "{form}");
    }
}

#[test]
fn identifier_without_a_system_may_be_number_or_guid() {
    let keys = |form: &str| parse(form).unwrap().keys().unwrap().to_vec();
    let file = |n| DocumentKey::File(docferry_domain::ids::FileId::new(n));
    let guid = |text: &str| DocumentKey::Object(text.parse().unwrap());
    assert_eq!(keys("identifier=12345"), [file(12345)]);
    assert_eq!(keys("identifier=12345678"), [file(12_345_678), guid("12345678")]);
    assert_eq!(keys("identifier=urn:docferry:file-id|12345678"), [file(12_345_678)]);
    // A `+` without encoding.
    assert_eq!(keys("identifier=3q2+7wAAAAAAAAAAAAAAAA=="), [guid("3q2+7wAAAAAAAAAAAAAAAA==")]);
    assert_eq!(keys("_id=b,a,b").len(), 2);
    let many = (0..101).map(|n| n.to_string()).collect::<Vec<_>>().join(",");
    assert!(parse(&format!("_id={many}")).is_err());
}

#[test]
fn debug_output_shows_no_value() {
    let debug = format!("{:?}", search("type=SECRET&_id=SECRET"));
    assert_eq!(debug, r#"SearchQuery["subject.identifier", "type", "_id"]"#);
}

/// Text that is planted as a value and must not be in any error.
const CANARY: &str = "CANARY7f3a";

/// Values that contain the canary, as they are in a query string. For some parameters, some of them
/// are valid.
fn canaries() -> Vec<String> {
    let templates = [
        "CANARY",
        "urn:other|CANARY",
        "CANARY|1",
        "urn:example:court-file|CANARY",
        "|CANARY",
        "a|CANARY|b",
        "https://fhir.nhs.uk/Id/nhs-number|CANARY",
        "urn:docferry:file-id|CANARY",
        "urn:docferry:object-guid|CANARY",
        "CANARY,",
        "CANARY,CANARY",
        "CANARY\\",
        "\\CANARY",
        "CANARY%00",
        "CANARY%0A",
        "%E2%80%AECANARY",
        "CANARY+CANARY",
        "ge2026CANARY",
        "2026-01-01T00:00:00+CANARY",
        "-CANARY",
        "1CANARY",
        "date,CANARY",
        "CANARY%zz",
        "CANARY%ff",
        "CANARY=CANARY",
    ];
    let long = CANARY.repeat(30);
    templates.iter().map(|template| template.replace("CANARY", CANARY)).chain([long]).collect()
}

#[test]
fn no_error_contains_a_value() {
    let tokens_key = PageKey::from_secret(b"secret");
    let mut outcomes = 0;
    let mut check = |form: &str, handling| {
        let texts = match SearchQuery::parse(form, &subjects(), handling) {
            Ok(query) => {
                let token = query.page_token().unwrap_or(CANARY);
                let error = PageTokens::new(&tokens_key, "ada", &query).read(token).unwrap_err();
                let outcome = OperationOutcome::from(error);
                let json = serde_json::to_string(&outcome).unwrap();
                format!("{query:?} {error} {error:?} {outcome:?} {json}")
            }
            Err(outcome) => {
                outcomes += 1;
                format!("{outcome:?} {}", serde_json::to_string(&outcome).unwrap())
            }
        };
        assert!(!texts.contains(CANARY), "{form}: {texts}");
    };
    let names = PARAMETERS.iter().flat_map(|parameter| parameter.names).copied();
    for name in names.chain(["_page", "type:not", "_page:x", "subject:Patient", "colour", ""]) {
        for value in canaries() {
            for handling in [Handling::Lenient, Handling::Strict] {
                check(&format!("{name}={value}"), handling);
                check(&format!("_id=a&{name}={value}&{name}={value}"), handling);
                check(&format!("subject:identifier={value}&_count=0&{name}={value}"), handling);
            }
        }
    }
    assert!(outcomes > 1_000, "{outcomes}");
}

proptest! {
    #[test]
    fn understood_parameters_give_the_same_search(parameters in any_parameters()) {
        let query = search(&parameters);
        let pairs = query.understood().map(|(name, value)| {
            let encode = |text: &str| text.bytes().map(|b| format!("%{b:02X}")).collect::<String>();
            format!("{name}={}", encode(value))
        });
        let reparsed = parse(&pairs.collect::<Vec<_>>().join("&")).unwrap();
        prop_assert_eq!(reparsed, query);
    }

    #[test]
    fn arbitrary_text_never_panics(text in "(\\PC|[&=%:|,\\\\a-f0-9]|date=|_count=|subject.identifier=){0,60}") {
        for handling in [Handling::Lenient, Handling::Strict] {
            if let Err(outcome) = SearchQuery::parse(&text, &subjects(), handling) {
                prop_assert!(!outcome.issue.is_empty());
            }
        }
    }
}
