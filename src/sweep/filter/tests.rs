#![allow(clippy::unwrap_used)]

use super::{Filter, FilterError};
use crate::catalog::{Catalog, Choice};
use crate::decide::Target;
use crate::economy::Terms;
use crate::output::Record;
use crate::perf::sums::ModelSums;
use crate::quant::Precision;
use crate::scenario::Workload;
use proptest::prelude::*;
use std::sync::LazyLock;

/// TinyLlama in q4_0 on a Raspberry Pi 5: 512 prompt tokens and 128 generated, with some figures set to round numbers.
static RECORD: LazyLock<Record> = LazyLock::new(|| {
    let catalog = Catalog::builtin();
    let model = catalog.model("tinyllama").unwrap();
    let target = Target::find(&catalog, &"pi5".parse().unwrap(), &Choice::Best).unwrap();
    let precision: Precision = "q4_0".parse().unwrap();
    let sums = ModelSums::of(&model, precision).unwrap();
    let terms = Terms::default();
    let record = target
        .record(&model, &sums, precision, Workload::default(), &terms)
        .unwrap();
    Record {
        memory_bytes: 3 << 30,
        decode_tokens_per_s: Some(8.0),
        ttft_s: Some(0.25),
        fits: true,
        ..record
    }
});

fn keeps(text: &str) -> bool {
    let filter: Filter = text.parse().unwrap_or_else(|error| panic!("{text}: {error}"));
    filter.keeps(&RECORD)
}

fn error(text: &str) -> String {
    text.parse::<Filter>().map(|_| ()).unwrap_err().to_string()
}

#[test]
fn numbers_have_units_and_texts_quotes() {
    for text in [
        "fits && decode_tokens_per_s > 5.3 && memory_bytes < 4GiB",
        "memory_bytes == 3 GiB",
        "ttft_s <= 250ms && ttft_s > 0.004 min",
        "model == \"tinyllama\" && hardware != 'pi4'",
        "decode_tokens_per_s >= 8 tokens/s",
        "prompt + generate * 2 - 1 == 767",
        "-prompt < 0 && - 1 < - prompt + 512",
        "weight_bytes / memory_bytes < 25%",
        "weight_bytes < 4GB/prompt*1000",
        "!(fits && prompt < 512)",
        "fits == true && (prompt > 1) == fits",
        "power_mode == none && ttft_s != none && none != model",
        "model < 'tinyz'",
        " ( ( fits ) ) ",
        "false || fits",
        "1e3 == 1000 && .5 < 1",
    ] {
        assert!(keeps(text), "{text}");
    }
    for text in [
        "!fits",
        "prompt > 512",
        "model == 'TinyLlama'",
        "power_mode != none",
        "false",
    ] {
        assert!(!keeps(text), "{text}");
    }
}

#[test]
fn what_does_not_apply_is_neither_true_nor_false() {
    assert!(!keeps("gpu_layers > 3"));
    assert!(!keeps("!(gpu_layers > 3)"));
    assert!(!keeps("gpu_layers != 3"));
    assert!(!keeps("gpu_layers + 1 == gpu_layers + 1"));
    assert!(keeps("gpu_layers > 3 || fits"));
    assert!(!keeps("gpu_layers > 3 && fits"));
    assert!(keeps("!(gpu_layers > 3 && !fits)"));
    assert!(keeps("gpu_layers == none"));
}

#[test]
fn a_wrong_condition_shows_where() {
    insta::assert_snapshot!(
        [
            "decode_token_per_s > 5",
            "zzz > 5",
            "memory_bytes < 4 furlong",
            "memory_bytes < 'a lot'",
            "memory_bytes < 4GB/s",
            "ttft_s + 3 < 2 J",
            "decode_energy_j_per_token < 5 ms",
            "hardware == orin-nano",
            "model > 5",
            "memory_bytes",
            "fits > 3",
            "fits = true",
            "fits & fits",
            "fits &&",
            "(fits || prompt > 3",
            "fits)",
            "model == 'tiny",
            "1 < prompt < 3",
            "prompt > ",
            "é > 3",
            "prompt == none + 1",
            "",
        ]
        .map(|text| format!("{text}\n{}\n", error(text)))
        .join("\n")
    );
}

