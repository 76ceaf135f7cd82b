//! `completions` and `man`: what is made from the definition of the command line.

use super::failure::{CannotWrite, Failure};
use super::{Cli, sink};
use clap::{Args, Command, CommandFactory};
use clap_complete::Shell;
use std::path::{Path, PathBuf};

/// Print a completion script for a shell
#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  edgeprof completions bash > ~/.local/share/bash-completion/completions/edgeprof")]
pub struct Completions {
    /// The shell
    #[arg(value_enum, ignore_case = true)]
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

/// Print the manual page of a command, or write those of all commands into a folder
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edgeprof man | man -l -
  edgeprof man predict | man -l -
  edgeprof man --output ~/.local/share/man/man1")]
pub struct Man {
    /// The command, or none for `edgeprof` itself
    #[arg(value_name = "COMMAND", conflicts_with = "output")]
    command: Vec<String>,
    /// The folder to write all pages to
    #[arg(short, long, value_name = "DIR")]
    output: Option<PathBuf>,
}

impl Man {
    /// Prints or writes the pages.
    pub fn run(&self) -> Result<(), Failure> {
        let Some(folder) = &self.output else {
            let mut page = Vec::new();
            let (command, title) = self.named()?;
            clap_mangen::Man::new(command)
                .title(title)
                .render(&mut page)
                .map_err(|error| CannotWrite::failure(Path::new("the standard output"), error))?;
            return sink::write(&String::from_utf8_lossy(&page), None);
        };
        std::fs::create_dir_all(folder)
            .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
            .map_err(|error| CannotWrite::failure(folder, error))
    }

    /// The command whose page is asked for, and its full name.
    fn named(&self) -> Result<(Command, String), Failure> {
        let mut cli = Cli::command();
        cli.build();
        let mut found = &cli;
        for name in &self.command {
            found = found.find_subcommand(name).ok_or_else(|| {
                let known: Vec<&str> = found.get_subcommands().map(Command::get_name).collect();
                let failure = Failure::new(NoCommand { name: name.clone() });
                if known.is_empty() {
                    failure
                } else {
                    failure.hint(format!("there are {}", known.join(", ")))
                }
            })?;
        }
        let full = found.get_bin_name().unwrap_or("edgeprof").replace(' ', "-");
        Ok((found.clone(), full))
    }
}

/// A word that names no command.
#[derive(Debug, thiserror::Error)]
#[error("there is no command `{name}`")]
struct NoCommand {
    name: String,
}
