//! What to measure: a few small models, so chosen that every factor of the law can be told from the others.
//!
//! Decode time is, for every block type, what a byte of it costs, plus attention, plus a cost per operation and per pass; prefill
//! time the same with a cost per multiplication instead. So there is one probe per format, of another width one, one that is nearly
//! all attention, and one that is nearly all fixed cost. The weights of a format are far more than caches hold, for prompts too: what
//! stays in a cache from one pass to the next is multiplied up to twice as fast as a whole model, which many kernels read again for
//! every few tokens.

mod cost;
mod shape;

pub use cost::{PREFILL_RUNS, Rates, WARM_UP_TOKENS};
pub use shape::Shape;

use crate::calibrate::Phase;
use crate::calibrate::measure::Test;
use crate::model::Model;
use crate::output::{Align, Grid, Setting, Sheet, number};
use crate::quant::{BlockType, CacheType, Mix};
use std::path::PathBuf;

/// What bounds a plan.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanOptions {
    /// The formats whose rates are asked for.
    pub mixes: Vec<Mix>,
    /// CPU cores.
    pub cores: u64,
    /// Threads to measure with; none: scanned, for prefill and decode apart.
    pub threads: Option<u64>,
    /// The last-level cache, bytes.
    pub last_level_cache: u64,
    /// Most time, seconds.
    pub budget_s: f64,
    /// Most memory, bytes.
    pub memory: u64,
    /// Most disk space, bytes.
    pub disk: u64,
    /// Measure more: every thread count, deeper contexts, longer prompts, a quantised KV cache.
    pub full: bool,
    /// Layers go to a GPU: `-ngl 99`.
    pub gpu: bool,
    /// A model of the user's, and what is known of it.
    pub own: Option<(PathBuf, Model)>,
    /// What the machine is expected to do.
    pub rates: Rates,
}

/// The formats that are measured when none are asked for.
pub const DEFAULT_MIXES: [Mix; 4] = [Mix::Q4_0, Mix::Q4_K_M, Mix::Q8_0, Mix::F16];

/// Most time of a calibration unless the user says otherwise, seconds.
pub const DEFAULT_BUDGET_S: f64 = 60.0;

/// Most memory of a calibration, bytes.
pub const DEFAULT_MEMORY: u64 = 1_500_000_000;

/// Most disk space of a calibration, bytes.
pub const DEFAULT_DISK: u64 = 3_000_000_000;

impl Default for PlanOptions {
    fn default() -> Self {
        Self {
            mixes: DEFAULT_MIXES.to_vec(),
            cores: 4,
            threads: None,
            last_level_cache: 2 << 20,
            budget_s: DEFAULT_BUDGET_S,
            memory: DEFAULT_MEMORY,
            disk: DEFAULT_DISK,
            full: false,
            gpu: false,
            own: None,
            rates: Rates::default(),
        }
    }
}

/// What a probe is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// The cost of reading and multiplying a format's weights, one token or many at a time.
    Weights,
    /// Another width: bytes told apart from layers.
    Width,
    /// Attention over a context.
    Attention,
    /// The cost per operation and per pass.
    Operations,
    /// The user's own model.
    Own,
}

impl std::fmt::Display for Purpose {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Weights => "weights",
            Self::Width => "another width",
            Self::Attention => "attention",
            Self::Operations => "fixed costs",
            Self::Own => "your model",
        })
    }
}

/// Where a probe's file comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Written for the purpose, with random weights in this mix, and removed afterwards.
    Synthetic(Mix),
    /// The user's, and left alone.
    File(PathBuf),
}

/// One model file and what is measured on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Probe {
    /// What it is for.
    pub purpose: Purpose,
    /// The model.
    pub model: Model,
    /// Its file.
    pub source: Source,
    /// The block type of every tensor.
    pub types: Vec<BlockType>,
    /// Sum of the tensors' bytes.
    pub weight_bytes: u64,
    /// The tests, in the order in which they are run.
    pub tests: Vec<Test>,
    /// Those of the tests without which a factor would be unknown.
    pub needed: Vec<Test>,
    /// Type of the KV cache.
    pub cache_type: CacheType,
}

