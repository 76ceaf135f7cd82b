//! What mixes tokens in each layer, from a header's metadata and from the tensors that the layer has.

use super::names::TensorName;
use super::{Shape, count};
use crate::gguf::{Metadata, TensorInfo, Value};
use crate::model::{Attention, Mixer, Recurrent};

/// Architectures whose layers have sliding windows by llama.cpp's own rule, where the file does not list the layers:
/// name, every how many layers one sees everything (0: none does), whether that one is the first of each run, the default window.
const WINDOWED: &[(&str, u64, bool, Option<u64>)] = &[
    ("afmoe", 4, false, None),
    ("cohere2", 4, false, None),
    ("cohere2moe", 4, true, None),
    ("exaone-moe", 4, false, Some(128)),
    ("exaone4", 4, false, None),
    ("gemma-embedding", 6, false, None),
    ("gemma2", 2, false, Some(4096)),
    ("gemma3", 6, false, None),
    ("gemma3n", 5, false, None),
    ("gpt-oss", 2, false, None),
    ("laguna", 4, true, None),
    ("lfm2", 0, false, None),
    ("lfm2moe", 0, false, None),
    ("llama4", 4, false, Some(8192)),
    ("mellum", 4, false, None),
    ("modern-bert", 3, true, None),
    ("muse-glimmer", 4, false, None),
    ("olmo2", 4, false, None),
    ("plamo3", 8, false, None),
    ("smallthinker", 4, true, Some(4096)),
];

/// Layers of Gemma 3n that hold a cache; those after them read it.
const GEMMA3N_CACHED_LAYERS: u64 = 20;

/// One mixer a layer (an encoder's first), and one cross attention a layer of an encoder-decoder's decoder.
pub(super) fn of(
    metadata: &Metadata,
    shape: &Shape<'_>,
    infos: &[TensorInfo],
    names: &[TensorName<'_>],
) -> (Vec<Mixer>, Vec<Attention>) {
    let rules = Rules::of(metadata, shape);
    let mut kinds = vec![Kind::default(); shape.layers as usize];
    for (info, name) in infos.iter().zip(names) {
        // The layers of an encoder and of a decoder are of one kind.
        if let Some(kind) = name.layer.and_then(|layer| kinds.get_mut(layer as usize)) {
            kind.note(info, name);
        }
    }
    let mut mixers: Vec<Mixer> = kinds
        .iter()
        .zip(0..)
        .map(|(kind, layer)| rules.mixer(kind, layer, shape.encoder_only))
        .collect();
    if shape.decoder_layers == 0 {
        return (mixers, Vec::new());
    }
    for mixer in &mut mixers {
        if let Mixer::Attention(attention) = mixer {
            attention.bidirectional = true;
        }
    }
    mixers.extend((0..shape.decoder_layers).map(|layer| Mixer::Attention(rules.attention(layer, false))));
    // Across to the encoder's output every position is seen.
    let across = (0..shape.decoder_layers).map(|layer| rules.attention(layer, true));
    (mixers, across.collect())
}

/// What the tensors of a layer say about it.
#[derive(Clone, Default)]
struct Kind {
    attention: bool,
    recurrent: bool,
    /// Rows of a key projection of its own: the width of one position's keys.
    key_rows: Option<u64>,
    value_rows: Option<u64>,
}

impl Kind {
    fn note(&mut self, info: &TensorInfo, name: &TensorName<'_>) {
        match name.stem {
            _ if name.bias => {}
            "attn_k" => {
                self.attention = true;
                self.key_rows = Some(info.dimensions[1]);
            }
            "attn_v" => self.value_rows = Some(info.dimensions[1]),
            "attn_q" | "attn_qkv" | "attn_kv_a_mqa" | "attn_q_b" => self.attention = true,
            stem if stem.starts_with("ssm_") || stem.starts_with("shortconv.") || stem.starts_with("time_mix_") => {
                self.recurrent = true;
            }
            _ => {}
        }
    }

    /// Whether the layer attends: a fused projection beside a recurrence is the recurrence's own.
    const fn attends(&self) -> bool {
        self.attention && (!self.recurrent || self.key_rows.is_some())
    }
}

/// The metadata's rules for all layers.
struct Rules<'a> {
    metadata: &'a Metadata,
    layers: u64,
    hidden_size: u64,
    window: Option<u64>,
    pattern: Pattern,
    /// The first layer that reads another's cache.
    cached_layers: u64,
    recurrent: Recurrent,
}

/// Which layers have the window.
enum Pattern {
    /// One entry a layer.
    Listed(Vec<bool>),
    /// All but every n-th (0: all), which is the first or the last of each run of n.
    Every { full: u64, full_first: bool },
    /// None.
    Nowhere,
}

impl<'a> Rules<'a> {
    fn of(metadata: &'a Metadata, shape: &Shape<'_>) -> Self {
        let windowed = WINDOWED.iter().find(|(name, ..)| *name == shape.architecture);
        let pattern = match (metadata.of_architecture("attention.sliding_window_pattern"), windowed) {
            (Some(Value::List(list)), _) => {
                Pattern::Listed(list.iter().map(|value| value.as_u64() == Some(1)).collect())
            }
            (Some(value), _) if value.as_u64().is_some() => Pattern::Every {
                full: value.as_u64().unwrap_or(0),
                full_first: windowed.is_some_and(|&(_, _, first, _)| first),
            },
            (_, Some(&(_, full, full_first, _))) => Pattern::Every { full, full_first },
            _ => Pattern::Nowhere,
        };
        let window = count(metadata, "attention.sliding_window").or_else(|| windowed.and_then(|&(.., window)| window));
        let shared = match shape.architecture {
            "gemma3n" => shape.layers.saturating_sub(GEMMA3N_CACHED_LAYERS),
            _ => count(metadata, "attention.shared_kv_layers").unwrap_or(0),
        };
        Self {
            metadata,
            layers: shape.layers,
            hidden_size: shape.hidden_size,
            window: window.filter(|&window| window > 0),
            pattern,
            cached_layers: shape.layers.saturating_sub(shared),
            recurrent: recurrent(metadata, shape.hidden_size),
        }
    }

