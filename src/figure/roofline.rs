//! The roofline of a device, and where a model's phases stand below it.
//!
//! The roof at an intensity of `i` operations per byte is `min(bandwidth · i, peak)`, with the nominal bandwidth and peaks of the power
//! mode and the threads. A phase stands at its operations over its bytes and at its operations over its seconds.

use super::axis::{Axis, Unit};
use super::chart::Estimate;
use super::chart::lines::{Lines, Rule, Series, Spot, rule_stroke};
use super::frame::Sample;
use super::names::{apart, distinct};
use super::palette::{Colour, Look, MOST_SERIES, look};
use super::{Chart, Column, Figure, FigureError, Table, Value};
use crate::calibration::{FactorId, Phase};
use crate::output::{Record, number};
use crate::perf::Prediction;
use crate::perf::latency::{Machine, TermKind, Terms};
use crate::scenario::Scenario;

/// A prediction as a roofline needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// The prediction.
    pub record: Record,
    /// Bytes per second.
    pub bandwidth: f64,
    /// Operations per second of the arithmetic that multiplies the weights, and its name.
    pub peaks: Vec<(&'static str, f64)>,
    /// Operations, bytes and seconds of each phase that there is.
    pub phases: Vec<(Phase, f64, f64, f64)>,
}

impl Standing {
    /// What a prediction of the exact formulas gives.
    #[must_use]
    pub fn new<'a>(record: Record, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> Self {
        let part = prediction.parts(scenario).backend;
        let machine = part.machine;
        let mut peaks = Vec::new();
        let mut phases = Vec::new();
        for phase in [Phase::Prefill, Phase::Decode].into_iter().filter(|_| prediction.fits) {
            let terms = part.terms(phase, scenario);
            peaks.extend(multiplying(&terms, &machine));
            let totals = terms.totals();
            if totals.seconds() > 0.0 {
                phases.push((phase, totals.flops, totals.bytes, totals.seconds()));
            }
        }
        Self {
            record,
            bandwidth: machine.bandwidth,
            peaks: distinct(peaks),
            phases,
        }
    }
}

/// Arithmetic and peak of the terms that multiply weights.
fn multiplying<'a>(terms: &'a Terms, machine: &'a Machine<'_>) -> impl Iterator<Item = (&'static str, f64)> + 'a {
    terms
        .as_slice()
        .iter()
        .filter_map(|term| match (term.kind, term.factor) {
            (TermKind::Multiply, FactorId::Compute(phase, block)) => {
                Some((machine.unit(phase, block).name(), term.rate))
            }
            _ => None,
        })
}

/// Height over width of the plot.
const ASPECT: f64 = 0.75;

/// The roofs of every device, and the phases of every prediction: prefill filled, decode hollow.
///
/// # Errors
/// [`FigureError`] where there is no phase, or more models, devices and precisions than can be told apart.
pub fn figure(standings: &[Standing]) -> Result<Figure, FigureError> {
    let drawn: Vec<&Standing> = standings
        .iter()
        .filter(|standing| !standing.phases.is_empty())
        .collect();
    let misfits = standings.iter().filter(|standing| !standing.record.fits);
    let left_out = distinct(misfits.map(|standing| super::does_not_fit(&standing.record)));
    if drawn.is_empty() {
        return Err(FigureError::Missing {
            first: left_out.into_iter().next().unwrap_or_else(|| {
                "there is no phase to place; ask for --prompt or --generate of at least 1 and the exact formulas"
                    .to_owned()
            }),
        });
    }
    let names = apart(&drawn.iter().map(|standing| &standing.record).collect::<Vec<_>>());
    // The second eight looks differ by hollow markers, which are the decode phase here.
    FigureError::at_most("predictions", drawn.len(), MOST_SERIES / 2)?;
    let mut table = Table::new(super::columns([
        Column::words("phase"),
        Column::numbers("flops_per_byte", Unit::Si("FLOP/B")),
        Column::numbers("flops_per_s", Unit::Si("FLOP/s")),
        Column::numbers("bandwidth_bytes_per_s", Unit::Si("B/s")),
        Column::words("arithmetic"),
        Column::numbers("peak_flops_per_s", Unit::Si("FLOP/s")),
    ]));
    let (mut series, mut xs, mut ys) = (Vec::new(), Vec::new(), Vec::new());
    let alone = drawn.len() == 1;
    for (number, (standing, name)) in drawn.iter().zip(&names).enumerate() {
        for &(phase, flops, bytes, seconds) in &standing.phases {
            let (intensity, rate) = (flops / bytes, flops / seconds);
            let highest = standing.peaks.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1));
            let mut row = super::who(&standing.record);
            row.extend([
                Value::from(phase.name()),
                intensity.into(),
                rate.into(),
                standing.bandwidth.into(),
                highest.map_or(Value::None, |(name, _)| name.into()),
                highest.map(|(_, peak)| peak).into(),
            ]);
            table.row(row);
            xs.push(intensity);
            ys.push(rate);
            let look = Look {
                filled: phase == Phase::Prefill,
                ..look(number)
            };
            let named = match (alone, phase) {
                (true, _) => phase.name().to_owned(),
                (false, _) if phase == standing.phases[0].0 => name.clone(),
                _ => String::new(),
            };
            series.push(Series {
                name: named,
                look,
                joined: false,
                points: vec![Spot::new(
                    intensity,
                    Estimate {
                        crossed: !standing.record.fits,
                        ..Estimate::exact(rate)
                    },
                )],
            });
        }
    }
    let roofs = roofs(&drawn);
    for roof in &roofs {
        for (_, peak) in &roof.peaks {
            let ridge = peak / roof.bandwidth;
            xs.extend([ridge / 8.0, ridge * 4.0]);
            ys.extend([*peak, peak / 8.0]);
        }
    }
    let x = Axis::logarithmic("intensity", Unit::Plain("FLOP/B"), &xs);
    let y = Axis::logarithmic("rate", Unit::Si("FLOP/s"), &ys);
    let rules = roofs
        .iter()
        .enumerate()
        .flat_map(|(at, roof)| {
            let lines = roof.lines(&x).into_iter().enumerate();
            lines.map(move |(line, points)| Rule {
                name: if line == 0 { roof.name() } else { String::new() },
                stroke: rule_stroke(at + 1),
                points,
            })
        })
        .collect();
    let mut notes = Vec::new();
    if !alone {
        for (filled, phase) in [(true, Phase::Prefill), (false, Phase::Decode)] {
            let black = Look {
                colour: Colour::BLACK,
                filled,
                ..look(0)
            };
            let sample = Sample::Line {
                look: black,
                line: false,
                marker: true,
            };
            let what = if filled { "filled" } else { "hollow" };
            notes.push((sample, format!("{what}: {}", phase.name())));
        }
    }
    Ok(Figure {
        table,
        chart: Chart::Lines(Lines {
            x,
            y,
            rules,
            series,
            notes,
            aspect: ASPECT,
        }),
        left_out,
    })
}

