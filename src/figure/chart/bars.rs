//! Grouped bars: panels side by side, in each groups, in each a bar for every series.

use super::Estimate;
use crate::figure::FigureError;
use crate::figure::axis::Axis;
use crate::figure::canvas::{Anchor, Area, Canvas, Stroke, document};
use crate::figure::frame::{self, AXIS, Frame, GAP, LINE, Margins, Sample};
use crate::figure::page::{Page, TEXT_SIZE, text_width, wrap};
use crate::figure::palette::{Colour, look};

/// Bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    /// The upright axis.
    pub axis: Axis,
    /// The names of the series; no legend if there is but one.
    pub series: Vec<String>,
    /// The panels.
    pub panels: Vec<Panel>,
}

/// A panel.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// Its heading; empty for none.
    pub name: String,
    /// Its groups.
    pub groups: Vec<Group>,
    /// A limit drawn across it.
    pub limit: Option<f64>,
}

/// A group of bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What it is called.
    pub name: String,
    /// A bar for every series; none where there is no value.
    pub bars: Vec<Option<Estimate>>,
}

/// Share of a group's width between two groups.
const BETWEEN_GROUPS: f64 = 0.25;
/// Width of a bar at most, points.
const WIDEST_BAR: f64 = 24.0;
/// A limit.
const LIMIT: Stroke = Stroke {
    colour: Colour::GREY,
    width: 0.9,
    dash: &[3.0, 2.0],
};
/// Lines that a name may take before it is turned, and after.
const MOST_LINES: usize = 3;
/// Length of a turned name beyond which it is broken, where its column has room for lines, points.
const LONG_NAME: f64 = 60.0;

/// Names set into columns of some width: in lines, or upwards where lines do not do.
struct Names {
    texts: Vec<Vec<String>>,
    upward: bool,
    height: f64,
}

impl Names {
    fn new(names: &[&str], widths: &[f64]) -> Self {
        let fits = |(name, width): (&&str, &f64)| {
            let words = name.split_inclusive([' ', '-', '_', '/']);
            words
                .map(|word| text_width(word.trim_end(), TEXT_SIZE))
                .fold(0.0, f64::max)
                <= *width
                && wrap(name, TEXT_SIZE, *width).len() <= MOST_LINES
        };
        if names.iter().zip(widths).all(fits) {
            let texts: Vec<Vec<String>> = names
                .iter()
                .zip(widths)
                .map(|(name, width)| wrap(name, TEXT_SIZE, *width))
                .collect();
            let lines = texts.iter().map(Vec::len).max().unwrap_or(0);
            return Self {
                texts,
                upward: false,
                height: lines as f64 * LINE,
            };
        }
        let texts: Vec<Vec<String>> = names
            .iter()
            .zip(widths)
            .map(|(name, width)| turned(name, ((width / LINE) as usize).min(MOST_LINES)))
            .collect();
        let lines = texts.iter().flatten();
        let height = lines.map(|line| text_width(line, TEXT_SIZE)).fold(0.0, f64::max);
        Self {
            texts,
            upward: true,
            height,
        }
    }

    /// Draws the name of this number around `x`, in the space between `top` and `top + height`, flush with the upper or lower end.
    fn draw(&self, canvas: &mut Canvas<'_>, number: usize, x: f64, top: f64, at_bottom: bool) {
        let lines = &self.texts[number];
        if self.upward {
            let (y, anchor) = if at_bottom {
                (top + self.height, Anchor::Start)
            } else {
                (top, Anchor::End)
            };
            for (line, text) in lines.iter().enumerate() {
                let x = x + (line as f64 - (lines.len() as f64 - 1.0) / 2.0) * LINE;
                canvas.upward(text, (x, y), TEXT_SIZE, anchor);
            }
            return;
        }
        let top = if at_bottom {
            top + self.height - lines.len() as f64 * LINE
        } else {
            top
        };
        for (line, text) in lines.iter().enumerate() {
            canvas.text(text, (x, top + (line as f64 + 0.5) * LINE), TEXT_SIZE, Anchor::Middle);
        }
    }
}

/// A turned name in at most so many lines, none of them longer than it takes.
fn turned(name: &str, lines: usize) -> Vec<String> {
    let whole = text_width(name, TEXT_SIZE);
    let mut width = LONG_NAME;
    while width < whole {
        let broken = wrap(name, TEXT_SIZE, width);
        if broken.len() <= lines {
            return broken;
        }
        width += 1.0;
    }
    vec![name.to_owned()]
}

