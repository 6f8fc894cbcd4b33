//! Choice between a streamed and a buffered response of `GET /v1/download/subscribe/{jobId}`.

use std::str::FromStr;

/// Way in which the process that serves the router sends a response to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMode {
    /// Each event is sent immediately.
    Stream,
    /// The client receives nothing until the response is complete. So the response ends after the
    /// first events, or after a short wait if no event happens.
    Buffered,
}

impl FromStr for StreamMode {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "STREAM" => Ok(Self::Stream),
            "BUFFERED" => Ok(Self::Buffered),
            _ => Err("must be STREAM or BUFFERED"),
        }
    }
}
