//! The catalogue's models against what is published about them.

use edgeprof::model::{Family, Model, ModelFile, Size, read_config};
use edgeprof::quant::Mix;
use std::path::Path;

/// Every file of the catalogue, with its id and model.
fn catalogue() -> Vec<(ModelFile, Model)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("models");
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
        .iter()
        .map(|path| {
            let id = path.file_stem().unwrap().to_str().unwrap();
            let file = ModelFile::parse(&std::fs::read_to_string(path).unwrap())
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let model = file
                .model(id)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            (file, model)
        })
        .collect()
}

/// What differs, all of it at once.
fn assert_none(differences: &[String]) {
    assert!(differences.is_empty(), "\n{}", differences.join("\n"));
}

#[test]
fn every_model_has_its_published_number_of_parameters() {
    let mut differences = Vec::new();
    for (file, model) in catalogue() {
        assert!(
            file.published.parameters_source.is_some(),
            "{}: no source, nor why there is no count",
            model.id
        );
        if let Some(published) = file
            .published
            .parameters
            .filter(|&published| published != model.parameters())
        {
            differences.push(format!(
                "{}: {} computed, {published} published",
                model.id,
                model.parameters()
            ));
        }
        if let Some(published) = file.published.parameters_rounded {
            let printed = printed_as(model.parameters(), &published);
            if printed != published {
                differences.push(format!("{}: {printed} computed, {published} published", model.id));
            }
        }
    }
    assert_none(&differences);
}

/// A count as a published figure such as `4.58 GiB` prints it: in its unit, with as many decimals.
fn printed_as(count: u64, published: &str) -> String {
    let (number, unit) = published.split_once(' ').unwrap();
    let factor = match unit {
        "MiB" => 1_048_576.0,
        "GiB" => 1_073_741_824.0,
        "MB" | "M" => 1e6,
        "GB" | "B" => 1e9,
        _ => panic!("unknown unit in `{published}`"),
    };
    let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len());
    format!("{:.decimals$} {unit}", count as f64 / factor)
}

#[test]
fn every_model_has_its_published_sizes() {
    let mut differences = Vec::new();
    let mut compared = 0;
    for (file, model) in catalogue() {
        for (precision, published) in &file.published.sizes {
            let mix: Mix = precision.parse().unwrap();
            let bytes: u64 = mix
                .block_types(&model)
                .iter()
                .zip(&model.tensors)
                .map(|(block, tensor)| block.tensor_bytes(tensor).unwrap())
                .sum();
            let (computed, stated) = match &published.size {
                Size::Exact(stated) => (bytes.to_string(), stated.to_string()),
                Size::Rounded(text) => (printed_as(bytes, text), text.clone()),
            };
            compared += 1;
            if computed != stated {
                differences.push(format!(
                    "{} {precision}: {computed} computed, {stated} published",
                    model.id
                ));
            }
        }
    }
    assert!(compared > 60, "only {compared} sizes");
    assert_none(&differences);
}

#[test]
fn a_config_json_gives_the_model_of_the_catalogue() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/configs");
    let mut families = std::collections::BTreeSet::new();
    for (_, model) in catalogue() {
        let path = folder.join(format!("{}.json", model.id));
        if !path.exists() {
            continue;
        }
        let read = read_config(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        families.insert(read.family.unwrap().name());
        assert_eq!(read.id, model.id);
        // The two may state the same thing in other words (a head size, a rule for layers): the models must be the same.
        // What others publish of a model is in no config.json.
        let (name, dimensions, quality) = (model.name.clone(), model.dimensions.clone(), model.quality.clone());
        assert_eq!(
            Model {
                name,
                dimensions,
                quality,
                ..read
            },
            model
        );
    }
    let missing: Vec<_> = Family::ALL
        .iter()
        .map(|family| family.name())
        .filter(|name| !families.contains(name))
        .collect();
    assert_eq!(missing, ["mistral3"], "families without a config.json among the tests");
}

#[test]
fn a_config_json_or_its_folder_is_a_model_of_the_catalog() {
    let catalog = edgeprof::catalog::Catalog::builtin();
    let folder = std::env::temp_dir().join(format!("edgeprof-checkpoint-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let text = include_str!("../data/configs/smollm2-135m.json");
    let file = folder.join("config.json");
    assert!(catalog.model(folder.to_str().unwrap()).is_err());
    std::fs::write(&file, text).unwrap();
    for path in [&folder, &file] {
        let entry = catalog.model(path.to_str().unwrap()).unwrap();
        assert_eq!(entry.value.parameters(), 134_515_008);
        assert_eq!(entry.value.id, folder.file_name().unwrap().to_str().unwrap());
    }
    std::fs::remove_dir_all(&folder).unwrap();
}

#[test]
fn no_two_models_answer_to_one_name() {
    let mut owners = std::collections::BTreeMap::new();
    let mut models = 0;
    for (file, model) in catalogue() {
        models += 1;
        for name in file.aliases.iter().chain([&model.id]) {
            assert_eq!(*name, name.to_lowercase(), "{}", model.id);
            let other = owners.insert(name.clone(), model.id.clone());
            assert_eq!(other, None, "`{name}` names {} too", model.id);
        }
    }
    assert!(models >= 130, "{models}");
}

#[test]
fn the_models_of_the_paper_have_its_shape_and_context() {
    for (id, parameters) in [
        // 24·4·2048² + 24·2·2048·8192 + 2·50257·2048
        ("edgeprofiler-tinyllama", 1_413_812_224),
        ("edgeprofiler-gemma3-1b", 1_413_812_224),
        ("edgeprofiler-llama3.2-1b", 1_413_812_224),
        // 26·4·2304² + 26·2·2304·9216 + 2·50257·2304
        ("edgeprofiler-deepseek-r1-1.5b", 1_887_810_048),
    ] {
        let catalogue = catalogue();
        let (_, model) = catalogue.iter().find(|(_, model)| model.id == id).unwrap();
        let paper = model.paper;
        let (layers, hidden) = (paper.layers, paper.hidden_size);
        let equation_7 = layers * 4 * hidden * hidden
            + layers * 2 * hidden * paper.feed_forward_size
            + 2 * paper.vocabulary_size * hidden;
        assert_eq!((equation_7, model.paper_context), (parameters, Some(1024)), "{id}");
    }
}

#[test]
fn a_mistake_in_a_model_file_is_shown_with_its_line_and_a_caret() {
    let text = include_str!("../../models/tinyllama.toml");
    let error = ModelFile::parse(&text.replace("layers = 22", "layers = -22"))
        .unwrap_err()
        .to_string();
    assert!(error.contains("layers = -22") && error.contains("^^^"), "{error}");
    let error = ModelFile::parse(&text.replace("layers = 22", "leyers = 22"))
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("unknown field `leyers`") && error.contains("^^^^^^"),
        "{error}"
    );
    let zero = ModelFile::parse(&text.replace("layers = 22", "layers = 0")).unwrap();
    assert_eq!(
        zero.model("zero").unwrap_err().to_string(),
        "zero: `layers` is 0; it must be at least 1"
    );
}
