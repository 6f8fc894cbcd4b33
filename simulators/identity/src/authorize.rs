//! Authorization endpoint of the OpenID Connect provider simulator. A browser opens this endpoint
//! to sign in a user. The simulator does not ask for a password: it signs in the user whose login
//! is in the parameter `login_hint`, and redirects the browser to the client with an authorization
//! code.

use std::{collections::HashMap, sync::Arc};

use axum::{
    extract::{Query, State as Extract},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::LOCATION};
use jiff::SignedDuration;
use url::Url;
use uuid::Uuid;

use crate::{
    refusal::{Refusal, scripted},
    world::{Grant, Rule, World},
};

/// Time for which an authorization code is valid.
const CODE_LIFETIME: SignedDuration = SignedDuration::from_secs(60);
/// Number of characters of a code challenge: a SHA-256 hash in unpadded base64.
const CHALLENGE_LENGTH: usize = 43;

/// Handles `GET /authorize`.
pub(crate) async fn authorize(
    Extract(world): Extract<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let client = query.get("client_id").cloned().unwrap_or_default();
    let handle = async |_rule: Option<Rule>| {
        redirect_target(&world, &query).map_or_else(IntoResponse::into_response, |mut url| {
            let (name, value) = match create_code(&world, &query) {
                Ok(code) => ("code", code),
                Err(error) => ("error", error.to_owned()),
            };
            url.query_pairs_mut().append_pair(name, &value).append_pair("iss", world.issuer());
            if let Some(state) = query.get("state") {
                url.query_pairs_mut().append_pair("state", state);
            }
            redirect(&url)
        })
    };
    world.stage.run("authorize", &client, scripted, handle).await
}

/// Returns the redirect URI, or an error if the client has not registered it.
fn redirect_target(world: &World, query: &HashMap<String, String>) -> Result<Url, Refusal> {
    let state = world.state();
    let unknown = || Refusal::bad_request("invalid_request", "no such client or redirect URI");
    let client = query.get("client_id").and_then(|id| state.clients.get(id));
    let client = client.ok_or_else(unknown)?;
    let registered = query.get("redirect_uri").filter(|uri| client.redirect_uris.contains(uri));
    registered.and_then(|uri| uri.parse().ok()).ok_or_else(unknown)
}

/// Creates an authorization code, or returns the error code of OAuth.
fn create_code(world: &World, query: &HashMap<String, String>) -> Result<String, &'static str> {
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    if field("response_type") != "code" {
        return Err("unsupported_response_type");
    }
    if field("code_challenge_method") != "S256" || field("code_challenge").len() != CHALLENGE_LENGTH
    {
        return Err("invalid_request");
    }
    let mut state = world.state();
    let user = state.users.get(field("login_hint")).cloned().ok_or("login_required")?;
    let code = Uuid::new_v4().simple().to_string();
    let grant = Grant {
        client_id: field("client_id").to_owned(),
        redirect_uri: field("redirect_uri").to_owned(),
        challenge: field("code_challenge").to_owned(),
        nonce: query.get("nonce").cloned(),
        scope: field("scope").to_owned(),
        user,
        expires_at: sim_kit::now() + CODE_LIFETIME,
    };
    state.grants.insert(code.clone(), grant);
    Ok(code)
}

fn redirect(url: &Url) -> Response {
    let mut response = StatusCode::FOUND.into_response();
    if let Ok(value) = HeaderValue::from_str(url.as_str()) {
        response.headers_mut().insert(LOCATION, value);
    }
    response
}
