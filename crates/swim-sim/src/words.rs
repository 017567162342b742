//! Plans and stories as text: words that are read one after the other, and durations.

use std::fmt;
use std::str::{FromStr, SplitWhitespace};
use std::time::Duration;

use crate::cluster::HostIx;

/// A line that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct TextError(String);

impl TextError {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self(what.into())
    }
}

/// The words of a line.
pub(crate) struct Words<'a> {
    rest: SplitWhitespace<'a>,
}

impl<'a> Words<'a> {
    pub(crate) fn new(line: &'a str) -> Self {
        Self { rest: line.split_whitespace() }
    }

    pub(crate) fn next(&mut self) -> Option<&'a str> {
        self.rest.next()
    }

    /// The next word, whatever it is.
    pub(crate) fn word(&mut self, wanted: &str) -> Result<&'a str, TextError> {
        self.next().ok_or_else(|| TextError(format!("the line ends where {wanted} is expected")))
    }

    /// The next word, which must be this one.
    pub(crate) fn expect(&mut self, word: &str) -> Result<(), TextError> {
        match self.word(&format!("`{word}`"))? {
            found if found == word => Ok(()),
            found => Err(TextError(format!("`{found}` where `{word}` is expected"))),
        }
    }

    /// The next word as a value.
    pub(crate) fn value<T: FromStr>(&mut self, wanted: &str) -> Result<T, TextError> {
        let word = self.word(wanted)?;
        word.parse().map_err(|_| TextError(format!("`{word}` is not {wanted}")))
    }

    pub(crate) fn host(&mut self) -> Result<HostIx, TextError> {
        self.value("a host, h0 say")
    }

    pub(crate) fn span(&mut self) -> Result<Duration, TextError> {
        self.value::<Span>("a time, 1.5s say").map(|span| span.0)
    }

    /// The hosts to the end of the line.
    pub(crate) fn hosts(&mut self) -> Result<Vec<HostIx>, TextError> {
        let mut hosts = Vec::new();
        while self.peek().is_some() {
            hosts.push(self.host()?);
        }
        Ok(hosts)
    }

    pub(crate) fn peek(&self) -> Option<&'a str> {
        self.rest.clone().next()
    }

    /// Takes the next word if it is this one.
    pub(crate) fn take(&mut self, word: &str) -> bool {
        let found = self.peek() == Some(word);
        if found {
            self.rest.next();
        }
        found
    }

    /// All has been read.
    pub(crate) fn end(mut self) -> Result<(), TextError> {
        match self.next() {
            None => Ok(()),
            Some(word) => Err(TextError(format!("`{word}` where the line should end"))),
        }
    }
}

impl fmt::Display for HostIx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "h{}", self.0)
    }
}

impl FromStr for HostIx {
    type Err = TextError;

    fn from_str(word: &str) -> Result<Self, TextError> {
        let number = word.strip_prefix('h').and_then(|number| number.parse().ok());
        number.map(Self).ok_or_else(|| TextError(format!("`{word}` is not a host")))
    }
}

/// A duration as people write it: `150us`, `20ms`, `1.5s`, `2m`, `1h`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        match micros {
            0 => f.write_str("0s"),
            _ if micros.is_multiple_of(3_600_000_000) => write!(f, "{}h", micros / 3_600_000_000),
            _ if micros < 1_000 => write!(f, "{micros}us"),
            _ if micros < 1_000_000 => decimal(f, micros, 1_000, "ms"),
            _ => decimal(f, micros, 1_000_000, "s"),
        }
    }
}

/// Writes `value / unit` with as many digits behind the point as it takes.
fn decimal(f: &mut fmt::Formatter<'_>, value: u128, unit: u128, name: &str) -> fmt::Result {
    let (whole, rest) = (value / unit, value % unit);
    if rest == 0 {
        return write!(f, "{whole}{name}");
    }
    let width = unit.ilog10() as usize;
    let digits = format!("{rest:0width$}");
    write!(f, "{whole}.{}{name}", digits.trim_end_matches('0'))
}

impl FromStr for Span {
    type Err = TextError;

    fn from_str(word: &str) -> Result<Self, TextError> {
        let wrong = || TextError(format!("`{word}` is not a time"));
        let at = word.find(|c: char| c.is_ascii_alphabetic()).ok_or_else(wrong)?;
        let (number, unit) = word.split_at(at);
        let micros: u64 = match unit {
            "us" => 1,
            "ms" => 1_000,
            "s" => 1_000_000,
            "m" => 60_000_000,
            "h" => 3_600_000_000,
            _ => return Err(wrong()),
        };
        let (whole, rest) = number.split_once('.').unwrap_or((number, "0"));
        let whole: u64 = whole.parse().map_err(|_| wrong())?;
        if rest.is_empty() || rest.len() > 9 || rest.contains(|c: char| !c.is_ascii_digit()) {
            return Err(wrong());
        }
        let part: u64 = rest.parse().map_err(|_| wrong())?;
        let part = part.checked_mul(micros).ok_or_else(wrong)? / 10_u64.pow(rest.len() as u32);
        let whole = whole.checked_mul(micros).ok_or_else(wrong)?;
        Ok(Self(Duration::from_micros(whole + part)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written() {
        for (micros, text) in [
            (0, "0s"),
            (150, "150us"),
            (20_000, "20ms"),
            (1_500, "1.5ms"),
            (12_345_678, "12.345678s"),
            (90_000_000, "90s"),
            (7_200_000_000, "2h"),
        ] {
            let span = Span(Duration::from_micros(micros));
            assert_eq!(span.to_string(), text);
            assert_eq!(text.parse(), Ok(span));
        }
        assert_eq!("3m".parse(), Ok(Span(Duration::from_secs(180))));
        for wrong in ["", "5", "s", "1.s", "-1s", "1.5.5s", "99999999999999999h", "1 s"] {
            assert!(wrong.parse::<Span>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_is_wrong_with_a_line_is_said() {
        let mut words = Words::new("crash 7");
        assert!(words.take("crash"));
        let error = words.host().unwrap_err();
        assert_eq!(error.to_string(), "`7` is not a host, h0 say");
        assert!(words.host().unwrap_err().to_string().contains("ends"));
    }
}
