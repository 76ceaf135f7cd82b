//! The hand-collected table of published measurements.

use super::map::{Cells, Facts, Map, Quantity};
use super::recognise::fits;
use super::{ImportError, Known, Rejection, records, text_date};
use crate::calibrate::measurement::{LeftOut, Measurement, Measurements, Phase};
use crate::quant::Mix;
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
pub(super) fn read(text: &str, known: Known) -> Result<Measurements, ImportError> {
    let map = Map::published()?;
    let mut measurements = Measurements::default();
    for (line, cells) in records::csv(text)? {
        let facts = map.facts(&cells);
        let row = Row {
            map: &map,
            cells: &cells,
            facts: &facts,
            line,
        };
        let tokens_per_s = row.number("tokens_per_s")?.ok_or_else(|| ImportError::MissingField {
            line,
            field: "tokens_per_s".to_owned(),
        })?;
        match row.measurement(known, tokens_per_s) {
            Ok(kept) => measurements.kept.push(kept),
            Err(Rejection::Row(reason)) => measurements.left_out.push(row.left_out(known, tokens_per_s, reason)),
            Err(Rejection::File(error)) => return Err(error),
        }
    }
    Ok(measurements)
}

/// One row and what the map says of it.
struct Row<'a> {
    map: &'a Map,
    cells: &'a Cells,
    facts: &'a Facts,
    line: u64,
}

impl Row<'_> {
    fn left_out(&self, known: Known, tokens_per_s: f64, reason: String) -> LeftOut {
        let power = (self.facts.power_holds == Some(true)).then(|| self.described(known, tokens_per_s).ok());
        LeftOut {
            line: self.line,
            device: self.device().unwrap_or_else(|| self.text("device")).to_owned(),
            backend: self.text("backend").to_owned(),
            model: self.text("model").to_owned(),
            precision: self.text("quant").to_owned(),
            test: self.text("n_tokens").to_owned(),
            tokens_per_s,
            source: self.text("source").to_owned(),
            reason,
            power: power.flatten().map(Box::new),
        }
    }

    /// The device's id, if the map has one.
    fn device(&self) -> Option<&str> {
        let given = self.facts.device.as_ref();
        given
            .or_else(|| self.map.devices.get(self.text("device")))
            .map(String::as_str)
    }

    fn measurement(&self, known: Known, tokens_per_s: f64) -> Result<Measurement, Rejection> {
        match &self.facts.left_out {
            Some(reason) => Err(Rejection::Row(reason.clone())),
            None => self.described(known, tokens_per_s),
        }
    }

    /// The row as a measurement, left out or not.
    fn described(&self, known: Known, tokens_per_s: f64) -> Result<Measurement, Rejection> {
        let (facts, map) = (self.facts, self.map);
        if tokens_per_s <= 0.0 {
            return Err(Rejection::Row("its rate is not positive".to_owned()));
        }
        let unknown = |what: &str, column: &str| {
            Rejection::Row(format!("the {what} `{}` is not in the catalogue", self.text(column)))
        };
        let device = self
            .device()
            .filter(|id| known.devices.iter().any(|device| device.id == **id))
            .ok_or_else(|| unknown("device", "device"))?;
        let model = facts
            .model
            .as_ref()
            .or_else(|| map.models.get(self.text("model")))
            .and_then(|id| known.models.iter().find(|model| model.id == *id))
            .ok_or_else(|| unknown("model", "model"))?;
        let mix: Mix = facts
            .precision
            .as_ref()
            .or_else(|| map.precisions.get(self.text("quant")))
            .and_then(|name| name.parse().ok())
            .ok_or_else(|| Rejection::Row(format!("the format `{}` is not known", self.text("quant"))))?;
        let backend = facts
            .backend
            .or_else(|| map.backends.get(self.text("backend")).copied())
            .ok_or_else(|| Rejection::Row(format!("the backend `{}` is not known", self.text("backend"))))?;
        let phase = match self.text("phase") {
            "prefill" => Phase::Prefill,
            "decode" => Phase::Decode,
            other => {
                return Err(self
                    .malformed(format!("`{other}` is neither prefill nor decode"))
                    .into());
            }
        };
        let tokens = tokens(self.text("n_tokens"))
            .or(facts.tokens)
            .ok_or_else(|| Rejection::Row("the number of tokens is not stated".to_owned()))?;
        let numbers = map.numbers(self.cells);
        let count = |quantity| numbers.get(&quantity).map(|&value| value as u64);
        let model_size = match numbers.get(&Quantity::ModelSize) {
            Some(&bytes) => Some(bytes),
            None => self.number("model_size_gib")?.map(|gib| gib * GIB),
        };
        if let Some(stated) = model_size
            && !fits(model, mix, stated)
        {
            return Err(Rejection::Row(format!(
                "the size that the source states, {:.3} GiB, is not that of {} in {}",
                stated / GIB,
                model.id,
                mix.name()
            )));
        }
        let watts = self.number("power_w")?.map(Watts);
        Ok(Measurement {
            device: device.to_owned(),
            backend,
            threads: self.number("threads")?.map(|value| value as u64),
            model: model.id.clone(),
            precision: mix.name().to_owned(),
            phase,
            tokens,
            depth: self.number("depth")?.map_or(0, |value| value as u64),
            batch: None,
            ubatch: count(Quantity::Ubatch),
            key_type: facts.kv_type.clone(),
            value_type: facts.kv_type.clone(),
            flash_attention: facts.flash_attention,
            power_mode: facts.power_mode.clone(),
            gpu_layers: count(Quantity::GpuLayers),
            tokens_per_s,
            stddev: self.number("stddev")?,
            samples: count(Quantity::Samples),
            idle_watts: None,
            rail: watts.and(facts.rail.clone()),
            watts,
            joules_per_token: numbers.get(&Quantity::JoulesPerToken).copied().map(Joules),
            load: self
                .number("load_s")?
                .filter(|_| facts.warm_load != Some(true))
                .map(Seconds),
            model_size: model_size.map(Bytes),
            parameters: None,
            build: Some(self.text("build").to_owned()).filter(|build| !build.is_empty()),
            date: text_date(self.text("date")),
            engine: facts.engine.unwrap_or_default(),
            weight: facts.weight.unwrap_or(1.0),
            source: self.text("source").to_owned(),
            note: self.text("note").to_owned(),
            line: self.line,
        })
    }

    /// The text of a cell, empty if the table lacks the column.
    fn text(&self, column: &str) -> &str {
        self.cells.get(column).map_or("", String::as_str)
    }

    /// The number of a cell, none if it is empty.
    fn number(&self, column: &str) -> Result<Option<f64>, ImportError> {
        let cell = self.text(column);
        if cell.is_empty() {
            return Ok(None);
        }
        match cell.parse::<f64>() {
            Ok(value) if value.is_finite() && value >= 0.0 => Ok(Some(value)),
            _ => Err(self.malformed(format!("{column} is `{cell}`, which is not a number of zero or more"))),
        }
    }

    const fn malformed(&self, what: String) -> ImportError {
        ImportError::Malformed { line: self.line, what }
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