impl Probe {
    fn synthetic(purpose: Purpose, shape: Shape, mix: Mix, tests: Vec<Test>) -> Option<Self> {
        let model = shape.model().ok()?;
        let types = mix.block_types(&model);
        Some(Self {
            purpose,
            weight_bytes: weight_bytes(&model, &types)?,
            model,
            source: Source::Synthetic(mix),
            types,
            tests,
            needed: Vec::new(),
            cache_type: CacheType::F16,
        })
    }

    fn own(path: PathBuf, model: Model, tests: Vec<Test>) -> Option<Self> {
        let types: Vec<_> = model
            .tensors
            .iter()
            .map(|tensor| tensor.stored.unwrap_or(BlockType::F32))
            .collect();
        Some(Self {
            purpose: Purpose::Own,
            weight_bytes: weight_bytes(&model, &types)?,
            model,
            source: Source::File(path),
            types,
            tests,
            needed: Vec::new(),
            cache_type: CacheType::F16,
        })
    }

    /// The precision as a measurement names it: the mix, or for a file of the user's the type that most of its weights have.
    #[must_use]
    pub fn precision(&self) -> String {
        match &self.source {
            Source::Synthetic(mix) => mix.name().to_owned(),
            Source::File(_) => {
                let mut weights = std::collections::BTreeMap::new();
                for (tensor, block_type) in self.model.tensors.iter().zip(&self.types) {
                    *weights.entry(*block_type).or_insert(0u64) += tensor.elements();
                }
                weights
                    .into_iter()
                    .max_by_key(|(_, weights)| *weights)
                    .map_or_else(String::new, |(block_type, _)| block_type.name().to_lowercase())
            }
        }
    }

    /// What tells it from the plan's others: model, precision, and the cache's type if it is not f16. A name that a file can have.
    #[must_use]
    pub fn key(&self) -> String {
        let purpose = if self.purpose == Purpose::Own { "own-" } else { "" };
        let cache = match self.cache_type {
            CacheType::F16 => String::new(),
            other => format!("-kv-{other}"),
        };
        format!("{purpose}{}-{}{cache}", self.model.id, self.precision())
    }

    /// Longest context of its tests, tokens.
    #[must_use]
    pub fn context(&self) -> u64 {
        self.tests
            .iter()
            .map(|test| test.depth + test.tokens)
            .max()
            .unwrap_or(0)
    }

    /// Memory that measuring it takes: the file's pages, what is repacked, the KV cache and the compute buffer.
    #[must_use]
    pub fn memory(&self) -> u64 {
        let cache: u64 = self
            .model
            .mixers
            .iter()
            .map(|mixer| match mixer {
                crate::model::Mixer::Attention(attention) => {
                    2 * (attention.key_length + attention.value_length) * attention.kv_heads * self.context()
                }
                crate::model::Mixer::Recurrent(_) => 0,
            })
            .sum();
        let compute = 512 * 4 * (self.model.vocabulary_size + 4 * self.model.feed_forward_size);
        2 * self.weight_bytes + cache + compute + (32 << 20)
    }
}

fn weight_bytes(model: &Model, types: &[BlockType]) -> Option<u64> {
    let mut bytes = 0u64;
    for (tensor, block_type) in model.tensors.iter().zip(types) {
        bytes = bytes.checked_add(block_type.tensor_bytes(tensor)?)?;
    }
    Some(bytes)
}

/// What to measure.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The probes.
    pub probes: Vec<Probe>,
    /// What it was made for.
    pub options: PlanOptions,
}

