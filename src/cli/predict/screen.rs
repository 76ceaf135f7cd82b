//! One prediction as a screen: what was asked, speed, memory, the exact figures beside the paper's, and what they rest on.

use super::question::{Answer, Exact, Paper};
use anstyle::{AnsiColor, Style};
use edgeprof::calibration::Origin;
use edgeprof::model::{Model, QualityMetric};
use edgeprof::output::{Align, Grid, number};
use edgeprof::perf::{Bound, Interval, Prediction};
use edgeprof::quant::{CacheType, Precision};
use edgeprof::scenario::Scenario;
use std::fmt::Write as _;

/// Titles of sections.
pub const TITLE: Style = Style::new().bold();
const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// The screen of an answer.
pub fn render(answer: &Answer<'_>) -> String {
    match answer {
        Answer::Exact(exact) => {
            let Exact {
                model,
                scenario,
                prediction,
                economy,
                notes,
                paper,
            } = &**exact;
            [
                asked(model, scenario),
                speed(scenario, prediction),
                memory(model, scenario, prediction),
                quality(model, scenario.precision),
                super::economy::section(economy, scenario, prediction),
                compared(scenario, prediction, paper.as_ref()),
                rests_on(prediction, notes, paper.as_ref()),
            ]
            .concat()
        }
        Answer::Paper(paper) => of_paper(paper),
    }
}

/// Appends a line. Writing to a String cannot fail.
macro_rules! line {
    ($text:expr, $($arguments:tt)*) => { let _ = writeln!($text, $($arguments)*); };
}

fn asked(model: &Model, scenario: &Scenario<'_>) -> String {
    let (work, sums) = (&scenario.workload, scenario.sums);
    let bits = 8.0 * sums.weight_bytes as f64 / sums.parameters.max(1) as f64;
    let precision = precision_name(scenario.precision);
    let mut text = format!(
        "{TITLE}{}{TITLE:#} ({}) in {precision}, {bits:.2} bits per weight\n{TITLE}{}{TITLE:#} ({}), {}",
        model.name, model.id, scenario.device.name, scenario.device.id, scenario.backend_kind
    );
    if let Some(threads) = scenario.threads() {
        let _ = write!(text, ", {threads} threads");
    }
    if let Some((mode, _)) = scenario.power_mode {
        let _ = write!(text, ", power mode {mode}");
    }
    match work.gpu_layers {
        Some(layers) if scenario.host.is_some() => {
            let _ = write!(text, ", {layers} layers on the GPU");
        }
        Some(_) => text.push_str(", all layers on the GPU"),
        None => {}
    }
    let cache = cache_name(work.key_type, work.value_type);
    line!(
        text,
        "\nprompt {}, generate {}, depth {}, context {}, ubatch {}, KV cache {cache}{}\n",
        work.prompt,
        work.generate,
        work.depth,
        work.context(),
        work.ubatch,
        if work.sequences > 1 {
            format!(", {} sequences", work.sequences)
        } else {
            String::new()
        },
    );
    text
}

fn cache_name(keys: CacheType, values: CacheType) -> String {
    if keys == values {
        keys.to_string()
    } else {
        format!("{keys}/{values}")
    }
}

