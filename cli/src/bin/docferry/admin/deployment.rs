//! Finds the AWS resources of a docferry deployment for the operators' commands. Their names come
//! from arguments or from the outputs of the deployment's CloudFormation stack.
//!
//! [`DeploymentArgs`] select the table of transfers and their state machine, [`RegistryArgs`] the
//! document registry, and [`AuditArgs`] the archive of the audit trail.

use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_sdk_sfn::config::ProvideCredentials as _;
use clap::Args;
use docferry_aws::{
    DynamoNumberIndex, DynamoRegistry, DynamoTransferStore, Fault, S3AuditArchive,
    StepFunctionsWorkflow,
};

use super::AdminError;
use crate::argument_values::non_empty;

#[derive(Debug, Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct DeploymentArgs {
    /// CloudFormation stack, whose outputs name the table and the state machine
    #[arg(long, env = "DOCFERRY_STACK_NAME", value_name = "NAME")]
    stack: Option<String>,

    /// Table of transfers; overrides the output of the stack
    #[arg(long, env = "DOCFERRY_TABLE", value_name = "NAME")]
    table: Option<String>,

    /// State machine of transfers; overrides the output of the stack
    #[arg(long, env = "DOCFERRY_STATE_MACHINE_ARN", value_name = "ARN")]
    state_machine: Option<String>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct RegistryArgs {
    /// CloudFormation stack, whose outputs name the document registry
    #[arg(long, env = "DOCFERRY_STACK_NAME", value_name = "NAME")]
    stack: Option<String>,

    /// Table with the document registry; overrides the output of the stack
    #[arg(long, env = "DOCFERRY_DOCUMENTS_TABLE", value_name = "NAME")]
    table: Option<String>,
}

impl RegistryArgs {
    /// Opens the registry with the operator's credentials.
    pub(crate) async fn open(&self) -> Result<DynamoRegistry, AdminError> {
        let config = load_config().await?;
        let table = self.table_name(&config, self.table.as_ref(), "DocumentsTable").await?;
        Ok(DynamoRegistry::new(aws_sdk_dynamodb::Client::new(&config), table))
    }

    /// Opens the registry for changes that the audit trail records with the operator's identity:
    /// the ARN of the AWS credentials. If AWS does not return the ARN, the operator is `unknown`,
    /// because a withdrawal must not fail for that reason.
    pub(crate) async fn open_as_operator(&self) -> Result<DynamoRegistry, AdminError> {
        let config = load_config().await?;
        let table = self.table_name(&config, self.table.as_ref(), "DocumentsTable").await?;
        let request = aws_sdk_sts::Client::new(&config).get_caller_identity();
        let operator = Box::pin(request.send()).await.ok().and_then(|identity| identity.arn);
        let registry = DynamoRegistry::new(aws_sdk_dynamodb::Client::new(&config), table);
        Ok(registry.written_by(operator.unwrap_or_else(|| "unknown".to_owned())))
    }

    /// Opens the registry and the index by number of docferry 0.1.0. `index_table` overrides the
    /// output of the stack.
    pub(crate) async fn open_with_index(
        &self,
        index_table: Option<&String>,
    ) -> Result<(DynamoRegistry, DynamoNumberIndex), AdminError> {
        let config = load_config().await?;
        let table = self.table_name(&config, self.table.as_ref(), "DocumentsTable").await?;
        let index_table = self.table_name(&config, index_table, "NumberIndexTable").await?;
        let client = aws_sdk_dynamodb::Client::new(&config);
        let index = DynamoNumberIndex::new(client.clone(), index_table);
        Ok((DynamoRegistry::new(client, table), index))
    }

    /// Returns the name of a table: the argument, or else the output of the stack.
    async fn table_name(
        &self,
        config: &SdkConfig,
        argument: Option<&String>,
        output: &'static str,
    ) -> Result<String, AdminError> {
        match (non_empty(argument), non_empty(self.stack.as_ref())) {
            (Some(table), _) => Ok(table.clone()),
            (None, Some(stack)) => Outputs::of(config, stack).await?.get(output),
            (None, None) => Err(AdminError::NoRegistry),
        }
    }
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Deployment")]
pub(crate) struct AuditArgs {
    /// CloudFormation stack, whose outputs name the archive and the document registry
    #[arg(long, env = "DOCFERRY_STACK_NAME", value_name = "NAME")]
    stack: Option<String>,

    /// Bucket with the archive; overrides the output of the stack
    #[arg(long, env = "DOCFERRY_AUDIT_BUCKET", value_name = "NAME")]
    bucket: Option<String>,
}

impl AuditArgs {
    /// Opens the archive with the operator's credentials.
    pub(crate) async fn open(&self) -> Result<S3AuditArchive, AdminError> {
        let config = load_config().await?;
        let bucket = match (non_empty(self.bucket.as_ref()), non_empty(self.stack.as_ref())) {
            (Some(bucket), _) => bucket.clone(),
            (None, Some(stack)) => Outputs::of(&config, stack).await?.get("AuditBucketName")?,
            (None, None) => return Err(AdminError::NoArchive),
        };
        let client = aws_sdk_s3::config::Builder::from(&config)
            // Emulators do not support virtual-hosted bucket names.
            .force_path_style(config.endpoint_url().is_some())
            .build();
        Ok(S3AuditArchive::new(aws_sdk_s3::Client::from_conf(client), bucket))
    }

