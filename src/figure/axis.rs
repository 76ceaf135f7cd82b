//! Axes: units with their prefixes, scales, and where the ticks stand.

/// What an axis or a column counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes, with binary prefixes.
    Bytes,
    /// A unit with decimal prefixes.
    Si(&'static str),
    /// A unit that takes no prefix.
    Plain(&'static str),
    /// A number of something that the title names.
    Count,
}

/// A prefix and the factor it stands for.
type Prefix = (&'static str, f64);

const DECIMAL: [Prefix; 11] = [
    ("P", 1e15),
    ("T", 1e12),
    ("G", 1e9),
    ("M", 1e6),
    ("k", 1e3),
    ("", 1.0),
    ("m", 1e-3),
    ("µ", 1e-6),
    ("n", 1e-9),
    ("p", 1e-12),
    ("f", 1e-15),
];
const BINARY: [Prefix; 5] = [
    ("Ti", 1_099_511_627_776.0),
    ("Gi", 1_073_741_824.0),
    ("Mi", 1_048_576.0),
    ("Ki", 1024.0),
    ("", 1.0),
];

impl Unit {
    /// Its symbol without a prefix.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Bytes => "B",
            Self::Si(symbol) | Self::Plain(symbol) => symbol,
            Self::Count => "",
        }
    }

    /// The prefix under which a value of this size has one to three digits before the point.
    fn prefix(self, value: f64) -> Prefix {
        let prefixes: &[Prefix] = match self {
            Self::Bytes => &BINARY,
            // Rates of tokens and energies per token are read as plain numbers while these are short.
            Self::Si(symbol) if symbol.contains("token") && (0.01..20_000.0).contains(&value) => &[("", 1.0)],
            Self::Si(_) => &DECIMAL,
            Self::Plain(_) | Self::Count => &[("", 1.0)],
        };
        let last = prefixes.len() - 1;
        *prefixes
            .iter()
            .find(|(_, factor)| value >= 0.9995 * factor)
            .unwrap_or(&prefixes[last])
    }
}

/// How values become places.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spacing {
    /// Equal differences.
    Linear,
    /// Equal ratios, ticks at powers of ten.
    Decades,
    /// Equal ratios, ticks at powers of two.
    Doublings,
}

/// An axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Axis {
    /// What it shows, without the unit.
    pub title: String,
    /// The unit.
    pub unit: Unit,
    spacing: Spacing,
    low: f64,
    high: f64,
}

/// A tick of an axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Tick {
    /// Its value.
    pub at: f64,
    /// What is written at it; nothing for a small one.
    pub label: Option<String>,
}

/// Ratio of the largest to the smallest value beyond which an axis is logarithmic.
const LOGARITHMIC: f64 = 30.0;
/// Space beyond the values: a share of a linear axis' span, or of the logarithm's.
const ROOM: f64 = 0.05;

/// The smallest and the largest of the finite values.
fn extent(values: &[f64]) -> Option<(f64, f64)> {
    let mut finite = values.iter().copied().filter(|value| value.is_finite());
    let first = finite.next()?;
    Some(finite.fold((first, first), |(low, high), value| (low.min(value), high.max(value))))
}

