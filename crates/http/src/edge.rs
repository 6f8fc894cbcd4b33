//! What stands around every router: who may call how often, and from which pages.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use docferry_app::ports::{Clock, Quota};
use docferry_app::trace::TRACEPARENT;
use docferry_contract::scope::Scope;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::middleware::{Principal, REQUEST_ID, dress_rest};
use crate::problem::ApiError;

/// Seconds of the window in which calls are counted.
const WINDOW_SECONDS: i64 = 60;

/// Seconds for which a browser may keep what it was told of a page's rights.
const PREFLIGHT_SECONDS: u64 = 7200;

/// Calls a minute; 0 for as many as one likes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Of a person.
    pub person: u32,
    /// Of a service.
    pub service: u32,
}

/// What stands around a router.
#[derive(Debug)]
pub struct Edge<Q, C> {
    /// Counts calls.
    pub quota: Q,
    /// The time.
    pub clock: C,
    /// How many there may be.
    pub limits: RateLimits,
    /// The origins of pages that may call; none to begin with.
    pub origins: Vec<HeaderValue>,
}

impl<Q, C> Edge<Q, C>
where
    Q: Quota + 'static,
    C: Clock + 'static,
{
    /// Puts it around a router.
    pub fn around(self, router: Router) -> Router {
        let cors = cors(self.origins.clone());
        router
            .layer(middleware::from_fn_with_state(Arc::new(self), limit::<Q, C>))
            .layer(cors)
            .layer(middleware::from_fn(dress_rest))
    }
}

fn cors(origins: Vec<HeaderValue>) -> CorsLayer {
    let named = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            named("idempotency-key"),
            named("last-event-id"),
            header::IF_NONE_MATCH,
            named("prefer"),
            named(TRACEPARENT),
            named("tracestate"),
            named("baggage"),
            named("sentry-trace"),
            REQUEST_ID,
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            LIMIT,
            REMAINING,
            RESET,
            REQUEST_ID,
        ])
        .max_age(std::time::Duration::from_secs(PREFLIGHT_SECONDS))
}

const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
const RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// How a caller stands in the present minute.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Standing {
    limit: u32,
    used: u32,
    reset_seconds: u32,
}

impl Standing {
    fn at(limit: u32, used: u32, now: Timestamp) -> Self {
        let passed = now.as_second().rem_euclid(WINDOW_SECONDS);
        let reset_seconds = u32::try_from(WINDOW_SECONDS - passed).unwrap_or(1);
        Self { limit, used, reset_seconds }
    }

    fn tell(self, headers: &mut HeaderMap) {
        headers.insert(LIMIT, self.limit.into());
        headers.insert(REMAINING, self.limit.saturating_sub(self.used).into());
        headers.insert(RESET, self.reset_seconds.into());
    }
}

async fn limit<Q: Quota, C: Clock>(
    State(edge): State<Arc<Edge<Q, C>>>,
    request: Request,
    next: Next,
) -> Response {
    let (limits, now) = (edge.limits, edge.clock.now());
    let caller = request.extensions().get::<Principal>();
    let is_service = caller.is_some_and(|caller| caller.scopes.has(Scope::Service));
    let most = if is_service { limits.service } else { limits.person };
    if most == 0 {
        return next.run(request).await;
    }
    let used = match caller {
        // Who is not known is not counted: what he may call costs nothing.
        None => 0,
        Some(caller) => match edge.quota.count_call(&caller.id, now).await {
            Ok(used) => used,
            // Better too many calls than none.
            Err(error) => {
                tracing::warn!(error = %error, "calls are not counted");
                0
            }
        },
    };
    let standing = Standing::at(most, used, now);
    let mut response = if used > most {
        ApiError::TooMany { seconds: standing.reset_seconds }.into_response()
    } else {
        next.run(request).await
    };
    standing.tell(response.headers_mut());
    response
}
