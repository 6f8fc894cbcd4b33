//! Tests of the S3 simulator over HTTP.

mod admin;
mod boto3;
mod completion;
mod copies;
mod faults;
mod lists;
mod objects;
mod parts;
mod sdk;
mod serving;
mod support;
