//! What predictions are called in a figure: what tells them apart, and no more.

use crate::output::Record;

/// The parts of a prediction's name, in the order in which they are read.
fn parts(record: &Record) -> [String; 5] {
    [
        record.model.clone(),
        record.hardware.clone(),
        record.backend.name().to_owned(),
        record.power_mode.clone().unwrap_or_default(),
        record.precision.to_string(),
    ]
}

/// A name for every record, of the parts in which the records differ. Where they differ in nothing the names are empty.
pub(super) fn apart(records: &[&Record]) -> Vec<String> {
    let all: Vec<[String; 5]> = records.iter().map(|record| parts(record)).collect();
    let differs: Vec<usize> = (0..5)
        .filter(|&part| all.iter().any(|names| names[part] != all[0][part]))
        .collect();
    // The backend is said by the device where each has but one.
    let needed: Vec<usize> = differs
        .iter()
        .copied()
        .filter(|&part| {
            !matches!(part, 2 | 3)
                || all
                    .iter()
                    .any(|a| all.iter().any(|b| a[1] == b[1] && a[part] != b[part]))
        })
        .collect();
    all.iter()
        .map(|names| {
            needed
                .iter()
                .map(|&part| names[part].as_str())
                .filter(|name| !name.is_empty())
                .collect::<Vec<_>>()
                .join(", ")
        })
        .collect()
}

/// The distinct names in the order in which they come.
pub(super) fn distinct<T: PartialEq>(names: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}
