//! A place in a text, shown as a compiler shows it: line, column, the line itself and a caret below.

use std::fmt;
use std::ops::Range;

/// The longest part of a line that an excerpt repeats, characters.
const SHOWN: usize = 160;

/// A place in a text that a reader should look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Excerpt {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// The line's text.
    text: String,
    /// Characters to underline, at least one.
    width: usize,
}

impl Excerpt {
    /// The place of `span` (bytes) in `text`; a span beyond the end points at the end.
    #[must_use]
    pub fn of(text: &str, span: Range<usize>) -> Self {
        let floor = |at: usize| {
            (0..=at.min(text.len()))
                .rev()
                .find(|&i| text.is_char_boundary(i))
                .unwrap_or(0)
        };
        let (start, end) = (floor(span.start), floor(span.end));
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let column = text[line_start..start].chars().count();
        let underlined = text[start..end.clamp(start, line_end)].chars().count();
        let shown: String = text[line_start..line_end]
            .chars()
            .take(SHOWN)
            .map(|c| if c.is_control() { ' ' } else { c })
            .collect();
        let length = shown.chars().count();
        Self {
            line: text[..start].matches('\n').count() + 1,
            column: column + 1,
            width: underlined.min(length.saturating_sub(column)).max(1),
            text: shown,
        }
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let number = self.line.to_string();
        let gutter = " ".repeat(number.len());
        writeln!(f, "{gutter} |")?;
        writeln!(f, "{number} | {}", self.text)?;
        let indent = " ".repeat((self.column - 1).min(SHOWN));
        write!(f, "{gutter} | {indent}{}", "^".repeat(self.width))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_excerpt_underlines_the_span_in_its_line() {
        let text = "a = 1\nbandwidth = 17.1\nc = 2\n";
        let at = text.find("17.1").map_or(0, |at| at);
        let excerpt = Excerpt::of(text, at..at + 4);
        assert_eq!((excerpt.line, excerpt.column), (2, 13));
        assert_eq!(excerpt.to_string(), "  |\n2 | bandwidth = 17.1\n  |             ^^^^");
    }

    #[test]
    fn spans_outside_the_text_or_inside_a_character_are_moved_to_the_nearest_place() {
        assert_eq!(Excerpt::of("", 5..9).line, 1);
        assert_eq!(Excerpt::of("é", 1..2).column, 1);
        assert_eq!(Excerpt::of("ab\n", 3..3).line, 2);
    }
}
