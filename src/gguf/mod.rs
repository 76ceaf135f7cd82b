//! GGUF files: the header that says what a file holds, read without its weights, and a writer.
//!
//! A GGUF file is a magic word, a version, counts, metadata (key, type, value), one record a tensor (name, dimensions, block type,
//! offset), padding, and the tensors' data. A model may be split over several files, named `-00001-of-00003.gguf` and so on.

mod error;
mod read;
mod split;
mod write;

use std::collections::BTreeMap;

pub use error::{Fault, GgufError, Item, NotAModel};
pub use read::{ParseError, limits, parse};
pub use split::read_header;
pub use write::{Contents, Data, NewTensor, Progress, WriteError, write};

use crate::quant::BlockType;

/// The first four bytes of every GGUF file.
pub const MAGIC: [u8; 4] = *b"GGUF";
/// Alignment of tensor data where `general.alignment` is not given, in bytes.
pub const DEFAULT_ALIGNMENT: u64 = 32;

/// What the header of a model's file, or of all the parts of a split one, says.
#[derive(Debug, Clone, PartialEq)]
pub struct Header {
    /// GGUF version, 2 or 3.
    pub version: u32,
    /// Multiple at which each tensor's data begins, bytes.
    pub alignment: u64,
    /// The metadata (of the first part, where there are several).
    pub metadata: Metadata,
    /// Every tensor, in file order, one part after the other.
    pub tensors: Vec<TensorInfo>,
    /// Length of everything before the tensor data, summed over the parts, bytes.
    pub header_bytes: u64,
    /// Length of the file, summed over the parts, bytes.
    pub file_bytes: u64,
}

impl Header {
    /// Bytes of all tensors, without padding: what llama.cpp calls the size of the model.
    #[must_use]
    pub fn tensor_bytes(&self) -> u64 {
        self.tensors
            .iter()
            .fold(0, |sum, tensor| sum.saturating_add(tensor.bytes))
    }
}

/// One tensor's record in the header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TensorInfo {
    /// Its name, such as `blk.0.attn_q.weight`.
    pub name: String,
    /// `ne`: elements along each dimension, the row length first; 1 beyond `dimension_count`.
    pub dimensions: [u64; 4],
    /// How many dimensions the file gives it, 0 (a scalar) to 4.
    pub dimension_count: u8,
    /// How its weights are stored.
    pub block_type: BlockType,
    /// Where its data begins, counted from the beginning of the data, bytes.
    pub offset: u64,
    /// Length of its data, `elements / block elements · block bytes`.
    pub bytes: u64,
}

impl TensorInfo {
    /// Number of weights, the product of the dimensions.
    #[must_use]
    pub const fn elements(&self) -> u64 {
        self.dimensions[0] * self.dimensions[1] * self.dimensions[2] * self.dimensions[3]
    }
}

/// A metadata value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// 8 bits, no sign.
    U8(u8),
    /// 8 bits.
    I8(i8),
    /// 16 bits, no sign.
    U16(u16),
    /// 16 bits.
    I16(i16),
    /// 32 bits, no sign.
    U32(u32),
    /// 32 bits.
    I32(i32),
    /// 64 bits, no sign.
    U64(u64),
    /// 64 bits.
    I64(i64),
    /// 32-bit floating point.
    F32(f32),
    /// 64-bit floating point.
    F64(f64),
    /// True or false.
    Bool(bool),
    /// A text. One that is not UTF-8 has its faulty bytes replaced.
    Text(String),
    /// A text too long to be wanted here (a chat template): its length in bytes.
    LongText(u64),
    /// A list of numbers short enough to be kept (one a layer).
    List(Vec<Value>),
    /// A list that is not kept (the tokenizer's): its length.
    LongList(u64),
}

impl Value {
    /// The value as a count; none if it is no whole number or negative.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match *self {
            Self::U8(value) => Some(value.into()),
            Self::U16(value) => Some(value.into()),
            Self::U32(value) => Some(value.into()),
            Self::U64(value) => Some(value),
            Self::I8(value) => value.try_into().ok(),
            Self::I16(value) => value.try_into().ok(),
            Self::I32(value) => value.try_into().ok(),
            Self::I64(value) => value.try_into().ok(),
            Self::Bool(value) => Some(value.into()),
            _ => None,
        }
    }

    /// The value as text; none if it is not one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Number of elements of a list, kept or not; none if it is no list.
    #[must_use]
    pub fn list_length(&self) -> Option<u64> {
        match self {
            Self::List(values) => Some(values.len() as u64),
            Self::LongList(length) => Some(*length),
            _ => None,
        }
    }
}

/// The keys and values of a header.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Metadata(BTreeMap<String, Value>);

impl Metadata {
    /// The value of a key, if the file has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }

    /// The count that a key gives, if it is there and is one.
    #[must_use]
    pub fn count(&self, key: &str) -> Option<u64> {
        self.get(key).and_then(Value::as_u64)
    }

    /// The text of a key, if it is there and is one.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        self.get(key).and_then(Value::as_text)
    }

    /// `general.architecture`, llama.cpp's name of the kind of model.
    #[must_use]
    pub fn architecture(&self) -> Option<&str> {
        self.text("general.architecture")
    }

    /// A key of the file's own architecture: `<architecture>.<key>`.
    #[must_use]
    pub fn of_architecture(&self, key: &str) -> Option<&Value> {
        self.get(&format!("{}.{key}", self.architecture()?))
    }

    /// Every key and value, sorted by key.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Adds a key; gives it back as an error if it was there before (and keeps that value).
    fn insert(&mut self, key: String, value: Value) -> Result<(), String> {
        if self.0.contains_key(&key) {
            return Err(key);
        }
        self.0.insert(key, value);
        Ok(())
    }
}
