//! Display of progress for people: progress bars on a terminal, plain lines elsewhere.

mod bars;
mod lines;
mod text;

pub use bars::{Bar, bar};
pub use lines::Lines;
pub use text::{clean, describe_end, describe_progress, short_duration, size};
