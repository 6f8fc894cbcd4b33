//! Tests of fragments, which are the parts of a file that is uploaded in a session: their headers,
//! sizes, order and bytes.

use docferry_sim_graph::Config;
use reqwest::Body;
use reqwest::header::AUTHORIZATION;
use serde_json::json;

use crate::support::{
    FRAGMENT_UNIT, USER, config, error_code, read_json, send_raw, start_bench, start_bench_with,
    test_bytes,
};

#[tokio::test]
async fn fragmented_upload_stores_the_file_and_returns_its_item() {
    let bench = start_bench().await;
    let all = test_bytes(2 * FRAGMENT_UNIT + 1234);
    let url = bench.create_session("Case%20Files/%C3%A9tude.pdf", all.len()).await;
    let (status, body) = bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await;
    assert_eq!((status.as_u16(), &body["nextExpectedRanges"]), (202, &json!(["327680-"])));
    assert_eq!(bench.next_expected_ranges(&url).await, json!(["327680-"]));

    bench.put_fragment(&url, &all, FRAGMENT_UNIT, 2 * FRAGMENT_UNIT).await;
    let (status, item) = bench.put_fragment(&url, &all, 2 * FRAGMENT_UNIT, all.len()).await;
    assert_eq!(status, 201);
    assert_eq!(item["name"], "étude.pdf");
    assert_eq!(item["size"], all.len());

    let (status, same) =
        bench.get(&format!("/users/{USER}/drive/root:/case%20files/ÉTUDE.pdf")).await;
    assert_eq!((status.as_u16(), &same["id"]), (200, &item["id"]));

    let file = bench.get_admin("/files").await[0].clone();
    assert_eq!(file["path"], "Case Files/étude.pdf");
    assert_eq!(file["quickXorHash"], item["file"]["hashes"]["quickXorHash"]);
    assert_eq!((&file["receivedBytes"], &file["fragments"]), (&json!(all.len()), &json!(3)));
    assert!(bench.stored_bytes("Case Files/étude.pdf").await == all);

    let (status, body) = read_json(bench.http.get(&url).send().await.unwrap()).await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (404, "uploadSessionNotFound"));
    assert_eq!(bench.get_admin("/sessions").await[0]["state"], "completed");
}

#[tokio::test]
async fn fragment_with_invalid_headers_is_rejected_and_not_stored() {
    let bench = start_bench().await;
    let all = test_bytes(3 * FRAGMENT_UNIT);
    let url = bench.create_session("a.pdf", all.len()).await;
    let put = || bench.http.put(&url).body(all[..FRAGMENT_UNIT].to_vec());
    let range = "Content-Range";
    // The first of three fragments of 327,680 bytes.
    let first = "bytes 0-327679/983040";
    let chunked = Body::wrap_stream(futures::stream::iter([Ok::<_, std::io::Error>("abc")]));
    let cases = [
        (put(), 400, "invalidRequest"),
        (put().header(range, "bytes=0-327679/983040"), 400, "invalidRequest"),
        (put().header(range, "bytes 0-327679/*"), 400, "invalidRequest"),
        (put().header(range, "bytes 0-327678/983040"), 400, "fragmentLengthMismatch"),
        (put().header(range, "bytes 0-327679/983041"), 400, "invalidRequest"),
        (put().header(range, first).header(AUTHORIZATION, "Bearer x"), 401, "unauthenticated"),
        (bench.fragment_request(&url, &all, 0, FRAGMENT_UNIT + 1), 400, "invalidRequest"),
        (
            bench.fragment_request(&url, &all, FRAGMENT_UNIT, 2 * FRAGMENT_UNIT),
            416,
            "fragmentOutOfOrder",
        ),
        (bench.http.put(&url).header(range, first).body(chunked), 411, "invalidRequest"),
        (bench.http.put(url.replace("tempauth", "tempAuth")).body("x"), 401, "unauthenticated"),
    ];
    for (number, (request, status, expected)) in cases.into_iter().enumerate() {
        let (got, body) = read_json(request.send().await.unwrap()).await;
        assert_eq!((got.as_u16(), error_code(&body).as_str()), (status, expected), "case {number}");
    }

    assert_eq!(bench.next_expected_ranges(&url).await, json!(["0-"]));
    bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await;
    let (status, body) = bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await;
    assert_eq!((status.as_u16(), error_code(&body).as_str()), (416, "fragmentOverlap"));
}

