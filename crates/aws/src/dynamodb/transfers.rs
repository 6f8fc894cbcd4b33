//! Transfers in DynamoDB, from their creation to their terminal phase.
//!
//! A transfer goes through the phases `Accepted`, `Pushing`, `AwaitingArrival` and `Uploading`, and
//! then ends in a terminal phase. Each method of the store records one event in this life.

use aws_sdk_dynamodb::types::AttributeValue;
use docferry_app::ports::{CreateOptions, CreateResult, StoreError, TransferStore, WriteError};
use docferry_domain::document::Artifact;
use docferry_domain::failure::FailureCode;
use docferry_domain::ids::TransferId;
use docferry_domain::phase::Phase;
use docferry_domain::transfer::{
    ArrivedObject, Delivery, Outcome, PushedSource, Step, Transfer, TransientError,
};
use jiff::Timestamp;

use super::conditional_update::{number, string};
use super::guards::{
    by_epoch, by_execution, by_execution_in, contention_error, ensure_active, ensure_epoch,
    ensure_not_ending, not_ending, while_active,
};
use super::items::{attribute, read_transfer};
use super::keys::transfer_key;
use super::unfinished_index::DUE;
use super::{DynamoTransferStore, creation, ending};

impl TransferStore for DynamoTransferStore {
    /// Creates a transfer in one transaction with its slot or queue entry, and with the idempotency
    /// record of its request.
    async fn create_with(
        &self,
        transfer: &Transfer,
        options: CreateOptions<'_>,
    ) -> Result<CreateResult, StoreError> {
        creation::create(&self.table, transfer, options).await
    }

    /// Reads a transfer.
    async fn get(&self, id: &TransferId) -> Result<Option<Transfer>, StoreError> {
        self.table.get(transfer_key(id)).await?.map(read_transfer).transpose()
    }

    /// Moves an accepted transfer to `Pushing`, sets its start time and counts the push.
    async fn begin_push(
        &self,
        id: &TransferId,
        execution_number: u32,
        now: Timestamp,
    ) -> Result<Transfer, WriteError> {
        let begun = by_execution_in(execution_number, &[Phase::Accepted, Phase::Pushing])
            .set_once("startedAt", attribute(&now)?)
            .set("phase", string(Phase::Pushing.as_str()))
            .increment("pushes");
        let failure = match self.table.update(transfer_key(id), begun).await {
            Ok(item) => return Ok(read_transfer(item)?),
            Err(failure) => failure,
        };
        let transfer = ensure_active(failure.current_item()?, execution_number)?;
        if transfer.push_again {
            let another_push = by_execution(execution_number).increment("pushes");
            return match self.table.update(transfer_key(id), another_push).await {
                Ok(item) => Ok(read_transfer(item)?),
                Err(failure) => Ok(ensure_active(failure.current_item()?, execution_number)?),
            };
        }
        if transfer.started_at.is_some() {
            return Ok(transfer);
        }
        // The transfer is in a later phase, but its start time was never recorded.
        let started = by_execution(execution_number).set_once("startedAt", attribute(&now)?);
        match self.table.update(transfer_key(id), started).await {
            Ok(item) => Ok(read_transfer(item)?),
            Err(failure) => {
                ensure_active(failure.current_item()?, execution_number)?;
                Err(contention_error("begin_push").into())
            }
        }
    }

    /// Records the delivery of an existing artifact. The transfer needs no push in this case, so
    /// the push that `begin_push` has counted is subtracted again.
    async fn record_reuse(
        &self,
        id: &TransferId,
        execution_number: u32,
        source: &PushedSource,
        artifact: &Artifact,
    ) -> Result<(), WriteError> {
        let delivery = Delivery::from(artifact.clone());
        let reused = by_execution_in(execution_number, &[Phase::Accepted, Phase::Pushing])
            .set("source", attribute(source)?)
            .set("delivery", attribute(&delivery)?)
            .set("bytesDone", number(source.size))
            .set("phase", string(Phase::Uploading.as_str()))
            .set_from("pushes", "#pushes - :one")
            .value("one", number(1));
        match self.table.update(transfer_key(id), reused).await {
            Ok(_) => Ok(()),
            // If the transfer is active, it is in a later phase, and the reuse is already recorded.
            Err(failure) => ensure_active(failure.current_item()?, execution_number).map(drop),
        }
    }

