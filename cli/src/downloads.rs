//! The calls of the downloads API.

use reqwest::{Method, StatusCode, header};

use crate::client::{Client, Polled};
use crate::error::ClientError;
use crate::job::{
    Fetchable, JobAccepted, JobCanceling, JobFilter, JobPage, JobStatus, JobUrl, KnownDocument,
    NewJob,
};

impl Client {
    /// Asks for documents to be made ready for fetching.
    ///
    /// `key` names the wish: the same call with the same key makes one job, however
    /// often it is made.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with 409 while the first call of that key is still
    /// being recorded; otherwise see [`ClientError`].
    pub async fn initiate(&self, job: &NewJob, key: &str) -> Result<JobAccepted, ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "initiate"])?;
        Ok(self.exchange(request.header("Idempotency-Key", key).json(job)).await?.0)
    }

    /// The name of a document, where the index of documents knows it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn document_name(&self, file_id: u64) -> Result<Option<String>, ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "check"])?;
        let request = request.json(&serde_json::json!({ "file_id": file_id }));
        let known: KnownDocument = self.exchange(request).await?.0;
        Ok(known.file_name)
    }

    /// Asks how a job is doing.
    ///
    /// # Errors
    /// [`ClientError::NotFound`] for an id that is unknown or forgotten; otherwise see
    /// [`ClientError`].
    pub async fn poll_job(&self, job_id: &str) -> Result<Polled<JobStatus>, ClientError> {
        let request = self.request(Method::GET, &["v1", "download", "status", job_id])?;
        let (status, retry_after) = self.exchange(request).await?;
        Ok(Polled { status, retry_after })
    }

    /// Whether an id is a job's, and not a transfer's of the older API, which asks for
    /// no document by number.
    ///
    /// # Errors
    /// See [`ClientError`]. An unknown id is no job.
    pub async fn is_job(&self, id: &str) -> Result<bool, ClientError> {
        match self.poll_job(id).await {
            Ok(Polled { status, .. }) => Ok(status.items.iter().any(|item| item.file_id.is_some())),
            // 403: who may not look at jobs may look at transfers.
            Err(ClientError::NotFound(_) | ClientError::Unauthorized { status: 403, .. }) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks where to fetch what a job has delivered; the address is made for this answer.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with 410 when it has expired; otherwise see
    /// [`ClientError`].
    pub async fn fetchable(&self, job_id: &str) -> Result<Fetchable, ClientError> {
        let request = self.request(Method::GET, &["v1", "download", job_id])?;
        let answer = self.ask(request.header(header::ACCEPT, "application/json")).await?;
        if answer.status == StatusCode::CONFLICT {
            let status = Box::new(answer.document()?);
            return Ok(Fetchable::NotReady { status, retry_after: answer.retry_after });
        }
        Ok(Fetchable::Ready(answer.into_document::<JobUrl>()?))
    }

    /// Asks a job to stop; making the same call again is harmless.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with 409 when it had ended; otherwise see
    /// [`ClientError`].
    pub async fn cancel_job(&self, job_id: &str) -> Result<(), ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "cancel", job_id])?;
        let _heard: (JobCanceling, _) = self.exchange(request).await?;
        Ok(())
    }

    /// Lets a job that has ended without success run again, under the same id.
    ///
    /// # Errors
    /// [`ClientError::Rejected`] with 409 when it may not; otherwise see [`ClientError`].
    pub async fn retry_job(&self, job_id: &str) -> Result<JobAccepted, ClientError> {
        let request = self.request(Method::POST, &["v1", "download", "retry", job_id])?;
        Ok(self.exchange(request).await?.0)
    }

    /// A page of jobs, the newest first; `token` is the page before's
    /// [`JobPage::next_page_token`].
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn jobs(
        &self,
        filter: &JobFilter,
        token: Option<&str>,
    ) -> Result<JobPage, ClientError> {
        // Only the one of the two calls knows a status, and only the other its history.
        let call = if filter.status.is_some() { "jobs" } else { "history" };
        let request = self.request(Method::GET, &["v1", "download", call])?;
        let request = request.query(filter).query(&[("pageToken", token)]);
        let mut page: JobPage = self.exchange(request).await?.0;
        for job in &mut page.items {
            // A list is shown and kept; what opens a document is asked for by itself.
            job.more.retain(|name, _| !matches!(name.as_str(), "url" | "result"));
        }
        Ok(page)
    }
}
