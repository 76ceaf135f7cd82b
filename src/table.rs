//! Tables as Parquet. Only this file names polars (feature `tables`).

use crate::output::{COLUMNS, Column, Record, Values};
use crate::sweep::{
    Batch, CHUNK, Chunk, Data, Done, NO_CODE, NO_COUNT, NO_TRUTH, Rows, Run, RunError, Space, Walk, in_chunks_of,
    in_order,
};
use polars::prelude::{
    BatchedWriter, BooleanChunked, Categorical32Type, CategoricalChunked, CategoricalMapping, CategoricalPhysical,
    Categories, Column as Series, DataFrame, DataType, Float64Chunked, Int64Chunked, IntoColumn, IntoSeries,
    KeyValueMetadata, NewChunkedArray, ParquetCompression, ParquetWriter, PlSeedableRandomStateQuality, PlSmallStr,
    PolarsError, PolarsResult, Schema, UInt32Chunked,
};
use std::io::Write;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Rows of a row group: the more the fewer columns there are (32 768 of all of them), and the more rows.
///
/// The file ends with what is to be known of every column of every row group, some 4 kB each, which the writer keeps until then, whereas
/// of each value the groups at work hold some 32 bytes. Groups of twice the length hold less in all from `rows = group² / 64` on, however
/// many columns there are.
fn rows_of_a_group(columns: usize, rows: u64) -> u64 {
    let wider = COLUMNS.len() / columns.max(1);
    let mut group = CHUNK << wider.max(1).ilog2().min(3);
    while group < LONGEST_GROUP && rows > group * group / 64 {
        group *= 2;
    }
    group
}

/// Beyond it what readers load at a time would be unwieldy.
const LONGEST_GROUP: u64 = 1 << 20;

/// Why a table cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("the table cannot be written")]
pub struct TableError {
    #[from]
    source: PolarsError,
}

impl From<TableError> for std::io::Error {
    /// What the system said, where it was the system.
    fn from(error: TableError) -> Self {
        match error.source {
            PolarsError::IO { error, .. } => Self::new(error.kind(), error.to_string()),
            source => Self::other(source),
        }
    }
}

/// Names as categories: on disk a code a row and each name once.
fn categories(names: &[String]) -> PolarsResult<DataType> {
    let categories = Categories::new(PlSmallStr::EMPTY, PlSmallStr::EMPTY, CategoricalPhysical::U32);
    // A mapping of its own, so that the codes do not depend on what other threads have seen.
    let mapping = CategoricalMapping::with_hasher(NO_CODE as usize, PlSeedableRandomStateQuality::default());
    for name in names {
        mapping.insert_cat(name)?;
    }
    Ok(DataType::Categorical(categories, Arc::new(mapping)))
}

fn series(column: &Column, data: Data) -> PolarsResult<Series> {
    let name = PlSmallStr::from_static(column.name);
    Ok(match data {
        Data::Number(values) => {
            if values.iter().any(|value| value.is_nan()) {
                let values = values.into_iter().map(|value| (!value.is_nan()).then_some(value));
                Float64Chunked::from_iter_options(name, values).into_column()
            } else {
                Float64Chunked::from_vec(name, values).into_column()
            }
        }
        Data::Whole(values) => {
            let whole = |value: u64| i64::try_from(value).unwrap_or(i64::MAX);
            if values.contains(&NO_COUNT) {
                let values = values
                    .into_iter()
                    .map(|value| (value != NO_COUNT).then(|| whole(value)));
                Int64Chunked::from_iter_options(name, values).into_column()
            } else {
                Int64Chunked::from_vec(name, values.into_iter().map(whole).collect()).into_column()
            }
        }
        Data::Truth(values) => {
            let values = values
                .into_iter()
                .map(|value| (value != NO_TRUTH).then_some(value == 1));
            BooleanChunked::from_iter_options(name, values).into_column()
        }
        Data::Text { codes, names } => {
            // A code that there is no name for becomes none.
            let codes = UInt32Chunked::from_vec(name, codes);
            CategoricalChunked::<Categorical32Type>::from_cats_and_dtype(codes, categories(&names)?)
                .into_series()
                .into_column()
        }
    })
}

fn frame(batch: Batch) -> PolarsResult<DataFrame> {
    let rows = batch.rows();
    let columns = batch
        .into_columns()
        .into_iter()
        .map(|(column, data)| series(column, data));
    DataFrame::new(rows, columns.collect::<PolarsResult<_>>()?)
}

