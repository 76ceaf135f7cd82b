//! A model from the `config.json` of a Hugging Face checkpoint.
//!
//! A key that is absent has the value that transformers gives it. What llama.cpp leaves aside is left aside here: the sliding
//! windows of Mistral, Qwen and Phi, and the vision and audio towers beside a `text_config`.

mod architectures;
mod object;

use super::{Dimensions, Family, Model, ModelError, RopeFactors};
use architectures::{Architecture, KNOWN, Kind};
use object::Object;
use std::io::Read;
use std::path::{Path, PathBuf};

/// The largest file that is read: a config.json has some kilobytes.
const MOST_BYTES: u64 = 1 << 20;

/// Why a config.json gives no model.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("{} cannot be read: {error}", .path.display())]
    Read {
        /// the file
        path: PathBuf,
        /// what the system says
        error: std::io::Error,
    },
    /// The file is far larger than any config.json.
    #[error("{} is larger than {most} bytes, which no config.json is", .path.display())]
    TooLarge {
        /// the file
        path: PathBuf,
        /// the most that is read
        most: u64,
    },
    /// The text is not JSON.
    #[error("not JSON: {message}")]
    Syntax {
        /// the parser's message with line and column
        message: String,
    },
    /// The text is JSON, but no object.
    #[error("not an object: a config.json is one, with `model_type` and the dimensions as its keys")]
    NotAnObject,
    /// Neither `model_type` nor `architectures` is there.
    #[error("neither `model_type` nor `architectures` says what the model is")]
    NoArchitecture,
    /// The architecture is none of those known.
    #[error("the architecture `{name}` is not known; those that are: {known}")]
    UnknownArchitecture {
        /// as the file names it
        name: String,
        /// all that are known, with commas
        known: String,
    },
    /// A key has a value of another type.
    #[error("`{key}` must be {expected}, not {found}")]
    WrongType {
        /// the key
        key: &'static str,
        /// what it must be
        expected: &'static str,
        /// what it is
        found: String,
    },
    /// A key has a value for which the tensors are not known.
    #[error("`{key}` is {found}; only {supported} is supported for `{model_type}`")]
    Unsupported {
        /// the key
        key: &'static str,
        /// what it is
        found: String,
        /// what it may be
        supported: &'static str,
        /// the architecture
        model_type: &'static str,
    },
    /// The dimensions make no model.
    #[error(transparent)]
    Dimensions(#[from] ModelError),
}

/// The model of a `config.json`, or of the folder that holds one; its id is the name of the folder.
///
/// # Errors
/// If the file cannot be read, or is no config.json of a known architecture.
pub fn read_config(path: &Path) -> Result<Model, ConfigError> {
    let path = if path.is_dir() {
        path.join("config.json")
    } else {
        path.to_owned()
    };
    let read = |error| ConfigError::Read {
        path: path.clone(),
        error,
    };
    let mut text = String::new();
    let file = std::fs::File::open(&path).map_err(read)?;
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(read)?;
    if text.len() as u64 > MOST_BYTES {
        return Err(ConfigError::TooLarge { path, most: MOST_BYTES });
    }
    parse_config(&id_of(&path), &text)
}

/// The name of the folder of a `config.json`, or the stem of a file of another name.
fn id_of(path: &Path) -> String {
    let stem = path.file_stem().filter(|stem| *stem != "config");
    let absolute = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let folder = absolute.parent().and_then(Path::file_name);
    stem.or(folder).unwrap_or_default().to_string_lossy().into_owned()
}

/// The model of the text of a `config.json`, under the id given.
///
/// # Errors
/// If it is no config.json of a known architecture, or its dimensions make no model.
pub fn parse_config(id: &str, text: &str) -> Result<Model, ConfigError> {
    let (family, dimensions) = parse_dimensions(text)?;
    Ok(family.model(id, id, &dimensions)?)
}

/// The family and the dimensions that the text of a `config.json` states.
fn parse_dimensions(text: &str) -> Result<(Family, Dimensions), ConfigError> {
    let value: serde_json::Value = serde_json::from_str(text).map_err(|error| ConfigError::Syntax {
        message: error.to_string(),
    })?;
    let outer = value.as_object().ok_or(ConfigError::NotAnObject)?;
    let inner = match outer.get("text_config") {
        Some(serde_json::Value::Object(inner)) => Some(inner),
        _ => None,
    };
    let architecture = inner
        .and_then(architectures::named)
        .or_else(|| architectures::named(outer))
        .ok_or(ConfigError::NoArchitecture)?;
    let architecture = architecture.map_err(|name| ConfigError::UnknownArchitecture {
        name,
        known: KNOWN
            .iter()
            .map(|known| known.model_type)
            .collect::<Vec<_>>()
            .join(", "),
    })?;
    let object = Object {
        keys: inner.unwrap_or(outer),
        outer: inner.map(|_| outer),
    };
    let mut dimensions = common(architecture, &object)?;
    specific(architecture, &object, &mut dimensions)?;
    Ok((architecture.family, dimensions))
}

