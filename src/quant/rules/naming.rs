//! What the name of a tensor decides, worked out once for every [`Role`], at compile time.

use crate::model::{Role, Tensor};

/// The kinds of tensors that the rules tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Category {
    Embedding,
    Output,
    Query,
    Key,
    /// Values, and projections that have the values fused in.
    Value,
    AttentionOutput,
    Up,
    Gate,
    Down,
    Other,
}

/// What a tensor's name decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Naming {
    pub category: Category,
    /// A matrix of this name may be quantised.
    pub quantised: bool,
    /// The converter writes it in single precision whatever the file's type is.
    pub single_precision: bool,
}

/// One entry a role, in the order of its discriminants.
pub(super) static NAMINGS: [Naming; Role::ALL.len()] = {
    let mut namings = [naming(Role::Other); Role::ALL.len()];
    let mut at = 0;
    while at < namings.len() {
        namings[at] = naming(Role::ALL[at]);
        at += 1;
    }
    namings
};

/// The first pattern that a name fits gives its category; see [`fits`] for the asterisks.
const CATEGORIES: &[(&str, Category)] = &[
    ("output", Category::Output),
    ("token_embd", Category::Embedding),
    ("per_layer_token_embd", Category::Embedding),
    ("*attn_qkv", Category::Value),
    ("*attn_kv_b", Category::Value),
    ("*attn_v", Category::Value),
    ("*attn_k", Category::Key),
    ("*attn_q", Category::Query),
    ("*attn_output", Category::AttentionOutput),
    ("*ffn_up*", Category::Up),
    ("*ffn_gate*", Category::Gate),
    ("*ffn_down*", Category::Down),
];

/// Matrices that are never quantised: small or sensitive ones, and state space parameters, whose names have no `.weight`.
const NEVER_QUANTISED: &[&str] = &[
    "position_embd",
    "token_types",
    "*_norm",
    "*ffn_gate_inp",
    "*attn_rel_b",
    "*altup*",
    "*laurel*",
    "*per_layer_model_proj*",
    "*shortconv.conv",
    "*ssm_conv1d*",
    "ssm_a",
    "ssm_d",
    "indexer.k_proj",
    "indexer.q_proj",
];

/// Matrices that the converter writes in single precision.
const SINGLE_PRECISION: &[&str] = &[
    "position_embd",
    "token_types",
    "*_norm",
    "*ffn_gate_inp",
    "ffn_gate_inp_shexp",
    "altup_correct_coef",
    "altup_predict_coef",
    "*shortconv.conv",
    "*ssm_conv1d*",
    "ssm_a",
    "ssm_d",
    "indexer.proj",
];

/// What the stem of a name decides.
///
/// llama.cpp looks for parts of the whole name. A part that ends in `.weight` is the end of the stem.
const fn naming(role: Role) -> Naming {
    let stem = role.stem();
    let mut category = Category::Other;
    let mut at = CATEGORIES.len();
    while at > 0 {
        at -= 1;
        if fits(stem, CATEGORIES[at].0) {
            category = CATEGORIES[at].1;
        }
    }
    Naming {
        category,
        quantised: !fits_any(stem, NEVER_QUANTISED),
        single_precision: fits_any(stem, SINGLE_PRECISION),
    }
}

const fn fits_any(stem: &str, patterns: &[&str]) -> bool {
    let mut at = 0;
    while at < patterns.len() {
        if fits(stem, patterns[at]) {
            return true;
        }
        at += 1;
    }
    false
}

/// Whether the stem is the pattern, where an asterisk at either end of the pattern stands for anything.
const fn fits(stem: &str, pattern: &str) -> bool {
    let (stem, pattern) = (stem.as_bytes(), pattern.as_bytes());
    let (mut first, mut end) = (0, pattern.len());
    let open_start = pattern[first] == b'*';
    let open_end = pattern[end - 1] == b'*';
    if open_start {
        first += 1;
    }
    if open_end {
        end -= 1;
    }
    let length = end - first;
    let mut start = 0;
    while start + length <= stem.len() {
        let mut matched = 0;
        while matched < length && stem[start + matched] == pattern[first + matched] {
            matched += 1;
        }
        if matched == length && (open_end || start + length == stem.len()) {
            return true;
        }
        if !open_start {
            return false;
        }
        start += 1;
    }
    false
}

/// The category of a tensor; a bias has none.
pub(super) fn category(tensor: &Tensor) -> Category {
    if tensor.bias {
        Category::Other
    } else {
        NAMINGS[tensor.role as usize].category
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_asterisk_stands_for_anything_at_its_end() {
        assert!(fits("attn_v", "*attn_v") && fits("cross_attn_v", "*attn_v") && !fits("attn_v_b", "*attn_v"));
        assert!(fits("ffn_up_exps", "*ffn_up*") && !fits("ffn_u", "*ffn_up*"));
        assert!(fits("output", "output") && !fits("output_norm", "output") && !fits("attn_output", "output"));
    }

    #[test]
    fn names_decide_what_llama_cpp_says() {
        let category = |stem| NAMINGS[Role::from_stem(stem) as usize].category;
        assert_eq!(category("attn_qkv"), Category::Value);
        assert_eq!(category("attn_kv_b"), Category::Value);
        assert_eq!(category("attn_kv_a_mqa"), Category::Other);
        assert_eq!(category("ffn_down_shexp"), Category::Down);
        assert_eq!(
            category("attn_o"),
            Category::Other,
            "T5's output projections have no rule"
        );
        assert!(!NAMINGS[Role::FfnGateInput as usize].quantised);
        let router = NAMINGS[Role::AltupRouter as usize];
        assert!(!router.quantised && !router.single_precision, "stays in half precision");
    }
}