impl Plan {
    /// The plan for a machine: what fits into the options' memory and disk, and of that, by rank, what fits into the time.
    #[must_use]
    pub fn new(options: PlanOptions) -> Self {
        let mut candidates = candidates(&options);
        candidates.retain(|(probe, _)| probe.memory() <= options.memory && probe.disk() <= options.disk);
        // A tenth is for probing the machine and for measuring again what scattered.
        let mut left = 0.9 * options.budget_s;
        let mut chosen: Vec<Vec<bool>> = candidates
            .iter()
            .map(|(probe, _)| vec![false; probe.tests.len()])
            .collect();
        for rank in Rank::ALL {
            for ((probe, ranks), chosen) in candidates.iter().zip(&mut chosen) {
                for at in (0..ranks.len()).filter(|&at| ranks[at] == rank) {
                    let seconds = options.rates.added_seconds(probe, chosen, at);
                    if seconds <= left {
                        left -= seconds;
                        chosen[at] = true;
                    }
                }
            }
        }
        let probes = candidates
            .into_iter()
            .zip(chosen)
            .filter_map(|((mut probe, ranks), chosen)| {
                let indices: Vec<usize> = (0..chosen.len()).filter(|&at| chosen[at]).collect();
                let needed = indices.iter().filter(|&&at| ranks[at] == Rank::Needed);
                probe.needed = needed.map(|&at| probe.tests[at]).collect();
                probe.tests = indices.iter().map(|&at| probe.tests[at]).collect();
                (!probe.tests.is_empty()).then_some(probe)
            });
        Self {
            probes: probes.collect(),
            options,
        }
    }

    /// Time that it is expected to take, seconds.
    #[must_use]
    pub fn expected_s(&self) -> f64 {
        self.probes
            .iter()
            .map(|probe| self.options.rates.probe_seconds(probe))
            // Not `sum`, whose nothing is -0.
            .fold(0.0, |sum, seconds| sum + seconds)
    }

    /// Most disk space at any one time: files are written one after the other.
    #[must_use]
    pub fn disk(&self) -> u64 {
        self.probes.iter().map(Probe::disk).max().unwrap_or(0)
    }

    /// Most memory at any one time.
    #[must_use]
    pub fn memory(&self) -> u64 {
        self.probes.iter().map(Probe::memory).max().unwrap_or(0)
    }

    /// The tests of all probes.
    pub fn tests(&self) -> impl Iterator<Item = (&Probe, &Test)> {
        self.probes
            .iter()
            .flat_map(|probe| probe.tests.iter().map(move |test| (probe, test)))
    }
}

impl Probe {
    /// Disk space that its file takes.
    #[must_use]
    pub const fn disk(&self) -> u64 {
        match self.source {
            Source::Synthetic(_) => self.weight_bytes + (1 << 20),
            Source::File(_) => 0,
        }
    }
}

impl Plan {
    /// What is measured on which model with its expected time, and what all of it takes.
    #[must_use]
    pub fn sheet(&self) -> Sheet {
        let mut grid = Grid::new([
            ("model", Align::Left),
            ("precision", Align::Left),
            ("weights", Align::Right),
            ("for", Align::Left),
            ("test", Align::Left),
            ("expected", Align::Right),
        ]);
        let rates = &self.options.rates;
        for probe in &self.probes {
            let mut about = [
                probe.model.id.clone(),
                probe.precision(),
                number::bytes(probe.weight_bytes as f64),
                probe.purpose.to_string(),
            ];
            for test in &probe.tests {
                let expected = number::seconds(rates.test_seconds(probe, test));
                grid.row(
                    std::mem::take(&mut about)
                        .into_iter()
                        .chain([test.to_string(), expected]),
                );
            }
        }
        let mut sheet = Sheet::default();
        sheet.table("", grid);
        sheet.paragraph(format!(
            "{} models, {} tests, about {:.0} s of {:.0} s; at most {} of disk and {} of memory at a time",
            self.probes.len(),
            self.tests().count(),
            self.expected_s(),
            self.options.budget_s,
            number::bytes(self.disk() as f64),
            number::bytes(self.memory() as f64)
        ));
        sheet
    }
}

