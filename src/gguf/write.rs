//! Writes a GGUF file: under a name of its own until it is complete, so that a file of the name asked for is never half of one.

use std::ffi::OsString;
use std::fs::File;
use std::io::{BufWriter, Error, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::{DEFAULT_ALIGNMENT, MAGIC, Value};
use crate::quant::BlockType;

/// The version that is written.
const VERSION: u32 = 3;

/// Why a GGUF file could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// The system would not write it.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: Error,
    },
    /// A value that was read without being kept, or a list of several types.
    #[error("the value of {key:?} cannot be written: it is a list of several types, or was not kept when it was read")]
    Value {
        /// The key.
        key: String,
    },
    /// A tensor that its block type cannot hold.
    #[error("tensor {tensor:?} of rows of {columns} weights cannot be stored as {block_type} in a GGUF file")]
    Tensor {
        /// The tensor.
        tensor: String,
        /// Its row length.
        columns: u64,
        /// The block type.
        block_type: BlockType,
    },
    /// The caller's progress function asked to stop.
    #[error("stopped while writing {}; nothing is left of it", path.display())]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

/// A tensor to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewTensor {
    /// Its name.
    pub name: String,
    /// Elements along each dimension, the row length first.
    pub dimensions: Vec<u64>,
    /// How its weights are stored.
    pub block_type: BlockType,
}

impl NewTensor {
    /// Length of its data, bytes.
    ///
    /// # Errors
    /// [`WriteError::Tensor`] if a row is no whole number of blocks, or the type is none of ggml's.
    pub fn bytes(&self) -> Result<u64, WriteError> {
        let columns = self.dimensions.first().copied().unwrap_or(1);
        let rows = self
            .dimensions
            .iter()
            .skip(1)
            .try_fold(1_u64, |rows, &dimension| rows.checked_mul(dimension));
        let bytes = rows.and_then(|rows| self.block_type.bytes(columns, rows));
        bytes
            .filter(|_| self.block_type.ggml_id().is_some())
            .ok_or_else(|| WriteError::Tensor {
                tensor: self.name.clone(),
                columns,
                block_type: self.block_type,
            })
    }
}

/// What a file consists of besides the tensors' data.
#[derive(Debug, Clone, PartialEq)]
pub struct Contents {
    /// Keys and values, in the order of the file.
    pub metadata: Vec<(String, Value)>,
    /// The tensors, in the order of the file.
    pub tensors: Vec<NewTensor>,
}

impl Contents {
    /// Length of the file that [`write()`] makes of these, bytes.
    ///
    /// # Errors
    /// [`WriteError`] if they make none.
    pub fn file_bytes(&self) -> Result<u64, WriteError> {
        let (header, data_bytes) = self.header()?;
        Ok(header.len() as u64 + data_bytes)
    }

    /// The header with the padding after it, and the length of all the data with theirs.
    fn header(&self) -> Result<(Vec<u8>, u64), WriteError> {
        let mut bytes = Vec::new();
        bytes.extend(MAGIC);
        bytes.extend(VERSION.to_le_bytes());
        bytes.extend((self.tensors.len() as u64).to_le_bytes());
        bytes.extend((self.metadata.len() as u64).to_le_bytes());
        for (key, value) in &self.metadata {
            text(&mut bytes, key);
            let kind = kind(value).ok_or_else(|| WriteError::Value { key: key.clone() })?;
            bytes.extend(kind.to_le_bytes());
            put(&mut bytes, value).ok_or_else(|| WriteError::Value { key: key.clone() })?;
        }
        let mut offset = 0_u64;
        for tensor in &self.tensors {
            let length = tensor.bytes()?;
            text(&mut bytes, &tensor.name);
            bytes.extend((tensor.dimensions.len() as u32).to_le_bytes());
            for dimension in &tensor.dimensions {
                bytes.extend(dimension.to_le_bytes());
            }
            // `bytes` has refused the types that have no number.
            bytes.extend(tensor.block_type.ggml_id().unwrap_or_default().to_le_bytes());
            bytes.extend(offset.to_le_bytes());
            offset = (offset + length).next_multiple_of(DEFAULT_ALIGNMENT);
        }
        bytes.resize(bytes.len().next_multiple_of(DEFAULT_ALIGNMENT as usize), 0);
        Ok((bytes, offset))
    }
}

/// How the tensors' data comes about.
pub enum Data<'a> {
    /// A hole in the file, which reads as zeros and takes no room where the file system knows holes.
    Hole,
    /// Written by the function: for the tensor of the given index, exactly its length in bytes.
    From(&'a mut dyn FnMut(usize, &mut dyn Write) -> std::io::Result<()>),
}

/// Called with the bytes written so far and in all; `Break` stops the writing and removes the file.
pub type Progress<'a> = &'a mut dyn FnMut(u64, u64) -> ControlFlow<()>;

