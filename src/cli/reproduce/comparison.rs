//! A published number beside ours.

use edgeprof::output::{Align, Grid, number};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A published number beside ours.
#[derive(Debug, Serialize)]
pub struct Comparison {
    /// What was asked.
    pub case: String,
    /// Which figure of it.
    pub quantity: String,
    /// Unit of the two numbers; none for a ratio.
    pub unit: Option<&'static str>,
    /// Ours, base unit.
    pub computed: f64,
    /// Theirs, base unit.
    pub published: f64,
    /// Theirs, as they print it.
    pub printed: String,
    /// Relative difference, `computed / published - 1`.
    pub difference: f64,
    /// Whether they agree as far as they should; none where no agreement is claimed.
    pub holds: Option<bool>,
    /// What explains the difference.
    pub remark: String,
}

/// How many of the comparisons that claim agreement hold, and how many claim it.
pub fn held(comparisons: &[Comparison]) -> (usize, usize) {
    let claimed = comparisons.iter().filter_map(|comparison| comparison.holds);
    (claimed.clone().filter(|&holds| holds).count(), claimed.count())
}

/// The comparisons as objects.
pub fn rows(comparisons: &[Comparison]) -> Vec<Value> {
    comparisons
        .iter()
        .map(|comparison| serde_json::json!(comparison))
        .collect()
}

/// The comparisons as a table.
pub fn grid(comparisons: &[Comparison]) -> Grid {
    let mut grid = Grid::new([
        ("case", Align::Left),
        ("quantity", Align::Left),
        ("computed", Align::Right),
        ("published", Align::Right),
        ("difference", Align::Right),
        ("holds", Align::Left),
        ("remark", Align::Left),
    ]);
    for comparison in comparisons {
        let computed = match comparison.unit {
            Some("B") => format!("{} GB", number::significant(comparison.computed / 1e9, 4)),
            Some("tok/s") => format!("{} tok/s", number::rate(comparison.computed)),
            Some(_) => number::seconds(comparison.computed),
            None => format!("{}x", number::significant(comparison.computed, 3)),
        };
        grid.row([
            comparison.case.clone(),
            comparison.quantity.clone(),
            computed,
            comparison.printed.clone(),
            format!("{:+.1} %", 100.0 * comparison.difference),
            match comparison.holds {
                Some(true) => "yes",
                Some(false) => "no",
                None => "",
            }
            .to_owned(),
            comparison.remark.clone(),
        ]);
    }
    grid
}

/// A published figure that no formula here gives.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Quoted {
    /// What it is of.
    pub quantity: String,
    /// As printed.
    pub printed: String,
    /// Where it is printed.
    pub place: String,
    /// What is to be said of it.
    pub remark: String,
}

/// What is quoted as a table.
pub fn quoted_grid(quoted: &[Quoted]) -> Grid {
    let mut grid = Grid::new([
        ("quantity", Align::Left),
        ("published", Align::Left),
        ("where", Align::Left),
        ("remark", Align::Left),
    ]);
    for quoted in quoted {
        grid.row([&quoted.quantity, &quoted.printed, &quoted.place, &quoted.remark].map(String::as_str));
    }
    grid
}
