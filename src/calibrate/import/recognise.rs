//! Which model a file of measurements is about: by its parameters and size, never by its name alone.

use crate::model::{Model, Role, Use};
use crate::quant::{Mix, Precision};

/// How far a file's parameters may be from the catalogue's: tensors beside the weights, such as tables of rotary frequencies.
const PARAMETER_TOLERANCE: f64 = 1e-4;

/// How far a file's size may be from its mix: the mixes' rules have changed between builds.
const SIZE_TOLERANCE: f64 = 0.03;

/// How far the size of look-up tables may be from their mix.
const TABLE_TOLERANCE: f64 = 0.25;

/// A figure as printed: what it may stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Figure {
    pub(super) value: f64,
    /// Half of the last printed digit; zero if exact.
    pub(super) half_digit: f64,
}

impl Figure {
    pub(super) const fn exact(value: f64) -> Self {
        Self { value, half_digit: 0.0 }
    }

    /// Reads `636.18 MiB`, `1.10 B`, `361.82 M`.
    pub(super) fn rounded(text: &str) -> Option<Self> {
        let (number, unit) = text.trim().split_once(' ')?;
        let scale = match unit.trim() {
            "MiB" => 1_048_576.0,
            "GiB" => 1_073_741_824.0,
            "M" => 1e6,
            "B" => 1e9,
            "T" => 1e12,
            _ => return None,
        };
        let value: f64 = number
            .parse()
            .ok()
            .filter(|value: &f64| value.is_finite() && *value > 0.0)?;
        let decimals = number.split_once('.').map_or(0, |(_, decimals)| decimals.len().min(9));
        Some(Self {
            value: value * scale,
            half_digit: 0.5 * scale / 10_f64.powi(decimals as i32),
        })
    }

    /// Whether it can stand for `truth`, within a relative tolerance.
    fn stands_for(self, truth: f64, tolerance: f64) -> bool {
        (self.value - truth).abs() <= self.half_digit * 1.001 + tolerance * truth
    }
}

/// What a file says about its model.
#[derive(Debug, Clone)]
pub(super) struct Claim<'a> {
    /// llama.cpp's description: architecture, size class, mix (`qwen2 1B Q4_K - Medium`). The size class is a guess from the number
    /// of layers and is not used.
    pub(super) description: &'a str,
    /// Name of the file, empty if not stated.
    pub(super) filename: &'a str,
    pub(super) parameters: Figure,
    pub(super) size: Figure,
}

/// The outcome of a look-up.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Recognised {
    /// A model of the catalogue in a mix.
    Known {
        model: String,
        /// Layers of the model.
        layers: u64,
        precision: Mix,
        /// Other models of the same parameters and size, if the file names none: it may be about any of them.
        alike: Vec<String>,
    },
    /// The catalogue has no such model, or llama.cpp no such mix.
    Unknown(String),
    /// The file names a model or mix and holds another.
    Contradiction(String),
}

