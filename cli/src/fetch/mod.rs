//! Bringing what a job has delivered into a file.

mod arrival;
mod error;
mod name;
mod part;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use secrecy::ExposeSecret as _;
use url::Url;

pub use error::FetchError;
pub use name::Names;
pub use part::Existing;

use crate::client::Client;
use crate::error::ClientError;
use crate::job::{Fetchable, JobState};
use crate::watch::{End, Observer, Options, insist, pause_of};
use arrival::Arrival;
use part::Part;

const OWN_PAUSE: Duration = Duration::from_secs(1);

/// One document, and where it shall go.
#[derive(Debug)]
pub struct Wanted {
    /// What to fetch it by.
    pub job_id: String,
    /// Its size in bytes, as the service has said; nothing else is taken for it.
    pub size: Option<u64>,
    /// What it is called when nobody says.
    pub fallback_name: String,
    /// The folder that it goes to.
    pub folder: PathBuf,
    /// Its name there; `None` is the one that comes with it.
    pub name: Option<String>,
    /// About a file that is there already.
    pub existing: Existing,
}

/// A document that is in its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// Where.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size: u64,
    /// It was there before, and stayed.
    pub skipped: bool,
}

impl Wanted {
    /// Where the bytes are until all have come.
    #[must_use]
    pub fn part(&self) -> PathBuf {
        let stem = self.name.clone().unwrap_or_else(|| name::or_document(&self.fallback_name));
        self.folder.join(format!("{stem}.part"))
    }
}

/// Fetches one document, goes on where an earlier try or run stopped, and puts it in
/// its place when it is whole.
///
/// Each try has an address of its own, so one that is over does no harm. Whoever
/// drops this in the middle leaves the part, for the next to go on with.
///
/// # Errors
/// See [`FetchError`]; transient ones have outlasted [`Options::retries`] tries in which
/// not one byte came.
pub async fn fetch(
    client: &Client,
    wanted: &Wanted,
    names: &mut Names,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Fetched, FetchError> {
    let start = Instant::now();
    let result = fetch_inner(client, wanted, names, options, observer).await;
    let end = match &result {
        Ok(fetched) => End::Completed(fetched.size),
        Err(FetchError::Client(error)) => End::Error(error),
        Err(error) => End::Failed(error.to_string()),
    };
    observer.ended(&end, start.elapsed());
    result
}

async fn fetch_inner(
    client: &Client,
    wanted: &Wanted,
    names: &mut Names,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Fetched, FetchError> {
    let named = wanted.name.as_ref().map(|name| wanted.folder.join(name));
    if let Some(there) = already_there(named.as_deref(), wanted.existing)? {
        return Ok(there);
    }
    let part = Part::open(wanted.part())?;
    let mut arrival = Arrival { wanted, part, target: named, names, observer };
    match try_on(client, wanted, &mut arrival, options).await {
        Ok(Come::Whole(path)) => {
            let size = arrival.part.bytes();
            arrival.part.finish(&path, wanted.existing)?;
            Ok(Fetched { path, size, skipped: false })
        }
        Ok(Come::AlreadyThere(there)) => {
            arrival.part.discard()?;
            Ok(there)
        }
        Err(error) => {
            // What is of no use to a later run does not stay.
            if arrival.part.bytes() == 0 || matches!(error, FetchError::WrongSize { .. }) {
                arrival.part.discard()?;
            }
            Err(error)
        }
    }
}

/// What an address has brought.
enum Come {
    /// All of it, for this place.
    Whole(PathBuf),
    /// Nothing: this file stays.
    AlreadyThere(Fetched),
}

/// Tries until it has come, or another try is pointless.
async fn try_on(
    client: &Client,
    wanted: &Wanted,
    arrival: &mut Arrival<'_>,
    options: &Options,
) -> Result<Come, FetchError> {
    let backoff = ExponentialBuilder::default()
        .with_min_delay(Duration::from_millis(500))
        .with_max_delay(Duration::from_secs(10))
        .with_max_times(options.retries)
        .with_jitter();
    let mut pauses = backoff.build();
    let mut most = arrival.part.bytes();
    loop {
        let url = address(client, &wanted.job_id, options, arrival.observer).await?;
        let error = match arrival.come(&url).await {
            Ok(come) => return Ok(come),
            Err(error) => error,
        };
        // Only bytes beyond all earlier tries are progress: a store whose document cannot be
        // resumed would otherwise be asked without end.
        if arrival.part.bytes() > most {
            most = arrival.part.bytes();
            pauses = backoff.build();
        }
        let (true, Some(pause)) = (error.is_transient(), pauses.next()) else { return Err(error) };
        tokio::time::sleep(pause_of(error.retry_after(), pause)).await;
    }
}

/// Where to fetch it; waits while it is not ready.
async fn address(
    client: &Client,
    job_id: &str,
    options: &Options,
    observer: &dyn Observer,
) -> Result<Url, FetchError> {
    let notify = |error: &ClientError, pause| observer.retrying(error, pause);
    let waiting = async {
        loop {
            match insist(options, || client.fetchable(job_id), notify).await? {
                Fetchable::Ready(ready) => {
                    // The text opens the document, so no error may repeat it.
                    return Url::parse(ready.url.expose_secret()).map_err(|_| {
                        let reason = "the address of the document is none".into();
                        ClientError::InvalidAnswer { status: 200, reason }.into()
                    });
                }
                Fetchable::NotReady { status, retry_after } => match status.status {
                    JobState::Completed => {
                        return Err(nothing("it went elsewhere, or document by document"));
                    }
                    state if state.is_terminal() => return Err(nothing(state.as_str())),
                    _ => {
                        let asked = retry_after.or(status.next_poll());
                        tokio::time::sleep(pause_of(asked, OWN_PAUSE)).await;
                    }
                },
            }
        }
    };
    tokio::time::timeout(options.timeout, waiting).await.unwrap_or(Err(FetchError::NotReady))
}

/// The name under which a document of this name is kept: a harmless one.
#[must_use]
pub fn kept_name(name: &str) -> String {
    name::or_document(name)
}

fn nothing(reason: &str) -> FetchError {
    FetchError::NothingThere { reason: reason.to_owned() }
}

/// What is to be done about a file that is there: nothing, stop, or leave it alone.
fn already_there(path: Option<&Path>, existing: Existing) -> Result<Option<Fetched>, FetchError> {
    let Some(path) = path.filter(|_| existing != Existing::Replace) else { return Ok(None) };
    // Of a link that leads nowhere, too, the name is taken.
    match path.symlink_metadata() {
        Err(_) => Ok(None),
        Ok(_) if existing == Existing::Refuse => Err(FetchError::Exists { path: path.to_owned() }),
        Ok(there) => Ok(Some(Fetched { path: path.to_owned(), size: there.len(), skipped: true })),
    }
}
