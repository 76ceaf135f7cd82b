//! llama.cpp in this process, timed as `llama-bench` times it: random tokens, the same batches, threads and caches.

use super::gpu::Gpu;
use super::{Kernels, MeasureError, Measured, Run, Stop, Test, Timing};
use crate::calibrate::Phase;
use crate::calibrate::plan::{PREFILL_RUNS, WARM_UP_TOKENS};
use crate::device::BackendKind;
use crate::power::now_s;
use crate::quant::CacheType;
use llama_cpp_2::context::LlamaContext;
use llama_cpp_2::context::params::{KvCacheType, LlamaContextParams};
use llama_cpp_2::context::session::{LlamaStateSeqFlags, SeqState};
use llama_cpp_2::llama_backend::LlamaBackend;
use llama_cpp_2::llama_batch::LlamaBatch;
use llama_cpp_2::model::LlamaModel;
use llama_cpp_2::model::params::LlamaModelParams;
use llama_cpp_2::token::LlamaToken;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::OnceLock;
use std::time::Instant;

/// Relative half-width of the 95 % interval at which a test has been repeated often enough.
const PRECISE: f64 = 0.01;

/// Most times that a prefill test is run, or a decode test's tokens are generated again.
const MOST_REPEATS: usize = 8;

/// llama.cpp, started.
#[derive(Debug)]
pub struct InProcess {
    backend: &'static LlamaBackend,
    kernels: Kernels,
    /// What computes, unless it is the CPU alone.
    gpu: Option<Gpu>,
}

impl InProcess {
    /// Starts llama.cpp on a backend of this machine and checks that its kernels are those of this CPU.
    ///
    /// # Errors
    /// [`MeasureError::NoGpu`] if the build knows no such backend or finds no device of it, [`MeasureError::Kernels`] if the kernels are
    /// another CPU's, [`MeasureError::Start`] if llama.cpp does not start.
    pub fn start(on: BackendKind) -> Result<Self, MeasureError> {
        let engine = Self::start_unchecked(on)?;
        engine.kernels.check()?;
        Ok(engine)
    }

    /// As [`InProcess::start`], whatever the kernels: for tests that check what is done, not how fast.
    ///
    /// # Errors
    /// [`MeasureError::NoGpu`] and [`MeasureError::Start`] as there.
    pub fn start_unchecked(on: BackendKind) -> Result<Self, MeasureError> {
        static BACKEND: OnceLock<Result<LlamaBackend, String>> = OnceLock::new();
        let backend = BACKEND.get_or_init(|| {
            #[cfg(feature = "llama-portable")]
            super::portable::load()?;
            let mut backend = LlamaBackend::init().map_err(|error| error.to_string())?;
            backend.void_logs();
            Ok(backend)
        });
        let backend = backend
            .as_ref()
            .map_err(|reason| MeasureError::Start { reason: reason.clone() })?;
        Ok(Self {
            backend,
            kernels: Kernels::parse(&ffi::system_info()),
            gpu: match on {
                BackendKind::Cpu => None,
                gpu => Some(Gpu::find(gpu).ok_or(MeasureError::NoGpu { backend: gpu })?),
            },
        })
    }

    /// The GPU that computes; none: the CPU alone.
    #[must_use]
    pub const fn gpu(&self) -> Option<&Gpu> {
        self.gpu.as_ref()
    }

    /// The instruction-set features that the build uses.
    #[must_use]
    pub const fn kernels(&self) -> &Kernels {
        &self.kernels
    }

    /// The build: ggml's version and commit, the instruction-set features in use, and the GPU.
    #[must_use]
    pub fn build(&self) -> String {
        let features: Vec<_> = self.kernels.iter().collect();
        let gpu = self.gpu.as_ref().map_or_else(String::new, |gpu| format!(" on {gpu}"));
        format!(
            "llama-cpp-2, ggml {} ({}){gpu}",
            ffi::ggml_version(),
            features.join(" ")
        )
    }

