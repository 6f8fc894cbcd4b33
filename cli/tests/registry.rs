//! Tests of `docferry documents` and `docferry grants`, against the emulator.
//!
//! They run the real binary when `DOCFERRY_EMULATOR` contains the URL of an emulator.

#![cfg(feature = "admin")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr, reason = "tests")]

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::types::{
    AttributeDefinition, AttributeValue, BillingMode, KeySchemaElement, KeyType,
    ScalarAttributeType,
};
use serde_json::{Value, json};

/// A registry and an index by number in the emulator, for a single test.
struct Tables {
    emulator: String,
    client: Client,
    registry: String,
    index: String,
}

impl Tables {
    /// Creates the tables. Returns `None` without an emulator.
    #[allow(clippy::disallowed_methods, reason = "the only setting of these tests")]
    async fn create() -> Option<Self> {
        let emulator = std::env::var("DOCFERRY_EMULATOR").ok().filter(|url| !url.is_empty());
        let Some(emulator) = emulator else {
            eprintln!("skipped: DOCFERRY_EMULATOR is not set to an emulator's URL");
            return None;
        };
        let credentials =
            aws_sdk_dynamodb::config::Credentials::new("test", "test", None, None, "tests");
        let config = aws_config::defaults(aws_config::BehaviorVersion::latest())
            .endpoint_url(&emulator)
            .region(aws_config::Region::new("ca-central-1"))
            .credentials_provider(credentials)
            .load()
            .await;
        let client = Client::new(&config);
        let name = |kind: &str| format!("{kind}-{}", uuid::Uuid::new_v4().simple());
        let (registry, index) = (name("registry"), name("index"));
        let keys = [("pk", ScalarAttributeType::S), ("sk", ScalarAttributeType::S)];
        create_table(&client, &registry, &keys).await;
        create_table(&client, &index, &[("fileId", ScalarAttributeType::N)]).await;
        Some(Self { emulator, client, registry, index })
    }

    /// Runs the command with `input` as its standard input.
    async fn run(&self, args: &[&str], input: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_docferry"));
        command
            .args(args)
            .args(["--json", "--table", &self.registry])
            .env_clear()
            .env("AWS_ENDPOINT_URL", &self.emulator)
            .env("AWS_REGION", "ca-central-1")
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let input = input.to_owned();
        let run = move || {
            let mut child = command.spawn().unwrap();
            child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
            child.wait_with_output().unwrap()
        };
        tokio::task::spawn_blocking(run).await.unwrap()
    }

    /// Runs the command and returns its result, one JSON document per line.
    async fn run_json(&self, args: &[&str], input: &str) -> (Option<i32>, Vec<Value>) {
        let output = self.run(args, input).await;
        let text = String::from_utf8(output.stdout).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        (output.status.code(), lines)
    }

    /// Reads the record with a number.
    async fn by_number(
        &self,
        number: u64,
    ) -> Option<std::collections::HashMap<String, AttributeValue>> {
        let request = self.client.get_item().table_name(&self.registry);
        let request = request.key("pk", AttributeValue::S(format!("file#{number}")));
        request.key("sk", AttributeValue::S("record".into())).send().await.unwrap().item
    }
}

async fn create_table(client: &Client, name: &str, keys: &[(&str, ScalarAttributeType)]) {
    let mut request =
        client.create_table().table_name(name).billing_mode(BillingMode::PayPerRequest);
    for ((attribute, kind), key_type) in keys.iter().zip([KeyType::Hash, KeyType::Range]) {
        let definition =
            AttributeDefinition::builder().attribute_name(*attribute).attribute_type(kind.clone());
        let key = KeySchemaElement::builder().attribute_name(*attribute).key_type(key_type);
        request = request
            .attribute_definitions(definition.build().unwrap())
            .key_schema(key.build().unwrap());
    }
    request.send().await.unwrap();
}

fn record(id: &str, number: u64, guid: &str) -> Value {
    json!({
        "id": id, "subject": { "value": "S-1" }, "fileId": number, "objGuid": guid,
        "fileName": "secret order.pdf", "contentType": "application/pdf", "size": 7,
        "created": "2026-01-01T00:00:00Z", "indexed": "2026-01-01T00:00:00Z",
        "docStatus": "final", "scanResult": "clean",
    })
}

fn lines(values: &[Value]) -> String {
    values.iter().map(|value| format!("{value}\n")).collect()
}

#[tokio::test]
async fn import_counts_stored_unchanged_and_conflicting_records() {
    let Some(tables) = Tables::create().await else { return };
    let import = ["documents", "import", "-"];
    let two = lines(&[record("a-1", 10_001, "AAAA"), record("a-2", 10_002, "AAAB")]);
    let invalid = tables.run(&import, &format!("{two}nonsense\n")).await;
    assert_eq!(invalid.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&invalid.stderr).contains("line 3"), "{invalid:?}");
    assert_eq!(tables.by_number(10_001).await, None);

    let counts = |stored: u64, unchanged: u64, conflicts: u64| {
        vec![json!({ "stored": stored, "unchanged": unchanged, "conflicts": conflicts })]
    };
    assert_eq!(tables.run_json(&import, &two).await, (Some(0), counts(2, 0, 0)));
    assert_eq!(tables.run_json(&import, &two).await, (Some(0), counts(0, 2, 0)));

    let conflict = lines(&[record("a-3", 10_003, "AAAC"), record("a-4", 10_001, "AAAD")]);
    let output = tables.run(&import, &conflict).await;
    assert_eq!(output.status.code(), Some(1));
    let stdout: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(vec![stdout], counts(1, 0, 1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("a-4") && stderr.contains("fileId"), "{stderr}");
    assert!(!stderr.contains("S-1") && !stderr.contains("secret"), "{stderr}");
}

