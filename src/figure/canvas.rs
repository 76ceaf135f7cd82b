//! What a figure is drawn on: plotters' SVG backend, spoken to in points.
//!
//! The backend counts in whole units; a twentieth of a point is finer than any printer. Its texts are `<text>`, so that a reader can
//! select them and a journal can set them in its own type.

use super::page::{FONT, Page};
use super::palette::{Colour, Hatch, Marker};
use plotters::prelude::{DrawingBackend, RGBColor, SVGBackend, ShapeStyle};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontFamily, FontStyle, FontTransform, IntoFont, TextStyle};

/// Units of the drawing in a point.
const UNITS: f64 = 20.0;
/// The backend divides the size of a type by this.
const BACKEND_TYPE_RATIO: f64 = 1.24;

/// A place, points from the upper left corner.
pub type Point = (f64, f64);

/// A rectangle, points from the upper left corner.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Area {
    /// Left edge.
    pub left: f64,
    /// Upper edge.
    pub top: f64,
    /// Right edge.
    pub right: f64,
    /// Lower edge.
    pub bottom: f64,
}

impl Area {
    /// Its width.
    #[must_use]
    pub fn width(&self) -> f64 {
        self.right - self.left
    }

    /// Its height.
    #[must_use]
    pub fn height(&self) -> f64 {
        self.bottom - self.top
    }
}

/// A line's colour, width in points and pattern: lengths drawn and left out in turn, points; none for a line without gaps.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stroke {
    /// The colour.
    pub colour: Colour,
    /// The width, points.
    pub width: f64,
    /// Lengths drawn and left out in turn, points.
    pub dash: &'static [f64],
}

impl Stroke {
    /// A line without gaps.
    #[must_use]
    pub const fn solid(colour: Colour, width: f64) -> Self {
        Self {
            colour,
            width,
            dash: &[],
        }
    }
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Anchor {
    /// Its beginning.
    Start,
    /// Its middle.
    Middle,
    /// Its end.
    End,
}

/// A drawing under way.
pub struct Canvas<'a> {
    backend: SVGBackend<'a>,
}

#[allow(clippy::cast_possible_truncation)] // `as` saturates; a page is some inches wide
fn units(points: f64) -> i32 {
    (points * UNITS).round() as i32
}

#[allow(clippy::cast_sign_loss)] // clamped
fn length(points: f64) -> u32 {
    units(points).max(1) as u32
}

fn place((x, y): Point) -> (i32, i32) {
    (units(x), units(y))
}

fn shape(colour: Colour, width: f64) -> ShapeStyle {
    let Colour(red, green, blue) = colour;
    ShapeStyle {
        color: RGBColor(red, green, blue).to_rgba(),
        filled: true,
        stroke_width: length(width),
    }
}

