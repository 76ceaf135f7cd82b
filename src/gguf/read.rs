//! Reads one file's header, and believes nothing of it: every length is held against the bytes that are there before it is used.

use std::collections::HashSet;
use std::io::{BufReader, ErrorKind, Read, Seek};

use super::{DEFAULT_ALIGNMENT, Fault, Header, Item, MAGIC, Metadata, TensorInfo, Value};
use crate::quant::BlockType;

/// Bounds on a header, far above those of any real model, so that a hostile file can take neither time nor memory.
pub mod limits {
    /// Length of a header, bytes.
    pub const HEADER: u64 = 256 << 20;
    /// Number of keys.
    pub const KEYS: u64 = 4096;
    /// Number of tensors.
    pub const TENSORS: u64 = 1 << 16;
    /// Length of a key, bytes.
    pub const KEY: u64 = 1024;
    /// Length of a tensor's name, bytes.
    pub const NAME: u64 = 256;
    /// Longest text that is kept, bytes.
    pub const TEXT: u64 = 1024;
    /// Longest list that is kept, elements (llama.cpp knows at most 512 layers).
    pub const LIST: u64 = 512;
    /// Bytes of data that a header without its data may speak of.
    pub const DATA: u64 = 1 << 44;
    /// Arrays within arrays.
    pub const NESTING: u32 = 4;
}

