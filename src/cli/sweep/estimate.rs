//! How long a sweep will take.

use super::select::SelectArgs;
use crate::cli::failure::Failure;
use edgeprof::output::number;
use edgeprof::sweep::{Run, Space, Walk};
use std::ops::ControlFlow;
use std::time::{Duration, Instant};

/// Places of the sweep at which rows are timed, and rows at each of them.
const PLACES: u64 = 64;
const ROWS: u64 = 512;
/// Time after which no more places are looked at.
const ENOUGH: Duration = Duration::from_millis(500);

/// How many rows there are, and about how long they take: timed on some of them.
pub fn text(space: &Space, run: &Run<'_>, select: &SelectArgs) -> Result<String, Failure> {
    let rows = run.rows.len();
    let mut walk = Walk::new(space);
    let start = Instant::now();
    let (mut seen, mut kept) = (0_u64, 0_u64);
    for place in 0..PLACES {
        if seen > 0 && start.elapsed() > ENOUGH {
            break;
        }
        // Places spread evenly, visited in an order that is even at every time.
        let first =
            u128::from(rows) * u128::from(place.reverse_bits() >> (64 - PLACES.trailing_zeros())) / u128::from(PLACES);
        let first = u64::try_from(first).unwrap_or(0);
        let part = run.rows.part(first..rows.min(first + ROWS));
        seen += part.len();
        walk.each(&part, |_, record| {
            kept += u64::from(select.keeps(record));
            ControlFlow::Continue(())
        })
        .map_err(Failure::new)?;
    }
    let seconds = start.elapsed().as_secs_f64() / seen.max(1) as f64 * rows as f64 / run.jobs.get() as f64;
    let mut text = format!(
        "{} rows, about {} on {} threads without the writing\n",
        number::count(rows as f64),
        number::long_time(seconds),
        run.jobs
    );
    if select.leaves_out() {
        text += &format!(
            "about {} of them kept\n",
            number::percent(kept as f64 / seen.max(1) as f64)
        );
    }
    Ok(text)
}
