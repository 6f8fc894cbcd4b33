//! Checks the settings of each environment.
//!
//! The *settings* are the parameters of `template.yaml`. An *environment*, such as `prod`, is a
//! section of `samconfig.toml`, which overrides the default values of some parameters. A *rule* is
//! a relation between the values of several settings; `docferry_domain::settings` defines the
//! rules.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use docferry_domain::settings::{DEPLOYMENT_RULES, RULES};
use serde_json::Value;
use toml_edit::DocumentMut;

use crate::paths::Paths;
use crate::stack::Settings;
use crate::template::Template;

/// Environment of the emulator. It needs neither TLS nor deletion protection.
const LOCAL: &str = "local";

/// Environments that are not used in production.
const NON_PRODUCTION: [&str; 2] = [LOCAL, "dev"];

/// Number of polls that a production environment must support. SCV polls each of at most 1000
/// concurrent transfers once a second.
const POLLS_PER_SECOND: u64 = 1000;

/// Parameters that may be `true` only in the environment `local`.
const LOCAL_ONLY: [&str; 2] = ["EmulatorGatewayResponses", "WebhookAllowLoopback"];

/// Function that returns the value of a setting in an environment, or `None` if there is none.
type Lookup<'a> = &'a dyn Fn(&str) -> Option<String>;

/// Settings of one environment.
#[derive(Debug)]
pub(super) struct Environment {
    /// Name of the environment in the texts of violations.
    pub(super) name: String,
    /// Overridden values by parameter.
    pub(super) overrides: BTreeMap<String, String>,
}

