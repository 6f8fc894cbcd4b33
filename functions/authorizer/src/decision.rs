//! The decision of the Lambda authorizer: whether API Gateway accepts a request, and which caller
//! (principal) and scopes the request has. `main.rs` calls [`decide`].
//!
//! An accepted request gets an IAM policy for the whole stage. (The stage is the deployment of the
//! API that the URL names, such as `prod`.) A refused request gets an error, which API Gateway
//! converts to a 401 or a 500.

use std::collections::BTreeSet;

use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest as AuthorizerRequest,
    ApiGatewayCustomAuthorizerResponse as AuthorizerResponse,
};
use aws_lambda_events::iam::{IamPolicyEffect, IamPolicyStatement};
use docferry_aws::secrets::SecretError;
use docferry_contract::scope::Scope;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::oidc::{Caller, FetchError, Issuer, KeySource, Rejection, TokenError};
use crate::{Accounts, Credentials, SERVICE_PRINCIPAL, bearer};

/// Reason for refusing a request.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The credentials are missing or wrong, so the caller gets a 401. The problem is only logged.
    #[error("unauthorized: {0}")]
    Unauthorized(CredentialProblem),
    /// The service account could not be read, so Basic credentials cannot be checked now. The
    /// caller gets a 500 and not a 401, so that it does not discard valid credentials.
    #[error("the service account could not be read")]
    Unavailable(#[from] SecretError),
    /// The issuer's keys could not be fetched, so tokens cannot be checked now. The caller gets a
    /// 500, so that it does not discard a valid token.
    #[error("the issuer's keys could not be fetched: {0}")]
    KeysUnavailable(FetchError),
}

/// Problem with the credentials or the request. The error texts contain no part of the credentials.
#[derive(Debug, thiserror::Error)]
pub enum CredentialProblem {
    /// The request has no credentials, or credentials of an unsupported scheme.
    #[error("no supported credentials")]
    Missing,
    /// The user name or the password differs from that of the service account.
    #[error("wrong user name or password")]
    Password,
    /// The token was rejected.
    #[error("{0}")]
    Token(Rejection),
    /// API Gateway sent no valid method ARN, which names the called route and the stage.
    #[error("no valid method ARN")]
    Request,
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let name = match refusal {
            Refusal::Unauthorized(_) => "Unauthorized",
            Refusal::Unavailable(_) | Refusal::KeysUnavailable(_) => "AUTHORIZER_UNAVAILABLE",
        };
        // API Gateway responds with 401 only if the whole message is `Unauthorized`.
        Self { error_type: name.to_owned(), error_message: name.to_owned() }
    }
}

/// Authenticates the caller of a request: by Basic credentials as the service account or, if an
/// issuer is configured, by a bearer token.
///
/// The returned policy allows every route of the stage. API Gateway caches it by credential, so it
/// must not depend on the route. The functions check the scopes of the caller for each route.
///
/// # Errors
/// See [`Refusal`].
pub async fn decide(
    accounts: &impl Accounts,
    issuer: Option<&Issuer<impl KeySource>>,
    request: &AuthorizerRequest,
) -> Result<AuthorizerResponse<Value>, Refusal> {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    let header = header.ok_or(Refusal::Unauthorized(CredentialProblem::Missing))?;
    let caller = match (Credentials::parse(header), bearer(header), issuer) {
        (Some(credentials), _, _) => {
            check_account(accounts, &credentials).await?;
            Caller {
                subject: SERVICE_PRINCIPAL.to_owned(),
                scopes: Scope::Service.into(),
                graph_user: None,
                documents: BTreeSet::new(),
            }
        }
        (None, Some(token), Some(issuer)) => {
            let caller = issuer.verify(&token).await?;
            // The prefix prevents a token from claiming to be the service account.
            Caller { subject: format!("sub:{}", caller.subject), ..caller }
        }
        _ => return Err(Refusal::Unauthorized(CredentialProblem::Missing)),
    };
    let stage_arn = request.method_arn.as_deref().and_then(to_stage_arn);
    let stage_arn = stage_arn.ok_or(Refusal::Unauthorized(CredentialProblem::Request))?;
    Ok(allow(stage_arn, caller))
}

/// Checks Basic credentials against the service account.
async fn check_account(accounts: &impl Accounts, credentials: &Credentials) -> Result<(), Refusal> {
    let cached_account = accounts.account(false).await?;
    if credentials.matches(&cached_account) {
        return Ok(());
    }
    // The password may have been rotated since the account was cached.
    let fresh_account = accounts.account(true).await?;
    if credentials.matches(&fresh_account) {
        return Ok(());
    }
    Err(Refusal::Unauthorized(CredentialProblem::Password))
}

