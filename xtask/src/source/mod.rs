//! Parser of the source code of the workspace, for the checks that analyse the code.
//!
//! The code becomes a tree of modules. A path in the code can be resolved to the definition of the
//! item that it names.

mod load;
mod members;
mod module;
mod resolve;
mod walk;

pub(crate) use members::packages;
pub(crate) use module::{ModuleId, Target, Workspace};
pub(crate) use walk::{
    expressions_of, references, references_in, references_in_trait, segments_of,
};
