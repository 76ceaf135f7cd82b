//! A device: its memory, storage, links, power, and the backends that compute on it, each number with its source.
//!
//! A device is stated once, in `hardware/<id>.toml` or in a user's own file of the same form; [`Device::parse`] reads either and
//! [`Device::validate`] holds both to the same rules, so that the rest of the crate need not check again.
//!
//! # Classes
//! A backend's `class` names the calibration it borrows when it has none of its own. The classes are few and physical: what they
//! tell apart is which of llama.cpp's kernels run and what kind of memory feeds them.
//!
//! | class | what it is |
//! |---|---|
//! | `arm-cpu` | Arm cores without dot-product instructions (Cortex-A53, A57, A72) |
//! | `arm-cpu-dotprod` | Arm cores with `dotprod` and half-precision arithmetic (Cortex-A55, A76, A78AE) |
//! | `arm-cpu-i8mm` | Arm cores with 8-bit matrix multiplication (Cortex-A710 and later, Oryon, Neoverse) |
//! | `apple-cpu` | Apple's performance cores, whose share of a wide memory differs from all others |
//! | `x86-cpu-avx2` | x86 cores with AVX2, with or without AVX-VNNI |
//! | `x86-cpu-avx512` | x86 cores with AVX-512 and its VNNI |
//! | `riscv-cpu` | RISC-V cores without vectors |
//! | `cuda-integrated` | NVIDIA GPUs that compute in the host's LPDDR memory (Jetson, GB10) |
//! | `cuda-discrete` | NVIDIA cards with GDDR memory |
//! | `cuda-hbm` | NVIDIA accelerators with HBM |
//! | `metal` | Apple's GPUs |
//! | `vulkan-integrated` | GPUs that compute in the host's memory, through Vulkan |
//! | `vulkan-discrete` | cards with their own memory, through Vulkan |
//! | `opencl-mobile` | phone GPUs (Adreno) through OpenCL |
//! | `none` | a device that exists only in a paper |

mod derived;
mod facts;
mod fault;
mod file;
pub mod host;
pub mod llmfit;
mod rail;

pub use derived::DerivedError;
pub use facts::Fact;
pub use fault::{Fault, FaultKind};
pub use file::DeviceFileError;
pub use rail::{Rail, UnknownRail};

use crate::units::{ByteRate, Bytes, FlopRate, Hertz, Joules, JoulesPerByte, JoulesPerFlop, Watts};
use std::collections::BTreeMap;
use std::fmt;

/// How a number came to be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Evidence {
    /// Measured on the device.
    Measured,
    /// Stated by the vendor.
    Datasheet,
    /// Worked out from stated facts (clock x lanes x cores, bus width x transfer rate).
    Derived,
    /// A guess from like devices.
    Estimated,
    /// An assumption of a paper, kept to reproduce it.
    Assumed,
}

impl Evidence {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Datasheet => "datasheet",
            Self::Derived => "derived",
            Self::Estimated => "estimated",
            Self::Assumed => "assumed",
        }
    }
}

/// Where numbers come from.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// How the number came to be known.
    pub evidence: Evidence,
    /// A citation that a reader can follow.
    pub text: String,
}

impl Source {
    /// Whether nobody measured or stated the number, so that a measurement may take its place.
    #[must_use]
    pub const fn is_guess(&self) -> bool {
        matches!(self.evidence, Evidence::Estimated | Evidence::Assumed)
    }
}

/// A number and the key of its source in the device's `[sources]`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(
    deny_unknown_fields,
    expecting = "a number with its unit and its source, as in { value = \"17.1 GB/s\", source = \"brief\" }"
)]
pub struct Sourced<T> {
    /// The number.
    pub value: T,
    /// Key in [`Device::sources`].
    pub source: String,
}

/// The arithmetic units a kernel runs on, for which a device states a peak.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Arithmetic {
    /// 32-bit floating point.
    Fp32,
    /// 16-bit floating point (matrix units where there are any, accumulating in what llama.cpp uses).
    Fp16,
    /// bfloat16.
    Bf16,
    /// 8-bit integer dot products (Arm dotprod/i8mm, VNNI, tensor cores), 32-bit accumulation.
    Int8,
}

/// What computes on a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs)]
pub enum BackendKind {
    Cpu,
    Cuda,
    Metal,
    Vulkan,
    Opencl,
}

impl BackendKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Cpu, Self::Cuda, Self::Metal, Self::Vulkan, Self::Opencl];

    /// The name in files and on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
            Self::Metal => "metal",
            Self::Vulkan => "vulkan",
            Self::Opencl => "opencl",
        }
    }
}

impl fmt::Display for BackendKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Arithmetic {
    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
        }
    }
}

/// Dense peaks, the whole backend at its highest sustained clock in the default power mode. On NVIDIA cards `fp16` and `bf16` are
/// the tensor-core rates that accumulate in 32 bits, on consumer cards half of the rate printed on the box.
pub type Peaks = BTreeMap<Arithmetic, Sourced<FlopRate>>;