/// The document that `draw` makes on a page of this height.
#[must_use]
pub fn document(page: &Page, height: f64, draw: impl FnOnce(&mut Canvas<'_>)) -> String {
    let mut text = String::new();
    let size = (length(page.width), length(height));
    {
        let mut canvas = Canvas {
            backend: SVGBackend::with_string(&mut text, size),
        };
        let (width, height) = (page.width, height);
        canvas.fill(
            &[(0.0, 0.0), (width, 0.0), (width, height), (0.0, height)],
            Colour::WHITE,
        );
        draw(&mut canvas);
        let _ = canvas.backend.present();
    }
    // The backend's size is one of its own units; on paper it is points.
    text.replacen(
        &format!("width=\"{}\" height=\"{}\"", size.0, size.1),
        &format!("width=\"{}pt\" height=\"{}pt\"", page.width, f64::from(size.1) / UNITS),
        1,
    )
}

// What draws into a String cannot fail, so the backend's results say nothing.
impl Canvas<'_> {
    /// A line through the points.
    pub fn path(&mut self, points: &[Point], stroke: Stroke) {
        let style = shape(stroke.colour, stroke.width);
        let pieces = if stroke.dash.is_empty() {
            vec![points.to_vec()]
        } else {
            dashes(points, stroke.dash)
        };
        for piece in pieces {
            if let [from, to] = piece[..] {
                let _ = self.backend.draw_line(place(from), place(to), &style);
            } else {
                let _ = self.backend.draw_path(piece.into_iter().map(place), &style);
            }
        }
    }

    /// A line from one point to another.
    pub fn line(&mut self, from: Point, to: Point, stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    /// A polygon.
    pub fn fill(&mut self, points: &[Point], colour: Colour) {
        let _ = self
            .backend
            .fill_polygon(points.iter().copied().map(place), &shape(colour, 1.0));
    }

    /// A rectangle with a hatching and an outline.
    pub fn rectangle(&mut self, area: Area, colour: Colour, hatch: Hatch) {
        let Area {
            left,
            top,
            right,
            bottom,
        } = area;
        let corners = [(left, top), (right, top), (right, bottom), (left, bottom), (left, top)];
        self.fill(&corners[..4], colour);
        for (from, to) in hatch.lines(area) {
            self.line(from, to, Stroke::solid(colour.contrast(), 0.5));
        }
        self.path(&corners, Stroke::solid(Colour::BLACK, 0.4));
    }

    /// A marker, filled or hollow.
    pub fn marker(&mut self, (x, y): Point, marker: Marker, colour: Colour, filled: bool, radius: f64) {
        let fill = if filled { colour } else { Colour::WHITE };
        let outline = Stroke::solid(
            if filled { Colour::WHITE } else { colour },
            if filled { 0.3 } else { 0.8 },
        );
        match marker.corners() {
            Some(corners) => {
                let mut corners: Vec<Point> = corners
                    .iter()
                    .map(|(dx, dy)| (x + radius * dx, y + radius * dy))
                    .collect();
                self.fill(&corners, fill);
                corners.push(corners[0]);
                self.path(&corners, outline);
            }
            None => {
                let _ = self
                    .backend
                    .draw_circle(place((x, y)), length(radius), &shape(fill, 1.0), true);
                let _ = self.backend.draw_circle(
                    place((x, y)),
                    length(radius),
                    &shape(outline.colour, outline.width),
                    false,
                );
            }
        }
    }

    /// A cross, black in white to show on anything.
    pub fn cross(&mut self, (x, y): Point, radius: f64) {
        let across = [
            ((x - radius, y - radius), (x + radius, y + radius)),
            ((x - radius, y + radius), (x + radius, y - radius)),
        ];
        for stroke in [Stroke::solid(Colour::WHITE, 2.0), Stroke::solid(Colour::BLACK, 0.9)] {
            for (from, to) in across {
                self.line(from, to, stroke);
            }
        }
    }

    /// A line of text, its middle at the height of the place.
    pub fn text(&mut self, text: &str, at: Point, size: f64, anchor: Anchor) {
        self.set(text, at, size, anchor, FontTransform::None);
    }

    /// A line of text that reads upwards.
    pub fn upward(&mut self, text: &str, at: Point, size: f64, anchor: Anchor) {
        self.set(text, at, size, anchor, FontTransform::Rotate270);
    }

    fn set(&mut self, text: &str, at: Point, size: f64, anchor: Anchor, transform: FontTransform) {
        let across = match anchor {
            Anchor::Start => HPos::Left,
            Anchor::Middle => HPos::Center,
            Anchor::End => HPos::Right,
        };
        let font = (
            FontFamily::Name(FONT),
            size * UNITS * BACKEND_TYPE_RATIO,
            FontStyle::Normal,
        )
            .into_font()
            .transform(transform);
        let Colour(red, green, blue) = Colour::BLACK;
        let ink = RGBColor(red, green, blue);
        let style = TextStyle::from(font).color(&ink).pos(Pos::new(across, VPos::Center));
        let _ = self.backend.draw_text(text, &style, place(at));
    }
}

/// The pieces of a line that a pattern draws.
fn dashes(points: &[Point], pattern: &[f64]) -> Vec<Vec<Point>> {
    let mut pieces = Vec::new();
    let (mut turn, mut left) = (0, pattern[0]);
    let mut piece: Vec<Point> = points.first().copied().into_iter().collect();
    for pair in points.windows(2) {
        let [(mut x, mut y), (to_x, to_y)] = [pair[0], pair[1]];
        loop {
            let rest = (to_x - x).hypot(to_y - y);
            if rest <= left {
                left -= rest;
                piece.push((to_x, to_y));
                break;
            }
            (x, y) = (x + (to_x - x) * left / rest, y + (to_y - y) * left / rest);
            piece.push((x, y));
            if turn % 2 == 0 {
                pieces.push(std::mem::take(&mut piece));
            }
            piece = vec![(x, y)];
            turn += 1;
            left = pattern[turn % pattern.len()];
        }
    }
    if turn % 2 == 0 && piece.len() > 1 {
        pieces.push(piece);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_goes_round_corners() {
        // Ten points of line, four drawn and two not: 0 to 4, 6 to 10; the corner lies at 5.
        let line = [(0.0, 0.0), (5.0, 0.0), (5.0, 5.0)];
        let pieces = dashes(&line, &[4.0, 2.0]);
        assert_eq!(pieces, [vec![(0.0, 0.0), (4.0, 0.0)], vec![(5.0, 1.0), (5.0, 5.0)]]);
    }
}
