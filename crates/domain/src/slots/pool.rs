//! Pools of slots and their limits.
//!
//! A *slot* is the right of a transfer to move bytes. The limits state how many transfers may hold
//! a slot at the same time.

use serde::{Deserialize, Serialize};

use crate::person::Person;

/// Pool of slots. All transfers to the same kind of destination share a pool.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Deliveries to OneDrive.
    #[default]
    Onedrive,
    /// Downloads into the delivery bucket.
    Download,
}

impl Pool {
    /// Every pool.
    pub const ALL: &'static [Self] = &[Self::Onedrive, Self::Download];

    /// Returns the stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onedrive => "onedrive",
            Self::Download => "download",
        }
    }
}

/// Limits on the number of transfers that hold a slot of one pool at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Limit for all transfers of the pool.
    pub active: usize,
    /// Limit for one person.
    pub per_person: usize,
    /// Limit for one service that makes requests for itself and not for a person.
    pub per_service: usize,
}

impl PoolLimits {
    /// Creates limits with the same value for a person and for a service.
    #[must_use]
    pub const fn new(active: usize, per_person: usize) -> Self {
        Self { active, per_person, per_service: per_person }
    }

    /// Returns the limit for this person or service.
    #[must_use]
    pub fn each(&self, person: &Person) -> usize {
        if person.is_service() { self.per_service } else { self.per_person }
    }
}

/// Slot limits of every pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SlotLimits {
    /// Deliveries to OneDrive.
    pub onedrive: PoolLimits,
    /// Downloads.
    pub download: PoolLimits,
}

impl SlotLimits {
    /// Returns the limits of one pool.
    #[must_use]
    pub const fn of(&self, pool: Pool) -> PoolLimits {
        match pool {
            Pool::Onedrive => self.onedrive,
            Pool::Download => self.download,
        }
    }
}

impl From<PoolLimits> for SlotLimits {
    /// Uses the same limits for every pool.
    fn from(limits: PoolLimits) -> Self {
        Self { onedrive: limits, download: limits }
    }
}
