//! Builds the programs that the benchmarks measure, in the debug or release profile.

use std::path::PathBuf;

use anyhow::Result;

use super::options::Options;
use crate::binaries;
use crate::paths::Paths;

/// Profile of the measured programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Build {
    Debug,
    Release,
}

impl Build {
    const SIMULATORS: [&str; 2] = ["docferry-sim-graph", "docferry-sim-s3"];

    pub(super) fn of(options: &Options) -> Self {
        if options.debug_build { Self::Debug } else { Self::Release }
    }

    /// Returns the path of a program of this build.
    pub(crate) fn program(self, paths: &Paths, name: &str) -> PathBuf {
        paths.target.join(if self == Self::Debug { "debug" } else { "release" }).join(name)
    }

    /// Builds these functions and the simulators.
    pub(super) fn make(self, paths: &Paths, functions: &[&str]) -> Result<()> {
        println!(
            "Building the measured programs ({self:?}); the first release build takes many minutes …"
        );
        let names: Vec<_> = functions.iter().chain(&Self::SIMULATORS).copied().collect();
        let profile_args: &[&str] = if self == Self::Release { &["--release"] } else { &[] };
        binaries::build_named(paths, &names, profile_args)
    }
}
