//! Conformance suites: checks that hold for every implementation of the store ports, in memory
//! and in DynamoDB.
//!
//! Each check creates records with random ids, so that all checks may share one table. The suites
//! of slots and throttling need a store of their own, as their documentation says.

mod artifacts;
mod audit;
mod batches;
mod endings;
mod history;
mod jobs;
mod keys;
mod notifications;
mod outbox;
mod paging;
mod registry;
mod releases;
mod slots;
mod support;
mod throttle;
mod transfers;

pub use throttle::throttle_budget;

use docferry_app::ports::Store;

pub use artifacts::artifact_store;
pub use audit::audit_log;
pub use batches::batch_store;
pub use jobs::job_store;
pub use notifications::notifications;
pub use outbox::outbox;
pub use paging::paging_while_documents_are_added;
pub use registry::registry;
pub use slots::slot_store;

/// Runs every check of a [`Store`](docferry_app::ports::Store).
///
/// # Panics
/// When the store breaks a rule of its port.
pub async fn transfer_store(store: &impl Store) {
    transfers::record_is_created_once_and_read_back(store).await;
    transfers::phases_only_move_forward(store).await;
    transfers::writes_of_another_execution_are_rejected(store).await;
    transfers::only_the_newest_epoch_writes(store).await;
    transfers::bytes_done_never_goes_down(store).await;
    transfers::checkpoint_returns_the_cancel_request(store).await;
    transfers::sessions_belong_to_the_epoch_that_stored_them(store).await;
    endings::ended_transfer_rejects_all_writes(store).await;
    endings::first_ending_is_final(store).await;
    endings::recorded_delivery_wins_over_failure_and_cancel(store).await;
    releases::last_user_of_a_key_deletes_its_object(store).await;
    releases::push_during_a_deletion_is_repeated_after_it(store).await;
    releases::push_waits_for_the_shared_lease_of_two_releases(store).await;
    releases::deletion_lease_expires(store).await;
    endings::transfer_is_unfinished_until_cleaned_up(store).await;
    transfers::next_execution_keeps_the_progress(store).await;
    endings::no_work_starts_during_an_ending(store).await;
    releases::unused_key_can_be_leased_to_delete_a_late_object(store).await;
    transfers::rewritten_object_is_recorded_with_its_new_tag(store).await;
    endings::ending_is_rejected_if_the_record_has_changed(store).await;
    keys::exchange_keys(store).await;
}
