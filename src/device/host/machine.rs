//! What a machine says of itself: device tree, DMI, `/proc` and `/sys`, read below a root so that recorded trees can be tested.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// One logical processor.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Processor {
    /// Its number.
    pub(super) id: u32,
    /// Arm's implementer and part, if it is an Arm core that says so.
    pub(super) arm: Option<(u32, u32)>,
    /// Physical core it belongs to, package and core.
    pub(super) core: Option<(u32, u32)>,
    /// Highest clock, Hz.
    pub(super) clock: Option<f64>,
    /// Whether that is the nominal one that a guest is told, above which it may run.
    pub(super) nominal: bool,
}

/// What could be read; what could not is none or empty.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Machine {
    /// Names of the machine: device-tree model, DMI vendor and product, system on chip.
    pub(super) names: Vec<String>,
    /// Brand string of the CPU.
    pub(super) brand: Option<String>,
    /// Vendor, family and model of an x86 CPU.
    pub(super) x86: Option<(String, u32, u32)>,
    /// Instruction-set features, in the kernel's spelling.
    pub(super) flags: BTreeSet<String>,
    /// Logical processors.
    pub(super) processors: Vec<Processor>,
    /// Processors that the kernel calls performance cores (Intel's hybrid CPUs).
    pub(super) performance: BTreeSet<u32>,
    /// Memory that the system has, bytes.
    pub(super) memory: Option<f64>,
    /// Memory that it could give to a new process now, bytes.
    pub(super) available: Option<f64>,
    /// Last-level cache, bytes, all of its instances.
    pub(super) last_level_cache: Option<f64>,
    /// Nodes of memory that the kernel tells apart.
    nodes: usize,
    /// Kind of the first disk: a key of the data file's `[storage]`.
    pub(super) disk: Option<&'static str>,
    /// NVIDIA cards by the driver's names.
    pub(super) nvidia: Vec<String>,
}

impl Machine {
    /// Reads the tree below `root` (`/` on a running machine).
    pub(super) fn read(root: &Path) -> Self {
        let mut machine = Self {
            names: names(root),
            nvidia: nvidia(root),
            disk: disk(root),
            ..Self::default()
        };
        machine.read_cpuinfo(&text(root, "proc/cpuinfo").unwrap_or_default());
        machine.read_meminfo(&text(root, "proc/meminfo").unwrap_or_default());
        machine.read_memory_limit(root);
        machine.read_topology(root);
        machine.nodes = text(root, "sys/devices/system/node/online").map_or(0, |list| cpu_list(&list).len());
        machine.performance = text(root, "sys/devices/cpu_core/cpus")
            .map(|list| cpu_list(&list))
            .unwrap_or_default();
        machine
    }

