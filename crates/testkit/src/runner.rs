//! The [`Runner`], which plays the Step Functions state machine.

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use docferry_app::delivery::gate::{publish_with_slot, upload_with_slot};
use docferry_app::delivery::publish::{PublishPorts, PublishSettings};
use docferry_app::delivery::upload::{Progress, UploadPorts, UploadSettings};
use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::notification::outcome::{forward, notify};
use docferry_app::ports::{Clock as _, ConflictPolicy};
use docferry_app::recovery::{OutboxQueues, SweepSettings, Swept, sweep};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::source::poll;
use docferry_app::source::push;
use docferry_app::tries::recorded;
use docferry_app::{RetryReason, StepOutcome, TaskError, TaskInput};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{Pool, PoolLimits, SlotLimits};
use docferry_domain::transfer::{ArrivalRules, DeadlineRules, Step};
use jiff::SignedDuration;

use crate::interleave::yield_to_other_processes;
use crate::{Kill, World};

/// Retries of a step after transient failures, as in the state machine.
const RETRIES: u32 = 6;

/// Repetitions of `finalize` while it answers `RETRY_LATER`, as in the state machine.
const WAITS: u32 = 100;

/// Time after which an invocation is killed when a test advances the clock meanwhile.
/// Shorter than the leases of the use cases, as the time limits of the functions are.
const FUNCTION_TIME_LIMIT: SignedDuration = SignedDuration::from_secs(80);

/// Limits of a pool that only tests of the queue exceed.
pub const LIMITS: PoolLimits = PoolLimits::new(50, 50);

/// Plays the state machine over a [`World`]. Waits advance the clock at once.
#[derive(Debug, Clone)]
pub struct Runner {
    world: World,
    /// Settings of `upload`. Fragments are small by default, so that a file has several.
    pub settings: UploadSettings,
    /// Rules for the arrival of the document.
    pub rules: ArrivalRules,
    /// Time limit of one function invocation.
    pub function_time: SignedDuration,
    /// Limits of the slot pools.
    pub limits: SlotLimits,
    /// Kills the running invocation.
    pub kill: Kill,
}

/// Result of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The phase that `finalize` reported; `None` when it never succeeded.
    pub phase: Option<Phase>,
    /// Name of the error that ended the steps before `finalize`; `None` if all succeeded.
    pub stopped_by: Option<String>,
    /// Number of invocations of `upload` or `publish`.
    pub uploads: u32,
}

/// Why an invocation returned no value.
enum Stopped {
    Crashed,
    Failed(FailureCode),
}

impl Runner {
    /// Creates a runner over this world.
    #[must_use]
    pub fn new(world: &World) -> Self {
        Self {
            world: world.clone(),
            settings: UploadSettings {
                policy: ConflictPolicy::Replace,
                fragment_bytes: 327_680,
                read_ahead_bytes: 1 << 20,
                parallel_reads: 2,
                margin: Duration::from_secs(5),
                fragment_timeout: Duration::from_secs(60),
            },
            rules: ArrivalRules { deadline: SignedDuration::from_secs(600) },
            function_time: SignedDuration::from_secs(300),
            limits: LIMITS.into(),
            kill: Kill::default(),
        }
    }