#[tokio::test]
async fn fragment_of_sixty_mebibytes_is_rejected() {
    let bench = start_bench().await;
    let all = vec![0; 60 * 1024 * 1024];
    let url = bench.create_session("large.bin", all.len()).await;
    assert_eq!(bench.put_fragment(&url, &all, 0, all.len()).await.0, 400);
    // 60 MiB are 192 units.
    let largest = 191 * FRAGMENT_UNIT;
    assert_eq!(bench.put_fragment(&url, &all, 0, largest).await.0, 202);
    assert_eq!(bench.put_fragment(&url, &all, largest, all.len()).await.0, 201);
}

#[tokio::test]
async fn upload_url_must_be_sent_byte_for_byte() {
    let bench = start_bench_with(Config { quote_in_upload_urls: true, ..config() }).await;
    let url = bench.create_session("quoted.txt", 5).await;
    assert!(url.contains('\''));

    let (status, _) = bench.put_fragment(&url, b"hello", 0, 5).await;
    assert_eq!(status, 401, "reqwest's URL parser rewrites the quote");
    let target = url.strip_prefix(bench.graph.url()).unwrap();
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 5\r\n\
         Content-Range: bytes 0-4/5\r\n\r\n"
    );
    let response = send_raw(&url, head, b"hello".to_vec(), false).await;
    assert!(response.starts_with("HTTP/1.1 201"), "{response}");
}

#[tokio::test]
async fn interrupted_fragment_is_counted_but_not_stored() {
    let bench = start_bench().await;
    let all = test_bytes(2 * FRAGMENT_UNIT);
    let url = bench.create_session("broken.pdf", all.len()).await;
    let target = url.strip_prefix(bench.graph.url()).unwrap();
    let head = format!(
        "PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: {FRAGMENT_UNIT}\r\n\
         Content-Range: bytes 0-{}/{}\r\n\r\n",
        FRAGMENT_UNIT - 1,
        all.len()
    );
    send_raw(&url, head, all[..100_000].to_vec(), true).await;
    // The log entry shows that the server has finished the request.
    while !bench.get_admin("/requests").await.to_string().contains("\"fragment\"") {
        tokio::task::yield_now().await;
    }
    assert_eq!(bench.next_expected_ranges(&url).await, json!(["0-"]));
    assert_eq!(bench.get_admin("/sessions").await[0]["receivedBytes"], 100_000);
    assert_eq!(bench.put_fragment(&url, &all, 0, all.len()).await.0, 201);
    assert!(bench.stored_bytes("broken.pdf").await == all);
}

#[tokio::test]
async fn concurrent_fragments_for_one_range_store_one_and_reject_the_other() {
    let bench = start_bench().await;
    let all = test_bytes(2 * FRAGMENT_UNIT);
    let other = vec![0; 2 * FRAGMENT_UNIT];
    let url = bench.create_session("race.pdf", all.len()).await;
    let (a, b) = tokio::join!(
        bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT),
        bench.put_fragment(&url, &other, 0, FRAGMENT_UNIT)
    );
    let mut statuses = [a.0.as_u16(), b.0.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [202, 416]);

    let (winner, loser) = if a.0 == 202 { (&all, b) } else { (&other, a) };
    assert_eq!(error_code(&loser.1), "fragmentOverlap");
    bench.put_fragment(&url, winner, FRAGMENT_UNIT, 2 * FRAGMENT_UNIT).await;
    assert!(bench.stored_bytes("race.pdf").await == *winner);
}

#[tokio::test]
async fn discarded_bytes_are_still_counted_and_hashed() {
    let keeping = start_bench().await;
    let forgetting = start_bench_with(Config { forget_bytes: true, ..config() }).await;
    let all = test_bytes(2 * FRAGMENT_UNIT + 5);
    let mut files = Vec::new();
    for bench in [&keeping, &forgetting] {
        let url = bench.create_session("x.bin", all.len()).await;
        assert_eq!(bench.put_fragment(&url, &all, 0, FRAGMENT_UNIT).await.0, 202);
        assert_eq!(bench.put_fragment(&url, &all, FRAGMENT_UNIT, all.len()).await.0, 201);
        files.push(bench.get_admin("/files").await[0].clone());
    }

    for field in ["size", "quickXorHash", "receivedBytes"] {
        assert_eq!(files[0][field], files[1][field], "{field}");
    }
    assert!(files[0]["sha256"].is_string() && files[1]["sha256"].is_null());
}
