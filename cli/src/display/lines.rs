//! Plain lines for logs and pipes: only what changed, and not too often.

use std::cell::{Cell, RefCell};
use std::io::Write;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::text::{clean, describe_end, describe_progress, pause_in_words};
use crate::error::ClientError;
use crate::watch::{End, Observer, View};

const SHORTEST_GAP: Duration = Duration::from_secs(1);

/// Writes a line when a transfer's state changed, at most one a second.
///
/// A change that is held back is written with the next one that is not; the end
/// is always written. What cannot be written is lost: progress is no result.
#[derive(Debug)]
pub struct Lines<W> {
    out: Rc<RefCell<W>>,
    label: RefCell<String>,
    fixed_name: bool,
    last_line: Cell<Option<Instant>>,
    held_back: Cell<bool>,
}

impl<W: Write> Lines<W> {
    /// Lines for one transfer, headed by `name` or else by its id and name.
    pub fn new(out: Rc<RefCell<W>>, transfer_id: &str, name: Option<&str>) -> Self {
        Self {
            out,
            label: RefCell::new(clean(name.unwrap_or(transfer_id))),
            fixed_name: name.is_some(),
            last_line: Cell::new(None),
            held_back: Cell::new(false),
        }
    }

    fn write(&self, text: &str) {
        self.last_line.set(Some(Instant::now()));
        let _ = writeln!(self.out.borrow_mut(), "{}: {text}", self.label.borrow());
    }

    fn is_too_early(&self) -> bool {
        self.last_line.get().is_some_and(|last| last.elapsed() < SHORTEST_GAP)
    }
}

impl<W: Write> Observer for Lines<W> {
    fn progress(&self, view: &View<'_>) {
        if let (false, Some(name)) = (self.fixed_name, view.name) {
            self.label.replace(format!("{} {}", view.transfer_id, clean(name)));
        }
        // At 100 % the line about the end follows at once and says it all.
        if !(view.changed || self.held_back.get()) || view.percent >= 100 {
            return;
        }
        self.held_back.set(self.is_too_early());
        if !self.held_back.get() {
            self.write(&describe_progress(view));
        }
    }

    fn retrying(&self, error: &ClientError, pause: Duration) {
        if !self.is_too_early() {
            self.write(&format!(
                "{}; again in {}",
                clean(&error.to_string()),
                pause_in_words(pause)
            ));
        }
    }

    fn ended(&self, end: &End<'_>, elapsed: Duration) {
        self.write(&describe_end(end, elapsed));
    }
}