impl Claim<'_> {
    /// The model and mix that fit the claim.
    pub(super) fn recognise(&self, models: &[&Model]) -> Recognised {
        let description = self.description.trim().trim_start_matches("(guessed) ");
        let mut words = description.splitn(3, ' ');
        let (architecture, _, mix) = (
            words.next().unwrap_or_default(),
            words.next(),
            words.next().unwrap_or_default(),
        );
        let mut fitting: Vec<&Model> = models
            .iter()
            .copied()
            .filter(|model| model.architecture.eq_ignore_ascii_case(architecture))
            .filter(|model| self.copies_of_head(model).is_some())
            .collect();
        fitting.sort_by_key(|model| self.copies_of_head(model));
        let named = self.named_model(models);
        let first = match named {
            Some(named) => match self.variant_of(named, &fitting) {
                Some(model) => model,
                None => {
                    return Recognised::Contradiction(format!(
                        "`{}` is named after {} with {} parameters, and holds {:.0} of architecture {architecture}",
                        self.filename,
                        named.id,
                        named.parameters(),
                        self.parameters.value
                    ));
                }
            },
            None => match fitting.first().copied() {
                Some(model) => model,
                None => {
                    return Recognised::Unknown(format!(
                        "the catalogue has no {architecture} model of {:.0} parameters",
                        self.parameters.value
                    ));
                }
            },
        };
        let Some(precision) = mix_of(mix) else {
            return Recognised::Unknown(format!("`{mix}` is no mix that is known"));
        };
        // Of models with equal parameters the one whose size fits best, the first if all do.
        let fits = |model: &Model| {
            self.copies_of_head(model)
                .and_then(|copies| Size::of(model, precision, copies))
                .is_some_and(|size| size.fits(self.size))
        };
        let model = if named.is_some() || fits(first) {
            first
        } else {
            fitting.iter().copied().find(|model| fits(model)).unwrap_or(first)
        };
        if !fits(model) {
            let expected = Size::of(model, precision, self.copies_of_head(model).unwrap_or_default());
            return Recognised::Contradiction(format!(
                "{} in {} takes {:.0} bytes, and the file says {:.0}",
                model.id,
                precision.name(),
                expected.map_or(f64::NAN, |size| size.bytes),
                self.size.value
            ));
        }
        Recognised::Known {
            model: model.id.clone(),
            layers: model.mixers.len() as u64,
            precision,
            alike: match named {
                Some(_) => Vec::new(),
                None => fitting
                    .iter()
                    .filter(|other| other.id != model.id && fits(other))
                    .map(|other| other.id.clone())
                    .collect(),
            },
        }
    }

    /// Of the fitting models the one that the file is named after: without a copied head if there is one, which may be a variant
    /// whose id goes on from the name's (`qwen2.5-0.5b-untied`).
    fn variant_of<'m>(&self, named: &Model, fitting: &[&'m Model]) -> Option<&'m Model> {
        let variants = || fitting.iter().copied().filter(|model| model.id.starts_with(&named.id));
        variants()
            .find(|model| self.copies_of_head(model) == Some(0))
            .or_else(|| variants().find(|model| model.id == named.id))
    }

    /// How many copies of a tied embedding the file holds beside it as an output head (0 or 1), if its parameters are the model's.
    fn copies_of_head(&self, model: &Model) -> Option<u64> {
        let parameters = model.parameters() as f64;
        if self.parameters.stands_for(parameters, PARAMETER_TOLERANCE) {
            return Some(0);
        }
        let head = tied_head(model)? as f64;
        self.parameters
            .stands_for(parameters + head, PARAMETER_TOLERANCE)
            .then_some(1)
    }

    /// The model of the catalogue that the file is named after: the one with the longest id that its name begins with.
    fn named_model<'m>(&self, models: &[&'m Model]) -> Option<&'m Model> {
        let file = self.filename.rsplit(['/', '\\']).next().unwrap_or_default();
        let plain = |text: &str| text.to_ascii_lowercase().replace(['_', ' '], "-");
        let file = plain(file);
        models
            .iter()
            .copied()
            .filter(|model| {
                file.strip_prefix(plain(&model.id).as_str())
                    .is_some_and(|rest| !rest.starts_with(|c: char| c.is_ascii_alphanumeric()))
            })
            .max_by_key(|model| model.id.len())
    }
}

/// Elements of the embedding, if it serves as output head too.
fn tied_head(model: &Model) -> Option<u64> {
    if model.tensors.iter().any(|tensor| tensor.role == Role::Output) {
        return None;
    }
    model
        .tensors
        .iter()
        .find(|tensor| tensor.role == Role::TokenEmbedding)
        .map(crate::model::Tensor::elements)
}

/// Whether the stated bytes are those of the model in the mix, with or without a copy of its head.
pub(super) fn fits(model: &Model, mix: Mix, stated: f64) -> bool {
    (0..=u64::from(tied_head(model).is_some()))
        .filter_map(|copies| Size::of(model, mix, copies))
        .any(|size| size.fits(Figure::exact(stated)))
}

