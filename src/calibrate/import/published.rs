//! The hand-collected table of published measurements.

use super::map::{Cells, Facts, Map, Quantity};
use super::{ImportError, text_date};
use crate::calibrate::measurement::{LeftOut, Measurement, Measurements, Phase};
use crate::units::{Bytes, Joules, Seconds, Watts};

/// Columns without which a table is not this one.
pub(super) const COLUMNS: [&str; 7] = [
    "device",
    "backend",
    "model",
    "quant",
    "phase",
    "n_tokens",
    "tokens_per_s",
];

const GIB: f64 = 1_073_741_824.0;

/// Reads the table: every row is kept, or left out with its reason.
pub(super) fn read(text: &str) -> Result<Measurements, ImportError> {
    let map = Map::published()?;
    let mut table = csv::ReaderBuilder::new().flexible(false).from_reader(text.as_bytes());
    let header: Vec<String> = table
        .headers()
        .map_err(ImportError::csv)?
        .iter()
        .map(|name| name.trim().to_owned())
        .collect();
    for column in COLUMNS {
        if !header.iter().any(|name| name == column) {
            return Err(ImportError::MissingField {
                line: 1,
                field: column.to_owned(),
            });
        }
    }
    let mut measurements = Measurements::default();
    for record in table.records() {
        let record = record.map_err(ImportError::csv)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cells: Cells = header
            .iter()
            .zip(&record)
            .map(|(name, cell)| (name.clone(), cell.trim().to_owned()))
            .collect();
        match row(&map, &cells, line)? {
            Ok(kept) => measurements.kept.push(kept),
            Err(left_out) => measurements.left_out.push(left_out),
        }
    }
    Ok(measurements)
}

/// One row: a measurement, or why it is none.
fn row(map: &Map, cells: &Cells, line: u64) -> Result<Result<Measurement, LeftOut>, ImportError> {
    let tokens_per_s = number(cells, "tokens_per_s", line)?.ok_or_else(|| ImportError::MissingField {
        line,
        field: "tokens_per_s".to_owned(),
    })?;
    let facts = map.facts(cells);
    Ok(
        known(map, cells, &facts, line, tokens_per_s)?.map_err(|reason| LeftOut {
            line,
            device: facts
                .device
                .as_ref()
                .or_else(|| map.devices.get(text(cells, "device")))
                .cloned()
                .unwrap_or_else(|| text(cells, "device").to_owned()),
            backend: text(cells, "backend").to_owned(),
            model: text(cells, "model").to_owned(),
            precision: text(cells, "quant").to_owned(),
            test: text(cells, "n_tokens").to_owned(),
            tokens_per_s,
            source: text(cells, "source").to_owned(),
            reason,
        }),
    )
}

