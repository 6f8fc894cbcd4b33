//! Names lead to allowed addresses only.

use std::net::SocketAddr;
use std::sync::Arc;

use docferry_domain::CallbackRule;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// A name leads to no address that may be called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the name leads to no address that may be called")]
pub(crate) struct Forbidden;

/// Lets through what the rule allows of what another resolver finds. The connection is
/// made to what comes out here, so a name cannot lead elsewhere in between.
#[derive(Clone)]
pub struct Guard {
    rule: CallbackRule,
    inner: Arc<dyn Resolve>,
}

impl Guard {
    /// Asks `inner`, and keeps to `rule`.
    #[must_use]
    pub fn new(rule: CallbackRule, inner: Arc<dyn Resolve>) -> Self {
        Self { rule, inner }
    }
}

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let (rule, found) = (self.rule, self.inner.resolve(name));
        Box::pin(async move {
            let allowed: Vec<SocketAddr> =
                found.await?.filter(|address| rule.allows(address.ip())).collect();
            if allowed.is_empty() {
                return Err(Forbidden.into());
            }
            Ok(Box::new(allowed.into_iter()) as Addrs)
        })
    }
}

/// Asks the system, as programs do.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemResolver;

impl Resolve for SystemResolver {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            // The port is the URL's.
            let found: Vec<_> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            Ok(Box::new(found.into_iter()) as Addrs)
        })
    }
}