    /// The slot scheduler, with this runner's limits.
    #[must_use]
    pub fn scheduler(&self) -> SlotScheduler<'_, World> {
        let world = &self.world;
        SlotScheduler { store: world, workflow: world, clock: world, limits: self.limits }
    }

    /// Runs an execution to its end and marks it as ended.
    pub async fn execute(&self, task: &TaskInput) -> Ended {
        let ended = Box::pin(self.run(task)).await;
        let name = format!("{}-{}", task.transfer_id, task.execution_number);
        let mut state = self.world.state();
        state.running.remove(&name);
        state.closed.insert(name);
        ended
    }

    async fn run(&self, task: &TaskInput) -> Ended {
        let mut uploads = 0;
        let stopped_by = Box::pin(self.steps(task, &mut uploads)).await.err();
        let (mut failures, mut waits) = (0, 0);
        while failures <= RETRIES && waits <= WAITS {
            match self.finalize(task, stopped_by.as_deref()).await {
                Ok(StepOutcome::Done(phase)) => {
                    return Ended { phase: Some(phase), stopped_by, uploads };
                }
                Ok(StepOutcome::RetryLater { reason }) => {
                    waits += 1;
                    self.wait_for(reason).await;
                }
                Err(_) => failures += 1,
            }
        }
        Ended { phase: None, stopped_by, uploads }
    }

    async fn steps(&self, task: &TaskInput, uploads: &mut u32) -> Result<(), String> {
        // The length of an execution history bounds the real state machine.
        let (mut visits, mut pool) = (0..2000, None);
        let _poll_waits_for_the_key = self.step(|| self.recorded_push(task)).await?;
        while visits.next().is_some() {
            let Some(target) = pool else {
                match self.step(|| self.recorded_poll(task)).await? {
                    poll::Arrival::Arrived(arrived) => pool = Some(arrived),
                    poll::Arrival::Wait { seconds } => {
                        self.wait(seconds).await;
                    }
                    poll::Arrival::PushAgain => {
                        let _poll_waits_for_the_key =
                            self.step(|| self.recorded_push(task)).await?;
                    }
                }
                continue;
            };
            let moved = self.step(async || {
                *uploads += 1;
                let work = async {
                    match target {
                        Pool::Onedrive => self.upload_once(task).await,
                        Pool::Download => self.publish_once(task).await,
                    }
                };
                Box::pin(self.recorded_try(task, Step::Deliver, work)).await
            });
            match Box::pin(moved).await? {
                Progress::Done => return Ok(()),
                Progress::Continue => {}
                Progress::SourceLost => pool = None,
                Progress::Wait { seconds } => {
                    self.wait(seconds).await;
                }
            }
        }
        Err("States.Runtime".into())
    }

    /// Runs one try of a step and records its failure, as the functions do. The record is written
    /// to the store directly, so that a test counts only the effects of the step.
    async fn recorded_try<T>(
        &self,
        task: &TaskInput,
        step: Step,
        work: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, TaskError> {
        recorded(self.world.store(), &self.world, task, step, work).await
    }

    /// Runs one invocation of `upload`.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn upload_once(&self, task: &TaskInput) -> Result<Progress, TaskError> {
        let world = &self.world;
        let ports = UploadPorts::<World> {
            store: world.clone(),
            drive: world.clone(),
            exchange: Arc::new(world.clone()),
            sealer: world.clone(),
            clock: world.clone(),
            budget: world.clone(),
            settings: self.settings,
        };
        let deadline = world.now() + self.function_time;
        upload_with_slot(&ports, &self.scheduler(), task, deadline).await
    }

    /// Runs one invocation of `publish`.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn publish_once(&self, task: &TaskInput) -> Result<Progress, TaskError> {
        let w = &self.world;
        let settings = PublishSettings {
            part_bytes: self.settings.fragment_bytes,
            parallel_parts: 3,
            margin: self.settings.margin,
        };
        let ports =
            PublishPorts::<World> { store: w, exchange: w, artifacts: w, clock: w, settings };
        let deadline = w.now() + self.function_time;
        publish_with_slot(&ports, &self.scheduler(), task, deadline).await
    }

    async fn finalize(
        &self,
        task: &TaskInput,
        stopped_by: Option<&str>,
    ) -> Result<StepOutcome<Phase>, Stopped> {
        let w = &self.world;
        let ports = FinishPorts::<World> {
            store: w,
            drive: w,
            exchange: w,
            artifacts: w,
            sealer: w,
            clock: w,
        };
        let settings = FinalizeSettings::default();
        let scheduler = self.scheduler();
        self.run_or_crash(finalize(&ports, &scheduler, settings, task, stopped_by)).await
    }

    /// Runs one sweep; `None` if it crashes or fails.
    pub async fn sweep(&self) -> Option<Swept> {
        let w = &self.world;
        let ports = FinishPorts::<World> {
            store: w,
            drive: w,
            exchange: w,
            artifacts: w,
            sealer: w,
            clock: w,
        };
        let stop_at = w.now() + self.function_time;
        let scheduler = self.scheduler();
        let queues = OutboxQueues { audit: w, webhook: w };
        let swept = sweep(&ports, &scheduler, &queues, SweepSettings::default(), stop_at);
        Box::pin(self.run_or_crash(swept)).await.ok()
    }

    /// Sends the contents of the outbox, as the function behind the table's stream does. Crashes
    /// and failures are ignored: the sweeper sends what remains.
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

    /// Runs all started executions, and those that they start, one after the other.
    pub async fn run_all(&self) {
        while let Some(task) = self.started().into_iter().next() {
            self.execute(&task).await;
        }
    }

    /// Runs a task that an injected fault may kill; `None` if it is killed or fails.
    pub async fn survive<T>(&self, task: impl Future<Output = Result<T, TaskError>>) -> Option<T> {
        self.run_or_crash(task).await.ok()
    }

    /// Runs one invocation of `push`. Returns whether the push is recorded; otherwise the
    /// workflow would repeat the step later.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn push_once(&self, task: &TaskInput) -> Result<bool, TaskError> {
        Ok(self.push_step(task).await?.done().is_ok())
    }

    async fn push_step(&self, task: &TaskInput) -> Result<StepOutcome<()>, TaskError> {
        let w = &self.world;
        let ports = push::PushPorts::<World> { store: w, source: w, exchange: w, clock: w };
        push::push(&ports, &DeadlineRules::default(), task).await
    }

    async fn recorded_push(&self, task: &TaskInput) -> Result<StepOutcome<()>, TaskError> {
        Box::pin(self.recorded_try(task, Step::Push, self.push_step(task))).await
    }

    async fn recorded_poll(&self, task: &TaskInput) -> Result<poll::Arrival, TaskError> {
        let scheduler = self.scheduler();
        let polling = poll::poll(&scheduler, &self.world, self.rules, task);
        Box::pin(self.recorded_try(task, Step::Poll, polling)).await
    }

    async fn wait_for(&self, reason: RetryReason) {
        self.wait(reason.wait_seconds()).await;
    }

    /// Waits as the state machine does. Other invocations continue meanwhile: a wait that
    /// outlasts the time limit of one of them ends only after it.
    async fn wait(&self, seconds: impl Into<i64>) {
        let until = self.world.now() + SignedDuration::from_secs(seconds.into());
        while !self.world.advance_to(until) {
            yield_to_other_processes().await;
        }
    }

    /// Runs one invocation of the next step of a transfer and ignores its failure.
    pub async fn visit(&self, task: &TaskInput) {
        let record = self.world.store().transfers();
        let record = record.into_iter().find(|record| record.transfer_id == task.transfer_id);
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
                Ok(poll::Arrival::PushAgain) => {
                    self.run_or_crash(self.push_once(task)).await.map(drop).err()
                }
                Ok(poll::Arrival::Wait { seconds }) => {
                    self.wait(seconds).await;
                    None
                }
                other => other.map(drop).err(),
            }
        };
    }

    /// Checks for the arrival once, then runs one invocation of `upload`.
    ///
    /// # Errors
    /// Those of the use cases.
    pub async fn upload_once_after_arrival(&self, task: &TaskInput) -> Result<Progress, TaskError> {
        poll::poll(&self.scheduler(), &self.world, self.rules, task).await?;
        self.upload_once(task).await
    }

    /// Executions that have started and not ended.
    #[must_use]
    pub fn started(&self) -> Vec<TaskInput> {
        let state = self.world.state();
        let parse = |name: &String| {
            let (id, execution_number) = name.split_once('-').unwrap();
            TaskInput {
                transfer_id: id.parse().unwrap(),
                execution_number: execution_number.parse().unwrap(),
            }
        };
        state.running.iter().map(parse).collect()
    }

    /// Runs a step and retries it after transient failures and crashes.
    async fn step<T>(&self, run: impl AsyncFnMut() -> Result<T, TaskError>) -> Result<T, String> {
        let mut run = run;
        let mut tries = 0;
        loop {
            let name = match self.run_or_crash(run()).await {
                Ok(value) => return Ok(value),
                Err(Stopped::Failed(code)) if !code.is_retryable() => {
                    return Err(code.as_str().into());
                }
                Err(Stopped::Failed(code)) => code.as_str(),
                Err(Stopped::Crashed) => "Runtime.ExitError",
            };
            tries += 1;
            if tries > RETRIES {
                return Err(name.into());
            }
            self.wait(5).await;
        }
    }

    /// Runs a task until it ends, or until an injected crash, [`Kill`] or the time limit of its
    /// function ends it.
    async fn run_or_crash<T>(
        &self,
        task: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, Stopped> {
        let killed_at = self.world.now() + FUNCTION_TIME_LIMIT;
        let _active = self.world.begin_invocation(killed_at);
        let time_limit = std::future::poll_fn(|_| {
            if self.world.now() >= killed_at { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            biased;
            () = time_limit => Err(Stopped::Crashed),
            () = self.world.wait_for_crash() => Err(Stopped::Crashed),
            () = self.kill.wait() => Err(Stopped::Crashed),
            outcome = task => outcome.map_err(|error| Stopped::Failed(error.code)),
        }
    }
}
