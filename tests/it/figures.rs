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

/// Every figure, with inputs that it must cope with.
const CASES: &[(&str, &[&str])] = &[
    ("memory", &[ONE, SMALL]),
    ("storage-io", &[ONE, SMALL]),
    (
        "host-to-device",
        &[
            "--model edgeprofiler-tinyllama --hw edgeprofiler-pi4,edgeprofiler-jetson --prec fp32,int8 --formulas edgeprofiler",
        ],
    ),
    ("network", &[ONE, SMALL]),
    (
        "end-to-end",
        &[
            ONE,
            SMALL,
            "--model tinyllama,deepseek-r1-distill-qwen-1.5b,deepseek-r1-distill-llama-70b --hw pi4,pi5,orin-nano-super,a100-80gb --prec fp16,q8_0,q6_k,q5_k_m,q4_k_m,q4_0,q3_k_m,q2_k --width 7in",
        ],
    ),
    ("energy", &[ONE, SMALL]),
];

#[test]
fn every_figure_is_drawn_within_its_page_with_texts_apart() {
    for (figure, inputs) in CASES {
        for input in *inputs {
            let arguments = format!("{figure} {input}");
            check(&plot(&arguments), &arguments);
        }
    }
}

#[test]
fn every_figures_data_are_as_before() {
    let made_up = format!("--data {DATA} --model test-model --hw test-board --prec q8_0,q4_0");
    for (figure, inputs) in CASES {
        let data = plot(&format!("{figure} {} --format csv", inputs[0]).replace(ONE, &made_up));
        insta::assert_snapshot!(format!("data_of_{figure}"), data);
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
fn what_cannot_be_drawn_says_why() {
    insta::assert_snapshot!(failure("enegry --model tinyllama --hw pi5"));
    insta::assert_snapshot!(failure("energy --hw pi5"));
    insta::assert_snapshot!(failure("host-to-device --model tinyllama --hw pi5"));
    insta::assert_snapshot!(failure("energy --model tinyllama --hw pi5 --width wide"));
    insta::assert_snapshot!(failure("energy --model tinyllama --hw pi5 --width 1in --height 1in"));
}
