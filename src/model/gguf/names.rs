//! The names of tensors, taken apart.

use crate::model::{Model, Role, Stack, Tensor};

/// `dec.blk.3.attn_q.bias`: stack, layer, stem and suffix.
pub(super) struct TensorName<'a> {
    /// The stack that the name states: an encoder-decoder's `enc.` or `dec.`.
    pub stack: Option<Stack>,
    /// The layer.
    pub layer: Option<u64>,
    /// What is left: `attn_q`.
    pub stem: &'a str,
    /// Whether the suffix is `.bias`.
    pub bias: bool,
}

impl<'a> TensorName<'a> {
    pub(super) fn parse(name: &'a str) -> Self {
        let (stack, rest) = if name.starts_with("enc.blk.") {
            (Some(Stack::Encoder), &name[4..])
        } else if name.starts_with("dec.blk.") {
            (Some(Stack::Decoder), &name[4..])
        } else {
            (None, name)
        };
        let numbered = rest.strip_prefix("blk.").and_then(|rest| rest.split_once('.'));
        let (layer, rest) = match numbered.and_then(|(number, rest)| Some((number.parse().ok()?, rest))) {
            Some((layer, rest)) => (Some(layer), rest),
            None => (None, rest),
        };
        let (stem, bias) = match rest.strip_suffix(".bias") {
            Some(stem) => (stem, true),
            None => (rest.strip_suffix(".weight").unwrap_or(rest), false),
        };
        Self {
            stack,
            layer,
            stem,
            bias,
        }
    }

    /// What the tensor is for.
    pub(super) fn role(&self) -> Role {
        Role::from_stem(self.stem)
    }
}

/// The name of a tensor of `model` in a GGUF file; none if its role is not known.
///
/// The two stacks of an encoder-decoder count their layers apart, which `enc.` and `dec.` before the name say.
#[must_use]
pub fn tensor_name(model: &Model, tensor: &Tensor) -> Option<String> {
    if tensor.role == Role::Other {
        return None;
    }
    let stack = match tensor.stack {
        _ if model.cross_attention.is_empty() => "",
        Stack::Encoder => "enc.",
        Stack::Decoder | Stack::Head => "dec.",
    };
    let layer = tensor
        .layer
        .map(|layer| format!("{stack}blk.{layer}."))
        .unwrap_or_default();
    let stem = tensor.role.stem();
    let suffix = match tensor.role {
        _ if tensor.bias => ".bias",
        // These are stored under their bare names.
        Role::SsmA | Role::FfnDownExpertsScale | Role::FfnGateInputScale => "",
        _ => ".weight",
    };
    Some(format!("{layer}{stem}{suffix}"))
}

/// A file's stem without the number of its part: `model-00001-of-00003` is `model`.
pub(super) fn without_part(stem: &str) -> &str {
    let digits = |text: &str| text.len() == 5 && text.bytes().all(|byte| byte.is_ascii_digit());
    let parts = stem
        .rsplit_once("-of-")
        .and_then(|(before, count)| Some((before.rsplit_once('-')?, count)));
    match parts {
        Some(((name, number), count)) if digits(number) && digits(count) => name,
        _ => stem,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_stack_layer_stem_and_suffix() {
        let name = TensorName::parse("dec.blk.12.cross_attn_q.bias");
        assert_eq!(
            (name.stack, name.layer, name.stem, name.bias),
            (Some(Stack::Decoder), Some(12), "cross_attn_q", true)
        );
        let name = TensorName::parse("blk.0.ssm_a");
        assert_eq!(
            (name.stack, name.layer, name.stem, name.bias),
            (None, Some(0), "ssm_a", false)
        );
        let name = TensorName::parse("token_embd.weight");
        assert_eq!((name.layer, name.role()), (None, Role::TokenEmbedding));
        // No number, or one beyond any: a tensor of no layer with a name of its own.
        assert_eq!(TensorName::parse("blk.x.attn_q.weight").stem, "blk.x.attn_q");
        assert_eq!(TensorName::parse("blk.99999999999999999999.attn_q").layer, None);
    }

    #[test]
    fn the_number_of_a_part_is_no_part_of_the_id() {
        assert_eq!(without_part("qwen-7b-q8_0-00001-of-00003"), "qwen-7b-q8_0");
        assert_eq!(without_part("one-of-many"), "one-of-many");
    }
}
