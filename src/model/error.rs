//! Why dimensions make no model.

/// Why dimensions make no model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelError {
    /// A dimension that must be positive is zero.
    #[error("`{name}` is 0; it must be at least 1")]
    Zero {
        /// the dimension
        name: &'static str,
    },
    /// A dimension is beyond any model's.
    #[error("`{name}` is {value}; the most that is accepted is {most}")]
    TooLarge {
        /// the dimension
        name: &'static str,
        /// its value
        value: u64,
        /// the largest value accepted
        most: u64,
    },
    /// One dimension must be a multiple of another.
    #[error("`{name}` {value} is not a multiple of `{divisor_name}` {divisor}{cure}")]
    NotAMultiple {
        /// the dimension
        name: &'static str,
        /// its value
        value: u64,
        /// the dimension that must divide it
        divisor_name: &'static str,
        /// its value
        divisor: u64,
        /// what to do about it, with its separator, or nothing
        cure: &'static str,
    },
    /// One dimension must not exceed another.
    #[error("`{name}` {value} is more than `{limit_name}` {limit}")]
    Exceeds {
        /// the dimension
        name: &'static str,
        /// its value
        value: u64,
        /// the dimension that bounds it
        limit_name: &'static str,
        /// its value
        limit: u64,
    },
    /// A dimension that the family needs is absent.
    #[error("the family `{family}` needs `{name}`, which is not given")]
    Missing {
        /// the family
        family: &'static str,
        /// the dimension
        name: &'static str,
    },
    /// A list with one entry a layer has another length.
    #[error("`{name}` has {length} entries for {layers} layers")]
    WrongLength {
        /// the dimension
        name: &'static str,
        /// how many entries it has
        length: usize,
        /// how many it needs
        layers: u64,
    },
    /// The tensors together have more parameters than any model.
    #[error("these dimensions give {parameters} parameters; the most that is accepted is {most}")]
    TooManyParameters {
        /// the count
        parameters: u128,
        /// the largest count accepted
        most: u64,
    },
}
