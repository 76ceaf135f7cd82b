//! Figures: their data, and drawings in which every text is readable and on the page.

use super::cli::edgeprof;
use edgeprof::figure::page::text_width;
use roxmltree::{Document, Node};
use std::fs;
use std::path::Path;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/data");

/// What `plot` prints with these arguments.
fn plot(arguments: &str) -> String {
    let output = edgeprof()
        .arg("plot")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert!(output.status.success(), "plot {arguments}: {stderr}");
    stdout
}

/// What it says when it fails.
fn failure(arguments: &str) -> String {
    let output = edgeprof()
        .arg("plot")
        .args(arguments.split_whitespace())
        .output()
        .unwrap();
    assert!(!output.status.success(), "plot {arguments}");
    String::from_utf8(output.stderr).unwrap().replace(DATA, "DATA")
}

fn attribute(node: Node<'_, '_>, name: &str) -> f64 {
    node.attribute(name).unwrap().parse().unwrap()
}

/// A text's box: left, top, right, bottom, in units of the drawing.
fn text_box(node: Node<'_, '_>) -> [f64; 4] {
    let text = node.text().unwrap().trim();
    let (x, y, size) = (attribute(node, "x"), attribute(node, "y"), attribute(node, "font-size"));
    let width = text_width(text, size);
    let before = match node.attribute("text-anchor").unwrap() {
        "start" => 0.0,
        "middle" => width / 2.0,
        _ => width,
    };
    let half = size * 0.4;
    match node.attribute("transform") {
        // Reads upwards: what lies before the anchor is below it.
        Some(turn) if turn.starts_with("rotate(270") => [x - half, y - (width - before), x + half, y + before],
        _ => [x - before, y - half, x - before + width, y + half],
    }
}

/// Holds a drawing to what any drawing must be.
fn check(svg: &str, what: &str) {
    let document = Document::parse(svg).unwrap_or_else(|error| panic!("{what}: {error}"));
    let root = document.root_element();
    assert_eq!(root.tag_name().name(), "svg");
    let [_, _, width, height]: [f64; 4] = root
        .attribute("viewBox")
        .unwrap()
        .split(' ')
        .map(|number| number.parse().unwrap())
        .collect::<Vec<_>>()
        .try_into()
        .unwrap();
    let points: f64 = root.attribute("width").unwrap().trim_end_matches("pt").parse().unwrap();
    let scale = points / width;
    let mut boxes: Vec<([f64; 4], String)> = Vec::new();
    for node in document.descendants().filter(Node::is_element) {
        for (name, most) in [
            ("x", width),
            ("x1", width),
            ("x2", width),
            ("y", height),
            ("y1", height),
            ("y2", height),
        ] {
            if let Some(value) = node.attribute(name).and_then(|value| value.parse::<f64>().ok()) {
                assert!((0.0..=most).contains(&value), "{what}: {name} = {value} of {most}");
            }
        }
        for pair in node.attribute("points").unwrap_or_default().split_whitespace() {
            let (x, y) = pair.split_once(',').unwrap();
            let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
            assert!(
                (0.0..=width).contains(&x) && (0.0..=height).contains(&y),
                "{what}: {pair}"
            );
        }
        if node.tag_name().name() == "text" {
            let text = node.text().unwrap().trim().to_owned();
            let size = attribute(node, "font-size") * scale;
            assert!(size >= 6.999, "{what}: `{text}` is set in {size} points");
            let [left, top, right, bottom] = text_box(node);
            assert!(
                left >= 0.0 && top >= 0.0 && right <= width && bottom <= height,
                "{what}: `{text}` leaves the page: {left} {top} {right} {bottom} of {width} {height}"
            );
            boxes.push(([left, top, right, bottom], text));
        }
    }
    assert!(!boxes.is_empty(), "{what}: no text");
    for (at, (a, one)) in boxes.iter().enumerate() {
        for (b, other) in &boxes[..at] {
            let across = a[2].min(b[2]) - a[0].max(b[0]);
            let down = a[3].min(b[3]) - a[1].max(b[1]);
            assert!(across <= 1.0 || down <= 1.0, "{what}: `{one}` lies on `{other}`");
        }
    }
}

const SMALL: &str = "--model tinyllama,llama-3.2-1b --hw pi5,orin-nano-super --prec fp16,int4";
const ONE: &str = "--model tinyllama --hw pi5 --prec int4";

