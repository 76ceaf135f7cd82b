//! The metadata that llama.cpp's loader asks of each architecture, from the model's tensors and mixers.

use crate::gguf::Value;
use crate::model::{Attention, Mixer, Model, Role, Tensor};
use crate::quant::Mix;

/// Layers, heads and widths take 32 bits in a GGUF.
fn number(value: u64) -> Value {
    Value::U32(u32::try_from(value).unwrap_or(u32::MAX))
}

/// One number if all layers agree, else a list with one a layer.
fn per_layer(values: &[u64]) -> Value {
    match values {
        [first, rest @ ..] if rest.iter().all(|value| value == first) => number(*first),
        _ => Value::List(values.iter().map(|&value| number(value)).collect()),
    }
}

/// Every key of the file, in its order.
pub(super) fn of(model: &Model, mix: Option<Mix>) -> Vec<(String, Value)> {
    let text = |value: &str| Value::Text(value.to_owned());
    let mut keys = vec![
        ("general.architecture".to_owned(), text(&model.architecture)),
        ("general.type".to_owned(), text("model")),
        ("general.name".to_owned(), text(&model.name)),
        (
            "general.description".to_owned(),
            text("Random weights in the shape of this model, for measurements only"),
        ),
        ("general.alignment".to_owned(), number(crate::gguf::DEFAULT_ALIGNMENT)),
        ("general.quantization_version".to_owned(), number(2)),
    ];
    if let Some(mix) = mix {
        keys.push(("general.file_type".to_owned(), Value::U32(mix.file_type())));
    }
    let mut own = Keys {
        model,
        keys: Vec::new(),
    };
    own.shape();
    own.attention();
    own.windows();
    own.experts();
    own.recurrence();
    own.particular();
    keys.extend(
        own.keys
            .into_iter()
            .map(|(key, value)| (format!("{}.{key}", model.architecture), value)),
    );
    keys.extend(
        tokenizer(model)
            .into_iter()
            .map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)),
    );
    keys
}

/// No tokenizer; or, for BERT, whose count of token types llama.cpp reads with the tokenizer only, one of made-up tokens.
fn tokenizer(model: &Model) -> Vec<(&'static str, Value)> {
    let text = |value: &str| Value::Text(value.to_owned());
    if model.architecture != "bert" {
        return vec![("model", text("no_vocab"))];
    }
    let types = model
        .tensors
        .iter()
        .find(|tensor| tensor.role == Role::TokenTypes)
        .map_or(1, |table| table.rows);
    let tokens = (0..model.vocabulary_size)
        .map(|token| Value::Text(token.to_string()))
        .collect();
    let mut keys = vec![
        ("model", text("bert")),
        ("tokens", Value::List(tokens)),
        ("token_type_count", number(types)),
    ];
    let special = [
        "unknown_token_id",
        "seperator_token_id",
        "padding_token_id",
        "cls_token_id",
        "mask_token_id",
    ];
    keys.extend(special.map(|key| (key, number(0))));
    keys
}

/// The keys that begin with the architecture's name.
struct Keys<'a> {
    model: &'a Model,
    keys: Vec<(&'static str, Value)>,
}

