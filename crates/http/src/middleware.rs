//! Middleware that all routers of the API use: extractors of the authenticated caller, request ids,
//! the trace context of a request, and the standard response headers.

use std::collections::BTreeSet;

use axum::extract::{FromRequestParts, Request};
use axum::middleware::Next;
use axum::response::Response;
use axum::{Router, middleware};
use docferry_app::document::DocumentCaller;
use docferry_app::trace::{self, TRACEPARENT};
use docferry_contract::problem::Problem;
use docferry_contract::scope::{Scope, Scopes};
use docferry_domain::document::{Coverage, Viewer};
use docferry_domain::person::Person;
use docferry_domain::trace::TraceParent;
use http::request::Parts;
use http::{HeaderName, HeaderValue, header};
use tracing::Instrument as _;
use uuid::Uuid;

use crate::error::ApiError;
use crate::outcome::ErrorFormat;
use crate::problem;

/// Name of the header that contains the id of a request.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Minimum length of a request id that a caller sends, in characters.
const MIN_REQUEST_ID_LENGTH: usize = 8;
/// Maximum length of a request id that a caller sends, in characters.
const MAX_REQUEST_ID_LENGTH: usize = 128;

/// Authenticated caller. The authorizer identifies the caller before the request reaches a router.
/// The code that serves the router puts the principal into the extensions of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Id of the caller: `scv`, or `sub:` and the subject of a token. Transfers and jobs store this
    /// id as their owner.
    pub id: String,
    /// Scopes granted to the caller.
    pub scopes: Scopes,
    /// The caller's user id in Microsoft Graph, if the token contains it.
    pub graph_user: Option<String>,
    /// Documents that the caller may see by claims, which are values in the token.
    pub claims: BTreeSet<Coverage>,
}

impl Principal {
    /// Returns whether the caller has the scope. [`Scope::Service`] includes all other scopes.
    pub(crate) fn may(&self, scope: Scope) -> bool {
        self.scopes.has(scope) || self.scopes.has(Scope::Service)
    }

    /// Returns the caller with the rights to see documents. Services and callers with the scope
    /// [`Scope::Documents`] may see all documents.
    pub(crate) fn document_caller(&self) -> DocumentCaller {
        let viewer = if self.may(Scope::Documents) {
            Viewer::Unrestricted
        } else {
            Viewer::Restricted { claims: self.claims.clone() }
        };
        DocumentCaller { person: person(&self.id), viewer }
    }

    /// Returns the person for whom the slots of the caller's downloads count. A *slot* is the right
    /// of a transfer to call ORDS or to move bytes. Each person may hold only a limited number of
    /// slots. A service has such a limit too, so it is also a `Person`.
    pub(crate) fn slot_person(&self) -> Person {
        if self.scopes.has(Scope::Service) { Person::service(&self.id) } else { person(&self.id) }
    }

    /// Returns whether `user` is the caller. `user` is a principal id or a token subject.
    pub(crate) fn is(&self, user: &str) -> bool {
        self.id == user || subject(&self.id) == user
    }
}

/// Returns the person for a principal id (`sub:ada`) or a token subject (`ada`). Both give the same
/// person.
pub(crate) fn person(user: &str) -> Person {
    Person::new(subject(user))
}

/// Returns the token subject of a principal id (`sub:ada`) or of a token subject (`ada`).
fn subject(user: &str) -> &str {
    user.strip_prefix("sub:").unwrap_or(user)
}

impl<S: Sync> FromRequestParts<S> for Principal {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get::<Self>().cloned().ok_or(ApiError::Unauthenticated)
    }
}

/// Defines extractors of the caller, one for each scope. An extractor rejects callers without its
/// scope.
macro_rules! callers {
    ($($(#[$doc:meta])* $name:ident = $scope:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) Principal);

        impl<S: Sync> FromRequestParts<S> for $name {
            type Rejection = ApiError;

            async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
                let caller = Principal::from_request_parts(parts, state).await?;
                if caller.may(Scope::$scope) {
                    Ok(Self(caller))
                } else {
                    Err(ApiError::Forbidden(Scope::$scope))
                }
            }
        }
    )+};
}

callers! {
    /// Caller with the scope `docferry.service`, which all calls of the viewer (SCV) require.
    Service = Service;
    /// Caller that may read jobs.
    Reader = Read;
    /// Caller that may create or change jobs.
    Writer = Write;
}

/// Id of a request: the value of `X-Request-ID` that the caller sent. If the header is absent or
/// malformed, the id is a new UUID.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(pub String);

