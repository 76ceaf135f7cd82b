//! Measuring, with its progress on a terminal and an end on Ctrl-C.

use super::machine::Target;
use super::{Calibrate, Failure};
use edgeprof::calibrate::collect::{self, CollectOptions, Collected, Event};
use edgeprof::calibrate::measure::Stop;
use edgeprof::calibrate::plan::{Plan, PlanOptions};
use edgeprof::calibrate::probe::Probes;
use edgeprof::model::gguf;
use std::io::{IsTerminal, Write};

/// Raised by Ctrl-C.
static STOP: Stop = Stop::new();

/// Measures the target.
pub fn measure(asked: &Calibrate, target: &Target) -> Result<Collected, Failure> {
    let options = options(asked, target)?;
    // Without a handler an interrupt ends the process at once, and what is left lying is removed by the next run.
    let _ = ctrlc::set_handler(|| STOP.raise());
    let mut progress = Progress::new();
    let collected = collect::collect(&options, &STOP, &mut |event| progress.show(event));
    progress.clear();
    collected.map_err(|error| {
        let interrupted = STOP.raised();
        let failure = Failure::new(error);
        if interrupted {
            failure.hint("the same command goes on where this one ended")
        } else {
            failure
        }
    })
}

/// Probes memory and storage.
pub fn probe(asked: &Calibrate, target: &Target) -> Result<Probes, Failure> {
    collect::probe_machine(&options(asked, target)?).map_err(Failure::new)
}

/// What would measure, or why nothing can.
pub fn build(asked: &Calibrate, target: &Target) -> Result<Result<String, String>, Failure> {
    Ok(collect::build(&options(asked, target)?).map_err(|error| error.to_string()))
}

/// What would be measured.
pub fn plan(asked: &Calibrate, target: &Target, probes: &Probes) -> Result<Plan, Failure> {
    Ok(collect::plan(&options(asked, target)?, probes))
}

fn options(asked: &Calibrate, target: &Target) -> Result<CollectOptions, Failure> {
    let own = match &asked.model {
        Some(path) => Some((path.clone(), gguf::read(path).map_err(Failure::new)?)),
        None => None,
    };
    Ok(CollectOptions {
        plan: PlanOptions {
            threads: asked.threads,
            budget_s: asked.budget.as_secs_f64(),
            full: asked.full,
            own,
            ..PlanOptions::default()
        },
        llama_bench: asked.llama_bench.clone(),
        power: asked.power.clone(),
        power_log: asked.power_log.clone(),
        ..CollectOptions::new(target.device.clone(), target.backend)
    })
}

/// One line on stderr that says what is being measured, where that is a terminal.
struct Progress {
    terminal: bool,
    done: usize,
    tests: usize,
}

impl Progress {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            done: 0,
            tests: 0,
        }
    }

    fn show(&mut self, event: &Event<'_>) {
        let what = match event {
            Event::Idling => "idle power".to_owned(),
            Event::Probing => "memory and storage".to_owned(),
            Event::Probed(_) => return,
            Event::Planned(plan, done) => {
                (self.done, self.tests) = (*done, plan.tests().count());
                return;
            }
            Event::Preparing(probe) => format!("{} {}", probe.precision(), probe.purpose),
            Event::Finished(probe, timing) => {
                self.done += 1;
                format!(
                    "{} {}: {:.2} tokens/s",
                    probe.precision(),
                    timing.test,
                    timing.tokens_per_s()
                )
            }
            Event::Skipped(_, tests) => {
                self.tests = self.tests.saturating_sub(*tests);
                return;
            }
        };
        self.line(&format!(
            "measuring {}  {what}",
            bar(self.done, self.tests.max(self.done))
        ));
    }

    fn clear(&self) {
        self.line("");
    }

    /// Replaces the line; progress that cannot be shown is no failure.
    fn line(&self, text: &str) {
        if self.terminal {
            let mut stderr = std::io::stderr();
            let _ = write!(stderr, "\r\x1b[2K{text}").and_then(|()| stderr.flush());
        }
    }
}

/// `[####------] 4/10`.
fn bar(done: usize, tests: usize) -> String {
    const WIDTH: usize = 20;
    let filled = (done * WIDTH).checked_div(tests).unwrap_or(0).min(WIDTH);
    format!("[{}{}] {done}/{tests}", "#".repeat(filled), "-".repeat(WIDTH - filled))
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn the_bar_fills() {
        assert_eq!(bar(0, 0), "[--------------------] 0/0");
        assert_eq!(bar(5, 10), "[##########----------] 5/10");
        assert_eq!(bar(10, 10), "[####################] 10/10");
    }
}
