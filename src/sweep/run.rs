//! Many threads, one order.

use super::space::Space;
use super::walk::{Rows, Walk, WalkError};
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::sync_channel;
use std::thread;

/// How many rows a thread predicts at a time.
pub const CHUNK: u64 = 1 << 15;

/// How a sweep is run.
#[derive(Debug, Clone)]
pub struct Run<'a> {
    /// Which rows.
    pub rows: Rows<'a>,
    /// How many threads predict.
    pub jobs: NonZeroUsize,
    /// Raised to end it after the chunks under way.
    pub stop: &'a AtomicBool,
    /// Which records have intervals.
    pub intervals: Intervals,
}

/// Which records have the intervals of their figures, which take about as long to work out as these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Intervals {
    /// None: nobody asks for them.
    None,
    /// Those that are kept: to be shown, or to choose among them.
    Kept,
    /// All: what is kept depends on them.
    All,
}

/// What is left of a chunk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Chunk<T> {
    /// How many rows there are in it and before it.
    pub end: u64,
    /// How many of its rows cannot be asked.
    pub refused: u64,
    /// What was made of the others.
    pub made: T,
}

/// How far a sweep came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Done {
    /// How many rows were looked at.
    pub end: u64,
    /// How many rows were written.
    pub kept: u64,
    /// How many rows cannot be asked.
    pub refused: u64,
}

/// Why a sweep ended early.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// A row cannot be asked.
    #[error(transparent)]
    Walk(#[from] WalkError),
    /// The system gives no more threads.
    #[error("no {jobs} threads can be had; give --jobs a smaller number")]
    Threads {
        /// as asked
        jobs: u64,
        /// what the system says
        source: std::io::Error,
    },
    /// The rows cannot be written.
    #[error(transparent)]
    Write(#[from] std::io::Error),
    /// The table cannot be written.
    #[cfg(feature = "tables")]
    #[error(transparent)]
    Table(#[from] crate::table::TableError),
}

/// Has the rows predicted in chunks by several threads, each of which makes something of its chunks with what `worker` gives it, and
/// takes what they made in the order of the rows. Says how many rows were taken: all of them, unless it was stopped.
///
/// No thread is more than a chunk ahead of what was taken, so memory does not grow with the number of rows.
///
/// # Errors
/// The first error of a row or of `take`.
pub fn in_order<T, W>(
    space: &Space,
    run: &Run<'_>,
    worker: impl Fn() -> W + Sync,
    take: impl FnMut(Chunk<T>) -> Result<(), RunError>,
) -> Result<u64, RunError>
where
    T: Send,
    W: FnMut(&mut Walk<'_>, &Rows<'_>) -> Result<T, WalkError>,
{
    in_chunks_of(CHUNK, space, run, worker, take)
}

/// The same in chunks of `rows` rows.
///
/// # Errors
/// As [`in_order`].
pub fn in_chunks_of<T, W>(
    rows: u64,
    space: &Space,
    run: &Run<'_>,
    worker: impl Fn() -> W + Sync,
    mut take: impl FnMut(Chunk<T>) -> Result<(), RunError>,
) -> Result<u64, RunError>
where
    T: Send,
    W: FnMut(&mut Walk<'_>, &Rows<'_>) -> Result<T, WalkError>,
{
    let rows = rows.max(1);
    let end = run.rows.len();
    let chunks = end.div_ceil(rows);
    let jobs = u64::try_from(run.jobs.get()).unwrap_or(1).min(chunks.max(1));
    thread::scope(|scope| {
        let mut made = Vec::new();
        for job in 0..jobs {
            let (send, receive) = sync_channel(1);
            made.push(receive);
            let worker = &worker;
            let work = move || {
                let mut walk = Walk::with(space, run.intervals);
                let mut work = worker();
                let mut chunk = job;
                while chunk < chunks && !run.stop.load(Ordering::Relaxed) {
                    let part = chunk * rows..end.min((chunk + 1) * rows);
                    let (last, before) = (part.end, walk.refused());
                    let made = work(&mut walk, &run.rows.part(part)).map(|made| Chunk {
                        end: last,
                        refused: walk.refused() - before,
                        made,
                    });
                    let failed = made.is_err();
                    // Nobody takes it any more once there was an error elsewhere.
                    if send.send(made).is_err() || failed {
                        return;
                    }
                    chunk += jobs;
                }
            };
            let spawned = thread::Builder::new().spawn_scoped(scope, work);
            spawned.map_err(|source| RunError::Threads { jobs, source })?;
        }
        let mut done = 0;
        for chunk in 0..chunks {
            let from = usize::try_from(chunk % jobs).unwrap_or(0);
            // A thread that was stopped sends no more.
            let Ok(chunk) = made[from].recv() else { break };
            let chunk = chunk?;
            let end = chunk.end;
            take(chunk)?;
            done = end;
        }
        Ok(done)
    })
}
