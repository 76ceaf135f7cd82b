//! Rows that no other row is better than in every respect.

use super::named::{NoColumn, column};
use super::order::number;
use super::run::{Chunk, Done, Run, RunError, in_order};
use super::space::Space;
use super::walk::{Rows, Walk};
use crate::output::{Better, Column, Record, Values};
use std::ops::ControlFlow;
use std::str::FromStr;

/// A figure and which values of it are the better ones: a column that says so itself, or one with `:min` or `:max` behind its name.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    column: &'static Column,
    better: Better,
}

/// Why a text is no goal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum GoalError {
    /// There is no such column.
    #[error(transparent)]
    NoColumn(#[from] NoColumn),
    /// A text is not better or worse.
    #[error("`{name}` is a name, and no name is better than another")]
    Text {
        /// the column
        name: &'static str,
    },
    /// More of it is neither better nor worse.
    #[error("whether more or less of `{name}` is better depends on what you want; write `{name}:max` or `{name}:min`")]
    Undirected {
        /// the column
        name: &'static str,
    },
    /// The direction is neither.
    #[error("`{direction}` is neither `min` nor `max`")]
    Direction {
        /// as written
        direction: String,
    },
}

impl FromStr for Goal {
    type Err = GoalError;

    fn from_str(text: &str) -> Result<Self, GoalError> {
        let (name, direction) = match text.split_once(':') {
            Some((name, direction)) => (name, Some(direction.trim())),
            None => (text, None),
        };
        let column = column(name.trim())?;
        let name = column.name;
        if matches!(column.values, Values::Text(_)) {
            return Err(GoalError::Text { name });
        }
        let better = match direction {
            Some("min") => Better::Low,
            Some("max") => Better::High,
            Some(direction) => {
                return Err(GoalError::Direction {
                    direction: direction.to_owned(),
                });
            }
            None => column.better.ok_or(GoalError::Undirected { name })?,
        };
        Ok(Self { column, better })
    }
}

impl Goal {
    /// The column.
    #[must_use]
    pub const fn column(&self) -> &'static Column {
        self.column
    }

    /// The figure, turned so that less is better; NaN for none.
    fn of(&self, record: &Record) -> f64 {
        let number = number(self.column, record);
        match self.better {
            Better::Low => number,
            Better::High => -number,
        }
    }
}

/// Points that no other point is better than, and the rows at each of them.
#[derive(Debug, Clone)]
struct Front {
    /// Figures of a point.
    width: usize,
    /// The figures of the points, one after the other.
    figures: Vec<f64>,
    rows: Vec<Vec<u64>>,
}

/// How two points stand to each other.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Better,
    Worse,
    Same,
    Neither,
}

fn standing(a: &[f64], b: &[f64]) -> Standing {
    let (mut better, mut worse) = (false, false);
    for (a, b) in a.iter().zip(b) {
        better |= a < b;
        worse |= a > b;
    }
    match (better, worse) {
        (true, false) => Standing::Better,
        (false, true) => Standing::Worse,
        (false, false) => Standing::Same,
        (true, true) => Standing::Neither,
    }
}

