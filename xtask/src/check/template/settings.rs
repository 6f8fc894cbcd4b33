//! The settings of each environment: the template's defaults, and what `samconfig.toml`
//! puts in their place.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context as _, Result};
use docferry_domain::settings::{DEPLOYMENT_RULES, RULES};
use serde_json::Value;
use toml_edit::DocumentMut;

use crate::paths::Paths;
use crate::stack::Settings;
use crate::template::Template;

/// Environments that may do without TLS and protection.
const LOCAL: &str = "local";

/// Those that nobody works with.
const TRIALS: [&str; 2] = [LOCAL, "dev"];

/// Transfers that a production environment must take at once. SCV polls each of them once
/// a second.
const IN_FLIGHT: u64 = 1000;

/// Parameters that are `true` in the environment `local` alone.
const FOR_LOCAL: [&str; 2] = ["EmulatorGatewayResponses", "WebhookAllowLoopback"];

/// What one environment is deployed with.
#[derive(Debug)]
pub(super) struct Environment {
    /// What it is called in complaints.
    pub(super) name: String,
    /// Values by parameter that differ from the defaults.
    pub(super) overrides: BTreeMap<String, String>,
}

/// Those of `samconfig.toml` and of the local stacks that the project starts.
pub(super) fn environments(paths: &Paths) -> Result<Vec<Environment>> {
    let path = paths.root.join("samconfig.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("{}", path.display()))?;
    let mut found = of_samconfig(&text)?;
    for settings in [Settings::demo(), Settings::tests()] {
        let own = settings.parameters.iter();
        let own = own.map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        // The rest of a local stack is as in samconfig.toml.
        let local = found.iter().find(|environment| environment.name == LOCAL);
        let shared = local.map(|local| local.overrides.clone()).unwrap_or_default();
        let name = format!("the stack {}", settings.name);
        found.push(Environment { name, overrides: shared.into_iter().chain(own).collect() });
    }
    Ok(found)
}

/// The environments of a `samconfig.toml`, by their `parameter_overrides`.
pub(super) fn of_samconfig(text: &str) -> Result<Vec<Environment>> {
    let document: DocumentMut = text.parse().context("samconfig.toml")?;
    let mut found = Vec::new();
    for (name, section) in document.iter() {
        let parameters = section.get("deploy").and_then(|deploy| deploy.get("parameters"));
        let overrides = parameters.and_then(|parameters| parameters.get("parameter_overrides"));
        let Some(overrides) = overrides.and_then(|overrides| overrides.as_array()) else {
            continue;
        };
        let pairs = overrides.iter().filter_map(|pair| pair.as_str()?.split_once('='));
        let overrides = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        found.push(Environment { name: name.to_owned(), overrides });
    }
    Ok(found)
}

/// What is wrong, a sentence each.
pub(super) fn complaints(template: &Template, environments: &[Environment]) -> Vec<String> {
    let mut found = broken_rules("the defaults", &|name| default(template, name));
    for environment in environments {
        let value = |name: &str| {
            environment.overrides.get(name).cloned().or_else(|| default(template, name))
        };
        let name = environment.name.as_str();
        found.extend(parameters(template, environment));
        found.extend(broken_rules(name, &value));
        let is = value("Environment").unwrap_or_default();
        if is != LOCAL {
            found.extend(outside_local(template, name, &value));
        }
        if !TRIALS.contains(&is.as_str()) {
            found.extend(production(template, name, &value));
        }
        let is_empty = |name: &str| value(name).unwrap_or_default().is_empty();
        if !is_empty("OidcIssuer") && is_empty("OidcAudience") {
            found.push(format!("{name}: OidcAudience is required with OidcIssuer"));
        }
        if number(&value, "MaxStreams").is_none_or(|count| count == 0) {
            found.push(format!("{name}: MaxStreams sets no limit"));
        }
    }
    found
}

/// Each value is one that its parameter takes, and none is missing.
fn parameters(template: &Template, environment: &Environment) -> Vec<String> {
    let Environment { name, overrides } = environment;
    let mut found = Vec::new();
    for (parameter, value) in overrides {
        let described = template.parameter(parameter);
        if described.is_null() {
            found.push(format!("{name}: {parameter} is no parameter of the template"));
            continue;
        }
        let number = value.parse::<u64>().ok();
        let least = described["MinValue"].as_u64();
        let most = described["MaxValue"].as_u64();
        let allowed = described["AllowedValues"].as_array();
        let is_allowed =
            allowed.is_none_or(|allowed| allowed.iter().any(|one| text(one) == *value));
        let is_number = described["Type"] != "Number" || number.is_some();
        let is_within = number.is_none_or(|number| {
            least.is_none_or(|least| number >= least) && most.is_none_or(|most| number <= most)
        });
        if !(is_allowed && is_number && is_within) {
            found.push(format!("{name}: {parameter} does not take {value}"));
        }
    }
    for parameter in template.parameters() {
        if !overrides.contains_key(&parameter) && default(template, &parameter).is_none() {
            found.push(format!("{name}: {parameter} is required"));
        }
    }
    found
}

fn broken_rules(name: &str, value: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let rules = RULES.iter().chain(&DEPLOYMENT_RULES);
    let broken = rules.filter(|rule| rule.is_broken(|setting| number(value, setting)));
    broken.map(|rule| format!("{name}: {}", rule.text)).collect()
}

/// Services are called with TLS, and nothing is as on an emulator.
fn outside_local(
    template: &Template,
    name: &str,
    value: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    for parameter in template.parameters() {
        let value = value(&parameter).unwrap_or_default();
        let is_plain = value.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case("http:"));
        // Origins are compared and never called.
        if is_plain && parameter != "AllowedOrigins" {
            found.push(format!("{name}: {parameter} must be an https URL"));
        }
        if FOR_LOCAL.contains(&parameter.as_str()) && value == "true" {
            found.push(format!("{name}: {parameter} is for the environment local alone"));
        }
    }
    found
}

