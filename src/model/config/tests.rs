#![allow(clippy::unwrap_used)]

use super::*;

/// What is said about a config.json.
fn refusal(text: &str) -> String {
    parse_config("test", text).unwrap_err().to_string()
}

#[test]
fn an_architecture_that_is_not_known_is_refused_by_name_with_those_that_are() {
    let message = refusal(r#"{"model_type": "starfish", "architectures": ["StarfishForCausalLM"]}"#);
    assert!(
        message.starts_with("the architecture `starfish` is not known; those that are: llama, mistral, "),
        "{message}"
    );
    assert!(message.contains("gemma3_text") && message.contains("t5"), "{message}");
    let message = refusal(r#"{"architectures": ["StarfishForCausalLM"]}"#);
    assert!(
        message.starts_with("the architecture `StarfishForCausalLM` is not known"),
        "{message}"
    );
    let message = refusal(r#"{"model_type": "gemma3", "text_config": {"model_type": "starfish"}}"#);
    assert!(message.starts_with("the architecture `starfish`"), "{message}");
    assert_eq!(
        refusal("{}"),
        "neither `model_type` nor `architectures` says what the model is"
    );
}

#[test]
fn what_is_no_object_of_the_right_types_is_refused() {
    assert!(refusal("").starts_with("not JSON: "));
    assert!(refusal("[1, 2]").starts_with("not an object"));
    assert!(refusal(&"[".repeat(100_000)).starts_with("not JSON: "));
    let llama = |key: &str, value: &str| refusal(&format!(r#"{{"model_type": "llama", "{key}": {value}}}"#));
    assert_eq!(
        llama("num_hidden_layers", "\"32\""),
        "`num_hidden_layers` must be a whole number of 0 or more, not \"32\""
    );
    assert_eq!(
        llama("hidden_size", "-4096"),
        "`hidden_size` must be a whole number of 0 or more, not -4096"
    );
    assert_eq!(
        llama("hidden_size", "4096.5"),
        "`hidden_size` must be a whole number of 0 or more, not 4096.5"
    );
    assert_eq!(
        llama("vocab_size", "[[]]"),
        "`vocab_size` must be a whole number of 0 or more, not a list"
    );
    assert_eq!(
        llama("tie_word_embeddings", "1"),
        "`tie_word_embeddings` must be true or false, not 1"
    );
    assert_eq!(llama("rope_scaling", "8"), "`rope_scaling` must be an object, not 8");
}

#[test]
fn impossible_dimensions_are_refused() {
    let llama = |key: &str, value: &str| refusal(&format!(r#"{{"model_type": "llama", "{key}": {value}}}"#));
    assert_eq!(llama("num_hidden_layers", "0"), "`layers` is 0; it must be at least 1");
    assert_eq!(
        llama("num_hidden_layers", "4000000000"),
        "`layers` is 4000000000; the most that is accepted is 10000"
    );
    assert_eq!(llama("num_attention_heads", "0"), "`heads` is 0; it must be at least 1");
    assert_eq!(
        llama("num_key_value_heads", "5"),
        "`heads` 32 is not a multiple of `kv_heads` 5"
    );
    assert_eq!(
        llama("hidden_size", "4097"),
        "`hidden_size` 4097 is not a multiple of `heads` 32; state `head_dim`"
    );
    assert_eq!(
        llama("vocab_size", "18446744073709551615"),
        "`vocabulary_size` is 18446744073709551615; the most that is accepted is 268435456"
    );
    let message = refusal(
        r#"{"model_type": "llama", "num_hidden_layers": 10000, "hidden_size": 16777216, "intermediate_size": 16777216}"#,
    );
    assert!(
        message.starts_with("these dimensions give ") && message.contains("the most that is accepted"),
        "{message}"
    );
}

#[test]
fn layer_types_must_be_one_a_layer() {
    let message = refusal(r#"{"model_type": "gemma2", "layer_types": ["full_attention"]}"#);
    assert_eq!(message, "`layer_types` has 1 entries for 26 layers");
    let message = refusal(r#"{"model_type": "lfm2", "full_attn_idxs": [2, 99]}"#);
    assert_eq!(message, "`full_attention_layers` 99 is more than `layers - 1` 31");
}

#[test]
fn mixtures_whose_dense_layers_are_not_described_are_refused() {
    assert_eq!(
        refusal(r#"{"model_type": "qwen3_moe", "decoder_sparse_step": 2}"#),
        "`decoder_sparse_step` is 2; only 1 is supported for `qwen3_moe`"
    );
    assert_eq!(
        refusal(r#"{"model_type": "mixtral", "num_experts_per_tok": 9}"#),
        "`experts_used` 9 is more than `experts` 8"
    );
}

#[test]
fn every_architecture_has_values_for_absent_keys_that_make_a_model() {
    for known in KNOWN {
        let text = format!(r#"{{"model_type": "{}"}}"#, known.model_type);
        let model =
            parse_config(known.model_type, &text).unwrap_or_else(|error| panic!("{}: {error}", known.model_type));
        assert!(model.parameters() > 0);
        assert_eq!(model.family, Some(known.family));
    }
}

#[test]
fn a_file_is_read_no_further_than_a_config_json_can_be_long() {
    let path = std::env::temp_dir().join(format!("edgeprof-config-{}.json", std::process::id()));
    std::fs::write(&path, vec![b' '; 2 << 20]).unwrap();
    assert!(matches!(read_config(&path), Err(ConfigError::TooLarge { .. })));
    std::fs::remove_file(&path).unwrap();
    assert!(matches!(read_config(&path), Err(ConfigError::Read { .. })));
}
