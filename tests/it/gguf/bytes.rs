//! Builds GGUF files byte by byte, right or wrong, without the crate's own writer.

use edgeprof::quant::BlockType;

/// A file in the making.
pub struct Gguf {
    version: u32,
    alignment: usize,
    keys: u64,
    metadata: Vec<u8>,
    tensors: u64,
    infos: Vec<u8>,
    data: usize,
}

impl Gguf {
    pub fn new() -> Self {
        Self {
            version: 3,
            alignment: 32,
            keys: 0,
            metadata: Vec::new(),
            tensors: 0,
            infos: Vec::new(),
            data: 0,
        }
    }

    pub fn version(mut self, version: u32) -> Self {
        self.version = version;
        self
    }

    /// A key of any bytes, type and value.
    pub fn raw_value(mut self, key: &[u8], kind: u32, value: &[u8]) -> Self {
        self.keys += 1;
        self.metadata.extend(text(key));
        self.metadata.extend(kind.to_le_bytes());
        self.metadata.extend(value);
        self
    }

    pub fn value(self, key: &str, kind: u32, value: &[u8]) -> Self {
        self.raw_value(key.as_bytes(), kind, value)
    }

    pub fn number(mut self, key: &str, number: u32) -> Self {
        if key == "general.alignment" && number > 0 {
            self.alignment = number as usize;
        }
        self.value(key, 4, &number.to_le_bytes())
    }

    pub fn text(self, key: &str, value: &str) -> Self {
        self.raw_text(key, value.as_bytes())
    }

    pub fn raw_text(self, key: &str, value: &[u8]) -> Self {
        self.value(key, 8, &text(value))
    }

    pub fn numbers(self, key: &str, numbers: &[u32]) -> Self {
        let elements: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
        self.list(key, 4, numbers.len() as u64, &elements)
    }

    pub fn texts(self, key: &str, texts: &[&str]) -> Self {
        let elements: Vec<u8> = texts.iter().flat_map(|word| text(word.as_bytes())).collect();
        self.list(key, 8, texts.len() as u64, &elements)
    }

    /// A list whose stated length need not be that of its elements.
    pub fn list(self, key: &str, kind: u32, length: u64, elements: &[u8]) -> Self {
        self.value(
            key,
            9,
            &[&kind.to_le_bytes()[..], &length.to_le_bytes(), elements].concat(),
        )
    }

    /// A tensor with its data (zeros) at the place where it belongs.
    pub fn tensor(mut self, name: &str, dimensions: &[u64], block_type: BlockType) -> Self {
        let blocks = dimensions.iter().product::<u64>() / block_type.block_elements();
        let offset = self.data;
        self.data = (offset + (blocks * block_type.block_bytes()) as usize).next_multiple_of(self.alignment);
        self.raw_tensor(
            name.as_bytes(),
            dimensions,
            block_type.ggml_id().unwrap(),
            offset as u64,
        )
    }

    /// A tensor's record with anything in it, and no data.
    pub fn raw_tensor(mut self, name: &[u8], dimensions: &[u64], block_type: u32, offset: u64) -> Self {
        self.tensors += 1;
        self.infos.extend(text(name));
        self.infos.extend((dimensions.len() as u32).to_le_bytes());
        for dimension in dimensions {
            self.infos.extend(dimension.to_le_bytes());
        }
        self.infos.extend(block_type.to_le_bytes());
        self.infos.extend(offset.to_le_bytes());
        self
    }

    /// The file with counts of the caller's choice.
    pub fn with_counts(&self, tensors: u64, keys: u64) -> Vec<u8> {
        let mut file = b"GGUF".to_vec();
        file.extend(self.version.to_le_bytes());
        file.extend(tensors.to_le_bytes());
        file.extend(keys.to_le_bytes());
        file.extend(&self.metadata);
        file.extend(&self.infos);
        let start = file.len().next_multiple_of(self.alignment);
        file.resize(start + self.data, 0);
        file
    }

    pub fn finish(&self) -> Vec<u8> {
        self.with_counts(self.tensors, self.keys)
    }
}

/// A length and that many bytes.
pub fn text(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as u64).to_le_bytes()[..], bytes].concat()
}

/// A model of two tensors.
pub fn tiny() -> Gguf {
    Gguf::new()
        .text("general.architecture", "llama")
        .number("llama.block_count", 1)
        .numbers("llama.attention.head_count", &[4])
        .texts("tokenizer.ggml.tokens", &["a", "b", "c", "d"])
        .tensor("token_embd.weight", &[32, 4], BlockType::Q8_0)
        .tensor("blk.0.attn_norm.weight", &[32], BlockType::F32)
}
