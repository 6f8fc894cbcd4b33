//! The client's calls of the downloads API, which manages jobs. A job makes documents available for
//! download from the delivery bucket, docferry's own S3 bucket.
//!
//! `client.rs` has the calls of the older API, which manages transfers to a person's OneDrive.

use reqwest::{Method, StatusCode, header};

use crate::client::{Client, Polled};
use crate::error::ClientError;
use crate::job::{
    FetchResponse, JobAccepted, JobCanceling, JobFilter, JobPage, JobStatus, JobUrl, KnownDocument,
    NewJob,
};

impl Client {
    /// Creates a job that makes documents available for download.
    ///
    /// Repeated calls with the same idempotency key create one job.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with status 409 while the first call with that key is
    /// still being recorded. See [`ClientError`] for all other errors.
    pub async fn initiate(
        &self,
        job: &NewJob,
        idempotency_key: &str,
    ) -> Result<JobAccepted, ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "initiate"])?;
        self.request_document(request.header("Idempotency-Key", idempotency_key).json(job)).await
    }

    /// Returns the file name of a document, if the document registry has it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn document_name(&self, file_id: u64) -> Result<Option<String>, ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "check"])?;
        let request = request.json(&serde_json::json!({ "file_id": file_id }));
        let known: KnownDocument = self.request_document(request).await?;
        Ok(known.file_name)
    }

    /// Returns the status of a job, with the pause that the service asks for.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] when the id is unknown or expired. See [`ClientError`] for all
    /// other errors.
    pub async fn poll_job(&self, job_id: &str) -> Result<Polled<JobStatus>, ClientError> {
        let request = self.request(Method::GET, &["v1", "download", "status", job_id])?;
        self.request_status(request).await
    }

    /// Returns whether an id belongs to a job.
    ///
    /// The downloads API reports transfers of the older API, too. For the id of such a transfer,
    /// and for an unknown id, the result is `false`.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn is_job(&self, id: &str) -> Result<bool, ClientError> {
        match self.poll_job(id).await {
            Ok(Polled { status, .. }) => Ok(status.is_of_downloads_api()),
            // After a 403, the id may still belong to a transfer, because a caller without access
            // to jobs may have access to transfers.
            Err(ClientError::NotFound(_) | ClientError::Unauthorized { status: 403, .. }) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Requests the presigned URL of the document that a job delivered. Each call returns a
    /// new URL.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with status 410 when the document has expired. See
    /// [`ClientError`] for all other errors.
    pub async fn fetch_url(&self, job_id: &str) -> Result<FetchResponse, ClientError> {
        let request = self.request(Method::GET, &["v1", "download", job_id])?;
        let response = self.send(request.header(header::ACCEPT, "application/json")).await?;
        if response.status == StatusCode::CONFLICT {
            let status = Box::new(response.document()?);
            return Ok(FetchResponse::NotReady { status, retry_after: response.retry_after });
        }
        Ok(FetchResponse::Ready(response.into_document::<JobUrl>()?))
    }

    /// Requests the cancellation of a job. The call is idempotent.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with status 409 when the job has ended. See [`ClientError`] for
    /// all other errors.
    pub async fn cancel_job(&self, job_id: &str) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "cancel", job_id])?;
        // The response is parsed only to refuse one that is not docferry's.
        let _accepted: JobCanceling = self.request_document(request).await?;
        Ok(())
    }

    /// Starts another run of a job that failed, was canceled or has expired. The job keeps
    /// its id.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with status 409 when the job cannot be retried. See
    /// [`ClientError`] for all other errors.
    pub async fn retry_job(&self, job_id: &str) -> Result<JobAccepted, ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "retry", job_id])?;
        self.request_document(request).await
    }

    /// Returns a page of jobs, newest first. `page_token` is [`JobPage::next_page_token`] of
    /// the previous page, or `None` for the first page.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        page_token: Option<&str>,
    ) -> Result<JobPage, ClientError> {
        // The path `jobs` lists jobs in one state, and the path `history` lists all jobs.
        let path = if filter.status.is_some() { "jobs" } else { "history" };
        let request = self.request(Method::GET, &["v1", "download", path])?;
        let request = request.query(filter).query(&[("pageToken", page_token)]);
        let mut page: JobPage = self.request_document(request).await?;
        for job in &mut page.items {
            // Lists are printed and stored, so presigned URLs must not be in them.
            job.more.retain(|name, _| !matches!(name.as_str(), "url" | "result"));
        }
        Ok(page)
    }
}
