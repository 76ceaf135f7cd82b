//! The figures that a prediction comes to under the reader's terms.

use super::money::common;
use super::{ApiPrice, Battery, CarbonIntensity, Currency, EnergyPrice, MILLION, MoneyError, ReadingSpeed};
use crate::device::Device;
use crate::perf::Prediction;
use crate::scenario::Workload;

/// What the reader states.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Terms {
    /// The price of energy.
    pub price: Option<EnergyPrice>,
    /// What a service would take for the same tokens.
    pub api_price: Option<ApiPrice>,
    /// The battery that feeds the device.
    pub battery: Option<Battery>,
    /// The reader.
    pub reading_speed: ReadingSpeed,
    /// The grid that feeds the device.
    pub grid: Option<CarbonIntensity>,
}

impl Terms {
    /// The one currency of all prices; none if none names one.
    ///
    /// # Errors
    /// [`MoneyError::TwoCurrencies`]
    pub fn currency(&self) -> Result<Option<Currency>, MoneyError> {
        common(
            self.price.and_then(|price| price.currency),
            self.api_price.and_then(|price| price.currency),
        )
    }

    /// The terms on a device: its own battery, if it has one and no other was stated.
    #[must_use]
    pub fn on(&self, device: &Device) -> Self {
        let own = device.power.as_ref().and_then(|power| power.battery.as_ref());
        Self {
            battery: self.battery.or(own.map(|battery| Battery(battery.value))),
            ..*self
        }
    }
}

/// What a request takes: its phases, all sequences together.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Work {
    /// Prompt tokens.
    pub prompt_tokens: f64,
    /// Generated tokens.
    pub generated_tokens: f64,
    /// Seconds of the prompt; none without one.
    pub prefill_s: Option<f64>,
    /// Seconds of the whole generation; none without one.
    pub decode_s: Option<f64>,
    /// Joules of a prompt token, if they are known.
    pub prefill_energy_j_per_token: Option<f64>,
    /// Joules of a generated token, if they are known.
    pub decode_energy_j_per_token: Option<f64>,
    /// Tokens per second of one sequence.
    pub sequence_tokens_per_s: Option<f64>,
}

/// What the work comes to. Base SI units; none where a figure does not apply or was not asked for.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize)]
pub struct Economy {
    /// Energy of the request with the model loaded.
    pub request_energy_j: Option<f64>,
    /// Energy of the prompt over its rate.
    pub prefill_action_j_s_per_token: Option<f64>,
    /// Energy of the generation over its rate.
    pub decode_action_j_s_per_token: Option<f64>,
    /// Currency of the costs; none if it was not said.
    pub currency: Option<Currency>,
    /// Energy cost of a million prompt tokens.
    pub input_cost_per_million_tokens: Option<f64>,
    /// Energy cost of a million generated tokens.
    pub output_cost_per_million_tokens: Option<f64>,
    /// Energy cost of the request.
    pub request_cost: Option<f64>,
    /// How many times the energy cost of a prompt token a service takes.
    pub input_api_price_over_cost: Option<f64>,
    /// How many times the energy cost of a generated token a service takes.
    pub output_api_price_over_cost: Option<f64>,
    /// How many times the energy cost of the request a service takes.
    pub request_api_price_over_cost: Option<f64>,
    /// Carbon dioxide of a million prompt tokens.
    pub input_co2_kg_per_million_tokens: Option<f64>,
    /// Carbon dioxide of a million generated tokens.
    pub output_co2_kg_per_million_tokens: Option<f64>,
    /// Carbon dioxide of the request.
    pub request_co2_kg: Option<f64>,
    /// Energy of the battery.
    pub battery_j: Option<f64>,
    /// Requests that the battery feeds, one after the other.
    pub battery_requests: Option<f64>,
    /// Seconds until it is empty.
    pub battery_s: Option<f64>,
    /// The reading speed that the generation is held against.
    pub reading_speed_tokens_per_s: Option<f64>,
    /// Whether every sequence is generated at least that fast.
    pub reading_speed_met: Option<bool>,
}

