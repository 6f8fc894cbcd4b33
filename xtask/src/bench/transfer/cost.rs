//! Counts the operations of a transfer that AWS bills.

use anyhow::Result;

use super::{GB, MB, TransferBench, size_text};
use crate::bench::clients::docferry;
use crate::bench::counting::CountingProxy;
use crate::bench::line::Line;
use crate::bench::report::{Report, TargetResult};

/// DynamoDB operations that count as writes.
const WRITES: [&str; 4] = ["PutItem", "UpdateItem", "DeleteItem", "TransactWriteItems"];

/// Counted quantities, in the order of the columns.
const COUNTED: [&str; 9] = [
    "state writes",
    "state reads",
    "KMS",
    "secrets",
    "S3 requests",
    "Graph requests",
    "fragments",
    "invocations",
    "billed ms",
];

/// Maximum distance of a value from the fitted line, as a fraction of the largest value. A larger
/// distance means that the cost is not linear in the size.
const MAX_DEVIATION: f64 = 0.1;

/// Measured quantities of one transfer.
type Counts = [u64; COUNTED.len()];

impl TransferBench<'_> {
    /// Measures with limited bandwidth, so that the billed milliseconds are realistic.
    pub(super) async fn cost(&self, report: &mut Report) -> Result<()> {
        self.shape().await?;
        let mut measured = Vec::new();
        for size in self.sizes(&[3 * MB, 50 * MB, 250 * MB, 500 * MB, GB]) {
            measured.push((size, self.count(size).await?));
        }
        let mut rows: Vec<Vec<String>> = measured
            .iter()
            .map(|(size, counts)| {
                let counts = counts.iter().map(ToString::to_string);
                std::iter::once(size_text(*size)).chain(counts).collect()
            })
            .collect();
        // The lines are fitted without the smallest size. A file of this size is sent in one PUT
        // request without an upload session.
        rows.extend(fit_rows(&measured[1..]));
        let caption = format!(
            "**Cost** of the `upload` step of one transfer in a fresh process, shaped as above. \
             The start of the process and its invocations are billed; waits in the workflow, of \
             which there are none here, are not. The last rows are the line through all sizes but \
             the smallest, which is sent in one PUT without a session, and the largest distance \
             from it. Target: linear in size, no value further from the line than {:.0} % of the \
             largest.",
            MAX_DEVIATION * 100.0
        );
        let head: Vec<&str> = std::iter::once("size").chain(COUNTED).collect();
        report.table(&caption, &head, &rows);
        Ok(())
    }

    /// Runs one transfer and returns its quantities.
    async fn count(&self, size: u64) -> Result<Counts> {
        let stack = self.stack;
        let proxy = CountingProxy::start(&stack.emulator.url).await?;
        let test_file = self.test_file(size).await?;
        let run = docferry(stack, &test_file, proxy.url()).await?;
        let writes: u32 =
            WRITES.iter().map(|name| proxy.calls(&format!("DynamoDB_20120810.{name}"))).sum();
        let graph_requests = stack.operations_of(&stack.graph).await?;
        // The simulator calls the last fragment of a file `lastFragment`.
        let is_fragment = |name: &&String| ["fragment", "lastFragment"].contains(&name.as_str());
        let fragments = graph_requests.iter().filter(is_fragment).count();
        let s3_requests = stack.operations_of(&stack.s3).await?.len();
        Ok([
            writes.into(),
            (proxy.calls("DynamoDB_20120810.") - writes).into(),
            proxy.calls("TrentService.").into(),
            proxy.calls("secretsmanager.").into(),
            u64::try_from(s3_requests)?,
            u64::try_from(graph_requests.len())?,
            u64::try_from(fragments)?,
            run.invocations.into(),
            u64::try_from(run.took.as_millis())?,
        ])
    }
}

/// Fits a line to each quantity and returns three rows of the table. The first row has the fixed
/// parts, the second row the parts for each gigabyte, and the third row the largest distances from
/// the lines.
fn fit_rows(measured: &[(u64, Counts)]) -> [Vec<String>; 3] {
    let mut rows = ["fixed", "+ a GB", "from the line"].map(|name| vec![name.to_owned()]);
    for quantity in 0..COUNTED.len() {
        let points: Vec<_> = measured
            .iter()
            .map(|(size, counts)| (float(*size) / float(GB), float(counts[quantity])))
            .collect();
        let line = Line::through(&points);
        rows[0].push(format!("{:.1}", line.fixed));
        rows[1].push(format!("{:.1}", line.slope));
        let largest_value = points.iter().map(|(_, y)| *y).fold(1.0, f64::max);
        let distance = line.largest_distance(&points);
        // Counts are whole numbers, so a distance below 1 does not count as a deviation.
        let target = TargetResult::at_most(distance, (MAX_DEVIATION * largest_value).max(1.0));
        rows[2].push(target.describe(&format!("{distance:.1}")));
    }
    rows
}

#[expect(clippy::cast_precision_loss, reason = "sizes and counts are far below 2^52")]
fn float(value: u64) -> f64 {
    value as f64
}
