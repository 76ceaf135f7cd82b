//! Where sensors are looked for: the files below a root, and programs on a path. Tests give recorded ones.

use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The machine whose sensors are looked for.
#[derive(Debug, Clone)]
pub struct Host {
    /// What stands for `/`.
    root: PathBuf,
    /// Folders of programs.
    programs: Vec<PathBuf>,
}

impl Host {
    /// This machine.
    #[must_use]
    pub fn this() -> Self {
        let path = std::env::var_os("PATH").unwrap_or_default();
        Self {
            root: PathBuf::from("/"),
            programs: std::env::split_paths(&path).collect(),
        }
    }

    /// A machine whose files lie below `root` and whose programs in `programs`.
    #[must_use]
    pub const fn at(root: PathBuf, programs: Vec<PathBuf>) -> Self {
        Self { root, programs }
    }

    /// A path below its root.
    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// The entries of a folder below its root, in order; none if it is not there.
    pub(super) fn entries(&self, folder: &str) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(self.path(folder)) else {
            return Vec::new();
        };
        let mut paths: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
        paths.sort();
        paths
    }

    /// A program of this name.
    pub(super) fn program(&self, name: &str) -> Option<PathBuf> {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let found = self.programs.iter().map(|folder| folder.join(&file));
        found.into_iter().find(|path| path.is_file())
    }
}

/// What a file says, without the space about it.
pub(super) fn text(path: &Path) -> io::Result<String> {
    Ok(std::fs::read_to_string(path)?.trim().to_owned())
}

/// The number in a file.
pub(super) fn number(path: &Path) -> io::Result<f64> {
    let text = text(path)?;
    let number: f64 = text
        .parse()
        .map_err(|_| io::Error::other(format!("`{text}` is no number")))?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(io::Error::other(format!("`{text}` is no number")))
    }
}

/// What a program prints, or the first line of its complaint.
pub(super) fn output(program: &Path, arguments: &[&str]) -> io::Result<String> {
    let output = Command::new(program).args(arguments).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    let complaint = complaint.lines().find(|line| !line.trim().is_empty());
    Err(io::Error::other(
        complaint.map_or_else(|| output.status.to_string(), str::to_owned),
    ))
}
