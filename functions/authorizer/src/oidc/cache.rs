//! Cache of the OpenID Connect issuer's public keys, with which the authorizer verifies tokens. The
//! cache limits how often the keys are fetched.

use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fetch::{FetchError, KeySource};
use super::keys::{Key, KeySet};

/// Cache of the issuer's keys, shared by the invocations of a process.
///
/// Each token names the id of its key. An unknown id may belong to a new key, or it may be forged.
/// So an unknown id triggers a fetch of all keys, but at most one fetch in every
/// [`KeyCache::PAUSE`].
///
/// Forged tokens thus cost the issuer at most two requests per pause and process (discovery
/// document and keys), and do not slow down other callers. A token that is signed with a very new
/// key may be rejected until the pause is over.
#[derive(Debug)]
pub struct KeyCache<S> {
    source: S,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    keys: KeySet,
    /// Time of the last fetch, which may have failed.
    last_fetch: Option<Instant>,
    /// Time of the last successful fetch, which returned `keys`.
    last_success: Option<Instant>,
}

impl<S: KeySource> KeyCache<S> {
    /// Minimum time between two fetches.
    pub const PAUSE: Duration = Duration::from_secs(30);
    /// Minimum time between two fetches while the cache has no key. It is shorter than
    /// [`Self::PAUSE`], because no token can be verified without keys.
    pub const FIRST_PAUSE: Duration = Duration::from_secs(2);
    /// Maximum age of the keys. Older keys are fetched again. Otherwise, a revoked key would stay
    /// valid as long as the process runs.
    pub const MAX_KEY_AGE: Duration = Duration::from_secs(3600);

    /// Creates an empty cache. Keys are fetched on first use.
    pub fn new(source: S) -> Self {
        Self { source, state: Mutex::default() }
    }

    /// Returns the key with this id, or `None` if the issuer has no such key. If a fetch fails, the
    /// previous keys stay in use.
    ///
    /// # Errors
    /// [`FetchError`] if the cache has no key and the keys cannot be fetched now.
    pub(super) async fn key(&self, id: &str) -> Result<Option<Key>, FetchError> {
        let mut state = self.state.lock().await;
        let is_fresh = state.last_success.is_some_and(|time| time.elapsed() < Self::MAX_KEY_AGE);
        if is_fresh && state.keys.get(id).is_some() {
            return Ok(state.keys.get(id).cloned());
        }
        let pause = if state.keys.is_empty() { Self::FIRST_PAUSE } else { Self::PAUSE };
        if state.last_fetch.is_none_or(|time| time.elapsed() >= pause) {
            state.last_fetch = Some(Instant::now());
            match self.source.fetch().await {
                Ok(keys) => {
                    state.keys = keys;
                    state.last_success = Some(Instant::now());
                }
                Err(error) if state.keys.is_empty() => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, "key refresh failed, previous keys stay in use");
                }
            }
        } else if state.keys.is_empty() {
            return Err(FetchError::NoAnswer("last fetch of the issuer's keys"));
        }
        Ok(state.keys.get(id).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as StdMutex;

    const SECOND: Duration = Duration::from_secs(1);
    const HOUR: Duration = Duration::from_secs(3600);
    const ALMOST_AN_HOUR: Duration = Duration::from_secs(3600 - 1);

    /// Entry of a script that makes a fetch fail.
    const FAILURE: &str = "";

    /// Source whose responses are given by a script.
    struct ScriptedSource(StdMutex<Script>);

    struct Script {
        /// One entry for each fetch: the id of the only key that it returns, or [`FAILURE`].
        /// Fetches after the last entry fail.
        key_ids: Vec<&'static str>,
        fetch_count: u32,
    }

    impl KeySource for ScriptedSource {
        async fn fetch(&self) -> Result<KeySet, FetchError> {
            let mut script = self.0.lock().unwrap();
            script.fetch_count += 1;
            let id = if script.key_ids.is_empty() { FAILURE } else { script.key_ids.remove(0) };
            if id == FAILURE {
                return Err(FetchError::NoAnswer("x"));
            }
            let key = format!(r#"{{"kty":"RSA","kid":"{id}","n":"3q2-7w","e":"AQAB"}}"#);
            Ok(KeySet::parse(format!(r#"{{"keys":[{key}]}}"#).as_bytes()).unwrap())
        }
    }

    fn cache_of_script(key_ids: &[&'static str]) -> KeyCache<ScriptedSource> {
        let script = Script { key_ids: key_ids.to_vec(), fetch_count: 0 };
        KeyCache::new(ScriptedSource(StdMutex::new(script)))
    }

    async fn knows(cache: &KeyCache<ScriptedSource>, id: &str) -> bool {
        cache.key(id).await.unwrap().is_some()
    }

    fn fetch_count(cache: &KeyCache<ScriptedSource>) -> u32 {
        cache.source.0.lock().unwrap().fetch_count
    }

    #[tokio::test(start_paused = true)]
    async fn forged_key_ids_cause_at_most_one_fetch_in_thirty_seconds() {
        let cache = cache_of_script(&["a", "a", "a"]);
        for id in 0..100 {
            assert!(!knows(&cache, &format!("forged-{id}")).await);
            assert!(knows(&cache, "a").await);
        }
        assert_eq!(fetch_count(&cache), 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        for id in 0..100 {
            assert!(!knows(&cache, &format!("forged-{id}")).await);
        }
        assert_eq!(fetch_count(&cache), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn key_refresh_adds_new_keys_and_drops_removed_ones() {
        let cache = cache_of_script(&["old", "new"]);
        assert!(knows(&cache, "old").await);
        assert!(!knows(&cache, "new").await);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(knows(&cache, "new").await);
        assert!(!knows(&cache, "old").await);
    }

    #[tokio::test(start_paused = true)]
    async fn cached_keys_stay_in_use_while_the_issuer_does_not_answer() {
        let cache = cache_of_script(&["a", FAILURE, FAILURE]);
        assert!(knows(&cache, "a").await);
        tokio::time::advance(2 * HOUR).await;
        assert!(knows(&cache, "a").await && !knows(&cache, "b").await);
        assert_eq!(fetch_count(&cache), 2, "a failed fetch is not retried at once");
    }

    #[tokio::test(start_paused = true)]
    async fn revoked_key_is_dropped_within_an_hour() {
        let cache = cache_of_script(&["a", "b"]);
        assert!(knows(&cache, "a").await);
        tokio::time::advance(ALMOST_AN_HOUR).await;
        assert!(knows(&cache, "a").await);
        tokio::time::advance(SECOND).await;
        assert!(!knows(&cache, "a").await);
    }

    #[tokio::test(start_paused = true)]
    async fn first_key_fetch_is_retried_after_two_seconds() {
        let cache = cache_of_script(&[FAILURE, "a"]);
        for _ in 0..3 {
            cache.key("a").await.unwrap_err();
        }
        assert_eq!(fetch_count(&cache), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(knows(&cache, "a").await);
    }
}
