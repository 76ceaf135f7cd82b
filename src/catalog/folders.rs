//! The user's own files: where they lie, which names are paths, and how a file is written so that it is never half there.

use std::env;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// The folder of the user's own models, devices and calibrations, whether it exists or not: `edgeprof` in the XDG data folder
/// (`$XDG_DATA_HOME`, or `~/.local/share`), on macOS in `~/Library/Application Support`, on Windows in `%APPDATA%`.
///
/// None where the environment names no home.
#[must_use]
pub fn user_folder() -> Option<PathBuf> {
    let variable = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = if let Some(data) = variable("XDG_DATA_HOME") {
        data
    } else if cfg!(windows) {
        variable("APPDATA")?
    } else if cfg!(target_os = "macos") {
        variable("HOME")?.join("Library/Application Support")
    } else {
        variable("HOME")?.join(".local/share")
    };
    Some(data.join("edgeprof"))
}

/// The name as a path, if it has the look of one: a separator in it, or an ending that only files have.
pub(super) fn as_path(name: &str) -> Option<&Path> {
    let path = Path::new(name);
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
    let is_file = ["toml", "gguf", "json"]
        .iter()
        .any(|known| ending.eq_ignore_ascii_case(known));
    let has_separator = name.contains(['/', std::path::MAIN_SEPARATOR]) || matches!(name, "." | "..");
    (is_file || has_separator).then_some(path)
}

/// A file that is written beside its final place and moved there when it is complete, so that a reader sees the old one or the new
/// one. If it is dropped before, nothing is left of it.
#[derive(Debug)]
pub struct NewFile {
    file: File,
    /// Where it is written; none for a device or a pipe (`/dev/stdout`), which cannot be replaced, only written to.
    beside: Option<PathBuf>,
    path: PathBuf,
}

impl NewFile {
    /// Begins the file that is to lie at `path`; folders are made as needed.
    ///
    /// # Errors
    /// What the system says.
    pub fn create(path: &Path) -> io::Result<Self> {
        let folder = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
        fs::create_dir_all(folder)?;
        let name = path
            .file_name()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "the path names no file"))?;
        if path.is_dir() {
            return Err(io::Error::new(io::ErrorKind::IsADirectory, "it is a folder"));
        }
        let path = path.to_owned();
        if path.exists() && !path.is_file() {
            let file = File::options().write(true).truncate(true).open(&path)?;
            return Ok(Self {
                file,
                beside: None,
                path,
            });
        }
        let mut hidden = std::ffi::OsString::from(".");
        hidden.push(name);
        hidden.push(format!(".{}", std::process::id()));
        let beside = folder.join(hidden);
        Ok(Self {
            file: File::create(&beside)?,
            beside: Some(beside),
            path,
        })
    }

    /// Moves the complete file to its place.
    ///
    /// # Errors
    /// What the system says; nothing is left beside.
    pub fn finish(mut self) -> io::Result<()> {
        let Some(beside) = &self.beside else {
            return self.file.flush();
        };
        self.file.sync_all()?;
        fs::rename(beside, &self.path)?;
        self.beside = None;
        Ok(())
    }
}

impl Write for NewFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if let Some(beside) = &self.beside {
            // The failure to report is the first one.
            let _ = fs::remove_file(beside);
        }
    }
}

/// Writes bytes as a [`NewFile`].
///
/// # Errors
/// What the system says.
pub fn write_atomically(path: &Path, contents: impl AsRef<[u8]>) -> io::Result<()> {
    let mut file = NewFile::create(path)?;
    file.write_all(contents.as_ref())?;
    file.finish()
}

#[cfg(test)]
mod tests {
    use super::as_path;

    #[test]
    fn names_with_a_separator_or_a_files_ending_are_paths() {
        for path in ["./tinyllama", "a/b", "x.gguf", "X.TOML", "config.json", "."] {
            assert!(as_path(path).is_some(), "{path}");
        }
        for name in ["tinyllama", "llama-3.2-1b", "gemma3:1b", "host"] {
            assert!(as_path(name).is_none(), "{name}");
        }
    }
}
