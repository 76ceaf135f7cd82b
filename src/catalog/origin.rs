//! Where an entry of the catalogue comes from.

use std::borrow::Cow;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

/// Where an entry comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Shipped with edgeprof.
    BuiltIn {
        /// Folder in the repository.
        folder: &'static str,
        /// The file in it.
        path: &'static Path,
        /// The file's text.
        text: &'static str,
    },
    /// A file of the user's.
    File(PathBuf),
    /// Found on this machine.
    Detected,
}

impl Origin {
    /// The text of the file; empty for what was detected.
    ///
    /// # Errors
    /// If the file cannot be read as text.
    pub fn text(&self) -> io::Result<Cow<'static, str>> {
        match self {
            Self::BuiltIn { text, .. } => Ok(Cow::Borrowed(text)),
            Self::File(path) => std::fs::read_to_string(path).map(Cow::Owned),
            Self::Detected => Ok(Cow::Borrowed("")),
        }
    }

    /// `built-in`, `user` or `detected`.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::BuiltIn { .. } => "built-in",
            Self::File(_) => "user",
            Self::Detected => "detected",
        }
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn { folder, path, .. } => write!(f, "built-in {folder}/{}", path.display()),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Detected => f.write_str("this machine"),
        }
    }
}
