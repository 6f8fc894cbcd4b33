//! Deploying to the local cloud, and putting in place what a template cannot.

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

/// The name of the stack on a local cloud; the functions' names begin with it.
pub(crate) const STACK_NAME: &str = "docferry-local";
/// The environment, which is also the stage of the API.
pub(crate) const ENVIRONMENT: &str = "local";
/// Where `sam deploy` puts what it uploads.
const ARTIFACTS: &str = "docferry-artifacts";

/// A key pair of the local cloud.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct KeyPair {
    pub(crate) access_key_id: String,
    pub(crate) secret_access_key: String,
}

/// A local cloud, and what is needed to work on it.
#[derive(Debug)]
pub(crate) struct Cloud<'a> {
    pub(crate) paths: &'a Paths,
    pub(crate) tools: &'a Tools,
    /// For logs and generated files of this run.
    pub(crate) folder: &'a Path,
    pub(crate) endpoint: &'a str,
}

impl Cloud<'_> {
    /// Makes the bucket for artifacts and a user who may use `exchange_bucket` and
    /// nothing else: the exchange has a key pair of its own, apart from our roles.
    pub(crate) fn prepare(&self, exchange_bucket: &str) -> Result<KeyPair> {
        self.provision("prepare", &json!({ "artifacts": ARTIFACTS, "exchange": exchange_bucket }))
    }

    /// Deploys what is staged in `staged` and returns the stack's outputs.
    pub(crate) fn deploy(
        &self,
        staged: &Path,
        parameters: &[(&str, String)],
    ) -> Result<BTreeMap<String, String>> {
        let template = fs::read_to_string(self.paths.root.join("template.yaml"))?;
        let copy = self.folder.join("template.yaml");
        fs::write(&copy, localized(&template, &self.paths.root, staged)?)?;
        let mut sam = self.on_this_cloud(self.tools.command("sam")?);
        sam.args(["deploy", "--stack-name", STACK_NAME, "--region", REGION])
            .args(["--s3-bucket", ARTIFACTS, "--no-confirm-changeset", "--no-progressbar"])
            .args(["--no-fail-on-empty-changeset", "--on-failure", "DO_NOTHING"])
            .args(["--capabilities", "CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"])
            .arg("--template-file")
            .arg(&copy)
            .arg("--parameter-overrides")
            .args(parameters.iter().map(|(name, value)| format!("{name}={value}")))
            // Its default of 5 s is for a cloud that takes minutes.
            .env("SAM_CLI_POLL_DELAY", "0.3")
            // Away from samconfig.toml, which is for deploying by hand.
            .current_dir(self.folder);
        process::run_quietly(&mut sam, &self.folder.join("deploy.log"))?;
        self.provision("outputs", &json!({ "stack": STACK_NAME }))
    }

    /// Puts the secrets' values, by the ARNs under which the stack names them.
    pub(crate) fn put_secrets(&self, secrets: &BTreeMap<&str, serde_json::Value>) -> Result<()> {
        let _nothing: serde_json::Value = self.provision("secrets", &json!(secrets))?;
        Ok(())
    }

    /// One of the steps of `provision.py`.
    pub(crate) fn provision<A: DeserializeOwned>(
        &self,
        step: &str,
        input: &serde_json::Value,
    ) -> Result<A> {
        let mut python = self.on_this_cloud(Command::new(self.tools.python()));
        python.arg(self.paths.root.join("xtask/emulator/provision.py")).arg(step);
        let answer = process::answer(&mut python, &input.to_string())?;
        serde_json::from_str(&answer).with_context(|| format!("provision.py {step}: {answer}"))
    }

    fn on_this_cloud(&self, mut command: Command) -> Command {
        command.envs(credentials()).env("AWS_ENDPOINT_URL", self.endpoint);
        // What the machine is set up with must not lead elsewhere.
        for name in
            ["AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"]
        {
            command.env_remove(name);
        }
        command
    }
}
