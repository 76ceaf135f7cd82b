//! The comparison for readers.

use super::break_even::PayBack;
use super::published::Published;
use super::reading::Cell;
use super::statement::Checked;
use crate::cli::reproduce::comparison::quoted_grid;
use edgeprof::output::{Align, Grid, Sheet, number};

fn yes_no(holds: bool) -> String {
    if holds { "yes" } else { "no" }.to_owned()
}

/// The tables of what holds and what does not.
pub fn sheet(published: &Published, checked: &[Checked], read: &[Cell], pay_back: &PayBack) -> Sheet {
    let mut statements = Grid::new([
        ("statement", Align::Left),
        ("where", Align::Left),
        ("computed", Align::Right),
        ("published", Align::Right),
        ("beyond", Align::Right),
        ("holds", Align::Left),
        ("remark", Align::Left),
    ]);
    for one in checked {
        statements.row([
            one.statement.clone(),
            one.place.clone(),
            one.shown(),
            one.printed.clone(),
            if one.difference == 0.0 {
                String::new()
            } else {
                format!("{:+.0} %", 100.0 * one.difference)
            },
            yes_no(one.holds),
            one.remark.clone(),
        ]);
    }
    let mut speeds = Grid::new([
        ("model", Align::Left),
        ("device", Align::Left),
        ("format", Align::Left),
        ("computed", Align::Right),
        ("exceeds", Align::Left),
        ("published", Align::Left),
        ("holds", Align::Left),
    ]);
    for cell in read {
        speeds.row([
            cell.model.clone(),
            cell.device.clone(),
            cell.precision.clone(),
            format!(
                "{} tok/s{}",
                number::rate(cell.computed),
                if cell.fits { "" } else { " (does not fit)" }
            ),
            yes_no(cell.exceeds),
            yes_no(cell.published_exceeds),
            yes_no(cell.holds),
        ]);
    }
    let mut times = Grid::new([
        ("input:output", Align::Left),
        ("utilization", Align::Right),
        ("years", Align::Right),
        ("utilization of the cheaper", Align::Right),
    ]);
    for scenario in &pay_back.scenarios {
        times.row([
            scenario.mix.clone(),
            number::percent(scenario.utilization),
            scenario
                .years
                .map_or_else(|| "never".to_owned(), |years| number::significant(years, 3)),
            number::percent(scenario.cheaper_utilization),
        ]);
    }
    let holds = checked.iter().filter(|one| one.holds).count();
    let cells = read.iter().filter(|cell| cell.holds).count();
    let line = published.reading.tokens_per_s;
    let farthest = read
        .iter()
        .filter(|cell| !cell.holds)
        .map(|cell| (cell.computed / line - 1.0).abs())
        .fold(0.0, f64::max);
    let even = &published.break_even;
    let mut sheet = Sheet::default();
    sheet.table("Statements", statements);
    sheet.table(
        format!(
            "Which models are generated faster than {} tok/s, each at its best number of threads (section {})",
            published.reading.tokens_per_s, published.reading.place
        ),
        speeds,
    );
    sheet.table(
        format!(
            "Years until an Orin Nano has paid for itself beside a Pi 5, {} in {} (section {})",
            even.model, even.precision, even.place
        ),
        times,
    );
    sheet.table("Quoted, not computed", quoted_grid(&published.quoted));
    sheet.paragraph(format!(
        "{holds} of {} statements hold, {cells} of {} cells of reading speed (the others lie within {} of it), and the least break-even time, {} years ({}), {}: {}.\n\
         A range is over the models and formats that the statement is of; it holds if neither end lies further beyond the published range than\n\
         the tolerance that published.toml states for it.\n\
         Joules are those of a rail: on the Pi 5 that of its power management chip, as theirs; on the Orin that of GPU and CPU, which is the one\n\
         that their figures fit.\n\
         Source: {}",
        checked.len(),
        read.len(),
        number::percent(farthest),
        number::significant(pay_back.least_years, 3),
        even.printed,
        if pay_back.holds { "holds" } else { "does not hold" },
        even.remark,
        published.source
    ));
    sheet
}
