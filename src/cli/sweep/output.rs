//! Where the rows of a sweep go, and as what.

use super::progress::Progress;
use super::select::SelectArgs;
use super::shown;
use crate::cli::failure::{CannotWrite, Failure};
use crate::cli::sink;
use clap::{Args, ValueEnum};
use edgeprof::catalog::NewFile;
use edgeprof::output::{COLUMNS, Column, Record, Setting, number};
use edgeprof::sweep::{
    Chunk, Done, Intervals, Rows, Run, RunError, Space, Text, TextFormat, Walk, column, in_order, write,
};
use std::io::{BufWriter, ErrorKind, IsTerminal, Write};
use std::num::{NonZeroU64, NonZeroUsize};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

/// What the rows are written as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// The first rows as aligned columns, for a terminal
    Table,
    /// One row a line, in base SI units
    Csv,
    /// One JSON object a line, its keys those of the CSV
    Jsonl,
    /// For polars, pandas, DuckDB, Spark: typed, compressed and fast to read
    Parquet,
    /// The first rows, for a README
    Markdown,
    /// The first rows, for a paper (package booktabs)
    Latex,
}

/// The output.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Output")]
pub struct OutputArgs {
    /// How to write the rows [default: by the ending of --output; without one, a table]
    #[arg(long, value_enum, ignore_case = true)]
    format: Option<Format>,
    /// Columns to write, in this order [default: all of `predict --format csv`; in a table, those that differ and the main figures]
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    columns: Vec<String>,
    /// The most rows of a table
    #[arg(long, value_name = "N", default_value = "20")]
    rows: NonZeroUsize,
    /// Write to a file (.csv, .jsonl, .parquet, .md, .tex) instead of the standard output, whole or not at all; `folder/`, or one that exists,
    /// becomes a data set of several, Parquet if --format does not say otherwise
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Rows that each file of a folder is of
    #[arg(long, value_name = "N", default_value = "4194304")]
    rows_per_file: NonZeroU64,
}

/// A file whose ending names no format.
#[derive(Debug, thiserror::Error)]
#[error("the ending of {} names no format", path.display())]
struct UnknownEnding {
    path: PathBuf,
}

/// A folder that is no new one.
#[derive(Debug, thiserror::Error)]
#[error("{} is there already", path.display())]
struct HoldsRows {
    path: PathBuf,
}

/// A file for people to read is not one.
#[derive(Debug, thiserror::Error)]
#[error("Parquet is nothing to read on a terminal")]
struct NotText;

/// A build without tables.
#[cfg(not(feature = "tables"))]
#[derive(Debug, thiserror::Error)]
#[error("this edgeprof was built without Parquet")]
struct NoTables;

impl OutputArgs {
    /// As asked, else by the file's ending.
    fn format(&self) -> Result<Format, Failure> {
        let Some(path) = self.file().filter(|_| self.format.is_none()) else {
            return Ok(self.format.unwrap_or(Format::Table));
        };
        if is_folder(path) {
            return Ok(Format::Parquet);
        }
        let ending = path.extension().and_then(|ending| ending.to_str());
        Ok(match ending.map(str::to_ascii_lowercase).as_deref() {
            Some("csv") => Format::Csv,
            Some("jsonl" | "ndjson") => Format::Jsonl,
            Some("parquet") => Format::Parquet,
            Some("md") => Format::Markdown,
            Some("tex") => Format::Latex,
            Some("txt") | None => Format::Table,
            Some(_) => {
                let unknown = UnknownEnding { path: path.to_owned() };
                return Err(Failure::new(unknown)
                    .hint("end it in .csv, .jsonl, .parquet, .md, .tex or .txt, or name the format with --format"));
            }
        })
    }

    /// The file, if it is one.
    pub fn file(&self) -> Option<&Path> {
        self.output.as_deref().filter(|path| *path != Path::new("-"))
    }

