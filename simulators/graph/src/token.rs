//! Access tokens of the Microsoft Graph simulator: the token endpoint, which issues them, and the
//! check of the bearer token of each Graph request.

use std::time::{Duration, Instant};

use axum::response::{IntoResponse, Response};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, StatusCode,
    header::{AUTHORIZATION, HOST},
};
use percent_encoding::percent_decode_str;
use serde_json::json;
use uuid::Uuid;

use crate::{
    error::{self, GraphError, TokenError},
    world::World,
};

/// Handles `POST /{tenant}/oauth2/v2.0/token`.
pub(crate) async fn issue(
    world: &World,
    tenant: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Response {
    let handle = async |_rule| {
        issue_token(world, tenant, headers, body).unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("token", tenant, error::scripted_token, handle).await
}

/// Checks the credentials and the scope of the request, and issues a token. An error contains the
/// `AADSTS` number with which the real service reports the same reason.
fn issue_token(
    world: &World,
    tenant: &str,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<Response, TokenError> {
    let config = &world.config;
    if tenant != config.tenant {
        return Err(TokenError::new(
            StatusCode::BAD_REQUEST,
            "invalid_request",
            90_002,
            "Tenant not found.",
        ));
    }
    let form: Vec<(String, String)> = url::form_urlencoded::parse(body).into_owned().collect();
    let field = |name: &str| {
        form.iter()
            .find(|(field_name, _)| field_name == name)
            .map(|(_, value)| value.as_str())
            .unwrap_or_default()
    };
    if field("grant_type") != "client_credentials" {
        let message = "The grant type is not supported.";
        return Err(TokenError::new(
            StatusCode::BAD_REQUEST,
            "unsupported_grant_type",
            70_003,
            message,
        ));
    }
    let (client_id, secret) = basic_credentials(headers)
        .unwrap_or_else(|| (field("client_id").to_owned(), field("client_secret").to_owned()));
    if client_id != config.client_id {
        let message = "Application with that identifier was not found in the directory.";
        return Err(TokenError::new(
            StatusCode::BAD_REQUEST,
            "unauthorized_client",
            700_016,
            message,
        ));
    }
    if secret != config.client_secret {
        let message = "Invalid client secret provided.";
        return Err(TokenError::new(
            StatusCode::UNAUTHORIZED,
            "invalid_client",
            7_000_215,
            message,
        ));
    }
    if !is_graph_scope(world, headers, field("scope")) {
        let message = "The provided value for the input parameter 'scope' is not valid.";
        return Err(TokenError::new(StatusCode::BAD_REQUEST, "invalid_scope", 70_011, message));
    }
    let token = format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
    let lifetime = config.token_lifetime;
    world.state().tokens.insert(token.clone(), Instant::now() + lifetime);
    let response_body = json!({
        "token_type": "Bearer",
        "expires_in": reported_seconds(lifetime),
        "ext_expires_in": reported_seconds(lifetime),
        "access_token": token,
    });
    Ok(sim_kit::json(StatusCode::OK, &response_body))
}

/// Returns the lifetime that the response reports. It is one second less than the actual lifetime,
/// because the real service reports 3599 seconds for one hour.
fn reported_seconds(lifetime: Duration) -> u64 {
    lifetime.as_secs().saturating_sub(1)
}

/// Returns whether the scope names Graph as its resource.
///
/// Such a scope is `.default`, alone or after one of these base URLs:
///
/// - the URL of the simulator,
/// - the URL that the client used,
/// - the URL of the real Graph, which some clients cannot change.
fn is_graph_scope(world: &World, headers: &HeaderMap, scope: &str) -> bool {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let called_url = format!("http://{host}");
    scope == ".default"
        || [world.url.as_str(), called_url.as_str(), "https://graph.microsoft.com"]
            .into_iter()
            .any(|base_url| scope.strip_prefix(base_url) == Some("/.default"))
}

/// Returns the client id and secret from a `Basic` header. Both are form-encoded in the header
/// (RFC 6749, 2.3.1).
fn basic_credentials(headers: &HeaderMap) -> Option<(String, String)> {
    let value = headers.get(AUTHORIZATION)?.to_str().ok()?.strip_prefix("Basic ")?;
    let text = String::from_utf8(STANDARD.decode(value).ok()?).ok()?;
    let (id, secret) = text.split_once(':')?;
    let decode = |text: &str| percent_decode_str(text).decode_utf8().ok().map(Into::into);
    Some((decode(id)?, decode(secret)?))
}

/// Checks that the request carries a valid bearer token.
pub(crate) fn check(world: &World, headers: &HeaderMap) -> Result<(), GraphError> {
    let token = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "))
        .ok_or_else(GraphError::invalid_token)?;
    let mut state = world.state();
    let now = Instant::now();
    state.tokens.retain(|_, expires_at| *expires_at > now);
    match state.tokens.contains_key(token) {
        true => Ok(()),
        false => Err(GraphError::invalid_token()),
    }
}
