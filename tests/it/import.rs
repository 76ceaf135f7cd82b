//! Measurements from files.

use edgeprof::calibrate::import;
use std::path::Path;

#[test]
fn every_published_row_is_kept_or_left_out_with_a_reason() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("calibration/measurements/published.csv");
    let measurements = import::read(&path).unwrap();
    assert_eq!(measurements.rows(), 1500);
    for row in &measurements.left_out {
        assert!(!row.reason.is_empty(), "line {}", row.line);
        println!("{} {}: {}", row.line, row.device, row.reason);
    }
}
