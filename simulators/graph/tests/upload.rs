//! Tests of upload sessions against the contract.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::time::Duration;

use docferry_sim_graph::Config;
use reqwest::{Body, Method, header::AUTHORIZATION};
use serde_json::json;
use support::{Bench, UNIT, USER, bench, bench_with, bytes, code, config, raw, read};

#[tokio::test]
async fn fragmented_upload_stores_the_file_and_returns_its_item() {
    let bench = bench().await;
    let all = bytes(2 * UNIT + 1234);
    let url = bench.session("Case%20Files/%C3%A9tude.pdf", all.len()).await;
    let (status, body) = bench.put(&url, &all, 0, UNIT).await;
    assert_eq!((status.as_u16(), &body["nextExpectedRanges"]), (202, &json!(["327680-"])));
    assert_eq!(bench.ranges(&url).await, json!(["327680-"]));
    bench.put(&url, &all, UNIT, 2 * UNIT).await;
    let (status, item) = bench.put(&url, &all, 2 * UNIT, all.len()).await;
    assert_eq!(status, 201);
    assert_eq!(item["name"], "étude.pdf");
    assert_eq!(item["size"], all.len());

    let (status, same) =
        bench.get(&format!("/users/{USER}/drive/root:/case%20files/ÉTUDE.pdf")).await;
    assert_eq!((status.as_u16(), &same["id"]), (200, &item["id"]));
    let file = bench.admin("/files").await[0].clone();
    assert_eq!(file["path"], "Case Files/étude.pdf");
    assert_eq!(file["quickXorHash"], item["file"]["hashes"]["quickXorHash"]);
    assert_eq!((&file["receivedBytes"], &file["fragments"]), (&json!(all.len()), &json!(3)));
    assert!(bench.stored("Case Files/étude.pdf").await == all);

    let (status, body) = read(bench.http.get(&url).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (404, "uploadSessionNotFound"));
    assert_eq!(bench.admin("/sessions").await[0]["state"], "completed");
}

#[tokio::test]
async fn fragment_with_invalid_headers_is_rejected_and_not_stored() {
    let bench = bench().await;
    let all = bytes(3 * UNIT);
    let url = bench.session("a.pdf", all.len()).await;
    let put = || bench.http.put(&url).body(all[..UNIT].to_vec());
    let range = "Content-Range";
    let first = "bytes 0-327679/983040";
    let chunked = Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>("abc")]));
    let cases = [
        (put(), 400, "invalidRequest"),
        (put().header(range, "bytes=0-327679/983040"), 400, "invalidRequest"),
        (put().header(range, "bytes 0-327679/*"), 400, "invalidRequest"),
        (put().header(range, "bytes 0-327678/983040"), 400, "fragmentLengthMismatch"),
        (put().header(range, "bytes 0-327679/983041"), 400, "invalidRequest"),
        (put().header(range, first).header(AUTHORIZATION, "Bearer x"), 401, "unauthenticated"),
        (bench.fragment(&url, &all, 0, UNIT + 1), 400, "invalidRequest"),
        (bench.fragment(&url, &all, UNIT, 2 * UNIT), 416, "fragmentOutOfOrder"),
        (bench.http.put(&url).header(range, first).body(chunked), 411, "invalidRequest"),
        (bench.http.put(url.replace("tempauth", "tempAuth")).body("x"), 401, "unauthenticated"),
    ];
    for (number, (request, status, expected)) in cases.into_iter().enumerate() {
        let (got, body) = read(request.send().await.unwrap()).await;
        assert_eq!((got.as_u16(), code(&body).as_str()), (status, expected), "case {number}");
    }
    assert_eq!(bench.ranges(&url).await, json!(["0-"]));
    bench.put(&url, &all, 0, UNIT).await;
    let (status, body) = bench.put(&url, &all, 0, UNIT).await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (416, "fragmentOverlap"));
}

#[tokio::test]
async fn fragment_of_sixty_mebibytes_is_rejected() {
    let bench = bench().await;
    let all = vec![0; 60 * 1024 * 1024];
    let url = bench.session("large.bin", all.len()).await;
    assert_eq!(bench.put(&url, &all, 0, all.len()).await.0, 400);
    let largest = 191 * UNIT;
    assert_eq!(bench.put(&url, &all, 0, largest).await.0, 202);
    assert_eq!(bench.put(&url, &all, largest, all.len()).await.0, 201);
}

