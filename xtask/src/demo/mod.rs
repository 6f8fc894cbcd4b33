//! `cargo xtask demo`: delivers documents from a simulated ORDS to a simulated OneDrive and shows
//! the results. The service itself runs on the AWS emulator.
//!
//! The *scenario* is the list of documents that the demo sends. Each *item* of the scenario is one
//! document for one recipient.

mod audit;
mod deliver;
mod download;
mod exchange;
mod keep;
mod pdf;
mod registry;
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
use table::results_table;
use verdict::{ObservedState, Verdict, check_item};

/// Bandwidth of the simulated Graph. It makes 300 MB take about 20 seconds, so that the progress
/// bars visibly move.
const GRAPH_BYTES_PER_SECOND: u64 = 14_000_000;
/// Maximum time after the end of all transfers until the exchange bucket contains no source copy.
const CLEAN_UP_TIMEOUT: Duration = Duration::from_secs(30);

/// Runs the scenario on a running stack and prints the results. With `keep`, it then keeps the
/// stack running until Ctrl-C.
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
    let existing: BTreeSet<_> =
        items.iter().filter(|item| item.exists()).map(|item| &item.guid).collect();
    println!("Adding {} documents to the object store …", existing.len());
    for item in &items {
        simulators.register(item).await?;
    }
    let credentials = Credentials::Account {
        username: stack.scv.username.clone(),
        password: stack.scv.password.as_str().into(),
    };
    let client = Client::new(&stack.api, credentials)?;

    let downloaded_item = &items[0];
    registry::import(paths, stack, downloaded_item)?;
    registry::search_and_withdraw(paths, stack).await?;
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

    let observed = observe_state(stack, &simulators, &items).await?;
    let verdicts: Vec<_> = items
        .iter()
        .zip(&deliveries)
        .map(|(item, delivery)| {
            let recipient = stack.users.get(item.recipient).map_or("", String::as_str);
            check_item(item, recipient, delivery, &observed)
        })
        .collect();
    println!("{}", results_table(&verdicts));
    download::print_and_check(downloaded_item, &download, &observed.sources)?;
    audit::print_trail(paths, stack).await?;
    report_violations(&verdicts, &deliveries)
}

/// Reads the state of the simulators and of the exchange bucket, without asking the service.
async fn observe_state(
    stack: &Stack,
    simulators: &Simulators,
    items: &[Item],
) -> Result<ObservedState> {
    let keys: BTreeSet<_> =
        items.iter().filter(|item| item.exists()).map(|item| item.filename.to_owned()).collect();
    Ok(ObservedState {
        remaining: Exchange::new(stack).remaining(&keys, CLEAN_UP_TIMEOUT).await?,
        sources: simulators.documents().await?,
        files: simulators.files().await?,
        sessions: simulators.sessions().await?,
    })
}

/// Prints the violations. Returns an error if there are any.
fn report_violations(verdicts: &[Verdict], deliveries: &[deliver::Delivery]) -> Result<()> {
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
