//! Invocations of the sweeper during a chaos round. The sweeper is the function that continues
//! transfers whose execution or function was killed.

use std::time::Duration;

use serde_json::json;
use tokio::time::{sleep, timeout};

use crate::names::string_attribute;
use crate::plan::FAULT_PERIOD_MS;
use crate::round::Round;

/// Maximum time between the end of the faults and the end of the last transfer.
pub(crate) const RECOVERY_TIMEOUT: Duration = Duration::from_secs(180);

impl Round {
    /// Invokes the sweeper about every two seconds until all transfers have ended or
    /// [`RECOVERY_TIMEOUT`] has passed since the end of the faults. Returns the ids of the transfers that have not ended.
    ///
    /// In production a schedule invokes the sweeper every minute, and a transfer is due after
    /// 90 s. More frequent sweeps shorten the test and find transfers in more states.
    pub(crate) async fn sweep_until_ended(&self) -> Vec<String> {
        let time_limit = Duration::from_millis(FAULT_PERIOD_MS) + RECOVERY_TIMEOUT;
        loop {
            let unfinished = self.sweep().await;
            let fault_period_is_over =
                self.start.elapsed() > Duration::from_millis(FAULT_PERIOD_MS);
            let all_are_sent = self.accepted_ids.lock().unwrap().len() == self.plan.transfers.len();
            if fault_period_is_over && all_are_sent && unfinished.is_empty()
                || self.start.elapsed() > time_limit
            {
                return unfinished;
            }
            sleep(Duration::from_millis(1500)).await;
        }
    }

    /// Makes all transfers due and invokes the sweeper. Returns the ids of the transfers that
    /// had not ended before.
    pub(crate) async fn sweep(&self) -> Vec<String> {
        let items = self.sandbox.cloud.make_due().await;
        // The result is ignored, because the sweeper may be killed, too.
        let _ =
            timeout(Duration::from_secs(60), self.sandbox.cloud.invoke("sweep", &json!({}))).await;
        let unfinished = items.iter().filter(|item| !item.contains_key("endedAt"));
        unfinished.filter_map(|item| string_attribute(item, "transferId")).collect()
    }
}
