//! The order in which the quantiser counts tensors.

use super::naming::{Category, category};
use crate::model::{Stack, Tensor};
use std::cmp::Ordering;

/// The order in which the quantiser counts the tensors, none if it is the model's own.
///
/// llama.cpp's loader sorts by the layer in `blk.N.` and then by name. Names in an encoder-decoder do not begin with `blk`, so there the
/// name alone decides, and layer 10 comes before layer 2. Only tensors that are counted matter.
pub(super) fn loader_order(tensors: &[Tensor], two_stacks: bool) -> Option<Vec<usize>> {
    let precedes = |a: &Tensor, b: &Tensor| {
        let layers = if two_stacks {
            let is_encoder = |tensor: &Tensor| tensor.stack == Stack::Encoder;
            is_encoder(a)
                .cmp(&is_encoder(b))
                .then_with(|| digits(a.layer).cmp(&digits(b.layer)))
        } else {
            a.layer.cmp(&b.layer)
        };
        layers.then_with(|| a.role.stem().cmp(b.role.stem()))
    };
    let mut previous = [None; Category::Other as usize];
    let sorted = tensors.iter().all(|tensor| {
        let category = category(tensor);
        if !matches!(
            category,
            Category::Value | Category::Down | Category::Gate | Category::Up
        ) {
            return true;
        }
        let previous = previous[category as usize].replace(tensor);
        previous.is_none_or(|previous| precedes(previous, tensor) != Ordering::Greater)
    });
    if sorted {
        return None;
    }
    let mut order: Vec<usize> = (0..tensors.len()).collect();
    order.sort_by(|&a, &b| precedes(&tensors[a], &tensors[b]));
    Some(order)
}

/// The layer in decimal, padded with a byte that sorts before every digit, as the dot after it does.
fn digits(layer: Option<u32>) -> [u8; 10] {
    let mut digits = [0; 10];
    if let Some(mut rest) = layer {
        let length = rest.checked_ilog10().unwrap_or(0) as usize + 1;
        for digit in digits[..length].iter_mut().rev() {
            *digit = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
    }
    digits
}
