//! Background mover of the document source simulator. It copies files from the simulated NFS to the
//! exchange bucket after a delay.

use std::{sync::Arc, time::Duration};

use tokio::{sync::mpsc::UnboundedReceiver, task::JoinSet, time::sleep};

use crate::{
    exchange::{Exchange, MoveError, Object},
    world::{Move, World},
};

/// Pause between two tries of a move.
const RETRY_PAUSE: Duration = Duration::from_secs(1);

/// Moves every file that `moves` yields, each in a task of its own. All moves stop when this future
/// is dropped.
pub(crate) async fn run(world: Arc<World>, exchange: Exchange, mut moves: UnboundedReceiver<Move>) {
    let exchange = Arc::new(exchange);
    let mut running_moves = JoinSet::new();
    loop {
        tokio::select! {
            Some(instruction) = moves.recv() => {
                let (world, exchange) = (Arc::clone(&world), Arc::clone(&exchange));
                running_moves.spawn(async move {
                    move_file(&world, &exchange, &instruction).await;
                });
            }
            Some(_moved) = running_moves.join_next() => {}
            else => return,
        }
    }
}

/// Moves one file. A fault rule may prevent or delay the move, or first write only a part of the
/// file.
async fn move_file(world: &World, exchange: &Exchange, instruction: &Move) {
    if instruction.file.never {
        return;
    }
    sleep(instruction.delay).await;
    let size = instruction.source.size();
    let extra_delay = instruction.rule.as_ref().and_then(sim_kit::Rule::delay);
    let rule_with_partial_write =
        instruction.rule.as_ref().filter(|rule| rule.store_fraction.is_some());
    if let Some(rule) = rule_with_partial_write {
        put_with_retries(world, exchange, instruction, rule.stored_bytes(size)).await;
    }
    if let Some(extra_delay) = extra_delay {
        sleep(extra_delay).await;
    }
    put_with_retries(world, exchange, instruction, size).await;
    let mut state = world.state();
    state.nfs.retain(|file| file.id != instruction.file.id);
    if let Some(document) = state.documents.get_mut(&instruction.file.guid) {
        document.moves += 1;
    }
}

/// Writes the first `length` bytes of the file to the bucket, and retries until that succeeds. So
/// an unavailable bucket delays a move but does not lose the file.
async fn put_with_retries(world: &World, exchange: &Exchange, instruction: &Move, length: u64) {
    while let Err(error) = put_object(world, exchange, instruction, length).await {
        record_error(world, instruction, &error);
        sleep(RETRY_PAUSE).await;
    }
}

fn record_error(world: &World, instruction: &Move, error: &MoveError) {
    let mut state = world.state();
    if let Some(file) = state.nfs.iter_mut().find(|file| file.id == instruction.file.id) {
        file.last_error = Some(error.to_string());
    }
}

/// Writes the first `length` bytes of the file to the bucket, once.
async fn put_object(
    world: &World,
    exchange: &Exchange,
    instruction: &Move,
    length: u64,
) -> Result<(), MoveError> {
    let mut call = world.stage.call("move", &instruction.subject);
    let mut line = world.stage.shaper.line(&instruction.subject);
    world.stage.shaper.latency(&instruction.subject).await;
    let object = Object {
        key: &instruction.file.key,
        mimetype: &instruction.mimetype,
        source: &instruction.source,
        length,
    };
    exchange.put(&object, &mut line, &mut call).await?;
    call.finish(200);
    Ok(())
}
