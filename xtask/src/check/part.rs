//! The parts of `cargo xtask check` that the command line can select.

use clap::ValueEnum;

/// A part of the checks that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Dependencies point inward and are compiled only once.
    Dependencies,
    /// Files of a crate import each other without cycles.
    Cycles,
    /// The code uses no retired words.
    Words,
    /// State machines, permissions, log groups and tags of the template.
    Template,
    /// Documents match the source tree.
    Documents,
    /// `openapi.yaml` is complete and matches the API in the template.
    Api,
}
