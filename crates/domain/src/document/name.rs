//! Names of documents in OneDrive.
//!
//! [`DocumentName`] holds only names that OneDrive accepts. Names from the document source are
//! *foreign*: they satisfy the rules of another system. [`DocumentName::adapted_from`] turns a
//! foreign name into one that OneDrive accepts.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::path_rule::{
    FORBIDDEN, MAX_SEGMENT, PathRule, SegmentPlace, check_segment, check_stored, is_reserved,
    utf16_len, without_vti,
};
use crate::text::is_unprintable;

/// Extensions of Office files in old and new formats, with templates and add-ins.
const OFFICE_EXTENSIONS: &[&str] = &[
    "doc", "docm", "docx", "dot", "dotm", "dotx", "mpp", "mpt", "one", "pot", "potm", "potx",
    "ppam", "pps", "ppsm", "ppsx", "ppt", "pptm", "pptx", "pub", "sldm", "sldx", "vsd", "vsdm",
    "vsdx", "vss", "vssm", "vssx", "vst", "vstm", "vstx", "xla", "xlam", "xls", "xlsb", "xlsm",
    "xlsx", "xlt", "xltm", "xltx",
];
/// Extensions of images whose metadata OneDrive edits.
const IMAGE_EXTENSIONS: &[&str] =
    &["bmp", "gif", "heic", "heif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];
/// Maximum length of an extension that [`shortened`] keeps, in UTF-16 units.
const MAX_KEPT_EXTENSION: usize = 19;

/// Name of a document in OneDrive. `Debug` hides the name.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentName(String);

impl DocumentName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Turns a file name of another system into a name that OneDrive accepts.
    ///
    /// Only the last part of a path is used. Each character that OneDrive refuses or that cannot be
    /// displayed becomes `_`. The result depends on the input alone, so the file gets the same name
    /// whenever the source sends the document again.
    ///
    /// # Errors
    /// [`PathRule::Empty`] when no usable character remains.
    pub fn adapted_from(foreign: &str) -> Result<Self, PathRule> {
        let file_name = foreign.rsplit(['/', '\\']).next().unwrap_or_default();
        let replaced: String = file_name
            .chars()
            .map(|c| if FORBIDDEN.contains(&c) || is_unprintable(c) { '_' } else { c })
            .collect();
        let trimmed_name = trimmed(&replaced);
        if trimmed_name.is_empty() {
            return Err(PathRule::Empty);
        }
        let short = shortened(&without_vti(trimmed_name));
        // `forms` is reserved only directly below the root, but the folder is not known here.
        if is_reserved(&short) || short.eq_ignore_ascii_case("forms") {
            shortened(&format!("_{short}")).parse()
        } else {
            short.parse()
        }
    }

    /// Returns the name with a number, such as `stem 1.ext`. OneDrive uses this form when the plain
    /// name is taken. The number 0 stands for the plain name.
    ///
    /// # Errors
    /// [`PathRule::SegmentTooLong`] when the numbered name is too long.
    pub fn numbered(&self, number: u32) -> Result<Self, PathRule> {
        if number == 0 {
            return Ok(self.clone());
        }
        let numbered_name = match self.0.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => format!("{stem} {number}.{extension}"),
            _ => format!("{} {number}", self.0),
        };
        if utf16_len(&numbered_name) > MAX_SEGMENT {
            return Err(PathRule::SegmentTooLong);
        }
        // `try_into` applies the less strict rules, because `self` may be a name that an older
        // version stored.
        numbered_name.try_into()
    }

    /// Returns the name in lower case, for the comparison of names in one folder. OneDrive ignores
    /// case.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// Returns whether the name has the extension of an Office file.
    #[must_use]
    pub fn is_office(&self) -> bool {
        self.has_extension(OFFICE_EXTENSIONS)
    }

    /// Returns whether OneDrive edits the metadata of files of this type after an upload.
    #[must_use]
    pub fn is_edited_by_service(&self) -> bool {
        self.has_extension(OFFICE_EXTENSIONS) || self.has_extension(IMAGE_EXTENSIONS)
    }

    fn has_extension(&self, extensions: &[&str]) -> bool {
        let extension =
            self.0.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
        extension.is_some_and(|extension| extensions.contains(&extension.as_str()))
    }
}

/// Removes white space at both ends, and periods at the end.
fn trimmed(text: &str) -> &str {
    text.trim().trim_end_matches(|c: char| c == '.' || c.is_whitespace())
}

/// Shortens a name to the maximum length and keeps its extension.
fn shortened(name: &str) -> String {
    if utf16_len(name) <= MAX_SEGMENT {
        return name.to_owned();
    }
    let (stem, extension) = match name.rsplit_once('.') {
        Some((stem, extension)) if utf16_len(extension) <= MAX_KEPT_EXTENSION => {
            (stem, format!(".{extension}"))
        }
        _ => (name, String::new()),
    };
    let mut remaining = MAX_SEGMENT - utf16_len(&extension);
    let kept: String = stem
        .chars()
        .take_while(|c| {
            let fits = c.len_utf16() <= remaining;
            remaining = remaining.saturating_sub(c.len_utf16());
            fits
        })
        .collect();
    format!("{}{extension}", trimmed(&kept))
}

impl fmt::Debug for DocumentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DocumentName(…)")
    }
}

/// Parses a new name by all present rules. The rule for names directly below the root is not
/// checked, because the folder is not known here.
impl FromStr for DocumentName {
    type Err = PathRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_segment(text, SegmentPlace::Anywhere)?;
        Ok(Self(text.to_owned()))
    }
}

/// Reads a stored name. Older versions accepted names by less strict rules, so only these rules
/// apply.
impl TryFrom<String> for DocumentName {
    type Error = PathRule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        check_stored(&text)?;
        Ok(Self(text))
    }
}

