//! File names of downloaded documents.
//!
//! A name comes from the `Content-Disposition` header of a response and is not trusted. The name is
//! sanitized, so that it names a plain file in the target folder. In a name such as `order.pdf`,
//! the stem is `order` and the extension is `.pdf`.

use std::collections::BTreeSet;

use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_DISPOSITION, HeaderMap};

/// Maximum length of a name in bytes. File systems allow 255 bytes. The difference is reserved for
/// a number such as ` (2)` and for the extension of a partial file.
const MAX_NAME_BYTES: usize = 200;
/// Maximum length of a file extension in bytes, with its dot. A longer extension counts as a part
/// of the stem.
const MAX_EXTENSION_BYTES: usize = 16;

/// Returns the sanitized file name in the headers of a response, or `None` if they have no name.
pub(super) fn from_headers(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_DISPOSITION)?;
    sanitize(&file_name(&String::from_utf8_lossy(value.as_bytes()))?)
}

/// Returns the sanitized name, or `document` if the sanitized name is empty.
pub(super) fn sanitized_or_default(name: &str) -> String {
    sanitize(name).unwrap_or_else(|| "document".to_owned())
}

/// Returns the file name in a `Content-Disposition` header. By RFC 6266, `filename*`
/// (RFC 8187) has priority over `filename`.
fn file_name(disposition: &str) -> Option<String> {
    let parameters = parse_parameters(disposition);
    let value_of =
        |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value);
    let extended_name = value_of("filename*").and_then(|value| {
        // The value has the form `UTF-8'en'order%20%231.pdf`.
        let (charset, language_and_name) = value.split_once('\'')?;
        let (_language, encoded_name) = language_and_name.split_once('\'')?;
        let is_utf8 = charset.eq_ignore_ascii_case("utf-8");
        is_utf8.then(|| percent_decode_str(encoded_name).decode_utf8().ok()).flatten()
    });
    extended_name.map(Into::into).or_else(|| value_of("filename").cloned())
}

/// Parses the parameters of a header value such as `attachment; filename="order.pdf"`. Returns
/// their names in lower case, and their values without quotes.
fn parse_parameters(header_value: &str) -> Vec<(String, String)> {
    // The texts between semicolons. Quotes and backslashes are removed from them.
    let mut sections = vec![String::new()];
    let mut is_quoted = false;
    // Whether the previous character was a backslash in a quoted string.
    let mut is_escaped = false;
    for character in header_value.chars() {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' if is_quoted => {
                is_escaped = true;
                continue;
            }
            '"' => {
                is_quoted = !is_quoted;
                continue;
            }
            ';' if !is_quoted => {
                sections.push(String::new());
                continue;
            }
            _ => {}
        }
        if let Some(section) = sections.last_mut() {
            section.push(character);
        }
    }
    // The first section is the disposition type, such as `attachment`.
    let parameters = sections.iter().skip(1).filter_map(|section| section.split_once('='));
    parameters
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().into()))
        .collect()
}

/// Returns a sanitized file name, or `None` if that name would be empty.
///
/// The result has no folder, is neither a hidden file nor a Windows device, has no control
/// characters, and is valid on every file system.
fn sanitize(name: &str) -> Option<String> {
    let without_folder = name.rsplit(['/', '\\']).next().unwrap_or(name);
    let allowed: String = crate::display::make_printable(without_folder)
        .chars()
        .map(|c| if c.is_control() || "<>:\"|?*\u{fffd}".contains(c) { '_' } else { c })
        .collect();
    let trimmed = allowed.trim().trim_end_matches(['.', ' ']);
    let is_hidden = trimmed.starts_with('.');
    let visible = trimmed.trim_start_matches('.');
    if visible.is_empty() {
        return None;
    }
    let prefix = if is_hidden || is_device(visible) { "_" } else { "" };
    let (stem, extension) = split_extension(visible);
    // A long stem is cut at the last boundary between characters that is within the limit.
    let max_stem_length = (MAX_NAME_BYTES - prefix.len() - extension.len()).min(stem.len());
    let stem_length = (0..=max_stem_length).rev().find(|&end| stem.is_char_boundary(end));
    Some(format!("{prefix}{}{extension}", &stem[..stem_length.unwrap_or(0)]))
}

