//! `cargo xtask check dependencies`: checks the dependencies of the workspace's packages.
//!
//! The rules keep the layers of the code apart. Dependencies point inward: from the functions to
//! the adapters, to the use cases (`docferry-app`), and to `docferry-domain`. The dependency graph
//! comes from `cargo metadata`. A *dev dependency* is a package that only tests need.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use serde::Deserialize;

use crate::binaries::{FUNCTIONS, metadata};
use crate::paths::Paths;

/// Packages of the core, which know nothing of AWS or HTTP.
const CORE: [&str; 2] = ["docferry-domain", "docferry-app"];

/// Name prefixes of packages on which the core must not depend, not even indirectly.
const FORBIDDEN_FOR_CORE: [&str; 6] = ["aws-", "axum", "hyper", "lambda_", "reqwest", "rustls"];

/// Libraries of the workspace, and the workspace's packages on which each of them may depend
/// directly. Functions and simulators are not in this list and have other rules.
const ALLOWED_DEPENDENCIES: [(&str, &[&str]); 12] = [
    ("docferry-domain", &[]),
    ("docferry-app", &["docferry-domain"]),
    ("docferry-contract", &["docferry-domain"]),
    ("docferry-fhir", &["docferry-domain"]),
    ("docferry-http", &["docferry-app", "docferry-contract", "docferry-domain", "docferry-fhir"]),
    // This crate connects the adapters for the functions. It is the only library that may depend on
    // all of them.
    (
        "docferry-lambda",
        &[
            "docferry-app",
            "docferry-aws",
            "docferry-contract",
            "docferry-domain",
            "docferry-graph",
            "docferry-http",
            "docferry-ords",
            "docferry-webhook",
        ],
    ),
    // The contract defines the messages of the audit queue, which this crate sends.
    ("docferry-aws", &["docferry-app", "docferry-contract", "docferry-domain"]),
    ("docferry-graph", &["docferry-app", "docferry-domain"]),
    ("docferry-ords", &["docferry-app", "docferry-domain"]),
    ("docferry-webhook", &["docferry-app", "docferry-contract", "docferry-domain"]),
    ("docferry-testkit", &["docferry-app", "docferry-contract", "docferry-domain"]),
    // This crate checks the responses of the API, so it shares no code with the API.
    ("docferry-openapi", &[]),
];

/// Packages that only tests and checks may use.
const TEST_ONLY: [&str; 2] = ["docferry-openapi", "docferry-testkit"];

/// Packages of the simulators, which share no code with the rest of the project.
const SIMULATORS: [&str; 5] = [
    "docferry-sim-graph",
    "docferry-sim-identity",
    "docferry-sim-ords",
    "docferry-sim-s3",
    "sim-kit",
];

#[derive(Debug, Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
    workspace_members: BTreeSet<String>,
}

#[derive(Debug, Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Debug, Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dependency>,
}

#[derive(Debug, Deserialize)]
struct Dependency {
    pkg: String,
    dep_kinds: Vec<DependencyKind>,
}

#[derive(Debug, Deserialize)]
struct DependencyKind {
    /// `dev`, `build`, or `None` for a normal dependency.
    kind: Option<String>,
}

/// Returns the violations, one sentence each.
pub(crate) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let metadata: Metadata = metadata(paths, &[])?;
    Ok(Graph::new(&metadata).violations())
}

/// States whether a list of dependencies includes the dev dependencies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DevDependencies {
    Included,
    Excluded,
}

/// Dependency on a package.
struct DirectDependency<'a> {
    /// Id of the package.
    package: &'a str,
    /// Whether the dependency is a dev dependency.
    is_dev: bool,
}