/// What a model's tensors take in a mix.
#[derive(Debug, Clone, Copy)]
struct Size {
    /// All of them, bytes.
    bytes: f64,
    /// Of these the tables of which a token reads one row: quantisers store them as they like, and it costs no time.
    tables: f64,
}

impl Size {
    /// With copies of a tied head.
    fn of(model: &Model, mix: Mix, copies_of_head: u64) -> Option<Self> {
        let blocks = Precision::Mix(mix).block_types(model).ok()?;
        let mut size = Self {
            bytes: 0.0,
            tables: 0.0,
        };
        for (tensor, block) in model.tensors.iter().zip(blocks) {
            let bytes = block.tensor_bytes(tensor)? as f64;
            let copies = if tensor.role == Role::TokenEmbedding {
                copies_of_head
            } else {
                0
            };
            size.bytes += bytes * (1 + copies) as f64;
            if tensor.usage == Use::LookUp {
                size.tables += bytes;
            }
        }
        Some(size)
    }

    fn fits(self, figure: Figure) -> bool {
        figure.stands_for(self.bytes, SIZE_TOLERANCE + TABLE_TOLERANCE * self.tables / self.bytes)
    }
}

/// The mix that llama.cpp describes so: `Q4_K - Medium`, `all F32`, `IQ3_S mix - 3.66 bpw`, `MXFP4 MoE`.
fn mix_of(description: &str) -> Option<Mix> {
    let text = description
        .trim()
        .trim_start_matches("mostly ")
        .trim_start_matches("all ");
    let (name, detail) = text.split_once(" - ").unwrap_or((text, ""));
    let name = match (name.trim(), detail.trim()) {
        ("IQ3_S mix", _) => "iq3_m".to_owned(),
        ("MXFP4 MoE", _) => "mxfp4_moe".to_owned(),
        (name, "Small") => format!("{name}_s"),
        ("Q2_K", "Medium") => "q2_k".to_owned(),
        (name, "Medium") => format!("{name}_m"),
        (name, "Large") => format!("{name}_l"),
        (name, _) => name.to_owned(),
    };
    name.to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn llama_cpp_descriptions_name_mixes() {
        for (description, name) in [
            ("Q4_K - Medium", "q4_k_m"),
            ("Q4_K - Small", "q4_k_s"),
            ("Q3_K - Large", "q3_k_l"),
            ("Q2_K - Medium", "q2_k"),
            ("Q2_K - Small", "q2_k_s"),
            ("mostly Q8_0", "q8_0"),
            ("all F32", "f32"),
            ("F16", "f16"),
            ("IQ4_XS - 4.25 bpw", "iq4_xs"),
            ("IQ3_S mix - 3.66 bpw", "iq3_m"),
            ("IQ3_S - 3.4375 bpw", "iq3_s"),
            ("MXFP4 MoE", "mxfp4_moe"),
        ] {
            assert_eq!(mix_of(description).unwrap().name(), name, "{description}");
        }
        assert_eq!(mix_of("unknown, may not work"), None);
        assert_eq!(mix_of(""), None);
    }

    #[test]
    fn printed_figures_stand_for_what_rounds_to_them() {
        let size = Figure::rounded("636.18 MiB").unwrap();
        assert!(size.stands_for(667_080_000.0, 0.0));
        assert!(!size.stands_for(667_100_000.0, 0.0));
        let parameters = Figure::rounded("1.10 B").unwrap();
        assert!(parameters.stands_for(1_100_048_384.0, 0.0));
        assert!(!parameters.stands_for(1_106_000_000.0, 0.0));
        for text in ["1.10", "1.10 Q", "x B", "NaN B", "-1 B", ""] {
            assert_eq!(Figure::rounded(text), None, "{text}");
        }
    }
}