/// Either the header is wrong, or it could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ParseError {
    /// Reading failed.
    #[error("cannot read the header: {0}")]
    Io(#[from] std::io::Error),
    /// The header is wrong.
    #[error(transparent)]
    Fault(#[from] Fault),
}

type Result<T> = std::result::Result<T, ParseError>;

/// Reads the header at the beginning of `input`, a file of `length` bytes: one with all its data, or with none of it, as what a program
/// has fetched of a file that is elsewhere.
///
/// # Errors
/// [`ParseError::Fault`] for whatever is wrong with the header, [`ParseError::Io`] if the system would not read.
pub fn parse<R: Read + Seek>(input: R, length: u64) -> Result<Header> {
    let mut cursor = Cursor {
        input: BufReader::with_capacity(1 << 16, input),
        offset: 0,
        length,
    };
    let (version, tensor_count, key_count) = preamble(&mut cursor)?;
    let mut metadata = Metadata::default();
    for _ in 0..key_count {
        let offset = cursor.offset;
        let key = cursor.name(Item::Key, limits::KEY)?;
        let value = cursor.value(&key)?;
        metadata.insert(key, value).map_err(|name| Fault::Twice {
            item: Item::Key,
            name,
            offset,
        })?;
    }
    let alignment = alignment(&metadata)?;
    let mut tensors = Vec::new();
    let mut names = HashSet::new();
    for _ in 0..tensor_count {
        let offset = cursor.offset;
        let tensor = cursor.tensor(alignment)?;
        if !names.insert(tensor.name.clone()) {
            return Err(Fault::Twice {
                item: Item::Tensor,
                name: tensor.name,
                offset,
            }
            .into());
        }
        tensors.push(tensor);
    }
    let header_bytes = cursor.offset.next_multiple_of(alignment);
    let end_of = |tensor: &TensorInfo| header_bytes.saturating_add(tensor.offset).saturating_add(tensor.bytes);
    // A header alone says all that is read of a file; a file that ends within its data was cut off.
    let described = tensors.iter().map(end_of).max().unwrap_or(header_bytes);
    let alone = length <= header_bytes && header_bytes <= limits::HEADER && described <= limits::DATA;
    let extent = if alone { described } else { length };
    for tensor in &tensors {
        let end = end_of(tensor);
        if end > extent {
            return Err(Fault::BeyondEnd {
                tensor: tensor.name.clone(),
                end,
                length,
            }
            .into());
        }
    }
    let header = Header {
        version,
        alignment,
        metadata,
        tensors,
        header_bytes,
        file_bytes: length,
    };
    if header.tensor_bytes() > extent {
        return Err(Fault::Overlap {
            bytes: header.tensor_bytes(),
            length: extent,
        }
        .into());
    }
    Ok(header)
}

/// Version, number of tensors, number of keys.
fn preamble<R: Read + Seek>(cursor: &mut Cursor<R>) -> Result<(u32, u64, u64)> {
    if cursor.length == 0 {
        return Err(Fault::Empty.into());
    }
    let magic = cursor.bytes(Item::Preamble)?;
    if magic != MAGIC {
        return Err(Fault::Magic { magic }.into());
    }
    let version = cursor.u32(Item::Preamble)?;
    match version {
        2 | 3 => {}
        _ if version & 0xffff == 0 && version != 0 => return Err(Fault::BigEndian.into()),
        _ => return Err(Fault::Version { version }.into()),
    }
    // A tensor takes at least a name of one byte, its dimensions' count, type and offset; a key a name, a type and one byte.
    let tensors = cursor.count(Item::Tensors, limits::TENSORS, 25)?;
    let keys = cursor.count(Item::Keys, limits::KEYS, 14)?;
    Ok((version, tensors, keys))
}

/// `general.alignment`, or the default.
fn alignment(metadata: &Metadata) -> Result<u64> {
    match metadata.get("general.alignment") {
        None => Ok(DEFAULT_ALIGNMENT),
        Some(Value::U32(alignment)) if alignment.is_power_of_two() => Ok(u64::from(*alignment)),
        Some(other) => {
            let found = other
                .as_u64()
                .map_or_else(|| "no number".to_owned(), |number| number.to_string());
            Err(Fault::Alignment { found }.into())
        }
    }
}

/// Reads forward, knowing where it is and how much there can be.
struct Cursor<R> {
    input: BufReader<R>,
    offset: u64,
    length: u64,
}

impl<R: Read + Seek> Cursor<R> {
    /// Bytes left in the file.
    const fn remaining(&self) -> u64 {
        self.length.saturating_sub(self.offset)
    }

    /// Refuses to go on if the next `count` bytes are not in the file, or not in what a header may be.
    fn require(&self, item: Item, count: u64) -> Result<()> {
        if count > self.remaining() {
            return Err(Fault::Truncated {
                item,
                offset: self.offset,
                length: self.length,
            }
            .into());
        }
        let end = self.offset.saturating_add(count);
        if end > limits::HEADER {
            return Err(Fault::TooLarge {
                item: Item::Header,
                offset: 0,
                count: end,
                limit: limits::HEADER,
            }
            .into());
        }
        Ok(())
    }

    fn read_exact(&mut self, item: Item, buffer: &mut [u8]) -> Result<()> {
        self.require(item, buffer.len() as u64)?;
        self.input.read_exact(buffer).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof => Fault::Truncated {
                item,
                offset: self.offset,
                length: self.length,
            }
            .into(),
            _ => ParseError::Io(error),
        })?;
        self.offset += buffer.len() as u64;
        Ok(())
    }

    fn skip(&mut self, item: Item, count: u64) -> Result<()> {
        self.require(item, count)?;
        // `require` has held it below the bound on headers, which fits.
        self.input.seek_relative(count as i64).map_err(ParseError::Io)?;
        self.offset += count;
        Ok(())
    }

    fn bytes<const N: usize>(&mut self, item: Item) -> Result<[u8; N]> {
        let mut buffer = [0; N];
        self.read_exact(item, &mut buffer)?;
        Ok(buffer)
    }

    fn u32(&mut self, item: Item) -> Result<u32> {
        self.bytes(item).map(u32::from_le_bytes)
    }

    fn u64(&mut self, item: Item) -> Result<u64> {
        self.bytes(item).map(u64::from_le_bytes)
    }

    /// A count of at most `limit` things, each of which takes at least `least` bytes of what follows.
    fn count(&mut self, item: Item, limit: u64, least: u64) -> Result<u64> {
        let offset = self.offset;
        let count = self.u64(item)?;
        if count > limit {
            return Err(Fault::TooLarge {
                item,
                offset,
                count,
                limit,
            }
            .into());
        }
        if count.saturating_mul(least) > self.remaining() {
            return Err(Fault::Truncated {
                item,
                offset,
                length: self.length,
            }
            .into());
        }
        Ok(count)
    }

    /// A length in the file, then that many bytes; the memory taken is at most `limit`, and only for bytes that are there.
    fn text(&mut self, item: Item, limit: u64) -> Result<Vec<u8>> {
        let count = self.count(item, limit, 1)?;
        let mut text = vec![0; count as usize];
        self.read_exact(item, &mut text)?;
        Ok(text)
    }

    /// The name of a key or a tensor.
    fn name(&mut self, item: Item, limit: u64) -> Result<String> {
        let offset = self.offset;
        let name = String::from_utf8(self.text(item, limit)?).map_err(|_| Fault::NotText { item, offset })?;
        if name.is_empty() {
            return Err(Fault::Nameless { item, offset }.into());
        }
        Ok(name)
    }

    /// The value of `key`: its type, then the value.
    fn value(&mut self, key: &str) -> Result<Value> {
        let kind = self.kind(key)?;
        match kind {
            Kind::Text => self.text_value(),
            Kind::List => self.list(key),
            _ => self.number(kind),
        }
    }

    fn kind(&mut self, key: &str) -> Result<Kind> {
        let offset = self.offset;
        let id = self.u32(Item::Value)?;
        Kind::from_id(id).ok_or_else(|| {
            Fault::ValueType {
                key: key.to_owned(),
                offset,
                id,
            }
            .into()
        })
    }

    fn text_value(&mut self) -> Result<Value> {
        let count = self.count(Item::Text, limits::HEADER, 1)?;
        if count > limits::TEXT {
            self.skip(Item::Text, count)?;
            return Ok(Value::LongText(count));
        }
        let mut text = vec![0; count as usize];
        self.read_exact(Item::Text, &mut text)?;
        Ok(Value::Text(String::from_utf8_lossy(&text).into_owned()))
    }

    fn number(&mut self, kind: Kind) -> Result<Value> {
        let item = Item::Value;
        Ok(match kind {
            Kind::U8 => Value::U8(u8::from_le_bytes(self.bytes(item)?)),
            Kind::I8 => Value::I8(i8::from_le_bytes(self.bytes(item)?)),
            Kind::Bool => Value::Bool(self.bytes::<1>(item)? != [0]),
            Kind::U16 => Value::U16(u16::from_le_bytes(self.bytes(item)?)),
            Kind::I16 => Value::I16(i16::from_le_bytes(self.bytes(item)?)),
            Kind::U32 => Value::U32(u32::from_le_bytes(self.bytes(item)?)),
            Kind::I32 => Value::I32(i32::from_le_bytes(self.bytes(item)?)),
            Kind::F32 => Value::F32(f32::from_le_bytes(self.bytes(item)?)),
            Kind::U64 => Value::U64(u64::from_le_bytes(self.bytes(item)?)),
            Kind::I64 => Value::I64(i64::from_le_bytes(self.bytes(item)?)),
            Kind::F64 | Kind::Text | Kind::List => Value::F64(f64::from_le_bytes(self.bytes(item)?)),
        })
    }

    /// A list: kept if it is a short one of numbers and not the tokenizer's, else passed over.
    fn list(&mut self, key: &str) -> Result<Value> {
        let (kind, count) = self.list_head(key)?;
        if kind.bytes().is_some() && count <= limits::LIST && !key.starts_with("tokenizer.") {
            return (0..count)
                .map(|_| self.number(kind))
                .collect::<Result<_>>()
                .map(Value::List);
        }
        self.skip_elements(key, kind, count, 1)?;
        Ok(Value::LongList(count))
    }

    /// Type and number of a list's elements, which the rest of the file can hold.
    fn list_head(&mut self, key: &str) -> Result<(Kind, u64)> {
        let kind = self.kind(key)?;
        // A text has a length of 8 bytes before it, a list a type and a length.
        let least = match kind {
            Kind::Text => 8,
            Kind::List => 12,
            number => number.bytes().unwrap_or(1),
        };
        let count = self.count(Item::List, limits::HEADER / least, least)?;
        Ok((kind, count))
    }

    fn skip_elements(&mut self, key: &str, kind: Kind, count: u64, depth: u32) -> Result<()> {
        if let Some(bytes) = kind.bytes() {
            return self.skip(Item::List, count.saturating_mul(bytes));
        }
        for _ in 0..count {
            if kind == Kind::Text {
                let length = self.count(Item::Text, limits::HEADER, 1)?;
                self.skip(Item::Text, length)?;
            } else if depth == limits::NESTING {
                return Err(Fault::Nesting {
                    key: key.to_owned(),
                    offset: self.offset,
                    limit: limits::NESTING,
                }
                .into());
            } else {
                let (inner, length) = self.list_head(key)?;
                self.skip_elements(key, inner, length, depth + 1)?;
            }
        }
        Ok(())
    }

    fn tensor(&mut self, alignment: u64) -> Result<TensorInfo> {
        let tensor = self.name(Item::TensorName, limits::NAME)?;
        let dimension_count = self.u32(Item::Tensor)?;
        let mut dimensions = [1; 4];
        let Some(given) = dimensions.get_mut(..dimension_count as usize) else {
            return Err(Fault::Dimensions {
                tensor,
                count: dimension_count,
            }
            .into());
        };
        for dimension in given {
            *dimension = self.u64(Item::Tensor)?;
        }
        let id = self.u32(Item::Tensor)?;
        let offset = self.u64(Item::Tensor)?;
        let Some(block_type) = BlockType::from_ggml_id(id) else {
            return Err(Fault::BlockType { tensor, id }.into());
        };
        let (columns, block) = (dimensions[0], block_type.block_elements());
        if !columns.is_multiple_of(block) {
            let block_type = block_type.to_string();
            return Err(Fault::Row {
                tensor,
                columns,
                block,
                block_type,
            }
            .into());
        }
        let Some(bytes) = size(dimensions, block_type) else {
            return Err(Fault::Overflow { tensor, dimensions }.into());
        };
        if !offset.is_multiple_of(alignment) {
            return Err(Fault::Unaligned {
                tensor,
                offset,
                alignment,
            }
            .into());
        }
        // At most 4, by the slice above.
        Ok(TensorInfo {
            name: tensor,
            dimensions,
            dimension_count: dimension_count as u8,
            block_type,
            offset,
            bytes,
        })
    }
}

