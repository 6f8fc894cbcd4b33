//! Decisions of the authorizer about tokens.

use std::sync::Arc;

use authorizer::{Account, Accounts, decide};
use docferry_aws::secrets::SecretError;
use lambda_runtime::Diagnostic;
use serde_json::json;

use crate::issuer::SimulatedIssuer;

/// Accounts that cannot be read.
struct UnreadableAccount;

impl Accounts for UnreadableAccount {
    async fn account(&self, _fresh: bool) -> Result<Arc<Account>, SecretError> {
        Err(SecretError::Invalid)
    }
}

fn authorizer_request<T: serde::de::DeserializeOwned>(authorization: &str) -> T {
    serde_json::from_value(json!({
        "type": "REQUEST",
        "methodArn": "arn:aws:execute-api:ca-central-1:123456789012:api/prod/GET/document/status/x",
        "headers": { "Authorization": authorization },
        "requestContext": {}
    }))
    .unwrap()
}

#[tokio::test]
async fn no_token_can_claim_to_be_the_service_account() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    let claims = json!({ "sub": "scv", "scope": "docferry.service docferry.read" });
    let token = provider.mint(json!({ "claims": claims })).await;
    let bearer = authorizer_request(&format!("Bearer {token}"));
    // `UnreadableAccount` fails if it is read: a bearer token must not cause a read of the account.
    let answer = decide(&UnreadableAccount, Some(&issuer), &bearer).await.unwrap();
    assert_eq!(answer.principal_id.as_deref(), Some("sub:scv"));

    let context = json!({ "principal": "sub:scv", "scopes": "docferry.read docferry.service" });
    assert_eq!(answer.context, context);
    let policy = serde_json::to_value(&answer.policy_document).unwrap().to_string();
    assert!(policy.contains("api/prod/*"), "{policy}");
}

#[tokio::test]
async fn rejected_token_is_unauthorized_and_unreachable_issuer_is_not() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    let token = provider.mint(json!({ "expiresIn": -90 })).await;
    let bearer = authorizer_request(&format!("Bearer {token}"));
    provider.post_admin("/faults", json!({ "operation": "discovery", "status": 503 })).await;
    let refusal = decide(&UnreadableAccount, Some(&issuer), &bearer).await.unwrap_err();
    assert!(!refusal.to_string().contains(&token));
    assert_eq!(Diagnostic::from(refusal).error_message, "AUTHORIZER_UNAVAILABLE");

    let issuer = provider.issuer();
    for configured in [Some(&issuer), None] {
        let refusal = decide(&UnreadableAccount, configured, &bearer).await.unwrap_err();
        let text = format!("{refusal} {refusal:?}");
        assert!(!text.contains("eyJ"), "{text}");

        let diagnostic = Diagnostic::from(refusal);
        assert_eq!(
            (diagnostic.error_type, diagnostic.error_message),
            ("Unauthorized".into(), "Unauthorized".into())
        );
    }
}
