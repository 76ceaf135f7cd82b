//! Points in the plane, joined or not, with intervals and references.

use super::Estimate;
use crate::figure::FigureError;
use crate::figure::axis::Axis;
use crate::figure::canvas::{Anchor, Area, Canvas, Point, Stroke, document};
use crate::figure::frame::{self, Entry, Frame, MARKER, Margins, Sample};
use crate::figure::page::{Page, TEXT_SIZE, text_width};
use crate::figure::palette::{Colour, Look};

/// A chart of lines or points.
#[derive(Debug, Clone, PartialEq)]
pub struct Lines {
    /// The level axis.
    pub x: Axis,
    /// The upright axis.
    pub y: Axis,
    /// References, drawn below the points.
    pub rules: Vec<Rule>,
    /// The points.
    pub series: Vec<Series>,
    /// Further entries of the legend.
    pub notes: Vec<Entry>,
    /// Height of the plot over its width.
    pub aspect: f64,
}

/// A series of points.
#[derive(Debug, Clone, PartialEq)]
pub struct Series {
    /// What it is called in the legend; empty for no entry.
    pub name: String,
    /// How it looks.
    pub look: Look,
    /// Whether its points are joined.
    pub joined: bool,
    /// Its points, in the order in which they are joined.
    pub points: Vec<Spot>,
}

/// A point.
#[derive(Debug, Clone, PartialEq)]
pub struct Spot {
    /// Across.
    pub x: f64,
    /// Up.
    pub y: Estimate,
    /// A short text beside it.
    pub label: Option<String>,
}

impl Spot {
    /// A point with an interval upwards.
    #[must_use]
    pub const fn new(x: f64, y: Estimate) -> Self {
        Self { x, y, label: None }
    }
}

/// A reference line through points in the axes' units.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// What it is called in the legend; empty for no entry.
    pub name: String,
    /// How it is drawn.
    pub stroke: Stroke,
    /// Its corners.
    pub points: Vec<Point>,
}

/// References tell themselves apart by their dashes, and beyond four of them by grey and black.
#[must_use]
pub fn rule_stroke(number: usize) -> Stroke {
    const DASHES: [&[f64]; 4] = [&[3.0, 2.0], &[], &[1.0, 1.5], &[6.0, 2.0, 1.0, 2.0]];
    Stroke {
        colour: if (number / DASHES.len()).is_multiple_of(2) {
            Colour::GREY
        } else {
            Colour::BLACK
        },
        width: 0.9,
        dash: DASHES[number % DASHES.len()],
    }
}

/// The part of a line from one point to another that lies in the area (Liang and Barsky's clipping); none if none does.
fn clip(area: Area, (x, y): Point, (to_x, to_y): Point) -> Option<(Point, Point)> {
    let (dx, dy) = (to_x - x, to_y - y);
    let (mut enter, mut leave) = (0.0_f64, 1.0_f64);
    for (towards, room) in [
        (-dx, x - area.left),
        (dx, area.right - x),
        (-dy, y - area.top),
        (dy, area.bottom - y),
    ] {
        if towards == 0.0 {
            if room < 0.0 {
                return None;
            }
        } else if towards < 0.0 {
            enter = enter.max(room / towards);
        } else {
            leave = leave.min(room / towards);
        }
    }
    (enter <= leave).then_some(((x + enter * dx, y + enter * dy), (x + leave * dx, y + leave * dy)))
}

impl Lines {
    /// The drawing.
    pub(crate) fn svg(&self, page: &Page) -> Result<String, FigureError> {
        let mut legend: Vec<Entry> = Vec::new();
        if self.series.iter().filter(|series| !series.name.is_empty()).count() > 1 || !self.notes.is_empty() {
            legend.extend(
                self.series
                    .iter()
                    .filter(|series| !series.name.is_empty())
                    .map(|series| {
                        let sample = Sample::Line {
                            look: series.look,
                            line: series.joined,
                            marker: true,
                        };
                        (sample, series.name.clone())
                    }),
            );
        }
        let named = self.rules.iter().filter(|rule| !rule.name.is_empty());
        legend.extend(named.map(|rule| (Sample::Rule(rule.stroke), rule.name.clone())));
        let spots = self.series.iter().flat_map(|series| &series.points);
        legend.extend(frame::crossed(spots.map(|spot| &spot.y)));
        legend.extend(self.notes.iter().cloned());
        let plot_height = self.aspect * (page.width - 40.0).min(400.0);
        let margins = Margins {
            left: frame::left_margin(&self.y, plot_height),
            right: frame::LAST_LABEL,
            above: 0.0,
            below: frame::LEVEL_MARGIN,
        };
        let frame = Frame::new(page, legend, margins, plot_height)?;
        Ok(document(page, frame.height, |canvas| {
            frame.draw(canvas, page);
            let area = frame.area;
            frame::draw_upright(canvas, &self.y, area);
            frame::draw_level(canvas, &self.x, area);
            for rule in &self.rules {
                self.draw_rule(canvas, rule, area);
            }
            frame::draw_box(canvas, area);
            for (number, series) in self.series.iter().enumerate() {
                self.draw_intervals(canvas, series, area, self.aside(number));
            }
            for (number, series) in self.series.iter().enumerate() {
                self.draw_series(canvas, series, area, self.aside(number));
            }
            self.draw_labels(canvas, area);
        }))
    }

