//! What the compiler does not see.

mod dependencies;
mod docs;
mod features;
mod rights;
mod workflow;

use std::fs;

use anyhow::{Result, bail};

use crate::paths::Paths;

/// Runs every check and tells all that is wrong, not only the first.
pub(crate) fn run(paths: &Paths) -> Result<()> {
    let template = fs::read_to_string(paths.root.join("template.yaml"))?;
    let workflow = fs::read_to_string(paths.root.join("statemachine/transfer.asl.json"))?;
    let mut wrong = 0;
    for (what, complaints) in [
        ("dependencies point inward", dependencies::complaints(paths)?),
        ("tests and programs share their dependencies", features::complaints(paths)?),
        ("the state machine is whole", workflow::complaints(&workflow)?),
        ("roles have only what they need", rights::complaints(&template, &workflow)),
        ("the documents are true", docs::complaints(paths, &template)?),
    ] {
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
