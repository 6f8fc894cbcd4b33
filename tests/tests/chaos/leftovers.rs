//! Search for temporary data that still exists after a chaos round. A transfer has to delete its
//! exchange object, its upload session and its DynamoDB items before it is cleaned up.

use docferry_system_tests::{Item, Sandbox};

use crate::names::{recipient_email, string_attribute};
use crate::plan::RECIPIENT_COUNT;
use crate::round::Round;

impl Round {
    /// Returns descriptions of all temporary data that still exists: files in transit, exchange
    /// objects, upload sessions and DynamoDB items.
    pub(crate) async fn leftovers(&self) -> Vec<String> {
        let Sandbox { tag, cloud, graph, ords, .. } = &self.sandbox;
        let mut leftovers = Vec::new();
        for file in ords.files_in_transit(tag).await {
            leftovers.push(format!("file on its way: {file}"));
        }
        let items = cloud.items().await;
        for (key, written_at) in cloud.exchange_objects(tag).await {
            if self.is_attributable(&items, &key, written_at) {
                leftovers.push(format!("exchange object {key}"));
            }
        }
        for recipient in 0..RECIPIENT_COUNT {
            for session in graph.sessions(&recipient_email(tag, recipient)).await {
                // An open session without bytes is no leftover. Its URL was lost with a response
                // or a killed function, so it cannot be closed and expires in Graph. The URL is
                // recorded before the first byte is sent.
                if session.state == "open" && session.received_bytes > 0 {
                    leftovers.push(format!("open session {}", session.path));
                }
            }
        }
        for item in items {
            let (pk, sk) =
                (string_attribute(&item, "pk").unwrap(), string_attribute(&item, "sk").unwrap());
            let is_slot_holder = |name: &String| !["pk", "sk", "version"].contains(&name.as_str());
            // Prefixes of `pk`: `Q` queue entries, `S` slots, `K` references to an exchange key.
            let is_leftover = match (pk.chars().next(), sk.as_str()) {
                (Some('Q'), _) => true,
                (Some('S'), "SLOTS") => item.keys().any(is_slot_holder),
                (Some('K'), "REFS") => {
                    pk.contains(tag.as_str()) && (item.contains_key("refs") || is_leased(&item))
                }
                (_, sk) => sk.starts_with("SESSION#") || sk.starts_with("OUTBOX#"),
            };
            if is_leftover {
                leftovers.push(format!("item {pk} {sk} {:?}", item.keys().collect::<Vec<_>>()));
            }
        }
        leftovers
    }

    /// Whether an exchange object certainly belongs to a transfer of this round. The transfer
    /// has to delete such an object.
    ///
    /// A transfer whose push got no response does not know its exchange key. An object that is
    /// older than the push may belong to another transfer. In both cases the lifecycle rule of
    /// the bucket deletes the object (docs/OPERATIONS.md).
    fn is_attributable(&self, items: &[Item], key: &str, written_at: i64) -> bool {
        let uses_key = |item: &&Item| {
            self.planned(item)
                .is_some_and(|planned| self.document_file_name(planned.document_index) == key)
        };
        let users: Vec<_> = items.iter().filter(uses_key).collect();
        let requested_at = |item: &Item| {
            let source = item.get("source")?.as_m().ok()?;
            Some(
                string_attribute(source, "requestedAt")?
                    .parse::<jiff::Timestamp>()
                    .ok()?
                    .as_second(),
            )
        };
        let has_no_push_response =
            |item: &Item| item.contains_key("startedAt") && !item.contains_key("source");
        !users.iter().any(|item| has_no_push_response(item))
            && users.iter().any(|item| {
                requested_at(item).is_some_and(|requested_at| requested_at <= written_at)
            })
    }
}

/// Whether one process still holds the lease under which an exchange object is deleted. A lease
/// of several processes does not count, because it expires by itself.
fn is_leased(item: &Item) -> bool {
    string_attribute(item, "releasingBy").is_some_and(|by| by != "several")
}
