//! Client of the event streams (SSE) of the API, for the tests.

use axum::Router;
use axum::body::Body;
use docferry_openapi::Description;
use http::{Request, Response};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// Event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Event {
    /// Name of the event, or `message` for an unnamed event.
    pub(crate) name: String,
    pub(crate) id: String,
    pub(crate) data: Value,
}

/// Connection to an event stream.
pub(crate) struct Stream {
    pub(crate) response: Response<()>,
    body: Body,
    /// Text received so far.
    pub(crate) text: String,
}

impl Stream {
    /// Connects to a stream. If `last_id` is not empty, the stream begins after the event with this
    /// id.
    pub(crate) async fn open(router: Router, mut request: Request<Body>, last_id: &str) -> Self {
        if !last_id.is_empty() {
            request.headers_mut().insert("last-event-id", last_id.parse().unwrap());
        }
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        Self { response: Response::from_parts(parts, ()), body, text: String::new() }
    }

    /// Waits for the next chunk. Returns `None` at the end of the stream.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let frame = self.body.frame().await?.unwrap();
        let chunk = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        self.text += &chunk;
        Some(chunk)
    }

    /// Waits for the next chunk with events and returns them. Returns no events at the end of the
    /// stream.
    pub(crate) async fn events(&mut self) -> Vec<Event> {
        while let Some(chunk) = self.chunk().await {
            let events = parse_events(&chunk);
            if !events.is_empty() {
                return events;
            }
        }
        Vec::new()
    }

    /// Reads to the end and returns all events.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        while let Some(chunk) = self.chunk().await {
            events.extend(parse_events(&chunk));
        }
        events
    }
}

/// Parses the named events of a text. Also checks that the last unnamed event has the same id as
/// the last named event.
pub(crate) fn parse_events(text: &str) -> Vec<Event> {
    let (named, unnamed) = parse_named_and_unnamed_events(text);
    let id_of_last = |events: &[Event]| events.last().map(|event| event.id.clone());
    assert_eq!(id_of_last(&named), id_of_last(&unnamed), "{text}");
    named
}

/// Parses the named and the unnamed events of a text, and checks that the data of each conforms to
/// `openapi.yaml`. An unnamed event holds the whole status.
pub(crate) fn parse_named_and_unnamed_events(text: &str) -> (Vec<Event>, Vec<Event>) {
    let description = Description::of_project().unwrap();
    let parse_block = |block: &str| {
        let lines = block.lines().filter_map(|line| line.split_once(": "));
        let (fields, values): (Vec<&str>, Vec<&str>) = lines.unzip();
        let (name, id, data) = match (&fields[..], &values[..]) {
            (["event", "id", "data"], [name, id, data]) => (*name, *id, *data),
            (["id", "data"], [id, data]) => ("message", *id, *data),
            _ => return None,
        };
        let data: Value = serde_json::from_str(data).unwrap();
        let schema_name = match name {
            "status" => "JobStatusEvent",
            "progress" => "JobProgressEvent",
            "result" => "JobResultEvent",
            "error" => "JobError",
            "message" => "JobStatus",
            unknown => panic!("unknown event {unknown}"),
        };
        let schema = json!({ "$ref": format!("#/components/schemas/{schema_name}") });
        let violations = description.value_violations(&schema, &data);
        assert!(
            violations.is_empty(),
            "{name} does not conform to openapi.yaml: {}",
            violations.join("\n")
        );
        Some(Event { name: name.to_owned(), id: id.to_owned(), data })
    };
    let events = text.split_terminator("\n\n").filter_map(parse_block);
    events.partition(|event| event.name != "message")
}

/// Returns the names of events.
pub(crate) fn event_names(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.name.as_str()).collect()
}
