//! Searches: the type of a validated search, its filters, and the parser that creates it from the
//! parameters of a request.

mod filter;
mod parse;
mod search;

pub use self::filter::{Codes, FILE_ID_SYSTEM, Filter, OBJECT_GUID_SYSTEM};
pub use self::parse::Handling;
pub use self::search::{Order, SearchQuery, Summary};
