//! Progress bars for a terminal, as an [`Observer`] of a watch. There is one bar for each transfer,
//! job or download.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::text::{describe_end, describe_progress, make_printable, pause_in_words};
use crate::error::ClientError;
use crate::watch::{End, Observer, View};

/// Template of the bar of a running transfer.
const RUNNING_TEMPLATE: &str = "{spinner} {prefix:32!} {bar:24.cyan/dim} {msg}";
/// Template of the line that replaces the bar at the end.
const ENDED_TEMPLATE: &str = "{prefix:34!.bold} {msg}";
/// Interval at which the spinner moves.
const SPINNER_INTERVAL: Duration = Duration::from_millis(120);

/// Progress bar of one transfer, job or download.
#[derive(Debug, Clone)]
pub struct Bar {
    progress_bar: ProgressBar,
    /// Whether the label stays when the document's name becomes known.
    has_fixed_label: bool,
}

/// Adds a progress bar for a transfer, job or download to `bars`.
///
/// The label of the bar is `name`. If `name` is `None`, the label is the id, until a status
/// contains the document's name.
#[must_use]
pub fn bar(bars: &MultiProgress, transfer_id: &str, name: Option<&str>) -> Bar {
    let progress_bar = bars.add(ProgressBar::new(100));
    progress_bar.set_style(style(RUNNING_TEMPLATE));
    progress_bar.set_prefix(make_printable(name.unwrap_or(transfer_id)));
    progress_bar.set_message("  0 %");
    progress_bar.enable_steady_tick(SPINNER_INTERVAL);
    Bar { progress_bar, has_fixed_label: name.is_some() }
}

impl Observer for Bar {
    fn progress(&self, view: &View<'_>) {
        if !self.has_fixed_label
            && let Some(name) = view.name
        {
            self.progress_bar.set_prefix(make_printable(name));
        }
        // The position is a percentage: a position in bytes would jump when the size
        // becomes known.
        self.progress_bar.set_position(u64::from(view.percent));
        self.progress_bar.set_message(describe_progress(view));
    }

    fn retrying(&self, error: &ClientError, pause: Duration) {
        let first_line = make_printable(error.to_string().lines().next().unwrap_or_default());
        self.progress_bar
            .set_message(format!("{first_line}; retrying in {}", pause_in_words(pause)));
    }

    fn ended(&self, end: &End<'_>, elapsed: Duration) {
        let mark = if matches!(end, End::Completed(_)) { '✔' } else { '✘' };
        self.progress_bar.set_style(style(ENDED_TEMPLATE));
        self.progress_bar.set_prefix(format!("{mark} {}", self.progress_bar.prefix()));
        self.progress_bar.abandon_with_message(describe_end(end, elapsed));
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
