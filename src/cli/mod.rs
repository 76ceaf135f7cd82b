//! The command line: one file a command, each from its arguments to its text.
//!
//! Architecture Invariant: only this folder knows clap, prints, or speaks of flags. What could be piped goes to stdout and everything
//! else to stderr; a failure is a [`Failure`] and is printed in one place.

mod arguments;
mod calibrate;
mod calibration;
mod compare;
mod export;
mod facts;
mod failure;
mod format;
mod generate;
mod list;
#[cfg(feature = "figures")]
mod plot;
#[cfg(not(feature = "figures"))]
#[path = "plot_missing.rs"]
mod plot;
mod predict;
mod recommend;
mod report;
mod reproduce;
mod run;
mod show;
mod sink;
mod sweep;
mod tune;
mod validate;

use clap::{Parser, Subcommand};
use failure::Failure;

/// Will this model run on that board, how fast, with how much memory, for how many joules?
#[derive(Debug, Parser)]
#[command(
    name = "edgeprof",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Examples:
  edgeprof predict --model tinyllama --hw pi5 --prec int4
  edgeprof predict --model llama-3.2-1b,gemma-3-1b --hw pi5,orin-nano-super --prec q4_0,q8_0
  edgeprof list hardware

Exit codes: 0 done (also when a model does not fit), 1 an error, 2 wrong usage.")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Predict(Box<predict::Predict>),
    Compare(Box<compare::Compare>),
    Tune(Box<tune::Tune>),
    Recommend(Box<recommend::Recommend>),
    Calibrate(Box<calibrate::Calibrate>),
    Calibration(calibration::Calibration),
    List(list::List),
    Show(show::Show),
    Report(Box<report::Report>),
    Run(run::Run),
    Export(export::Export),
    Plot(Box<plot::Plot>),
    Reproduce(reproduce::Reproduce),
    Sweep(Box<sweep::Sweep>),
    Validate(validate::Validate),
    Completions(generate::Completions),
    Man(generate::Man),
}

/// Runs the command that the process was started with.
pub fn run() -> Result<(), Failure> {
    Cli::parse().command.run()
}

impl Command {
    /// Runs the command.
    fn run(&self) -> Result<(), Failure> {
        match self {
            Self::Predict(predict) => predict.run(),
            Self::Compare(compare) => compare.run(),
            Self::Tune(tune) => tune.run(),
            Self::Recommend(recommend) => recommend.run(),
            Self::Calibrate(calibrate) => calibrate.run(),
            Self::Calibration(calibration) => calibration.run(),
            Self::List(list) => list.run(),
            Self::Show(show) => show.run(),
            Self::Report(report) => report.run(),
            Self::Run(run) => run.run(),
            Self::Export(export) => export.run(),
            Self::Plot(plot) => plot.run(),
            Self::Reproduce(reproduce) => reproduce.run(),
            Self::Sweep(sweep) => sweep.run(),
            Self::Validate(validate) => validate.run(),
            Self::Completions(completions) => completions.run(),
            Self::Man(man) => man.run(),
        }
    }
}

/// The program with these arguments, as a shell reads them.
fn command_line(arguments: impl Iterator<Item = String>) -> String {
    let plain = |c: char| c.is_alphanumeric() || "-_./,:=@%+".contains(c);
    let quoted = arguments.map(|argument| {
        if !argument.is_empty() && argument.chars().all(plain) {
            argument
        } else {
            format!("'{}'", argument.replace('\'', "'\\''"))
        }
    });
    std::iter::once("edgeprof".to_owned())
        .chain(quoted)
        .collect::<Vec<_>>()
        .join(" ")
}

#[cfg(test)]
mod tests {
    use super::Cli;
    use clap::CommandFactory;

    #[test]
    fn the_arguments_are_consistent() {
        Cli::command().debug_assert();
    }
}