/// In place of the speeds of what does not fit: how long it would load, and wait for storage with every token.
fn no_speed(scenario: &Scenario<'_>, prediction: &Prediction<'_>) -> String {
    let mut grid = Grid::new([("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    if let (Some(load), Some(rate)) = (prediction.io_s, &scenario.device.storage_bandwidth) {
        let rate = number::quantity(rate.value.get(), "B/s");
        let from = format!("{} from storage at {rate}", number::bytes(prediction.weight_bytes));
        grid.row(["load".to_owned(), number::seconds(load), from]);
    }
    if let Some(wait) = prediction.paging_s_per_token {
        let why = "or longer: weights that memory does not hold, read again".to_owned();
        grid.row(["paging, per token".to_owned(), number::seconds(wait), why]);
    }
    format!(
        "{TITLE}Speed{TITLE:#}  none, since it {BAD}does not fit{BAD:#}\n{}\n",
        grid.text("  ")
    )
}

fn speed<'a>(scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> String {
    if !prediction.fits {
        return no_speed(scenario, prediction);
    }
    let mut grid = Grid::new([
        ("Speed", Align::Left),
        ("predicted", Align::Right),
        ("", Align::Left),
        ("90 % interval", Align::Left),
        ("bound by", Align::Left),
    ]);
    let mut rate = |name: &str, rate: Option<f64>, interval: Option<Interval>, bound: Option<Bound>| {
        if let Some(rate) = rate {
            grid.row([
                name.to_owned(),
                number::rate(rate),
                "tokens/s".to_owned(),
                range(interval, number::rate),
                bound.map(Bound::name).unwrap_or_default().to_owned(),
            ]);
        }
    };
    rate(
        "prefill",
        prediction.prefill_tokens_per_s,
        prediction.intervals(scenario).prefill_tokens_per_s,
        prediction.prefill_bound,
    );
    rate(
        "decode",
        prediction.decode_tokens_per_s,
        prediction.intervals(scenario).decode_tokens_per_s,
        prediction.decode_bound,
    );
    let mut duration = |name: &str, seconds: Option<f64>, parts: String| {
        if let Some(seconds) = seconds {
            let text = number::seconds(seconds);
            let (value, unit) = text.split_once(' ').unwrap_or((&text, ""));
            grid.row([name.to_owned(), value.to_owned(), unit.to_owned(), parts]);
        }
    };
    duration("time to first token", prediction.ttft_s, String::new());
    duration("time per token", prediction.decode_s_per_token, String::new());
    let load: f64 = [prediction.io_s, prediction.h2d_s, prediction.repack_s]
        .into_iter()
        .flatten()
        .sum();
    let decode = prediction
        .decode_s_per_token
        .map(|step| step * scenario.workload.generate as f64);
    let parts: Vec<String> = [
        ("load", Some(load).filter(|&load| load > 0.0)),
        ("prefill", prediction.prefill_s),
        ("decode", decode),
    ]
    .into_iter()
    .filter_map(|(name, seconds)| Some(format!("{name} {}", number::seconds(seconds?))))
    .collect();
    duration(
        "whole request, cold",
        prediction.end_to_end_s,
        format!("= {}", parts.join(" + ")),
    );
    let mut energy = |name: &str, joules: Option<f64>, interval: Option<Interval>| {
        if let Some(joules) = joules {
            let text = number::joules(joules);
            let (value, unit) = text.split_once(' ').unwrap_or((&text, ""));
            grid.row([
                name.to_owned(),
                value.to_owned(),
                format!("{unit}/token"),
                range(interval, number::joules),
            ]);
        }
    };
    energy(
        "energy, prefill",
        prediction.prefill_energy_j_per_token,
        prediction.intervals(scenario).prefill_energy_j_per_token,
    );
    energy(
        "energy, decode",
        prediction.decode_energy_j_per_token,
        prediction.intervals(scenario).decode_energy_j_per_token,
    );
    format!("{}\n", grid.text(""))
}

fn range(interval: Option<Interval>, text: impl Fn(f64) -> String) -> String {
    interval
        .map(|[low, high]| format!("{} to {}", text(low), text(high)))
        .unwrap_or_default()
}

fn memory<'a>(model: &Model, scenario: &Scenario<'a>, prediction: &Prediction<'a>) -> String {
    let mut text = String::new();
    let verdict = if prediction.fits {
        format!("{GOOD}fits{GOOD:#}")
    } else {
        format!("{BAD}does not fit{BAD:#}")
    };
    line!(
        text,
        "{TITLE}Memory{TITLE:#}  {verdict}: {} of {} usable ({})",
        number::bytes(prediction.memory_bytes),
        number::bytes(prediction.capacity_bytes),
        range(prediction.intervals(scenario).memory_bytes, number::bytes)
    );
    let mut grid = Grid::new([("", Align::Left), ("", Align::Right), ("", Align::Left)]);
    let footprint = scenario.memory();
    let mut row = |name: &str, bytes: f64, remark: &str| {
        if bytes > 0.0 {
            grid.row([name, &number::bytes(bytes), remark]);
        }
    };
    row("weights", footprint.weights, "");
    row("KV cache", footprint.kv_cache, "");
    row("activations", footprint.activations, "llama.cpp's compute buffer");
    row("copies", footprint.copies, "weights needed in two layouts or places");
    row("runtime", footprint.runtime, "");
    row(
        "repacked",
        footprint.repacked,
        "replaces as much of the weights, whose old pages the system may drop",
    );
    text.push_str(&grid.text("  "));
    match scenario.longest_context_that_fits() {
        Some(longest) => {
            let trained = model
                .context_length
                .map_or(String::new(), |length| format!(" (trained for {length})"));
            line!(text, "  longest context that fits: {longest} tokens{trained}");
        }
        None => {
            line!(text, "  no context fits");
        }
    }
    if !prediction.fits {
        match scenario.smaller_mix_that_fits(model) {
            Some(smaller) => {
                line!(
                    text,
                    "  next smaller mix that fits: {} ({})",
                    smaller.mix,
                    number::bytes(smaller.weight_bytes as f64)
                );
            }
            None => {
                line!(text, "  no mix fits with this workload");
            }
        }
        if let Some(layers) = scenario.most_gpu_layers_that_fit() {
            line!(
                text,
                "  layers that fit on the GPU: --gpu-layers {layers} of {}",
                scenario.sums.memory.layers() + 1
            );
        }
    }
    text.push('\n');
    text
}

