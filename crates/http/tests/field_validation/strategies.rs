//! Proptest strategies that generate values of request fields: valid values, and values that
//! violate a rule by little.

use proptest::prelude::*;
use serde_json::{Value, json};

/// Strings that are base64 or almost: truncated, with wrong padding, too long.
pub(crate) fn near_base64() -> impl Strategy<Value = String> {
    prop_oneof![
        "([A-Za-z0-9+/]{4}){0,2}[A-Za-z0-9+/]{0,2}[AQgwEB]?={0,3}",
        "[A-Za-z0-9+/][AQgw]={0,2}",
        "([A-Za-z0-9+/]{4}){62,65}([A-Za-z0-9+/][AQgwB]==|[A-Za-z0-9+/]{2}[AEIB]=)?",
        "[A-Za-z0-9+/=_\\-\\n ]{0,9}",
    ]
}

/// Strings that are email addresses or almost, with characters that are not allowed.
pub(crate) fn near_address() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z+#.]{0,3}@?[a-z./ \"\\\\?<>@]{0,6}",
        "[a-z]{62,66}@[a-z.]{1,4}",
        "[a-z]{1,3}@[a-z.]{248,254}",
        "[a-zé\u{200b}\u{85}\u{a0}\u{feff}\u{fffd}]{1,3}@[a-zé\u{3000}\u{202e}]{0,3}",
        "\\PC{0,6}@\\PC{0,6}",
    ]
}

/// Strings that are folder paths or almost.
pub(crate) fn near_path() -> impl Strategy<Value = String> {
    prop_oneof![
        "/{0,2}[ab. /:*\"<>?|\\\\\\t]{0,8}/{0,2}",
        "(con|LPT1|forms|a_vti_b|~\\$x|\\.lock|x)(/(con|forms|x\\.|y ))?",
        "[ab /]{0,4}[a]{250,258}",
        "([a]{120}/){2,3}[a]{30,40}",
        "[aé😀\u{7f}\u{85}\u{202e}\u{fffd}\u{e000}/]{0,5}",
        "any|\\PC{0,8}",
    ]
}

/// Strings that are URLs or almost.
pub(crate) fn near_url() -> impl Strategy<Value = String> {
    prop_oneof![
        "(https|HTTPS|http|ftp|https )?:?/{0,3}[a-z0-9.@:#\\[\\] ]{0,12}",
        "https://(8\\.8\\.8\\.8|10\\.0\\.0\\.1|a@b\\.example|b\\.example#x|b\\.example/x)",
        "https://b\\.example/[a]{2025,2032}",
    ]
}

/// Document numbers, numbers around the limits, and values of other types.
pub(crate) fn near_number() -> impl Strategy<Value = Value> {
    prop_oneof![
        (0_u64..20_000).prop_map(|number| json!(number)),
        (99_999_990_u64..100_000_010).prop_map(|number| json!(number)),
        any::<i64>().prop_map(|number| json!(number)),
        Just(json!(10_000.5)),
        Just(json!("10000")),
        Just(json!([10_000])),
        Just(json!(true)),
    ]
}
