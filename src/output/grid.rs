//! A table of texts, set as aligned columns, as Markdown, as LaTeX or as CSV.

use super::latex;
use std::fmt::Write as _;

/// On which side the cells of a column are flush.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    /// Words.
    #[default]
    Left,
    /// Numbers.
    Right,
}

/// How a table is set for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Setting {
    /// Aligned columns for a terminal.
    #[default]
    Text,
    /// Markdown's pipes.
    Markdown,
    /// LaTeX with the rules of the package booktabs.
    Latex,
}

/// A table: a header and rows of as many cells.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grid {
    columns: Vec<(String, Align)>,
    rows: Vec<Vec<String>>,
}

/// Between two columns of text.
const GAP: &str = "  ";

impl Grid {
    /// A table with these columns and no rows. Where all titles are empty, the text has no header line.
    #[must_use]
    pub fn new<T: Into<String>>(columns: impl IntoIterator<Item = (T, Align)>) -> Self {
        Self {
            columns: columns
                .into_iter()
                .map(|(title, align)| (title.into(), align))
                .collect(),
            rows: Vec::new(),
        }
    }

    /// Adds a row; missing cells are empty, cells beyond the columns are dropped.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let mut row: Vec<String> = cells.into_iter().map(Into::into).collect();
        row.resize(self.columns.len(), String::new());
        self.rows.push(row);
    }

    /// Whether it has no rows.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The table as lines of aligned text, each beginning with `indent`; the header in bold.
    #[must_use]
    pub fn text(&self, indent: &str) -> String {
        const TITLE: anstyle::Style = anstyle::Style::new().bold();
        let widths = self.widths();
        let mut text = String::new();
        if self.columns.iter().any(|(title, _)| !title.is_empty()) {
            let line = self
                .padded(self.columns.iter().map(|(title, _)| title), &widths)
                .join(GAP);
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{indent}{TITLE}{}{TITLE:#}", line.trim_end());
        }
        for row in &self.rows {
            let line = format!("{indent}{}", self.padded(row, &widths).join(GAP));
            let _ = writeln!(text, "{}", line.trim_end());
        }
        text
    }

    /// The table as people read it there.
    #[must_use]
    pub fn set(&self, setting: Setting) -> String {
        match setting {
            Setting::Text => self.text(""),
            Setting::Markdown => self.markdown(),
            Setting::Latex => format!("{}{}", latex::NEEDS, self.tabular("")),
        }
    }

    /// Titles and sides of the columns.
    #[must_use]
    pub fn columns(&self) -> &[(String, Align)] {
        &self.columns
    }

    /// The rows, each with as many cells as there are columns.
    #[must_use]
    pub fn rows(&self) -> &[Vec<String>] {
        &self.rows
    }

    /// The table in Markdown. What would end a cell or open a tag is escaped.
    #[must_use]
    pub fn markdown(&self) -> String {
        let widths: Vec<usize> = self.widths().into_iter().map(|width| width.max(3)).collect();
        let mut text = String::new();
        let mut line = |cells: Vec<String>| {
            let cells: Vec<String> = self
                .padded(&cells, &widths)
                .iter()
                .map(|cell| {
                    cell.replace(char::is_control, " ")
                        .replace('|', "\\|")
                        .replace('<', "\\<")
                })
                .collect();
            let _ = writeln!(text, "| {} |", cells.join(" | "));
        };
        line(self.columns.iter().map(|(title, _)| title.clone()).collect());
        let rules = self
            .columns
            .iter()
            .zip(&widths)
            .map(|((_, align), &width)| match align {
                Align::Left => "-".repeat(width),
                Align::Right => format!("{}:", "-".repeat(width - 1)),
            });
        line(rules.collect());
        for row in &self.rows {
            line(row.clone());
        }
        text
    }

    /// The table as a LaTeX `tabular` between the rules of booktabs, each line beginning with `indent`. A unit that every cell of a
    /// column has stands in its title instead.
    #[must_use]
    pub fn tabular(&self, indent: &str) -> String {
        let mut titles: Vec<String> = Vec::with_capacity(self.columns.len());
        let mut rows: Vec<Vec<String>> = vec![Vec::with_capacity(self.columns.len()); self.rows.len()];
        for (at, (title, align)) in self.columns.iter().enumerate() {
            let unit = match align {
                Align::Right if !title.is_empty() => latex::common_unit(self.rows.iter().map(|row| row[at].as_str())),
                _ => None,
            };
            titles.push(match unit {
                Some(unit) => latex::escaped(&format!("{title} ({unit})")),
                None => latex::escaped(title),
            });
            for (row, cells) in self.rows.iter().zip(&mut rows) {
                let cell = row[at].as_str();
                cells.push(match (align, unit) {
                    (Align::Left, _) => latex::escaped(cell),
                    (Align::Right, Some(unit)) => latex::number(cell.trim_end_matches(unit).trim_end()),
                    (Align::Right, None) => latex::number(cell),
                });
            }
        }
        let widest = |at: usize| {
            rows.iter()
                .chain([&titles])
                .map(|cells| cells[at].chars().count())
                .max()
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(|at| widest(at).unwrap_or(0)).collect();
        let line = |cells: &[String]| {
            let cells = self.padded(cells, &widths).join(" & ");
            // After a line's end or a rule, `[` and `*` would be read as their arguments.
            let guard = if cells.starts_with(['[', '*']) { "{}" } else { "" };
            format!("{indent}  {guard}{} \\\\\n", cells.trim_end())
        };
        let sides: String = self
            .columns
            .iter()
            .map(|(_, align)| match align {
                Align::Left => 'l',
                Align::Right => 'r',
            })
            .collect();
        let mut text = format!("{indent}\\begin{{tabular}}{{{sides}}}\n{indent}  \\toprule\n");
        if titles.iter().any(|title| !title.is_empty()) {
            text += &line(&titles);
            let _ = writeln!(text, "{indent}  \\midrule");
        }
        for cells in &rows {
            text += &line(cells);
        }
        let _ = writeln!(text, "{indent}  \\bottomrule\n{indent}\\end{{tabular}}");
        text
    }

    /// The table in CSV (RFC 4180, but for lines that end in a newline alone).
    #[must_use]
    pub fn csv(&self) -> String {
        let mut text = String::new();
        let titles = self.columns.iter().map(|(title, _)| title.clone()).collect();
        for cells in std::iter::once(&titles).chain(&self.rows) {
            let quoted: Vec<String> = cells.iter().map(|cell| quoted(cell)).collect();
            let _ = writeln!(text, "{}", quoted.join(","));
        }
        text
    }

    fn widths(&self) -> Vec<usize> {
        let widest = |at: usize| self.rows.iter().map(|row| row[at].chars().count()).max();
        let columns = self.columns.iter().enumerate();
        columns
            .map(|(at, (title, _))| title.chars().count().max(widest(at).unwrap_or(0)))
            .collect()
    }

    fn padded<'a>(&self, cells: impl IntoIterator<Item = &'a String>, widths: &[usize]) -> Vec<String> {
        let columns = self.columns.iter().zip(widths);
        cells
            .into_iter()
            .zip(columns)
            .map(|(cell, ((_, align), &width))| match align {
                Align::Left => format!("{cell:<width$}"),
                Align::Right => format!("{cell:>width$}"),
            })
            .collect()
    }
}

