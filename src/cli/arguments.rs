//! Groups of arguments that several commands take.

use super::failure::Failure;
use clap::Args;
use edgeprof::catalog::Catalog;
use std::path::PathBuf;

/// Where names are looked up.
#[derive(Debug, Args)]
pub struct CatalogArgs {
    /// A folder with `models/`, `hardware/` or `calibration/` of your own, over the catalogue and your data folder; repeatable,
    /// the last one wins
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    data: Vec<PathBuf>,
}

impl CatalogArgs {
    /// The catalogue with the user's files over it.
    pub fn open(&self) -> Result<Catalog, Failure> {
        Ok(Catalog::open(&self.data)?)
    }
}
