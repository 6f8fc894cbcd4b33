//! Counts of the records that `docferry documents import` or `migrate` has written to the registry.

use docferry_app::ports::UpsertResult;
use docferry_domain::document::DocumentId;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of conflicts that are printed. Further conflicts are only counted.
const MAX_PRINTED_CONFLICTS: u64 = 100;

/// Counts of written records, as a JSON line.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Summary {
    pub(super) stored: u64,
    /// Records that were not written, because the registry has them already.
    pub(super) unchanged: u64,
    /// Records that were not written, because another document has their number or GUID.
    pub(super) conflicts: u64,
}

impl Summary {
    /// Counts the result of writing a record, and prints a conflict. `origin` says where the record
    /// comes from, such as `line 7`.
    pub(super) fn count(
        &mut self,
        origin: &str,
        id: &DocumentId,
        result: UpsertResult,
    ) -> Result<(), CliError> {
        match result {
            UpsertResult::Stored => self.stored += 1,
            UpsertResult::Unchanged => self.unchanged += 1,
            UpsertResult::Conflict { field } => {
                self.conflicts += 1;
                if self.conflicts <= MAX_PRINTED_CONFLICTS {
                    output::print_note(&format!(
                        "{origin}: {id} was not stored: its {field} conflicts with a registered document"
                    ))?;
                }
            }
        }
        Ok(())
    }

    /// Formats the counts for people.
    pub(super) fn text(&self) -> String {
        let Self { stored, unchanged, conflicts } = self;
        format!("{stored} records stored, {unchanged} unchanged, {conflicts} conflicts")
    }

    /// Returns the exit code of the command.
    pub(super) fn exit(&self) -> Exit {
        if self.conflicts > 0 { Exit::Other } else { Exit::Completed }
    }
}