impl Keys<'_> {
    fn put(&mut self, key: &'static str, value: Value) {
        self.keys.push((key, value));
    }

    /// The first weight of a role.
    fn find(&self, role: Role) -> Option<&Tensor> {
        self.model
            .tensors
            .iter()
            .find(|tensor| tensor.role == role && !tensor.bias)
    }

    /// The mixers without those of an encoder-decoder's decoder.
    fn mixers(&self) -> &[Mixer] {
        let decoder = self.model.cross_attention.len();
        self.model
            .mixers
            .get(..self.model.mixers.len().saturating_sub(decoder))
            .unwrap_or_default()
    }

    fn attentions(&self) -> impl Iterator<Item = &Attention> {
        self.mixers().iter().filter_map(|mixer| match mixer {
            Mixer::Attention(attention) => Some(attention),
            Mixer::Recurrent(_) => None,
        })
    }

    /// For each layer, the width of the matrix of that role which leads back from the feed-forward layer.
    fn widths(&self, role: Role) -> Vec<Option<u64>> {
        let mut widths = vec![None; self.mixers().len()];
        for tensor in self
            .model
            .tensors
            .iter()
            .filter(|tensor| tensor.role == role && !tensor.bias)
        {
            if let Some(width) = tensor.layer.and_then(|layer| widths.get_mut(layer as usize)) {
                *width = Some(tensor.columns);
            }
        }
        widths
    }

    fn shape(&mut self) {
        self.put("vocab_size", number(self.model.vocabulary_size));
        self.put("context_length", number(self.model.context_length.unwrap_or(4096)));
        self.put("embedding_length", number(self.model.hidden_size));
        self.put("block_count", number(self.mixers().len() as u64));
        let decoder = self.model.cross_attention.len();
        if decoder > 0 {
            self.put("decoder_block_count", number(decoder as u64));
            self.put("decoder_start_token_id", number(0));
        }
        let dense = self.widths(Role::FfnDown);
        // A layer of experts only states the width that the others have, or the model's own.
        let other = dense
            .iter()
            .find_map(|width| *width)
            .unwrap_or(self.model.paper.feed_forward_size);
        let widths: Vec<u64> = dense.iter().map(|width| width.unwrap_or(other)).collect();
        self.put("feed_forward_length", per_layer(&widths));
        self.put("attention.layer_norm_rms_epsilon", Value::F32(1e-5));
        self.put("attention.layer_norm_epsilon", Value::F32(1e-5));
    }

    fn attention(&mut self) {
        let full = self.attentions().find(|attention| attention.window.is_none());
        let Some(&first) = full.or_else(|| self.attentions().next()) else {
            return;
        };
        // LFM2 knows its recurrent layers by their having no key heads; others state the heads of all layers alike.
        let none = if self.model.architecture.starts_with("lfm2") {
            0
        } else {
            first.kv_heads
        };
        let kv_heads: Vec<u64> = self
            .mixers()
            .iter()
            .map(|mixer| match mixer {
                Mixer::Attention(attention) => attention.kv_heads,
                Mixer::Recurrent(_) => none,
            })
            .collect();
        self.put("attention.head_count", number(first.heads));
        self.put("attention.head_count_kv", per_layer(&kv_heads));
        self.put("attention.key_length", number(first.key_length));
        self.put("attention.value_length", number(first.value_length));
        if first.bidirectional && self.model.cross_attention.is_empty() {
            self.put("attention.causal", Value::Bool(false));
            self.put("pooling_type", number(1));
        }
        if let Some(buckets) = self.find(Role::AttnRelativeBias).map(|table| table.rows) {
            self.put("attention.relative_buckets_count", number(buckets));
        }
        let rotated = self.rotated(first.key_length);
        self.put("rope.dimension_count", number(rotated));
        self.put("rope.freq_base", Value::F32(10_000.0));
    }

    /// Elements of a head that RoPE turns: two for each factor of a table, where there is one.
    fn rotated(&self, key_length: u64) -> u64 {
        let table = [Role::RopeFrequencies, Role::RopeFactorsLong]
            .into_iter()
            .find_map(|role| self.find(role));
        let stated = self
            .model
            .dimensions
            .as_ref()
            .and_then(|dimensions| dimensions.rotary_dim);
        table.map(|table| 2 * table.columns).or(stated).unwrap_or(key_length)
    }

    fn windows(&mut self) {
        let Some(&windowed) = self.attentions().find(|attention| attention.window.is_some()) else {
            return;
        };
        self.put("attention.sliding_window", number(windowed.window.unwrap_or_default()));
        self.put("attention.key_length_swa", number(windowed.key_length));
        self.put("attention.value_length_swa", number(windowed.value_length));
        self.put("rope.dimension_count_swa", number(windowed.key_length));
        let layers = self.mixers().iter().map(|mixer| match mixer {
            Mixer::Attention(attention) => Value::Bool(attention.window.is_some()),
            Mixer::Recurrent(_) => Value::Bool(false),
        });
        let layers = layers.collect();
        self.put("attention.sliding_window_pattern", Value::List(layers));
    }

    fn experts(&mut self) {
        if self.model.experts == 0 {
            return;
        }
        self.put("expert_count", number(self.model.experts));
        self.put("expert_used_count", number(self.model.experts_used));
        if let Some(width) = self.find(Role::FfnDownExperts).map(|down| down.columns) {
            self.put("expert_feed_forward_length", number(width));
        }
        if let Some(width) = self.find(Role::FfnDownShared).map(|down| down.columns) {
            self.put("expert_shared_feed_forward_length", number(width));
        }
        let dense = self
            .widths(Role::FfnDownExperts)
            .iter()
            .take_while(|width| width.is_none())
            .count();
        self.put("leading_dense_block_count", number(dense as u64));
        // By softmax, or by sigmoid where the choice has a bias of its own.
        self.put(
            "expert_gating_func",
            number(if self.has_bias(Role::ExpertBias) { 2 } else { 1 }),
        );
    }

    fn has_bias(&self, role: Role) -> bool {
        self.model
            .tensors
            .iter()
            .any(|tensor| tensor.role == role && tensor.bias)
    }

    fn recurrence(&mut self) {
        if let Some(length) = self.find(Role::ShortConv).map(|convolution| convolution.columns) {
            self.put("shortconv.l_cache", number(length));
        }
        let (Some(convolution), Some(out), Some(norm), Some(a)) = (
            self.find(Role::SsmConv),
            self.find(Role::SsmOut),
            self.find(Role::SsmNorm),
            self.find(Role::SsmA),
        ) else {
            return;
        };
        // The convolution runs over the inner width and, for each group, over two vectors of the state's size.
        let (kernel, inner, state, heads) = (convolution.columns, out.columns, norm.columns, a.columns);
        let groups = convolution.rows.saturating_sub(inner) / (2 * state).max(1);
        self.put("ssm.conv_kernel", number(kernel));
        self.put("ssm.inner_size", number(inner));
        self.put("ssm.state_size", number(state));
        self.put("ssm.time_step_rank", number(heads));
        self.put("ssm.group_count", number(groups));
        let recurrent = self
            .mixers()
            .iter()
            .map(|mixer| Value::Bool(matches!(mixer, Mixer::Recurrent(_))));
        let recurrent = recurrent.collect();
        self.put("attention.recurrent_layers", Value::List(recurrent));
        if let Some(first) = self
            .mixers()
            .iter()
            .position(|mixer| matches!(mixer, Mixer::Attention(_)))
        {
            self.put("full_attention_interval", number(first as u64 + 1));
        }
    }

    /// What single architectures ask for.
    fn particular(&mut self) {
        let architecture = self.model.architecture.clone();
        match architecture.as_str() {
            "granite" | "granitemoe" => {
                self.put("logit_scale", Value::F32(8.0));
                self.put("attention.scale", Value::F32(0.015_625));
                self.put("embedding_scale", Value::F32(12.0));
                self.put("residual_scale", Value::F32(0.22));
            }
            "stablelm" => self.put("use_parallel_residual", Value::Bool(false)),
            "gemma4" => {
                let own = self
                    .find(Role::PerLayerProjection)
                    .map_or(0, |projection| projection.columns);
                self.put("embedding_length_per_layer_input", number(own));
            }
            _ => {}
        }
        if matches!(architecture.as_str(), "gemma3n" | "gemma4") {
            let shared = self.attentions().filter(|attention| attention.shares_cache).count();
            self.put("attention.shared_kv_layers", number(shared as u64));
        }
        if architecture.starts_with("qwen35") {
            // RoPE turns by three coordinates of a picture, which text has all alike.
            let pairs = self
                .attentions()
                .next()
                .map_or(0, |attention| self.rotated(attention.key_length))
                / 2;
            let sections = [pairs.div_ceil(3), pairs.saturating_sub(pairs.div_ceil(3)).div_ceil(2)];
            let third = pairs.saturating_sub(sections[0] + sections[1]);
            let sections = [sections[0], sections[1], third, 0];
            let sections = sections.map(|section| Value::I32(i32::try_from(section).unwrap_or(0)));
            self.put("rope.dimension_sections", Value::List(sections.to_vec()));
        }
    }
}
