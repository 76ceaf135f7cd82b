//! A condition with its names looked up and its kinds checked, ready for millions of rows.

use super::FilterError;
use super::tree::{Binary, Comparison, Node, Tree};
use super::unit::Dimension;
use crate::excerpt::Excerpt;
use crate::output::{Column, Record, Values};
use crate::sweep::named;
use std::cell::Cell;

/// What is true or false of a row, or neither.
#[derive(Debug, Clone)]
pub(super) enum Test {
    Always(bool),
    Column(fn(&Record) -> Option<bool>),
    Not(Box<Test>),
    All(Box<[Test]>),
    Any(Box<[Test]>),
    Numbers(Comparison, Number, Number),
    Texts(Comparison, Text, Text),
    /// Two tests come out alike, or differ.
    Alike(bool, Box<[Test; 2]>),
    /// Something applies, or does not.
    Applies(bool, Box<Value>),
}

/// A number of a row; NaN is none.
#[derive(Debug, Clone)]
pub(super) enum Number {
    Always(f64),
    Column(fn(&Record) -> Option<f64>),
    Whole(fn(&Record) -> Option<u64>),
    Negative(Box<Number>),
    Sum(Box<[Number; 2]>),
    Difference(Box<[Number; 2]>),
    Product(Box<[Number; 2]>),
    Quotient(Box<[Number; 2]>),
}

/// A text of a row.
#[derive(Debug, Clone)]
pub(super) enum Text {
    Always(String),
    Column(fn(&Record) -> Option<&str>),
}

/// Anything that a place can hold.
#[derive(Debug, Clone)]
pub(super) enum Value {
    Test(Test),
    /// With what it is a number of; none if that is left open.
    Number(Number, Option<Dimension>),
    Text(Text),
    None,
}

impl Comparison {
    fn holds<T: PartialOrd + ?Sized>(self, a: &T, b: &T) -> bool {
        match self {
            Self::Less => a < b,
            Self::LessOrEqual => a <= b,
            Self::Greater => a > b,
            Self::GreaterOrEqual => a >= b,
            Self::Equal => a == b,
            Self::NotEqual => a != b,
        }
    }
}

impl Number {
    #[allow(clippy::cast_precision_loss)] // bytes and tokens are far below 2^53
    fn of(&self, record: &Record) -> f64 {
        match self {
            Self::Always(number) => *number,
            Self::Column(get) => get(record).unwrap_or(f64::NAN),
            Self::Whole(get) => get(record).map_or(f64::NAN, |whole| whole as f64),
            Self::Negative(number) => -number.of(record),
            Self::Sum(both) => both[0].of(record) + both[1].of(record),
            Self::Difference(both) => both[0].of(record) - both[1].of(record),
            Self::Product(both) => both[0].of(record) * both[1].of(record),
            Self::Quotient(both) => match both[1].of(record) {
                0.0 => f64::NAN,
                divisor => both[0].of(record) / divisor,
            },
        }
    }
}

impl Text {
    fn of<'a>(&'a self, record: &'a Record) -> Option<&'a str> {
        match self {
            Self::Always(text) => Some(text),
            Self::Column(get) => get(record),
        }
    }
}

impl Value {
    fn applies(&self, record: &Record) -> bool {
        match self {
            Self::Test(test) => test.holds(record).is_some(),
            Self::Number(number, _) => !number.of(record).is_nan(),
            Self::Text(text) => text.of(record).is_some(),
            Self::None => false,
        }
    }

    const fn kind(&self) -> &'static str {
        match self {
            Self::Test(_) => "something true or false",
            Self::Number(..) => "a number",
            Self::Text(_) => "a text",
            Self::None => "none",
        }
    }
}

impl Test {
    /// Whether it is true of the row; none if that depends on something that does not apply.
    pub fn holds(&self, record: &Record) -> Option<bool> {
        match self {
            Self::Always(truth) => Some(*truth),
            Self::Column(get) => get(record),
            Self::Not(test) => test.holds(record).map(|truth| !truth),
            Self::All(tests) => joined(tests, record, true),
            Self::Any(tests) => joined(tests, record, false),
            Self::Numbers(comparison, a, b) => {
                let (a, b) = (a.of(record), b.of(record));
                (!a.is_nan() && !b.is_nan()).then(|| comparison.holds(&a, &b))
            }
            Self::Texts(comparison, a, b) => Some(comparison.holds(a.of(record)?, b.of(record)?)),
            Self::Alike(alike, both) => Some((both[0].holds(record)? == both[1].holds(record)?) == *alike),
            Self::Applies(applies, value) => Some(value.applies(record) == *applies),
        }
    }
}

/// Whether all tests are true (`all`), or any of them is: the first one that says otherwise decides, and without such a one any that
/// depends on what does not apply leaves it open.
fn joined(tests: &[Test], record: &Record, all: bool) -> Option<bool> {
    let mut truth = Some(all);
    for test in tests {
        match test.holds(record) {
            Some(one) if one != all => return Some(one),
            Some(_) => {}
            None => truth = None,
        }
    }
    truth
}

/// The condition of a tree, and whether it is about the ends of intervals.
pub(super) fn compile(text: &str, node: &Node) -> Result<(Test, bool), FilterError> {
    let compiler = Compiler {
        text,
        asks_intervals: Cell::new(false),
    };
    let test = compiler.test(node)?;
    Ok((test, compiler.asks_intervals.get()))
}

struct Compiler<'t> {
    text: &'t str,
    asks_intervals: Cell<bool>,
}

