//! Endpoints `push-to-server` and `ping`.

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

use crate::world::{Job, Mode, NfsFile, Rule, State, World};

/// Required query parameters of a push.
const REQUIRED: [&str; 8] = [
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
    let query = Parameters::read(query.as_deref().unwrap_or_default());
    let guid = query.get("document_guid").unwrap_or_default();
    let subject = subject(&world.state(), guid);
    let work = async |rule: Option<Rule>| {
        check_user(&world, &headers)
            .and_then(|()| query.check(&world))
            .and_then(|()| push_to_nfs(&world, guid, &subject, rule.as_ref()))
            .unwrap_or_else(IntoResponse::into_response)
    };
    world.stage.run("push", &subject, scripted, work).await
}

/// Returns the subject that rules match on: guid and filename.
fn subject(state: &State, guid: &str) -> String {
    match state.documents.get(guid) {
        Some(document) => format!("{guid} {}", document.filename),
        None => guid.to_owned(),
    }
}

fn push_to_nfs(
    world: &World,
    guid: &str,
    subject: &str,
    rule: Option<&Rule>,
) -> Result<Response, Refusal> {
    let mut state = world.state();
    let State { documents, nfs, last_id } = &mut *state;
    let document = documents
        .get_mut(guid)
        .ok_or(Refusal(StatusCode::NOT_FOUND, "document_guid: no such object".to_owned()))?;
    if document.mode == Mode::ErrorText {
        let text = "ORA-20001: the object store did not deliver the document";
        return Ok(sim_kit::text(StatusCode::OK, "text/plain", text));
    }
    document.pushes += 1;
    *last_id += 1;
    // The rule for the move is taken here and not when the mover runs, so that the nth push is the
    // nth move.
    let move_rule = world.stage.faults.take(&["move"], subject);
    let size = document.source.size();
    let file = NfsFile {
        id: *last_id,
        guid: guid.to_owned(),
        key: document.key.clone().unwrap_or_else(|| document.filename.clone()),
        size,
        pushed_at: sim_kit::now().to_string(),
        last_error: None,
        never: move_rule.as_ref().is_some_and(|rule| rule.extra.never),
    };
    nfs.push(file.clone());
    let job = Job {
        file,
        subject: subject.to_owned(),
        mimetype: document.mimetype.clone(),
        source: Arc::clone(&document.source),
        delay: document.mover_delay.unwrap_or(world.config.mover_delay),
        rule: move_rule,
    };
    // Without a bucket there is no mover; sending then fails and the file stays on the NFS.
    let _no_mover = world.mover.send(job);

    let extra = rule.map(|rule| rule.extra.clone()).unwrap_or_default();
    let sizeval = extra.sizeval.or_else(|| document.sizeval.clone());
    let answer = json!({
        "filename": extra.filename.unwrap_or_else(|| document.filename.clone()),
        "mimetype": document.mimetype,
        "sizeval": sizeval.unwrap_or_else(|| size.to_string()),
    });
    Ok(sim_kit::json(StatusCode::OK, &answer))
}

/// Handles `GET /ping`.
pub(crate) async fn ping(Extract(world): Extract<Arc<World>>, headers: HeaderMap) -> Response {
    let work = async |_rule| match check_user(&world, &headers) {
        Ok(()) => {
            let answer = json!({ "objcenords status": "objcenords is up and running" });
            sim_kit::json(StatusCode::OK, &answer)
        }
        Err(refusal) => refusal.into_response(),
    };
    world.stage.run("ping", "", scripted, work).await
}

/// Query parameters of a push.
struct Parameters(Vec<(String, String)>);

impl Parameters {
    fn read(query: &str) -> Self {
        Self(url::form_urlencoded::parse(query.as_bytes()).into_owned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        let value = self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
        value.filter(|value| !value.is_empty())
    }

    fn check(&self, world: &World) -> Result<(), Refusal> {
        let bad = |message: String| Refusal(StatusCode::BAD_REQUEST, message);
        if let Some(missing) = REQUIRED.into_iter().find(|name| self.get(name).is_none()) {
            return Err(bad(format!("{missing}: missing")));
        }
        let minutes = self.get("ticket_lifetime").and_then(|text| text.parse::<u32>().ok());
        if minutes.is_none_or(|minutes| minutes == 0) {
            return Err(bad("ticket_lifetime: not a number of minutes".to_owned()));
        }
        let is_other =
            |wanted: &Option<String>, name| wanted.is_some() && wanted.as_deref() != self.get(name);
        if is_other(&world.config.application_id, "application_id")
            || is_other(&world.config.app_password, "app_password")
        {
            let message = "the application's credentials are not valid";
            return Err(Refusal(StatusCode::UNAUTHORIZED, message.to_owned()));
        }
        Ok(())
    }
}

/// Checks the user's HTTP Basic credentials.
fn check_user(world: &World, headers: &HeaderMap) -> Result<(), Refusal> {
    let expected = format!("{}:{}", world.config.user, world.config.password);
    let given = headers
        .get(AUTHORIZATION)
        .and_then(|value| value.to_str().ok()?.strip_prefix("Basic "))
        .and_then(|value| STANDARD.decode(value).ok());
    match given {
        Some(given) if given == expected.as_bytes() => Ok(()),
        _ => Err(Refusal(StatusCode::UNAUTHORIZED, "user or password is not valid".to_owned())),
    }
}

/// An error response: status and message.
struct Refusal(StatusCode, String);

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(status, message) = self;
        let body = json!({ "code": status.as_u16(), "message": message });
        let mut response = sim_kit::json(status, &body);
        if status == StatusCode::UNAUTHORIZED {
            let challenge = HeaderValue::from_static("Basic realm=\"ORDS\"");
            response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

/// Returns the response of a scripted fault.
fn scripted(status: StatusCode, code: Option<&str>) -> Response {
    Refusal(status, code.unwrap_or("a scripted fault").to_owned()).into_response()
}
