//! Tests of the authorizer's decisions about requests with bearer tokens.

use std::sync::Arc;

use authorizer::{Account, Accounts, decide};
use docferry_aws::secrets::SecretError;
use lambda_runtime::Diagnostic;
use serde_json::json;

use crate::issuer::SimulatedIssuer;

/// Source of the service account that cannot be read.
struct UnreadableAccount;

impl Accounts for UnreadableAccount {
    async fn account(&self, _fresh: bool) -> Result<Arc<Account>, SecretError> {
        Err(SecretError::Invalid)
    }
}

/// Returns the request that API Gateway sends to the authorizer for this `Authorization` header.
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
    let request = authorizer_request(&format!("Bearer {token}"));
    // A bearer token must not cause a read of the account, so an unreadable account is no problem.
    let response = decide(&UnreadableAccount, Some(&issuer), &request).await.unwrap();
    assert_eq!(response.principal_id.as_deref(), Some("sub:scv"));

    let context = json!({ "principal": "sub:scv", "scopes": "docferry.read docferry.service" });
    assert_eq!(response.context, context);
    let policy = serde_json::to_value(&response.policy_document).unwrap().to_string();
    assert!(policy.contains("api/prod/*"), "{policy}");
}

#[tokio::test]
async fn rejected_token_gives_401_and_unreachable_issuer_gives_500() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    let token = provider.mint(json!({ "expiresIn": -90 })).await;
    let request = authorizer_request(&format!("Bearer {token}"));
    provider.post_admin("/faults", json!({ "operation": "discovery", "status": 503 })).await;
    let refusal = decide(&UnreadableAccount, Some(&issuer), &request).await.unwrap_err();
    assert!(!refusal.to_string().contains(&token));
    assert_eq!(Diagnostic::from(refusal).error_message, "AUTHORIZER_UNAVAILABLE");

    let issuer = provider.issuer();
    for configured in [Some(&issuer), None] {
        let refusal = decide(&UnreadableAccount, configured, &request).await.unwrap_err();
        let text = format!("{refusal} {refusal:?}");
        assert!(!text.contains("eyJ"), "{text}");

        let diagnostic = Diagnostic::from(refusal);
        assert_eq!(diagnostic.error_type, "Unauthorized");
        assert_eq!(diagnostic.error_message, "Unauthorized");
    }
}

#[tokio::test]
async fn claims_about_documents_are_a_text_in_the_context() {
    let provider = SimulatedIssuer::start().await;
    let issuer = provider.issuer();
    let claims = json!({
        "sub": "ada", "scope": "docferry.read", "docferry_subjects": ["s-1", "urn:other|1"],
        "groups": ["civil"],
    });
    let token = provider.mint(json!({ "claims": claims })).await;
    let request = authorizer_request(&format!("Bearer {token}"));
    let response = decide(&UnreadableAccount, Some(&issuer), &request).await.unwrap();
    let documents = response.context["documents"].as_str().unwrap();
    let documents: serde_json::Value = serde_json::from_str(documents).unwrap();
    let subject = json!({ "system": "urn:docferry:court-file", "value": "S-1" });
    assert_eq!(documents, json!([{ "subject": subject }, { "group": "civil" }]));
}
