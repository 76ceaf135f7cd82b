//! What can be wrong with a GGUF file, each with the place and the cure.

use std::fmt;
use std::path::PathBuf;

/// Why a GGUF file cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GgufError {
    /// The system would not open or read it.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// It is a folder, a device, a pipe.
    #[error("{} is {kind}, not a file: name the .gguf file itself", path.display())]
    NotAFile {
        /// What was named.
        path: PathBuf,
        /// What it is.
        kind: &'static str,
    },
    /// Its header is wrong.
    #[error("{} is not a usable GGUF file: {fault}", path.display())]
    Header {
        /// The file.
        path: PathBuf,
        /// What is wrong in it.
        fault: Fault,
    },
    /// A part of a split model is not beside the others.
    #[error("{} is missing: part {number} of {count} of a split model; put every part into one folder", path.display())]
    MissingPart {
        /// Where it should be.
        path: PathBuf,
        /// Its number, counted from 1.
        number: u64,
        /// How many there are.
        count: u64,
    },
    /// A part of a split model has a name from which the others cannot be told.
    #[error("{} is one of {count} parts, but its name does not end in -00001-of-{count:05}.gguf: give the parts their own names back", path.display())]
    PartName {
        /// The file.
        path: PathBuf,
        /// How many parts its metadata names.
        count: u64,
    },
    /// A file with a part's name is not that part.
    #[error("{} says that it is part {found} of {found_count}, but its name says {number} of {count}: the parts are mixed up", path.display())]
    WrongPart {
        /// The file.
        path: PathBuf,
        /// The number in its name.
        number: u64,
        /// The count in its name.
        count: u64,
        /// The number in its metadata.
        found: u64,
        /// The count in its metadata.
        found_count: u64,
    },
    /// Its metadata does not describe a model.
    #[error("{} describes no model that generates or encodes text: {reason}", path.display())]
    NotAModel {
        /// The file.
        path: PathBuf,
        /// What is missing or impossible.
        reason: NotAModel,
    },
}

/// Why a header that can be read describes no language model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotAModel {
    /// `general.architecture` is missing.
    #[error("it has no general.architecture")]
    NoArchitecture,
    /// It belongs to a model, but is none: an image projector, an adapter, a vocabulary.
    #[error("it is of kind {kind}; name the model's own file")]
    Accessory {
        /// What it is.
        kind: String,
    },
    /// It has no tensors.
    #[error("it has no tensors, only metadata")]
    NoTensors,
    /// Neither metadata nor embedding give the width.
    #[error("neither {architecture}.embedding_length nor a token embedding gives its width")]
    NoWidth {
        /// The architecture.
        architecture: String,
    },
    /// More layers than any model has.
    #[error("it names {count} layers, more than the {limit} that are possible")]
    Layers {
        /// Layers in the file.
        count: u64,
        /// The bound.
        limit: u64,
    },
    /// A dimension that no model has.
    #[error("its {dimension} is {value}, more than the {limit} that are possible")]
    Dimension {
        /// Which.
        dimension: &'static str,
        /// Its value in the file.
        value: u64,
        /// The bound.
        limit: u64,
    },
    /// More weights than any model has.
    #[error("it has more than {limit} parameters")]
    Parameters {
        /// The bound.
        limit: u64,
    },
}

