//! What went wrong, and how it is said: `error:`, its causes, and where it helps what to do.

use anstyle::{AnsiColor, Style};
use edgeprof::catalog::CatalogError;
use edgeprof::decide::TargetError;
use std::error::Error;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// An error and what to do about it.
#[derive(Debug)]
pub struct Failure {
    error: Box<dyn Error>,
    hints: Vec<String>,
}

impl Failure {
    /// A failure without a hint.
    pub fn new(error: impl Into<Box<dyn Error>>) -> Self {
        Self {
            error: error.into(),
            hints: Vec::new(),
        }
    }

    /// The failure with something to try.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// What went wrong, in one sentence.
    #[cfg(feature = "figures")]
    pub fn message(&self) -> String {
        self.error.to_string()
    }

    /// The failure of one command of several.
    pub fn of(mut self, command: &str) -> Self {
        self.hints.push(format!("this was asked by `{command}`"));
        self
    }

    /// Says it on stderr, in colour if that is a terminal.
    pub fn report(&self) {
        const ERROR: Style = AnsiColor::Red.on_default().bold();
        self.say("error", ERROR);
    }

    /// Says it on stderr as what is left out, not as the end.
    pub fn warn(&self) {
        const WARNING: Style = AnsiColor::Yellow.on_default().bold();
        self.say("warning", WARNING);
    }

    fn say(&self, title: &str, style: Style) {
        // With stderr closed there is nobody to tell.
        let _ = anstream::stderr().write_all(self.render(title, style).as_bytes());
    }

    fn render(&self, title: &str, style: Style) -> String {
        const CAUSE: Style = Style::new().bold();
        const HINT: Style = AnsiColor::Cyan.on_default().bold();
        let mut said = indented(&self.error);
        let mut text = format!("{style}{title}:{style:#} {said}\n");
        let mut cause = self.error.source();
        while let Some(error) = cause {
            // An error whose sentence ends with its cause has said it already.
            let next = indented(error);
            if !said.ends_with(&next) {
                // Writing to a String cannot fail.
                let _ = writeln!(text, "{CAUSE}caused by:{CAUSE:#} {next}");
            }
            said = next;
            cause = error.source();
        }
        for hint in &self.hints {
            let _ = writeln!(text, "{HINT}hint:{HINT:#} {hint}");
        }
        text
    }
}

/// The message with further lines (an excerpt of a file) moved in.
fn indented(error: &(impl std::fmt::Display + ?Sized)) -> String {
    error.to_string().trim_end().replace('\n', "\n  ")
}

impl From<CatalogError> for Failure {
    fn from(error: CatalogError) -> Self {
        let hint = error.hint();
        let failure = Self::new(error);
        match hint {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }
}

impl From<TargetError> for Failure {
    fn from(error: TargetError) -> Self {
        match error {
            TargetError::Catalog(error) => error.into(),
            error => Self::new(error),
        }
    }
}

/// A file that cannot be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub struct CannotWrite {
    path: PathBuf,
    source: std::io::Error,
}

impl CannotWrite {
    /// The failure of writing to `path`.
    pub fn failure(path: &Path, source: std::io::Error) -> Failure {
        Failure::new(Self {
            path: path.to_owned(),
            source,
        })
    }
}
