//! The terms of every figure: formula, inputs, factor and source.

use super::question::{Answer, Exact, Paper};
use crate::cli::facts;
use edgeprof::calibration::{Calibration, FactorId, Phase};
use edgeprof::device::{BackendKind, Device};
use edgeprof::model::Model;
use edgeprof::output::{Align, Grid, Sheet, number};
use edgeprof::perf::Prediction;
use edgeprof::perf::latency::{Machine, Overlap, Term, TermKind};
use edgeprof::quant::BlockType;
use edgeprof::scenario::Scenario;
use std::collections::BTreeMap;

/// Adds the explanation of an answer.
pub fn add(sheet: &mut Sheet, answer: &Answer<'_>) {
    match answer {
        Answer::Exact(exact) => {
            let Exact {
                model,
                scenario,
                prediction,
                paper,
                ..
            } = &**exact;
            if prediction.fits {
                phases(sheet, scenario, prediction);
            }
            memory(sheet, model, scenario, prediction);
            cold_start(sheet, scenario, prediction);
            if prediction.fits {
                energies(sheet, scenario, prediction);
            }
            sources(sheet, scenario.device, scenario.backend_kind);
            if let Some(paper) = paper {
                equations(sheet, paper);
            }
        }
        Answer::Paper(paper) => {
            sources(sheet, paper.question.device, paper.question.backend);
            equations(sheet, paper);
        }
    }
}

fn phases<'a>(sheet: &mut Sheet, scenario: &Scenario<'a>, prediction: &Prediction<'a>) {
    let parts = prediction.parts(scenario);
    let machine = &parts.backend.machine;
    let decode = "Decode, one step (the mean over the generation)";
    let mut sums = vec![
        ("Prefill, the whole prompt", Phase::Prefill, &parts.backend),
        (decode, Phase::Decode, &parts.backend),
    ];
    if let Some(host) = &parts.host {
        sums.extend([
            ("Prefill, the layers on the CPU", Phase::Prefill, host),
            ("Decode, the layers on the CPU", Phase::Decode, host),
        ]);
    }
    for (title, phase, part) in sums {
        let terms = part.terms(phase, scenario);
        let total = terms.seconds();
        if total <= 0.0 {
            continue;
        }
        let made_of = match terms.overlap() {
            Overlap::None => "the sum of",
            Overlap::Weights => "√(reading weights² + multiplying²) + all else, of",
            Overlap::Both => "√(reading² + multiplying²) + √(cache² + attending²) + fixed costs, of",
        };
        let mut grid = Grid::new([
            ("term", Align::Left),
            ("amount", Align::Right),
            ("nominal rate", Align::Right),
            ("factor", Align::Left),
            ("value", Align::Right),
            ("seconds", Align::Right),
            ("share", Align::Right),
            ("factor from", Align::Left),
        ]);
        for (term, contribution) in terms.contributions() {
            grid.row(row(term, phase, &part.machine, contribution / total));
        }
        sheet.table(format!("{title}: {} = {made_of}", number::seconds(total)), grid);
    }
    let mut items = vec![
        "seconds = amount / (nominal rate x factor); for costs, amount x factor / clock, over that at which they are stated (2 GHz for operations, the full clock for a pass); share: of the whole, what hides behind another left out".to_owned(),
    ];
    if scenario.backend_kind == BackendKind::Cpu {
        items.push(format!(
            "the rate of reading is {} x {}, the share that the threads draw (factor core-share {})",
            number::quantity(machine.bandwidth, "B/s"),
            number::significant(machine.bandwidth_share, 3),
            number::significant(machine.calibration.factor(FactorId::CoreShare), 3)
        ));
    }
    if machine.splits_cache && scenario.workload.can_split_cache() {
        items.push(
            "threads split the cache, so that its last block of 256 cells costs a decoded token as much as a full one"
                .to_owned(),
        );
    }
    if machine.halves_memory() {
        items.push(format!(
            "memory lies in several domains, which leaves {} of the bandwidth (factor interconnect)",
            number::significant(machine.calibration.factor(FactorId::Interconnect), 3)
        ));
    }
    sheet.items(items);
}

/// The clock of a fixed cost, over that at which it is stated; nothing where they are the same.
fn clock(ratio: f64) -> String {
    if ratio == 1.0 {
        String::new()
    } else {
        format!("clock x {}", number::significant(ratio, 3))
    }
}

