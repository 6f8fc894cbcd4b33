//! Token endpoint of the OpenID Connect provider simulator. A client requests an access token for
//! itself (client credentials) or for a user who has signed in (authorization code).

use std::{collections::HashMap, sync::Arc};

use axum::{
    body::Bytes,
    extract::State as Extract,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, CACHE_CONTROL},
};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::{
    account::{Client, Rights},
    keys::encode,
    mint::{Claims, add_person, add_rights, common_claims, sign},
    refusal::{Refusal, scripted},
    world::{Rule, World},
};

/// Fields of the request form by their names.
type Form = HashMap<String, String>;

/// Handles `POST /token`.
pub(crate) async fn issue(
    Extract(world): Extract<Arc<World>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let form: Form = url::form_urlencoded::parse(&body).into_owned().collect();
    let (id, secret) = credentials(&headers, &form);
    let handle = async |_rule: Option<Rule>| {
        let issued = authenticate_client(&world, &id, secret.as_deref()).and_then(|client| {
            match form.get("grant_type").map(String::as_str) {
                Some("client_credentials") => client_credentials_grant(&world, &client, &form),
                Some("authorization_code") => authorization_code_grant(&world, &client, &form),
                _ => Err(Refusal::bad_request("unsupported_grant_type", "no such grant")),
            }
        });
        match issued {
            Ok(response_body) => {
                let mut response = sim_kit::json(StatusCode::OK, &response_body);
                response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
            Err(refusal) => refusal.into_response(),
        }
    };
    world.stage.run("token", &id, scripted, handle).await
}

/// Returns the client id and secret. They are in the `Basic` header, form-encoded, or in the form.
fn credentials(headers: &HeaderMap, form: &Form) -> (String, Option<String>) {
    let basic = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|value| String::from_utf8(STANDARD.decode(value).ok()?).ok())
        .and_then(|text| {
            text.split_once(':').map(|(id, secret)| (form_decode(id), form_decode(secret)))
        });
    match basic {
        Some((id, secret)) => (id, Some(secret)),
        None => {
            let field = |name: &str| form.get(name).cloned();
            (field("client_id").unwrap_or_default(), field("client_secret"))
        }
    }
}

/// Decodes one form-encoded text.
fn form_decode(text: &str) -> String {
    // The library decodes only forms, so the text becomes the only field of a form.
    let form = format!("x={text}");
    let mut fields = url::form_urlencoded::parse(form.as_bytes()).into_owned();
    fields.next().map(|(_, value)| value).unwrap_or_default()
}

/// Returns the client with this id if the secret is correct.
fn authenticate_client(world: &World, id: &str, secret: Option<&str>) -> Result<Client, Refusal> {
    let client = world.state().clients.get(id).cloned().ok_or_else(Refusal::invalid_client)?;
    if client.client_secret.as_deref() == secret {
        Ok(client)
    } else {
        Err(Refusal::invalid_client())
    }
}

/// Issues a token for the client itself.
fn client_credentials_grant(world: &World, client: &Client, form: &Form) -> Result<Value, Refusal> {
    if client.client_secret.is_none() {
        return Err(Refusal::bad_request(
            "unauthorized_client",
            "a public client cannot use client credentials",
        ));
    }
    let requested = form.get("scope").map(String::as_str).unwrap_or_default();
    let scope = match requested {
        "" => client.rights.scopes.join(" "),
        _ if requested
            .split(' ')
            .all(|name| client.rights.scopes.iter().any(|allowed| allowed == name)) =>
        {
            requested.to_owned()
        }
        _ => {
            return Err(Refusal::bad_request(
                "invalid_scope",
                "the client may not request this scope",
            ));
        }
    };
    let token = access_token(world, &client.client_id, &client.rights, &scope, |_| {})?;
    Ok(token_response(world, &token, &scope))
}

/// Exchanges an authorization code for an access token of a user. The response also contains an ID
/// token if the client has requested the scope `openid`.
fn authorization_code_grant(world: &World, client: &Client, form: &Form) -> Result<Value, Refusal> {
    let invalid_grant =
        || Refusal::bad_request("invalid_grant", "the code or one of its parameters is wrong");
    let field = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
    // A code can be used only once. An exchange that fails uses up the code too.
    let grant = world.state().grants.remove(field("code")).ok_or_else(invalid_grant)?;
    let verifier = field("code_verifier");
    if grant.client_id != client.client_id
        || grant.redirect_uri != field("redirect_uri")
        || grant.expires_at < sim_kit::now()
        || encode(Sha256::digest(verifier)) != grant.challenge
    {
        return Err(invalid_grant());
    }
    let user = &grant.user;
    let may_request =
        |rights: &Rights, name: &str| rights.scopes.iter().any(|allowed| allowed == name);
    let granted = grant.scope.split(' ').filter(|name| {
        *name == "openid" || (may_request(&user.rights, name) && may_request(&client.rights, name))
    });
    let scope = granted.collect::<Vec<_>>().join(" ");
    let token =
        access_token(world, &user.sub, &user.rights, &scope, |claims| add_person(claims, user))?;
    let mut response = token_response(world, &token, &scope);
    if scope.split(' ').any(|name| name == "openid") {
        let mut claims = common_claims(world, &user.sub, &client.client_id, lifetime(world));
        add_person(&mut claims, user);
        if let Some(nonce) = grant.nonce {
            claims.insert("nonce".to_owned(), nonce.into());
        }
        response["id_token"] = sign(world, &claims)?.into();
    }
    Ok(response)
}

/// Returns a signed access token for a user or client. `subject` is its id, and `add_claims` adds
/// claims that not every token has.
fn access_token(
    world: &World,
    subject: &str,
    rights: &Rights,
    scope: &str,
    add_claims: impl FnOnce(&mut Claims),
) -> Result<String, Refusal> {
    let mut claims = common_claims(world, subject, &world.config.audience, lifetime(world));
    add_rights(&mut claims, rights, scope);
    add_claims(&mut claims);
    sign(world, &claims)
}

/// Returns the lifetime of a token in seconds.
fn lifetime(world: &World) -> i64 {
    i64::try_from(world.config.token_lifetime.as_secs()).unwrap_or(i64::MAX)
}

fn token_response(world: &World, token: &str, scope: &str) -> Value {
    json!({
        "access_token": token,
        "token_type": "Bearer",
        "expires_in": lifetime(world),
        "scope": scope,
    })
}
