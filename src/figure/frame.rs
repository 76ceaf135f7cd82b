//! What all charts share: the title if one is asked for, the legend above the plot where it covers nothing, axes with their grid.

use super::FigureError;
use super::axis::{Axis, Tick};
use super::canvas::{Anchor, Area, Canvas, Stroke};
use super::chart::{CROSSED, Estimate};
use super::page::{LEADING, POINTS_PER_INCH, Page, TEXT_SIZE, TITLE_SIZE, text_width, wrap};
use super::palette::{Colour, Hatch, Look};

/// Between the page's edge and anything drawn, points.
const EDGE: f64 = 4.0;
/// Between a label and what it belongs to, points.
pub const GAP: f64 = 3.0;
/// Length of a tick, points.
const TICK: f64 = 3.0;
/// Size of a legend's sample, points.
const SAMPLE: (f64, f64) = (16.0, 7.0);
/// Between two columns of a legend, points.
const COLUMN_GAP: f64 = 10.0;
/// The least height of a plot, points.
const LEAST_HEIGHT: f64 = 36.0;
/// The least width of a plot, points.
const LEAST_WIDTH: f64 = 50.0;
/// From one line of text to the next, points.
pub const LINE: f64 = TEXT_SIZE * LEADING;

/// Lines of a grid.
pub const GRID: Stroke = Stroke::solid(Colour::GRID, 0.4);
/// Axes.
pub const AXIS: Stroke = Stroke::solid(Colour::BLACK, 0.6);

/// What stands before the text of a legend's entry.
#[derive(Debug, Clone, PartialEq)]
pub enum Sample {
    /// A bar of a series.
    Bar(Colour, Hatch),
    /// A line, a marker, or both.
    Line {
        /// The look of the series.
        look: Look,
        /// Whether its points are joined.
        line: bool,
        /// Whether its points are marked.
        marker: bool,
    },
    /// A reference.
    Rule(Stroke),
    /// What crosses out.
    Cross,
    /// A short text that marks a point.
    Text(String),
}

/// An entry of a legend.
pub type Entry = (Sample, String);

/// A sample and the lines of its text.
type Broken = (Sample, Vec<String>);

/// Whether two entries are of one kind: bars and lines, markers, references, numbers.
fn alike((a, _): &Broken, (b, _): &Broken) -> bool {
    let kind = |sample: &Sample| match sample {
        Sample::Bar(..) | Sample::Line { line: true, .. } => 0,
        Sample::Line { line: false, .. } => 1,
        Sample::Rule(_) | Sample::Cross => 2,
        Sample::Text(_) => 3,
    };
    kind(a) == kind(b)
}

/// A legend: grids, one below the other.
struct Legend(Vec<Grid>);

impl Legend {
    /// A grid for each kind of entry, so that a long one of another kind widens no column; one for all where that saves lines.
    fn new(entries: Vec<Entry>, width: f64) -> Self {
        let room = width - SAMPLE.0 - GAP;
        let entries: Vec<Broken> = entries
            .into_iter()
            .map(|(sample, text)| (sample, wrap(&text, TEXT_SIZE, room)))
            .collect();
        let apart = entries.chunk_by(alike).map(|kind| Grid::new(kind.to_vec(), width));
        let apart = Self(apart.collect());
        let together = Self(vec![Grid::new(entries, width)]);
        if together.height() < apart.height() {
            together
        } else {
            apart
        }
    }

    fn height(&self) -> f64 {
        self.0.iter().map(Grid::height).sum()
    }

    fn draw(&self, canvas: &mut Canvas<'_>, left: f64, mut top: f64) {
        for grid in &self.0 {
            grid.draw(canvas, left, top);
            top += grid.height();
        }
    }
}

/// Entries set in columns.
struct Grid {
    entries: Vec<Broken>,
    /// Width of each column with the gap behind it.
    columns: Vec<f64>,
}

impl Grid {
    fn new(entries: Vec<Broken>, width: f64) -> Self {
        let widths: Vec<f64> = entries
            .iter()
            .map(|(_, lines)| {
                let widest = lines.iter().map(|line| text_width(line, TEXT_SIZE)).fold(0.0, f64::max);
                SAMPLE.0 + GAP + widest + COLUMN_GAP
            })
            .collect();
        // As many columns as there is room for; the last one needs no gap behind it.
        let columns = (1..=entries.len())
            .rev()
            .map(|count| columns(&widths, count))
            .find(|columns| columns.len() == 1 || columns.iter().sum::<f64>() - COLUMN_GAP <= width)
            .unwrap_or_default();
        Self { entries, columns }
    }