/// A production environment carries what SCV sends, and keeps what must survive.
fn production(
    template: &Template,
    name: &str,
    value: &dyn Fn(&str) -> Option<String>,
) -> Vec<String> {
    let mut found = Vec::new();
    let is_less =
        |parameter: &str, least: u64| number(value, parameter).is_none_or(|number| number < least);
    if is_less("ApiRateLimit", IN_FLIGHT) {
        found.push(format!("{name}: ApiRateLimit is less than the {IN_FLIGHT} polls a second"));
    }
    let reads = number(value, "ReadRatePerService");
    if reads.is_none_or(|reads| reads > 0 && reads < 60 * IN_FLIGHT) {
        found.push(format!("{name}: ReadRatePerService is less than {IN_FLIGHT} polls a second"));
    }
    if value("CreateExchangeBucket").is_some_and(|value| value == "true") {
        found.push(format!("{name}: CreateExchangeBucket makes a bucket that nothing protects"));
    }
    let slots = template.parameter("MaxActiveTransfers")["Default"].as_u64();
    if is_less("MaxActiveTransfers", slots.unwrap_or_default() + 1) {
        found.push(format!("{name}: MaxActiveTransfers is no more than the default"));
    }
    found
}

fn number(value: &dyn Fn(&str) -> Option<String>, parameter: &str) -> Option<u64> {
    value(parameter)?.parse().ok()
}

