//! Reading a device from TOML, with errors that point at the line.

use super::{Device, Fault};
use crate::excerpt::Excerpt;
use std::fmt;
use std::ops::Range;
use toml::de::{DeTable, DeValue};

/// Why a text is not a device.
#[derive(Debug, Clone, PartialEq)]
pub enum DeviceFileError {
    /// The text is not TOML, or not of a device's form: an unknown key, a number without its unit, a missing value.
    Form {
        /// What is wrong, in one sentence.
        message: String,
        /// Where, if a place can be named.
        at: Option<Excerpt>,
    },
    /// The text has the form of a device and breaks one of its rules.
    Rule {
        /// The rule and the key that breaks it.
        fault: Box<Fault>,
        /// Where, if a place can be named.
        at: Option<Excerpt>,
    },
}

impl DeviceFileError {
    /// The place in the file, if one can be named.
    #[must_use]
    pub fn at(&self) -> Option<&Excerpt> {
        match self {
            Self::Form { at, .. } | Self::Rule { at, .. } => at.as_ref(),
        }
    }
}

impl fmt::Display for DeviceFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(at) = self.at() {
            write!(f, "line {}, column {}: ", at.line, at.column)?;
        }
        match self {
            Self::Form { message, .. } => f.write_str(message)?,
            Self::Rule { fault, .. } => write!(f, "{fault}")?,
        }
        self.at().map_or(Ok(()), |at| write!(f, "\n{at}"))
    }
}

impl std::error::Error for DeviceFileError {}

impl Device {
    /// Reads a device from the text of its file and validates it; the file's stem becomes the device's id.
    ///
    /// # Errors
    /// [`DeviceFileError`]: what is wrong and where, for files of the catalogue and of users alike.
    pub fn parse(id: &str, text: &str) -> Result<Self, DeviceFileError> {
        let mut device: Self = toml::from_str(text).map_err(|error| DeviceFileError::Form {
            message: error.message().trim_end().replace('\n', "; "),
            at: error.span().map(|span| Excerpt::of(text, span)),
        })?;
        id.clone_into(&mut device.id);
        device.validate().map_err(|fault| DeviceFileError::Rule {
            at: locate(text, &fault.path).map(|span| Excerpt::of(text, span)),
            fault: Box::new(fault),
        })?;
        Ok(device)
    }
}

impl Device {
    /// The text of the device's file, as [`Device::parse`] reads it.
    ///
    /// # Errors
    /// [`toml::ser::Error`] if a value has no form in TOML.
    pub fn to_toml(&self) -> Result<String, toml::ser::Error> {
        let mut file = toml::Value::try_from(self)?;
        // Quantities serialise as bare numbers in base units; a file states the unit.
        for fact in self.facts() {
            let place = fact.path.iter().try_fold(&mut file, |table, key| table.get_mut(*key));
            let value = place.and_then(|fact| fact.get_mut("value"));
            if let Some(value) = value.filter(|_| !fact.unit.is_empty()) {
                *value = toml::Value::String(format!("{} {}", fact.value, fact.unit));
            }
        }
        if let (Some(paper), Some(table)) = (&self.paper, file.get_mut("paper").and_then(toml::Value::as_table_mut)) {
            for (key, value, unit) in [
                ("energy_per_flop", paper.energy_per_flop.get(), "J/FLOP"),
                ("energy_per_byte", paper.energy_per_byte.get(), "J/B"),
            ] {
                table.insert(key.to_owned(), toml::Value::String(format!("{value} {unit}")));
            }
        }
        toml::to_string_pretty(&file)
    }
}

/// Bytes of the value at `path`, or of its nearest parent that the text has.
fn locate(text: &str, path: &[String]) -> Option<Range<usize>> {
    let root = DeTable::parse(text).ok()?;
    let (mut table, mut span, mut rest) = (root.get_ref(), None, path);
    while let Some((name, below)) = rest.split_first() {
        let Some((key, value)) = table.iter().find(|(key, _)| key.get_ref() == name) else {
            break;
        };
        rest = below;
        match value.get_ref() {
            DeValue::Table(next) => {
                // A table is pointed at by its key; a sourced number by the number.
                let number = next.iter().find(|(key, _)| key.get_ref() == "value");
                span = Some(
                    number
                        .filter(|_| below.is_empty())
                        .map_or(key.span(), |(_, value)| value.span()),
                );
                table = next;
            }
            DeValue::Array(items) => {
                let item = below.first().and_then(|index| items.get(index.parse::<usize>().ok()?));
                return Some(item.map_or(value.span(), |item| item.span()));
            }
            _ => return Some(value.span()),
        }
    }
    span
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::Device;
    use crate::catalog::Catalog;

    #[test]
    fn every_device_of_the_catalogue_is_read_back_as_it_was_written() {
        let catalog = Catalog::builtin();
        for id in catalog.device_ids() {
            let device = catalog.device(id).unwrap();
            let text = device.to_toml().unwrap();
            let again = Device::parse(id, &text).unwrap_or_else(|error| panic!("{id}: {error}"));
            assert_eq!(again, device.value);
        }
    }
}