/// Eight series with long names.
const EIGHT: &str = "--model tinyllama,deepseek-r1-distill-qwen-1.5b --hw pi5,orin-nano-super --prec q8_0,q4_k_m";
/// Twelve series.
const TWELVE: &str = "--model tinyllama,llama-3.2-1b,gemma-3-1b --hw pi5,orin-nano-super --prec q8_0,q4_0";
/// A cloud of a dozen models.
const CLOUD: &str = "--model smollm2-135m,smollm2-360m,lfm2-350m,qwen2.5-0.5b,qwen3-0.6b,gemma-3-1b,llama-3.2-1b,tinyllama,qwen2.5-1.5b,qwen3-1.7b,llama-3.2-3b,phi-3.5-mini --hw pi5 --prec q8_0,q4_k_m,q4_0";
const PAPER: &str = "--model edgeprofiler-tinyllama,edgeprofiler-deepseek-r1-1.5b --hw edgeprofiler-pi4,edgeprofiler-jetson --prec fp32,int8 --formulas edgeprofiler";
/// From a model of 23 million parameters on a data centre's GPU to one of 70 milliards on a Raspberry Pi.
const HUGE_SPAN: &str =
    "--model all-minilm-l6-v2,tinyllama,deepseek-r1-distill-llama-70b --hw pi4,a100-80gb --prec f16,q2_k --generate 0";
const MANY: &str = "--model tinyllama,deepseek-r1-distill-qwen-1.5b,deepseek-r1-distill-llama-70b --hw pi4,pi5,orin-nano-super,a100-80gb --prec fp16,q8_0,q6_k,q5_k_m,q4_k_m,q4_0,q3_k_m,q2_k --width 7in";

/// Every figure, with inputs that it must cope with; the first is what its data are kept of.
const CASES: &[(&str, &[&str])] = &[
    ("memory", &[ONE, SMALL, PAPER, HUGE_SPAN, MANY]),
    ("storage-io", &[ONE, SMALL, PAPER, HUGE_SPAN]),
    ("host-to-device", &[PAPER, "--model tinyllama --hw a100-80gb"]),
    ("network", &[ONE, SMALL, PAPER]),
    (
        "end-to-end",
        &[
            ONE,
            SMALL,
            PAPER,
            HUGE_SPAN,
            MANY,
            "--model tinyllama --hw pi5 --title Raspberry",
        ],
    ),
    ("energy", &[ONE, SMALL, PAPER, HUGE_SPAN, MANY]),
    (
        "latency",
        &[
            ONE,
            SMALL,
            PAPER,
            EIGHT,
            HUGE_SPAN,
            "--model tinyllama --hw orin-nano-super --gpu-layers 8",
        ],
    ),
    ("token", &[ONE, SMALL, EIGHT]),
    (
        "roofline",
        &[ONE, SMALL, EIGHT, "--model tinyllama --hw pi5 --prec int4 --prompt 0"],
    ),
    (
        "trade-off",
        &[
            ONE,
            SMALL,
            "--model tinyllama,gemma-3-1b,llama-3.2-3b --hw pi4,pi5,m2 --prec f16,q8_0,q6_k,q4_k_m,q4_0 --x weight_bytes --y energy_j_per_token",
            "--model tinyllama,llama-3.2-3b --hw pi5 --prec f16,q8_0,q4_0 --x parameters",
            CLOUD,
        ],
    ),
    (
        "depth",
        &[
            ONE,
            EIGHT,
            "--model tinyllama --hw pi5 --over 0",
            "--model tinyllama --hw pi5 --over 1,100000",
        ],
    ),
    ("prompt", &[ONE, EIGHT, TWELVE, "--model tinyllama --hw pi5 --y ttft_s"]),
    (
        "threads",
        &[ONE, "--model tinyllama,llama-3.2-1b --hw pi4,pi5 --prec q8_0,q4_0"],
    ),
    (
        "power-modes",
        &[
            "--data DATA --model test-model --hw test-board --prec q8_0,q4_0",
            SMALL,
            "--model tinyllama --hw orin-nano-super,orin-nano --y decode_energy_j_per_token",
        ],
    ),
    (
        "context",
        &[ONE, EIGHT, "--model llama-3.2-1b --hw pi5 --over 1024,131072"],
    ),
    (
        "parity",
        &[
            "DATA/figures/validation.json",
            "DATA/figures/validation.json --phase prefill",
            "calibration/measurements/published.csv",
            "calibration/measurements/published.csv --phase decode",
        ],
    ),
    (
        "sensitivity",
        &[
            ONE,
            "--model tinyllama --hw pi5 --y energy_j_per_token",
            "--model tinyllama --hw a100-80gb --y end_to_end_s",
        ],
    ),
    (
        "break-even",
        &[
            "--data DATA --model test-model --prec q4_0 --hw test-board,DATA/figures/frugal-board.toml --price 0.2EUR/kWh --device-price 50,60",
            "--model tinyllama,llama-3.2-1b --prec q4_0 --hw pi5,orin-nano --price 0.20USD/kWh",
            "--model tinyllama --hw pi5,pi4 --price 0.20USD/kWh --device-price 90,50",
        ],
    ),
];

