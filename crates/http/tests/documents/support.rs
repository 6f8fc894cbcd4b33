//! Router of the FHIR routes whose registry counts its calls, and requests to it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Body;
use docferry_app::ports::{
    Adapters, AuditAdapters, Registry, RegistryAdapters, RegistryPage, RegistryRange,
    SearchAdapters, SlotAdapters, StoreError,
};
use docferry_contract::scope::Scope;
use docferry_domain::document::{
    Coverage, DocumentKey, DocumentRecord, Grant, Subject, SystemSetting,
};
use docferry_domain::person::Person;
use docferry_http::{PageKey, Principal, PublicUrl, SearchApi, TransferApi, search_router};
use docferry_testkit::World;
use docferry_testkit::builders::{document_record, subject};
use http::{HeaderMap, Request, Response, StatusCode};
use serde_json::Value;

use crate::common::{JOB_SETTINGS, caller, send, transfer_api};

/// Base URL of the API in the tests.
pub(crate) const BASE: &str = "https://docs.example/api";

/// Adapters with a registry that counts its calls.
#[derive(Debug)]
enum Counted {}

impl Adapters for Counted {
    type Store = World;
    type Clock = World;
}

impl SlotAdapters for Counted {
    type Workflow = World;
}

impl RegistryAdapters for Counted {
    type Registry = CountingRegistry;
}

impl AuditAdapters for Counted {
    type Audit = World;
}

impl SearchAdapters for Counted {}

/// Registry of a [`World`] that records the names of its calls.
#[derive(Debug, Clone)]
pub(crate) struct CountingRegistry {
    pub(crate) world: World,
    calls: Arc<Mutex<Vec<&'static str>>>,
}

impl CountingRegistry {
    pub(crate) fn new(world: &World) -> Self {
        Self { world: world.clone(), calls: Arc::default() }
    }

    /// Removes the recorded calls and returns them.
    pub(crate) fn take_calls(&self) -> Vec<&'static str> {
        std::mem::take(&mut self.calls.lock().unwrap())
    }

    fn record(&self, call: &'static str) {
        self.calls.lock().unwrap().push(call);
    }
}

impl Registry for CountingRegistry {
    async fn documents(
        &self,
        keys: &[DocumentKey],
    ) -> Result<BTreeMap<DocumentKey, DocumentRecord>, StoreError> {
        self.record("documents");
        self.world.documents(keys).await
    }

    async fn page(
        &self,
        subject: &Subject,
        range: &RegistryRange,
    ) -> Result<RegistryPage, StoreError> {
        self.record("page");
        self.world.page(subject, range).await
    }

    async fn grants(&self, person: &Person) -> Result<Vec<Grant>, StoreError> {
        self.record("grants");
        self.world.grants(person).await
    }
}

/// Router of the FHIR routes.
pub(crate) fn routes(registry: &CountingRegistry) -> Router {
    let TransferApi { store, workflow, clock, record_ttl, limits, drain } =
        transfer_api(&registry.world);
    routes_with(registry, TransferApi { store, workflow, clock, record_ttl, limits, drain })
}

fn routes_with(registry: &CountingRegistry, transfers: TransferApi<Counted>) -> Router {
    let setting = |system: &str, pattern: &str| SystemSetting {
        system: system.to_owned(),
        pattern: pattern.to_owned(),
    };
    let court = setting("urn:example:court-file", "court-file");
    let nhs = setting("https://fhir.nhs.uk/Id/nhs-number", "nhs-number");
    search_router(SearchApi::<Counted> {
        transfers,
        registry: registry.clone(),
        audit: registry.world.clone(),
        settings: JOB_SETTINGS,
        subjects: vec![court, nhs].try_into().unwrap(),
        page_key: PageKey::from_secret(b"secret"),
        public_url: PublicUrl::new(Some(BASE), String::new()).unwrap(),
    })
}

/// Router of the FHIR routes in drain mode.
pub(crate) fn draining_routes(registry: &CountingRegistry) -> Router {
    let TransferApi { store, workflow, clock, record_ttl, limits, .. } =
        transfer_api(&registry.world);
    routes_with(registry, TransferApi { store, workflow, clock, record_ttl, limits, drain: true })
}

/// The person `ada`, who may read, with claims of these documents.
pub(crate) fn ada(claims: impl IntoIterator<Item = Coverage>) -> Principal {
    let claims: BTreeSet<_> = claims.into_iter().collect();
    Principal { claims, ..caller("sub:ada", Scope::Read.into()) }
}

/// The service account, which may see all documents.
pub(crate) fn service() -> Principal {
    caller("scv", Scope::Service.into())
}

pub(crate) fn of_subject(value: &str) -> Coverage {
    Coverage::Subject(subject(value))
}

pub(crate) fn of_group(name: &str) -> Coverage {
    Coverage::Group(name.parse().unwrap())
}

/// The subject `S-1`.
pub(crate) fn subject_s1() -> Subject {
    subject("S-1")
}

/// A document of the subject `S-1` with this number.
pub(crate) fn document(number: u64) -> DocumentRecord {
    DocumentRecord { subject: subject("S-1"), ..document_record(number) }
}

/// A request of a caller, without a body.
pub(crate) fn get(principal: &Principal, path: &str) -> Request<Body> {
    let mut request = Request::get(path).body(Body::empty()).unwrap();
    request.extensions_mut().insert(principal.clone());
    request
}

/// A response, as far as the tests compare it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) body: Value,
}

/// Sends a GET request. Checks that a body has the media type of FHIR.
pub(crate) async fn fetch(registry: &CountingRegistry, caller: &Principal, path: &str) -> Reply {
    let (response, body) = send(routes(registry), get(caller, path)).await;
    assert_fhir(response.headers());
    Reply { status: response.status(), body }
}

pub(crate) fn assert_fhir(headers: &HeaderMap) {
    assert_eq!(headers["content-type"], "application/fhir+json");
}

/// Sends a search, which must succeed, and returns the bundle.
pub(crate) async fn search(
    registry: &CountingRegistry,
    caller: &Principal,
    parameters: &str,
) -> Value {
    let reply = fetch(registry, caller, &format!("/DocumentReference?{parameters}")).await;
    assert_eq!(reply.status, StatusCode::OK, "{}", reply.body);
    reply.body
}

/// Returns the ids of the documents of a bundle.
pub(crate) fn ids(bundle: &Value) -> Vec<String> {
    let entries = bundle["entry"].as_array().into_iter().flatten();
    entries.map(|entry| entry["resource"]["id"].as_str().unwrap().to_owned()).collect()
}

/// Returns the parameters of the `next` link.
pub(crate) fn next(bundle: &Value) -> Option<String> {
    let mut links = bundle["link"].as_array().unwrap().iter();
    let url = links.find(|link| link["relation"] == "next")?["url"].as_str().unwrap();
    Some(url.strip_prefix(&format!("{BASE}/DocumentReference?")).unwrap().to_owned())
}

/// Requests the content of a document. Returns the response and the path of its `Location`.
pub(crate) async fn content(
    router: Router,
    caller: &Principal,
    id: &str,
) -> (Response<()>, Option<String>) {
    let path = format!("/DocumentReference/{id}/$content");
    let (response, _) = send(router, get(caller, &path)).await;
    let location = response.headers().get("location").map(|url| url.to_str().unwrap());
    let location = location.map(|url| url.strip_prefix("../..").unwrap().to_owned());
    (response, location)
}
