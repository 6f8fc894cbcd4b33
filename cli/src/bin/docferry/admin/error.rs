use docferry_app::ports::{Cause, StoreError, WorkflowError};
use docferry_app::requeue::RequeueError;
use docferry_aws::{Fault, FaultKind};
use miette::Diagnostic;

use crate::exit::Exit;

/// What ends a command for operators before its work is done.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum AdminError {
    #[error("which deployment is meant?")]
    #[diagnostic(
        code(docferry::usage),
        help(
            "pass --stack (DOCFERRY_STACK_NAME), or both --table (DOCFERRY_TABLE) and \
             --state-machine (DOCFERRY_STATE_MACHINE_ARN)"
        )
    )]
    NoPlace,

    #[error("which index of documents is meant?")]
    #[diagnostic(
        code(docferry::usage),
        help("pass --stack (DOCFERRY_STACK_NAME) or --table (DOCFERRY_DOCUMENTS_TABLE)")
    )]
    NoIndex,

    #[error("no AWS region is set")]
    #[diagnostic(code(docferry::usage), help("set AWS_REGION, or a region in the AWS profile"))]
    NoRegion,

    #[error("there are no AWS credentials")]
    #[diagnostic(
        code(docferry::aws_credentials),
        help(
            "set AWS_PROFILE or the keys. For single sign-on and everything else that the AWS CLI \
             knows: eval \"$(aws configure export-credentials --format env)\""
        )
    )]
    NoCredentials(#[source] Cause),

    #[error("the stack {stack} is not one of docferry: it has no output {output}")]
    #[diagnostic(code(docferry::usage))]
    NoOutput { stack: String, output: &'static str },

    #[error("the stack {stack} cannot be read")]
    #[diagnostic(
        code(docferry::aws),
        help("is there a stack of that name in this account and region?")
    )]
    Stack {
        stack: String,
        #[source]
        fault: Fault,
    },

    #[error("AWS did not do what was asked")]
    #[diagnostic(code(docferry::aws))]
    Aws(#[from] Fault),

    #[error("{0:?} is not the ARN of a state machine")]
    #[diagnostic(code(docferry::usage))]
    NoMachine(String),

    #[error("nothing is known of this transfer")]
    #[diagnostic(
        code(docferry::not_found),
        help("a transfer is forgotten some days after its end; check the id and the stack")
    )]
    NotFound,

    #[error("the record cannot be read by this version of docferry")]
    #[diagnostic(code(docferry::version), help("use a version as new as the service's"))]
    Unreadable,

    #[error("left alone: {0}")]
    #[diagnostic(code(docferry::left_alone), help("docferry admin inspect shows where it stands"))]
    LeftAlone(RequeueError),

    #[error("some lines are wrong, and nothing was loaded\n{0}")]
    #[diagnostic(code(docferry::usage), help("mend these lines and load the file again"))]
    Lines(String),

    #[error(transparent)]
    #[diagnostic(code(docferry::aws))]
    Store(StoreError),

    #[error(transparent)]
    #[diagnostic(
        code(docferry::aws),
        help("the next attempt may have begun: ask again, or leave it to sweep")
    )]
    Workflow(WorkflowError),
}

impl From<RequeueError> for AdminError {
    fn from(error: RequeueError) -> Self {
        match error {
            RequeueError::NotFound => Self::NotFound,
            RequeueError::Store(StoreError::Corrupt(_)) => Self::Unreadable,
            RequeueError::Store(error) => Self::Store(error),
            RequeueError::Workflow(error) => Self::Workflow(error),
            error => Self::LeftAlone(error),
        }
    }
}

impl AdminError {
    pub(crate) fn exit(&self) -> Exit {
        let fault = match self {
            Self::NoCredentials(_) => return Exit::Unauthorized,
            Self::Stack { fault, .. } | Self::Aws(fault) => Some(fault),
            Self::Store(StoreError::Unavailable(cause)) | Self::Workflow(WorkflowError(cause)) => {
                cause.downcast_ref()
            }
            _ => None,
        };
        match fault.map(Fault::kind) {
            Some(FaultKind::Denied) => Exit::Unauthorized,
            Some(FaultKind::Unavailable) => Exit::Unreachable,
            Some(FaultKind::Other) | None => Exit::Other,
        }
    }
}
