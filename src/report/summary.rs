//! What the predictions come to, in a few words and numbers.

use super::distinct;
use crate::output::{Record, number};
use maud::{Markup, html};

/// The work of the predictions; all of them are asked the same.
pub(super) fn work(record: &Record) -> String {
    let work = &record.workload;
    let mut text = format!(
        "Prompt of {} tokens, {} generated, {} in the cache before; context {}, KV cache {}",
        number::count(work.prompt as f64),
        number::count(work.generate as f64),
        number::count(work.depth as f64),
        number::count(work.context as f64),
        work.cache_type_k.name(),
    );
    if work.cache_type_v != work.cache_type_k {
        text += &format!(" and {}", work.cache_type_v.name());
    }
    if work.sequences > 1 {
        text += &format!(", {} sequences side by side", work.sequences);
    }
    text
}

/// A figure of a prediction that one would rather have high or low.
struct Aim {
    title: &'static str,
    value: fn(&Record) -> Option<f64>,
    text: fn(f64) -> String,
    unit: &'static str,
    interval: fn(&Record) -> Option<[f64; 2]>,
    high: bool,
}

const AIMS: [Aim; 4] = [
    Aim {
        title: "Fastest decode",
        value: |r| r.decode_tokens_per_s,
        text: number::rate,
        unit: "tokens/s",
        interval: |r| r.intervals().decode_tokens_per_s,
        high: true,
    },
    Aim {
        title: "Quickest first token",
        value: |r| r.ttft_s,
        text: number::seconds,
        unit: "",
        interval: |_| None,
        high: false,
    },
    Aim {
        title: "Least energy",
        value: |r| r.decode_energy_j_per_token.or(r.energy_j_per_token),
        text: number::joules,
        unit: "per token",
        interval: |r| r.intervals().decode_energy_j_per_token,
        high: false,
    },
    Aim {
        title: "Least memory",
        value: |r| Some(r.memory_bytes as f64),
        text: number::bytes,
        unit: "",
        interval: |r| r.intervals().memory_bytes,
        high: false,
    },
];

/// A sentence, the best by each aim, and the decode rates side by side.
pub(super) fn summary(records: &[Record]) -> Markup {
    let models = distinct(records.iter().map(|record| record.model.as_str()));
    let devices = distinct(records.iter().map(|record| record.hardware.as_str()));
    let fitting = records.iter().filter(|record| record.fits).count();
    html! {
        p {
            (plural(records.len(), "prediction")) ": " (plural(models.len(), "model")) " on " (plural(devices.len(), "device")) ". "
            @if fitting == records.len() { "All of it fits in memory." }
            @else { (fitting) " of them fit in memory; the others have no speed." }
        }
        div.tiles {
            @for aim in &AIMS {
                @if let Some((record, value)) = best(records, aim) {
                    div.tile {
                        div.label { (aim.title) }
                        div.value { ((aim.text)(value)) @if !aim.unit.is_empty() { " " small { (aim.unit) } } }
                        @if let Some([low, high]) = (aim.interval)(record) {
                            div.range { ((aim.text)(low)) " to " ((aim.text)(high)) }
                        }
                        div.which { (record.model) ", " (record.precision) " on " (place(record)) }
                    }
                }
            }
        }
        (matrix(records))
    }
}

fn plural(count: usize, what: &str) -> String {
    if count == 1 {
        format!("1 {what}")
    } else {
        format!("{count} {what}s")
    }
}

/// The device, with its backend and power mode where there are several.
fn place(record: &Record) -> String {
    let mut text = record.hardware.clone();
    if let Some(mode) = &record.power_mode {
        text += &format!(" {mode}");
    }
    text + &format!(" ({})", record.backend)
}

/// The best of those that fit.
fn best<'a>(records: &'a [Record], aim: &Aim) -> Option<(&'a Record, f64)> {
    let sign = if aim.high { -1.0 } else { 1.0 };
    records
        .iter()
        .filter(|record| record.fits)
        .filter_map(|record| Some((record, (aim.value)(record)?)))
        .min_by(|(_, a), (_, b)| (sign * a).total_cmp(&(sign * b)))
}

/// Decode rates, models and precisions down and devices across; nothing where one of them is alone.
fn matrix(records: &[Record]) -> Markup {
    let places: Vec<String> = records.iter().map(place).collect();
    let columns = distinct(places.iter().map(String::as_str));
    let names: Vec<String> = records
        .iter()
        .map(|record| format!("{}, {}", record.model, record.precision))
        .collect();
    let rows = distinct(names.iter().map(String::as_str));
    let at = |row: &str, column: &str| {
        let mut found = records.iter().zip(names.iter().zip(&places));
        found
            .find(|(_, (name, place))| *name == row && *place == column)
            .map(|(record, _)| record)
    };
    if columns.len() < 2 || rows.len() < 2 || records.iter().all(|record| record.decode_tokens_per_s.is_none()) {
        return html! {};
    }
    html! {
        div.wide {
            table.matrix {
                caption { "Decoded tokens per second" }
                thead { tr { th scope="col" { "" } @for column in &columns { th scope="col" { (column) } } } }
                tbody {
                    @for row in &rows {
                        tr {
                            th scope="row" { (row) }
                            @for column in &columns {
                                @match at(row, column) {
                                    Some(record) if record.fits => td.number { (record.decode_tokens_per_s.map(number::rate).unwrap_or_default()) },
                                    Some(_) => td.none { "does not fit" },
                                    None => td {},
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
