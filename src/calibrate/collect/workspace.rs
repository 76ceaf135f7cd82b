//! The folder in the user's cache where probe files lie while they are measured, and the journal of what is done.

use crate::calibrate::measure::Timing;
use crate::calibrate::probe::Probes;
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

const JOURNAL: &str = "journal.jsonl";
const LOCK: &str = "lock";
const LOCK_ATTEMPTS: usize = 10;

/// The folder for probe files unless the user names one: `edgeprof/calibrate` in the cache folder of the system's convention.
#[must_use]
pub fn default_folder() -> PathBuf {
    let from = |variable: &str| {
        std::env::var_os(variable)
            .filter(|value| !value.is_empty())
            .map(PathBuf::from)
    };
    let home = || from("HOME").unwrap_or_else(std::env::temp_dir);
    let cache = if cfg!(windows) {
        from("LOCALAPPDATA").unwrap_or_else(std::env::temp_dir)
    } else if cfg!(target_os = "macos") {
        home().join("Library/Caches")
    } else {
        from("XDG_CACHE_HOME")
            .filter(|path| path.is_absolute())
            .unwrap_or_else(|| home().join(".cache"))
    };
    cache.join("edgeprof").join("calibrate")
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Entry {
    /// What the journal is of: another key means another calibration, and the journal is not for it.
    Key(String),
    /// The probed rates, from which the plan was made.
    Probes(Probes),
    /// A finished test of a probe.
    Timing {
        /// the probe's key
        probe: String,
        /// what it took
        timing: Timing,
    },
    /// A loaded probe.
    Load(super::Load),
}

/// The folder, locked; its probe files are removed with it.
#[derive(Debug)]
pub(super) struct Workspace {
    folder: PathBuf,
    /// Held for the lock on it.
    _lock: File,
    journal: File,
}

/// Why there is no workspace.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The system refuses.
    Io(std::io::Error),
    /// Another calibration works there.
    InUse,
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

impl Workspace {
    /// Opens the folder for the calibration `key`, and gives what an earlier one of the same key had done.
    pub fn open(folder: &Path, key: &str) -> Result<(Self, Vec<Entry>), Refusal> {
        std::fs::create_dir_all(folder)?;
        let lock = File::create(folder.join(LOCK))?;
        locked(&lock)?;
        let path = folder.join(JOURNAL);
        let mut entries = read(&path);
        let same = entries.first() == Some(&Entry::Key(key.to_owned()));
        if !same {
            entries.clear();
        }
        // Written anew in either case: a line that was cut off must not be continued.
        let mut workspace = Self {
            folder: folder.to_owned(),
            _lock: lock,
            journal: File::create(path)?,
        };
        workspace.remove_probes();
        if entries.is_empty() {
            entries.push(Entry::Key(key.to_owned()));
        }
        for entry in &entries {
            workspace.note(entry)?;
        }
        entries.remove(0);
        Ok((workspace, entries))
    }

    /// Adds to the journal.
    pub fn note(&mut self, entry: &Entry) -> std::io::Result<()> {
        let mut line = serde_json::to_vec(entry)?;
        line.push(b'\n');
        self.journal.write_all(&line)
    }

    /// The path of a probe's file.
    pub fn probe_file(&self, probe: &str) -> PathBuf {
        self.folder.join(format!("{probe}.gguf"))
    }

    /// Bytes that the folder's file system has left for this user; none if it does not say.
    pub fn free(&self) -> Option<u64> {
        free(&self.folder)
    }

    /// Removes every probe file, those that a killed calibration left behind among them.
    pub fn remove_probes(&self) {
        let Ok(entries) = std::fs::read_dir(&self.folder) else {
            return;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if name.trim_start_matches('.').starts_with("probe-") {
                // A file that cannot be removed is no reason to lose the measurements.
                let _ = std::fs::remove_file(path);
            }
        }
    }

    /// Everything is measured: nothing is left to resume.
    pub fn finish(self) {
        let _ = std::fs::remove_file(self.folder.join(JOURNAL));
        let _ = std::fs::remove_file(self.folder.join(LOCK));
        self.remove_probes();
        // Only if it is empty, which is what is wanted.
        let _ = std::fs::remove_dir(&self.folder);
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        self.remove_probes();
    }
}

/// Locks the file. A program that another thread is just starting holds its lock as well for a moment, so that one refusal is none yet.
fn locked(lock: &File) -> Result<(), Refusal> {
    for _ in 0..LOCK_ATTEMPTS {
        match lock.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => std::thread::sleep(Duration::from_millis(20)),
            Err(std::fs::TryLockError::Error(error)) => return Err(error.into()),
        }
    }
    Err(Refusal::InUse)
}

