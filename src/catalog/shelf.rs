//! The entries of one kind: looked up by name, parsed when asked for.

use super::suggest;
use super::{CatalogError, Kind, Origin};
use include_dir::Dir;
use std::collections::BTreeMap;
use std::error::Error;
use std::ops::Deref;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// What is wrong with a file.
pub(super) type Fault = Box<dyn Error + Send + Sync>;
/// Reads the text of the file of an id: the value and its aliases.
pub(super) type Parse<T> = fn(&str, &str) -> Result<(T, Vec<String>), Fault>;

/// An entry of the catalogue, and where it comes from. It stands for its value.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry<T> {
    /// The model, device or calibration.
    pub value: T,
    /// Other names by which it is found.
    pub aliases: Vec<String>,
    /// What a reader should know of how it was found.
    pub notes: Vec<String>,
    /// Where it comes from.
    pub origin: Origin,
}

impl<T> Deref for Entry<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

/// A place on the shelf: its file, and its value once that was asked for.
#[derive(Debug)]
struct Place<T> {
    origin: Origin,
    entry: OnceLock<Arc<Entry<T>>>,
}

/// The entries of one kind by id.
#[derive(Debug)]
pub(super) struct Shelf<T> {
    kind: Kind,
    parse: Parse<T>,
    places: BTreeMap<String, Place<T>>,
}

impl<T> Shelf<T> {
    /// The shipped entries: the TOML files of `folder`, each under its stem.
    pub(super) fn new(kind: Kind, folder: &'static Dir<'static>, parse: Parse<T>) -> Self {
        let files = folder
            .files()
            .filter_map(|file| Some((stem(file.path())?, file.path(), file.contents_utf8()?)));
        let places = files
            .map(|(id, path, text)| {
                (
                    id,
                    Place::new(Origin::BuiltIn {
                        folder: kind.folder(),
                        path,
                        text,
                    }),
                )
            })
            .collect();
        Self { kind, parse, places }
    }

    /// Lays the TOML files of a folder over what there is; a folder that does not exist has none.
    pub(super) fn overlay(&mut self, folder: &Path) -> Result<(), CatalogError> {
        if !folder.is_dir() {
            return Ok(());
        }
        let cannot_list = |source| CatalogError::Read {
            path: folder.to_owned(),
            source,
        };
        for entry in std::fs::read_dir(folder).map_err(cannot_list)? {
            let path = entry.map_err(cannot_list)?.path();
            if let Some(id) = stem(&path) {
                self.places.insert(id, Place::new(Origin::File(path)));
            }
        }
        Ok(())
    }

    /// Ids in order.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        self.places.keys().map(String::as_str)
    }

    /// The entry of this id, if there is one.
    pub(super) fn find(&self, id: &str) -> Option<Result<Arc<Entry<T>>, CatalogError>> {
        self.places.get(id).map(|place| self.load(id, place))
    }

    /// The entry of this id or alias, whatever its case.
    pub(super) fn get(&self, name: &str) -> Result<Arc<Entry<T>>, CatalogError> {
        if let Some(entry) = self.find(name) {
            return entry;
        }
        let lower = name.to_lowercase();
        if let Some((id, place)) = self.places.iter().find(|(id, _)| id.to_lowercase() == lower) {
            return self.load(id, place);
        }
        if let Some(entry) = self.called(&lower) {
            return Ok(entry);
        }
        let entries: Vec<_> = self.loadable(|_| true).collect();
        let aliases = entries
            .iter()
            .flat_map(|(id, entry)| entry.aliases.iter().map(move |alias| (alias.as_str(), *id)));
        let known = self.ids().map(|id| (id, id)).chain(aliases);
        Err(CatalogError::Unknown {
            kind: self.kind,
            name: name.to_owned(),
            nearest: suggest::nearest(name, known),
        })
    }

    /// The entry with this alias (in lower case), the user's own before a shipped one. Only files whose text has the alias in it are
    /// parsed.
    fn called(&self, alias: &str) -> Option<Arc<Entry<T>>> {
        self.loadable(|text| text.to_lowercase().contains(alias))
            .filter(|(_, entry)| entry.aliases.iter().any(|own| own.to_lowercase() == alias))
            .min_by_key(|(_, entry)| !matches!(entry.origin, Origin::File(_)))
            .map(|(_, entry)| entry)
    }

    /// The entries whose file parses and whose text is wanted, with their ids. A file that does not parse is reported when it is asked
    /// for.
    fn loadable(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = (&str, Arc<Entry<T>>)> {
        self.places
            .iter()
            .filter(move |(_, place)| place.origin.text().is_ok_and(|text| wanted(&text)))
            .filter_map(|(id, place)| Some((id.as_str(), self.load(id, place).ok()?)))
    }

    /// The entry in a TOML file anywhere, under the file's stem.
    pub(super) fn read(&self, path: &Path) -> Result<Arc<Entry<T>>, CatalogError> {
        let id = path.file_stem().unwrap_or(path.as_os_str()).to_string_lossy();
        self.load(&id, &Place::new(Origin::File(path.to_owned())))
    }

    fn load(&self, id: &str, place: &Place<T>) -> Result<Arc<Entry<T>>, CatalogError> {
        if let Some(entry) = place.entry.get() {
            return Ok(Arc::clone(entry));
        }
        let text = place.origin.text().map_err(|source| match &place.origin {
            Origin::File(path) if path.is_dir() => CatalogError::IsAFolder {
                kind: self.kind,
                path: path.clone(),
            },
            Origin::File(path) => CatalogError::Read {
                path: path.clone(),
                source,
            },
            origin => CatalogError::Read {
                path: origin.to_string().into(),
                source,
            },
        })?;
        let (value, aliases) = (self.parse)(id, &text).map_err(|source| CatalogError::Invalid {
            kind: self.kind,
            origin: place.origin.to_string(),
            source,
        })?;
        let entry = Arc::new(Entry {
            value,
            aliases,
            notes: Vec::new(),
            origin: place.origin.clone(),
        });
        Ok(Arc::clone(place.entry.get_or_init(|| entry)))
    }
}

impl<T> Place<T> {
    const fn new(origin: Origin) -> Self {
        Self {
            origin,
            entry: OnceLock::new(),
        }
    }
}

/// The id of a TOML file; none for other files.
fn stem(path: &Path) -> Option<String> {
    let is_toml = path
        .extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("toml"));
    let stem = path.file_stem()?.to_str()?;
    (is_toml && !stem.starts_with('.')).then(|| stem.to_owned())
}
