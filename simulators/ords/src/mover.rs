//! Background mover of the document source simulator. It copies files from the simulated NFS to the
//! exchange bucket after a delay.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet, time::sleep};

use crate::{
    exchange::{Exchange, MoveError, Object},
    world::{Job, World},
};

/// Pause between two tries of a move.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Moves every received file in a task of its own. All moves stop when this future is dropped.
pub(crate) async fn run(world: Arc<World>, exchange: Exchange, mut jobs: UnboundedReceiver<Job>) {
    let exchange = Arc::new(exchange);
    let mut moves = JoinSet::new();
    loop {
        tokio::select! {
            Some(job) = jobs.recv() => {
                let (world, exchange) = (Arc::clone(&world), Arc::clone(&exchange));
                moves.spawn(async move { move_file(&world, &exchange, &job).await });
            }
            Some(_moved) = moves.join_next() => {}
            else => return,
        }
    }
}

/// Moves one file, as its fault rule says.
async fn move_file(world: &World, exchange: &Exchange, job: &Job) {
    if job.file.never {
        return;
    }
    sleep(job.delay).await;
    let size = job.source.size();
    let extra_delay = job.rule.as_ref().and_then(sim_kit::Rule::delay);
    let partial_rule = job.rule.as_ref().filter(|rule| rule.store_fraction.is_some());
    if let Some(rule) = partial_rule {
        put_with_retries(world, exchange, job, rule.stored_bytes(size)).await;
    }
    if let Some(extra_delay) = extra_delay {
        sleep(extra_delay).await;
    }
    put_with_retries(world, exchange, job, size).await;
    let mut state = world.state();
    state.nfs.retain(|file| file.id != job.file.id);
    if let Some(document) = state.documents.get_mut(&job.file.guid) {
        document.moves += 1;
    }
}

/// Writes the first `length` bytes of the file to the bucket, and retries until that succeeds. So
/// an unavailable bucket delays a move but does not lose the file.
async fn put_with_retries(world: &World, exchange: &Exchange, job: &Job, length: u64) {
    while let Err(error) = put_object(world, exchange, job, length).await {
        record_error(world, job, &error);
        sleep(RETRY_PAUSE).await;
    }
}

fn record_error(world: &World, job: &Job, error: &MoveError) {
    let mut state = world.state();
    if let Some(file) = state.nfs.iter_mut().find(|file| file.id == job.file.id) {
        file.last_error = Some(error.to_string());
    }
}

/// Writes the first `length` bytes of the file to the bucket, once.
async fn put_object(
    world: &World,
    exchange: &Exchange,
    job: &Job,
    length: u64,
) -> Result<(), MoveError> {
    let mut call = world.stage.call("move", &job.subject);
    let mut line = world.stage.shaper.line(&job.subject);
    world.stage.shaper.latency(&job.subject).await;
    let object =
        Object { key: &job.file.key, mimetype: &job.mimetype, source: &job.source, length };
    exchange.put(&object, &mut line, &mut call).await?;
    call.finish(200);
    Ok(())
}