/// What is wrong in a header; offsets are bytes from the beginning of the file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// The file holds nothing.
    #[error("it is empty; was the download cut off?")]
    Empty,
    /// The first bytes are not `GGUF`.
    #[error("it does not begin with GGUF but with {}", magic.escape_ascii())]
    Magic {
        /// The first four bytes.
        magic: [u8; 4],
    },
    /// Numbers are stored most significant byte first.
    #[error(
        "its numbers are big-endian; only little-endian files are read (convert it with gguf_convert_endian.py of llama.cpp)"
    )]
    BigEndian,
    /// A version before 2 or after 3.
    #[error("its version is {version}; versions 2 and 3 are read{}", if *version == 1 { " (convert the original model again)" } else { "" })]
    Version {
        /// The version in the file.
        version: u32,
    },
    /// The file ends within the header.
    #[error("it ends at byte {length}, within {item} at byte {offset}; was the download cut off?")]
    Truncated {
        /// What was being read.
        item: Item,
        /// Where that begins.
        offset: u64,
        /// Length of the file.
        length: u64,
    },
    /// A count or a length is larger than the header may have or the file can hold.
    #[error("{item} at byte {offset} has length {count}, more than the {limit} possible there")]
    TooLarge {
        /// What has the length.
        item: Item,
        /// Where it stands.
        offset: u64,
        /// The length in the file.
        count: u64,
        /// The most that is possible.
        limit: u64,
    },
    /// A name is not UTF-8.
    #[error("{item} at byte {offset} is not UTF-8 text")]
    NotText {
        /// What should be text.
        item: Item,
        /// Where it begins.
        offset: u64,
    },
    /// A key without a name.
    #[error("{item} at byte {offset} is empty")]
    Nameless {
        /// What has no name.
        item: Item,
        /// Where it stands.
        offset: u64,
    },
    /// The same key or tensor stands twice.
    #[error("{item} {name:?} at byte {offset} stands there twice")]
    Twice {
        /// A key or a tensor.
        item: Item,
        /// Its name.
        name: String,
        /// Where the second stands.
        offset: u64,
    },
    /// A value type that GGUF does not have.
    #[error("the value of {key:?} at byte {offset} has type {id}, which GGUF does not have (0 to 12)")]
    ValueType {
        /// The key.
        key: String,
        /// Where the type stands.
        offset: u64,
        /// The type in the file.
        id: u32,
    },
    /// Arrays within arrays beyond the bound.
    #[error("the value of {key:?} nests arrays more than {limit} deep at byte {offset}")]
    Nesting {
        /// The key.
        key: String,
        /// Where the array stands that is too deep.
        offset: u64,
        /// The bound.
        limit: u32,
    },
    /// `general.alignment` is not a power of two.
    #[error("general.alignment is {found}; it must be a power of two of 32 bits")]
    Alignment {
        /// What the file says.
        found: String,
    },
    /// More dimensions than ggml has.
    #[error("tensor {tensor:?} has {count} dimensions; at most 4 are possible")]
    Dimensions {
        /// The tensor.
        tensor: String,
        /// Number of dimensions in the file.
        count: u32,
    },
    /// The product of the dimensions, or the bytes, do not fit into 63 bits.
    #[error("tensor {tensor:?} of {} weights is larger than any file", shape(dimensions))]
    Overflow {
        /// The tensor.
        tensor: String,
        /// Its dimensions.
        dimensions: [u64; 4],
    },
    /// A block type that is not known.
    #[error("tensor {tensor:?} has block type {id}, which is not known: is the file of a newer llama.cpp?")]
    BlockType {
        /// The tensor.
        tensor: String,
        /// ggml's number of the type.
        id: u32,
    },
    /// A row is no whole number of blocks.
    #[error(
        "tensor {tensor:?} has rows of {columns} weights, no multiple of the {block} of its block type {block_type}"
    )]
    Row {
        /// The tensor.
        tensor: String,
        /// Row length.
        columns: u64,
        /// Weights of a block.
        block: u64,
        /// The block type.
        block_type: String,
    },
    /// A tensor does not begin at a multiple of the alignment.
    #[error("the data of tensor {tensor:?} begins at {offset}, no multiple of the alignment {alignment}")]
    Unaligned {
        /// The tensor.
        tensor: String,
        /// Where its data begins, from the beginning of the data.
        offset: u64,
        /// The alignment.
        alignment: u64,
    },
    /// A tensor's data reaches beyond the end of the file.
    #[error(
        "the data of tensor {tensor:?} ends at byte {end} but the file at byte {length}; was the download cut off?"
    )]
    BeyondEnd {
        /// The tensor.
        tensor: String,
        /// Where its data ends.
        end: u64,
        /// Length of the file.
        length: u64,
    },
    /// The tensors together are larger than the file: they overlap.
    #[error("its tensors take {bytes} bytes together but the file has {length}: they overlap")]
    Overlap {
        /// Sum over the tensors.
        bytes: u64,
        /// Length of the file.
        length: u64,
    },
}

/// What a [`Fault`] speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Item {
    /// The magic word, the version and the two counts.
    Preamble,
    /// The number of keys.
    Keys,
    /// The number of tensors.
    Tensors,
    /// The name of a key.
    Key,
    /// The value of a key.
    Value,
    /// A text that is a value, or an element of one.
    Text,
    /// A list that is a value.
    List,
    /// A tensor's record.
    Tensor,
    /// A tensor's name.
    TensorName,
    /// The header as a whole.
    Header,
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Preamble => "the first 24 bytes",
            Self::Keys => "the count of keys",
            Self::Tensors => "the count of tensors",
            Self::Key => "the key",
            Self::Value => "the value",
            Self::Text => "the text",
            Self::List => "the list",
            Self::Tensor => "the tensor",
            Self::TensorName => "the tensor's name",
            Self::Header => "the header",
        })
    }
}

/// `4096 x 11008 x 1 x 1`.
fn shape(dimensions: &[u64; 4]) -> String {
    let [columns, rows, depth, more] = dimensions;
    format!("{columns} x {rows} x {depth} x {more}")
}
