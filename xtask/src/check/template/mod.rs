//! Checks that the template, the state machines and the code agree, in points that neither the
//! emulator nor a linter verifies.

mod belongings;
mod calls;
mod code;
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

/// Sources that are compared with each other.
#[derive(Debug)]
pub(super) struct Sources<'a> {
    template: Template,
    definitions: Vec<Definition>,
    calls: Calls<'a>,
    code: Code,
    environments: Vec<Environment>,
}

impl Sources<'_> {
    /// Reads the sources of the project.
    pub(super) fn of_project(paths: &Paths) -> Result<Self> {
        Ok(Self {
            template: Template::of_project(&paths.root)?,
            definitions: Definition::all(&paths.root)?,
            calls: calls::read(calls::DECLARED)?,
            code: Code::of_project(&paths.root)?,
            environments: settings::environments(paths)?,
        })
    }

    /// Returns the violations, one sentence each, grouped by topic.
    pub(super) fn violations(&self) -> [(&'static str, Vec<String>); 7] {
        let Self { template, definitions, calls, code, environments } = self;
        let roles = policies::granted(template);
        let mut rights: Vec<_> =
            roles.values().flat_map(|role| &role.violations).cloned().collect();
        rights.extend(policies::violations(template));
        rights.extend(calls::shared(template));
        rights.extend(calls::violations(template, &roles, calls, code));
        [
            (
                "the state machines are complete",
                definitions.iter().flat_map(whole::violations).collect(),
            ),
            (
                "the state machines match the template",
                machines::violations(template, definitions, &roles),
            ),
            ("each role allows exactly what its function calls", rights),
            ("every resource has its logs and tags", belongings::violations(template)),
            ("durable resources survive their stack", retention::violations(template)),
            ("fixed numbers match the parameters", limits::violations(template, definitions)),
            ("settings agree in every environment", settings::violations(template, environments)),
        ]
    }
}

#[cfg(test)]
mod tests;
