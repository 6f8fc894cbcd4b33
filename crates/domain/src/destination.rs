//! Names and folders in OneDrive: validation of what callers send, and adaptation of the
//! names that the document source gives.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::text::{fold, is_unprintable};

/// Maximum length of a decoded path below the drive's root, in UTF-16 units (OneDrive).
const MAX_PATH: usize = 400;
/// Maximum length of a single name, in UTF-16 units (OneDrive).
const MAX_SEGMENT: usize = 255;
/// Characters that OneDrive does not allow in a name.
const FORBIDDEN: &[char] = &['"', '*', ':', '<', '>', '?', '/', '\\', '|'];
/// Text that OneDrive does not allow in a name, in any case.
const VTI: &str = "_vti_";
/// Extensions of Office files in old and new formats, with templates and add-ins.
const OFFICE: &[&str] = &[
    "doc", "docm", "docx", "dot", "dotm", "dotx", "mpp", "mpt", "one", "pot", "potm", "potx",
    "ppam", "pps", "ppsm", "ppsx", "ppt", "pptm", "pptx", "pub", "sldm", "sldx", "vsd", "vsdm",
    "vsdx", "vss", "vssm", "vssx", "vst", "vstm", "vstx", "xla", "xlam", "xls", "xlsb", "xlsm",
    "xlsx", "xlt", "xltm", "xltx",
];
/// Extensions of images whose metadata OneDrive edits.
const IMAGES: &[&str] =
    &["bmp", "gif", "heic", "heif", "jfif", "jpe", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Rule of OneDrive that a name or path breaks.
///
/// Source: Microsoft, "Restrictions and limitations in OneDrive and SharePoint".
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathRule {
    /// The name is empty.
    #[error("a name must not be empty")]
    Empty,
    /// The name contains a forbidden character, or one that cannot be displayed.
    #[error(
        "a name must not contain any of \" * : < > ? / \\ | or a control character, a direction mark, U+FFFD or another code point that cannot be displayed"
    )]
    ForbiddenCharacter,
    /// The name begins or ends with a space.
    #[error("a name must not begin or end with a space")]
    OuterSpace,
    /// The name ends with a period.
    #[error("a name must not end with a period")]
    TrailingPeriod,
    /// The name is reserved by OneDrive.
    #[error(
        "a name must not be one of .lock, CON, PRN, AUX, NUL, COM0–COM9, LPT0–LPT9, desktop.ini, begin with ~$ or contain _vti_"
    )]
    Reserved,
    /// The name is `forms`, directly below the root.
    #[error("a name directly below the root must not be \"forms\"")]
    FormsAtRoot,
    /// A single name is too long.
    #[error("a name must be at most 255 characters")]
    SegmentTooLong,
    /// The whole path is too long.
    #[error("a path must be at most 400 characters")]
    PathTooLong,
}

/// Checks a stored name by the rules that every version has applied. A record of an older
/// version may contain characters that are refused now.
fn check_stored(segment: &str) -> Result<(), PathRule> {
    if segment.is_empty() {
        return Err(PathRule::Empty);
    }
    if segment.contains(FORBIDDEN) || segment.chars().any(char::is_control) {
        return Err(PathRule::ForbiddenCharacter);
    }
    Ok(())
}

/// Checks one name by the present rules.
fn check_segment(segment: &str, at_root: bool) -> Result<(), PathRule> {
    check_stored(segment)?;
    if segment.chars().any(is_unprintable) {
        return Err(PathRule::ForbiddenCharacter);
    }
    if segment.starts_with(' ') || segment.ends_with(' ') {
        return Err(PathRule::OuterSpace);
    }
    if segment.ends_with('.') {
        return Err(PathRule::TrailingPeriod);
    }
    if is_reserved(segment) {
        return Err(PathRule::Reserved);
    }
    if at_root && segment.eq_ignore_ascii_case("forms") {
        return Err(PathRule::FormsAtRoot);
    }
    if utf16_len(segment) > MAX_SEGMENT {
        return Err(PathRule::SegmentTooLong);
    }
    Ok(())
}

fn is_reserved(segment: &str) -> bool {
    let lower: String = segment.chars().map(fold).collect();
    let device = |stem: &str| {
        lower.strip_prefix(stem).is_some_and(|n| n.len() == 1 && n.as_bytes()[0].is_ascii_digit())
    };
    matches!(lower.as_str(), ".lock" | "con" | "prn" | "aux" | "nul" | "desktop.ini")
        || device("com")
        || device("lpt")
        || lower.contains(VTI)
        || lower.starts_with("~$")
}

/// Replaces every `_vti_`, in any case, by `_vti-`.
fn without_vti(name: &str) -> String {
    let mut characters: Vec<char> = name.chars().collect();
    for at in VTI.len()..=characters.len() {
        if characters[at - VTI.len()..at].iter().copied().map(fold).eq(VTI.chars()) {
            characters[at - 1] = '-';
        }
    }
    characters.into_iter().collect()
}

fn utf16_len(text: &str) -> usize {
    text.encode_utf16().count()
}

