//! [`Drive`] and [`Directory`] on Microsoft Graph.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use docferry_app::ports::{
    ByteStream, Clock, ConflictPolicy, CredentialsProvider, Destination, Directory, DirectoryError,
    Drive, DriveError, DriveItem, FragmentResult, SessionEnd, SessionStatus, UploadSession,
    UploadUrl,
};
use docferry_domain::failure::FailureCode;
use docferry_domain::person::Recipient;
use docferry_domain::upload::FragmentRange;
use docferry_domain::upload::refusal::{Decision, Operation};
use http::{Method, StatusCode};

use crate::answer::GraphResponse;
use crate::calls::{Calls, Payload};
use crate::content::{address, part, range_header};
use crate::failure::{classify, decision, no_effect};
use crate::path;
use crate::settings::{GraphSettings, SetupError, tls};
use crate::token::ClientCredentials;
use crate::upload::Uploads;
use crate::wire::{CreateSession, Item, Progress, Session, WithId};

/// Maximum number of cached recipients. A process serves few at a time; at this limit the whole
/// cache is cleared.
const MAX_CACHED_RECIPIENTS: usize = 1000;

/// Client for the OneDrives of people, through Microsoft Graph.
///
/// It caches the access token and the users that it has looked up, so one value should live as
/// long as its process.
pub struct GraphDrive<P, C> {
    calls: Calls<P, C>,
    uploads: Uploads,
    /// Cache of users by the recipient's address.
    owners: Mutex<HashMap<String, Owner>>,
}

/// Cached data of a recipient.
#[derive(Debug, Clone)]
struct Owner {
    /// Graph's id of the user.
    id: String,
    /// Whether a response has proved that the user has a drive.
    has_drive: bool,
}

impl<P: CredentialsProvider<ClientCredentials>, C: Clock> GraphDrive<P, C> {
    /// Creates a client. It sends nothing until it is used.
    ///
    /// # Errors
    /// [`SetupError`] if a base URL is invalid or the TLS stack cannot be set up.
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

    /// Looks the recipient up, in the cache or in Graph.
    async fn owner(&self, recipient: &Recipient) -> Result<Owner, DriveError> {
        if let Some(owner) = self.lock_owners().get(recipient.as_str()) {
            return Ok(owner.clone());
        }
        let url = path::user(recipient.as_str());
        let answer = self.calls.call(Method::GET, &url, Payload::None).await?;
        let user: WithId = read(Operation::UserLookup, &answer)?;
        let owner = Owner { id: user.id, has_drive: false };
        let mut owners = self.lock_owners();
        if owners.len() >= MAX_CACHED_RECIPIENTS {
            owners.clear();
        }
        owners.insert(recipient.as_str().to_owned(), owner.clone());
        Ok(owner)
    }

    /// Notes in the cache that the recipient has a drive.
    fn mark_drive_seen(&self, recipient: &Recipient) {
        if let Some(owner) = self.lock_owners().get_mut(recipient.as_str()) {
            owner.has_drive = true;
        }
    }

    /// Fails if the recipient has no drive. A 404 for a path does not tell a missing drive from a
    /// missing item.
    async fn require_drive(&self, recipient: &Recipient, owner: &Owner) -> Result<(), DriveError> {
        if owner.has_drive {
            return Ok(());
        }
        let url = format!("{}?$select=id", path::drive(&owner.id));
        let answer = self.calls.call(Method::GET, &url, Payload::None).await?;
        let _drive: WithId = read(Operation::DriveLookup, &answer)?;
        self.mark_drive_seen(recipient);
        Ok(())
    }

    /// Returns the error for a failed write to a path.
    ///
    /// If the path was not found, this looks the drive up again, ignoring the cache: the failure
    /// is permanent only if the drive itself does not exist.
    async fn write_error(
        &self,
        operation: Operation,
        recipient: &Recipient,
        owner: &Owner,
        answer: &GraphResponse,
    ) -> DriveError {
        if decision(operation, answer) == Some(Decision::CheckDrive) {
            let owner = Owner { has_drive: false, ..owner.clone() };
            if let Err(error) = self.require_drive(recipient, &owner).await {
                return error;
            }
        }
        classify(operation, answer)
    }

