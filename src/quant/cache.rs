//! How the KV cache is stored.

use super::{BlockType, UnknownName};
use std::fmt;
use std::str::FromStr;

macro_rules! cache_types {
    ($($(#[$doc:meta])* $name:ident = $text:literal,)*) => {
        /// A type that llama.cpp can store keys or values in (`--cache-type-k`, `--cache-type-v`).
        ///
        /// llama.cpp stores values in a quantised type only with flash attention.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
        #[allow(non_camel_case_types)]
        pub enum CacheType { $($(#[$doc])* $name,)* }

        impl CacheType {
            /// Every type, widest first.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// How its elements are stored.
            #[must_use]
            pub const fn block_type(self) -> BlockType {
                match self { $(Self::$name => BlockType::$name,)* }
            }

            /// Bytes of one cached element.
            #[must_use]
            #[inline]
            pub const fn bytes_per_element(self) -> f64 {
                match self {
                    $(Self::$name => const {
                        BlockType::$name.block_bytes() as f64 / BlockType::$name.block_elements() as f64
                    },)*
                }
            }

            /// The name on the command line.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

cache_types! {
    /// Single precision.
    F32 = "f32",
    /// Half precision, llama.cpp's default.
    #[default]
    F16 = "f16",
    /// The upper half of single precision.
    BF16 = "bf16",
    /// 8.5 bits an element.
    Q8_0 = "q8_0",
    /// 6 bits an element.
    Q5_1 = "q5_1",
    /// 5.5 bits an element.
    Q5_0 = "q5_0",
    /// 5 bits an element.
    Q4_1 = "q4_1",
    /// 4.5 bits an element.
    Q4_0 = "q4_0",
    /// 4.5 bits an element, levels unevenly spaced.
    IQ4_NL = "iq4_nl",
}

impl CacheType {
    /// Bytes of one position's keys (or values) of all heads of a layer, `elements = kv_heads · head_length`.
    ///
    /// None if they are not a whole number of blocks: llama.cpp refuses such a cache.
    #[must_use]
    pub const fn row_bytes(self, elements: u64) -> Option<u64> {
        self.block_type().row_bytes(elements)
    }
}

impl fmt::Display for CacheType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl serde::Serialize for CacheType {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl FromStr for CacheType {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        Self::ALL
            .iter()
            .copied()
            .find(|cache| cache.name().eq_ignore_ascii_case(text))
            .ok_or_else(|| UnknownName::new("cache type", text, Self::ALL.iter().map(|cache| cache.name())))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case_and_wrong_ones_get_neighbours() {
        assert_eq!("Q8_0".parse(), Ok(CacheType::Q8_0));
        assert_eq!(CacheType::default(), CacheType::F16);
        let error = "q8_1"
            .parse::<CacheType>()
            .map_err(|error| error.nearest.first().copied());
        assert_eq!(error, Err(Some("q8_0")));
    }

    #[test]
    fn a_position_of_a_layer_is_whole_blocks() {
        // TinyLlama: 4 heads of 64
        assert_eq!(CacheType::F16.row_bytes(256), Some(512));
        assert_eq!(CacheType::Q8_0.row_bytes(256), Some(8 * 34));
        assert_eq!(CacheType::Q4_0.row_bytes(80), None);
    }
}