impl Bars {
    /// The drawing.
    pub(crate) fn svg(&self, page: &Page) -> Result<String, FigureError> {
        let bottom_limits = self.panels.iter().filter_map(|panel| panel.limit);
        let limits = bottom_limits.filter(|&limit| limit <= self.axis.high()).count();
        let mut legend = Vec::new();
        if self.series.len() > 1 {
            legend.extend(self.series.iter().enumerate().map(|(at, name)| {
                let look = look(at);
                (Sample::Bar(look.colour, look.hatch), name.clone())
            }));
        }
        if limits > 0 {
            legend.push((Sample::Rule(LIMIT), "what the device leaves to users".to_owned()));
        }
        let bars = self.panels.iter().flat_map(|panel| &panel.groups);
        legend.extend(frame::crossed(bars.flat_map(|group| group.bars.iter().flatten())));
        // How high the plot will be decides the width of its axis' labels, and that how wide it is; 0.5 is near enough.
        let plot_height = 0.5 * page.width.min(360.0);
        let left = frame::left_margin(&self.axis, plot_height);
        let width = page.width - left - 8.0;
        let all_groups: usize = self.panels.iter().map(|panel| panel.groups.len()).sum();
        let panel_gap = if self.panels.len() > 1 { 4.0 } else { 0.0 };
        let group_width = (width - panel_gap * (self.panels.len().saturating_sub(1)) as f64) / all_groups.max(1) as f64;

        let group_names: Vec<&str> = self
            .panels
            .iter()
            .flat_map(|panel| panel.groups.iter().map(|group| group.name.as_str()))
            .collect();
        let groups = Names::new(&group_names, &vec![group_width - 2.0; all_groups]);
        let panel_names: Vec<&str> = self.panels.iter().map(|panel| panel.name.as_str()).collect();
        let panel_widths: Vec<f64> = self
            .panels
            .iter()
            .map(|panel| panel.groups.len() as f64 * group_width - 2.0)
            .collect();
        let headed = panel_names.iter().any(|name| !name.is_empty());
        let headings = Names::new(&panel_names, &panel_widths);
        let margins = Margins {
            left,
            right: 0.0,
            above: if headed { headings.height + GAP } else { 0.0 },
            below: GAP + groups.height,
        };
        let frame = Frame::new(page, legend, margins, plot_height)?;
        Ok(document(page, frame.height, |canvas| {
            frame.draw(canvas, page);
            let area = frame.area;
            frame::draw_upright(canvas, &self.axis, area);
            let mut left = area.left;
            let mut number = 0;
            for (at, panel) in self.panels.iter().enumerate() {
                let right = left + panel.groups.len() as f64 * group_width;
                let panel_area = Area { left, right, ..area };
                if at > 0 {
                    // The gap between two panels is blank.
                    let (gap, left) = (left - panel_gap + AXIS.width / 2.0, left - AXIS.width / 2.0);
                    canvas.fill(
                        &[
                            (gap, area.top - 1.0),
                            (left, area.top - 1.0),
                            (left, area.bottom + 1.0),
                            (gap, area.bottom + 1.0),
                        ],
                        Colour::WHITE,
                    );
                }
                if headed {
                    let top = area.top - GAP - headings.height;
                    headings.draw(canvas, at, (left + right) / 2.0, top, true);
                }
                for (of_panel, group) in panel.groups.iter().enumerate() {
                    let middle = left + (of_panel as f64 + 0.5) * group_width;
                    self.draw_group(canvas, group, panel_area, middle, group_width);
                    groups.draw(canvas, number, middle, area.bottom + GAP, false);
                    number += 1;
                }
                if let Some(limit) = panel.limit.filter(|&limit| limit <= self.axis.high()) {
                    let y = frame::at_height(&self.axis, area, limit);
                    canvas.line((left, y), (right, y), LIMIT);
                }
                frame::draw_box(canvas, panel_area);
                left = right + panel_gap;
            }
        }))
    }

    fn draw_group(&self, canvas: &mut Canvas<'_>, group: &Group, area: Area, middle: f64, width: f64) {
        let count = group.bars.len().max(1) as f64;
        let bar = (width * (1.0 - BETWEEN_GROUPS) / count).min(WIDEST_BAR);
        let base = if self.axis.is_logarithmic() {
            area.bottom
        } else {
            frame::at_height(&self.axis, area, 0.0)
        };
        if group.bars.iter().all(Option::is_none) {
            canvas.text("none", (middle, area.bottom - LINE), TEXT_SIZE, Anchor::Middle);
        }
        for (series, estimate) in group.bars.iter().enumerate() {
            let Some(estimate) = estimate else { continue };
            let left = middle + (series as f64 - count / 2.0) * bar;
            let look = look(series);
            let top = frame::at_height(&self.axis, area, estimate.value);
            canvas.rectangle(
                Area {
                    left,
                    top: top.min(base),
                    right: left + bar,
                    bottom: top.max(base),
                },
                look.colour,
                look.hatch,
            );
            if let Some([low, high]) = estimate.interval {
                let (x, cap) = (left + bar / 2.0, (bar / 4.0).min(2.5));
                let [low, high] = [low, high].map(|end| frame::at_height(&self.axis, area, end));
                // White around black, to show on any bar.
                canvas.line((x, low), (x, high), Stroke::solid(Colour::WHITE, 1.8));
                canvas.line((x, low), (x, high), AXIS);
                for end in [low, high] {
                    canvas.line((x - cap, end), (x + cap, end), AXIS);
                }
            }
            if estimate.crossed {
                // What has no height is crossed out above the axis.
                let radius = (bar / 2.0).min(frame::CROSS);
                canvas.cross((left + bar / 2.0, top.min(area.bottom - radius - 1.5)), radius);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::turned;

    #[test]
    fn long_names_are_broken_where_there_is_room_for_lines() {
        assert_eq!(turned("tinyllama", 3), ["tinyllama"]);
        assert_eq!(
            turned("edgeprofiler-deepseek-r1-1.5b", 2),
            ["edgeprofiler-", "deepseek-r1-1.5b"]
        );
        assert_eq!(
            turned("edgeprofiler-deepseek-r1-1.5b", 1),
            ["edgeprofiler-deepseek-r1-1.5b"]
        );
        assert_eq!(
            turned("edgeprofiler-deepseek-r1-1.5b", 0),
            ["edgeprofiler-deepseek-r1-1.5b"]
        );
    }
}
