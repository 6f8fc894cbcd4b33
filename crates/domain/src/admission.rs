//! Who may move bytes now: slots, queue, priority.

use std::collections::BTreeMap;
use std::fmt;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Recipient, TransferId};

/// Transfers of one pool share its slots.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Pool {
    /// Deliveries to OneDrive.
    #[default]
    Onedrive,
    /// Downloads: into the delivery bucket.
    Download,
}

impl Pool {
    /// Every pool.
    pub const ALL: &'static [Self] = &[Self::Onedrive, Self::Download];

    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Onedrive => "onedrive",
            Self::Download => "download",
        }
    }
}

/// How urgent a transfer is: an offset to the time at which its run was asked for, so that
/// each transfer that waits long enough goes first and none starves.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// As if it had been asked for ten minutes later.
    Low,
    /// By the time at which its run was asked for.
    #[default]
    Normal,
    /// As if it had been asked for ten minutes before.
    High,
}

impl Priority {
    const OFFSET: SignedDuration = SignedDuration::from_mins(10);

    /// Sort key of the queue, milliseconds since 1970, from the time at which the run was
    /// asked for; the smaller goes first.
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

/// Whether a transfer holds a slot. Only who moves bytes or uses ORDS holds one,
/// never who waits for a document to arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Turn {
    /// Neither holds one nor waits for one.
    #[default]
    Idle,
    /// Stands in the queue.
    Queued,
    /// Holds one.
    Holding,
}

impl Turn {
    /// The stored name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Idle => "idle",
            Self::Queued => "queued",
            Self::Holding => "holding",
        }
    }
}

/// What the stored form of a service begins with; a subject holds no space.
const SERVICE: &str = "service ";

/// For whom a transfer counts. `Debug` hides it: it may be an address.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(String);

impl Person {
    /// From its stored form.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// A service that asks for itself and not for somebody: it has limits of its own.
    #[must_use]
    pub fn service(id: &str) -> Self {
        Self(format!("{SERVICE}{id}"))
    }

    /// Whether [`Person::service`] made it: no address and no subject begins so.
    #[must_use]
    pub fn is_service(&self) -> bool {
        self.0.starts_with(SERVICE)
    }

    /// Its stored form.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&Recipient> for Person {
    /// Addresses differ in case alone for the same person.
    fn from(recipient: &Recipient) -> Self {
        Self(recipient.as_str().to_lowercase())
    }
}

impl fmt::Debug for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Person(…)")
    }
}

/// How many may hold a slot of a pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolLimits {
    /// In all.
    pub active: usize,
    /// For one person.
    pub per_person: usize,
    /// For one service that asks for itself.
    pub per_service: usize,
}

impl PoolLimits {
    /// The same for persons and services.
    #[must_use]
    pub const fn new(active: usize, each: usize) -> Self {
        Self { active, per_person: each, per_service: each }
    }

    /// How many may hold a slot for this one.
    #[must_use]
    pub fn each(&self, person: &Person) -> usize {
        if person.is_service() { self.per_service } else { self.per_person }
    }
}

/// The same for each pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Deliveries to OneDrive.
    pub onedrive: PoolLimits,
    /// Downloads.
    pub download: PoolLimits,
}

impl Limits {
    /// Those of one pool.
    #[must_use]
    pub const fn of(&self, pool: Pool) -> PoolLimits {
        match pool {
            Pool::Onedrive => self.onedrive,
            Pool::Download => self.download,
        }
    }
}

impl From<PoolLimits> for Limits {
    /// The same for all.
    fn from(limits: PoolLimits) -> Self {
        Self { onedrive: limits, download: limits }
    }
}

/// Who holds the slots of a pool.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slots {
    /// The holders, and for whom each counts.
    pub holders: BTreeMap<TransferId, Person>,
    /// Grows with each change; a grant is conditional on it.
    pub version: u64,
}

/// One who waits for a slot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    /// See [`Priority::order`].
    pub order: i64,
    /// The transfer.
    pub transfer_id: TransferId,
    /// For whom it counts.
    pub person: Person,
}

