//! Texts as LaTeX sets them: every special character escaped, numbers with their signs and thin spaces.

/// What a document must load, as a comment above a table.
pub const NEEDS: &str = "% \\usepackage{booktabs}\n";

/// A text of words in which nothing is a command. Characters beyond ASCII that the Latin Modern fonts lack are left as they are: XeLaTeX
/// and LuaLaTeX set them.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    let mut previous = ' ';
    for character in text.chars() {
        match character {
            '\\' => escaped.push_str("\\textbackslash{}"),
            '{' | '}' | '$' | '&' | '#' | '_' | '%' => {
                escaped.push('\\');
                escaped.push(character);
            }
            '~' => escaped.push_str("\\textasciitilde{}"),
            '^' => escaped.push_str("\\textasciicircum{}"),
            '<' => escaped.push_str("\\textless{}"),
            '>' => escaped.push_str("\\textgreater{}"),
            '|' => escaped.push_str("\\textbar{}"),
            '"' => escaped.push_str("''"),
            // Two would join into a dash.
            '-' if previous == '-' => escaped.push_str("{}-"),
            '\u{b5}' | '\u{3bc}' => escaped.push_str("$\\mu$"),
            '\u{d7}' => escaped.push_str("$\\times$"),
            '\u{b1}' => escaped.push_str("$\\pm$"),
            '\u{2212}' => escaped.push_str("$-$"),
            '\u{2264}' => escaped.push_str("$\\leq$"),
            '\u{2265}' => escaped.push_str("$\\geq$"),
            '\u{2192}' => escaped.push_str("$\\to$"),
            '\u{221a}' => escaped.push_str("$\\surd$"),
            '\u{b0}' => escaped.push_str("$^\\circ$"),
            '\u{b2}' => escaped.push_str("$^2$"),
            '\u{b7}' => escaped.push_str("$\\cdot$"),
            '\u{2026}' => escaped.push_str("\\dots{}"),
            control if control.is_control() => escaped.push(' '),
            other => escaped.push(other),
        }
        previous = character;
    }
    escaped
}

/// Lines of words, each escaped, in the same lines.
#[must_use]
pub fn paragraph(text: &str) -> String {
    let lines: Vec<String> = text.lines().map(escaped).collect();
    lines.join("\n")
}

/// A text of numbers: a minus as one, a thin space between groups of digits, an en dash for `to`.
#[must_use]
pub fn number(text: &str) -> String {
    let characters: Vec<char> = text.chars().collect();
    let digit = |at: usize| characters.get(at).is_some_and(char::is_ascii_digit);
    let mut set = String::with_capacity(text.len() + 8);
    let mut at = 0;
    while let Some(&character) = characters.get(at) {
        let previous = at.checked_sub(1).and_then(|at| characters.get(at));
        let before = previous.is_some_and(char::is_ascii_digit);
        if character == ' ' && before && digit(at + 1) {
            set.push_str("\\,");
        } else if character == '-' && !previous.is_some_and(|c| c.is_alphanumeric()) && digit(at + 1) {
            set.push_str("$-$");
        } else if before && digit(at + 4) && characters[at..].starts_with(&[' ', 't', 'o', ' ']) {
            set.push_str("--");
            at += 3;
        } else {
            set.push_str(&escaped(character.encode_utf8(&mut [0; 4])));
        }
        at += 1;
    }
    set
}

/// The unit that every cell with a text has after a number and a space, if there is one.
pub fn common_unit<'a>(cells: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let mut common = None;
    for cell in cells.into_iter().filter(|cell| !cell.is_empty()) {
        let (value, unit) = cell.rsplit_once(' ')?;
        let value = value.replace(' ', "");
        let counts = value
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
        if !counts || value.is_empty() || unit.is_empty() || unit.contains(|c: char| c.is_ascii_digit() || c == ')') {
            return None;
        }
        if *common.get_or_insert(unit) != unit {
            return None;
        }
    }
    common
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_a_command() {
        assert_eq!(
            escaped("50% of $x_1^2 & {y} #~\\ --all"),
            "50\\% of \\$x\\_1\\textasciicircum{}2 \\& \\{y\\} \\#\\textasciitilde{}\\textbackslash{} -{}-all"
        );
        assert_eq!(escaped("a\nb"), "a b");
    }

    #[test]
    fn numbers_have_their_signs_and_groups() {
        assert_eq!(number("-12.3 %"), "$-$12.3 \\%");
        assert_eq!(number("1 100 048 384"), "1\\,100\\,048\\,384");
        assert_eq!(number("2 348 (1 769 to 3 118)"), "2\\,348 (1\\,769--3\\,118)");
        assert_eq!(number("1e-5"), "1e-5");
    }

    #[test]
    fn a_unit_is_common_if_every_cell_has_it_after_a_number() {
        assert_eq!(common_unit(["1 s", "", "2.5 s"]), Some("s"));
        assert_eq!(common_unit(["1 100 B", "2 B"]), Some("B"));
        assert_eq!(common_unit(["1 s", "2 ms"]), None);
        assert_eq!(common_unit(["1 s", "2"]), None);
        assert_eq!(common_unit(["1 (2 to 3)"]), None);
        assert_eq!(common_unit(["about 3 s"]), None);
        assert_eq!(common_unit([""]), None);
    }
}
