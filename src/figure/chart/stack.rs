//! Level bars, one below the other: each made of segments, or swinging to both sides of a base.

use super::CROSSED;
use crate::figure::FigureError;
use crate::figure::axis::Axis;
use crate::figure::canvas::{Anchor, Area, Canvas, Stroke, document};
use crate::figure::frame::{self, AXIS, Entry, Frame, GAP, LINE, Margins, Sample};
use crate::figure::page::{Page, TEXT_SIZE, text_width, wrap};
use crate::figure::palette::{Colour, Hatch};

/// Level bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Stack {
    /// The level axis.
    pub axis: Axis,
    /// What the segments are called, and how they look.
    pub legend: Vec<(String, Colour, Hatch)>,
    /// The bars, from the uppermost.
    pub rows: Vec<Row>,
    /// A line through all bars, and what it is called.
    pub base: Option<(f64, String)>,
}

/// A bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// What it is called.
    pub name: String,
    /// Its segments: the number of the legend's entry, and the two ends.
    pub segments: Vec<(usize, f64, f64)>,
    /// Ends of an interval.
    pub interval: Option<[f64; 2]>,
    /// Whether it is crossed out, as what does not fit in memory ([`CROSSED`]).
    pub crossed: bool,
}

/// Height of a bar and of the space to the next, points.
const BAR: (f64, f64) = (9.0, 5.0);
/// Share of the page that names may take.
const NAMES: f64 = 0.42;
/// Narrowest segment that is hatched and outlined, points.
const OUTLINED: f64 = 1.2;

impl Stack {
    /// The drawing.
    pub(crate) fn svg(&self, page: &Page) -> Result<String, FigureError> {
        let mut legend: Vec<Entry> = self
            .legend
            .iter()
            .map(|(name, colour, hatch)| (Sample::Bar(*colour, *hatch), name.clone()))
            .collect();
        let base_stroke = Stroke::solid(Colour::BLACK, 1.0);
        if let Some((_, name)) = &self.base {
            legend.push((Sample::Rule(base_stroke), name.clone()));
        }
        if self.rows.iter().any(|row| row.crossed) {
            legend.push((Sample::Cross, CROSSED.to_owned()));
        }
        let names: Vec<Vec<String>> = self
            .rows
            .iter()
            .map(|row| wrap(&row.name, TEXT_SIZE, NAMES * page.width))
            .collect();
        let heights: Vec<f64> = names
            .iter()
            .map(|lines| (lines.len() as f64 * LINE).max(BAR.0) + BAR.1)
            .collect();
        let widest = names
            .iter()
            .flatten()
            .map(|line| text_width(line, TEXT_SIZE))
            .fold(0.0, f64::max);
        let margins = Margins {
            left: widest + GAP,
            right: frame::LAST_LABEL,
            above: 0.0,
            below: frame::LEVEL_MARGIN,
        };
        let wanted = heights.iter().sum::<f64>() + BAR.1;
        let frame = Frame::new(page, legend, margins, wanted.max(40.0))?;
        let area = frame.area;
        // A page of a stated height shares it out.
        let stretch = area.height() / wanted;
        if stretch < 0.999 && heights.iter().any(|height| height * stretch < LINE) {
            let missing = (1.0 - stretch) * wanted;
            return Err(FigureError::PageTooSmall {
                width: page.width / 72.0,
                height: ((frame.height + missing) / 7.2).ceil() / 10.0,
            });
        }
        Ok(document(page, frame.height, |canvas| {
            frame.draw(canvas, page);
            frame::draw_level(canvas, &self.axis, area);
            let mut top = area.top + BAR.1 / 2.0 * stretch;
            for ((row, lines), height) in self.rows.iter().zip(&names).zip(&heights) {
                let middle = top + height * stretch / 2.0;
                let first = middle - (lines.len() as f64 - 1.0) / 2.0 * LINE;
                for (at, line) in lines.iter().enumerate() {
                    let place = (area.left - GAP, first + at as f64 * LINE);
                    canvas.text(line, place, TEXT_SIZE, Anchor::End);
                }
                self.draw_row(canvas, row, area, middle);
                top += height * stretch;
            }
            if let Some((base, _)) = &self.base {
                let x = frame::at_width(&self.axis, area, *base);
                canvas.line((x, area.top), (x, area.bottom), base_stroke);
            }
            frame::draw_box(canvas, area);
        }))
    }

    fn draw_row(&self, canvas: &mut Canvas<'_>, row: &Row, area: Area, middle: f64) {
        for &(entry, from, to) in &row.segments {
            let [from, to] = [from, to].map(|end| frame::at_width(&self.axis, area, end));
            let (left, right) = (from.min(to), from.max(to));
            if right - left < 0.05 {
                continue;
            }
            let (_, colour, hatch) = self.legend[entry];
            let (top, bottom) = (middle - BAR.0 / 2.0, middle + BAR.0 / 2.0);
            if right - left < OUTLINED {
                canvas.fill(&[(left, top), (right, top), (right, bottom), (left, bottom)], colour);
                continue;
            }
            let area = Area {
                left,
                top,
                right,
                bottom,
            };
            canvas.rectangle(area, colour, hatch);
        }
        if let Some(interval) = row.interval {
            let [low, high] = interval.map(|end| frame::at_width(&self.axis, area, end));
            canvas.line((low, middle), (high, middle), Stroke::solid(Colour::WHITE, 1.8));
            canvas.line((low, middle), (high, middle), AXIS);
            for end in [low, high] {
                canvas.line((end, middle - 2.0), (end, middle + 2.0), AXIS);
            }
        }
        if row.crossed {
            let end = row
                .segments
                .iter()
                .map(|&(.., end)| end)
                .fold(f64::NEG_INFINITY, f64::max);
            canvas.cross((frame::at_width(&self.axis, area, end), middle), frame::CROSS);
        }
    }
}
