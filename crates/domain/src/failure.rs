//! Failure codes: why a transfer, or a step of its workflow, failed.
//!
//! The table below defines the name of each code, whether a retry may help, and the text that is
//! shown to users. ORDS is the document source; it copies documents to the exchange bucket. Graph
//! (Microsoft Graph) is the API of OneDrive, the destination.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

macro_rules! failure_codes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, retry: $retry:literal, $message:literal;)+) => {
        /// Reason why a step or a transfer failed.
        ///
        /// Each code has one name: [`FailureCode::as_str`]. The API, the store and the
        /// `ErrorEquals` of the Step Functions workflow use this name. `cargo xtask check`
        /// proves that the workflow uses no other name and retries every retryable code.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureCode {
            $($(#[$doc])* $variant,)+
        }

        impl FailureCode {
            /// Every code, in the order of the steps of a transfer.
            pub const ALL: &'static [FailureCode] = &[$(FailureCode::$variant,)+];

            /// Returns the name used on the wire and in the workflow.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Returns whether running the same step again may help. The workflow retries
            /// these codes with backoff; all others end the transfer at once.
            #[must_use]
            pub const fn is_retryable(self) -> bool {
                match self { $(Self::$variant => $retry,)+ }
            }

            /// Returns the text for users: what happened and what to do.
            ///
            /// It never contains a name, an address or a URL, because it goes into
            /// responses, logs and execution histories.
            #[must_use]
            pub const fn message(self) -> &'static str {
                match self { $(Self::$variant => $message,)+ }
            }
        }
    };
}

