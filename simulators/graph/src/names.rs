//! Rules of OneDrive for item names and paths, as the Microsoft Graph simulator applies them.

use crate::error::GraphError;

/// Characters that a name must not contain.
const FORBIDDEN_CHARACTERS: [char; 9] = ['"', '*', ':', '<', '>', '?', '/', '\\', '|'];
/// Names that OneDrive reserves, in addition to device names such as `com1`.
const RESERVED_NAMES: [&str; 6] = [".lock", "con", "prn", "aux", "nul", "desktop.ini"];
/// Maximum length of a path in characters.
const MAX_PATH_LENGTH: usize = 400;
/// Maximum length of one name in characters.
const MAX_NAME_LENGTH: usize = 255;

/// Checks a decoded path from the root of a drive.
pub(crate) fn check_path(path: &[String]) -> Result<(), GraphError> {
    for (depth, name) in path.iter().enumerate() {
        // SharePoint reserves the folder `Forms` in the root.
        if is_forbidden(name) || (depth == 0 && name.eq_ignore_ascii_case("forms")) {
            let message = "The provided name cannot contain this text or character.";
            return Err(GraphError::invalid(message).with_inner_code("invalidPath"));
        }
    }
    let length = path.join("/").chars().count();
    if length > MAX_PATH_LENGTH || path.iter().any(|name| name.chars().count() > MAX_NAME_LENGTH) {
        return Err(GraphError::invalid("The path is too long.").with_inner_code("pathIsTooLong"));
    }
    Ok(())
}

/// Returns whether OneDrive rejects a name.
fn is_forbidden(name: &str) -> bool {
    let lower = name.to_lowercase();
    name.is_empty()
        || name.contains(FORBIDDEN_CHARACTERS)
        || name.starts_with(' ')
        || name.ends_with([' ', '.'])
        || RESERVED_NAMES.contains(&lower.as_str())
        || is_device(&lower)
        || lower.contains("_vti_")
        || name.starts_with("~$")
}

/// Returns whether a lowercase name is a reserved device name: `com0` to `com9` or `lpt0` to
/// `lpt9`.
fn is_device(lower: &str) -> bool {
    ["com", "lpt"].iter().any(|device| {
        lower
            .strip_prefix(device)
            .is_some_and(|number| matches!(number.as_bytes(), [digit] if digit.is_ascii_digit()))
    })
}

/// Returns the name `{stem} {number}.{extension}`. The service gives such a name to a file if the
/// name of the file is taken.
pub(crate) fn numbered(name: &str, number: u32) -> String {
    match name.rsplit_once('.') {
        Some((stem, extension)) if !stem.is_empty() => format!("{stem} {number}.{extension}"),
        _ => format!("{name} {number}"),
    }
}

/// Returns the content type that the real service reports for a file with this extension.
pub(crate) fn mime_type(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_lowercase());
    match extension.as_deref() {
        Some("pdf") => "application/pdf",
        Some("zip") => "application/zip",
        Some("txt") => "text/plain",
        Some("csv") => "text/csv",
        Some("html") => "text/html",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("jpg" | "jpeg") => "image/jpeg",
        Some("tif" | "tiff") => "image/tiff",
        Some("mp4") => "video/mp4",
        Some("docx") => "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
        Some("xlsx") => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        _ => "application/octet-stream",
    }
}
