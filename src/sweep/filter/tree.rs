//! From the text of a condition to a tree.

use super::FilterError;
use super::unit::{self, Dimension};
use crate::excerpt::Excerpt;
use std::ops::Range;
use winnow::ascii::{float, multispace0};
use winnow::combinator::{Infix, Prefix, alt, delimited, dispatch, expression, fail, opt, preceded};
use winnow::error::{ErrMode, ParserError};
use winnow::prelude::*;
use winnow::stream::{Location, Stream};
use winnow::token::{any, literal, one_of, take_while};
use winnow::{LocatingSlice, ModalResult};

/// The longest text of a condition, bytes.
const LONGEST: usize = 4096;
/// The most things that can be nested in one another.
const MOST_NESTED: usize = 128;

/// A part of a condition and where it stands.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Node {
    pub tree: Tree,
    pub span: Range<usize>,
}

impl Node {
    /// What a chain of `&&` or of `||` joins, from left to right.
    pub fn chain(&self) -> Vec<&Self> {
        let mut joined = Vec::new();
        let mut at = self;
        while let (Tree::Binary(operator, both), Tree::Binary(first, _)) = (&at.tree, &self.tree)
            && operator == first
        {
            joined.push(&both[1]);
            at = &both[0];
        }
        joined.push(at);
        joined.reverse();
        joined
    }

