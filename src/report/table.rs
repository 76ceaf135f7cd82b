//! The predictions as a table that sorts by a click on a column's title.

use crate::output::{Align, Compared, Record, compared};
use maud::{Markup, html};

/// All predictions.
pub(super) fn predictions(records: &[Record]) -> Markup {
    let columns = compared(records);
    sortable(&columns, records.len(), |at| (!records[at].fits).then_some("misfit"))
}

/// A table whose rows the script puts in order: by the numbers behind the cells, where there are any, else by their words.
fn sortable(columns: &[Compared], rows: usize, class: impl Fn(usize) -> Option<&'static str>) -> Markup {
    html! {
            p.hint { "A click on a title sorts by it; rates have their 90 % interval in parentheses." }
            div.wide {
                table.sortable {
                    thead {
                        tr { @for column in columns { th scope="col" aria-sort="none" class=[number(column)] { button type="button" { (column.title) } } } }
                    }
                    tbody {
                        @for at in 0..rows {
                            tr class=[class(at)] {
                                @for column in columns {
                                    @let (text, key) = &column.cells[at];
    td class=[number(column)] data-key=[key.filter(|key| key.is_finite())] { (cell(text)) }
                                }
                            }
                        }
                    }
                }
            }
        }
}

/// The text, an interval in parentheses on a line of its own.
fn cell(text: &str) -> Markup {
    html! {
        @match text.split_once(" (") {
            Some((value, range)) => { (value) " " span.range { "(" (range) } }
            None => (text),
        }
    }
}

fn number(column: &Compared) -> Option<&'static str> {
    (column.align == Align::Right).then_some("number")
}