#[test]
fn hostile_conditions_are_refused() {
    for text in [
        "(".repeat(5000),
        "!".repeat(3000),
        "-".repeat(200),
        format!("fits{}", " && fits".repeat(1000)),
    ] {
        assert!(text.parse::<Filter>().is_err());
    }
    for text in [
        "1".to_owned() + &"+1".repeat(2000) + ">0",
        "1 < ".to_owned() + &"2/".repeat(1000) + "2",
    ] {
        assert!(
            matches!(text.parse::<Filter>(), Err(FilterError::TooNested { .. })),
            "{text}"
        );
    }
    assert!(format!("fits{}", " && fits".repeat(500)).parse::<Filter>().is_ok());
    assert!(
        format!("fits{}", " || prompt > 1".repeat(250))
            .parse::<Filter>()
            .is_ok()
    );
    assert!(
        format!("{}fits{}", "(".repeat(100), ")".repeat(100))
            .parse::<Filter>()
            .is_ok()
    );
}

/// A condition, and what it comes to when it is worked out step by step.
fn condition() -> impl Strategy<Value = (String, Option<bool>)> {
    let number = prop_oneof![
        Just(("prompt".to_owned(), Some(512.0))),
        Just(("decode_tokens_per_s".to_owned(), Some(8.0))),
        Just(("gpu_layers".to_owned(), None)),
        (0..20_u32).prop_map(|number| (number.to_string(), Some(f64::from(number)))),
        (0..20_u32).prop_map(|number| (format!("{number} %"), Some(f64::from(number) * 0.01))),
    ];
    let number = number.prop_recursive(3, 16, 2, |inner| {
        let operator = prop::sample::select(vec!['+', '-', '*', '/']);
        (inner.clone(), operator, inner).prop_map(|((a, x), operator, (b, y))| {
            let value = x.zip(y).map(|(x, y): (f64, f64)| match operator {
                '+' => x + y,
                '-' => x - y,
                '*' => x * y,
                _ if y == 0.0 => f64::NAN,
                _ => x / y,
            });
            (format!("({a} {operator} {b})"), value.filter(|value| !value.is_nan()))
        })
    });
    let comparison = prop::sample::select(vec!["<", "<=", ">", ">=", "==", "!="]);
    let test = (number.clone(), comparison, number).prop_map(|((a, x), comparison, (b, y))| {
        let truth = x.zip(y).map(|(x, y)| match comparison {
            "<" => x < y,
            "<=" => x <= y,
            ">" => x > y,
            ">=" => x >= y,
            "==" => x == y,
            _ => x != y,
        });
        (format!("{a} {comparison} {b}"), truth)
    });
    test.prop_recursive(4, 32, 2, |inner| {
        let both = (inner.clone(), any::<bool>(), inner.clone()).prop_map(|((a, x), and, (b, y))| {
            let truth = if and {
                match (x, y) {
                    (Some(false), _) | (_, Some(false)) => Some(false),
                    (Some(true), Some(true)) => Some(true),
                    _ => None,
                }
            } else {
                match (x, y) {
                    (Some(true), _) | (_, Some(true)) => Some(true),
                    (Some(false), Some(false)) => Some(false),
                    _ => None,
                }
            };
            (format!("({a} {} {b})", if and { "&&" } else { "||" }), truth)
        });
        let not = inner.prop_map(|(a, x)| (format!("!({a})"), x.map(|x| !x)));
        prop_oneof![both, not]
    })
}

proptest! {
    #[test]
    fn a_condition_is_what_its_parts_are((text, truth) in condition()) {
        // A condition that nests too much is refused, which the tests above look at.
        if let Ok(filter) = text.parse::<Filter>() {
            prop_assert_eq!(filter.keeps(&RECORD), truth == Some(true), "{}", text);
        } else {
            prop_assert!(text.matches(['(', '!', '-']).count() > 128, "{}", text);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[a-z_<>=!&|()'\" 0-9.eµ%/*+-]{0,40}|\\PC{0,20}") {
        let _ = text.parse::<Filter>();
    }
}
