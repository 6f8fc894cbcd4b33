//! `cargo xtask bench search`: measures the pages of a search for documents.
//!
//! The `search` function is compared with the bare call that each of its pages needs: one Query of
//! DynamoDB, sent without an SDK, whose response is received and not parsed. Both run in turn.

mod registry;

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};
use url::Url;

use super::figures::{median, percentile};
use super::process::Program;
use super::report::{Report, TargetResult};
use super::runtime::RuntimeApi;
use super::stack::BenchStack;
use registry::{PAGE_SIZE, Registry};

/// Timeout of a start and of an invocation.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Maximum number of documents in the registry. The documents are indexed in one month.
const MAX_DOCUMENTS: u32 = 2_500_000;
/// Number of pages before the measurement, during which connections are opened.
const WARM_UP_PAGES: u32 = 5;
/// Target for the median of a page, in medians of the bare Query.
const MAX_RATIO: f64 = 2.0;
/// Base URL of the links in the responses.
const BASE_URL: &str = "https://docs.example/api";

/// Measures `pages` pages of a subject, in a registry with each of these numbers of documents.
pub(crate) async fn run(
    stack: &BenchStack,
    documents: &[u32],
    pages: u32,
    report: &mut Report,
) -> Result<()> {
    let registry = Registry::new(stack)?;
    let mut rows = Vec::new();
    for &count in documents {
        let is_possible = (PAGE_SIZE + 1..=MAX_DOCUMENTS).contains(&count);
        ensure!(is_possible, "the registry needs {} to {MAX_DOCUMENTS} documents", PAGE_SIZE + 1);
        let start = Instant::now();
        registry.load(count).await?;
        println!("{count} documents were loaded in {} s.", start.elapsed().as_secs());
        rows.push(measure(stack, &registry, count, pages).await?);
    }
    report.table(
        &format!(
            "Search: {pages} pages of {PAGE_SIZE} documents of a subject with 1,000 documents, one after \
             the other, the newest first. The bound is the Query of the same page, sent without an SDK in turn with \
             the search. Target: the median of a page ≤ {MAX_RATIO} times the median of its Query."
        ),
        &["documents", "Query", "p95", "page", "p95", "of the Query"],
        &rows,
    );
    Ok(())
}

/// Measures pages of a subject, and returns the row of the report.
async fn measure(
    stack: &BenchStack,
    registry: &Registry,
    documents: u32,
    pages: u32,
) -> Result<Vec<String>> {
    let mut function = SearchFunction::start(stack, documents).await?;
    let (mut queries, mut searches) = (Vec::new(), Vec::new());
    let mut first = 0;
    for number in 0..pages + WARM_UP_PAGES {
        let (query, search) = (registry.query(documents, first).await?, function.page().await?);
        if number >= WARM_UP_PAGES {
            queries.push(query);
            searches.push(search);
        }
        // After the last page, the search begins again.
        first = if function.next.is_some() { first + PAGE_SIZE } else { 0 };
    }
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1e3);
    let (bound, page) = (median(&queries), median(&searches));
    let ratio = page.as_secs_f64() / bound.as_secs_f64();
    Ok(vec![
        documents.to_string(),
        milliseconds(bound),
        milliseconds(percentile(&queries, 95)),
        milliseconds(page),
        milliseconds(percentile(&searches, 95)),
        TargetResult::at_most(ratio, MAX_RATIO).describe(&format!("× {ratio:.2}")),
    ])
}

/// A running process of the `search` function, and its position in the list of a subject.
struct SearchFunction {
    runtime: RuntimeApi,
    /// Query string of the first page.
    first: String,
    /// Query string of the next page; `None` after the last page.
    next: Option<String>,
    _program: Program,
}

impl SearchFunction {
    async fn start(stack: &BenchStack, documents: u32) -> Result<Self> {
        let mut runtime = RuntimeApi::start().await?;
        let mut command = Command::new(stack.build.program(&stack.paths, "search"));
        command
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", runtime.address())
            .envs(stack.environment("search", &stack.emulator.url))
            .env("DOCUMENTS_TABLE", &stack.resources.table)
            .env("PUBLIC_BASE_URL", BASE_URL)
            .env("AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH", "true")
            // Without this, the limit of calls would stop the benchmark.
            .env("RATE_PER_SERVICE", "0");
        let log = stack.file("search.log");
        let program = Program::start(&mut command, &log)?;
        let started = runtime.first_request(TIMEOUT).await;
        started.with_context(|| std::fs::read_to_string(&log).unwrap_or_default())?;
        let value = registry::subject_value(documents);
        let first = format!("subject.identifier={value}&_count={PAGE_SIZE}");
        Ok(Self { runtime, first, next: None, _program: program })
    }

    /// Reads the next page, or the first one after the last page. Returns the time that it took.
    async fn page(&mut self) -> Result<Duration> {
        let query = self.next.take().unwrap_or_else(|| self.first.clone());
        let event = event(&query)?;
        let start = Instant::now();
        let response = self.runtime.invoke(&event, TIMEOUT).await?;
        let took = start.elapsed();
        ensure!(response["statusCode"] == 200, "the search failed: {response}");
        let search_set: Value =
            serde_json::from_str(response["body"].as_str().unwrap_or_default())?;
        let entries = search_set["entry"].as_array().map_or(0, Vec::len);
        ensure!(entries > 0, "the page is empty: {search_set}");
        let mut links = search_set["link"].as_array().into_iter().flatten();
        let next = links.find(|link| link["relation"] == "next");
        self.next = next.and_then(|link| Some(link["url"].as_str()?.split_once('?')?.1.to_owned()));
        Ok(took)
    }
}

/// Returns the event that API Gateway sends for a search by the service account.
fn event(query: &str) -> Result<Value> {
    let mut event: Value =
        serde_json::from_str(include_str!("../../../events/search/search.json"))?;
    let url = Url::parse(&format!("{BASE_URL}?{query}"))?;
    let parameters = url.query_pairs().map(|(name, value)| (name.into_owned(), json!([value])));
    event["multiValueQueryStringParameters"] = Value::Object(parameters.collect());
    event["queryStringParameters"] = Value::Null;
    Ok(event)
}