    /// How far a series stands aside, points: lines with intervals at the same places stand side by side, or the intervals would hide
    /// each other.
    fn aside(&self, number: usize) -> f64 {
        const APART: f64 = 2.2;
        const ALL: f64 = 9.0;
        let lines = || self.series.iter().filter(|series| series.joined);
        let intervals = lines().any(|series| series.points.iter().any(|spot| spot.y.interval.is_some()));
        let gaps = lines().count().saturating_sub(1) as f64;
        if !intervals || gaps == 0.0 || !self.series[number].joined {
            return 0.0;
        }
        let before = self.series[..number].iter().filter(|series| series.joined).count() as f64;
        (before - gaps / 2.0) * APART.min(ALL / gaps)
    }

    fn place(&self, area: Area, x: f64, y: f64) -> Point {
        (frame::at_width(&self.x, area, x), frame::at_height(&self.y, area, y))
    }

    fn draw_rule(&self, canvas: &mut Canvas<'_>, rule: &Rule, area: Area) {
        let path = self.rule_path(rule, area);
        if path.len() > 1 {
            canvas.path(&path, rule.stroke);
        }
    }

    /// The part of a reference that lies in the plot.
    fn rule_path(&self, rule: &Rule, area: Area) -> Vec<Point> {
        // Beyond the axes a place is not clamped, or a slope would change.
        let free = |axis: &Axis, value: f64| {
            if axis.is_logarithmic() {
                (value / axis.low()).ln() / (axis.high() / axis.low()).ln()
            } else {
                (value - axis.low()) / (axis.high() - axis.low())
            }
        };
        let places: Vec<Point> = rule
            .points
            .iter()
            .map(|&(x, y)| {
                (
                    area.left + free(&self.x, x) * area.width(),
                    area.bottom - free(&self.y, y) * area.height(),
                )
            })
            .collect();
        let mut path: Vec<Point> = Vec::new();
        for pair in places.windows(2) {
            let Some((from, to)) = clip(area, pair[0], pair[1]) else {
                continue;
            };
            if path.last() != Some(&from) {
                path.push(from);
            }
            path.push(to);
        }
        path
    }

    fn draw_intervals(&self, canvas: &mut Canvas<'_>, series: &Series, area: Area, aside: f64) {
        const CAP: f64 = 1.5;
        /// Points beyond which intervals stand back.
        const CROWD: usize = 100;
        let many = self.series.iter().map(|series| series.points.len()).sum::<usize>() > CROWD;
        let colour = if many {
            series.look.colour.pale()
        } else {
            series.look.colour
        };
        let stroke = Stroke::solid(colour, 0.5);
        for spot in &series.points {
            let x = frame::at_width(&self.x, area, spot.x) + aside;
            let Some(interval) = spot.y.interval else { continue };
            let [low, high] = interval.map(|end| frame::at_height(&self.y, area, end));
            canvas.line((x, low), (x, high), stroke);
            if !many {
                for end in [low, high] {
                    canvas.line((x - CAP, end), (x + CAP, end), stroke);
                }
            }
        }
    }

    fn draw_series(&self, canvas: &mut Canvas<'_>, series: &Series, area: Area, aside: f64) {
        let places: Vec<Point> = series
            .points
            .iter()
            .map(|spot| self.place(area, spot.x, spot.y.value))
            .map(|(x, y)| (x + aside, y))
            .collect();
        if series.joined && places.len() > 1 {
            canvas.path(&places, frame::series_stroke(&series.look));
        }
        // A marker on every point of a fine curve would hide the line.
        let every = if series.joined { places.len().div_ceil(40) } else { 1 };
        for &at in places.iter().step_by(every.max(1)) {
            let look = series.look;
            canvas.marker(at, look.marker, look.colour, look.filled, MARKER);
        }
        for (spot, &at) in series.points.iter().zip(&places).step_by(every.max(1)) {
            if spot.y.crossed {
                canvas.cross(at, frame::CROSS);
            }
        }
    }