/// The cell as CSV wants it.
fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let mut grid = Grid::new([("id", Align::Left), ("size", Align::Right)]);
        grid.row(["a, b", "1"]);
        grid.row(["say \"c\"", "1000"]);
        grid
    }

    #[test]
    fn numbers_are_flush_right_and_lines_do_not_trail() {
        let plain = anstream::adapter::strip_str(&grid().text("  ")).to_string();
        assert_eq!(plain, "  id       size\n  a, b        1\n  say \"c\"  1000\n");
    }

    #[test]
    fn markdown_states_the_alignment() {
        assert_eq!(
            grid().markdown(),
            "| id      | size |\n| ------- | ---: |\n| a, b    |    1 |\n| say \"c\" | 1000 |\n"
        );
    }

    #[test]
    fn cells_cannot_leave_their_cell_in_markdown() {
        let mut grid = Grid::new([("id", Align::Left)]);
        grid.row(["a|b\n<img src=x>"]);
        assert_eq!(grid.markdown().lines().last(), Some("| a\\|b \\<img src=x> |"));
    }

    #[test]
    fn latex_has_rules_and_units_in_the_titles() {
        let mut grid = Grid::new([("id", Align::Left), ("time", Align::Right), ("rate", Align::Right)]);
        grid.row(["q4_0 & 100%", "1.25 s", "85.0 (71.1 to 102)"]);
        grid.row(["[b]", "12.00 s", "-1 024"]);
        let expected = r"
\begin{tabular}{lrr}
  \toprule
  id             & time (s) &             rate \\
  \midrule
  q4\_0 \& 100\% &     1.25 & 85.0 (71.1--102) \\
  {}[b]            &    12.00 &        $-$1\,024 \\
  \bottomrule
\end{tabular}
";
        assert_eq!(grid.tabular(""), expected.trim_start());
    }

    #[test]
    fn csv_quotes_what_would_split() {
        assert_eq!(grid().csv(), "id,size\n\"a, b\",1\n\"say \"\"c\"\"\",1000\n");
    }
}
