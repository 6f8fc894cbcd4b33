//! Quoting for commands that are printed for the user to copy.

/// Quotes a word for a POSIX shell.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain =
        |character: char| character.is_ascii_alphanumeric() || "/._-+:=@".contains(character);
    // Some shells expand a word that begins with =.
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_quoted_for_the_shell() {
        assert_eq!(quoted("a/b-c_1.pdf"), "a/b-c_1.pdf");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
    }
}
