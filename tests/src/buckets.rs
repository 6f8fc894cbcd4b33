//! Objects in the two S3 buckets: the document source copies documents to the exchange bucket, and
//! docferry puts downloads into the delivery bucket.

use sha2::Digest as _;

use crate::Cloud;

impl Cloud {
    /// Returns the size of an object in the exchange bucket, or `None` if it does not exist.
    pub async fn exchange_object_size(&self, key: &str) -> Option<i64> {
        let request = self.exchange.head_object().bucket(&self.stack.exchange.bucket).key(key);
        match request.send().await {
            Ok(head) => head.content_length(),
            Err(error) if error.as_service_error().is_some_and(|error| error.is_not_found()) => {
                None
            }
            Err(error) => panic!("{error:?}"),
        }
    }

    /// Puts an object into the exchange bucket. Returns its time of modification in seconds since
    /// 1970, by the clock of the bucket.
    pub async fn put_exchange_object(&self, key: &str, bytes: Vec<u8>) -> i64 {
        let bucket = &self.stack.exchange.bucket;
        let request = self.exchange.put_object().bucket(bucket).key(key).body(bytes.into());
        request.send().await.unwrap();
        let head = self.exchange.head_object().bucket(bucket).key(key).send().await.unwrap();
        head.last_modified().unwrap().secs()
    }

    /// Returns the size in bytes and the hexadecimal SHA-256 of an object in the delivery bucket,
    /// if the object exists.
    pub async fn delivered_object(&self, key: &str) -> Option<(u64, String)> {
        let request = self.delivery.get_object().bucket(&self.stack.delivery_bucket).key(key);
        let bytes = request.send().await.ok()?.body.collect().await.unwrap().into_bytes();
        let digest = sha2::Sha256::digest(&bytes);
        let hex = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        Some((bytes.len() as u64, hex))
    }

    /// Returns the keys of unfinished multipart uploads to the delivery bucket.
    pub async fn open_multipart_uploads(&self) -> Vec<String> {
        let request = self.delivery.list_multipart_uploads().bucket(&self.stack.delivery_bucket);
        let uploads = request.send().await.unwrap().uploads.unwrap_or_default();
        uploads.into_iter().filter_map(|upload| upload.key).collect()
    }

    /// Lists the objects in the exchange bucket whose keys start with `prefix`, with the
    /// times of their last change in seconds since 1970.
    pub async fn exchange_objects(&self, prefix: &str) -> Vec<(String, i64)> {
        let bucket = &self.stack.exchange.bucket;
        let request = self.exchange.list_objects_v2().bucket(bucket).prefix(prefix);
        let mut pages = request.into_paginator().send();
        let mut objects = Vec::new();
        while let Some(page) = pages.next().await {
            for object in page.unwrap().contents.unwrap_or_default() {
                objects.push((object.key.unwrap(), object.last_modified.unwrap().secs()));
            }
        }
        objects
    }
}