/// Bytes of a tensor; none if they, or the number of its weights, take more than 63 bits.
fn size(dimensions: [u64; 4], block_type: BlockType) -> Option<u64> {
    // A zero among large dimensions would hide that the others overflow.
    let mut product = 1_u64;
    for dimension in dimensions {
        product = product.checked_mul(dimension.max(1))?;
    }
    let elements = if dimensions.contains(&0) { 0 } else { product };
    let bytes = (product / block_type.block_elements()).checked_mul(block_type.block_bytes())?;
    if product > i64::MAX as u64 || bytes > i64::MAX as u64 {
        return None;
    }
    Some(elements / block_type.block_elements() * block_type.block_bytes())
}

/// The types that GGUF has for values, in the order of their numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    U8,
    I8,
    U16,
    I16,
    U32,
    I32,
    F32,
    Bool,
    Text,
    List,
    U64,
    I64,
    F64,
}

impl Kind {
    fn from_id(id: u32) -> Option<Self> {
        const ALL: [Kind; 13] = [
            Kind::U8,
            Kind::I8,
            Kind::U16,
            Kind::I16,
            Kind::U32,
            Kind::I32,
            Kind::F32,
            Kind::Bool,
            Kind::Text,
            Kind::List,
            Kind::U64,
            Kind::I64,
            Kind::F64,
        ];
        ALL.get(id as usize).copied()
    }

    /// Bytes of a number; none for text and lists.
    const fn bytes(self) -> Option<u64> {
        match self {
            Self::U8 | Self::I8 | Self::Bool => Some(1),
            Self::U16 | Self::I16 => Some(2),
            Self::U32 | Self::I32 | Self::F32 => Some(4),
            Self::U64 | Self::I64 | Self::F64 => Some(8),
            Self::Text | Self::List => None,
        }
    }
}
