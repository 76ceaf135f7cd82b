//! `--publish`: the calibrations that ship, from one table of measurements.

use super::{Failure, rows};
use crate::cli::failure::CannotWrite;
use crate::cli::sink;
use edgeprof::calibrate::bench::Bench;
use edgeprof::calibrate::fit::pool::Member;
use edgeprof::calibrate::publish::publish;
use edgeprof::catalog::{Catalog, write_atomically};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// The class of devices that exist only in a paper.
const NO_CLASS: &str = "none";

/// Fits every row of `files` at once and writes one file for every class of the catalogue and every backend that was measured.
pub fn run(catalog: &Catalog, files: &[PathBuf], folder: &Path, date: &str) -> Result<(), Failure> {
    let bench = Bench::new(catalog, rows::all(catalog, files, None)?);
    let published = publish(&bench, &classes(catalog), date).map_err(Failure::new)?;
    for (id, file) in &published.files {
        let path = folder.join(format!("{id}.toml"));
        let text = file.to_toml().map_err(Failure::new)?;
        write_atomically(&path, &text).map_err(|error| CannotWrite::failure(&path, error))?;
    }
    let text = format!(
        "{} calibrations of {} rows ({} left out) in {}\n",
        published.files.len(),
        bench.rows.len(),
        bench.left_out.len(),
        folder.display()
    );
    sink::write(&text, None)
}

/// One member of every class that a device of the catalogue has.
fn classes(catalog: &Catalog) -> BTreeSet<Member> {
    let mut classes = BTreeMap::new();
    for device in catalog.device_ids().filter_map(|id| catalog.device(id).ok()) {
        for (&backend, found) in device.backends.iter().filter(|(_, found)| found.class != NO_CLASS) {
            classes.entry(found.class.clone()).or_insert(backend);
        }
    }
    let member = |(class, backend)| Member {
        device: String::new(),
        backend,
        class,
    };
    classes.into_iter().map(member).collect()
}
