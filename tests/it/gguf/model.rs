//! Models from headers: architectures that are known, and those that are not.

use super::bytes::{Gguf, tiny};
use edgeprof::gguf::{NotAModel, parse};
use edgeprof::model::gguf::from_header;
use edgeprof::model::{Attention, Knowledge, Mixer, Model, Role, Stack, Use};
use edgeprof::quant::BlockType;
use std::io::Cursor;

fn model(file: &Gguf) -> Result<Model, NotAModel> {
    let bytes = file.finish();
    from_header(&parse(Cursor::new(&bytes), bytes.len() as u64).unwrap(), "file")
}

/// Two layers: one attends to a window, one is recurrent; two experts of four; an unknown tensor.
fn novel() -> Gguf {
    Gguf::new()
        .text("general.architecture", "novel")
        .number("novel.block_count", 2)
        .number("novel.embedding_length", 64)
        .number("novel.context_length", 512)
        .number("novel.attention.head_count", 4)
        .number("novel.attention.head_count_kv", 2)
        .number("novel.attention.sliding_window", 128)
        .numbers("novel.attention.sliding_window_pattern", &[1, 0])
        .number("novel.expert_count", 4)
        .number("novel.expert_used_count", 2)
        .number("novel.ssm.conv_kernel", 4)
        .number("novel.ssm.inner_size", 128)
        .number("novel.ssm.state_size", 16)
        .texts("tokenizer.ggml.tokens", &["a", "b", "c"])
        .tensor("token_embd.weight", &[64, 3], BlockType::Q8_0)
        .tensor("blk.0.attn_q.weight", &[64, 64], BlockType::Q8_0)
        .tensor("blk.0.attn_k.weight", &[64, 32], BlockType::Q8_0)
        .tensor("blk.0.attn_v.weight", &[64, 32], BlockType::F16)
        .tensor("blk.0.ffn_down_exps.weight", &[32, 64, 4], BlockType::Q4_0)
        .tensor("blk.0.ffn_down_exps.bias", &[64, 4], BlockType::F32)
        .tensor("blk.1.ssm_in.weight", &[64, 256], BlockType::Q8_0)
        .tensor("blk.1.invented_norm.weight", &[64], BlockType::F32)
        .tensor("blk.1.invented.weight", &[64, 8], BlockType::F16)
}

#[test]
fn an_unknown_architecture_gives_a_model_by_the_generic_rule() {
    let file = novel();
    let bytes = file.finish();
    let header = parse(Cursor::new(&bytes), bytes.len() as u64).unwrap();
    let model = model(&file).unwrap();
    assert_eq!(
        (model.architecture.as_str(), model.knowledge, model.family),
        ("novel", Knowledge::Generic, None)
    );
    let elements = [192, 4096, 2048, 2048, 8192, 256, 16384, 64, 512];
    assert_eq!(
        model.tensors.iter().map(|tensor| tensor.elements()).collect::<Vec<_>>(),
        elements
    );
    assert_eq!(model.parameters(), elements.iter().sum::<u64>());
    let stored = |tensor: &edgeprof::model::Tensor| tensor.stored.unwrap().tensor_bytes(tensor).unwrap();
    assert_eq!(model.tensors.iter().map(stored).sum::<u64>(), header.tensor_bytes());
    let experts = &model.tensors[4];
    assert_eq!(
        (experts.experts, experts.experts_used, experts.usage),
        (4, 2, Use::Multiply)
    );
    let biases = &model.tensors[5];
    assert_eq!(
        (biases.columns, biases.rows, biases.experts, biases.experts_used),
        (64, 1, 4, 2)
    );
    assert_eq!(
        (model.tensors[7].role, model.tensors[7].usage),
        (Role::Other, Use::Elementwise)
    );
    assert_eq!(
        (model.tensors[8].role, model.tensors[8].usage),
        (Role::Other, Use::Multiply)
    );
    // There is no head: the embedding is one too.
    assert_eq!(
        (model.tensors[0].usage, model.vocabulary_size),
        (Use::LookUpAndMultiply, 3)
    );
    assert_eq!(
        (model.hidden_size, model.feed_forward_size, model.context_length),
        (64, 32, Some(512))
    );
}

#[test]
fn mixers_of_an_unknown_architecture_follow_its_keys_and_tensors() {
    let mixers = model(&novel()).unwrap().mixers;
    let attention = Attention {
        heads: 4,
        kv_heads: 2,
        key_length: 16,
        value_length: 16,
        window: Some(128),
        shares_cache: false,
        bidirectional: false,
    };
    assert_eq!(mixers[0], Mixer::Attention(attention));
    let Mixer::Recurrent(recurrent) = mixers[1] else {
        panic!("{mixers:?}")
    };
    // (4 - 1) · 128 and 16 · 128 elements.
    assert_eq!((recurrent.convolution_state, recurrent.recurrent_state), (384, 2048));
}