impl Work {
    /// What `prediction` says of `workload`.
    #[must_use]
    pub fn of(workload: &Workload, prediction: &Prediction<'_>) -> Self {
        let (sequences, generated) = (workload.sequences as f64, workload.generate as f64);
        Self {
            prompt_tokens: workload.prompt as f64 * sequences,
            generated_tokens: generated * sequences,
            prefill_s: prediction.prefill_s,
            decode_s: prediction.decode_s_per_token.map(|step| step * generated),
            prefill_energy_j_per_token: prediction.prefill_energy_j_per_token,
            decode_energy_j_per_token: prediction.decode_energy_j_per_token,
            sequence_tokens_per_s: prediction.decode_s_per_token.map(|step| 1.0 / step),
        }
    }

    /// Energy of the request: of the phases that it has, if it is known of each.
    fn energy_j(&self) -> Option<f64> {
        self.each_phase(self.prefill_energy_j_per_token, self.decode_energy_j_per_token)
    }

    /// `Σ_phase value · tokens` over the phases that there are; none without a phase or where one's value is not known.
    fn each_phase(&self, prefill: Option<f64>, decode: Option<f64>) -> Option<f64> {
        let parts = [
            self.prefill_s.map(|_| Some(prefill? * self.prompt_tokens)),
            self.decode_s.map(|_| Some(decode? * self.generated_tokens)),
        ];
        let mut parts = parts.into_iter().flatten().peekable();
        parts.peek()?;
        parts.sum()
    }
}

/// What the energies of a request are worth.
#[derive(Default)]
struct Worth {
    /// Of a million prompt tokens.
    input: Option<f64>,
    /// Of a million generated tokens.
    output: Option<f64>,
    /// Of the request.
    request: Option<f64>,
}

impl Worth {
    /// At so much a joule.
    ///
    /// Not compiled into its caller: what stands in an option that is none would be multiplied all the same, to be thrown away, and takes a
    /// processor a hundred times as long where it happens to be a denormal number.
    #[inline(never)]
    fn of(work: &Work, per_joule: f64) -> Self {
        let per_million = |joules: Option<f64>| Some(MILLION * (joules? * per_joule));
        Self {
            input: per_million(work.prefill_energy_j_per_token),
            output: per_million(work.decode_energy_j_per_token),
            request: work.energy_j().map(|joules| joules * per_joule),
        }
    }
}

/// How many times the energy cost a service takes.
#[derive(Default)]
struct OverCost {
    input: Option<f64>,
    output: Option<f64>,
    request: Option<f64>,
}

impl OverCost {
    /// Apart from its caller as [`Worth::of`].
    #[inline(never)]
    fn of(work: &Work, api: ApiPrice, cost: &Worth) -> Self {
        let request = work.each_phase(Some(api.input / MILLION), Some(api.output / MILLION));
        Self {
            input: over(Some(api.input), cost.input),
            output: over(Some(api.output), cost.output),
            request: over(request, cost.request),
        }
    }
}

/// The quotient, where there is one.
fn over(dividend: Option<f64>, divisor: Option<f64>) -> Option<f64> {
    Some(dividend? / divisor?).filter(|ratio| ratio.is_finite())
}

