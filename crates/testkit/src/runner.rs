use std::sync::Arc;
use std::time::Duration;

use docferry_app::finalize::{FinalizeSettings, Ports, finalize};
use docferry_app::ports::{Clock as _, ConflictPolicy};
use docferry_app::sweep::{SweepSettings, Swept, sweep};
use docferry_app::upload::{Progress, Upload, UploadSettings, upload};
use docferry_app::{TaskError, TaskInput, poll, push};
use docferry_domain::{ArrivalRules, FailureCode, Phase};
use jiff::SignedDuration;

use crate::World;

/// How often a step is run again after a failure that may pass, as the state
/// machine does.
const RETRIES: u32 = 6;

/// Plays the state machine over a [`World`], with the clock jumping over waits.
#[derive(Debug, Clone)]
pub struct Runner {
    world: World,
    /// Limits of `upload`; small fragments by default, so that files have several.
    pub settings: UploadSettings,
    /// How long the arrival may take.
    pub rules: ArrivalRules,
    /// A function's time.
    pub function_time: SignedDuration,
}

/// How an execution went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// The phase that `finalize` reported; `None` when it never succeeded.
    pub phase: Option<Phase>,
    /// The name that stopped the steps before it.
    pub stopped_by: Option<String>,
    /// Invocations of `upload`.
    pub uploads: u32,
}

enum Stopped {
    Crashed,
    Failed(FailureCode),
}

impl Runner {
    /// A runner over this world.
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
        }
    }

    /// Runs an execution to its end.
    pub async fn execute(&self, task: &TaskInput) -> Ended {
        let ended = self.run(task).await;
        let name = format!("{}-{}", task.transfer_id, task.attempt);
        let mut state = self.world.state();
        state.running.remove(&name);
        state.closed.insert(name);
        ended
    }

    async fn run(&self, task: &TaskInput) -> Ended {
        let mut uploads = 0;
        let stopped_by = self.steps(task, &mut uploads).await.err();
        for _ in 0..=RETRIES {
            if let Ok(phase) = self.finalize(task, stopped_by.as_deref()).await {
                return Ended { phase: Some(phase), stopped_by, uploads };
            }
        }
        Ended { phase: None, stopped_by, uploads }
    }

    async fn steps(&self, task: &TaskInput, uploads: &mut u32) -> Result<(), String> {
        let world = &self.world;
        self.step(|| push::push(world, world, world, world, task)).await?;
        loop {
            match self.step(|| poll::poll(world, world, world, self.rules, task)).await? {
                poll::Arrival::Arrived => break,
                poll::Arrival::Wait { seconds } => {
                    world.advance(SignedDuration::from_secs(seconds.into()));
                }
            }
        }
        // Bounded as the state machine is by its history.
        for _ in 0..1000 {
            let progress = self
                .step(|| {
                    *uploads += 1;
                    self.upload_once(task)
                })
                .await?;
            match progress {
                Progress::Done => return Ok(()),
                Progress::Continue => {}
                Progress::Wait { seconds } => {
                    world.advance(SignedDuration::from_secs(seconds.into()));
                }
            }
        }
        Err("States.Runtime".into())
    }

    /// One invocation of `upload`.
    ///
    /// # Errors
    /// As the use case.
    pub async fn upload_once(&self, task: &TaskInput) -> Result<Progress, TaskError> {
        let world = &self.world;
        let ports = Upload {
            store: world.clone(),
            drive: world.clone(),
            staging: Arc::new(world.clone()),
            sealer: world.clone(),
            clock: world.clone(),
            budget: world.clone(),
            settings: self.settings,
        };
        upload(&ports, task, world.now() + self.function_time).await
    }

    async fn finalize(&self, task: &TaskInput, stopped_by: Option<&str>) -> Result<Phase, Stopped> {
        let w = &self.world;
        let ports = Ports { store: w, drive: w, staging: w, sealer: w, clock: w };
        self.attempt(finalize(&ports, FinalizeSettings::default(), task, stopped_by)).await
    }

    /// One sweep; a crash in it ends it.
    pub async fn sweep(&self) -> Option<Swept> {
        let w = &self.world;
        let ports = Ports { store: w, drive: w, staging: w, sealer: w, clock: w };
        let stop_at = w.now() + self.function_time;
        let swept = sweep(&ports, w, SweepSettings::default(), stop_at);
        self.attempt(swept).await.ok()
    }

    /// Sweeps once a minute and runs what the sweep starts, for `minutes`.
    pub async fn recover(&self, minutes: u32) {
        for _ in 0..minutes {
            self.world.advance(SignedDuration::from_secs(60));
            self.sweep().await;
            for task in self.started() {
                self.execute(&task).await;
            }
        }
    }

    /// Executions that were started and that nobody runs yet.
    fn started(&self) -> Vec<TaskInput> {
        let state = self.world.state();
        let parse = |name: &String| {
            let (id, attempt) = name.split_once('-').unwrap();
            TaskInput { transfer_id: id.parse().unwrap(), attempt: attempt.parse().unwrap() }
        };
        state.running.iter().map(parse).collect()
    }

    /// Runs a step, again while its failure may pass.
    async fn step<T, F>(&self, make: impl FnMut() -> F) -> Result<T, String>
    where
        F: Future<Output = Result<T, TaskError>>,
    {
        let mut make = make;
        let mut tries = 0;
        loop {
            let name = match self.attempt(make()).await {
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
            self.world.advance(SignedDuration::from_secs(5));
        }
    }

    async fn attempt<T>(
        &self,
        task: impl Future<Output = Result<T, TaskError>>,
    ) -> Result<T, Stopped> {
        tokio::select! {
            biased;
            () = self.world.until_crash() => Err(Stopped::Crashed),
            outcome = task => outcome.map_err(|error| Stopped::Failed(error.code)),
        }
    }
}
