//! From arguments to a figure: the predictions that it shows.

use super::{Name, Plot};
use crate::cli::Cli;
use crate::cli::failure::Failure;
use crate::cli::predict::question::{self, Answer, QuestionArgs};
use clap::CommandFactory;
use clap::error::ErrorKind;
use edgeprof::device::{BackendKind, Device, PowerMode};
use edgeprof::figure::curve::{self, Varied};
use edgeprof::figure::latency::{self, Breakdown};
use edgeprof::figure::metric::Metric;
use edgeprof::figure::roofline::{self, Standing};
use edgeprof::figure::{Figure, FigureError, paper, parity, power, sensitivity, trade_off};
use edgeprof::model::Model;
use edgeprof::output::Record;
use edgeprof::perf::Prediction;
use edgeprof::perf::sensitivity::sensitivity as swings;
use edgeprof::scenario::{Scenario, Workload};

/// A figure that needs what the paper's formulas do not give.
#[derive(Debug, thiserror::Error)]
#[error("the paper's formulas give no {what}; leave out --formulas edgeprofiler")]
struct NotInThePaper {
    what: &'static str,
}

/// One prediction that is asked for where there are several.
#[derive(Debug, thiserror::Error)]
#[error(
    "the sensitivity is of one prediction; {count} were asked for, so name one model, device, backend and precision"
)]
struct NotOne {
    count: usize,
}

impl Plot {
    /// The figure of this name.
    pub(super) fn figure(&self, name: Name) -> Result<Figure, Failure> {
        if name == Name::Parity {
            let pairs = super::pairs::read(&self.files, &self.question)?;
            return drawn(parity::figure(&pairs, self.phase.map(Into::into)));
        }
        self.need_names();
        match name {
            Name::Memory => self.bars("memory_bytes"),
            Name::StorageIo => self.bars("io_s"),
            Name::HostToDevice => self.bars("h2d_s"),
            Name::Network => self.bars("network_s"),
            Name::EndToEnd => self.bars("end_to_end_s"),
            Name::Energy => self.bars("energy_j_per_token"),
            Name::Latency => drawn(latency::request(&self.breakdowns(Breakdown::of_request)?)),
            Name::Token => {
                self.need_exact("terms of a token")?;
                drawn(latency::token(&self.breakdowns(Breakdown::of_token)?))
            }
            Name::Roofline => {
                self.need_exact("phases")?;
                let mut standings = Vec::new();
                question::each(&self.question, |answer| {
                    if let Answer::Exact(exact) = answer {
                        standings.push(Standing::new(answer.record(), &exact.scenario, &exact.prediction));
                    }
                })?;
                drawn(roofline::figure(&standings))
            }
            Name::TradeOff => {
                let [x, y] = [
                    metric(self.x.as_deref().unwrap_or("memory_bytes"))?,
                    self.upright("decode_tokens_per_s")?,
                ];
                drawn(trade_off::figure(x, y, &self.records()?))
            }
            Name::Depth => self.curve(Varied::Depth, "decode_tokens_per_s"),
            Name::Prompt => self.curve(Varied::Prompt, "prefill_tokens_per_s"),
            Name::Threads => self.curve(Varied::Threads, "decode_tokens_per_s"),
            Name::Context => self.curve(Varied::Context, "memory_bytes"),
            Name::PowerModes => {
                let metric = self.upright("decode_tokens_per_s")?;
                drawn(power::figure(metric, &self.in_every_mode()?))
            }
            Name::Sensitivity => self.sensitivity(),
            Name::BreakEven => self.break_even(),
            Name::Parity => Err(Failure::new(FigureError::Empty)),
        }
    }

    fn bars(&self, key: &str) -> Result<Figure, Failure> {
        drawn(paper::figure(metric(key)?, &self.records()?))
    }

