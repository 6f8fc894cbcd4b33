use axum::Router;
use docferry_http::Principal;
use lambda_http::request::RequestContext;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Error, Request, RequestExt as _, service_fn};

/// Serves a router behind API Gateway. The authorizer's principal goes into the
/// request's extensions; without one there is none.
///
/// # Errors
/// Only the runtime's own.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_http::run(service_fn(|mut request: Request| {
        let principal = match request.request_context_ref() {
            Some(RequestContext::ApiGatewayV1(context)) => {
                context.authorizer.fields.get("principalId").and_then(|id| id.as_str())
            }
            _ => None,
        };
        if let Some(principal) = principal.map(|id| Principal(id.to_owned())) {
            request.extensions_mut().insert(principal);
        }
        router.clone().oneshot(request)
    }))
    .await
}
