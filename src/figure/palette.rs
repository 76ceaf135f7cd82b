//! What tells one series from another: colour, and for those who see or print none, marker, dashes and hatching.
//!
//! The colours are those of Okabe and Ito (<https://jfly.uni-koeln.de/color/>), which people with any colour vision tell apart, in an
//! order in which neighbours differ in lightness too; their yellow, which paper swallows, gives way to grey.

use super::canvas::{Area, Point};

/// A colour: red, green, blue.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Colour(pub u8, pub u8, pub u8);

impl Colour {
    /// Text and axes.
    pub const BLACK: Self = Self(0, 0, 0);
    /// The page.
    pub const WHITE: Self = Self(255, 255, 255);
    /// Lines of a grid.
    pub const GRID: Self = Self(224, 224, 224);
    /// Limits and references.
    pub const GREY: Self = Self(110, 110, 110);

    /// Relative lightness, 0 to 1 (the weights of ITU-R BT.601).
    fn lightness(self) -> f64 {
        let Self(red, green, blue) = self;
        (0.299 * f64::from(red) + 0.587 * f64::from(green) + 0.114 * f64::from(blue)) / 255.0
    }

    /// Half way to white.
    #[must_use]
    pub const fn pale(self) -> Self {
        let Self(red, green, blue) = self;
        Self(red / 2 + 128, green / 2 + 128, blue / 2 + 128)
    }

    /// Black or white, whichever shows on it.
    #[must_use]
    pub fn contrast(self) -> Self {
        if self.lightness() > 0.5 {
            Self::BLACK
        } else {
            Self::WHITE
        }
    }
}

/// The shape of a marker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Marker {
    /// ●
    Circle,
    /// ■
    Square,
    /// ▲
    Triangle,
    /// ◆
    Diamond,
    /// ▼
    Point,
    /// ✚
    Cross,
    /// ◀
    Left,
    /// ▶
    Right,
}

impl Marker {
    /// Its corners for a radius of one; none for a circle.
    #[must_use]
    pub const fn corners(self) -> Option<&'static [Point]> {
        Some(match self {
            Self::Circle => return None,
            Self::Square => &[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            Self::Triangle => &[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            Self::Diamond => &[(0.0, -1.3), (1.1, 0.0), (0.0, 1.3), (-1.1, 0.0)],
            Self::Point => &[(0.0, 1.2), (1.1, -0.8), (-1.1, -0.8)],
            Self::Cross => &[
                (-0.4, -1.2),
                (0.4, -1.2),
                (0.4, -0.4),
                (1.2, -0.4),
                (1.2, 0.4),
                (0.4, 0.4),
                (0.4, 1.2),
                (-0.4, 1.2),
                (-0.4, 0.4),
                (-1.2, 0.4),
                (-1.2, -0.4),
                (-0.4, -0.4),
            ],
            Self::Left => &[(-1.2, 0.0), (0.8, -1.1), (0.8, 1.1)],
            Self::Right => &[(1.2, 0.0), (-0.8, -1.1), (-0.8, 1.1)],
        })
    }
}

/// The hatching of an area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hatch {
    /// None.
    Plain,
    /// Lines that rise.
    Rising,
    /// Lines that fall.
    Falling,
    /// Lines across.
    Level,
    /// Lines that rise and lines that fall.
    Crossed,
    /// Lines up and down.
    Upright,
    /// Lines across and lines up and down.
    Net,
    /// Lines that rise, close together.
    Dense,
}

/// Between two lines of a hatching, points.
const HATCH_GAP: f64 = 3.5;

impl Hatch {
    /// The lines that hatch an area.
    #[must_use]
    pub fn lines(self, area: Area) -> Vec<(Point, Point)> {
        match self {
            Self::Plain => Vec::new(),
            Self::Rising => sloped(area, HATCH_GAP, true),
            Self::Dense => sloped(area, HATCH_GAP / 2.0, true),
            Self::Falling => sloped(area, HATCH_GAP, false),
            Self::Crossed => [sloped(area, HATCH_GAP, true), sloped(area, HATCH_GAP, false)].concat(),
            Self::Level => level(area),
            Self::Upright => upright(area),
            Self::Net => [level(area), upright(area)].concat(),
        }
    }
}

/// Multiples of `gap` strictly between two numbers: places that do not depend on the area, so that neighbours' lines meet.
fn between(low: f64, high: f64, gap: f64) -> impl Iterator<Item = f64> {
    let first = (low / gap).floor() + 1.0;
    (0..)
        .map(move |step| (first + f64::from(step)) * gap)
        .take_while(move |&at| at < high)
}