/// One backend of a device.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Backend {
    /// The class whose factors it takes when it has no calibration of its own (`arm-cpu-dotprod`, `x86-cpu-avx2`, `cuda-ampere`, ...):
    /// the stem of a file `calibration/class-<class>.toml`.
    pub class: String,
    /// Cores (CPU: those llama.cpp's threads should run on, performance cores; GPU: multiprocessors, cores or compute units).
    pub cores: Sourced<u64>,
    /// Highest sustained clock of those cores.
    pub clock: Option<Sourced<Hertz>>,
    /// Instruction-set features that choose llama.cpp's kernels (`neon`, `dotprod`, `i8mm`, `sve`, `avx2`, `avx512`, `avx-vnni`, `avx512-vnni`, `amx`).
    #[serde(default)]
    pub features: Vec<String>,
    /// Dense peaks by arithmetic; none is stated for arithmetic that the backend lacks.
    pub peaks: Peaks,
    /// Bandwidth that one core can draw from memory, if it was measured.
    pub core_bandwidth: Option<Sourced<ByteRate>>,
    /// Last-level cache that serves these cores.
    pub last_level_cache: Option<Sourced<Bytes>>,
    /// The backend's own memory (a discrete GPU's); none if it computes in the device's memory.
    pub memory: Option<Memory>,
    /// Rate at which weights are copied from the host's memory into the backend's buffers, which an integrated GPU has in the same memory;
    /// none if it needs no copy, as a CPU, or if it is not known.
    pub host_to_device: Option<Sourced<ByteRate>>,
    /// What the device draws, on its power rail, with this backend at full load in the default power mode.
    pub full_load: Option<Sourced<Watts>>,
}

/// A memory.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Memory {
    /// All of it.
    pub capacity: Sourced<Bytes>,
    /// What system and desktop leave to users.
    pub usable: Sourced<Bytes>,
    /// Nominal bandwidth, bus width x transfer rate, of all domains together.
    pub bandwidth: Sourced<ByteRate>,
    /// Domains that it lies in (sockets, or dies joined in one package), each with its part of the bandwidth; one if not stated.
    pub domains: Option<Sourced<u64>>,
}

/// A setting of the whole device that trades speed for power.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PowerMode {
    /// Clock of each backend's cores in this mode.
    pub clocks: BTreeMap<BackendKind, Sourced<Hertz>>,
    /// Memory bandwidth in this mode, if it differs.
    pub bandwidth: Option<Sourced<ByteRate>>,
    /// Cores of each backend that are on in this mode, where not all are.
    #[serde(default)]
    pub cores: BTreeMap<BackendKind, Sourced<u64>>,
    /// The power budget the mode is named after.
    pub budget: Option<Sourced<Watts>>,
    /// Idle power in this mode, if it differs.
    pub idle: Option<Sourced<Watts>>,
}

/// What a device draws when idle, and where that was read.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Power {
    /// Idle power.
    pub idle: Sourced<Watts>,
    /// Where the device's powers are read.
    pub rail: Rail,
    /// Energy in its battery, if it has one.
    pub battery: Option<Sourced<Joules>>,
}

/// A price at a date.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Price {
    /// The amount in `currency`.
    pub amount: f64,
    /// ISO 4217 code.
    pub currency: String,
    /// When it was asked: a year, or year and month (`2025-03`).
    pub date: Option<String>,
    /// Key in [`Device::sources`].
    pub source: String,
}

/// A device, as `hardware/<id>.toml` states it.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// The file's stem.
    #[serde(skip)]
    pub id: String,
    /// Id of a device of the same chip and kind of memory, whose calibration serves this one when it has none of its own (a board of
    /// another size, a chip with fewer cores; for a machine that was detected, the entry that its facts start from).
    pub like: Option<String>,
    /// What people call it.
    pub name: String,
    /// Other names by which it is found, in lower case. Published tables are matched by them: first by `device, detail`, then by `device`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// How the machine itself states what it is: beginnings of its device-tree model or of its CPU's brand string.
    #[serde(default)]
    pub detect: Vec<String>,
    /// What the reader should know (variants, firmware, cooling).
    pub note: Option<String>,
    /// The backend used when none is asked for.
    pub default_backend: BackendKind,
    /// The host's memory (unified memory where CPU and GPU share it).
    pub memory: Memory,
    /// Sequential read rate of the storage the models lie on.
    pub storage_bandwidth: Option<Sourced<ByteRate>>,
    /// Rate of the network link.
    pub network_bandwidth: Option<Sourced<ByteRate>>,
    /// Power.
    pub power: Option<Power>,
    /// Price when new.
    pub price: Option<Price>,
    /// The power mode in force when none is asked for; peaks and clocks of the backends are stated for it.
    pub default_power_mode: Option<String>,
    /// Power modes by name.
    #[serde(default)]
    pub power_modes: BTreeMap<String, PowerMode>,
    /// Backends by kind.
    pub backends: BTreeMap<BackendKind, Backend>,
    /// The paper's utilization factors and energies, for the paper's own devices only.
    pub paper: Option<PaperConstants>,
    /// What the numbers rest on.
    pub sources: BTreeMap<String, Source>,
}

/// Constants that the paper's equations take beyond a data sheet.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PaperConstants {
    /// `U_compute`.
    pub compute_utilization: f64,
    /// `U_memory`.
    pub memory_utilization: f64,
    /// `U_storage`.
    pub storage_utilization: f64,
    /// `U_h2d`.
    pub host_to_device_utilization: f64,
    /// `U_net`.
    pub network_utilization: f64,
    /// `e_flop`.
    pub energy_per_flop: JoulesPerFlop,
    /// `e_byte`.
    pub energy_per_byte: JoulesPerByte,
    /// Key in [`Device::sources`].
    pub source: String,
}
