//! Progress bars for a terminal. There is one bar for each transfer, job or download.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text::{describe_end, describe_progress, make_printable, pause_in_words};
use crate::error::ClientError;
use crate::watch::{End, Observer, View};

/// Template of the bar of a running transfer.
const RUNNING_TEMPLATE: &str = "{spinner} {prefix:32!} {bar:24.cyan/dim} {msg}";
/// Template of the line that replaces the bar at the end.
const ENDED_TEMPLATE: &str = "{prefix:34!.bold} {msg}";

/// Progress bar of one transfer.
#[derive(Debug, Clone)]
pub struct Bar {
    bar: ProgressBar,
    /// Label that is shown instead of the document's name.
    fixed_name: Option<String>,
}

/// Adds a progress bar for a transfer to `bars`.
///
/// The label of the bar is `name`. If `name` is `None`, the label is the transfer's id, and later
/// the document's name as soon as a status contains it.
#[must_use]
pub fn bar(bars: &MultiProgress, transfer_id: &str, name: Option<&str>) -> Bar {
    let bar = bars.add(ProgressBar::new(100));
    bar.set_style(style(RUNNING_TEMPLATE));
    bar.set_prefix(make_printable(name.unwrap_or(transfer_id)));
    bar.set_message("  0 %");
    bar.enable_steady_tick(Duration::from_millis(120));
    Bar { bar, fixed_name: name.map(make_printable) }
}

impl Observer for Bar {
    fn progress(&self, view: &View<'_>) {
        if let (None, Some(name)) = (&self.fixed_name, view.name) {
            self.bar.set_prefix(make_printable(name));
        }
        // The position is a percentage: a position in bytes would jump when the size
        // becomes known.
        self.bar.set_position(u64::from(view.percent));
        self.bar.set_message(describe_progress(view));
    }

    fn retrying(&self, error: &ClientError, pause: Duration) {
        let first_line = make_printable(error.to_string().lines().next().unwrap_or_default());
        self.bar.set_message(format!("{first_line}; retrying in {}", pause_in_words(pause)));
    }

    fn ended(&self, end: &End<'_>, elapsed: Duration) {
        let mark = if matches!(end, End::Completed(_)) { '✔' } else { '✘' };
        self.bar.set_style(style(ENDED_TEMPLATE));
        self.bar.set_prefix(format!("{mark} {}", self.bar.prefix()));
        self.bar.abandon_with_message(describe_end(end, elapsed));
    }
}

fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_bar_templates_are_valid() {
        assert!(ProgressStyle::with_template(RUNNING_TEMPLATE).is_ok());
        assert!(ProgressStyle::with_template(ENDED_TEMPLATE).is_ok());
    }
}
