//! `cargo xtask test mutants`: checks that the tests find mistakes in the code.
//!
//! A *mutant* is a patch in `tests/mutants/` that adds one mistake. The header of the patch states
//! the mistake, the guarantee that the mistake breaks, and the tests that must fail with it. The
//! tests *catch* the mutant if they do fail. The patch is applied to a copy of the project below
//! `target/`. The project itself is not changed. The *baseline* is the code without any mutant.

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
use self::run::TestCompiler;
use self::scratch::Scratch;
use self::verdict::Verdict;
use super::step::Counts;
use crate::paths::Paths;

/// Folder with the patches.
const FOLDER: &str = "tests/mutants";

/// Duration of each test with the correct code.
type Durations = BTreeMap<TestName, Duration>;

/// Result of testing one mutant.
struct MutantResult<'a> {
    mutant: &'a Mutant,
    verdict: Verdict,
    took: Duration,
}

/// Tests each mutant whose name contains `filter`. A mutant counts as failed if its tests do not
/// fail or if it cannot be tested.
pub(crate) fn run(paths: &Paths, filter: Option<&str>) -> Result<Counts> {
    let all_mutants = read_mutants(paths)?;
    let is_selected = |mutant: &&Mutant| filter.is_none_or(|filter| mutant.name.contains(filter));
    let selected: Vec<_> = all_mutants.iter().filter(is_selected).collect();
    if selected.is_empty() {
        return Ok(Counts::default());
    }
    let scratch = Scratch::prepare(paths)?;
    // The compiler gets all mutants, not only the selected ones. The packages of their tests
    // determine the features of the dependencies. With other packages, cargo would compile the
    // dependencies again.
    let compiler = TestCompiler::new(&scratch, &all_mutants)?;
    let start = Instant::now();
    let tests: Vec<_> = selected.iter().flat_map(|mutant| &mutant.caught_by).collect();
    let durations = measure_baseline(&compiler, &tests)?;
    println!("{} mutants; without them their tests pass ({} s)", selected.len(), seconds(start));
    let mut results = Vec::new();
    for mutant in selected {
        let start = Instant::now();
        let verdict = test_mutant(&scratch, &compiler, &durations, mutant)?;
        println!("{}: {verdict} ({} s)", mutant.name, seconds(start));
        if verdict != Verdict::Caught {
            println!("  mistake: {}\n  breaks: {}", mutant.mistake, mutant.breaks);
        }
        results.push(MutantResult { mutant, verdict, took: start.elapsed() });
    }
    println!("{}", result_table(&results));
    let caught = results.iter().filter(|result| result.verdict == Verdict::Caught).count() as u64;
    Ok(Counts { passed: caught, failed: results.len() as u64 - caught, skipped: 0 })
}

/// Reads every mutant of the project, sorted by name.
fn read_mutants(paths: &Paths) -> Result<Vec<Mutant>> {
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

/// Runs each test with the correct code and returns the durations. A failure is an error, because a
/// test that fails with the correct code would seem to catch every mutant.
fn measure_baseline(compiler: &TestCompiler<'_>, tests: &[&TestName]) -> Result<Durations> {
    let executables =
        compiler.compile(tests).context("the tests do not compile, even without any mutant")?;
    let mut durations = Durations::new();
    for test in tests {
        if !durations.contains_key(*test) {
            let start = Instant::now();
            let result = executables.run(test, run::BASELINE_TIMEOUT)?;
            if let Some(failure) = result.baseline_failure() {
                bail!("without any mutant, {test} {failure}: fix that first");
            }
            durations.insert((*test).clone(), start.elapsed());
        }
    }
    Ok(durations)
}

/// Applies one mutant to the copy, runs its tests and restores the copy.
fn test_mutant(
    scratch: &Scratch,
    compiler: &TestCompiler<'_>,
    durations: &Durations,
    mutant: &Mutant,
) -> Result<Verdict> {
    // The original files are restored on drop.
    let _applied = match scratch.apply(mutant)? {
        Ok(applied) => applied,
        Err(message) => return Ok(Verdict::Broken(format!("it does not apply: {message}"))),
    };
    let tests: Vec<_> = mutant.caught_by.iter().collect();
    let executables = match compiler.compile(&tests) {
        Ok(executables) => executables,
        Err(error) => return Ok(Verdict::Broken(format!("it does not compile: {error:#}"))),
    };
    let results = tests.into_iter().map(|test| {
        let timeout = run::timeout(durations.get(test).copied().unwrap_or_default());
        Ok((test.clone(), executables.run(test, timeout)?))
    });
    Ok(Verdict::of(&results.collect::<Result<Vec<_>>>()?))
}

/// Returns the table of results: mutant, verdict, tests and duration in seconds.
fn result_table(results: &[MutantResult<'_>]) -> Table {
    let mut table = Table::new();
    table.load_preset(UTF8_FULL_CONDENSED).set_header(["mutant", "", "by", "s"]);
    for MutantResult { mutant, verdict, took } in results {
        let tests: Vec<_> = mutant.caught_by.iter().map(ToString::to_string).collect();
        let word = match verdict {
            Verdict::Caught => "caught",
            Verdict::Missed(_) => "MISSED",
            Verdict::Broken(_) => "BROKEN",
        };
        let seconds = took.as_secs().to_string();
        table.add_row([mutant.name.clone(), word.to_owned(), tests.join("\n"), seconds]);
    }
    table
}

/// Returns the whole seconds since `start`.
fn seconds(start: Instant) -> u64 {
    start.elapsed().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mutants_of_the_project_have_complete_headers() {
        let mutants = read_mutants(&Paths::of_workspace().unwrap()).unwrap();
        assert!(mutants.iter().all(|mutant| !mutant.files.is_empty()));
    }
}