fn schema(columns: &[&'static Column]) -> PolarsResult<Schema> {
    let mut schema = Schema::with_capacity(columns.len());
    for column in columns {
        let kind = match column.values {
            Values::Text(_) => categories(&[])?,
            Values::Number(_) => DataType::Float64,
            Values::Whole(_) => DataType::Int64,
            Values::Truth(_) => DataType::Boolean,
        };
        schema.insert(PlSmallStr::from_static(column.name), kind);
    }
    Ok(schema)
}

/// Writes the rows that `keep` keeps (all, if none) as Parquet, a row group after the other, and tells `progress` how far it is.
/// Memory grows with the root of the number of rows: by what the file's end says of each row group, which are the longer the more there are.
/// If it is stopped, the file holds what was done.
///
/// # Errors
/// [`RunError`]
pub fn write<W: Write + Send>(
    space: &Space,
    run: &Run<'_>,
    columns: &[&'static Column],
    keep: Option<&(dyn Fn(&Record) -> bool + Sync)>,
    out: W,
    progress: &mut dyn FnMut(&Done),
) -> Result<Done, RunError> {
    let about = vec![("edgeprof".to_owned(), env!("CARGO_PKG_VERSION").to_owned())];
    let writer = ParquetWriter::new(out)
        .with_compression(ParquetCompression::Snappy)
        .with_key_value_metadata(Some(KeyValueMetadata::from_static(about)))
        .batched(&schema(columns).map_err(TableError::from)?)
        .map_err(TableError::from)?;
    let mut done = Done::default();
    match keep {
        None => whole(space, run, columns, &writer, &mut done, progress)?,
        Some(keep) => some(space, run, columns, keep, &writer, &mut done, progress)?,
    }
    writer.finish().map_err(TableError::from)?;
    Ok(done)
}

/// All rows: each thread encodes and compresses its chunks, each of them a row group.
fn whole<W: Write + Send>(
    space: &Space,
    run: &Run<'_>,
    columns: &[&'static Column],
    writer: &BatchedWriter<W>,
    done: &mut Done,
    progress: &mut dyn FnMut(&Done),
) -> Result<(), RunError> {
    in_chunks_of(
        rows_of_a_group(columns.len(), run.rows.len()),
        space,
        run,
        || {
            move |walk: &mut Walk<'_>, part: &Rows<'_>| {
                let batch = batch(walk, part, columns, &|_| true)?;
                let rows = batch.rows();
                let groups =
                    frame(batch).and_then(|frame| writer.encode_and_compress(&frame).collect::<Result<Vec<_>, _>>());
                Ok((rows, groups))
            }
        },
        |Chunk { end, refused, made }| {
            let (rows, groups) = made;
            writer
                .write_row_groups(groups.map_err(TableError::from)?)
                .map_err(TableError::from)?;
            done.end = end;
            done.kept += rows as u64;
            done.refused += refused;
            progress(done);
            Ok(())
        },
    )?;
    Ok(())
}

/// The rows that are kept, of many chunks in one row group.
fn some<W: Write + Send>(
    space: &Space,
    run: &Run<'_>,
    columns: &[&'static Column],
    keep: &(dyn Fn(&Record) -> bool + Sync),
    writer: &BatchedWriter<W>,
    done: &mut Done,
    progress: &mut dyn FnMut(&Done),
) -> Result<(), RunError> {
    let flush = |batch: &mut Batch| -> Result<(), TableError> {
        let full = std::mem::replace(batch, Batch::new(columns, 0));
        if full.rows() > 0 {
            let frame = frame(full)?;
            writer.write_row_groups(writer.encode_and_compress(&frame).collect::<Result<_, _>>()?)?;
        }
        Ok(())
    };
    let mut waiting = Batch::new(columns, 0);
    in_order(
        space,
        run,
        || move |walk: &mut Walk<'_>, part: &Rows<'_>| batch(walk, part, columns, keep),
        |Chunk { end, refused, made }| {
            done.kept += made.rows() as u64;
            waiting.append(made);
            if waiting.rows() as u64 >= rows_of_a_group(columns.len(), run.rows.len()) {
                flush(&mut waiting)?;
            }
            done.end = end;
            done.refused += refused;
            progress(done);
            Ok(())
        },
    )?;
    Ok(flush(&mut waiting)?)
}

fn batch(
    walk: &mut Walk<'_>,
    part: &Rows<'_>,
    columns: &[&'static Column],
    keep: &(dyn Fn(&Record) -> bool + Sync),
) -> Result<Batch, crate::sweep::WalkError> {
    let mut batch = Batch::new(columns, usize::try_from(part.len()).unwrap_or(0));
    walk.kept(part, keep, |_, record| {
        batch.push(record);
        ControlFlow::Continue(())
    })?;
    Ok(batch)
}

#[cfg(test)]
mod tests {
    use super::{CHUNK, COLUMNS, rows_of_a_group};

    #[test]
    fn row_groups_of_few_columns_are_longer_and_hold_no_more_than_those_of_all() {
        assert_eq!(rows_of_a_group(COLUMNS.len(), 1000), CHUNK);
        let few = |columns| rows_of_a_group(columns, 1000);
        assert_eq!((few(14), few(1), few(0)), (4 * CHUNK, 8 * CHUNK, 8 * CHUNK));
        for columns in 1..=COLUMNS.len() {
            assert!(few(columns) * columns as u64 <= CHUNK * COLUMNS.len() as u64);
        }
    }

    #[test]
    fn row_groups_of_a_long_table_are_longer() {
        let all = |rows| rows_of_a_group(COLUMNS.len(), rows);
        // 32 768² / 64
        assert_eq!((all(16_777_216), all(16_777_217)), (CHUNK, 2 * CHUNK));
        // 65 536² / 64 is 67 million, 131 072² / 64 268 million
        assert_eq!(
            (all(100_000_000), rows_of_a_group(14, 100_000_000)),
            (4 * CHUNK, 4 * CHUNK)
        );
        assert_eq!((all(u64::MAX), rows_of_a_group(1, u64::MAX)), (1 << 20, 1 << 20));
    }
}