/// The entries of a journal up to the first line that is none.
fn read(path: &Path) -> Vec<Entry> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    text.lines().map_while(|line| serde_json::from_str(line).ok()).collect()
}

#[cfg(unix)]
fn free(folder: &Path) -> Option<u64> {
    let system = rustix::fs::statvfs(folder).ok()?;
    Some(system.f_bavail.saturating_mul(system.f_frsize))
}

#[cfg(not(unix))]
fn free(_folder: &Path) -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::calibrate::Phase;
    use crate::calibrate::measure::Test;

    fn entry(tokens: u64) -> Entry {
        let test = Test {
            phase: Phase::Decode,
            tokens,
            depth: 0,
            threads: 1,
        };
        Entry::Timing {
            probe: "p".to_owned(),
            timing: Timing::from_seconds(test, &[0.25, 0.25]).unwrap(),
        }
    }

    #[test]
    fn what_was_done_is_found_again_by_the_same_key_only() {
        let folder = tempfile::tempdir().unwrap();
        let (mut workspace, entries) = Workspace::open(folder.path(), "a").unwrap();
        assert_eq!(entries, []);
        workspace.note(&entry(1)).unwrap();
        workspace.note(&entry(2)).unwrap();
        drop(workspace);
        let (workspace, entries) = Workspace::open(folder.path(), "a").unwrap();
        assert_eq!(entries, [entry(1), entry(2)]);
        drop(workspace);
        let (workspace, entries) = Workspace::open(folder.path(), "b").unwrap();
        assert_eq!(entries, []);
        drop(workspace);
        assert_eq!(Workspace::open(folder.path(), "a").unwrap().1, []);
    }

    #[test]
    fn a_line_that_was_cut_off_is_not_believed_and_not_continued() {
        let folder = tempfile::tempdir().unwrap();
        let (mut workspace, _) = Workspace::open(folder.path(), "a").unwrap();
        workspace.note(&entry(1)).unwrap();
        drop(workspace);
        let journal = folder.path().join(JOURNAL);
        let mut text = std::fs::read_to_string(&journal).unwrap();
        text.push_str("{\"timing\":{\"probe\":\"p\",\"tim");
        std::fs::write(&journal, text).unwrap();
        let (mut workspace, entries) = Workspace::open(folder.path(), "a").unwrap();
        assert_eq!(entries, [entry(1)]);
        workspace.note(&entry(2)).unwrap();
        drop(workspace);
        assert_eq!(Workspace::open(folder.path(), "a").unwrap().1, [entry(1), entry(2)]);
    }

    #[test]
    fn probe_files_go_and_two_calibrations_do_not_share_a_folder() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path().join("cache");
        let (workspace, _) = Workspace::open(&folder, "a").unwrap();
        std::fs::write(workspace.probe_file("probe-x"), "x").unwrap();
        assert!(matches!(Workspace::open(&folder, "a"), Err(Refusal::InUse)));
        assert!(workspace.free().is_some_and(|bytes| bytes > 0) || cfg!(not(unix)));
        drop(workspace);
        assert!(!folder.join("probe-x.gguf").exists() && folder.join(JOURNAL).exists());
        Workspace::open(&folder, "a").unwrap().0.finish();
        assert!(!folder.exists());
    }
}