    /// Entries of each row.
    fn rows(&self) -> impl Iterator<Item = &[Broken]> {
        self.entries.chunks(self.columns.len().max(1))
    }

    fn row_height(row: &[Broken]) -> f64 {
        let lines = row.iter().map(|(_, lines)| lines.len()).max().unwrap_or(0);
        lines as f64 * LINE + 1.5
    }

    fn height(&self) -> f64 {
        self.rows().map(Self::row_height).sum()
    }

    fn draw(&self, canvas: &mut Canvas<'_>, left: f64, mut top: f64) {
        for row in self.rows() {
            let mut x = left;
            for ((sample, lines), width) in row.iter().zip(&self.columns) {
                draw_sample(canvas, sample, x, top + LINE / 2.0);
                for (line, text) in lines.iter().enumerate() {
                    let at = (x + SAMPLE.0 + GAP, top + (line as f64 + 0.5) * LINE);
                    canvas.text(text, at, TEXT_SIZE, Anchor::Start);
                }
                x += width;
            }
            top += Self::row_height(row);
        }
    }
}

/// Widths of columns into which entries of these widths are set row by row.
fn columns(widths: &[f64], count: usize) -> Vec<f64> {
    (0..count)
        .map(|column| widths.iter().skip(column).step_by(count).copied().fold(0.0, f64::max))
        .collect()
}

fn draw_sample(canvas: &mut Canvas<'_>, sample: &Sample, x: f64, y: f64) {
    let (right, middle) = (x + SAMPLE.0, x + SAMPLE.0 / 2.0);
    match sample {
        &Sample::Bar(colour, hatch) => {
            let (top, bottom) = (y - SAMPLE.1 / 2.0, y + SAMPLE.1 / 2.0);
            let area = Area {
                left: x,
                top,
                right,
                bottom,
            };
            canvas.rectangle(area, colour, hatch);
        }
        Sample::Line { look, line, marker } => {
            if *line {
                canvas.line((x, y), (right, y), series_stroke(look));
            }
            if *marker {
                canvas.marker((middle, y), look.marker, look.colour, look.filled, MARKER);
            }
        }
        &Sample::Rule(stroke) => canvas.line((x, y), (right, y), stroke),
        Sample::Cross => canvas.cross((middle, y), CROSS),
        Sample::Text(text) => canvas.text(text, (right, y), TEXT_SIZE, Anchor::End),
    }
}

/// Radius of a marker, points.
pub const MARKER: f64 = 2.2;

/// Half the width of a cross, points.
pub const CROSS: f64 = 2.4;

/// What a cross says, if there is one.
pub fn crossed<'a>(mut estimates: impl Iterator<Item = &'a Estimate>) -> Option<Entry> {
    let any = estimates.any(|estimate| estimate.crossed);
    any.then(|| (Sample::Cross, CROSSED.to_owned()))
}

/// The line of a series.
#[must_use]
pub const fn series_stroke(look: &Look) -> Stroke {
    Stroke {
        colour: look.colour,
        width: 1.0,
        dash: look.dash,
    }
}

/// What a chart needs around its plot, points.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Margins {
    /// Left of the plot: labels and title of an axis.
    pub left: f64,
    /// Right of the plot.
    pub right: f64,
    /// Above the plot, below the legend.
    pub above: f64,
    /// Below the plot: labels and title of an axis.
    pub below: f64,
}

/// A page laid out: where the plot lies, and what stands around it.
pub struct Frame {
    /// The plot.
    pub area: Area,
    /// The height of the page.
    pub height: f64,
    title: Vec<String>,
    legend: Legend,
}

