//! Writes the records of transfers into OneDrives in each of their states, and of slots and
//! counters.

use docferry_app::ports::{
    CallCounter as _, CreateOptions, ExchangeKeyStore as _, JobStore as _, Pause, PushStore as _,
    RecoveryStore as _, SealedSession, SlotStore as _, ThrottleBudget as _, TransferStore as _,
    UploadStore as _,
};
use docferry_aws::{DynamoQuota, DynamoThrottleBudget};
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::slots::{Pool, SlotState};
use docferry_domain::transfer::{
    LateArrivalKey, Outcome, OutstandingPush, Step, Transfer, TransientError,
};
use docferry_testkit::builders::epoch;

use crate::values::*;
use crate::write::Writer;

impl Writer {
    /// Writes the records of six transfers. The first transfer is queued; the others have slots.
    pub(crate) async fn onedrive_transfers(&mut self) {
        const KIND: &str = "transfers-onedrive";
        let ids = [1, 2, 3, 4, 5, 6].map(TransferId::from_u128);
        let [queued, running, completed, failed, canceled, released] = &ids;
        for (id, number) in ids.iter().zip(1..) {
            let version = self.store.slots(Pool::Onedrive).await.unwrap().version;
            let slot = (id != queued).then_some(version);
            let options = CreateOptions { slot, ..CreateOptions::default() };
            let transfer = match slot {
                Some(_) => Transfer {
                    slot_state: SlotState::Holding,
                    slot_granted_at: Some(epoch()),
                    ..onedrive(number)
                },
                None => onedrive(number),
            };
            self.store.create_with(&transfer, options).await.unwrap();
        }
        self.add_transfer_record(KIND, "accepted, queued", queued).await;
        let id = running;
        self.add_transfer_record(KIND, "accepted, holds a slot", id).await;
        self.store.begin_push(id, 1, at(1)).await.unwrap();
        self.add_transfer_record(KIND, "pushing", id).await;
        let push = OutstandingPush::of(id, &GUID.parse().unwrap(), &source(KEY));
        self.store.announce_push(id, &push).await.unwrap();
        self.add_record("exchange-keys", "announced push", "P#pushes", id.as_str()).await;
        self.push(id, KEY).await;
        self.add_transfer_record(KIND, "awaiting arrival", id).await;
        let exchange_key = format!("K#{KEY}");
        self.add_record("exchange-keys", "used", &exchange_key, "REFS").await;
        let first_epoch = self.upload(id, "docferry/other.pdf").await;
        self.add_transfer_record(KIND, "uploading, not begun", id).await;

        let epoch = self.store.claim(id, 1).await.unwrap().epoch;
        assert!(epoch > first_epoch);
        let sealed = SealedSession { sealed_url: vec![1, 2, 250], expires_at: Some(at(900)) };
        self.store.put_session(id, epoch, &sealed).await.unwrap();
        self.add_record("sessions", "open", &format!("T#{id}"), "SESSION#0").await;
        let _ = self.store.checkpoint(id, epoch, &checkpoint(6_553_600)).await.unwrap();
        self.store.pause_until(id, epoch, at(20)).await.unwrap();
        let error = TransientError { code: FailureCode::DestinationUnavailable, at: at(12) };
        for step in [Step::Push, Step::Poll, Step::Deliver, Step::Finalize] {
            self.store.record_failed_try(id, 1, step, &error).await.unwrap();
        }
        self.add_transfer_record(KIND, "uploading, paused", id).await;
        self.store.discard_object(id, epoch, true).await.unwrap();
        self.add_transfer_record(KIND, "uploading, to be pushed again", id).await;

        self.upload(completed, KEY).await;
        self.store.record_delivery(completed, 1, &delivered()).await.unwrap();
        self.add_transfer_record(KIND, "uploading, delivered", completed).await;
        self.finish(completed, Outcome::Completed).await;
        self.add_transfer_record(KIND, "completed", completed).await;
        self.store.mark_closed(completed, 1).await.unwrap();
        self.store.mark_cleaned_up(completed, 1, at(90_000)).await.unwrap();
        self.add_transfer_record(KIND, "completed, cleaned up", completed).await;
        self.add_record("outbox", "completed", &format!("T#{completed}"), "OUTBOX#1").await;

        self.push(failed, KEY).await;
        let reason = FailureCode::ArrivalTimeout;
        self.store.begin_ending(failed, 1, reason).await.unwrap();
        self.add_transfer_record(KIND, "awaiting arrival, ending", failed).await;
        self.finish(failed, Outcome::Failed(reason)).await;
        self.add_transfer_record(KIND, "failed", failed).await;
        self.add_record("outbox", "failed", &format!("T#{failed}"), "OUTBOX#1").await;

        self.upload(canceled, KEY).await;
        self.store.request_cancel(canceled, "scv", 0).await.unwrap().unwrap();
        self.add_transfer_record(KIND, "uploading, cancel requested", canceled).await;
        self.finish(canceled, Outcome::Canceled).await;
        self.add_transfer_record(KIND, "canceled", canceled).await;
        self.add_record("outbox", "canceled", &format!("T#{canceled}"), "OUTBOX#1").await;

        self.upload(released, "docferry/last.pdf").await;
        let key = "docferry/last.pdf";
        self.store.release_key(released, 1, key, at(30), at(60)).await.unwrap();
        self.add_record("exchange-keys", "being released", &format!("K#{key}"), "REFS").await;
        self.store.mark_released(released, key, at(31)).await.unwrap();
        self.add_record("exchange-keys", "released", &format!("K#{key}"), "REFS").await;
    }

