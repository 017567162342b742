//! Text from the network, made safe for a terminal.

use std::fmt::Write;

/// Replaces control characters, and those that turn the direction of text around or are not seen,
/// by their escapes.
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        if is_treacherous(character) {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "{}", character.escape_default());
        } else {
            escaped.push(character);
        }
    }
    escaped
}

/// The same for JSON text, in JSON's own way: what is read from it stays as it was. Characters that
/// JSON escapes anyway are past that; the others can only stand inside strings.
pub(crate) fn escape_json(json: &str) -> String {
    let mut escaped = String::with_capacity(json.len());
    for character in json.chars() {
        if is_treacherous(character) {
            // All of them are of the first plane, so that one escape is enough.
            let _ = write!(escaped, "\\u{:04x}", u32::from(character));
        } else {
            escaped.push(character);
        }
    }
    escaped
}

fn is_treacherous(character: char) -> bool {
    let unseen = matches!(
        character,
        '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    );
    character.is_control() || unseen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(escape("a\x1b[31mred\n\u{9b}"), "a\\u{1b}[31mred\\n\\u{9b}");
        assert_eq!(escape("\u{202e}txt"), "\\u{202e}txt");
        assert_eq!(escape("Zoë → 東京"), "Zoë → 東京");
    }

    #[test]
    fn json_reads_the_same_when_it_is_escaped() {
        let text = "a\x1b\u{9b}31m \u{202e}\u{feff}Zoë";
        let json = escape_json(&serde_json::to_string(text).unwrap());
        assert_eq!(json, r#""a\u001b\u009b31m \u202e\ufeffZoë""#);
        assert_eq!(serde_json::from_str::<String>(&json).unwrap(), text);
    }
}