impl Front {
    const fn new(width: usize) -> Self {
        Self {
            width,
            figures: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn point(&self, at: usize) -> &[f64] {
        &self.figures[at * self.width..(at + 1) * self.width]
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.rows.swap(a, b);
        for at in 0..self.width {
            self.figures.swap(a * self.width + at, b * self.width + at);
        }
    }

    /// Adds a row at a point, unless there is a better point, and takes out the points that it is better than. Says whether it did.
    fn add(&mut self, point: &[f64], row: u64) -> bool {
        let mut at = 0;
        while at < self.rows.len() {
            match standing(self.point(at), point) {
                Standing::Better => {
                    // What turned one away will turn others away: it comes nearer to the front.
                    if at > 0 {
                        self.swap(at, at / 2);
                    }
                    return false;
                }
                Standing::Same => {
                    self.rows[at].push(row);
                    return true;
                }
                Standing::Worse => {
                    self.swap(at, self.rows.len() - 1);
                    self.rows.pop();
                    self.figures.truncate(self.rows.len() * self.width);
                }
                Standing::Neither => at += 1,
            }
        }
        self.figures.extend_from_slice(point);
        self.rows.push(vec![row]);
        true
    }

    fn into_rows(self) -> Vec<u64> {
        let mut rows: Vec<u64> = self.rows.into_iter().flatten().collect();
        rows.sort_unstable();
        rows
    }
}

/// The numbers of the rows which `keep` keeps and none of these is better than: at least as good in every goal and better in one.
/// Rows without one of the figures are not among them; of rows that are equally good in every goal all are.
///
/// # Errors
/// [`RunError`]
pub fn front(
    space: &Space,
    run: &Run<'_>,
    keep: impl Fn(&Record) -> bool + Sync,
    goals: &[Goal],
    progress: &mut dyn FnMut(&Done),
) -> Result<(Vec<u64>, Done), RunError> {
    let (mut whole, mut done) = (Front::new(goals.len()), Done::default());
    let keep = &keep;
    in_order(
        space,
        run,
        || {
            // What a thread saw before turns most of its rows away.
            let mut seen = Front::new(goals.len());
            let mut point = vec![0.0; goals.len()];
            move |walk: &mut Walk<'_>, part: &Rows<'_>| {
                let mut found: Vec<(Vec<f64>, u64)> = Vec::new();
                walk.kept(part, keep, |row, record| {
                    for (figure, goal) in point.iter_mut().zip(goals) {
                        *figure = goal.of(record);
                    }
                    if point.iter().all(|figure| !figure.is_nan()) && seen.add(&point, row) {
                        found.push((point.clone(), row));
                    }
                    ControlFlow::Continue(())
                })?;
                Ok(found)
            }
        },
        |Chunk { end, refused, made }| {
            for (point, row) in made {
                whole.add(&point, row);
            }
            done.end = end;
            done.refused += refused;
            progress(&done);
            Ok(())
        },
    )?;
    let rows = whole.into_rows();
    done.kept = rows.len() as u64;
    Ok((rows, done))
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn goal(text: &str) -> Result<(&'static str, Better), GoalError> {
        text.parse().map(|goal: Goal| (goal.column.name, goal.better))
    }

    #[test]
    fn a_goal_knows_its_direction() {
        assert_eq!(goal("decode_tokens_per_s"), Ok(("decode_tokens_per_s", Better::High)));
        assert_eq!(goal(" memory_bytes "), Ok(("memory_bytes", Better::Low)));
        assert_eq!(goal("prompt:max"), Ok(("prompt", Better::High)));
        assert_eq!(
            goal("decode_tokens_per_s:min"),
            Ok(("decode_tokens_per_s", Better::Low))
        );
        assert_eq!(goal("prompt"), Err(GoalError::Undirected { name: "prompt" }));
        assert_eq!(goal("model"), Err(GoalError::Text { name: "model" }));
        assert!(matches!(goal("prompt:up"), Err(GoalError::Direction { .. })));
        assert!(
            matches!(goal("memory_byte"), Err(GoalError::NoColumn(NoColumn { nearest, .. })) if nearest[0] == "memory_bytes")
        );
    }

    proptest! {
        #[test]
        fn the_front_is_what_comparing_all_pairs_gives(
            points in prop::collection::vec(prop::collection::vec(0..6_u8, 3), 0..80),
            width in 1..4_usize,
        ) {
            let points: Vec<Vec<f64>> = points.iter().map(|point| point[..width].iter().map(|&x| f64::from(x)).collect()).collect();
            let mut front = Front::new(width);
            for (row, point) in points.iter().enumerate() {
                front.add(point, row as u64);
            }
            let beaten = |point: &Vec<f64>| points.iter().any(|other| {
                other.iter().zip(point).all(|(a, b)| a <= b) && other != point
            });
            let expected: Vec<u64> = (0..points.len()).filter(|&row| !beaten(&points[row])).map(|row| row as u64).collect();
            prop_assert_eq!(front.into_rows(), expected);
        }
    }
}