impl From<TokenError> for Refusal {
    fn from(error: TokenError) -> Self {
        match error {
            TokenError::Rejected(rejection) => {
                Self::Unauthorized(CredentialProblem::Token(rejection))
            }
            TokenError::Unavailable(fetch_error) => Self::KeysUnavailable(fetch_error),
        }
    }
}

/// Returns a policy that allows all methods of the stage. Its context passes the caller to the
/// functions of the API.
fn allow(stage_arn: String, caller: Caller) -> AuthorizerResponse<Value> {
    let Caller { subject: principal, scopes, graph_user, documents } = caller;
    let mut statement = IamPolicyStatement::default();
    statement.effect = IamPolicyEffect::Allow;
    statement.action = vec!["execute-api:Invoke".into()];
    statement.resource = vec![stage_arn];
    let mut response = AuthorizerResponse::<Value>::default();
    response.principal_id = Some(principal.clone());
    response.policy_document.version = Some("2012-10-17".into());
    response.policy_document.statement = vec![statement];
    let mut context = json!({ "principal": principal, "scopes": scopes.to_string() });
    // A caller without a Graph user has no member `graphUser`, because API Gateway does not accept
    // null here.
    if let Some(user_id) = graph_user {
        context["graphUser"] = user_id.into();
    }
    // API Gateway allows no lists and objects in a context, so the list is passed as JSON text.
    if !documents.is_empty()
        && let Ok(documents_json) = serde_json::to_string(&documents)
    {
        context["documents"] = documents_json.into();
    }
    response.context = context;
    response
}

/// Converts the ARN of a method, `arn:…:{api}/{stage}/GET/path`, into the ARN of all methods of its
/// stage, `arn:…:{api}/{stage}/*`.
fn to_stage_arn(method_arn: &str) -> Option<String> {
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

    /// Account whose password is rotated. The first password of the list is the current one. Each
    /// fresh read removes the first password, unless it is the only one.
    struct RotatedAccount(Mutex<Vec<&'static str>>);

    impl Accounts for RotatedAccount {
        async fn account(&self, fresh: bool) -> Result<Arc<Account>, SecretError> {
            let mut passwords = self.0.lock().unwrap();
            if fresh && passwords.len() > 1 {
                passwords.remove(0);
            }
            Ok(Arc::new(Account { username: "scv".into(), password: passwords[0].into() }))
        }
    }

    fn request(authorization: Option<&str>) -> AuthorizerRequest {
        let headers = authorization.map_or(json!({}), |value| json!({ "Authorization": value }));
        serde_json::from_value(json!({
            "type": "REQUEST",
            "methodArn": "arn:aws:execute-api:ca-central-1:123456789012:api/prod/GET/document/status/x",
            "headers": headers,
            "requestContext": {}
        }))
        .unwrap()
    }

    /// Configuration that accepts only Basic credentials.
    const NO_ISSUER: Option<&Issuer<HttpKeys>> = None;

    /// Basic credentials of the user `scv` with the password `new`.
    const NEW_CREDENTIALS: &str = "Basic c2N2Om5ldw==";

    #[tokio::test]
    async fn service_account_is_allowed_on_the_whole_stage() {
        let accounts = RotatedAccount(Mutex::new(vec!["new"]));
        let request = request(Some(NEW_CREDENTIALS));

        let response = decide(&accounts, NO_ISSUER, &request).await.unwrap();

        let policy = serde_json::to_value(&response.policy_document).unwrap();
        let resource = "arn:aws:execute-api:ca-central-1:123456789012:api/prod/*";
        assert!(policy.to_string().contains(resource), "{policy}");
        assert_eq!(response.principal_id.as_deref(), Some("scv"));
        assert_eq!(response.context, json!({ "principal": "scv", "scopes": "docferry.service" }));
    }

    #[tokio::test]
    async fn rotated_password_is_accepted() {
        let accounts = RotatedAccount(Mutex::new(vec!["old", "new"]));
        let request = request(Some(NEW_CREDENTIALS));
        assert!(decide(&accounts, NO_ISSUER, &request).await.is_ok());
    }

    #[tokio::test]
    async fn rejected_credentials_give_the_exact_error_unauthorized() {
        // The user `scv` with the password `worse`.
        const WRONG_PASSWORD: &str = "Basic c2N2OndvcnNl";
        const BEARER_TOKEN: &str = "Bearer x";
        for header in [None, Some(WRONG_PASSWORD), Some(BEARER_TOKEN)] {
            let accounts = RotatedAccount(Mutex::new(vec!["new"]));
            let refusal = decide(&accounts, NO_ISSUER, &request(header)).await;
            let diagnostic = Diagnostic::from(refusal.unwrap_err());
            assert_eq!(diagnostic.error_message, "Unauthorized");
        }
    }
}
