//! Where the power of a device is read.

use std::fmt;

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
    /// A Jetson's GPU and CPU alone, the rail VDD_CPU_GPU_CV.
    CpuGpu,
    /// A graphics card, without the computer around it.
    Board,
    /// A chip and the memory in its package.
    Package,
    /// A graphics card and the machine around it, each on its own rail.
    Both,
}

impl Rail {
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
            Self::CpuGpu => "GPU and CPU alone (VDD_CPU_GPU_CV), without memory and board",
            Self::Board => "the graphics card alone, without the computer around it",
            Self::Package => "the chip's package alone",
            Self::Both => "the graphics card and the machine around it, each on its own rail",
        }
    }
}

impl fmt::Display for Rail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
