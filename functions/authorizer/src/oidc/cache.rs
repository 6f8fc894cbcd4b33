use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::fetch::{FetchError, KeySource};
use super::keys::{Key, KeySet};

/// The issuer's keys, kept from one invocation to the next.
///
/// An id that is not among them may be that of a new key, or made up. So it makes
/// us ask the issuer again, but not more often than [`KeyCache::PAUSE`] allows:
/// forged tokens cost the issuer two requests a pause and process, and nobody else
/// anything. A token signed with a key that is younger than the pause may be
/// refused meanwhile.
#[derive(Debug)]
pub struct KeyCache<S> {
    source: S,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    keys: KeySet,
    /// When the issuer was last asked, whatever it answered.
    asked: Option<Instant>,
    /// When `keys` came.
    came: Option<Instant>,
}

impl<S: KeySource> KeyCache<S> {
    /// Between two requests for keys.
    pub const PAUSE: Duration = Duration::from_secs(30);
    /// The same as long as there is no key at all: nobody can be let in.
    pub const FIRST_PAUSE: Duration = Duration::from_secs(2);
    /// Keys that are older are asked for again, so that a key which the issuer has
    /// withdrawn is not good for as long as a process lives.
    pub const FRESH: Duration = Duration::from_secs(3600);

    /// Nothing is fetched yet.
    pub fn new(source: S) -> Self {
        Self { source, kept: Mutex::default() }
    }

    /// The key of this id, `None` when the issuer has no such key. While the issuer
    /// does not answer, the keys from before go on being used.
    ///
    /// # Errors
    /// When no key is known and none can be had now.
    pub(super) async fn key(&self, id: &str) -> Result<Option<Key>, FetchError> {
        let mut kept = self.kept.lock().await;
        let is_fresh = kept.came.is_some_and(|came| came.elapsed() < Self::FRESH);
        if kept.keys.get(id).is_some() && is_fresh {
            return Ok(kept.keys.get(id).cloned());
        }
        let pause = if kept.keys.is_empty() { Self::FIRST_PAUSE } else { Self::PAUSE };
        if kept.asked.is_none_or(|asked| asked.elapsed() >= pause) {
            kept.asked = Some(Instant::now());
            match self.source.fetch().await {
                Ok(keys) => {
                    kept.keys = keys;
                    kept.came = Some(Instant::now());
                }
                Err(error) if kept.keys.is_empty() => return Err(error),
                Err(error) => tracing::warn!(%error, "the issuer's keys stay as they were"),
            }
        } else if kept.keys.is_empty() {
            return Err(FetchError::NoAnswer("the issuer, a moment ago"));
        }
        Ok(kept.keys.get(id).cloned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Mutex as Lock;

    /// Answers what stands here next, and then nothing but failures.
    struct Scripted(Lock<(Vec<&'static str>, u32)>);

    impl KeySource for Scripted {
        async fn fetch(&self) -> Result<KeySet, FetchError> {
            let mut script = self.0.lock().unwrap();
            script.1 += 1;
            let id = if script.0.is_empty() { "" } else { script.0.remove(0) };
            if id.is_empty() {
                return Err(FetchError::NoAnswer("x"));
            }
            let key = format!(r#"{{"kty":"RSA","kid":"{id}","n":"3q2-7w","e":"AQAB"}}"#);
            Ok(KeySet::parse(format!(r#"{{"keys":[{key}]}}"#).as_bytes()).unwrap())
        }
    }

    fn cache(script: &[&'static str]) -> KeyCache<Scripted> {
        KeyCache::new(Scripted(Lock::new((script.to_vec(), 0))))
    }

    async fn knows(cache: &KeyCache<Scripted>, id: &str) -> bool {
        cache.key(id).await.unwrap().is_some()
    }

    fn asked(cache: &KeyCache<Scripted>) -> u32 {
        cache.source.0.lock().unwrap().1
    }

    #[tokio::test(start_paused = true)]
    async fn forged_ids_ask_the_issuer_once_in_thirty_seconds() {
        let cache = cache(&["a", "a", "a"]);
        for id in 0..100 {
            assert!(!knows(&cache, &format!("forged-{id}")).await);
            assert!(knows(&cache, "a").await);
        }
        assert_eq!(asked(&cache), 1);
        tokio::time::advance(Duration::from_secs(30)).await;
        for id in 0..100 {
            assert!(!knows(&cache, &format!("forged-{id}")).await);
        }
        assert_eq!(asked(&cache), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn a_new_key_is_found_and_an_old_one_forgotten_after_the_pause() {
        let cache = cache(&["old", "new"]);
        assert!(knows(&cache, "old").await);
        assert!(!knows(&cache, "new").await);
        tokio::time::advance(Duration::from_secs(30)).await;
        assert!(knows(&cache, "new").await);
        assert!(!knows(&cache, "old").await);
    }

    #[tokio::test(start_paused = true)]
    async fn keys_are_kept_when_the_issuer_does_not_answer() {
        let cache = cache(&["a", "", ""]);
        assert!(knows(&cache, "a").await);
        tokio::time::advance(Duration::from_secs(7200)).await;
        assert!(knows(&cache, "a").await && !knows(&cache, "b").await);
        assert_eq!(asked(&cache), 2, "a failure is not repeated at once");
    }

    #[tokio::test(start_paused = true)]
    async fn a_key_that_was_withdrawn_is_forgotten_within_an_hour() {
        let cache = cache(&["a", "b"]);
        assert!(knows(&cache, "a").await);
        tokio::time::advance(Duration::from_secs(3599)).await;
        assert!(knows(&cache, "a").await);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert!(!knows(&cache, "a").await);
    }

    #[tokio::test(start_paused = true)]
    async fn without_any_key_it_is_an_error_and_soon_tried_again() {
        let cache = cache(&["", "a"]);
        for _ in 0..3 {
            cache.key("a").await.unwrap_err();
        }
        assert_eq!(asked(&cache), 1);
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(knows(&cache, "a").await);
    }
}