/// Folder in the recipient's OneDrive; the root when it has no segments.
///
/// Leading and trailing slashes of the input are ignored. Parsing refuses everything that
/// OneDrive would refuse later, and names the rule.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DriveFolder(Vec<String>);

impl DriveFolder {
    /// Returns the folder names from the root downwards.
    #[must_use]
    pub fn segments(&self) -> &[String] {
        &self.0
    }

    /// Checks whether a document of this name is allowed in this folder.
    ///
    /// # Errors
    /// [`PathRule::PathTooLong`] or [`PathRule::FormsAtRoot`]. A name from a record of an
    /// older version may break any other rule.
    pub fn admit(&self, name: &DocumentName) -> Result<(), PathRule> {
        check_segment(name.as_str(), self.0.is_empty())?;
        let folder: usize = self.0.iter().map(|s| utf16_len(s) + 1).sum();
        if folder + utf16_len(name.as_str()) > MAX_PATH {
            Err(PathRule::PathTooLong)
        } else {
            Ok(())
        }
    }
}

impl fmt::Debug for DriveFolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DriveFolder({} segments)", self.0.len())
    }
}

impl FromStr for DriveFolder {
    type Err = PathRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let trimmed = text.trim_matches('/');
        if trimmed.is_empty() {
            return Ok(Self::default());
        }
        let segments: Vec<String> = trimmed.split('/').map(str::to_owned).collect();
        for (depth, segment) in segments.iter().enumerate() {
            check_segment(segment, depth == 0)?;
        }
        // Reserve two units for a slash and the shortest name.
        if utf16_len(trimmed) + 2 > MAX_PATH {
            return Err(PathRule::PathTooLong);
        }
        Ok(Self(segments))
    }
}

/// Reads the stored form, which older versions checked less strictly.
impl TryFrom<String> for DriveFolder {
    type Error = PathRule;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let segments: Vec<String> = text.split('/').map(str::to_owned).collect();
        segments.iter().try_for_each(|segment| check_stored(segment))?;
        Ok(Self(segments))
    }
}

impl From<DriveFolder> for String {
    fn from(folder: DriveFolder) -> Self {
        folder.0.join("/")
    }
}

/// Name of a document in OneDrive. `Debug` hides it.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DocumentName(String);

impl DocumentName {
    /// Returns the name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Adapts a file name of another system to a name that OneDrive accepts.
    ///
    /// The input may contain a path, of which only the last part is used. Each character
    /// that OneDrive refuses or that cannot be displayed becomes `_`. The result depends on
    /// the input alone, so a repeated push gives the file the same name.
    ///
    /// # Errors
    /// [`PathRule::Empty`] when no usable character remains.
    pub fn adapted_from(foreign: &str) -> Result<Self, PathRule> {
        let last = foreign.rsplit(['/', '\\']).next().unwrap_or_default();
        let clean: String = last
            .chars()
            .map(|c| if FORBIDDEN.contains(&c) || is_unprintable(c) { '_' } else { c })
            .collect();
        let trimmed = trimmed(&clean);
        if trimmed.is_empty() {
            return Err(PathRule::Empty);
        }
        let short = shortened(&without_vti(trimmed));
        if is_reserved(&short) || short.eq_ignore_ascii_case("forms") {
            shortened(&format!("_{short}")).parse()
        } else {
            short.parse()
        }
    }

    /// Returns the name with a number, `stem 1.ext`, as OneDrive names a file beside one of
    /// the same name. Number 0 is the name itself.
    ///
    /// # Errors
    /// [`PathRule::SegmentTooLong`] when the numbered name is too long.
    pub fn numbered(&self, number: u32) -> Result<Self, PathRule> {
        if number == 0 {
            return Ok(self.clone());
        }
        let numbered = match self.0.rsplit_once('.') {
            Some((stem, extension)) if !stem.is_empty() => format!("{stem} {number}.{extension}"),
            _ => format!("{} {number}", self.0),
        };
        if utf16_len(&numbered) > MAX_SEGMENT {
            return Err(PathRule::SegmentTooLong);
        }
        numbered.try_into()
    }

    /// Returns the form in which two names of one folder are compared, because OneDrive
    /// ignores case.
    #[must_use]
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// Returns whether the name has the extension of an Office file.
    #[must_use]
    pub fn is_office(&self) -> bool {
        self.has_extension(OFFICE)
    }

    /// Returns whether OneDrive edits the metadata of files of this type after an upload.
    #[must_use]
    pub fn is_edited_by_service(&self) -> bool {
        self.has_extension(OFFICE) || self.has_extension(IMAGES)
    }

    fn has_extension(&self, known: &[&str]) -> bool {
        let extension = self.0.rsplit_once('.').map(|(_, e)| e.to_ascii_lowercase());
        extension.is_some_and(|e| known.contains(&e.as_str()))
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
        Some((stem, extension)) if utf16_len(extension) < 20 => (stem, format!(".{extension}")),
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

impl FromStr for DocumentName {
    type Err = PathRule;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        check_segment(text, false)?;
        Ok(Self(text.to_owned()))
    }
}

/// Reads the stored form, which older versions checked less strictly.
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
    use proptest::prelude::*;

