//! From the numbers of rows to their predictions.

use super::run::Intervals;
use super::space::{Group, Lane, Lot, Space};
use crate::device::{BackendKind, Device};
use crate::economy::{self, Economy, Terms};
use crate::model::Model;
use crate::output::Record;
use crate::perf::memory::Memo;
use crate::perf::sums::ModelSums;
use crate::perf::{Parts, Prediction, Trust, Uncertain};
use crate::quant::{NotStored, Precision};
use crate::scenario::{Scenario, ScenarioError, Workload};
use std::cell::OnceCell;
use std::ops::{ControlFlow, Range};
use std::sync::Arc;

/// Why a row has no prediction although it was laid out.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum WalkError {
    /// The model has no stored precision.
    #[error(transparent)]
    NotStored(#[from] NotStored),
    /// It cannot be asked.
    #[error(transparent)]
    Scenario(#[from] ScenarioError),
}

/// Some rows of a space.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rows<'a> {
    /// Neighbours.
    Range(Range<u64>),
    /// These, in this order.
    Picked(&'a [u64]),
}

impl Rows<'_> {
    /// How many.
    #[must_use]
    pub fn len(&self) -> u64 {
        match self {
            Self::Range(rows) => rows.end.saturating_sub(rows.start),
            Self::Picked(rows) => rows.len() as u64,
        }
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Those from the `part.start`-th on to before the `part.end`-th.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)] // no more than the length of the slice
    pub fn part(&self, part: Range<u64>) -> Self {
        let part = part.start.min(self.len())..part.end.min(self.len());
        match self {
            Self::Range(rows) => Self::Range(rows.start + part.start..rows.start + part.end),
            Self::Picked(rows) => Self::Picked(&rows[part.start as usize..part.end as usize]),
        }
    }
}

/// A row with its prediction.
#[derive(Debug)]
pub struct Row<'r, 'a> {
    /// Its number.
    pub number: u64,
    /// The model.
    pub model: &'r Model,
    /// What is asked.
    pub scenario: &'r Scenario<'a>,
    /// The answer.
    pub prediction: &'r Prediction<'a>,
    /// What energy is worth on its device.
    pub terms: &'r Terms,
    parts: &'r Parts<'a>,
    trust: &'r OnceCell<Trust<'a>>,
    /// Which stretch of the walk it is in, all rows of which differ in their work alone.
    stretch: u64,
}

impl Row<'_, '_> {
    /// The figures of the answer that have an interval.
    #[must_use]
    pub fn uncertain(&self) -> Uncertain {
        let trust = self.trust.get_or_init(|| self.parts.trust(self.scenario));
        trust.uncertain(self.scenario, self.prediction)
    }
}

/// Goes through rows and predicts them. What neighbouring rows have in common (the sums of a model in a precision, footprints, the
/// names of a record) is worked out once.
#[derive(Debug)]
pub struct Walk<'s> {
    space: &'s Space,
    sums: Option<(usize, Precision, Arc<ModelSums>)>,
    memo: Memo,
    /// Group, precision, device and backend of what the memo remembers.
    remembered: Option<(usize, Precision, &'s Device, BackendKind)>,
    stretches: u64,
    refused: u64,
    intervals: Intervals,
}

impl<'s> Walk<'s> {
    /// A walk that has not begun, all of whose records have intervals.
    #[must_use]
    pub fn new(space: &'s Space) -> Self {
        Self::with(space, Intervals::All)
    }

    /// A walk that has not begun.
    #[must_use]
    pub fn with(space: &'s Space, intervals: Intervals) -> Self {
        Self {
            space,
            sums: None,
            memo: Memo::default(),
            remembered: None,
            stretches: 0,
            refused: 0,
            intervals,
        }
    }

    /// How many of the rows seen were left out because their context does not hold their work.
    #[must_use]
    pub const fn refused(&self) -> u64 {
        self.refused
    }

    /// Shows the record of each of these rows in order, until told to stop.
    ///
    /// # Errors
    /// [`WalkError`], if something was laid out that cannot be asked.
    pub fn each(&mut self, rows: &Rows<'_>, see: impl FnMut(u64, &Record) -> ControlFlow<()>) -> Result<(), WalkError> {
        self.kept(rows, |_| true, see)
    }

