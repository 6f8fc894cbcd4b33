//! Errors of the operators' commands: `docferry admin`, `audit`, `documents` and `grants`.

use docferry_app::ports::{ArchiveError, Cause, StoreError, WorkflowError};
use docferry_app::recovery::requeue::RequeueError;
use docferry_aws::{Fault, FaultKind};
use miette::Diagnostic;

use crate::exit::Exit;

/// Error that ends an operators' command early.
#[derive(Debug, thiserror::Error, Diagnostic)]
pub(crate) enum AdminError {
    #[error("no deployment is selected")]
    #[diagnostic(
        code(docferry::usage),
        help(
            "pass --stack (DOCFERRY_STACK_NAME), or both --table (DOCFERRY_TABLE) and \
             --state-machine (DOCFERRY_STATE_MACHINE_ARN)"
        )
    )]
    NoDeployment,

    #[error("no document registry is selected")]
    #[diagnostic(
        code(docferry::usage),
        help(
            "pass --stack (DOCFERRY_STACK_NAME) or --table (DOCFERRY_DOCUMENTS_TABLE); migrate \
             without --stack also needs --index-table"
        )
    )]
    NoRegistry,

    #[error("no archive of the audit trail is selected")]
    #[diagnostic(
        code(docferry::usage),
        help("pass --stack (DOCFERRY_STACK_NAME) or --bucket (DOCFERRY_AUDIT_BUCKET)")
    )]
    NoArchive,

    #[error("the archive of the audit trail could not be read")]
    #[diagnostic(code(docferry::aws), help("check the bucket and the permissions"))]
    Archive(#[from] ArchiveError),

    #[error("no AWS region is set")]
    #[diagnostic(code(docferry::usage), help("set AWS_REGION or a region in the AWS profile"))]
    NoRegion,

    #[error("there are no AWS credentials")]
    #[diagnostic(
        code(docferry::aws_credentials),
        help(
            "set AWS_PROFILE or the access keys. For single sign-on and other sources that only \
             the AWS CLI supports: eval \"$(aws configure export-credentials --format env)\""
        )
    )]
    NoCredentials(#[source] Cause),

    #[error("the stack {stack} is not a docferry stack: it has no output {output}")]
    #[diagnostic(code(docferry::usage))]
    NoOutput { stack: String, output: &'static str },

    #[error("the stack {stack} cannot be read")]
    #[diagnostic(
        code(docferry::aws),
        help("check that the stack exists in this account and region")
    )]
    Stack {
        stack: String,
        #[source]
        fault: Fault,
    },

    #[error("a call to AWS failed")]
    #[diagnostic(code(docferry::aws))]
    Aws(#[from] Fault),

    #[error("{0:?} is not the ARN of a state machine")]
    #[diagnostic(code(docferry::usage))]
    InvalidStateMachineArn(String),

    #[error("the transfer was not found")]
    #[diagnostic(
        code(docferry::not_found),
        help(
            "a record is deleted some days after the transfer has ended; check the id and the stack"
        )
    )]
    NotFound,

    #[error("this version of docferry cannot read the record")]
    #[diagnostic(
        code(docferry::version),
        help("use the same version as the service, or a newer one")
    )]
    Unreadable,

    #[error("not restarted: {0}")]
    #[diagnostic(code(docferry::left_alone), help("docferry admin inspect shows its state"))]
    NotRestarted(RequeueError),

    #[error("some lines are invalid, and nothing was imported\n{0}")]
    #[diagnostic(code(docferry::usage), help("correct these lines and import the file again"))]
    InvalidLines(String),

    #[error("the file has changed while it was read; some records may be stored")]
    #[diagnostic(code(docferry::usage), help("import the file again"))]
    FileChanged,

    #[error("the document was not found")]
    #[diagnostic(
        code(docferry::not_found),
        help("check the id, number or GUID, and the stack; --by says which of them it is")
    )]
    DocumentNotFound,

    #[error("this is the id of one document and the GUID of another")]
    #[diagnostic(code(docferry::usage), help("pass --by id or --by guid"))]
    AmbiguousKey,

    #[error("the {name} is not valid: {problem}")]
    #[diagnostic(code(docferry::usage))]
    InvalidArgument { name: &'static str, problem: String },

    #[error("the person has no such grant")]
    #[diagnostic(
        code(docferry::not_found),
        help("docferry grants list shows the grants of a person")
    )]
    GrantNotFound,

    #[error(transparent)]
    #[diagnostic(code(docferry::aws))]
    Store(StoreError),

    #[error(transparent)]
    #[diagnostic(
        code(docferry::aws),
        help("the execution may have been started: repeat the command, or wait for the sweeper")
    )]
    Workflow(WorkflowError),
}

impl From<StoreError> for AdminError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Corrupt(_) => Self::Unreadable,
            error @ StoreError::Unavailable(_) => Self::Store(error),
        }
    }
}

impl From<RequeueError> for AdminError {
    fn from(error: RequeueError) -> Self {
        match error {
            RequeueError::NotFound => Self::NotFound,
            RequeueError::Store(error) => error.into(),
            RequeueError::Workflow(error) => Self::Workflow(error),
            error => Self::NotRestarted(error),
        }
    }
}

impl AdminError {
    /// Returns the exit code of the command for this error.
    pub(crate) fn exit(&self) -> Exit {
        let fault = match self {
            Self::NoCredentials(_) => return Exit::Unauthorized,
            Self::Stack { fault, .. } | Self::Aws(fault) => Some(fault),
            Self::Store(StoreError::Unavailable(cause))
            | Self::Workflow(WorkflowError(cause))
            | Self::Archive(ArchiveError(cause)) => cause.downcast_ref(),
            _ => None,
        };
        match fault.map(Fault::kind) {
            Some(FaultKind::Denied) => Exit::Unauthorized,
            Some(FaultKind::Unavailable) => Exit::Unreachable,
            Some(FaultKind::Other) | None => Exit::Other,
        }
    }
}
