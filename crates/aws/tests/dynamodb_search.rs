//! Tests of the cost of a search in the DynamoDB registry, against the emulator.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use aws_sdk_dynamodb::types::{AttributeValue, PutRequest, WriteRequest};
use docferry_app::ports::{Registry as _, RegistryRange, RegistryWriter as _};
use docferry_domain::document::{DocumentRecord, Position, Subject, SubjectPatterns};
use docferry_fhir::query::Handling;
use docferry_fhir::{MAX_LOOKAHEAD, Page, SearchQuery};
use docferry_testkit::builders::{document_record, epoch};
use futures::{StreamExt as _, stream};
use jiff::SignedDuration;

use support::wire::LossyProxy;
use support::{TestTable, emulator};

/// Default of `DOCFERRY_REGISTRY_DOCUMENTS`, the number of documents in the large registry.
/// `cargo xtask test long` sets 100,000.
const DEFAULT_DOCUMENTS: usize = 5_000;
/// Number of documents in the small registry.
const FEW_DOCUMENTS: usize = 1_000;
/// Maximum number of items of one BatchWriteItem.
const BATCH: usize = 25;

#[tokio::test]
async fn page_is_one_query_of_equal_cost_at_any_number_of_documents() {
    let Some(emulator) = emulator() else { return };
    #[allow(clippy::disallowed_methods, reason = "a setting of the test")]
    let many = std::env::var("DOCFERRY_REGISTRY_DOCUMENTS").ok();
    let many = many.map_or(DEFAULT_DOCUMENTS, |count| count.parse().unwrap());
    let few = page_costs(&emulator, FEW_DOCUMENTS).await;
    assert_eq!(page_costs(&emulator, many).await, few);
}

/// Returns the numbers of items that DynamoDB evaluated for the pages of some searches, in a registry
/// with this number of documents of one subject.
async fn page_costs(emulator: &str, documents: usize) -> Vec<usize> {
    let table = TestTable::create(emulator).await;
    let subject = SubjectPatterns::default().read_text("S-1").unwrap();
    load(&table, &subject, documents).await;
    let proxy = LossyProxy::to(emulator).await;
    let registry = table.patient_registry_through(&proxy.url).await;
    let mut costs = Vec::new();
    for parameters in
        ["", "_count=1", "_count=300", "_sort=date", "type=order", "date=ge2023", "date=lt2024"]
    {
        for sees_all in [true, false] {
            let form = format!("subject.identifier=S-1&{parameters}");
            let patterns = SubjectPatterns::default();
            let query = SearchQuery::parse(&form, &patterns, Handling::Strict).unwrap();
            let limit = Page::read_limit(&query, sees_all);
            let (start, end) = query.sort_key_range();
            let newest_first = query.order() == docferry_fhir::query::Order::NewestFirst;
            let mut range =
                RegistryRange { sort_keys: start..end, after: None, newest_first, limit };
            for number in 1..=2 {
                proxy.calls();
                let page = registry.page(&subject, &range).await.unwrap();
                assert_eq!(proxy.calls(), ["Query"], "{form}: page {number}");
                let scanned = proxy.scanned();
                let [scanned] = scanned[..] else { panic!("{form}: {scanned:?}") };
                let beyond = scanned.saturating_sub(usize::from(query.count()));
                assert!(beyond <= MAX_LOOKAHEAD, "{form}: {beyond} items beyond the page");
                costs.push(scanned);
                range.after = page.more_after;
                if range.after.is_none() {
                    break;
                }
            }
        }
    }
    costs
}

/// Registers a document of the subject, and copies its entry in the list of the subject. The other
/// entries of a document are in partitions of their own, which a search by subject does not read.
async fn load(table: &TestTable, subject: &Subject, documents: usize) {
    let record = DocumentRecord { subject: subject.clone(), ..document_record(0) };
    table.registry().upsert(&record).await.unwrap();
    let partition = format!("subject#{}", subject.key());
    let entry = table.item(&partition, &record.position().sort_key()).await;
    let text = |text: String| AttributeValue::S(text);
    let puts = (1..documents).map(|number| {
        let id = format!("doc-{number}");
        let indexed = epoch() + SignedDuration::from_secs(i64::try_from(number).unwrap());
        let position = Position { indexed, id: id.parse().unwrap() };
        let mut item = entry.clone();
        item.insert("sk".into(), text(position.sort_key()));
        item.insert("id".into(), text(id));
        item.insert("indexed".into(), text(indexed.to_string()));
        let put = PutRequest::builder().set_item(Some(item)).build().unwrap();
        WriteRequest::builder().put_request(put).build()
    });
    let puts: Vec<_> = puts.collect();
    let writes = puts.chunks(BATCH).map(|batch| async {
        let request = table.client.batch_write_item().request_items(&table.name, batch.to_vec());
        let unprocessed = request.send().await.unwrap().unprocessed_items;
        assert!(unprocessed.unwrap_or_default().is_empty());
    });
    stream::iter(writes).buffer_unordered(2).collect::<()>().await;
}
