//! The admin routes that only the provider has.

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
    keys::{Algorithm, Key, encode},
    mint::{Claims, basics, broken, signed, spoilt, unsigned},
    refusal::Refusal,
    world::{Client, User, World},
};

pub(crate) fn routes(world: Arc<World>) -> Router {
    Router::new()
        .route("/clients", post(add_client).get(clients))
        .route("/users", post(add_user).get(users))
        .route("/rotate", post(rotate))
        .route("/mint", post(mint))
        .with_state(world)
}

/// An empty body is an object without fields.
fn read<T: DeserializeOwned>(body: &Bytes) -> Result<T, String> {
    let text: &[u8] = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(text).map_err(|error| error.to_string())
}

async fn add_client(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    match read::<Client>(&body) {
        Ok(client) => {
            let answer = json!(client);
            world.state().clients.insert(client.client_id.clone(), client);
            sim_kit::json(StatusCode::OK, &answer)
        }
        Err(message) => sim_kit::refuse(message),
    }
}

async fn clients(Extract(world): Extract<Arc<World>>) -> Response {
    let all: Vec<Value> = world.state().clients.values().map(|client| json!(client)).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(all))
}

async fn add_user(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    match read::<User>(&body) {
        Ok(user) => {
            let answer = json!(user);
            world.state().users.insert(user.login.clone(), user);
            sim_kit::json(StatusCode::OK, &answer)
        }
        Err(message) => sim_kit::refuse(message),
    }
}

async fn users(Extract(world): Extract<Arc<World>>) -> Response {
    let all: Vec<Value> = world.state().users.values().map(|user| json!(user)).collect();
    sim_kit::json(StatusCode::OK, &Value::Array(all))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Rotation {
    /// Of this kind only; none = of both.
    algorithm: Option<Algorithm>,
    /// The old key stays in the document.
    #[serde(default)]
    keep: bool,
}

async fn rotate(Extract(world): Extract<Arc<World>>, body: Bytes) -> Response {
    let wanted: Rotation = match read(&body) {
        Ok(wanted) => wanted,
        Err(message) => return sim_kit::refuse(message),
    };
    let mut ids = Map::new();
    for algorithm in [Algorithm::Rs256, Algorithm::Es256] {
        if wanted.algorithm.is_some_and(|only| only != algorithm) {
            continue;
        }
        // Not under the lock: an RSA key takes a while.
        let Ok(key) = Key::generate(algorithm) else { return broken().into_response() };
        ids.insert(algorithm.name().to_owned(), key.id.as_str().into());
        let mut state = world.state();
        let Some(place) = state.keys.iter_mut().find(|key| key.algorithm() == algorithm) else {
            continue;
        };
        let old = std::mem::replace(place, Arc::new(key));
        if wanted.keep {
            state.retired.push(old);
        }
    }
    sim_kit::json(StatusCode::OK, &Value::Object(ids))
}

/// A token as somebody might make it who means no good.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
struct Wish {
    /// In place of what a good token says; null takes a claim away.
    claims: Claims,
    /// The same of the header.
    header: Claims,
    /// `RS256`, `ES256`, `none`, or `HS256` with the public key as its secret.
    algorithm: Option<String>,
    /// Counted from now; negative = expired.
    expires_in: i64,
    /// Signed with a key that the provider does not have, under the id of one.
    foreign_key: bool,
    /// One bit of the signature is another.
    bad_signature: bool,
}

impl Default for Wish {
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
    let wish: Wish = match read(&body) {
        Ok(wish) => wish,
        Err(message) => return sim_kit::refuse(message),
    };
    match made(&world, wish) {
        Ok(token) => sim_kit::json(StatusCode::OK, &json!({ "token": token })),
        Err(refusal) => refusal.into_response(),
    }
}

fn made(world: &World, wish: Wish) -> Result<String, Refusal> {
    let name = wish.algorithm.as_deref().unwrap_or(world.config.algorithm.name());
    let algorithm = name.parse().unwrap_or(world.config.algorithm);
    let key = world.key(algorithm).ok_or_else(broken)?;
    let mut header = Claims::new();
    for (field, value) in [("typ", "JWT"), ("alg", name), ("kid", &key.id)] {
        header.insert(field.to_owned(), value.into());
    }
    put(&mut header, wish.header);
    let mut claims = basics(world, "minted", &world.config.audience, wish.expires_in);
    put(&mut claims, wish.claims);
    let unsigned = unsigned(&Value::Object(header), &claims);
    let token = match name {
        "none" => format!("{unsigned}."),
        "HS256" => {
            let secret = hmac::Key::new(hmac::HMAC_SHA256, key.public_bytes());
            format!("{unsigned}.{}", encode(hmac::sign(&secret, unsigned.as_bytes())))
        }
        "RS256" | "ES256" if wish.foreign_key => {
            signed(&unsigned, &*world.foreign_key(algorithm).ok_or_else(broken)?)?
        }
        "RS256" | "ES256" => signed(&unsigned, &key)?,
        _ => return Err(Refusal::bad("invalid_request", "RS256, ES256, HS256 or none")),
    };
    Ok(if wish.bad_signature { spoilt(&token) } else { token })
}

fn put(fields: &mut Claims, wanted: Claims) {
    for (name, value) in wanted {
        if value.is_null() {
            fields.remove(&name);
        } else {
            fields.insert(name, value);
        }
    }
}
