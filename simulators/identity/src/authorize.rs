//! Authorization endpoint of the OpenID Connect provider simulator. It signs in the user in
//! `login_hint` without interaction.

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

/// Handles `GET /authorize`.
pub(crate) async fn authorize(
    Extract(world): Extract<Arc<World>>,
    Query(query): Query<HashMap<String, String>>,
) -> Response {
    let client = query.get("client_id").cloned().unwrap_or_default();
    let handle = async |_rule: Option<Rule>| {
        redirect_target(&world, &query).map_or_else(IntoResponse::into_response, |mut url| {
            let result = match create_code(&world, &query) {
                Ok(code) => ("code", code),
                Err(error) => ("error", error.to_owned()),
            };
            url.query_pairs_mut()
                .append_pair(result.0, &result.1)
                .append_pair("iss", world.issuer());
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
    let unknown = || Refusal::bad("invalid_request", "no such client or redirect URI");
    let client = query.get("client_id").and_then(|id| state.clients.get(id));
    let client = client.ok_or_else(unknown)?;
    let registered = query.get("redirect_uri").filter(|uri| client.redirect_uris.contains(uri));
    registered.and_then(|uri| uri.parse().ok()).ok_or_else(unknown)
}

fn create_code(world: &World, query: &HashMap<String, String>) -> Result<String, &'static str> {
    let field = |name: &str| query.get(name).map(String::as_str).unwrap_or_default();
    if field("response_type") != "code" {
        return Err("unsupported_response_type");
    }
    // A SHA-256 digest has 43 characters in unpadded base64.
    if field("code_challenge_method") != "S256" || field("code_challenge").len() != 43 {
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
