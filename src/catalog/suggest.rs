//! The nearest names to one that does not exist.

/// The most names that are suggested.
const MOST: usize = 3;
/// Edits beyond which a name is no misspelling of another.
const FARTHEST: usize = 3;
/// Shortest name whose being part of another says anything.
const SHORTEST_PART: usize = 3;

/// Up to three of `known` that `name` may have been meant to be, the nearest first; the same for the same input in any order.
pub(super) fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Vec<String> {
    let name = name.to_lowercase();
    let mut near: Vec<(usize, usize, &str)> = known
        .filter_map(|candidate| {
            let lower = candidate.to_lowercase();
            let distance = strsim::damerau_levenshtein(&name, &lower);
            let shorter = name.chars().count().min(lower.chars().count());
            let part = shorter >= SHORTEST_PART && (lower.contains(&name) || name.contains(&lower));
            let misspelt = distance <= FARTHEST && 2 * distance <= shorter.max(2);
            // A misspelling of one letter is nearer than a name that has this one in it, and that is nearer than any other.
            let rank = if misspelt && distance <= 1 {
                0
            } else if part {
                1
            } else {
                2
            };
            (misspelt || part).then_some((rank, distance, candidate))
        })
        .collect();
    near.sort_unstable();
    near.dedup();
    near.into_iter()
        .take(MOST)
        .map(|(.., candidate)| candidate.to_owned())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::nearest;

    const KNOWN: [&str; 6] = [
        "pi4",
        "pi5",
        "orin-nano",
        "orin-nano-super",
        "tinyllama",
        "llama-3.2-1b",
    ];

    #[test]
    fn misspellings_come_first_then_names_that_contain_it() {
        assert_eq!(nearest("tinylama", KNOWN.into_iter()), ["tinyllama"]);
        assert_eq!(nearest("llama", KNOWN.into_iter()), ["tinyllama", "llama-3.2-1b"]);
        assert_eq!(nearest("orin", KNOWN.into_iter()), ["orin-nano", "orin-nano-super"]);
        assert_eq!(nearest("PI6", KNOWN.into_iter()), ["pi4", "pi5"]);
    }

    #[test]
    fn what_is_far_from_everything_has_no_neighbour() {
        assert!(nearest("zzzzzz", KNOWN.into_iter()).is_empty());
        assert!(nearest("", KNOWN.into_iter()).is_empty());
    }
}
