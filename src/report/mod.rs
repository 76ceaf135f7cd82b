//! Predictions as one page of HTML that needs nothing else: what it comes to, a table that sorts, figures, and what each number rests on.
//!
//! The page loads nothing: style, script and drawings stand in it, and its content security policy forbids the rest. Names come from files
//! that anyone may have written; every text goes through the template's escaping.

mod basis;
mod summary;
mod table;

use crate::calibration::Calibration;
use crate::device::Device;
use crate::output::Record;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("sort.js");
/// What a browser may load for the page: nothing but what stands in it.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";

/// What a page is made of.
#[derive(Debug, Clone, Default)]
pub struct Report<'a> {
    /// The title; what was asked if it is empty.
    pub title: String,
    /// The command that makes the page again.
    pub command: String,
    /// The predictions.
    pub records: Vec<Record>,
    /// The figures.
    pub figures: Vec<Drawing>,
    /// What there is no figure of, and why.
    pub not_drawn: Vec<String>,
    /// The models.
    pub models: Vec<ModelSource<'a>>,
    /// The devices.
    pub devices: Vec<&'a Device>,
    /// The calibrations.
    pub calibrations: Vec<&'a Calibration>,
}

/// A figure of the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drawing {
    /// Its name, for a file.
    pub name: String,
    /// What it shows.
    pub caption: String,
    /// An SVG document.
    pub svg: String,
    /// Its data, CSV.
    pub csv: String,
}

/// Where a model's dimensions come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelSource<'a> {
    /// Its id.
    pub id: &'a str,
    /// Its name.
    pub name: &'a str,
    /// Number of parameters.
    pub parameters: u64,
    /// Where the entry comes from.
    pub origin: String,
    /// What the entry cites.
    pub source: Option<String>,
}

impl Report<'_> {
    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        let title = if self.title.is_empty() {
            self.asked()
        } else {
            self.title.clone()
        };
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(POLICY);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="generator" content={ "edgeprof " (crate::VERSION) };
                    title { (title) }
                    style { (PreEscaped(STYLE)) }
                }
                body {
                    header {
                        h1 { (title) }
                        @if let Some(record) = self.records.first() { p.work { (summary::work(record)) } }
                        nav { a href="#summary" { "Summary" } a href="#predictions" { "Predictions" } a href="#figures" { "Figures" } a href="#basis" { "What it rests on" } }
                    }
                    main {
                        section id="summary" { h2 { "Summary" } (summary::summary(&self.records)) }
                        section id="predictions" { h2 { "Predictions" } (table::predictions(&self.records)) }
                        section id="figures" { h2 { "Figures" } (self.drawings()) }
                        section id="basis" { h2 { "What it rests on" } (basis::basis(self)) }
                    }
                    footer {
                        p { "Made by edgeprof " (crate::VERSION) ". The same page again:" }
                        pre { code { (self.command) } }
                    }
                    script { (PreEscaped(SCRIPT)) }
                }
            }
        };
        page.into_string()
    }

    /// Models and devices, as far as a title holds them.
    fn asked(&self) -> String {
        let some = |names: Vec<&str>, what: &str| match names.len() {
            0..=3 => names.join(", "),
            many => format!("{many} {what}"),
        };
        let models = some(
            distinct(self.records.iter().map(|record| record.model.as_str())),
            "models",
        );
        let devices = some(
            distinct(self.records.iter().map(|record| record.hardware.as_str())),
            "devices",
        );
        format!("{models} on {devices}")
    }

    fn drawings(&self) -> Markup {
        html! {
            @for drawing in &self.figures {
                figure {
                    div.drawing role="img" aria-label=(drawing.caption) { (PreEscaped(&drawing.svg)) }
                    figcaption {
                        (drawing.caption) ". "
                        a.download download={ (drawing.name) ".csv" } href=(data("text/csv", &drawing.csv)) { "Data" } " "
                        a.download download={ (drawing.name) ".svg" } href=(data("image/svg+xml", &drawing.svg)) { "Drawing" }
                    }
                }
            }
            @if !self.not_drawn.is_empty() {
                ul.notes { @for reason in &self.not_drawn { li { (reason) } } }
            }
        }
    }
}

/// Each once, in the order of their first.
fn distinct<'a>(names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut kept = Vec::new();
    for name in names {
        if !kept.contains(&name) {
            kept.push(name);
        }
    }
    kept
}

/// A text as an address that holds it.
fn data(kind: &str, text: &str) -> String {
    use std::fmt::Write as _;
    let mut address = format!("data:{kind};charset=utf-8,");
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"-_.~,/".contains(&byte) {
            address.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _ = write!(address, "%{byte:02X}");
        }
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_addresses_hold_any_text() {
        assert_eq!(
            data("text/csv", "a,b\n\"µ\" "),
            "data:text/csv;charset=utf-8,a,b%0A%22%C2%B5%22%20"
        );
    }

    #[test]
    fn an_empty_report_is_a_page() {
        let page = Report::default().html();
        assert!(page.starts_with("<!DOCTYPE html>") && page.ends_with("</html>"));
    }

    #[test]
    fn no_text_is_markup() {
        let report = Report {
            title: "</title><script>alert(1)</script>".to_owned(),
            command: "edgeprof report --model '<b>'".to_owned(),
            not_drawn: vec!["<img src=x onerror=alert(1)>".to_owned()],
            models: vec![ModelSource {
                id: "\"><svg onload=alert(1)>",
                name: "<i>",
                parameters: 1,
                origin: "&".to_owned(),
                source: Some("<u>".to_owned()),
            }],
            ..Report::default()
        };
        let page = report.html();
        for tag in ["<script>alert", "<b>", "<img", "<svg", "<i>", "<u>"] {
            assert!(!page.contains(tag), "{tag}");
        }
    }
}