/// The roofline of a device in a power mode: one slope, and the peaks of the arithmetics under it.
struct Roof {
    device: String,
    bandwidth: f64,
    /// The highest first, each once.
    peaks: Vec<(String, f64)>,
}

impl Roof {
    /// Device, bandwidth and peaks: `pi5: 17.07 GB/s, int8 614.0 GFLOP/s, fp16 307.0 GFLOP/s`.
    fn name(&self) -> String {
        let bandwidth = number::quantity(self.bandwidth, "B/s");
        let peaks = self.peaks.iter();
        peaks.fold(format!("{}: {bandwidth}", self.device), |name, (arithmetic, peak)| {
            format!("{name}, {arithmetic} {}", number::quantity(*peak, "FLOP/s"))
        })
    }

    /// The slope up to the highest peak and along it; then the other peaks from the slope on.
    fn lines(&self, x: &Axis) -> Vec<Vec<(f64, f64)>> {
        let peaks = self.peaks.iter().enumerate();
        peaks
            .map(|(at, (_, peak))| {
                let peak = *peak;
                let flat = [(peak / self.bandwidth, peak), (x.high(), peak)];
                let slope = (x.low(), x.low() * self.bandwidth);
                if at == 0 {
                    [&[slope], &flat[..]].concat()
                } else {
                    flat.to_vec()
                }
            })
            .collect()
    }
}

/// The peaks, the highest first; those of one height (but for rounding) under both their names.
fn merged(mut peaks: Vec<(String, f64)>) -> Vec<(String, f64)> {
    peaks.sort_by(|a, b| b.1.total_cmp(&a.1));
    peaks.dedup_by(|next, kept| {
        let same = next.1 > 0.999 * kept.1;
        if same {
            kept.0 = format!("{} and {}", kept.0, next.0);
        }
        same
    });
    peaks
}

/// The roofline of each device.
fn roofs(standings: &[&Standing]) -> Vec<Roof> {
    let mut roofs: Vec<Roof> = Vec::new();
    for standing in standings {
        let Record {
            hardware, power_mode, ..
        } = &standing.record;
        let mode = power_mode.as_ref().map_or_else(String::new, |mode| format!(" {mode}"));
        let (device, bandwidth) = (format!("{hardware}{mode}"), standing.bandwidth);
        let known = roofs
            .iter()
            .position(|roof| roof.device == device && roof.bandwidth == bandwidth);
        let at = known.unwrap_or_else(|| {
            roofs.push(Roof {
                device,
                bandwidth,
                peaks: Vec::new(),
            });
            roofs.len() - 1
        });
        let peaks = standing.peaks.iter();
        roofs[at]
            .peaks
            .extend(peaks.map(|&(arithmetic, peak)| (arithmetic.to_owned(), peak)));
    }
    for roof in &mut roofs {
        roof.peaks = merged(distinct(std::mem::take(&mut roof.peaks)));
    }
    roofs
}

#[cfg(test)]
mod tests {
    use super::merged;

    #[test]
    fn peaks_of_one_height_are_one_line() {
        let peaks = [("cores", 2.0), ("int8", 8.0), ("fp16", 1.9999)].map(|(name, peak)| (name.to_owned(), peak));
        assert_eq!(
            merged(peaks.into()),
            [("int8".to_owned(), 8.0), ("cores and fp16".to_owned(), 2.0)]
        );
    }
}
