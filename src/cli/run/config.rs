//! The file of an analysis: what all outputs share, and a section for each.

use clap::{Arg, Command};
use edgeprof::excerpt::Excerpt;
use std::fmt;
use std::ops::Range;
use std::path::{Component, Path};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// An analysis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analysis {
    /// What it is of.
    pub title: Option<String>,
    /// What is to be made, in order.
    pub jobs: Vec<Job>,
}

/// One output.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// The command and its arguments.
    pub arguments: Vec<String>,
    /// The file, relative to the analysis.
    pub output: String,
    /// Where the section begins.
    pub place: Range<usize>,
    /// Where each flag stands.
    pub places: Vec<(String, Range<usize>)>,
}

/// Why a file is no analysis.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigError {
    /// What is wrong.
    pub message: String,
    /// Where, if a place can be named.
    pub at: Option<Excerpt>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.at {
            Some(at) => write!(f, "line {}, column {}: {}\n{at}", at.line, at.column, self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// Keys at the top, but for the shared flags.
const TOP: [&str; 4] = ["title", "workload", "figure", "table"];
/// The flags that all outputs share, by their names in the file.
const SHARED: [(&str, &str); 3] = [("models", "model"), ("hardware", "hw"), ("precisions", "prec")];
/// The command whose flags `[workload]` may name.
const ASKS: &str = "predict";
/// Commands that make nothing of an analysis.
const NOT_MADE: [&str; 5] = ["run", "plot", "report", "calibrate", "man"];

/// A flag or argument of a command, with its values and its place.
struct Setting<'a> {
    arg: &'a Arg,
    values: Vec<String>,
    place: Range<usize>,
}

struct Reader<'t, 'c> {
    text: &'t str,
    cli: &'c Command,
}

/// Reads an analysis for the commands of `cli`.
pub fn parse(text: &str, cli: &Command) -> Result<Analysis, ConfigError> {
    let root = DeTable::parse(text).map_err(|error| ConfigError {
        message: error.message().trim_end().replace('\n', "; "),
        at: error.span().map(|span| Excerpt::of(text, span)),
    })?;
    Reader { text, cli }.analysis(root.get_ref())
}

impl<'c> Reader<'_, 'c> {
    fn fault(&self, place: Range<usize>, message: impl Into<String>) -> ConfigError {
        ConfigError {
            message: message.into(),
            at: Some(Excerpt::of(self.text, place)),
        }
    }

    fn analysis(&self, root: &DeTable<'_>) -> Result<Analysis, ConfigError> {
        let mut analysis = Analysis {
            title: None,
            jobs: Vec::new(),
        };
        let asks = self.command(ASKS, 0..0)?;
        let mut shared: Vec<Setting<'c>> = Vec::new();
        for (key, value) in root {
            let name: &str = key.get_ref();
            match name {
                "title" => analysis.title = Some(self.word(value)?),
                "workload" => {
                    let Some(table) = value.get_ref().as_table() else {
                        return Err(self.fault(value.span(), "`workload` is a table: [workload]"));
                    };
                    for (key, value) in table {
                        shared.extend(self.setting(asks, key, value)?);
                    }
                }
                "figure" | "table" | "report" => {}
                _ => match SHARED.iter().find(|(shared, _)| *shared == name) {
                    Some((_, flag)) => shared.extend(
                        find(asks, flag)
                            .map(|arg| {
                                Ok(Setting {
                                    arg,
                                    values: self.words(value)?,
                                    place: value.span(),
                                })
                            })
                            .transpose()?,
                    ),
                    None => {
                        let known = TOP.into_iter().chain(["report"]).chain(SHARED.map(|(name, _)| name));
                        return Err(self.fault(key.span(), unknown(name, "an analysis", known)));
                    }
                },
            }
        }
        for kind in ["figure", "table", "report"] {
            let Some(sections) = root.get(kind) else { continue };
            let Some(items) = sections.get_ref().as_array() else {
                return Err(self.fault(sections.span(), format!("there may be several: write [[{kind}]]")));
            };
            for item in items {
                let job = self.job(kind, item, &shared)?;
                let twice = analysis.jobs.iter().any(|other| other.output == job.output);
                if twice {
                    return Err(self.fault(job.place, format!("two outputs are called `{}`", job.output)));
                }
                analysis.jobs.push(job);
            }
        }
        if analysis.jobs.is_empty() {
            return Err(ConfigError {
                message: "it asks for nothing: it has no [[figure]], [[table]] or [[report]]".to_owned(),
                at: None,
            });
        }
        Ok(analysis)
    }

    fn job(&self, kind: &str, item: &Spanned<DeValue<'_>>, shared: &[Setting<'c>]) -> Result<Job, ConfigError> {
        let place = item.span();
        let Some(section) = item.get_ref().as_table() else {
            return Err(self.fault(place, format!("it is no section: write [[{kind}]]")));
        };
        let name = match (kind, section.get("command")) {
            ("figure", None) => "plot".to_owned(),
            ("report", None) => "report".to_owned(),
            ("table", None) => ASKS.to_owned(),
            ("table", Some(command)) => {
                let name = self.word(command)?;
                let made = self
                    .cli
                    .find_subcommand(&name)
                    .is_some_and(|command| find(command, "output").is_some());
                if !made || NOT_MADE.contains(&name.as_str()) {
                    return Err(self.fault(command.span(), format!("`{name}` is no command that makes a table")));
                }
                name
            }
            (_, Some(command)) => return Err(self.fault(command.span(), format!("a {kind} has no `command`"))),
            (_, None) => return Err(self.fault(place, "it is of no known kind")),
        };
        let command = self.command(&name, place.clone())?;
        if kind == "figure" && find(command, "figure").is_none() {
            return Err(self.fault(
                place,
                "this edgeprof was built without figures; build it with `--features figures`",
            ));
        }
        let mut output = None;
        let mut own: Vec<Setting<'c>> = Vec::new();
        for (key, value) in section {
            match (key.get_ref().as_ref(), kind) {
                ("command", _) => {}
                ("output", _) => output = Some(self.output(value)?),
                ("name", "figure") => own.extend(
                    find(command, "figure")
                        .map(|arg| {
                            Ok(Setting {
                                arg,
                                values: self.words(value)?,
                                place: value.span(),
                            })
                        })
                        .transpose()?,
                ),
                _ => own.extend(self.setting(command, key, value)?),
            }
        }
        let Some(output) = output else {
            return Err(self.fault(place, "it has no `output`, the file that it is written to"));
        };
        let said = |arg: &Arg| own.iter().any(|setting| setting.arg.get_id() == arg.get_id());
        let inherited = shared
            .iter()
            .filter_map(|setting| Some((find(command, setting.arg.get_long()?)?, setting)))
            .filter(|(arg, _)| !said(arg));
        let mut arguments = vec![name];
        let mut places = Vec::new();
        let mut positional: Vec<&Setting<'_>> = own.iter().filter(|setting| setting.arg.is_positional()).collect();
        positional.sort_by_key(|setting| setting.arg.get_index());
        arguments.extend(positional.iter().flat_map(|setting| setting.values.iter().cloned()));
        let flags = own.iter().filter(|setting| !setting.arg.is_positional());
        let mut flags: Vec<_> = inherited.chain(flags.map(|setting| (setting.arg, setting))).collect();
        // In the order of the command's own help.
        flags.sort_by_key(|(arg, _)| command.get_arguments().position(|other| other.get_id() == arg.get_id()));
        for (arg, setting) in flags {
            let long = arg.get_long().unwrap_or_default();
            places.push((long.to_owned(), setting.place.clone()));
            arguments.push(format!("--{long}"));
            if arg.get_action().takes_values() {
                arguments.push(setting.values.join(","));
            }
        }
        for setting in positional {
            places.push((setting.arg.get_id().to_string(), setting.place.clone()));
        }
        Ok(Job {
            arguments,
            output,
            place,
            places,
        })
    }

    fn command(&self, name: &str, place: Range<usize>) -> Result<&'c Command, ConfigError> {
        let command = self.cli.find_subcommand(name);
        command.ok_or_else(|| self.fault(place, format!("there is no command `{name}`")))
    }

    /// A key as the flag of the command that it is; none for a switch that is off.
    fn setting(
        &self,
        command: &'c Command,
        key: &Spanned<std::borrow::Cow<'_, str>>,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Option<Setting<'c>>, ConfigError> {
        let name: &str = key.get_ref();
        let long = name.replace('_', "-");
        let long = SHARED
            .iter()
            .find(|(shared, _)| *shared == long)
            .map_or(long.as_str(), |(_, flag)| flag);
        let Some(arg) = find(command, long).filter(|arg| !["help", "output"].contains(&arg.get_id().as_str())) else {
            let known = command
                .get_arguments()
                .filter(|arg| !["help", "output"].contains(&arg.get_id().as_str()));
            let known = known.map(|arg| arg.get_long().unwrap_or(arg.get_id().as_str()));
            let what = format!("`{}`", command.get_name());
            return Err(self.fault(key.span(), unknown(name, &what, known)));
        };
        let place = value.span();
        if !arg.get_action().takes_values() {
            return match value.get_ref().as_bool() {
                Some(true) => Ok(Some(Setting {
                    arg,
                    values: Vec::new(),
                    place,
                })),
                Some(false) => Ok(None),
                None => Err(self.fault(place, format!("`{name}` is true or false"))),
            };
        }
        let values = self.words(value)?;
        Ok(Some(Setting { arg, values, place }))
    }

    /// The texts of a value or of a list of them.
    fn words(&self, value: &Spanned<DeValue<'_>>) -> Result<Vec<String>, ConfigError> {
        match value.get_ref().as_array() {
            None => Ok(vec![self.word(value)?]),
            Some(items) if items.is_empty() => Err(self.fault(value.span(), "the list is empty")),
            Some(items) => items
                .iter()
                .map(|item| {
                    let word = self.word(item)?;
                    if word.contains(',') {
                        return Err(self.fault(item.span(), "in a list each name stands alone, without a comma"));
                    }
                    Ok(word)
                })
                .collect(),
        }
    }

    fn word(&self, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        match value.get_ref() {
            DeValue::String(text) => Ok(text.to_string()),
            DeValue::Integer(number) if number.radix() == 10 => Ok(number.as_str().replace('_', "")),
            DeValue::Float(number) => Ok(number.as_str().replace('_', "")),
            _ => Err(self.fault(value.span(), "a text or a number is expected here")),
        }
    }

    fn output(&self, value: &Spanned<DeValue<'_>>) -> Result<String, ConfigError> {
        let name = self.word(value)?;
        let inside = Path::new(&name)
            .components()
            .all(|part| matches!(part, Component::Normal(_)));
        if inside && !name.is_empty() {
            return Ok(name);
        }
        Err(self.fault(
            value.span(),
            "an output lies beside the analysis: a relative path without `..`",
        ))
    }
}

/// The argument of this flag, alias or position.
fn find<'c>(command: &'c Command, name: &str) -> Option<&'c Arg> {
    command.get_arguments().find(|arg| {
        let aliases = arg.get_all_aliases().unwrap_or_default();
        match arg.get_long() {
            Some(long) => long == name || aliases.contains(&name),
            None => arg.is_positional() && arg.get_id() == name,
        }
    })
}

/// The sentence of a key that is not known, with those that are.
fn unknown<'k>(key: &str, what: &str, known: impl Iterator<Item = &'k str>) -> String {
    let known: Vec<&str> = known.collect();
    let near = known
        .iter()
        .map(|name| (strsim::damerau_levenshtein(name, &key.replace('_', "-")), name))
        .filter(|(distance, _)| *distance <= 2)
        .min();
    match near {
        Some((_, name)) => format!("{what} has no `{key}`; did you mean `{name}`?"),
        None => format!("{what} has no `{key}`; it has {}", known.join(", ")),
    }
}
