//! The break-even of two devices, from arguments to the figure.

use super::Plot;
use super::ask::drawn;
use crate::cli::compare::{NotTwoPrices, price_of};
use crate::cli::failure::Failure;
use crate::cli::predict::question::{self, QuestionArgs};
use edgeprof::decide::compare::{Purchase, Side, Use, compare};
use edgeprof::figure::{Figure, break_even};
use edgeprof::output::Record;

/// A break-even of other than two devices.
#[derive(Debug, thiserror::Error)]
#[error("the break-even is of two devices; --hw names {count}")]
struct NotTwo {
    count: usize,
}

/// A break-even without a price of energy.
#[derive(Debug, thiserror::Error)]
#[error("the break-even needs the price of energy")]
struct NoEnergyPrice;

/// Two devices of which none pays for the other.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {reason}")]
struct NoBreakEven {
    name: String,
    reason: String,
}

impl Plot {
    /// Two devices, on every model and precision.
    pub(super) fn break_even(&self) -> Result<Figure, Failure> {
        self.need_exact("break-even")?;
        let catalog = self.question.catalog.open()?;
        let [a, b] = &self.question.hardware[..] else {
            let count = self.question.hardware.len();
            return Err(Failure::new(NotTwo { count }));
        };
        let stated = match self.device_price[..] {
            [] => [None, None],
            [a, b] => [Some(a), Some(b)],
            _ => {
                let count = self.device_price.len();
                return Err(Failure::new(NotTwoPrices { count }));
            }
        };
        let Some(price) = self.question.economy.terms()?.price else {
            return Err(Failure::new(NoEnergyPrice).hint("state it as --price '0.20 EUR/kWh'"));
        };
        let prices = [
            price_of(&*catalog.device(a.trim())?, stated[0]),
            price_of(&*catalog.device(b.trim())?, stated[1]),
        ];
        let ask = |hardware: &String| {
            let one = QuestionArgs {
                hardware: vec![hardware.clone()],
                ..self.question.clone()
            };
            let mut records = Vec::new();
            question::each_of(&one, &catalog, one.workload.workload()?, |answer| {
                records.push(answer.record())
            })?;
            Ok::<_, Failure>(records)
        };
        let use_ = Use {
            mix: None,
            utilization: self.utilization,
        };
        let mut cases = Vec::new();
        for (of_a, of_b) in ask(a)?.iter().zip(&ask(b)?) {
            let comparison = compare(&side(of_a, prices[0]), &side(of_b, prices[1]), &[use_], Some(price));
            let name = format!("{} in {}", of_a.model, of_a.precision);
            let Some(pay_back) = comparison.break_even.into_iter().next() else {
                let mut notes = comparison.notes.into_iter();
                let reason = notes.find(|note| note.starts_with("no break-even")).unwrap_or_default();
                return Err(Failure::new(NoBreakEven { name, reason }));
            };
            let [a, b] = prices.map(|price| price.map_or(0.0, |price| price.amount));
            cases.push(break_even::Case {
                name,
                pay_back,
                prices: [a.max(b), a.min(b)],
            });
        }
        drawn(break_even::figure(&cases))
    }
}

/// One of the two.
fn side(record: &Record, price: Option<Purchase>) -> Side<'_> {
    Side {
        name: &record.hardware,
        record,
        price,
    }
}