    /// Fills in from the operating system what a machine without `/proc` states elsewhere (macOS, Windows).
    pub(super) fn ask_system(&mut self) {
        if self.memory.is_some() && !self.processors.is_empty() {
            return;
        }
        let Ok(mut system) = sysinfo::System::new() else { return };
        if self.memory.is_none() {
            system.refresh_memory();
            self.memory = Some(system.total_memory() as f64).filter(|&bytes| bytes > 0.0);
            self.available = Some(system.available_memory() as f64).filter(|&bytes| bytes > 0.0);
        }
        if self.processors.is_empty() {
            system.refresh_cpu_list(sysinfo::CpuRefreshKind::nothing().with_frequency());
            let physical = sysinfo::System::physical_core_count().unwrap_or_else(|_| system.cpus().len());
            self.processors = system
                .cpus()
                .iter()
                .take(physical.max(1))
                .zip(0..)
                .map(|(cpu, id)| Processor {
                    id,
                    core: Some((0, id)),
                    clock: Some(cpu.frequency() as f64 * 1e6).filter(|&hertz| hertz > 0.0),
                    arm: None,
                    nominal: false,
                })
                .collect();
            let brand = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned());
            self.brand = self.brand.take().or(brand.filter(|brand| !brand.is_empty()));
        }
    }

    fn read_cpuinfo(&mut self, text: &str) {
        for block in text.split("\n\n") {
            let fields: BTreeMap<&str, &str> = block
                .lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(key, value)| (key.trim(), value.trim()))
                .collect();
            let number = |key: &str| fields.get(key).and_then(|value| parse_number(value));
            if let Some(flags) = fields.get("flags").or_else(|| fields.get("Features")) {
                self.flags.extend(flags.split_whitespace().map(str::to_owned));
            }
            if let Some(&isa) = fields.get("isa") {
                self.flags.insert(isa.to_owned());
            }
            for key in ["model name", "Model"] {
                if let (None, Some(&brand)) = (&self.brand, fields.get(key)) {
                    self.brand = Some(brand.to_owned());
                }
            }
            if let (None, Some(&vendor)) = (&self.x86, fields.get("vendor_id")) {
                self.x86 = Some((
                    vendor.to_owned(),
                    number("cpu family").unwrap_or(0),
                    number("model").unwrap_or(0),
                ));
            }
            if let Some(id) = number("processor") {
                self.processors.push(Processor {
                    id,
                    arm: number("CPU implementer").zip(number("CPU part")),
                    core: number("physical id").zip(number("core id")),
                    nominal: true,
                    // What the core runs at now; a guest, whose kernel has no cpufreq, is told its nominal clock so.
                    clock: fields
                        .get("cpu MHz")
                        .and_then(|megahertz| megahertz.parse::<f64>().ok())
                        .filter(|&megahertz| {
                            self.flags.contains("hypervisor") && megahertz.is_finite() && megahertz > 0.0
                        })
                        .map(|megahertz| megahertz * 1e6),
                });
            }
        }
    }

    fn read_meminfo(&mut self, text: &str) {
        let kibibytes = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name))?;
            let number: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
            Some(number * 1024.0).filter(|bytes| bytes.is_finite() && *bytes > 0.0)
        };
        self.memory = kibibytes("MemTotal:");
        self.available = kibibytes("MemAvailable:");
    }

    /// A container may hold less than the machine: the limit of the control group.
    fn read_memory_limit(&mut self, root: &Path) {
        let limit = ["sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes"]
            .into_iter()
            .find_map(|file| text(root, file)?.trim().parse::<u64>().ok())
            .map(|bytes| bytes as f64)
            .filter(|&bytes| bytes > 0.0);
        if let (Some(limit), Some(memory)) = (limit, self.memory) {
            self.memory = Some(memory.min(limit));
            self.available = self.available.map(|available| available.min(limit));
        }
    }

    /// Sockets whose processors have memory of their own; none if there is one.
    ///
    /// Neither count alone will do: a Raspberry Pi's kernel may cut one memory into several nodes, and some kernels call each cluster of a
    /// processor a package.
    pub(super) fn memory_domains(&self) -> Option<u64> {
        let cores = self.processors.iter().filter_map(|processor| processor.core);
        let packages: BTreeSet<u32> = cores.map(|(package, _)| package).collect();
        let domains = packages.len().min(self.nodes);
        (domains > 1).then_some(domains as u64)
    }

    fn read_topology(&mut self, root: &Path) {
        let mut caches: BTreeMap<(u32, String), f64> = BTreeMap::new();
        for processor in &mut self.processors {
            let folder = format!("sys/devices/system/cpu/cpu{}", processor.id);
            let number =
                |file: &str| text(root, &format!("{folder}/{file}")).and_then(|text| parse_number(text.trim()));
            let highest = number("cpufreq/cpuinfo_max_freq").map(|kilohertz| f64::from(kilohertz) * 1e3);
            if let Some(highest) = highest.filter(|&hertz| hertz > 0.0) {
                (processor.clock, processor.nominal) = (Some(highest), false);
            }
            let package = number("topology/physical_package_id");
            processor.core = package.zip(number("topology/core_id")).or(processor.core);
            for index in 0..8 {
                let read = |file: &str| text(root, &format!("{folder}/cache/index{index}/{file}"));
                let Some(level) = read("level").and_then(|level| parse_number(level.trim())) else {
                    break;
                };
                let size = read("size").and_then(|size| cache_size(size.trim()));
                if let Some(size) = size {
                    caches.insert((level, read("shared_cpu_list").unwrap_or_default()), size);
                }
            }
        }
        let last = caches.keys().map(|(level, _)| *level).max();
        let total: f64 = caches
            .iter()
            .filter(|((level, _), _)| Some(*level) == last)
            .map(|(_, size)| size)
            .sum();
        self.last_level_cache = Some(total).filter(|&bytes| bytes > 0.0);
    }
}

