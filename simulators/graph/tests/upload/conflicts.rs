//! Tests of the paths, names and quotas for which the simulator rejects an upload session.

use reqwest::Method;
use serde_json::json;

use crate::support::{USER, error_code, start_bench, test_bytes};

#[tokio::test]
async fn name_conflict_is_checked_at_creation_and_completion() {
    let bench = start_bench().await;
    let all = test_bytes(10);
    let content_path = format!("/users/{USER}/drive/root:/same.pdf:/content");
    let put_whole = async |text: &'static str| {
        bench.request(Method::PUT, &content_path).body(text).send().await.unwrap().status().as_u16()
    };
    let create_session = async |policy: &str| {
        let (status, body) = bench.request_session("same.pdf", 10, policy).await;
        assert_eq!(status, 200, "{body}");
        body["uploadUrl"].as_str().unwrap().to_owned()
    };
    let failing = create_session("fail").await;
    assert_eq!(put_whole("first").await, 201);

    let (status, body) = bench.put_fragment(&failing, &all, 0, 10).await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (409, "nameAlreadyExists"));
    assert_eq!(
        bench.next_expected_ranges(&failing).await,
        json!(["0-"]),
        "a name conflict must leave the session open"
    );
    assert_eq!(bench.http.delete(&failing).send().await.unwrap().status(), 204);
    assert_eq!(bench.http.delete(&failing).send().await.unwrap().status(), 404);

    let renaming = create_session("rename").await;
    let (status, item) = bench.put_fragment(&renaming, &all, 0, 10).await;
    assert_eq!((status.as_u16(), &item["name"]), (201, &json!("same 1.pdf")));

    let replacing = create_session("replace").await;
    assert_eq!(bench.put_fragment(&replacing, &all, 0, 10).await.0, 200);
    assert!(bench.stored_bytes("same.pdf").await == all);
    assert_eq!(bench.request_session("same.pdf", 10, "fail").await.0, 409);
}

/// Graph's error message is "A file with the same name is currently being uploaded".
#[tokio::test]
async fn second_open_session_for_a_path_is_rejected_under_every_policy() {
    let bench = start_bench().await;
    for first in ["fail", "rename", "replace"] {
        let (_, body) = bench.request_session("same.pdf", 10, first).await;
        let url = body["uploadUrl"].as_str().unwrap().to_owned();
        for second in ["fail", "rename", "replace"] {
            let (status, body) = bench.request_session("SAME.pdf", 10, second).await;
            let response = (status.as_u16(), error_code(&body));
            assert_eq!(response, (409, "nameAlreadyExists".into()), "{first} {second}");
        }

        assert_eq!(bench.request_session("other.pdf", 10, first).await.0, 200);
        let expired = format!("{}/sessions/expire", bench.graph.admin_url());
        bench.http.post(expired).send().await.unwrap();
        assert_eq!(bench.session_status_code(&url).await, 404);
    }
}

#[tokio::test]
async fn existing_folder_and_file_in_path_are_rejected_at_creation() {
    let bench = start_bench().await;
    for path in ["folder/a.pdf", "file"] {
        let content_path = format!("/users/{USER}/drive/root:/{path}:/content");
        let put = bench.request(Method::PUT, &content_path).body("x").send().await.unwrap();
        assert_eq!(put.status(), 201);
    }
    for policy in ["fail", "rename", "replace"] {
        assert_eq!(bench.request_session("folder", 10, policy).await.0, 409, "{policy}");
        assert_eq!(bench.request_session("file/b/c.pdf", 10, policy).await.0, 409, "{policy}");
    }
}

#[tokio::test]
async fn forbidden_names_long_paths_and_full_drives_are_rejected() {
    let bench = start_bench().await;
    let long = "x".repeat(256);
    let deep = vec!["y".repeat(100); 5].join("/");
    for (path, expected) in [
        ("a%3Ab", "invalidPath"),
        ("a%2Fb", "invalidPath"),
        ("con", "invalidPath"),
        ("LPT1", "invalidPath"),
        ("end.", "invalidPath"),
        ("%20lead", "invalidPath"),
        ("~$lock.docx", "invalidPath"),
        ("x_VTI_y", "invalidPath"),
        ("Forms/a.pdf", "invalidPath"),
        (long.as_str(), "pathIsTooLong"),
        (deep.as_str(), "pathIsTooLong"),
    ] {
        let (status, body) = bench.request_session(path, 10, "fail").await;
        assert_eq!((status.as_u16(), error_code(&body).as_str()), (400, expected), "{path}");
    }

    for valid in ["sub/forms/a.pdf", "com10", "console", "a'b.pdf"] {
        assert_eq!(bench.request_session(valid, 10, "fail").await.0, 200, "{valid}");
    }

    let url = format!("{}/users/{USER}?quota=100", bench.graph.admin_url());
    bench.http.put(url).send().await.unwrap().error_for_status().unwrap();
    let (status, body) = bench.request_session("big.pdf", 101, "fail").await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (507, "quotaLimitReached"));
}

#[tokio::test]
async fn name_in_the_body_must_match_the_last_path_segment() {
    let bench = start_bench().await;
    let path = format!("/users/{USER}/drive/root:/a/b.pdf:/createUploadSession");
    for (name, expected) in [("c.pdf", 400), ("b.pdf", 200)] {
        let body = json!({ "item": { "name": name } });
        let sent = bench.request(Method::POST, &path).json(&body).send().await.unwrap();
        assert_eq!(sent.status(), expected);
    }
}
