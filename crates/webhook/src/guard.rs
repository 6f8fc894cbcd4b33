//! DNS resolver for the webhook client. The resolver returns only the addresses that a rule allows,
//! so that a caller cannot make docferry connect to an internal server.

use std::net::SocketAddr;
use std::sync::Arc;

use docferry_domain::callback::CallbackRule;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Error for a host name without any address that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the host name resolves to no address that may be called")]
pub(crate) struct Forbidden;

/// Resolver that filters the addresses found by another resolver.
///
/// The HTTP client connects only to the filtered addresses. It does not look the name up a second
/// time, when the name could resolve to another address (DNS rebinding).
#[derive(Clone)]
pub struct Guard {
    rule: CallbackRule,
    inner: Arc<dyn Resolve>,
}

impl Guard {
    /// Creates a resolver that looks names up with `inner` and returns the addresses that `rule`
    /// allows.
    #[must_use]
    pub fn new(rule: CallbackRule, inner: Arc<dyn Resolve>) -> Self {
        Self { rule, inner }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (rule, lookup) = (self.rule, self.inner.resolve(name));
        Box::pin(async move {
            let allowed: Vec<SocketAddr> =
                lookup.await?.filter(|address| rule.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// The operating system's resolver.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The HTTP client replaces this port by the port of the URL.
            let addresses: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}