    /// A count of one layer: the key's own, or the layer's entry of its list.
    fn at(&self, key: &str, layer: u64) -> Option<u64> {
        match self.metadata.of_architecture(key)? {
            Value::List(values) => values.get(layer as usize)?.as_u64(),
            value => value.as_u64(),
        }
    }

    fn mixer(&self, kind: &Kind, layer: u64, bidirectional: bool) -> Mixer {
        if kind.attends() {
            let mut attention = self.attention(layer, bidirectional);
            attention.fit(kind);
            return Mixer::Attention(attention);
        }
        match kind.recurrent {
            true => Mixer::Recurrent(self.recurrent),
            // A layer of feed-forward only.
            false => Mixer::Recurrent(Recurrent {
                convolution_state: 0,
                recurrent_state: 0,
                flops_per_token: 0,
            }),
        }
    }

    fn attention(&self, layer: u64, bidirectional: bool) -> Attention {
        let window = self.window.filter(|_| self.is_windowed(layer));
        let heads = self.at("attention.head_count", layer).unwrap_or(1).max(1);
        let kv_heads = self.at("attention.head_count_kv", layer).unwrap_or(heads);
        let length = |key: &str| {
            let own = window.and_then(|_| count(self.metadata, &format!("{key}_swa")));
            own.or_else(|| count(self.metadata, key))
                .unwrap_or(self.hidden_size / heads)
        };
        let latent = count(self.metadata, "attention.key_length_mla").is_some();
        Attention {
            heads,
            kv_heads,
            key_length: length("attention.key_length"),
            // Latent attention keeps one compressed row, of which the values are a part.
            value_length: if latent { 0 } else { length("attention.value_length") },
            window,
            shares_cache: layer >= self.cached_layers && self.cached_layers < self.layers,
            bidirectional,
        }
    }

    fn is_windowed(&self, layer: u64) -> bool {
        match &self.pattern {
            Pattern::Listed(list) => list.get(layer as usize).copied().unwrap_or(false),
            Pattern::Every { full: 0, .. } => true,
            Pattern::Every { full, full_first: true } => !layer.is_multiple_of(*full),
            Pattern::Every {
                full,
                full_first: false,
            } => layer % full < full - 1,
            Pattern::Nowhere => false,
        }
    }
}

impl Attention {
    /// Takes the widths of a layer's own key and value projections where they contradict the metadata.
    fn fit(&mut self, kind: &Kind) {
        let fitted = |rows: Option<u64>, length: u64| match rows {
            Some(rows) if rows != self.kv_heads.saturating_mul(length) => rows
                .checked_div(self.kv_heads)
                .filter(|length| length * self.kv_heads == rows),
            _ => None,
        };
        let (key, value) = (
            fitted(kind.key_rows, self.key_length),
            fitted(kind.value_rows, self.value_length),
        );
        self.key_length = key.unwrap_or(self.key_length);
        self.value_length = value.unwrap_or(self.value_length);
    }
}

/// The state of a recurrent layer, as llama.cpp sizes it for each kind.
fn recurrent(metadata: &Metadata, hidden_size: u64) -> Recurrent {
    let number = |key: &str| count(metadata, key).unwrap_or(0);
    let product = |factors: &[u64]| {
        factors
            .iter()
            .fold(1_u64, |product, &factor| product.saturating_mul(factor))
    };
    let (convolution_state, recurrent_state) = if number("wkv.head_size") > 0 {
        let shifts = count(metadata, "token_shift_count").unwrap_or(2);
        (
            product(&[shifts, hidden_size]),
            product(&[hidden_size, number("wkv.head_size")]),
        )
    } else if number("shortconv.l_cache") > 0 {
        (product(&[hidden_size, number("shortconv.l_cache") - 1]), 0)
    } else if number("kda.head_dim") > 0 {
        let (heads, length) = (number("attention.head_count"), number("kda.head_dim"));
        let kernel = number("ssm.conv_kernel").saturating_sub(1);
        (product(&[3, kernel, heads, length]), product(&[heads, length, length]))
    } else {
        let (inner, groups) = (
            number("ssm.inner_size"),
            product(&[2, number("ssm.group_count"), number("ssm.state_size")]),
        );
        let kernel = number("ssm.conv_kernel").saturating_sub(1);
        (
            product(&[kernel, inner.saturating_add(groups)]),
            product(&[number("ssm.state_size"), inner]),
        )
    };
    let flops_per_token = match recurrent_state {
        // The two gates of a short convolution.
        0 => product(&[2, hidden_size]),
        // Each element of the state is decayed, read by the key, corrected and read by the query.
        state => product(&[7, state]),
    };
    Recurrent {
        convolution_state,
        recurrent_state,
        flops_per_token,
    }
}
