//! The catalogue's models against what is published about them.

use edgeprof::model::{Model, ModelFile};
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

#[test]
fn every_model_has_its_published_number_of_parameters() {
    for (file, model) in catalogue() {
        if let Some(parameters) = file.published.parameters {
            assert_eq!(model.parameters(), parameters, "{}", model.id);
        }
        assert!(
            file.published.parameters_source.is_some(),
            "{}: no source, nor why there is no count",
            model.id
        );
    }
}
