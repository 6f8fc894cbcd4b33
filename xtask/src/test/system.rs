//! The whole system, deployed, from outside.

use std::ffi::{OsStr, OsString};

use anyhow::Result;

use super::{Counts, clients, suites};
use crate::extras;
use crate::paths::Paths;
use crate::stack::{self, Settings, Up, Written};
use crate::tools::Tools;

pub(crate) fn run(paths: &Paths, tools: &Tools, filter: Option<&str>) -> Result<Counts> {
    System::up(paths, tools)?.test(paths, filter, &[])
}

/// A deployed system and what tests of it are given.
pub(super) struct System {
    variables: Vec<(&'static str, OsString)>,
    // In this order: the file tells others of what runs.
    _written: Written,
    _up: Up,
}

impl System {
    /// Compiles the tests and brings a system up for them, which ends with this value.
    pub(super) fn up(paths: &Paths, tools: &Tools) -> Result<Self> {
        // Before anything runs: compiling would otherwise use up the tests' deadlines.
        suites::build(paths)?;
        let program = Tools::schemathesis(paths)?;
        let clients = clients::or_left_out(paths, tools);
        let up = stack::up(paths, &Settings::tests())?;
        let written = up.write_to(&paths.target.join("test-stack.json"))?;
        let mut variables = vec![
            ("DOCFERRY_STACK", written.path().into()),
            // How many at once, see .config/nextest.toml.
            ("NEXTEST_PROFILE", "system".into()),
            // For the adapters' own tests.
            ("DOCFERRY_EMULATOR", OsString::from(&up.stack.emulator)),
            ("DOCFERRY_SCHEMATHESIS", program.into()),
        ];
        let extras =
            [(extras::NGINX, "the settings for nginx"), (extras::NODE, "the clients in docs")];
        for (extra, tests) in extras {
            let program = extra.or_left_out(paths, Ok(tools.clone()), tests);
            variables.extend(program.map(|program| (extra.variable, program.into())));
        }
        if let Some(clients) = clients {
            variables.push(("DOCFERRY_CLIENTS", clients.folder.into()));
            variables.push(("DOCFERRY_CLIENTS_PYTHON", clients.python.into()));
        }
        Ok(Self { variables, _written: written, _up: up })
    }

    /// Runs the tests of it, or those whose names contain `filter`, with further variables.
    pub(super) fn test(
        &self,
        paths: &Paths,
        filter: Option<&str>,
        further: &[(&str, &OsStr)],
    ) -> Result<Counts> {
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_os_str()));
        let environment: Vec<_> = own.chain(further.iter().copied()).collect();
        suites::run(paths, suites::SYSTEM, filter, &environment)
    }
}
