use aws_lambda_events::apigw::{
    ApiGatewayCustomAuthorizerRequestTypeRequest as Request,
    ApiGatewayCustomAuthorizerResponse as Response,
};
use aws_lambda_events::iam::{IamPolicyEffect, IamPolicyStatement};
use docferry_aws::secrets::SecretError;
use lambda_runtime::Diagnostic;
use serde_json::{Value, json};

use crate::{Accounts, Credentials, SERVICE_PRINCIPAL};

/// Why the caller is not let in.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// Missing or wrong credentials: a 401.
    #[error("Unauthorized")]
    Unauthorized,
    /// Nobody can tell now: a 500, so that a caller does not throw away good
    /// credentials.
    #[error("the service account could not be read")]
    Unavailable(#[from] SecretError),
}

impl From<Refusal> for Diagnostic {
    fn from(refusal: Refusal) -> Self {
        let name = match refusal {
            Refusal::Unauthorized => "Unauthorized",
            Refusal::Unavailable(_) => "AUTHORIZER_UNAVAILABLE",
        };
        // The whole message must be `Unauthorized` for API Gateway to answer 401.
        Self { error_type: name.to_owned(), error_message: name.to_owned() }
    }
}

/// Lets the service account in, for every route of the stage: API Gateway keeps
/// the answer by credential, so it must not depend on the route.
///
/// # Errors
/// See [`Refusal`].
pub async fn decide(
    accounts: &impl Accounts,
    request: &Request,
) -> Result<Response<Value>, Refusal> {
    let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
    let sent = header.and_then(Credentials::parse).ok_or(Refusal::Unauthorized)?;
    let known = sent.matches(&*accounts.account(false).await?);
    // The password may have been rotated since it was read.
    if !known && !sent.matches(&*accounts.account(true).await?) {
        return Err(Refusal::Unauthorized);
    }
    let stage = request.method_arn.as_deref().and_then(stage_arn).ok_or(Refusal::Unauthorized)?;
    Ok(admit(stage))
}

fn admit(resource: String) -> Response<Value> {
    let mut statement = IamPolicyStatement::default();
    statement.effect = IamPolicyEffect::Allow;
    statement.action = vec!["execute-api:Invoke".into()];
    statement.resource = vec![resource];
    let mut response = Response::<Value>::default();
    response.principal_id = Some(SERVICE_PRINCIPAL.into());
    response.policy_document.version = Some("2012-10-17".into());
    response.policy_document.statement = vec![statement];
    response.context = json!({ "principal": SERVICE_PRINCIPAL, "scopes": "service" });
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

    // scv:new
    const NEW: &str = "Basic c2N2Om5ldw==";

    #[tokio::test]
    async fn the_account_is_admitted_to_the_whole_stage() {
        let response =
            decide(&Rotated(Mutex::new(vec!["new"])), &request(Some(NEW))).await.unwrap();
        let policy = serde_json::to_value(&response.policy_document).unwrap();
        let resource = "arn:aws:execute-api:ca-central-1:123456789012:api/prod/*";
        assert!(policy.to_string().contains(resource), "{policy}");
        assert_eq!(response.principal_id.as_deref(), Some("scv"));
    }

    #[tokio::test]
    async fn a_rotated_password_is_noticed() {
        let accounts = Rotated(Mutex::new(vec!["old", "new"]));
        assert!(decide(&accounts, &request(Some(NEW))).await.is_ok());
    }

    #[tokio::test]
    async fn a_refusal_says_exactly_unauthorized_and_nothing_else() {
        for header in [None, Some("Basic c2N2OndvcnNl"), Some("Bearer x")] {
            let refusal = decide(&Rotated(Mutex::new(vec!["new"])), &request(header)).await;
            let diagnostic = Diagnostic::from(refusal.unwrap_err());
            assert_eq!(diagnostic.error_message, "Unauthorized");
        }
    }
}