/// What every architecture states, under one of several names.
fn common(architecture: &Architecture, object: &Object) -> Result<Dimensions, ConfigError> {
    let defaults = &architecture.defaults;
    let heads = object
        .count(&["num_attention_heads", "n_heads", "num_heads"])?
        .unwrap_or(defaults.heads);
    let feed_forward_size = match object.first_count_of_list("intermediate_size", architecture.model_type)? {
        Some(size) => Some(size),
        None => object.count(&["hidden_dim", "d_ff"])?,
    };
    let kv_heads = object.count(&["num_key_value_heads"])?.or(defaults.kv_heads);
    Ok(Dimensions {
        layers: object
            .count(&["num_hidden_layers", "n_layers", "num_layers"])?
            .unwrap_or(defaults.layers),
        hidden_size: object
            .count(&["hidden_size", "d_model", "dim"])?
            .unwrap_or(defaults.hidden_size),
        feed_forward_size: feed_forward_size.unwrap_or(defaults.feed_forward_size),
        heads,
        kv_heads: kv_heads.filter(|&kv_heads| kv_heads != heads),
        head_dim: object.count(&["head_dim", "d_kv"])?.or(defaults.head_dim),
        vocabulary_size: object.count(&["vocab_size"])?.unwrap_or(defaults.vocabulary_size),
        context_length: Some(
            object
                .count(&["max_position_embeddings", "n_positions"])?
                .unwrap_or(defaults.context_length),
        ),
        tied_embeddings: object.flag("tie_word_embeddings")?.unwrap_or(architecture.tied),
        ..Dimensions::default()
    })
}

/// What only some architectures state.
fn specific(architecture: &Architecture, object: &Object, d: &mut Dimensions) -> Result<(), ConfigError> {
    match architecture.kind {
        Kind::Llama => {
            let bias = object.flag("attention_bias")?.unwrap_or(false);
            (d.attention_bias, d.attention_output_bias) = (bias, bias);
            d.feed_forward_bias = object.flag("mlp_bias")?.unwrap_or(false);
            if object.rope_type()?.as_deref() == Some("llama3") {
                d.rope_factors = Some(RopeFactors::Frequencies);
            }
        }
        Kind::Plain | Kind::Gemma => d.tied_embeddings |= architecture.kind == Kind::Gemma,
        Kind::StableLm => {
            object.must_be_off("use_parallel_residual", architecture.model_type)?;
            object.must_be_off("qk_layernorm", architecture.model_type)?;
            d.attention_bias = object.flag("use_qkv_bias")?.unwrap_or(false);
        }
        Kind::Phi => {
            object.must_be_off("qk_layernorm", architecture.model_type)?;
            if matches!(object.rope_type()?.as_deref(), Some("longrope" | "su" | "yarn")) {
                d.rope_factors = Some(RopeFactors::LongAndShort);
                let rotary = object.fraction("partial_rotary_factor")?.unwrap_or(1.0);
                let turned = (rotary * d.hidden_size as f64) as u64 / d.heads.max(1);
                d.rotary_dim = Some(turned).filter(|&turned| turned != d.head_dim());
            }
        }
        Kind::Windows { every } => {
            d.sliding_window = object.count(&["sliding_window"])?.or(architecture.window);
            let every = object.count(&["sliding_window_pattern"])?.unwrap_or(every);
            object.full_attention("full_attention", every, d)?;
        }
        Kind::Gemma3n => {
            d.sliding_window = object.count(&["sliding_window"])?.or(architecture.window);
            object.full_attention("full_attention", 5, d)?;
            d.per_layer_embedding_size = object.count(&["hidden_size_per_layer_input"])?.or(Some(256));
            d.altup_inputs = object.count(&["altup_num_inputs"])?.or(Some(4));
            d.laurel_rank = object.count(&["laurel_rank"])?.or(Some(64));
            d.shared_kv_layers = object.positive("num_kv_shared_layers", Some(15))?;
        }
        Kind::Gemma4 => gemma4(architecture, object, d)?,
        Kind::Lfm2 => {
            d.convolution_length = object.count(&["conv_L_cache"])?.or(Some(3));
            object.full_attention("full_attention", 0, d)?;
            if architecture.family == Family::Lfm2 {
                d.feed_forward_size = lfm2_feed_forward_size(object, d.feed_forward_size)?;
            } else {
                d.leading_dense_layers = object.positive("num_dense_layers", Some(2))?;
            }
        }
        Kind::DeltaNet => {
            object.full_attention(
                "full_attention",
                object.count(&["full_attention_interval"])?.unwrap_or(4),
                d,
            )?;
            d.convolution_length = object.count(&["linear_conv_kernel_dim"])?.or(Some(4));
            d.linear_key_heads = object.count(&["linear_num_key_heads"])?.or(Some(16));
            d.linear_value_heads = object.count(&["linear_num_value_heads"])?.or(Some(32));
            d.linear_key_head_dim = object.count(&["linear_key_head_dim"])?.or(Some(128));
            d.linear_value_head_dim = object.count(&["linear_value_head_dim"])?.or(Some(128));
        }
        Kind::Bert => {
            d.token_types = object.positive("type_vocab_size", Some(2))?;
            d.pooler = true;
            d.tied_embeddings = false;
        }
        Kind::DistilBert => d.tied_embeddings = false,
        Kind::T5 => {
            d.relative_attention_buckets = object.count(&["relative_attention_num_buckets"])?.or(Some(32));
            d.decoder_layers = object
                .count(&["num_decoder_layers"])?
                .filter(|&layers| layers != d.layers);
            d.plain_feed_forward = !object.text("feed_forward_proj")?.unwrap_or("relu").starts_with("gated");
        }
    }
    mixture(architecture, object, d)
}