    /// The columns asked for; none if none were.
    pub fn columns(&self) -> Result<Vec<&'static Column>, Failure> {
        let mut columns: Vec<&'static Column> = Vec::new();
        for name in &self.columns {
            let column = column(name.trim()).map_err(Failure::new)?;
            // Twice the same name would be no table.
            if !columns.iter().any(|other| other.name == column.name) {
                columns.push(column);
            }
        }
        Ok(columns)
    }

    /// Writes the rows, or of them those that `select` keeps. A table also has the columns `also`.
    pub fn write(
        &self,
        space: &Space,
        run: &Run<'_>,
        columns: &[&'static Column],
        select: Option<&SelectArgs>,
        also: impl Iterator<Item = &'static str>,
    ) -> Result<Done, Failure> {
        let format = self.format()?;
        let setting = match format {
            Format::Table => Some(Setting::Text),
            Format::Markdown => Some(Setting::Markdown),
            Format::Latex => Some(Setting::Latex),
            Format::Csv | Format::Jsonl | Format::Parquet => None,
        };
        if let Some(setting) = setting {
            return self.table(space, run, columns, select, also, setting);
        }
        let all: Vec<&'static Column>;
        let columns = if columns.is_empty() {
            all = COLUMNS.iter().collect();
            &all
        } else {
            columns
        };
        let shown = if columns.iter().any(|column| column.of_interval) {
            Intervals::Kept
        } else {
            Intervals::None
        };
        let run = &Run {
            intervals: run.intervals.max(shown),
            ..run.clone()
        };
        let table = RowsOf {
            space,
            format,
            columns,
            select,
        };
        let progress = Progress::new(run.rows.len());
        let done = self.write_rows(&table, run, &progress);
        progress.clear();
        done
    }

    fn write_rows(&self, table: &RowsOf<'_>, run: &Run<'_>, progress: &Progress) -> Result<Done, Failure> {
        let mut show = |done: &Done| progress.show(done.end);
        match self.file() {
            Some(folder) if is_folder(folder) => table.write_folder(run, folder, self.rows_per_file.get(), progress),
            Some(path) => table.write_file(run, path, &mut show),
            None if table.format == Format::Parquet && std::io::stdout().is_terminal() => {
                Err(Failure::new(NotText).hint("name a file with `-o sweep.parquet`, or pipe it on"))
            }
            None => {
                let mut out = BufWriter::new(std::io::stdout());
                let written = table.write(run, &mut out, &mut show);
                match written.and_then(|done| Ok(out.flush().map(|()| done)?)) {
                    // The reader of a pipe has seen enough.
                    Err(RunError::Write(error)) if error.kind() == ErrorKind::BrokenPipe => {
                        // What is still in the buffer has no reader either.
                        let _ = out.into_parts();
                        Ok(Done {
                            end: run.rows.len(),
                            ..Done::default()
                        })
                    }
                    written => written.map_err(|error| failure(Path::new("the standard output"), error)),
                }
            }
        }
    }

    /// The first rows as a table, and how many more there are.
    fn table(
        &self,
        space: &Space,
        run: &Run<'_>,
        columns: &[&'static Column],
        select: Option<&SelectArgs>,
        also: impl Iterator<Item = &'static str>,
        setting: Setting,
    ) -> Result<Done, Failure> {
        let Some(select) = select else {
            let (records, refused) = first(space, &run.rows, self.rows.get())?;
            let all = run.rows.len() - refused;
            self.print(&records, all, columns, also, setting)?;
            return Ok(Done {
                end: run.rows.len(),
                kept: all,
                refused,
            });
        };
        let (picked, done) = kept(space, run, select, self.rows.get())?;
        let (records, _) = first(space, &Rows::Picked(&picked), self.rows.get())?;
        self.print(&records, done.kept, columns, also, setting)?;
        Ok(done)
    }

    fn print(
        &self,
        records: &[Record],
        all: u64,
        columns: &[&'static Column],
        also: impl Iterator<Item = &'static str>,
        setting: Setting,
    ) -> Result<(), Failure> {
        if records.is_empty() {
            sink::note("no row is left");
            return Ok(());
        }
        let chosen = if columns.is_empty() {
            shown::columns(records, also)
        } else {
            columns.to_vec()
        };
        sink::write(&shown::table(records, &chosen).set(setting), self.output.as_deref())?;
        let more = all.saturating_sub(records.len() as u64);
        if more > 0 {
            sink::note(&format!(
                "{} more rows; `-o sweep.csv` or `-o sweep.parquet` writes all of them",
                number::count(more as f64)
            ));
        }
        Ok(())
    }
}

fn failure(path: &Path, error: RunError) -> Failure {
    match error {
        RunError::Write(error) => CannotWrite::failure(path, error),
        #[cfg(feature = "tables")]
        RunError::Table(error) => CannotWrite::failure(path, error.into()),
        error => Failure::new(error),
    }
}

/// A path that ends as a folder's does, or is one.
fn is_folder(path: &Path) -> bool {
    let last = path.as_os_str().as_encoded_bytes().last();
    last.is_some_and(|&last| std::path::is_separator(last.into())) || path.is_dir()
}

/// What is written of the rows, and as what.
struct RowsOf<'a> {
    space: &'a Space,
    format: Format,
    columns: &'a [&'static Column],
    select: Option<&'a SelectArgs>,
}

