//! In-memory implementation of the port [`ThrottleBudget`]: the pause that all transfers observe
//! after Graph has throttled one of them.

use std::sync::{Arc, Mutex};

use docferry_app::ports::{Pause, StoreError, ThrottleBudget};

/// In-memory [`ThrottleBudget`]. It stores the pause that ends last.
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