impl std::fmt::Display for Plan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.sheet().set(Setting::Text).trim_end())
    }
}

/// Thread counts to scan: powers of two and all cores; the user's own if there is one.
fn thread_counts(options: &PlanOptions) -> Vec<u64> {
    if let Some(threads) = options.threads {
        return vec![threads];
    }
    if options.gpu {
        return vec![options.cores];
    }
    let mut counts: Vec<u64> = (0..16)
        .map(|power| 1 << power)
        .take_while(|count| *count < options.cores)
        .collect();
    if options.full && options.cores > 2 {
        counts.extend([3, options.cores - 1, options.cores * 3 / 4]);
    }
    counts.push(options.cores.max(1));
    counts.sort_unstable();
    counts.dedup();
    counts
}

/// The two thread counts that every format is measured with: one and all; the user's own if there is one.
fn end_counts(options: &PlanOptions) -> Vec<u64> {
    let counts = thread_counts(options);
    let mut ends = vec![counts[0], counts[counts.len() - 1]];
    ends.dedup();
    ends
}

fn tests(phase: Phase, lengths: &[u64], depths: &[u64], threads: &[u64]) -> Vec<Test> {
    let mut tests = Vec::new();
    for &depth in depths {
        for &tokens in lengths {
            for &threads in threads.iter().rev() {
                tests.push(Test {
                    phase,
                    tokens,
                    depth,
                    threads,
                });
            }
        }
    }
    tests
}

/// How much a test is worth: the budget goes to the first rank first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    /// Without it a factor is unknown.
    Needed,
    /// Thread scaling of decode in every format.
    Wanted,
    /// Thread scaling of prefill in every format, and prompts of another width.
    Welcome,
}

impl Rank {
    const ALL: [Self; 3] = [Self::Needed, Self::Wanted, Self::Welcome];
}

