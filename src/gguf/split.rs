//! Opens a model's file, and every part of a split one.

use std::fs::File;
use std::path::{Path, PathBuf};

use super::read::{ParseError, parse};
use super::{Fault, GgufError, Header, Item, limits};

/// Reads the header of a GGUF file, or those of all parts of a split model if `path` is one of its parts.
///
/// # Errors
/// [`GgufError`] if a file cannot be read, is not a usable GGUF, or a part is missing.
pub fn read_header(path: &Path) -> Result<Header, GgufError> {
    let header = read_one(path)?;
    let count = header.metadata.count("split.count").unwrap_or(1);
    if count <= 1 {
        return Ok(header);
    }
    let Some(name) = PartName::of(path).filter(|name| name.count == count) else {
        return Err(GgufError::PartName {
            path: path.to_owned(),
            count,
        });
    };
    let mut whole: Option<Header> = None;
    for number in 1..=count {
        let part_path = name.part(number);
        if !part_path.exists() {
            return Err(GgufError::MissingPart {
                path: part_path,
                number,
                count,
            });
        }
        let part = read_one(&part_path)?;
        check_part(&part_path, &part, number, count)?;
        match &mut whole {
            None => whole = Some(part),
            Some(whole) => append(whole, part, &part_path)?,
        }
    }
    Ok(whole.unwrap_or(header))
}

/// Reads the header of one file.
fn read_one(path: &Path) -> Result<Header, GgufError> {
    let io = |source| GgufError::Io {
        path: path.to_owned(),
        source,
    };
    let found = std::fs::metadata(path).map_err(io)?;
    if found.is_dir() {
        return Err(GgufError::NotAFile {
            path: path.to_owned(),
            kind: "a folder",
        });
    }
    if !found.is_file() {
        return Err(GgufError::NotAFile {
            path: path.to_owned(),
            kind: "a device or a pipe",
        });
    }
    let file = File::open(path).map_err(io)?;
    parse(file, found.len()).map_err(|error| match error {
        ParseError::Io(source) => io(source),
        ParseError::Fault(fault) => GgufError::Header {
            path: path.to_owned(),
            fault,
        },
    })
}

/// Refuses a part whose own number and count are not those of its name.
fn check_part(path: &Path, part: &Header, number: u64, count: u64) -> Result<(), GgufError> {
    let found = part.metadata.count("split.no").unwrap_or(0).saturating_add(1);
    let found_count = part.metadata.count("split.count").unwrap_or(1);
    if (found, found_count) == (number, count) {
        return Ok(());
    }
    Err(GgufError::WrongPart {
        path: path.to_owned(),
        number,
        count,
        found,
        found_count,
    })
}

/// Adds a part's tensors and bytes to those before.
fn append(whole: &mut Header, part: Header, path: &Path) -> Result<(), GgufError> {
    let fault = |fault| GgufError::Header {
        path: path.to_owned(),
        fault,
    };
    let count = (whole.tensors.len() + part.tensors.len()) as u64;
    if count > limits::TENSORS {
        return Err(fault(Fault::TooLarge {
            item: Item::Tensors,
            offset: 8,
            count,
            limit: limits::TENSORS,
        }));
    }
    let before: std::collections::HashSet<&str> = whole.tensors.iter().map(|tensor| tensor.name.as_str()).collect();
    if let Some(twice) = part.tensors.iter().find(|tensor| before.contains(tensor.name.as_str())) {
        return Err(fault(Fault::Twice {
            item: Item::Tensor,
            name: twice.name.clone(),
            offset: 0,
        }));
    }
    drop(before);
    whole.header_bytes += part.header_bytes;
    whole.file_bytes += part.file_bytes;
    whole.tensors.extend(part.tensors);
    Ok(())
}

/// The name of a part, `FOLDER/STEM-00001-of-00003.gguf`.
struct PartName {
    folder: PathBuf,
    stem: String,
    count: u64,
}

impl PartName {
    /// Takes a part's name apart; none if it is not one.
    fn of(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_str()?.strip_suffix(".gguf")?;
        let (before, count) = name.rsplit_once("-of-")?;
        let (stem, number) = before.rsplit_once('-')?;
        let digits = |text: &str| (text.len() == 5).then(|| text.parse::<u64>().ok()).flatten();
        digits(number)?;
        let folder = path.parent().map(Path::to_owned).unwrap_or_default();
        Some(Self {
            folder,
            stem: stem.to_owned(),
            count: digits(count)?,
        })
    }

    /// The path of part `number`, counted from 1.
    fn part(&self, number: u64) -> PathBuf {
        self.folder
            .join(format!("{}-{number:05}-of-{:05}.gguf", self.stem, self.count))
    }
}
