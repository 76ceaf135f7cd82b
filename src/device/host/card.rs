//! A graphics card joined to the machine that carries it.

use crate::device::{Backend, BackendKind, Device};

impl Device {
    /// Adds the backends of a card that have their own memory, and its sources under keys of their own; the card then computes by
    /// default. A second card adds nothing.
    pub(super) fn add_card(&mut self, card: &Self) {
        if self.backends.contains_key(&BackendKind::Cuda) {
            return;
        }
        for (&kind, backend) in card.backends.iter().filter(|(_, backend)| backend.memory.is_some()) {
            let mut backend = backend.clone();
            backend.rename_sources(|key| *key = format!("card-{key}"));
            self.backends.insert(kind, backend);
            self.default_backend = BackendKind::Cuda;
        }
        for (key, source) in &card.sources {
            self.sources.insert(format!("card-{key}"), source.clone());
        }
    }

    /// Removes the sources that no number cites any more.
    pub(crate) fn prune_sources(&mut self) {
        let mut cited: Vec<String> = self.facts().iter().map(|fact| fact.source.to_owned()).collect();
        cited.extend(self.paper.iter().map(|paper| paper.source.clone()));
        cited.extend(self.price.iter().map(|price| price.source.clone()));
        self.sources.retain(|key, _| cited.contains(key));
    }
}

impl Backend {
    fn rename_sources(&mut self, rename: impl Fn(&mut String)) {
        rename(&mut self.cores.source);
        self.clock.iter_mut().for_each(|number| rename(&mut number.source));
        self.peaks.values_mut().for_each(|number| rename(&mut number.source));
        for number in self.core_bandwidth.iter_mut().chain(&mut self.host_to_device) {
            rename(&mut number.source);
        }
        self.last_level_cache
            .iter_mut()
            .for_each(|number| rename(&mut number.source));
        if let Some(memory) = &mut self.memory {
            rename(&mut memory.capacity.source);
            rename(&mut memory.usable.source);
            rename(&mut memory.bandwidth.source);
        }
        self.full_load.iter_mut().for_each(|number| rename(&mut number.source));
    }
}
