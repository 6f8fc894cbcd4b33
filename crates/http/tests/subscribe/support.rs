//! Helpers of the tests of event streams: they open streams, and change the transfer that a stream
//! reports.

use docferry_domain::phase::Phase;
use docferry_domain::transfer::Transfer;
use docferry_http::StreamMode;
use docferry_testkit::World;
use docferry_testkit::builders::pushed;

use crate::common::documents::DOCUMENT_SIZE;
use crate::common::events::{Event, Stream};
use crate::common::{build_request, subscribe_routes};

/// Returns the path of the event stream of a job.
pub(crate) fn subscribe_path(id: &str) -> String {
    format!("/v1/download/subscribe/{id}")
}

/// Opens the event stream of a job. If `last_id` is not empty, the stream begins after the event with
/// this id.
pub(crate) async fn open_stream(world: &World, id: &str, last_id: &str) -> Stream {
    let router = subscribe_routes(world, StreamMode::Stream);
    Stream::open(router, build_request("GET", &subscribe_path(id), ""), last_id).await
}

/// Changes the only transfer in the store.
pub(crate) fn update_transfer(world: &World, change: impl FnOnce(&mut Transfer)) {
    let mut transfer = world.store().transfers().remove(0);
    change(&mut transfer);
    world.store().set(transfer);
}

/// Sets the progress of the only transfer: `bytes` of its document are uploaded.
pub(crate) fn set_uploaded_bytes(world: &World, bytes: u64) {
    update_transfer(world, |transfer| {
        transfer.phase = Phase::Uploading;
        transfer.source = Some(pushed("order 0.pdf", DOCUMENT_SIZE as u64));
        transfer.bytes_done = bytes;
    });
}

/// Returns the id of the last event.
pub(crate) fn last_event_id(events: &[Event]) -> &str {
    &events.last().unwrap().id
}
