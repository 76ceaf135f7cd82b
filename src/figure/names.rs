//! What predictions are called in a figure: what tells them apart, and no more.

/// The distinct names in the order in which they come.
pub(super) fn distinct<T: PartialEq>(names: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut distinct = Vec::new();
    for name in names {
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    distinct
}
