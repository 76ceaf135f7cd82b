//! The first rows of a sweep as a table for people.

use edgeprof::output::{Align, Column, Grid, Record, Value, Values, number};

/// Columns that a table has besides the axes, unless others are asked for.
const FIGURES: [&str; 6] = [
    "memory_bytes",
    "fits",
    "prefill_tokens_per_s",
    "ttft_s",
    "decode_tokens_per_s",
    "decode_energy_j_per_token",
];
/// Axes that are shown always.
const NAMES: [&str; 3] = ["model", "hardware", "precision"];
/// Axes that are shown where they differ from row to row.
const AXES: [&str; 13] = [
    "backend",
    "power_mode",
    "cache_type_k",
    "cache_type_v",
    "gpu_layers",
    "threads",
    "batch",
    "ubatch",
    "sequences",
    "context",
    "prompt",
    "generate",
    "depth",
];

/// The columns of a table: names, the axes that differ, what is sorted or chosen by, and the figures that most people want.
pub fn columns(records: &[Record], also: impl Iterator<Item = &'static str>) -> Vec<&'static Column> {
    let differs = |name: &&str| {
        Column::named(name).is_some_and(|column| {
            let first = records.first().map(|record| column.value(record));
            records.iter().any(|record| Some(column.value(record)) != first)
        })
    };
    let mut names: Vec<&str> = NAMES.to_vec();
    // A context that nobody asked for only repeats what fills it.
    let mut axes: Vec<&str> = AXES.into_iter().filter(differs).collect();
    if axes.iter().any(|axis| ["prompt", "generate", "depth"].contains(axis)) {
        axes.retain(|axis| *axis != "context");
    }
    names.extend(axes);
    for name in also.chain(FIGURES) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names.into_iter().filter_map(Column::named).collect()
}

/// The rows under the names of the columns, which are those of --where and --sort.
pub fn table(records: &[Record], columns: &[&'static Column]) -> Grid {
    let align = |column: &&Column| match column.values {
        Values::Text(_) | Values::Truth(_) => Align::Left,
        Values::Number(_) | Values::Whole(_) => Align::Right,
    };
    let mut grid = Grid::new(columns.iter().map(|column| (column.name, align(column))));
    for record in records {
        grid.row(columns.iter().map(|column| cell(column.name, column.value(record))));
    }
    grid
}

fn cell(name: &str, value: Value<'_>) -> String {
    let figure = match value {
        Value::None => return String::new(),
        Value::Text(text) => return text.to_owned(),
        Value::Truth(truth) => return if truth { "yes" } else { "no" }.to_owned(),
        Value::Whole(whole) => whole as f64,
        Value::Number(figure) => figure,
    };
    if name.contains("_bytes") {
        number::bytes(figure)
    } else if name.contains("tokens_per_s") {
        number::rate(figure)
    } else if name.ends_with("_s") || name == "decode_s_per_token" {
        number::seconds(figure)
    } else if name.ends_with("error") {
        number::percent(figure)
    } else if let Value::Whole(whole) = value {
        whole.to_string()
    } else {
        number::significant(figure, 4)
    }
}
