//! The data file that translates a hand-collected table: its words for devices, models and formats, and what is known of its sources.

use super::ImportError;
use crate::calibrate::measurement::Engine;
use crate::device::BackendKind;
use std::collections::BTreeMap;

/// The translation of the published table, `calibration/measurements/published-map.toml`.
const PUBLISHED: &str = include_str!("../../../calibration/measurements/published-map.toml");

/// One row of a table: column name to text.
pub(super) type Cells = BTreeMap<String, String>;

/// Words of a table and what they mean here.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Map {
    /// Device text to catalogue id.
    pub(super) devices: BTreeMap<String, String>,
    /// Backend text to backend.
    pub(super) backends: BTreeMap<String, BackendKind>,
    /// Model text to catalogue id.
    pub(super) models: BTreeMap<String, String>,
    /// Quantisation text to mix.
    pub(super) precisions: BTreeMap<String, String>,
    /// Numbers that stand in a free text.
    #[serde(default, rename = "number")]
    numbers: Vec<Number>,
    /// What holds for the rows that match; all matching rules apply in order, a later one over an earlier.
    #[serde(default, rename = "rule")]
    rules: Vec<Rule>,
}

/// A number of a column's free text, found between two literals.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Number {
    column: String,
    /// The literal before it (empty: the nearest word before `before`).
    #[serde(default)]
    after: String,
    /// The literal that follows it.
    before: String,
    /// What one of it is in base units.
    #[serde(default = "one")]
    factor: f64,
    quantity: Quantity,
}

const fn one() -> f64 {
    1.0
}

/// Which quantity a [`Number`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Quantity {
    JoulesPerToken,
    ModelSize,
    Ubatch,
    GpuLayers,
    Samples,
}

/// Facts about the rows that it matches.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Rule {
    /// Column to pattern: every one must match. In a pattern `*` stands for any text.
    when: BTreeMap<String, Patterns>,
    /// What holds for them.
    set: Facts,
}

/// What a rule can say of a row.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Facts {
    pub(super) device: Option<String>,
    pub(super) model: Option<String>,
    pub(super) power_mode: Option<String>,
    pub(super) precision: Option<String>,
    pub(super) engine: Option<Engine>,
    pub(super) backend: Option<BackendKind>,
    /// Taken where the row itself states none.
    pub(super) tokens: Option<u64>,
    pub(super) flash_attention: Option<bool>,
    pub(super) kv_type: Option<String>,
    pub(super) rail: Option<String>,
    pub(super) weight: Option<f64>,
    /// The load time is that of a model which was in memory already.
    pub(super) warm_load: Option<bool>,
    /// Why the row is not to be fitted or judged; the first reason found stands.
    pub(super) left_out: Option<String>,
    /// Left out or not, the watts are those of a run like any other.
    pub(super) power_holds: Option<bool>,
}

/// One pattern or several of which one must match.
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
enum Patterns {
    One(String),
    Any(Vec<String>),
}

impl Patterns {
    fn matches(&self, text: &str) -> bool {
        match self {
            Self::One(pattern) => glob(pattern, text),
            Self::Any(patterns) => patterns.iter().any(|pattern| glob(pattern, text)),
        }
    }
}

/// Whether `text` is the pattern, where `*` stands for any text.
fn glob(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(pieces.next().unwrap_or_default()) else {
        return false;
    };
    let Some(mut piece) = pieces.next() else {
        return rest.is_empty();
    };
    for next in pieces {
        let Some(at) = rest.find(piece) else {
            return false;
        };
        rest = &rest[at + piece.len()..];
        piece = next;
    }
    rest.ends_with(piece)
}

impl Map {
    /// The translation of the published table.
    pub(super) fn published() -> Result<Self, ImportError> {
        Self::parse(PUBLISHED)
    }

    fn parse(text: &str) -> Result<Self, ImportError> {
        toml::from_str(text).map_err(|error| ImportError::Map {
            message: error.message().to_owned(),
        })
    }

