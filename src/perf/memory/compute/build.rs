//! The graph of a model, tensor by tensor in llama.cpp's order.

use super::allocator::Size;
use super::graph::{Graph, Node};
use super::layer::{FeedForward, Layer, Mix, Shape};
use crate::model::{Attention, Recurrent};

/// What of a context changes the graph itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::perf::memory) struct Options {
    /// Attention is one fused operation and scores are never stored.
    pub flash_attention: bool,
    /// Keys are stored in a quantised type.
    pub quantised_keys: bool,
    /// Values are stored in a quantised type.
    pub quantised_values: bool,
}

/// The inputs of attention over one cache.
#[derive(Clone, Copy)]
struct CacheInputs {
    key_indices: Node,
    value_indices: Node,
    mask: Node,
    /// Buckets of the distances between tokens and cells.
    distances: Node,
    /// Scores of one head over this cache.
    scores: Size,
    key_rotation: Option<Node>,
    value_rotation: Option<Node>,
}

/// How an architecture departs from the others in ways that no tensor shows.
#[derive(Clone, Copy)]
struct Habits {
    /// The residual stream is the first operand of the addition after attention.
    stream_first_after_attention: bool,
    /// The residual stream is the first operand of the addition after the feed-forward network.
    stream_first_after_feed_forward: bool,
    /// Which tokens' results are wanted is decided after the last layer, not in it; and the hidden states before stay.
    rows_after_last_layer: bool,
    /// That comes after the output norm.
    rows_after_output_norm: bool,
}

impl Habits {
    fn of(architecture: &str) -> Self {
        let after_norm = matches!(architecture, "qwen35" | "qwen35moe" | "gemma4");
        Self {
            stream_first_after_attention: architecture.starts_with("lfm2"),
            stream_first_after_feed_forward: architecture.starts_with("lfm2") || architecture == "phi3",
            rows_after_last_layer: after_norm || architecture == "gpt-oss",
            rows_after_output_norm: after_norm,
        }
    }
}

struct Builder<'a> {
    graph: Graph,
    shape: &'a Shape,
    options: Options,
    habits: Habits,
    /// Some layer has a sliding window, so there are two caches.
    windowed: bool,
    full: CacheInputs,
    window: CacheInputs,
    wanted: Node,
    state_rows: Node,
    /// The embeddings that layers have of their own.
    embeddings: Option<Node>,
}

/// The side of the rotation that llama.cpp applies to quantised keys: the largest power of two, from 64, that divides a head.
fn rotation_side(head: u64) -> u64 {
    let mut side = 64;
    while head.is_multiple_of(2 * side) {
        side *= 2;
    }
    side
}

