//! Texts for people that progress bars and plain lines share: sizes, durations, progress and
//! results.

use std::time::Duration;

use indicatif::DecimalBytes;

use crate::watch::{End, View};

/// Formats a number of bytes for people: `15.00 MB`.
#[must_use]
pub fn size(bytes: u64) -> String {
    DecimalBytes(bytes).to_string()
}

/// Formats a duration for people: `8 s`, `1 m 05 s`, `2 h 03 m`.
#[must_use]
pub fn short_duration(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => format!("{} m {:02} s", seconds / 60, seconds % 60),
        _ => format!("{} h {:02} m", seconds / 3600, seconds / 60 % 60),
    }
}

/// Formats a pause in whole seconds. The pause is rounded up, so that the text is never "0 s".
pub(super) fn pause_in_words(pause: Duration) -> String {
    short_duration(pause + Duration::from_millis(999))
}

/// Replaces characters that could control a terminal. Texts from other systems, such as file names
/// and error messages, are not trusted.
///
/// Line breaks stay. All other control characters and characters that change the direction of text
/// are replaced by U+FFFD.
#[must_use]
pub fn make_printable(text: &str) -> String {
    text.chars()
        .map(|character| if is_unsafe(character) { '\u{fffd}' } else { character })
        .collect()
}

/// Returns whether [`make_printable`] replaces a character.
fn is_unsafe(character: char) -> bool {
    // U+2028 and U+2029 are line and paragraph separators. The other characters change the
    // direction of text.
    let is_separator_or_direction_mark = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    is_separator_or_direction_mark || (character.is_control() && character != '\n')
}

/// Describes percentage, bytes, throughput and remaining time in one line.
#[must_use]
pub fn describe_progress(view: &View<'_>) -> String {
    let Some(total) = view.size else {
        return format!("{:>3} %  waiting for the object store", view.percent);
    };
    let mut line = format!("{:>3} %  {} of {}", view.percent, size(view.bytes), size(total));
    if let Some(rate) = view.rate {
        line.push_str(&format!("  {}/s", size(rate)));
    }
    if let Some(time_left) = view.time_left.filter(|_| view.percent < 100) {
        line.push_str(&format!("  {} left", short_duration(time_left)));
    }
    line
}

/// Describes the end of a watch in one line. The watch took the time `elapsed`.
#[must_use]
pub fn describe_end(end: &End<'_>, elapsed: Duration) -> String {
    let took = short_duration(elapsed);
    match end {
        End::Completed(bytes) => format!("completed  {}  in {took}", size(*bytes)),
        End::Stopped => format!("stopped on request after {took}"),
        End::Failed(message) => format!("failed  {}", make_printable(message)),
        End::TimedOut(Some(percent)) => {
            format!("timed out at {percent} % after {took}")
        }
        End::TimedOut(None) => format!("timed out without a response after {took}"),
        // The text of an error may have further lines, which are indented. They are joined here.
        End::Error(error) => make_printable(&error.to_string().replace("\n ", ";")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_formatted_for_people() {
        let format_seconds = |seconds| short_duration(Duration::from_secs(seconds));
        assert_eq!([8, 65, 7380].map(format_seconds), ["8 s", "1 m 05 s", "2 h 03 m"]);
    }

    #[test]
    fn control_characters_in_names_are_replaced() {
        assert_eq!(make_printable("a\u{1b}[2Jb\u{202e}c\rd"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d");
        assert_eq!(make_printable("a\u{61c}b\u{2028}c"), "a\u{fffd}b\u{fffd}c");
        assert_eq!(
            make_printable("Ōtāhuhu #3 50% + l'été 法廷.pdf"),
            "Ōtāhuhu #3 50% + l'été 法廷.pdf"
        );
    }
}
