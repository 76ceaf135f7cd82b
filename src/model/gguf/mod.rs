//! A model from the header of a GGUF file: its tensors are the file's own, to the byte; its layers' mixers come from the metadata.

mod mixers;
mod names;

use std::path::Path;

use super::family::widest_feed_forward;
use super::{Family, Knowledge, Mixer, Model, PaperShape, Role, Stack, Tensor, Use};
use crate::gguf::{GgufError, Header, Metadata, NotAModel, TensorInfo, Value, read_header};
use names::TensorName;
pub use names::tensor_name;

/// More layers than this are refused (llama.cpp itself refuses more than 512).
const MOST_LAYERS: u64 = 4096;
/// More parameters than this are refused: every sum over the tensors then fits its integer.
const MOST_PARAMETERS: u64 = 1 << 50;

/// Reads the header of the GGUF file at `path` (of every part, if the model is split) as a model.
///
/// A file of an architecture that is none of the [families](Family) gives a model too, with [`Knowledge::Generic`].
///
/// # Errors
/// [`GgufError`] if the file cannot be read, is not a usable GGUF, or describes no language model.
pub fn read(path: &Path) -> Result<Model, GgufError> {
    let header = read_header(path)?;
    let stem = path
        .file_stem()
        .map(|stem| stem.to_string_lossy().into_owned())
        .unwrap_or_default();
    from_header(&header, names::without_part(&stem)).map_err(|reason| GgufError::NotAModel {
        path: path.to_owned(),
        reason,
    })
}

/// The model that a header describes, under the id given.
///
/// # Errors
/// [`NotAModel`] if it describes none.
pub fn from_header(header: &Header, id: &str) -> Result<Model, NotAModel> {
    let metadata = &header.metadata;
    let architecture = architecture(metadata)?;
    if header.tensors.is_empty() {
        return Err(NotAModel::NoTensors);
    }
    let names: Vec<TensorName<'_>> = header
        .tensors
        .iter()
        .map(|info| TensorName::parse(&info.name))
        .collect();
    let shape = Shape::of(header, architecture, &names)?;
    let mut tensors: Vec<Tensor> = header
        .tensors
        .iter()
        .zip(&names)
        .map(|(info, name)| shape.tensor(info, name))
        .collect();
    let parameters: u128 = tensors.iter().map(|tensor| u128::from(tensor.elements())).sum();
    if parameters > u128::from(MOST_PARAMETERS) {
        return Err(NotAModel::Parameters { limit: MOST_PARAMETERS });
    }
    let family = Family::ALL
        .iter()
        .copied()
        .find(|family| family.architecture() == architecture);
    let known = family.is_some() && tensors.iter().all(|tensor| tensor.role != Role::Other);
    let (mixers, cross_attention) = mixers::of(metadata, &shape, &header.tensors, &names);
    leave_unread(&mut tensors, &mixers);
    let model = Model {
        id: id.to_owned(),
        name: metadata
            .text("general.name")
            .filter(|name| !name.is_empty())
            .unwrap_or(id)
            .to_owned(),
        architecture: architecture.to_owned(),
        knowledge: if known { Knowledge::Exact } else { Knowledge::Generic },
        mixers,
        cross_attention,
        hidden_size: shape.hidden_size,
        feed_forward_size: match widest_feed_forward(&tensors) {
            0 => shape.feed_forward_size,
            widest => widest,
        },
        tensors,
        vocabulary_size: shape.vocabulary_size,
        context_length: count(metadata, "context_length"),
        experts: shape.experts,
        experts_used: shape.experts_used,
        paper: PaperShape {
            layers: shape.layers,
            hidden_size: shape.hidden_size,
            feed_forward_size: shape.feed_forward_size,
            vocabulary_size: shape.vocabulary_size,
        },
        paper_context: None,
        variant_of: None,
        quality: Vec::new(),
        family,
        dimensions: None,
    };
    check(&model)?;
    Ok(model)
}

/// A layer that uses the cache of an earlier one never reads what would make its own keys and values.
fn leave_unread(tensors: &mut [Tensor], mixers: &[Mixer]) {
    for tensor in tensors {
        let makes_cache = matches!(tensor.role, Role::AttnK | Role::AttnV | Role::AttnKNorm);
        let mixer = tensor.layer.and_then(|layer| mixers.get(layer as usize));
        if makes_cache && matches!(mixer, Some(Mixer::Attention(attention)) if attention.shares_cache) {
            tensor.usage = Use::Unread;
        }
    }
}

