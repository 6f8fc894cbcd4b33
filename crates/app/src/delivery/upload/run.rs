//! State of one invocation of the step `upload`, and the ports that it uses.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use docferry_domain::document::SourceHash;
use docferry_domain::failure::FailureCode;
use docferry_domain::transfer::Transfer;
use docferry_domain::upload::{Throughput, UploadMachine, UploadRules};
use jiff::{SignedDuration, Timestamp};

use super::names::NamedItem;
use super::object::SourceObject;
use super::reader::PositionedReader;
use super::types::UploadSettings;
use crate::TaskError;
use crate::ports::{Clock, Destination, SessionRecord, UploadAdapters, UploadUrl};

/// Ports and limits of [`upload`](super::upload).
#[derive(Debug)]
pub struct UploadPorts<P: UploadAdapters> {
    /// Transfer records and checkpoints.
    pub store: P::Store,
    /// The recipient's drive.
    pub drive: P::Drive,
    /// The exchange bucket, from which the document is read; shared with the read-ahead tasks.
    pub exchange: Arc<P::Exchange>,
    /// Encrypts and decrypts upload URLs.
    pub sealer: P::Sealer,
    /// Source of the current time.
    pub clock: P::Clock,
    /// Throttling pauses that all transfers of the tenant share.
    pub budget: P::Budget,
    /// The document registry.
    pub registry: P::Registry,
    /// Limits of one invocation.
    pub settings: UploadSettings,
}

/// State of one invocation.
pub(super) struct Run<'a, P: UploadAdapters> {
    pub(super) ports: &'a UploadPorts<P>,
    /// The transfer's record, as read when this invocation claimed it. The claim increments the
    /// record's `epoch`, so this epoch identifies the invocation.
    pub(super) transfer: Transfer,
    pub(super) destination: Destination,
    /// The exchange object that is sent.
    pub(super) object: SourceObject,
    /// Time at which the invocation has to return: the deadline of the function or of the transfer,
    /// whichever is earlier, minus the safety margin.
    pub(super) stop_at: Timestamp,
    /// State machine that decides the next command.
    pub(super) machine: UploadMachine,
    /// Hash of all source bytes that the drive has acknowledged.
    pub(super) hash: SourceHash,
    /// The stored upload session; its URL is still sealed.
    pub(super) session: Option<SessionRecord>,
    /// The decrypted URL of the stored session; `None` until the first request that needs it.
    pub(super) url: Option<UploadUrl>,
    /// The source reader, positioned at the end of the last acknowledged fragment.
    pub(super) reader: Option<PositionedReader>,
    /// Content of a small document, which is sent with a single PUT.
    pub(super) small_document: Bytes,
    /// Files at the destination that may be the document and are still to be compared with it.
    pub(super) candidates: Vec<NamedItem>,
    /// Id of the item that the drive returned in response to the document's last byte.
    pub(super) completed_item_id: Option<String>,
    /// Time until which a single PUT may take effect, as written in the checkpoint.
    pub(super) lease: Option<Timestamp>,
    /// Whether a PUT was sent whose result is unknown, so that it may still take effect.
    pub(super) is_put_in_flight: bool,
    /// Throughput of the last fragment, which determines the size of the next fragment; `None`
    /// before the first fragment was accepted.
    pub(super) bytes_per_second: Option<f64>,
    /// Smoothed throughput, as stored in the checkpoint for progress reports.
    pub(super) throughput: Option<Throughput>,
    /// The last error with its cause, for the log.
    pub(super) last_error: Option<TaskError>,
}

impl<'a, P: UploadAdapters> Run<'a, P> {
    /// Returns the state at the start of an invocation that has claimed the transfer.
    pub(super) fn new(
        ports: &'a UploadPorts<P>,
        transfer: Transfer,
        session: Option<SessionRecord>,
        deadline: Timestamp,
    ) -> Result<Self, TaskError> {
        let (Some(destination), Some(object)) =
            (Destination::of(&transfer), SourceObject::of(&transfer))
        else {
            return Err(FailureCode::Internal.into());
        };
        let checkpoint = transfer.checkpoint.as_ref();
        let hash = SourceHash::resume(checkpoint.map(|stored| &stored.hash));
        let rules = UploadRules {
            largest_fragment: ports.settings.fragment_bytes,
            policy: ports.settings.policy,
        };
        let machine = UploadMachine::begin(object.size, rules, checkpoint, session.is_some());
        let margin = SignedDuration::try_from(ports.settings.margin).unwrap_or_default();
        let earlier_deadline = deadline.min(transfer.must_end_by());
        let stop_at = earlier_deadline.checked_sub(margin).unwrap_or(earlier_deadline);
        let throughput = checkpoint.and_then(|stored| stored.throughput);
        let completed_item_id = checkpoint.and_then(|stored| stored.completed_item_id.clone());
        Ok(Self {
            ports,
            transfer,
            destination,
            object,
            stop_at,
            machine,
            hash,
            session,
            url: None,
            reader: None,
            small_document: Bytes::new(),
            candidates: Vec::new(),
            completed_item_id,
            lease: None,
            is_put_in_flight: false,
            bytes_per_second: None,
            throughput,
            last_error: None,
        })
    }

    /// Returns the time that remains to this invocation before it has to return.
    pub(super) fn time_left(&self) -> Duration {
        let left = self.stop_at.duration_since(self.ports.clock.now());
        Duration::try_from(left).unwrap_or_default()
    }
}