/// The experts of those that have them.
fn mixture(architecture: &Architecture, object: &Object, d: &mut Dimensions) -> Result<(), ConfigError> {
    let Some([experts, used, size, shared]) = architecture.experts else {
        return Ok(());
    };
    if object.count(&["decoder_sparse_step"])?.is_some_and(|step| step != 1) {
        return Err(object.unsupported("decoder_sparse_step", "1", architecture.model_type));
    }
    if object.list("mlp_only_layers")?.is_some_and(|layers| !layers.is_empty()) {
        return Err(object.unsupported("mlp_only_layers", "an empty list", architecture.model_type));
    }
    let given = |value: u64| Some(value).filter(|&value| value > 0);
    d.experts = object.count(&["num_local_experts", "num_experts"])?.or(given(experts));
    d.experts_used = object
        .count(&["num_experts_per_tok", "num_experts_per_token"])?
        .or(given(used));
    d.expert_feed_forward_size = object.count(&["moe_intermediate_size"])?.or(given(size));
    d.shared_expert_feed_forward_size = object
        .count(&["shared_expert_intermediate_size", "shared_intermediate_size"])?
        .or(given(shared))
        .and_then(given);
    if architecture.feed_forward_is_the_experts {
        d.feed_forward_size = d.expert_feed_forward_size.unwrap_or(d.feed_forward_size);
    }
    Ok(())
}

/// Gemma 4: two kinds of attention, per-layer embeddings, experts beside the dense network.
fn gemma4(architecture: &Architecture, object: &Object, d: &mut Dimensions) -> Result<(), ConfigError> {
    d.sliding_window = object.count(&["sliding_window"])?.or(architecture.window);
    object.full_attention("full_attention", 6, d)?;
    d.full_head_dim = object.count(&["global_head_dim"])?.or(Some(512));
    d.values_are_keys = object.flag("attention_k_eq_v")?.unwrap_or(false);
    d.full_kv_heads = object
        .count(&["num_global_key_value_heads"])?
        .filter(|_| d.values_are_keys);
    d.per_layer_embedding_size = object.positive("hidden_size_per_layer_input", Some(256))?;
    d.shared_kv_layers = object.positive("num_kv_shared_layers", None)?;
    d.double_wide_shared_layers = object.flag("use_double_wide_mlp")?.unwrap_or(false);
    if object.flag("enable_moe_block")?.unwrap_or(false) {
        d.experts = object.count(&["num_experts"])?;
        d.experts_used = object.count(&["top_k_experts"])?;
        d.expert_feed_forward_size = object.count(&["moe_intermediate_size"])?;
    }
    Ok(())
}

/// The width that LFM2 derives from the one stated: two thirds of it, times a factor, rounded up to a multiple.
fn lfm2_feed_forward_size(object: &Object, stated: u64) -> Result<u64, ConfigError> {
    let stated = object.count(&["block_ff_dim"])?.unwrap_or(stated);
    if !object.flag("block_auto_adjust_ff_dim")?.unwrap_or(true) {
        return Ok(stated);
    }
    let factor = object.fraction("block_ffn_dim_multiplier")?.unwrap_or(1.0);
    let multiple = object.count(&["block_multiple_of"])?.unwrap_or(256).max(1);
    let scaled = (factor * (stated as f64 * 2.0 / 3.0).floor()) as u64;
    Ok(scaled.div_ceil(multiple).saturating_mul(multiple))
}

#[cfg(test)]
mod tests;