impl Compiler<'_> {
    fn place(&self, node: &Node) -> Excerpt {
        Excerpt::of(self.text, node.span.clone())
    }

    fn unwanted(&self, node: &Node, found: &Value, wanted: &'static str) -> FilterError {
        FilterError::Kind {
            found: found.kind(),
            wanted,
            place: self.place(node),
        }
    }

    fn test(&self, node: &Node) -> Result<Test, FilterError> {
        match self.value(node)? {
            Value::Test(test) => Ok(test),
            other => Err(self.unwanted(node, &other, "something true or false")),
        }
    }

    fn number(&self, node: &Node) -> Result<(Number, Option<Dimension>), FilterError> {
        match self.value(node)? {
            Value::Number(number, dimension) => Ok((number, dimension)),
            other => Err(self.unwanted(node, &other, "a number")),
        }
    }

    /// Two numbers that are compared, added or subtracted, and what both are numbers of.
    fn alike(
        &self,
        (a, of_a): (Number, Option<Dimension>),
        (b, of_b): (Number, Option<Dimension>),
        second: &Node,
    ) -> Result<(Box<[Number; 2]>, Option<Dimension>), FilterError> {
        match (of_a, of_b) {
            (Some(wanted), Some(found)) if wanted != found => Err(FilterError::Kind {
                found: found.number(),
                wanted: wanted.number(),
                place: self.place(second),
            }),
            _ => Ok((Box::new([a, b]), of_a.or(of_b))),
        }
    }

    fn value(&self, node: &Node) -> Result<Value, FilterError> {
        Ok(match &node.tree {
            Tree::Number(number, dimension) => Value::Number(Number::Always(*number), *dimension),
            Tree::Text(text) => Value::Text(Text::Always(text.clone())),
            Tree::Name(name) => self.name(name, node)?,
            Tree::Not(inner) => Value::Test(Test::Not(Box::new(self.test(inner)?))),
            Tree::Negate(inner) => {
                let (number, dimension) = self.number(inner)?;
                Value::Number(Number::Negative(Box::new(number)), dimension)
            }
            Tree::Binary(operator, both) => {
                let [a, b] = &**both;
                let tests = || {
                    node.chain()
                        .into_iter()
                        .map(|node| self.test(node))
                        .collect::<Result<_, _>>()
                };
                let alike = || self.alike(self.number(a)?, self.number(b)?, b);
                // What a product or a quotient is a number of is left open.
                let numbers = || Ok(Box::new([self.number(a)?.0, self.number(b)?.0]));
                match operator {
                    Binary::And => Value::Test(Test::All(tests()?)),
                    Binary::Or => Value::Test(Test::Any(tests()?)),
                    Binary::Add => alike().map(|(both, of)| Value::Number(Number::Sum(both), of))?,
                    Binary::Subtract => alike().map(|(both, of)| Value::Number(Number::Difference(both), of))?,
                    Binary::Multiply => Value::Number(Number::Product(numbers()?), None),
                    Binary::Divide => Value::Number(Number::Quotient(numbers()?), None),
                    Binary::Compare(comparison) => Value::Test(self.comparison(*comparison, a, b)?),
                }
            }
        })
    }

    fn name(&self, name: &str, node: &Node) -> Result<Value, FilterError> {
        match name {
            "true" => return Ok(Value::Test(Test::Always(true))),
            "false" => return Ok(Value::Test(Test::Always(false))),
            "none" => return Ok(Value::None),
            _ => {}
        }
        let column = Column::named(name).ok_or_else(|| FilterError::UnknownColumn {
            name: name.to_owned(),
            nearest: named::nearest(name),
            place: self.place(node),
        })?;
        if column.of_interval {
            self.asks_intervals.set(true);
        }
        Ok(match column.values {
            Values::Text(get) => Value::Text(Text::Column(get)),
            Values::Number(get) => Value::Number(Number::Column(get), Dimension::of_column(name)),
            Values::Whole(get) => Value::Number(Number::Whole(get), Dimension::of_column(name)),
            Values::Truth(get) => Value::Test(Test::Column(get)),
        })
    }

    fn comparison(&self, comparison: Comparison, a: &Node, b: &Node) -> Result<Test, FilterError> {
        let equal = match comparison {
            Comparison::Equal => Some(true),
            Comparison::NotEqual => Some(false),
            _ => None,
        };
        let left = self.value(a)?;
        let right = self.value(b).map_err(|error| match (&left, error) {
            (Value::Text(_), FilterError::UnknownColumn { .. }) => FilterError::Unquoted {
                text: self.text.get(b.span.clone()).unwrap_or_default().trim().to_owned(),
                place: self.place(b),
            },
            (_, error) => error,
        })?;
        match (left, right, equal) {
            (Value::Number(x, of_x), Value::Number(y, of_y), _) => {
                let ([x, y], _) = self.alike((x, of_x), (y, of_y), b).map(|(both, of)| (*both, of))?;
                Ok(Test::Numbers(comparison, x, y))
            }
            (Value::Text(a), Value::Text(b), _) => Ok(Test::Texts(comparison, a, b)),
            (Value::Test(a), Value::Test(b), Some(equal)) => Ok(Test::Alike(equal, Box::new([a, b]))),
            (value, Value::None, Some(equal)) | (Value::None, value, Some(equal)) => {
                Ok(Test::Applies(!equal, Box::new(value)))
            }
            (found @ (Value::Test(_) | Value::None), _, None) => Err(self.unwanted(a, &found, "a number or a text")),
            (left, found, _) => Err(self.unwanted(b, &found, left.kind())),
        }
    }
}
