//! Multipart uploads of the S3 simulator.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/mpuoverview.html>.

mod complete;
mod copy;
mod create;
mod list;
mod part;
mod part_list;
mod upload;

pub(crate) use complete::complete;
pub(crate) use copy::upload_part_copy;
pub(crate) use create::{abort, create};
pub(crate) use list::{list_parts, list_uploads};
pub(crate) use part::upload_part;
pub(crate) use upload::Uploads;
