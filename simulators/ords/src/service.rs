//! Endpoints `push-to-server` and `ping` of the ORDS simulator, the simulated document source.
//!
//! A push copies a document to the simulated NFS. The mover later copies the document from the NFS
//! to the exchange bucket.

use std::sync::Arc;

use axum::{
    extract::{RawQuery, State as Extract},
    response::{IntoResponse, Response},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, HeaderValue, StatusCode,
    header::{AUTHORIZATION, WWW_AUTHENTICATE},
};
use serde_json::json;

use crate::world::{Mode, Move, NfsFile, Rule, State, World};

/// Query parameters that a push must have.
const REQUIRED_PARAMETERS: [&str; 8] = [
    "document_guid",
    "application_id",
    "app_password",
    "user_name",
    "database_id",
    "ticket_lifetime",
    "putid",
    "server",
];

/// Handles `GET /doc/push-to-server`.
pub(crate) async fn push(
    Extract(world): Extract<Arc<World>>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Response {
    let parameters = Parameters::parse(query.as_deref().unwrap_or_default());
    let guid = parameters.get("document_guid").unwrap_or_default();
    let subject = subject(&world.state(), guid);
    let handle = async |rule: Option<Rule>| {
        check_user(&world, &headers)
            .and_then(|()| parameters.check(&world))
            .and_then(|()| push_to_nfs(&world, guid, &subject, rule.as_ref()))
            .unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("push", &subject, scripted, handle).await
}

/// Returns the subject of a push, by which fault rules select it: the GUID and filename of the
/// document.
fn subject(state: &State, guid: &str) -> String {
    match state.documents.get(guid) {
        Some(document) => format!("{guid} {}", document.filename),
        None => guid.to_owned(),
    }
}

/// Copies a document to the NFS and gives it to the mover.
fn push_to_nfs(
    world: &World,
    guid: &str,
    subject: &str,
    rule: Option<&Rule>,
) -> Result<Response, ErrorResponse> {
    let mut state = world.state();
    let State { documents, nfs, last_id } = &mut *state;
    let document = documents.get_mut(guid).ok_or_else(|| {
        ErrorResponse::new(StatusCode::NOT_FOUND, "document_guid: no such object")
    })?;
    if document.mode == Mode::ErrorText {
        let text = "ORA-20001: the object store did not deliver the document";
        return Ok(sim_kit::text(StatusCode::OK, "text/plain", text));
    }
    document.pushes += 1;
    *last_id += 1;
    // The rule for the move is selected here and not by the mover. So the moves are counted in the
    // order of their pushes, and the field `position` of a rule refers to this order.
    let move_rule = world.stage.faults.take(&["move"], subject);
    let size = document.source.size();
    let file = NfsFile {
        id: *last_id,
        guid: guid.to_owned(),
        key: document.key.clone().unwrap_or_else(|| document.filename.clone()),
        size,
        pushed_at: sim_kit::now().to_string(),
        last_error: None,
        never: move_rule.as_ref().is_some_and(|rule| rule.service_faults.never),
    };
    nfs.push(file.clone());
    let instruction = Move {
        file,
        subject: subject.to_owned(),
        mimetype: document.mimetype.clone(),
        source: Arc::clone(&document.source),
        delay: document.mover_delay.unwrap_or(world.config.mover_delay),
        rule: move_rule,
    };
    // Without a bucket there is no mover. Then sending fails, and the file stays on the NFS.
    let _result = world.mover.send(instruction);

    let faults = rule.map(|rule| rule.service_faults.clone()).unwrap_or_default();
    let sizeval = faults.sizeval.or_else(|| document.sizeval.clone());
    let response_body = json!({
        "filename": faults.filename.unwrap_or_else(|| document.filename.clone()),
        "mimetype": document.mimetype,
        "sizeval": sizeval.unwrap_or_else(|| size.to_string()),
    });
    Ok(sim_kit::json(StatusCode::OK, &response_body))
}

/// Handles `GET /ping`.
pub(crate) async fn ping(Extract(world): Extract<Arc<World>>, headers: HeaderMap) -> Response {
    let handle = async |_rule| match check_user(&world, &headers) {
        Ok(()) => {
            let response_body = json!({ "objcenords status": "objcenords is up and running" });
            sim_kit::json(StatusCode::OK, &response_body)
        }
        Err(error) => error.into_response(),
    };
    world.stage.run("ping", "", scripted, handle).await
}

/// Query parameters of a push.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn parse(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    /// Returns the value of a parameter that is present and not empty.
    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    /// Checks that all required parameters are present and valid.
    fn check(&self, world: &World) -> Result<(), ErrorResponse> {
        let bad_request = |message: &str| ErrorResponse::new(StatusCode::BAD_REQUEST, message);
        if let Some(missing) = REQUIRED_PARAMETERS.into_iter().find(|name| self.get(name).is_none())
        {
            return Err(bad_request(&format!("{missing}: missing")));
        }
        let minutes = self.get("ticket_lifetime").and_then(|text| text.parse::<u32>().ok());
        if minutes.is_none_or(|minutes| minutes == 0) {
            return Err(bad_request("ticket_lifetime: not a number of minutes"));
        }
        // The configuration may accept every value. The expected value is then `None`.
        let is_wrong = |expected: &Option<String>, name| {
            expected.is_some() && expected.as_deref() != self.get(name)
        };
        if is_wrong(&world.config.application_id, "application_id")
            || is_wrong(&world.config.app_password, "app_password")
        {
            let message = "the application's credentials are not valid";
            return Err(ErrorResponse::new(StatusCode::UNAUTHORIZED, message));
        }
        Ok(())
    }
}

/// Checks the user's HTTP Basic credentials.
fn check_user(world: &World, headers: &HeaderMap) -> Result<(), ErrorResponse> {
    let expected = format!("{}:{}", world.config.user, world.config.password);
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok());
    match given {
        Some(given) if given == expected.as_bytes() => Ok(()),
        _ => Err(ErrorResponse::new(StatusCode::UNAUTHORIZED, "user or password is not valid")),
    }
}

/// An error response.
struct ErrorResponse {
    status: StatusCode,
    message: String,
}

impl ErrorResponse {
    fn new(status: StatusCode, message: &str) -> Self {
        Self { status, message: message.to_owned() }
    }
}

impl IntoResponse for ErrorResponse {
    fn into_response(self) -> Response {
        let Self { status, message } = self;
        let body = json!({ "code": status.as_u16(), "message": message });
        let mut response = sim_kit::json(status, &body);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"ORDS\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Returns the error response that a fault rule demands.
fn scripted(status: StatusCode, code: Option<&str>) -> Response {
    ErrorResponse::new(status, code.unwrap_or("a scripted fault")).into_response()
}
