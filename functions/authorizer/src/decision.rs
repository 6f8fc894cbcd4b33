//! The authorizer's decision and its response to API Gateway.

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

/// Reason for which no policy is returned.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Missing or wrong credentials: a 401. The reason is only logged.
    #[error("unauthorized: {0}")]
    Unauthorized(CredentialProblem),
    /// The service account could not be read, so Basic credentials cannot be checked now. This is a
    /// 500, so that a caller does not discard valid credentials.
    #[error("the service account could not be read")]
    Unavailable(#[from] SecretError),
    /// The issuer's keys could not be fetched, so tokens cannot be checked now: a 500 as well.
    #[error("the issuer's keys could not be fetched: {0}")]
    KeysUnavailable(FetchError),
}

/// Problem with the credentials. No text repeats any part of them.
#[derive(Debug, thiserror::Error)]
pub enum CredentialProblem {
    /// There are no credentials, or they are of an unsupported kind.
    #[error("no supported credentials")]
    Missing,
    /// User name or password is not that of the service account.
    #[error("wrong user name or password")]
    Password,
    /// The token was rejected.
    #[error("{0}")]
    Token(Rejection),
    /// The request of API Gateway has no valid method ARN.
    #[error("no valid method ARN")]
    Request,
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let name = match refusal {
            Refusal::Unauthorized(_) => "Unauthorized",
            Refusal::Unavailable(_) | Refusal::KeysUnavailable(_) => "AUTHORIZER_UNAVAILABLE",
        };
        // The whole message must be `Unauthorized` for API Gateway to answer 401.
        Self { error_type: name.to_owned(), error_message: name.to_owned() }
    }
}

/// Authenticates the caller as the service account or, if an issuer is configured, by its token.
///
/// The returned policy allows every route of the stage. API Gateway caches it by credential, so it
/// must not depend on the route. The functions check the scopes of the caller for each route.
///
/// # Errors
/// See [`Refusal`].
pub async fn decide(
    accounts: &impl Accounts,
    issuer: Option<&Issuer<impl KeySource>>,
    request: &Request,
) -> Result<Response<Value>, Refusal> {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    let header = header.ok_or(Refusal::Unauthorized(CredentialProblem::Missing))?;
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
        _ => return Err(Refusal::Unauthorized(CredentialProblem::Missing)),
    };
    let stage = request.method_arn.as_deref().and_then(stage_arn);
    let stage = stage.ok_or(Refusal::Unauthorized(CredentialProblem::Request))?;
    Ok(allow(stage, &principal, scopes, graph_user))
}

/// Checks Basic credentials against the service account.
async fn check_account(accounts: &impl Accounts, sent: &Credentials) -> Result<(), Refusal> {
    let matches = sent.matches(&*accounts.account(false).await?);
    // The password may have been rotated since it was read.
    if matches || sent.matches(&*accounts.account(true).await?) {
        return Ok(());
    }
    Err(Refusal::Unauthorized(CredentialProblem::Password))
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Rejected(why) => Self::Unauthorized(CredentialProblem::Token(why)),
            TokenError::Unavailable(why) => Self::KeysUnavailable(why),
        }
    }
}

/// Returns a policy that allows all methods of the resource, with the caller in its context.
fn allow(
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
    // The member is omitted instead of null: API Gateway accepts only strings, numbers and
    // booleans.
    if let Some(id) = graph_user {
        context["graphUser"] = id.into();
    }
    response.context = context;
    response
}

/// Converts the ARN of a method, `arn:…:{api}/{stage}/GET/path`, into that of the whole stage,
/// `arn:…:{api}/{stage}/*`.
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

    /// Account whose password changes with each fresh read.
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

    const NO_ISSUER: Option<&Issuer<HttpKeys>> = None;

    /// Credentials `scv:new`.
    const NEW: &str = "Basic c2N2Om5ldw==";

    #[tokio::test]
    async fn service_account_is_allowed_on_the_whole_stage() {
        let response = decide(&Rotated(Mutex::new(vec!["new"])), NO_ISSUER, &request(Some(NEW)))
            .await
            .unwrap();
        let policy = serde_json::to_value(&response.policy_document).unwrap();
        let resource = "arn:aws:execute-api:ca-central-1:123456789012:api/prod/*";
        assert!(policy.to_string().contains(resource), "{policy}");
        assert_eq!(response.principal_id.as_deref(), Some("scv"));
        assert_eq!(response.context, json!({ "principal": "scv", "scopes": "docferry.service" }));
    }

    #[tokio::test]
    async fn rotated_password_is_accepted() {
        let accounts = Rotated(Mutex::new(vec!["old", "new"]));
        assert!(decide(&accounts, NO_ISSUER, &request(Some(NEW))).await.is_ok());
    }

    #[tokio::test]
    async fn rejected_credentials_give_the_exact_error_unauthorized() {
        for header in [None, Some("Basic c2N2OndvcnNl"), Some("Bearer x")] {
            let accounts = Rotated(Mutex::new(vec!["new"]));
            let refusal = decide(&accounts, NO_ISSUER, &request(header)).await;
            let diagnostic = Diagnostic::from(refusal.unwrap_err());
            assert_eq!(diagnostic.error_message, "Unauthorized");
        }
    }
}
