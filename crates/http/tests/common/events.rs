//! Client of event streams.

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
    pub(crate) kind: String,
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
    /// Connects. The stream resumes after the event `last_id`, unless it is empty.
    pub(crate) async fn open(router: Router, mut request: Request<Body>, last_id: &str) -> Self {
        if !last_id.is_empty() {
            request.headers_mut().insert("last-event-id", last_id.parse().unwrap());
        }
        let (parts, body) = router.oneshot(request).await.unwrap().into_parts();
        Self { response: Response::from_parts(parts, ()), body, text: String::new() }
    }

    /// Waits for the next chunk; `None` at the end.
    pub(crate) async fn chunk(&mut self) -> Option<String> {
        let frame = self.body.frame().await?.unwrap();
        let chunk = String::from_utf8(frame.into_data().unwrap().to_vec()).unwrap();
        self.text += &chunk;
        Some(chunk)
    }

    /// Waits for the next chunk with events and returns them; empty at the end.
    pub(crate) async fn events(&mut self) -> Vec<Event> {
        while let Some(chunk) = self.chunk().await {
            let found = parse_events(&chunk);
            if !found.is_empty() {
                return found;
            }
        }
        Vec::new()
    }

    /// Reads to the end and returns all events.
    pub(crate) async fn rest(&mut self) -> Vec<Event> {
        let mut found = Vec::new();
        while let Some(chunk) = self.chunk().await {
            found.extend(parse_events(&chunk));
        }
        found
    }
}

/// Parses the named events of a text. Also checks that the last event is unnamed and has the same
/// id as the last named one.
pub(crate) fn parse_events(text: &str) -> Vec<Event> {
    let (named, whole) = parse_named_and_unnamed_events(text);
    let ids = |events: &[Event]| events.last().map(|event| event.id.clone());
    assert_eq!(ids(&named), ids(&whole), "{text}");
    named
}

/// Parses the named and the unnamed events of a text, and checks that the data of each conforms to
/// `openapi.yaml`. An unnamed event holds the whole status.
pub(crate) fn parse_named_and_unnamed_events(text: &str) -> (Vec<Event>, Vec<Event>) {
    let description = Description::of_project().unwrap();
    let fields = |block: &str| -> Vec<(String, String)> {
        let lines = block.lines().filter_map(|line| line.split_once(": "));
        lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    };
    let read = |fields: Vec<(String, String)>| {
        let names: Vec<_> = fields.iter().map(|(name, _)| name.as_str()).collect();
        let values: Vec<_> = fields.iter().map(|(_, value)| value.clone()).collect();
        let (kind, id, data) = match (&names[..], &values[..]) {
            (["event", "id", "data"], [kind, id, data]) => (kind.as_str(), id, data),
            (["id", "data"], [id, data]) => ("message", id, data),
            _ => return None,
        };
        let data: Value = serde_json::from_str(data).unwrap();
        let name = match kind {
            "status" => "JobStatusEvent",
            "progress" => "JobProgressEvent",
            "result" => "JobResultEvent",
            "error" => "JobError",
            "message" => "JobStatus",
            other => panic!("unknown event {other}"),
        };
        let schema = json!({ "$ref": format!("#/components/schemas/{name}") });
        let violations = description.value_violations(&schema, &data);
        assert!(
            violations.is_empty(),
            "{kind} does not conform to openapi.yaml: {}",
            violations.join("\n")
        );
        Some(Event { kind: kind.to_owned(), id: id.clone(), data })
    };
    let found = text.split_terminator("\n\n").filter_map(|block| read(fields(block)));
    found.partition(|event| event.kind != "message")
}

/// Returns the names of events.
pub(crate) fn kinds(events: &[Event]) -> Vec<&str> {
    events.iter().map(|event| event.kind.as_str()).collect()
}
