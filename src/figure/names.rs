//! What predictions are called in a figure: what tells them apart, and no more.

use crate::output::Record;

/// What the names of all models and all devices begin with, up to a hyphen (`edgeprofiler-`): it says whose entries they are and tells
/// none from another.
pub(super) fn namespace<'a>(records: impl IntoIterator<Item = &'a Record>) -> &'a str {
    let mut names = records
        .into_iter()
        .flat_map(|record| [record.model.as_str(), record.hardware.as_str()]);
    let Some(first) = names.next() else { return "" };
    let prefix = first.find('-').map_or("", |hyphen| &first[..=hyphen]);
    if names.all(|name| name.starts_with(prefix)) {
        prefix
    } else {
        ""
    }
}

/// A name without the namespace.
pub(super) fn short<'a>(name: &'a str, namespace: &str) -> &'a str {
    name.strip_prefix(namespace)
        .filter(|rest| !rest.is_empty())
        .unwrap_or(name)
}

/// The parts of a prediction's name, in the order in which they are read.
fn parts(record: &Record, namespace: &str) -> [String; 5] {
    [
        short(&record.model, namespace).to_owned(),
        short(&record.hardware, namespace).to_owned(),
        record.backend.name().to_owned(),
        record.power_mode.clone().unwrap_or_default(),
        record.precision.to_string(),
    ]
}

/// The parts of every record's name, and those in which the records differ.
fn differing(records: &[&Record]) -> (Vec<[String; 5]>, Vec<usize>) {
    let namespace = namespace(records.iter().copied());
    let all: Vec<[String; 5]> = records.iter().map(|record| parts(record, namespace)).collect();
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
    (all, needed)
}

/// These parts of a name.
fn joined(names: &[String; 5], parts: &[usize]) -> String {
    let parts = parts.iter().map(|&part| names[part].as_str());
    parts.filter(|name| !name.is_empty()).collect::<Vec<_>>().join(", ")
}

/// A name for every record, of the parts in which the records differ. Where they differ in nothing the names are empty.
pub(super) fn apart(records: &[&Record]) -> Vec<String> {
    let (all, needed) = differing(records);
    all.iter().map(|names| joined(names, &needed)).collect()
}

/// Names in two halves, for a legend that names each half once.
#[derive(Debug, PartialEq)]
pub(super) struct Halves {
    /// What the first halves are.
    pub first: Vec<String>,
    /// What the second halves are.
    pub second: Vec<String>,
    /// The halves of every record, as places in these.
    pub of: Vec<(usize, usize)>,
}

/// The names in halves, one of one part and one of the others, where there are more names than `many` and the halves are fewer: of those
/// with at most so many first and second halves the way with the fewest.
pub(super) fn halved(records: &[&Record], many: usize, most: (usize, usize)) -> Option<Halves> {
    let (all, needed) = differing(records);
    let count = distinct(all.iter().map(|names| joined(names, &needed))).len();
    if count <= many {
        return None;
    }
    let ways = needed.iter().map(|&part| {
        let others: Vec<usize> = needed.iter().copied().filter(|&other| other != part).collect();
        let halves = |parts: &[usize]| -> Vec<String> { all.iter().map(|names| joined(names, parts)).collect() };
        let (one, other) = (halves(&[part]), halves(&others));
        let (first, second) = (distinct(one.iter().cloned()), distinct(other.iter().cloned()));
        let place = |half: &String, halves: &[String]| halves.iter().position(|known| known == half).unwrap_or(0);
        let of = one
            .iter()
            .zip(&other)
            .map(|(one, other)| (place(one, &first), place(other, &second)))
            .collect();
        Halves { first, second, of }
    });
    let few = |halves: &Halves| {
        let (first, second) = (halves.first.len(), halves.second.len());
        first <= most.0 && (2..=most.1).contains(&second) && first + second < count
    };
    ways.filter(few)
        .min_by_key(|halves| halves.first.len() + halves.second.len())
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
