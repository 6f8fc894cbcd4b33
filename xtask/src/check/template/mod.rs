//! `cargo xtask check template`: checks that `template.yaml`, the state machines and the code
//! agree.
//!
//! The checks cover only points that neither the AWS emulator nor a linter verifies. Each module
//! below checks or compares some of the [`Sources`]. It returns *violations*: sentences that state
//! which rule is broken and where.

mod belongings;
mod calls;
mod code;
mod function_roles;
mod limits;
mod machine;
mod machines;
mod policies;
mod retention;
mod retriers;
mod settings;
mod whole;

use anyhow::Result;

use crate::paths::Paths;
use crate::template::Template;

use calls::Calls;
use code::Code;
pub(crate) use machine::Definition;
use settings::Environment;

/// The project's files that the checks compare with each other.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    template: Template,
    definitions: Vec<Definition>,
    calls: Calls<'a>,
    code: Code,
    environments: Vec<Environment>,
}

impl Sources<'_> {
    /// Reads the files of the project.
    pub(super) fn of_project(paths: &Paths) -> Result<Self> {
        Ok(Self {
            template: Template::of_project(&paths.root)?,
            definitions: Definition::all(&paths.root)?,
            calls: calls::read(calls::DECLARED)?,
            code: Code::of_project(paths)?,
            environments: settings::environments(paths)?,
        })
    }

    /// Returns the violations, one sentence each, grouped by topic.
    pub(super) fn violations(&self) -> [(&'static str, Vec<String>); 7] {
        let Self { template, definitions, calls, code, environments } = self;
        let roles = policies::permissions_by_role(template);
        let mut permission_violations: Vec<_> =
            roles.values().flat_map(|role| &role.violations).cloned().collect();
        permission_violations.extend(policies::violations(template));
        permission_violations.extend(function_roles::role_use_violations(template));
        permission_violations.extend(calls::violations(template, &roles, calls, code));
        [
            (
                "the state machines are complete",
                definitions.iter().flat_map(whole::violations).collect(),
            ),
            (
                "the state machines match the template",
                machines::violations(template, definitions, &roles),
            ),
            ("each role allows exactly what its function calls", permission_violations),
            ("every resource has its logs and tags", belongings::violations(template)),
            ("durable resources survive their stack", retention::violations(template)),
            ("fixed numbers match the parameters", limits::violations(template, definitions)),
            ("settings agree in every environment", settings::violations(template, environments)),
        ]
    }
}

#[cfg(test)]
mod tests;
