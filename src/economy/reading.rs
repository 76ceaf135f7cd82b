//! How fast people read.

use std::str::FromStr;

/// Words of a token of English text (OpenAI, "What are tokens and how to count them?").
const WORDS_PER_TOKEN: f64 = 0.75;

/// Tokens per second at which text must appear so that its reader never waits.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ReadingSpeed(pub f64);

impl Default for ReadingSpeed {
    /// 5.3 tokens per second: an English reader's 4 words per second (Brysbaert 2019, doi:10.1016/j.jml.2019.104047), as Abstreiter,
    /// Tarkoma and Morabito (arXiv 2503.09114, section 6.2) round it.
    fn default() -> Self {
        Self(5.3)
    }
}

/// Why a text is no reading speed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no reading speed; write it as for example `5.3` (tokens/s), `4 words/s` or `240 wpm`")]
pub struct ReadingSpeedError {
    /// as written
    text: String,
}

impl FromStr for ReadingSpeed {
    type Err = ReadingSpeedError;

    fn from_str(text: &str) -> Result<Self, ReadingSpeedError> {
        let text = text.trim();
        let end = text
            .find(|c: char| !(c.is_ascii_digit() || c == '.'))
            .unwrap_or(text.len());
        let tokens = match text[end..].trim().to_lowercase().as_str() {
            "" | "tokens/s" | "tok/s" | "t/s" => Some(1.0),
            "words/s" => Some(1.0 / WORDS_PER_TOKEN),
            "wpm" | "words/min" => Some(1.0 / WORDS_PER_TOKEN / 60.0),
            _ => None,
        };
        tokens
            .zip(text[..end].parse::<f64>().ok())
            .map(|(unit, number)| number * unit)
            .filter(|speed| *speed > 0.0 && speed.is_finite())
            .map(Self)
            .ok_or_else(|| ReadingSpeedError { text: text.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_tokens() {
        let speed = |text: &str| text.parse::<ReadingSpeed>().map_or(f64::NAN, |speed| speed.0);
        assert!((speed("4 words/s") - 5.333_333).abs() < 1e-5, "4 / 0.75");
        assert!((speed("240 wpm") - 5.333_333).abs() < 1e-5);
        assert!((speed("5.3") - 5.3).abs() < 1e-12 && (speed("10 tok/s") - 10.0).abs() < 1e-12);
        for text in ["", "0", "-1", "fast", "5.3 pages/s", "NaN", "1.2.3"] {
            assert!(text.parse::<ReadingSpeed>().is_err(), "{text:?}");
        }
    }
}
