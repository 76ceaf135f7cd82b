//! The log of a meter at the wall, or of anything else that writes a time and a power: CSV with a header.

use super::PowerError;
use super::trace::{Sample, Trace};
use crate::units::Watts;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use std::path::Path;

/// Names of the column of times, lower case, without their unit.
const TIMES: [&str; 7] = ["timestamp", "datetime", "date time", "epoch", "unix", "time", "date"];
/// Names of the column of power.
const POWERS: [&str; 6] = ["watts", "watt", "power", "active power", "w", "p"];
/// From this on a number of seconds since 1970 is one of milliseconds: the year 5138.
const MILLISECONDS: f64 = 1e11;

/// The trace of a log.
///
/// The columns are found by their names: `time` or `timestamp` (or `date` and `time` apart), and `power` or `watts`, in W unless the name
/// says `mW` or `kW`. Times are ISO 8601 (in the machine's own time zone where they name none), or seconds or milliseconds since 1970.
///
/// # Errors
/// [`PowerError`] with the line, if it holds something else.
pub fn read(path: &Path) -> Result<Trace, PowerError> {
    let file = std::fs::File::open(path).map_err(|source| PowerError::File {
        path: path.to_owned(),
        source,
    })?;
    from(file, path)
}

/// The columns of a log.
struct Columns {
    time: usize,
    /// The time of day, where the date has a column of its own.
    of_day: Option<usize>,
    power: usize,
    /// Watts in one of the column's units.
    unit: f64,
}

fn from(reader: impl std::io::Read, path: &Path) -> Result<Trace, PowerError> {
    let mut csv = csv::ReaderBuilder::new()
        .flexible(true)
        .trim(csv::Trim::All)
        .comment(Some(b'#'))
        .from_reader(reader);
    let broken = |error: csv::Error| PowerError::File {
        path: path.to_owned(),
        source: std::io::Error::other(error),
    };
    let header: Vec<String> = csv.headers().map_err(broken)?.iter().map(str::to_lowercase).collect();
    let columns = Columns::of(&header, path)?;
    let zone = TimeZone::system();
    let mut samples = Vec::new();
    for record in csv.records() {
        let record = record.map_err(broken)?;
        let line = record.position().map_or(0, csv::Position::line);
        let cell = |at: usize| record.get(at).unwrap_or_default();
        let wrong = |text: &str, what| PowerError::Line {
            path: path.to_owned(),
            line,
            text: text.to_owned(),
            what,
        };
        let time = match columns.of_day {
            Some(of_day) => format!("{} {}", cell(columns.time), cell(of_day)),
            None => cell(columns.time).to_owned(),
        };
        let at_s =
            seconds(&time, &zone).ok_or_else(|| wrong(&time, "time: write it as ISO 8601 or as seconds since 1970"))?;
        let power = cell(columns.power);
        let number = power.trim_end_matches(|letter: char| letter.is_ascii_alphabetic() || letter == ' ');
        let watts: f64 = number.parse().map_err(|_| wrong(power, "power in watts"))?;
        if !(watts.is_finite() && watts >= 0.0) {
            return Err(wrong(power, "power in watts"));
        }
        samples.push(Sample {
            at_s,
            watts: Watts(watts * columns.unit),
        });
    }
    let trace = Trace::new(samples);
    if trace.samples().len() < 2 {
        return Err(PowerError::Empty { path: path.to_owned() });
    }
    Ok(trace)
}

impl Columns {
    fn of(header: &[String], path: &Path) -> Result<Self, PowerError> {
        let names: Vec<(&str, &str)> = header.iter().map(|name| parted(name)).collect();
        let find = |wanted: &[&str]| {
            let mut found = wanted.iter();
            found.find_map(|wanted| names.iter().position(|(name, _)| name == wanted))
        };
        let missing = |what, example| PowerError::NoColumn {
            path: path.to_owned(),
            what,
            has: header.join(", "),
            example,
        };
        let power = find(&POWERS).ok_or_else(|| missing("power", "`watts` or `power`"))?;
        let (date, of_day) = (find(&["date"]), find(&["time"]));
        let time = find(&TIMES).ok_or_else(|| missing("time", "`timestamp` or `time`"))?;
        let unit = match names[power].1 {
            "mw" => 1e-3,
            "kw" => 1e3,
            _ => 1.0,
        };
        Ok(match (date, of_day) {
            (Some(date), Some(_)) if names[time].0 == "time" => Self {
                time: date,
                of_day,
                power,
                unit,
            },
            _ => Self {
                time,
                of_day: None,
                power,
                unit,
            },
        })
    }
}