    /// Returns the item at a path, or `None` if there is none.
    async fn item(
        &self,
        recipient: &Recipient,
        owner: &Owner,
        path: &str,
    ) -> Result<Option<Item>, DriveError> {
        let url = format!("{path}?$select=id,name,size,file,folder,webUrl");
        let answer = self.calls.call(Method::GET, &url, Payload::None).await?;
        if !answer.status.is_success()
            && decision(Operation::ItemLookup, &answer) == Some(Decision::Absent)
        {
            self.require_drive(recipient, owner).await?;
            return Ok(None);
        }
        let item: Item = read(Operation::ItemLookup, &answer)?;
        self.mark_drive_seen(recipient);
        Ok(Some(item))
    }
}

impl<P: CredentialsProvider<ClientCredentials>, C: Clock> Directory for GraphDrive<P, C> {
    async fn user_id(&self, recipient: &Recipient) -> Result<Option<String>, DirectoryError> {
        match self.owner(recipient).await {
            Ok(owner) => Ok(Some(owner.id)),
            Err(DriveError::RecipientNotFound) => Ok(None),
            Err(error) => Err(DirectoryError(error.into())),
        }
    }
}

impl<P: CredentialsProvider<ClientCredentials>, C: Clock> Drive for GraphDrive<P, C> {
    async fn create_session(
        &self,
        destination: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> Result<UploadSession, DriveError> {
        let owner = self.owner(&destination.recipient).await?;
        let url = format!("{}:/createUploadSession", path::item(&owner.id, destination));
        let body = CreateSession::new(destination.name.as_str(), size, policy);
        let body = serde_json::to_vec(&body).map_err(|e| DriveError::Ambiguous(e.into()))?;
        let payload = Payload::Json(body);
        let answer = self.calls.call(Method::POST, &url, payload).await?;
        if !answer.status.is_success() {
            let operation = Operation::CreateSession;
            return Err(self.write_error(operation, &destination.recipient, &owner, &answer).await);
        }
        let session: Session = answer.json().ok_or_else(unreadable)?;
        self.mark_drive_seen(&destination.recipient);
        let expires_at = session.expiration_date_time;
        let url = UploadUrl::new(session.upload_url);
        if url.expose().is_empty() {
            return Err(unreadable());
        }
        self.uploads.target(&url)?;
        Ok(UploadSession { url, expires_at: expires_at.and_then(|text| text.parse().ok()) })
    }

    async fn session_status(&self, url: &UploadUrl) -> Result<SessionStatus, DriveError> {
        let clock = self.calls.clock();
        let answer = self.uploads.call(Method::GET, url, clock).await?;
        let progress: Progress = read(Operation::SessionStatus, &answer)?;
        Ok(SessionStatus { next: progress.next() })
    }

    async fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> Result<FragmentResult, DriveError> {
        let clock = self.calls.clock();
        let answer = self.uploads.put(url, range, body, clock).await?;
        match answer.status {
            StatusCode::OK | StatusCode::CREATED => file(&answer).map(FragmentResult::Completed),
            status if status.is_success() => {
                let next = answer.json().and_then(|progress: Progress| progress.next());
                Ok(FragmentResult::Accepted { next })
            }
            _ if range.is_last() => Err(classify(Operation::LastFragment, &answer)),
            _ => Err(classify(Operation::Fragment, &answer)),
        }
    }

    async fn delete_session(&self, url: &UploadUrl) -> Result<SessionEnd, DriveError> {
        if self.uploads.target(url).is_err() {
            // No request is ever sent to such a host, so no session of ours can be open there.
            return Ok(SessionEnd::AlreadyGone);
        }
        let clock = self.calls.clock();
        let answer = self.uploads.call(Method::DELETE, url, clock).await?;
        if answer.status == StatusCode::NO_CONTENT {
            return Ok(SessionEnd::Deleted);
        }
        if answer.status.is_success() {
            // Not Graph's response, for example a page of a proxy. The session may still be open,
            // or the document may be complete.
            return Err(unreadable());
        }
        match classify(Operation::SessionDelete, &answer) {
            DriveError::SessionGone => Ok(SessionEnd::AlreadyGone),
            error => Err(error),
        }
    }

    async fn put_whole(
        &self,
        destination: &Destination,
        bytes: Bytes,
        policy: ConflictPolicy,
    ) -> Result<DriveItem, DriveError> {
        let owner = self.owner(&destination.recipient).await?;
        let item = path::item(&owner.id, destination);
        let policy = policy.as_str();
        let url = format!("{item}:/content?@microsoft.graph.conflictBehavior={policy}");
        let answer = self.calls.call(Method::PUT, &url, Payload::Document(bytes)).await?;
        if !answer.status.is_success() {
            let operation = Operation::SmallPut;
            return Err(self.write_error(operation, &destination.recipient, &owner, &answer).await);
        }
        let item = file(&answer)?;
        self.mark_drive_seen(&destination.recipient);
        Ok(item)
    }

    async fn find(&self, destination: &Destination) -> Result<Option<DriveItem>, DriveError> {
        let Destination { recipient, .. } = destination;
        let owner = self.owner(recipient).await?;
        let path = path::item(&owner.id, destination);
        match self.item(recipient, &owner, &path).await? {
            None => Ok(None),
            Some(item) if item.is_folder() => Err(DriveError::Conflict),
            Some(item) => item.into_file().map(Some).ok_or_else(unknown_item),
        }
    }

    async fn has_file_in_path(&self, destination: &Destination) -> Result<bool, DriveError> {
        let Destination { recipient, folder, .. } = destination;
        let owner = self.owner(recipient).await?;
        // From the deepest folder upwards, the first item that exists decides.
        for depth in (1..=folder.segments().len()).rev() {
            let path = path::folder(&owner.id, &folder.segments()[..depth]);
            if let Some(item) = self.item(recipient, &owner, &path).await? {
                return Ok(!item.is_folder());
            }
        }
        Ok(false)
    }

    async fn read_item(
        &self,
        destination: &Destination,
        item: &DriveItem,
        range: Range<u64>,
    ) -> Result<Bytes, DriveError> {
        let owner = self.owner(&destination.recipient).await?;
        let range_value = range_header(&range)?;
        let url = path::content(&owner.id, &item.id);
        let answer = self.calls.call(Method::GET, &url, Payload::Part(range_value.clone())).await?;
        let answer = match address(&answer) {
            None => answer,
            Some(address) => {
                let url = UploadUrl::new(address);
                self.uploads.download(&url, range_value, self.calls.clock()).await?
            }
        };
        part(&answer, &range, item.facts.size)
    }
}

/// Parses the response of a call that changes nothing.
fn read<T: serde::de::DeserializeOwned>(
    operation: Operation,
    answer: &GraphResponse,
) -> Result<T, DriveError> {
    if answer.status.is_success() {
        answer.json().ok_or_else(unknown_item)
    } else {
        Err(classify(operation, answer))
    }
}

/// Parses the file that a successful response describes. Any other body is an error, because it
/// does not prove that the document is complete.
fn file(answer: &GraphResponse) -> Result<DriveItem, DriveError> {
    answer.json().and_then(Item::into_file).ok_or_else(unreadable)
}

/// Error for a successful response to a write whose body cannot be parsed: the write may have
/// happened or not.
fn unreadable() -> DriveError {
    DriveError::Ambiguous(UNREADABLE.into())
}

/// Error for a successful response to a read whose body cannot be parsed.
fn unknown_item() -> DriveError {
    no_effect(FailureCode::DestinationUnavailable, UNREADABLE)
}

/// Cause of [`unreadable`] and [`unknown_item`].
const UNREADABLE: &str = "a successful response could not be parsed";
