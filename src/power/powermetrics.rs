//! Apple's `powermetrics`, which prints what CPU, GPU and neural engine draw; only root may run it.

use super::host::{Host, output};
use super::stream::Stream;
use super::{Found, Info, PowerError, Sensor};
use crate::device::Rail;
use crate::units::Watts;

const NAME: &str = "powermetrics";
const CURE: &str = "run as root (`sudo edgeprof calibrate`)";

#[derive(Debug)]
struct Powermetrics {
    info: Info,
    stream: Stream,
}

/// The program, where it is and may be run.
pub(super) fn find(host: &Host) -> Option<Found> {
    let program = host.program(NAME)?;
    // It says at once whether this user may.
    if let Err(error) = output(&program, &["--samplers", "cpu_power", "-i", "1", "-n", "1"]) {
        return Some(Err(if error.to_string().contains("superuser") {
            PowerError::Denied {
                name: NAME,
                path: program,
                cure: CURE,
            }
        } else {
            PowerError::Unreadable {
                name: NAME,
                reason: error.to_string(),
            }
        }));
    }
    let info = Info {
        name: NAME,
        rail: Rail::CpuGpu,
        what: "powermetrics, CPU, GPU and neural engine (without memory and screen)".to_owned(),
    };
    let arguments = ["--samplers", "cpu_power,gpu_power", "-i", "100", "-b", "1"];
    Some(
        Stream::start(NAME, &program, &arguments, combined)
            .map(|stream| Box::new(Powermetrics { info, stream }) as Box<dyn Sensor>),
    )
}

/// The watts of `Combined Power (CPU + GPU + ANE): 1290 mW`.
fn combined(line: &str) -> Option<Watts> {
    let (_, value) = line.strip_prefix("Combined Power")?.split_once(':')?;
    let milliwatts: f64 = value.trim().strip_suffix("mW")?.trim().parse().ok()?;
    milliwatts.is_finite().then_some(Watts(1e-3 * milliwatts))
}

impl Sensor for Powermetrics {
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

    const OUTPUT: &str = include_str!(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/data/power/powermetrics/output.txt"
    ));

    #[test]
    fn the_combined_power_of_every_sample_is_read() {
        let watts: Vec<Watts> = OUTPUT.lines().filter_map(combined).collect();
        assert_eq!(watts, [Watts(0.085), Watts(11.412)]);
    }
}
