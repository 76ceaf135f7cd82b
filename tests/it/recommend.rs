//! `recommend`: what to run on a device, and on which device to run a model.

use crate::cli::{DATA, edgeprof, run};
use insta::assert_snapshot;
use serde_json::Value;

fn document(arguments: &str) -> Value {
    let output = edgeprof()
        .args(["recommend", "--format", "json", "--data", DATA])
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(document["schema"], 1);
    document
}

fn list<'a>(document: &'a Value, key: &str) -> &'a Vec<Value> {
    document[key].as_array().unwrap()
}

#[test]
fn every_precision_of_one_model_on_one_board() {
    let question = format!("recommend --data {DATA} --model test-model --hw test-board");
    assert_snapshot!(run(&format!("{question} --min-tps 12")));
    assert_snapshot!(run(&format!("{question} --for speed --min-tps 12 --format csv")));
    assert_snapshot!(run(&format!(
        "{question} --min-tps 1000 --context 16384 --max-memory 1GiB"
    )));
}

#[test]
fn what_is_picked_is_good_enough_and_in_order() {
    for goal in ["quality", "speed", "energy"] {
        let document = document(&format!(
            "--hw pi5 --min-tps 6 --max-memory 4GiB --for {goal} --top 200"
        ));
        let picks = list(&document, "picks");
        assert_eq!(document["good_enough"], picks.len(), "one row a model");
        let mut models = Vec::new();
        let mut last = f64::INFINITY;
        for pick in picks {
            let row = &pick["prediction"];
            let rate = row["decode_tokens_per_s"].as_f64().unwrap();
            assert!(rate >= 6.0 && row["memory_bytes"].as_f64().unwrap() <= 4.0 * 1024_f64.powi(3));
            assert_eq!(
                (&row["fits"], &row["workload"]["context"]),
                (&true.into(), &4096.into())
            );
            assert!(!models.contains(&&row["model"]), "{} twice", row["model"]);
            models.push(&row["model"]);
            let better = match goal {
                "quality" => pick["effective_parameters"].as_f64().unwrap(),
                "speed" => rate,
                _ => -row["decode_energy_j_per_token"].as_f64().unwrap(),
            };
            assert!(better <= last, "{row}");
            last = better;
        }
        for id in ["edgeprofiler-tinyllama", "qwen2.5-0.5b-untied", "bert-base"] {
            assert!(!models.contains(&&id.into()), "{id} is no model to choose");
        }
    }
}

#[test]
fn misses_say_what_they_fail_by_the_nearest_first() {
    let document = document("--hw pi5 --min-tps 5.3 --max-memory 2GiB");
    let misses = list(&document, "nearest_misses");
    assert_eq!(misses.len(), 5);
    let mut last = 1.0;
    for miss in misses {
        let shortfalls = miss["failures"].as_array().unwrap().iter().map(|failure| {
            let number = |key: &str| failure[key].as_f64().unwrap();
            match failure["kind"].as_str().unwrap() {
                "too-slow" => number("wanted") / number("tokens_per_s"),
                "does-not-fit" => number("memory_bytes") / number("capacity_bytes"),
                "too-large" => number("memory_bytes") / number("limit_bytes"),
                "short-context" => number("wanted") / number("trained"),
                kind => panic!("{kind}"),
            }
        });
        let worst = shortfalls.fold(1.0, f64::max);
        assert!(worst > 1.0 && worst >= last - 1e-12, "{miss}");
        last = worst;
    }
}

#[test]
fn a_pick_says_what_kept_it_from_more_bits() {
    let document = document("--hw pi5 --model llama-3.2-3b --min-tps 4");
    let pick = &list(&document, "picks")[0];
    assert_eq!(pick["held_back"]["failures"][0]["kind"], "too-slow");
    let rate = pick["held_back"]["failures"][0]["tokens_per_s"].as_f64().unwrap();
    assert!(rate < 4.0 && pick["prediction"]["decode_tokens_per_s"].as_f64().unwrap() >= 4.0);
}

#[test]
fn a_model_finds_its_devices_with_their_price() {
    let document = document("--model llama-3.2-1b --prec q4_0 --for energy --top 500");
    let picks = list(&document, "picks");
    let of = |id: &str| picks.iter().find(|pick| pick["prediction"]["hardware"] == id);
    assert_eq!(of("pi5").unwrap()["price"]["amount"], 97.0);
    assert_eq!(of("pi5").unwrap()["price"]["currency"], "USD");
    assert!(
        of("edgeprofiler-pi5").is_none(),
        "a paper's idea of a device is none to buy"
    );
    let joules = |pick: &Value| pick["prediction"]["decode_energy_j_per_token"].as_f64().unwrap();
    assert!(picks.windows(2).all(|pair| joules(&pair[0]) <= joules(&pair[1])));
}

/// Raising what is wanted never adds a model.
#[test]
fn more_wants_leave_fewer_models() {
    let good = |arguments: &str| {
        document(&format!("--hw pi5 {arguments}"))["good_enough"]
            .as_u64()
            .unwrap()
    };
    let few = good("--min-tps 10 --max-memory 2GiB");
    assert!(0 < few && few <= good("--min-tps 10") && good("--min-tps 10") <= good("--min-tps 0"));
    assert!(few <= good("--max-memory 2GiB") && good("--context 32768") <= good("--context 4096"));
}

#[test]
fn what_cannot_be_recommended_says_why() {
    for arguments in [
        "recommend",
        "recommend --hw pi6",
        "recommend --hw pi5 --min-tps fast",
        "recommend --hw pi5 --max-memory 4",
        "recommend --hw pi5 --for beauty",
        "recommend --hw pi5 --prec q4_k_n",
        "recommend --hw pi5 --backend cuda",
    ] {
        assert_snapshot!(run(arguments));
    }
}

/// What does not fit has no rate; that it would be far too slow as well keeps it from the nearest misses all the same.
#[test]
fn what_fails_by_far_is_no_near_miss_for_failing_by_little_in_memory() {
    let document = document("--hw pi5 --min-tps 500");
    let misses = list(&document, "nearest_misses");
    assert!(!misses.is_empty());
    for miss in misses {
        let failures = miss["failures"].as_array().unwrap();
        assert!(failures.iter().any(|failure| failure["kind"] == "too-slow"), "{miss}");
    }
}
