//! Admin interface of the OpenID Connect provider simulator. Tests use it to add clients and users,
//! to replace keys, and to get tokens with any claims.

use std::sync::Arc;

use aws_lc_rs::hmac;
use axum::{
    Router,
    body::Bytes,
    extract::State as Extract,
    response::{IntoResponse, Response},
    routing::post,
};
use http::StatusCode;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Map, Value, json};

use crate::{
    account::{Client, User},
    keys::{Algorithm, Key, encode},
    mint::{
        Claims, append_signature, common_claims, signing_failed, unsigned_token, with_flipped_bit,
    },
    refusal::Refusal,
    world::World,
};

pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/clients", post(add_client).get(list_clients))
        .route("/users", post(add_user).get(list_users))
        .route("/rotate", post(rotate))
        .route("/mint", post(mint))
        .with_state(world)
}

/// Parses a JSON body. An empty body has the same meaning as an empty object.
fn parse_body<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

async fn add_client(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    match parse_body::<Client>(&body) {
        Ok(client) => {
            let response_body = json!(client);
            world.state().clients.insert(client.client_id.clone(), client);
            sim_kit::json(StatusCode::OK, &response_body)
        }
        Err(message) => sim_kit::refuse(message),
    }
}

async fn list_clients(Extract(world): Extract<Arc<World>>) -> Response {
    let clients: Vec<Value> = world.state().clients.values().map(|client| json!(client)).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(clients))
}

async fn add_user(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    match parse_body::<User>(&body) {
        Ok(user) => {
            let response_body = json!(user);
            world.state().users.insert(user.login.clone(), user);
            sim_kit::json(StatusCode::OK, &response_body)
        }
        Err(message) => sim_kit::refuse(message),
    }
}

async fn list_users(Extract(world): Extract<Arc<World>>) -> Response {
    let users: Vec<Value> = world.state().users.values().map(|user| json!(user)).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(users))
}

/// Request to replace signing keys.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rotation {
    /// Algorithm whose key is replaced. Default: both algorithms.
    algorithm: Option<Algorithm>,
    /// Whether the old key stays in the key set document.
    #[serde(default)]
    keep: bool,
}

async fn rotate(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    let rotation: Rotation = match parse_body(&body) {
        Ok(rotation) => rotation,
        Err(message) => return sim_kit::refuse(message),
    };
    let mut ids = Map::new();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        if rotation.algorithm.is_some_and(|selected| selected != algorithm) {
            continue;
        }
        // The key is generated before the state is locked, because this takes long for RSA.
        let Ok(key) = Key::generate(algorithm) else { return signing_failed().into_response() };
        ids.insert(algorithm.name().to_owned(), key.id.as_str().into());
        let mut state = world.state();
        let current_key = state.keys.iter_mut().find(|key| key.algorithm() == algorithm);
        let Some(current_key) = current_key else { continue };
        let old_key = std::mem::replace(current_key, Arc::new(key));
        if rotation.keep {
            state.retired.push(old_key);
        }
    }
    sim_kit::json(StatusCode::OK, &Value::Object(ids))
}

/// Request of a test for a token. The token may be forged or malformed.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct MintRequest {
    /// Claims that replace those of a valid token. Null removes a claim.
    claims: Claims,
    /// Header fields that replace those of a valid token. Null removes a field.
    header: Claims,
    /// `RS256`, `ES256`, `none`, or `HS256` with the public key as its secret.
    algorithm: Option<String>,
    /// Lifetime in seconds from now. If it is negative, the token is expired.
    expires_in: i64,
    /// Whether the token is signed with an unpublished key, although it has the id of a published
    /// key.
    foreign_key: bool,
    /// Whether one bit of the signature is flipped.
    bad_signature: bool,
}

impl Default for MintRequest {
    fn default() -> Self {
        Self {
            claims: Claims::new(),
            header: Claims::new(),
            algorithm: None,
            expires_in: 300,
            foreign_key: false,
            bad_signature: false,
        }
    }
}

async fn mint(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    let request: MintRequest = match parse_body(&body) {
        Ok(request) => request,
        Err(message) => return sim_kit::refuse(message),
    };
    match mint_token(&world, request) {
        Ok(token) => sim_kit::json(StatusCode::OK, &json!({ "token": token })),
        Err(refusal) => refusal.into_response(),
    }
}

/// Creates the requested token.
fn mint_token(world: &World, request: MintRequest) -> Result<String, Refusal> {
    let name = request.algorithm.as_deref().unwrap_or(world.config.algorithm.name());
    // `none` and `HS256` have no key of their own. Their header names the key of the default.
    let algorithm = name.parse().unwrap_or(world.config.algorithm);
    let key = world.key(algorithm).ok_or_else(signing_failed)?;
    let mut header = Claims::new();
    for (field, value) in [("typ", "JWT"), ("alg", name), ("kid", &key.id)] {
        header.insert(field.to_owned(), value.into());
    }
    set_fields(&mut header, request.header);
    let mut claims = common_claims(world, "minted", &world.config.audience, request.expires_in);
    set_fields(&mut claims, request.claims);
    let unsigned = unsigned_token(&Value::Object(header), &claims);
    let token = match name {
        "none" => format!("{unsigned}."),
        "HS256" => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_bytes());
            format!("{unsigned}.{}", encode(hmac::sign(&secret, unsigned.as_bytes())))
        }
        "RS256" | "ES256" if request.foreign_key => {
            let foreign_key = world.foreign_key(algorithm).ok_or_else(signing_failed)?;
            append_signature(&unsigned, &foreign_key)?
        }
        "RS256" | "ES256" => append_signature(&unsigned, &key)?,
        _ => return Err(Refusal::bad_request("invalid_request", "RS256, ES256, HS256 or none")),
    };
    Ok(if request.bad_signature { with_flipped_bit(&token) } else { token })
}

/// Sets fields of `target`. A change to null removes the field.
fn set_fields(target: &mut Claims, changes: Claims) {
    for (name, value) in changes {
        if value.is_null() {
            target.remove(&name);
        } else {
            target.insert(name, value);
        }
    }
}
