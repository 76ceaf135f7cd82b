//! The nearest names to one that does not exist.

/// The most names that are suggested.
const MOST: usize = 3;
/// Edits beyond which a name is no misspelling of another.
const FARTHEST: usize = 3;
/// Shortest name whose being part of another says anything.
const SHORTEST_PART: usize = 3;

/// Ids of up to three entries that `name` may have been meant to be, the nearest first; the same for the same input in any order.
/// `known` pairs each name of an entry with its id.
pub(crate) fn nearest<'a>(name: &str, known: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<String> {
    let name = name.to_lowercase();
    let mut near: Vec<(usize, usize, &str)> = known
        .filter_map(|(candidate, id)| {
            let lower = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&name, &lower);
            let shorter = name.chars().count().min(lower.chars().count());
            let part = shorter >= SHORTEST_PART && (lower.contains(&name) || name.contains(&lower));
            let misspelt = distance <= FARTHEST && 2 * distance <= shorter.max(2);
            // A misspelling of one letter is nearer than a name that has this one in it, and that is nearer than any other.
            let rank = match (misspelt, distance, part) {
                (true, 0..=1, _) => 0,
                (_, _, true) => 1,
                _ => 2,
            };
            (misspelt || part).then_some((rank, distance, id))
        })
        .collect();
    near.sort_unstable();
    let mut ids: Vec<String> = Vec::new();
    for (.., id) in near {
        if ids.len() < MOST && !ids.iter().any(|other| other == id) {
            ids.push(id.to_owned());
        }
    }
    ids
}

#[cfg(test)]
mod tests {
    const IDS: [&str; 6] = [
        "pi4",
        "pi5",
        "orin-nano",
        "orin-nano-super",
        "tinyllama",
        "llama-3.2-1b",
    ];

    fn nearest(name: &str) -> Vec<String> {
        let aliases = [("raspberry pi 5", "pi5"), ("pi 5", "pi5")];
        super::nearest(name, IDS.into_iter().map(|id| (id, id)).chain(aliases))
    }

    #[test]
    fn misspellings_come_first_then_names_that_contain_it() {
        assert_eq!(nearest("tinylama"), ["tinyllama"]);
        assert_eq!(nearest("llama"), ["tinyllama", "llama-3.2-1b"]);
        assert_eq!(nearest("orin"), ["orin-nano", "orin-nano-super"]);
        assert_eq!(nearest("PI6"), ["pi4", "pi5"]);
        assert_eq!(nearest("raspberry"), ["pi5"], "an alias leads to its id");
    }

    #[test]
    fn what_is_far_from_everything_has_no_neighbour() {
        assert!(nearest("zzzzzz").is_empty());
        assert!(nearest("").is_empty());
    }
}