impl RequestId {
    fn of(request: &Request) -> Self {
        // An outer middleware may already have determined the id.
        if let Some(id) = request.extensions().get::<Self>() {
            return id.clone();
        }
        let sent_id = request.headers().get(REQUEST_ID).and_then(|value| value.to_str().ok());
        match sent_id.filter(|id| is_well_formed(id)) {
            Some(id) => Self(id.to_owned()),
            None => Self(Uuid::new_v4().to_string()),
        }
    }
}

/// Returns whether an id is safe in logs and headers without escaping. Such an id has 8 to 128
/// characters: ASCII letters, digits and `-_.:`.
fn is_well_formed(id: &str) -> bool {
    (MIN_REQUEST_ID_LENGTH..=MAX_REQUEST_ID_LENGTH).contains(&id.len())
        && id
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':'))
}

/// Adds the parts that every router of the API has: responses for unknown paths and methods,
/// request ids, the trace context, and the standard headers.
pub(crate) fn with_common_parts(router: Router) -> Router {
    router
        .fallback(problem::not_found)
        .method_not_allowed_fallback(problem::method_not_allowed)
        .layer(middleware::from_fn(request_context))
}

/// Middleware that runs a request within its span and trace context, and adds the standard
/// headers to its response.
async fn request_context(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let trace = trace_parent(&request);
    let span = request_span(&id, trace.as_ref());
    let format = ErrorFormat::of(request.uri().path());
    let response = trace::within(trace, next.run(request)).instrument(span).await;
    with_standard_headers(response, &id, format)
}

/// Returns the trace context from the header `traceparent`, if the header is valid.
fn trace_parent(request: &Request) -> Option<TraceParent> {
    request.headers().get(TRACEPARENT)?.to_str().ok()?.parse().ok()
}

/// Creates the span that adds the request id and the trace id to every log line of a request. The
/// span has the level `ERROR`, so that no log level setting filters it out.
fn request_span(id: &RequestId, trace: Option<&TraceParent>) -> tracing::Span {
    tracing::error_span!("request", request.id = id.0, trace.id = trace.map(TraceParent::trace_id))
}

/// Middleware that adds the standard headers to responses that do not come from a router: the
/// responses to CORS preflights and the errors of the rate limit.
pub(crate) async fn ensure_standard_headers(mut request: Request, next: Next) -> Response {
    let id = RequestId::of(&request);
    request.extensions_mut().insert(id.clone());
    let span = request_span(&id, trace_parent(&request).as_ref());
    let format = ErrorFormat::of(request.uri().path());
    let response = next.run(request).instrument(span).await;
    if response.headers().contains_key(REQUEST_ID) {
        response
    } else {
        with_standard_headers(response, &id, format)
    }
}

/// Adds the headers that all responses have. If the extensions of the response contain a
/// [`Problem`], it becomes the body of the response.
fn with_standard_headers(mut response: Response, id: &RequestId, format: ErrorFormat) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        *response.body_mut() = format.render(problem, &id.0);
        response.headers_mut().insert(header::CONTENT_TYPE, format.media_type());
        // This header contains the length of the empty body that the problem replaces.
        response.headers_mut().remove(header::CONTENT_LENGTH);
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(&id.0) {
        headers.insert(REQUEST_ID, value);
    }
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::X_FRAME_OPTIONS, "DENY"),
        (header::STRICT_TRANSPORT_SECURITY, "max-age=31536000; includeSubDomains"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Subscriber that records the fields of all spans.
    #[derive(Clone, Default)]
    struct Spans(Arc<Mutex<BTreeMap<&'static str, String>>>);

    impl Visit for Spans {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.lock().unwrap().insert(field.name(), format!("{value:?}"));
        }
    }

    impl Subscriber for Spans {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, span: &Attributes<'_>) -> Id {
            span.record(&mut self.clone());
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, _: &Event<'_>) {}

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    #[test]
    fn request_span_carries_the_request_id_and_trace_id() {
        let spans = Spans::default();
        let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".parse().unwrap();
        tracing::subscriber::with_default(spans.clone(), || {
            let _span = request_span(&RequestId("request-1".into()), Some(&trace));
        });

        let expected = BTreeMap::from([
            ("request.id", "\"request-1\"".to_owned()),
            ("trace.id", "\"0af7651916cd43dd8448eb211c80319c\"".to_owned()),
        ]);
        assert_eq!(*spans.0.lock().unwrap(), expected);
    }
}
