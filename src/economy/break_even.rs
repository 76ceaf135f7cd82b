//! After how long the device that costs less to run has earned back what it costs more to buy.

use std::str::FromStr;

/// Input and output tokens of the work in question, of which only the ratio counts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Mix {
    /// Parts of input.
    pub input: f64,
    /// Parts of output.
    pub output: f64,
}

/// Why a text is no ratio of tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no ratio of input to output tokens; write it as for example `4:1`")]
pub struct MixError {
    /// as written
    text: String,
}

impl FromStr for Mix {
    type Err = MixError;

    fn from_str(text: &str) -> Result<Self, MixError> {
        let part = |text: &str| {
            text.trim()
                .parse::<f64>()
                .ok()
                .filter(|part| part.is_finite() && *part >= 0.0)
        };
        text.split_once(':')
            .and_then(|(input, output)| Some((part(input)?, part(output)?)))
            .filter(|(input, output)| (input + output).is_normal())
            .map(|(input, output)| Self { input, output })
            .ok_or_else(|| MixError {
                text: text.trim().to_owned(),
            })
    }
}

/// What a device takes for its tokens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contender {
    /// Its price.
    pub price: f64,
    /// Joules of an input token.
    pub input_j: f64,
    /// Joules of an output token.
    pub output_j: f64,
    /// Seconds of an input token.
    pub input_s: f64,
    /// Seconds of an output token.
    pub output_s: f64,
}

impl Contender {
    fn energy(&self, mix: Mix) -> f64 {
        mix.input * self.input_j + mix.output * self.output_j
    }

    fn time(&self, mix: Mix) -> f64 {
        mix.input * self.input_s + mix.output * self.output_s
    }
}

/// When the dearer of two devices has earned its price back.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct BreakEven {
    /// What the dearer costs more to buy.
    pub price_difference: f64,
    /// What its energy costs, money per second of its life.
    pub dearer_per_s: f64,
    /// What the cheaper one's energy costs meanwhile, for the same work.
    pub cheaper_per_s: f64,
    /// What it saves in energy costs, money per second of its life.
    pub saving_per_s: f64,
    /// Seconds until the savings are the difference; none if it saves nothing.
    pub after_s: Option<f64>,
    /// Share of the time that the cheaper device works to do the same; above 1 it cannot.
    pub cheaper_utilization: f64,
}

