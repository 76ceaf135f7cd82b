//! Every mix of every model against what llama.cpp's own quantiser answers, to the byte and to the number of tensors of each type.

use edgeprof::model::{Attention, Dimensions, Family, Mixer, Model, Recurrent, Role, Stack, Tensor, Use};
use edgeprof::quant::{BlockType, Mix};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The rows of a CSV file below its comments and header, cut at commas.
fn rows(file: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    let lines = file.lines().filter(|line| !line.starts_with('#')).skip(1);
    lines.map(|line| line.split(',').collect())
}

/// Bytes of all tensors, and the number of tensors of each type as `Q4_K:135 Q6_K:21`, sorted, in capitals.
fn outcome(model: &Model, types: &[BlockType]) -> (u64, String) {
    let mut counts = BTreeMap::new();
    let mut bytes = 0;
    for (tensor, block) in model.tensors.iter().zip(types) {
        bytes += block.tensor_bytes(tensor).unwrap();
        *counts.entry(block.name().to_ascii_uppercase()).or_insert(0_u32) += 1;
    }
    let listed: Vec<String> = counts.iter().map(|(name, count)| format!("{name}:{count}")).collect();
    (bytes, listed.join(" "))
}

/// The counts as [`outcome`] writes them.
fn normalised(types: &str) -> String {
    let mut types: Vec<String> = types.split(' ').map(str::to_ascii_uppercase).collect();
    types.sort();
    types.join(" ")
}

#[test]
fn families_take_the_bytes_that_the_quantiser_gives() {
    let mut checked = 0;
    for row in rows(include_str!("../data/sizes.csv")) {
        let number = |at: usize| row[at].parse::<u64>().unwrap();
        let family = Family::ALL.iter().find(|family| family.name() == row[1]).unwrap();
        let dimensions = Dimensions {
            layers: number(2),
            hidden_size: number(3),
            feed_forward_size: number(4),
            heads: number(5),
            kv_heads: Some(number(6)),
            head_dim: Some(number(7)),
            vocabulary_size: number(8),
            tied_embeddings: row[9] == "True",
            ..Dimensions::default()
        };
        let model = family.model(row[0], row[0], &dimensions).unwrap();
        assert_eq!(model.parameters(), number(11), "{}", row[0]);
        let mix: Mix = row[10].parse().unwrap();
        let expected = (number(12), normalised(row[14]));
        assert_eq!(
            outcome(&model, &mix.block_types_given(&model, false)),
            expected,
            "{} {mix}",
            row[0]
        );
        checked += 1;
    }
    assert_eq!(checked, 85);
}

/// A model of `quantizer-models.toml`.
#[derive(Deserialize)]
struct Listed {
    architecture: String,
    metadata: toml::Table,
    /// What the family of that architecture needs; none if there is no such family.
    dimensions: Option<Dimensions>,
    tensors: String,
}

impl Listed {
    /// A number of the metadata, or the `at`th of a list; `absent` if there is none.
    fn number(&self, key: &str, at: usize, absent: u64) -> u64 {
        let value = self.metadata.get(key);
        let value = value.map(|value| value.as_array().map_or(value, |list| &list[at]));
        value.map_or(absent, |value| value.as_integer().unwrap() as u64)
    }

    fn mixer(&self, layer: usize) -> Mixer {
        let kv_heads = self.number("attention.head_count_kv", layer, 0);
        let delta_net = matches!(self.architecture.as_str(), "qwen35" | "qwen35moe" | "qwen3next") && layer % 4 != 3;
        if kv_heads == 0 || delta_net {
            return Mixer::Recurrent(Recurrent {
                convolution_state: 0,
                recurrent_state: 0,
                flops_per_token: 0,
            });
        }
        Mixer::Attention(Attention {
            heads: self.number("attention.head_count", layer, 0),
            kv_heads,
            key_length: 1,
            value_length: 1,
            window: None,
            shares_cache: false,
            bidirectional: false,
        })
    }

    /// The model as read from an F16 file (with `stored` types) or known by its tensors alone.
    fn model(&self, from_file: bool) -> Model {
        let any = Dimensions {
            layers: 1,
            hidden_size: 1,
            feed_forward_size: 1,
            heads: 1,
            vocabulary_size: 1,
            ..Dimensions::default()
        };
        let mut model = Family::Llama.model("listed", "Listed", &any).unwrap();
        model.architecture.clone_from(&self.architecture);
        model.experts = self.number("expert_count", 0, 0);
        let layers = self.number("block_count", 0, 0) as usize;
        model.mixers = (0..layers).map(|layer| self.mixer(layer)).collect();
        model.tensors = self.tensors.lines().flat_map(|line| tensors(line, from_file)).collect();
        model
    }
}

/// What identifies a tensor in a file, and its shape.
fn identity(tensor: &Tensor, two_stacks: bool) -> String {
    let stack = if two_stacks && tensor.layer.is_some() {
        format!("{:?} ", tensor.stack)
    } else {
        String::new()
    };
    let (columns, rows, experts) = (tensor.columns, tensor.rows, tensor.experts);
    let bias = if tensor.bias { " bias" } else { "" };
    format!(
        "{stack}{:?} {:?}{bias} {columns} x {rows} x {experts}",
        tensor.role, tensor.layer
    )
}

