//! Parser of the source code of the workspace, for the checks that analyse the code.
//!
//! [`Workspace`] is the parsed code: a tree of modules for each crate. It resolves a path in the
//! code, such as `super::x::f`, to the item that the path names.

mod load;
mod members;
mod module;
mod resolve;
mod walk;

pub(crate) use members::packages;
pub(crate) use module::{ModuleId, Target, Workspace};
pub(crate) use walk::{
    expressions_of, references, references_in_macro, references_in_trait, segments_of,
};
