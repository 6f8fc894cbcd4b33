//! Writes of grants. A *grant* is the right of a person to see documents. Its *coverage* is the
//! subject or group of these documents.

use docferry_app::ports::{GrantResult, MAX_GRANTS_PER_PERSON, Registry as _, StoreError};
use docferry_domain::document::{Coverage, Grant};
use docferry_domain::person::Person;

use super::super::conditional_update::{ConditionalUpdate, number};
use super::super::items::attribute;
use super::super::write_failure::WriteFailure;
use super::DynamoRegistry;
use super::items::{COVERAGE, EXPIRY, grant_key};

/// Adds a grant, or replaces the person's grant with the same coverage.
///
/// The function counts the grants before it writes. Concurrent calls for one person may therefore
/// exceed the maximum by a few grants.
pub(super) async fn put_grant(
    registry: &DynamoRegistry,
    person: &Person,
    grant: &Grant,
) -> Result<GrantResult, StoreError> {
    let existing = registry.grants(person).await?;
    let is_replaced = existing.iter().any(|existing| existing.coverage == grant.coverage);
    if existing.len() >= MAX_GRANTS_PER_PERSON && !is_replaced {
        return Ok(GrantResult::TooMany);
    }
    let change = ConditionalUpdate::default().set(COVERAGE, attribute(&grant.coverage)?);
    let change = match grant.expires_at {
        Some(expiry) => change.set(EXPIRY, number(expiry.as_millisecond())),
        None => change.remove(&[EXPIRY]),
    };
    match registry.table.update(grant_key(person, &grant.coverage), change).await {
        Ok(_) => Ok(GrantResult::Stored),
        // Not reached: the write has no condition.
        Err(failure) => failure.current_item().map(|_| GrantResult::Stored),
    }
}

/// Deletes a grant. Returns whether the grant existed.
pub(super) async fn delete_grant(
    registry: &DynamoRegistry,
    person: &Person,
    coverage: &Coverage,
) -> Result<bool, StoreError> {
    let if_it_exists = ConditionalUpdate::default().when("attribute_exists(pk)");
    match registry.table.delete(grant_key(person, coverage), if_it_exists).await {
        Ok(()) => Ok(true),
        Err(WriteFailure::Condition(())) => Ok(false),
        Err(failure) => failure.current_item().map(|()| false),
    }
}