    /// Times a run; see [`super::Engine::run`].
    ///
    /// # Errors
    /// [`MeasureError`] if the file cannot be run, or the user interrupts.
    pub fn run(&self, run: &Run, stop: &Stop, finished: &mut dyn FnMut(&Timing)) -> Result<Measured, MeasureError> {
        stop.check()?;
        let start = Instant::now();
        let gpu_layers = u32::try_from(run.gpu_layers.unwrap_or(0)).unwrap_or(u32::MAX);
        let load_error = |error: &dyn std::fmt::Display| MeasureError::Load {
            path: run.path.clone(),
            reason: error.to_string(),
        };
        // Without a device of its own llama.cpp takes every GPU that there is, for large products even without layers on it.
        let devices: Vec<usize> = self.gpu.iter().map(Gpu::index).collect();
        let params = LlamaModelParams::default()
            .with_n_gpu_layers(gpu_layers)
            .with_devices(&devices)
            .map_err(|error| load_error(&error))?;
        let model = LlamaModel::load_from_file(self.backend, &run.path, &params).map_err(|error| load_error(&error))?;
        let mut measured = Measured {
            load_s: Some(start.elapsed().as_secs_f64()),
            build: self.build(),
            ..Measured::default()
        };
        let mut session = Session {
            engine: self,
            model: &model,
            run,
            stop,
            tokens: Tokens::new(model.n_vocab()),
            states: BTreeMap::new(),
        };
        if let Some(first) = run.tests.first() {
            let mut context = session.context(first, 1, first.threads)?;
            let token = session.tokens.take(1);
            let start = Instant::now();
            session.pass(&mut context, first, &token)?;
            measured.first_token_s = Some(start.elapsed().as_secs_f64());
        }
        for test in &run.tests {
            if let Some(timing) = session.time(test)? {
                finished(&timing);
                measured.timings.push(timing);
            }
        }
        Ok(measured)
    }
}

/// A loaded model and what its tests share.
struct Session<'a> {
    engine: &'a InProcess,
    model: &'a LlamaModel,
    run: &'a Run,
    stop: &'a Stop,
    tokens: Tokens,
    /// The KV cache filled to a depth, so that it is computed once.
    states: BTreeMap<u64, SeqState>,
}

impl<'a> Session<'a> {
    fn failed(&self, test: &Test, error: &dyn std::fmt::Display) -> MeasureError {
        MeasureError::Pass {
            path: self.run.path.clone(),
            test: *test,
            reason: error.to_string(),
        }
    }

    /// A context of just the length that the test needs, as `llama-bench` makes it.
    fn context(&self, test: &Test, tokens: u64, threads: u64) -> Result<LlamaContext<'a>, MeasureError> {
        let narrow = |count: u64| u32::try_from(count).unwrap_or(u32::MAX);
        let threads = i32::try_from(threads).unwrap_or(i32::MAX);
        let mut params = LlamaContextParams::default()
            .with_n_ctx(NonZeroU32::new(narrow(tokens)))
            .with_n_batch(narrow(self.run.batch))
            .with_n_ubatch(narrow(self.run.ubatch))
            .with_n_threads(threads)
            .with_n_threads_batch(threads)
            .with_type_k(cache_type(self.run.key_type))
            .with_type_v(cache_type(self.run.value_type));
        if let Some(on) = self.run.flash_attention {
            params = params.with_flash_attention_policy(i32::from(on));
        }
        self.model
            .new_context(self.engine.backend, params)
            .map_err(|error| self.failed(test, &error))
    }

    /// One call of `llama_decode` on tokens that follow what is in the cache, finished when it returns.
    fn pass(&self, context: &mut LlamaContext<'_>, test: &Test, tokens: &[LlamaToken]) -> Result<(), MeasureError> {
        self.stop.check()?;
        let mut batch = LlamaBatch::get_one(tokens).map_err(|error| self.failed(test, &error))?;
        context.decode(&mut batch).map_err(|error| self.failed(test, &error))?;
        context.synchronize();
        Ok(())
    }

    /// A prompt in logical batches.
    fn prompt(&mut self, context: &mut LlamaContext<'_>, test: &Test, length: u64) -> Result<(), MeasureError> {
        let mut left = length;
        while left > 0 {
            let tokens = self.tokens.take(left.min(self.run.batch));
            self.pass(context, test, &tokens)?;
            left -= tokens.len() as u64;
        }
        Ok(())
    }

    /// Empties the cache and fills it to the test's depth, from the copy if there is one.
    fn rewind(&mut self, context: &mut LlamaContext<'_>, test: &Test) -> Result<(), MeasureError> {
        context.clear_kv_cache();
        if test.depth == 0 {
            return Ok(());
        }
        if !self.states.contains_key(&test.depth) {
            let threads = self
                .run
                .tests
                .iter()
                .map(|test| test.threads)
                .max()
                .unwrap_or(test.threads);
            let mut filled = self.context(test, test.depth, threads)?;
            self.prompt(&mut filled, test, test.depth)?;
            let state = filled
                .state_seq_get(0, LlamaStateSeqFlags::empty())
                .map_err(|error| self.failed(test, &error))?;
            self.states.insert(test.depth, state);
        }
        let state = &self.states[&test.depth];
        context
            .state_seq_set(state, 0)
            .map_err(|error| self.failed(test, &error))
    }

    fn time(&mut self, test: &Test) -> Result<Option<Timing>, MeasureError> {
        let mut context = self.context(test, test.depth + test.tokens.max(WARM_UP_TOKENS), test.threads)?;
        let start = Instant::now();
        let mut seconds = Vec::new();
        self.rewind(&mut context, test)?;
        match test.phase {
            Phase::Prefill => self.prompt(&mut context, test, test.tokens.min(32))?,
            Phase::Decode => {
                for _ in 0..WARM_UP_TOKENS {
                    self.prompt(&mut context, test, 1)?;
                }
            }
        }
        let least = if test.phase == Phase::Prefill {
            PREFILL_RUNS as usize
        } else {
            1
        };
        let from_s = now_s();
        for repeat in 0..MOST_REPEATS {
            self.rewind(&mut context, test)?;
            match test.phase {
                Phase::Prefill => {
                    let start = Instant::now();
                    self.prompt(&mut context, test, test.tokens)?;
                    seconds.push(start.elapsed().as_secs_f64() / test.tokens as f64);
                }
                Phase::Decode => {
                    for _ in 0..test.tokens {
                        let token = self.tokens.take(1);
                        let start = Instant::now();
                        self.pass(&mut context, test, &token)?;
                        seconds.push(start.elapsed().as_secs_f64());
                    }
                }
            }
            let precise = Timing::from_seconds(*test, &seconds).is_some_and(|timing| timing.half_width() < PRECISE);
            if repeat + 1 >= least && (precise || start.elapsed().as_secs_f64() > self.run.most_s) {
                break;
            }
        }
        let window = Some([from_s, now_s()]);
        Ok(Timing::from_seconds(*test, &seconds).map(|timing| Timing { window, ..timing }))
    }
}

