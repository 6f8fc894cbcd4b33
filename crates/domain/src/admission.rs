//! Slots: the right of a transfer to move bytes, with the queue, the priorities and the
//! limits by which slots are granted.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Recipient, TransferId};

/// Slot pool. The transfers of a pool share its slots.
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

/// Priority of a transfer, as an offset to the time at which its run was requested. A
/// transfer that waits long enough comes first whatever its priority, so none starves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Queued as if requested ten minutes later.
    Low,
    /// Queued by the time of the request.
    #[default]
    Normal,
    /// Queued as if requested ten minutes earlier.
    High,
}

impl Priority {
    const OFFSET: SignedDuration = SignedDuration::from_mins(10);

    /// Returns the sort key in the queue, in milliseconds since 1970, for a run requested
    /// at `queue_time`. The smallest key comes first.
    #[must_use]
    pub fn order(self, queue_time: Timestamp) -> i64 {
        let offset = i64::try_from(Self::OFFSET.as_millis()).unwrap_or_default();
        queue_time.as_millisecond()
            + match self {
                Self::Low => offset,
                Self::Normal => 0,
                Self::High => -offset,
            }
    }
}

/// Relation of a transfer to the slots of its pool. A transfer holds a slot only while it
/// moves bytes or uses ORDS, never while it waits for a document to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// Neither holds a slot nor waits for one.
    #[default]
    Idle,
    /// Waits in the queue for a slot.
    Queued,
    /// Holds a slot.
    Holding,
}

impl SlotState {
    /// Returns the stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Holding => "holding",
        }
    }
}

/// Prefix of the stored form of a service. No token subject contains a space, so it is
/// unique.
const SERVICE: &str = "service ";

/// Person or service whose slot limit a transfer counts against. `Debug` hides the value,
/// because it may be an e-mail address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(String);

impl Person {
    /// Creates a person from the stored form.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Creates a service that makes requests for itself. Services have a limit of their
    /// own.
    #[must_use]
    pub fn service(id: &str) -> Self {
        Self(format!("{SERVICE}{id}"))
    }

    /// Returns whether this is a service, created by [`Person::service`].
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.0.starts_with(SERVICE)
    }

    /// Returns the stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Recipient> for Person {
    /// Ignores case: addresses that differ only in case belong to the same person.
    fn from(recipient: &Recipient) -> Self {
        Self(recipient.as_str().to_lowercase())
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// Limits on the number of transfers that hold a slot of one pool at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// Limit for the whole pool.
    pub active: usize,
    /// Limit for one person.
    pub per_person: usize,
    /// Limit for one service that makes requests for itself.
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

/// Slots of a pool that are held now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slots {
    /// Transfers that hold a slot, each with the person or service it counts against.
    pub holders: BTreeMap<TransferId, Person>,
    /// Version number for optimistic locking. It grows with each change, and a grant is
    /// conditional on it.
    pub version: u64,
}

/// Entry of a transfer in the queue for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueEntry {
    /// Sort key from [`Priority::order`]; the smallest comes first.
    pub order: i64,
    /// The transfer.
    pub transfer_id: TransferId,
    /// Person or service whose limit the transfer counts against.
    pub person: Person,
}

/// Chooses the queued transfers that get a slot. Entries must be passed in queue order.
///
/// An entry whose person is at the limit is skipped, and later entries may still get a
/// slot. Apart from such skips the queue order is kept. No slot stays free while a queued
/// transfer is allowed to take it.
#[derive(Debug)]
pub struct SlotAllocator {
    /// Limits of the pool.
    limits: PoolLimits,
    /// Number of slots held, including those granted here.
    held: usize,
    /// Number of slots held for each person or service.
    by_person: BTreeMap<Person, usize>,
}

impl SlotAllocator {
    /// Starts with the slots that are held now.
    #[must_use]
    pub fn new(limits: PoolLimits, slots: &Slots) -> Self {
        let mut by_person = BTreeMap::new();
        for person in slots.holders.values() {
            *by_person.entry(person.clone()).or_default() += 1;
        }
        Self { limits, held: slots.holders.len(), by_person }
    }

