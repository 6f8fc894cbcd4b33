//! Words of a command that is shown to be copied.

/// Quotes a word as a shell reads it.
pub(crate) fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:=@".contains(c);
    // A word that begins with = is expanded by some shells.
    if !text.is_empty() && !text.starts_with('=') && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_as_a_shell_reads_it() {
        assert_eq!(quoted("a/b-c_1.pdf"), "a/b-c_1.pdf");
        assert_eq!(quoted("it's $HOME"), "'it'\\''s $HOME'");
    }
}
