//! The one integration test binary.
#![allow(missing_docs, clippy::unwrap_used)]

mod abstreiter;
mod accuracy;
mod analysis;
mod asked;
mod calibrate;
mod calibration;
mod catalog;
mod cli;
mod cli_json;
mod compare;
mod devices;
mod economy;
mod energy;
#[cfg(feature = "figures")]
mod figures;
mod fit;
mod gguf;
mod host;
mod import;
mod latex;
mod llmfit;
#[cfg(feature = "llama")]
mod measure;
mod memory;
mod misfit;
mod models;
mod properties;
mod quality;
mod readme;
mod recommend;
mod release;
mod report;
mod setup;
mod sizes;
mod sweep;
mod tune;
