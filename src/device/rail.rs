//! Where the power of a device is read.

use std::fmt;
use std::str::FromStr;

/// Where power is read. Every joule of a device is one of its rail: what lies beyond it is not counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rail {
    /// The whole device at its plug.
    Wall,
    /// The outputs of a Raspberry Pi's power management chip.
    Pmic,
    /// A Jetson module with its memory, without the carrier board.
    Module,
    /// CPU and GPU alone: a Jetson's VDD_CPU_GPU_CV, what macOS counts.
    CpuGpu,
    /// A graphics card, without the computer around it.
    Board,
    /// A chip's package.
    Package,
    /// The same and the memory beside it.
    #[serde(rename = "package+dram")]
    PackageDram,
    /// All that a processor's platform counts.
    Platform,
    /// What a battery gives: the whole device.
    Battery,
    /// A graphics card and the machine around it, each on its own rail.
    Both,
}

impl Rail {
    /// All rails.
    pub const ALL: [Self; 10] = [
        Self::Wall,
        Self::Pmic,
        Self::Module,
        Self::CpuGpu,
        Self::Board,
        Self::Package,
        Self::PackageDram,
        Self::Platform,
        Self::Battery,
        Self::Both,
    ];

    /// The name in files.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Wall => "wall",
            Self::Pmic => "pmic",
            Self::Module => "module",
            Self::CpuGpu => "cpu-gpu",
            Self::Board => "board",
            Self::Package => "package",
            Self::PackageDram => "package+dram",
            Self::Platform => "platform",
            Self::Battery => "battery",
            Self::Both => "both",
        }
    }

    /// What it feeds, for a reader who does not know the name.
    #[must_use]
    pub const fn feeds(self) -> &'static str {
        match self {
            Self::Wall => "the whole device at its plug",
            Self::Pmic => "the board behind its power management chip, without its losses and what USB feeds",
            Self::Module => "the module with its memory, without the carrier board",
            Self::CpuGpu => "GPU and CPU alone, without memory and board",
            Self::Board => "the graphics card alone, without the computer around it",
            Self::Package => "the chip's package alone",
            Self::PackageDram => "the chip's package and its memory",
            Self::Platform => "the platform as the processor counts it",
            Self::Battery => "the whole device, from its battery",
            Self::Both => "the graphics card and the machine around it, each on its own rail",
        }
    }
}

/// A name that is no rail's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a rail; the rails are wall, pmic, module, cpu-gpu, board, package, package+dram, platform, battery, both"
)]
pub struct UnknownRail(pub String);

impl FromStr for Rail {
    type Err = UnknownRail;

    fn from_str(text: &str) -> Result<Self, UnknownRail> {
        Self::ALL
            .into_iter()
            .find(|rail| rail.name() == text)
            .ok_or_else(|| UnknownRail(text.to_owned()))
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for rail in Rail::ALL {
            assert_eq!(rail.name().parse(), Ok(rail));
            assert_eq!(serde_json::to_value(rail).ok(), Some(rail.name().into()));
        }
        let error = "plug".parse::<Rail>().unwrap_err().to_string();
        for rail in Rail::ALL {
            assert!(error.contains(rail.name()), "{error}");
        }
    }
}
