//! How tables are printed: the values of `--format`.

use super::failure::Failure;
use super::sink;
use clap::{Args, ValueEnum};
use edgeprof::output::{Align, Grid, Setting, number};
use serde_json::Value;
use std::path::PathBuf;

/// For commands whose figures are for people and programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Aligned columns, for a terminal
    Table,
    /// Everything, in base SI units
    Json,
    /// One row each, in base SI units
    Csv,
    /// The table, for a README
    Markdown,
    /// The table, for a paper (package booktabs)
    Latex,
}

impl Format {
    /// How its table is set, if it is one for people.
    pub const fn setting(self) -> Option<Setting> {
        match self {
            Self::Table => Some(Setting::Text),
            Self::Markdown => Some(Setting::Markdown),
            Self::Latex => Some(Setting::Latex),
            Self::Json | Self::Csv => None,
        }
    }
}

/// How the answer is printed, and where.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct PrintArgs {
    /// How to print it [default: what the ending of --output says, else table]
    #[arg(long, value_enum, ignore_case = true)]
    format: Option<Format>,
    /// Write to a file instead of the standard output, whole or not at all
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl PrintArgs {
    /// As asked, else by the file's ending.
    pub fn format(&self) -> Format {
        let ending = || Some(self.output.as_ref()?.extension()?.to_str()?.to_ascii_lowercase());
        let by_ending = || match ending()?.as_str() {
            "json" => Some(Format::Json),
            "csv" => Some(Format::Csv),
            "md" => Some(Format::Markdown),
            "tex" => Some(Format::Latex),
            _ => None,
        };
        self.format.or_else(by_ending).unwrap_or(Format::Table)
    }

    /// Writes it where it was asked for.
    pub fn write(&self, text: &str) -> Result<(), Failure> {
        sink::write(text, self.output.as_deref())
    }
}

/// For commands whose tables are for people alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableFormat {
    /// Aligned columns, for a terminal
    Table,
    /// For a README
    Markdown,
    /// For a paper (package booktabs)
    Latex,
}

impl From<TableFormat> for Setting {
    fn from(format: TableFormat) -> Self {
        match format {
            TableFormat::Table => Self::Text,
            TableFormat::Markdown => Self::Markdown,
            TableFormat::Latex => Self::Latex,
        }
    }
}

/// Objects as CSV, one row each under the keys of the first: keys of nested objects joined by an underscore, items of an array by a
/// space, an interval as `_low` and `_high`. Arrays of objects are left out.
pub fn csv(items: &[Value]) -> String {
    let rows: Vec<Vec<(String, String)>> = items
        .iter()
        .map(|item| {
            let mut cells = Vec::new();
            flatten("", item, &mut cells);
            cells
        })
        .collect();
    let mut keys: Vec<&str> = Vec::new();
    for (key, _) in rows.iter().flatten() {
        if !keys.contains(&key.as_str()) {
            keys.push(key);
        }
    }
    let mut grid = Grid::new(keys.iter().map(|&key| (key, Align::Left)));
    for row in &rows {
        let cell = |key: &&str| row.iter().find(|(name, _)| name == key).map(|(_, cell)| cell.as_str());
        grid.row(keys.iter().map(|key| cell(key).unwrap_or_default()));
    }
    grid.csv()
}

fn flatten(key: &str, value: &Value, cells: &mut Vec<(String, String)>) {
    let text = match value {
        Value::Object(object) => {
            for (name, value) in object {
                let key = if key.is_empty() {
                    name.clone()
                } else {
                    format!("{key}_{name}")
                };
                flatten(&key, value, cells);
            }
            return;
        }
        Value::Array(items) if key == "interval" && items.len() == 2 => {
            flatten("interval_low", &items[0], cells);
            return flatten("interval_high", &items[1], cells);
        }
        // A table within a row has no cell; it is in the JSON.
        Value::Array(items) if items.iter().any(Value::is_object) => return,
        Value::Array(items) => items.iter().map(scalar).collect::<Vec<_>>().join(" "),
        value => scalar(value),
    };
    cells.push((key.to_owned(), text));
}

fn scalar(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(figure) if figure.is_f64() => figure.as_f64().map_or_else(String::new, number::plain),
        value => value.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn nested_keys_become_columns() {
        let items = [
            json!({"id": "a", "n": {"x": 1, "y": null}, "names": ["b", "c"], "interval": [0.1, 0.30000000000000004]}),
            json!({"id": "d, e", "n": {"x": 2, "y": true}, "names": [], "interval": [1, 2]}),
        ];
        assert_eq!(
            csv(&items),
            "id,n_x,n_y,names,interval_low,interval_high\na,1,,b c,0.1,0.3\n\"d, e\",2,true,,1,2\n"
        );
    }
}