/// `Δprice / (Δenergy · price of energy · utilization / time)`, where energy and time are those of the mix of tokens.
///
/// The dearer device does work for the share `utilization` of the time, and the cheaper one does the same work; neither is charged
/// for waiting. This is the calculation of Abstreiter, Tarkoma and Morabito (arXiv 2503.09114, section 6.3, figure 18). None where
/// neither costs more than the other, or a figure is missing.
#[must_use]
pub fn break_even(
    dearer: &Contender,
    cheaper: &Contender,
    mix: Mix,
    utilization: f64,
    price_per_joule: f64,
) -> Option<BreakEven> {
    let price_difference = dearer.price - cheaper.price;
    let pace = utilization / dearer.time(mix);
    let [dearer_per_s, cheaper_per_s] =
        [dearer, cheaper].map(|contender| contender.energy(mix) * price_per_joule * pace);
    let saving_per_s = cheaper_per_s - dearer_per_s;
    let cheaper_utilization = cheaper.time(mix) * pace;
    let complete = price_difference > 0.0 && saving_per_s.is_finite() && cheaper_utilization.is_finite();
    complete.then(|| BreakEven {
        price_difference,
        dearer_per_s,
        cheaper_per_s,
        saving_per_s,
        after_s: (saving_per_s > 0.0).then(|| price_difference / saving_per_s),
        cheaper_utilization,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const YEAR: f64 = 365.25 * 86_400.0;
    /// 20 cents per kilowatt-hour.
    const PRICE: f64 = 0.2 / 3.6e6;

    /// A Raspberry Pi 5 and a Jetson Orin Nano at their prices in arXiv 2503.09114, with energies and rates of round numbers.
    fn devices() -> (Contender, Contender) {
        let orin = Contender {
            price: 598.80,
            input_j: 0.05,
            output_j: 0.8,
            input_s: 1.0 / 200.0,
            output_s: 1.0 / 12.5,
        };
        let pi = Contender {
            price: 97.0,
            input_j: 0.15,
            output_j: 1.6,
            input_s: 1.0 / 40.0,
            output_s: 1.0 / 5.0,
        };
        (orin, pi)
    }

    #[test]
    fn the_time_is_that_worked_by_hand() {
        let (orin, pi) = devices();
        let mix = Mix {
            input: 16.0,
            output: 1.0,
        };
        // On the Orin 16 · 0.05 + 0.8 = 1.6 J in 16/200 + 1/12.5 = 0.16 s; on the Pi 16 · 0.15 + 1.6 = 4.0 J in 0.6 s.
        // 2.4 J saved every 0.16 s are 15 W, at 20 cents/kWh 0.003 dollars an hour; 501.80 dollars take 167 266.67 hours.
        let even = break_even(&orin, &pi, mix, 1.0, PRICE).map(|even| {
            (
                even.price_difference,
                even.saving_per_s * 3600.0,
                even.after_s.map(|seconds| seconds / 3600.0),
                even.cheaper_utilization,
            )
        });
        let (difference, hourly, Some(hours), pi_utilization) = even.unwrap_or_default() else {
            panic!("it saves");
        };
        assert!((difference - 501.80).abs() < 1e-9 && (hourly - 0.003).abs() < 1e-12);
        assert!((hours - 167_266.666_67).abs() < 1e-3);
        // 0.6 / 0.16: the Pi would have to work 3.75 times as long as there is time.
        assert!((pi_utilization - 3.75).abs() < 1e-12);
    }

    /// The study's best of twelve scenarios takes nearly 15 years. By the closed form that is a Pi 5 that draws 19 W more than the
    /// Orin for the same work: 501.80 / 0.20 = 2509 kWh in 15 · 8766 h.
    #[test]
    fn fifteen_years_are_nineteen_watts_saved() {
        let (orin, mut pi) = devices();
        let mix = Mix {
            input: 1.0,
            output: 0.0,
        };
        pi.input_j = orin.input_j + 19.08 * orin.input_s;
        let years = break_even(&orin, &pi, mix, 1.0, PRICE)
            .and_then(|even| even.after_s)
            .map(|s| s / YEAR);
        assert!(years.is_some_and(|years| (years - 15.0).abs() < 0.01), "{years:?}");
        // Half the utilization, or half the price of energy, take twice as long.
        let half = break_even(&orin, &pi, mix, 0.5, PRICE)
            .and_then(|even| even.after_s)
            .map(|s| s / YEAR);
        assert!(half.is_some_and(|years| (years - 30.0).abs() < 0.02), "{half:?}");
    }

    #[test]
    fn what_saves_nothing_never_breaks_even() {
        let (orin, pi) = devices();
        let mix = Mix {
            input: 1.0,
            output: 1.0,
        };
        let dear_and_hungry = Contender { price: 700.0, ..pi };
        let even = break_even(&dear_and_hungry, &orin, mix, 1.0, PRICE);
        assert!(even.is_some_and(|even| even.after_s.is_none() && even.saving_per_s < 0.0));
        assert_eq!(break_even(&pi, &orin, mix, 1.0, PRICE), None, "it is not the dearer");
        let broken = Contender {
            input_j: f64::NAN,
            ..pi
        };
        assert_eq!(break_even(&orin, &broken, mix, 1.0, PRICE), None);
        let idle = break_even(&orin, &pi, mix, 0.0, PRICE);
        assert!(idle.is_some_and(|even| even.after_s.is_none()));
    }

    #[test]
    fn a_ratio_has_two_parts() {
        assert_eq!(
            "4:1".parse(),
            Ok(Mix {
                input: 4.0,
                output: 1.0
            })
        );
        for text in ["", "4", "4:", "0:0", "-1:2", "NaN:1", "4:1:2", "inf:1"] {
            assert!(text.parse::<Mix>().is_err(), "{text:?}");
        }
    }
}