impl Frame {
    /// Lays out a page: what must stand around the plot takes its place, and the plot the rest; a page without a height is as high
    /// as `plot_height` asks for.
    ///
    /// # Errors
    /// [`FigureError::PageTooSmall`] where no plot remains.
    pub fn new(page: &Page, legend: Vec<Entry>, margins: Margins, plot_height: f64) -> Result<Self, FigureError> {
        let inner = page.width - 2.0 * EDGE;
        let title = page
            .title
            .as_ref()
            .map_or_else(Vec::new, |title| wrap(title, TITLE_SIZE, inner));
        let legend = Legend::new(legend, inner);
        let mut top = EDGE + title.len() as f64 * TITLE_SIZE * LEADING + legend.height();
        if legend.height() > 0.0 {
            top += GAP;
        }
        top += margins.above.max(TEXT_SIZE / 2.0);
        let below = margins.below + EDGE;
        let height = page.height.unwrap_or(top + plot_height + below);
        let area = Area {
            left: EDGE + margins.left,
            top,
            right: page.width - EDGE - margins.right,
            bottom: height - below,
        };
        if area.width() < LEAST_WIDTH || area.height() < LEAST_HEIGHT {
            let inches = |points: f64| (points / POINTS_PER_INCH * 10.0).ceil() / 10.0;
            return Err(FigureError::PageTooSmall {
                width: inches(page.width.max(2.0 * EDGE + margins.left + margins.right + LEAST_WIDTH)),
                height: inches(top + LEAST_HEIGHT + below),
            });
        }
        Ok(Self {
            area,
            height,
            title,
            legend,
        })
    }

    /// Draws title and legend.
    pub fn draw(&self, canvas: &mut Canvas<'_>, page: &Page) {
        let mut top = EDGE;
        for line in &self.title {
            let at = (page.width / 2.0, top + TITLE_SIZE * LEADING / 2.0);
            canvas.text(line, at, TITLE_SIZE, Anchor::Middle);
            top += TITLE_SIZE * LEADING;
        }
        self.legend.draw(canvas, EDGE, top);
    }
}

/// Ticks of an upright axis of this length. Those of a logarithmic one stand at unequal distances; closer, 2 and 5 are written too.
fn upright_ticks(axis: &Axis, length: f64) -> Vec<Tick> {
    let apart = if axis.is_logarithmic() { 1.6 } else { 2.2 };
    axis.ticks((length / (apart * LINE)) as usize)
}

/// Ticks of a level axis of this length: as many as leave room between their labels.
fn level_ticks(axis: &Axis, length: f64) -> Vec<Tick> {
    let mut ticks = Vec::new();
    for most in (2..=10).rev() {
        ticks = axis.ticks(most);
        let spans: Vec<(f64, f64)> = ticks
            .iter()
            .filter_map(|tick| {
                let half = text_width(tick.label.as_ref()?, TEXT_SIZE) / 2.0;
                let middle = axis.share(tick.at) * length;
                Some((middle - half, middle + half))
            })
            .collect();
        if spans.windows(2).all(|pair| pair[1].0 - pair[0].1 >= 5.0) {
            break;
        }
    }
    ticks
}

/// Lines of an upright axis' title: one, unless the plot is too low for it.
fn upright_title(axis: &Axis, length: f64) -> Vec<String> {
    wrap(&axis.heading(), TITLE_SIZE, length + 2.0 * LINE)
}

/// Space left of the plot for an upright axis, should the plot be this high.
#[must_use]
pub fn left_margin(axis: &Axis, length: f64) -> f64 {
    let widest = upright_ticks(axis, length)
        .iter()
        .filter_map(|tick| tick.label.as_ref())
        .map(|label| text_width(label, TEXT_SIZE))
        .fold(0.0, f64::max);
    upright_title(axis, length).len() as f64 * TITLE_SIZE * LEADING + GAP + widest + GAP + TICK
}

/// Space below the plot for a level axis.
pub const LEVEL_MARGIN: f64 = TICK + GAP + LINE + GAP + TITLE_SIZE * LEADING;
/// Space right of the plot for half of a level axis' last label.
pub const LAST_LABEL: f64 = 10.0;

/// Where a value of an upright axis stands.
#[must_use]
pub fn at_height(axis: &Axis, area: Area, value: f64) -> f64 {
    area.bottom - axis.share(value) * area.height()
}

/// Where a value of a level axis stands.
#[must_use]
pub fn at_width(axis: &Axis, area: Area, value: f64) -> f64 {
    area.left + axis.share(value) * area.width()
}