/// Returns whether Windows reserves the name for a device. The extension does not matter.
fn is_device(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name).trim_end().to_ascii_uppercase();
    let is_port = ["COM", "LPT"].iter().any(|port| {
        stem.strip_prefix(port)
            .is_some_and(|number| number.len() == 1 && number.chars().all(|c| c.is_ascii_digit()))
    });
    is_port || matches!(stem.as_str(), "CON" | "PRN" | "AUX" | "NUL")
}

/// Splits a name into its stem and its extension. The extension includes the dot, and may be empty.
fn split_extension(name: &str) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 && name.len() - dot <= MAX_EXTENSION_BYTES => name.split_at(dot),
        _ => (name, ""),
    }
}

/// File names that one run of the command has used. They are recorded so that documents with the
/// same name do not replace each other.
#[derive(Debug, Default)]
pub struct UsedNames(BTreeSet<String>);

impl UsedNames {
    /// Reserves a name. Returns it unchanged, or with a number if this run has used it before.
    pub(super) fn claim(&mut self, name: &str) -> String {
        let (stem, extension) = split_extension(name);
        let numbered = (2..).map(|number: u32| format!("{stem} ({number}){extension}"));
        let mut names = [name.to_owned()].into_iter().chain(numbered);
        // Some file systems do not distinguish upper and lower case.
        let unused = names.find(|name| self.0.insert(name.to_lowercase()));
        unused.unwrap_or_else(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name_from_header(disposition: &str) -> Option<String> {
        let headers = [(CONTENT_DISPOSITION, disposition.parse().unwrap())];
        from_headers(&headers.into_iter().collect())
    }

    #[test]
    fn extended_filename_has_priority_over_plain_filename() {
        for (disposition, expected) in [
            ("attachment; filename=\"a b.pdf\"", "a b.pdf"),
            ("attachment; filename=plain.pdf", "plain.pdf"),
            ("attachment; FileName=\"a;b=c.pdf\"; x=y", "a;b=c.pdf"),
            ("attachment; filename=\"say \\\"it\\\".pdf\"", "say _it_.pdf"),
            (
                "attachment; filename=\"_.pdf\"; filename*=UTF-8''%C5%8Ct%C4%81huhu%20%233.pdf",
                "Ōtāhuhu #3.pdf",
            ),
            ("attachment; filename*=iso-8859-1''a.pdf; filename=b.pdf", "b.pdf"),
            ("attachment; filename*=UTF-8''%FF.pdf; filename=b.pdf", "b.pdf"),
        ] {
            assert_eq!(name_from_header(disposition).as_deref(), Some(expected), "{disposition}");
        }
        for nameless in ["attachment", "inline; filename=\"\"", "attachment; filename=\"..\""] {
            assert_eq!(name_from_header(nameless), None, "{nameless}");
        }
    }

    #[test]
    fn hostile_file_names_are_sanitized() {
        for (hostile, expected) in [
            ("../../etc/passwd", "passwd"),
            ("..\\..\\boot.ini", "boot.ini"),
            ("/etc/cron.d/job", "job"),
            ("C:evil.exe", "C_evil.exe"),
            (".bashrc", "_bashrc"),
            ("...", ""),
            ("a\u{1b}[2J\u{202e}fdp.exe", "a_[2J_fdp.exe"),
            ("a\nb\0c.pdf", "a_b_c.pdf"),
            ("NUL.pdf", "_NUL.pdf"),
            ("com1", "_com1"),
            ("order.pdf. . ", "order.pdf"),
            ("-rf", "-rf"),
        ] {
            assert_eq!(sanitize(hostile).unwrap_or_default(), expected, "{hostile:?}");
        }

        let long = sanitize(&format!("{}.pdf", "法".repeat(200))).unwrap();
        assert!(long.len() <= MAX_NAME_BYTES && long.ends_with("法.pdf"), "{long}");
    }

    #[test]
    fn repeated_file_names_get_a_number() {
        let mut names = UsedNames::default();
        let claimed = ["order.pdf", "Order.PDF", "order.pdf", "list"].map(|name| names.claim(name));
        assert_eq!(claimed, ["order.pdf", "Order (2).PDF", "order (3).pdf", "list"]);
    }
}
