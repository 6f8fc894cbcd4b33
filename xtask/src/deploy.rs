//! Deploys the CloudFormation stack to the local cloud, and creates the resources that
//! `template.yaml` does not contain. The *local cloud* is the AWS emulator.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::emulator::{REGION, credentials};
use crate::paths::Paths;
use crate::process;
use crate::template::localized;
use crate::tools::Tools;

/// Name of the stack on a local cloud. The functions' names begin with it.
pub(crate) const STACK_NAME: &str = "docferry-local";
/// Name of the environment and of the stage of the API.
pub(crate) const ENVIRONMENT: &str = "local";
/// Bucket for the files that `sam deploy` uploads.
const ARTIFACTS: &str = "docferry-artifacts";

/// An access key for the local cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyPair {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// A running local cloud, with the paths and tools that are needed to deploy to it.
#[derive(Debug)]
pub(crate) struct Cloud<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) tools: &'a Tools,
    /// Folder for logs and generated files of this run.
    pub(crate) folder: &'a Path,
    pub(crate) endpoint: &'a str,
}

impl Cloud<'_> {
    /// Creates the artifacts bucket and a user that may access only `exchange_bucket`. Returns the
    /// user's access key, because the functions access this bucket with a key instead of their
    /// roles.
    pub(crate) fn prepare(&self, exchange_bucket: &str) -> Result<KeyPair> {
        self.provision("prepare", &json!({ "artifacts": ARTIFACTS, "exchange": exchange_bucket }))
    }

    /// Deploys the template with the binaries in the folder `staged_functions`. Returns the outputs
    /// of the stack.
    pub(crate) fn deploy(
        &self,
        staged_functions: &Path,
        parameters: &[(&str, String)],
    ) -> Result<BTreeMap<String, String>> {
        let template = fs::read_to_string(self.paths.root.join("template.yaml"))?;
        let copy = self.folder.join("template.yaml");
        fs::write(&copy, localized(&template, &self.paths.root, staged_functions)?)?;
        let mut sam = self.with_cloud_environment(self.tools.command("sam")?);
        sam.args(["deploy", "--stack-name", STACK_NAME, "--region", REGION])
            .args(["--s3-bucket", ARTIFACTS, "--no-confirm-changeset", "--no-progressbar"])
            .args(["--no-fail-on-empty-changeset", "--on-failure", "DO_NOTHING"])
            .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
            .arg("--template-file")
            .arg(&copy)
            .arg("--parameter-overrides")
            .args(parameters.iter().map(|(name, value)| format!("{name}={value}")))
            // The default of 5 s would be too long for a deployment of a few seconds.
            .env("SAM_CLI_POLL_DELAY", "0.3")
            // In this folder, SAM does not find the `samconfig.toml` of the project, which is for
            // AWS.
            .current_dir(self.folder);
        process::run_quietly(&mut sam, &self.folder.join("deploy.log"))?;
        self.provision("outputs", &json!({ "stack": STACK_NAME }))
    }

    /// Stores the values of secrets. The keys of `secrets` are the ARNs.
    pub(crate) fn put_secrets(&self, secrets: &BTreeMap<&str, serde_json::Value>) -> Result<()> {
        let _output: serde_json::Value = self.provision("secrets", &json!(secrets))?;
        Ok(())
    }

    /// Sets the base URL of the API that the function `search` puts into the links of its results.
    ///
    /// On AWS, the function derives this URL from its requests. The emulator serves an API below a
    /// path that is not part of the requests. The path contains the id of the API, so it is known
    /// only after the deployment.
    pub(crate) fn set_public_url(&self, url: &str) -> Result<()> {
        let function = format!("{STACK_NAME}-search");
        let input = json!({ "function": function, "variables": { "PUBLIC_BASE_URL": url } });
        let _output: serde_json::Value = self.provision("environment", &input)?;
        Ok(())
    }

    /// Runs one step of `provision.py` with `input` and parses its output.
    pub(crate) fn provision<Output: DeserializeOwned>(
        &self,
        step: &str,
        input: &serde_json::Value,
    ) -> Result<Output> {
        let mut python = self.with_cloud_environment(Command::new(self.tools.python()));
        python.arg(self.paths.root.join("xtask/emulator/provision.py")).arg(step);
        let output = process::run_with_input(&mut python, &input.to_string())?;
        serde_json::from_str(&output).with_context(|| format!("provision.py {step}: {output}"))
    }

    /// Makes the AWS calls of a command go to the local cloud.
    fn with_cloud_environment(&self, mut command: Command) -> Command {
        command.envs(credentials()).env("AWS_ENDPOINT_URL", self.endpoint);
        // The AWS configuration of this machine must not redirect the calls.
        for name in
            ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
        {
            command.env_remove(name);
        }
        command
    }
}
