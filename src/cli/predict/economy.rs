//! What a prediction comes to, on the screen of one.

use edgeprof::economy::Economy;
use edgeprof::output::{Align, Grid, number};
use edgeprof::perf::Prediction;
use edgeprof::scenario::Scenario;

/// The section on energy, money, carbon, battery and reader; nothing where none of it applies.
pub fn section<'a>(economy: &Economy, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> String {
    let mut grid = Grid::new([("In use", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let mut row = |name: &str, value: Option<String>, remark: String| {
        if let Some(value) = value {
            grid.row([name.to_owned(), value, remark]);
        }
    };
    let action = |action: f64| format!("{} J·s/token", number::significant(action, 4));
    row(
        "request, loaded",
        economy.request_energy_j.map(number::joules),
        String::new(),
    );
    let definition = "energy of the phase over its rate";
    row(
        "action, prefill",
        economy.prefill_action_j_s_per_token.map(action),
        definition.to_owned(),
    );
    row(
        "action, decode",
        economy.decode_action_j_s_per_token.map(action),
        definition.to_owned(),
    );
    let money = |amount: f64| number::money(amount, economy.currency.as_ref());
    let service = |ratio: Option<f64>| {
        ratio.map_or(String::new(), |ratio| {
            format!("the API takes {} times as much", number::significant(ratio, 3))
        })
    };
    for (name, cost, ratio) in [
        (
            "cost of 1M input tokens",
            economy.input_cost_per_million_tokens,
            economy.input_api_price_over_cost,
        ),
        (
            "cost of 1M output tokens",
            economy.output_cost_per_million_tokens,
            economy.output_api_price_over_cost,
        ),
        (
            "cost of 1M requests",
            economy.request_cost.map(|cost| 1e6 * cost),
            economy.request_api_price_over_cost,
        ),
    ] {
        row(name, cost.map(money), service(ratio));
    }
    for (name, mass) in [
        ("CO2 of 1M input tokens", economy.input_co2_kg_per_million_tokens),
        ("CO2 of 1M output tokens", economy.output_co2_kg_per_million_tokens),
    ] {
        row(name, mass.map(number::kilograms), String::new());
    }
    row(
        "battery",
        economy.battery_requests.map(|requests| number::count(requests.floor())),
        format!(
            "requests from {}, without a pause in {}",
            economy.battery_j.map(number::joules).unwrap_or_default(),
            economy.battery_s.map(number::long_time).unwrap_or_default()
        ),
    );
    row(
        "as fast as it is read",
        economy
            .reading_speed_met
            .map(|met| if met { "yes" } else { "no" }.to_owned()),
        reading(economy, scenario, prediction),
    );
    if grid.is_empty() {
        return String::new();
    }
    format!("{}\n", grid.text(""))
}

/// How sure the verdict on the reading speed is.
fn reading<'a>(economy: &Economy, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> String {
    let (Some(speed), Some(step), Some(total), Some([low, high])) = (
        economy.reading_speed_tokens_per_s,
        prediction.decode_s_per_token,
        prediction.decode_tokens_per_s,
        prediction.intervals(scenario).decode_tokens_per_s,
    ) else {
        return String::new();
    };
    // The interval is of all sequences together; a reader reads one.
    let share = 1.0 / (step * total);
    let sure = if (low * share..=high * share).contains(&speed) {
        ", which the interval leaves open"
    } else {
        ""
    };
    format!("{} tokens/s are read{sure}", number::rate(speed))
}
