//! Names and lists as people type them, and what of a question a model can answer.

use super::cli::{edgeprof, run};
use serde_json::Value;

/// The rows of `predict --format json`.
fn rows(arguments: &str) -> Vec<Value> {
    let output = edgeprof()
        .args(["predict", "--format", "json"])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "", "{arguments}");
    let mut document: Value = serde_json::from_slice(&output.stdout).unwrap();
    serde_json::from_value(document["predictions"].take()).unwrap()
}

#[test]
fn names_are_the_same_in_any_case() {
    let lower = "--model tinyllama --hw orin-nano-super --prec q4_k_m --backend cpu --power-mode maxn --kv-type q8_0";
    let upper = "--model TinyLlama --hw ORIN-Nano-Super --prec Q4_K_M --backend CPU --power-mode MAXN --kv-type Q8_0";
    assert_eq!(rows(lower), rows(upper));
    let rows = run("list precisions --format CSV");
    assert_eq!(rows.lines().skip(1).collect::<Vec<_>>(), {
        run("list precisions --format csv")
            .lines()
            .skip(1)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
}

#[test]
fn power_modes_are_listed_like_every_other_name() {
    let both = rows("--model tinyllama --hw orin-nano-super --prec q4_0,q8_0 --power-mode 7W,15w");
    let asked: Vec<_> = both.iter().map(|row| (&row["power_mode"], &row["precision"])).collect();
    let text = Value::from;
    assert_eq!(
        asked,
        [
            (&text("7W"), &text("q4_0")),
            (&text("7W"), &text("q8_0")),
            (&text("15W"), &text("q4_0")),
            (&text("15W"), &text("q8_0")),
        ]
    );
    assert_eq!(
        both[2..],
        rows("--model tinyllama --hw orin-nano-super --prec q4_0,q8_0 --power-mode 15W")
    );
    let wrong = run("predict --model tinyllama --hw orin-nano-super --power-mode 7W,warp");
    assert!(
        wrong.contains("has no power mode `warp`") && wrong.ends_with("exit 1"),
        "{wrong}"
    );
}

#[test]
fn a_model_that_only_encodes_is_asked_to_generate_nothing() {
    for model in ["bert-base", "distilbert-base"] {
        let [asked, plain] = ["", "--generate 0"].map(|generate| rows(&format!("--model {model} --hw pi5 {generate}")));
        assert_eq!(asked, plain);
        let row = &asked[0];
        assert_eq!(
            (&row["workload"]["generate"], &row["workload"]["context"]),
            (&0.into(), &512.into())
        );
        // The energy of a token is that of a prompt's: there is no other.
        assert_eq!(row["energy_j_per_token"], row["prefill_energy_j_per_token"]);
        assert!(row["decode_tokens_per_s"].is_null() && row["prefill_tokens_per_s"].is_f64());
    }
}

#[test]
fn weights_are_repacked_for_cpus_alone() {
    let repacked = |backend: &str| {
        rows(&format!(
            "--model tinyllama --hw orin-nano --prec q4_0 --backend {backend}"
        ))[0]["repacked_bytes"]
            .clone()
    };
    assert!(repacked("cpu").as_u64().is_some_and(|bytes| bytes > 0));
    assert_eq!(repacked("cuda"), Value::Null);
}

#[test]
fn more_layers_than_there_are_is_all_of_them() {
    let [all, most] = ["", "--gpu-layers 99"].map(|layers| {
        let mut row = rows(&format!("--model tinyllama --hw orin-nano --prec q4_0 {layers}")).remove(0);
        row["workload"]["gpu_layers"] = Value::Null;
        row
    });
    assert_eq!(all, most);
    let screen = |layers: u64| {
        run(&format!(
            "predict --model tinyllama --hw orin-nano --prec q4_0 --gpu-layers {layers}"
        ))
    };
    assert!(screen(99).contains(", all layers on the GPU"));
    assert!(screen(7).contains(", 7 layers on the GPU"));
}

#[test]
fn the_folder_of_a_config_is_a_model_by_its_bare_name() {
    let folder = tempfile::tempdir().unwrap();
    let config = r#"{"model_type": "llama", "hidden_size": 256, "intermediate_size": 512, "num_attention_heads": 4,
        "num_hidden_layers": 2, "num_key_value_heads": 2, "vocab_size": 1000}"#;
    for name in ["mine", "tinyllama"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
        std::fs::write(folder.path().join(name).join("config.json"), config).unwrap();
    }
    let parameters = |model: &str| {
        let output = edgeprof()
            .current_dir(folder.path())
            .args(["predict", "--hw", "pi5", "--format", "json", "--model", model])
            .output()
            .unwrap();
        let document: Value = serde_json::from_slice(&output.stdout).unwrap();
        document["predictions"][0]["parameters"].as_u64().unwrap()
    };
    assert_eq!(parameters("mine"), parameters("./mine"));
    // What the catalogue has comes first, and a path is a path.
    assert_eq!(parameters("tinyllama"), 1_100_048_384);
    assert_eq!(parameters("./tinyllama"), parameters("mine"));
}

#[test]
fn none_is_no_number_of_picks() {
    assert!(run("recommend --hw pi5 --top 0").ends_with("exit 2"));
    assert!(run("recommend --hw pi5 --model bert-base").contains("only encodes"));
}

/// Blocks of 256 cells weigh most just past their end, on several threads, in a cache of floats.
#[test]
fn what_builds_that_split_the_cache_make_is_said_where_it_tells() {
    let noted = |more: &str| {
        let work = "--model tinyllama --hw pi5 --prec q4_0 --prompt 8 --generate 8";
        let rows = rows(&format!("{work} {more}"));
        let notes = rows[0]["basis"]["notes"].as_array().unwrap();
        notes
            .iter()
            .any(|note| note.as_str().unwrap().contains("split the cache"))
    };
    assert!(noted("--depth 260"));
    for without in [
        "--depth 16",
        "--depth 260 --threads 1",
        "--depth 260 --kv-type q8_0",
        "--depth 260 --sequences 2",
    ] {
        assert!(!noted(without), "{without}");
    }
}