/// What is published of the model's quality in a precision; a gap is said to be one.
fn quality(model: &Model, precision: Precision) -> String {
    let Some(quality) = model.quality(precision) else {
        return format!(
            "{TITLE}Quality{TITLE:#}  no published figure of {} in {precision} is known\n\n",
            model.id
        );
    };
    let value = match quality.table.metric {
        QualityMetric::Perplexity => number::significant(quality.value, 4),
        QualityMetric::Accuracy => number::percent(quality.value),
    };
    let error = quality
        .error
        .map_or(String::new(), |error| format!(" ± {}", number::significant(error, 2)));
    let over = quality.over_unquantised.map_or(String::new(), |ratio| {
        let percent = 100.0 * (ratio - 1.0);
        let side = if percent < 0.0 { "below" } else { "above" };
        format!(", {:.1} % {side} the unquantised model's", percent.abs())
    });
    format!(
        "{TITLE}Quality{TITLE:#}  {} {value}{error}{over}\n  {} ({})\n\n",
        quality.table.metric.name(),
        quality.table.data,
        quality.table.source
    )
}

fn compared(scenario: &Scenario<'_>, prediction: &Prediction<'_>, paper: Option<&Paper<'_>>) -> String {
    let mut grid = Grid::new([
        ("Exact and paper", Align::Left),
        ("exact", Align::Right),
        ("paper", Align::Right),
        ("paper / exact", Align::Right),
        ("equation", Align::Left),
    ]);
    let paper = paper.map(|paper| &paper.prediction);
    let mut row = |name: &str, text: fn(f64) -> String, exact: Option<f64>, of_paper: Option<f64>, equation: &str| {
        if exact.is_none() && of_paper.is_none() {
            return;
        }
        let shown = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), text);
        let ratio = match (exact, of_paper) {
            (Some(exact), Some(paper)) if exact > 0.0 => number::significant(paper / exact, 3),
            _ => String::new(),
        };
        grid.row([
            name.to_owned(),
            shown(exact),
            shown(of_paper),
            ratio,
            equation.to_owned(),
        ]);
    };
    row(
        "parameters",
        number::count,
        Some(scenario.sums.parameters as f64),
        paper.map(|p| p.parameters as f64),
        "7",
    );
    row(
        "FLOPs per token",
        number::flops,
        Some(prediction.flops_per_token),
        paper.map(|p| p.flops_per_token),
        "8",
    );
    row(
        "weights",
        number::bytes,
        Some(prediction.weight_bytes),
        paper.map(|p| p.weight_bytes),
        "9",
    );
    row(
        "activations",
        number::bytes,
        Some(prediction.activation_bytes),
        paper.map(|p| p.activation_bytes),
        "9",
    );
    row(
        "KV cache",
        number::bytes,
        Some(prediction.kv_cache_bytes),
        paper.map(|p| p.kv_cache_bytes),
        "9",
    );
    row(
        "memory M",
        number::bytes,
        Some(prediction.memory_bytes),
        paper.map(|p| p.memory_bytes),
        "9",
    );
    row(
        "compute, per token",
        number::seconds,
        prediction.compute_s,
        paper.map(|p| p.compute_s),
        "10",
    );
    row(
        "memory, per token",
        number::seconds,
        prediction.memory_s,
        paper.map(|p| p.memory_s),
        "11",
    );
    row("overhead, per token", number::seconds, prediction.overhead_s, None, "");
    row(
        "storage I/O",
        number::seconds,
        prediction.io_s,
        paper.and_then(|p| p.io_s),
        "12",
    );
    row(
        "host to device",
        number::seconds,
        prediction.h2d_s,
        paper.and_then(|p| p.h2d_s),
        "13",
    );
    row(
        "network",
        number::seconds,
        prediction.network_s,
        paper.and_then(|p| p.network_s),
        "14",
    );
    row(
        "end to end",
        number::seconds,
        prediction.end_to_end_s,
        paper.map(|p| p.end_to_end_s),
        "max(10, 11) + 12 + 13 + 14, one token",
    );
    row(
        "energy per token",
        number::joules,
        prediction.energy_j_per_token,
        paper.map(|p| p.energy_j_per_token),
        "15",
    );
    let intensity = |value| format!("{} FLOP/B", number::significant(value, 3));
    row(
        "intensity",
        intensity,
        Some(prediction.arithmetic_intensity),
        paper.map(|p| p.arithmetic_intensity),
        "8 / 9",
    );
    row("ridge of the roofline", intensity, prediction.ridge_intensity, None, "");
    format!("{}\n", grid.text(""))
}

