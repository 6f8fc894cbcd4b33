//! The throttle budget, in memory and as a port of the [`World`].

use std::sync::{Arc, Mutex};

use docferry_app::ports::{Pause, StoreError, ThrottleBudget};

use crate::World;

/// In-memory [`ThrottleBudget`].
#[derive(Debug, Clone, Default)]
pub struct InMemoryThrottleBudget(Arc<Mutex<Option<Pause>>>);

impl ThrottleBudget for InMemoryThrottleBudget {
    async fn paused(&self) -> Result<Option<Pause>, StoreError> {
        Ok(*self.0.lock().unwrap())
    }

    async fn pause(&self, pause: Pause) -> Result<(), StoreError> {
        let mut stored = self.0.lock().unwrap();
        if stored.is_none_or(|stored| stored.until < pause.until) {
            *stored = Some(pause);
        }
        Ok(())
    }
}

impl ThrottleBudget for World {
    async fn paused(&self) -> Result<Option<Pause>, StoreError> {
        self.effect("paused", StoreError::Unavailable, async || self.budget.paused().await).await
    }

    async fn pause(&self, pause: Pause) -> Result<(), StoreError> {
        self.effect("pause_all", StoreError::Unavailable, async || self.budget.pause(pause).await)
            .await
    }
}
