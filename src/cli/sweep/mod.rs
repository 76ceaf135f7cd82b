//! `sweep`: every combination of many values.

mod estimate;
mod output;
mod progress;
mod question;
mod select;
mod shown;

use super::failure::Failure;
use super::sink;
use clap::Args;
use edgeprof::output::number;
use edgeprof::sweep::{Rows, Run, Shard, Skipped, Space, SpaceError};
use output::OutputArgs;
use question::AxesArgs;
use select::SelectArgs;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::available_parallelism;

/// Predict every combination of models, devices, precisions and workloads: millions of rows, the best of them, or a table of all
#[derive(Debug, Args)]
#[command(after_help = "\
Lists are separated by commas. NUMBERS are whole numbers and ranges: `128..8192*2` doubles, `0..4096+512` adds 512. `all` stands for
everything that there is. Combinations that cannot be asked are left out and counted; a value that can be asked nowhere is an error.

Rows are in the order of the axes, models outermost and depths innermost, whatever the number of threads. The parts of --shard are
disjoint and one after the other the whole; --pareto, --sort and --top look at one part alone.

Examples:
  edgeprof sweep --model llama-3.2-1b,gemma-3-1b --hw pi5,orin-nano-super --prec q4_0,q8_0 --depth 0..4096+1024
  edgeprof sweep --model all --hw pi5 --prec all --where 'fits && decode_tokens_per_s > 5.3' --sort -parameters --top 10
  edgeprof sweep --model all --hw all --prec q4_0 --pareto decode_tokens_per_s,decode_energy_j_per_token
  edgeprof sweep --model all --hw all --backend all --prec all --prompt 128..8192*2 -o sweep.parquet
  edgeprof sweep --model all --hw all --backend all --prec all --prompt 1..4096+1 -o sweep/
  edgeprof sweep --model all --hw all --backend all --prec all --threads all --shard 3/8 -o part-3.parquet
  edgeprof sweep --model all --hw all --prec all --prompt 1..4096+1 --dry-run")]
pub struct Sweep {
    #[command(flatten)]
    axes: AxesArgs,
    #[command(flatten)]
    select: SelectArgs,
    #[command(flatten)]
    output: OutputArgs,
    /// The k-th of n parts of the rows, for as many machines: `3/8`
    #[arg(long, value_name = "K/N", help_heading = "Run")]
    shard: Option<Shard>,
    /// Threads that predict [default: one a core]
    #[arg(short, long, value_name = "N", help_heading = "Run")]
    jobs: Option<NonZeroUsize>,
    /// Say how many rows there are and about how long they take, and write none
    #[arg(long, help_heading = "Run")]
    dry_run: bool,
}

/// Raised by Ctrl-C.
static STOP: AtomicBool = AtomicBool::new(false);

/// A sweep that was ended before its end.
#[derive(Debug, thiserror::Error)]
#[error(
    "interrupted after {} of {} rows{}",
    number::count(*.done as f64),
    number::count(*.rows as f64),
    .file.as_ref().map_or_else(String::new, |file| format!("; {file} is complete up to there"))
)]
struct Interrupted {
    done: u64,
    rows: u64,
    file: Option<String>,
}

impl Sweep {
    /// Predicts and writes.
    pub fn run(&self) -> Result<(), Failure> {
        let columns = self.output.columns()?;
        let asked = self.axes.asked()?;
        let catalog = self.axes.catalog.open()?;
        let space = Space::new(&catalog, &asked).map_err(|error| match error {
            SpaceError::Catalog(error) => error.into(),
            error => Failure::new(error),
        })?;
        tell(space.skipped());
        let rows = match self.shard {
            Some(shard) => shard.rows(space.rows()),
            None => 0..space.rows(),
        };
        let run = Run {
            rows: Rows::Range(rows),
            jobs: self.jobs.or(available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN),
            stop: &STOP,
            intervals: self.select.intervals(),
        };
        if self.dry_run {
            return sink::write(&estimate::text(&space, &run, &self.select)?, None);
        }
        // Without a handler an interrupt ends the process at once, and nothing is left of a file under way.
        let _ = ctrlc::set_handler(|| STOP.store(true, Ordering::Relaxed));
        let selected = self.select.select(&space, &run)?;
        let chosen = Run {
            rows: selected
                .picked
                .as_deref()
                .map_or_else(|| run.rows.clone(), Rows::Picked),
            ..run.clone()
        };
        let keep = selected.picked.is_none() && self.select.leaves_out();
        let done = self.output.write(
            &space,
            &chosen,
            &columns,
            keep.then_some(&self.select),
            self.select.columns(),
        )?;
        let refused = selected.refused + done.refused;
        if refused > 0 {
            sink::note(&format!(
                "{} rows left out whose context does not hold depth, prompt and generated tokens",
                number::count(refused as f64)
            ));
        }
        let (done, rows) = match selected.interrupted {
            Some(looked_at) => (looked_at, run.rows.len()),
            None => (done.end, chosen.rows.len()),
        };
        if done < rows {
            return Err(Failure::new(Interrupted {
                done,
                rows,
                file: self.output.file().map(|file| file.display().to_string()),
            }));
        }
        Ok(())
    }
}

/// Says what was left out, and why.
fn tell(skipped: &[Skipped]) {
    if skipped.is_empty() {
        return;
    }
    let reasons: Vec<String> = skipped.iter().map(|skipped| format!("\n  {skipped}")).collect();
    sink::note(&format!(
        "combinations left out that cannot be asked{}",
        reasons.concat()
    ));
}
