//! The keys of a config.json, each read as the type it must have.

use super::ConfigError;
use crate::model::{Dimensions, ModelError};
use serde_json::{Map, Value};

/// The keys of the language model, and those around them where it is one part of several.
pub(super) struct Object<'a> {
    /// The keys of the language model.
    pub keys: &'a Map<String, Value>,
    /// The keys of the whole.
    pub outer: Option<&'a Map<String, Value>>,
}

/// What a value is, in few words.
fn described(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::String(text) if text.chars().count() > 40 => "a long text".to_owned(),
        other => other.to_string(),
    }
}

fn wrong(key: &'static str, expected: &'static str, value: &Value) -> ConfigError {
    ConfigError::WrongType {
        key,
        expected,
        found: described(value),
    }
}

impl<'a> Object<'a> {
    /// A key that is there and not null; the whole answers where the language model does not.
    fn get(&self, key: &str) -> Option<&'a Value> {
        let of = |keys: &'a Map<String, Value>| keys.get(key).filter(|value| !value.is_null());
        of(self.keys).or_else(|| {
            let shared = matches!(key, "tie_word_embeddings" | "vocab_size");
            self.outer.filter(|_| shared).and_then(of)
        })
    }

    /// A whole number under the first of these keys that is there.
    pub(super) fn count(&self, keys: &[&'static str]) -> Result<Option<u64>, ConfigError> {
        for &key in keys {
            if let Some(value) = self.get(key) {
                return value
                    .as_u64()
                    .map(Some)
                    .ok_or_else(|| wrong(key, "a whole number of 0 or more", value));
            }
        }
        Ok(None)
    }

    /// A whole number, where 0 says that there is none.
    pub(super) fn positive(&self, key: &'static str, default: Option<u64>) -> Result<Option<u64>, ConfigError> {
        Ok(self.count(&[key])?.or(default).filter(|&value| value > 0))
    }

    /// A whole number, or a list of the same one for each layer.
    pub(super) fn first_count_of_list(
        &self,
        key: &'static str,
        model_type: &'static str,
    ) -> Result<Option<u64>, ConfigError> {
        let Some(Value::Array(list)) = self.get(key) else {
            return self.count(&[key]);
        };
        let Some(first) = list.first() else {
            return Err(self.unsupported(key, "one number", model_type));
        };
        if list.iter().any(|value| value != first) {
            return Err(self.unsupported(key, "the same number in every layer", model_type));
        }
        first
            .as_u64()
            .map(Some)
            .ok_or_else(|| wrong(key, "a whole number of 0 or more", first))
    }

    /// True or false.
    pub(super) fn flag(&self, key: &'static str) -> Result<Option<bool>, ConfigError> {
        self.get(key)
            .map(|value| value.as_bool().ok_or_else(|| wrong(key, "true or false", value)))
            .transpose()
    }

    /// A number from 0 to 16.
    pub(super) fn fraction(&self, key: &'static str) -> Result<Option<f64>, ConfigError> {
        let number = |value: &Value| value.as_f64().filter(|number| (0.0..=16.0).contains(number));
        self.get(key)
            .map(|value| number(value).ok_or_else(|| wrong(key, "a number from 0 to 16", value)))
            .transpose()
    }

    /// A text.
    pub(super) fn text(&self, key: &'static str) -> Result<Option<&'a str>, ConfigError> {
        self.get(key)
            .map(|value| value.as_str().ok_or_else(|| wrong(key, "a text", value)))
            .transpose()
    }

    /// A list.
    pub(super) fn list(&self, key: &'static str) -> Result<Option<&'a Vec<Value>>, ConfigError> {
        self.get(key)
            .map(|value| value.as_array().ok_or_else(|| wrong(key, "a list", value)))
            .transpose()
    }

    /// A switch with which the tensors would be others.
    pub(super) fn must_be_off(&self, key: &'static str, model_type: &'static str) -> Result<(), ConfigError> {
        match self.flag(key)? {
            Some(true) => Err(self.unsupported(key, "false", model_type)),
            _ => Ok(()),
        }
    }

    /// The error for a value that is well-formed and not supported.
    pub(super) fn unsupported(
        &self,
        key: &'static str,
        supported: &'static str,
        model_type: &'static str,
    ) -> ConfigError {
        let found = self.get(key).map_or_else(|| "absent".to_owned(), described);
        ConfigError::Unsupported {
            key,
            found,
            supported,
            model_type,
        }
    }

    /// The kind of RoPE scaling, under any of the names it has had; none where there is none.
    pub(super) fn rope_type(&self) -> Result<Option<String>, ConfigError> {
        for key in ["rope_parameters", "rope_scaling"] {
            let Some(value) = self.get(key) else { continue };
            let scaling = value.as_object().ok_or_else(|| wrong(key, "an object", value))?;
            let kind = scaling.get("rope_type").or_else(|| scaling.get("type"));
            return Ok(kind.and_then(Value::as_str).map(str::to_ascii_lowercase));
        }
        Ok(None)
    }

    /// The layers with full attention: as `layer_types` or `full_attn_idxs` lists them, else every n-th (0: all).
    pub(super) fn full_attention(&self, full: &str, every: u64, d: &mut Dimensions) -> Result<(), ConfigError> {
        let layers: Vec<u64> = if let Some(types) = self.list("layer_types")? {
            if types.len() as u64 != d.layers {
                let (name, length, layers) = ("layer_types", types.len(), d.layers);
                return Err(ModelError::WrongLength { name, length, layers }.into());
            }
            (0..)
                .zip(types)
                .filter(|(_, kind)| kind.as_str() == Some(full))
                .map(|(layer, _)| layer)
                .collect()
        } else if let Some(indices) = self.list("full_attn_idxs")? {
            let index = |value: &Value| {
                value
                    .as_u64()
                    .ok_or_else(|| wrong("full_attn_idxs", "a list of whole numbers of 0 or more", value))
            };
            indices.iter().map(index).collect::<Result<_, _>>()?
        } else {
            d.full_attention_every = Some(every.max(1));
            return Ok(());
        };
        let rule = layers.first().map(|first| first + 1);
        let regular = rule.filter(|every| {
            let expected = (1..=d.layers / every).map(|n| n * every - 1);
            expected.eq(layers.iter().copied())
        });
        match regular {
            Some(every) => d.full_attention_every = Some(every),
            None => d.full_attention_layers = Some(layers),
        }
        Ok(())
    }
}
