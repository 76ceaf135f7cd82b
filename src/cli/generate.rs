//! `completions` and `man`: what is made from the definition of the command line.

use super::failure::{CannotWrite, Failure};
use super::{Cli, sink};
use clap::{Args, CommandFactory};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  edgeprof completions bash > ~/.local/share/bash-completion/completions/edgeprof")]
pub struct Completions {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Prints the script.
    pub fn run(&self) -> Result<(), Failure> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "edgeprof", &mut script);
        sink::write(&String::from_utf8_lossy(&script), None)
    }
}

/// Print the manual page, or write one page a command into a folder
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof man | man -l -
  edgeprof man --output ~/.local/share/man/man1")]
pub struct Man {
    /// The folder to write all pages to; without it the page of `edgeprof` itself goes to stdout
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Man {
    /// Prints or writes the pages.
    pub fn run(&self) -> Result<(), Failure> {
        let Some(folder) = &self.output else {
            let mut page = Vec::new();
            clap_mangen::Man::new(Cli::command())
                .render(&mut page)
                .map_err(|error| CannotWrite::failure(Path::new("the standard output"), error))?;
            return sink::write(&String::from_utf8_lossy(&page), None);
        };
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
            .map_err(|error| CannotWrite::failure(folder, error))
    }
}
