//! `cargo xtask demo`: documents travel the whole way, and everybody can see it.

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
use verdict::{Findings, Verdict, judge};

/// Slow enough to see the bars move: 300 MB take some twenty seconds.
const GRAPH_BYTES_PER_SECOND: u64 = 14_000_000;
/// How long source copies may take to disappear after the last status.
const CLEAN_UP_BOUND: Duration = Duration::from_secs(30);

/// Runs the scenario on a running stack and prints what came of it; with `keep`,
/// then waits for Ctrl-C with everything still running.
///
/// # Errors
/// When anything is not as it should be, or the scenario could not be run.
pub(crate) async fn run(paths: &Paths, stack: &Stack, keep: bool) -> Result<()> {
    let result = scenario(paths, stack).await;
    if keep {
        if let Err(error) = &result {
            println!("\nThe demo did not end well: {error:#}");
        }
        keep::wait(stack).await?;
    }
    result
}

async fn scenario(paths: &Paths, stack: &Stack) -> Result<()> {
    let simulators = Simulators::new(&stack.ords.admin, &stack.graph.admin)?;
    let items = documents();
    let known: BTreeSet<_> =
        items.iter().filter(|item| item.is_known()).map(|item| &item.guid).collect();
    println!("Putting {} documents into the object store …", known.len());
    for item in &items {
        simulators.register(item).await?;
    }
    let credentials = Credentials::Account {
        username: stack.scv.username.clone(),
        password: stack.scv.password.as_str().into(),
    };
    let client = Client::new(&stack.api, credentials)?;

    let fetched = &items[0];
    download::import(paths, stack, fetched)?;
    println!(
        "Sending all of them, one of them to two users, and one that does not exist; and fetching one …"
    );
    let start = Instant::now();
    simulators.shape_graph(Some(GRAPH_BYTES_PER_SECOND)).await?;
    let delivering = deliver::deliver(&client, &items, &stack.users);
    let (deliveries, download) = futures::future::join(delivering, download::download(stack)).await;
    let (deliveries, download) = (deliveries?, download?);
    simulators.shape_graph(None).await?;
    println!("All ended after {}.\n", short_duration(start.elapsed()));

    let findings = look(stack, &simulators, &items).await?;
    let verdicts: Vec<_> = items
        .iter()
        .zip(&deliveries)
        .map(|(item, delivery)| {
            let recipient = stack.users.get(item.recipient).map_or("", String::as_str);
            judge(item, recipient, delivery, &findings)
        })
        .collect();
    println!("{}", table(&verdicts));
    download::conclude(fetched, &download, &findings.sources)?;
    conclude(&verdicts, &deliveries)
}

/// Looks at both ends, past the service that is being judged.
async fn look(stack: &Stack, simulators: &Simulators, items: &[Item]) -> Result<Findings> {
    let keys: BTreeSet<_> =
        items.iter().filter(|item| item.is_known()).map(|item| item.filename.to_owned()).collect();
    Ok(Findings {
        left_over: Exchange::new(stack).left_over(&keys, CLEAN_UP_BOUND).await?,
        sources: simulators.documents().await?,
        files: simulators.files().await?,
        sessions: simulators.sessions().await?,
    })
}

fn conclude(verdicts: &[Verdict], deliveries: &[deliver::Delivery]) -> Result<()> {
    let mut wrong = 0;
    for (verdict, delivery) in verdicts.iter().zip(deliveries) {
        for complaint in &verdict.complaints {
            let transfer = delivery.transfer_id.as_deref().unwrap_or("no transfer");
            println!("NOT as it should be: {} ({transfer}): {complaint}", verdict.name);
            wrong += 1;
        }
    }
    if wrong > 0 {
        bail!("{wrong} thing(s) are not as they should be");
    }
    println!("\nEverything is as it should be.");
    Ok(())
}
