//! Test bench: the running simulator of Microsoft Graph, a client that calls it, and documents to
//! upload.

use bytes::Bytes;
use docferry_app::ports::{
    Cause, ConflictPolicy, CredentialsProvider, Destination, Drive as _, DriveError, DriveItem,
    FragmentResult, Freshness, UploadSession,
};
use docferry_domain::document::SourceHash;
use docferry_graph::{ClientCredentials, GraphDrive, GraphSettings};
use docferry_sim_graph::{Config, Running, start};
use futures::StreamExt as _;
use serde_json::Value;

use crate::support;
use crate::support::{ManualClock, range};

/// Size of a fragment in bytes: the unit of Graph, 320 KiB.
pub(crate) const FRAGMENT_SIZE: u64 = 327_680;

/// Email address of a user without a OneDrive.
pub(crate) const USER_WITHOUT_DRIVE: &str = "new@court.example";

/// Credentials that the simulator accepts.
pub(crate) struct Credentials;

impl CredentialsProvider<ClientCredentials> for Credentials {
    async fn credentials(&self, _: Freshness) -> Result<ClientCredentials, Cause> {
        let config = Config::default();
        Ok(ClientCredentials {
            client_id: config.client_id,
            client_secret: config.client_secret.into(),
        })
    }
}

/// Running simulator with a client.
pub(crate) struct SimulatedGraph {
    running: Running,
    pub(crate) drive: GraphDrive<Credentials, ManualClock>,
}

impl SimulatedGraph {
    /// Starts the simulator with three users who have a OneDrive and with one user who has none.
    pub(crate) async fn start() -> Self {
        let users = ["ada@court.example", "ben#EXT#@court.example", "$cas@court.example"];
        let config = Config { users: users.map(str::to_owned).into(), ..Config::default() };
        let tenant = config.tenant.clone();
        let running = start(config).await.unwrap();
        let base = running.url().to_owned();
        let settings = GraphSettings {
            graph_url: base.clone(),
            authority_url: base,
            ..GraphSettings::public_cloud(tenant)
        };
        let drive = GraphDrive::new(&settings, Credentials, ManualClock::default()).unwrap();
        let graph = Self { running, drive };
        let user_url =
            format!("{}/users/{USER_WITHOUT_DRIVE}?drive=false", graph.running.admin_url());
        reqwest::Client::new().put(user_url).send().await.unwrap().error_for_status().unwrap();
        graph
    }

    /// Adds a fault rule to the simulator.
    pub(crate) async fn inject_fault(&self, rule: Value) {
        let url = format!("{}/faults", self.running.admin_url());
        let response = reqwest::Client::new().post(url).json(&rule).send().await.unwrap();
        response.error_for_status().unwrap();
    }

    /// Opens a session that replaces a file at the destination.
    pub(crate) async fn create_session(&self, dest: &Destination, size: u64) -> UploadSession {
        self.drive.create_session(dest, size, ConflictPolicy::Replace).await.unwrap()
    }

    /// Sends the bytes from `start` to `end` of a document of `total` bytes.
    pub(crate) async fn put_range(
        &self,
        session: &UploadSession,
        start: u64,
        end: u64,
        total: u64,
    ) -> Result<FragmentResult, DriveError> {
        let fragment = document(total).slice(usize_of(start)..usize_of(end));
        let stream = futures::stream::iter([Ok(fragment)]).boxed();
        self.drive.put_fragment(&session.url, range(start, end, total), stream).await
    }

    /// Uploads a document of `size` bytes in one request.
    pub(crate) async fn put_whole(
        &self,
        dest: &Destination,
        size: u64,
        policy: ConflictPolicy,
    ) -> Result<DriveItem, DriveError> {
        self.drive.put_whole(dest, document(size), policy).await
    }

    /// Returns the offset that the session expects next.
    pub(crate) async fn next_offset(&self, session: &UploadSession) -> Option<u64> {
        self.drive.session_status(&session.url).await.unwrap().next.map(|range| range.start)
    }
}

pub(crate) fn usize_of(number: u64) -> usize {
    usize::try_from(number).unwrap()
}

/// Returns a document of `size` bytes with a repeating pattern. The pattern has 251 bytes. This is
/// a prime number, so consecutive fragments differ.
pub(crate) fn document(size: u64) -> Bytes {
    (0..size).map(|position| u8::try_from(position % 251).unwrap()).collect()
}

pub(crate) fn destination(recipient: &str, folder: &str, name: &str) -> Destination {
    Destination { recipient: recipient.parse().unwrap(), ..support::destination(folder, name) }
}

/// Checks that an item has the size and the hash of `document(size)`, and that it has a web URL.
pub(crate) fn assert_is_document(item: &DriveItem, size: u64) {
    let mut hash = SourceHash::default();
    assert!(hash.update_at(0, &document(size)));
    assert_eq!(item.facts.size, size);
    assert_eq!(item.facts.quick_xor_hash, Some(hash.digest()));
    assert!(item.web_url.as_ref().is_some_and(|url| url.contains("/personal/")), "{item:?}");
}