    /// Writes a transfer that is queued for its second run.
    pub(crate) async fn retried_transfer(&mut self) {
        let id = TransferId::from_u128(20);
        self.store.create(&onedrive(20)).await.unwrap();
        self.upload(&id, "docferry/retried.pdf").await;
        let _ = self.store.checkpoint(&id, 1, &checkpoint(3_276_800)).await.unwrap();
        self.finish(&id, Outcome::Failed(FailureCode::QuotaExceeded)).await;
        self.store.mark_closed(&id, 1).await.unwrap();
        let read = self.get(&id).await;
        let second_run = read.clone().for_retry_at(at(1_000), at(15_400), None);
        assert!(self.store.restart_transfer(&read, &second_run, at(1_090)).await.unwrap());
        let owed = LateArrivalKey { key: "docferry/late.pdf".into(), requested_at: at(1_001) };
        self.store.record_owed_key(&id, 2, &owed).await.unwrap();
        self.add_transfer_record("transfers-onedrive", "accepted, second run", &id).await;
        let pk = format!("Q#{}", Pool::Onedrive.as_str());
        let sk = format!("{:013}#{id}", second_run.queue_entry().order);
        self.add_record("slots", "queue entry, second run", &pk, &sk).await;
    }

    /// Writes the records of slots, of a queue entry and of the counters.
    pub(crate) async fn slots_and_counters(&mut self) {
        self.add_record("slots", "holders", &format!("S#{}", Pool::Onedrive.as_str()), "SLOTS")
            .await;
        let queued = onedrive(1).queue_entry();
        let sk = format!("{:013}#{}", queued.order, queued.transfer_id);
        self.add_record("slots", "queue entry", &format!("Q#{}", Pool::Onedrive.as_str()), &sk)
            .await;

        let name = self.table.name.clone();
        let quota = DynamoQuota::new(self.table.client.clone(), name.clone());
        quota.count_call("scv", at(0)).await.unwrap();
        quota.count_call("scv", at(1)).await.unwrap();
        let minute = epoch().as_second() / 60;
        self.add_record("counters", "calls of a minute", "R#scv", &minute.to_string()).await;
        let budget = DynamoThrottleBudget::new(self.table.client.clone(), name, "graph");
        budget.pause(Pause { since: at(10), until: at(40) }).await.unwrap();
        self.add_record("counters", "pause of all transfers", "B#graph", "PAUSE").await;
    }
}
