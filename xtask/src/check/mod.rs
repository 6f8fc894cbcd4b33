//! `cargo xtask check`: static checks of the project that the compiler and clippy do not cover.

mod api;
mod cycles;
mod dependencies;
mod docs;
mod features;
mod part;
mod template;
mod words;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::paths::Paths;
pub(crate) use docs::generate;
pub(crate) use part::Part;
pub(crate) use template::Definition;

/// Runs the given parts of the checks, or all parts if none is given. Prints all violations, and
/// returns an error if there are any.
pub(crate) fn run(paths: &Paths, parts: &[Part]) -> Result<()> {
    let parts = if parts.is_empty() { Part::value_variants() } else { parts };
    let mut results = Vec::new();
    for part in parts {
        match part {
            Part::Dependencies => {
                results.push(("dependencies point inward", dependencies::violations(paths)?));
                let title = "tests and programs share their dependencies";
                results.push((title, features::violations(paths)?));
            }
            Part::Cycles => {
                results
                    .push(("files import each other without cycles", cycles::violations(paths)?));
            }
            Part::Words => {
                results.push(("the code uses no retired words", words::violations(paths)?));
            }
            Part::Template => results.extend(template::Sources::of_project(paths)?.violations()),
            Part::Documents => {
                results.push(("the documents match the project", docs::violations(paths)?));
            }
            Part::Api => results.extend(api::violations(paths)?),
        }
    }
    let mut count = 0;
    for (title, violations) in results {
        println!("{} {title}", if violations.is_empty() { "ok    " } else { "FAILED" });
        for violation in &violations {
            println!("      {violation}");
        }
        count += violations.len();
    }
    if count > 0 {
        bail!("{count} violation(s) found");
    }
    Ok(())
}
