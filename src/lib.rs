//! edgeprof: will this model run on that board, how fast, with how much memory, for how many joules?
//!
//! This page is the map of the crate. The program `edgeprof` is a thin layer over it (`src/main.rs`, `src/cli/`).
//!
//! # A prediction
//!
//! ```
//! use edgeprof::catalog::{Catalog, Choice};
//! use edgeprof::perf::{predict, sums::ModelSums};
//! use edgeprof::quant::Precision;
//! use edgeprof::scenario::{Scenario, Workload};
//!
//! let catalog = Catalog::builtin();
//! let (model, device) = (catalog.model("tinyllama")?, catalog.device("pi5")?);
//! let precision: Precision = "q4_k_m".parse()?;
//! let sums = ModelSums::of(&model, precision)?; // once per model and precision
//! let scenario = Scenario::new(&sums, &device, None, precision, None, Workload::default())?;
//! let calibration = catalog.calibration_for(&device, scenario.backend_kind, &Choice::Best)?;
//!
//! let prediction = predict(&scenario, &calibration);
//! assert_eq!(sums.parameters, 1_100_048_384);
//! assert_eq!(sums.weight_bytes, 667_078_656); // what llama-bench prints for the file
//! assert!(prediction.fits);
//! assert!(prediction.decode_tokens_per_s.is_some_and(|rate| rate > 1.0));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # From names to figures
//!
//! ```text
//! names ─> Catalog ─> Model, Device, Calibration
//!                       │
//! Precision ─> ModelSums ─> Scenario ─> perf::predict ─> Prediction ─> output (screen, JSON, CSV, Markdown)
//!                           (impossible input refused)   (with its Basis)
//! ```
//!
//! A model is the list of its weight tensors ([`model::Model::tensors`]). Every closed form is a sum over that list, so the forms cannot
//! disagree. The sums depend on model and precision alone and are taken once ([`perf::sums::ModelSums`]); a prediction is then some dozens
//! of floating-point operations. Who asks for many lengths keeps the [`perf::Parts`] too, all of it that does not hang on them, and the
//! [`perf::Trust`] that intervals are made of: a sweep does.
//!
//! # The modules in reading order
//!
//! | module | what it holds |
//! |---|---|
//! | [`units`] | physical quantities as types; a number in a data file has its unit beside it |
//! | [`model`] | a model as tensors and mixers, from a catalogue file, a `config.json` or a GGUF header |
//! | [`quant`] | block types, llama.cpp's mixes with their rules per tensor, what `--prec` and `--kv-type` name |
//! | [`device`] | a device: memory, storage, power, backends with their peaks, each number with its source; the machine at hand |
//! | [`scenario`] | one question: model, precision, device, backend, work; refuses what cannot be asked |
//! | [`calibration`] | the factors that a data sheet cannot give, with their uncertainty |
//! | [`perf`] | the closed forms: memory, latency, energy, the prediction; and the paper's equations ([`perf::paper`]) |
//! | [`catalog`] | names to entries: shipped, of the user, or files anywhere |
//! | [`economy`] | what energy comes to: money, carbon, batteries |
//! | [`decide`] | which device, which setting, which model: answers made of predictions |
//! | [`output`] | predictions as records and tables |
//! | [`sweep`] | predictions by the million: every combination of many values, filtered, sorted, in parts |
//! | `table` | those as Parquet (feature `tables`) |
//! | `figure` | predictions as figures for papers, each with its data (feature `figures`) |
//! | [`report`] | predictions as one page of HTML, with figures and what each number rests on |
//! | [`calibrate`] | measurements and what is fitted to them: see below |
//! | [`power`] | power sensors of a machine, and the logs of meters |
//! | [`gguf`] | GGUF files: headers read with every length checked, and written |
//! | [`excerpt`] | a place in a file, shown as a compiler shows it |
//!
//! Within [`calibrate`], in the order of a calibration:
//!
//! | module | what it does |
//! |---|---|
//! | [`calibrate::import`] | reads what llama-bench printed, and the published table |
//! | [`calibrate::quiet`] | says what else the machine is doing, before anything is timed |
//! | [`calibrate::plan`] | which probes, at which formats, depths and threads, fit the time there is |
//! | [`calibrate::probe`], [`calibrate::synthetic`] | a model file of the right shape with random weights |
//! | [`calibrate::measure`] | runs it: llama.cpp in this process (feature `llama`) or an installed llama-bench |
//! | [`calibrate::collect`] | carries the plan out within its time, with a journal to resume from |
//! | [`calibrate::bench`], [`calibrate::fit`] | what a measurement says of the law; the factors that minimise its error |
//! | [`calibrate::leave_out`], [`calibrate::validate`] | how far it is off on what the fit had not seen |
//! | [`calibrate::publish`] | factors with their uncertainty, as calibration files |
//! | [`calibrate::energy`] | the same for power: its rails, its fit, its errors on what was left out |
//!
//! # What holds
//!
//! - Architecture Invariant: [`perf`] is pure. It reads no file, prints nothing and knows no name; it sees units, model, quant, device,
//!   scenario and calibration, and none of them sees it but for the sums.
//! - Architecture Invariant: no number of a data sheet stands in the code. Devices, models and factors are data files.
//! - Architecture Invariant: a calibration is a plain value. The closed forms never see what fitted it, and what fits it minimises the
//!   error of [`perf::predict`] itself: there is no second formula.
//! - Architecture Invariant: what does not fit in memory is a result; what cannot be asked is an error; nothing is NaN.
//! - Architecture Invariant: only `src/cli/` prints, and only [`catalog`] turns a name into a file.
//! - Everything is in base SI units; prefixes exist in data files, which state their unit, and in [`output::number`].
//!
//! # To add
//!
//! | add | touch | what fails if it is wrong |
//! |---|---|---|
//! | a device | `hardware/<id>.toml` | every device is validated, numbers and sources |
//! | a model of a known family | `models/<id>.toml` | its published parameter count and sizes |
//! | a family | one function and its row in `src/model/family/`, and a model file | the same, and llama.cpp's sizes |
//! | a block type or mix | one row or rule in `src/quant/` | llama.cpp's sizes, to the byte |
//! | a figure of a prediction | a field of [`perf::Prediction`], of [`output::Record`] and its column | the tests of keys and screens |
//! | a calibration | measurements, then `edgeprof calibrate --from` | the accuracy of the catalogue |
//! | a figure for papers | one file in `src/figure/`, its name in `src/cli/plot/` | every figure must be drawn with its texts apart and on the page |
//! | a power sensor | one file in `src/power/` and its name in [`power::NAMES`] | its test against a recorded machine in `tests/data/power/` |
//! | a column of a table | its row in `src/output/columns.rs`; CSV, Parquet, `--where` and `--sort` know it then | the tests of columns |
//! | a study to reproduce | `reports/<id>/published.toml` and one file in `src/cli/reproduce/` | its committed report |
//! | a command | one file in `src/cli/` and its variant of `Command` | the tests of its screens |

pub mod calibrate;
pub mod calibration;
pub mod catalog;
pub mod decide;
pub mod device;
pub mod economy;
pub mod excerpt;
#[cfg(feature = "figures")]
pub mod figure;
pub mod gguf;
pub mod model;
pub mod output;
pub mod perf;
pub mod power;
pub mod quant;
pub mod report;
pub mod scenario;
pub mod sweep;
#[cfg(feature = "tables")]
pub mod table;
pub mod units;

/// The version of this crate.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");
