//! Setting that limits the callback URLs to which webhooks are sent.

use docferry_domain::callback::CallbackRule;

use crate::config::{Reader, Variables};

/// Rule for the addresses to which webhooks may be sent. `WEBHOOK_ALLOW_LOOPBACK` also allows
/// loopback addresses. It may be `true` only in the environment `local`.
pub fn callback_rule(reader: &mut Reader<impl Variables>) -> CallbackRule {
    if reader.parsed_or("WEBHOOK_ALLOW_LOOPBACK", false) {
        if !reader.is_local() {
            reader.problem("WEBHOOK_ALLOW_LOOPBACK must be false outside the environment local");
        }
        CallbackRule::PublicAndLoopback
    } else {
        CallbackRule::Public
    }
}
