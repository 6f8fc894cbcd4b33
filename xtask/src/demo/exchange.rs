//! Direct access to the exchange bucket, with which the demo checks that the service removed its
//! copies of the documents.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{BehaviorVersion, Config, Credentials, Region};

use crate::stack::Stack;

/// Pause between two listings.
const PAUSE: Duration = Duration::from_millis(500);

/// Client of the bucket through which ORDS delivers documents.
#[derive(Debug)]
pub(crate) struct Exchange {
    client: Client,
    bucket: String,
}

impl Exchange {
    pub(crate) fn new(stack: &Stack) -> Self {
        let config = &stack.exchange;
        let key = &config.key;
        let timeouts = TimeoutConfig::builder().operation_timeout(Duration::from_secs(10)).build();
        let client_config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .endpoint_url(&config.endpoint)
            .region(Region::new(stack.region.clone()))
            .credentials_provider(Credentials::new(
                &key.access_key_id,
                &key.secret_access_key,
                None,
                None,
                "demo",
            ))
            .force_path_style(true)
            .timeout_config(timeouts)
            .build();
        Self { client: Client::from_conf(client_config), bucket: config.bucket.clone() }
    }

    /// Returns the keys of all objects.
    pub(crate) async fn keys(&self) -> Result<BTreeSet<String>> {
        let mut pages = self.client.list_objects_v2().bucket(&self.bucket).into_paginator().send();
        let mut keys = BTreeSet::new();
        while let Some(page) = pages.next().await {
            let page = page.context("the exchange bucket cannot be listed")?;
            keys.extend(
                page.contents().iter().filter_map(|object| object.key()).map(str::to_owned),
            );
        }
        Ok(keys)
    }

    /// Waits until none of the `keys` is in the bucket. After the timeout, returns the keys that
    /// are still in the bucket.
    ///
    /// The last step of the workflow deletes the source copies at about the time when the status
    /// becomes completed, so a single check could be too early.
    pub(crate) async fn remaining(
        &self,
        keys: &BTreeSet<String>,
        timeout: Duration,
    ) -> Result<BTreeSet<String>> {
        let start = Instant::now();
        loop {
            let remaining: BTreeSet<_> = self.keys().await?.intersection(keys).cloned().collect();
            if remaining.is_empty() || start.elapsed() >= timeout {
                return Ok(remaining);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}