fn default(template: &Template, parameter: &str) -> Option<String> {
    let default = &template.parameter(parameter)["Default"];
    (!default.is_null()).then(|| text(default))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use docferry_domain::settings::{DEPLOYMENT_RULES, RULES};

    use crate::check::template::tests::{Project, TEMPLATE, told};
    use crate::template::Template;

    const PROD: &str = "\"Environment=prod\",";

    fn prod(setting: &str) -> Project {
        Project::as_it_is().samconfig(PROD, &format!("{PROD} \"{setting}\","))
    }

    #[test]
    fn environment_whose_settings_contradict_each_other_is_reported() {
        told(
            &prod("RecordTtlHours=27"),
            &["prod: RecordTtlHours must be at least JobTtlHours and TransferDeadlineSeconds \
               together: a record must outlive its job and the longest run"],
        );
        told(
            &prod("FileIdMin=200000000"),
            &["prod: FileIdMin must not be greater than FileIdMax: no document could be asked for"],
        );
    }

    #[test]
    fn defaults_that_contradict_each_other_are_reported() {
        let ttl = "    Default: 168\n    MinValue: 1\n    MaxValue: 8760";
        let complaints = Project::as_it_is().template(ttl, &ttl.replace("168", "24")).complaints();
        assert!(complaints[0].starts_with("the defaults: RecordTtlHours"), "{complaints:?}");
        assert_eq!(complaints.len(), 4, "the defaults and three environments: {complaints:?}");
    }

    #[test]
    fn every_rule_names_parameters_of_the_template() {
        let template = Template::parse(TEMPLATE).unwrap();
        for name in RULES.iter().chain(&DEPLOYMENT_RULES).flat_map(|rule| rule.settings) {
            assert_eq!(template.parameter(name)["Type"], "Number", "{name}");
        }
    }

    #[test]
    fn http_endpoint_outside_local_is_reported() {
        told(
            &Project::as_it_is().samconfig("https://ords.example.org", "http://ords.example.org"),
            &["prod: OrdsBaseUrl must be an https URL"],
        );
        told(
            &Project::as_it_is().samconfig("https://store.dev.example.org", "http://10.0.0.1"),
            &["dev: ExchangeEndpointUrl must be an https URL"],
        );
    }

    #[test]
    fn setting_for_an_emulator_outside_local_is_reported() {
        told(
            &prod("EmulatorGatewayResponses=true"),
            &["prod: EmulatorGatewayResponses is for the environment local alone"],
        );
        told(
            &prod("WebhookAllowLoopback=true"),
            &["prod: WebhookAllowLoopback is for the environment local alone"],
        );
    }

    #[test]
    fn issuer_without_an_audience_is_reported() {
        told(
            &prod("OidcIssuer=https://id.example.org"),
            &["prod: OidcAudience is required with OidcIssuer"],
        );
    }

    #[test]
    fn unprotected_exchange_bucket_in_production_is_reported() {
        told(
            &prod("CreateExchangeBucket=true"),
            &["prod: CreateExchangeBucket makes a bucket that nothing protects"],
        );
    }

    #[test]
    fn value_that_its_parameter_does_not_take_is_reported() {
        told(&prod("StepTries=0"), &["prod: StepTries does not take 0"]);
        told(&prod("JobTtlHours=73"), &["prod: JobTtlHours does not take 73"]);
        told(&prod("JobTtl=24"), &["prod: JobTtl is no parameter of the template"]);
        told(
            &Project::as_it_is().samconfig("    \"GraphTenantId=example.org\",\n", ""),
            &["prod: GraphTenantId is required"],
        );
    }

    #[test]
    fn production_that_cannot_take_the_polls_of_scv_is_reported() {
        told(
            &Project::as_it_is()
                .samconfig("ApiRateLimit=1500", "ApiRateLimit=50")
                .samconfig("ReadRatePerService=90000", "ReadRatePerService=30000")
                .samconfig("MaxActiveTransfers=50", "MaxActiveTransfers=5")
                .samconfig("MaxActivePerService=40", "MaxActivePerService=5"),
            &[
                "prod: ApiRateLimit is less than the 1000 polls a second",
                "prod: ReadRatePerService is less than 1000 polls a second",
                "prod: MaxActiveTransfers is no more than the default",
            ],
        );
    }
}