/// The graph of a micro-batch in which every token's result is wanted.
pub(super) fn graph(shape: &Shape, options: Options) -> Graph {
    let attentions = || {
        shape.layers.iter().filter_map(|layer| match layer.mix {
            Mix::Attention { attention, .. } => Some(attention),
            _ => None,
        })
    };
    let windowed = attentions().any(|attention| attention.window.is_some());
    let widest_value = attentions()
        .map(|attention| attention.kv_heads * attention.value_length)
        .max()
        .unwrap_or(0);
    let head = attentions().map(|attention| attention.key_length).next().unwrap_or(0);
    let uniform = attentions().all(|attention| attention.key_length == head && attention.value_length == head);
    let rotates = uniform && head > 0 && head.is_multiple_of(64);

    let mut graph = Graph::default();
    let tokens = graph.input(Size::bytes(4));
    let embeddings = graph.input(Size::floats(shape.hidden_size));
    let stream = graph.compute(Size::floats(shape.hidden_size), &[tokens]);
    graph.expand(stream);
    graph.expand(embeddings);
    let mut cache = |windowed: bool| {
        let bytes = if options.flash_attention { 2 } else { 4 };
        let of_cells = |bytes: u64| Size {
            per_cell: if windowed { 0 } else { bytes },
            per_window_cell: if windowed { bytes } else { 0 },
            ..Size::default()
        };
        let rotation = |side: u64, graph: &mut Graph| {
            graph.input(Size {
                fixed: 4 * side * side,
                ..Size::default()
            })
        };
        CacheInputs {
            key_indices: graph.input(Size::bytes(8)),
            value_indices: graph.input(Size::bytes(if options.flash_attention { 8 } else { 8 * widest_value })),
            mask: graph.input(of_cells(bytes)),
            distances: graph.input(of_cells(4)),
            scores: of_cells(4),
            key_rotation: (rotates && options.quantised_keys).then(|| rotation(rotation_side(head), &mut graph)),
            value_rotation: (rotates && options.quantised_values).then(|| rotation(64, &mut graph)),
        }
    };
    let (full, window) = (cache(false), cache(true));
    let wanted = graph.input(Size::bytes(4));
    let state_rows = graph.input(Size {
        fixed: 4,
        ..Size::default()
    });
    let mut builder = Builder {
        graph,
        shape,
        options,
        habits: Habits::of(&shape.architecture),
        windowed,
        full,
        window,
        wanted,
        state_rows,
        embeddings: None,
    };
    let own_tokens = builder.graph.input(Size::bytes(4));
    builder.own_embeddings(stream, own_tokens);
    if shape.encoded > 0 {
        let encoded = builder.graph.input(Size {
            fixed: 4 * shape.encoded,
            ..Size::default()
        });
        builder.graph.expand(encoded);
    }
    let mut stream = stream;
    for (at, layer) in shape.layers.iter().enumerate() {
        stream = builder.layer(layer, stream, at + 1 == shape.layers.len());
    }
    builder.head(stream);
    builder.graph
}