    /// The short texts, each beside its point where it covers no other point, text, interval or reference, if there is such a place.
    fn draw_labels(&self, canvas: &mut Canvas<'_>, area: Area) {
        const SIDES: [(f64, f64); 8] = [
            (1.0, -1.0),
            (-1.0, -1.0),
            (1.0, 1.0),
            (-1.0, 1.0),
            (1.0, 0.0),
            (-1.0, 0.0),
            (0.0, -1.3),
            (0.0, 1.3),
        ];
        let spots = || self.series.iter().flat_map(|series| &series.points);
        let mut taken: Vec<Area> = spots()
            .map(|spot| {
                let (x, y) = self.place(area, spot.x, spot.y.value);
                around((x, y), MARKER, MARKER)
            })
            .collect();
        taken.extend(spots().filter_map(|spot| {
            let [low, high] = spot.y.interval?;
            let ((x, bottom), (_, top)) = (self.place(area, spot.x, low), self.place(area, spot.x, high));
            Some(around((x, (bottom + top) / 2.0), 0.5, (bottom - top) / 2.0))
        }));
        for rule in &self.rules {
            taken.extend(along(&self.rule_path(rule, area)).map(|at| around(at, 0.75, 0.75)));
        }
        for spot in spots() {
            let Some(label) = &spot.label else { continue };
            let (x, y) = self.place(area, spot.x, spot.y.value);
            let (half, high) = (text_width(label, TEXT_SIZE) / 2.0, TEXT_SIZE * 0.42);
            let choices = SIDES.map(|(across, down)| {
                let middle = (x + across * (MARKER + half + 0.8), y + down * (MARKER + high));
                around(middle, half, high)
            });
            let within = |choice: &&Area| {
                choice.left > area.left
                    && choice.right < area.right
                    && choice.top > area.top
                    && choice.bottom < area.bottom
            };
            let overlap = |choice: &Area| taken.iter().map(|other| shared(choice, other)).sum::<f64>();
            let best = choices
                .iter()
                .filter(within)
                .min_by(|a, b| overlap(a).total_cmp(&overlap(b)))
                .copied()
                .unwrap_or(choices[0]);
            let middle = ((best.left + best.right) / 2.0, (best.top + best.bottom) / 2.0);
            canvas.text(label, middle, TEXT_SIZE, Anchor::Middle);
            taken.push(best);
        }
    }
}

/// Places along a line, a point or so apart.
fn along(path: &[Point]) -> impl Iterator<Item = Point> + '_ {
    path.windows(2).flat_map(|pair| {
        let [(x, y), (to_x, to_y)] = [pair[0], pair[1]];
        let steps = (to_x - x).hypot(to_y - y).ceil().max(1.0);
        (0..=steps as u32).map(move |step| {
            let share = f64::from(step) / steps;
            (x + (to_x - x) * share, y + (to_y - y) * share)
        })
    })
}

fn around((x, y): Point, half_width: f64, half_height: f64) -> Area {
    Area {
        left: x - half_width,
        top: y - half_height,
        right: x + half_width,
        bottom: y + half_height,
    }
}

/// The area that two areas share.
fn shared(a: &Area, b: &Area) -> f64 {
    let width = a.right.min(b.right) - a.left.max(b.left);
    let height = a.bottom.min(b.bottom) - a.top.max(b.top);
    width.max(0.0) * height.max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_end_at_the_plots_edges() {
        let area = around((5.0, 5.0), 5.0, 5.0);
        assert_eq!(clip(area, (-5.0, 5.0), (15.0, 5.0)), Some(((0.0, 5.0), (10.0, 5.0))));
        assert_eq!(clip(area, (2.0, 2.0), (3.0, 4.0)), Some(((2.0, 2.0), (3.0, 4.0))));
        assert_eq!(clip(area, (-5.0, 20.0), (15.0, 20.0)), None);
        // From (-2, 0) to (6, 8): enters at x = 0, y = 2.
        assert_eq!(clip(area, (-2.0, 0.0), (6.0, 8.0)), Some(((0.0, 2.0), (6.0, 8.0))));
    }
}
