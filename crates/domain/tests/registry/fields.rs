//! The rule of a record, field by field.

use serde_json::{Value, json};

use crate::support::{NHS, SYSTEM};

/// One row of the rule: name, whether it is required, valid values, invalid values.
pub(crate) type Row = (&'static str, bool, Vec<Value>, Vec<Value>);

/// The rule, field by field. `null` is a missing member.
pub(crate) fn rule() -> Vec<Row> {
    let wrong_types = || vec![json!(true), json!(["a"]), json!({"a": 1}), json!(1.5)];
    let with = |more: Vec<Value>| wrong_types().into_iter().chain(more).collect::<Vec<_>>();
    let times = || {
        with(vec![
            json!("2026-03-01T12:01:01Z"),
            json!("9999-12-31T23:59:59Z"),
            json!("2026-02-30T00:00:00Z"),
            json!("2026-02-01"),
            json!("2026-02-01T00:00:00"),
            json!("2026-02-01 00:00:00Z"),
            json!(""),
            json!("-000001-01-01T00:00:00Z"),
            json!("2026-02-01T00:00:00+01:00[Europe/Paris]"),
            json!(0),
            json!("0000-12-31T00:00:00Z"),
        ])
    };
    let past = || {
        vec![
            json!("2026-03-01T12:01:00Z"),
            json!("1970-01-01T00:00:00Z"),
            json!("0001-01-01T00:00:00Z"),
            json!("2026-02-01T23:59:59.999999999+14:00"),
        ]
    };
    let codes = |names: &[&str]| names.iter().map(|name| json!(name)).collect::<Vec<_>>();
    let no_code = || with(vec![json!(""), json!("Final"), json!("other"), json!(7)]);
    let groups: Vec<_> = (0..33).map(|n| format!("g{n}")).collect();
    vec![
        (
            "id",
            true,
            codes(&["a", "a.b-C", &"x".repeat(64)]),
            with(vec![json!(""), json!("a_b"), json!("ä"), json!("x".repeat(65)), json!(7)]),
        ),
        (
            "subject",
            true,
            vec![
                json!({"value": "12345"}),
                json!({"system": SYSTEM, "value": " s-1 "}),
                json!({"system": null, "value": "S-1"}),
                json!({"system": NHS, "value": "943 476 5919"}),
            ],
            with(vec![
                json!({}),
                json!({"value": ""}),
                json!({"value": 7}),
                json!({"system": SYSTEM}),
                json!({"system": "urn:other", "value": "S-1"}),
                json!("S-1"),
                json!({"system": NHS, "value": "9434765918"}),
                json!({"value": "S-1", "type": "court"}),
            ]),
        ),
        (
            "fileId",
            false,
            vec![json!(1), json!((1_u64 << 53) - 1)],
            with(vec![json!(0), json!(-1), json!("7"), json!(1_u64 << 53), json!(u64::MAX)]),
        ),
        (
            "objGuid",
            true,
            codes(&["3q2+7wAAAAAAAAAAAAAAAA==", "AAAA"]),
            with(vec![json!(""), json!("abc"), json!("AB=="), json!("A".repeat(260)), json!(7)]),
        ),
        (
            "fileName",
            true,
            codes(&["order.pdf", "a:b", "法廷.pdf"]),
            with(vec![
                json!(""),
                json!("a/b"),
                json!(" a"),
                json!("..."),
                json!("a\u{202e}b"),
                json!("x".repeat(256)),
                json!(7),
            ]),
        ),
        (
            "contentType",
            true,
            codes(&["application/pdf", "text/plain; charset=utf-8"]),
            with(vec![json!(""), json!("pdf"), json!("text/plain;"), json!(7)]),
        ),
        (
            "size",
            true,
            vec![json!(0), json!(250_000_000_000_u64), json!((1_u64 << 53) - 1)],
            with(vec![json!(-1), json!("7"), json!(1_u64 << 53)]),
        ),
        ("created", true, past(), times()),
        ("indexed", true, past(), times()),
        (
            "type",
            false,
            codes(&["order", "court order", "a|b"]),
            with(vec![json!(""), json!(" a"), json!("a  b"), json!("x".repeat(65)), json!(7)]),
        ),
        ("category", false, codes(&["civil"]), with(vec![json!(""), json!("a\nb"), json!(7)])),
        ("docStatus", true, codes(&["preliminary", "final"]), no_code()),
        ("status", false, codes(&["current", "superseded"]), no_code()),
        ("scanResult", true, codes(&["clean", "infected", "unscanned"]), no_code()),
        ("withdrawnAt", false, past(), times()),
        (
            "groups",
            false,
            vec![json!([]), json!(["a", "b c"]), json!(groups[..32])],
            vec![json!("a"), json!([1]), json!(["a", "a"]), json!([""]), json!(groups), json!({})],
        ),
    ]
}
