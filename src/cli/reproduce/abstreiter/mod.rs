//! Abstreiter, Tarkoma, Morabito (arXiv 2503.09114): eleven models in two formats on a Raspberry Pi 5 and on the CPU and GPU of a
//! Jetson Orin Nano; the figures and statements of the text beside what edgeprof predicts.

mod ask;
mod break_even;
mod published;
mod reading;
mod sheet;
mod statement;

use super::{Question, Report};
use crate::cli::failure::Failure;
use ask::Asker;
use edgeprof::output::SCHEMA;
use published::Published;
use serde_json::{Value, json};

const PUBLISHED: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/reports/abstreiter/published.toml"
));

/// The comparison.
pub fn report(question: &Question) -> Result<Report, Failure> {
    let published: Published = toml::from_str(PUBLISHED).map_err(Failure::new)?;
    let asker = Asker::new(question, &published.workload)?;
    let statements = published
        .statement
        .iter()
        .map(|statement| statement::check(&asker, &published, statement))
        .collect::<Result<Vec<_>, _>>()?;
    let cells = reading::check(&asker, &published)?;
    let pay_back = break_even::check(&asker, &published.break_even)?;
    let rows = statements
        .iter()
        .map(|checked| json!(checked))
        .chain(cells.iter().map(|cell| json!(cell)))
        .map(flat)
        .collect();
    Ok(Report {
        sheet: sheet::sheet(&published, &statements, &cells, &pay_back),
        document: json!({
            "schema": SCHEMA,
            "source": published.source,
            "statements": statements,
            "reading_speed": cells,
            "break_even": pay_back,
            "quoted": published.quoted,
        }),
        rows,
    })
}

/// A row for CSV: no lists of cases.
fn flat(mut row: Value) -> Value {
    if let Some(object) = row.as_object_mut() {
        object.remove("cases");
    }
    row
}
