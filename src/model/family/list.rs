//! The list that a family fills, tensor by tensor.

use crate::model::{Attention, Mixer, Role, Stack, Tensor, Use};

/// Tensors and mixers in the making.
pub(super) struct TensorList {
    /// The tensors so far.
    pub tensors: Vec<Tensor>,
    /// The mixers so far.
    pub mixers: Vec<Mixer>,
    /// The cross attention of the decoder layers so far.
    pub cross_attention: Vec<Attention>,
    /// The layer that the next tensors belong to.
    pub layer: Option<u32>,
    /// The stack that the next tensors belong to.
    pub stack: Stack,
}

impl TensorList {
    pub(super) const fn new() -> Self {
        Self {
            tensors: Vec::new(),
            mixers: Vec::new(),
            cross_attention: Vec::new(),
            layer: None,
            stack: Stack::Decoder,
        }
    }

    /// Parameters so far, without overflow.
    pub(super) fn parameters(&self) -> u128 {
        self.tensors
            .iter()
            .map(|t| u128::from(t.columns) * u128::from(t.rows) * u128::from(t.experts))
            .sum()
    }

    /// Each layer in turn: the tensors that `fill` adds belong to it.
    pub(super) fn layers<E>(
        &mut self,
        count: u64,
        mut fill: impl FnMut(&mut Self, u64) -> Result<(), E>,
    ) -> Result<(), E> {
        for layer in 0..count {
            self.layer = u32::try_from(layer).ok();
            fill(self, layer)?;
        }
        self.layer = None;
        Ok(())
    }

    fn push(&mut self, role: Role, columns: u64, rows: u64, dimensions: u8, usage: Use) {
        self.tensors.push(Tensor {
            role,
            layer: self.layer,
            bias: false,
            columns,
            rows,
            experts: 1,
            experts_used: 1,
            dimensions,
            usage,
            stack: self.stack,
            stored: None,
        });
    }

    /// A matrix that multiplies the activations, `columns` wide.
    pub(super) fn matrix(&mut self, role: Role, columns: u64, rows: u64) {
        self.push(role, columns, rows, 2, Use::Multiply);
    }

    /// The same, with a bias if `bias`.
    pub(super) fn linear(&mut self, role: Role, columns: u64, rows: u64, bias: bool) {
        self.matrix(role, columns, rows);
        if bias {
            self.bias(role, rows);
        }
    }

    /// A vector applied element by element: a norm's weight, a scale.
    pub(super) fn vector(&mut self, role: Role, columns: u64) {
        self.push(role, columns, 1, 1, Use::Elementwise);
    }

    /// The bias of a matrix or norm.
    pub(super) fn bias(&mut self, role: Role, columns: u64) {
        self.vector(role, columns);
        if let Some(tensor) = self.tensors.last_mut() {
            tensor.bias = true;
        }
    }

    /// The token embedding, which is the head too if `tied`.
    pub(super) fn embedding(&mut self, columns: u64, rows: u64, tied: bool) {
        let usage = if tied { Use::LookUpAndMultiply } else { Use::LookUp };
        self.push(Role::TokenEmbedding, columns, rows, 2, usage);
    }

    /// The output norm, and the head unless it is the embedding.
    pub(super) fn head(&mut self, columns: u64, rows: u64, tied: bool) {
        let stack = std::mem::replace(&mut self.stack, Stack::Head);
        self.vector(Role::OutputNorm, columns);
        if !tied {
            self.matrix(Role::Output, columns, rows);
        }
        self.stack = stack;
    }
}
