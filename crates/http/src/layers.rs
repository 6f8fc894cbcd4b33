//! Middleware around every router of the API. It applies the rate limit of each caller, and the
//! CORS rules, which decide which web pages of other origins may call the API.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use axum::{Router, middleware};
use docferry_app::ports::{CallCounter, Clock};
use docferry_app::trace::TRACEPARENT;
use docferry_contract::scope::Scope;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use jiff::Timestamp;
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::error::ApiError;
use crate::middleware::{Principal, REQUEST_ID, ensure_standard_headers};

/// Length of the window in which calls are counted, in seconds.
const WINDOW_SECONDS: i64 = 60;
/// Time in seconds for which a browser may cache the result of a CORS preflight. By a *preflight*,
/// the browser asks whether a page may send a request to another origin.
const PREFLIGHT_SECONDS: u64 = 7200;
/// Header with the number of calls that a caller may make in a window.
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
/// Header with the number of calls that remain in the current window.
const RATE_REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// Header with the seconds until the next window begins.
const RATE_RESET: HeaderName = HeaderName::from_static("ratelimit-reset");

/// Maximum number of calls that a caller may make in a minute. 0 means no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimits {
    /// Limit for a person.
    pub person: u32,
    /// Limit for a service (a caller with the scope `docferry.service`).
    pub service: u32,
}

/// Rate limit and CORS settings. [`ApiLayers::around`] applies them to a router.
#[derive(Debug)]
pub struct ApiLayers<Q, C> {
    /// Counts the calls of each caller.
    pub quota: Q,
    /// Source of the current time.
    pub clock: C,
    /// Calls allowed in a minute.
    pub limits: RateLimits,
    /// Allowed CORS origins. If the list is empty, no page of another origin may call the API.
    pub origins: Vec<HeaderValue>,
}

impl<Q, C> ApiLayers<Q, C>
where
    Q: CallCounter + 'static,
    C: Clock + 'static,
{
    /// Wraps a router with the rate limit, CORS and the standard response headers.
    pub fn around(self, router: Router) -> Router {
        let cors = cors_layer(self.origins.clone());
        router
            .layer(middleware::from_fn_with_state(Arc::new(self), rate_limit::<Q, C>))
            .layer(cors)
            .layer(middleware::from_fn(ensure_standard_headers))
    }
}

/// Returns the CORS rules for pages of these origins.
fn cors_layer(origins: Vec<HeaderValue>) -> CorsLayer {
    let header_name = HeaderName::from_static;
    CorsLayer::new()
        .allow_origin(AllowOrigin::list(origins))
        .allow_methods([Method::GET, Method::POST])
        .allow_headers([
            header::AUTHORIZATION,
            header::CONTENT_TYPE,
            header::ACCEPT,
            header_name("idempotency-key"),
            header_name("last-event-id"),
            header::IF_NONE_MATCH,
            header_name("prefer"),
            header_name(TRACEPARENT),
            header_name("tracestate"),
            header_name("baggage"),
            header_name("sentry-trace"),
            REQUEST_ID,
        ])
        .expose_headers([
            header::LOCATION,
            header::RETRY_AFTER,
            header::ETAG,
            RATE_LIMIT,
            RATE_REMAINING,
            RATE_RESET,
            REQUEST_ID,
        ])
        .max_age(std::time::Duration::from_secs(PREFLIGHT_SECONDS))
}

/// Calls of one caller in the current window of the rate limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct RateWindow {
    /// Number of calls that the caller may make.
    limit: u32,
    /// Number of calls that the caller has made.
    used: u32,
    /// Seconds until the next window begins, 1 to 60.
    reset_seconds: u32,
}

impl RateWindow {
    fn at(limit: u32, used: u32, now: Timestamp) -> Self {
        let elapsed_seconds = now.as_second().rem_euclid(WINDOW_SECONDS);
        let reset_seconds = u32::try_from(WINDOW_SECONDS - elapsed_seconds).unwrap_or(1);
        Self { limit, used, reset_seconds }
    }

    fn write_headers(self, headers: &mut HeaderMap) {
        headers.insert(RATE_LIMIT, self.limit.into());
        headers.insert(RATE_REMAINING, self.limit.saturating_sub(self.used).into());
        headers.insert(RATE_RESET, self.reset_seconds.into());
    }
}

/// Middleware that rejects the calls of a caller that exceed the rate limit.
async fn rate_limit<Q: CallCounter, C: Clock>(
    State(layers): State<Arc<ApiLayers<Q, C>>>,
    request: Request,
    next: Next,
) -> Response {
    let limits = layers.limits;
    let now = layers.clock.now();
    let caller = request.extensions().get::<Principal>();
    let is_service = caller.is_some_and(|caller| caller.scopes.has(Scope::Service));
    let limit = if is_service { limits.service } else { limits.person };
    if limit == 0 {
        return next.run(request).await;
    }
    let used = match caller {
        // Unauthenticated calls are not counted, because their routes are cheap.
        None => 0,
        Some(caller) => match layers.quota.count_call(&caller.id, now).await {
            Ok(used) => used,
            // If the counter fails, accept the call. Too many accepted calls are better than calls
            // rejected without a reason.
            Err(error) => {
                tracing::warn!(error = %error, "rate limit count failed");
                0
            }
        },
    };
    let window = RateWindow::at(limit, used, now);
    let mut response = if used > limit {
        ApiError::RateLimited { seconds: window.reset_seconds }.into_response()
    } else {
        next.run(request).await
    };
    window.write_headers(response.headers_mut());
    response
}
