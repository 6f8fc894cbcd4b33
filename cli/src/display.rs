//! Display of the progress of transfers, jobs and downloads: progress bars on a terminal, and plain
//! lines in a log or a pipe.

mod bars;
mod lines;
mod text;

pub use bars::{Bar, bar};
pub use lines::Lines;
pub use text::{describe_end, describe_progress, make_printable, short_duration, size};
