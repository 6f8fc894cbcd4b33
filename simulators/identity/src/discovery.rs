//! Documents that the OpenID Connect provider simulator publishes: the discovery document and the
//! JSON Web Key Set.

use std::sync::Arc;

use axum::{extract::State as Extract, response::Response};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    refusal::scripted,
    world::{Rule, World},
};

/// Handles `GET /.well-known/openid-configuration`.
pub(crate) async fn document(Extract(world): Extract<Arc<World>>) -> Response {
    let handle = async |_rule: Option<Rule>| {
        let issuer = world.issuer();
        let response_body = json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported": ["authorization_code", "client_credentials"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        });
        sim_kit::json(StatusCode::OK, &response_body)
    };
    world.stage.run("discovery", "", scripted, handle).await
}

/// Handles `GET /jwks`.
pub(crate) async fn jwks(Extract(world): Extract<Arc<World>>) -> Response {
    let handle = async |_rule: Option<Rule>| {
        let state = world.state();
        let keys: Vec<Value> = state.keys.iter().chain(&state.retired).map(|k| k.jwk()).collect();
        sim_kit::json(StatusCode::OK, &json!({ "keys": keys }))
    };
    world.stage.run("jwks", "", scripted, handle).await
}
