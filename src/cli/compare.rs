//! `compare`: two devices, or two settings of one, side by side.

use super::arguments::{CalibrationArgs, CatalogArgs, EconomyArgs, PrecisionArgs, WorkloadArgs};
use super::failure::Failure;
use super::format::{self, Format, PrintArgs};
use clap::Args;
use edgeprof::catalog::Choice;
use edgeprof::decide::compare::{Better, Comparison, Purchase, Row, Side, Unit, Use, compare};
use edgeprof::decide::{Selector, Target};
use edgeprof::device::Device;
use edgeprof::economy::{Currency, Mix, Money, Terms};
use edgeprof::output::{Align, Grid, Record, Sheet, number};
use edgeprof::perf::sums::ModelSums;

/// Compare two devices, or two settings of one: speed, memory, energy, cost, and when the dearer one pays
#[derive(Debug, Args)]
#[command(after_help = "\
A and B are DEVICE[:BACKEND][@POWER-MODE]: pi5, orin-nano-super:cpu, orin-nano-super@15W, orin-nano-super:cuda@15W;
a clock may stand for the mode: pi5@1.5GHz. The winner of a
figure is marked `?` where the 90 % intervals overlap.

The break-even time is that after which what the dearer device saves in energy is what it costs more to buy: it works for the share
--utilization of the time at the token ratio given, the cheaper one does the same work, and neither is charged for waiting.

Examples:
  edgeprof compare pi5 orin-nano-super --model llama-3.2-1b --prec q4_0
  edgeprof compare orin-nano-super@15W orin-nano-super@MAXN --model gemma-2-2b
  edgeprof compare orin-nano-super:cpu orin-nano-super:cuda --model tinyllama --format json
  edgeprof compare pi5 orin-nano --model llama-3.2-1b --prec q4_0 --price '20 cents/kWh' --tokens-ratio 1:10,1:1,10:1 --utilization 0.1,1
  edgeprof compare pi5 rtx-3060 --model tinyllama --price '0.30 EUR/kWh' --device-price '90 EUR,280 EUR'")]
pub struct Compare {
    /// The first target
    #[arg(value_name = "A")]
    a: Selector,
    /// The second target
    #[arg(value_name = "B")]
    b: Selector,
    /// Models: names of `list models`, or paths of a .gguf, a .toml, a config.json or its folder
    #[arg(short, long, value_name = "NAME", value_delimiter = ',', required = true)]
    model: Vec<String>,
    #[command(flatten)]
    precision: PrecisionArgs,
    #[command(flatten)]
    workload: WorkloadArgs,
    #[command(flatten)]
    economy: EconomyArgs,
    /// Input to output tokens of the use that is to pay, one row each [default: --prompt to --generate]
    #[arg(long, value_name = "IN:OUT", value_delimiter = ',', help_heading = "Economy")]
    tokens_ratio: Vec<Mix>,
    /// Share of the time that the dearer device works, above 0 and at most 1 or 100 %
    #[arg(
        long,
        value_name = "SHARE",
        value_delimiter = ',',
        value_parser = share,
        default_value = "1",
        help_heading = "Economy"
    )]
    utilization: Vec<f64>,
    /// Prices of the devices [default: those of their entries, where they have one]
    #[arg(long, value_name = "A,B", value_delimiter = ',', help_heading = "Economy")]
    device_price: Vec<Money>,
    #[command(flatten)]
    calibration: CalibrationArgs,
    #[command(flatten)]
    catalog: CatalogArgs,
    #[command(flatten)]
    print: PrintArgs,
}

/// A share as `0.5` or `50%`.
pub(super) fn share(text: &str) -> Result<f64, String> {
    let text = text.trim();
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number.trim(), 0.01),
        None => (text, 1.0),
    };
    let share = number.parse::<f64>().ok().map(|number| number * unit);
    share
        .filter(|share| *share > 0.0 && *share <= 1.0)
        .ok_or_else(|| format!("`{text}` is no share of the time; write it as for example `0.5` or `50%`"))
}

/// A calibration that is to speak for two devices.
#[derive(Debug, thiserror::Error)]
#[error("--calibration {name} is of one backend, and two targets are compared; leave it out, or say `none`")]
struct OneCalibration {
    name: String,
}

/// More or fewer prices than devices.
#[derive(Debug, thiserror::Error)]
#[error("--device-price takes two prices, that of A and that of B, and got {count}")]
pub(super) struct NotTwoPrices {
    pub count: usize,
}