#[tokio::test]
async fn upload_url_must_be_sent_byte_for_byte() {
    let bench = bench_with(Config { quote_in_upload_urls: true, ..config() }).await;
    let url = bench.session("quoted.txt", 5).await;
    assert!(url.contains('\''));
    let (status, _) = bench.put(&url, b"hello", 0, 5).await;
    assert_eq!(status, 401, "reqwest's URL parser rewrites the quote");
    let target = url.strip_prefix(bench.graph.url()).unwrap();
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\
         Content-Range: bytes 0-4/5\r\n\r\n"
    );
    let answer = raw(&url, head, b"hello".to_vec(), false).await;
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
}

#[tokio::test]
async fn interrupted_fragment_is_counted_but_not_stored() {
    let bench = bench().await;
    let all = bytes(2 * UNIT);
    let url = bench.session("broken.pdf", all.len()).await;
    let target = url.strip_prefix(bench.graph.url()).unwrap();
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {UNIT}\r\n\
         Content-Range: bytes 0-{}/{}\r\n\r\n",
        UNIT - 1,
        all.len()
    );
    raw(&url, head, all[..100_000].to_vec(), true).await;
    // The log entry shows that the server has finished the request.
    while !bench.admin("/requests").await.to_string().contains("\"fragment\"") {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.ranges(&url).await, json!(["0-"]));
    assert_eq!(bench.admin("/sessions").await[0]["receivedBytes"], 100_000);
    assert_eq!(bench.put(&url, &all, 0, all.len()).await.0, 201);
    assert!(bench.stored("broken.pdf").await == all);
}

#[tokio::test]
async fn concurrent_fragments_for_one_range_store_one_and_reject_the_other() {
    let bench = bench().await;
    let all = bytes(2 * UNIT);
    let other = vec![0; 2 * UNIT];
    let url = bench.session("race.pdf", all.len()).await;
    let (a, b) = tokio::join!(bench.put(&url, &all, 0, UNIT), bench.put(&url, &other, 0, UNIT));
    let mut statuses = [a.0.as_u16(), b.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 416]);
    let (winner, loser) = if a.0 == 202 { (&all, b) } else { (&other, a) };
    assert_eq!(code(&loser.1), "fragmentOverlap");
    bench.put(&url, winner, UNIT, 2 * UNIT).await;
    assert!(bench.stored("race.pdf").await == *winner);
}

#[tokio::test]
async fn name_conflict_is_checked_at_creation_and_completion() {
    let bench = bench().await;
    let all = bytes(10);
    let simple = format!("/users/{USER}/drive/root:/same.pdf:/content");
    let put = async |text: &'static str| {
        bench.request(Method::PUT, &simple).body(text).send().await.unwrap().status().as_u16()
    };
    let created = async |policy: &str| {
        let (status, body) = bench.create("same.pdf", 10, policy).await;
        assert_eq!(status, 200, "{body}");
        body["uploadUrl"].as_str().unwrap().to_owned()
    };
    let failing = created("fail").await;
    assert_eq!(put("first").await, 201);
    let (status, body) = bench.put(&failing, &all, 0, 10).await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (409, "nameAlreadyExists"));
    assert_eq!(
        bench.ranges(&failing).await,
        json!(["0-"]),
        "a name conflict must leave the session open"
    );
    assert_eq!(bench.http.delete(&failing).send().await.unwrap().status(), 204);
    assert_eq!(bench.http.delete(&failing).send().await.unwrap().status(), 404);

    let renaming = created("rename").await;
    let (status, item) = bench.put(&renaming, &all, 0, 10).await;
    assert_eq!((status.as_u16(), &item["name"]), (201, &json!("same 1.pdf")));
    let replacing = created("replace").await;
    assert_eq!(bench.put(&replacing, &all, 0, 10).await.0, 200);
    assert!(bench.stored("same.pdf").await == all);
    assert_eq!(bench.create("same.pdf", 10, "fail").await.0, 409);
}

async fn status_of(bench: &Bench, url: &str) -> u16 {
    bench.http.get(url).send().await.unwrap().status().as_u16()
}

/// The contract's message is "A file with the same name is currently being uploaded".
#[tokio::test]
async fn second_open_session_for_a_path_is_rejected_under_every_policy() {
    let bench = bench().await;
    for first in ["fail", "rename", "replace"] {
        let (_, body) = bench.create("same.pdf", 10, first).await;
        let url = body["uploadUrl"].as_str().unwrap().to_owned();
        for second in ["fail", "rename", "replace"] {
            let (status, body) = bench.create("SAME.pdf", 10, second).await;
            let response = (status.as_u16(), code(&body));
            assert_eq!(response, (409, "nameAlreadyExists".into()), "{first} {second}");
        }
        assert_eq!(bench.create("other.pdf", 10, first).await.0, 200);
        let expired = format!("{}/sessions/expire", bench.graph.admin_url());
        bench.http.post(expired).send().await.unwrap();
        assert_eq!(status_of(&bench, &url).await, 404);
    }
}