impl From<DocumentName> for String {
    fn from(name: DocumentName) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::DriveFolder;
    use proptest::prelude::*;

    #[test]
    fn foreign_name_is_adapted_to_an_allowed_name() {
        for (foreign, expected) in [
            ("../../etc/pass wd.pdf", "pass wd.pdf"),
            ("C:\\docs\\a.pdf", "a.pdf"),
            ("a\"b:c.pdf", "a_b_c.pdf"),
            ("CON", "_CON"),
            ("cOn", "_cOn"),
            ("x_vti_y.pdf", "x_vti-y.pdf"),
            ("x_Vti_y_vTI_VTI_.pdf", "x_Vti-y_vTI-VTI_.pdf"),
            ("deſKtop.ini", "_deſKtop.ini"),
            ("a\u{202e}fdp.exe", "a_fdp.exe"),
            ("a\u{ffff}\u{fdd0}\u{85}\u{fffd}b", "a____b"),
            ("\u{a0}a.pdf\u{3000}", "a.pdf"),
            (" a.pdf. ", "a.pdf"),
        ] {
            assert_eq!(DocumentName::adapted_from(foreign).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn foreign_name_without_a_usable_character_is_refused() {
        for foreign in ["", "/", "a/", "...", "  "] {
            assert_eq!(DocumentName::adapted_from(foreign), Err(PathRule::Empty), "{foreign}");
        }
    }

    #[test]
    fn shortened_name_keeps_its_extension() {
        let name = DocumentName::adapted_from(&format!("{}.pdf", "長".repeat(400))).unwrap();
        assert_eq!(name.as_str().chars().count(), 255);
        assert!(name.as_str().ends_with(".pdf"));
    }

    /// Covers every code point of the Unicode planes that contain characters, and some code
    /// points of the private planes. Each name contains 100 of them.
    #[test]
    fn every_code_point_in_a_foreign_name_is_kept_or_replaced() {
        let all: Vec<char> = ('\0'..='\u{3ffff}')
            .chain('\u{e0000}'..='\u{e0fff}')
            .chain('\u{ffff0}'..='\u{ffff1}')
            .chain('\u{10fffe}'..='\u{10ffff}')
            .filter(|c| !matches!(c, '/' | '\\'))
            .collect();
        let is_retained = |c: &char| !FORBIDDEN.contains(c) && !is_unprintable(*c);
        for chunk in all.chunks(100) {
            let text: String = chunk.iter().collect();
            let name = DocumentName::adapted_from(&format!("a{text}b")).unwrap();
            let expected: String =
                chunk.iter().map(|c| if is_retained(c) { *c } else { '_' }).collect();
            assert_eq!(name.as_str(), format!("a{expected}b"));
            for refused in chunk.iter().filter(|c| !is_retained(c)).take(5) {
                let folder = format!("x/a{refused}b").parse::<DriveFolder>();
                assert_eq!(folder, Err(PathRule::ForbiddenCharacter));
            }
        }
    }

    #[test]
    fn stored_names_of_older_versions_are_still_read() {
        let folder: DriveFolder = serde_json::from_str("\"a\u{200b}b/c\u{fffd}\"").unwrap();
        assert_eq!(folder.segments(), ["a\u{200b}b", "c\u{fffd}"]);
        let name: DocumentName = serde_json::from_str("\"a\u{202e}b.pdf\"").unwrap();
        assert_eq!(name.as_str(), "a\u{202e}b.pdf");
        assert_eq!(name.numbered(2).unwrap().as_str(), "a\u{202e}b 2.pdf");
        assert!(serde_json::from_str::<DocumentName>("\"a/b\"").is_err());
        assert!(serde_json::from_str::<DriveFolder>("\"a//b\"").is_err());
    }

    /// Generates the text in any mix of upper and lower case.
    fn any_case(text: &'static str) -> impl Strategy<Value = String> {
        proptest::collection::vec(any::<bool>(), text.len()).prop_map(move |is_upper| {
            let with_case = text.chars().zip(is_upper);
            with_case
                .map(|(c, is_upper)| if is_upper { c.to_ascii_uppercase() } else { c })
                .collect()
        })
    }

    /// Generates a name or part of a name that OneDrive reserves.
    fn reserved_part() -> impl Strategy<Value = String> {
        prop_oneof![
            any_case(".lock"),
            any_case("con"),
            any_case("prn"),
            any_case("aux"),
            any_case("nul"),
            any_case("com0"),
            any_case("lpt9"),
            any_case("desktop.ini"),
            any_case("_vti_"),
            any_case("forms"),
            Just("~$".to_owned()),
        ]
    }

    proptest! {
        #[test]
        fn adapted_name_is_always_allowed(foreign in "(\\PC|[\\x00-\\x20.]){0,300}") {
            if let Ok(name) = DocumentName::adapted_from(&foreign) {
                prop_assert!(DriveFolder::default().check_path(&name).is_ok());
            }
        }

        #[test]
        fn name_with_reserved_parts_in_any_case_is_adapted(
            parts in proptest::collection::vec(
                prop_oneof![reserved_part(), "\\PC{0,3}", any::<char>().prop_map(String::from)],
                0..6,
            ),
            ending in "[a-z]{1,300}",
        ) {
            let path = parts.concat();
            let file_name = path.replace(['/', '\\'], "");
            let with_ending = format!("{file_name}{ending}");
            for foreign in [&with_ending, &path, &file_name] {
                match DocumentName::adapted_from(foreign) {
                    Ok(name) => prop_assert!(DriveFolder::default().check_path(&name).is_ok()),
                    Err(rule) => prop_assert_eq!(rule, PathRule::Empty),
                }
            }
        }
    }
}