impl RowsOf<'_> {
    /// Writes rows as a text or a table of every one of them.
    fn write(
        &self,
        run: &Run<'_>,
        out: &mut (impl Write + Send),
        show: &mut dyn FnMut(&Done),
    ) -> Result<Done, RunError> {
        let Self { space, columns, .. } = *self;
        let keeps = |record: &Record| self.select.is_none_or(|select| select.keeps(record));
        let text = |format| Text { format, columns };
        match self.format {
            #[cfg(feature = "tables")]
            Format::Parquet => edgeprof::table::write(space, run, columns, self.select.map(|_| &keeps as _), out, show),
            #[cfg(not(feature = "tables"))]
            Format::Parquet => Err(RunError::Write(std::io::Error::other(NoTables))),
            Format::Jsonl => write(space, run, &text(TextFormat::JsonLines), keeps, out, show),
            _ => write(space, run, &text(TextFormat::Csv), keeps, out, show),
        }
    }

    /// Writes one file.
    fn write_file(&self, run: &Run<'_>, path: &Path, show: &mut dyn FnMut(&Done)) -> Result<Done, Failure> {
        let fail = |error| CannotWrite::failure(path, error);
        let mut file = NewFile::create(path).map_err(fail)?;
        let mut out = BufWriter::with_capacity(1 << 20, &mut file);
        let done = self.write(run, &mut out, show).map_err(|error| failure(path, error))?;
        out.flush().map_err(fail)?;
        drop(out);
        file.finish().map_err(fail)?;
        Ok(done)
    }

    /// Writes a file for every so many rows, each named by the number of its first row, so that the parts of a sweep can share the folder.
    fn write_folder(
        &self,
        run: &Run<'_>,
        folder: &Path,
        rows_of_a_file: u64,
        progress: &Progress,
    ) -> Result<Done, Failure> {
        let ending = match self.format {
            Format::Parquet => "parquet",
            Format::Jsonl => "jsonl",
            _ => "csv",
        };
        let mut done = Done::default();
        loop {
            let begun = done;
            let rows = run.rows.part(begun.end..begun.end.saturating_add(rows_of_a_file));
            let first = match rows {
                Rows::Range(ref rows) => rows.start,
                Rows::Picked(_) => begun.end,
            };
            let path = folder.join(format!("rows-{first:012}.{ending}"));
            if path.exists() {
                let failure = Failure::new(HoldsRows { path });
                return Err(failure.hint("name a new folder, so that no rows of two sweeps mix"));
            }
            let wanted = rows.len();
            let part = self.write_file(&Run { rows, ..run.clone() }, &path, &mut |done| {
                progress.show(begun.end + done.end);
            })?;
            done = Done {
                end: begun.end + part.end,
                kept: begun.kept + part.kept,
                refused: begun.refused + part.refused,
            };
            // Of no rows at all there is one file, as there is without a folder.
            if part.end < wanted || done.end >= run.rows.len() {
                return Ok(done);
            }
        }
    }
}

/// The numbers of the first rows that are kept, and how many are.
fn kept(space: &Space, run: &Run<'_>, select: &SelectArgs, most: usize) -> Result<(Vec<u64>, Done), Failure> {
    let progress = Progress::new(run.rows.len());
    let (mut first, mut done) = (Vec::new(), Done::default());
    let found = in_order(
        space,
        run,
        || {
            move |walk: &mut Walk<'_>, part: &Rows<'_>| {
                let (mut found, mut kept) = (Vec::new(), 0_u64);
                let keeps = |record: &Record| select.keeps(record);
                walk.kept(part, keeps, |row, _| {
                    kept += 1;
                    if found.len() < most {
                        found.push(row);
                    }
                    ControlFlow::Continue(())
                })?;
                Ok((found, kept))
            }
        },
        |Chunk { end, refused, made }| {
            let (found, kept) = made;
            first.extend(found.into_iter().take(most - first.len()));
            done.end = end;
            done.kept += kept;
            done.refused += refused;
            progress.show(end);
            Ok(())
        },
    );
    progress.clear();
    found.map_err(Failure::new)?;
    Ok((first, done))
}

/// The first of these rows that can be asked, and how many that cannot lie before them.
fn first(space: &Space, rows: &Rows<'_>, most: usize) -> Result<(Vec<Record>, u64), Failure> {
    let mut records = Vec::new();
    let mut walk = Walk::new(space);
    walk.each(rows, |_, record| {
        records.push(record.clone());
        if records.len() < most {
            ControlFlow::Continue(())
        } else {
            ControlFlow::Break(())
        }
    })
    .map_err(Failure::new)?;
    Ok((records, walk.refused()))
}