    /// The same of the rows alone that `keep` keeps.
    ///
    /// # Errors
    /// As [`Walk::each`].
    pub fn kept(
        &mut self,
        rows: &Rows<'_>,
        keep: impl Fn(&Record) -> bool,
        mut see: impl FnMut(u64, &Record) -> ControlFlow<()>,
    ) -> Result<(), WalkError> {
        let intervals = self.intervals;
        let mut last: Option<(u64, Record)> = None;
        self.predictions(rows, |row| {
            let Row {
                model,
                scenario,
                prediction,
                ..
            } = *row;
            let economy = Economy::of(&economy::Work::of(&scenario.workload, prediction), row.terms);
            let record = match &mut last {
                Some((stretch, record)) if *stretch == row.stretch => {
                    let uncertain = match intervals {
                        Intervals::All => row.uncertain(),
                        Intervals::Kept | Intervals::None => Uncertain::default(),
                    };
                    record.renew(scenario, prediction, uncertain, economy);
                    record
                }
                last => {
                    let record = Record {
                        economy,
                        ..Record::exact(model, scenario, prediction, Vec::new())
                    };
                    &mut last.insert((row.stretch, record)).1
                }
            };
            if !keep(record) {
                return ControlFlow::Continue(());
            }
            if intervals == Intervals::Kept {
                record.uncertain = row.uncertain();
            }
            see(row.number, record)
        })
    }

    /// Shows the prediction of each of these rows in order, until told to stop: what a record is made of, in less than half the time.
    ///
    /// # Errors
    /// [`WalkError`], if something was laid out that cannot be asked.
    pub fn predictions(
        &mut self,
        rows: &Rows<'_>,
        mut see: impl FnMut(&Row<'_, '_>) -> ControlFlow<()>,
    ) -> Result<(), WalkError> {
        match rows {
            Rows::Range(rows) => self.range(rows.clone(), &mut see).map(|_| ()),
            Rows::Picked(rows) => {
                for run in rows.chunk_by(|row, next| row.checked_add(1) == Some(*next)) {
                    if let [first, ..] = run
                        && self.range(*first..*first + run.len() as u64, &mut see)?.is_break()
                    {
                        break;
                    }
                }
                Ok(())
            }
        }
    }

