//! Which models are generated faster than people read: every cell of the study's statements.

use super::ask::Asker;
use super::published::{Fastest, Published, Quantity, Reading, Setting, Threads};
use crate::cli::failure::Failure;
use serde::Serialize;

/// A model read on a device: whether it is generated faster than people read.
#[derive(Debug, Serialize)]
pub struct Cell {
    pub device: String,
    pub precision: String,
    pub model: String,
    pub computed: f64,
    pub fits: bool,
    pub exceeds: bool,
    pub published_exceeds: bool,
    pub holds: bool,
}

/// Every cell of the statements on reading speed.
pub fn check(asker: &Asker<'_>, published: &Published) -> Result<Vec<Cell>, Failure> {
    let Reading {
        device, tokens_per_s, ..
    } = &published.reading;
    let mut cells = Vec::new();
    for reader in device {
        let setting = Setting {
            hardware: reader.hardware.clone(),
            backend: Some(reader.backend),
            power_mode: None,
            clock: None,
            threads: Some(Threads::Named(Fastest::Fastest)),
            repack: None,
            precision: None,
        };
        for (precision, largest) in &reader.up_to {
            let last = published.model.iter().position(|model| model.id == *largest);
            for (at, model) in published.model.iter().enumerate() {
                let run = asker.run(&setting, &model.id, precision)?;
                let computed = run.figure(Quantity::DecodeTokensPerS).unwrap_or(0.0);
                let (exceeds, published_exceeds) = (computed > *tokens_per_s, last.is_some_and(|last| at <= last));
                cells.push(Cell {
                    device: reader.name.clone(),
                    precision: precision.clone(),
                    model: model.name.clone(),
                    computed,
                    fits: run.fits,
                    exceeds,
                    published_exceeds,
                    holds: exceeds == published_exceeds,
                });
            }
        }
    }
    Ok(cells)
}
