//! Rows as text: CSV and JSON lines.

use super::run::{Chunk, Done, Run, RunError, in_order};
use super::space::Space;
use super::walk::{Rows, Walk, WalkError};
use crate::output::{Column, Record, Value, number};
use std::io::Write;
use std::ops::ControlFlow;

/// A text with a row a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TextFormat {
    /// Comma-separated values under a header.
    Csv,
    /// An object a line, its keys the names of the columns.
    JsonLines,
}

/// Columns and how their values are set as text.
#[derive(Debug, Clone)]
pub struct Text<'a> {
    /// How.
    pub format: TextFormat,
    /// Which columns, in this order.
    pub columns: &'a [&'static Column],
}

impl Text<'_> {
    /// What stands above the rows.
    ///
    /// # Errors
    /// What the system says.
    pub fn header(&self, out: &mut impl Write) -> std::io::Result<()> {
        match self.format {
            TextFormat::Csv => {
                let mut writer = csv::Writer::from_writer(out);
                writer.write_record(self.columns.iter().map(|column| column.name))?;
                writer.flush()
            }
            TextFormat::JsonLines => Ok(()),
        }
    }

    /// The rows which `keep` keeps, as text.
    ///
    /// # Errors
    /// If a row cannot be asked.
    pub fn rows(
        &self,
        walk: &mut Walk<'_>,
        rows: &Rows<'_>,
        keep: impl Fn(&Record) -> bool,
    ) -> Result<(Vec<u8>, u64), WalkError> {
        let (mut text, mut kept, mut number) = (Vec::new(), 0, Vec::new());
        let mut csv = csv::Writer::from_writer(Vec::new());
        walk.kept(rows, keep, |_, record| {
            kept += 1;
            match self.format {
                TextFormat::Csv => self.csv(&mut csv, record, &mut number),
                TextFormat::JsonLines => self.object(&mut text, record),
            }
            ControlFlow::Continue(())
        })?;
        if self.format == TextFormat::Csv {
            // Writing to memory does not fail.
            text = csv.into_inner().unwrap_or_default();
        }
        Ok((text, kept))
    }

    fn csv(&self, writer: &mut csv::Writer<Vec<u8>>, record: &Record, number: &mut Vec<u8>) {
        for column in self.columns {
            // Writing to memory does not fail.
            let _ = match column.value(record) {
                Value::Text(text) => writer.write_field(text),
                value => {
                    number.clear();
                    plain(number, value);
                    writer.write_field(&number)
                }
            };
        }
        let _ = writer.write_record(None::<&[u8]>);
    }

    fn object(&self, text: &mut Vec<u8>, record: &Record) {
        text.push(b'{');
        for (at, column) in self.columns.iter().enumerate() {
            if at > 0 {
                text.push(b',');
            }
            text.push(b'"');
            // A column's name needs no escapes.
            text.extend_from_slice(column.name.as_bytes());
            text.extend_from_slice(b"\":");
            match column.value(record) {
                // Writing to memory does not fail.
                Value::Text(name) => drop(serde_json::to_writer(&mut *text, name)),
                Value::Number(value) if !value.is_finite() => text.extend_from_slice(b"null"),
                Value::None => text.extend_from_slice(b"null"),
                value => plain(text, value),
            }
        }
        text.extend_from_slice(b"}\n");
    }
}

/// A value as programs read it; nothing for none.
fn plain(text: &mut Vec<u8>, value: Value<'_>) {
    match value {
        Value::Number(value) => number::write_plain(text, value),
        // Writing to memory does not fail.
        Value::Whole(value) => drop(write!(text, "{value}")),
        Value::Truth(value) => text.extend_from_slice(if value { b"true" } else { b"false" }),
        Value::Text(name) => text.extend_from_slice(name.as_bytes()),
        Value::None => {}
    }
}

/// Writes the rows that `keep` keeps, and tells `progress` how far it is.
///
/// # Errors
/// [`RunError`]
pub fn write(
    space: &Space,
    run: &Run<'_>,
    text: &Text<'_>,
    keep: impl Fn(&Record) -> bool + Sync,
    out: &mut impl Write,
    progress: &mut dyn FnMut(&Done),
) -> Result<Done, RunError> {
    text.header(out)?;
    let mut done = Done::default();
    let keep = &keep;
    in_order(
        space,
        run,
        || move |walk: &mut Walk<'_>, rows: &Rows<'_>| text.rows(walk, rows, keep),
        |Chunk { end, refused, made }| {
            let (rows, kept) = made;
            out.write_all(&rows)?;
            done.end = end;
            done.kept += kept;
            done.refused += refused;
            progress(&done);
            Ok(())
        },
    )?;
    out.flush()?;
    Ok(done)
}