/// One model in one precision on both.
#[derive(serde::Serialize)]
struct Case {
    model: String,
    precision: String,
    a: Contestant,
    b: Contestant,
    #[serde(flatten)]
    comparison: Comparison,
}

#[derive(serde::Serialize)]
struct Contestant {
    target: String,
    price: Option<Purchase>,
    prediction: Record,
}

impl Compare {
    /// Compares and prints.
    pub fn run(&self) -> Result<(), Failure> {
        let cases = self.cases()?;
        let format = self.print.format();
        let text = match format.setting() {
            Some(setting) => {
                let mut sheet = Sheet::default();
                for case in &cases {
                    show(&mut sheet, case);
                }
                sheet.set(setting)
            }
            None if format == Format::Csv => csv(&cases)?,
            None => json(&cases)?,
        };
        self.print.write(&text)
    }

    fn cases(&self) -> Result<Vec<Case>, Failure> {
        let choice = self.calibration.choice();
        if let Choice::Named(name) = choice {
            return Err(Failure::new(OneCalibration { name }));
        }
        let stated = match self.device_price[..] {
            [] => [None, None],
            [a, b] => [Some(a), Some(b)],
            _ => {
                let count = self.device_price.len();
                return Err(Failure::new(NotTwoPrices { count }));
            }
        };
        let catalog = self.catalog.open()?;
        let terms = self.economy.terms()?;
        let workload = self.workload.workload()?;
        let (a, b) = (
            Target::find(&catalog, &self.a, &choice)?,
            Target::find(&catalog, &self.b, &choice)?,
        );
        let prices = [price_of(a.device(), stated[0]), price_of(b.device(), stated[1])];
        let uses = self.uses();
        let mut cases = Vec::new();
        for name in &self.model {
            let model = catalog.model(name.trim())?;
            for precision in self.precision.of(&model)? {
                let sums = ModelSums::of(&model, precision).map_err(Failure::new)?;
                let ask = |target: &Target, terms: &Terms| target.record(&model, &sums, precision, workload, terms);
                let records = [
                    ask(&a, &terms).map_err(Failure::new)?,
                    ask(&b, &terms).map_err(Failure::new)?,
                ];
                let names = [a.to_string(), b.to_string()];
                let side = |at: usize| Side {
                    name: &names[at],
                    record: &records[at],
                    price: prices[at],
                };
                let comparison = compare(&side(0), &side(1), &uses, terms.price);
                let [record_a, record_b] = records;
                let [name_a, name_b] = names;
                let contestant = |target, price, prediction| Contestant {
                    target,
                    price,
                    prediction,
                };
                cases.push(Case {
                    model: model.id.clone(),
                    precision: precision.to_string(),
                    a: contestant(name_a, prices[0], record_a),
                    b: contestant(name_b, prices[1], record_b),
                    comparison,
                });
            }
        }
        Ok(cases)
    }

    /// Every ratio at every utilization.
    fn uses(&self) -> Vec<Use> {
        let mixes: Vec<Option<Mix>> = if self.tokens_ratio.is_empty() {
            vec![None]
        } else {
            self.tokens_ratio.iter().copied().map(Some).collect()
        };
        let at = |mix| {
            self.utilization
                .iter()
                .map(move |&utilization| Use { mix, utilization })
        };
        mixes.into_iter().flat_map(at).collect()
    }
}

/// What a target's device costs: as stated, else as its entry says.
pub(super) fn price_of(device: &Device, stated: Option<Money>) -> Option<Purchase> {
    stated
        .map(|Money { amount, currency }| Purchase { amount, currency })
        .or_else(|| own_price(device))
}

/// What a device costs as its entry says.
pub fn own_price(device: &Device) -> Option<Purchase> {
    let price = device.price.as_ref()?;
    Some(Purchase {
        amount: price.amount,
        currency: Currency::from_code(&price.currency),
    })
}

fn json(cases: &[Case]) -> Result<String, Failure> {
    #[derive(serde::Serialize)]
    struct Document<'a> {
        schema: u32,
        comparisons: &'a [Case],
    }
    let document = Document {
        schema: 1,
        comparisons: cases,
    };
    Ok(serde_json::to_string_pretty(&document).map_err(Failure::new)? + "\n")
}

/// One row a figure.
fn csv(cases: &[Case]) -> Result<String, Failure> {
    let mut rows = Vec::new();
    for case in cases {
        for row in &case.comparison.metrics {
            let mut item = serde_json::json!({
                "model": case.model, "precision": case.precision, "target_a": case.a.target, "target_b": case.b.target,
            });
            let figures = serde_json::to_value(row).map_err(Failure::new)?;
            if let (Some(item), serde_json::Value::Object(figures)) = (item.as_object_mut(), figures) {
                item.extend(figures);
            }
            rows.push(item);
        }
    }
    Ok(format::csv(&rows))
}