/// An upright axis with its grid, labels and title.
pub fn draw_upright(canvas: &mut Canvas<'_>, axis: &Axis, area: Area) {
    for tick in upright_ticks(axis, area.height()) {
        let y = at_height(axis, area, tick.at);
        let long = if tick.label.is_some() { TICK } else { TICK / 2.0 };
        if let Some(label) = &tick.label {
            canvas.line((area.left, y), (area.right, y), GRID);
            canvas.text(label, (area.left - TICK - GAP, y), TEXT_SIZE, Anchor::End);
        }
        canvas.line((area.left - long, y), (area.left, y), AXIS);
    }
    let lines = upright_title(axis, area.height());
    let middle = (area.top + area.bottom) / 2.0;
    let longest = lines
        .iter()
        .map(|line| text_width(line, TITLE_SIZE))
        .fold(0.0, f64::max);
    // A title longer than the plot stands where the page ends, not beyond.
    let middle = middle.max(EDGE + longest / 2.0);
    for (at, line) in lines.iter().enumerate() {
        let x = EDGE + (at as f64 + 0.5) * TITLE_SIZE * LEADING;
        canvas.upward(line, (x, middle), TITLE_SIZE, Anchor::Middle);
    }
}

/// A level axis with its grid, labels and title.
pub fn draw_level(canvas: &mut Canvas<'_>, axis: &Axis, area: Area) {
    for tick in level_ticks(axis, area.width()) {
        let x = at_width(axis, area, tick.at);
        let long = if tick.label.is_some() { TICK } else { TICK / 2.0 };
        if let Some(label) = &tick.label {
            canvas.line((x, area.top), (x, area.bottom), GRID);
            let y = area.bottom + TICK + GAP + LINE / 2.0;
            canvas.text(label, (x, y), TEXT_SIZE, Anchor::Middle);
        }
        canvas.line((x, area.bottom), (x, area.bottom + long), AXIS);
    }
    let y = area.bottom + LEVEL_MARGIN - TITLE_SIZE * LEADING / 2.0;
    let (text, middle) = (axis.heading(), (area.left + area.right) / 2.0);
    canvas.text(&text, (middle, y), TITLE_SIZE, Anchor::Middle);
}

/// The box around a plot.
pub fn draw_box(canvas: &mut Canvas<'_>, area: Area) {
    let Area {
        left,
        top,
        right,
        bottom,
    } = area;
    canvas.path(
        &[(left, top), (right, top), (right, bottom), (left, bottom), (left, top)],
        AXIS,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    fn legend(texts: &[&str], width: f64) -> Legend {
        let entries = texts.iter().map(|&text| (Sample::Cross, text.to_owned())).collect();
        Legend::new(entries, width)
    }

    fn columns_of(legend: &Legend) -> Vec<usize> {
        legend.0.iter().map(|grid| grid.columns.len()).collect()
    }

    #[test]
    fn one_long_entry_leaves_the_others_their_columns() {
        let long = "deepseek-r1-distill-qwen-1.5b";
        let texts = ["a", "b", "c", long, "e", "f", "g", "h"];
        let needed =
            3.0 * (SAMPLE.0 + GAP) + text_width(long, TEXT_SIZE) + 2.0 * (text_width("c", TEXT_SIZE) + COLUMN_GAP);
        assert_eq!(columns_of(&legend(&texts, needed + 5.0)), [3]);
        assert_eq!(columns_of(&legend(&texts, 80.0)), [1], "its lines are broken");
        assert_eq!(legend(&[], 80.0).height(), 0.0);
    }

    #[test]
    fn kinds_of_entries_have_columns_of_their_own_where_that_takes_no_more_lines() {
        let texts = |width| {
            let bar = Sample::Bar(Colour::BLACK, Hatch::Plain);
            let mut entries: Vec<Entry> = ["q8_0", "q6_k", "q4_0"]
                .map(|name| (bar.clone(), name.to_owned()))
                .into();
            entries.push((Sample::Rule(AXIS), "what the device leaves to users".to_owned()));
            columns_of(&Legend::new(entries, width))
        };
        assert_eq!(texts(220.0), [3, 1]);
        assert_eq!(texts(500.0), [4]);
    }
}