/// Refuses dimensions of which products would leave their integers.
fn check(model: &Model) -> Result<(), NotAModel> {
    const WIDTH: u64 = 1 << 24;
    const POSITIONS: u64 = 1 << 40;
    let within = |dimension: &'static str, value: u64, limit: u64| match value <= limit {
        true => Ok(()),
        false => Err(NotAModel::Dimension {
            dimension,
            value,
            limit,
        }),
    };
    within("embedding length", model.hidden_size, WIDTH)?;
    within(
        "feed-forward length",
        model.feed_forward_size.max(model.paper.feed_forward_size),
        WIDTH,
    )?;
    within("vocabulary", model.vocabulary_size, 1 << 28)?;
    within("context length", model.context_length.unwrap_or(0), POSITIONS)?;
    within("number of experts", model.experts, 1 << 16)?;
    let attention = model.mixers.iter().filter_map(|mixer| match mixer {
        Mixer::Attention(attention) => Some(attention),
        Mixer::Recurrent(_) => None,
    });
    for attention in attention.chain(&model.cross_attention) {
        let heads = attention.heads.max(attention.kv_heads);
        within("number of heads", heads, WIDTH)?;
        within("attention width", heads.saturating_mul(attention.key_length), WIDTH)?;
        within("attention width", heads.saturating_mul(attention.value_length), WIDTH)?;
        within("sliding window", attention.window.unwrap_or(0), POSITIONS)?;
    }
    for mixer in &model.mixers {
        if let Mixer::Recurrent(recurrent) = mixer {
            let state = recurrent.convolution_state.max(recurrent.recurrent_state);
            within("recurrent state", state, 1 << 32)?;
        }
    }
    Ok(())
}

/// The architecture, unless it is one of a file that goes with a model but is none.
fn architecture(metadata: &Metadata) -> Result<&str, NotAModel> {
    let architecture = metadata.architecture().ok_or(NotAModel::NoArchitecture)?;
    let kind = metadata.text("general.type").unwrap_or("model");
    if architecture == "clip" {
        return Err(NotAModel::Accessory {
            kind: "clip (an image or audio projector)".to_owned(),
        });
    }
    if matches!(kind, "adapter" | "mmproj" | "imatrix") {
        return Err(NotAModel::Accessory { kind: kind.to_owned() });
    }
    Ok(architecture)
}

/// A count of the architecture's own keys; the largest, where a list gives one a layer.
fn count(metadata: &Metadata, key: &str) -> Option<u64> {
    match metadata.of_architecture(key)? {
        Value::List(values) => values.iter().filter_map(Value::as_u64).max(),
        value => value.as_u64(),
    }
}

/// As [`count`], but the first that is not 0 of a list.
fn first(metadata: &Metadata, key: &str) -> Option<u64> {
    match metadata.of_architecture(key)? {
        Value::List(values) => values.iter().filter_map(Value::as_u64).find(|&value| value > 0),
        value => value.as_u64(),
    }
}

/// The numbers that say what a tensor is for.
struct Shape<'a> {
    architecture: &'a str,
    /// Layers that run (of the encoder, where there are two stacks).
    layers: u64,
    /// Layers of the decoder of an encoder-decoder, else 0.
    decoder_layers: u64,
    hidden_size: u64,
    feed_forward_size: u64,
    vocabulary_size: u64,
    experts: u64,
    experts_used: u64,
    /// Every position sees every other, and there is no head.
    encoder_only: bool,
    /// The head is the token embedding.
    tied: bool,
}

