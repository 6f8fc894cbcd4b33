//! Execution of the workflow of one transfer on the test bench: the tasks that the state machine
//! runs, with its retries and pauses.

use docferry_app::TaskError;
use docferry_app::delivery::upload::{Progress, upload};
use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::ports::Clock as _;
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::source::{poll, push};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{ArrivalRules, DeadlineRules};
use docferry_testkit::World;
use jiff::SignedDuration;
use serde_json::Value;

use crate::bench::{Bench, RETRIES, RealDrive};
use crate::result::FaultResult;
use crate::row::Row;

/// Maximum number of invocations of `upload` in a run. Without a limit, a fault could make a test
/// endless.
const MAX_UPLOAD_CALLS: u32 = 1000;
/// Maximum number of invocations of `finalize` in a run.
const MAX_FINALIZE_CALLS: u32 = 100;

impl Bench {
    /// Runs the steps of the workflow until the transfer has ended.
    pub(crate) async fn run(&self, row: &Row) -> FaultResult {
        let world = &self.world;
        let ports = push::PushPorts::<World> {
            store: world,
            source: world,
            exchange: world,
            registry: world,
            clock: world,
        };
        push::push(&ports, &DeadlineRules::default(), &self.task).await.unwrap().done().unwrap();
        let rules = ArrivalRules { deadline: SignedDuration::from_secs(600) };
        let scheduler = self.runner.scheduler();
        poll::poll(&scheduler, world, rules, &self.task).await.unwrap();
        let stopped_by = self.run_uploads(row).await.err();
        self.run_finalize(stopped_by).await;
        self.observe_result(row).await
    }

    /// Runs `finalize` until the transfer has ended, and retries errors as the workflow does.
    async fn run_finalize(&self, stopped_by: Option<FailureCode>) {
        let mut failures = 0;
        for _ in 0..MAX_FINALIZE_CALLS {
            match self.finalize(stopped_by).await {
                Ok(Some(_)) => break,
                Ok(None) => {}
                Err(_) => failures += 1,
            }
            if failures > RETRIES {
                break;
            }
        }
    }

    /// Runs `upload` until it is done. Waits when `upload` returns a pause, and retries errors as
    /// the workflow does.
    async fn run_uploads(&self, row: &Row) -> Result<(), FailureCode> {
        let (mut retries, mut pauses) = (0, 0);
        for _ in 0..MAX_UPLOAD_CALLS {
            match self.upload().await {
                Ok(Progress::Done) => return Ok(()),
                Ok(Progress::Continue) => {}
                Ok(Progress::SourceLost) => return Err(FailureCode::SourceChanged),
                Ok(Progress::Wait { seconds }) => {
                    (row.change_source)(&self.world);
                    if let Some(file) = row.later_file.filter(|_| pauses == 0) {
                        self.put_foreign_file(file).await;
                    }
                    pauses += 1;
                    self.world.advance(SignedDuration::from_secs(seconds.into()));
                    // The simulator has a clock of its own, which does not advance during this
                    // pause. The test therefore makes the sessions expire.
                    if row.sessions_expire {
                        self.post_admin("/sessions/expire", &Value::Null).await;
                    }
                }
                Err(error) if error.code.is_retryable() && retries < RETRIES => retries += 1,
                Err(error) => return Err(error.code),
            }
        }
        Err(FailureCode::DeadlineExceeded)
    }

    /// Invokes the task `upload` once.
    async fn upload(&self) -> Result<Progress, TaskError> {
        let deadline = self.world.now() + SignedDuration::from_secs(300);
        upload(&self.ports, &self.task, deadline).await
    }

    /// Invokes the task `finalize` once. Returns the final phase, or `None` after a pause.
    async fn finalize(&self, stopped_by: Option<FailureCode>) -> Result<Option<Phase>, TaskError> {
        let world = &self.world;
        let ports = FinishPorts::<RealDrive> {
            store: world,
            drive: &self.ports.drive,
            exchange: world,
            artifacts: world,
            sealer: world,
            clock: world,
        };
        let stopped_by = stopped_by.map(FailureCode::as_str);
        let scheduler = SlotScheduler::<RealDrive> {
            store: world,
            workflow: world,
            clock: world,
            limits: self.runner.limits,
        };
        let settings = FinalizeSettings::default();
        let progress = finalize(&ports, &scheduler, settings, &self.task, stopped_by).await?;
        match progress.done() {
            Ok(phase) => Ok(Some(phase)),
            Err(reason) => {
                self.world.advance(SignedDuration::from_secs(reason.wait_seconds().into()));
                Ok(None)
            }
        }
    }
}