    /// Opens the document registry of the stack. Returns `None` if the arguments name no stack.
    pub(crate) async fn registry(&self) -> Result<Option<DynamoRegistry>, AdminError> {
        let Some(stack) = non_empty(self.stack.as_ref()) else { return Ok(None) };
        let config = load_config().await?;
        let table = Outputs::of(&config, stack).await?.get("DocumentsTable")?;
        Ok(Some(DynamoRegistry::new(aws_sdk_dynamodb::Client::new(&config), table)))
    }
}

/// A deployment, with AWS clients that use the operator's credentials.
#[derive(Debug)]
pub(super) struct Deployment {
    pub(super) dynamodb: aws_sdk_dynamodb::Client,
    pub(super) sfn: aws_sdk_sfn::Client,
    pub(super) table: String,
    pub(super) state_machine_arn: String,
}

impl Deployment {
    /// Finds the deployment that the arguments select.
    pub(super) async fn find(deployment_args: &DeploymentArgs) -> Result<Self, AdminError> {
        let stack = non_empty(deployment_args.stack.as_ref());
        let table = non_empty(deployment_args.table.as_ref());
        let state_machine = non_empty(deployment_args.state_machine.as_ref());
        if stack.is_none() && (table.is_none() || state_machine.is_none()) {
            return Err(AdminError::NoDeployment);
        }
        let config = load_config().await?;
        let (table, state_machine_arn) = match (table, state_machine, stack) {
            (Some(table), Some(machine), _) => (table.clone(), machine.clone()),
            (table, machine, Some(stack)) => {
                let outputs = Outputs::of(&config, stack).await?;
                let argument_or_output = |argument: Option<&String>, output| match argument {
                    Some(argument) => Ok(argument.clone()),
                    None => outputs.get(output),
                };
                (
                    argument_or_output(table, "TransfersTable")?,
                    argument_or_output(machine, "StateMachineArn")?,
                )
            }
            _ => return Err(AdminError::NoDeployment),
        };
        Ok(Self {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            sfn: aws_sdk_sfn::Client::new(&config),
            table,
            state_machine_arn,
        })
    }

    pub(super) fn store(&self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.dynamodb.clone(), &self.table)
    }

    pub(super) fn workflow(&self) -> StepFunctionsWorkflow {
        StepFunctionsWorkflow::new(self.sfn.clone(), &self.state_machine_arn)
    }
}

/// Loads the AWS configuration from the environment and the profile.
///
/// A missing region and missing credentials have errors of their own. Without this check, the SDK
/// would only report that a request could not be sent.
async fn load_config() -> Result<SdkConfig, AdminError> {
    // The instance metadata service is not asked for the region. It does not exist on an operator's
    // machine, and waiting for its timeout would take seconds.
    let region = RegionProviderChain::first_try(EnvironmentVariableRegionProvider::new())
        .or_else(ProfileFileRegionProvider::new());
    let config = aws_config::defaults(BehaviorVersion::latest()).region(region).load().await;
    if config.region().is_none() {
        return Err(AdminError::NoRegion);
    }
    if let Some(credentials) = config.credentials_provider() {
        let result = credentials.provide_credentials().await;
        result.map_err(|error| AdminError::NoCredentials(Box::new(error)))?;
    }
    Ok(config)
}

/// Outputs of a CloudFormation stack.
struct Outputs<'a> {
    stack: &'a str,
    /// Names and values of the outputs.
    values: Vec<(String, String)>,
}

impl<'a> Outputs<'a> {
    /// Reads the outputs of a stack.
    async fn of(config: &SdkConfig, stack: &'a str) -> Result<Self, AdminError> {
        let client = aws_sdk_cloudformation::Client::new(config);
        let request = client.describe_stacks().stack_name(stack);
        let response = Box::pin(request.send()).await.map_err(|error| AdminError::Stack {
            stack: stack.to_owned(),
            fault: Fault::of("CloudFormation DescribeStacks", &error),
        })?;
        let outputs = response.stacks().iter().flat_map(|stack| stack.outputs());
        let values = outputs.filter_map(|output| {
            Some((output.output_key()?.to_owned(), output.output_value()?.to_owned()))
        });
        Ok(Self { stack, values: values.collect() })
    }

    /// Returns the value of the output with this name.
    fn get(&self, output: &'static str) -> Result<String, AdminError> {
        self.values
            .iter()
            .find(|(name, _)| name == output)
            .map(|(_, value)| value.clone())
            .ok_or_else(|| AdminError::NoOutput { stack: self.stack.to_owned(), output })
    }
}
