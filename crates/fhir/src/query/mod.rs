//! Searches: their parameters as a type, and the parser that reads them.

mod filter;
mod parse;
mod search;

pub use self::filter::{Codes, FILE_ID_SYSTEM, Filter, OBJECT_GUID_SYSTEM};
pub use self::parse::Handling;
pub use self::search::{Order, SearchQuery, Summary};