/// Returns the environments of `samconfig.toml` and of the local stacks that the project starts.
pub(super) fn environments(paths: &Paths) -> Result<Vec<Environment>> {
    let path = paths.root.join("samconfig.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let mut environments = parse_samconfig(&text)?;
    for settings in [Settings::demo(), Settings::tests()] {
        let stack_overrides = settings.parameters.iter();
        let stack_overrides =
            stack_overrides.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        // A local stack has overrides of its own. For other parameters, it uses the overrides of
        // `local` in `samconfig.toml`.
        let local = environments.iter().find(|environment| environment.name == LOCAL);
        let shared = local.map(|local| local.overrides.clone()).unwrap_or_default();
        let name = format!("the stack {}", settings.name);
        let overrides = shared.into_iter().chain(stack_overrides).collect();
        environments.push(Environment { name, overrides });
    }
    Ok(environments)
}

/// Returns the environments of a `samconfig.toml`. An environment is a section with
/// `parameter_overrides`.
pub(super) fn parse_samconfig(text: &str) -> Result<Vec<Environment>> {
    let document: DocumentMut = text.parse().context("samconfig.toml")?;
    let mut environments = Vec::new();
    for (name, section) in document.iter() {
        let parameters = section.get("deploy").and_then(|deploy| deploy.get("parameters"));
        let overrides = parameters.and_then(|parameters| parameters.get("parameter_overrides"));
        let Some(overrides) = overrides.and_then(|overrides| overrides.as_array()) else {
            continue;
        };
        let pairs = overrides.iter().filter_map(|pair| pair.as_str()?.split_once('='));
        let overrides = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        environments.push(Environment { name: name.to_owned(), overrides });
    }
    Ok(environments)
}

/// Returns the violations, one sentence each.
pub(super) fn violations(template: &Template, environments: &[Environment]) -> Vec<String> {
    let mut violations = broken_rules("the defaults", &|name| default_value(template, name));
    for environment in environments {
        let value_of = |name: &str| {
            environment.overrides.get(name).cloned().or_else(|| default_value(template, name))
        };
        let name = environment.name.as_str();
        violations.extend(parameter_violations(template, environment));
        violations.extend(broken_rules(name, &value_of));
        let environment_kind = value_of("Environment").unwrap_or_default();
        if environment_kind != LOCAL {
            violations.extend(deployed_violations(template, name, &value_of));
        }
        if !NON_PRODUCTION.contains(&environment_kind.as_str()) {
            violations.extend(production_violations(template, name, &value_of));
        }
        let is_empty = |name: &str| value_of(name).unwrap_or_default().is_empty();
        if !is_empty("OidcIssuer") && is_empty("OidcAudience") {
            violations.push(format!("{name}: OidcAudience is required with OidcIssuer"));
        }
        if number_of(&value_of, "MaxStreams").is_none_or(|count| count == 0) {
            violations.push(format!("{name}: MaxStreams sets no limit"));
        }
    }
    violations
}

/// Checks that each value is allowed by its parameter and that no required value is missing.
fn parameter_violations(template: &Template, environment: &Environment) -> Vec<String> {
    let Environment { name, overrides } = environment;
    let mut violations = Vec::new();
    for (parameter, value) in overrides {
        let definition = template.parameter(parameter);
        if definition.is_null() {
            violations.push(format!("{name}: {parameter} is not a parameter of the template"));
            continue;
        }
        let number = value.parse::<u64>().ok();
        let minimum = definition["MinValue"].as_u64();
        let maximum = definition["MaxValue"].as_u64();
        let allowed = definition["AllowedValues"].as_array();
        let is_allowed = allowed
            .is_none_or(|allowed| allowed.iter().any(|choice| parameter_text(choice) == *value));
        let is_number = definition["Type"] != "Number" || number.is_some();
        let is_within = number.is_none_or(|number| {
            minimum.is_none_or(|minimum| number >= minimum)
                && maximum.is_none_or(|maximum| number <= maximum)
        });
        if !(is_allowed && is_number && is_within) {
            violations.push(format!("{name}: {parameter} does not allow {value}"));
        }
    }
    for parameter in template.parameters() {
        if !overrides.contains_key(&parameter) && default_value(template, &parameter).is_none() {
            violations.push(format!("{name}: {parameter} is required"));
        }
    }
    violations
}

/// Returns the rules that an environment breaks.
fn broken_rules(name: &str, value_of: Lookup<'_>) -> Vec<String> {
    let rules = RULES.iter().chain(&DEPLOYMENT_RULES);
    let broken = rules.filter(|rule| rule.is_broken(|setting| number_of(value_of, setting)));
    broken.map(|rule| format!("{name}: {}", rule.text)).collect()
}

/// Checks an environment on AWS. It must call every service with TLS. The settings for the emulator
/// must be off.
fn deployed_violations(template: &Template, name: &str, value_of: Lookup<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    for parameter in template.parameters() {
        let value = value_of(&parameter).unwrap_or_default();
        let is_plain_http =
            value.get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http:"));
        // The service never calls the allowed origins. It only compares them with request headers.
        if is_plain_http && parameter != "AllowedOrigins" {
            violations.push(format!("{name}: {parameter} must be an https URL"));
        }
        if LOCAL_ONLY.contains(&parameter.as_str()) && value == "true" {
            violations.push(format!("{name}: {parameter} is for the environment local only"));
        }
    }
    violations
}

/// Checks that a production environment can handle the polls of SCV (the courts' viewer), and that
/// its data is protected.
fn production_violations(template: &Template, name: &str, value_of: Lookup<'_>) -> Vec<String> {
    let mut violations = Vec::new();
    let is_less_than = |parameter: &str, minimum: u64| {
        number_of(value_of, parameter).is_none_or(|number| number < minimum)
    };
    if is_less_than("ApiRateLimit", POLLS_PER_SECOND) {
        violations
            .push(format!("{name}: ApiRateLimit is less than {POLLS_PER_SECOND} polls a second"));
    }
    // This limit is the number of requests per minute. The value 0 means no limit.
    let read_rate = number_of(value_of, "ReadRatePerService");
    if read_rate.is_none_or(|rate| rate > 0 && rate < 60 * POLLS_PER_SECOND) {
        violations.push(format!(
            "{name}: ReadRatePerService is less than {POLLS_PER_SECOND} polls a second"
        ));
    }
    if value_of("CreateExchangeBucket").is_some_and(|value| value == "true") {
        violations.push(format!("{name}: CreateExchangeBucket creates an unprotected bucket"));
    }
    let default_slots = template.parameter("MaxActiveTransfers")["Default"].as_u64();
    if is_less_than("MaxActiveTransfers", default_slots.unwrap_or_default() + 1) {
        violations.push(format!("{name}: MaxActiveTransfers must be greater than the default"));
    }
    violations
}

/// Returns the value of a setting as a number.
fn number_of(value_of: Lookup<'_>, parameter: &str) -> Option<u64> {
    value_of(parameter)?.parse().ok()
}

fn default_value(template: &Template, parameter: &str) -> Option<String> {
    let default = &template.parameter(parameter)["Default"];
    (!default.is_null()).then(|| parameter_text(default))
}

/// Returns a JSON value as the text of a parameter.
fn parameter_text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests;
