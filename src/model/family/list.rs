//! The list that a family fills, tensor by tensor.

use crate::model::{Attention, Dimensions, Mixer, ModelError, Role, Stack, Tensor, Use};

/// Tensors and mixers in the making.
pub(super) struct TensorList {
    /// The family's name, for messages.
    family: &'static str,
    /// The tensors so far.
    pub tensors: Vec<Tensor>,
    /// The mixers so far.
    pub mixers: Vec<Mixer>,
    /// The cross attention of the decoder layers so far.
    pub cross_attention: Vec<Attention>,
    /// The layer that the next tensors belong to.
    layer: Option<u32>,
    /// The stack that the next tensors belong to.
    pub stack: Stack,
}

impl TensorList {
    pub(super) const fn new(family: &'static str) -> Self {
        Self {
            family,
            tensors: Vec::new(),
            mixers: Vec::new(),
            cross_attention: Vec::new(),
            layer: None,
            stack: Stack::Decoder,
        }
    }

    /// The value of a dimension that this family cannot do without.
    pub(super) const fn need(&self, name: &'static str, value: Option<u64>) -> Result<u64, ModelError> {
        match value {
            Some(value) => Ok(value),
            None => Err(ModelError::Missing {
                family: self.family,
                name,
            }),
        }
    }

    /// Each layer in turn: the tensors that `fill` adds belong to it.
    pub(super) fn layers(&mut self, count: u64, mut fill: impl FnMut(&mut Self, u64)) {
        for layer in 0..count {
            self.layer = u32::try_from(layer).ok();
            fill(self, layer);
        }
        self.layer = None;
    }

    fn push(&mut self, role: Role, shape: [u64; 3], experts_used: u64, dimensions: u8, usage: Use) {
        let [columns, rows, experts] = shape;
        self.tensors.push(Tensor {
            role,
            layer: self.layer,
            bias: false,
            columns,
            rows,
            experts,
            experts_used,
            dimensions,
            usage,
            stack: self.stack,
            stored: None,
        });
    }

    /// The tensor added last is a bias.
    fn last_is_bias(&mut self) {
        if let Some(tensor) = self.tensors.last_mut() {
            tensor.bias = true;
        }
    }

    /// A matrix that multiplies the activations, `columns` wide.
    pub(super) fn matrix(&mut self, role: Role, columns: u64, rows: u64) {
        self.push(role, [columns, rows, 1], 1, 2, Use::Multiply);
    }

    /// The same, with a bias if `bias`.
    pub(super) fn linear(&mut self, role: Role, columns: u64, rows: u64, bias: bool) {
        self.matrix(role, columns, rows);
        if bias {
            self.bias(role, rows);
        }
    }

    /// One matrix an expert, of which a token uses some.
    pub(super) fn experts(&mut self, role: Role, columns: u64, rows: u64, experts: u64, used: u64) {
        self.push(role, [columns, rows, experts], used, 3, Use::Multiply);
    }

    /// One bias an expert.
    pub(super) fn expert_biases(&mut self, role: Role, columns: u64, experts: u64, used: u64) {
        self.push(role, [columns, 1, experts], used, 2, Use::Elementwise);
        self.last_is_bias();
    }

    /// A table of which a token reads one row.
    pub(super) fn table(&mut self, role: Role, columns: u64, rows: u64) {
        self.push(role, [columns, rows, 1], 1, 2, Use::LookUp);
    }

    /// A vector applied element by element: a norm's weight, a scale.
    pub(super) fn vector(&mut self, role: Role, columns: u64) {
        self.push(role, [columns, 1, 1], 1, 1, Use::Elementwise);
    }

    /// The bias of a matrix or norm.
    pub(super) fn bias(&mut self, role: Role, columns: u64) {
        self.vector(role, columns);
        self.last_is_bias();
    }

    /// A norm with a bias (LayerNorm, where RMSNorm has none).
    pub(super) fn layer_norm(&mut self, role: Role, columns: u64) {
        self.vector(role, columns);
        self.bias(role, columns);
    }

    /// The token embedding, which is the head too if `tied`.
    pub(super) fn embedding(&mut self, d: &Dimensions, tied: bool) {
        let usage = if tied { Use::LookUpAndMultiply } else { Use::LookUp };
        self.push(Role::TokenEmbedding, [d.hidden_size, d.vocabulary_size, 1], 1, 2, usage);
    }

    /// What stands in the file and is never read.
    pub(super) fn unread(&mut self, fill: impl FnOnce(&mut Self)) {
        let from = self.tensors.len();
        fill(self);
        for tensor in self.tensors.iter_mut().skip(from) {
            tensor.usage = Use::Unread;
        }
    }

    /// What works on the positions that yield a token: the output norm and the head.
    pub(super) fn head(&mut self, fill: impl FnOnce(&mut Self)) {
        let stack = std::mem::replace(&mut self.stack, Stack::Head);
        fill(self);
        self.stack = stack;
    }
}
