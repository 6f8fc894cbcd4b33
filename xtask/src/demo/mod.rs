//! `cargo xtask demo`: delivers documents end to end and shows the results.

mod deliver;
mod download;
mod exchange;
mod keep;
mod pdf;
mod scenario;
mod simulators;
mod table;
mod verdict;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use docferry_cli::display::short_duration;
use docferry_cli::{Client, Credentials};

use crate::paths::Paths;
use crate::stack::Stack;
use exchange::Exchange;
use scenario::{Item, documents};
use simulators::Simulators;
use table::table;
use verdict::{ObservedState, Verdict, judge};

/// Slow enough to show moving progress bars: 300 MB take about twenty seconds.
const GRAPH_BYTES_PER_SECOND: u64 = 14_000_000;
/// Maximum time for source copies to disappear after the last status.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the scenario on a running stack and prints the results. With `keep`, it then waits for
/// Ctrl-C while everything keeps running.
///
/// # Errors
/// Returns an error when a result is not as expected or the scenario could not be run.
pub(crate) async fn run(paths: &Paths, stack: &Stack, keep: bool) -> Result<()> {
    let result = run_scenario(paths, stack).await;
    if keep {
        if let Err(error) = &result {
            println!("\nThe demo failed: {error:#}");
        }
        keep::wait(stack).await?;
    }
    result
}

async fn run_scenario(paths: &Paths, stack: &Stack) -> Result<()> {
    let simulators = Simulators::new(&stack.ords.admin, &stack.graph.admin)?;
    let items = documents();
    let known: BTreeSet<_> =
        items.iter().filter(|item| item.is_known()).map(|item| &item.guid).collect();
    println!("Adding {} documents to the object store …", known.len());
    for item in &items {
        simulators.register(item).await?;
    }
    let credentials = Credentials::Account {
        username: stack.scv.username.clone(),
        password: stack.scv.password.as_str().into(),
    };
    let client = Client::new(&stack.api, credentials)?;

    let downloaded = &items[0];
    download::import(paths, stack, downloaded)?;
    println!(
        "Sending all of them, one of them to two users, and one that does not exist; downloading one …"
    );
    let start = Instant::now();
    simulators.limit_graph_bandwidth(Some(GRAPH_BYTES_PER_SECOND)).await?;
    let delivering = deliver::deliver(&client, &items, &stack.users);
    let (deliveries, download) = futures::future::join(delivering, download::download(stack)).await;
    let (deliveries, download) = (deliveries?, download?);
    simulators.limit_graph_bandwidth(None).await?;
    println!("All ended after {}.\n", short_duration(start.elapsed()));

    let findings = collect_findings(stack, &simulators, &items).await?;
    let verdicts: Vec<_> = items
        .iter()
        .zip(&deliveries)
        .map(|(item, delivery)| {
            let recipient = stack.users.get(item.recipient).map_or("", String::as_str);
            judge(item, recipient, delivery, &findings)
        })
        .collect();
    println!("{}", table(&verdicts));
    download::conclude(downloaded, &download, &findings.sources)?;
    conclude(&verdicts, &deliveries)
}

/// Collects the state of both ends, independently of the service under test.
async fn collect_findings(
    stack: &Stack,
    simulators: &Simulators,
    items: &[Item],
) -> Result<ObservedState> {
    let keys: BTreeSet<_> =
        items.iter().filter(|item| item.is_known()).map(|item| item.filename.to_owned()).collect();
    Ok(ObservedState {
        remaining: Exchange::new(stack).remaining(&keys, CLEAN_UP_TIMEOUT).await?,
        sources: simulators.documents().await?,
        files: simulators.files().await?,
        sessions: simulators.sessions().await?,
    })
}

fn conclude(verdicts: &[Verdict], deliveries: &[deliver::Delivery]) -> Result<()> {
    let mut problems = 0;
    for (verdict, delivery) in verdicts.iter().zip(deliveries) {
        for problem in &verdict.violations {
            let transfer = delivery.transfer_id.as_deref().unwrap_or("no transfer");
            println!("PROBLEM: {} ({transfer}): {problem}", verdict.name);
            problems += 1;
        }
    }
    if problems > 0 {
        bail!("{problems} problem(s) found");
    }
    println!("\nEverything is as it should be.");
    Ok(())
}