impl<'a> Shape<'a> {
    fn of(header: &'a Header, architecture: &'a str, names: &[TensorName<'_>]) -> Result<Self, NotAModel> {
        let metadata = &header.metadata;
        let two_stacks = names.iter().any(|name| name.stack == Some(Stack::Decoder));
        let in_names = |stack| {
            let layers = names.iter().filter(|name| !two_stacks || name.stack == Some(stack));
            layers.filter_map(|name| name.layer).max().map_or(0, |last| last + 1)
        };
        let blocks = count(metadata, "block_count").unwrap_or_else(|| in_names(Stack::Encoder));
        // Layers that predict further tokens stand in the file but do not run.
        let layers = blocks.saturating_sub(count(metadata, "nextn_predict_layers").unwrap_or(0));
        let decoder_layers = match two_stacks {
            true => count(metadata, "decoder_block_count").unwrap_or(layers),
            false => 0,
        };
        let most = blocks
            .max(decoder_layers)
            .max(in_names(Stack::Encoder))
            .max(in_names(Stack::Decoder));
        if most > MOST_LAYERS {
            return Err(NotAModel::Layers {
                count: most,
                limit: MOST_LAYERS,
            });
        }
        let embedding = names
            .iter()
            .zip(&header.tensors)
            .find(|(name, _)| name.stem == "token_embd");
        let embedding = embedding.map(|(_, info)| info);
        let hidden_size = count(metadata, "embedding_length")
            .or_else(|| embedding.map(|info| info.dimensions[0]))
            .filter(|&width| width > 0)
            .ok_or_else(|| NotAModel::NoWidth {
                architecture: architecture.to_owned(),
            })?;
        let tokens = metadata.get("tokenizer.ggml.tokens").and_then(Value::list_length);
        let rows = embedding.map(|info| info.dimensions[1]);
        let experts = count(metadata, "expert_count").unwrap_or(0);
        let encoder_only = !two_stacks && is_encoder(metadata, architecture);
        Ok(Self {
            architecture,
            layers,
            decoder_layers,
            hidden_size,
            feed_forward_size: first(metadata, "feed_forward_length").unwrap_or(0),
            vocabulary_size: tokens.or_else(|| count(metadata, "vocab_size")).or(rows).unwrap_or(0),
            experts,
            experts_used: count(metadata, "expert_used_count").unwrap_or(0).min(experts),
            encoder_only,
            tied: !encoder_only && !names.iter().any(|name| name.stem == "output" && name.layer.is_none()),
        })
    }

    /// The tensor that a record of the header describes.
    fn tensor(&self, info: &TensorInfo, name: &TensorName<'_>) -> Tensor {
        let [columns, rows, depth, more] = info.dimensions;
        let role = name.role();
        let stacked = name.stem.ends_with("_exps");
        let (rows, experts) = match stacked && name.bias {
            // A bias of each expert is one row of a matrix.
            true => (1, rows * depth * more),
            false => (rows, depth * more),
        };
        let experts_used = if stacked && experts > 1 {
            self.experts_used
        } else {
            experts
        };
        Tensor {
            role,
            layer: name.layer.and_then(|layer| u32::try_from(layer).ok()),
            bias: name.bias,
            columns,
            rows,
            experts,
            experts_used: experts_used.min(experts),
            dimensions: info.dimension_count.clamp(1, 3),
            usage: self.usage(info, name),
            stack: self.stack(name),
            stored: Some(info.block_type),
        }
    }

    fn usage(&self, info: &TensorInfo, name: &TensorName<'_>) -> Use {
        match name.stem {
            // Layers that predict further tokens.
            _ if name
                .layer
                .is_some_and(|layer| layer >= self.layers.max(self.decoder_layers)) =>
            {
                Use::Unread
            }
            "token_embd" if self.tied => Use::LookUpAndMultiply,
            "token_embd" | "position_embd" | "token_types" | "per_layer_token_embd" => Use::LookUp,
            "attn_rel_b" => Use::LookUp,
            stem if stem.ends_with("norm") || name.bias || info.dimension_count <= 1 => Use::Elementwise,
            _ => Use::Multiply,
        }
    }

    fn stack(&self, name: &TensorName<'_>) -> Stack {
        match (name.stack, name.stem) {
            (Some(Stack::Encoder), _) => Stack::Encoder,
            (_, "enc.output_norm") => Stack::Encoder,
            (_, "output" | "output_norm" | "dec.output_norm") => Stack::Head,
            // LFM2 stores its output norm under this name.
            (_, "token_embd_norm") if self.architecture.starts_with("lfm2") => Stack::Head,
            _ if self.encoder_only => Stack::Encoder,
            _ => Stack::Decoder,
        }
    }
}

/// Whether a model only encodes: its attention is not causal, or its architecture is one of llama.cpp's encoders.
fn is_encoder(metadata: &Metadata, architecture: &str) -> bool {
    metadata.of_architecture("attention.causal") == Some(&Value::Bool(false))
        || architecture.contains("bert")
        || matches!(architecture, "t5encoder" | "gemma-embedding")
}