    fn range(
        &mut self,
        rows: Range<u64>,
        see: &mut impl FnMut(&Row<'_, '_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, WalkError> {
        let space = self.space;
        let rows = rows.start..rows.end.min(space.rows());
        let mut at = rows.start;
        while at < rows.end {
            let group_at = space.groups.partition_point(|group| group.end <= at);
            let group = &space.groups[group_at];
            let start = match group_at {
                0 => 0,
                _ => space.groups[group_at - 1].end,
            };
            let per_precision = group.rows_per_precision();
            let (precision_at, within) = ((at - start) / per_precision, (at - start) % per_precision);
            let precision = group.precisions[usize::try_from(precision_at).unwrap_or(usize::MAX)];
            let lot_at = group.lots.partition_point(|lot| lot.end <= within);
            let lot = &group.lots[lot_at];
            let lot_start = match lot_at {
                0 => 0,
                _ => group.lots[lot_at - 1].end,
            };
            let left = (lot.end - within).min(rows.end - at);
            let first = within - lot_start;
            let stretch = Stretch {
                group_at,
                group,
                precision,
                lot,
                first,
                number: at,
                left,
            };
            if self.stretch(&stretch, see)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            at += left;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn sums(&mut self, group_at: usize, group: &Group, precision: Precision) -> Result<Arc<ModelSums>, NotStored> {
        match &self.sums {
            Some((at, of, sums)) if (*at, *of) == (group_at, precision) => Ok(Arc::clone(sums)),
            _ => {
                let sums = Arc::new(ModelSums::of(&group.model, precision)?);
                self.sums = Some((group_at, precision, Arc::clone(&sums)));
                Ok(sums)
            }
        }
    }

    fn stretch(
        &mut self,
        stretch: &Stretch<'_>,
        see: &mut impl FnMut(&Row<'_, '_>) -> ControlFlow<()>,
    ) -> Result<ControlFlow<()>, WalkError> {
        let &Stretch {
            group_at,
            group,
            precision,
            lot,
            ..
        } = stretch;
        let sums = self.sums(group_at, group, precision)?;
        let Lane { target, terms } = &self.space.lanes[lot.lane];
        // Lanes that differ in power modes share the device.
        let (device, backend) = (target.device(), target.backend());
        let same = self.remembered.is_some_and(|(group, mix, on, kind)| {
            (group, mix, kind) == (group_at, precision, backend) && std::ptr::eq(on, device)
        });
        if !same {
            self.memo.clear();
            self.remembered = Some((group_at, precision, device, backend));
        }
        let mut scenario = target.scenario(&sums, precision, Workload::default())?;
        let (mut parts, mut trust) = (target.parts(&scenario), OnceCell::new());
        self.stretches += 1;
        let mut works = Works::new(self.space, lot, stretch.first);
        for number in stretch.number..stretch.number + stretch.left {
            let work = target.own_threads(works.work());
            works.advance();
            match scenario.set_workload(work, &mut self.memo) {
                Ok(()) => {}
                Err(ScenarioError::ContextTooSmall { .. }) => {
                    self.refused += 1;
                    continue;
                }
                Err(error) => return Err(error.into()),
            }
            if !parts.serve(&work) {
                (parts, trust) = (target.parts(&scenario), OnceCell::new());
            }
            let prediction = parts.predict(&scenario);
            let row = Row {
                number,
                model: &group.model,
                scenario: &scenario,
                prediction: &prediction,
                terms,
                parts: &parts,
                trust: &trust,
                stretch: self.stretches,
            };
            if see(&row).is_break() {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

/// Neighbouring rows of one model in one precision on one target.
struct Stretch<'s> {
    group_at: usize,
    group: &'s Group,
    precision: Precision,
    lot: &'s Lot,
    /// Which row of the lot is the first.
    first: u64,
    /// The number of that row.
    number: u64,
    /// How many rows.
    left: u64,
}

const AXES: usize = 10;

/// The pieces of work of a lot, in order.
struct Works<'s> {
    space: &'s Space,
    lot: &'s Lot,
    lengths: [usize; AXES],
    at: [usize; AXES],
}

impl<'s> Works<'s> {
    /// Those from the row `first` of the lot on.
    #[allow(clippy::cast_possible_truncation)] // an index into an axis
    fn new(space: &'s Space, lot: &'s Lot, first: u64) -> Self {
        let work = &space.work;
        let lengths = [
            lot.caches.len(),
            lot.gpu_layers.len(),
            lot.threads.len(),
            work.batch.len(),
            work.ubatch.len(),
            work.sequences.len(),
            work.context.len(),
            work.prompt.len(),
            work.generate.len(),
            work.depth.len(),
        ];
        let (mut at, mut rest) = ([0; AXES], first);
        for (index, length) in at.iter_mut().zip(lengths).rev() {
            *index = (rest % length as u64) as usize;
            rest /= length as u64;
        }
        Self {
            space,
            lot,
            lengths,
            at,
        }
    }

    fn work(&self) -> Workload {
        let (work, lot) = (&self.space.work, self.lot);
        let [
            caches,
            gpu_layers,
            threads,
            batch,
            ubatch,
            sequences,
            context,
            prompt,
            generate,
            depth,
        ] = self.at;
        let caches = lot.caches[caches];
        Workload {
            prompt: work.prompt[prompt],
            generate: work.generate[generate],
            depth: work.depth[depth],
            context: work.context[context],
            batch: work.batch[batch],
            ubatch: work.ubatch[ubatch],
            sequences: work.sequences[sequences],
            key_type: caches.keys,
            value_type: caches.values,
            threads: lot.threads[threads],
            gpu_layers: lot.gpu_layers[gpu_layers],
            repack: work.repack,
        }
    }

    fn advance(&mut self) {
        for (index, length) in self.at.iter_mut().zip(self.lengths).rev() {
            *index += 1;
            if *index < length {
                return;
            }
            *index = 0;
        }
    }
}