/// The text of a file, without the zero byte that ends the texts of a device tree; none if it cannot be read.
fn text(root: &Path, file: &str) -> Option<String> {
    let bytes = fs::read(root.join(file)).ok()?;
    Some(String::from_utf8_lossy(&bytes).trim_end_matches('\0').to_owned())
}

/// Names of files and folders in a folder, sorted.
fn entries(root: &Path, folder: &str) -> Vec<String> {
    let entries = fs::read_dir(root.join(folder)).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

fn names(root: &Path) -> Vec<String> {
    let one = |file: &str| {
        text(root, file)
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
    };
    let vendor = one("sys/class/dmi/id/sys_vendor");
    let product = one("sys/class/dmi/id/product_name");
    let both = vendor
        .zip(product.clone())
        .map(|(vendor, product)| format!("{vendor} {product}"));
    [
        one("sys/firmware/devicetree/base/model"),
        one("proc/device-tree/model"),
        product,
        both,
        one("sys/devices/soc0/machine"),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn nvidia(root: &Path) -> Vec<String> {
    let folder = "proc/driver/nvidia/gpus";
    entries(root, folder)
        .iter()
        .filter_map(|card| text(root, &format!("{folder}/{card}/information")))
        .filter_map(|information| {
            let model = information.lines().find_map(|line| line.strip_prefix("Model:"))?;
            Some(model.trim().to_owned())
        })
        .collect()
}

fn disk(root: &Path) -> Option<&'static str> {
    let disks = entries(root, "sys/block");
    let kind = |disk: &String| {
        if disk.starts_with("nvme") {
            return Some("nvme");
        }
        if disk.starts_with("mmcblk") && !disk.contains("boot") {
            return Some("mmc");
        }
        let is_disk = disk.starts_with("sd") || disk.starts_with("vd");
        let rotational = text(root, &format!("sys/block/{disk}/queue/rotational"))?;
        is_disk.then(|| if rotational.trim() == "1" { "rotating" } else { "ssd" })
    };
    let kinds: Vec<&str> = disks.iter().filter_map(kind).collect();
    ["nvme", "ssd", "virtual", "rotating", "mmc"]
        .into_iter()
        .find(|kind| kinds.contains(kind))
}

/// A decimal or `0x` number.
fn parse_number(text: &str) -> Option<u32> {
    match text.strip_prefix("0x") {
        Some(digits) => u32::from_str_radix(digits, 16).ok(),
        None => text.parse().ok(),
    }
}

/// A size as the kernel writes it: `2048K`, `12M`.
fn cache_size(text: &str) -> Option<f64> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len()));
    let factor = match unit {
        "" => 1.0,
        "K" => 1024.0,
        "M" => 1_048_576.0,
        _ => return None,
    };
    Some(f64::from(number.parse::<u32>().ok()?) * factor)
}

/// A list as the kernel writes it: `0-7,16`.
fn cpu_list(text: &str) -> BTreeSet<u32> {
    text.trim()
        .split(',')
        .filter_map(|range| {
            let (first, last) = range.split_once('-').unwrap_or((range, range));
            Some(first.parse().ok()?..=last.parse::<u32>().ok()?.min(4096))
        })
        .flatten()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_spellings_are_read() {
        assert_eq!(cache_size("2048K"), Some(2_097_152.0));
        assert_eq!(cache_size("12M"), Some(12_582_912.0));
        assert_eq!(cpu_list("0-2,5\n"), BTreeSet::from([0, 1, 2, 5]));
        assert_eq!(parse_number("0xd0b"), Some(0xd0b));
    }

    #[test]
    fn an_empty_tree_gives_an_empty_machine() {
        assert_eq!(Machine::read(Path::new("/nowhere/at/all")), Machine::default());
    }
}