    /// Returns whether all slots of the pool are held.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.held >= self.limits.active
    }

    /// Decides whether the next entry of the queue gets a slot, and counts the slot if so.
    pub fn admits(&mut self, waiting: &QueueEntry) -> bool {
        let count = self.by_person.entry(waiting.person.clone()).or_default();
        if self.held >= self.limits.active || *count >= self.limits.each(&waiting.person) {
            return false;
        }
        *count += 1;
        self.held += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LIMITS: PoolLimits = PoolLimits::new(5, 3);

    fn waiting(n: u128, person: &str) -> QueueEntry {
        let order = i64::try_from(n).unwrap();
        QueueEntry { order, transfer_id: TransferId::from_u128(n), person: Person::new(person) }
    }

    #[test]
    fn person_at_the_limit_is_skipped_for_the_next_in_the_queue() {
        let mut admission = SlotAllocator::new(LIMITS, &Slots::default());
        let queue = ["ada", "ada", "ada", "ada", "bob", "ada", "cyd", "dan"];
        let admitted: Vec<_> =
            (0..).zip(queue).filter(|(n, p)| admission.admits(&waiting(*n, p))).collect();
        assert_eq!(admitted, [(0, "ada"), (1, "ada"), (2, "ada"), (4, "bob"), (6, "cyd")]);
        assert!(admission.is_full());
    }

    #[test]
    fn service_has_its_own_slot_limit() {
        let limits = PoolLimits { active: 9, per_person: 1, per_service: 4 };
        let mut admission = SlotAllocator::new(limits, &Slots::default());
        let queue = (0..12).map(|n| {
            let person = if n % 2 == 0 { Person::service("scv") } else { Person::new("scv") };
            QueueEntry { person, ..waiting(n, "") }
        });
        let admitted = queue.filter(|waiting| admission.admits(waiting));
        let (services, persons): (Vec<_>, Vec<_>) =
            admitted.partition(|waiting| waiting.person.is_service());
        assert_eq!((services.len(), persons.len()), (4, 1));
    }

    #[test]
    fn priority_is_worth_exactly_ten_minutes() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(Priority::High.order(at(1599)) < Priority::Normal.order(at(1000)));
        assert!(Priority::High.order(at(1601)) > Priority::Normal.order(at(1000)));
        assert!(Priority::Low.order(at(1000)) > Priority::Normal.order(at(1599)));
    }

    #[test]
    fn person_ignores_case_and_is_hidden_from_debug() {
        let [a, b] = ["Ada@Court.example", "ada@court.example"]
            .map(|text| Person::from(&text.parse::<Recipient>().unwrap()));
        assert_eq!(a, b);
        assert_eq!(format!("{a:?}"), "Person(…)");
    }

    proptest! {
        #[test]
        fn slot_limits_hold_and_no_usable_slot_stays_free(
            held in prop::collection::vec(0_u8..4, 0..5),
            queue in prop::collection::vec(0_u8..4, 0..20),
        ) {
            let person = |n: u8| Person::new(n.to_string());
            let holders = (1000..).map(TransferId::from_u128).zip(held.into_iter().map(person));
            let slots = Slots { holders: holders.collect(), version: 0 };
            let mut admission = SlotAllocator::new(LIMITS, &slots);
            let (admitted, skipped): (Vec<_>, Vec<_>) = (0..)
                .zip(queue)
                .map(|(n, p)| waiting(n, &p.to_string()))
                .partition(|w| admission.admits(w));
            let count = |p: &Person| {
                slots.holders.values().filter(|h| *h == p).count()
                    + admitted.iter().filter(|w| w.person == *p).count()
            };
            prop_assert!(slots.holders.len() + admitted.len() <= LIMITS.active.max(slots.holders.len()));
            for w in &admitted {
                prop_assert!(count(&w.person) <= LIMITS.per_person);
            }
            for w in &skipped {
                prop_assert!(admission.is_full() || count(&w.person) >= LIMITS.per_person);
            }
        }
    }
}
