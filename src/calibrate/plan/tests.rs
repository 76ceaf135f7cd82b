#![allow(clippy::unwrap_used)]
use super::*;
use crate::model::{Mixer, Stack, Use};
use std::collections::BTreeSet;

/// The machines that plans are made for here: a Pi 4, a virtual machine with a large cache, a GPU.
fn machines() -> [PlanOptions; 3] {
    [
        PlanOptions::default(),
        PlanOptions {
            cores: 2,
            last_level_cache: 105 << 20,
            rates: Rates::of_machine(15e9, 25e9),
            ..PlanOptions::default()
        },
        PlanOptions {
            cores: 16,
            last_level_cache: 50 << 20,
            gpu: true,
            memory: 16_000_000_000,
            rates: Rates::of_gpu(),
            ..PlanOptions::default()
        },
    ]
}

/// What each unknown of the additive law counts in one test: weights of every block type, FLOPs of attention, layers, passes.
fn unknowns(probe: &Probe, test: &Test, types: &[BlockType]) -> Vec<f64> {
    let mut row = vec![0.0; types.len()];
    for (tensor, block_type) in probe.model.tensors.iter().zip(&probe.types) {
        // The head works on the last position only, whatever the length of the prompt.
        let positions = if tensor.stack == Stack::Head {
            1
        } else {
            test.phase_tokens()
        };
        if tensor.usage == Use::Multiply
            && let Some(at) = types.iter().position(|t| t == block_type)
        {
            row[at] += (tensor.elements() * positions) as f64;
        }
    }
    let positions = test.depth as f64 + test.tokens as f64 / 2.0;
    let attention: f64 = probe
        .model
        .mixers
        .iter()
        .map(|mixer| match mixer {
            Mixer::Attention(a) => (2 * a.heads * (a.key_length + a.value_length)) as f64 * positions,
            Mixer::Recurrent(_) => 0.0,
        })
        .sum();
    row.extend([
        attention * test.phase_tokens() as f64,
        probe.model.mixers.len() as f64,
        1.0,
    ]);
    row
}

impl Test {
    /// Tokens of one pass.
    fn phase_tokens(&self) -> u64 {
        match self.phase {
            Phase::Prefill => self.tokens,
            Phase::Decode => 1,
        }
    }
}

/// Rank of a matrix whose columns are scaled to a largest value of 1, pivots below 1e-6 counting as zero.
fn rank(mut rows: Vec<Vec<f64>>) -> usize {
    let columns = rows[0].len();
    for column in 0..columns {
        let largest = rows.iter().map(|row| row[column].abs()).fold(0.0, f64::max);
        rows.iter_mut().for_each(|row| row[column] /= largest.max(1e-300));
    }
    let mut rank = 0;
    for column in 0..columns {
        let Some(pivot) = (rank..rows.len()).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))
        else {
            break;
        };
        if rows[pivot][column].abs() < 1e-6 {
            continue;
        }
        rows.swap(rank, pivot);
        let pivot = rows[rank].clone();
        for row in &mut rows[rank + 1..] {
            let factor = row[column] / pivot[column];
            row.iter_mut()
                .zip(&pivot)
                .for_each(|(value, pivot)| *value -= factor * pivot);
        }
        rank += 1;
    }
    rank
}

#[test]
fn every_factor_can_be_told_from_the_others() {
    for options in machines() {
        let plan = Plan::new(options);
        let all = *thread_counts(&plan.options).last().unwrap();
        for phase in [Phase::Decode, Phase::Prefill] {
            let here = || {
                plan.tests()
                    .filter(|(_, test)| test.phase == phase && test.threads == all)
            };
            let multiplied: BTreeSet<BlockType> = here()
                .flat_map(|(probe, _)| probe.types.iter().zip(&probe.model.tensors))
                .filter(|(_, tensor)| tensor.usage == Use::Multiply && tensor.layer.is_some())
                .map(|(block_type, _)| *block_type)
                .collect();
            let types: Vec<_> = multiplied.into_iter().collect();
            for asked in [
                BlockType::Q4_0,
                BlockType::Q4_K,
                BlockType::Q6_K,
                BlockType::Q8_0,
                BlockType::F16,
            ] {
                assert!(types.contains(&asked), "{asked:?} is not in the {phase} plan:\n{plan}");
            }
            let rows: Vec<_> = here().map(|(probe, test)| unknowns(probe, test, &types)).collect();
            assert_eq!(rank(rows), types.len() + 3, "{phase}:\n{plan}");
        }
    }
}

#[test]
fn a_plan_keeps_to_time_memory_and_disk() {
    for options in machines() {
        for budget_s in [1.0, 10.0, 60.0, 600.0] {
            let plan = Plan::new(PlanOptions {
                budget_s,
                ..options.clone()
            });
            assert!(plan.expected_s() <= budget_s, "{plan}");
            assert!(plan.memory() <= options.memory && plan.disk() <= options.disk, "{plan}");
        }
    }
}

#[test]
fn weights_are_well_beyond_the_cache() {
    for options in machines() {
        let plan = Plan::new(options);
        let weights: Vec<_> = plan
            .probes
            .iter()
            .filter(|probe| probe.purpose == Purpose::Weights)
            .collect();
        assert_eq!(weights.len(), 5, "{plan}");
        for probe in weights {
            let phases: BTreeSet<Phase> = probe.tests.iter().map(|test| test.phase).collect();
            assert_eq!(phases.len(), 2, "{plan}");
            assert!(probe.weight_bytes >= 29 * plan.options.last_level_cache / 10, "{plan}");
        }
    }
}

#[test]
fn thread_counts_are_scanned_unless_the_user_names_one() {
    let options = |cores, threads| PlanOptions {
        cores,
        threads,
        ..PlanOptions::default()
    };
    assert_eq!(thread_counts(&options(2, None)), [1, 2]);
    assert_eq!(thread_counts(&options(6, None)), [1, 2, 4, 6]);
    assert_eq!(thread_counts(&options(1, None)), [1]);
    assert_eq!(thread_counts(&options(8, Some(3))), [3]);
    assert_eq!(end_counts(&options(8, None)), [1, 8]);
    let plan = Plan::new(options(4, None));
    for phase in [Phase::Decode, Phase::Prefill] {
        let scanned: BTreeSet<u64> = plan
            .tests()
            .filter(|(_, t)| t.phase == phase)
            .map(|(_, t)| t.threads)
            .collect();
        assert_eq!(scanned, BTreeSet::from([1, 2, 4]), "{phase}");
    }
}

#[test]
fn full_measures_more_and_says_what_it_will_take() {
    let [_, machine, _] = machines();
    let usual = Plan::new(machine.clone());
    let full = Plan::new(PlanOptions {
        full: true,
        budget_s: 600.0,
        ..machine
    });
    assert!(full.tests().count() > usual.tests().count());
    assert!(full.probes.iter().any(|probe| probe.cache_type == CacheType::Q8_0));
    let text = usual.to_string();
    assert!(text.contains("tg32, 2 threads") && text.contains("of 60 s"), "{text}");
}

#[test]
fn the_users_own_model_comes_first_and_is_not_written() {
    let model = Shape::narrow(2).model().unwrap();
    let plan = Plan::new(PlanOptions {
        own: Some(("my.gguf".into(), model)),
        ..PlanOptions::default()
    });
    assert_eq!(plan.probes[0].purpose, Purpose::Own);
    assert_eq!(plan.probes[0].disk(), 0);
}
