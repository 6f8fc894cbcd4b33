//! Tests of listing parts and unfinished uploads.

use reqwest::Method;

use crate::support::{Store, assert_refused, crc32, element};

#[tokio::test]
async fn parts_are_listed_in_pages() {
    let store = Store::new().await;
    let mut upload = store.create("FULL_OBJECT").await;
    for number in [3, 1, 7] {
        upload.put_part(number, vec![1; number as usize]).await;
    }
    let list = async |query: &str| {
        upload.request(Method::GET, query).send().await.unwrap().text().await.unwrap()
    };
    let all = list("").await;
    for (number, size) in [("1", 1), ("3", 3), ("7", 7)] {
        let expected =
            format!("<Size>{size}</Size><ChecksumCRC32>{}</ChecksumCRC32>", crc32(&vec![1; size]));
        assert!(all.contains(&format!("<PartNumber>{number}</PartNumber>")), "{all}");
        assert!(all.contains(&expected), "{all}");
    }
    assert_eq!(element(&all, "ChecksumAlgorithm").as_deref(), Some("CRC32"));
    assert_eq!(element(&all, "ChecksumType").as_deref(), Some("FULL_OBJECT"));
    assert_eq!(element(&all, "IsTruncated").as_deref(), Some("false"));

    let page = list("&max-parts=2").await;
    assert_eq!(page.matches("<Part>").count(), 2);
    assert_eq!(element(&page, "IsTruncated").as_deref(), Some("true"));
    assert_eq!(element(&page, "NextPartNumberMarker").as_deref(), Some("3"));
    let rest = list("&max-parts=2&part-number-marker=3").await;
    assert_eq!(element(&rest, "PartNumber").as_deref(), Some("7"));
    assert_eq!(element(&rest, "IsTruncated").as_deref(), Some("false"));
    assert_refused(upload.request(Method::GET, "&max-parts=x"), 400, "InvalidArgument").await;
}

#[tokio::test]
async fn uploads_are_listed_by_prefix_and_in_pages() {
    let store = Store::new().await;
    for key in ["a/2", "a/1", "a/1", "b%26"] {
        let request = store.request(Method::POST, &format!("/{key}?uploads"));
        assert_eq!(request.send().await.unwrap().status(), 200);
    }
    let list = async |query: &str| {
        let request = store.request(Method::GET, &format!("?uploads{query}"));
        request.send().await.unwrap().text().await.unwrap()
    };
    let all = list("").await;
    assert_eq!(all.matches("<Upload>").count(), 4);
    assert!(all.contains("<Key>b&amp;</Key>"), "{all}");
    assert!(list("&encoding-type=url").await.contains("<Key>b%26</Key>"));
    assert_eq!(list("&prefix=a%2F1").await.matches("<Upload>").count(), 2);

    let page = list("&max-uploads=1").await;
    let (key, id) = (element(&page, "NextKeyMarker"), element(&page, "NextUploadIdMarker"));
    let (key, id) = (key.unwrap(), id.unwrap());
    assert_eq!((key.as_str(), element(&page, "IsTruncated").as_deref()), ("a/1", Some("true")));
    let rest = list(&format!("&key-marker={key}&upload-id-marker={id}")).await;
    assert_eq!(rest.matches("<Upload>").count(), 3);
    assert_eq!(list(&format!("&key-marker={key}")).await.matches("<Upload>").count(), 2);
    let request = store.request(Method::GET, "?uploads&delimiter=%2F");
    assert_refused(request, 501, "NotImplemented").await;
}
