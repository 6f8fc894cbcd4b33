//! Rule for callback URLs.

use docferry_domain::callback::CallbackRule;

use crate::config::{Reader, Variables};

/// Rule for the addresses that webhooks may be sent to. `WEBHOOK_ALLOW_LOOPBACK` also allows
/// loopback addresses; it may be set only in the environment `local`.
pub fn callback_rule(reader: &mut Reader<impl Variables>) -> CallbackRule {
    if reader.or("WEBHOOK_ALLOW_LOOPBACK", false) {
        if !reader.is_local() {
            reader.problem("WEBHOOK_ALLOW_LOOPBACK must be false outside the environment local");
        }
        CallbackRule::PublicAndLoopback
    } else {
        CallbackRule::Public
    }
}
