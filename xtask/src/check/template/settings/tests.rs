//! Tests of the checks of the settings of each environment in `samconfig.toml`.

use docferry_domain::settings::{DEPLOYMENT_RULES, RULES};

use crate::check::template::tests::{Project, TEMPLATE, assert_violations};
use crate::template::Template;

/// Text in `samconfig.toml` after which another override of the environment `prod` can be added.
const PROD: &str = "\"Environment=prod\",";

/// Returns the project with one more override in the environment `prod`.
fn prod(setting: &str) -> Project {
    Project::unmodified().samconfig(PROD, &format!("{PROD} \"{setting}\","))
}

#[test]
fn contradictory_settings_of_an_environment_are_reported() {
    // By default, a job is retained for 24 h, and a run takes at most 4 h.
    assert_violations(
        &prod("RecordTtlHours=27"),
        &["prod: RecordTtlHours must be at least JobTtlHours and TransferDeadlineSeconds \
           together: a record must outlive its job and the longest run"],
    );
    // The default of FileIdMax is 100 million.
    assert_violations(
        &prod("FileIdMin=200000000"),
        &["prod: FileIdMin must not be greater than FileIdMax: no document could be asked for"],
    );
}

#[test]
fn contradictory_defaults_are_reported() {
    let record_ttl = "    Default: 168\n    MinValue: 1\n    MaxValue: 8760";
    let violations =
        Project::unmodified().template(record_ttl, &record_ttl.replace("168", "24")).violations();
    assert!(violations[0].starts_with("the defaults: RecordTtlHours"), "{violations:?}");
    assert_eq!(violations.len(), 4, "the defaults and three environments: {violations:?}");
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
    assert_violations(
        &Project::unmodified().samconfig("https://ords.example.org", "http://ords.example.org"),
        &["prod: OrdsBaseUrl must be an https URL"],
    );
    assert_violations(
        &Project::unmodified().samconfig("https://store.dev.example.org", "http://10.0.0.1"),
        &["dev: ExchangeEndpointUrl must be an https URL"],
    );
}

#[test]
fn emulator_setting_outside_local_is_reported() {
    assert_violations(
        &prod("EmulatorGatewayResponses=true"),
        &["prod: EmulatorGatewayResponses is for the environment local only"],
    );
    assert_violations(
        &prod("WebhookAllowLoopback=true"),
        &["prod: WebhookAllowLoopback is for the environment local only"],
    );
}

#[test]
fn issuer_without_an_audience_is_reported() {
    assert_violations(
        &prod("OidcIssuer=https://id.example.org"),
        &["prod: OidcAudience is required with OidcIssuer"],
    );
}

#[test]
fn unprotected_exchange_bucket_in_production_is_reported() {
    assert_violations(
        &prod("CreateExchangeBucket=true"),
        &["prod: CreateExchangeBucket creates an unprotected bucket"],
    );
}

#[test]
fn invalid_unknown_and_missing_parameters_are_reported() {
    assert_violations(&prod("StepTries=0"), &["prod: StepTries does not allow 0"]);
    // The largest allowed value is 72.
    assert_violations(&prod("JobTtlHours=73"), &["prod: JobTtlHours does not allow 73"]);
    assert_violations(&prod("JobTtl=24"), &["prod: JobTtl is not a parameter of the template"]);
    assert_violations(
        &Project::unmodified().samconfig("    \"GraphTenantId=example.org\",\n", ""),
        &["prod: GraphTenantId is required"],
    );
}

#[test]
fn production_limits_below_the_polls_of_scv_are_reported() {
    assert_violations(
        &Project::unmodified()
            .samconfig("ApiRateLimit=1500", "ApiRateLimit=50")
            .samconfig("ReadRatePerService=90000", "ReadRatePerService=30000")
            .samconfig("MaxActiveTransfers=50", "MaxActiveTransfers=5")
            .samconfig("MaxActivePerService=40", "MaxActivePerService=5"),
        &[
            "prod: ApiRateLimit is less than 1000 polls a second",
            "prod: ReadRatePerService is less than 1000 polls a second",
            "prod: MaxActiveTransfers must be greater than the default",
        ],
    );
}
