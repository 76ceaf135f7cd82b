//! When the dearer of two targets has paid for itself.

use super::Side;
use crate::economy::{BreakEven, Contender, Currency, EnergyPrice, Mix, break_even, common};
use crate::output::Record;

/// What a device costs to buy.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Purchase {
    /// The amount.
    pub amount: f64,
    /// Its currency; none if it was not said.
    pub currency: Option<Currency>,
}

/// How a device is used.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Use {
    /// Input to output tokens; those of the work if none.
    pub mix: Option<Mix>,
    /// Share of the time that the dearer device works.
    pub utilization: f64,
}

/// The break-even of one use.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct PayBack {
    /// The one that costs more to buy.
    pub dearer: String,
    /// The other.
    pub cheaper: String,
    /// Input tokens for `output_tokens`.
    pub input_tokens: f64,
    /// Output tokens for `input_tokens`.
    pub output_tokens: f64,
    /// Share of the time that the dearer device works.
    pub utilization: f64,
    /// Currency of the amounts; none if nobody said.
    pub currency: Option<Currency>,
    /// The figures.
    #[serde(flatten)]
    pub figures: BreakEven,
}

/// The break-even of every use, or why there is none; nothing where no price of energy asks for it.
pub(super) fn pay_back(
    a: &Side<'_>,
    b: &Side<'_>,
    uses: &[Use],
    price: Option<EnergyPrice>,
) -> Result<Vec<PayBack>, String> {
    let Some(price) = price else { return Ok(Vec::new()) };
    let purchase = |side: &Side<'_>| {
        side.price.ok_or_else(|| {
            format!(
                "the price of {} is not known; state both with `--device-price A,B`",
                side.name
            )
        })
    };
    let (price_a, price_b) = (purchase(a)?, purchase(b)?);
    let currency = common(price_a.currency, price_b.currency)
        .and_then(|devices| common(devices, price.currency))
        .map_err(|error| error.to_string())?;
    if price_a.amount == price_b.amount {
        return Err("both cost the same".to_owned());
    }
    let (dearer, cheaper) = if price_a.amount > price_b.amount {
        ((a, price_a), (b, price_b))
    } else {
        ((b, price_b), (a, price_a))
    };
    if !(a.record.fits && b.record.fits) {
        return Err("the model does not fit on both".to_owned());
    }
    let own = Mix {
        input: a.record.workload.prompt as f64,
        output: a.record.workload.generate as f64,
    };
    let each = uses.iter().map(|use_| {
        let mix = use_.mix.unwrap_or(own);
        let contender = |(side, price): (&Side<'_>, Purchase)| contender(side.record, price.amount, mix);
        let figures = contender(dearer)
            .zip(contender(cheaper))
            .and_then(|(dearer, cheaper)| break_even(&dearer, &cheaper, mix, use_.utilization, price.per_joule))
            .ok_or("it needs the energy and the time of every kind of token that is used, of both")?;
        Ok(PayBack {
            dearer: dearer.0.name.to_owned(),
            cheaper: cheaper.0.name.to_owned(),
            input_tokens: mix.input,
            output_tokens: mix.output,
            utilization: use_.utilization,
            currency,
            figures,
        })
    });
    each.collect()
}

/// What a device takes for the tokens of the mix; a kind that the mix has none of takes nothing.
fn contender(record: &Record, price: f64, mix: Mix) -> Option<Contender> {
    let sequences = record.workload.sequences as f64;
    let prompt_tokens = record.workload.prompt as f64 * sequences;
    let of = |used: f64, figure: Option<f64>| if used > 0.0 { figure } else { Some(0.0) };
    Some(Contender {
        price,
        input_j: of(mix.input, record.prefill_energy_j_per_token)?,
        output_j: of(mix.output, record.decode_energy_j_per_token)?,
        input_s: of(mix.input, record.prefill_s.map(|seconds| seconds / prompt_tokens))?,
        output_s: of(mix.output, record.decode_s_per_token.map(|step| step / sequences))?,
    })
}