/// Writes a GGUF file and gives back its length in bytes.
///
/// # Errors
/// [`WriteError`] if the metadata or the tensors cannot be written, the system refuses, or `progress` asks to stop; nothing is left
/// of the file then, and one of that name from before is as it was.
pub fn write(path: &Path, contents: &Contents, data: Data<'_>, progress: Progress<'_>) -> Result<u64, WriteError> {
    let io = |source| WriteError::Io {
        path: path.to_owned(),
        source,
    };
    let (header, data_bytes) = contents.header()?;
    let total = header.len() as u64 + data_bytes;
    let unfinished = Unfinished::create(path).map_err(io)?;
    let mut output = BufWriter::with_capacity(1 << 20, &unfinished.file);
    output.write_all(&header).map_err(io)?;
    match data {
        Data::Hole => {
            output.flush().map_err(io)?;
            drop(output);
            unfinished.file.set_len(total).map_err(io)?;
        }
        Data::From(fill) => {
            let mut counted = Counted {
                output,
                written: header.len() as u64,
                total,
                progress,
                stopped: false,
            };
            for (index, tensor) in contents.tensors.iter().enumerate() {
                let end = counted.written + tensor.bytes()?;
                let filled = fill(index, &mut counted);
                if counted.stopped {
                    return Err(WriteError::Stopped { path: path.to_owned() });
                }
                filled.map_err(io)?;
                if counted.written != end {
                    return Err(io(Error::other(format!(
                        "the data of {} is not as long as the tensor",
                        tensor.name
                    ))));
                }
                let padding = end.next_multiple_of(DEFAULT_ALIGNMENT) - end;
                counted
                    .write_all(&[0; DEFAULT_ALIGNMENT as usize][..padding as usize])
                    .map_err(io)?;
            }
            counted.output.flush().map_err(io)?;
        }
    }
    unfinished.finish(path).map_err(io)?;
    Ok(total)
}

/// The file under its temporary name, which goes away unless it is finished.
struct Unfinished {
    file: File,
    path: PathBuf,
    finished: bool,
}

impl Unfinished {
    fn create(path: &Path) -> std::io::Result<Self> {
        let mut name = path.file_name().map(OsString::from).unwrap_or_default();
        name.push(format!(".{}.part", std::process::id()));
        let temporary = path.with_file_name(name);
        Ok(Self {
            file: File::create(&temporary)?,
            path: temporary,
            finished: false,
        })
    }

    fn finish(mut self, path: &Path) -> std::io::Result<()> {
        std::fs::rename(&self.path, path)?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.finished {
            // It was never anyone's file: if it cannot be removed either, there is nothing more to do about it.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Passes bytes on and says how many there were.
struct Counted<'a, W> {
    output: W,
    written: u64,
    total: u64,
    progress: Progress<'a>,
    stopped: bool,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let count = self.output.write(bytes)?;
        self.written += count as u64;
        if (self.progress)(self.written, self.total).is_break() {
            self.stopped = true;
            return Err(Error::other("stopped"));
        }
        Ok(count)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.output.flush()
    }
}

fn text(bytes: &mut Vec<u8>, text: &str) {
    bytes.extend((text.len() as u64).to_le_bytes());
    bytes.extend(text.as_bytes());
}

/// GGUF's number of a value's type; none for what was not kept.
const fn kind(value: &Value) -> Option<u32> {
    Some(match value {
        Value::U8(_) => 0,
        Value::I8(_) => 1,
        Value::U16(_) => 2,
        Value::I16(_) => 3,
        Value::U32(_) => 4,
        Value::I32(_) => 5,
        Value::F32(_) => 6,
        Value::Bool(_) => 7,
        Value::Text(_) => 8,
        Value::List(_) => 9,
        Value::U64(_) => 10,
        Value::I64(_) => 11,
        Value::F64(_) => 12,
        Value::LongText(_) | Value::LongList(_) => return None,
    })
}

/// Appends a value; none if it cannot be written.
fn put(bytes: &mut Vec<u8>, value: &Value) -> Option<()> {
    match value {
        Value::U8(value) => bytes.extend(value.to_le_bytes()),
        Value::I8(value) => bytes.extend(value.to_le_bytes()),
        Value::U16(value) => bytes.extend(value.to_le_bytes()),
        Value::I16(value) => bytes.extend(value.to_le_bytes()),
        Value::U32(value) => bytes.extend(value.to_le_bytes()),
        Value::I32(value) => bytes.extend(value.to_le_bytes()),
        Value::F32(value) => bytes.extend(value.to_le_bytes()),
        Value::U64(value) => bytes.extend(value.to_le_bytes()),
        Value::I64(value) => bytes.extend(value.to_le_bytes()),
        Value::F64(value) => bytes.extend(value.to_le_bytes()),
        Value::Bool(value) => bytes.push((*value).into()),
        Value::Text(value) => text(bytes, value),
        Value::List(values) => {
            let element = values.first().map_or(Some(4), kind).filter(|&element| element != 9)?;
            bytes.extend(element.to_le_bytes());
            bytes.extend((values.len() as u64).to_le_bytes());
            for value in values {
                if kind(value) != Some(element) {
                    return None;
                }
                put(bytes, value)?;
            }
        }
        Value::LongText(_) | Value::LongList(_) => return None,
    }
    Some(())
}