#[test]
fn every_figure_is_drawn_within_its_page_with_texts_apart() {
    for (figure, inputs) in CASES {
        for input in *inputs {
            let arguments = format!("{figure} {input}").replace("DATA", DATA);
            check(&plot(&arguments), &arguments);
        }
    }
}

#[test]
fn every_figures_data_are_as_before() {
    let made_up = format!("--data {DATA} --model test-model --hw test-board --prec q4_0");
    for (figure, inputs) in CASES {
        let input = inputs[0].replace(ONE, &made_up).replace("DATA", DATA);
        let data = plot(&format!("{figure} {input} --format csv"));
        insta::assert_snapshot!(format!("data_of_{figure}"), data);
    }
}

/// The texts of a drawing.
fn texts(arguments: &str) -> Vec<String> {
    let svg = plot(arguments);
    let document = Document::parse(&svg).unwrap();
    let texts = document.descendants().filter(|node| node.has_tag_name("text"));
    texts.map(|node| node.text().unwrap().trim().to_owned()).collect()
}

#[test]
fn legends_of_many_lines_name_each_half_once() {
    let texts = texts(&format!("depth {TWELVE}"));
    for half in [
        "tinyllama",
        "llama-3.2-1b",
        "gemma-3-1b",
        "pi5, q8_0",
        "orin-nano-super, q4_0",
    ] {
        assert_eq!(
            texts.iter().filter(|text| *text == half).count(),
            1,
            "{half} in {texts:?}"
        );
    }
    assert!(!texts.iter().any(|text| text.contains("tinyllama, ")), "{texts:?}");
}

#[test]
fn what_all_names_begin_with_is_left_out_of_the_drawing_and_stands_in_the_data() {
    let texts = texts(&format!("memory {PAPER}"));
    for name in ["tinyllama", "pi4", "jetson"] {
        assert!(texts.iter().any(|text| text == name), "{name} in {texts:?}");
    }
    assert!(!texts.iter().any(|text| text.contains("edgeprofiler")), "{texts:?}");
    assert!(plot(&format!("memory {PAPER} --format csv")).contains("edgeprofiler-tinyllama,edgeprofiler-pi4"));
}

#[test]
fn the_legend_is_lower_than_the_plot() {
    for arguments in [
        format!("trade-off {CLOUD}"),
        format!("depth {TWELVE}"),
        format!("roofline {EIGHT}"),
    ] {
        let svg = plot(&arguments);
        let document = Document::parse(&svg).unwrap();
        let root = document.root_element();
        let size: Vec<f64> = root
            .attribute("viewBox")
            .unwrap()
            .split(' ')
            .map(|end| end.parse().unwrap())
            .collect();
        // The first line of the upright grid begins where the legend ends.
        let upright = |node: &Node<'_, '_>| node.has_tag_name("line") && node.attribute("x1") == node.attribute("x2");
        let tops = document.descendants().filter(upright).map(|node| attribute(node, "y1"));
        let top = tops.fold(f64::INFINITY, f64::min);
        assert!(
            top < 0.5 * size[3],
            "{arguments}: the plot begins at {top} of {}",
            size[3]
        );
    }
}

#[test]
fn every_figure_of_the_list_has_a_case() {
    let list = plot("--list");
    let listed: Vec<&str> = list.lines().filter_map(|line| line.split_whitespace().next()).collect();
    let tested: Vec<&str> = CASES.iter().map(|(figure, _)| *figure).collect();
    assert_eq!(listed, tested);
}

#[test]
fn the_same_input_makes_the_same_bytes_and_the_data_lie_beside() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str| {
        let path = folder.path().join(name);
        plot(&format!("end-to-end {SMALL} -o {}", path.display()));
        (fs::read(&path).unwrap(), fs::read(path.with_extension("csv")).unwrap())
    };
    assert_eq!(draw("a.svg"), draw("b.svg"));
    assert!(!Path::new(&folder.path().join("a.svg.csv")).exists());
}

#[test]
fn the_data_of_a_parity_plot_make_the_same_plot() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("parity.svg");
    plot(&format!("parity {DATA}/figures/validation.json -o {}", path.display()));
    let again = plot(&format!("parity {}", path.with_extension("csv").display()));
    assert_eq!(fs::read_to_string(&path).unwrap(), again);
}

/// The parts of a breakdown add up to what predict says.
#[test]
fn the_parts_of_the_latency_are_the_whole() {
    for (figure, key) in [("latency", "end_to_end_s"), ("token", "decode_s_per_token")] {
        let data = plot(&format!("{figure} {ONE} --format csv"));
        let parts: f64 = data
            .lines()
            .skip(1)
            .map(|line| line.rsplit(',').next().unwrap().parse::<f64>().unwrap())
            .sum();
        let output = edgeprof()
            .args(["predict", "--format", "json"])
            .args(ONE.split_whitespace())
            .output()
            .unwrap();
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let whole = document["predictions"][0][key].as_f64().unwrap();
        assert!((parts / whole - 1.0).abs() < 1e-9, "{figure}: {parts} of {whole}");
    }
}

