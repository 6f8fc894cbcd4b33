//! Choice between a streamed and a buffered response of `subscribe`.

use std::str::FromStr;

/// Delivery of event streams to the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StreamMode {
    /// Each event is sent when it happens.
    Stream,
    /// The whole response is sent at its end. So a response ends after the first events, or after a
    /// short wait without any.
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
