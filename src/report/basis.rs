//! What the numbers rest on: calibrations, devices, models, and what is noted of each prediction.

use super::Report;
use crate::calibration::{Calibration, Origin};
use crate::device::Device;
use crate::output::{Record, number};
use maud::{Markup, html};

/// Everything that a number of the page comes from.
pub(super) fn basis(report: &Report<'_>) -> Markup {
    html! {
        @if !report.calibrations.is_empty() {
            h3 { "Calibrations" }
            p { "Factors that no data sheet states, fitted to measurements. The error is the median on what a fit without it had to predict." }
            @for calibration in &report.calibrations { (calibrated(calibration)) }
        }
        @if !report.devices.is_empty() {
            h3 { "Devices" }
            @for device in &report.devices { (stated(device)) }
        }
        @if !report.models.is_empty() {
            h3 { "Models" }
            ul {
                @for model in &report.models {
                    li {
                        strong { (model.name) } " (" (model.id) "), " (number::count(model.parameters as f64)) " parameters: " (model.origin)
                        @if let Some(source) = &model.source { "; " (source) }
                    }
                }
            }
        }
        @if !report.records.is_empty() {
            h3 { "Notes on the predictions" }
            (notes(&report.records))
        }
    }
}

fn calibrated(calibration: &Calibration) -> Markup {
    let file = &calibration.file;
    html! {
        details {
            summary {
                strong { (calibration.id) } ", "
                @match file.origin { Origin::Device => "measured on the device", Origin::Class => { "of the class " (file.class) } }
                @for (phase, quality) in &file.quality {
                    ", " (phase.name()) " " (quality.points) " points"
                    @if let Some(error) = quality.held_out_error { " (" (number::percent(error)) ")" }
                }
            }
            p { (file.note) " Fitted " (file.date) "." }
            @if !file.sources.is_empty() { ul { @for source in &file.sources { li { (linked(source)) } } } }
        }
    }
}

fn stated(device: &Device) -> Markup {
    html! {
        details {
            summary { strong { (device.name) } " (" (device.id) ")" }
            @if let Some(note) = &device.note { p { (note) } }
            div.wide {
                table {
                    thead { tr { th scope="col" { "number" } th.number scope="col" { "value" } th scope="col" { "how it is known" } th scope="col" { "source" } } }
                    tbody {
                        @for fact in device.facts() {
                            @let source = device.sources.get(fact.source);
                            tr {
                                td { (fact.path.join(" ").replace('_', " ")) }
                                td.number { (number::quantity(fact.value, fact.unit)) }
                                td { @if let Some(source) = source { (source.evidence.name()) } }
                                td.source { @if let Some(source) = source { (linked(&source.text)) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// Notes with the predictions they are of; one of all of them is said once.
fn notes(records: &[Record]) -> Markup {
    let mut all: Vec<(&str, Vec<&Record>)> = Vec::new();
    for record in records {
        for note in &record.basis.notes {
            match all.iter_mut().find(|(known, _)| known == note) {
                Some((_, of)) => of.push(record),
                None => all.push((note, vec![record])),
            }
        }
    }
    html! {
        ul.notes {
            @for (note, of) in &all {
                li {
                    (note) " "
                    span.of {
                        @if of.len() == records.len() { "(all)" }
                        @else if of.len() > 6 { "(" (of.len()) " of " (records.len()) ")" }
                        @else { "(" @for (at, record) in of.iter().enumerate() { @if at > 0 { "; " } (record.model) ", " (record.precision) " on " (record.hardware) } ")" }
                    }
                }
            }
        }
    }
}

/// A text in which addresses are links. Only `https` and `http`, up to a space or a bracket, count as one.
fn linked(text: &str) -> Markup {
    let mut pieces: Vec<(bool, &str)> = Vec::new();
    let mut rest = text;
    while let Some(at) = [rest.find("https://"), rest.find("http://")]
        .into_iter()
        .flatten()
        .min()
    {
        let end = rest[at..]
            .find(|c: char| c.is_whitespace() || "()<>\"',;".contains(c))
            .map_or(rest.len(), |length| at + length);
        let address = rest[at..end].trim_end_matches(['.', ':']);
        pieces.push((false, &rest[..at]));
        pieces.push((true, address));
        rest = &rest[at + address.len()..];
    }
    pieces.push((false, rest));
    html! {
        @for (link, piece) in pieces {
            @if link { a href=(piece) rel="noreferrer" { (piece) } } @else { (piece) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::linked;

    #[test]
    fn addresses_are_links_and_nothing_else_is() {
        assert_eq!(
            linked("see https://a.b/c, (http://d.e). <b> javascript:alert(1)").into_string(),
            "see <a href=\"https://a.b/c\" rel=\"noreferrer\">https://a.b/c</a>, (<a href=\"http://d.e\" rel=\"noreferrer\">http://d.e</a>). &lt;b&gt; javascript:alert(1)"
        );
        assert_eq!(linked("https://").into_string().matches("<a").count(), 1);
    }
}