    /// What the rules say of a row.
    pub(super) fn facts(&self, cells: &Cells) -> Facts {
        let mut facts = Facts::default();
        let matching = self.rules.iter().filter(|rule| {
            rule.when
                .iter()
                .all(|(column, patterns)| patterns.matches(cells.get(column).map_or("", String::as_str)))
        });
        for rule in matching {
            facts.update(&rule.set);
        }
        facts
    }

    /// The numbers in a row's free texts, in base units.
    pub(super) fn numbers(&self, cells: &Cells) -> BTreeMap<Quantity, f64> {
        self.numbers
            .iter()
            .filter_map(|number| {
                let text = cells.get(&number.column)?;
                let value = number_between(text, &number.after, &number.before)?;
                Some((number.quantity, value * number.factor))
            })
            .collect()
    }
}

/// The number that stands between two literals; with an empty first literal, the word right before the second.
fn number_between(text: &str, after: &str, before: &str) -> Option<f64> {
    let word = if after.is_empty() {
        text[..text.find(before)?].rsplit([' ', ';', ',']).next()?
    } else {
        let start = text.find(after)? + after.len();
        let length = text[start..].find(before)?;
        &text[start..start + length]
    };
    word.trim()
        .parse()
        .ok()
        .filter(|value: &f64| value.is_finite() && *value >= 0.0)
}

impl Facts {
    fn update(&mut self, later: &Self) {
        macro_rules! over {
            ($($field:ident),*) => { $(if later.$field.is_some() { self.$field.clone_from(&later.$field); })* };
        }
        over!(
            device,
            model,
            power_mode,
            precision,
            engine,
            backend,
            tokens,
            flash_attention,
            kv_type,
            rail,
            weight,
            warm_load,
            power_holds
        );
        if self.left_out.is_none() {
            self.left_out.clone_from(&later.left_out);
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text_and_nothing_else_is_special() {
        for (pattern, text, matches) in [
            ("CUDA", "CUDA", true),
            ("CUDA", "CUDA ", false),
            ("CUDA*", "CUDA (Ollama)", true),
            ("*Ollama*", "CPU (Ollama)", true),
            ("*", "", true),
            ("", "", true),
            ("a*a", "a", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "acb", false),
            ("7.B", "7xB", false),
        ] {
            assert_eq!(glob(pattern, text), matches, "{pattern} on {text}");
        }
    }

    #[test]
    fn a_number_is_found_between_literals() {
        let text = "PMIC board power; 0.2065 J/token; model_size 2471764096 bytes (exact)";
        assert_eq!(number_between(text, "", " J/token"), Some(0.2065));
        assert_eq!(number_between(text, "model_size ", " bytes"), Some(2_471_764_096.0));
        assert_eq!(number_between(text, "", " watts"), None);
        assert_eq!(number_between("x NaN J/token", "", " J/token"), None);
    }

    #[test]
    fn later_rules_go_over_earlier_ones_and_the_first_reason_stands() {
        let map = Map::parse(
            r#"
            [devices]
            [backends]
            [models]
            [precisions]
            [[rule]]
            when = { source = "a*" }
            set = { rail = "wall", left_out = "first" }
            [[rule]]
            when = { source = ["ab", "ac"] }
            set = { rail = "pmic", left_out = "second" }
            "#,
        )
        .unwrap();
        let row = |source: &str| Cells::from([("source".to_owned(), source.to_owned())]);
        let facts = map.facts(&row("ab"));
        assert_eq!(
            (facts.rail.as_deref(), facts.left_out.as_deref()),
            (Some("pmic"), Some("first"))
        );
        assert_eq!(map.facts(&row("b")), Facts::default());
    }

    #[test]
    fn the_shipped_map_reads() {
        assert!(!Map::published().unwrap().rules.is_empty());
    }
}