failure_codes! {
    /// ORDS does not know the GUID.
    SourceNotFound = "SOURCE_NOT_FOUND", retry: false,
        "The document was not found in the object store. Check the object GUID.";
    /// The document was withdrawn, so it is not delivered any more.
    DocumentWithdrawn = "DOCUMENT_WITHDRAWN", retry: false,
        "The document was withdrawn and cannot be delivered. Ask the office that keeps it.";
    /// ORDS responded with an error text, or without the description of a document.
    SourceRefused = "SOURCE_REFUSED", retry: false,
        "The document source refused the request. Check the object GUID, then ask its operators.";
    /// ORDS refused docferry's credentials.
    SourceUnauthorized = "SOURCE_UNAUTHORIZED", retry: false,
        "The document source refused the service's credentials. Operators: check the ORDS secret.";
    /// The name that ORDS gave cannot be used as an object key or a file name.
    SourceNameInvalid = "SOURCE_NAME_INVALID", retry: false,
        "The document source gave a file name that cannot be used. Have the document renamed at its source.";
    /// ORDS did not respond, or responded with a server error.
    SourceUnavailable = "SOURCE_UNAVAILABLE", retry: true,
        "The document source did not answer. Try again in a few minutes.";
    /// The response of ORDS broke the contract; for example, it was an HTML page.
    SourceInvalidAnswer = "SOURCE_INVALID_ANSWER", retry: true,
        "The document source gave an answer that could not be read. Try again in a few minutes.";
    /// The file never reached the exchange bucket.
    ArrivalTimeout = "ARRIVAL_TIMEOUT", retry: false,
        "The document did not arrive in the exchange bucket in time. Try again later; operators: check the mover.";
    /// At the arrival deadline, the object in the exchange bucket does not have the size that
    /// ORDS announced.
    SourceSizeMismatch = "SOURCE_SIZE_MISMATCH", retry: false,
        "The document that arrived has not the size that its source announced. Try again; operators: check the mover.";
    /// The exchange object disappeared while it was read.
    SourceGone = "SOURCE_GONE", retry: false,
        "The document disappeared from the exchange bucket while it was read. Try again.";
    /// The exchange object was replaced while it was read.
    SourceChanged = "SOURCE_CHANGED", retry: false,
        "The document was replaced in the exchange bucket while it was read. Try again.";
    /// The exchange bucket did not respond.
    ExchangeUnavailable = "EXCHANGE_UNAVAILABLE", retry: true,
        "The exchange bucket did not answer. Try again in a few minutes.";
    /// The exchange bucket refused docferry's key pair.
    ExchangeUnauthorized = "EXCHANGE_UNAUTHORIZED", retry: false,
        "The exchange bucket refused the service's key pair. Operators: check the exchange secret and bucket policy.";
    /// There is no Microsoft 365 user with the recipient's address.
    RecipientNotFound = "RECIPIENT_NOT_FOUND", retry: false,
        "The recipient is not a Microsoft 365 user. Check the e-mail address.";
    /// The user exists but has no OneDrive yet.
    DriveNotProvisioned = "DRIVE_NOT_PROVISIONED", retry: false,
        "The recipient has no OneDrive yet. Have them open OneDrive once, then try again.";
    /// OneDrive refuses the name, path or size.
    DestinationRefused = "DESTINATION_REFUSED", retry: false,
        "OneDrive refused the document's name, path or size. Choose another folder or ask the operators.";
    /// Graph refused docferry's credentials or permissions.
    DestinationUnauthorized = "DESTINATION_UNAUTHORIZED", retry: false,
        "OneDrive refused the service's credentials. Operators: check the Graph secret and the app's consent.";
    /// A folder has the document's name, or a file has this name and the conflict policy forbids
    /// replacing the file.
    DestinationConflict = "DESTINATION_CONFLICT", retry: false,
        "A file or a folder of that name is already in OneDrive. Remove or rename it, then try again.";
    /// A file has the name of a parent folder in the path.
    DestinationPathConflict = "DESTINATION_PATH_CONFLICT", retry: false,
        "A file in OneDrive has the name of a folder of the path. Remove or rename it, or choose another folder.";
    /// The file at the destination is locked, open in an editor, or being uploaded by another
    /// session. This was still the case at the last repetition.
    DestinationLocked = "DESTINATION_LOCKED", retry: true,
        "The file in OneDrive is open, locked or being uploaded. Close it, then try again.";
    /// The recipient's OneDrive is full.
    QuotaExceeded = "QUOTA_EXCEEDED", retry: false,
        "The recipient's OneDrive is full. Free some space, then try again.";
    /// Graph did not respond, or responded to all repetitions with server errors.
    DestinationUnavailable = "DESTINATION_UNAVAILABLE", retry: true,
        "OneDrive did not answer. Try again in a few minutes.";
    /// The drive repeatedly lost bytes that it had acknowledged, or did not complete the file
    /// although it had every byte.
    DestinationIncomplete = "DESTINATION_INCOMPLETE", retry: false,
        "OneDrive acknowledged the document's bytes and did not complete the file. Try again later.";
    /// The delivery bucket did not respond.
    DeliveryUnavailable = "DELIVERY_UNAVAILABLE", retry: true,
        "The store for downloads did not answer. Try again in a few minutes.";
    /// OneDrive has not computed the hash of the delivered file. The size is correct.
    HashNotComputed = "HASH_NOT_COMPUTED", retry: false,
        "OneDrive has not computed the hash of the delivered file, so it could not be compared with its source. The file may be complete: check it before you send the document again.";
    /// The response of OneDrive to the last byte contained a file that differs from the source,
    /// and the contents cannot be compared.
    DestinationRewritten = "DESTINATION_REWRITTEN", retry: false,
        "OneDrive changed the file after it took the document, and the contents could not be compared. Open the file and check it before you send the document again.";
    /// The delivered file differs from the source.
    VerificationFailed = "VERIFICATION_FAILED", retry: false,
        "The file in OneDrive differs from its source. Do not use it; try again.";
    /// The DynamoDB table did not respond.
    StoreUnavailable = "STORE_UNAVAILABLE", retry: true,
        "The service's state store did not answer. Try again in a few minutes.";
    /// The workflow could not be started.
    WorkflowUnavailable = "WORKFLOW_UNAVAILABLE", retry: true,
        "The service could not start the transfer. Try again in a few minutes.";
    /// A newer invocation of the same task took over, and only its result counts.
    Superseded = "SUPERSEDED", retry: true,
        "Another run of the same step took over.";
    /// The transfer had ended, or a newer execution had begun, before this step ran.
    AlreadyEnded = "ALREADY_ENDED", retry: false,
        "The transfer had already ended.";
    /// Cancellation was requested.
    Canceled = "CANCELED", retry: false,
        "Terminated by request";
    /// The transfer's deadline passed.
    DeadlineExceeded = "DEADLINE_EXCEEDED", retry: false,
        "The transfer took longer than its deadline allows. Try again later.";
    /// A defect of docferry, or an AWS error that has no failure code.
    Internal = "INTERNAL", retry: false,
        "The service failed. Try again; if it happens again, tell the operators the transfer id.";
}

impl fmt::Display for FailureCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Error for a name that is not a failure code, such as an AWS error name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown failure code")]
pub struct UnknownFailureCode;

impl FromStr for FailureCode {
    type Err = UnknownFailureCode;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Self::ALL.iter().copied().find(|code| code.as_str() == name).ok_or(UnknownFailureCode)
    }
}

impl Serialize for FailureCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for FailureCode {
    /// Reads an unknown code as [`FailureCode::Internal`]. A record of a newer version may
    /// contain one and must stay readable.
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Ok(name.parse().unwrap_or(Self::Internal))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_reads_back_from_its_name() {
        for code in FailureCode::ALL {
            assert_eq!(code.as_str().parse(), Ok(*code));
        }
        assert_eq!("States.Timeout".parse::<FailureCode>(), Err(UnknownFailureCode));
    }

    #[test]
    fn unknown_failure_code_is_read_as_internal() {
        let code: FailureCode = serde_json::from_str("\"FROM_THE_FUTURE\"").unwrap();
        assert_eq!(code, FailureCode::Internal);
    }
}
