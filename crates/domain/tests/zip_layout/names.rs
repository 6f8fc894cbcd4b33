//! Names of entries.

use std::collections::HashSet;
use std::time::Instant;

use docferry_domain::zip::{EntryName, entry_names};
use proptest::prelude::*;
use unicode_normalization::UnicodeNormalization as _;

fn names(file_names: &[&str]) -> Vec<String> {
    entry_names(file_names.iter().copied()).into_iter().map(String::from).collect()
}

/// Returns the form in which names are compared.
fn folded(name: &str) -> String {
    name.nfc().collect::<String>().to_lowercase()
}

#[test]
fn unsafe_names_become_safe_ones() {
    for (file_name, expected) in [
        ("/etc/passwd", "_etc_passwd"),
        ("../../a.pdf", ".._.._a.pdf"),
        ("C:\\docs\\a.pdf", "C__docs_a.pdf"),
        ("a\0b\nc\u{7f}d\u{85}.pdf", "a_b_c_d_.pdf"),
        ("a\u{202e}fdp.exe", "a_fdp.exe"),
        ("a.pdf. . ", "a.pdf"),
        (" a.pdf", " a.pdf"),
        ("", "document"),
        ("..", "document"),
        (" . ", "document"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("Com1 .tar.gz", "_Com1 .tar.gz"),
        ("LPT\u{b2}", "_LPT\u{b2}"),
        ("conin$", "_conin$"),
        ("COM10.txt", "COM10.txt"),
        ("console.log", "console.log"),
        ("Ordonnance d'été.docx", "Ordonnance d'été.docx"),
        ("法院文件.pdf", "法院文件.pdf"),
    ] {
        assert_eq!(names(&[file_name]), [expected], "{file_name:?}");
    }
}

#[test]
fn long_name_is_cut_between_characters_and_keeps_its_extension() {
    let long = format!("{}.pdf", "長".repeat(255));
    assert_eq!(names(&[&long]), [format!("{}.pdf", "長".repeat(83))]);
    let numbered = names(&[&long, &long]);
    assert_eq!(numbered[1], format!("{}(1).pdf", "長".repeat(82)));
    let without_extension = names(&[&format!("a.{}", "é".repeat(200))]);
    assert_eq!(without_extension, [format!("a.{}", "é".repeat(126))]);
    // A device name that appears only after the cut.
    assert_eq!(names(&[&format!("con{}x", " ".repeat(252))]), ["_con"]);
}

#[test]
fn duplicates_are_numbered_in_accepted_order() {
    let numbered =
        names(&["a.pdf", "a.pdf", "b", "a.pdf", "b", ".x", ".x", "a.tar.gz", "a.tar.gz"]);
    let expected =
        ["a.pdf", "a(1).pdf", "b", "a(2).pdf", "b(1)", ".x", ".x(1)", "a.tar.gz", "a.tar(1).gz"];
    assert_eq!(numbered, expected);
}

#[test]
fn numbers_have_no_gaps_when_they_get_more_digits() {
    for stem in ["a".to_owned(), "x".repeat(251)] {
        let equal = vec![format!("{stem}.pdf"); 1002];
        let equal: Vec<&str> = equal.iter().map(String::as_str).collect();
        for (number, name) in names(&equal).iter().enumerate().skip(1) {
            let suffix = format!("({number})");
            let stem = &stem[..stem.len().min(251 - suffix.len())];
            assert_eq!(name, &format!("{stem}{suffix}.pdf"));
        }
    }
}

#[test]
fn numbered_name_never_takes_the_name_of_a_later_document() {
    assert_eq!(
        names(&["a.pdf", "a.pdf", "a.pdf", "A(1).PDF", "a(1).pdf"]),
        ["a.pdf", "a(2).pdf", "a(3).pdf", "A(1).PDF", "a(1)(1).pdf"],
    );
}

#[test]
fn names_that_differ_only_in_case_or_normal_form_are_numbered() {
    for (first, second, expected) in [
        ("Order.PDF", "oRDER.pdf", "oRDER(1).pdf"),
        ("\u{e9}.pdf", "e\u{301}.pdf", "e\u{301}(1).pdf"),
        ("É.pdf", "e\u{301}.pdf", "e\u{301}(1).pdf"),
        ("ΟΔΟΣ", "οδοσ", "οδοσ(1)"),
        ("\u{130}", "i\u{307}", "i\u{307}(1)"),
        ("J\u{30c}", "\u{1f0}", "\u{1f0}(1)"),
        ("ſ", "S", "S(1)"),
        ("\u{212a}", "k", "k(1)"),
    ] {
        assert_eq!(names(&[first, second]), [first, expected]);
    }
    assert_eq!(names(&["ß", "ss"]), ["ß", "ss"]);
}

#[test]
fn document_with_the_name_of_the_manifest_is_numbered() {
    assert_eq!(
        names(&["manifest.json", "Manifest.JSON", "manifest(1).json"]),
        ["manifest(2).json", "Manifest(3).JSON", "manifest(1).json"],
    );
}

#[test]
fn ten_thousand_equal_or_similar_names_are_numbered_in_time() {
    let long = |number: usize| format!("{}{number:05}.pdf", "x".repeat(300));
    let tail = |number: usize| format!("{}{number:05}.pdf", "x".repeat(246));
    let equal: Vec<String> = vec!["a.pdf".into(); 10_000];
    let cut_to_equal: Vec<String> = (0..10_000).map(long).collect();
    // The names differ only in bytes that the number replaces.
    let equal_when_numbered: Vec<String> = (0..10_000).map(|number| tail(number / 2)).collect();
    let mut with_real_numbers: Vec<String> = vec!["a.pdf".into(); 5000];
    with_real_numbers.extend((0..5000).map(|number| format!("a({number}).pdf")));
    let not_ascii = vec!["長".repeat(20) + ".pdf"; 10_000];
    for list in [equal, not_ascii, cut_to_equal, equal_when_numbered, with_real_numbers] {
        let start = Instant::now();
        let numbered = entry_names(list.iter().map(String::as_str));
        // If the time were quadratic, it would be minutes.
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
        let keys: HashSet<String> = numbered.iter().map(|name| folded(name.as_str())).collect();
        assert_eq!(keys.len(), 10_000);
    }
}

#[test]
fn stored_name_is_read_only_if_it_is_safe() {
    let read = |text: &str| serde_json::from_str::<EntryName>(&format!("{text:?}"));
    for text in ["a.pdf", "manifest(1).json", "_con"] {
        assert_eq!(read(text).unwrap().as_str(), text);
        assert_eq!(serde_json::to_string(&read(text).unwrap()).unwrap(), format!("{text:?}"));
    }
    let long = "x".repeat(256);
    for text in ["", "a/b", "..", "a.", "con", "Manifest.json", &long] {
        assert!(read(text).is_err(), "{text}");
    }
    assert_eq!(format!("{:?}", read("a.pdf").unwrap()), "EntryName(…)");
}

/// Generates names that are likely to be equal, unsafe, or equal after a number is added.
fn any_name() -> impl Strategy<Value = String> {
    let stem =
        prop_oneof!["[aAbéÉſsK]{0,2}", "(con|COM1|manifest|\\.|\\.\\.)", "\\PC{0,4}", "x{245,256}"];
    let number = prop_oneof![2 => Just(String::new()), 1 => "\\([0-2]\\)"];
    let ending =
        prop_oneof![".pdf", ".PDF", ".json", "", "[. ]{1,2}", "\\.\\PC{0,3}", any::<String>()];
    (stem, number, ending).prop_map(|(stem, number, ending)| format!("{stem}{number}{ending}"))
}

proptest! {
    #[test]
    fn names_of_any_documents_are_safe_and_distinct(
        file_names in proptest::collection::vec(any_name(), 0..40),
    ) {
        let names = entry_names(file_names.iter().map(String::as_str));
        prop_assert_eq!(names.len(), file_names.len());
        let mut keys = HashSet::from(["manifest.json".to_owned()]);
        for name in names {
            let text = name.as_str();
            prop_assert!((1..=255).contains(&text.len()));
            prop_assert!(!text.contains(['/', '\\', ':']) && !text.contains(char::is_control));
            prop_assert!(!text.ends_with(['.', ' ']));
            prop_assert!(keys.insert(folded(text)), "{text:?} is a duplicate");
            prop_assert_eq!(EntryName::try_from(text.to_owned()).unwrap(), name);
        }
    }

    #[test]
    fn first_document_of_a_safe_name_retains_it(
        file_names in proptest::collection::vec("[a-c]{1,2}(\\([1-3]\\))?\\.pdf", 0..40),
    ) {
        let names = entry_names(file_names.iter().map(String::as_str));
        let mut seen = HashSet::new();
        for (file_name, name) in file_names.iter().zip(&names) {
            prop_assert_eq!(seen.insert(file_name), name.as_str() == file_name);
        }
    }
}
