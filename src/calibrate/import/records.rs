//! llama-bench's five output formats, each to the same records: field name to text.

use super::ImportError;
use super::map::Cells;

/// Spellings of the fields in the Markdown table's header.
const DISPLAY_NAMES: [(&str, &str); 6] = [
    ("ngl", "n_gpu_layers"),
    ("threads", "n_threads"),
    ("nkvo", "no_kv_offload"),
    ("fa", "flash_attn"),
    ("embd", "embeddings"),
    ("rpk", "repack"),
];

/// A record and the line on which it begins (in a JSON array: its position), counted from 1.
pub(super) type Records = Vec<(u64, Cells)>;

/// `-o json`: an array of objects.
pub(super) fn json(text: &str) -> Result<Records, ImportError> {
    let objects: Vec<serde_json::Map<String, serde_json::Value>> =
        serde_json::from_str(text).map_err(|error| json_error(&error, 0))?;
    Ok(objects
        .into_iter()
        .enumerate()
        .map(|(index, object)| (index as u64 + 1, object_cells(object)))
        .collect())
}

/// `-o jsonl`: an object a line.
pub(super) fn jsonl(text: &str) -> Result<Records, ImportError> {
    text.lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty())
        .map(|(index, line)| {
            let object = serde_json::from_str(line).map_err(|error| json_error(&error, index as u64))?;
            Ok((index as u64 + 1, object_cells(object)))
        })
        .collect()
}

fn json_error(error: &serde_json::Error, lines_before: u64) -> ImportError {
    ImportError::Malformed {
        line: lines_before + error.line() as u64,
        what: format!("not the JSON that llama-bench writes ({error}); was the run interrupted?"),
    }
}

fn object_cells(object: serde_json::Map<String, serde_json::Value>) -> Cells {
    object
        .into_iter()
        .filter_map(|(field, value)| {
            let text = match value {
                serde_json::Value::String(text) => text,
                serde_json::Value::Bool(value) => u8::from(value).to_string(),
                serde_json::Value::Number(number) => number.to_string(),
                serde_json::Value::Array(samples) => samples.len().to_string(),
                serde_json::Value::Null | serde_json::Value::Object(_) => return None,
            };
            Some((field, text))
        })
        .collect()
}

/// `-o csv`: a header and a record a line.
pub(super) fn csv(text: &str) -> Result<Records, ImportError> {
    let mut table = csv::ReaderBuilder::new().from_reader(text.as_bytes());
    let header = table.headers().map_err(|error| ImportError::csv(&error))?.clone();
    table
        .records()
        .map(|record| {
            let record = record.map_err(|error| ImportError::csv(&error))?;
            let line = record.position().map_or(0, csv::Position::line);
            let cells = header
                .iter()
                .zip(&record)
                .map(|(name, cell)| (name.trim().to_owned(), cell.trim().to_owned()));
            Ok((line, cells.collect()))
        })
        .collect()
}

/// `-o sql`: one `INSERT` a line. llama-bench does not escape quotes, so the values are told apart by `', '`.
pub(super) fn sql(text: &str) -> Result<Records, ImportError> {
    let inserts = text
        .lines()
        .enumerate()
        .filter(|(_, line)| line.trim_start().starts_with("INSERT INTO"));
    inserts
        .map(|(index, statement)| {
            let line = index as u64 + 1;
            let malformed = |what: &str| ImportError::Malformed {
                line,
                what: what.to_owned(),
            };
            let between = |open: &str, close: &str, text: &str| {
                let start = text.find(open)? + open.len();
                let end = text.rfind(close)?;
                text.get(start..end).map(str::to_owned)
            };
            let (fields, values) = statement
                .split_once(" VALUES ")
                .ok_or_else(|| malformed("the INSERT has no VALUES"))?;
            let fields = between("(", ")", fields).ok_or_else(|| malformed("the INSERT names no fields"))?;
            let values =
                between("('", "')", values).ok_or_else(|| malformed("the VALUES are not a list of quoted texts"))?;
            let fields: Vec<&str> = fields.split(',').map(str::trim).collect();
            let values: Vec<&str> = values.split("', '").collect();
            if fields.len() != values.len() {
                return Err(malformed(&format!(
                    "{} fields and {} values",
                    fields.len(),
                    values.len()
                )));
            }
            let cells = fields
                .iter()
                .zip(&values)
                .map(|(field, value)| ((*field).to_owned(), value.trim().to_owned()));
            Ok((line, cells.collect()))
        })
        .collect()
}

/// `-o md`: tables of rounded figures, and the build below them.
pub(super) fn markdown(text: &str) -> Result<Records, ImportError> {
    let mut records = Records::new();
    let mut header: Vec<String> = Vec::new();
    let mut first_of_build = 0;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if let Some(build) = line.strip_prefix("build: ") {
            for (_, cells) in &mut records[first_of_build..] {
                cells.insert("build".to_owned(), build.trim().to_owned());
            }
            first_of_build = records.len();
            continue;
        }
        let Some(row) = line.strip_prefix('|').and_then(|row| row.strip_suffix('|')) else {
            continue;
        };
        let row: Vec<&str> = row.split('|').map(str::trim).collect();
        if row.contains(&"t/s") && row.contains(&"test") {
            header = row.iter().map(|name| field_name(name).to_owned()).collect();
        } else if !header.is_empty() && !row.iter().all(|cell| cell.chars().all(|c| c == '-' || c == ':')) {
            let line = index as u64 + 1;
            if row.len() != header.len() {
                return Err(ImportError::Malformed {
                    line,
                    what: format!("the row has {} cells under a header of {}", row.len(), header.len()),
                });
            }
            let cells = header
                .iter()
                .zip(&row)
                .map(|(name, cell)| (name.clone(), (*cell).to_owned()));
            records.push((line, cells.collect()));
        }
    }
    Ok(records)
}

fn field_name(displayed: &str) -> &str {
    DISPLAY_NAMES
        .iter()
        .find(|(display, _)| *display == displayed)
        .map_or(displayed, |(_, field)| field)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn sql_values_may_hold_quotes_and_commas() {
        let records = sql("INSERT INTO llama_bench (cpu_info, n_gen) VALUES ('Bob's CPU, 8 cores', '4');\n").unwrap();
        assert_eq!(records[0].1["cpu_info"], "Bob's CPU, 8 cores");
        assert_eq!(records[0].1["n_gen"], "4");
    }

    #[test]
    fn broken_sql_is_an_error_with_its_line() {
        for text in [
            "INSERT INTO t",
            "INSERT INTO t (a) VALUES ",
            "INSERT INTO t (a VALUES ('1');",
            "INSERT INTO t )a( VALUES ')1(';",
            "INSERT INTO t (a, b) VALUES ('1');",
        ] {
            assert!(
                matches!(sql(text), Err(ImportError::Malformed { line: 1, .. })),
                "{text}"
            );
        }
    }

    #[test]
    fn markdown_rows_take_the_build_below_them() {
        let table = "| model | test | t/s |\n| --- | ---: | ---: |\n| a | pp1 | 2.00 ± 0.10 |\n\nbuild: abc (1)\n";
        let twice = format!("ggml: noise\n{table}{}", table.replace("abc", "def"));
        let builds: Vec<String> = markdown(&twice)
            .unwrap()
            .iter()
            .map(|(_, cells)| cells["build"].clone())
            .collect();
        assert_eq!(builds, ["abc (1)", "def (1)"]);
        assert!(markdown("| model | test | t/s |\n| a | pp1 |\n").is_err());
    }
}
