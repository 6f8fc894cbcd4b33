//! The whole system, deployed, from outside.

use std::ffi::OsStr;

use anyhow::Result;

use super::{Counts, suites};
use crate::paths::Paths;
use crate::stack::{self, Settings};

pub(crate) fn run(paths: &Paths, filter: Option<&str>) -> Result<Counts> {
    // Before anything runs: compiling would otherwise use up the tests' deadlines.
    suites::build(paths)?;
    let up = stack::up(paths, &Settings::tests())?;
    let written = up.write_to(&paths.target.join("test-stack.json"))?;
    let stack: (&str, &OsStr) = ("DOCFERRY_STACK", written.path().as_os_str());
    // How many at once, see .config/nextest.toml.
    let profile: (&str, &OsStr) = ("NEXTEST_PROFILE", OsStr::new("system"));
    // For the adapters' own tests.
    let emulator: (&str, &OsStr) = ("DOCFERRY_EMULATOR", OsStr::new(&up.stack.emulator));
    suites::run(paths, suites::SYSTEM, filter, &[stack, profile, emulator])
}