#[test]
fn without_keys_the_tensors_alone_make_a_model() {
    let file = Gguf::new()
        .text("general.architecture", "bare")
        .tensor("token_embd.weight", &[64, 10], BlockType::F16)
        .tensor("output.weight", &[64, 10], BlockType::F16)
        .tensor("blk.0.attn_q.weight", &[64, 64], BlockType::F16)
        .tensor("blk.2.attn_k.weight", &[64, 32], BlockType::F16);
    let model = model(&file).unwrap();
    assert_eq!(
        (model.mixers.len(), model.hidden_size, model.vocabulary_size),
        (3, 64, 10)
    );
    assert_eq!(
        (model.tensors[0].usage, model.tensors[1].stack),
        (Use::LookUp, Stack::Head)
    );
    // The cache has the width of the key projection.
    assert!(matches!(model.mixers[2], Mixer::Attention(attention) if attention.kv_heads * attention.key_length == 32));
}

#[test]
fn layers_that_predict_further_tokens_do_not_run() {
    let file = novel().number("novel.nextn_predict_layers", 1);
    let model = model(&file).unwrap();
    assert_eq!(model.mixers.len(), 1);
    let mut last = model.tensors.iter().filter(|tensor| tensor.layer == Some(1));
    assert!(last.all(|tensor| tensor.usage == Use::Unread));
}

#[test]
fn a_known_architecture_with_an_unknown_tensor_is_known_generically() {
    assert_eq!(model(&tiny()).unwrap().knowledge, Knowledge::Exact);
    let strange = tiny().tensor("blk.0.invented.weight", &[32, 4], BlockType::F16);
    assert_eq!(model(&strange).unwrap().knowledge, Knowledge::Generic);
}

#[test]
fn llama_cpp_s_own_rules_give_the_windows_that_a_file_does_not_list() {
    for (architecture, layers, full) in [
        ("gemma3", 12, vec![5, 11]),
        ("cohere2moe", 8, vec![0, 4]),
        ("llama", 4, vec![0, 1, 2, 3]),
    ] {
        let mut file = Gguf::new()
            .text("general.architecture", architecture)
            .number(&format!("{architecture}.block_count"), layers)
            .number(&format!("{architecture}.attention.sliding_window"), 512)
            .tensor("token_embd.weight", &[64, 10], BlockType::F16);
        for layer in 0..layers {
            file = file.tensor(&format!("blk.{layer}.attn_k.weight"), &[64, 64], BlockType::F16);
        }
        let mixers = model(&file).unwrap().mixers;
        let sees_all = |mixer: &Mixer| matches!(mixer, Mixer::Attention(Attention { window: None, .. }));
        let found: Vec<usize> = (0..mixers.len()).filter(|&layer| sees_all(&mixers[layer])).collect();
        assert_eq!(found, full, "{architecture}");
    }
}

#[test]
fn what_is_no_language_model_is_refused() {
    assert_eq!(model(&Gguf::new()).unwrap_err(), NotAModel::NoArchitecture);
    let vocabulary = Gguf::new().text("general.architecture", "llama");
    assert_eq!(model(&vocabulary).unwrap_err(), NotAModel::NoTensors);
    let projector = Gguf::new().text("general.architecture", "clip");
    assert!(matches!(model(&projector), Err(NotAModel::Accessory { .. })));
    let adapter = tiny().text("general.type", "adapter");
    assert!(matches!(model(&adapter), Err(NotAModel::Accessory { .. })));
    let widthless = Gguf::new()
        .text("general.architecture", "x")
        .tensor("t", &[32], BlockType::F32);
    assert!(matches!(model(&widthless), Err(NotAModel::NoWidth { .. })));
}

#[test]
fn dimensions_beyond_any_model_are_refused() {
    let heads = tiny().number("llama.embedding_length", u32::MAX);
    assert!(matches!(model(&heads), Err(NotAModel::Dimension { .. })), "width");
    let with = |key: &str, value: u32| model(&novel().number(key, value)).unwrap_err();
    assert!(
        matches!(with("novel.feed_forward_length", u32::MAX), NotAModel::Dimension { .. }),
        "feed-forward"
    );
    assert!(
        matches!(with("novel.wkv.head_size", u32::MAX), NotAModel::Dimension { .. }),
        "state"
    );
    let layers = Gguf::new()
        .text("general.architecture", "x")
        .number("x.block_count", u32::MAX)
        .tensor("token_embd.weight", &[32, 2], BlockType::F32);
    assert_eq!(
        model(&layers).unwrap_err(),
        NotAModel::Layers {
            count: u32::MAX.into(),
            limit: 4096
        }
    );
    let named = tiny().tensor("blk.4294967295.attn_q.weight", &[32], BlockType::F32);
    assert!(matches!(model(&named), Err(NotAModel::Layers { .. })));
}
