//! Where a command's text goes.

use super::failure::{CannotWrite, Failure};
use edgeprof::catalog::write_atomically;
use std::io::{ErrorKind, Write};
use std::path::Path;

/// Writes the text to the file, whole or not at all, or to stdout: with its colours only to a terminal, and quietly if the reader of
/// a pipe has seen enough.
pub fn write(text: &str, file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(path) if path != Path::new("-") => {
            let plain = anstream::adapter::strip_str(text).to_string();
            write_atomically(path, &plain).map_err(|error| CannotWrite::failure(path, error))
        }
        _ => {
            let mut stdout = anstream::stdout();
            match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
                Err(error) if error.kind() != ErrorKind::BrokenPipe => {
                    Err(CannotWrite::failure(Path::new("the standard output"), error))
                }
                _ => Ok(()),
            }
        }
    }
}

/// Writes what is no text, to the file or to stdout.
#[cfg(feature = "raster")]
pub fn write_bytes(bytes: &[u8], file: Option<&Path>) -> Result<(), Failure> {
    match file {
        Some(path) => write_atomically(path, bytes).map_err(|error| CannotWrite::failure(path, error)),
        None => {
            let mut stdout = std::io::stdout();
            let written = stdout.write_all(bytes).and_then(|()| stdout.flush());
            written.map_err(|error| CannotWrite::failure(Path::new("the standard output"), error))
        }
    }
}

/// Says on stderr what a reader should know besides the text.
pub fn note(text: &str) {
    const NOTE: anstyle::Style = anstyle::AnsiColor::Cyan.on_default().bold();
    // With stderr closed there is nobody to tell.
    let _ = anstream::stderr().write_all(format!("{NOTE}note:{NOTE:#} {text}\n").as_bytes());
}
