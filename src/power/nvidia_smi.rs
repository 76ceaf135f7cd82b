//! NVIDIA's management library, through the program that comes with the driver: `nvidia-smi` prints the boards' power as it goes.

use super::host::{Host, output};
use super::stream::Stream;
use super::{Found, Info, PowerError, Sensor};
use crate::device::Rail;
use crate::units::Watts;

const NAME: &str = "nvml";
const QUERY: &str = "--query-gpu=index,power.draw";
const FORMAT: &str = "--format=csv,noheader,nounits";

#[derive(Debug)]
struct NvidiaSmi {
    info: Info,
    stream: Stream,
}

/// The boards that say what they draw.
pub(super) fn find(host: &Host) -> Option<Found> {
    let program = host.program("nvidia-smi")?;
    // Without a driver or a board the program fails.
    let text = output(&program, &[QUERY, FORMAT]).ok()?;
    let boards = text.lines().filter(|line| reading(line).is_some()).count();
    let unreadable = |reason: &str| PowerError::Unreadable {
        name: NAME,
        reason: reason.to_owned(),
    };
    if boards == 0 {
        return Some(Err(unreadable("no GPU here states its power (nvidia-smi says N/A)")));
    }
    let info = Info {
        name: NAME,
        rail: Rail::Board,
        what: format!("NVML, {boards} GPU board{}", if boards == 1 { "" } else { "s" }),
    };
    let mut sum = Sum::new(boards);
    let stream = Stream::start(NAME, &program, &[QUERY, FORMAT, "--loop-ms=100"], move |line| {
        sum.add(line)
    });
    Some(stream.map(|stream| Box::new(NvidiaSmi { info, stream }) as Box<dyn Sensor>))
}

/// Index and watts of a line like `0, 61.32`; none if the board does not say.
fn reading(line: &str) -> Option<(u64, f64)> {
    let (index, watts) = line.split_once(',')?;
    let watts: f64 = watts.trim().parse().ok()?;
    Some((index.trim().parse().ok()?, watts)).filter(|(_, watts)| watts.is_finite())
}

/// The boards of one round.
struct Sum {
    boards: usize,
    seen: Vec<f64>,
}

impl Sum {
    const fn new(boards: usize) -> Self {
        Self {
            boards,
            seen: Vec::new(),
        }
    }

    /// The sum, once all boards of a round are read.
    fn add(&mut self, line: &str) -> Option<Watts> {
        let (_, watts) = reading(line)?;
        self.seen.push(watts);
        if self.seen.len() < self.boards {
            return None;
        }
        Some(Watts(self.seen.drain(..).sum()))
    }
}

impl Sensor for NvidiaSmi {
    fn info(&self) -> &Info {
        &self.info
    }

    fn sample(&mut self) -> Result<Option<Watts>, PowerError> {
        self.stream.last()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boards_are_added_a_round_at_a_time() {
        let mut sum = Sum::new(2);
        let watts: Vec<Option<Watts>> = ["0, 61.32", "1, [N/A]", "2, 100.18", "0, 60", "2, 90.5"]
            .iter()
            .map(|line| sum.add(line))
            .collect();
        assert_eq!(watts, [None, None, Some(Watts(161.5)), None, Some(Watts(150.5))]);
        assert_eq!(reading("No devices were found"), None);
    }
}
