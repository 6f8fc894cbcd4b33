//! Reads everything about a transfer: one Query for all items under its id, the references
//! to its exchange key, and its executions.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use docferry_aws::Fault;
use docferry_aws::sfn::execution_arn;
use docferry_domain::ids::TransferId;
use jiff::Timestamp;

use super::AdminError;
use super::deployment::Deployment;
use super::found::Found;
use super::inspection::{Execution, Inspection};
use super::item::Item;

/// Maximum number of executions that are shown, latest ones only.
const MAX_EXECUTIONS: u32 = 10;

pub(super) async fn gather(
    deployment: &Deployment,
    id: &TransferId,
    show_names: bool,
) -> Result<Inspection, AdminError> {
    let items = items(deployment, id).await?;
    let found = Found::read(id, items)?;
    let references = match found.exchange_key() {
        Some(key) => references(deployment, key).await?,
        None => None,
    };
    let last = found.execution_number();
    let mut executions = Vec::new();
    for execution_number in last.saturating_sub(MAX_EXECUTIONS) + 1..=last {
        executions.push(execution(deployment, &format!("{id}-{execution_number}")).await?);
    }
    #[expect(clippy::disallowed_methods, reason = "ages are shown relative to the current time")]
    let now = Timestamp::now();
    Ok(found.into_inspection(references, executions, show_names, now))
}

/// Reads all items under the transfer's id, or under the batch's id for a document of a
/// batch.
async fn items(deployment: &Deployment, id: &TransferId) -> Result<Vec<Item>, AdminError> {
    let mut items = Vec::new();
    let mut from = None;
    loop {
        let request = deployment
            .dynamodb
            .query()
            .table_name(&deployment.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(format!("T#{}", id.batch_str())))
            .set_exclusive_start_key(from);
        let page =
            Box::pin(request.send()).await.map_err(|error| Fault::of("DynamoDB Query", &error))?;
        items.extend(page.items.unwrap_or_default());
        from = page.last_evaluated_key;
        if from.is_none() {
            return Ok(items);
        }
    }
}

async fn references(deployment: &Deployment, key: &str) -> Result<Option<Item>, AdminError> {
    let request = deployment
        .dynamodb
        .get_item()
        .table_name(&deployment.table)
        .consistent_read(true)
        .key("pk", AttributeValue::S(format!("K#{key}")))
        .key("sk", AttributeValue::S("REFS".into()));
    let answer = Box::pin(request.send()).await;
    Ok(answer.map_err(|error| Fault::of("DynamoDB GetItem", &error))?.item)
}

async fn execution(deployment: &Deployment, name: &str) -> Result<Execution, AdminError> {
    let machine = &deployment.state_machine_arn;
    let arn = execution_arn(machine, name).ok_or_else(|| AdminError::NoMachine(machine.clone()))?;
    let request = deployment.sfn.describe_execution().execution_arn(arn);
    match Box::pin(request.send()).await {
        Ok(answer) => Ok(described(name, &answer)),
        Err(error) if error.as_service_error().is_some_and(|e| e.is_execution_does_not_exist()) => {
            Ok(Execution::missing(name))
        }
        Err(error) => Err(Fault::of("Step Functions DescribeExecution", &error).into()),
    }
}

/// Converts a description of an execution. The error name comes from a known list. The cause
/// is left out, because it is free text and may hold personal data.
fn described(name: &str, answer: &DescribeExecutionOutput) -> Execution {
    let time = |at: Option<&aws_sdk_sfn::primitives::DateTime>| {
        at.and_then(|at| Timestamp::from_second(at.secs()).ok())
    };
    Execution {
        name: name.to_owned(),
        state: answer.status().as_str().to_lowercase(),
        started_at: time(Some(answer.start_date())),
        stopped_at: time(answer.stop_date()),
        error: answer.error().map(str::to_owned),
    }
}
