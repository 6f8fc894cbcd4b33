//! What a transfer is charged for.

use anyhow::Result;

use super::{GB, MB, Transfers, size_text};
use crate::bench::clients::docferry;
use crate::bench::counting::Counting;
use crate::bench::report::Report;

/// Operations of DynamoDB that write.
const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

impl Transfers<'_> {
    /// Shaped, so that the milliseconds are like those that would be billed.
    pub(super) async fn cost(&self, report: &mut Report) -> Result<()> {
        self.shape().await?;
        let ground = self.ground;
        let mut rows = Vec::new();
        for size in self.sizes(&[3 * MB, 50 * MB, GB]) {
            let cloud = Counting::start(&ground.emulator.url).await?;
            let parcel = self.parcel(size).await?;
            let run = docferry(ground, &parcel, cloud.url()).await?;
            let writes: u32 =
                WRITES.iter().map(|name| cloud.calls(&format!("DynamoDB_20120810.{name}"))).sum();
            let reads = cloud.calls("DynamoDB_20120810.") - writes;
            let s3 = ground.asked(&ground.s3).await?.len();
            let graph = ground.asked(&ground.graph).await?;
            let fragments = graph.iter().filter(|name| name.ends_with("ragment")).count();
            rows.push(vec![
                size_text(size),
                writes.to_string(),
                reads.to_string(),
                cloud.calls("TrentService.").to_string(),
                cloud.calls("secretsmanager.").to_string(),
                s3.to_string(),
                format!("{} ({fragments})", graph.len()),
                run.invocations.to_string(),
                run.took.as_millis().to_string(),
            ]);
        }
        report.table(
            "**Cost** of the `upload` step of one transfer in a fresh process, shaped as above. \
             Billed are the start of the process and its invocations; waits in the workflow, of \
             which there are none here, are not.",
            &[
                "size",
                "state writes",
                "state reads",
                "KMS",
                "secrets",
                "S3 requests",
                "Graph requests (fragments)",
                "invocations",
                "billed ms",
            ],
            &rows,
        );
        Ok(())
    }
}
