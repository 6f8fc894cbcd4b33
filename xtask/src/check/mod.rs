//! What the compiler does not see.

mod api;
mod dependencies;
mod docs;
mod features;
mod template;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::paths::Paths;
pub(crate) use docs::generate;
pub(crate) use template::Definition;

/// What can be checked alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// Dependencies point inward, and are compiled once.
    Dependencies,
    /// State machines, rights, log groups and tags.
    Template,
    /// What the documents say is true of the tree.
    Documents,
    /// `openapi.yaml` tells of the API that the template makes, and is whole.
    Api,
}

/// Checks these parts, or everything when none is named, and tells all that is
/// wrong, not only the first.
pub(crate) fn run(paths: &Paths, parts: &[Part]) -> Result<()> {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    let mut told = Vec::new();
    for part in parts {
        match part {
            Part::Dependencies => {
                told.push(("dependencies point inward", dependencies::complaints(paths)?));
                let what = "tests and programs share their dependencies";
                told.push((what, features::complaints(paths)?));
            }
            Part::Template => told.extend(template::Sources::of_project(paths)?.complaints()),
            Part::Documents => told.push(("the documents are true", docs::complaints(paths)?)),
            Part::Api => told.extend(api::complaints(paths)?),
        }
    }
    let mut wrong = 0;
    for (what, complaints) in told {
        println!("{} {what}", if complaints.is_empty() { "ok   " } else { "WRONG" });
        for complaint in &complaints {
            println!("      {complaint}");
        }
        wrong += complaints.len();
    }
    if wrong > 0 {
        bail!("{wrong} things are wrong");
    }
    Ok(())
}