impl Axis {
    /// An axis that holds the values: from zero, or logarithmic where their span asks for it.
    #[must_use]
    pub fn over(title: &str, unit: Unit, values: &[f64]) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        if low > 0.0 && high / low > LOGARITHMIC {
            Self::logarithmic(title, unit, values)
        } else {
            Self::linear(title, unit, values)
        }
    }

    /// A linear axis from zero that holds the values.
    #[must_use]
    pub fn linear(title: &str, unit: Unit, values: &[f64]) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let (low, high) = (low.min(0.0), high.max(0.0));
        let span = if high > low { high - low } else { 1.0 };
        let room = |end: f64| if end == 0.0 { 0.0 } else { ROOM * span };
        Self::new(title, unit, Spacing::Linear, low - room(low), low + span + room(high))
    }

    /// A linear axis that holds the values, wherever zero is.
    #[must_use]
    pub fn around(title: &str, unit: Unit, values: &[f64]) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        let span = if high > low { high - low } else { low.abs().max(1.0) };
        Self::new(title, unit, Spacing::Linear, low - ROOM * span, high + ROOM * span)
    }

    /// A logarithmic axis that holds the positive values.
    #[must_use]
    pub fn logarithmic(title: &str, unit: Unit, values: &[f64]) -> Self {
        let positive: Vec<f64> = values.iter().copied().filter(|&value| value > 0.0).collect();
        let (low, high) = extent(&positive).unwrap_or((1.0, 10.0));
        // At least half a decade, so that some tick has a label.
        let middle = (low.ln() + high.ln()) / 2.0;
        let half = ((high.ln() - low.ln()) / 2.0 * (1.0 + 2.0 * ROOM)).max(0.6);
        Self::new(
            title,
            unit,
            Spacing::Decades,
            (middle - half).exp(),
            (middle + half).exp(),
        )
    }

    /// An axis for bars, which begin at zero; where the span asks for a logarithmic one they begin at a round number of at most half of
    /// the least, so that this too is seen.
    #[must_use]
    pub fn bars(title: &str, unit: Unit, values: &[f64]) -> Self {
        let axis = Self::over(title, unit, values);
        let Some((least, _)) = extent(values).filter(|_| axis.is_logarithmic()) else {
            return axis;
        };
        let (_, factor) = axis.prefix();
        let half = least / 2.0 / factor;
        let power = 10_f64.powf(half.log10().floor());
        let digit = [5.0, 2.0, 1.0].into_iter().find(|digit| digit * power <= half);
        Self {
            low: digit.unwrap_or(1.0) * power * factor,
            ..axis
        }
    }

    /// An axis of numbers of tokens or threads: by doublings where they span more than three of them and none is zero.
    #[must_use]
    pub fn counts(title: &str, unit: Unit, values: &[f64]) -> Self {
        let (low, high) = extent(values).unwrap_or((0.0, 1.0));
        if low > 0.0 && high / low > 8.0 {
            Self {
                spacing: Spacing::Doublings,
                ..Self::logarithmic(title, unit, values)
            }
        } else {
            Self::around(title, unit, values)
        }
    }

    fn new(title: &str, unit: Unit, spacing: Spacing, low: f64, high: f64) -> Self {
        Self {
            title: title.to_owned(),
            unit,
            spacing,
            low,
            high,
        }
    }

    /// Its least value.
    #[must_use]
    pub const fn low(&self) -> f64 {
        self.low
    }

    /// Its greatest value.
    #[must_use]
    pub const fn high(&self) -> f64 {
        self.high
    }

    /// Whether equal ratios are equally far apart.
    #[must_use]
    pub fn is_logarithmic(&self) -> bool {
        self.spacing != Spacing::Linear
    }

    /// Where a value stands: 0 at the low end, 1 at the high end, and no farther.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        let share = if self.is_logarithmic() {
            if value <= 0.0 {
                return 0.0;
            }
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        share.clamp(0.0, 1.0)
    }

    /// The value that stands at a share of the axis.
    #[must_use]
    pub fn value(&self, share: f64) -> f64 {
        if self.is_logarithmic() {
            self.low * (self.high / self.low).powf(share)
        } else {
            self.low + share * (self.high - self.low)
        }
    }

    /// The prefix of the axis' labels: that of its largest value, or of the middle of a logarithmic one.
    fn prefix(&self) -> Prefix {
        let typical = if self.is_logarithmic() {
            (self.low * self.high).sqrt()
        } else {
            self.low.abs().max(self.high.abs()) / (1.0 + 2.0 * ROOM)
        };
        self.unit.prefix(typical)
    }

    /// Title and unit: `memory (GiB)`.
    #[must_use]
    pub fn heading(&self) -> String {
        let unit = format!("{}{}", self.prefix().0, self.unit.symbol());
        if unit.is_empty() {
            self.title.clone()
        } else {
            format!("{} ({unit})", self.title)
        }
    }

    /// The ticks, of which at most about `most` have a label.
    #[must_use]
    pub fn ticks(&self, most: usize) -> Vec<Tick> {
        let most = most.max(2);
        let (_, factor) = self.prefix();
        match self.spacing {
            Spacing::Linear => self.linear_ticks(most, factor),
            Spacing::Decades => self.decade_ticks(most, factor),
            Spacing::Doublings => self.doubling_ticks(most, factor),
        }
    }

    fn linear_ticks(&self, most: usize, factor: f64) -> Vec<Tick> {
        let (low, high) = (self.low / factor, self.high / factor);
        let rough = (high - low) / most as f64;
        let power = 10_f64.powf(rough.log10().floor());
        // Years and percents have parts, threads and tokens have none.
        let whole_only = match self.unit {
            Unit::Count => true,
            Unit::Plain(_) => rough > 0.4,
            Unit::Bytes | Unit::Si(_) => false,
        };
        let step = [1.0, 2.0, 2.5, 5.0, 10.0]
            .iter()
            .map(|step| step * power)
            .find(|&step| step >= rough * 0.999 && !(whole_only && step.fract() != 0.0))
            .unwrap_or(10.0 * power);
        let decimals = decimals(step);
        let first = (low / step - 1e-9).ceil();
        (0..=2 * most)
            .map(|at| (first + at as f64) * step)
            .take_while(|&at| at <= high + 1e-9 * step)
            .map(|at| Tick {
                at: at * factor,
                label: Some(minus(format!("{:.decimals$}", at + 0.0))),
            })
            .collect()
    }

    /// Powers of ten, every so many of them; between them 2 and 5, or all digits as small ticks.
    fn decade_ticks(&self, most: usize, factor: f64) -> Vec<Tick> {
        let (low, high) = (self.low / factor, self.high / factor);
        let (first, last) = (low.log10().floor(), high.log10().ceil());
        let decades = (high / low).log10();
        let every = (decades / most as f64).ceil().max(1.0);
        let digits: &[f64] = if decades * 3.0 <= most as f64 + 1.0 {
            &[1.0, 2.0, 5.0]
        } else {
            &[1.0]
        };
        let exponents: Vec<f64> = (0..)
            .map(|step| first + f64::from(step))
            .take_while(|&exponent| exponent <= last)
            .collect();
        let plain = low >= 0.000_9 && high <= 200_000.0;
        let label = |exponent: f64, digit: f64| {
            let value = digit * 10_f64.powf(exponent);
            if plain {
                let decimals = (-exponent).max(0.0) as usize;
                format!("{value:.decimals$}")
            } else if digit == 1.0 {
                format!("10{}", superscript(exponent as i32))
            } else {
                format!("{digit}·10{}", superscript(exponent as i32))
            }
        };
        let mut ticks = Vec::new();
        for exponent in exponents {
            for digit in 1..10 {
                let digit = f64::from(digit);
                let at = digit * 10_f64.powf(exponent);
                if !(low * 0.999..=high * 1.001).contains(&at) || (digit > 1.0 && every > 1.0) {
                    continue;
                }
                let labelled = digits.contains(&digit) && (exponent - first).rem_euclid(every) == 0.0;
                ticks.push(Tick {
                    at: at * factor,
                    label: labelled.then(|| label(exponent, digit)),
                });
            }
        }
        ticks
    }

    fn doubling_ticks(&self, most: usize, factor: f64) -> Vec<Tick> {
        let (low, high) = (self.low / factor, self.high / factor);
        let every = ((high / low).log2() / most as f64).ceil().max(1.0);
        let first = low.log2().ceil();
        let mut ticks = Vec::new();
        let mut exponent = first;
        while exponent <= high.log2() {
            let at = exponent.exp2();
            let labelled = (exponent - first).rem_euclid(every) == 0.0;
            ticks.push(Tick {
                at: at * factor,
                label: labelled.then(|| format!("{at}")),
            });
            exponent += 1.0;
        }
        ticks
    }
}

