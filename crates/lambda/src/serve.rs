use axum::Router;
use docferry_contract::scope::Scopes;
use docferry_http::Principal;
use lambda_http::request::RequestContext;
use lambda_http::tower::ServiceExt as _;
use lambda_http::{Error, Request, RequestExt as _, service_fn};

/// Serves a router behind API Gateway. The authorizer's principal and scopes go
/// into the request's extensions; without an authorizer there are none.
///
/// # Errors
/// Only the runtime's own.
pub async fn serve(router: Router) -> Result<(), Error> {
    lambda_http::run(service_fn(|mut request: Request| {
        let principal = request.request_context_ref().and_then(principal);
        if let Some(principal) = principal {
            request.extensions_mut().insert(principal);
        }
        router.clone().oneshot(request)
    }))
    .await
}

fn principal(context: &RequestContext) -> Option<Principal> {
    let RequestContext::ApiGatewayV1(context) = context else { return None };
    let field = |name: &str| context.authorizer.fields.get(name).and_then(|value| value.as_str());
    let id = field("principalId")?.to_owned();
    // Without scopes there is nothing that the caller may do.
    let scopes = field("scopes").map(Scopes::parse).unwrap_or_default();
    Some(Principal { id, scopes })
}
