//! Event loops of the Lambda functions that serve the HTTP API behind API Gateway.

use std::convert::Infallible;
use std::future::Future;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use docferry_app::ports::Clock as _;
use docferry_contract::scope::Scopes;
use docferry_http::{GatewayContext, Principal, StreamMode, TimeLeft};
use jiff::Timestamp;
use lambda_http::request::RequestContext;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Error, Request, RequestExt as _, Response, service_fn};

use crate::SystemClock;
use crate::step::deadline;

/// Serves a router behind API Gateway. The extensions of a request contain the [`Principal`] that
/// the authorizer has found. Requests to routes without an authorizer have no principal.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_http::run(service_fn(|request| respond(&router, request))).await
}

/// Serves a router with long responses. If `mode` is [`StreamMode::Stream`], the responses are
/// streamed. [`StreamMode::Buffered`] is for an API that does not support streaming: the responses
/// are buffered as by [`serve`]. The extensions of a request contain a [`TimeLeft`]: the time
/// until Lambda ends the process.
///
/// # Errors
/// Only errors of the Lambda runtime itself.
pub async fn serve_streaming(router: Router, mode: StreamMode) -> Result<(), Error> {
    match mode {
        StreamMode::Buffered => serve(router).await,
        StreamMode::Stream => {
            let service = service_fn(|request| respond(&router, request));
            lambda_http::run_with_streaming_response(service).await
        }
    }
}

/// Passes a request to the router, with the principal, the connection and the time left in its
/// extensions.
fn respond(
    router: &Router,
    mut request: Request,
) -> impl Future<Output = Result<Response<Body>, Infallible>> + Send + use<> {
    let principal = request.request_context_ref().and_then(principal);
    if let Some(principal) = principal {
        request.extensions_mut().insert(principal);
    }
    let connection = request.request_context_ref().map(connection).unwrap_or_default();
    request.extensions_mut().insert(connection);
    let deadline = request.lambda_context_ref().map(deadline);
    if let Some(deadline) = deadline {
        request.extensions_mut().insert(time_left(deadline, SystemClock.now()));
    }
    router.clone().oneshot(request)
}

/// Time until the deadline. It is zero if the deadline has passed, which clock skew can cause.
fn time_left(deadline: Timestamp, now: Timestamp) -> TimeLeft {
    TimeLeft(Duration::try_from(deadline.duration_since(now)).unwrap_or_default())
}

/// Reads how API Gateway received the request.
fn connection(context: &RequestContext) -> GatewayContext {
    let RequestContext::ApiGatewayV1(context) = context else { return GatewayContext::default() };
    GatewayContext {
        ip: context.identity.source_ip.as_deref().and_then(|ip| ip.parse().ok()),
        gateway_request_id: context.request_id.clone(),
    }
}

/// Reads the principal from the authorizer's context.
fn principal(context: &RequestContext) -> Option<Principal> {
    let RequestContext::ApiGatewayV1(context) = context else { return None };
    let field = |name: &str| context.authorizer.fields.get(name).and_then(|value| value.as_str());
    let id = field("principalId")?.to_owned();
    // A caller without scopes may not do anything.
    let scopes = field("scopes").map(Scopes::parse).unwrap_or_default();
    // Claims that cannot be read cover nothing.
    let claims = field("documents").and_then(|text| serde_json::from_str(text).ok());
    let graph_user = field("graphUser").map(str::to_owned);
    Some(Principal { id, scopes, graph_user, claims: claims.unwrap_or_default() })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use docferry_contract::scope::Scope;
    use serde_json::{Value, json};

    /// Returns the principal of a request with this context of the authorizer.
    fn principal_from(authorizer: &Value) -> Option<Principal> {
        let sample = include_str!("../../../events/status/status.json");
        let mut context = serde_json::from_str::<Value>(sample).unwrap()["requestContext"].take();
        context["authorizer"] = authorizer.clone();
        principal(&RequestContext::ApiGatewayV1(serde_json::from_value(context).unwrap()))
    }

    #[test]
    fn time_left_is_never_negative() {
        let at = |seconds| Timestamp::from_second(seconds).unwrap();
        assert_eq!(time_left(at(310), at(10)), TimeLeft(Duration::from_secs(300)));
        assert_eq!(time_left(at(10), at(11)), TimeLeft(Duration::ZERO));
    }

    #[test]
    fn principal_and_scopes_come_from_the_authorizer_context() {
        let with_scope = json!({ "principalId": "sub:ada", "scopes": "docferry.service other" });
        let expected = |scopes, graph_user: Option<&str>| {
            let graph_user = graph_user.map(str::to_owned);
            let claims = BTreeSet::new();
            Some(Principal { id: "sub:ada".to_owned(), scopes, graph_user, claims })
        };
        assert_eq!(principal_from(&with_scope), expected(Scope::Service.into(), None));
        let with_graph_user = json!({ "principalId": "sub:ada", "graphUser": "0f8fad5b" });
        assert_eq!(principal_from(&with_graph_user), expected(Scopes::default(), Some("0f8fad5b")));
        assert_eq!(
            principal_from(&json!({ "principalId": "sub:ada" })),
            expected(Scopes::default(), None)
        );
        assert_eq!(principal_from(&json!({ "scopes": "docferry.service" })), None);
    }
}
