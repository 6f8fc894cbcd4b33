//! In-memory log of audit events.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use docferry_app::ports::{
    AuditLog, DENIALS_DELAY, EventKey, EventOutbox, OUTBOX_RESEND_DELAY, StoreError,
};
use docferry_domain::audit::{AuditAction, AuditEvent, Denial, DenialKey, MAX_DENIED_OF_RECORD};
use jiff::Timestamp;

/// Log of audit events in memory. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct InMemoryAuditLog {
    tables: Arc<Mutex<Tables>>,
}

#[derive(Debug, Default)]
struct Tables {
    /// Unsent events, by id.
    events: BTreeMap<String, AuditEvent>,
    denials: BTreeMap<DenialKey, Denials>,
    /// Whether every call fails.
    is_down: bool,
    /// Names of the writes since the last [`InMemoryAuditLog::take_writes`].
    writes: Vec<&'static str>,
}

#[derive(Debug)]
struct Denials {
    event: AuditEvent,
    is_closed: bool,
    is_sent: bool,
}

impl InMemoryAuditLog {
    fn tables(&self) -> MutexGuard<'_, Tables> {
        self.tables.lock().unwrap()
    }

    /// Makes every call of the ports fail, or succeed again.
    pub fn set_down(&self, is_down: bool) {
        self.tables().is_down = is_down;
    }

    /// Locks the tables, unless every call fails.
    fn available_tables(&self) -> Result<MutexGuard<'_, Tables>, StoreError> {
        let tables = self.tables();
        if tables.is_down {
            return Err(StoreError::Unavailable("the audit log is down".into()));
        }
        Ok(tables)
    }

    /// Returns the unsent events in the order of their ids.
    #[must_use]
    pub fn events(&self) -> Vec<AuditEvent> {
        self.tables().events.values().cloned().collect()
    }

    /// Removes the unsent events and returns them, in the order of their ids.
    #[must_use]
    pub fn take_events(&self) -> Vec<AuditEvent> {
        std::mem::take(&mut self.tables().events).into_values().collect()
    }

    /// Returns the denials that were not sent.
    #[must_use]
    pub fn denials(&self) -> Vec<AuditEvent> {
        let tables = self.tables();
        let unsent = tables.denials.values().filter(|denials| !denials.is_sent);
        unsent.map(|denials| denials.event.clone()).collect()
    }

    /// Returns the names of all writes since the last call of this function.
    #[must_use]
    pub fn take_writes(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.tables().writes)
    }
}

impl AuditLog for InMemoryAuditLog {
    async fn record(&self, events: &[AuditEvent]) -> Result<(), StoreError> {
        let mut tables = self.available_tables()?;
        tables.writes.push("record");
        for event in events {
            tables.events.entry(event.id.clone()).or_insert_with(|| event.clone());
        }
        Ok(())
    }

    async fn count_denial(&self, denial: &Denial) -> Result<(), StoreError> {
        let mut tables = self.available_tables()?;
        tables.writes.push("count_denial");
        let mut minute = DenialKey::at(denial.actor.clone(), denial.at);
        while tables.denials.get(&minute).is_some_and(|denials| denials.is_closed) {
            minute = minute.next();
        }
        let id = minute.message_id();
        let denials = tables.denials.entry(minute).or_insert_with(|| Denials {
            event: AuditEvent {
                origin: Some(denial.origin.clone()),
                count: Some(0),
                ..AuditEvent::new(id, AuditAction::AccessDenied, denial.actor.clone(), denial.at)
            },
            is_closed: false,
            is_sent: false,
        });
        let event = &mut denials.event;
        event.count = event.count.map(|count| count + 1);
        if event.requested.len() < MAX_DENIED_OF_RECORD {
            event.requested.extend(denial.requested.iter().cloned());
            event.requested.sort();
            event.requested.dedup();
        }
        Ok(())
    }
}

impl EventOutbox for InMemoryAuditLog {
    async fn unsent_event(&self, key: &EventKey) -> Result<Option<AuditEvent>, StoreError> {
        let mut tables = self.available_tables()?;
        Ok(match key {
            EventKey::Event(id) => tables.events.get(id).cloned(),
            EventKey::Denials(minute) => {
                let denials = tables.denials.get_mut(minute).filter(|denials| !denials.is_sent);
                denials.map(|denials| {
                    denials.is_closed = true;
                    denials.event.clone()
                })
            }
        })
    }

    async fn mark_event_sent(&self, key: &EventKey) -> Result<(), StoreError> {
        let mut tables = self.available_tables()?;
        match key {
            EventKey::Event(id) => {
                tables.events.remove(id);
            }
            EventKey::Denials(minute) => {
                if let Some(denials) = tables.denials.get_mut(minute) {
                    denials.is_sent = denials.is_closed;
                }
            }
        }
        Ok(())
    }

    async fn unsent_events(
        &self,
        now: Timestamp,
        limit: usize,
    ) -> Result<Vec<EventKey>, StoreError> {
        let tables = self.available_tables()?;
        let events = tables
            .events
            .values()
            .map(|event| (event.at + OUTBOX_RESEND_DELAY, EventKey::Event(event.id.clone())));
        let unsent = tables.denials.iter().filter(|(_, denials)| !denials.is_sent);
        let denials = unsent.map(|(minute, _)| {
            (minute.ends_at() + DENIALS_DELAY, EventKey::Denials(minute.clone()))
        });
        let mut due: Vec<_> = events.chain(denials).filter(|(due, _)| *due < now).collect();
        due.sort();
        Ok(due.into_iter().take(limit).map(|(_, key)| key).collect())
    }
}
