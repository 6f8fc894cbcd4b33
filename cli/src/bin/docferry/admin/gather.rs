//! Reads the stored state of a transfer for `docferry admin inspect`: all items under its id, the
//! references to its object in the exchange bucket, and its Step Functions executions.
//!
//! The document source puts each document into the exchange bucket, from which it is delivered.
//! Several transfers may refer to the same object. An execution runs the steps of a transfer, and
//! the next execution replaces one that has died.

use aws_sdk_dynamodb::types::AttributeValue;
use aws_sdk_sfn::operation::describe_execution::DescribeExecutionOutput;
use docferry_aws::Fault;
use docferry_aws::sfn::execution_arn;
use docferry_domain::ids::TransferId;
use jiff::Timestamp;

use super::AdminError;
use super::deployment::Deployment;
use super::found::TransferItems;
use super::inspection::{Execution, Inspection};
use super::item::Item;

/// Maximum number of executions that are shown. Earlier executions are not read.
const MAX_EXECUTIONS: u32 = 10;

/// Reads everything that the command shows about a transfer.
pub(super) async fn gather(
    deployment: &Deployment,
    id: &TransferId,
    show_names: bool,
) -> Result<Inspection, AdminError> {
    let items = read_items(deployment, id).await?;
    let transfer_items = TransferItems::read(id, items)?;
    let references = match transfer_items.exchange_key() {
        Some(key) => read_references(deployment, key).await?,
        None => None,
    };
    let latest_number = transfer_items.execution_number();
    let first_number = latest_number.saturating_sub(MAX_EXECUTIONS) + 1;
    let mut executions = Vec::new();
    for execution_number in first_number..=latest_number {
        let name = format!("{id}-{execution_number}");
        executions.push(describe_execution(deployment, &name).await?);
    }
    #[expect(clippy::disallowed_methods, reason = "ages are shown relative to the current time")]
    let now = Timestamp::now();
    Ok(transfer_items.into_inspection(references, executions, show_names, now))
}

/// Reads all items under the transfer's id, or under the batch's id for a document of a
/// batch.
async fn read_items(deployment: &Deployment, id: &TransferId) -> Result<Vec<Item>, AdminError> {
    let mut items = Vec::new();
    let mut start_key = None;
    loop {
        let request = deployment
            .dynamodb
            .query()
            .table_name(&deployment.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk")
            .expression_attribute_values(":pk", AttributeValue::S(format!("T#{}", id.batch_str())))
            .set_exclusive_start_key(start_key);
        let page =
            Box::pin(request.send()).await.map_err(|error| Fault::of("DynamoDB Query", &error))?;
        items.extend(page.items.unwrap_or_default());
        start_key = page.last_evaluated_key;
        if start_key.is_none() {
            return Ok(items);
        }
    }
}

/// Reads the item with the references of transfers to the object with this exchange key.
async fn read_references(
    deployment: &Deployment,
    exchange_key: &str,
) -> Result<Option<Item>, AdminError> {
    let request = deployment
        .dynamodb
        .get_item()
        .table_name(&deployment.table)
        .consistent_read(true)
        .key("pk", AttributeValue::S(format!("K#{exchange_key}")))
        .key("sk", AttributeValue::S("REFS".into()));
    let response = Box::pin(request.send()).await;
    Ok(response.map_err(|error| Fault::of("DynamoDB GetItem", &error))?.item)
}

/// Asks Step Functions for an execution of the transfer.
async fn describe_execution(deployment: &Deployment, name: &str) -> Result<Execution, AdminError> {
    let machine = &deployment.state_machine_arn;
    let arn = execution_arn(machine, name)
        .ok_or_else(|| AdminError::InvalidStateMachineArn(machine.clone()))?;
    let request = deployment.sfn.describe_execution().execution_arn(arn);
    match Box::pin(request.send()).await {
        Ok(response) => Ok(to_execution(name, &response)),
        Err(error)
            if error
                .as_service_error()
                .is_some_and(|error| error.is_execution_does_not_exist()) =>
        {
            Ok(Execution::missing(name))
        }
        Err(error) => Err(Fault::of("Step Functions DescribeExecution", &error).into()),
    }
}

/// Converts the description of an execution. The result contains the error name, which comes from a
/// fixed list. It does not contain the cause, which is free text and may contain personal data.
fn to_execution(name: &str, response: &DescribeExecutionOutput) -> Execution {
    let to_timestamp = |time: Option<&aws_sdk_sfn::primitives::DateTime>| {
        time.and_then(|time| Timestamp::from_second(time.secs()).ok())
    };
    Execution {
        name: name.to_owned(),
        state: response.status().as_str().to_lowercase(),
        started_at: to_timestamp(Some(response.start_date())),
        stopped_at: to_timestamp(response.stop_date()),
        error: response.error().map(str::to_owned),
    }
}