fn row(term: &Term, phase: Phase, machine: &Machine<'_>, share: f64) -> [String; 8] {
    let calibration = machine.calibration;
    let factor = calibration.factor(term.factor);
    let (name, amount, rate) = match term.kind {
        TermKind::Weights => (
            "read weights".to_owned(),
            number::bytes(term.amount),
            number::quantity(term.rate, "B/s"),
        ),
        TermKind::Cache => (
            "read KV cache".to_owned(),
            number::bytes(term.amount),
            number::quantity(term.rate, "B/s"),
        ),
        TermKind::Activations => (
            "move activations".to_owned(),
            number::bytes(term.amount),
            number::quantity(term.rate, "B/s"),
        ),
        TermKind::Multiply => {
            let rate = number::quantity(term.rate, "FLOP/s");
            match term.factor {
                FactorId::Compute(of, block_type) => (
                    format!("multiply {block_type}"),
                    number::flops(term.amount),
                    format!("{rate} {}", machine.unit(of, block_type).name()),
                ),
                _ => ("multiply".to_owned(), number::flops(term.amount), rate),
            }
        }
        TermKind::Attend => (
            "attend".to_owned(),
            number::flops(term.amount),
            number::quantity(term.rate, "FLOP/s"),
        ),
        TermKind::Operations => (
            "operations".to_owned(),
            number::significant(term.amount, 4),
            clock(term.rate),
        ),
        TermKind::Pass => (
            format!("{} pass", phase.name()),
            number::significant(term.amount, 4),
            clock(term.rate),
        ),
    };
    let value = if term.factor.is_utilization() {
        number::significant(factor, 3)
    } else {
        number::seconds(factor)
    };
    [
        name,
        amount,
        rate,
        term.factor.to_string(),
        value,
        number::seconds(term.seconds),
        number::percent(share),
        factor_source(term.factor, calibration),
    ]
}

/// Who determined a factor.
fn factor_source(factor: FactorId, calibration: &Calibration) -> String {
    let stated = calibration.file.factors.get(&factor.to_string());
    match (stated, factor) {
        (Some(fitted), _) => {
            let by = if fitted.from_class {
                format!("class {}", calibration.file.class)
            } else {
                calibration.id.clone()
            };
            format!("{by}, ±{}", number::percent(fitted.error))
        }
        (None, FactorId::Compute(phase, _)) => format!("{}, its {}.compute.other", calibration.id, phase.name()),
        (None, _) => "not stated, no cost".to_owned(),
    }
}

fn memory(sheet: &mut Sheet, model: &Model, scenario: &Scenario<'_>, prediction: &Prediction<'_>) {
    let mut by_type: BTreeMap<BlockType, (u64, u64, u64)> = BTreeMap::new();
    if let Ok(types) = scenario.precision.block_types(model) {
        for (tensor, block_type) in model.tensors.iter().zip(types) {
            let sum = by_type.entry(block_type).or_default();
            sum.0 += 1;
            sum.1 += tensor.elements();
            sum.2 += block_type.tensor_bytes(tensor).unwrap_or(0);
        }
    }
    let mut grid = Grid::new([
        ("weights", Align::Left),
        ("tensors", Align::Right),
        ("elements", Align::Right),
        ("bytes", Align::Right),
    ]);
    for (block_type, (tensors, elements, bytes)) in by_type {
        grid.row([
            block_type.to_string(),
            tensors.to_string(),
            number::count(elements as f64),
            number::count(bytes as f64),
        ]);
    }
    let title = format!(
        "Memory: {} = weights + copies + KV cache + activations + runtime",
        number::bytes(prediction.memory_bytes)
    );
    sheet.table(title, grid);
    let work = &scenario.workload;
    let mut items = Vec::new();
    for group in &scenario.sums.attention {
        let attention = &group.attention;
        items.push(format!(
            "KV cache: {} layers x {} heads x (keys {} in {} + values {} in {}) x {}",
            group.layers,
            attention.kv_heads,
            attention.key_length,
            work.key_type,
            attention.value_length,
            work.value_type,
            match attention.window {
                Some(window) => format!("a window of {window} tokens and a ubatch"),
                None => format!("{} tokens, as llama.cpp rounds them", work.context()),
            }
        ));
    }
    items.push(format!(
        "activations: llama.cpp's compute buffer for a ubatch of {} with flash attention",
        work.ubatch
    ));
    sheet.items(items);
}

fn cold_start(sheet: &mut Sheet, scenario: &Scenario<'_>, prediction: &Prediction<'_>) {
    let weights = number::bytes(prediction.weight_bytes);
    let mut grid = Grid::new([
        ("cold start and network", Align::Left),
        ("seconds", Align::Right),
        ("made of", Align::Left),
    ]);
    let rate = |rate: Option<f64>| rate.map(|rate| number::quantity(rate, "B/s")).unwrap_or_default();
    let storage = scenario.device.storage_bandwidth.as_ref().map(|rate| rate.value.get());
    let copy = scenario.backend.host_to_device.as_ref().map(|rate| rate.value.get());
    let network = scenario.device.network_bandwidth.as_ref().map(|rate| rate.value.get());
    let missing = number::bytes(prediction.memory_bytes - prediction.capacity_bytes);
    for (name, seconds, formula) in [
        (
            "paging, per token",
            prediction.paging_s_per_token,
            format!(
                "weights that a token reads x (the {missing} that memory does not hold / weights {weights}) / storage {}, or longer",
                rate(storage)
            ),
        ),
        (
            "storage I/O",
            prediction.io_s,
            format!("weights {weights} / storage {}", rate(storage)),
        ),
        (
            "host to device",
            prediction.h2d_s,
            format!("weights {weights} / copy {}", rate(copy)),
        ),
        (
            "repacking",
            prediction.repack_s,
            format!(
                "2 x {} read and written at the rate of reading",
                number::bytes(prediction.repacked_bytes)
            ),
        ),
        (
            "network",
            prediction.network_s,
            format!(
                "context {} x hidden size x 4 B / network {}",
                scenario.workload.context(),
                rate(network)
            ),
        ),
    ] {
        if let Some(seconds) = seconds {
            grid.row([name.to_owned(), number::seconds(seconds), formula]);
        }
    }
    if !grid.is_empty() {
        sheet.table("", grid);
    }
}

