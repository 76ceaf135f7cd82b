//! Titled tables and paragraphs, one after the other.

use super::grid::{Grid, Setting};
use super::latex;
use anstyle::Style;

/// What a command prints where it prints more than one table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sheet {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Heading { name: String, what: String },
    Items(Vec<String>),
    Table { title: String, grid: Grid },
    Paragraph(String),
}

impl Sheet {
    /// Adds a heading: a name, and in plain letters behind it what it is.
    pub fn heading(&mut self, name: impl Into<String>, what: impl Into<String>) {
        self.parts.push(Part::Heading {
            name: name.into(),
            what: what.into(),
        });
    }

    /// Adds a list of lines, if there are any.
    pub fn items(&mut self, items: Vec<String>) {
        if !items.is_empty() {
            self.parts.push(Part::Items(items));
        }
    }

    /// Adds a table under its title, which may be empty.
    pub fn table(&mut self, title: impl Into<String>, grid: Grid) {
        self.parts.push(Part::Table {
            title: title.into(),
            grid,
        });
    }

    /// Adds a paragraph.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        self.parts.push(Part::Paragraph(text.into()));
    }

    /// Adds all of another sheet.
    pub fn append(&mut self, other: Self) {
        self.parts.extend(other.parts);
    }

    /// Everything as people read it there, with an empty line between two parts.
    #[must_use]
    pub fn set(&self, setting: Setting) -> String {
        let mut text = String::new();
        for (at, part) in self.parts.iter().enumerate() {
            // What stands below a heading on a screen follows it at once.
            let below =
                setting == Setting::Text && matches!(self.parts.get(at.wrapping_sub(1)), Some(Part::Heading { .. }));
            if at > 0 && !below {
                text.push('\n');
            }
            text += &match setting {
                Setting::Text => part.text(),
                Setting::Markdown => part.markdown(),
                Setting::Latex => part.latex(),
            };
        }
        match setting {
            Setting::Latex if self.parts.iter().any(|part| matches!(part, Part::Table { .. })) => {
                format!("{}{text}", latex::NEEDS)
            }
            _ => text,
        }
    }
}

impl Part {
    fn text(&self) -> String {
        const TITLE: Style = Style::new().bold();
        match self {
            Self::Heading { name, what } => format!("{TITLE}{name}{TITLE:#}{what}\n"),
            Self::Items(items) => lines(items, "  "),
            Self::Table { title, grid } if title.is_empty() => grid.text("  "),
            Self::Table { title, grid } => format!("{TITLE}{title}{TITLE:#}\n{}", grid.text("  ")),
            Self::Paragraph(text) => format!("{}\n", text.trim_end()),
        }
    }

    fn markdown(&self) -> String {
        match self {
            Self::Heading { name, what } => format!("# {name}{what}\n"),
            Self::Items(items) => lines(items, "- "),
            Self::Table { title, grid } if title.is_empty() => grid.markdown(),
            Self::Table { title, grid } => format!("## {title}\n\n{}", grid.markdown()),
            Self::Paragraph(text) => format!("{}\n", text.trim_end()),
        }
    }

    fn latex(&self) -> String {
        match self {
            Self::Heading { name, what } => format!("\\section*{{{}}}\n", latex::escaped(&format!("{name}{what}"))),
            Self::Items(items) => {
                let items: Vec<String> = items.iter().map(|item| latex::escaped(item)).collect();
                format!("\\begin{{itemize}}\n{}\\end{{itemize}}\n", lines(&items, "  \\item {}"))
            }
            Self::Table { title, grid } if title.is_empty() => grid.tabular(""),
            Self::Table { title, grid } => format!(
                "\\begin{{table}}\n  \\centering\n  \\caption{{{}}}\n{}\\end{{table}}\n",
                latex::escaped(title),
                grid.tabular("  ")
            ),
            Self::Paragraph(text) => format!("{}\n", latex::paragraph(text.trim_end())),
        }
    }
}

/// The items, a line each behind the same mark.
fn lines(items: &[String], mark: &str) -> String {
    items.iter().map(|item| format!("{mark}{item}\n")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::output::Align;

    #[test]
    fn parts_follow_each_other_in_every_setting() {
        let mut grid = Grid::new([("a", Align::Left)]);
        grid.row(["1"]);
        let mut sheet = Sheet::default();
        sheet.heading("Board", ", device");
        sheet.items(vec!["[1] 5 W".to_owned()]);
        sheet.table("Errors, in %", grid);
        sheet.paragraph("100 % of them.\n");
        let text = anstream::adapter::strip_str(&sheet.set(Setting::Text)).to_string();
        assert_eq!(
            text,
            "Board, device\n  [1] 5 W\n\nErrors, in %\n  a\n  1\n\n100 % of them.\n"
        );
        assert_eq!(
            sheet.set(Setting::Markdown),
            "# Board, device\n\n- [1] 5 W\n\n## Errors, in %\n\n| a   |\n| --- |\n| 1   |\n\n100 % of them.\n"
        );
        let latex = r"
% \usepackage{booktabs}
\section*{Board, device}

\begin{itemize}
  \item {}[1] 5 W
\end{itemize}

\begin{table}
  \centering
  \caption{Errors, in \%}
  \begin{tabular}{l}
    \toprule
    a \\
    \midrule
    1 \\
    \bottomrule
  \end{tabular}
\end{table}

100 \% of them.
";
        assert_eq!(sheet.set(Setting::Latex), latex.trim_start());
    }
}