/// A column's name and its unit: `power (mW)`, `power_mw`, `power [W]`.
fn parted(name: &str) -> (&str, &str) {
    let bracketed = name
        .split_once(['(', '['])
        .map(|(name, unit)| (name.trim(), unit.trim_end_matches([')', ']']).trim()));
    let underlined = || {
        name.rsplit_once('_')
            .filter(|(_, unit)| matches!(*unit, "w" | "mw" | "kw" | "s" | "ms"))
    };
    bracketed.or_else(underlined).unwrap_or((name, ""))
}

/// Seconds since 1970 of a time as logs write it.
fn seconds(text: &str, zone: &TimeZone) -> Option<f64> {
    let text = text.trim();
    if let Ok(number) = text.parse::<f64>() {
        let seconds = if number.abs() >= MILLISECONDS {
            1e-3 * number
        } else {
            number
        };
        return seconds.is_finite().then_some(seconds);
    }
    let timestamp = match text.parse::<Timestamp>() {
        Ok(timestamp) => timestamp,
        Err(_) => text.parse::<DateTime>().ok()?.to_zoned(zone.clone()).ok()?.timestamp(),
    };
    Some(timestamp.as_duration().as_secs_f64())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn log(text: &str) -> Result<Trace, PowerError> {
        from(text.as_bytes(), Path::new("meter.csv"))
    }

    fn pairs(text: &str) -> Vec<(f64, f64)> {
        let trace = log(text).unwrap();
        trace
            .samples()
            .iter()
            .map(|sample| (sample.at_s, sample.watts.get()))
            .collect()
    }

    #[test]
    fn every_form_of_time_and_unit_is_the_same_log() {
        let expected = [(1_767_323_045.0, 5.5), (1_767_323_046.0, 6.0)];
        for text in [
            "timestamp,watts\n2026-01-02T03:04:05Z,5.5\n2026-01-02T03:04:06Z,6\n",
            "Time,Power (mW)\n2026-01-02T04:04:05+01:00,5500\n2026-01-02 04:04:06+01:00,6000\n",
            "relay,epoch_s,power_w\n1,1767323045,5.5\n1,1767323046,6.0\n",
            "# a comment\nunix_ms,Active Power [kW]\n1767323046000,0.006\n1767323045000,0.0055\n",
            "date,time,power\n2026-01-02,03:04:05Z,5.5 W\n2026-01-02,03:04:06Z,6 W\n",
        ] {
            let found = pairs(text);
            assert_eq!(found.len(), 2, "{text}");
            for (found, expected) in found.iter().zip(expected) {
                assert!(
                    (found.0 - expected.0).abs() < 1e-6 && (found.1 - expected.1).abs() < 1e-9,
                    "{text}"
                );
            }
        }
    }

    #[test]
    fn a_time_without_a_zone_is_the_machines() {
        let zone = TimeZone::fixed(jiff::tz::offset(2));
        assert_eq!(seconds("2026-01-02 05:04:05", &zone), Some(1_767_323_045.0));
        assert_eq!(seconds("2026-01-02T05:04:05.5", &zone), Some(1_767_323_045.5));
        for nonsense in ["", "yesterday", "nan", "inf", "2026-13-01 00:00:00"] {
            assert_eq!(seconds(nonsense, &zone), None, "{nonsense}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = |text: &str| log(text).unwrap_err().to_string();
        assert_eq!(
            error("when,watts\n1,2\n"),
            "the power log meter.csv has no column of time; it has when, watts; name one `timestamp` or `time`"
        );
        assert!(error("time,volts\n1,2\n").contains("no column of power"));
        assert_eq!(
            error("time,watts\n1,2\nnoon,3\n"),
            "line 3 of the power log meter.csv: `noon` is no time: write it as ISO 8601 or as seconds since 1970"
        );
        assert!(error("time,watts\n1,2\n2,-\n").starts_with("line 3"));
        assert!(error("time,watts\n1,2\n2,-4\n").contains("`-4` is no power"));
        assert!(error("time,watts\n1,2\n").contains("fewer than two"));
        assert!(log("").is_err());
    }
}