/// Every probe worth measuring and the rank of each of its tests.
fn candidates(options: &PlanOptions) -> Vec<(Probe, Vec<Rank>)> {
    let (scan, ends) = (thread_counts(options), end_counts(options));
    let mixes = if options.mixes.is_empty() {
        &DEFAULT_MIXES[..]
    } else {
        &options.mixes
    };
    let decoded = [if options.full { 64 } else { 32 }];
    let layers = |&mix: &Mix| layers_beyond_cache(Shape::narrow(1), mix, options);
    let most_layers = mixes.iter().map(layers).max().unwrap_or(1);
    let (long, short) = options.rates.prompt_lengths(most_layers, options);
    // A cache is cut into blocks of 256 cells. Where threads share these out whether they are filled or not, the last token decoded here
    // fills one, and those just past the end of the first leave some threads with nothing to do.
    let depth = [options.rates.depth(options) - decoded[0]];
    let past_a_block = [256];
    let beyond_cache = |shape: fn(u64) -> Shape, mix| shape(layers_beyond_cache(shape(1), mix, options));
    let all = ends[ends.len() - 1];
    let mut probes = Vec::new();
    // Tests on all cores are needed. Fewer threads scale alike in every format, so that it is enough to scan one.
    let mut add = |probe: Option<Probe>| {
        if let Some(probe) = probe {
            let first = probe.source == Source::Synthetic(mixes[0]);
            let rank = |test: &Test| match probe.purpose {
                Purpose::Width if test.phase == Phase::Prefill => Rank::Welcome,
                _ if test.threads == all => Rank::Needed,
                Purpose::Weights if test.phase == Phase::Prefill && (!first || test.tokens == long) => Rank::Welcome,
                Purpose::Weights if first && test.threads == ends[0] => Rank::Needed,
                _ => Rank::Wanted,
            };
            let ranks = probe.tests.iter().map(rank).collect();
            probes.push((probe, ranks));
        }
    };
    if let Some((path, model)) = &options.own {
        let mut list = tests(Phase::Decode, &decoded, &[0], &ends);
        list.extend(tests(Phase::Prefill, &[short], &[0], &ends));
        add(Probe::own(path.clone(), model.clone(), list));
    }
    let mut list = tests(Phase::Decode, &decoded, &[0], &scan);
    list.extend(tests(Phase::Prefill, &[16], &[0], &ends));
    add(Probe::synthetic(
        Purpose::Operations,
        Shape::operations(32),
        Mix::Q8_0,
        list,
    ));
    let mut list = tests(Phase::Decode, &decoded, &[0], &ends);
    list.extend(tests(Phase::Decode, &decoded, &depth, &ends));
    if !options.gpu && all > 1 {
        list.extend(tests(Phase::Decode, &decoded, &past_a_block, &[all]));
    }
    // Kernels attend otherwise for few tokens. Without depth it would be neither attention nor weights.
    list.extend(tests(Phase::Prefill, &[long], &depth, &ends));
    add(Probe::synthetic(
        Purpose::Attention,
        Shape::attention(8),
        Mix::Q8_0,
        list,
    ));
    for (at, mix) in with_companions(mixes).into_iter().enumerate() {
        let threads = if at == 0 { &scan } else { &ends };
        let mut list = tests(Phase::Decode, &decoded, &[0], threads);
        list.extend(tests(Phase::Prefill, &[long], &[0], &ends));
        if at == 0 {
            list.extend(tests(Phase::Prefill, &[short], &[0], threads));
        }
        add(Probe::synthetic(
            Purpose::Weights,
            beyond_cache(Shape::narrow, mix),
            mix,
            list,
        ));
    }
    let mut list = tests(Phase::Decode, &decoded, &[0], &ends);
    list.extend(tests(Phase::Prefill, &[long], &[0], &[all]));
    add(Probe::synthetic(
        Purpose::Width,
        beyond_cache(Shape::wide, mixes[0]),
        mixes[0],
        list,
    ));
    if options.full {
        let list = tests(Phase::Prefill, &[short], &[0], &ends);
        add(Probe::synthetic(Purpose::Width, Shape::wide(1), mixes[0], list));
        let list = tests(Phase::Decode, &decoded, &depth, &ends);
        let quantised = Probe::synthetic(Purpose::Attention, Shape::attention(8), Mix::Q8_0, list);
        add(quantised.map(|probe| Probe {
            cache_type: CacheType::Q8_0,
            ..probe
        }));
    }
    probes
}

/// The formats asked for, and those beside them that make every block type stand out: half of two kinds of matrices in q4_k_m are
/// q6_K, which only a file that is all q6_K tells apart.
fn with_companions(mixes: &[Mix]) -> Vec<Mix> {
    let mut all = Vec::new();
    let part_q6_k = |mix: &Mix| {
        let base = mix.base_type();
        matches!(
            base,
            BlockType::Q2_K | BlockType::Q3_K | BlockType::Q4_K | BlockType::Q5_K
        )
    };
    let companion = mixes.iter().any(part_q6_k).then_some(Mix::Q6_K);
    for mix in mixes.iter().copied().chain(companion) {
        if !all.contains(&mix) {
            all.push(mix);
        }
    }
    all
}

/// Layers so that the weights are at least twelve times the last-level cache, a size at which little of one pass is left in it for the
/// next, and no more than memory allows. (A prompt in Q8_0 on Zen 5, of one layer of TinyLlama, two, three, six, eleven and 22, that is of
/// 1.4 to 31 times the cache: 4, 9, 11, 13, 13.7 and 14 ps a weight and token.)
fn layers_beyond_cache(shape: Shape, mix: Mix, options: &PlanOptions) -> u64 {
    let least = if options.gpu { 1 << 30 } else { 96 << 20 };
    let target = (12 * options.last_level_cache).max(least).min(options.memory * 2 / 5);
    let layer = shape.layer_weights() as f64 * mix.nominal_bits_per_weight() / 8.0;
    (target as f64 / layer).ceil().max(1.0) as u64
}

#[cfg(test)]
mod tests;
