//! Settings that several functions read: limits, deadlines and retentions.

use std::ops::RangeInclusive;

use docferry_app::job::JobSettings;
use docferry_app::notification::webhook::WebhookSettings;
use docferry_app::transfer::create::InitiateSettings;
use docferry_domain::callback::CallbackRule;
use docferry_domain::document::SubjectPatterns;
use docferry_domain::slots::{PoolLimits, SlotLimits};
use docferry_domain::transfer::{ArrivalRules, DeadlineRules};
use jiff::SignedDuration;

use super::wiring::Wiring;

impl Wiring {
    /// Systems of subject identifiers that the deployment knows: `SUBJECT_SYSTEMS`, in JSON.
    pub fn subject_systems(&mut self) -> SubjectPatterns {
        self.reader.parsed_or("SUBJECT_SYSTEMS", SubjectPatterns::default())
    }

    /// Range of valid document numbers: `FILE_ID_MIN` to `FILE_ID_MAX`.
    pub fn file_range(&mut self) -> RangeInclusive<u64> {
        let first = self.reader.number("FILE_ID_MIN", 10_000);
        first..=self.reader.number("FILE_ID_MAX", 100_000_000)
    }

    /// Limits on slots. A slot is the right of a transfer to move bytes, so each limit is a number
    /// of transfers that may do so at the same time.
    ///
    /// - Deliveries to OneDrive: `MAX_ACTIVE_DELIVERIES` in total, and at most
    ///   `MAX_DELIVERIES_PER_USER` for one recipient.
    /// - Downloads: `MAX_ACTIVE_TRANSFERS` in total, at most `MAX_ACTIVE_PER_USER` for one person,
    ///   and at most `MAX_ACTIVE_PER_SERVICE` for a service that downloads on its own behalf.
    pub fn slot_limits(&mut self) -> SlotLimits {
        let onedrive = PoolLimits::new(
            self.reader.parsed_or("MAX_ACTIVE_DELIVERIES", 50),
            self.reader.parsed_or("MAX_DELIVERIES_PER_USER", 3),
        );
        let download = PoolLimits {
            active: self.reader.parsed_or("MAX_ACTIVE_TRANSFERS", 5),
            per_person: self.reader.parsed_or("MAX_ACTIVE_PER_USER", 3),
            per_service: self.reader.parsed_or("MAX_ACTIVE_PER_SERVICE", 5),
        };
        SlotLimits { onedrive, download }
    }

    /// Rules for the deadline of a transfer by its size: `DEADLINE_BASE_SECONDS`, and
    /// `DEADLINE_ONEDRIVE_BYTES_PER_SECOND` or `DEADLINE_DOWNLOAD_BYTES_PER_SECOND`.
    ///
    /// Also reads `ARRIVAL_DEADLINE_SECONDS`, so that [`Wiring::finish`] can compare the two
    /// deadlines.
    pub fn deadline_rules(&mut self) -> DeadlineRules {
        let _compared = self.arrival_rules();
        DeadlineRules {
            base: self.reader.seconds("DEADLINE_BASE_SECONDS", 3_600),
            onedrive_bytes_per_second: self
                .reader
                .parsed_or("DEADLINE_ONEDRIVE_BYTES_PER_SECOND", 1_000_000),
            download_bytes_per_second: self
                .reader
                .parsed_or("DEADLINE_DOWNLOAD_BYTES_PER_SECOND", 5_000_000),
        }
    }

    /// Rules for the arrival of a pushed document: `ARRIVAL_DEADLINE_SECONDS`.
    pub fn arrival_rules(&mut self) -> ArrivalRules {
        ArrivalRules { deadline: self.reader.seconds("ARRIVAL_DEADLINE_SECONDS", 600) }
    }

    /// Deadline and retention of jobs: `TRANSFER_DEADLINE_SECONDS`, `RECORD_TTL_HOURS`,
    /// `JOB_TTL_HOURS`.
    ///
    /// Also reads `ARRIVAL_DEADLINE_SECONDS` and `DEADLINE_BASE_SECONDS`, so that
    /// [`Wiring::finish`] can compare all these durations. A function with contradictory durations
    /// does not start. If it started, it would accept work that fails later.
    pub fn job_settings(&mut self) -> JobSettings {
        let _compared = (self.arrival_rules(), self.reader.seconds("DEADLINE_BASE_SECONDS", 3_600));
        let initiate = InitiateSettings {
            transfer_deadline: self.reader.seconds("TRANSFER_DEADLINE_SECONDS", 14_400),
            record_ttl: self.record_ttl(),
        };
        JobSettings { initiate, job_ttl: self.reader.hours("JOB_TTL_HOURS", 24) }
    }

    /// Time for which the record of an ended transfer or job is shown: `RECORD_TTL_HOURS`.
    pub fn record_ttl(&mut self) -> SignedDuration {
        self.reader.hours("RECORD_TTL_HOURS", 168)
    }

    /// Retries of webhooks: `WEBHOOK_FIRST_RETRY_SECONDS`, `WEBHOOK_MAX_TRIES`.
    pub fn webhook_settings(&mut self) -> WebhookSettings {
        let default = WebhookSettings::default();
        let first_pause = self.reader.seconds("WEBHOOK_FIRST_RETRY_SECONDS", 5);
        WebhookSettings {
            first_pause: first_pause.unsigned_abs(),
            most_tries: self.reader.parsed_or("WEBHOOK_MAX_TRIES", default.most_tries),
            ..default
        }
    }

    /// Rule for the addresses to which webhooks may be sent. `WEBHOOK_ALLOW_LOOPBACK` also allows
    /// loopback addresses. It may be `true` only in the environment `local`.
    pub fn callback_rule(&mut self) -> CallbackRule {
        let reader = &mut self.reader;
        if reader.parsed_or("WEBHOOK_ALLOW_LOOPBACK", false) {
            if !reader.is_local() {
                reader
                    .problem("WEBHOOK_ALLOW_LOOPBACK must be false outside the environment local");
            }
            CallbackRule::PublicAndLoopback
        } else {
            CallbackRule::Public
        }
    }
}