fn energies<'a>(sheet: &mut Sheet, scenario: &Scenario<'a>, prediction: &Prediction<'a>) {
    let mut grid = Grid::new([
        ("energy", Align::Left),
        ("static power x time", Align::Right),
        ("FLOPs x e_flop", Align::Right),
        ("bytes x e_byte", Align::Right),
        ("sum", Align::Right),
    ]);
    let part = prediction.parts(scenario).backend;
    for (name, phase) in [
        ("prefill, the whole prompt", Phase::Prefill),
        ("decode, one step", Phase::Decode),
    ] {
        let totals = part.terms(phase, scenario).totals();
        let seconds = totals.seconds();
        if let Some(draw) = part.draw.filter(|_| seconds > 0.0) {
            let energy = draw.energy(&totals);
            let product = |joules: f64, of: f64, unit: &str| {
                let price = if of > 0.0 { joules / of } else { 0.0 };
                format!("{} ({})", number::joules(joules), number::quantity(price, unit))
            };
            grid.row([
                name.to_owned(),
                product(energy.standing_j, seconds, "W"),
                product(energy.compute_j, totals.flops, "J/FLOP"),
                product(energy.memory_j, totals.bytes, "J/B"),
                number::joules(energy.total()),
            ]);
        }
    }
    if grid.is_empty() {
        sheet.paragraph("The device states no powers, so there is no energy.");
    } else {
        sheet.table("", grid);
    }
}

/// Every number of the device that the backend uses, and the sources they cite.
fn sources(sheet: &mut Sheet, device: &Device, backend: BackendKind) {
    let facts = device.facts().into_iter().filter(|fact| match fact.path[..] {
        ["backends", of, ..] => of == backend.name(),
        _ => true,
    });
    let (numbers, sources) = facts::numbers(device, facts.collect());
    sheet.table("", numbers);
    sheet.items(sources);
}

fn equations(sheet: &mut Sheet, paper: &Paper<'_>) {
    let (shape, device, figures) = (&paper.question.model.paper, &paper.device, &paper.prediction);
    let (s, b) = (paper.question.context, paper.bytes_per_element);
    let title = format!(
        "The paper's equations with L {}, H {}, I {}, V {}, S {s}, B {b}",
        shape.layers, shape.hidden_size, shape.feed_forward_size, shape.vocabulary_size
    );
    let rate = |rate: Option<f64>| rate.map_or_else(|| "-".to_owned(), |rate| number::quantity(rate, "B/s"));
    let seconds = |seconds: Option<f64>| seconds.map_or_else(|| "-".to_owned(), number::seconds);
    let mut grid = Grid::new([
        ("equation", Align::Left),
        ("right side", Align::Left),
        ("value", Align::Right),
    ]);
    for row in [
        [
            "7",
            "P = L·4H² + L·2HI + 2VH".to_owned().as_str(),
            &number::count(figures.parameters as f64),
        ],
        [
            "8",
            "F = L·(6H² + 4HS + 4HI + 4IH + 9H)",
            &number::flops(figures.flops_per_token),
        ],
        ["9", "M = P·B + S·H·B + 2L·S·H·B", &number::bytes(figures.memory_bytes)],
        [
            "10",
            &format!(
                "F / ({} x {})",
                number::quantity(device.peak_flops, "FLOP/s"),
                device.compute_utilization
            ),
            &number::seconds(figures.compute_s),
        ],
        [
            "11",
            &format!(
                "M / ({} x {})",
                number::quantity(device.memory_bandwidth, "B/s"),
                device.memory_utilization
            ),
            &number::seconds(figures.memory_s),
        ],
        [
            "12",
            &format!(
                "P·B / ({} x {})",
                rate(device.storage_bandwidth),
                device.storage_utilization
            ),
            &seconds(figures.io_s),
        ],
        [
            "13",
            &format!(
                "P·B / ({} x {})",
                rate(device.host_to_device_bandwidth),
                device.host_to_device_utilization
            ),
            &seconds(figures.h2d_s),
        ],
        [
            "14",
            &format!(
                "S·H·B / ({} x {})",
                rate(device.network_bandwidth),
                device.network_utilization
            ),
            &seconds(figures.network_s),
        ],
        [
            "15",
            &format!(
                "F x {} + M x {}",
                number::quantity(device.energy_per_flop, "J/FLOP"),
                number::quantity(device.energy_per_byte, "J/B")
            ),
            &number::joules(figures.energy_j_per_token),
        ],
    ] {
        grid.row(row);
    }
    sheet.table(title, grid);
}
