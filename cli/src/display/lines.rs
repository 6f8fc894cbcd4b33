//! Progress as plain lines for logs and pipes, as an [`Observer`] of a watch.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::text::{describe_end, describe_progress, make_printable, pause_in_words};
use crate::error::ClientError;
use crate::watch::{End, Observer, View};

/// Minimum time between two lines.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Writes a line when the progress of a transfer, job or download changes, at most one line per
/// second.
///
/// A change less than a second after the previous line is written with the next line. The end is
/// always written. Write errors are ignored, because progress is not a result.
#[derive(Debug)]
pub struct Lines<W> {
    out: Rc<RefCell<W>>,
    /// Start of each line.
    label: RefCell<String>,
    /// Whether the label stays when the document's name becomes known.
    has_fixed_label: bool,
    /// Time at which the last line was written.
    last_line_at: Cell<Option<Instant>>,
    /// Whether there is a change that no line contains yet.
    has_unwritten_change: Cell<bool>,
}

impl<W: Write> Lines<W> {
    /// Creates the observer of one transfer, job or download. The label of its lines is `name`. If
    /// `name` is `None`, the label is the id, followed by the document's name once a status
    /// contains it.
    pub fn new(out: Rc<RefCell<W>>, transfer_id: &str, name: Option<&str>) -> Self {
        Self {
            out,
            label: RefCell::new(make_printable(name.unwrap_or(transfer_id))),
            has_fixed_label: name.is_some(),
            last_line_at: Cell::new(None),
            has_unwritten_change: Cell::new(false),
        }
    }

    fn write(&self, text: &str) {
        self.last_line_at.set(Some(Instant::now()));
        let _ = writeln!(self.out.borrow_mut(), "{}: {text}", self.label.borrow());
    }

    fn is_too_early(&self) -> bool {
        self.last_line_at.get().is_some_and(|time| time.elapsed() < MIN_INTERVAL)
    }
}

impl<W: Write> Observer for Lines<W> {
    fn progress(&self, view: &View<'_>) {
        if !self.has_fixed_label
            && let Some(name) = view.name
        {
            self.label.replace(format!("{} {}", view.transfer_id, make_printable(name)));
        }
        // At 100 %, `ended` writes a line at once.
        let has_change = view.changed || self.has_unwritten_change.get();
        if !has_change || view.percent >= 100 {
            return;
        }
        let is_too_early = self.is_too_early();
        self.has_unwritten_change.set(is_too_early);
        if !is_too_early {
            self.write(&describe_progress(view));
        }
    }

    fn retrying(&self, error: &ClientError, pause: Duration) {
        if !self.is_too_early() {
            self.write(&format!(
                "{}; retrying in {}",
                make_printable(&error.to_string()),
                pause_in_words(pause)
            ));
        }
    }

    fn ended(&self, end: &End<'_>, elapsed: Duration) {
        self.write(&describe_end(end, elapsed));
    }
}
