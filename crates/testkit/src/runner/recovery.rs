//! Work that the [`Runner`] does beside single executions: it sweeps, sends messages from the
//! outbox, and runs the executions that are started.

use docferry_app::TaskInput;
use docferry_app::notification::outcome::{forward, notify};
use docferry_app::ports::Clock as _;
use docferry_app::recovery::{OutboxQueues, SweepSettings, Swept, sweep};
use docferry_app::source::poll::{self, Arrival};
use jiff::SignedDuration;

use super::Runner;

impl Runner {
    /// Runs one sweep. Returns `None` if the sweep crashes or fails.
    pub async fn sweep(&self) -> Option<Swept> {
        let world = &self.world;
        let ports = self.finish_ports();
        let stop_at = world.now() + self.function_time;
        let scheduler = self.scheduler();
        let queues = OutboxQueues {
            withdrawals: world.registry(),
            events: world.audit(),
            audit: world,
            webhook: world,
        };
        let swept = sweep(&ports, &scheduler, &queues, SweepSettings::default(), stop_at);
        Box::pin(self.run_or_crash(swept)).await.ok()
    }

    /// Sends the messages in the outbox, as the function behind the table's stream does. Crashes
    /// and failures are ignored, because the sweeper sends the remaining messages.
    pub async fn notify(&self) {
        for record in self.world.store().unsent_outcomes() {
            let sent = notify(&self.world, &self.world, &record);
            let _sweep_retries_it = self.run_or_crash(sent).await;
        }
        for notification in self.world.store().stored_notifications() {
            let forwarded = forward(&self.world, &self.world, &notification);
            let _sweep_retries_it = self.run_or_crash(forwarded).await;
        }
    }

    /// Sweeps once a minute for `minutes` and runs the executions that the sweeps start.
    pub async fn recover(&self, minutes: u32) {
        for _ in 0..minutes {
            self.world.advance(SignedDuration::from_secs(60));
            self.sweep().await;
            self.run_all().await;
        }
    }

    /// Runs all started executions one after the other, including executions that they start.
    pub async fn run_all(&self) {
        while let Some(task) = self.started().into_iter().next() {
            self.execute(&task).await;
        }
    }

    /// Returns the executions that have started and not ended.
    #[must_use]
    pub fn started(&self) -> Vec<TaskInput> {
        let state = self.world.state();
        let parse_name = |name: &String| {
            let (id, execution_number) = name.split_once('-').unwrap();
            TaskInput {
                transfer_id: id.parse().unwrap(),
                execution_number: execution_number.parse().unwrap(),
            }
        };
        state.running.iter().map(parse_name).collect()
    }

    /// Runs one invocation of the next step of a transfer and ignores its failure.
    pub async fn visit(&self, task: &TaskInput) {
        let records = self.world.store().transfers();
        let record = records.into_iter().find(|record| record.transfer_id == task.transfer_id);
        let Some(record) = record.filter(|record| !record.phase.is_terminal()) else { return };
        let _ignored_failure = if record.delivery.is_some() {
            self.finalize(task, None).await.map(drop).err()
        } else if record.object.is_some() && record.target.drive().is_some() {
            Box::pin(self.run_or_crash(self.upload_once(task))).await.map(drop).err()
        } else if record.object.is_some() {
            Box::pin(self.run_or_crash(self.publish_once(task))).await.map(drop).err()
        } else {
            let (scheduler, world) = (self.scheduler(), &self.world);
            match self.run_or_crash(poll::poll(&scheduler, world, self.rules, task)).await {
                Ok(Arrival::PushAgain) => {
                    self.run_or_crash(self.push_once(task)).await.map(drop).err()
                }
                Ok(Arrival::Wait { seconds }) => {
                    self.wait(seconds).await;
                    None
                }
                arrived_or_failed => arrived_or_failed.map(drop).err(),
            }
        };
    }
}