#[tokio::test]
async fn existing_folder_and_file_in_path_are_rejected_at_creation() {
    let bench = bench().await;
    for path in ["folder/a.pdf", "file"] {
        let simple = format!("/users/{USER}/drive/root:/{path}:/content");
        let put = bench.request(Method::PUT, &simple).body("x").send().await.unwrap();
        assert_eq!(put.status(), 201);
    }
    for policy in ["fail", "rename", "replace"] {
        assert_eq!(bench.create("folder", 10, policy).await.0, 409, "{policy}");
        assert_eq!(bench.create("file/b/c.pdf", 10, policy).await.0, 409, "{policy}");
    }
}

#[tokio::test]
async fn session_lifetime_can_be_changed_at_run_time() {
    let bench = bench().await;
    let endpoint = format!("{}/sessions/lifetime", bench.graph.admin_url());
    let set = bench.http.put(format!("{endpoint}?seconds=0")).send().await.unwrap();
    assert_eq!(read(set).await.1, json!({ "seconds": 0 }));
    let url = bench.session("late.pdf", 5).await;
    assert_eq!(status_of(&bench, &url).await, 404);
    bench.http.put(format!("{endpoint}?seconds=60")).send().await.unwrap();
    assert_eq!(
        read(bench.http.get(&endpoint).send().await.unwrap()).await.1,
        json!({ "seconds": 60 })
    );
    let url = bench.session("late.pdf", 5).await;
    assert_eq!(status_of(&bench, &url).await, 200);
}

#[tokio::test]
async fn forbidden_names_long_paths_and_full_drives_are_rejected() {
    let bench = bench().await;
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
        let (status, body) = bench.create(path, 10, "fail").await;
        assert_eq!((status.as_u16(), code(&body).as_str()), (400, expected), "{path}");
    }
    for valid in ["sub/forms/a.pdf", "com10", "console", "a'b.pdf"] {
        assert_eq!(bench.create(valid, 10, "fail").await.0, 200, "{valid}");
    }
    let url = format!("{}/users/{USER}?quota=100", bench.graph.admin_url());
    bench.http.put(url).send().await.unwrap().error_for_status().unwrap();
    let (status, body) = bench.create("big.pdf", 101, "fail").await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (507, "quotaLimitReached"));
}

#[tokio::test]
async fn name_in_the_body_must_match_the_last_path_segment() {
    let bench = bench().await;
    let path = format!("/users/{USER}/drive/root:/a/b.pdf:/createUploadSession");
    for (name, expected) in [("c.pdf", 400), ("b.pdf", 200)] {
        let body = json!({ "item": { "name": name } });
        let sent = bench.request(Method::POST, &path).json(&body).send().await.unwrap();
        assert_eq!(sent.status(), expected);
    }
}

#[tokio::test]
async fn idle_session_expires() {
    let bench = bench_with(Config { session_lifetime: Duration::ZERO, ..config() }).await;
    let url = bench.session("late.pdf", 5).await;
    let (status, body) = bench.put(&url, b"hello", 0, 5).await;
    assert_eq!((status.as_u16(), code(&body).as_str()), (404, "uploadSessionNotFound"));
    assert_eq!(bench.admin("/sessions").await[0]["state"], "expired");
}

#[tokio::test]
async fn discarded_bytes_are_still_counted_and_hashed() {
    let keeping = bench().await;
    let forgetting = bench_with(Config { forget_bytes: true, ..config() }).await;
    let all = bytes(2 * UNIT + 5);
    let mut files = Vec::new();
    for bench in [&keeping, &forgetting] {
        let url = bench.session("x.bin", all.len()).await;
        assert_eq!(bench.put(&url, &all, 0, UNIT).await.0, 202);
        assert_eq!(bench.put(&url, &all, UNIT, all.len()).await.0, 201);
        files.push(bench.admin("/files").await[0].clone());
    }
    for field in ["size", "quickXorHash", "receivedBytes"] {
        assert_eq!(files[0][field], files[1][field], "{field}");
    }
    assert!(files[0]["sha256"].is_string() && files[1]["sha256"].is_null());
}