impl Economy {
    /// The figures of `work` under `terms`.
    #[must_use]
    pub fn of(work: &Work, terms: &Terms) -> Self {
        let worth = |per_joule: Option<f64>| per_joule.map(|rate| Worth::of(work, rate)).unwrap_or_default();
        let cost = worth(terms.price.map(|price| price.per_joule));
        let carbon = worth(terms.grid.map(|grid| grid.kg_per_joule));
        let service = terms.api_price.map(|api| OverCost::of(work, api, &cost));
        let service = service.unwrap_or_default();
        let request_energy_j = work.energy_j();
        let battery_j = terms.battery.map(|battery| battery.0.get());
        let battery_requests = battery_j.and_then(|joules| over(Some(joules), request_energy_j));
        let request_s = work.prefill_s.unwrap_or(0.0) + work.decode_s.unwrap_or(0.0);
        let action = |joules: Option<f64>, seconds: Option<f64>| Some(joules? * seconds?);
        Self {
            request_energy_j,
            prefill_action_j_s_per_token: action(work.prefill_energy_j_per_token, work.prefill_s),
            decode_action_j_s_per_token: action(work.decode_energy_j_per_token, work.decode_s),
            currency: terms.currency().ok().flatten(),
            input_cost_per_million_tokens: cost.input,
            output_cost_per_million_tokens: cost.output,
            request_cost: cost.request,
            input_api_price_over_cost: service.input,
            output_api_price_over_cost: service.output,
            request_api_price_over_cost: service.request,
            input_co2_kg_per_million_tokens: carbon.input,
            output_co2_kg_per_million_tokens: carbon.output,
            request_co2_kg: carbon.request,
            battery_j,
            battery_requests,
            battery_s: battery_requests.map(|requests| requests * request_s),
            reading_speed_tokens_per_s: work.sequence_tokens_per_s.map(|_| terms.reading_speed.0),
            reading_speed_met: work.sequence_tokens_per_s.map(|rate| rate >= terms.reading_speed.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::Joules;

    fn near(found: Option<f64>, expected: f64) {
        let found = found.unwrap_or(f64::NAN);
        assert!((found / expected - 1.0).abs() < 1e-9, "{found} is not {expected}");
    }

    /// 512 prompt tokens in 8 s at 0.6 J, 128 generated in 25.6 s at 2.85 J.
    fn work() -> Work {
        Work {
            prompt_tokens: 512.0,
            generated_tokens: 128.0,
            prefill_s: Some(8.0),
            decode_s: Some(25.6),
            prefill_energy_j_per_token: Some(0.6),
            decode_energy_j_per_token: Some(2.85),
            sequence_tokens_per_s: Some(5.0),
        }
    }

    fn terms() -> Terms {
        Terms {
            price: "20 cents/kWh".parse().ok(),
            api_price: "0.15,0.60".parse().ok(),
            battery: Some(Battery(Joules(67_824.0))),
            reading_speed: ReadingSpeed(5.3),
            grid: "400 gCO2/kWh".parse().ok(),
        }
    }

    #[test]
    fn the_figures_are_those_worked_by_hand() {
        let economy = Economy::of(&work(), &terms());
        // 512 · 0.6 + 128 · 2.85 = 307.2 + 364.8
        near(economy.request_energy_j, 672.0);
        // 307.2 J at 512/8 = 64 tokens/s; 364.8 J at 128/25.6 = 5 tokens/s
        near(economy.prefill_action_j_s_per_token, 4.8);
        near(economy.decode_action_j_s_per_token, 72.96);
        // 2.85e6 J = 0.791_666 kWh at 0.20
        near(economy.output_cost_per_million_tokens, 0.158_333_333_333);
        near(economy.input_cost_per_million_tokens, 0.033_333_333_333);
        // The study's 3.79 and 4.46 times as much (arXiv 2503.09114, section 6.3) are of its unrounded 15.811 and 3.361 cents.
        near(economy.output_api_price_over_cost, 3.789_473_684);
        near(economy.input_api_price_over_cost, 4.5);
        // (512 · 0.15 + 128 · 0.60) / 1e6 = 1.536e-4 over 672 · 0.20 / 3.6e6 = 3.7333e-5
        near(economy.request_api_price_over_cost, 4.114_285_714);
        near(economy.output_co2_kg_per_million_tokens, 0.316_666_666_667);
        // 67 824 / 672 = 100.93 requests of 33.6 s
        near(economy.battery_requests, 100.928_571_428_6);
        near(economy.battery_s, 3391.2);
        assert_eq!(economy.reading_speed_met, Some(false), "5.0 < 5.3");
    }

    #[test]
    fn what_does_not_apply_is_none() {
        let nothing = Economy::of(&Work::default(), &terms());
        assert_eq!(
            nothing,
            Economy {
                battery_j: Some(67_824.0),
                ..Economy::default()
            }
        );
        let without_prompt = Work {
            prompt_tokens: 0.0,
            prefill_s: None,
            prefill_energy_j_per_token: None,
            ..work()
        };
        near(Economy::of(&without_prompt, &terms()).request_energy_j, 364.8);
        let no_power = Work {
            prefill_energy_j_per_token: None,
            decode_energy_j_per_token: None,
            ..work()
        };
        let economy = Economy::of(&no_power, &terms());
        assert_eq!((economy.request_energy_j, economy.battery_s), (None, None));
        assert_eq!(economy.reading_speed_met, Some(false));
        let free = Terms {
            price: "0/kWh".parse().ok(),
            ..terms()
        };
        let economy = Economy::of(&work(), &free);
        assert_eq!(
            (economy.request_cost, economy.request_api_price_over_cost),
            (Some(0.0), None)
        );
        let default = Economy::of(&work(), &Terms::default());
        assert_eq!(
            (default.request_cost, default.battery_requests, default.request_co2_kg),
            (None, None, None)
        );
    }
}