/// The measurement of a row, or the reason why it is not to be used.
fn known(
    map: &Map,
    cells: &Cells,
    facts: &Facts,
    line: u64,
    tokens_per_s: f64,
) -> Result<Result<Measurement, String>, ImportError> {
    if let Some(reason) = &facts.left_out {
        return Ok(Err(reason.clone()));
    }
    if tokens_per_s <= 0.0 {
        return Ok(Err("its rate is not positive".to_owned()));
    }
    macro_rules! or_left_out {
        ($value:expr, $($reason:tt)*) => {
            match $value {
                Some(value) => value,
                None => return Ok(Err(format!($($reason)*))),
            }
        };
    }
    let looked_up = |given: &Option<String>, table: &std::collections::BTreeMap<String, String>, column: &str| {
        given.clone().or_else(|| table.get(text(cells, column)).cloned())
    };
    let device = or_left_out!(
        looked_up(&facts.device, &map.devices, "device"),
        "the device `{}` is not known",
        text(cells, "device")
    );
    let backend = or_left_out!(
        facts
            .backend
            .or_else(|| map.backends.get(text(cells, "backend")).copied()),
        "the backend `{}` is not known",
        text(cells, "backend")
    );
    let model = or_left_out!(
        map.models.get(text(cells, "model")).cloned(),
        "the model `{}` is not known",
        text(cells, "model")
    );
    let precision = or_left_out!(
        looked_up(&facts.precision, &map.precisions, "quant"),
        "the precision `{}` is not known",
        text(cells, "quant")
    );
    let phase = match text(cells, "phase") {
        "prefill" => Phase::Prefill,
        "decode" => Phase::Decode,
        other => {
            return Err(ImportError::Malformed {
                line,
                what: format!("`{other}` is neither prefill nor decode"),
            });
        }
    };
    let tokens = or_left_out!(
        tokens(text(cells, "n_tokens")).or(facts.tokens),
        "the number of tokens is not stated"
    );
    let numbers = map.numbers(cells);
    let count = |quantity| numbers.get(&quantity).map(|&value| value as u64);
    let watts = number(cells, "power_w", line)?.map(Watts);
    Ok(Ok(Measurement {
        device,
        backend,
        threads: number(cells, "threads", line)?
            .map(|value| value as u64)
            .or(facts.threads),
        model,
        precision,
        phase,
        tokens,
        depth: match facts.depth {
            Some(depth) => depth,
            None => number(cells, "depth", line)?.map_or(0, |value| value as u64),
        },
        batch: None,
        ubatch: count(Quantity::Ubatch),
        key_type: facts.kv_type.clone(),
        value_type: facts.kv_type.clone(),
        flash_attention: facts.flash_attention,
        power_mode: facts.power_mode.clone(),
        gpu_layers: count(Quantity::GpuLayers).or(facts.gpu_layers),
        tokens_per_s,
        stddev: number(cells, "stddev", line)?,
        samples: count(Quantity::Samples),
        rail: watts.and(facts.rail.clone()),
        watts,
        joules_per_token: numbers.get(&Quantity::JoulesPerToken).copied().map(Joules),
        load: number(cells, "load_s", line)?.map(Seconds),
        model_size: numbers
            .get(&Quantity::ModelSize)
            .copied()
            .or(number(cells, "model_size_gib", line)?.map(|gib| gib * GIB))
            .map(Bytes),
        parameters: count(Quantity::Parameters),
        build: Some(text(cells, "build").to_owned()).filter(|build| !build.is_empty()),
        date: text_date(text(cells, "date")),
        engine: facts.engine.unwrap_or_default(),
        weight: facts.weight.unwrap_or(1.0),
        source: text(cells, "source").to_owned(),
        note: text(cells, "note").to_owned(),
        line,
    }))
}

/// The text of a cell, empty if the table lacks the column.
fn text<'a>(cells: &'a Cells, column: &str) -> &'a str {
    cells.get(column).map_or("", String::as_str)
}

/// The number of a cell, none if it is empty.
fn number(cells: &Cells, column: &str, line: u64) -> Result<Option<f64>, ImportError> {
    let cell = text(cells, column);
    if cell.is_empty() {
        return Ok(None);
    }
    match cell.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(Some(value)),
        _ => Err(ImportError::Malformed {
            line,
            what: format!("{column} is `{cell}`, which is not a number of zero or more"),
        }),
    }
}

/// Number of tokens in words such as `pp512`, `tg128`, `pp16k` (1024 each) or `585 generated`.
fn tokens(text: &str) -> Option<u64> {
    let digits = text
        .strip_prefix("pp")
        .or_else(|| text.strip_prefix("tg"))
        .unwrap_or(text);
    let end = digits.find(|c: char| !c.is_ascii_digit()).unwrap_or(digits.len());
    let count: u64 = digits[..end].parse().ok()?;
    let count = if digits[end..].starts_with('k') {
        count.checked_mul(1024)?
    } else {
        count
    };
    (count > 0).then_some(count)
}

#[cfg(test)]
mod tests {
    use super::tokens;

    #[test]
    fn token_counts_are_read_from_words() {
        assert_eq!(tokens("pp512"), Some(512));
        assert_eq!(tokens("tg128"), Some(128));
        assert_eq!(tokens("pp16k"), Some(16_384));
        assert_eq!(tokens("585 generated"), Some(585));
        assert_eq!(tokens("ollama eval rate or tg128"), None);
        assert_eq!(tokens("tg"), None);
        assert_eq!(tokens("pp99999999999999999999"), None);
        assert_eq!(tokens(""), None);
    }
}