    #[test]
    fn folder_names_may_contain_signs_and_any_script() {
        let folder: DriveFolder = "/Court Lists/#3 50% + l'été/法廷/".parse().unwrap();
        assert_eq!(folder.segments(), ["Court Lists", "#3 50% + l'été", "法廷"]);
        assert_eq!("".parse::<DriveFolder>().unwrap(), DriveFolder::default());
        assert_eq!("/".parse::<DriveFolder>().unwrap(), DriveFolder::default());
    }

    #[test]
    fn invalid_onedrive_path_is_refused_with_its_rule() {
        for (path, rule) in [
            ("a//b", PathRule::Empty),
            ("a:b", PathRule::ForbiddenCharacter),
            ("a\\b", PathRule::ForbiddenCharacter),
            ("a\u{7}b", PathRule::ForbiddenCharacter),
            ("a\u{fffd}b", PathRule::ForbiddenCharacter),
            ("x/a\u{202e}b", PathRule::ForbiddenCharacter),
            ("a\u{ffff}b", PathRule::ForbiddenCharacter),
            ("a\u{200b}b", PathRule::ForbiddenCharacter),
            (" a", PathRule::OuterSpace),
            ("a /b", PathRule::OuterSpace),
            ("a./b", PathRule::TrailingPeriod),
            ("../up", PathRule::TrailingPeriod),
            ("x/con", PathRule::Reserved),
            ("LPT9", PathRule::Reserved),
            ("~$x", PathRule::Reserved),
            ("my_VTI_x", PathRule::Reserved),
            ("Forms/x", PathRule::FormsAtRoot),
        ] {
            assert_eq!(path.parse::<DriveFolder>(), Err(rule), "{path}");
        }
        assert!("x/forms".parse::<DriveFolder>().is_ok());
        assert!("COM10".parse::<DriveFolder>().is_ok());
        assert_eq!("x".repeat(256).parse::<DriveFolder>(), Err(PathRule::SegmentTooLong));
        let deep = vec!["y".repeat(99); 5].join("/");
        assert_eq!(deep.parse::<DriveFolder>(), Err(PathRule::PathTooLong));
    }

    #[test]
    fn foreign_name_is_adapted_to_an_allowed_name() {
        for (foreign, name) in [
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
            assert_eq!(DocumentName::adapted_from(foreign).unwrap().as_str(), name);
        }
        for hopeless in ["", "/", "a/", "...", "  "] {
            assert_eq!(DocumentName::adapted_from(hopeless), Err(PathRule::Empty), "{hopeless}");
        }
    }

    #[test]
    fn shortened_name_keeps_its_extension() {
        let name = DocumentName::adapted_from(&format!("{}.pdf", "長".repeat(400))).unwrap();
        assert_eq!(name.as_str().chars().count(), 255);
        assert!(name.as_str().ends_with(".pdf"));
    }

    /// Covers the planes that have characters, in chunks, and the last code points of the
    /// others.
    #[test]
    fn every_code_point_in_a_foreign_name_is_kept_or_replaced() {
        let all: Vec<char> = ('\0'..='\u{3ffff}')
            .chain('\u{e0000}'..='\u{e0fff}')
            .chain('\u{ffff0}'..='\u{ffff1}')
            .chain('\u{10fffe}'..='\u{10ffff}')
            .filter(|c| !matches!(c, '/' | '\\'))
            .collect();
        let is_retained = |c: &char| !FORBIDDEN.contains(c) && !is_unprintable(*c);
        for piece in all.chunks(100) {
            let text: String = piece.iter().collect();
            let name = DocumentName::adapted_from(&format!("a{text}b")).unwrap();
            let expected: String =
                piece.iter().map(|c| if is_retained(c) { *c } else { '_' }).collect();
            assert_eq!(name.as_str(), format!("a{expected}b"));
            for refused in piece.iter().filter(|c| !is_retained(c)).take(5) {
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
        proptest::collection::vec(any::<bool>(), text.len()).prop_map(move |upper| {
            let pairs = text.chars().zip(upper);
            pairs.map(|(c, upper)| if upper { c.to_ascii_uppercase() } else { c }).collect()
        })
    }

    fn reserved() -> impl Strategy<Value = String> {
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
                prop_assert!(DriveFolder::default().admit(&name).is_ok());
            }
        }

        #[test]
        fn name_with_reserved_parts_in_any_case_is_adapted(
            parts in proptest::collection::vec(
                prop_oneof![reserved(), "\\PC{0,3}", any::<char>().prop_map(String::from)],
                0..6,
            ),
            end in "[a-z]{1,300}",
        ) {
            let foreign = format!("{}{}", parts.concat().replace(['/', '\\'], ""), end);
            for foreign in [&foreign, &parts.concat(), &foreign[..foreign.len() - end.len()]] {
                match DocumentName::adapted_from(foreign) {
                    Ok(name) => prop_assert!(DriveFolder::default().admit(&name).is_ok()),
                    Err(rule) => prop_assert_eq!(rule, PathRule::Empty),
                }
            }
        }
    }
}
