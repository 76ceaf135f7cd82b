//! Measures this machine as `edgeprof calibrate` does before it fits, and prints the rows. `--plan` only probes and plans.

use edgeprof::calibrate::collect::{self, CollectOptions, Event};
use edgeprof::calibrate::measure::Stop;
use edgeprof::catalog::Catalog;
use edgeprof::device::host;
use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let catalog = Catalog::builtin();
    let entries: Vec<_> = catalog.device_ids().filter_map(|id| catalog.device(id).ok()).collect();
    let host = host::detect(entries.iter().map(|entry| &***entry))?;
    let backend = host.device.default_backend;
    let options = CollectOptions::new(host.device, backend);
    if std::env::args().any(|argument| argument == "--plan") {
        let probes = collect::probe_machine(&options)?;
        println!("{}", collect::plan(&options, &probes));
        return Ok(());
    }
    let collected = collect::collect(&options, &Stop::new(), &mut |event| match event {
        Event::Probed(probes) => eprintln!("{probes:?}"),
        Event::Planned(plan, done) => eprintln!("{plan}\n{done} done before"),
        Event::Finished(probe, timing) => {
            eprintln!("{} {} {:.2} tokens/s", probe.key(), timing.test, timing.tokens_per_s())
        }
        Event::Skipped(probe, tests) => eprintln!("{} {tests} tests skipped", probe.key()),
        Event::Idling | Event::Probing | Event::Preparing(_) => {}
    })?;
    for row in collected.measurements() {
        println!(
            "{:<44} {:<7} {:<18} {:?} threads {:>9.2} tokens/s",
            row.model,
            row.precision,
            row.test(),
            row.threads,
            row.tokens_per_s
        );
    }
    for warning in &collected.warnings {
        eprintln!("warning: {warning}");
    }
    eprintln!("{}: {:.1} s", collected.build, collected.seconds);
    Ok(())
}
