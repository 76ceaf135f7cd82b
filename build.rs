//! The catalogue is compiled in; without these lines cargo would not notice a file that was added to it.

fn main() {
    for folder in ["models", "hardware", "calibration", "reports/edgeprofiler"] {
        println!("cargo::rerun-if-changed={folder}");
    }
}
