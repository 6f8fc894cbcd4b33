//! `cargo xtask check`: static checks that the compiler does not cover.

mod api;
mod cycles;
mod dependencies;
mod docs;
mod features;
mod template;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::paths::Paths;
pub(crate) use docs::generate;
pub(crate) use template::Definition;

/// A part of the checks that can run alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Dependencies point inward and are compiled only once.
    Dependencies,
    /// Files of a crate import each other without cycles.
    Cycles,
    /// State machines, permissions, log groups and tags of the template.
    Template,
    /// Documents match the source tree.
    Documents,
    /// `openapi.yaml` is complete and matches the API in the template.
    Api,
}

/// Runs these parts, or all when none is named. Prints all violations, not only the first.
pub(crate) fn run(paths: &Paths, parts: &[Part]) -> Result<()> {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    let mut results = Vec::new();
    for part in parts {
        match part {
            Part::Dependencies => {
                results.push(("dependencies point inward", dependencies::complaints(paths)?));
                let title = "tests and programs share their dependencies";
                results.push((title, features::complaints(paths)?));
            }
            Part::Cycles => {
                results
                    .push(("files import each other without cycles", cycles::violations(paths)?));
            }
            Part::Template => results.extend(template::Sources::of_project(paths)?.complaints()),
            Part::Documents => {
                results.push(("the documents match the project", docs::complaints(paths)?));
            }
            Part::Api => results.extend(api::complaints(paths)?),
        }
    }
    let mut violations = 0;
    for (title, complaints) in results {
        println!("{} {title}", if complaints.is_empty() { "ok    " } else { "FAILED" });
        for complaint in &complaints {
            println!("      {complaint}");
        }
        violations += complaints.len();
    }
    if violations > 0 {
        bail!("{violations} violation(s) found");
    }
    Ok(())
}