    /// What the upright axis shows.
    fn upright(&self, default: &str) -> Result<&'static Metric, Failure> {
        metric(self.y.as_deref().unwrap_or(default))
    }

    fn need_names(&self) {
        for (missing, flag) in [
            (self.question.model.is_empty(), "--model <NAME>"),
            (self.question.hardware.is_empty(), "--hw <NAME>"),
        ] {
            if missing {
                let message = format!("this figure needs {flag}");
                Cli::command().error(ErrorKind::MissingRequiredArgument, message).exit();
            }
        }
    }

    pub(super) fn need_exact(&self, what: &'static str) -> Result<(), Failure> {
        match self.question.formulas {
            crate::cli::arguments::FormulaSet::Exact => Ok(()),
            crate::cli::arguments::FormulaSet::Edgeprofiler => Err(Failure::new(NotInThePaper { what })),
        }
    }

    /// The predictions of every combination that was asked for.
    fn records(&self) -> Result<Vec<Record>, Failure> {
        let mut records = Vec::new();
        question::each(&self.question, |answer| records.push(answer.record()))?;
        Ok(records)
    }

    fn breakdowns(
        &self,
        of: for<'a> fn(Record, &Scenario<'a>, &Prediction<'a>) -> Breakdown,
    ) -> Result<Vec<Breakdown>, Failure> {
        let mut breakdowns = Vec::new();
        question::each(&self.question, |answer| {
            breakdowns.push(match answer {
                Answer::Exact(exact) => of(answer.record(), &exact.scenario, &exact.prediction),
                Answer::Paper(_) => Breakdown::of_paper(answer.record()),
            });
        })?;
        Ok(breakdowns)
    }

    /// One model and device at a time, each with what `values` lets vary.
    fn curve(&self, varied: Varied, default: &str) -> Result<Figure, Failure> {
        let metric = self.upright(default)?;
        let catalog = self.question.catalog.open()?;
        let work = self.question.workload.workload()?;
        let mut records = Vec::new();
        for (name, hardware) in self.pairs() {
            let (model, device) = (catalog.model(name.trim())?, catalog.device(hardware.trim())?);
            let one = QuestionArgs {
                model: vec![name.to_owned()],
                hardware: vec![hardware.to_owned()],
                ..self.question.clone()
            };
            let values = if self.over.is_empty() {
                self.span(varied, &model, &device, &work)
            } else {
                self.over.clone()
            };
            for value in values {
                let work = changed(work, varied, value);
                question::each_of(&one, &catalog, work, |answer| records.push(answer.record()))?;
            }
        }
        drawn(curve::figure(varied, metric, &records))
    }

    fn pairs(&self) -> impl Iterator<Item = (&str, &str)> {
        let question = &self.question;
        question.model.iter().flat_map(|model| {
            question
                .hardware
                .iter()
                .map(move |hardware| (model.as_str(), hardware.as_str()))
        })
    }

    /// What is gone through where nothing was named: up to what the model was trained for, or the device's cores.
    fn span(&self, varied: Varied, model: &Model, device: &Device, work: &Workload) -> Vec<u64> {
        /// Beyond these nothing new is to be seen in a column's width.
        const DEEPEST: u64 = 8192;
        const LONGEST_PROMPT: u64 = 4096;
        const LARGEST_CONTEXT: u64 = 131_072;
        const STEPS: u64 = 8;
        let trained = model.context_length.unwrap_or(DEEPEST).max(STEPS);
        let doublings = |from: u64, to: u64| -> Vec<u64> {
            let powers = std::iter::successors(Some(from), |last| last.checked_mul(2));
            powers.take_while(|&value| value <= to).collect()
        };
        match varied {
            Varied::Depth => {
                let deepest = trained.saturating_sub(work.generate).min(DEEPEST);
                (0..=STEPS).map(|step| deepest * step / STEPS).collect()
            }
            Varied::Prompt => doublings(16, trained.min(LONGEST_PROMPT)),
            Varied::Context => {
                let least = work.depth + work.prompt + work.generate;
                let all = doublings(least.next_power_of_two(), trained.min(LARGEST_CONTEXT));
                if all.is_empty() { vec![least] } else { all }
            }
            Varied::Threads => {
                let cores = device
                    .backends
                    .get(&BackendKind::Cpu)
                    .map_or(1, |backend| backend.cores.value);
                let mut threads = doublings(1, cores);
                if cores <= 8 {
                    threads = (1..=cores).collect();
                } else if threads.last() != Some(&cores) {
                    threads.push(cores);
                }
                threads
            }
        }
    }

    fn in_every_mode(&self) -> Result<Vec<Record>, Failure> {
        let catalog = self.question.catalog.open()?;
        let work = self.question.workload.workload()?;
        let mut records = Vec::new();
        for hardware in &self.question.hardware {
            let device = catalog.device(hardware.trim())?;
            // By what they may draw; those without a budget come last.
            let mut named: Vec<_> = device.power_modes.iter().collect();
            named.sort_by(|(_, a), (_, b)| {
                let budget = |mode: &PowerMode| mode.budget.as_ref().map_or(f64::INFINITY, |budget| budget.value.0);
                budget(a).total_cmp(&budget(b))
            });
            let mut power_mode = self.question.power_mode.clone();
            if power_mode.is_empty() {
                power_mode = named.into_iter().map(|(name, _)| name.clone()).collect();
            }
            let one = QuestionArgs {
                hardware: vec![hardware.clone()],
                power_mode,
                ..self.question.clone()
            };
            question::each_of(&one, &catalog, work, |answer| records.push(answer.record()))?;
        }
        Ok(records)
    }

    fn sensitivity(&self) -> Result<Figure, Failure> {
        self.need_exact("sensitivity")?;
        let metric = self.upright("decode_tokens_per_s")?;
        let mut found = Vec::new();
        question::each(&self.question, |answer| {
            if let Answer::Exact(exact) = answer {
                let host = exact.prediction.host;
                let calibration = exact.prediction.basis.calibration;
                let figure = |scenario: &Scenario<'_>, prediction: &Prediction<'_>| {
                    let record = Record::exact(exact.model, scenario, prediction, Vec::new());
                    metric.of(&record).map(|estimate| estimate.value)
                };
                found.push((answer.record(), swings(&exact.scenario, calibration, host, figure)));
            }
        })?;
        let [(record, swings)] = &found[..] else {
            return Err(Failure::new(NotOne { count: found.len() }));
        };
        match swings {
            Some(swings) => drawn(sensitivity::figure(metric, record, swings)),
            None => Err(Failure::new(metric.missing(record))),
        }
    }
}

/// The work with one of its numbers replaced. A depth is where decoding begins, as llama-bench's `tg @ d` has it, and a prompt is read
/// without decoding, as its `pp`.
fn changed(work: Workload, varied: Varied, value: u64) -> Workload {
    match varied {
        Varied::Depth => Workload {
            depth: value,
            prompt: 0,
            context: None,
            ..work
        },
        Varied::Prompt => Workload {
            prompt: value,
            generate: 0,
            context: None,
            ..work
        },
        Varied::Context => Workload {
            context: Some(value),
            ..work
        },
        Varied::Threads => Workload {
            threads: Some(value),
            ..work
        },
    }
}

/// The metric of a key that the program itself names.
fn metric(key: &str) -> Result<&'static Metric, Failure> {
    Metric::of_key(key).ok_or_else(|| Failure::new(format!("there is no figure `{key}` of a prediction")))
}

pub(super) fn drawn(figure: Result<Figure, FigureError>) -> Result<Figure, Failure> {
    figure.map_err(Failure::new)
}