fn level(area: Area) -> Vec<(Point, Point)> {
    between(area.top, area.bottom, HATCH_GAP)
        .map(|y| ((area.left, y), (area.right, y)))
        .collect()
}

fn upright(area: Area) -> Vec<(Point, Point)> {
    between(area.left, area.right, HATCH_GAP)
        .map(|x| ((x, area.top), (x, area.bottom)))
        .collect()
}

/// Lines at 45 degrees, `x + y` constant if they rise, `x - y` if they fall, cut at the area's edges.
fn sloped(area: Area, gap: f64, rises: bool) -> Vec<(Point, Point)> {
    let gap = gap * std::f64::consts::SQRT_2;
    let Area {
        left,
        top,
        right,
        bottom,
    } = area;
    let sign = if rises { 1.0 } else { -1.0 };
    let (one, other) = (left + sign * top, left + sign * bottom);
    let low = one.min(other);
    let high = (right + sign * top).max(right + sign * bottom);
    between(low, high, gap)
        .map(|sum| {
            // y = sign · (sum - x)
            let y = |x: f64| sign * (sum - x);
            let x = |y: f64| sum - sign * y;
            let (from, to) = (x(top).clamp(left, right), x(bottom).clamp(left, right));
            ((from, y(from)), (to, y(to)))
        })
        .collect()
}

/// How a series looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// Its colour.
    pub colour: Colour,
    /// Its marker.
    pub marker: Marker,
    /// Whether the marker is filled.
    pub filled: bool,
    /// The pattern of its line.
    pub dash: &'static [f64],
    /// The hatching of its bars.
    pub hatch: Hatch,
}

/// The most series that looks tell apart: eight of them, and eight with hollow markers and other dashes.
pub const MOST_SERIES: usize = 16;

const COLOURS: [Colour; 8] = [
    Colour(0, 114, 178),
    Colour(230, 159, 0),
    Colour(0, 158, 115),
    Colour(213, 94, 0),
    Colour(86, 180, 233),
    Colour(204, 121, 167),
    Colour(0, 0, 0),
    Colour(153, 153, 153),
];

const MARKERS: [Marker; 8] = [
    Marker::Circle,
    Marker::Square,
    Marker::Triangle,
    Marker::Diamond,
    Marker::Point,
    Marker::Cross,
    Marker::Left,
    Marker::Right,
];

const DASHES: [&[f64]; 4] = [&[], &[4.0, 2.0], &[1.0, 1.5], &[5.0, 1.5, 1.0, 1.5]];

const HATCHES: [Hatch; 8] = [
    Hatch::Plain,
    Hatch::Rising,
    Hatch::Falling,
    Hatch::Level,
    Hatch::Crossed,
    Hatch::Upright,
    Hatch::Net,
    Hatch::Dense,
];

/// The look of the series with this number.
#[must_use]
pub fn look(series: usize) -> Look {
    let (round, at) = (series / COLOURS.len(), series % COLOURS.len());
    Look {
        colour: COLOURS[at],
        marker: MARKERS[at],
        filled: round.is_multiple_of(2),
        dash: DASHES[(at + round) % DASHES.len()],
        hatch: HATCHES[(at + round) % HATCHES.len()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_series_look_alike_even_in_grey() {
        for one in 0..MOST_SERIES {
            for other in 0..one {
                let (a, b) = (look(one), look(other));
                assert!(
                    (a.marker, a.filled) != (b.marker, b.filled),
                    "markers of {one} and {other}"
                );
                assert!((a.colour, a.hatch) != (b.colour, b.hatch), "bars of {one} and {other}");
            }
        }
    }

    #[test]
    fn hatching_stays_within_its_area() {
        let area = Area {
            left: 10.0,
            top: 20.0,
            right: 17.0,
            bottom: 60.0,
        };
        for hatch in HATCHES {
            for ((x, y), (to_x, to_y)) in hatch.lines(area) {
                for (x, y) in [(x, y), (to_x, to_y)] {
                    assert!((10.0 - 1e-9..=17.0 + 1e-9).contains(&x), "{hatch:?} {x}");
                    assert!((20.0 - 1e-9..=60.0 + 1e-9).contains(&y), "{hatch:?} {y}");
                }
            }
        }
    }
}
