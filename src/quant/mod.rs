//! Block types, the mixes that llama.cpp quantises a model into, and the precisions that people name.
//!
//! - [`BlockType`] is how one tensor is stored, and how many bytes that takes.
//! - [`Mix`] is what `llama-quantize` is asked for; it gives every tensor of a model its block type.
//! - [`Precision`] is what a user names: a mix, the paper's `fp32` to `int4`, or a scheme outside llama.cpp (`nf4`, plain int8).
//! - [`CacheType`] is how the KV cache is stored.

mod block;
mod cache;
mod mix;
mod precision;
mod rules;

pub use block::BlockType;
pub use cache::CacheType;
pub use mix::Mix;
pub use precision::{NotStored, Precision};

/// A name that is none of those known, with the nearest ones.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{name}` is not a {kind}{}", did_you_mean(.nearest))]
pub struct UnknownName {
    /// what was looked for: `precision`, `cache type`
    pub kind: &'static str,
    /// the name as written
    pub name: String,
    /// the most similar known names, best first; empty if none is similar
    pub nearest: Vec<&'static str>,
}

/// The tail of the error sentence that names the nearest names.
fn did_you_mean(nearest: &[&str]) -> String {
    if nearest.is_empty() {
        return String::new();
    }
    let quoted: Vec<String> = nearest.iter().map(|name| format!("`{name}`")).collect();
    format!("; did you mean {}?", quoted.join(", "))
}

impl UnknownName {
    /// The error for `name`, with up to three of `known` that are similar to it.
    fn new(kind: &'static str, name: &str, known: impl Iterator<Item = &'static str>) -> Self {
        let lower = name.to_ascii_lowercase();
        let mut scored: Vec<(f64, &'static str)> = known
            .map(|candidate| (strsim::jaro_winkler(&lower, candidate), candidate))
            .filter(|&(score, _)| score >= 0.8)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0));
        scored.dedup_by_key(|&mut (_, candidate)| candidate);
        Self {
            kind,
            name: name.to_owned(),
            nearest: scored.into_iter().take(3).map(|(_, candidate)| candidate).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
