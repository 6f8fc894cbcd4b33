//! URLs of webhooks (callbacks), and the rule for the addresses that a webhook may have.
//!
//! A caller may name a URL that docferry calls when a job ends. The rule keeps such calls
//! out of the internal network. It is applied when a job is requested, and again when the
//! connection is made.

mod rule;
mod url;

pub use rule::CallbackRule;
pub use url::{CallbackUrl, InvalidCallback};