#[tokio::test]
async fn document_is_withdrawn_by_any_of_its_keys() {
    let Some(tables) = Tables::create().await else { return };
    let known = [record("a-1", 10_001, "AAAA"), record("AAAA", 10_002, "AAAB")];
    tables.run(&["documents", "import", "-"], &lines(&known)).await;
    for unknown in ["10003", "a-3", "AAECAw==", "no key"] {
        let (code, _) = tables.run_json(&["documents", "withdraw", unknown], "").await;
        assert_eq!(code, Some(1), "{unknown}");
    }
    let ambiguous = tables.run(&["documents", "withdraw", "AAAA"], "").await;
    assert!(String::from_utf8_lossy(&ambiguous.stderr).contains("--by"), "{ambiguous:?}");

    let by_number = tables.run_json(&["documents", "withdraw", "10001"], "").await;
    assert_eq!((by_number.0, &by_number.1[0]["id"]), (Some(0), &json!("a-1")));
    // The time of the first withdrawal stays.
    let by_id = tables.run_json(&["documents", "withdraw", "a-1"], "").await;
    let by_guid = tables.run_json(&["documents", "withdraw", "AAAA", "--by", "guid"], "").await;
    assert_eq!((&by_id, &by_guid), (&by_number, &by_number));
    assert!(tables.by_number(10_001).await.unwrap().contains_key("withdrawnAt"));
    assert!(!tables.by_number(10_002).await.unwrap().contains_key("withdrawnAt"));
}

#[tokio::test]
async fn migration_copies_entries_and_changes_no_registered_number_or_guid() {
    let Some(tables) = Tables::create().await else { return };
    let known = [record("a-1", 10_001, "AAAA"), record("a-2", 10_002, "AAAB")];
    tables.run(&["documents", "import", "-"], &lines(&known)).await;
    for (number, guid, name) in [
        (10_001, "AAAX", Some("other.pdf")),
        (10_003, "AAAC", Some("order.pdf")),
        (10_004, "AAAD", None),
    ] {
        let request = tables.client.put_item().table_name(&tables.index);
        let request = request.item("fileId", AttributeValue::N(format!("{number}")));
        let mut request = request.item("objectGuid", AttributeValue::S(guid.into()));
        if let Some(name) = name {
            request = request.item("name", AttributeValue::S(name.into()));
            request = request.item("size", AttributeValue::N("5".into()));
        }
        request.send().await.unwrap();
    }
    let args = ["documents", "migrate", "--subject", "S-9", "--index-table", tables.index.as_str()];
    let result = |stored: u64, unchanged: u64, without_size: u64| {
        let counts = json!({
            "stored": stored, "unchanged": unchanged, "conflicts": 0,
            "invalid": 0, "withoutSize": without_size,
        });
        (Some(0), vec![counts])
    };
    assert_eq!(tables.run_json(&args, "").await, result(2, 1, 1));
    assert_eq!(tables.run_json(&args, "").await, result(0, 3, 0));
    let text = |item: &std::collections::HashMap<String, AttributeValue>, name: &str| {
        item[name].as_s().unwrap().clone()
    };
    let kept = tables.by_number(10_001).await.unwrap();
    assert_eq!((text(&kept, "id"), text(&kept, "objGuid")), ("a-1".into(), "AAAA".into()));
    let copied = tables.by_number(10_003).await.unwrap();
    assert_eq!(text(&copied, "id"), "file-10003");
    assert_eq!(text(&copied, "fileName"), "order.pdf");

    // A record of the system of record replaces the copied one.
    let real = record("file-10003", 10_003, "AAAC");
    tables.run(&["documents", "import", "-"], &lines(std::slice::from_ref(&real))).await;
    let replaced = tables.by_number(10_003).await.unwrap();
    assert_eq!(text(&replaced, "fileName"), real["fileName"]);

    // The GUID is registered under another number.
    let request = tables.client.put_item().table_name(&tables.index);
    let request = request.item("fileId", AttributeValue::N("10005".into()));
    request.item("objectGuid", AttributeValue::S("AAAB".into())).send().await.unwrap();
    let output = tables.run(&args, "").await;
    assert_eq!(output.status.code(), Some(1));
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert!(stderr.contains("file-10005") && stderr.contains("objGuid"), "{stderr}");
}

#[tokio::test]
async fn grants_are_imported_listed_and_revoked() {
    let Some(tables) = Tables::create().await else { return };
    let grants = [
        json!({ "person": "ada", "subject": "s-1" }),
        json!({ "person": "sub:ada", "group": "civil", "expiresAt": "2026-01-01T00:00:00Z" }),
    ];
    let (code, imported) = tables.run_json(&["grants", "import", "-"], &lines(&grants)).await;
    assert_eq!((code, imported), (Some(0), vec![json!({ "stored": 2, "refused": 0 })]));
    let subject = json!({ "system": "urn:docferry:court-file", "value": "S-1" });
    let civil = json!({ "coverage": { "group": "civil" }, "expiresAt": "2026-01-01T00:00:00Z" });
    let (_, listed) = tables.run_json(&["grants", "list", "ada"], "").await;
    assert_eq!(listed, [civil.clone(), json!({ "coverage": { "subject": subject } })]);

    let revoke = ["grants", "revoke", "ada", "--subject", "S-1"];
    assert_eq!(tables.run(&revoke, "").await.status.code(), Some(0));
    assert_eq!(tables.run(&revoke, "").await.status.code(), Some(1));
    assert_eq!(tables.run_json(&["grants", "list", "ada"], "").await.1, [civil]);
}
