use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest as Request,
    ApiGatewayCustomAuthorizerResponse as Response,
};
use aws_lambda_events::iam::{IamPolicyEffect, IamPolicyStatement};
use docferry_aws::secrets::SecretError;
use docferry_contract::scope::{Scope, Scopes};
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::oidc::{FetchError, Issuer, KeySource, Rejection, TokenError};
use crate::{Accounts, Credentials, SERVICE_PRINCIPAL, bearer};

/// Why the caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Missing or wrong credentials: a 401. The reason is for the log alone.
    #[error("unauthorized: {0}")]
    Unauthorized(Reason),
    /// Nobody can tell now: a 500, so that a caller does not throw away good
    /// credentials.
    #[error("the service account could not be read")]
    Unavailable(#[from] SecretError),
    /// The same of a token.
    #[error("the issuer's keys could not be had: {0}")]
    NoKeys(FetchError),
}

/// What is wrong with the credentials, without repeating any of them.
#[derive(Debug, thiserror::Error)]
pub enum Reason {
    /// There are none, or none of a kind that is known here.
    #[error("no credentials of a known kind")]
    Missing,
    /// Not the service account.
    #[error("wrong user name or password")]
    Password,
    /// A token that is not let in.
    #[error("{0}")]
    Token(Rejection),
    /// What API Gateway asked about has another form.
    #[error("no ARN of a method")]
    Request,
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let name = match refusal {
            Refusal::Unauthorized(_) => "Unauthorized",
            Refusal::Unavailable(_) | Refusal::NoKeys(_) => "AUTHORIZER_UNAVAILABLE",
        };
        // The whole message must be `Unauthorized` for API Gateway to answer 401.
        Self { error_type: name.to_owned(), error_message: name.to_owned() }
    }
}

/// Lets the service account in, and who bears a token of the issuer, if there is
/// one; for every route of the stage: API Gateway keeps the answer by credential,
/// so it must not depend on the route. What the caller may do there, the functions
/// decide by the scopes.
///
/// # Errors
/// See [`Refusal`].
pub async fn decide(
    accounts: &impl Accounts,
    issuer: Option<&Issuer<impl KeySource>>,
    request: &Request,
) -> Result<Response<Value>, Refusal> {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    let header = header.ok_or(Refusal::Unauthorized(Reason::Missing))?;
    let (principal, scopes, graph_user) = match (Credentials::parse(header), bearer(header), issuer)
    {
        (Some(sent), _, _) => {
            check_account(accounts, &sent).await?;
            (SERVICE_PRINCIPAL.to_owned(), Scopes::from(Scope::Service), None)
        }
        (None, Some(token), Some(issuer)) => {
            let caller = issuer.verify(&token).await?;
            // With a prefix, so that no token can claim to be the service account.
            (format!("sub:{}", caller.subject), caller.scopes, caller.graph_user)
        }
        _ => return Err(Refusal::Unauthorized(Reason::Missing)),
    };
    let stage = request.method_arn.as_deref().and_then(stage_arn);
    let stage = stage.ok_or(Refusal::Unauthorized(Reason::Request))?;
    Ok(admit(stage, &principal, scopes, graph_user))
}

async fn check_account(accounts: &impl Accounts, sent: &Credentials) -> Result<(), Refusal> {
    let known = sent.matches(&*accounts.account(false).await?);
    // The password may have been rotated since it was read.
    if known || sent.matches(&*accounts.account(true).await?) {
        return Ok(());
    }
    Err(Refusal::Unauthorized(Reason::Password))
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Rejected(why) => Self::Unauthorized(Reason::Token(why)),
            TokenError::Unavailable(why) => Self::NoKeys(why),
        }
    }
}

fn admit(
    resource: String,
    principal: &str,
    scopes: Scopes,
    graph_user: Option<String>,
) -> Response<Value> {
    let mut statement = IamPolicyStatement::default();
    statement.effect = IamPolicyEffect::Allow;
    statement.action = vec!["execute-api:Invoke".into()];
    statement.resource = vec![resource];
    let mut response = Response::<Value>::default();
    response.principal_id = Some(principal.to_owned());
    response.policy_document.version = Some("2012-10-17".into());
    response.policy_document.statement = vec![statement];
    let mut context = json!({ "principal": principal, "scopes": scopes.to_string() });
    // No null: API Gateway takes texts, numbers and truth values only.
    if let Some(id) = graph_user {
        context["graphUser"] = id.into();
    }
    response.context = context;
    response
}

/// `arn:…:{api}/{stage}/GET/path` → `arn:…:{api}/{stage}/*`.
fn stage_arn(method_arn: &str) -> Option<String> {
    let mut parts = method_arn.splitn(3, '/');
    let (api, stage) = (parts.next()?, parts.next()?);
    Some(format!("{api}/{stage}/*"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Account;
    use crate::oidc::HttpKeys;
    use std::sync::{Arc, Mutex};

    /// An account that changes when it is read anew.
    struct Rotated(Mutex<Vec<&'static str>>);

    impl Accounts for Rotated {
        async fn account(&self, fresh: bool) -> Result<Arc<Account>, SecretError> {
            let mut passwords = self.0.lock().unwrap();
            if fresh && passwords.len() > 1 {
                passwords.remove(0);
            }
            Ok(Arc::new(Account { username: "scv".into(), password: passwords[0].into() }))
        }
    }

    fn request(authorization: Option<&str>) -> Request {
        let headers = authorization.map_or(json!({}), |value| json!({ "Authorization": value }));
        serde_json::from_value(json!({
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:ca-central-1:123456789012:api/prod/GET/document/status/x",
            "headers": headers,
            "requestContext": {}
        }))
        .unwrap()
    }

    const NOBODY: Option<&Issuer<HttpKeys>> = None;

    // scv:new
    const NEW: &str = "Basic c2N2Om5ldw==";

    #[tokio::test]
    async fn the_account_is_admitted_to_the_whole_stage() {
        let response =
            decide(&Rotated(Mutex::new(vec!["new"])), NOBODY, &request(Some(NEW))).await.unwrap();
        let policy = serde_json::to_value(&response.policy_document).unwrap();
        let resource = "arn:aws:execute-api:ca-central-1:123456789012:api/prod/*";
        assert!(policy.to_string().contains(resource), "{policy}");
        assert_eq!(response.principal_id.as_deref(), Some("scv"));
        assert_eq!(response.context, json!({ "principal": "scv", "scopes": "docferry.service" }));
    }

    #[tokio::test]
    async fn a_rotated_password_is_noticed() {
        let accounts = Rotated(Mutex::new(vec!["old", "new"]));
        assert!(decide(&accounts, NOBODY, &request(Some(NEW))).await.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_says_exactly_unauthorized_and_nothing_else() {
        for header in [None, Some("Basic c2N2OndvcnNl"), Some("Bearer x")] {
            let accounts = Rotated(Mutex::new(vec!["new"]));
            let refusal = decide(&accounts, NOBODY, &request(header)).await;
            let diagnostic = Diagnostic::from(refusal.unwrap_err());
            assert_eq!(diagnostic.error_message, "Unauthorized");
        }
    }
}