fn rests_on(prediction: &Prediction<'_>, notes: &[String], paper: Option<&Paper<'_>>) -> String {
    let calibration = prediction.basis.calibration;
    let mut text = format!("{TITLE}Rests on{TITLE:#}  calibration {}", calibration.id);
    let held_out: Vec<String> = calibration
        .file
        .quality
        .iter()
        .filter_map(|(phase, quality)| {
            let error = quality.held_out_error?;
            Some(format!(
                "{} {} over {} points",
                phase.name(),
                number::percent(error),
                quality.points
            ))
        })
        .collect();
    if !held_out.is_empty() {
        let _ = write!(
            text,
            ", median error on what its fit had not seen: {}",
            held_out.join(", ")
        );
    }
    text.push('\n');
    if let Some(power) = prediction.basis.power() {
        let whose = match power.origin {
            Origin::Device => "the device's own watts".to_owned(),
            Origin::Class => format!(
                "watts of the class `{}`, not of the device itself",
                calibration.file.class
            ),
        };
        let error = power.held_out_error.map_or_else(String::new, |error| {
            format!(", median error {} over {} points", number::percent(error), power.points)
        });
        line!(text, "  - energy: fitted to {whose}{error}");
    }
    for note in notes {
        line!(text, "  - {note}");
    }
    if let Some(paper) = paper {
        for note in paper.notes() {
            line!(text, "  - paper: {note}");
        }
    }
    text
}

fn of_paper(paper: &Paper<'_>) -> String {
    let (question, figures) = (&paper.question, &paper.prediction);
    let mut text = format!(
        "{TITLE}{}{TITLE:#} ({}) in {}\n{TITLE}{}{TITLE:#} ({}), {}\n\n",
        question.model.name,
        question.model.id,
        question.precision,
        question.device.name,
        question.device.id,
        question.backend
    );
    let mut grid = Grid::new([
        ("Equations of the paper", Align::Left),
        ("", Align::Right),
        ("equation", Align::Left),
    ]);
    let mut row = |name: &str, value: Option<String>, equation: &str| {
        grid.row([
            name.to_owned(),
            value.unwrap_or_else(|| "-".to_owned()),
            equation.to_owned(),
        ]);
    };
    row("parameters", Some(number::count(figures.parameters as f64)), "7");
    row("FLOPs per token", Some(number::flops(figures.flops_per_token)), "8");
    row("weights", Some(number::bytes(figures.weight_bytes)), "9");
    row("activations", Some(number::bytes(figures.activation_bytes)), "9");
    row("KV cache", Some(number::bytes(figures.kv_cache_bytes)), "9");
    row("memory M", Some(number::bytes(figures.memory_bytes)), "9");
    row("compute", Some(number::seconds(figures.compute_s)), "10");
    row("memory", Some(number::seconds(figures.memory_s)), "11");
    row("storage I/O", figures.io_s.map(number::seconds), "12");
    row("host to device", figures.h2d_s.map(number::seconds), "13");
    row("network", figures.network_s.map(number::seconds), "14");
    row(
        "end to end",
        Some(number::seconds(figures.end_to_end_s)),
        "max(10, 11) + 12 + 13 + 14, one token",
    );
    row(
        "energy per token",
        Some(number::joules(figures.energy_j_per_token)),
        "15",
    );
    row(
        "intensity",
        Some(format!(
            "{} FLOP/B",
            number::significant(figures.arithmetic_intensity, 3)
        )),
        "8 / 9",
    );
    text.push_str(&grid.text(""));
    text.push('\n');
    for note in paper.notes() {
        line!(text, "  - {note}");
    }
    text
}

/// A precision and, where its name does not say it, the mix that it means.
fn precision_name(precision: Precision) -> String {
    match precision.mix() {
        Some(mix) if mix.name() != precision.name() => format!("{precision} = {mix}"),
        _ => precision.to_string(),
    }
}
