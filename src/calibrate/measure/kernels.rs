//! Are the kernels of this build those that everyone's llama.cpp runs on this CPU?

use std::collections::BTreeSet;

/// Why a build must not be measured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KernelsError {
    /// The build does not use instructions that the CPU has.
    #[error(
        "this edgeprof was built for another CPU: its llama.cpp does not use {}, which this one has, and would be several times \
         slower than anyone's; build it with scripts/install.sh (or RUSTFLAGS=\"-C target-cpu=native\"), or measure through an \
         installed llama-bench with --llama-bench PATH",
        .missing.join(", ")
    )]
    Baseline {
        /// llama.cpp's names of the instruction-set features
        missing: Vec<&'static str>,
    },
    /// The compiler is known to get ggml's AMX kernels wrong: they would end this process.
    #[error(
        "this edgeprof was built by a GCC that miscompiles llama.cpp's AMX kernels (GCC bug 114098, mended in 11.5, 12.4, 13.3 and \
         14); build it with scripts/install.sh, or with CFLAGS and CXXFLAGS set to \"-mno-amx-tile -mno-amx-int8 -mno-amx-bf16\""
    )]
    MiscompiledAmx,
}

/// The instruction-set features that a llama.cpp build uses, by its own names (`AVX2`, `DOTPROD`, ...).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Kernels(BTreeSet<String>);

impl Kernels {
    /// Reads what `llama_print_system_info` prints: `CPU : SSE3 = 1 | AVX2 = 1 | ... |`.
    #[must_use]
    pub fn parse(system_info: &str) -> Self {
        let feature = |part: &str| {
            // The first feature of a backend follows the backend's name and a colon.
            let (name, value) = part.rsplit(':').next()?.split_once('=')?;
            (value.trim() != "0").then(|| name.trim().to_owned())
        };
        Self(system_info.split('|').filter_map(feature).collect())
    }

    /// Whether a feature is used.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(name)
    }

    /// The features, in alphabetical order.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Refuses a build that lacks what this CPU has, or that would crash.
    ///
    /// # Errors
    /// [`KernelsError`].
    pub fn check(&self) -> Result<(), KernelsError> {
        self.check_against(&cpu_features(), cfg!(amx_miscompiled))
    }

    fn check_against(&self, cpu: &[&'static str], amx_miscompiled: bool) -> Result<(), KernelsError> {
        let missing: Vec<_> = cpu.iter().copied().filter(|feature| !self.has(feature)).collect();
        if !missing.is_empty() {
            return Err(KernelsError::Baseline { missing });
        }
        if amx_miscompiled && self.has("AMX_INT8") {
            return Err(KernelsError::MiscompiledAmx);
        }
        Ok(())
    }
}

/// Of the features that choose ggml's fast kernels, those that this CPU has, by llama.cpp's names.
fn cpu_features() -> Vec<&'static str> {
    #[allow(unused_mut)]
    let mut features = Vec::new();
    #[cfg(target_arch = "x86_64")]
    {
        let detected = [
            (std::arch::is_x86_feature_detected!("avx2"), "AVX2"),
            (std::arch::is_x86_feature_detected!("fma"), "FMA"),
            (std::arch::is_x86_feature_detected!("f16c"), "F16C"),
            (std::arch::is_x86_feature_detected!("avx512f"), "AVX512"),
            (std::arch::is_x86_feature_detected!("avx512vnni"), "AVX512_VNNI"),
        ];
        features.extend(detected.into_iter().filter(|(has, _)| *has).map(|(_, name)| name));
    }
    #[cfg(target_arch = "aarch64")]
    {
        let detected = [
            (std::arch::is_aarch64_feature_detected!("neon"), "NEON"),
            (std::arch::is_aarch64_feature_detected!("dotprod"), "DOTPROD"),
            (std::arch::is_aarch64_feature_detected!("i8mm"), "MATMUL_INT8"),
            (std::arch::is_aarch64_feature_detected!("fp16"), "FP16_VA"),
        ];
        features.extend(detected.into_iter().filter(|(has, _)| *has).map(|(_, name)| name));
    }
    features
}

#[cfg(test)]
mod tests {
    use super::*;

    const INFO: &str = "CPU : SSE3 = 1 | AVX2 = 1 | FMA = 1 | AVX512 = 0 | AMX_INT8 = 1 | REPACK = 1 | ";

    #[test]
    fn what_llama_cpp_prints_of_itself_is_read() {
        let kernels = Kernels::parse(INFO);
        assert_eq!(
            kernels.iter().collect::<Vec<_>>(),
            ["AMX_INT8", "AVX2", "FMA", "REPACK", "SSE3"]
        );
        assert!(!kernels.has("AVX512"));
        assert_eq!(Kernels::parse(""), Kernels::default());
        let both = Kernels::parse("CUDA : ARCHS = 900 | CPU : AVX2 = 1 | ");
        assert!(both.has("AVX2") && both.has("ARCHS"));
    }

    #[test]
    fn a_build_without_the_cpus_instructions_is_refused_with_the_cure() {
        let kernels = Kernels::parse(INFO);
        assert_eq!(kernels.check_against(&["AVX2", "FMA"], false), Ok(()));
        let error = kernels.check_against(&["AVX2", "AVX512", "F16C"], false);
        assert_eq!(
            error,
            Err(KernelsError::Baseline {
                missing: vec!["AVX512", "F16C"]
            })
        );
        let text = error.map_or_else(|error| error.to_string(), |()| String::new());
        assert!(
            text.contains("AVX512, F16C") && text.contains("scripts/install.sh"),
            "{text}"
        );
    }

    #[test]
    fn amx_of_a_faulty_compiler_is_refused_where_it_would_run() {
        assert_eq!(
            Kernels::parse(INFO).check_against(&[], true),
            Err(KernelsError::MiscompiledAmx)
        );
        assert_eq!(Kernels::parse("CPU : AVX2 = 1 |").check_against(&[], true), Ok(()));
    }
}