    /// How many things are nested in one another; a chain of `&&` or of `||` counts once.
    fn depth(&self) -> usize {
        let inner = match &self.tree {
            Tree::Number(..) | Tree::Text(_) | Tree::Name(_) => return 1,
            Tree::Not(inner) | Tree::Negate(inner) => inner.depth(),
            Tree::Binary(Binary::And | Binary::Or, _) => self.chain().into_iter().map(Self::depth).max().unwrap_or(0),
            Tree::Binary(_, both) => both[0].depth().max(both[1].depth()),
        };
        inner + 1
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    /// With what it is a number of, if it has a unit.
    Number(f64, Option<Dimension>),
    Text(String),
    Name(String),
    Not(Box<Node>),
    Negate(Box<Node>),
    Binary(Binary, Box<[Node; 2]>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Binary {
    And,
    Or,
    Compare(Comparison),
    Add,
    Subtract,
    Multiply,
    Divide,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

type Input<'t> = LocatingSlice<&'t str>;
type Parsed<O> = ModalResult<O, Fault>;

/// What was wrong, and where if that is not where the parser stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Fault {
    /// Something else was expected at this byte.
    Expected { what: &'static str, at: usize },
    /// A number has a unit that there is none of.
    Unit(Range<usize>),
}

impl<'t> ParserError<Input<'t>> for Fault {
    type Inner = Self;

    fn from_input(input: &Input<'t>) -> Self {
        Self::Expected {
            what: "a column, a number, a text in quotes or `(`",
            at: input.current_token_start(),
        }
    }

    fn into_inner(self) -> Result<Self, Self> {
        Ok(self)
    }
}

/// The tree of a condition.
pub(super) fn parse(text: &str) -> Result<Node, FilterError> {
    if text.len() > LONGEST {
        return Err(FilterError::TooLong { most: LONGEST });
    }
    if text.bytes().filter(|byte| matches!(byte, b'(' | b'!' | b'-')).count() > MOST_NESTED {
        return Err(FilterError::TooNested { most: MOST_NESTED });
    }
    let mut input = LocatingSlice::new(text);
    let parsed = either.parse_next(&mut input);
    let end = input.current_token_start();
    let fault = match parsed {
        Ok(node) if end == text.len() => {
            return if node.depth() > MOST_NESTED {
                Err(FilterError::TooNested { most: MOST_NESTED })
            } else {
                Ok(node)
            };
        }
        Ok(_) => Fault::Expected {
            what: "an operator (`&&`, `||`, `<`, `<=`, `>`, `>=`, `==`, `!=`, `+`, `-`, `*`, `/`)",
            at: end,
        },
        Err(ErrMode::Backtrack(fault) | ErrMode::Cut(fault)) => fault,
        Err(ErrMode::Incomplete(_)) => Fault::Expected {
            what: "more",
            at: text.len(),
        },
    };
    Err(match fault {
        Fault::Expected { what, at } => FilterError::Syntax {
            expected: what,
            cure: cure(&text[at..]),
            place: Excerpt::of(text, at..at + 1),
        },
        Fault::Unit(span) => FilterError::Unit {
            unit: text[span.clone()].to_owned(),
            place: Excerpt::of(text, span),
        },
    })
}

/// What may have been meant where another operator stands.
fn cure(rest: &str) -> &'static str {
    match rest.as_bytes() {
        [b'<' | b'>', ..] | [b'=' | b'!', b'=', ..] => {
            "; for two comparisons write for example `1 < prompt && prompt < 8`"
        }
        [b'=', ..] => "; write `==` for equal",
        [b'&', ..] => "; write `&&` for and",
        [b'|', ..] => "; write `||` for or",
        [b'"' | b'\'', ..] => "; a text ends with the quote that it began with",
        _ => "",
    }
}

fn either(input: &mut Input<'_>) -> Parsed<Node> {
    delimited(
        multispace0,
        expression(delimited(multispace0, operand, multispace0))
            .prefix(dispatch! {preceded(multispace0, any);
                '!' => Prefix(9, |input, node| Ok(prefixed(input, node, Tree::Not))),
                '-' => Prefix(15, |input, node| Ok(prefixed(input, node, Tree::Negate))),
                _ => fail,
            })
            .infix(infix),
        multispace0,
    )
    .parse_next(input)
}

fn infix<'t>(input: &mut Input<'t>) -> Parsed<Infix<Input<'t>, Node, ErrMode<Fault>>> {
    use Infix::{Left, Neither};
    alt((
        alt((
            literal("||").value(Left(1, |_, a, b| Ok(joined(Binary::Or, a, b)))),
            literal("&&").value(Left(3, |_, a, b| Ok(joined(Binary::And, a, b)))),
        )),
        alt((
            literal("<=").value(Neither(7, |_, a, b| Ok(compared(Comparison::LessOrEqual, a, b)))),
            literal(">=").value(Neither(7, |_, a, b| Ok(compared(Comparison::GreaterOrEqual, a, b)))),
            literal("==").value(Neither(7, |_, a, b| Ok(compared(Comparison::Equal, a, b)))),
            literal("!=").value(Neither(7, |_, a, b| Ok(compared(Comparison::NotEqual, a, b)))),
            literal("<").value(Neither(7, |_, a, b| Ok(compared(Comparison::Less, a, b)))),
            literal(">").value(Neither(7, |_, a, b| Ok(compared(Comparison::Greater, a, b)))),
        )),
        alt((
            literal("+").value(Left(11, |_, a, b| Ok(joined(Binary::Add, a, b)))),
            literal("-").value(Left(11, |_, a, b| Ok(joined(Binary::Subtract, a, b)))),
            literal("*").value(Left(13, |_, a, b| Ok(joined(Binary::Multiply, a, b)))),
            literal("/").value(Left(13, |_, a, b| Ok(joined(Binary::Divide, a, b)))),
        )),
    ))
    .parse_next(input)
}

fn prefixed(_: &Input<'_>, node: Node, tree: fn(Box<Node>) -> Tree) -> Node {
    let span = node.span.start.saturating_sub(1)..node.span.end;
    Node {
        tree: tree(Box::new(node)),
        span,
    }
}

fn joined(operator: Binary, a: Node, b: Node) -> Node {
    let span = a.span.start..b.span.end;
    Node {
        tree: Tree::Binary(operator, Box::new([a, b])),
        span,
    }
}

fn compared(comparison: Comparison, a: Node, b: Node) -> Node {
    joined(Binary::Compare(comparison), a, b)
}

fn operand(input: &mut Input<'_>) -> Parsed<Node> {
    let start = input.current_token_start();
    let tree = match input.as_ref().chars().next() {
        Some('(') => {
            any.void().parse_next(input)?;
            let inner = either(input).map_err(ErrMode::cut)?;
            let at = input.current_token_start();
            let closed: Option<char> = opt(one_of(')')).parse_next(input)?;
            if closed.is_none() {
                return Err(ErrMode::Cut(Fault::Expected {
                    what: "an operator or `)`",
                    at,
                }));
            }
            inner.tree
        }
        Some(quote @ ('"' | '\'')) => {
            let text = delimited(
                any,
                take_while(0.., move |c| c != quote),
                opt(one_of(quote)).verify(Option::is_some),
            );
            let text: &str = text
                .map(|text: &str| text)
                .parse_next(input)
                .map_err(|_: ErrMode<Fault>| {
                    ErrMode::Cut(Fault::Expected {
                        what: "the end of a text",
                        at: start,
                    })
                })?;
            Tree::Text(text.to_owned())
        }
        Some(c) if c.is_ascii_digit() || c == '.' => number(input)?,
        Some(c) if c.is_alphabetic() || c == '_' => {
            let name = take_while(1.., |c: char| c.is_alphanumeric() || c == '_').parse_next(input)?;
            Tree::Name(name.to_owned())
        }
        _ => return fail.parse_next(input),
    };
    Ok(Node {
        tree,
        span: start..input.previous_token_end(),
    })
}

/// A number, and what it is a number of.
fn number(input: &mut Input<'_>) -> Parsed<Tree> {
    // `1e3` is a thousand, and `1e` no number with a unit `e`.
    let number: f64 = float.parse_next(input).map_err(ErrMode::cut)?;
    multispace0.void().parse_next(input)?;
    let word = |c: char| c.is_alphabetic() || c == '%';
    let before = input.checkpoint();
    let start = input.current_token_start();
    let rate = (take_while(1.., word), '/', take_while(1.., char::is_alphabetic)).take();
    let found: Option<&str> = opt(rate).parse_next(input)?;
    if let Some((value, dimension)) = found.and_then(unit::value) {
        return Ok(Tree::Number(number * value, dimension));
    }
    input.reset(&before);
    match opt(take_while(1.., word)).parse_next(input)? {
        None => Ok(Tree::Number(number, None)),
        Some(unit) => match unit::value(unit) {
            Some((value, dimension)) => Ok(Tree::Number(number * value, dimension)),
            None => Err(ErrMode::Cut(Fault::Unit(start..start + unit.len()))),
        },
    }
}
