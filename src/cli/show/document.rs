//! Entries as JSON: figures in base SI units, with their sources.

use super::model_file;
use crate::cli::failure::Failure;
use edgeprof::catalog::Entry;
use edgeprof::device::Device;
use edgeprof::model::Model;
use edgeprof::perf::sums::ModelSums;
use edgeprof::quant::Precision;
use serde_json::{Value, json};

/// A model: its dimensions, what is published of it, its weights in every precision that it can be stored in.
pub fn model(entry: &Entry<Model>) -> Value {
    let model: &Model = entry;
    let file = model_file(entry);
    let sizes: Vec<Value> = super::stored_in(model)
        .map(|(precision, sums)| {
            json!({
                "precision": precision,
                "weight_bytes": sums.weight_bytes,
                "bits_per_weight": bits_per_weight(&sums),
            })
        })
        .collect();
    json!({
        "kind": "model",
        "id": model.id,
        "name": model.name,
        "origin": entry.origin.to_string(),
        "aliases": entry.aliases,
        "architecture": model.architecture,
        "parameters": model.parameters(),
        "experts": model.experts,
        "experts_used": model.experts_used,
        "layers": model.mixers.len(),
        "hidden_size": model.hidden_size,
        "feed_forward_size": model.feed_forward_size,
        "vocabulary_size": model.vocabulary_size,
        "context_length": model.context_length,
        "source": file.as_ref().map(|file| &file.source),
        "license": file.as_ref().and_then(|file| file.license.as_ref()),
        "notes": file.as_ref().and_then(|file| file.notes.as_ref()),
        "published": file.as_ref().map(|file| &file.published),
        "sizes": sizes,
        "quality": model.quality,
    })
}

/// Bits of the file per parameter.
pub fn bits_per_weight(sums: &ModelSums) -> f64 {
    8.0 * sums.weight_bytes as f64 / sums.parameters.max(1) as f64
}

/// A device: every figure with the key of its source in `sources`.
pub fn device(entry: &Entry<Device>) -> Result<Value, Failure> {
    let device: &Device = entry;
    let mut document = serde_json::to_value(device).map_err(Failure::new)?;
    document["kind"] = json!("device");
    document["id"] = json!(device.id);
    document["origin"] = json!(entry.origin.to_string());
    Ok(document)
}

/// A precision.
pub fn precision(precision: Precision) -> Value {
    json!({
        "id": precision.name(),
        "description": precision.description(),
        "nominal_bits_per_weight": precision.nominal_bits_per_weight(),
        "paper_bytes_per_element": precision.paper_bytes_per_element(),
    })
}
