//! A program that prints readings as long as it runs: the last of them.

use super::PowerError;
use crate::units::Watts;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// What a program said last.
#[derive(Debug, Clone, Copy, Default)]
struct Last {
    watts: Option<Watts>,
    ended: bool,
}

/// The program, ended with this value.
#[derive(Debug)]
pub(super) struct Stream {
    name: &'static str,
    child: Child,
    last: Arc<Mutex<Last>>,
}

impl Stream {
    /// Starts the program; `read` gives the watts of the lines that state them.
    pub fn start(
        name: &'static str,
        program: &Path,
        arguments: &[&str],
        mut read: impl FnMut(&str) -> Option<Watts> + Send + 'static,
    ) -> Result<Self, PowerError> {
        let refused = |reason: String| PowerError::Unreadable { name, reason };
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| refused(format!("{}: {error}", program.display())))?;
        let output = child
            .stdout
            .take()
            .ok_or_else(|| refused("it has no output".to_owned()))?;
        let last = Arc::new(Mutex::new(Last::default()));
        let shared = Arc::clone(&last);
        std::thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                if let (Some(watts), Ok(mut last)) = (read(&line), shared.lock()) {
                    last.watts = Some(watts);
                }
            }
            if let Ok(mut last) = shared.lock() {
                last.ended = true;
            }
        });
        Ok(Self { name, child, last })
    }

    /// The last reading; none before the first.
    pub fn last(&self) -> Result<Option<Watts>, PowerError> {
        let last = self.last.lock().map(|last| *last).unwrap_or_default();
        if last.ended {
            return Err(PowerError::Unreadable {
                name: self.name,
                reason: "its program has ended".to_owned(),
            });
        }
        Ok(last.watts)
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
