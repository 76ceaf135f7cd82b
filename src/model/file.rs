//! A model of the catalogue: one TOML file, its dimensions beside what is published about it.

use super::{Dimensions, Family, Model, ModelError, QualityError, QualityTable};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why a model file is not one.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ModelFileError {
    /// The text is not TOML, or not of this schema; the message shows line and column.
    #[error("{message}")]
    Syntax {
        /// the parser's message with line, column and caret
        message: String,
    },
    /// The dimensions make no model.
    #[error("{id}: {error}")]
    Dimensions {
        /// the file's id
        id: String,
        /// the condition that does not hold
        error: ModelError,
    },
    /// A published figure of quality cannot be.
    #[error("{id}: quality: {error}")]
    Quality {
        /// the file's id
        id: String,
        /// what is wrong with it
        error: QualityError,
    },
}

/// One file of `models/`; its stem is the model's id.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// What people call it.
    pub name: String,
    /// The architecture.
    pub family: Family,
    /// Other names that people type.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Where the dimensions come from.
    pub source: String,
    /// The licence of the weights.
    #[serde(default)]
    pub license: Option<String>,
    /// Id of the model of which this is another form.
    #[serde(default)]
    pub variant_of: Option<String>,
    /// What a reader must know besides.
    #[serde(default)]
    pub notes: Option<String>,
    /// The dimensions.
    pub dimensions: Dimensions,
    /// What is published about it, to hold the dimensions to.
    #[serde(default)]
    pub published: Published,
    /// The shape in the paper's equations, if it is not the model's own.
    #[serde(default)]
    pub paper: Option<Paper>,
    /// How good its answers are in each precision, as published.
    #[serde(default)]
    pub quality: Vec<QualityTable>,
}

/// The shape that equations 7 to 15 take, where a file states it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Paper {
    /// `S`, the sequence length.
    pub context: u64,
}

/// Published counts and sizes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// The exact number of parameters.
    #[serde(default)]
    pub parameters: Option<u64>,
    /// The number of parameters where only a rounded one is published, for example `"4.21 B"` or `"752.39 M"`.
    #[serde(default)]
    pub parameters_rounded: Option<String>,
    /// Who states that number; or, where there is none, why.
    #[serde(default)]
    pub parameters_source: Option<String>,
    /// Size of all tensors of the file, by precision.
    #[serde(default)]
    pub sizes: BTreeMap<String, PublishedSize>,
}

/// A published size and who states it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedSize {
    /// The size.
    pub size: Size,
    /// Who states it.
    pub source: String,
}

/// A size: bytes to the last one as an integer, or a rounded figure as text with its unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Size {
    /// Exact bytes.
    Exact(u64),
    /// A figure rounded to the digits that it prints, for example `"1.87 GiB"`.
    Rounded(String),
}

impl ModelFile {
    /// Reads the text of a file.
    ///
    /// # Errors
    /// If it is not TOML of this schema; the message points at the line and column.
    pub fn parse(text: &str) -> Result<Self, ModelFileError> {
        toml::from_str(text).map_err(|error| ModelFileError::Syntax {
            message: error.to_string(),
        })
    }

    /// The model, under the id given.
    ///
    /// # Errors
    /// If the dimensions make no model of the family, or a published figure cannot be.
    pub fn model(&self, id: &str) -> Result<Model, ModelFileError> {
        let mut model =
            self.family
                .model(id, &self.name, &self.dimensions)
                .map_err(|error| ModelFileError::Dimensions {
                    id: id.to_owned(),
                    error,
                })?;
        if let Some(paper) = self.paper {
            model.paper_context = Some(paper.context);
        }
        model.variant_of.clone_from(&self.variant_of);
        for table in &self.quality {
            table.check().map_err(|error| ModelFileError::Quality {
                id: id.to_owned(),
                error,
            })?;
        }
        model.quality.clone_from(&self.quality);
        Ok(model)
    }
}