/// The figures of the accuracy reports, which are no analyses: their file without its ending, and what draws them.
fn committed() -> Vec<(String, String)> {
    let mut figures = Vec::new();
    for left_out in ["model", "device"] {
        for phase in ["decode", "prefill"] {
            // The data are the figure's own: a refit without each model takes minutes.
            let file = format!("reports/accuracy/leave-out-{left_out}-{phase}");
            figures.push((file.clone(), format!("parity {file}.csv --phase {phase}")));
        }
    }
    figures
}

/// `EDGEPROF_BLESS=1 cargo test figures` rewrites them after an intended change.
#[test]
fn the_committed_figures_are_what_the_program_draws() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().unwrap();
    for (file, arguments) in committed() {
        let drawn = folder.path().join("figure.svg");
        plot(&format!("{arguments} -o {}", drawn.display()));
        for ending in ["svg", "csv"] {
            let found = fs::read_to_string(drawn.with_extension(ending)).unwrap();
            let path = root.join(format!("{file}.{ending}"));
            if std::env::var_os("EDGEPROF_BLESS").is_some() {
                fs::create_dir_all(path.parent().unwrap()).unwrap();
                fs::write(&path, &found).unwrap();
            }
            let committed = fs::read_to_string(&path).unwrap_or_default();
            assert!(
                found == committed,
                "{file}.{ending} is out of date; look at what changed, then bless it"
            );
            if ending == "svg" {
                check(&found, &file);
            }
        }
    }
}

#[cfg(feature = "raster")]
#[test]
fn pictures_and_pages_have_the_size_on_paper_and_the_same_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let draw = |name: &str| {
        let path = folder.path().join(name);
        plot(&format!(
            "end-to-end {SMALL} --width 3in --height 2in -o {}",
            path.display()
        ));
        fs::read(&path).unwrap()
    };
    let png = draw("a.png");
    assert_eq!(png, draw("b.png"));
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let size = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    assert_eq!([size(16), size(20)], [1800, 1200]);
    let pdf = draw("a.pdf");
    assert_eq!(pdf, draw("b.pdf"));
    assert!(pdf.starts_with(b"%PDF-"));
    let page = String::from_utf8_lossy(&pdf);
    assert!(page.contains("/MediaBox [0 0 216 144]"), "{page}");
    assert!(page.contains("DejaVuSans"), "the text is text");
}

#[cfg(not(feature = "raster"))]
#[test]
fn what_this_build_lacks_says_how_to_have_it() {
    insta::assert_snapshot!(failure("energy --model tinyllama --hw pi5 --format pdf"));
}

#[test]
fn what_cannot_be_drawn_says_why() {
    insta::assert_snapshot!(failure("enegry --model tinyllama --hw pi5"));
    insta::assert_snapshot!(failure("energy --hw pi5"));
    insta::assert_snapshot!(failure("host-to-device --model tinyllama --hw pi5"));
    insta::assert_snapshot!(failure("energy --model tinyllama --hw pi5 --width wide"));
    insta::assert_snapshot!(failure("threads --model tinyllama --hw orin-nano-super"));
    insta::assert_snapshot!(failure("token --model tinyllama --hw pi5 --formulas edgeprofiler"));
    insta::assert_snapshot!(failure("trade-off --model tinyllama --hw pi5 --y decode_token_per_s"));
    insta::assert_snapshot!(failure("sensitivity --model tinyllama --hw pi5,pi4"));
    insta::assert_snapshot!(failure("power-modes --model tinyllama --hw pi5"));
    insta::assert_snapshot!(failure("parity"));
    insta::assert_snapshot!(failure("parity nowhere.csv"));
    insta::assert_snapshot!(failure("energy nowhere.csv --model tinyllama --hw pi5"));
    insta::assert_snapshot!(failure("energy --model tinyllama --hw pi5 -o figure.jpeg"));
    insta::assert_snapshot!(failure("break-even --model tinyllama --hw pi5,pi4"));
    insta::assert_snapshot!(failure("break-even --model tinyllama --hw pi5 --price 0.2/kWh"));
    insta::assert_snapshot!(failure("break-even --model tinyllama --hw pi5,m2 --price 0.2/kWh"));
    let mixes = "q8_0,q6_k,q5_k_m,q4_k_m,q3_k_m,q2_k,f16,f32,q4_0";
    insta::assert_snapshot!(failure(&format!("roofline --model tinyllama --hw pi5 --prec {mixes}")));
    insta::assert_snapshot!(failure("energy --model tinyllama --hw pi5 --width 1in --height 1in"));
}