/// A number with a minus sign for a hyphen, and no sign for zero.
fn minus(text: String) -> String {
    match text.strip_prefix('-') {
        Some(rest) if rest.chars().all(|digit| matches!(digit, '0' | '.')) => rest.to_owned(),
        Some(rest) => format!("\u{2212}{rest}"),
        None => text,
    }
}

/// Digits behind the point that tell multiples of a step apart.
fn decimals(step: f64) -> usize {
    (0..12)
        .find(|&digits| {
            let scaled = step * 10_f64.powi(digits);
            (scaled - scaled.round()).abs() < 1e-6 * scaled
        })
        .unwrap_or(12) as usize
}

fn superscript(exponent: i32) -> String {
    exponent
        .to_string()
        .chars()
        .map(|character| match character {
            '0' => '⁰',
            '1' => '¹',
            '2' => '²',
            '3' => '³',
            '4' => '⁴',
            '5' => '⁵',
            '6' => '⁶',
            '7' => '⁷',
            '8' => '⁸',
            '9' => '⁹',
            _ => '⁻',
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, most: usize) -> Vec<String> {
        axis.ticks(most).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_are_round_numbers_in_a_fitting_prefix() {
        const GIB: f64 = 1_073_741_824.0;
        let axis = Axis::over("memory", Unit::Bytes, &[0.7 * GIB, 1.9 * GIB]);
        assert_eq!(axis.heading(), "memory (GiB)");
        assert_eq!(labels(&axis, 5), ["0.0", "0.5", "1.0", "1.5"]);
        let axis = Axis::over("time", Unit::Si("s"), &[0.012, 0.08]);
        assert_eq!(axis.heading(), "time (ms)");
        assert_eq!(labels(&axis, 4), ["0", "25", "50", "75"]);
        let axis = Axis::linear("difference", Unit::Plain("%"), &[-20.0, 30.0]);
        assert_eq!(labels(&axis, 6), ["\u{2212}20", "\u{2212}10", "0", "10", "20", "30"]);
    }

    #[test]
    fn wide_spans_are_logarithmic() {
        let axis = Axis::over("decode", Unit::Si("tokens/s"), &[0.5, 120.0]);
        assert!(axis.is_logarithmic());
        assert_eq!(labels(&axis, 4), ["1", "10", "100"]);
        assert_eq!(labels(&axis, 9), ["0.5", "1", "2", "5", "10", "20", "50", "100"]);
        let axis = Axis::over("energy", Unit::Si("J"), &[1e-9, 1e3]);
        assert_eq!(axis.heading(), "energy (mJ)");
        assert_eq!(labels(&axis, 5), ["10⁻⁴", "10⁻¹", "10²", "10⁵"]);
    }

    #[test]
    fn logarithmic_bars_begin_at_a_round_number_below_the_least() {
        let axis = Axis::bars("storage I/O", Unit::Si("s"), &[0.44, 18.8]);
        assert_eq!(labels(&axis, 9), ["0.2", "0.5", "1", "2", "5", "10", "20"]);
        assert_eq!(axis.share(0.2), 0.0);
        assert_eq!(
            Axis::bars("time", Unit::Si("s"), &[1.0, 2.0]),
            Axis::over("time", Unit::Si("s"), &[1.0, 2.0])
        );
    }

    #[test]
    fn counts_double() {
        let axis = Axis::counts("context", Unit::Plain("tokens"), &[512.0, 131_072.0]);
        assert_eq!(labels(&axis, 5), ["512", "2048", "8192", "32768", "131072"]);
        let axis = Axis::counts("threads", Unit::Count, &[1.0, 2.0, 3.0, 4.0]);
        assert_eq!(labels(&axis, 5), ["1", "2", "3", "4"]);
        assert_eq!(labels(&axis, 10), ["1", "2", "3", "4"]);
        let axis = Axis::counts("depth", Unit::Plain("tokens"), &[0.0, 4096.0]);
        assert_eq!(labels(&axis, 5), ["0", "1000", "2000", "3000", "4000"]);
    }

    #[test]
    fn nothing_and_one_value_still_make_an_axis() {
        for values in [&[][..], &[0.0], &[5.0], &[f64::NAN], &[-3.0]] {
            for axis in [
                Axis::over("x", Unit::Count, values),
                Axis::counts("x", Unit::Count, values),
                Axis::logarithmic("x", Unit::Count, values),
            ] {
                assert!(axis.high() > axis.low(), "{axis:?}");
                assert!(!axis.ticks(5).is_empty(), "{axis:?}");
            }
        }
    }
}