/// Dependency graph of the workspace and of all packages on which it depends.
struct Graph<'a> {
    /// Packages by id.
    packages: BTreeMap<&'a str, &'a Package>,
    /// Packages of the workspace.
    members: Vec<&'a Package>,
    /// Dependencies of each package, by the id of the package.
    edges: BTreeMap<&'a str, Vec<DirectDependency<'a>>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        let edges = metadata.resolve.nodes.iter().map(|node| {
            let edge = |dependency: &'a Dependency| {
                let mut kinds = dependency.dep_kinds.iter();
                let is_dev = kinds.all(|kind| kind.kind.as_deref() == Some("dev"));
                DirectDependency { package: &dependency.pkg, is_dev }
            };
            (node.id.as_str(), node.deps.iter().map(edge).collect())
        });
        Self {
            packages: metadata
                .packages
                .iter()
                .map(|package| (package.id.as_str(), package))
                .collect(),
            members: metadata
                .packages
                .iter()
                .filter(|package| metadata.workspace_members.contains(&package.id))
                .collect(),
            edges: edges.collect(),
        }
    }

    /// Returns the violations of all rules.
    fn violations(&self) -> Vec<String> {
        let mut violations = Vec::new();
        for member in &self.members {
            violations.extend(self.member_violations(member));
            if CORE.contains(&member.name.as_str()) {
                violations.extend(self.forbidden_reached_by(member));
            }
        }
        for package in self.packages.values() {
            if package.name == "hyper" && package.version.starts_with("0.") {
                violations.push(format!(
                    "hyper {} must not be used: it brings an old TLS stack",
                    package.version
                ));
            }
        }
        violations
    }

    /// Checks the direct dependencies of a package of the workspace.
    fn member_violations(&self, member: &Package) -> Vec<String> {
        let mut violations = Vec::new();
        let direct = self.direct_dependencies(member, DevDependencies::Excluded);
        let name = member.name.as_str();
        if let Some((_, allowed)) =
            ALLOWED_DEPENDENCIES.iter().find(|(package, _)| *package == name)
        {
            for dependency in direct.iter().filter(|dependency| !allowed.contains(dependency)) {
                violations.push(format!("{name} must not depend on {dependency}"));
            }
        } else if SIMULATORS.contains(&name) {
            // This rule also applies to the tests of the simulator.
            let with_tests = self.direct_dependencies(member, DevDependencies::Included);
            for dependency in with_tests.iter().filter(|package| !SIMULATORS.contains(package)) {
                violations.push(format!(
                    "{name} must not depend on {dependency}: it is written from the contracts"
                ));
            }
        } else if FUNCTIONS.contains(&name) {
            let for_tests_only = direct
                .iter()
                .filter(|package| SIMULATORS.contains(package) || TEST_ONLY.contains(package));
            for dependency in for_tests_only {
                violations.push(format!("the function {name} must not depend on {dependency}"));
            }
        }
        violations
    }

    /// Returns the names of the workspace's packages on which `package` depends directly.
    fn direct_dependencies(
        &self,
        package: &Package,
        dev_dependencies: DevDependencies,
    ) -> BTreeSet<&'a str> {
        let edges = self.edges.get(package.id.as_str()).into_iter().flatten();
        edges
            .filter(|edge| !edge.is_dev || dev_dependencies == DevDependencies::Included)
            .filter_map(|edge| self.members.iter().find(|member| member.id == edge.package))
            .map(|member| member.name.as_str())
            .collect()
    }

    /// Returns the forbidden packages on which `package` depends directly or indirectly. Does not
    /// follow dev dependencies.
    fn forbidden_reached_by(&self, package: &Package) -> Vec<String> {
        let mut reached = BTreeSet::from([package.id.as_str()]);
        let mut to_visit = vec![package.id.as_str()];
        while let Some(id) = to_visit.pop() {
            for edge in self.edges.get(id).into_iter().flatten() {
                if !edge.is_dev && reached.insert(edge.package) {
                    to_visit.push(edge.package);
                }
            }
        }
        reached
            .iter()
            .filter_map(|id| self.packages.get(id))
            .filter(|dependency| {
                FORBIDDEN_FOR_CORE.iter().any(|prefix| dependency.name.starts_with(prefix))
            })
            .map(|dependency| format!("{} must not reach {}", package.name, dependency.name))
            .collect()
    }
}
