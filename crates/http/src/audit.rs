//! Audit trail of the API: the extractor [`Audited`], which collects the circumstances of a
//! request, and [`record_denial`]. A *denial* is the refusal of a document that does not exist or
//! that the caller may not see.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use docferry_app::audit::AuditedRequest;
use docferry_app::ports::AuditLog;
use docferry_contract::problem::FieldError;
use docferry_contract::scope::Scope;
use docferry_domain::audit::{EndUser, InvalidEndUser, RequestOrigin, RequestSource};
use http::header::USER_AGENT;
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use jiff::Timestamp;

use crate::error::ApiError;
use crate::middleware::{Principal, RequestId};

/// Header in which a service names the end user for whom it makes the request.
const ON_BEHALF_OF: HeaderName = HeaderName::from_static("x-on-behalf-of");

/// Facts about a request that only API Gateway knows. The code that serves a router puts them into
/// the extensions of each request.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct GatewayContext {
    /// Address from which the request came.
    pub ip: Option<IpAddr>,
    /// Id that API Gateway gave to the request.
    pub gateway_request_id: Option<String>,
}

/// Extractor of the facts about a request that the audit trail needs: the caller, the end user, and
/// the source of the request.
pub(crate) struct Audited(pub(crate) AuditedRequest);

impl<S: Sync> FromRequestParts<S> for Audited {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let caller = Principal::from_request_parts(parts, state).await?;
        let GatewayContext { ip, gateway_request_id } =
            parts.extensions.get::<GatewayContext>().cloned().unwrap_or_default();
        let user_agent = parts.headers.get(USER_AGENT);
        let user_agent = user_agent.map(|value| String::from_utf8_lossy(value.as_bytes()));
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        let source = RequestSource {
            gateway_request_id,
            ..RequestSource::new(ip, user_agent.as_deref(), request_id.unwrap_or_default())
        };
        let on_behalf_of = match parts.headers.get(ON_BEHALF_OF) {
            // Only a service can name an end user. A person acts in their own name.
            Some(name) if caller.scopes.has(Scope::Service) => Some(end_user(name)?),
            _ => None,
        };
        let origin = RequestOrigin { on_behalf_of, source };
        Ok(Self(AuditedRequest { actor: caller.id, origin }))
    }
}

/// Reads the name of an end user.
fn end_user(name: &HeaderValue) -> Result<EndUser, ApiError> {
    let name = str::from_utf8(name.as_bytes()).map_err(|_| InvalidEndUser);
    name.and_then(str::parse).map_err(|error| {
        let detail = format!("the header X-On-Behalf-Of {error}");
        ApiError::Invalid(vec![FieldError { pointer: String::new(), detail }])
    })
}

/// Records that a person was denied documents or subjects. The record does not distinguish unknown
/// documents from hidden ones.
///
/// Does nothing for callers who may see all documents, because no document is hidden from them.
pub(crate) async fn record_denial(
    log: &impl AuditLog,
    caller: &Principal,
    request: &AuditedRequest,
    requested: impl IntoIterator<Item = String>,
    now: Timestamp,
) -> Result<(), ApiError> {
    if caller.document_caller().may_see_unregistered() {
        return Ok(());
    }
    match request.denial(requested, now) {
        Some(denial) => Ok(log.count_denial(&denial).await?),
        None => Ok(()),
    }
}
