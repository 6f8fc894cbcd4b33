//! Allocator of slots: decides which queued transfers get a slot. It applies the limit of the pool
//! and the limit of each person.
//!
//! A *slot* is the right of a transfer to move bytes. A *pool* contains the slots of all transfers
//! to one kind of destination. Each slot counts for one person, or for a service that makes
//! requests for itself.
//!
//! The scheduler in `crates/app` reads the queue and the held slots from the store, asks the
//! allocator, and stores the granted slots.

use std::collections::BTreeMap;

use crate::ids::TransferId;
use crate::person::Person;
use crate::slots::{PoolLimits, QueueEntry};

/// Slots of a pool that are held now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Slots {
    /// Transfers that hold a slot, each with the person or service for which the slot counts.
    pub holders: BTreeMap<TransferId, Person>,
    /// Version number for optimistic locking. Each grant increases it. The store
    /// grants a slot only if it still has the version that the scheduler has read.
    pub version: u64,
}

/// Chooses the queued transfers that get a slot. The caller passes the entries of the queue one by
/// one, in order.
///
/// An entry gets no slot while its person is at the limit. The entries after it may still get one.
/// So no slot stays free while a queued transfer may take it.
#[derive(Debug)]
pub struct SlotAllocator {
    /// Limits of the pool.
    limits: PoolLimits,
    /// Number of held slots, including those that this allocator granted.
    held: usize,
    /// Number of held slots of each person or service.
    by_person: BTreeMap<Person, usize>,
}

impl SlotAllocator {
    /// Creates an allocator for a pool whose held slots are `slots`.
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

    /// Decides whether the next entry of the queue gets a slot. If it does, the slot counts as
    /// held from now on.
    pub fn admits(&mut self, entry: &QueueEntry) -> bool {
        let held_by_person = self.by_person.entry(entry.person.clone()).or_default();
        if self.held >= self.limits.active || *held_by_person >= self.limits.each(&entry.person) {
            return false;
        }
        *held_by_person += 1;
        self.held += 1;
        true
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::person::Recipient;
    use crate::slots::Priority;
    use proptest::prelude::*;

    /// Five slots in the pool, of which one person may hold three.
    const LIMITS: PoolLimits = PoolLimits::new(5, 3);

    /// Returns the entry at this place of the queue.
    fn entry(place: u128, person: &str) -> QueueEntry {
        let order = i64::try_from(place).unwrap();
        let transfer_id = TransferId::from_u128(place);
        QueueEntry { order, transfer_id, person: Person::new(person) }
    }

    #[test]
    fn person_at_the_limit_is_skipped_for_the_next_in_the_queue() {
        let mut allocator = SlotAllocator::new(LIMITS, &Slots::default());
        let queue = ["ada", "ada", "ada", "ada", "bob", "ada", "cyd", "dan"];
        let admitted: Vec<_> = (0..)
            .zip(queue)
            .filter(|(place, person)| allocator.admits(&entry(*place, person)))
            .collect();
        assert_eq!(admitted, [(0, "ada"), (1, "ada"), (2, "ada"), (4, "bob"), (6, "cyd")]);
        assert!(allocator.is_full());
    }

    #[test]
    fn service_has_its_own_slot_limit() {
        let limits = PoolLimits { active: 9, per_person: 1, per_service: 4 };
        let mut allocator = SlotAllocator::new(limits, &Slots::default());
        let queue = (0..12).map(|place| {
            let person = if place % 2 == 0 { Person::service("scv") } else { Person::new("scv") };
            QueueEntry { person, ..entry(place, "") }
        });
        let admitted = queue.filter(|entry| allocator.admits(entry));
        let (services, persons): (Vec<_>, Vec<_>) =
            admitted.partition(|entry| entry.person.is_service());
        assert_eq!((services.len(), persons.len()), (4, 1));
    }

    #[test]
    fn priority_is_worth_exactly_ten_minutes() {
        // Second 1600 is ten minutes after second 1000.
        let at = |second| Timestamp::from_second(second).unwrap();
        assert!(Priority::High.order(at(1599)) < Priority::Normal.order(at(1000)));
        assert!(Priority::High.order(at(1601)) > Priority::Normal.order(at(1000)));
        assert!(Priority::Low.order(at(1000)) > Priority::Normal.order(at(1599)));
    }

    #[test]
    fn person_ignores_case_and_is_hidden_from_debug() {
        let [mixed_case, lower_case] = ["Ada@Court.example", "ada@court.example"]
            .map(|text| Person::from(&text.parse::<Recipient>().unwrap()));
        assert_eq!(mixed_case, lower_case);
        assert_eq!(format!("{mixed_case:?}"), "Person(…)");
    }

    proptest! {
        #[test]
        fn slot_limits_hold_and_no_usable_slot_stays_free(
            held in prop::collection::vec(0_u8..4, 0..5),
            queue in prop::collection::vec(0_u8..4, 0..20),
        ) {
            let person = |number: u8| Person::new(number.to_string());
            let holders = (1000..).map(TransferId::from_u128).zip(held.into_iter().map(person));
            let slots = Slots { holders: holders.collect(), version: 0 };
            let mut allocator = SlotAllocator::new(LIMITS, &slots);
            let (admitted, skipped): (Vec<_>, Vec<_>) = (0..)
                .zip(queue)
                .map(|(place, person)| entry(place, &person.to_string()))
                .partition(|entry| allocator.admits(entry));
            let held_by = |person: &Person| {
                slots.holders.values().filter(|holder| *holder == person).count()
                    + admitted.iter().filter(|entry| entry.person == *person).count()
            };
            prop_assert!(slots.holders.len() + admitted.len() <= LIMITS.active);
            for entry in &admitted {
                prop_assert!(held_by(&entry.person) <= LIMITS.per_person);
            }
            for entry in &skipped {
                prop_assert!(allocator.is_full() || held_by(&entry.person) >= LIMITS.per_person);
            }
        }
    }
}
