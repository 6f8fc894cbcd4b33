//! [`GraphDrive`], the client for the OneDrives of people, with its look-ups of users, drives and
//! items.
//!
//! A transfer names its *recipient* by email address. Graph addresses a drive by the id of the user
//! who is its *owner*. The client looks up the owner of an address once and caches the result.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use docferry_app::ports::{Clock, CredentialsProvider, DriveError};
use docferry_domain::person::Recipient;
use docferry_domain::upload::refusal::{Decision, Operation};
use http::Method;

use crate::calls::{Calls, Payload};
use crate::failure::{classify, decision};
use crate::parse::parse_response;
use crate::path;
use crate::response::GraphResponse;
use crate::settings::{GraphSettings, SetupError, tls};
use crate::token::ClientCredentials;
use crate::upload::Uploads;
use crate::wire::{Item, WithId};

/// Maximum number of cached owners. At this limit, the whole cache is cleared. A process serves
/// only few recipients at a time.
const MAX_CACHED_OWNERS: usize = 1000;

/// Client for the OneDrives of people, through Microsoft Graph. `P` provides the credentials of
/// docferry, and `C` is the clock.
///
/// The client caches the access token and the users that it has looked up. So a process should
/// create only one client.
pub struct GraphDrive<P, C> {
    /// HTTP client for calls with a bearer token.
    pub(crate) calls: Calls<P, C>,
    /// HTTP client for URLs that contain their own credential.
    pub(crate) uploads: Uploads,
    /// Cached owners by email address.
    owners: Mutex<HashMap<String, Owner>>,
}

/// User of Microsoft Graph who owns the drive of a recipient.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    /// Graph's id of the user.
    pub(crate) id: String,
    /// Whether a response has proved that the user has a drive.
    has_drive: bool,
}

/// Shows no field, because they contain addresses and credentials.
impl<P, C> fmt::Debug for GraphDrive<P, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GraphDrive").finish_non_exhaustive()
    }
}

impl<P: CredentialsProvider<ClientCredentials>, C: Clock> GraphDrive<P, C> {
    /// Creates a client. This function sends no request.
    ///
    /// # Errors
    /// Returns [`SetupError`] if a base URL is invalid or the TLS stack cannot be set up.
    pub fn new(settings: &GraphSettings, provider: P, clock: C) -> Result<Self, SetupError> {
        let tls = tls()?;
        Ok(Self {
            uploads: Uploads::new(settings, tls.clone()),
            calls: Calls::new(settings, tls, provider, clock)?,
            owners: Mutex::new(HashMap::new()),
        })
    }

    fn lock_owners(&self) -> MutexGuard<'_, HashMap<String, Owner>> {
        self.owners.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the user that receives the document, from the cache or from Graph.
    pub(crate) async fn owner(&self, recipient: &Recipient) -> Result<Owner, DriveError> {
        if let Some(owner) = self.lock_owners().get(recipient.as_str()) {
            return Ok(owner.clone());
        }
        let url = path::user(recipient.as_str());
        let response = self.calls.call(Method::GET, &url, Payload::None).await?;
        let user: WithId = parse_response(Operation::UserLookup, &response)?;
        let owner = Owner { id: user.id, has_drive: false };
        let mut owners = self.lock_owners();
        if owners.len() >= MAX_CACHED_OWNERS {
            owners.clear();
        }
        owners.insert(recipient.as_str().to_owned(), owner.clone());
        Ok(owner)
    }

    /// Records in the cache that the recipient has a drive.
    pub(crate) fn mark_drive_seen(&self, recipient: &Recipient) {
        if let Some(owner) = self.lock_owners().get_mut(recipient.as_str()) {
            owner.has_drive = true;
        }
    }

    /// Checks that the recipient has a drive. Callers need this check after a 404 for a path,
    /// because Graph returns 404 if the drive is missing, and also if only the item is missing.
    async fn require_drive(&self, recipient: &Recipient, owner: &Owner) -> Result<(), DriveError> {
        if owner.has_drive {
            return Ok(());
        }
        let url = format!("{}?$select=id", path::drive(&owner.id));
        let response = self.calls.call(Method::GET, &url, Payload::None).await?;
        let _drive: WithId = parse_response(Operation::DriveLookup, &response)?;
        self.mark_drive_seen(recipient);
        Ok(())
    }

    /// Returns the error for a failed write to a path.
    ///
    /// If Graph did not find the path, this function first looks the drive up, without the cache.
    /// The failure is permanent only if the drive itself does not exist.
    pub(crate) async fn write_error(
        &self,
        operation: Operation,
        recipient: &Recipient,
        owner: &Owner,
        response: &GraphResponse,
    ) -> DriveError {
        if decision(operation, response) == Some(Decision::CheckDrive) {
            let uncached_owner = Owner { has_drive: false, ..owner.clone() };
            if let Err(error) = self.require_drive(recipient, &uncached_owner).await {
                return error;
            }
        }
        classify(operation, response)
    }

    /// Returns the item at a path, or `None` if there is none.
    pub(crate) async fn item(
        &self,
        recipient: &Recipient,
        owner: &Owner,
        path: &str,
    ) -> Result<Option<Item>, DriveError> {
        let url = format!("{path}?$select=id,name,size,file,folder,webUrl");
        let response = self.calls.call(Method::GET, &url, Payload::None).await?;
        if !response.status.is_success()
            && decision(Operation::ItemLookup, &response) == Some(Decision::Absent)
        {
            self.require_drive(recipient, owner).await?;
            return Ok(None);
        }
        let item: Item = parse_response(Operation::ItemLookup, &response)?;
        self.mark_drive_seen(recipient);
        Ok(Some(item))
    }
}
