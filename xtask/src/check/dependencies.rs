//! Checks the dependencies between the workspace's packages, as resolved by cargo.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::binaries::{FUNCTIONS, cargo};
use crate::paths::Paths;

/// Name prefixes of packages that `domain` and `app` must not reach, even indirectly.
const FORBIDDEN_FOR_CORE: [&str; 6] = ["aws-", "axum", "hyper", "lambda_", "reqwest", "rustls"];

/// Dependencies within the workspace that each crate may have. Functions may depend on any crate.
/// Packages that are not listed (simulators, command line, xtask) have other rules or none.
const ALLOWED: [(&str, &[&str]); 11] = [
    ("docferry-domain", &[]),
    ("docferry-app", &["docferry-domain"]),
    ("docferry-contract", &["docferry-domain"]),
    ("docferry-http", &["docferry-app", "docferry-contract", "docferry-domain"]),
    // Assembles the adapters for the functions; no other library may depend on them.
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
    // Messages of the audit queue are defined by the contract.
    ("docferry-aws", &["docferry-app", "docferry-contract", "docferry-domain"]),
    ("docferry-graph", &["docferry-app", "docferry-domain"]),
    ("docferry-ords", &["docferry-app", "docferry-domain"]),
    ("docferry-webhook", &["docferry-app", "docferry-contract", "docferry-domain"]),
    ("docferry-testkit", &["docferry-app", "docferry-contract", "docferry-domain"]),
    // The checker of responses shares nothing with the code that creates them.
    ("docferry-openapi", &[]),
];

/// Packages for tests and checks only.
const TEST_ONLY: [&str; 2] = ["docferry-openapi", "docferry-testkit"];

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
    dep_kinds: Vec<Kind>,
}

#[derive(Debug, Deserialize)]
struct Kind {
    /// `null` for a normal dependency, otherwise `dev` or `build`.
    kind: Option<String>,
}

/// Returns the violations, one sentence each.
pub(crate) fn violations(paths: &Paths) -> Result<Vec<String>> {
    let output = cargo(paths).args(["metadata", "--format-version", "1"]).output()?;
    let metadata: Metadata = serde_json::from_slice(&output.stdout)
        .with_context(|| String::from_utf8_lossy(&output.stderr).into_owned())
        .context("cargo metadata failed")?;
    Ok(Graph::new(&metadata).violations())
}

struct Graph<'a> {
    /// Packages by id.
    packages: BTreeMap<&'a str, &'a Package>,
    members: Vec<&'a Package>,
    /// For each package id: ids of its dependencies, and whether only tests need them.
    edges: BTreeMap<&'a str, Vec<(&'a str, bool)>>,
}

impl<'a> Graph<'a> {
    fn new(metadata: &'a Metadata) -> Self {
        let edges = metadata.resolve.nodes.iter().map(|node| {
            let edge = |dependency: &'a Dependency| {
                let dev = dependency.dep_kinds.iter().all(|k| k.kind.as_deref() == Some("dev"));
                (dependency.pkg.as_str(), dev)
            };
            (node.id.as_str(), node.deps.iter().map(edge).collect())
        });
        Self {
            packages: metadata.packages.iter().map(|p| (p.id.as_str(), p)).collect(),
            members: metadata
                .packages
                .iter()
                .filter(|p| metadata.workspace_members.contains(&p.id))
                .collect(),
            edges: edges.collect(),
        }
    }

    /// Returns the violations of all rules.
    fn violations(&self) -> Vec<String> {
        let mut found = Vec::new();
        for member in &self.members {
            let direct = self.direct(member, false);
            let name = member.name.as_str();
            if let Some((_, allowed)) = ALLOWED.iter().find(|(package, _)| *package == name) {
                for other in direct.iter().filter(|other| !allowed.contains(other)) {
                    found.push(format!("{name} must not depend on {other}"));
                }
            } else if SIMULATORS.contains(&name) {
                // Not even in tests: simulators are tested by clients that share no code with ours.
                for other in self.direct(member, true).iter().filter(|o| !SIMULATORS.contains(o)) {
                    found.push(format!(
                        "{name} must not depend on {other}: it is written from the contracts"
                    ));
                }
            } else if FUNCTIONS.contains(&name) {
                for other in
                    direct.iter().filter(|o| SIMULATORS.contains(o) || TEST_ONLY.contains(o))
                {
                    found.push(format!("the function {name} must not depend on {other}"));
                }
            }
            if ["docferry-domain", "docferry-app"].contains(&name) {
                found.extend(self.forbidden_reached_by(member));
            }
        }
        for package in self.packages.values() {
            if package.name == "hyper" && package.version.starts_with("0.") {
                found.push(format!(
                    "hyper {} must not be used: it brings an old TLS stack",
                    package.version
                ));
            }
        }
        found
    }

    /// Returns the names of the workspace's packages that `of` depends on directly.
    fn direct(&self, of: &Package, with_dev: bool) -> BTreeSet<&'a str> {
        let edges = self.edges.get(of.id.as_str()).into_iter().flatten();
        edges
            .filter(|(_, dev)| with_dev || !dev)
            .filter_map(|(id, _)| self.members.iter().find(|member| member.id == *id))
            .map(|member| member.name.as_str())
            .collect()
    }

    /// Returns the forbidden packages that `from` reaches through normal dependencies.
    fn forbidden_reached_by(&self, from: &Package) -> Vec<String> {
        let mut seen = BTreeSet::from([from.id.as_str()]);
        let mut to_visit = vec![from.id.as_str()];
        while let Some(id) = to_visit.pop() {
            for (next, dev) in self.edges.get(id).into_iter().flatten() {
                if !dev && seen.insert(next) {
                    to_visit.push(next);
                }
            }
        }
        seen.iter()
            .filter_map(|id| self.packages.get(id))
            .filter(|package| {
                FORBIDDEN_FOR_CORE.iter().any(|prefix| package.name.starts_with(prefix))
            })
            .map(|package| format!("{} must not reach {}", from.name, package.name))
            .collect()
    }
}
