//! Names from files as they may be shown on a terminal.

use alloc::string::String;
use alloc::vec::Vec;

/// Text from a file as it may be shown on a terminal: control characters, and those that change the
/// order of the text around them, become escapes such as `\u{1b}`.
pub fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_active(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}

/// [`escaped`], except that lines stay lines.
pub fn escaped_lines(text: &str) -> String {
    text.split('\n').map(escaped).collect::<Vec<_>>().join("\n")
}

/// Whether a terminal acts on a character rather than showing it. Those beyond the control
/// characters are line separators and the marks of Unicode's bidirectional algorithm (UAX 9).
fn is_active(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_the_terminal_as_a_command() {
        let cases = [
            ("a name, ünïcödé 名前", "a name, ünïcödé 名前"),
            ("\x1b]0;title\x07", "\\u{1b}]0;title\\u{7}"),
            ("two\nlines\r\ttab", "two\\nlines\\r\\ttab"),
            ("\u{9b}2J\u{7f}", "\\u{9b}2J\\u{7f}"),
            ("gnp\u{202e}exe", "gnp\\u{202e}exe"),
        ];
        for (text, want) in cases {
            assert_eq!(escaped(text), want);
        }
        assert_eq!(escaped_lines("one\n\x1b[2Jtwo\n"), "one\n\\u{1b}[2Jtwo\n");
    }
}
