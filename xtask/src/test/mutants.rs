//! Wrong versions of the code, one at a time: the tests that keep a promise must
//! notice when it is broken.
//!
//! Each is a patch in `tests/mutants/`, with a header that says what is wrong, which
//! promise that breaks, and which tests must fail. It is applied to a copy of the
//! tree below `target/`; the tree itself is only read.

mod header;
mod run;
mod scratch;
mod verdict;

use std::collections::BTreeMap;
use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use comfy_table::Table;
use comfy_table::presets::UTF8_FULL_CONDENSED;

use self::header::{Mutant, TestName};
use self::run::Builds;
use self::scratch::Scratch;
use self::verdict::Verdict;
use super::Counts;
use crate::paths::Paths;

const FOLDER: &str = "tests/mutants";

/// How long the tests take with the right code.
type Took = BTreeMap<TestName, Duration>;

/// Tries each mutant whose name contains `filter`. One that nobody catches is
/// counted as failed, and so is one that proves nothing.
pub(crate) fn run(paths: &Paths, filter: Option<&str>) -> Result<Counts> {
    let all = read(paths)?;
    let wanted: Vec<_> =
        all.iter().filter(|mutant| filter.is_none_or(|part| mutant.name.contains(part))).collect();
    if wanted.is_empty() {
        return Ok(Counts::default());
    }
    let scratch = Scratch::prepare(paths)?;
    // Of all mutants, whichever run: the packages choose the features of what is
    // compiled, and another choice would compile it again.
    let builds = Builds::new(&scratch, &all)?;
    let start = Instant::now();
    let tests: Vec<_> = wanted.iter().flat_map(|mutant| &mutant.caught_by).collect();
    let took = baseline(&builds, &tests)?;
    println!("{} mutants; without them their tests pass ({} s)", wanted.len(), seconds(start));
    let mut told = Vec::new();
    for mutant in wanted {
        let start = Instant::now();
        let verdict = attempt(&scratch, &builds, &took, mutant)?;
        println!("{}: {verdict} ({} s)", mutant.name, seconds(start));
        if verdict != Verdict::Caught {
            println!("  what is wrong: {}\n  breaks: {}", mutant.wrong, mutant.breaks);
        }
        told.push((mutant, verdict, start.elapsed()));
    }
    println!("{}", table(&told));
    let caught = told.iter().filter(|(_, verdict, _)| *verdict == Verdict::Caught).count() as u64;
    Ok(Counts { passed: caught, failed: told.len() as u64 - caught, skipped: 0 })
}

/// Every mutant of the project, by name.
fn read(paths: &Paths) -> Result<Vec<Mutant>> {
    let folder = paths.root.join(FOLDER);
    let mut mutants = Vec::new();
    for entry in fs::read_dir(&folder).with_context(|| FOLDER.to_owned())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "patch") {
            mutants.push(Mutant::read(&path)?);
        }
    }
    if mutants.is_empty() {
        bail!("there is no mutant in {FOLDER}");
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

/// How long each test takes with the right code. One that fails anyhow would catch
/// everything.
fn baseline(builds: &Builds<'_>, tests: &[&TestName]) -> Result<Took> {
    let executables =
        builds.build(tests).context("the tests do not compile, even without any mutant")?;
    let mut took = Took::new();
    for test in tests {
        if !took.contains_key(*test) {
            let start = Instant::now();
            let result = executables.run(test, run::BASELINE_PATIENCE)?;
            if let Some(wrong) = result.wrong_in_baseline() {
                bail!("without any mutant, {test} {wrong}: mend that first");
            }
            took.insert((*test).clone(), start.elapsed());
        }
    }
    Ok(took)
}

fn attempt(
    scratch: &Scratch,
    builds: &Builds<'_>,
    took: &Took,
    mutant: &Mutant,
) -> Result<Verdict> {
    // Restored when this is dropped.
    let _applied = match scratch.apply(mutant)? {
        Ok(applied) => applied,
        Err(said) => return Ok(Verdict::Broken(format!("it does not apply: {said}"))),
    };
    let tests: Vec<_> = mutant.caught_by.iter().collect();
    let executables = match builds.build(&tests) {
        Ok(executables) => executables,
        Err(error) => return Ok(Verdict::Broken(format!("it does not compile: {error:#}"))),
    };
    let results = tests.into_iter().map(|test| {
        let patience = run::patience(took.get(test).copied().unwrap_or_default());
        Ok((test.clone(), executables.run(test, patience)?))
    });
    Ok(Verdict::of(&results.collect::<Result<Vec<_>>>()?))
}

fn table(told: &[(&Mutant, Verdict, Duration)]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["mutant", "", "by", "s"]);
    for (mutant, verdict, took) in told {
        let tests: Vec<_> = mutant.caught_by.iter().map(ToString::to_string).collect();
        let word = match verdict {
            Verdict::Caught => "caught",
            Verdict::Missed(_) => "MISSED",
            Verdict::Broken(_) => "BROKEN",
        };
        let took = took.as_secs().to_string();
        table.add_row([mutant.name.clone(), word.to_owned(), tests.join("\n"), took]);
    }
    table
}

fn seconds(since: Instant) -> u64 {
    since.elapsed().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mutant_of_the_project_has_a_whole_header() {
        let mutants = read(&Paths::of_workspace().unwrap()).unwrap();
        assert!(mutants.iter().all(|mutant| !mutant.files.is_empty()));
    }
}