    /// Records the arrived object and moves the transfer to `Uploading`.
    async fn record_arrival(
        &self,
        id: &TransferId,
        execution_number: u32,
        object: &ArrivedObject,
    ) -> Result<(), WriteError> {
        let waiting = [Phase::Accepted, Phase::Pushing, Phase::AwaitingArrival];
        let arrived = by_execution_in(execution_number, &waiting)
            .set("object", attribute(object)?)
            .set("phase", string(Phase::Uploading.as_str()));
        let failure = match self.table.update(transfer_key(id), arrived).await {
            Ok(_) => return Ok(()),
            Err(failure) => failure,
        };
        // If the transfer is active, it is in a later phase. Its arrival is then already recorded,
        // unless the upload has lost its source object.
        if !ensure_active(failure.current_item()?, execution_number)?.needs_source() {
            return Ok(());
        }
        let found = by_execution_in(execution_number, &[Phase::Uploading])
            .set("object", attribute(object)?)
            .when("attribute_not_exists(#object)")
            .when("attribute_not_exists(#pushAgain)");
        match self.table.update(transfer_key(id), found).await {
            Ok(_) => Ok(()),
            Err(failure) => ensure_active(failure.current_item()?, execution_number).map(drop),
        }
    }

    /// Removes the arrived object from the record, so that the transfer waits for an object again.
    /// If `push_again` is true, the source has to push the document again first.
    async fn discard_object(
        &self,
        id: &TransferId,
        epoch: u64,
        push_again: bool,
    ) -> Result<(), WriteError> {
        let discarded = not_ending(by_epoch(epoch)).remove(&["object"]);
        let discarded = match push_again {
            true => discarded.set("pushAgain", AttributeValue::Bool(true)),
            false => discarded,
        };
        match self.table.update(transfer_key(id), discarded).await {
            Ok(_) => Ok(()),
            Err(failure) => {
                ensure_not_ending(ensure_epoch(failure.current_item()?, epoch)?)?;
                Err(contention_error("discard_object").into())
            }
        }
    }

    /// Counts a failed try of a step and stores its error.
    async fn record_failed_try(
        &self,
        id: &TransferId,
        execution_number: u32,
        step: Step,
        error: &TransientError,
    ) -> Result<(), WriteError> {
        let failed = by_execution(execution_number)
            .increment(step.attribute())
            .set("lastTransientError", attribute(error)?);
        match self.table.update(transfer_key(id), failed).await {
            Ok(_) => Ok(()),
            Err(failure) => ensure_active(failure.current_item()?, execution_number).map(drop),
        }
    }

    /// Sets the cancel flag of a transfer. Returns `None` if the owner has no such active transfer,
    /// or if the transfer is already in a run after `last_run`.
    async fn request_cancel(
        &self,
        id: &TransferId,
        owner: &str,
        last_run: u32,
    ) -> Result<Option<Transfer>, StoreError> {
        let canceled = while_active()
            .set("cancelRequested", AttributeValue::Bool(true))
            // The transfer becomes due at once, because a queued transfer has no running step that
            // would notice the request.
            .set(DUE, number(0))
            .when("#owner = :owner")
            .value("owner", string(owner))
            .when("attribute_not_exists(#retries) OR #retries <= :lastRun")
            .value("lastRun", number(last_run));
        match self.table.update(transfer_key(id), canceled).await {
            Ok(item) => read_transfer(item).map(Some),
            // The transfer is unknown, has another owner, has ended or is in a later run. The
            // caller does not need to tell these apart.
            Err(failure) => failure.current_item().map(|_| None),
        }
    }

    /// Records why the transfer is about to end, unless a reason is already recorded.
    async fn begin_ending(
        &self,
        id: &TransferId,
        execution_number: u32,
        reason: FailureCode,
    ) -> Result<Transfer, WriteError> {
        let ending = by_execution(execution_number).set_once("ending", attribute(&reason)?);
        match self.table.update(transfer_key(id), ending).await {
            Ok(item) => Ok(read_transfer(item)?),
            Err(failure) => {
                ensure_active(failure.current_item()?, execution_number)?;
                Err(contention_error("begin_ending").into())
            }
        }
    }

    /// Ends a transfer. One transaction writes the terminal phase, frees its slot or queue entry,
    /// puts the outcome and the webhook notification into the outbox, and counts the document in
    /// its batch.
    async fn finish(
        &self,
        read: &Transfer,
        outcome: Outcome,
        ended_at: Timestamp,
    ) -> Result<Transfer, WriteError> {
        ending::finish(&self.table, read, outcome, ended_at).await
    }
}
