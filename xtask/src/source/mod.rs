//! Source code of the workspace as trees of modules, with names resolved to their definitions.

mod load;
mod members;
mod module;
mod resolve;
mod walk;

pub(crate) use members::packages;
pub(crate) use module::{Module, ModuleId, Target, Workspace};
pub(crate) use walk::references;
