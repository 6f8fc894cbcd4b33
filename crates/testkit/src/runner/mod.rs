//! The [`Runner`], which plays the Step Functions state machine and the other callers of the use
//! cases over an in-memory [`World`].
//!
//! An *execution* is one run of the state machine for a transfer. An *invocation* is one call of
//! a Lambda function, which runs one step. An injected fault can end an invocation early (a crash).

mod recovery;
mod state_machine;

use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use docferry_app::delivery::gate::{publish_with_slot, upload_with_slot};
use docferry_app::delivery::publish::{PublishPorts, PublishSettings};
use docferry_app::delivery::upload::{Progress, UploadPorts, UploadSettings};
use docferry_app::finish::{FinalizeSettings, FinishPorts, finalize};
use docferry_app::ports::{Clock as _, ConflictPolicy};
use docferry_app::slots::scheduler::SlotScheduler;
use docferry_app::source::poll;
use docferry_app::source::push;
use docferry_app::{StepOutcome, TaskError, TaskInput};
use docferry_domain::failure::FailureCode;
use docferry_domain::phase::Phase;
use docferry_domain::slots::{PoolLimits, SlotLimits};
use docferry_domain::transfer::{ArrivalRules, DeadlineRules};
use jiff::SignedDuration;

use crate::{Kill, World};

/// Time after which an invocation is killed when a test advances the clock while it runs. It is
/// shorter than the leases of the use cases, as the time limits of the real functions are.
const FUNCTION_TIME_LIMIT: SignedDuration = SignedDuration::from_secs(80);

/// Slot limits of a pool. They are so high that only tests of the queue reach them.
pub const LIMITS: PoolLimits = PoolLimits::new(50, 50);

/// Plays the state machine over a [`World`]. A wait advances the clock instead of taking real time.
#[derive(Debug, Clone)]
pub struct Runner {
    world: World,
    /// Settings of `upload`. Fragments are small by default, so that a file has several fragments.
    pub settings: UploadSettings,
    /// Rules for the arrival of the document.
    pub rules: ArrivalRules,
    /// Time from the start of an invocation to the deadline that `upload` and `publish` get.
    pub function_time: SignedDuration,
    /// Limits of the slot pools.
    pub limits: SlotLimits,
    /// Kills the running invocation.
    pub kill: Kill,
}

/// Result of an execution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// Phase that `finalize` reported. It is `None` when `finalize` never succeeded.
    pub phase: Option<Phase>,
    /// Name of the error that ended the steps before `finalize`. It is `None` if all steps
    /// succeeded.
    pub stopped_by: Option<String>,
    /// Number of invocations of `upload` or `publish`.
    pub uploads: u32,
}

/// Reason why an invocation returned no value.
enum InvocationFailure {
    /// An injected fault, a [`Kill`] or the time limit ended it.
    Crashed,
    /// The use case returned this failure.
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
                // 320 KiB, the smallest fragment.
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

    /// Returns the world in which the steps run.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Returns the slot scheduler, with this runner's limits.
    #[must_use]
    pub fn scheduler(&self) -> SlotScheduler<'_, World> {
        let world = &self.world;
        SlotScheduler { store: world, workflow: world, clock: world, limits: self.limits }
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
            registry: world.clone(),
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
        let world = &self.world;
        let settings = PublishSettings {
            part_bytes: self.settings.fragment_bytes,
            parallel_parts: 3,
            margin: self.settings.margin,
        };
        let ports = PublishPorts::<World> {
            store: world,
            exchange: world,
            artifacts: world,
            registry: world,
            clock: world,
            settings,
        };
        let deadline = world.now() + self.function_time;
        publish_with_slot(&ports, &self.scheduler(), task, deadline).await
    }

    /// Returns the ports that `finalize` and the sweeper need.
    fn finish_ports(&self) -> FinishPorts<'_, World> {
        let world = &self.world;
        FinishPorts {
            store: world,
            drive: world,
            exchange: world,
            artifacts: world,
            sealer: world,
            clock: world,
        }
    }

    /// Runs one invocation of `finalize`. `stopped_by` is the error that ended the earlier steps.
    async fn finalize(
        &self,
        task: &TaskInput,
        stopped_by: Option<&str>,
    ) -> Result<StepOutcome<Phase>, InvocationFailure> {
        let ports = self.finish_ports();
        let settings = FinalizeSettings::default();
        let scheduler = self.scheduler();
        self.run_or_crash(finalize(&ports, &scheduler, settings, task, stopped_by)).await
    }

    /// Runs a task that an injected fault may kill. Returns `None` if the task is killed or fails.
    pub fn survive<T>(
        &self,
        task: impl Future<Output = Result<T, TaskError>>,
    ) -> impl Future<Output = Option<T>> {
        // The futures of whole use cases are large.
        let task = Box::pin(task);
        async move { self.run_or_crash(task).await.ok() }
    }

    /// Runs one invocation of `push`. Returns whether the push is recorded. If it is not, the real
    /// state machine would repeat the step later.
    ///
    /// # Errors
    /// Those of the use case.
    pub async fn push_once(&self, task: &TaskInput) -> Result<bool, TaskError> {
        Ok(self.push_step(task).await?.done().is_ok())
    }

    async fn push_step(&self, task: &TaskInput) -> Result<StepOutcome<()>, TaskError> {
        let world = &self.world;
        let ports = push::PushPorts::<World> {
            store: world,
            source: world,
            exchange: world,
            registry: world,
            clock: world,
        };
        push::push(&ports, &DeadlineRules::default(), task).await
    }

    /// Checks for the arrival once, then runs one invocation of `upload`.
    ///
    /// # Errors
    /// Those of the use cases.
    pub async fn upload_once_after_arrival(&self, task: &TaskInput) -> Result<Progress, TaskError> {
        poll::poll(&self.scheduler(), &self.world, self.rules, task).await?;
        self.upload_once(task).await
    }

    /// Runs an invocation. An injected crash, a [`Kill`] or the time limit of its function can end
    /// it early.
    async fn run_or_crash<T>(
        &self,
        task: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, InvocationFailure> {
        let killed_at = self.world.now() + FUNCTION_TIME_LIMIT;
        let _active = self.world.begin_invocation(killed_at);
        let time_limit = std::future::poll_fn(|_| {
            if self.world.now() >= killed_at { Poll::Ready(()) } else { Poll::Pending }
        });
        tokio::select! {
            biased;
            () = time_limit => Err(InvocationFailure::Crashed),
            () = self.world.wait_for_crash() => Err(InvocationFailure::Crashed),
            () = self.kill.wait() => Err(InvocationFailure::Crashed),
            outcome = task => outcome.map_err(|error| InvocationFailure::Failed(error.code)),
        }
    }
}