/// The layers of `0-2,7`.
fn layers(list: &str) -> Vec<Option<u32>> {
    let range = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        first.parse::<u32>().unwrap()..=last.parse().unwrap()
    };
    list.split(',').flat_map(range).map(Some).collect()
}

/// The tensors that a line stands for: name, dimensions, `f32`.
fn tensors(line: &str, from_file: bool) -> Vec<Tensor> {
    let words: Vec<&str> = line.split(' ').collect();
    let shape: Vec<u64> = words[1..].iter().filter_map(|word| word.parse().ok()).collect();
    let single = shape.len() == 1 || words.last() == Some(&"f32");
    let (stack, name) = match words[0].split_once('.') {
        Some(("enc", rest)) if rest.starts_with("blk") => (Stack::Encoder, rest),
        Some(("dec", rest)) if rest.starts_with("blk") => (Stack::Decoder, rest),
        _ => (Stack::Decoder, words[0]),
    };
    let (layers, name) = match name.strip_prefix("blk.").and_then(|rest| rest.split_once('.')) {
        Some((list, name)) => (layers(list), name),
        None => (vec![None], name),
    };
    let bias = name.ends_with(".bias");
    let stem = name.trim_end_matches(".weight").trim_end_matches(".bias");
    let role = Role::from_stem(stem);
    assert_ne!(role, Role::Other, "{stem}");
    let stack_of_vectors = bias && shape.len() == 2;
    let tensor = |layer| Tensor {
        role,
        layer,
        bias,
        columns: shape[0],
        rows: if stack_of_vectors {
            1
        } else {
            shape.get(1).copied().unwrap_or(1)
        },
        experts: if stack_of_vectors {
            shape[1]
        } else {
            shape.get(2).copied().unwrap_or(1)
        },
        experts_used: 1,
        dimensions: shape.len() as u8,
        usage: Use::Multiply,
        stack,
        stored: from_file.then_some(if single { BlockType::F32 } else { BlockType::F16 }),
    };
    layers.into_iter().map(tensor).collect()
}

fn listed() -> BTreeMap<String, Listed> {
    toml::from_str(include_str!("../data/quantizer-models.toml")).unwrap()
}

#[test]
fn every_architecture_takes_the_bytes_that_the_quantiser_gives() {
    let models: BTreeMap<String, Model> = listed()
        .into_iter()
        .map(|(name, listed)| (name, listed.model(true)))
        .collect();
    let (mut checked, mut wrong) = (0, Vec::new());
    for row in rows(include_str!("../data/sizes-extended.csv")) {
        let [name, importance_matrix, mix, bytes, types] = row[..] else {
            panic!("{row:?}");
        };
        if bytes.is_empty() {
            continue;
        }
        let model = &models[name];
        let mix: Mix = mix.parse().unwrap();
        let types_given = mix.block_types_given(model, importance_matrix == "true");
        let (expected, ours) = (
            (bytes.parse().unwrap(), normalised(types)),
            outcome(model, &types_given),
        );
        if ours != expected {
            wrong.push(format!(
                "{name} {mix} {importance_matrix}: {ours:?} and not {expected:?}"
            ));
        }
        checked += 1;
    }
    assert!(
        wrong.is_empty(),
        "{} of {checked} differ:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(checked > 1500, "{checked}");
}

#[test]
fn the_converter_keeps_in_single_precision_what_the_list_says() {
    for (name, listed) in listed() {
        let stored: Vec<_> = listed
            .model(true)
            .tensors
            .iter()
            .map(|tensor| tensor.stored.unwrap())
            .collect();
        assert_eq!(Mix::F16.block_types(&listed.model(false)), stored, "{name}");
    }
}

#[test]
fn families_list_the_tensors_of_the_file() {
    let mut checked = 0;
    for (name, listed) in listed() {
        let Some(dimensions) = &listed.dimensions else {
            continue;
        };
        let family = Family::ALL
            .iter()
            .find(|family| family.architecture() == listed.architecture)
            .unwrap();
        let built = family.model(&name, &name, dimensions).unwrap();
        let read = listed.model(false);
        let identities = |model: &Model| -> BTreeSet<String> {
            let two_stacks = listed.architecture == "t5";
            model
                .tensors
                .iter()
                .map(|tensor| identity(tensor, two_stacks))
                .collect()
        };
        let (ours, theirs) = (identities(&built), identities(&read));
        let only =
            |these: &BTreeSet<String>, those: &BTreeSet<String>| these.difference(those).take(5).cloned().collect();
        let differences: (Vec<String>, Vec<String>) = (only(&ours, &theirs), only(&theirs, &ours));
        assert_eq!(differences, (vec![], vec![]), "{name}: only built, only listed");
        assert_eq!(
            (built.tensors.len(), ours.len()),
            (read.tensors.len(), theirs.len()),
            "{name}"
        );
        for &mix in Mix::ALL {
            let (ours, theirs) = (
                outcome(&built, &mix.block_types(&built)),
                outcome(&read, &mix.block_types(&read)),
            );
            assert_eq!(ours, theirs, "{name} {mix}");
        }
        checked += 1;
    }
    assert!(checked >= 40, "{checked}");
}
