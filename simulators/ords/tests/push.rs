//! Tests of the endpoints `push-to-server` and `ping` of the document source simulator. These tests
//! use no exchange bucket, so pushed files stay on the simulated NFS.

mod support;

use serde_json::{Value, json};
use support::start_bench;

/// Base64 text that contains every character that needs percent-encoding.
const GUID: &str = "a/b+c==";
/// The same text, percent-encoded.
const ENCODED_GUID: &str = "a%2Fb%2Bc%3D%3D";

#[tokio::test]
async fn push_returns_name_type_and_size_and_stores_the_file() {
    let bench = start_bench(None).await;
    bench
        .add_document(ENCODED_GUID, "filename=f.pdf&mimetype=application/pdf", b"hello".to_vec())
        .await;
    let (status, body) = bench.push(GUID).await;
    assert_eq!(status, 200);

    let expected = json!({ "filename": "f.pdf", "mimetype": "application/pdf", "sizeval": "5" });
    assert_eq!(body, expected);
    let nfs = bench.get_admin("/nfs").await;
    assert_eq!((&nfs[0]["key"], &nfs[0]["size"]), (&json!("f.pdf"), &json!(5)));

    let document = bench.get_admin("/documents").await[0].clone();
    assert_eq!((&document["guid"], &document["pushes"]), (&json!(GUID), &json!(1)));
    let hello_sha256 = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
    assert_eq!(document["sha256"], hello_sha256);

    let url = format!("{}/documents/{ENCODED_GUID}", bench.ords.admin_url());
    assert_eq!(bench.http.delete(url).send().await.unwrap().status(), 204);
    assert_eq!(bench.push(GUID).await.0, 404);
}

#[tokio::test]
async fn wrong_credentials_and_missing_parameters_are_rejected() {
    let bench = start_bench(None).await;
    bench.add_document("g", "filename=f.pdf", Vec::new()).await;
    let url = format!("{}/doc/push-to-server", bench.ords.url());
    let response = bench.http.get(&url).send().await.unwrap();
    assert_eq!(response.status(), 401);
    assert!(response.headers().contains_key("www-authenticate"));

    let wrong = bench.http.get(&url).basic_auth("simulated-user", Some("wrong"));
    assert_eq!(wrong.send().await.unwrap().status(), 401);
    let missing = bench
        .http
        .get(&url)
        .basic_auth("simulated-user", Some("simulated-password"))
        .query(&[("document_guid", "g")]);
    let response = missing.send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("application_id"));
    assert_eq!(bench.push("unknown").await.0, 404);
}

#[tokio::test]
async fn ping_response_has_one_field_with_a_space_in_its_name() {
    let bench = start_bench(None).await;
    let ping = || bench.http.get(format!("{}/ping", bench.ords.url()));
    assert_eq!(ping().send().await.unwrap().status(), 401);
    let ping = ping().basic_auth("simulated-user", Some("simulated-password"));
    let body: Value = ping.send().await.unwrap().json().await.unwrap();
    assert!(body["objcenords status"].is_string());
    assert_eq!(body.as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn push_can_report_a_wrong_size_or_an_error_text() {
    let bench = start_bench(None).await;
    bench.add_document("lie", "filename=a.pdf&sizeval=999&key=other.pdf", b"abc".to_vec()).await;
    bench.add_document("text", "filename=b.pdf&mode=error-text", Vec::new()).await;
    assert_eq!(bench.push("lie").await.1["sizeval"], "999");
    assert_eq!(bench.get_admin("/nfs").await[0]["key"], "other.pdf");
    let (status, body) = bench.push("text").await;
    assert_eq!(status, 200);
    assert!(body.as_str().unwrap().starts_with("ORA-"));
    assert_eq!(bench.get_admin("/nfs").await.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn push_can_fail_return_html_or_lose_its_response() {
    let bench = start_bench(None).await;
    bench.add_document("g", "filename=f.pdf", b"abc".to_vec()).await;
    let push_count = async || bench.get_admin("/documents").await[0]["pushes"].clone();
    let html = json!({
        "operation": "push", "match": "f.pdf", "status": 200, "body": "<html>",
        "contentType": "text/html"
    });
    bench.add_faults(html).await;
    assert_eq!(bench.push("g").await, (200, json!("<html>")));

    bench.add_faults(json!({ "operation": "push", "status": 503, "retryAfter": "soon" })).await;
    let response = bench.push_request("g").send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert_eq!(response.headers()["retry-after"], "soon");
    assert_eq!(push_count().await, 0);

    bench.add_faults(json!({ "operation": "push", "status": 500, "storeFraction": 1 })).await;
    assert_eq!(bench.push("g").await.0, 500);
    assert_eq!(push_count().await, 1);

    bench.add_faults(json!({ "operation": "push", "dropResponse": true })).await;
    bench.push_request("g").send().await.unwrap_err();
    assert_eq!(push_count().await, 2);

    bench.add_faults(json!({ "operation": "push", "filename": "", "sizeval": "many" })).await;
    let (_, body) = bench.push("g").await;
    assert_eq!((&body["filename"], &body["sizeval"]), (&json!(""), &json!("many")));

    // The response with the status null was lost.
    let statuses: Vec<Value> = bench
        .get_admin("/requests")
        .await
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["status"].clone())
        .collect();
    assert_eq!(json!(statuses), json!([200, 503, 500, null, 200]));
}

#[tokio::test]
async fn rule_field_of_another_simulator_is_rejected_by_name() {
    let bench = start_bench(None).await;
    let url = format!("{}/faults", bench.ords.admin_url());
    let rule = json!({ "operation": "push", "noHash": true });
    let response = bench.http.post(url).json(&rule).send().await.unwrap();
    assert_eq!(response.status(), 400);
    assert!(response.text().await.unwrap().contains("noHash"));
}
