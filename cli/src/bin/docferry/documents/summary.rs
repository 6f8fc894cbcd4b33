//! Counts of the records that a command has written.

use docferry_app::ports::UpsertResult;
use docferry_domain::document::DocumentId;
use serde::Serialize;

use crate::error::CliError;
use crate::exit::Exit;
use crate::output;

/// Maximum number of conflicts that are printed. Further ones are only counted.
const MAX_PRINTED_CONFLICTS: u64 = 100;

/// Counts of written records, as a JSON line.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(super) struct Summary {
    pub(super) stored: u64,
    pub(super) unchanged: u64,
    pub(super) conflicts: u64,
}

impl Summary {
    /// Counts the result of writing a record, and prints a conflict. `about` says where the record
    /// comes from.
    pub(super) fn count(
        &mut self,
        about: &str,
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
                        "{about}: {id} was not stored: its {field} conflicts with a registered document"
                    ))?;
                }
            }
        }
        Ok(())
    }

    /// Returns the counts for people.
    pub(super) fn text(&self) -> String {
        let Self { stored, unchanged, conflicts } = self;
        format!("{stored} records stored, {unchanged} unchanged, {conflicts} conflicts")
    }

    /// Returns the exit code of the command.
    pub(super) fn exit(&self) -> Exit {
        if self.conflicts > 0 { Exit::Other } else { Exit::Completed }
    }
}
