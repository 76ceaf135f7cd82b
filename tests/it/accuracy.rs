//! The accuracy of the shipped calibrations is a committed table, so that a change of a formula or a factor shows in the diff.

use assert_cmd::Command;
use std::path::Path;

/// What `edgeprof validate` says of the published measurements is what reports/accuracy/shipped.md says.
/// `EDGEPROF_BLESS=1 cargo test accuracy` rewrites it after an intended change.
#[test]
fn the_accuracy_report_is_what_the_shipped_calibrations_give() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::cargo_bin("edgeprof")
        .unwrap()
        .current_dir(root)
        .env("XDG_DATA_HOME", root.join("target/no-user-data"))
        .args([
            "validate",
            "calibration/measurements/published.csv",
            "--worst",
            "40",
            "--format",
            "markdown",
        ])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let found = String::from_utf8(output.stdout).unwrap();
    let path = root.join("reports/accuracy/shipped.md");
    if std::env::var_os("EDGEPROF_BLESS").is_some() {
        std::fs::write(&path, &found).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap();
    assert!(
        found == committed,
        "reports/accuracy/shipped.md is out of date; look at what changed, then bless it"
    );
}
