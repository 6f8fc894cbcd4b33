//! Implementation of the ports [`Drive`] and [`Directory`] with Microsoft Graph. Each method sends
//! one or a few HTTP calls and translates the responses to the types of the ports.
//!
//! A large document is uploaded in an *upload session*: [`Drive::create_session`] returns an upload
//! URL, and [`Drive::put_fragment`] sends one fragment of the document to this URL. A small
//! document is uploaded in one call ([`Drive::put_whole`]).

use std::ops::Range;

use bytes::Bytes;
use docferry_app::ports::{
    ByteStream, Clock, ConflictPolicy, CredentialsProvider, Destination, Directory, DirectoryError,
    Drive, DriveError, DriveItem, FragmentResult, SessionEnd, SessionStatus, UploadSession,
    UploadUrl,
};
use docferry_domain::person::Recipient;
use docferry_domain::upload::FragmentRange;
use docferry_domain::upload::refusal::Operation;
use http::{Method, StatusCode};

use crate::calls::Payload;
use crate::client::GraphDrive;
use crate::content::{range_header, redirect_target, requested_bytes};
use crate::failure::classify;
use crate::parse::{
    parse_file, parse_response, unreadable_read_response, unreadable_write_response,
};
use crate::path;
use crate::token::ClientCredentials;
use crate::wire::{CreateSession, Progress, Session};

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
    async fn recipient_id(&self, recipient: &Recipient) -> Result<Option<String>, DriveError> {
        Ok(Some(self.owner(recipient).await?.id))
    }

    async fn create_session(
        &self,
        destination: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> Result<UploadSession, DriveError> {
        let owner = self.owner(&destination.recipient).await?;
        let url = format!("{}:/createUploadSession", path::item(&owner.id, destination));
        let body = CreateSession::new(destination.name.as_str(), size, policy);
        let json =
            serde_json::to_vec(&body).map_err(|error| DriveError::Ambiguous(error.into()))?;
        let response = self.calls.call(Method::POST, &url, Payload::Json(json)).await?;
        if !response.status.is_success() {
            let operation = Operation::CreateSession;
            return Err(self
                .write_error(operation, &destination.recipient, &owner, &response)
                .await);
        }
        let session: Session = response.json().ok_or_else(unreadable_write_response)?;
        self.mark_drive_seen(&destination.recipient);
        let expires_at = session.expiration_date_time;
        let url = UploadUrl::new(session.upload_url);
        if url.expose().is_empty() {
            return Err(unreadable_write_response());
        }
        // Rejects a URL whose host is not allowed before the URL is stored.
        self.uploads.target(&url)?;
        Ok(UploadSession { url, expires_at: expires_at.and_then(|text| text.parse().ok()) })
    }

    async fn session_status(&self, url: &UploadUrl) -> Result<SessionStatus, DriveError> {
        let clock = self.calls.clock();
        let response = self.uploads.call(Method::GET, url, clock).await?;
        let progress: Progress = parse_response(Operation::SessionStatus, &response)?;
        Ok(SessionStatus { next: progress.next() })
    }

    async fn put_fragment(
        &self,
        url: &UploadUrl,
        range: FragmentRange,
        body: ByteStream,
    ) -> Result<FragmentResult, DriveError> {
        let clock = self.calls.clock();
        let response = self.uploads.put(url, range, body, clock).await?;
        match response.status {
            StatusCode::OK | StatusCode::CREATED => {
                parse_file(&response).map(FragmentResult::Completed)
            }
            status if status.is_success() => {
                let next = response.json().and_then(|progress: Progress| progress.next());
                Ok(FragmentResult::Accepted { next })
            }
            _ if range.is_last() => Err(classify(Operation::LastFragment, &response)),
            _ => Err(classify(Operation::Fragment, &response)),
        }
    }

    async fn delete_session(&self, url: &UploadUrl) -> Result<SessionEnd, DriveError> {
        if self.uploads.target(url).is_err() {
            // The URL is invalid or its host is not allowed. docferry never sends a request to such
            // a URL, so no session of docferry can be open there.
            return Ok(SessionEnd::AlreadyGone);
        }
        let clock = self.calls.clock();
        let response = self.uploads.call(Method::DELETE, url, clock).await?;
        if response.status == StatusCode::NO_CONTENT {
            return Ok(SessionEnd::Deleted);
        }
        if response.status.is_success() {
            // Graph's only successful response is 204, so this response is from another server, for
            // example a proxy. The session may still be open, or the document may be complete.
            return Err(unreadable_write_response());
        }
        match classify(Operation::SessionDelete, &response) {
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
        let path = path::item(&owner.id, destination);
        let policy = policy.as_str();
        let url = format!("{path}:/content?@microsoft.graph.conflictBehavior={policy}");
        let response = self.calls.call(Method::PUT, &url, Payload::Document(bytes)).await?;
        if !response.status.is_success() {
            let operation = Operation::SmallPut;
            return Err(self
                .write_error(operation, &destination.recipient, &owner, &response)
                .await);
        }
        let item = parse_file(&response)?;
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
            Some(item) => item.into_file().map(Some).ok_or_else(unreadable_read_response),
        }
    }

    async fn has_file_in_path(&self, destination: &Destination) -> Result<bool, DriveError> {
        let Destination { recipient, folder, .. } = destination;
        let owner = self.owner(recipient).await?;
        // This loop looks for the deepest existing item of the path. If that item is a file, it
        // prevents the creation of the folders below it.
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
        let response =
            self.calls.call(Method::GET, &url, Payload::Range(range_value.clone())).await?;
        let response = match redirect_target(&response) {
            None => response,
            // Like an upload URL, a download URL contains its own credential.
            Some(download_url) => {
                let url = UploadUrl::new(download_url);
                self.uploads.download(&url, range_value, self.calls.clock()).await?
            }
        };
        requested_bytes(&response, &range, item.facts.size)
    }
}
