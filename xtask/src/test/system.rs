//! The step `system` of `cargo xtask test`: tests of the system that is deployed to the AWS
//! emulator.

use std::ffi::{OsStr, OsString};

use anyhow::Result;

use super::fhir::FhirPrograms;
use super::step::Counts;
use super::{clients, suites};
use crate::extras;
use crate::paths::Paths;
use crate::stack::{self, FileGuard, RunningStack, Settings};
use crate::tools::Tools;

pub(crate) fn run(paths: &Paths, tools: &Tools, filter: Option<&str>) -> Result<Counts> {
    System::up(paths, tools)?.test(paths, filter, &[])
}

/// A deployed system, and the environment variables of its tests.
pub(super) struct System {
    variables: Vec<(&'static str, OsString)>,
    // Fields are dropped in this order. The file with the addresses is removed first, so that it
    // never describes a system that has stopped.
    _address_file: FileGuard,
    _up: RunningStack,
}

impl System {
    /// Compiles the tests and deploys a system for them. Dropping the returned value stops the
    /// system.
    pub(super) fn up(paths: &Paths, tools: &Tools) -> Result<Self> {
        // The tests are compiled before the system starts. Compiling them later would slow down the
        // system while tests wait for it.
        suites::build(paths)?;
        let program = Tools::schemathesis(paths)?;
        let fhir = FhirPrograms::ensure(paths, tools)?;
        let clients = clients::or_skip(paths, tools);
        let up = stack::up(paths, &Settings::tests())?;
        let written = up.write_to(&paths.target.join("test-stack.json"))?;
        let mut variables = vec![
            ("DOCFERRY_STACK", written.path().into()),
            // This profile limits the number of concurrent tests; see .config/nextest.toml.
            ("NEXTEST_PROFILE", "system".into()),
            // The tests of the AWS adapters use this emulator.
            ("DOCFERRY_EMULATOR", OsString::from(&up.stack.emulator)),
            ("DOCFERRY_SCHEMATHESIS", program.into()),
            ("DOCFERRY_FHIR", fhir.folder.into()),
            ("DOCFERRY_FHIR_PYTHON", fhir.python.into()),
        ];
        let extras =
            [(extras::NGINX, "the settings for nginx"), (extras::NODE, "the clients in docs")];
        for (extra, tests) in extras {
            let program = extra.or_skip(paths, Ok(tools.clone()), tests);
            variables.extend(program.map(|program| (extra.variable, program.into())));
        }
        if let Some(clients) = clients {
            variables.push(("DOCFERRY_CLIENTS", clients.folder.into()));
            variables.push(("DOCFERRY_CLIENTS_PYTHON", clients.python.into()));
        }
        Ok(Self { variables, _address_file: written, _up: up })
    }

    /// Runs the system tests whose names contain `filter`, or all without a filter, with additional
    /// environment variables.
    pub(super) fn test(
        &self,
        paths: &Paths,
        filter: Option<&str>,
        extra_variables: &[(&str, &OsStr)],
    ) -> Result<Counts> {
        let own = self.variables.iter().map(|(name, value)| (*name, value.as_os_str()));
        let environment: Vec<_> = own.chain(extra_variables.iter().copied()).collect();
        suites::run(paths, suites::SYSTEM, filter, &environment)
    }
}
