//! Invocations of docferry's Lambda functions, and the functions' logs.

use serde_json::Value;

use crate::Cloud;

impl Cloud {
    /// Returns the names of all log groups.
    pub async fn log_groups(&self) -> Vec<String> {
        let mut pages = self.logs.describe_log_groups().into_paginator().items().send();
        let mut names = Vec::new();
        while let Some(group) = pages.next().await {
            names.extend(group.unwrap().log_group_name);
        }
        names
    }

    /// Returns all messages of a log group.
    pub async fn log_text(&self, group: &str) -> String {
        let mut request = self.logs.filter_log_events().log_group_name(group);
        let mut text = String::new();
        loop {
            let page = request.clone().send().await.unwrap();
            for event in page.events() {
                text.extend([event.message().unwrap_or_default(), "\n"]);
            }
            match page.next_token {
                None => return text,
                token => request = request.set_next_token(token),
            }
        }
    }

    /// Invokes a function through Lambda's API. `Err` contains the error object that
    /// the function returned.
    pub async fn invoke(&self, function: &str, event: &Value) -> Result<Value, Value> {
        let name = &self.stack.functions[function];
        let url = format!("{}/2015-03-31/functions/{name}/invocations", self.stack.emulator);
        let call = self.http.post(url).header("authorization", self.root_authorization("lambda"));
        let response = call.body(event.to_string()).send().await.unwrap();
        assert!(response.status().is_success(), "{function}: {:?}", response.text().await);
        let has_failed = response.headers().contains_key("x-amz-function-error");
        let payload = response.json().await.unwrap();
        if has_failed { Err(payload) } else { Ok(payload) }
    }

    /// Returns the authorization header of the root user for calls without an SDK. The
    /// emulator reads the caller from it and does not check the signature.
    pub(crate) fn root_authorization(&self, service: &str) -> String {
        let scope = format!("test/20260101/{}/{service}/aws4_request", self.stack.region);
        format!("AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0")
    }
}
