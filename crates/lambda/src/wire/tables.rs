//! Construction of the stores in DynamoDB tables.

use docferry_aws::{DynamoAuditLog, DynamoRegistry, DynamoThrottleBudget, DynamoTransferStore};

use super::wiring::Wiring;

impl Wiring {
    /// Store of all records, in `TRANSFERS_TABLE`.
    pub fn transfer_store(&mut self) -> DynamoTransferStore {
        DynamoTransferStore::new(self.dynamodb(), self.transfers_table())
    }

    /// Document registry, in `DOCUMENTS_TABLE`.
    pub fn registry(&mut self) -> DynamoRegistry {
        let table = self.reader.required("DOCUMENTS_TABLE", "docferry-local-documents");
        DynamoRegistry::new(self.dynamodb(), table)
    }

    /// Log of audit events, in `AUDIT_TABLE`.
    pub fn audit_log(&mut self) -> DynamoAuditLog {
        let table = self.reader.required("AUDIT_TABLE", "docferry-local-audit");
        DynamoAuditLog::new(self.dynamodb(), table)
    }

    /// Throttling state of Microsoft Graph that all transfers share, in `TRANSFERS_TABLE`. A
    /// deployment serves one Microsoft tenant, so it has one throttle budget.
    pub fn throttle_budget(&mut self) -> DynamoThrottleBudget {
        DynamoThrottleBudget::new(self.dynamodb(), self.transfers_table(), "graph")
    }

    /// Counter of API calls over all processes, in `TRANSFERS_TABLE`.
    #[cfg(feature = "http")]
    pub(super) fn shared_call_counter(&mut self) -> docferry_aws::DynamoQuota {
        docferry_aws::DynamoQuota::new(self.dynamodb(), self.transfers_table())
    }

    fn transfers_table(&mut self) -> String {
        self.reader.required("TRANSFERS_TABLE", "docferry-local-transfers")
    }

    fn dynamodb(&self) -> aws_sdk_dynamodb::Client {
        aws_sdk_dynamodb::Client::new(&self.aws)
    }
}
