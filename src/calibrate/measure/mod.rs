//! Timing llama.cpp itself: in this process (feature `llama`), or through an installed `llama-bench`.

#[cfg(feature = "llama")]
mod gpu;
#[cfg(feature = "llama")]
mod in_process;
mod kernels;
pub mod llama_bench;
#[cfg(feature = "llama-portable")]
mod portable;
mod timing;

#[cfg(feature = "llama")]
pub use gpu::Gpu;
#[cfg(feature = "llama")]
pub use in_process::InProcess;
pub use kernels::{Kernels, KernelsError};
pub use timing::{LEAVE_OUT_ABOVE, REPEAT_ABOVE, Test, Timing};

use crate::device::BackendKind;
use crate::quant::CacheType;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};

/// One file and what is to be timed on it.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The GGUF file.
    pub path: PathBuf,
    /// The tests, in order.
    pub tests: Vec<Test>,
    /// Type of the KV cache's keys.
    pub key_type: CacheType,
    /// Type of the KV cache's values.
    pub value_type: CacheType,
    /// Flash attention; none: what llama.cpp chooses.
    pub flash_attention: Option<bool>,
    /// Logical batch, tokens.
    pub batch: u64,
    /// Physical batch: tokens of one pass.
    pub ubatch: u64,
    /// Layers on the GPU; none: none of them.
    pub gpu_layers: Option<u64>,
    /// Each test apart, so that its power can be told from that of the others.
    pub apart: bool,
    /// Most time that one test may be repeated for, seconds. Each test runs often enough for a median, however long that takes.
    pub most_s: f64,
}

impl Run {
    /// A run with the settings that `llama-bench` has by default.
    #[must_use]
    pub const fn new(path: PathBuf, tests: Vec<Test>) -> Self {
        Self {
            path,
            tests,
            key_type: CacheType::F16,
            value_type: CacheType::F16,
            flash_attention: None,
            batch: 2048,
            ubatch: 512,
            gpu_layers: None,
            apart: false,
            most_s: 3.0,
        }
    }
}

/// What a run gave.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Measured {
    /// One timing a test, in the order of the tests; a test that failed or gave nothing is not among them.
    pub timings: Vec<Timing>,
    /// Time to load the file, repacking included, seconds; its pages may have been in the page cache. `llama-bench` does not say.
    pub load_s: Option<f64>,
    /// Time of the first token after loading, seconds: with cold caches and threads that do not run yet.
    pub first_token_s: Option<f64>,
    /// The build that was measured.
    pub build: String,
}

/// Why a run gave nothing.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MeasureError {
    /// The build's kernels are not those that others run.
    #[error(transparent)]
    Kernels(#[from] KernelsError),
    /// llama.cpp does not take the file.
    #[error("llama.cpp cannot load {}: {reason}", path.display())]
    Load {
        /// the file
        path: PathBuf,
        /// in llama.cpp's words
        reason: String,
    },
    /// The llama.cpp of this build computes on the CPU, or finds no such GPU.
    #[error("the built-in llama.cpp finds no GPU that it can use by {backend}")]
    NoGpu {
        /// the backend asked for
        backend: BackendKind,
    },
    /// A pass failed.
    #[error("llama.cpp failed in {test} of {}: {reason}", path.display())]
    Pass {
        /// the file
        path: PathBuf,
        /// the test
        test: Test,
        /// in llama.cpp's words
        reason: String,
    },
    /// The backend would not start.
    #[error("llama.cpp does not start: {reason}")]
    Start {
        /// in llama.cpp's words
        reason: String,
    },
    /// `llama-bench` is not where it was said to be, or cannot be run.
    #[error("cannot run {}: {source}", program.display())]
    Program {
        /// the program
        program: PathBuf,
        /// what the system says
        source: std::io::Error,
    },
    /// `llama-bench` gave up.
    #[error("{} failed on {}: {message}", program.display(), path.display())]
    Failed {
        /// the program
        program: PathBuf,
        /// the file
        path: PathBuf,
        /// the end of what it wrote to stderr
        message: String,
    },
    /// `llama-bench` printed something else than the tests asked for.
    #[error("{} printed no result for {test} of {}: is it a llama-bench that knows `-o jsonl`?", program.display(), path.display())]
    NoResult {
        /// the program
        program: PathBuf,
        /// the file
        path: PathBuf,
        /// the test
        test: Test,
    },
    /// The user asked to stop.
    #[error("interrupted")]
    Interrupted,
}

/// A flag that a Ctrl-C handler raises: measuring stops after the pass that is under way.
#[derive(Debug, Default)]
pub struct Stop(AtomicBool);

impl Stop {
    /// A flag that is not raised.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicBool::new(false))
    }

    /// Raises it.
    pub fn raise(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether it was raised.
    #[must_use]
    pub fn raised(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// An error once it is raised.
    ///
    /// # Errors
    /// [`MeasureError::Interrupted`].
    pub fn check(&self) -> Result<(), MeasureError> {
        if self.raised() {
            return Err(MeasureError::Interrupted);
        }
        Ok(())
    }
}

/// Bytes that a GPU is probed with: a large tensor of weights.
#[cfg(feature = "llama")]
const COPY_BYTES: u64 = 256 << 20;

/// Times that they are copied; the best counts, as of every probe.
#[cfg(feature = "llama")]
const COPY_REPEATS: u32 = 4;

/// What times a run.
#[derive(Debug)]
pub enum Engine {
    /// llama.cpp in this process.
    #[cfg(feature = "llama")]
    InProcess(InProcess),
    /// An installed `llama-bench`.
    LlamaBench(PathBuf),
}

impl Engine {
    /// What measures: the build of llama.cpp as far as it is known before it has run.
    #[must_use]
    pub fn build(&self) -> String {
        match self {
            #[cfg(feature = "llama")]
            Self::InProcess(engine) => engine.build(),
            Self::LlamaBench(program) => program.display().to_string(),
        }
    }

    /// Rate at which the built-in llama.cpp copies weights to its GPU, bytes per second; none on a CPU, through a
    /// `llama-bench`, and where nothing is copied.
    #[must_use]
    pub fn copy_rate(&self) -> Option<f64> {
        match self {
            #[cfg(feature = "llama")]
            Self::InProcess(engine) => engine.gpu()?.copy_rate(COPY_BYTES, COPY_REPEATS),
            Self::LlamaBench(_) => None,
        }
    }

    /// Times a run. `finished` is told of every test as it ends.
    ///
    /// # Errors
    /// [`MeasureError`] if the file cannot be run, or the user interrupts.
    pub fn run(&self, run: &Run, stop: &Stop, finished: &mut dyn FnMut(&Timing)) -> Result<Measured, MeasureError> {
        match self {
            #[cfg(feature = "llama")]
            Self::InProcess(engine) => engine.run(run, stop, finished),
            Self::LlamaBench(program) => llama_bench::run(program, run, stop, finished),
        }
    }
}
