//! Mutation tests: for each wrong version of the code, the tests that verify the broken guarantee
//! must fail.
//!
//! Each mutant is a patch in `tests/mutants/`. Its header says what is wrong, which guarantee that
//! breaks, and which tests must fail. The patch is applied to a copy of the tree below `target/`;
//! the tree itself is only read.

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
use super::step::Counts;
use crate::paths::Paths;

const FOLDER: &str = "tests/mutants";

/// Duration of each test with the correct code.
type Durations = BTreeMap<TestName, Duration>;

/// Tests each mutant whose name contains `filter`. A mutant that is not caught counts as failed,
/// and so does one that is not valid.
pub(crate) fn run(paths: &Paths, filter: Option<&str>) -> Result<Counts> {
    let all = read(paths)?;
    let selected: Vec<_> =
        all.iter().filter(|mutant| filter.is_none_or(|part| mutant.name.contains(part))).collect();
    if selected.is_empty() {
        return Ok(Counts::default());
    }
    let scratch = Scratch::prepare(paths)?;
    // Built for all mutants, including those that are not selected: the set of packages determines
    // the features of the dependencies, and another set would compile them again.
    let builds = Builds::new(&scratch, &all)?;
    let start = Instant::now();
    let tests: Vec<_> = selected.iter().flat_map(|mutant| &mutant.caught_by).collect();
    let durations = baseline(&builds, &tests)?;
    println!("{} mutants; without them their tests pass ({} s)", selected.len(), seconds(start));
    let mut results = Vec::new();
    for mutant in selected {
        let start = Instant::now();
        let verdict = test_mutant(&scratch, &builds, &durations, mutant)?;
        println!("{}: {verdict} ({} s)", mutant.name, seconds(start));
        if verdict != Verdict::Caught {
            println!("  what is wrong: {}\n  breaks: {}", mutant.wrong, mutant.breaks);
        }
        results.push((mutant, verdict, start.elapsed()));
    }
    println!("{}", table(&results));
    let caught =
        results.iter().filter(|(_, verdict, _)| *verdict == Verdict::Caught).count() as u64;
    Ok(Counts { passed: caught, failed: results.len() as u64 - caught, skipped: 0 })
}

/// Reads every mutant of the project, sorted by name.
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
        bail!("{FOLDER} contains no mutant");
    }
    mutants.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(mutants)
}

/// Runs each test with the correct code and returns the durations. A test that fails with the
/// correct code would catch every mutant.
fn baseline(builds: &Builds<'_>, tests: &[&TestName]) -> Result<Durations> {
    let executables =
        builds.build(tests).context("the tests do not compile, even without any mutant")?;
    let mut durations = Durations::new();
    for test in tests {
        if !durations.contains_key(*test) {
            let start = Instant::now();
            let result = executables.run(test, run::BASELINE_TIMEOUT)?;
            if let Some(problem) = result.baseline_problem() {
                bail!("without any mutant, {test} {problem}: fix that first");
            }
            durations.insert((*test).clone(), start.elapsed());
        }
    }
    Ok(durations)
}

/// Applies one mutant, runs its tests and restores the tree.
fn test_mutant(
    scratch: &Scratch,
    builds: &Builds<'_>,
    durations: &Durations,
    mutant: &Mutant,
) -> Result<Verdict> {
    // The original files are restored on drop.
    let _applied = match scratch.apply(mutant)? {
        Ok(applied) => applied,
        Err(message) => return Ok(Verdict::Broken(format!("it does not apply: {message}"))),
    };
    let tests: Vec<_> = mutant.caught_by.iter().collect();
    let executables = match builds.build(&tests) {
        Ok(executables) => executables,
        Err(error) => return Ok(Verdict::Broken(format!("it does not compile: {error:#}"))),
    };
    let results = tests.into_iter().map(|test| {
        let timeout = run::timeout(durations.get(test).copied().unwrap_or_default());
        Ok((test.clone(), executables.run(test, timeout)?))
    });
    Ok(Verdict::of(&results.collect::<Result<Vec<_>>>()?))
}

fn table(results: &[(&Mutant, Verdict, Duration)]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["mutant", "", "by", "s"]);
    for (mutant, verdict, took) in results {
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
    fn mutants_of_the_project_have_complete_headers() {
        let mutants = read(&Paths::of_workspace().unwrap()).unwrap();
        assert!(mutants.iter().all(|mutant| !mutant.files.is_empty()));
    }
}
