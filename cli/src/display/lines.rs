//! Progress as plain lines, for logs and pipes. A line is written when the progress changes, at
//! most once per second.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::text::{describe_end, describe_progress, make_printable, pause_in_words};
use crate::error::ClientError;
use crate::watch::{End, Observer, View};

/// Minimum time between two lines.
const MIN_INTERVAL: Duration = Duration::from_secs(1);

/// Writes a line when the progress of a transfer changes, at most one line per second.
///
/// A change less than a second after the previous line is written with the next line. The end is
/// always written.
/// Write errors are ignored, because progress is not a result.
#[derive(Debug)]
pub struct Lines<W> {
    out: Rc<RefCell<W>>,
    /// Start of each line.
    label: RefCell<String>,
    /// Whether the label stays when the document's name becomes known.
    fixed_name: bool,
    /// Time of the last line.
    last_line: Cell<Option<Instant>>,
    /// Whether a change has not been written yet.
    is_pending: Cell<bool>,
}

impl<W: Write> Lines<W> {
    /// Creates the lines of one transfer. Their label is `name`. If `name` is `None`, the label is
    /// the transfer's id, followed by the document's name as soon as a status contains it.
    pub fn new(out: Rc<RefCell<W>>, transfer_id: &str, name: Option<&str>) -> Self {
        Self {
            out,
            label: RefCell::new(make_printable(name.unwrap_or(transfer_id))),
            fixed_name: name.is_some(),
            last_line: Cell::new(None),
            is_pending: Cell::new(false),
        }
    }

    fn write(&self, text: &str) {
        self.last_line.set(Some(Instant::now()));
        let _ = writeln!(self.out.borrow_mut(), "{}: {text}", self.label.borrow());
    }

    fn is_too_early(&self) -> bool {
        self.last_line.get().is_some_and(|last| last.elapsed() < MIN_INTERVAL)
    }
}

impl<W: Write> Observer for Lines<W> {
    fn progress(&self, view: &View<'_>) {
        if let (false, Some(name)) = (self.fixed_name, view.name) {
            self.label.replace(format!("{} {}", view.transfer_id, make_printable(name)));
        }
        // At 100 % the line about the end follows at once.
        if !(view.changed || self.is_pending.get()) || view.percent >= 100 {
            return;
        }
        self.is_pending.set(self.is_too_early());
        if !self.is_pending.get() {
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
