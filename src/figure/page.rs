//! The page of a figure: its size on paper, and the type set on it.

/// The type: the reader's own sans serif, of much the same widths everywhere.
pub const FONT: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";
/// Size of an axis' title and of panels' headings, points.
pub const TITLE_SIZE: f64 = 8.0;
/// Size of all other texts: the least that survives print.
pub const TEXT_SIZE: f64 = 7.0;
/// From one line of text to the next, in sizes.
pub const LEADING: f64 = 1.2;

/// Points in an inch.
pub const POINTS_PER_INCH: f64 = 72.0;

/// Size and title of a figure.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// Width, points.
    pub width: f64,
    /// Height, points; what the contents ask for if none.
    pub height: Option<f64>,
    /// A title above; none unless asked for.
    pub title: Option<String>,
}

impl Default for Page {
    /// A column of a two-column paper, 3.5 inches.
    fn default() -> Self {
        Self {
            width: 3.5 * POINTS_PER_INCH,
            height: None,
            title: None,
        }
    }
}

/// Width of a character in thousandths of the size, as in DejaVu Sans, the widest of the usual faces; where the reader's is
/// narrower, some space is left over.
const fn character(character: char) -> f64 {
    match character {
        'i' | 'j' | 'l' | '\'' => 278.0,
        ' ' | ',' | '.' | '·' => 318.0,
        'I' | '|' | ':' | ';' | '/' | '\\' => 337.0,
        '-' | 'f' => 361.0,
        '(' | ')' | '[' | ']' | 't' => 392.0,
        '!' | 'r' => 411.0,
        '⁰' | '¹' | '²' | '³' | '⁴' | '⁵' | '⁶' | '⁷' | '⁸' | '⁹' | '⁻' => 430.0,
        '"' | '*' | '°' => 500.0,
        's' | 'z' | '?' | 'c' => 550.0,
        'v' | 'x' | 'y' | 'k' => 592.0,
        'a' | 'e' | 'o' | 'L' | 'F' | 'T' | 'J' => 615.0,
        'w' | '+' | '=' | '<' | '>' | '~' | '×' | '±' | '#' => 838.0,
        'm' | '%' | 'W' | '@' => 980.0,
        'M' => 863.0,
        'N' | 'O' | 'Q' | 'D' | 'G' | 'H' => 787.0,
        'A'..='Z' => 690.0,
        ' '..='~' => 636.0,
        'µ' => 636.0,
        _ => 1000.0,
    }
}

/// Width of a text, points.
#[must_use]
pub fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(character).sum::<f64>() / 1000.0 * size
}

/// The text in lines of at most this width, broken at spaces; words that are wider by themselves behind hyphens, and where there are none
/// anywhere.
#[must_use]
pub fn wrap(text: &str, size: f64, width: f64) -> Vec<String> {
    let mut lines = vec![String::new()];
    let mut add = |piece: &str| {
        let line = lines.last_mut().filter(|line| {
            let with = format!("{line}{piece}");
            line.is_empty() || text_width(with.trim_end(), size) <= width
        });
        match line {
            Some(line) => line.push_str(piece),
            None => lines.push(piece.to_owned()),
        }
    };
    let fits = |piece: &str| text_width(piece.trim_end(), size) <= width;
    for word in text.split_inclusive(' ') {
        if fits(word) {
            add(word);
            continue;
        }
        for piece in word.split_inclusive(['-', '_', '/']) {
            if fits(piece) {
                add(piece);
            } else {
                for letter in piece.chars() {
                    add(letter.encode_utf8(&mut [0; 4]));
                }
            }
        }
    }
    lines.into_iter().map(|line| line.trim_end().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_where_one_would() {
        let width = text_width("orin-nano-", 7.0);
        assert_eq!(wrap("orin-nano-super", 7.0, width), ["orin-nano-", "super"]);
        assert_eq!(wrap("pi5", 7.0, width), ["pi5"]);
        assert_eq!(wrap("a b", 7.0, 5.0), ["a", "b"]);
        let width = text_width("qwen3-1.7b, pi5, q4_k", 7.0);
        assert_eq!(
            wrap("qwen3-1.7b, pi5, q4_k_m", 7.0, width),
            ["qwen3-1.7b, pi5,", "q4_k_m"]
        );
        assert_eq!(wrap("", 7.0, width), [""]);
        for line in wrap("aaaaaaaaaaaaaaaaaaaaaaaaaaaa", 7.0, width) {
            assert!(text_width(&line, 7.0) <= width);
        }
    }
}