impl Builder<'_> {
    fn hidden(&self) -> Size {
        Size::floats(self.shape.hidden_size)
    }

    /// A multiplication by weights; their memory is not the graph's.
    fn multiply(&mut self, input: Node, rows: u64) -> Node {
        self.graph.compute(Size::floats(rows), &[input])
    }

    /// A norm writes over its input where nothing else reads that and it is no LayerNorm; its weight is applied in place.
    fn norm(&mut self, input: Node, columns: u64) -> Node {
        if self.shape.norms_have_biases {
            self.graph.compute(Size::floats(columns), &[input])
        } else {
            self.graph.compute_in_place(Size::floats(columns), &[input])
        }
    }

    fn norm_if(&mut self, present: bool, input: Node) -> Node {
        if present {
            self.norm(input, self.shape.hidden_size)
        } else {
            input
        }
    }

    fn add(&mut self, left: Node, right: Node) -> Node {
        let size = self.hidden();
        self.graph.compute_in_place(size, &[left, right])
    }

    /// A rotation of each head.
    fn rotate(&mut self, input: Node, rotation: Option<Node>, rows: u64) -> Node {
        let Some(rotation) = rotation else { return input };
        let heads = self.graph.view(input);
        let rotated = self.graph.compute(Size::floats(rows), &[rotation, heads]);
        self.graph.view(rotated)
    }

    fn layer(&mut self, layer: &Layer, stream: Node, last: bool) -> Node {
        let input = self.norm_if(layer.attention_norm, stream);
        if self.shape.architecture.starts_with("qwen3") && self.habits.rows_after_output_norm {
            self.graph.expand(input);
        }
        let mut mixed = match layer.mix {
            Mix::Attention {
                attention,
                query,
                key,
                value,
                fused,
                head_norms,
                full_norms,
                gated,
            } => {
                let widths = [query, key, value];
                self.attention(&attention, input, widths, fused, head_norms, full_norms, gated)
            }
            Mix::Convolution(state) => self.convolution(state, input),
            Mix::Delta { state, mixed, inner } => self.delta(state, input, mixed, inner),
            Mix::Other { state, projected } => self.recurrence(state, input, projected),
        };
        let mut stream = stream;
        if last && !self.habits.rows_after_last_layer {
            let (size, wanted) = (self.hidden(), self.wanted);
            mixed = self.graph.compute(size, &[mixed, wanted]);
            stream = self.graph.compute(size, &[stream, wanted]);
        }
        mixed = self.norm_if(layer.attention_post_norm, mixed);
        let mut stream = if self.habits.stream_first_after_attention {
            self.add(stream, mixed)
        } else {
            self.add(mixed, stream)
        };
        stream = self.norm_if(layer.attention_output_norm, stream);
        let input = self.norm_if(layer.feed_forward_norm, stream);
        let Some(output) = self.feed_forward(layer.feed_forward, input) else {
            return stream;
        };
        let output = self.norm_if(layer.feed_forward_post_norm, output);
        let stream = if self.habits.stream_first_after_feed_forward {
            self.add(stream, output)
        } else {
            self.add(output, stream)
        };
        let stream = self.norm_if(layer.output_norm, stream);
        self.own_embedding(layer.own_embedding, stream)
    }

    /// The embeddings of all layers for these tokens, joined with a projection of the stream; each layer reads its part.
    fn own_embeddings(&mut self, stream: Node, tokens: Node) {
        let size = Size::floats(self.shape.own_embeddings);
        if self.shape.own_embeddings == 0 {
            return;
        }
        let rows = self.graph.compute(size, &[tokens]);
        let rows = self.graph.view(rows);
        let rows = self.graph.compute_in_place(size, &[rows]);
        self.graph.expand(rows);
        let projected = self.graph.compute(size, &[stream]);
        let projected = self.graph.view(projected);
        let projected = self.norm(projected, self.shape.own_embeddings);
        let sum = self.graph.compute_in_place(size, &[projected, rows]);
        let by_layer = self.graph.view(sum);
        self.embeddings = Some(self.graph.compute(size, &[by_layer]));
    }

    /// Adds the layer's own embedding, gated by the stream.
    fn own_embedding(&mut self, width: u64, stream: Node) -> Node {
        let (Some(embeddings), true) = (self.embeddings, width > 0) else {
            return stream;
        };
        let gate = self.multiply(stream, width);
        let gate = self.graph.compute_in_place(Size::floats(width), &[gate]);
        let own = self.graph.view(embeddings);
        let gated = self.graph.compute_in_place(Size::floats(width), &[gate, own]);
        let output = self.multiply(gated, self.shape.hidden_size);
        let output = self.norm(output, self.shape.hidden_size);
        self.add(stream, output)
    }

    #[allow(clippy::too_many_arguments, clippy::fn_params_excessive_bools)]
    fn attention(
        &mut self,
        attention: &Attention,
        input: Node,
        [query, key, value]: [u64; 3],
        fused: bool,
        head_norms: bool,
        full_norms: bool,
        gated: bool,
    ) -> Node {
        let cache = if attention.window.is_some() {
            self.window
        } else {
            self.full
        };
        let mut gate = None;
        let (mut q, mut kv);
        if fused {
            let all = self.multiply(input, query + key + value);
            q = self.graph.view(all);
            kv = Some((self.graph.view(all), self.graph.view(all)));
        } else if gated {
            let both = self.multiply(input, 2 * query);
            q = self.graph.view(both);
            let half = self.graph.view(both);
            gate = Some(self.graph.compute(Size::floats(query), &[half]));
            let (k, v) = (self.multiply(input, key), self.multiply(input, value));
            kv = Some((self.graph.view(k), self.graph.view(v)));
        } else {
            q = self.multiply(input, query);
            kv = (!attention.shares_cache).then(|| (self.multiply(input, key), self.multiply(input, value)));
            if full_norms {
                q = self.norm(q, query);
                kv = kv.map(|(k, v)| (self.norm(k, key), v));
            }
            q = self.graph.view(q);
            kv = kv.map(|(k, v)| (self.graph.view(k), self.graph.view(v)));
        }
        if head_norms {
            q = self.norm(q, query);
            kv = kv.map(|(k, v)| (self.norm(k, key), v));
        }
        // the positional rotation
        q = self.graph.compute_in_place(Size::floats(query), &[q]);
        q = self.rotate(q, cache.key_rotation, query);
        kv = kv.map(|(k, v)| {
            let k = self.graph.compute_in_place(Size::floats(key), &[k]);
            let k = self.rotate(k, cache.key_rotation, key);
            (k, self.rotate(v, cache.value_rotation, value))
        });
        self.graph.expand(q);
        if let Some((k, v)) = kv {
            let (first, second) = if self.windowed { (k, v) } else { (v, k) };
            self.graph.expand(first);
            self.graph.expand(second);
            let rows = self.graph.view(k);
            self.graph.store(&[rows, cache.key_indices]);
            let mut rows = v;
            if fused && !self.options.flash_attention {
                rows = self.graph.compute(Size::floats(value), &[rows]);
            }
            let rows = self.graph.view(rows);
            self.graph.store(&[rows, cache.value_indices]);
        }
        let q = self.graph.view(q);
        let result_width = attention.heads * attention.value_length;
        let mut result = if self.options.flash_attention && !self.shape.relative_bias {
            let result = self.graph.compute(Size::floats(result_width), &[q, cache.mask]);
            self.graph.view(result)
        } else {
            let scores = Size {
                per_cell: cache.scores.per_cell * attention.heads,
                per_window_cell: cache.scores.per_window_cell * attention.heads,
                ..cache.scores
            };
            let mut products = self.graph.compute(scores, &[q]);
            if self.shape.relative_bias {
                let rows = self.graph.compute(scores, &[cache.distances]);
                let rows = self.graph.view(rows);
                let bias = self.graph.compute(scores, &[rows]);
                products = self.graph.compute_in_place(scores, &[products, bias]);
            }
            let weights = self.graph.compute_in_place(scores, &[products, cache.mask]);
            let result = if self.shape.relative_bias && self.options.flash_attention {
                // the cache was laid out for flash attention, which then cannot be used: values are turned first
                let values = self.graph.compute(
                    Size {
                        of_cell: 2 * value,
                        ..Size::default()
                    },
                    &[],
                );
                self.graph.compute(Size::floats(result_width), &[values, weights])
            } else {
                self.graph.compute(Size::floats(result_width), &[weights])
            };
            let by_token = self.graph.view(result);
            self.graph.compute(Size::floats(result_width), &[by_token])
        };
        self.graph.expand(result);
        result = self.rotate(result, cache.value_rotation, result_width);
        if let Some(gate) = gate {
            let gate = self.graph.compute_in_place(Size::floats(query), &[gate]);
            result = self.graph.compute_in_place(Size::floats(query), &[result, gate]);
        }
        self.multiply(result, self.shape.hidden_size)
    }

    /// The state of the sequences in the batch, copied out of its cache.
    fn read_state(&mut self, elements: u64) -> Node {
        let rows = self.graph.view(self.state_rows);
        let state = self.graph.compute(
            Size {
                fixed: 4 * elements,
                ..Size::default()
            },
            &[rows],
        );
        self.graph.expand(state);
        let rows = self.graph.view(self.state_rows);
        let others = self.graph.compute(Size::default(), &[rows]);
        self.graph.store(&[others]);
        state
    }

    /// A tensor of `columns` a token, preceded by a state.
    fn prepend(&mut self, state: Node, elements: u64, tokens: Node, columns: u64) -> Node {
        let state = self.graph.view(state);
        let size = Size {
            fixed: 4 * elements,
            ..Size::floats(columns)
        };
        let joined = self.graph.compute(size, &[state, tokens]);
        let tail = self.graph.view(joined);
        self.graph.store(&[tail]);
        joined
    }

    fn convolution(&mut self, state: Recurrent, input: Node) -> Node {
        let width = self.shape.hidden_size;
        let input = self.graph.view(input);
        let projected = self.multiply(input, 3 * width);
        let [b, c, x] = [(); 3].map(|()| self.graph.view(projected));
        let product = self.graph.compute_in_place(Size::floats(width), &[b, x]);
        let product = self.graph.view(product);
        let previous = self.read_state(state.convolution_state);
        let joined = self.prepend(previous, state.convolution_state, product, width);
        let convolved = self.graph.compute(Size::floats(width), &[joined]);
        let gated = self.graph.compute_in_place(Size::floats(width), &[c, convolved]);
        self.multiply(gated, width)
    }

    fn delta(&mut self, state: Recurrent, input: Node, mixed: u64, inner: u64) -> Node {
        let state_size = state.recurrent_state.checked_div(inner).unwrap_or(1).max(1);
        let heads = inner / state_size;
        let key_width = mixed.saturating_sub(inner) / 2;
        let mix = self.multiply(input, mixed);
        let gate = self.multiply(input, inner);
        let beta = self.multiply(input, heads);
        let beta = self.graph.view(beta);
        let beta = self.graph.compute_in_place(Size::floats(heads), &[beta]);
        let decay = self.multiply(input, heads);
        let decay = self.graph.view(decay);
        let decay = self.graph.compute_in_place(Size::floats(heads), &[decay]);
        let previous = self.read_state(state.convolution_state);
        let mix = self.graph.view(mix);
        let joined = self.prepend(previous, state.convolution_state, mix, mixed);
        let memory = self.read_state(state.recurrent_state);
        let memory = self.graph.view(memory);
        let convolved = self.graph.compute(Size::floats(mixed), &[joined]);
        let [q, k, v] = [(); 3].map(|()| self.graph.view(convolved));
        let q = self.graph.compute_in_place(Size::floats(key_width), &[q]);
        let k = self.graph.compute_in_place(Size::floats(key_width), &[k]);
        let decay = self.graph.view(decay);
        let size = Size {
            fixed: 4 * state.recurrent_state,
            ..Size::floats(inner)
        };
        let result = self.graph.compute(size, &[q, k, v, decay, beta, memory]);
        let next = self.graph.view(result);
        self.graph.store(&[next]);
        let result = self.graph.view(result);
        let normed = self.graph.compute_in_place(Size::floats(inner), &[result]);
        let gate = self.graph.view(gate);
        let gate = self.graph.compute_in_place(Size::floats(inner), &[gate]);
        let gated = self.graph.compute_in_place(Size::floats(inner), &[normed, gate]);
        let gated = self.graph.view(gated);
        self.multiply(gated, self.shape.hidden_size)
    }

    /// A recurrence whose graph is not known: its projections, a convolution of them, the state, and a result as wide.
    fn recurrence(&mut self, state: Recurrent, input: Node, projected: u64) -> Node {
        let projection = self.multiply(input, projected);
        let previous = self.read_state(state.convolution_state);
        let part = self.graph.view(projection);
        let joined = self.prepend(previous, state.convolution_state, part, projected);
        let convolved = self.graph.compute(Size::floats(projected), &[joined]);
        let memory = self.read_state(state.recurrent_state);
        let size = Size {
            fixed: 4 * state.recurrent_state,
            ..Size::floats(projected)
        };
        let result = self.graph.compute(size, &[convolved, memory, projection]);
        let next = self.graph.view(result);
        self.graph.store(&[next]);
        let result = self.graph.view(result);
        self.multiply(result, self.shape.hidden_size)
    }

    fn feed_forward(&mut self, shape: FeedForward, input: Node) -> Option<Node> {
        let hidden = self.shape.hidden_size;
        Some(match shape {
            FeedForward::Absent => return None,
            FeedForward::Gated { size } => {
                let up = self.multiply(input, size);
                let gate = self.multiply(input, size);
                let product = self.graph.compute(Size::floats(size), &[gate, up]);
                self.multiply(product, hidden)
            }
            FeedForward::Fused { size } => {
                let both = self.multiply(input, 2 * size);
                let product = self.graph.compute(Size::floats(size), &[both]);
                self.multiply(product, hidden)
            }
            FeedForward::Plain { size } => {
                let up = self.multiply(input, size);
                let activated = self.graph.compute_in_place(Size::floats(size), &[up]);
                self.multiply(activated, hidden)
            }
            FeedForward::Experts {
                experts,
                used,
                size,
                fused,
                shared,
            } => {
                let sum = self.experts(input, experts, used, size, fused);
                if shared > 0 {
                    self.shared_expert(input, shared, sum)
                } else {
                    sum
                }
            }
        })
    }

    fn experts(&mut self, input: Node, experts: u64, used: u64, size: u64, fused: bool) -> Node {
        let hidden = self.shape.hidden_size;
        let scores = self.multiply(input, experts);
        // gpt-oss turns the scores of the chosen experts into weights, the others choose after that
        let weights_last = self.shape.architecture == "gpt-oss";
        let probabilities = if weights_last {
            scores
        } else {
            self.graph.compute_in_place(Size::floats(experts), &[scores])
        };
        let sorted = self.graph.compute(Size::floats(experts), &[probabilities]);
        let chosen = self.graph.view(sorted);
        let rows = self.graph.view(probabilities);
        let weights = self.graph.compute(Size::floats(used), &[rows, chosen]);
        let weights = self.graph.view(weights);
        let weights = if weights_last {
            self.graph.compute_in_place(Size::floats(used), &[weights])
        } else {
            let sum = self.graph.compute(Size::floats(1), &[weights]);
            self.graph.compute_in_place(Size::floats(used), &[weights, sum])
        };
        let weights = self.graph.view(weights);
        self.graph.expand(weights);
        let input = self.graph.view(input);
        let wide = Size::floats(used * size);
        let (gate, up) = if fused {
            let both = self.graph.compute(Size::floats(2 * used * size), &[input, chosen]);
            (self.graph.view(both), self.graph.view(both))
        } else {
            let up = self.graph.compute(wide, &[input, chosen]);
            (self.graph.compute(wide, &[input, chosen]), up)
        };
        let product = self.graph.compute(wide, &[gate, up]);
        let outputs = self.graph.compute(Size::floats(used * hidden), &[product, chosen]);
        let outputs = self
            .graph
            .compute_in_place(Size::floats(used * hidden), &[outputs, weights]);
        self.graph.expand(outputs);
        let parts: Vec<Node> = (0..used).map(|_| self.graph.view(outputs)).collect();
        for &part in &parts {
            self.graph.expand(part);
        }
        let mut parts = parts.into_iter();
        let mut sum = parts.next().unwrap_or(outputs);
        for part in parts {
            sum = self.add(sum, part);
            self.graph.expand(sum);
        }
        sum
    }

    /// Adds the expert that every token uses, scaled by a gate of one number.
    fn shared_expert(&mut self, input: Node, size: u64, sum: Node) -> Node {
        let up = self.multiply(input, size);
        let gate = self.multiply(input, size);
        let product = self.graph.compute(Size::floats(size), &[gate, up]);
        let output = self.multiply(product, self.shape.hidden_size);
        let scale = self.multiply(input, 1);
        let hidden = self.hidden();
        let output = self.graph.compute_in_place(hidden, &[output, scale]);
        self.add(sum, output)
    }

    fn head(&mut self, stream: Node) {
        let hidden = self.hidden();
        let mut stream = stream;
        if self.habits.rows_after_last_layer && !self.habits.rows_after_output_norm {
            self.graph.output(stream);
            stream = self.graph.compute(hidden, &[stream, self.wanted]);
        }
        let mut result = self.norm(stream, self.shape.hidden_size);
        self.graph.output(result);
        if self.habits.rows_after_output_norm {
            result = self.graph.compute(hidden, &[result, self.wanted]);
            self.graph.output(result);
        }
        if self.shape.logits > 0 {
            result = self.multiply(result, self.shape.logits);
            self.graph.output(result);
        }
        self.graph.expand(result);
    }
}
