//! Collection of the results of an upload from the simulator of Microsoft Graph, the record of the
//! transfer and the exchange bucket.

use std::collections::BTreeMap;

use docferry_app::ports::Clock as _;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{DeliveredItem, Delivery};
use serde_json::Value;

use crate::bench::{Bench, FOREIGN_CONTENT};
use crate::result::{FaultResult, Observation};
use crate::row::Row;

impl Bench {
    /// Collects the requests, the files and the elapsed time of a run.
    pub(crate) async fn observe(&self, result: FaultResult) -> Observation {
        let mut requests = BTreeMap::new();
        for request in self.list("/requests").await {
            *requests.entry(text(&request, "operation").to_owned()).or_insert(0) += 1;
        }
        let files = self.list("/files").await;
        let waited = self.world.now().duration_since(self.started_at);
        Observation {
            result,
            requests,
            paths: files.iter().map(|file| text(file, "path").to_owned()).collect(),
            waited_seconds: waited.as_secs(),
        }
    }

    /// Collects the result from the record, the simulator and the exchange bucket.
    pub(crate) async fn observe_result(&self, row: &Row) -> FaultResult {
        let transfer = self.record().await;
        let outcome = match transfer.phase {
            Phase::Completed => Ok(()),
            Phase::Failed => Err(transfer.failure.unwrap().code),
            phase => panic!("{phase:?} is not terminal"),
        };
        let is_upload = |request: &&Value| {
            ["fragment", "lastFragment", "simplePut"].contains(&text(request, "operation"))
        };
        let requests = self.list("/requests").await;
        let received_bytes: u64 = requests
            .iter()
            .filter(is_upload)
            .map(|request| request["bytes"].as_u64().unwrap())
            .sum();
        let foreign_bytes =
            if row.foreign_file.is_some() { FOREIGN_CONTENT.len() as u64 } else { 0 };
        let sessions = self.list("/sessions").await;
        let open_sessions =
            sessions.iter().filter(|session| text(session, "state") == "open").count();
        FaultResult {
            outcome,
            excess_bytes: i64::try_from(received_bytes).unwrap()
                - i64::try_from(row.size + foreign_bytes).unwrap(),
            sessions: sessions.len(),
            open_sessions,
            files: self.list("/files").await.len(),
            exchange_objects: self.world.state().objects.len(),
            rewritten: matches!(
                transfer.delivery,
                Some(Delivery::Onedrive(DeliveredItem { rewritten: true, .. }))
            ),
        }
    }
}

/// Returns the text of a field, or an empty text if the field is missing.
fn text<'a>(value: &'a Value, field: &str) -> &'a str {
    value[field].as_str().unwrap_or_default()
}