fn show(sheet: &mut Sheet, case: &Case) {
    sheet.heading(
        format!("{} in {}", case.model, case.precision),
        format!(", {} and {}", case.a.target, case.b.target),
    );
    let work = &case.a.prediction.workload;
    sheet.items(vec![format!(
        "prompt {}, generate {}, depth {}, context {}",
        work.prompt, work.generate, work.depth, work.context
    )]);
    sheet.table("Side by side", figures(case));
    if !case.comparison.break_even.is_empty() {
        sheet.table("Break-even", break_even(case));
    }
    sheet.items(case.comparison.notes.clone());
}

fn figures(case: &Case) -> Grid {
    let mut grid = Grid::new([
        (String::new(), Align::Left),
        (case.a.target.clone(), Align::Right),
        (case.b.target.clone(), Align::Right),
        ("B / A".to_owned(), Align::Right),
        ("better".to_owned(), Align::Left),
    ]);
    let fits = |record: &Record| if record.fits { "yes" } else { "no" };
    let (a, b) = (&case.a.prediction, &case.b.prediction);
    grid.row(["fits", fits(a), fits(b), "", ""]);
    let currency = a.economy.currency.as_ref();
    for row in &case.comparison.metrics {
        let shown =
            |figure: Option<f64>| figure.map_or_else(|| "-".to_owned(), |figure| written(row.unit, figure, currency));
        grid.row([
            row.title.to_owned(),
            shown(row.a),
            shown(row.b),
            row.b_over_a
                .map_or(String::new(), |ratio| number::significant(ratio, 3)),
            better(case, row),
        ]);
    }
    let read = |record: &Record| match record.economy.reading_speed_met {
        Some(true) => "yes",
        Some(false) => "no",
        None => "-",
    };
    grid.row(["as fast as it is read", read(a), read(b), "", ""]);
    let price = |contestant: &Contestant| {
        contestant.price.map_or_else(
            || "-".to_owned(),
            |price| number::money(price.amount, price.currency.as_ref()),
        )
    };
    if case.a.price.is_some() || case.b.price.is_some() {
        grid.row(["price", &price(&case.a), &price(&case.b), "", ""]);
    }
    grid
}

fn better(case: &Case, row: &Row) -> String {
    let name = match row.better {
        Some(Better::A) => &case.a.target,
        Some(Better::B) => &case.b.target,
        Some(Better::Neither) => return "equal".to_owned(),
        None => return String::new(),
    };
    match row.intervals_apart {
        Some(false) => format!("{name} ?"),
        _ => name.clone(),
    }
}

fn written(unit: Unit, figure: f64, currency: Option<&Currency>) -> String {
    match unit {
        Unit::TokensPerSecond => format!("{} tokens/s", number::rate(figure)),
        Unit::Seconds => number::long_time(figure),
        Unit::Joules => number::joules(figure),
        Unit::JouleSeconds => format!("{} J·s/token", number::significant(figure, 4)),
        Unit::Bytes => number::bytes(figure),
        Unit::Money => number::money(figure, currency),
        Unit::Kilograms => number::kilograms(figure),
        Unit::Count => number::rate(figure),
    }
}

fn break_even(case: &Case) -> Grid {
    let right = |title: &'static str| (title, Align::Right);
    let mut grid = Grid::new([
        right("input : output"),
        right("utilization"),
        ("dearer", Align::Left),
        right("by"),
        right("saves a year"),
        ("pays after", Align::Left),
        ("the cheaper one works", Align::Left),
    ]);
    for row in &case.comparison.break_even {
        let figures = &row.figures;
        let money = |amount: f64| number::money(amount, row.currency.as_ref());
        let busy = number::percent(figures.cheaper_utilization);
        grid.row([
            format!("{} : {}", row.input_tokens, row.output_tokens),
            number::percent(row.utilization),
            row.dearer.clone(),
            money(figures.price_difference),
            money(figures.saving_per_s * number::YEAR_S),
            figures
                .after_s
                .map_or_else(|| "never: it saves nothing".to_owned(), number::long_time),
            if figures.cheaper_utilization > 1.0 {
                format!("{busy} of the time, which it cannot")
            } else {
                format!("{busy} of the time")
            },
        ]);
    }
    grid
}
