//! The shapes of probe models, and names from which a shape can be read back.

use crate::model::{Dimensions, Family, Model, ModelError};

/// The shape of a probe: a Llama model, since its graph is the one that most others are variations of.
///
/// Its name states it whole (`probe-l13-e2048-f5632-h32-k4-v4096`), so that a measurement of a probe is understood wherever it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Number of layers.
    pub layers: u64,
    /// Width of the residual stream.
    pub hidden_size: u64,
    /// Width of the feed-forward layer.
    pub feed_forward_size: u64,
    /// Query heads; each has `head_dim` elements.
    pub heads: u64,
    /// Key and value heads.
    pub kv_heads: u64,
    /// Elements of a head.
    pub head_dim: u64,
    /// Tokens in the vocabulary.
    pub vocabulary_size: u64,
}

impl Shape {
    /// The one that decodes: TinyLlama's layers.
    #[must_use]
    pub const fn narrow(layers: u64) -> Self {
        Self {
            layers,
            hidden_size: 2048,
            feed_forward_size: 5632,
            heads: 32,
            kv_heads: 4,
            head_dim: 64,
            vocabulary_size: 4096,
        }
    }

    /// Few layers of twice the width and five times the weights: what is per byte is told apart from what is per layer.
    #[must_use]
    pub const fn wide(layers: u64) -> Self {
        Self {
            layers,
            hidden_size: 4096,
            feed_forward_size: 14336,
            heads: 32,
            kv_heads: 8,
            head_dim: 128,
            vocabulary_size: 4096,
        }
    }

    /// Much attention and few weights.
    #[must_use]
    pub const fn attention(layers: u64) -> Self {
        Self {
            layers,
            hidden_size: 256,
            feed_forward_size: 256,
            heads: 32,
            kv_heads: 4,
            head_dim: 64,
            vocabulary_size: 512,
        }
    }

    /// Many operations and next to no weights.
    #[must_use]
    pub const fn operations(layers: u64) -> Self {
        Self {
            layers,
            hidden_size: 128,
            feed_forward_size: 128,
            heads: 2,
            kv_heads: 1,
            head_dim: 64,
            vocabulary_size: 256,
        }
    }

    /// Its name.
    #[must_use]
    pub fn id(&self) -> String {
        format!(
            "probe-l{}-e{}-f{}-h{}-k{}-d{}-v{}",
            self.layers,
            self.hidden_size,
            self.feed_forward_size,
            self.heads,
            self.kv_heads,
            self.head_dim,
            self.vocabulary_size
        )
    }

    /// The shape that a name states; none if it is not a probe's name.
    #[must_use]
    pub fn from_id(id: &str) -> Option<Self> {
        let mut fields = id.strip_prefix("probe-")?.split('-');
        let mut field = |letter: char| fields.next()?.strip_prefix(letter)?.parse::<u64>().ok();
        let shape = Self {
            layers: field('l')?,
            hidden_size: field('e')?,
            feed_forward_size: field('f')?,
            heads: field('h')?,
            kv_heads: field('k')?,
            head_dim: field('d')?,
            vocabulary_size: field('v')?,
        };
        (shape.id() == id).then_some(shape)
    }

    /// The model.
    ///
    /// # Errors
    /// The shape is of no Llama model; those that [`Shape`] itself makes never are.
    pub fn model(&self) -> Result<Model, ModelError> {
        let dimensions = Dimensions {
            layers: self.layers,
            hidden_size: self.hidden_size,
            feed_forward_size: self.feed_forward_size,
            heads: self.heads,
            kv_heads: Some(self.kv_heads),
            head_dim: Some(self.head_dim),
            vocabulary_size: self.vocabulary_size,
            context_length: Some(32_768),
            ..Dimensions::default()
        };
        Family::Llama.model(&self.id(), "synthetic probe", &dimensions)
    }

    /// Weights of one layer's matrices, `2·e·h·d + 2·e·k·d + 3·e·f`: queries and output, keys and values, the feed-forward layer.
    #[must_use]
    pub const fn layer_weights(&self) -> u64 {
        let attention = 2 * self.hidden_size * self.head_dim * (self.heads + self.kv_heads);
        attention + 3 * self.hidden_size * self.feed_forward_size
    }

    /// FLOPs of attention for one token that sees `positions`, `4·l·h·d·positions`.
    #[must_use]
    pub const fn attention_flops(&self, positions: u64) -> u64 {
        4 * self.layers * self.heads * self.head_dim * positions
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_name_gives_the_shape_back() {
        for shape in [
            Shape::narrow(13),
            Shape::wide(3),
            Shape::attention(8),
            Shape::operations(32),
        ] {
            assert_eq!(Shape::from_id(&shape.id()), Some(shape));
            let model = shape.model().unwrap();
            assert_eq!(model.id, shape.id());
            let norms = shape.layers * 2 * shape.hidden_size + shape.hidden_size;
            let tables = 2 * shape.vocabulary_size * shape.hidden_size;
            assert_eq!(
                model.parameters(),
                shape.layers * shape.layer_weights() + norms + tables
            );
        }
        for other in [
            "tinyllama",
            "probe-",
            "probe-l1-e2",
            "probe-l01-e2-f3-h4-k5-d6-v7",
            "probe-l1-e2-f3-h4-k5-d6-v7-x",
        ] {
            assert_eq!(Shape::from_id(other), None);
        }
    }

    #[test]
    fn a_layer_of_tinyllama_has_44_million_weights() {
        // 2·2048·64·(32 + 4) + 3·2048·5632
        assert_eq!(Shape::narrow(1).layer_weights(), 44_040_192);
    }
}