/// Chooses who is admitted, from the queue in its order.
///
/// A person who has as many slots as one person may is passed over; the others
/// behind go on. So the order holds but for such skips, and no slot stays empty
/// while somebody who may have it waits.
#[derive(Debug)]
pub struct Admission {
    limits: PoolLimits,
    held: usize,
    by_person: BTreeMap<Person, usize>,
}

impl Admission {
    /// With the slots as they are held now.
    #[must_use]
    pub fn new(limits: PoolLimits, slots: &Slots) -> Self {
        let mut by_person = BTreeMap::new();
        for person in slots.holders.values() {
            *by_person.entry(person.clone()).or_default() += 1;
        }
        Self { limits, held: slots.holders.len(), by_person }
    }

    /// Whether nobody more can be admitted.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.held >= self.limits.active
    }

    /// Whether this one, who is next in the queue, gets a slot.
    pub fn admits(&mut self, waiting: &Waiting) -> bool {
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

    fn waiting(n: u128, person: &str) -> Waiting {
        let order = i64::try_from(n).unwrap();
        Waiting { order, transfer_id: TransferId::from_u128(n), person: Person::new(person) }
    }

    #[test]
    fn a_person_at_the_limit_is_passed_over_and_others_go_on() {
        let mut admission = Admission::new(LIMITS, &Slots::default());
        let queue = ["ada", "ada", "ada", "ada", "bob", "ada", "cyd", "dan"];
        let admitted: Vec<_> =
            (0..).zip(queue).filter(|(n, p)| admission.admits(&waiting(*n, p))).collect();
        assert_eq!(admitted, [(0, "ada"), (1, "ada"), (2, "ada"), (4, "bob"), (6, "cyd")]);
        assert!(admission.is_full());
    }

    #[test]
    fn a_service_that_asks_for_itself_has_limits_of_its_own() {
        let limits = PoolLimits { active: 9, per_person: 1, per_service: 4 };
        let mut admission = Admission::new(limits, &Slots::default());
        let queue = (0..12).map(|n| {
            let person = if n % 2 == 0 { Person::service("scv") } else { Person::new("scv") };
            Waiting { person, ..waiting(n, "") }
        });
        let admitted = queue.filter(|waiting| admission.admits(waiting));
        let (services, persons): (Vec<_>, Vec<_>) =
            admitted.partition(|waiting| waiting.person.is_service());
        assert_eq!((services.len(), persons.len()), (4, 1));
    }

    #[test]
    fn a_priority_is_worth_ten_minutes_and_no_more() {
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(Priority::High.order(at(1599)) < Priority::Normal.order(at(1000)));
        assert!(Priority::High.order(at(1601)) > Priority::Normal.order(at(1000)));
        assert!(Priority::Low.order(at(1000)) > Priority::Normal.order(at(1599)));
    }

    #[test]
    fn a_person_is_the_same_in_any_case_and_never_printed() {
        let [a, b] = ["Ada@Court.example", "ada@court.example"]
            .map(|text| Person::from(&text.parse::<Recipient>().unwrap()));
        assert_eq!(a, b);
        assert_eq!(format!("{a:?}"), "Person(…)");
    }

    proptest! {
        #[test]
        fn limits_hold_and_no_slot_stays_empty_while_somebody_may_have_it(
            held in prop::collection::vec(0_u8..4, 0..5),
            queue in prop::collection::vec(0_u8..4, 0..20),
        ) {
            let person = |n: u8| Person::new(n.to_string());
            let holders = (1000..).map(TransferId::from_u128).zip(held.into_iter().map(person));
            let slots = Slots { holders: holders.collect(), version: 0 };
            let mut admission = Admission::new(LIMITS, &slots);
            let (admitted, left): (Vec<_>, Vec<_>) = (0..)
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
            for w in &left {
                prop_assert!(admission.is_full() || count(&w.person) >= LIMITS.per_person);
            }
        }
    }
}
