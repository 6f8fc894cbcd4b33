//! Allowlist of the hosts to which documents are uploaded. Every upload URL in a response of
//! Microsoft Graph is checked against it before it is used.

use http::Uri;

/// Hosts that an upload URL may name. A manipulated response or record must not send a document
/// to another server.
#[derive(Debug)]
pub(crate) struct UploadHosts {
    /// Host of Graph itself, in lower case.
    graph_host: Option<String>,
    /// Allowed domains, including their subdomains, in lower case.
    domains: Vec<String>,
    /// Whether `http` is allowed. It is allowed only if Graph's own URL is `http`, which means that
    /// Graph is a simulator.
    allow_plain_http: bool,
}

impl UploadHosts {
    pub(crate) fn new(graph_url: &str, domains: &[String]) -> Self {
        let graph_url = graph_url.parse::<Uri>().ok();
        Self {
            graph_host: graph_url.as_ref().and_then(Uri::host).map(str::to_ascii_lowercase),
            domains: domains.iter().map(|domain| domain.to_ascii_lowercase()).collect(),
            allow_plain_http: graph_url.as_ref().and_then(Uri::scheme_str) == Some("http"),
        }
    }

    /// Returns whether documents may be sent to this URL.
    pub(crate) fn allow(&self, url: &Uri) -> bool {
        let Some(host) = url.host().map(str::to_ascii_lowercase) else { return false };
        let is_below = |domain: &String| {
            host.strip_suffix(domain.as_str()).is_some_and(|rest| {
                // Only whole labels match: `notsharepoint.com` belongs to another owner.
                !domain.is_empty() && (rest.is_empty() || rest.ends_with('.'))
            })
        };
        match url.scheme_str() {
            Some("https") => {}
            Some("http") if self.allow_plain_http => {}
            _ => return false,
        }
        self.graph_host.as_ref() == Some(&host) || self.domains.iter().any(is_below)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(graph_url: &str, url: &str) -> bool {
        let domains = ["sharepoint.com".to_owned(), "1drv.com".to_owned(), String::new()];
        UploadHosts::new(graph_url, &domains).allow(&url.parse().unwrap())
    }

    #[test]
    fn uploads_go_only_to_graphs_host_and_allowed_domains() {
        let graph_url = "https://graph.microsoft.com";
        for good in [
            "https://graph.microsoft.com/upload?x='y'",
            "https://contoso-my.SharePoint.com/personal/_api/upload",
            "https://sharepoint.com/x",
            "https://api.1drv.com:443/up",
        ] {
            assert!(allows(graph_url, good), "{good}");
        }
        for bad in [
            "https://notsharepoint.com/x",
            "https://sharepoint.com.evil.example/x",
            "https://sharepoint.com@evil.example/x",
            "https://evil.example/sharepoint.com",
            "https://169.254.169.254/latest",
            "https://127.0.0.1/x",
            "https://localhost/x",
            "http://contoso.sharepoint.com/x",
            "http://graph.microsoft.com/x",
        ] {
            assert!(!allows(graph_url, bad), "{bad}");
        }
    }

    #[test]
    fn plain_http_is_allowed_only_if_graph_uses_it() {
        let graph_url = "http://127.0.0.1:8102";
        assert!(allows(graph_url, "http://127.0.0.1:8102/upload/1?x"));
        assert!(allows(graph_url, "https://contoso.sharepoint.com/x"));
        assert!(!allows(graph_url, "http://127.0.0.2:8102/upload/1"));
        assert!(!allows(graph_url, "http://evil.example/upload/1"));
    }
}
