#![allow(clippy::unwrap_used)]

use super::*;
use crate::model::{Mixer, Stack, Use};

/// Two layers, four heads of 4 elements, two of them for keys and values.
fn small() -> Dimensions {
    Dimensions {
        layers: 2,
        hidden_size: 16,
        feed_forward_size: 32,
        heads: 4,
        kv_heads: Some(2),
        vocabulary_size: 100,
        ..Dimensions::default()
    }
}

fn build(family: Family, dimensions: &Dimensions) -> Model {
    family.model("small", "Small", dimensions).unwrap()
}

#[test]
fn a_llama_is_the_sum_of_its_matrices_and_norms() {
    // A layer: q and output 2·16·16, k and v 2·16·8, three of 16·32, two norms of 16. Around: embedding, norm, head.
    let layer = 2 * 256 + 2 * 128 + 3 * 512 + 2 * 16;
    let model = build(Family::Llama, &small());
    assert_eq!(model.parameters(), 2 * layer + 1600 + 16 + 1600);
    let tied = build(
        Family::Llama,
        &Dimensions {
            tied_embeddings: true,
            ..small()
        },
    );
    assert_eq!(tied.parameters(), 2 * layer + 1600 + 16);
    assert_eq!(tied.tensors[0].usage, Use::LookUpAndMultiply);
}

#[test]
fn rope_tables_are_in_the_file_and_no_parameters() {
    let with = Dimensions {
        rope_factors: Some(crate::model::RopeFactors::Frequencies),
        ..small()
    };
    let (plain, with) = (build(Family::Llama, &small()), build(Family::Llama, &with));
    assert_eq!(with.tensors.len(), plain.tensors.len() + 1);
    assert_eq!(with.parameters(), plain.parameters());
}

#[test]
fn names_are_those_of_a_gguf() {
    let model = build(Family::Qwen2, &small());
    let names: Vec<String> = model.tensors.iter().map(|tensor| model.tensor_name(tensor)).collect();
    assert_eq!(
        names[..9],
        [
            "token_embd.weight",
            "output_norm.weight",
            "output.weight",
            "blk.0.attn_norm.weight",
            "blk.0.attn_q.weight",
            "blk.0.attn_q.bias",
            "blk.0.attn_k.weight",
            "blk.0.attn_k.bias",
            "blk.0.attn_v.weight"
        ]
    );
    let t5 = build(
        Family::T5,
        &Dimensions {
            kv_heads: None,
            relative_attention_buckets: Some(8),
            ..small()
        },
    );
    let names: Vec<String> = t5.tensors.iter().map(|tensor| t5.tensor_name(tensor)).collect();
    assert!(names.contains(&"enc.blk.1.attn_o.weight".to_owned()));
    assert!(names.contains(&"dec.blk.0.attn_rel_b.weight".to_owned()));
    assert!(names.contains(&"dec.blk.1.cross_attn_q.weight".to_owned()));
    assert_eq!((t5.mixers.len(), t5.cross_attention.len()), (4, 2));
}

#[test]
fn a_window_leaves_every_nth_layer_with_full_attention() {
    let windows = |family| -> Vec<Option<u64>> {
        let dimensions = Dimensions {
            layers: 4,
            sliding_window: Some(8),
            full_attention_every: Some(2),
            ..small()
        };
        build(family, &dimensions)
            .mixers
            .iter()
            .map(|mixer| match mixer {
                Mixer::Attention(attention) => attention.window,
                Mixer::Recurrent(_) => panic!("recurrent"),
            })
            .collect()
    };
    assert_eq!(windows(Family::Gemma2), [Some(8), None, Some(8), None]);
}

#[test]
fn the_state_of_a_delta_net_is_what_llama_cpp_keeps() {
    let dimensions = Dimensions {
        full_attention_every: Some(2),
        convolution_length: Some(4),
        linear_key_heads: Some(2),
        linear_value_heads: Some(4),
        linear_key_head_dim: Some(8),
        linear_value_head_dim: Some(8),
        ..small()
    };
    let model = build(Family::Qwen35, &dimensions);
    let Mixer::Recurrent(recurrent) = model.mixers[0] else {
        panic!("attention")
    };
    // (4 − 1)·(4·8 + 2·2·8) and 8·(4·8)
    assert_eq!((recurrent.convolution_state, recurrent.recurrent_state), (192, 256));
    assert!(matches!(model.mixers[1], Mixer::Attention(_)));
}

#[test]
fn what_a_shared_cache_makes_idle_is_marked_unread() {
    let dimensions = Dimensions {
        layers: 4,
        shared_kv_layers: Some(2),
        ..small()
    };
    let model = build(Family::Gemma4, &dimensions);
    let unread: Vec<_> = model
        .tensors
        .iter()
        .filter(|tensor| tensor.usage == Use::Unread)
        .collect();
    assert_eq!(unread.len(), 6);
    assert!(unread.iter().all(|tensor| tensor.layer >= Some(2)));
}

#[test]
fn an_encoder_belongs_to_the_prompt_and_experts_are_shared_out() {
    let bert = build(
        Family::Bert,
        &Dimensions {
            kv_heads: None,
            context_length: Some(10),
            ..small()
        },
    );
    assert!(bert.tensors.iter().all(|tensor| tensor.stack == Stack::Encoder));
    let mixture = Dimensions {
        experts: Some(8),
        experts_used: Some(2),
        ..small()
    };
    let model = build(
        Family::GptOss,
        &Dimensions {
            head_dim: Some(4),
            ..mixture
        },
    );
    let biases = model
        .tensors
        .iter()
        .find(|tensor| tensor.role == Role::FfnUpExperts && tensor.bias)
        .unwrap();
    assert_eq!((biases.shape(), biases.active_share()), (vec![32, 8], 0.25));
}

#[test]
fn what_a_family_cannot_do_without_is_named() {
    let error = Family::Qwen3Moe.model("x", "x", &small()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the family `qwen3moe` needs `experts`, which is not given"
    );
}
