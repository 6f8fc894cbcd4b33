//! Parsing of query strings and form bodies.

use docferry_fhir::SearchQuery;
use docferry_fhir::query::{DocumentKey, Handling, Order, Summary};
use proptest::prelude::*;

use crate::support::{COURT, NHS, any_parameters, errors_of, parse, search, subjects};

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

    #[test]
    fn no_error_contains_a_value(name in 0..14_usize, value in "SECRET[a-z|,\\\\ ]{0,9}") {
        let names = docferry_fhir::parameter::PARAMETERS[name].names;
        if let Err(outcome) = parse(&format!("{}={value}", names[0])) {
            prop_assert!(!serde_json::to_string(&outcome).unwrap().contains("SECRET"));
        }
    }
}
