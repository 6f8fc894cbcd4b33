//! Shared helpers of the tests against the emulator.

#![allow(dead_code, unreachable_pub, reason = "each test binary uses only a part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "test support")]

pub mod exchange;
pub mod wire;

use std::time::Duration;

use aws_config::timeout::TimeoutConfig;
use aws_config::{Region, SdkConfig};
use aws_sdk_dynamodb::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_dynamodb::types::{
    AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
    ProjectionType, ScalarAttributeType,
};
use docferry_aws::{DynamoRegistry, DynamoTransferStore};
use docferry_domain::ids::TransferId;

/// Timeout of a call that reads a large partition.
const PATIENT_TIMEOUT: Duration = Duration::from_secs(120);

/// Returns the emulator's URL from `DOCFERRY_EMULATOR`. If it is not set, prints a line, and the
/// test skips itself.
#[allow(clippy::disallowed_methods, reason = "the only setting of these tests")]
pub fn emulator() -> Option<String> {
    let url = std::env::var("DOCFERRY_EMULATOR").ok().filter(|url| !url.is_empty());
    if url.is_none() {
        eprintln!("skipped: DOCFERRY_EMULATOR is not set to an emulator's URL");
    }
    url
}

/// Returns the configuration that functions load, with `endpoint` as the address of AWS.
pub async fn config(endpoint: &str) -> SdkConfig {
    let credentials = Credentials::new("test", "test", None, None, "tests");
    docferry_aws::config::load()
        .await
        .into_builder()
        .endpoint_url(endpoint)
        .region(Region::new("ca-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(credentials))
        .build()
}

/// Returns a name that no other test uses.
pub fn random_name(prefix: &str) -> String {
    format!("{prefix}-{}", uuid::Uuid::new_v4().simple())
}

/// Returns a random id.
pub fn random_id() -> TransferId {
    TransferId::from_u128(uuid::Uuid::new_v4().as_u128())
}

/// Creates a state machine whose executions run for one hour, which is longer than any test.
pub async fn machine(endpoint: &str) -> (aws_sdk_sfn::Client, String) {
    let client = aws_sdk_sfn::Client::new(&config(endpoint).await);
    let definition = r#"{"StartAt":"W","States":{"W":{"Type":"Wait","Seconds":3600,"End":true}}}"#;
    let created = client
        .create_state_machine()
        .name(random_name("transfer"))
        .definition(definition)
        .role_arn(role(&client).await)
        .send()
        .await
        .unwrap();
    (client, created.state_machine_arn)
}

/// Returns the ARN of a role for a state machine. An emulator that enforces permissions requires an
/// existing role, so the role of a deployed state machine is used. If no state machine is deployed,
/// the emulator accepts any ARN.
async fn role(client: &aws_sdk_sfn::Client) -> String {
    let machines = client.list_state_machines().send().await.unwrap().state_machines;
    match machines.first() {
        Some(machine) => {
            let arn = &machine.state_machine_arn;
            client.describe_state_machine().state_machine_arn(arn).send().await.unwrap().role_arn
        }
        None => "arn:aws:iam::000000000000:role/workflow".into(),
    }
}

/// Table for a single test.
pub struct TestTable {
    pub client: aws_sdk_dynamodb::Client,
    pub name: String,
}

impl TestTable {
    /// Creates the table in the emulator, with the indexes that the store uses.
    pub async fn create(endpoint: &str) -> Self {
        let client = aws_sdk_dynamodb::Client::new(&config(endpoint).await);
        let name = random_name("transfers");
        let mut request =
            client.create_table().table_name(&name).billing_mode(BillingMode::PayPerRequest);
        for (attribute, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
            let definition = AttributeDefinition::builder()
                .attribute_name(attribute)
                .attribute_type(ScalarAttributeType::S);
            let key = KeySchemaElement::builder().attribute_name(attribute).key_type(kind);
            request = request
                .attribute_definitions(definition.build().unwrap())
                .key_schema(key.build().unwrap());
        }
        for (index, partition, sort, kind) in [
            ("unfinished", "sweepShard", "dueAt", ScalarAttributeType::N),
            ("jobs", "jobOwner", "jobOrder", ScalarAttributeType::S),
        ] {
            let keys = [(partition, KeyType::Hash), (sort, KeyType::Range)];
            let keys_only = Projection::builder().projection_type(ProjectionType::KeysOnly);
            let index = keys.into_iter().fold(
                GlobalSecondaryIndex::builder().index_name(index),
                |index, (name, kind)| {
                    let key = KeySchemaElement::builder().attribute_name(name).key_type(kind);
                    index.key_schema(key.build().unwrap())
                },
            );
            let index = index.projection(keys_only.build()).build().unwrap();
            request = request.global_secondary_indexes(index);
            for (name, kind) in [(partition, ScalarAttributeType::S), (sort, kind)] {
                let definition =
                    AttributeDefinition::builder().attribute_name(name).attribute_type(kind);
                request = request.attribute_definitions(definition.build().unwrap());
            }
        }
        request.send().await.expect("the emulator creates a table");
        Self { client, name }
    }

    /// Returns a store in this table.
    pub fn store(&self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.client.clone(), &self.name)
    }

    /// Returns a document registry in this table.
    pub fn registry(&self) -> DynamoRegistry {
        DynamoRegistry::new(self.client.clone(), &self.name)
    }

    /// Returns a document registry in this table that sends its requests to `endpoint`.
    pub async fn registry_through(&self, endpoint: &str) -> DynamoRegistry {
        let client = aws_sdk_dynamodb::Client::new(&config(endpoint).await);
        DynamoRegistry::new(client, &self.name)
    }

    /// Returns a document registry as [`TestTable::registry_through`] does, whose calls may take
    /// minutes: in a large partition, a Query takes the emulator seconds.
    pub async fn patient_registry_through(&self, endpoint: &str) -> DynamoRegistry {
        let timeouts = TimeoutConfig::builder()
            .operation_attempt_timeout(PATIENT_TIMEOUT)
            .operation_timeout(PATIENT_TIMEOUT);
        let config = config(endpoint).await.into_builder().timeout_config(timeouts.build()).build();
        DynamoRegistry::new(aws_sdk_dynamodb::Client::new(&config), &self.name)
    }

    /// Returns a store in this table that sends its requests to `endpoint`.
    pub async fn store_through(&self, endpoint: &str) -> DynamoTransferStore {
        let client = aws_sdk_dynamodb::Client::new(&config(endpoint).await);
        DynamoTransferStore::new(client, &self.name)
    }

    /// Reads a raw item of this table.
    pub async fn item(
        &self,
        pk: &str,
        sk: &str,
    ) -> std::collections::HashMap<String, aws_sdk_dynamodb::types::AttributeValue> {
        use aws_sdk_dynamodb::types::AttributeValue::S;
        let request = self.client.get_item().table_name(&self.name).consistent_read(true);
        let request = request.key("pk", S(pk.into())).key("sk", S(sk.into()));
        request.send().await.unwrap().item.unwrap_or_default()
    }
}
