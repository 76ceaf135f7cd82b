//! `plot` in a build without figures: what it needs.

use super::failure::Failure;
use clap::Args;
use std::ffi::OsString;

/// Draw a figure for a paper (not in this build)
#[derive(Debug, Args)]
pub struct Plot {
    /// What a build with figures takes
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    arguments: Vec<OsString>,
}

/// A command whose feature was left out.
#[derive(Debug, thiserror::Error)]
#[error("this edgeprof was built without figures, which `plot {}` needs", arguments.join(" "))]
struct NoFigures {
    arguments: Vec<String>,
}

impl Plot {
    /// Says what is missing.
    pub fn run(&self) -> Result<(), Failure> {
        let arguments = self
            .arguments
            .iter()
            .map(|argument| argument.to_string_lossy().into_owned())
            .collect();
        Err(Failure::new(NoFigures { arguments })
            .hint("build it with `cargo install --path . --features figures`, which is the default"))
    }
}
