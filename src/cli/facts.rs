//! The numbers of a device with the sources that they cite.

use edgeprof::device::{Device, Fact};
use edgeprof::output::{Align, Grid, number};

/// These numbers of a device, the paper's constants if it states any, and every source that is cited.
pub fn numbers(device: &Device, facts: Vec<Fact<'_>>) -> (Grid, Vec<String>) {
    let mut grid = Grid::new([
        (format!("Numbers of {}", device.id), Align::Left),
        (String::new(), Align::Right),
        ("source".to_owned(), Align::Left),
    ]);
    let mut cited: Vec<&str> = Vec::new();
    let mut cite = |source| {
        if !cited.contains(&source) {
            cited.push(source);
        }
    };
    for fact in &facts {
        let value = number::quantity(fact.value, fact.unit);
        grid.row([fact.path.join("."), value, format!("[{}]", fact.source)]);
        cite(fact.source);
    }
    if let Some(price) = &device.price {
        grid.row([
            "price",
            &format!("{} {}", price.amount, price.currency),
            &format!("[{}]", price.source),
        ]);
        cite(&price.source);
    }
    if let Some(paper) = &device.paper {
        let source = format!("[{}]", paper.source);
        for (name, value) in [
            ("U_compute", paper.compute_utilization.to_string()),
            ("U_memory", paper.memory_utilization.to_string()),
            ("U_storage", paper.storage_utilization.to_string()),
            ("U_h2d", paper.host_to_device_utilization.to_string()),
            ("U_net", paper.network_utilization.to_string()),
            ("e_flop", number::quantity(paper.energy_per_flop.get(), "J/FLOP")),
            ("e_byte", number::quantity(paper.energy_per_byte.get(), "J/B")),
        ] {
            grid.row([&format!("paper.{name}"), &value, &source]);
        }
        cite(&paper.source);
    }
    let sources = cited.into_iter().filter_map(|key| {
        let source = device.sources.get(key)?;
        Some(format!("[{key}] {}: {}", source.evidence.name(), source.text))
    });
    (grid, sources.collect())
}