/// Random tokens, the same ones in every run.
struct Tokens {
    vocabulary: u64,
    state: u64,
}

impl Tokens {
    fn new(vocabulary: i32) -> Self {
        Self {
            vocabulary: u64::try_from(vocabulary).unwrap_or(1).max(1),
            state: 1,
        }
    }

    fn take(&mut self, count: u64) -> Vec<LlamaToken> {
        (0..count)
            .map(|_| {
                self.state = self
                    .state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                let id = (self.state >> 33) % self.vocabulary;
                LlamaToken(i32::try_from(id).unwrap_or(0))
            })
            .collect()
    }
}

const fn cache_type(cache: CacheType) -> KvCacheType {
    match cache {
        CacheType::F32 => KvCacheType::F32,
        CacheType::F16 => KvCacheType::F16,
        CacheType::BF16 => KvCacheType::BF16,
        CacheType::Q8_0 => KvCacheType::Q8_0,
        CacheType::Q4_0 => KvCacheType::Q4_0,
        CacheType::Q4_1 => KvCacheType::Q4_1,
        CacheType::IQ4_NL => KvCacheType::IQ4_NL,
        CacheType::Q5_0 => KvCacheType::Q5_0,
        CacheType::Q5_1 => KvCacheType::Q5_1,
    }
}

/// The two strings that the safe binding does not give.
mod ffi {
    #![allow(unsafe_code)]
    use std::ffi::{CStr, c_char};

    /// `llama_print_system_info`: the features compiled into every backend.
    pub fn system_info() -> String {
        // SAFETY: the function takes nothing and returns a NUL-terminated string that lives until its next call; it is only called
        // here, and the text is copied at once.
        text(unsafe { llama_cpp_sys_2::llama_print_system_info() })
    }

    /// ggml's version and commit.
    pub fn ggml_version() -> String {
        // SAFETY: both functions take nothing and return a string literal.
        let (version, commit) = unsafe { (llama_cpp_sys_2::ggml_version(), llama_cpp_sys_2::ggml_commit()) };
        format!("{} {}", text(version), text(commit))
    }

    fn text(pointer: *const c_char) -> String {
        if pointer.is_null() {
            return String::new();
        }
        // SAFETY: not null, and NUL-terminated as the functions above promise.
        unsafe { CStr::from_ptr(pointer) }.to_string_lossy().into_owned()
    }
}
