//! Options of the operators' commands that name subjects (court files or patients) and entitlement
//! groups.
//!
//! A subject is a system and a value. The deployment knows some systems, with a pattern of their
//! values. A subject without a system belongs to the default system.

use clap::Args;
use docferry_domain::document::{Coverage, Subject, SubjectPatterns};

use crate::admin::AdminError;
use crate::argument_values::non_empty;

#[derive(Debug, Args)]
pub(crate) struct SubjectArgs {
    /// Systems of subject identifiers that the deployment knows, as JSON
    /// [default: [{"system": "urn:docferry:court-file", "pattern": "court-file"}]]
    #[arg(long, env = "DOCFERRY_SUBJECT_SYSTEMS", value_name = "JSON")]
    subject_systems: Option<String>,
}

impl SubjectArgs {
    /// Returns the patterns of subject identifiers.
    pub(crate) fn patterns(&self) -> Result<SubjectPatterns, AdminError> {
        let Some(json) = non_empty(self.subject_systems.as_ref()) else {
            return Ok(SubjectPatterns::default());
        };
        serde_json::from_str(json).map_err(|error| AdminError::InvalidArgument {
            name: "value of --subject-systems (DOCFERRY_SUBJECT_SYSTEMS)",
            problem: error.to_string(),
        })
    }

    /// Reads a subject, written as `[system|]value`.
    pub(crate) fn subject(&self, text: &str) -> Result<Subject, AdminError> {
        self.patterns()?.read_text(text).map_err(|error| AdminError::InvalidArgument {
            name: "value of --subject",
            problem: error.to_string(),
        })
    }
}

/// Documents that a grant covers.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct CoverageArgs {
    /// Subject whose documents the grant covers
    #[arg(long, value_name = "[SYSTEM|]VALUE")]
    subject: Option<String>,

    /// Entitlement group whose documents the grant covers
    #[arg(long, value_name = "GROUP")]
    group: Option<String>,
}

impl CoverageArgs {
    /// Returns the coverage that the arguments name.
    pub(crate) fn coverage(&self, subject_args: &SubjectArgs) -> Result<Coverage, AdminError> {
        // clap requires one of the two arguments.
        match (&self.subject, &self.group) {
            (Some(subject), _) => subject_args.subject(subject).map(Coverage::Subject),
            (None, group) => {
                group.as_deref().unwrap_or_default().parse().map(Coverage::Group).map_err(
                    |error: docferry_domain::document::InvalidField| AdminError::InvalidArgument {
                        name: "value of --group",
                        problem: error.to_string(),
                    },
                )
            }
        }
    }
}
