//! Rows in the order of a column, and the first of them.

use super::named::{NoColumn, column};
use super::run::{Chunk, Done, Run, RunError, in_order};
use super::space::Space;
use super::walk::{Rows, Walk};
use crate::output::{Column, Record, Value, Values};
use std::cmp::Ordering;
use std::ops::ControlFlow;
use std::str::FromStr;

/// A column to sort by: the least first, or with a `-` before its name the greatest. Rows without a value come last; those of the same
/// value keep their order.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    column: &'static Column,
    descending: bool,
}

impl FromStr for Order {
    type Err = NoColumn;

    fn from_str(text: &str) -> Result<Self, NoColumn> {
        let text = text.trim();
        let (name, descending) = match text.strip_prefix('-') {
            Some(name) => (name, true),
            None => (text, false),
        };
        Ok(Self {
            column: column(name)?,
            descending,
        })
    }
}

impl Order {
    /// The column.
    #[must_use]
    pub const fn column(&self) -> &'static Column {
        self.column
    }
}

/// A figure or a truth as a number; NaN for none.
#[allow(clippy::cast_precision_loss)] // bytes and tokens are far below 2^53
pub(super) fn number(column: &Column, record: &Record) -> f64 {
    match column.value(record) {
        Value::Number(number) => number,
        Value::Whole(whole) => whole as f64,
        Value::Truth(truth) => f64::from(u8::from(truth)),
        Value::Text(_) | Value::None => f64::NAN,
    }
}

/// The numbers of the rows that `keep` keeps, sorted; of them the first `top`, if so many are wanted. It remembers 16 bytes a row, or
/// of the first `top` alone.
///
/// # Errors
/// [`RunError`]
pub fn sorted(
    space: &Space,
    run: &Run<'_>,
    keep: impl Fn(&Record) -> bool + Sync,
    order: Order,
    top: Option<usize>,
    progress: &mut dyn FnMut(&Done),
) -> Result<(Vec<u64>, Done), RunError> {
    let Order { column, descending } = order;
    match column.values {
        Values::Text(get) => {
            let key = |record: &Record| get(record).map(str::to_owned);
            let compare =
                |a: &Option<String>, b: &Option<String>| directed(a.is_none(), b.is_none(), a.cmp(b), descending);
            by(space, run, keep, key, compare, top, progress)
        }
        _ => {
            let key = |record: &Record| number(column, record);
            let compare = |a: &f64, b: &f64| directed(a.is_nan(), b.is_nan(), a.total_cmp(b), descending);
            by(space, run, keep, key, compare, top, progress)
        }
    }
}

fn directed(no_a: bool, no_b: bool, order: Ordering, descending: bool) -> Ordering {
    let order = if descending { order.reverse() } else { order };
    no_a.cmp(&no_b).then(order)
}

fn by<K: Send>(
    space: &Space,
    run: &Run<'_>,
    keep: impl Fn(&Record) -> bool + Sync,
    key: impl Fn(&Record) -> K + Sync,
    compare: impl Fn(&K, &K) -> Ordering + Sync,
    top: Option<usize>,
    progress: &mut dyn FnMut(&Done),
) -> Result<(Vec<u64>, Done), RunError> {
    let earlier = |a: &(K, u64), b: &(K, u64)| compare(&a.0, &b.0).then(a.1.cmp(&b.1));
    let shorten = |rows: &mut Vec<(K, u64)>| {
        if let Some(top) = top
            && rows.len() > top
        {
            rows.select_nth_unstable_by(top, earlier);
            rows.truncate(top);
        }
    };
    let (mut rows, mut done) = (Vec::new(), Done::default());
    let (keep, key, shorten) = (&keep, &key, &shorten);
    in_order(
        space,
        run,
        || {
            move |walk: &mut Walk<'_>, part: &Rows<'_>| {
                let mut found = Vec::new();
                walk.kept(part, keep, |row, record| {
                    found.push((key(record), row));
                    ControlFlow::Continue(())
                })?;
                shorten(&mut found);
                Ok(found)
            }
        },
        |Chunk { end, refused, made }| {
            rows.extend(made);
            // Now and then, so that it costs little.
            if top.is_some_and(|top| rows.len() / 4 > top) {
                shorten(&mut rows);
            }
            done.end = end;
            done.refused += refused;
            progress(&done);
            Ok(())
        },
    )?;
    shorten(&mut rows);
    rows.sort_unstable_by(earlier);
    done.kept = rows.len() as u64;
    Ok((rows.into_iter().map(|(_, row)| row).collect(), done))
}
