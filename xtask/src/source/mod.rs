//! Source code of the workspace as trees of modules, with names resolved to their definitions.

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
