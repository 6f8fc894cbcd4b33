//! The whole system, deployed, from outside.

use std::ffi::OsStr;

use anyhow::Result;

use super::{Counts, suites};
use crate::extras;
use crate::paths::Paths;
use crate::stack::{self, Settings};
use crate::tools::Tools;

pub(crate) fn run(paths: &Paths, tools: &Tools, filter: Option<&str>) -> Result<Counts> {
    // Before anything runs: compiling would otherwise use up the tests' deadlines.
    suites::build(paths)?;
    let program = Tools::schemathesis(paths)?;
    let up = stack::up(paths, &Settings::tests())?;
    let written = up.write_to(&paths.target.join("test-stack.json"))?;
    let stack: (&str, &OsStr) = ("DOCFERRY_STACK", written.path().as_os_str());
    // How many at once, see .config/nextest.toml.
    let profile: (&str, &OsStr) = ("NEXTEST_PROFILE", OsStr::new("system"));
    // For the adapters' own tests.
    let emulator: (&str, &OsStr) = ("DOCFERRY_EMULATOR", OsStr::new(&up.stack.emulator));
    let schemathesis: (&str, &OsStr) = ("DOCFERRY_SCHEMATHESIS", program.as_os_str());
    let extras = [(extras::NGINX, "the settings for nginx"), (extras::NODE, "the clients in docs")];
    let programs = extras
        .map(|(extra, tests)| (extra.variable, extra.or_left_out(paths, Ok(tools.clone()), tests)));
    let programs = programs
        .iter()
        .filter_map(|(variable, program)| Some((*variable, program.as_deref()?.as_os_str())));
    let environment: Vec<_> =
        [stack, profile, emulator, schemathesis].into_iter().chain(programs).collect();
    suites::run(paths, suites::SYSTEM, filter, &environment)
}
