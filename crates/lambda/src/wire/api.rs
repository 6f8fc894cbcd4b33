//! Construction of the dependencies of the API routes.

use docferry_http::{ApiLayers, HeaderValue, RateLimits};

use super::wiring::Wiring;
use crate::{InMemoryCallCounter, SystemClock};

impl Wiring {
    /// Rate limits and CORS for a router: `RATE_PER_PERSON` and `RATE_PER_SERVICE` calls per
    /// minute, and `ALLOWED_ORIGINS`. Calls are counted in `TRANSFERS_TABLE`, over all processes.
    #[cfg(feature = "store")]
    pub fn layers_with_shared_counter(
        &mut self,
    ) -> ApiLayers<docferry_aws::DynamoQuota, SystemClock> {
        let counter = self.shared_call_counter();
        self.api_layers(counter, RateLimits { person: 60, service: 3_000 })
    }

    /// Rate limits and CORS for a router, from the same settings as `layers_with_shared_counter`.
    /// Calls are counted in this process only.
    pub fn layers_with_local_counter(&mut self) -> ApiLayers<InMemoryCallCounter, SystemClock> {
        let limits = RateLimits { person: 600, service: 30_000 };
        self.api_layers(InMemoryCallCounter::default(), limits)
    }

    /// Creates the rate limits and CORS of a router. `limits` are the defaults of the rate limits.
    fn api_layers<Q>(&mut self, quota: Q, limits: RateLimits) -> ApiLayers<Q, SystemClock> {
        let reader = &mut self.reader;
        let limits = RateLimits {
            person: reader.parsed_or("RATE_PER_PERSON", limits.person),
            service: reader.parsed_or("RATE_PER_SERVICE", limits.service),
        };
        let setting = reader.optional("ALLOWED_ORIGINS").unwrap_or_default();
        let mut origins = Vec::new();
        for origin in setting.split(',').map(str::trim).filter(|origin| !origin.is_empty()) {
            match HeaderValue::from_str(origin) {
                Ok(origin) => origins.push(origin),
                Err(_) => reader.problem(
                    "ALLOWED_ORIGINS is not valid: an origin has a character that is not allowed",
                ),
            }
        }
        ApiLayers { quota, clock: SystemClock, limits, origins }
    }

    /// Dependencies of the API routes that create or control transfers. New work is refused while
    /// `REFUSE_NEW_WORK` is `true`.
    #[cfg(all(feature = "store", feature = "workflow"))]
    pub fn transfer_api(&mut self) -> docferry_http::TransferApi<super::adapters::Production> {
        docferry_http::TransferApi {
            store: self.transfer_store(),
            workflow: self.workflow(),
            clock: SystemClock,
            record_ttl: self.record_ttl(),
            limits: self.slot_limits(),
            drain: self.reader.parsed_or("REFUSE_NEW_WORK", false),
        }
    }

    /// Dependencies of the API routes that read jobs. The routes show ended jobs for
    /// [`Wiring::record_ttl`], and their presigned URLs are valid for `URL_TTL_SECONDS`.
    #[cfg(all(feature = "store", feature = "delivery"))]
    pub fn job_api(&mut self) -> docferry_http::JobApi<super::adapters::Production> {
        docferry_http::JobApi {
            store: self.transfer_store(),
            clock: SystemClock,
            presigner: self.delivery(),
            registry: self.registry(),
            audit: self.audit_log(),
            record_ttl: self.record_ttl(),
            url_ttl: self.reader.seconds("URL_TTL_SECONDS", 900),
        }
    }
}
